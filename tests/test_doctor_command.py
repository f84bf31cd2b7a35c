"""`nuanyang doctor` as an operator types it: a filled-in file, a broken one, and none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import logs
from bot.cli import run
from tests.checkup import Configure, Played
from tests.checkup import configure as configure
from tests.checkup import played as played
from tests.commanding import KEY, TELEGRAM, WECHAT, free_port, nuanyang


def test_the_real_command_exits_with_one_where_something_is_red_and_speaks_json(tmp_path: Path) -> None:
    ended = nuanyang(tmp_path, "doctor", "--offline", "--json", NUANYANG_KEYS=None)
    assert ended.returncode == 1
    assert ended.stderr == ""
    findings = json.loads(ended.stdout)
    assert {"level", "key", "text", "mend"} == set(findings[0])
    assert any(finding["key"] == "NUANYANG_KEYS" and finding["level"] == "bad" for finding in findings)


CONFIGURATION = """
keys = ["{key}"]
database_url = "sqlite:///{folder}/serve.db"
spool = "{folder}/spool"
public_url = "{base}"

[wechat.gd]
appid = "wxba5fad812f8e6fb9"
secret = "secret"
token = "AAAAA"
encoding_aes_key = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz"
api_base = "{base}"

[telegram.hk]
token = "123456:ABC-DEF"
secret_token = "a-secret_for-tests-only"
api_base = "{base}"
"""
NOTHING: dict[str, str | None] = dict.fromkeys(
    (*WECHAT, *TELEGRAM, "NUANYANG_KEYS", "NUANYANG_DATABASE_URL", "NUANYANG_SPOOL")
)


def write_configuration(folder: Path, base: str, *changes: tuple[str, str]) -> None:
    """A filled-in nuanyang.toml as the operating guide describes it, with changes of some of its text."""
    words = CONFIGURATION.format(key=KEY, folder=folder, base=base)
    for old, new in changes:
        assert old in words
        words = words.replace(old, new)
    (folder / "nuanyang.toml").write_text(words)
    (folder / "nuanyang.toml").chmod(0o600)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(configure: Configure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`nuanyang doctor` in this process, with nothing set but the file: its status and what it printed."""
    configure(**NOTHING, **dict.fromkeys(("NUANYANG_PUBLIC_URL",)))
    monkeypatch.setattr(logs, "set_up", lambda _level: None)

    def doctor(*arguments: str) -> tuple[int, str]:
        status = run(["doctor", *arguments])
        said = capsys.readouterr()
        assert said.err == ""
        return status, said.out

    return doctor


def examined(command: Command, *arguments: str) -> tuple[int, dict[tuple[str, str], str]]:
    """What the command says with `--json`: its status, and text by (key, level)."""
    status, said = command("--json", *arguments)
    return status, {(one["key"], one["level"]): one["text"] for one in json.loads(said)}


def test_without_any_configuration_the_command_says_what_is_missing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "serve.db").unlink()
    status, found = examined(command, "--offline")
    assert status == 1
    for key in ("NUANYANG_KEYS", "NUANYANG_WECHAT__<NAME>__APPID", "NUANYANG_DATABASE_URL"):
        assert (key, "bad") in found
    status, said = command("--offline")
    assert status == 1
    assert said.startswith("这里没有配置。")
    assert "nuanyang run 不需要配置" in said.splitlines()[0]
    assert "[错误] NUANYANG_KEYS：" in said
    assert "nuanyang keys new" in said


async def test_a_filled_in_file_ends_with_zero_and_names_what_it_saw(
    command: Command, played: Played, tmp_path: Path
) -> None:
    write_configuration(tmp_path, played.base)
    status, found = await asyncio.to_thread(examined, command)
    assert [key for key, level in found if level == "bad"] == []
    assert status == 0
    assert ("NUANYANG_WECHAT__GD__SECRET", "good") in found
    assert ("NUANYANG_TELEGRAM__HK__TOKEN", "good") in found
    assert ("NUANYANG_KEYS", "good") in found or ("NUANYANG_KEYS", "warn") in found
    status, said = await asyncio.to_thread(command)
    assert status == 0
    assert "共 0 个错误" in said
    assert KEY not in said
    assert "ABC-DEF" not in said


def test_offline_asks_no_endpoint_of_a_filled_in_file(command: Command, tmp_path: Path) -> None:
    write_configuration(tmp_path, f"http://127.0.0.1:{free_port()}")
    status, found = examined(command, "--offline")
    assert status == 0
    assert found[("接口", "warn")] == "没有检查（--offline）"
    status, found = examined(command)
    assert status == 1
    assert ("NUANYANG_WECHAT__GD__API_BASE", "bad") in found


BROKEN_FILES: list[tuple[tuple[str, str], str]] = [
    ((f'keys = ["{KEY}"]', "keys = 5"), "NUANYANG_KEYS"),
    ((f'keys = ["{KEY}"]', ""), "NUANYANG_KEYS"),
    (('token = "AAAAA"', ""), "NUANYANG_WECHAT__GD__TOKEN"),
    (("[wechat.gd]", "[wechat]"), "NUANYANG_WECHAT__APPID"),
    (('public_url = "http:', "public_url = = http:"), "nuanyang.toml"),
]


@pytest.mark.parametrize(
    ("change", "key"), BROKEN_FILES, ids=[key + str(i) for i, (_c, key) in enumerate(BROKEN_FILES)]
)
def test_a_broken_file_is_named_by_the_command_and_ends_with_one(
    command: Command, tmp_path: Path, change: tuple[str, str], key: str
) -> None:
    write_configuration(tmp_path, "http://127.0.0.1:9", change)
    status, found = examined(command, "--offline")
    assert status == 1
    assert (key, "bad") in found, found
