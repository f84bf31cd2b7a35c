"""A migrated folder, and this process inside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models import migrate
from models.database import Database
from models.vault import Vault
from tests.commanding import environment
from tests.conftest import TEST_KEY


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    database = Database(f"sqlite:///{tmp_path / 'serve.db'}", Vault([TEST_KEY]), durable=False)
    migrate.upgrade(database)
    database.dispose()
    return tmp_path


@pytest.fixture
def here(ready: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process in the folder of a good configuration."""
    for name in list(os.environ):
        if name.startswith("NUANYANG_"):
            monkeypatch.delenv(name)
    for name, value in environment(ready).items():
        if name.startswith("NUANYANG_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(ready)
    return ready
