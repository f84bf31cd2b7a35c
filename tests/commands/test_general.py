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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why"], "少写了 ID。用 nuanyang why --help 看用法。"),
        (["why", "--limit", "many", "1"], "--limit 的值不对。用 nuanyang why --help 看用法。"),
        (["why", "1", "2"], "多写了 2。用 nuanyang why --help 看用法。"),
        (["why", "--bogus"], "没有 --bogus 这个选项。用 nuanyang why --help 看用法。"),
        (["why", "--limit"], "--limit 后面的值不对，或者没有写。用 nuanyang --help 看用法。"),
        (["bogus"], "没有 bogus 这个命令。用 nuanyang --help 看用法。"),
        (["db", "bogus"], "没有 bogus 这个命令。用 nuanyang db --help 看用法。"),
    ],
)
def test_what_is_wrong_with_a_command_is_told_in_chinese_and_points_at_its_own_help(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err == f"命令写法不对：{said}\n"
