"""The database: engines, sessions, and how a transaction begins on each of the two.

Everything above works on a SQLModel `Session` from `Database.write()` or `Database.read()`; it carries the vault
and the clock, so that rules need no globals.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session, SQLModel

from models import naming  # noqa: F401 sets the names of constraints before the first table
from models.clock import Clock, steady
from models.vault import Vault

_TIME = text("SELECT clock_timestamp()")
LOCK_WAIT_MS = 3_000
IDLE_SECONDS = 1.0  # after which a connection is asked whether it lives before it is used

_SQLITE_AWAY = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    )
)

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
        self.clock.follows &= not self.is_sqlite
        self.engine = _sqlite(url, durable, write=True) if self.is_sqlite else _postgresql(url)
        # SQLite: a second engine for reads, whose transactions never take the write lock.
        self.read_engine = _sqlite(url, durable, write=False) if self.is_sqlite else self.engine
        self._between: list[tuple[float, Connection]] = []  # since time.monotonic()

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
    def once(self) -> Iterator[Session]:
        """As `write`, at half its price, for one piece of work that leaves beginning and ending to the block."""
        with away(), self._begun() as connection, self._inside(connection) as session:
            yield session

    @contextmanager
    def share(self, *, lock_wait_ms: int | None = None) -> Iterator[Part]:
        """One transaction for several pieces of work, committed at the end of the block. Each piece asks for a session
        of its own, and stands or falls alone: what it did is taken back when its block raises.

        `lock_wait_ms` = how long one statement may wait for a row that somebody else holds (PostgreSQL), where others
        wait for it to go on. Raises DatabaseAway when the transaction cannot be had.
        """
        with away(), self._begun() as connection:
            if lock_wait_ms is not None and not self.is_sqlite:
                connection.info["before"] = connection.get_transaction(), f"SET LOCAL lock_timeout = {lock_wait_ms:d}"
            yield partial(self._part, connection)

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        """A transaction on a connection that stays out of the pool while one turn follows the other."""
        connection = self._kept() or self.engine.connect()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._between.append((time.monotonic(), connection))

    def _kept(self) -> Connection | None:
        while self._between:
            try:
                since, connection = self._between.pop()
            except IndexError:  # another thread was faster
                break
            if time.monotonic() - since < IDLE_SECONDS:
                return connection
            connection.info["kept"] = since
            connection.close()
        return None

    @contextmanager
    def _part(self, connection: Connection) -> Iterator[Session]:
        with connection.begin_nested(), self._inside(connection) as session:
            yield session

    @contextmanager
    def _inside(self, connection: Connection) -> Iterator[Session]:
        """A session in the transaction or savepoint that has begun. It takes part in it at the first use of an object;
        hot statements need no more than the cursor."""
        with self._session(connection, join_transaction_mode="rollback_only") as session:
            session.info["hot"] = connection, connection.connection.cursor()
            yield session
            if session.in_transaction() or session.new or session.dirty or session.deleted:
                session.commit()

    def _session(self, bind: Engine | Connection, **more: Any) -> Session:
        return Session(bind, expire_on_commit=False, info={"vault": self.vault, "clock": self.clock}, **more)

    def dispose(self) -> None:
        """Close every connection of the pools."""
        while self._between:
            self._between.pop()[1].close()
        self.engine.dispose()
        self.read_engine.dispose()


@contextmanager
def away() -> Iterator[None]:
    """Turn a lost connection, a refused one or a lock not given in time into DatabaseAway."""
    try:
        yield
    except NoConnection as error:
        raise DatabaseAway("no connection free") from error
    except InvalidRequestError as error:
        if str(error) != "This connection is closed":
            raise
        # What the pool says when a new connection was lost before it could be used, twice in a row.
        raise DatabaseAway("no connection lasts") from error
    except DBAPIError as error:
        if not is_away(error):
            raise
        # Only the class is named: the driver's text may hold parameters or the address.
        raise DatabaseAway(type(error.orig).__name__) from error


def is_away(error: BaseException) -> bool:
    """Whether a failure is the database's own (gone, locked, full, only readable), not that of what was asked of it."""
    if isinstance(error, DatabaseAway | NoConnection):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:  # sqlite3 calls operational whatever is wrong with a statement, too
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or state == "25006":  # after a fail-over PostgreSQL answers, but takes no writes
        return True
    return isinstance(error, OperationalError) and state[:2] != "54"  # a statement too complex stays so


def vault_of(session: Session) -> Vault:
    """The vault of the session's database."""
    vault = session.info["vault"]
    if not isinstance(vault, Vault):
        raise TypeError("the session was not made by Database")
    return vault


def now_of(session: Session) -> datetime:
    """Programme time, UTC, aware."""
    return _clock_of(session).now()


def machine_now_of(session: Session) -> datetime:
    """Machine time, UTC, aware: for tokens, codes, leases and limits. On PostgreSQL it is the server's."""
    clock = _clock_of(session)
    if clock.follows and not clock.was_told:
        ask_time(session)
    return clock.shared()


def is_moved(session: Session) -> bool:
    """Whether the programme's clock runs ahead of the machine's."""
    return _clock_of(session).offset > timedelta(seconds=1)


def ask_time(session: Session) -> timedelta:
    """Ask the server for its time, which is the machine time of all copies; returns how far ahead of it this machine's
    own clock is. With SQLite all processes have one clock."""
    clock = _clock_of(session)
    if clock.follows:
        connection = session.connection()  # not counted: it may have to be made
        asked = steady()
        clock.tell(connection.execute(_TIME).scalar_one(), asked, steady())
    return clock.apart


def _clock_of(session: Session) -> Clock:
    clock = session.info["clock"]
    if not isinstance(clock, Clock):
        raise TypeError("the session was not made by Database")
    return clock


def insert_once(session: Session, table: type[SQLModel]) -> Any:
    """An INSERT that does nothing where a unique key stands already; its row count says which."""
    dialect = session.get_bind().dialect.name
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    # The table, not the class, and the count asked for: SQLAlchemy drops it for inserts otherwise.
    statement = insert(SQLModel.metadata.tables[str(table.__tablename__)]).on_conflict_do_nothing()
    return statement.execution_options(preserve_rowcount=True)


def _lean(engine: Engine, begin: str = "") -> Engine:
    """Transactions and savepoints begin and end on the driver's connection: SQLAlchemy would build and log a statement
    for each of these words, and every turn has some."""
    dialect: Any = engine.dialect
    if begin:
        dialect.do_begin = lambda connection: connection.cursor().execute(begin)
    dialect.do_commit = _commit
    dialect.do_savepoint = partial(_say, "SAVEPOINT")
    dialect.do_release_savepoint = _release_later if engine.dialect.name == "postgresql" else partial(_say, "RELEASE")
    dialect.do_rollback_to_savepoint = partial(_say, "ROLLBACK TO")
    return engine


def _commit(connection: Any) -> None:
    """A commit that fails (SQLite with its disk full, or busy) may leave the transaction open, and SQLAlchemy puts the
    connection back into the pool as it is: with the write lock of the whole database."""
    try:
        connection.commit()
    except BaseException:
        with suppress(Exception):  # it is gone altogether, then
            connection.rollback()
        raise


def _say(words: str, connection: Connection, name: str) -> None:
    """The names are SQLAlchemy's own: sa_savepoint_1 …"""
    transaction, before = connection.info.pop("before", (None, ""))
    if before and words == "SAVEPOINT" and transaction is connection.get_transaction():
        words = f"{before}; {words}"
    run_on(connection, connection.connection.cursor(), f"{words} {name}", None)


def _release_later(connection: Connection, name: str) -> None:
    """With the next savepoint, in one round trip; the end of the transaction, or of the one around it, releases too."""
    connection.info["before"] = connection.get_transaction(), f"RELEASE {name}"


def run_on(connection: Connection, cursor: DBAPICursor, sql: str, parameters: Any) -> None:
    """Execute on the driver's cursor; raises what SQLAlchemy raises for it, without the parameters."""
    driver: Any = connection.dialect.loaded_dbapi
    try:
        if parameters is not None:
            cursor.execute(sql, parameters)
        elif connection.dialect.name == "postgresql":
            cast(Any, cursor).execute(sql, prepare=False)  # what holds several statements cannot be prepared
        else:
            cursor.execute(sql)
    except driver.Error as error:
        lost = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)
        if lost:
            connection.invalidate(error)  # or the transaction's end would meet the dead connection and fail anew
        raise DBAPIError.instance(
            sql,
            None,
            error,
            driver.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error


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

    event.listen(engine, "connect", connect)
    # Plain BEGIN failed 22–29 % of concurrent read-modify-writes (architecture.md §4).
    return _lean(engine, "BEGIN IMMEDIATE" if write else "BEGIN")


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=4,
        hide_parameters=True,
        pool_timeout=3,
        connect_args={
            "connect_timeout": 3,
            # A network that swallows everything is noticed in ten seconds, by itself in a quarter of an hour.
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": f"-c lock_timeout={LOCK_WAIT_MS} -c timezone=UTC -c idle_in_transaction_session_timeout=60000",
        },
    )
    event.listen(engine, "checkin", _used)
    event.listen(engine, "checkout", partial(_alive, engine.dialect))
    return _lean(engine)


def _used(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = record.info.pop("kept", 0.0) or time.monotonic()


def _alive(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that has lain idle whether it lives: to ask each time is a round trip more in every turn. One
    that died within IDLE_SECONDS of its use is met by the turn, which then waits in the spool."""
    if time.monotonic() - record.info.get("used", -IDLE_SECONDS) > IDLE_SECONDS and not _answers(dialect, connection):
        raise InvalidatePoolError  # all of them are made anew


def _answers(dialect: Dialect, connection: Any) -> bool:
    try:
        return bool(dialect.do_ping(connection))
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, connection, None):
            return False
        raise
