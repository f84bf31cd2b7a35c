"""What the database itself refuses beyond keys and checks: overlapping service records of one person, and any change of
the hours ledger (programme §7).

PostgreSQL has an exclusion constraint with plain GiST over int8range and tstzrange (these need no
btree_gist), SQLite triggers. A migration that makes one of the tables anew on SQLite drops its triggers and has to run
these again (tests/test_guards.py looks at both ways in which tables are made).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, event
from sqlmodel import SQLModel

from models import service  # noqa: F401 its tables are guarded here

_COUNTS = "('running', 'asked', 'waiting', 'confirmed')"
_FAR = "'9999-12-31 00:00:00.000000'"
_OVERLAP = f"""
    SELECT RAISE(ABORT, 'service_record_overlap') WHERE EXISTS (
        SELECT 1 FROM service_record AS other
        WHERE other.person_no = NEW.person_no AND other.id <> NEW.id AND other.state IN {_COUNTS}
        AND other.starts_at < coalesce(NEW.ends_at, {_FAR}) AND NEW.starts_at < coalesce(other.ends_at, {_FAR})
    );"""  # noqa: S608 made of constants

SQLITE = {
    "service_record": (
        f"""CREATE TRIGGER service_record_overlap_insert BEFORE INSERT ON service_record
WHEN NEW.state IN {_COUNTS} BEGIN {_OVERLAP}
END""",
        f"""CREATE TRIGGER service_record_overlap_update
BEFORE UPDATE OF person_no, state, starts_at, ends_at ON service_record
WHEN NEW.state IN {_COUNTS} BEGIN {_OVERLAP}
END""",
    ),
    "hours_entry": (
        """CREATE TRIGGER hours_entry_no_update BEFORE UPDATE ON hours_entry
BEGIN SELECT RAISE(ABORT, 'hours_entry_append_only');
END""",
        """CREATE TRIGGER hours_entry_no_delete BEFORE DELETE ON hours_entry
BEGIN SELECT RAISE(ABORT, 'hours_entry_append_only');
END""",
    ),
}
POSTGRESQL = {
    "service_record": (
        f"""ALTER TABLE service_record ADD CONSTRAINT service_record_overlap EXCLUDE USING gist (
int8range(person_no, person_no, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&) WHERE (state IN {_COUNTS})""",
    ),
    "hours_entry": (
        """CREATE OR REPLACE FUNCTION hours_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'hours_entry_append_only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
        """CREATE TRIGGER hours_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hours_entry
FOR EACH STATEMENT EXECUTE FUNCTION hours_entry_append_only()""",
    ),
}


def _listen() -> None:
    for dialect, by_table in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for name, statements in by_table.items():
            table: Any = SQLModel.metadata.tables[name]
            for statement in statements:
                ddl: Any = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
                event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


_listen()
