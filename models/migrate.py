"""Bringing a database's schema up to this program's, and telling how far it is.

Forward only: a downgrade would have to throw columns away, so the way back is the backup taken before.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import CheckConstraint, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from models.database import Database, away
from models.tables import METADATA

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
# SQLite cannot ALTER most things: batch mode makes the table anew. Types and defaults are compared as well.
OPTIONS: dict[str, Any] = {"render_as_batch": True, "compare_type": True, "compare_server_default": True}

_WAIT_SECONDS = 60  # another start that is migrating just now
_TABLE_LOCK_MS = 10_000  # waiting for a table holds up everybody who comes after
_ADVISORY_KEY = 0x6E75616E79616E67  # "nuanyang"

_VERSION = "alembic_version"
_NAMED = re.compile(r"^(revision|down_revision)(?:: [^=\n]+)? = (.+)$", re.MULTILINE)

Standing = Literal["empty", "behind", "current", "ahead", "foreign"]


class MigrationError(Exception):
    """A migration that must not be kept; it was rolled back. The text names tables and counts only."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands. "foreign": it has tables that no migration of ours made."""

    standing: Standing
    revision: str
    head: str


def head() -> str:
    """The newest revision that this program knows. Raises MigrationError."""
    return revisions()[-1]


def revisions() -> list[str]:
    """All revisions, the oldest first. Raises MigrationError where the files do not follow one another.

    Read from the files' own words: loading Alembic takes a tenth of the start of a service that only compares.
    """
    after: dict[str | None, str] = {}
    for path in sorted((FOLDER / "versions").glob("*.py")):
        named = dict(_NAMED.findall(path.read_text("utf-8")))
        after[ast.literal_eval(named["down_revision"])] = ast.literal_eval(named["revision"])
    found: list[str] = []
    while (following := after.pop(found[-1] if found else None, None)) is not None:
        found.append(following)
    if after or not found:
        raise MigrationError("models/migrations/versions is not one line of revisions: the installation is incomplete")
    return found


def state(database: Database) -> SchemaState:
    """Compare the database's revision with this program's. Raises DatabaseAway."""
    with away(), database.read_engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
        stands = connection.execute(text("SELECT version_num FROM alembic_version")) if _VERSION in names else ()
        found = [str(row[0]) for row in stands]
        tables = names - {_VERSION}
    revision = ",".join(sorted(found))
    newest = head()
    if revision == newest:
        return SchemaState("current", revision, newest)
    if not revision:
        ours = tables & set(METADATA.tables)
        return SchemaState("foreign" if ours else "empty", "", newest)
    return SchemaState("behind" if revision in revisions() else "ahead", revision, newest)


def upgrade(database: Database, to: str = "head", told: Callable[[str], None] = lambda revision: None) -> list[str]:
    """Run what is missing, in one transaction and alone; returns the revisions that were run, the oldest first.

    `told` hears each revision when it has been run. Raises MigrationError, after which nothing is changed, or
    DatabaseAway.
    """
    from alembic import command

    done: list[str] = []

    def heard(*, step: Any, **_more: Any) -> None:
        done.extend(step.up_revision_ids)
        for revision in step.up_revision_ids:
            told(revision)

    engine = _engine(database)
    try:
        with away(), _locked(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            config.attributes["on_version_apply"] = heard
            command.upgrade(config, to)
            _check_foreign_keys(connection)
    finally:
        engine.dispose()
    return done


def differences(database: Database) -> list[str]:
    """What differs between the database's schema and the tables of this program, in words for a developer."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with away(), database.read_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = [str(_named(change)) for change in compare_metadata(context, METADATA)]
        return found + _missing_checks(connection)


def _named(change: Any) -> str:
    """A change of Alembic's as one line; changes of one column come as lists."""
    parts = change[0] if isinstance(change, list) else change
    names = [getattr(part, "name", None) or part for part in parts if isinstance(part, str) or hasattr(part, "name")]
    return " ".join(str(name) for name in names)


def _missing_checks(connection: Connection) -> list[str]:
    """CHECK constraints by name, which Alembic does not compare."""
    found = []
    inspector = inspect(connection)
    for table in METADATA.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        standing = {check["name"] for check in inspector.get_check_constraints(table.name)}
        wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint) and c.name}
        formatted = {_formatted(table.name, name) for name in wanted}
        found += [f"add_check {table.name} {name}" for name in sorted(formatted - standing)]
        found += [f"remove_check {table.name} {name}" for name in sorted({str(n) for n in standing} - formatted)]
    return found


def _formatted(table: str, name: str) -> str:
    prefix = f"ck_{table}_"
    return name if name.startswith(prefix) else prefix + name


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _engine(database: Database) -> Engine:
    """An engine of its own: keys off on SQLite (batch mode with keys on deletes child rows), and more patience."""
    if not database.is_sqlite:
        options = f"-c lock_timeout={_WAIT_SECONDS * 1000} -c timezone=UTC"
        return create_engine(
            database.url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"connect_timeout": 5, "options": options},
        )
    engine = create_engine(
        database.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": _WAIT_SECONDS, "isolation_level": None},
    )

    def connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """One transaction that no other migration runs beside: SQLite's write lock, or an advisory lock."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
            connection.execute(text(f"SET LOCAL lock_timeout = {_TABLE_LOCK_MS}"))
        yield connection


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise MigrationError(f"{len(broken)} rows would point nowhere (tables: {tables})")
