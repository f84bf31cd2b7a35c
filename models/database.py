"""The database: engines, sessions, and how a transaction begins on each of the two.

Everything above works on a SQLModel `Session` from `Database.write()` or `Database.read()`; it carries the vault
and the clock, so that rules need no globals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlmodel import Session, SQLModel

from models import naming  # noqa: F401 sets the names of constraints before the first table
from models.clock import Clock
from models.vault import Vault

LOCK_WAIT_MS = 3_000

Part = Callable[[], AbstractContextManager[Session]]


class DatabaseAway(Exception):
    """The database cannot be reached or did not give its lock in time; what was being done was rolled back."""


class Database:
    """One database with its vault and clock; safe to share between threads."""

    def __init__(self, url: str, vault: Vault, clock: Clock | None = None, *, durable: bool = True) -> None:
        """`durable` keeps SQLite at synchronous=FULL (architecture.md §9); tests may turn it off."""
        self.url = make_url(url)
        self.vault = vault
        self.clock = clock or Clock()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(url, durable, write=True) if self.is_sqlite else _postgresql(url)
        # SQLite: a second engine for reads, whose transactions never take the write lock.
        self.read_engine = _sqlite(url, durable, write=False) if self.is_sqlite else self.engine

    def __repr__(self) -> str:
        return f"Database({self.url.get_backend_name()})"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed at the end of the block. Raises DatabaseAway when it cannot be had."""
        with away(), self._session(self.engine) as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing."""
        with away(), self._session(self.read_engine) as session:
            yield session

    @contextmanager
    def share(self, *, lock_wait_ms: int | None = None) -> Iterator[Part]:
        """One transaction for several pieces of work, committed at the end of the block. Each piece asks for a session
        of its own, and stands or falls alone: what it did is taken back when its block raises.

        `lock_wait_ms` = how long one statement may wait for a row that somebody else holds (PostgreSQL), where others
        wait for it to go on. Raises DatabaseAway when the transaction cannot be had.
        """
        with away(), self.engine.connect() as connection, connection.begin():
            if lock_wait_ms is not None and not self.is_sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {lock_wait_ms:d}")
            yield partial(self._part, connection)

    @contextmanager
    def _part(self, connection: Connection) -> Iterator[Session]:
        with self._session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
            session.commit()

    def _session(self, bind: Engine | Connection, **more: Any) -> Session:
        return Session(bind, expire_on_commit=False, info={"vault": self.vault, "clock": self.clock}, **more)

    def dispose(self) -> None:
        """Close every connection of the pools."""
        self.engine.dispose()
        self.read_engine.dispose()


@contextmanager
def away() -> Iterator[None]:
    """Turn a lost connection, a refused one or a lock not given in time into DatabaseAway."""
    try:
        yield
    except NoConnection as error:
        raise DatabaseAway("no connection free") from error
    except DBAPIError as error:
        if not is_away(error):
            raise
        # Only the class is named: the driver's text may hold parameters or the address.
        raise DatabaseAway(type(error.orig).__name__) from error


def is_away(error: BaseException) -> bool:
    """Whether a failure is the database's own (gone, locked, full, only readable), not that of what was asked of it."""
    if isinstance(error, DatabaseAway | NoConnection | OperationalError):
        return True
    # After a fail-over PostgreSQL answers, but takes no writes (25006).
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or getattr(error.orig, "sqlstate", None) == "25006"
    )


def vault_of(session: Session) -> Vault:
    """The vault of the session's database."""
    vault = session.info["vault"]
    if not isinstance(vault, Vault):
        raise TypeError("the session was not made by Database")
    return vault


def now_of(session: Session) -> datetime:
    """Programme time, UTC, aware."""
    clock = session.info["clock"]
    if not isinstance(clock, Clock):
        raise TypeError("the session was not made by Database")
    return clock.now()


def machine_now_of(session: Session) -> datetime:
    """Machine time, UTC, aware: for tokens, codes, leases and limits."""
    clock = session.info["clock"]
    if not isinstance(clock, Clock):
        raise TypeError("the session was not made by Database")
    return clock.machine()


def insert_once(session: Session, table: type[SQLModel]) -> Any:
    """An INSERT that does nothing where a unique key stands already; its row count says which."""
    dialect = session.get_bind().dialect.name
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    # The table, not the class, and the count asked for: SQLAlchemy drops it for inserts otherwise.
    statement = insert(SQLModel.metadata.tables[str(table.__tablename__)]).on_conflict_do_nothing()
    return statement.execution_options(preserve_rowcount=True)


def _lean_savepoints(engine: Engine) -> Engine:
    """Savepoints as they stand: SQLAlchemy would compile a statement for each of them anew, and every turn has some."""

    def run(words: str) -> Callable[[Connection, str], None]:
        def through(connection: Connection, name: str) -> None:
            connection.exec_driver_sql(f"{words} {name}")  # the names are SQLAlchemy's own: sa_savepoint_1 …

        return through

    engine.dialect.do_savepoint = run("SAVEPOINT")  # type: ignore[assignment, method-assign]
    engine.dialect.do_release_savepoint = run("RELEASE SAVEPOINT")  # type: ignore[assignment, method-assign]
    return engine


def _sqlite(url: str, durable: bool, *, write: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": LOCK_WAIT_MS / 1000, "isolation_level": None},
    )

    def connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.close()

    def begin(connection: Any) -> None:
        # Plain BEGIN failed 22–29 % of concurrent read-modify-writes (architecture.md §4).
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    return _lean_savepoints(engine)


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=4,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=3,
        connect_args={
            "connect_timeout": 3,
            "options": f"-c lock_timeout={LOCK_WAIT_MS} -c timezone=UTC -c idle_in_transaction_session_timeout=60000",
        },
    )
    return _lean_savepoints(engine)
