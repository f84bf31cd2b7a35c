"""Migrations lead to the tables of the program, on both databases, with rows in them, and never break a reference."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, create_engine, inspect, make_url, text

from models import migrate, tables
from models.database import Database
from models.migrate import MigrationError
from models.vault import Vault
from tests.conftest import TEST_KEY

# Values for columns whose CHECK a first guess does not satisfy: (table, column) → value.
SPECIAL: dict[tuple[str, str], Any] = {
    ("region_pair", "helped"): "2",
    ("offer", "beneficiary_id"): "1",
    ("stint", "beneficiary_id"): "1",
    ("stint", "person_id"): "1",
    ("stint", "state"): "ended",
    ("hours_entry", "minutes"): 30,
    ("service_record", "minutes"): 30,
    ("service_record", "ends_at"): datetime(2026, 1, 1, 1, tzinfo=UTC),
    ("service_record", "state"): "confirmed",
    ("service_record", "decided_by"): "2",
    ("service_record", "decided_why"): "said",
    ("activity", "ends_at"): datetime(2026, 1, 1, 1, tzinfo=UTC),
    ("visit", "beneficiary_id"): "1",
    ("visit", "state"): "void",
    ("visit_report", "beneficiary_id"): "1",
    ("booking", "state"): "kept",
    ("hours_case", "state"): "answered",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'bare.db'}", Vault([TEST_KEY]), durable=False)
        yield made
        made.dispose()
        return
    url = make_url(request.getfixturevalue("postgresql_url"))
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"bare_{url.database}"
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    made = Database(url.set(database=name).render_as_string(hide_password=False), Vault([TEST_KEY]))
    yield made
    made.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations to which a test adds revisions."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "FOLDER", folder)
    return folder


def add_revision(folder: Path, name: str, after: str, body: str) -> None:
    (folder / "versions" / f"{name}.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = {name!r}\ndown_revision = {after!r}\n"
        f"branch_labels = None\ndepends_on = None\n\n\ndef upgrade():\n{body}\n"
    )


def shape(connection: Connection) -> dict[str, Any]:
    """Everything the database says of its tables, in an order of its own."""
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for name in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        found[name] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(name)],
            "primary": inspector.get_pk_constraint(name),
            "foreign": sorted(inspector.get_foreign_keys(name), key=lambda key: str(key["name"])),
            "unique": sorted(inspector.get_unique_constraints(name), key=lambda key: str(key["name"])),
            "check": sorted((str(c["name"]), c["sqltext"]) for c in inspector.get_check_constraints(name)),
            "index": sorted(_index(index) for index in inspector.get_indexes(name)),
        }
    return found


def _index(index: Any) -> tuple[str, ...]:
    where = {name: str(value) for name, value in (index.get("dialect_options") or {}).items()}
    return str(index["name"]), str(index["column_names"]), str(index["unique"]), str(sorted(where.items()))


def fill(connection: Connection) -> dict[str, int]:
    """One row in every table, whatever its columns are; returns the counts."""
    metadata = MetaData()
    metadata.reflect(connection)
    inspector = inspect(connection)
    counts = {}
    for table in metadata.sorted_tables:
        if table.name != "alembic_version":
            checks = [check["sqltext"] for check in inspector.get_check_constraints(table.name)]
            connection.execute(table.insert().values(_row(table, checks)))
            counts[table.name] = 1
    return counts


def _row(table: Table, checks: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable and column.foreign_keys and (table.name, column.name) not in SPECIAL:
            continue
        row[column.name] = SPECIAL.get((table.name, column.name), _value(column, checks))
    return row


def _value(column: Any, checks: list[str]) -> Any:
    for check in checks:
        words = re.match(rf"\W*{column.name}\W.*?'([^']*)'", check, re.S)
        if words and re.search(r"\bIN\b|ANY", check):
            return words[1]
    kind = column.type.python_type
    values: dict[Any, Any] = {
        str: "1",
        int: 1,
        float: 1.0,
        bool: True,
        bytes: b"1",
        object: {},  # JSON
        datetime: datetime(2026, 1, 1, tzinfo=UTC),
        date: date(2000, 1, 1),
        time: time(21, 0),
        timedelta: timedelta(1),
    }
    return values[kind]


def counts(database: Database) -> dict[str, int]:
    with database.read() as session:
        names = set(inspect(session.connection()).get_table_names()) - {"alembic_version"}
        return {name: session.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}


def test_the_migrations_make_exactly_the_tables_of_the_program(bare: Database, tmp_path: Path) -> None:
    migrate.upgrade(bare)
    assert migrate.differences(bare) == []
    with bare.read_engine.connect() as connection:
        migrated = shape(connection)
    with bare.write() as session:
        for name in migrated:
            session.execute(text(f'DROP TABLE "{name}"' + ("" if bare.is_sqlite else " CASCADE")))
    tables.create_all(bare)
    with bare.read_engine.connect() as connection:
        assert migrated == shape(connection)


def test_the_first_migration_stands_as_databases_have_it() -> None:
    first = migrate.FOLDER / "versions" / "0001_first_tables.py"
    assert hashlib.sha256(first.read_bytes()).hexdigest()[:16] == "ba2e283543933b11", "write a further revision instead"


@pytest.mark.parametrize("had", [False, True], ids=["as it began", "keys made by 0001 for a while"])
def test_of_what_stood_twice_the_oldest_stays_and_databases_with_the_keys_are_taken(bare: Database, had: bool) -> None:
    migrate.upgrade(bare, "0001_first_tables")
    with bare.engine.begin() as connection:
        fill(connection)
        connection.execute(text("UPDATE consent SET withdrawn_at = NULL"))
        if had:
            connection.execute(
                text("CREATE UNIQUE INDEX uq_consent_standing ON consent (person_id, kind) WHERE withdrawn_at IS NULL")
            )
        else:
            for number, day in ((2, "03"), (3, "02")):
                connection.execute(
                    text(
                        "INSERT INTO consent (id, person_id, kind, version, language, giver, given_by, given_at) "
                        f"SELECT '{number}', person_id, kind, version, language, giver, given_by, "
                        f"'2026-01-{day} 00:00:00' FROM consent WHERE id = '1'"
                    )
                )
    migrate.upgrade(bare)
    assert migrate.differences(bare) == []
    with bare.read() as session:
        rows = session.execute(
            text("SELECT id, withdrawn_at IS NULL, withdrawn_at = given_at FROM consent ORDER BY id")
        )
        found = [(row[0], bool(row[1]), row[2]) for row in rows]
    assert [(row, stands) for row, stands, _ended in found] == [("1", True)] + (
        [] if had else [("2", False), ("3", False)]
    )
    assert all(ended for _row, stands, ended in found if not stands)


def test_a_second_upgrade_does_nothing(bare: Database) -> None:
    told: list[str] = []
    assert migrate.upgrade(bare, told=told.append) == migrate.revisions() == told
    assert migrate.upgrade(bare) == []
    assert migrate.state(bare).standing == "current"


@pytest.mark.parametrize("revision", migrate.revisions())
def test_an_upgrade_from_every_revision_keeps_its_rows(bare: Database, revision: str) -> None:
    migrate.upgrade(bare, revision)
    with bare.engine.begin() as connection:
        before = fill(connection)
    migrate.upgrade(bare)
    after = counts(bare)
    assert {name: after.get(name) for name in before} == before
    assert migrate.differences(bare) == []


def test_a_later_migration_in_batch_mode_keeps_child_rows(bare: Database, further: Path) -> None:
    newest = migrate.head()
    migrate.upgrade(bare)
    with bare.engine.begin() as connection:
        before = fill(connection)
    body = (
        "    with op.batch_alter_table('person', recreate='auto') as batch:\n"
        "        batch.alter_column('zone', existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)\n"
        "        batch.add_column(sa.Column('added', sa.Integer(), nullable=False, server_default='7'))\n"
    )
    add_revision(further, "9999_added", newest, body)
    assert migrate.state(bare).standing == "behind"
    assert migrate.upgrade(bare) == ["9999_added"]
    assert counts(bare) == before
    with bare.read() as session:
        assert session.execute(text("SELECT added FROM person")).scalar_one() == 7
        if bare.is_sqlite:
            assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_a_migration_that_would_leave_rows_pointing_nowhere_is_rolled_back_loudly(
    tmp_path: Path, further: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'broken.db'}", Vault([TEST_KEY]), durable=False)
    newest = migrate.head()
    migrate.upgrade(database)
    with database.engine.begin() as connection:
        before = fill(connection)
    add_revision(further, "9999_bad", newest, "    op.execute('DELETE FROM person')")
    with pytest.raises(MigrationError, match="point nowhere"):
        migrate.upgrade(database)
    assert counts(database) == before
    assert migrate.state(database).revision == newest
    database.dispose()


def test_a_migration_that_fails_in_the_middle_changes_nothing(bare: Database, further: Path) -> None:
    newest = migrate.head()
    migrate.upgrade(bare)
    body = "    op.add_column('person', sa.Column('half', sa.Integer()))\n    raise RuntimeError('on purpose')"
    add_revision(further, "9999_half", newest, body)
    with pytest.raises(RuntimeError, match="on purpose"):
        migrate.upgrade(bare)
    assert migrate.state(bare).revision == newest
    with bare.read_engine.connect() as connection:
        assert "half" not in {column["name"] for column in inspect(connection).get_columns("person")}


def test_two_starts_at_once_migrate_once(bare: Database) -> None:
    url = bare.url.render_as_string(hide_password=False)
    done: list[list[str]] = []
    errors: list[BaseException] = []

    def start() -> None:
        database = Database(url, Vault([TEST_KEY]))
        try:
            done.append(migrate.upgrade(database))
        except BaseException as error:  # noqa: BLE001 shown by the test
            errors.append(error)
        finally:
            database.dispose()

    # Alembic's `op` is a module of its process: two starts are two processes, here one thread and one process.
    script = (
        "import sys\nfrom models import migrate\nfrom models.database import Database\nfrom models.vault import Vault\n"
        f"print(len(migrate.upgrade(Database({url!r}, Vault([bytes(32)])))))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    thread = threading.Thread(target=start)
    thread.start()
    thread.join(60)
    other, _ = process.communicate(timeout=60)
    assert not errors
    assert process.returncode == 0
    assert sorted([len(done[0]), int(other)]) == [0, len(migrate.revisions())]


def test_a_newer_database_and_a_foreign_one_are_told_apart(bare: Database) -> None:
    assert migrate.state(bare).standing == "empty"
    migrate.upgrade(bare)
    with bare.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999_from_tomorrow'"))
    assert migrate.state(bare).standing == "ahead"
    with bare.write() as session:
        session.execute(text("DROP TABLE alembic_version"))
    assert migrate.state(bare).standing == "foreign"


def test_a_schema_changed_by_hand_is_noticed(bare: Database) -> None:
    migrate.upgrade(bare)
    with bare.write() as session:
        session.execute(text("ALTER TABLE person ADD COLUMN by_hand INTEGER"))
    assert any("by_hand" in line for line in migrate.differences(bare))


def test_a_missing_check_constraint_is_noticed(bare: Database, further: Path) -> None:
    newest = migrate.head()
    body = (
        "    with op.batch_alter_table('person') as batch:\n"
        "        batch.drop_constraint(op.f('ck_person_language'), type_='check')"
    )
    add_revision(further, "9999_no_check", newest, body)
    migrate.upgrade(bare)
    assert any("ck_person_language" in line for line in migrate.differences(bare))


def test_no_migration_offers_a_way_down() -> None:
    for path in (migrate.FOLDER / "versions").glob("*.py"):
        assert "def downgrade" not in path.read_text("utf-8"), path.name
