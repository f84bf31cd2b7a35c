"""Copies of the database: made while everything runs, and put back while nothing does. Knows files and PostgreSQL's own
tools, and nothing of the programme.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

_PAGES = 1_000  # copied between two looks at the progress
COMPANIONS = ("-wal", "-shm")
TOOL_SECONDS = 6 * 3_600  # for pg_dump and pg_restore


class CopyFailed(Exception):
    """The copy was not made, and nothing was changed; the text says why, without secrets."""


class InUse(Exception):
    """A process of ours works on the database."""


class Unclear(Exception):
    """The last step was ordered, and whether it was done could not be asked; the text names the database that is
    there if it was."""


@contextmanager
def using(url: URL, *, alone: bool) -> Iterator[None]:
    """Say for as long as this lasts that the SQLite file is worked on: by many at once, or by one `alone`. The system
    takes the lock away with the process, however it ends; the lock's file stays. Raises InUse.

    Where the folder knows no locks or cannot be written (a network drive), and for PostgreSQL, nothing is locked.
    """
    path = file_of(url)
    if path is None:
        yield
        return
    try:
        lock = Path(f"{path}.lock").open("ab")  # noqa: SIM115 closed below
    except OSError:
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse from None
        except OSError:
            yield
            return
        yield


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None for any other."""
    named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if named else None


def copy_sqlite(source: Path, target: Path, told: Callable[[int], None] = lambda percent: None) -> None:
    """A copy of one moment in a single file, while others read and write the source; checked and synced to the disk.

    `told` hears how much is done, in percent. Raises CopyFailed, after which there is no target, and FileExistsError.
    """
    part = _part(target)
    try:
        with closing(sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True, isolation_level=None)) as reader:
            # The moment is that of this transaction: without it every write of others would begin the copy anew.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(part, isolation_level=None)) as writer:
                reader.backup(
                    writer,
                    pages=_PAGES,
                    progress=lambda _status, left, total: told(100 * (total - left) // max(total, 1)),
                )
                writer.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
                _check(writer)
        keep(part, target)
    except sqlite3.Error as error:
        raise CopyFailed(str(error)) from None
    finally:
        for name in ("", *COMPANIONS, "-journal"):
            Path(f"{part}{name}").unlink(missing_ok=True)


def into_one_file(path: Path) -> None:
    """What stands in the companions goes into the file itself. Raises CopyFailed."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            _check(connection)
    except sqlite3.Error as error:
        raise CopyFailed(str(error)) from None
    _sync(path)


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise CopyFailed(str(found))
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise CopyFailed(f"foreign_key_check {broken[0]}")


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _part(target: Path) -> Path:
    """Where a file grows that is not whole yet, readable for this user alone."""
    if target.exists():
        raise FileExistsError(target)
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return part


def keep(part: Path, target: Path) -> None:
    """The file is whole: onto the disk, and under its name. Raises FileExistsError."""
    _sync(part)
    os.link(part, target)  # never over a file that came meanwhile
    part.unlink()
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(ready: Path, path: Path, at: datetime) -> Path | None:
    """Let `ready` be the database from now on; returns where the former one is kept, None where there was none.

    Its companions go with the former one: they would be played into the new file. A machine that stops in the middle
    has no database under the name, never a wrong one. Raises OSError, after which the former one stands as it did.
    """
    aside = path.with_name(f"{path.name}.before-{at:%Y%m%d-%H%M%S}")
    moved: list[str] = []
    try:
        if path.exists():
            for name in ("", *COMPANIONS):
                if Path(f"{path}{name}").exists():
                    Path(f"{path}{name}").rename(f"{aside}{name}")
                    moved.append(name)
        for name in COMPANIONS:
            Path(f"{path}{name}").unlink(missing_ok=True)
        _sync(path.parent)
        ready.rename(path)
    except OSError:
        for name in reversed(moved):  # the file itself last: never without what stands in its companions
            Path(f"{aside}{name}").rename(f"{path}{name}")
        raise
    _sync(path.parent)
    return aside if moved else None


def dump(url: URL, target: Path) -> None:
    """pg_dump in its custom form. Raises CopyFailed and FileExistsError."""
    part = _part(target)
    try:
        _tool("pg_dump", url, "--format=custom", f"--file={part}")
        _tool("pg_restore", None, "--list", str(part))
        keep(part, target)
    finally:
        part.unlink(missing_ok=True)


def load(url: URL, source: Path) -> None:
    """pg_restore into a database that is empty. Raises CopyFailed."""
    named = f"--dbname={_address(url)}"
    _tool("pg_restore", url, "--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", named, str(source))


def _tool(name: str, url: URL | None, *arguments: str) -> None:
    if shutil.which(name) is None:
        raise CopyFailed(f"{name}?")
    # The password goes by the environment: arguments are seen by everybody on the machine.
    environment = dict(os.environ) | ({"PGPASSWORD": url.password} if url is not None and url.password else {})
    named = [f"--dbname={_address(url)}"] if url is not None and name == "pg_dump" else []
    ended = subprocess.run(  # noqa: S603 one of two tools, found in the operator's own PATH
        [name, *named, *arguments], env=environment, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )
    if ended.returncode:
        raise CopyFailed((ended.stderr.strip().splitlines() or [name])[-1])


def _address(url: URL) -> str:
    """As PostgreSQL's tools understand it, without the password."""
    from psycopg.conninfo import make_conninfo

    _arguments, given = url.get_dialect()().create_connect_args(url)
    return make_conninfo("", **{name: value for name, value in given.items() if name != "password"})


class Exchange:
    """A PostgreSQL database that is filled beside the one in use and takes its name in the end."""

    def __init__(self, url: URL, at: datetime) -> None:
        self.url = url
        self.name = str(url.database)
        self.beside = f"{self.name}_restoring"
        self.aside = f"{self.name}_before_{at:%Y%m%d_%H%M%S}"
        self.beside_url = url.set(database=self.beside)

    def _server(self) -> Engine:
        # A database cannot be renamed by whoever is connected to it; every server has this one.
        return create_engine(self.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def exists(self) -> bool:
        """Whether there is a database that would be put aside."""
        return self.name in self._there()

    def _there(self) -> set[str]:
        there = text("SELECT datname FROM pg_database WHERE datname IN (:name, :beside)")
        with self._server().connect() as connection:
            return set(connection.execute(there, {"name": self.name, "beside": self.beside}).scalars())

    def make(self) -> None:
        """An empty database beside it. Raises InUse, or SQLAlchemy's errors."""
        server = self._server()
        with server.connect() as connection:
            busy = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
            if connection.execute(busy, {"name": self.name}).scalar_one():
                raise InUse
            quoted = connection.dialect.identifier_preparer.quote
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(self.beside)} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {quoted(self.beside)} TEMPLATE template0")

    def swap(self) -> str | None:
        """The filled one takes the name; returns what the former one is called now. Both happen or neither: the server
        renames nothing that anybody is connected to. Raises SQLAlchemy's errors, after which nothing is renamed, and
        Unclear."""
        former, ordered = self.exists(), False
        try:
            with self._server().execution_options(isolation_level="READ COMMITTED").begin() as connection:
                quoted = connection.dialect.identifier_preparer.quote
                if former:
                    connection.exec_driver_sql(f"ALTER DATABASE {quoted(self.name)} RENAME TO {quoted(self.aside)}")
                connection.exec_driver_sql(f"ALTER DATABASE {quoted(self.beside)} RENAME TO {quoted(self.name)}")
                ordered = True
        except DBAPIError:
            # A connection that is lost while it commits says nothing of what came of it.
            if not (ordered and self._is_swapped(self.aside if former else self.name)):
                raise
        return self.aside if former else None

    def _is_swapped(self, sign: str) -> bool:
        """`sign` = the database that is there if it is. Raises Unclear."""
        try:
            there = self._there()
        except DBAPIError as error:
            raise Unclear(sign) from error
        return self.name in there and self.beside not in there

    def drop(self) -> None:
        """Away with what was not finished, whoever looks at it. Raises SQLAlchemy's errors."""
        server = self._server()
        with server.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(self.beside)} WITH (FORCE)")
