"""The command itself: what it says of itself, of mistakes and of its language; and the database's own commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import language, run
from models import migrate
from tests.commanding import nuanyang


def test_an_unknown_command_is_one_line_and_status_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "nuanyang --help" in said


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nuanyang 0.")


def test_an_unexpected_error_is_one_line_without_a_traceback(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "state", lambda _database: 1 / 0)
    assert run(["db", "check"]) == 70
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "ZeroDivisionError" in said
    with pytest.raises(ZeroDivisionError):
        run(["db", "check", "--debug"])


def test_db_upgrade_makes_the_tables_and_check_agrees(tmp_path: Path, here: Path) -> None:
    (here / "serve.db").unlink()
    assert run(["db", "check"]) == 1
    assert run(["db", "upgrade"]) == 0
    assert run(["db", "check"]) == 0
    assert run(["db", "upgrade"]) == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"NUANYANG_LANGUAGE": "zh_CN", "LANG": "en_US.UTF-8"}, "zh_CN"), ({"LANG": "C.UTF-8"}, "zh_CN"), ({}, "zh_CN")],
)
def test_the_terminal_speaks_chinese_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("NUANYANG_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_the_real_command_makes_a_database_and_a_mistake_is_one_line(tmp_path: Path) -> None:
    made = nuanyang(tmp_path, "db", "upgrade")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "serve.db").stat().st_mode & 0o777 == 0o600
    wrong = nuanyang(tmp_path, "db", "downgrade")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert len(wrong.stderr.strip().splitlines()) == 1
