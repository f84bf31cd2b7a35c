"""A migrated folder, and this process inside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.commanding import environment


@pytest.fixture
def ready(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """A folder with a migrated database."""
    shutil.copy(migrated_sqlite, tmp_path / "serve.db")
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
