"""`nuanyang keys`."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bot.cli import run
from models.vault import Vault
from tests.commanding import KEY, nuanyang, register
from tests.conftest import TEST_KEY


def test_keys_are_rotated_and_the_old_one_may_be_removed(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(here, "1000000001")
    new = base64.urlsafe_b64encode(bytes(32)).decode()
    monkeypatch.setenv("NUANYANG_KEYS", f"{new},{KEY}")
    assert run(["keys", "status"]) == 0
    assert "nuanyang keys rotate" in capsys.readouterr().out
    assert run(["keys", "rotate", "--drop"]) == 0
    said = capsys.readouterr().out
    assert f"密钥 {Vault([TEST_KEY]).newest} 已经不用，可以从 NUANYANG_KEYS 删去" in said
    monkeypatch.setenv("NUANYANG_KEYS", new)
    assert run(["keys", "backed-up"]) == 0
    assert run(["keys", "status"]) == 0
    assert "backed-up" not in capsys.readouterr().err


def test_at_the_first_installation_a_new_key_comes_with_the_places_to_put_it(tmp_path: Path) -> None:
    ended = nuanyang(tmp_path, "keys", "new", NUANYANG_KEYS=None)
    assert ended.returncode == 0
    assert len(base64.urlsafe_b64decode(ended.stdout.strip())) == 32
    assert "第一次安装" in ended.stderr
    for place in ("NUANYANG_KEYS=", "nuanyang.toml", "keys", "NUANYANG_SECRETS", "nuanyang keys backed-up"):
        assert place in ended.stderr
    assert "rotate" not in ended.stderr


@pytest.mark.parametrize("configuration", ["", "port = = 3"])
def test_a_configuration_that_says_nothing_of_keys_yet_is_a_first_installation(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, configuration: str
) -> None:
    monkeypatch.delenv("NUANYANG_KEYS")
    (here / "nuanyang.toml").write_text(configuration)
    assert run(["keys", "new"]) == 0
    assert "第一次安装" in capsys.readouterr().err


def test_where_keys_are_set_a_new_one_comes_with_the_way_to_change_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "new"]) == 0
    said = capsys.readouterr()
    assert len(base64.urlsafe_b64decode(said.out.strip())) == 32
    assert "最前面" in said.err
    assert "nuanyang keys rotate" in said.err
    assert "第一次安装" not in said.err
