"""What `nuanyang doctor` finds in good and broken configurations."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot import doctor
from bot.doctor_calls import WECHAT_CODES, Finding
from models import audit
from models.database import Database
from models.vault import Vault
from tests.checkup import Configure, Played, but_locales, of
from tests.checkup import configure as configure
from tests.checkup import played as played
from tests.commanding import free_port, register
from tests.conftest import TEST_KEY


async def test_a_good_configuration_has_nothing_red(configure: Configure, played: Played) -> None:
    findings = but_locales(await doctor.examine())
    assert [finding for finding in findings if finding.level == "bad"] == []
    assert of(findings, "NUANYANG_WECHAT__GD__SECRET", "good")
    assert of(findings, "NUANYANG_TELEGRAM__HK__TOKEN", "good")
    assert of(findings, "NUANYANG_PUBLIC_URL", "good")
    assert of(findings, "NUANYANG_SPOOL", "good")
    assert played.asked[0]["force_refresh"] is False


@pytest.mark.parametrize("code", [40164, 40125, 40013, 99999])
async def test_a_refused_token_is_explained(configure: Configure, played: Played, code: int) -> None:
    played.token = {"errcode": code, "errmsg": "no"}
    (found,) = of(await doctor.examine(), "NUANYANG_WECHAT__GD__SECRET")
    assert str(code) in found.text
    assert found.mend == WECHAT_CODES.get(code, "在微信的全局返回码里查这个数字")


async def test_something_else_in_place_of_wechat_is_noticed(configure: Configure, played: Played) -> None:
    played.token = {}
    assert of(await doctor.examine(), "NUANYANG_WECHAT__GD__API_BASE")


async def test_a_refused_telegram_token_is_named(configure: Configure, played: Played) -> None:
    played.me = {"ok": False, "error_code": 401}
    assert of(await doctor.examine(), "NUANYANG_TELEGRAM__HK__TOKEN")


async def test_a_webhook_that_points_elsewhere_is_noticed(configure: Configure, played: Played) -> None:
    played.hook["result"] |= {
        "url": "https://elsewhere.example/hook",
        "pending_update_count": 500,
        "last_error_date": int(time.time()),
        "last_error_message": "Connection refused",
    }
    told = " ".join(finding.text for finding in of(await doctor.examine(), "NUANYANG_TELEGRAM__HK__MODE", "warn"))
    assert "指向别处" in told
    assert "500" in told
    assert "Connection refused" in told


@pytest.mark.parametrize(("seconds", "level"), [(0, "good"), (60, "warn"), (-600, "bad"), (600, "bad")])
async def test_a_wrong_clock_is_measured_against_the_platforms(
    configure: Configure, played: Played, seconds: int, level: str
) -> None:
    played.skew = timedelta(seconds=seconds)
    clocks = [finding.level for finding in await doctor.examine() if finding.key == "本机时钟"]
    assert clocks
    assert set(clocks) == {level}


async def test_an_endpoint_that_cannot_be_reached_is_named_without_the_token(configure: Configure) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    configure(NUANYANG_WECHAT__GD__API_BASE=dead, NUANYANG_TELEGRAM__HK__API_BASE=dead)
    findings = await doctor.examine()
    assert of(findings, "NUANYANG_WECHAT__GD__API_BASE")
    assert of(findings, "NUANYANG_TELEGRAM__HK__API_BASE")
    assert "ABC-DEF" not in repr(findings)


Change = tuple[dict[str, str | None], str, str]
BROKEN: list[Change] = [
    ({"NUANYANG_KEYS": None}, "NUANYANG_KEYS", "bad"),
    ({"NUANYANG_KEYS": "short"}, "NUANYANG_KEYS", "bad"),
    ({"NUANYANG_TIMEZONE": "Mars/Base"}, "NUANYANG_TIMEZONE", "bad"),
    ({"NUANYANG_PORT": "99999"}, "NUANYANG_PORT", "bad"),
    ({"NUANYANG_WECHAT__GD__ENCODING_AES_KEY": "x"}, "NUANYANG_WECHAT__GD__ENCODING_AES_KEY", "bad"),
    ({"NUANYANG_WECHAT__GD__ENCODING_AES_KEY": "A" * 43}, "NUANYANG_WECHAT__GD__ENCODING_AES_KEY", "bad"),
    ({"NUANYANG_WECHAT__GD__TOKEN": None}, "NUANYANG_WECHAT__GD__TOKEN", "bad"),
    ({"NUANYANG_TELEGRAM__HK__SECRET_TOKEN": None}, "NUANYANG_TELEGRAM__HK__SECRET_TOKEN", "bad"),
    ({"NUANYANG_TELEGRAM__HK__API_BASE": "http://x/sandbox/telegram-api"}, "NUANYANG_TELEGRAM__HK__API_BASE", "bad"),
    ({"NUANYANG_PUBLIC_URL": None}, "NUANYANG_PUBLIC_URL", "warn"),
    ({"NUANYANG_PUBLIC_URL": "http://bot.example.org"}, "NUANYANG_PUBLIC_URL", "bad"),
    ({"NUANYANG_RULES_FILE": "/nonexistent.toml"}, "NUANYANG_RULES_FILE", "bad"),
    ({"NUANYANG_DATABASE_URL": "sqlite:////nonexistent/x.db"}, "NUANYANG_DATABASE_URL", "bad"),
    (
        {"NUANYANG_DATABASE_URL": "postgresql+psycopg://a:hunter2@127.0.0.1:9/x"},
        "NUANYANG_DATABASE_URL",
        "bad",
    ),
    ({"NUANYANG_KEYZ": "1"}, "NUANYANG_KEYZ", "warn"),
    ({"NUANYANG_TELEGRAM__HK__SECRET_TOKEN": "hook"}, "NUANYANG_TELEGRAM__HK__SECRET_TOKEN", "warn"),
    ({"NUANYANG_TELEGRAM__HK__SECRET_TOKEN": "a" * 64}, "NUANYANG_TELEGRAM__HK__SECRET_TOKEN", "warn"),
    ({"NUANYANG_TELEGRAM__HK__API_BASE": "http://api.example.org"}, "NUANYANG_TELEGRAM__HK__API_BASE", "warn"),
    ({"NUANYANG_WECHAT__GD__API_BASE": "http://192.168.1.9:8080"}, "NUANYANG_WECHAT__GD__API_BASE", "warn"),
    ({}, "NUANYANG_OPERATOR_NAME", "warn"),
    ({"NUANYANG_OPERATOR_NAME": "某某中心"}, "NUANYANG_OPERATOR_CONTACT", "warn"),
]


@pytest.mark.parametrize(("changed", "key", "level"), BROKEN, ids=[f"{row[1]}-{i}" for i, row in enumerate(BROKEN)])
async def test_what_is_broken_is_named_and_the_rest_is_still_looked_at(
    configure: Configure, changed: dict[str, str | None], key: str, level: str
) -> None:
    configure(**changed)
    findings = await doctor.examine(offline=True)
    assert of(findings, key, level), findings
    assert of(findings, "NUANYANG_SPOOL", "good")
    assert "hunter2" not in repr(findings)


async def test_several_broken_settings_are_all_named_at_once(configure: Configure) -> None:
    configure(NUANYANG_PORT="x", NUANYANG_TIMEZONE="x", NUANYANG_WECHAT__GD__TOKEN="")
    findings = await doctor.examine(offline=True)
    for key in ("NUANYANG_PORT", "NUANYANG_TIMEZONE", "NUANYANG_WECHAT__GD__TOKEN"):
        assert of(findings, key), key


async def test_a_variable_that_is_nearly_a_setting_gets_a_proposal(configure: Configure) -> None:
    configure(NUANYANG_PUBLIC_URI="https://x.example")
    (found,) = of(await doctor.examine(offline=True), "NUANYANG_PUBLIC_URI", "warn")
    assert "NUANYANG_PUBLIC_URL" in found.mend


async def test_a_readable_configuration_file_is_red(configure: Configure, tmp_path: Path) -> None:
    path = tmp_path / "nuanyang.toml"
    path.write_text('log_level = "INFO"\n')
    path.chmod(0o644)
    assert of(await doctor.examine(offline=True), "nuanyang.toml")
    path.chmod(0o600)
    assert of(await doctor.examine(offline=True), "nuanyang.toml", "good")


async def test_a_configuration_file_that_does_not_parse_is_red(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "nuanyang.toml").write_text("port = = 3")
    assert of(await doctor.examine(offline=True), "nuanyang.toml")


async def test_messages_that_wait_in_the_spool_are_counted(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    old = tmp_path / "spool" / "1.update"
    old.write_bytes(b"sealed")
    assert of(await doctor.examine(offline=True), "NUANYANG_SPOOL", "warn")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    assert of(await doctor.examine(offline=True), "NUANYANG_SPOOL")


async def test_messages_that_were_set_aside_are_counted_with_the_oldest(configure: Configure, tmp_path: Path) -> None:
    def aside() -> list[Finding]:
        return [one for one in of(findings, "NUANYANG_SPOOL", "warn") if ".aside" in one.text]

    findings = await doctor.examine(offline=True)
    assert aside() == []
    for name, days in (("1.aside", 9.5), ("2.aside", 1)):
        path = tmp_path / "spool" / name
        path.write_bytes(b"sealed")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    findings = await doctor.examine(offline=True)
    (found,) = aside()
    assert "2 条" in found.text
    assert "9 天" in found.text
    assert "30 天后自动删除" in found.mend
    assert of(findings, "NUANYANG_SPOOL", "good"), "nothing waits"


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"NUANYANG_TELEGRAM__HK__SECRET_TOKEN": "hook", "NUANYANG_TELEGRAM__HK__MODE": "polling"}, "SECRET_TOKEN"),
        ({"NUANYANG_TELEGRAM__HK__API_BASE": "http://localhost:8081"}, "API_BASE"),
        ({"NUANYANG_TELEGRAM__HK__API_BASE": "https://api.example.org"}, "API_BASE"),
    ],
)
async def test_what_is_safe_enough_brings_no_warning(
    configure: Configure, changed: dict[str, str | None], key: str
) -> None:
    configure(**changed, NUANYANG_OPERATOR_NAME="某某中心", NUANYANG_OPERATOR_CONTACT="020-12345678")
    findings = await doctor.examine(offline=True)
    assert not of(findings, f"NUANYANG_TELEGRAM__HK__{key}", "warn")
    assert not of(findings, f"NUANYANG_TELEGRAM__HK__{key}", "bad")
    assert of(findings, "NUANYANG_OPERATOR_NAME", "good")
    assert of(findings, "NUANYANG_OPERATOR_CONTACT", "good")


async def test_the_key_backup_is_asked_for_until_it_is_confirmed(configure: Configure, tmp_path: Path) -> None:
    asked = "nuanyang keys backed-up"
    findings = of(await doctor.examine(offline=True), "NUANYANG_KEYS", "warn")
    assert any(asked in finding.mend for finding in findings)
    vault = Vault([TEST_KEY])
    database = Database(f"sqlite:///{tmp_path / 'serve.db'}", vault, durable=False)
    with database.write() as session:
        audit.note(session, "machine", "keys.backed_up", vault.newest)
    database.dispose()
    findings = of(await doctor.examine(offline=True), "NUANYANG_KEYS", "warn")
    assert not any(asked in finding.mend for finding in findings)


async def test_a_lost_key_is_red(configure: Configure, tmp_path: Path) -> None:
    register(tmp_path, "1000000001")
    configure(NUANYANG_KEYS="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHhA=")
    found = of(await doctor.examine(offline=True), "NUANYANG_KEYS")
    assert any(Vault([TEST_KEY]).newest in finding.text for finding in found)


async def test_a_moved_clock_and_an_old_schema_are_red(configure: Configure, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'serve.db'}", Vault([TEST_KEY]), durable=False)
    with database.write() as session:
        database.clock.advance(session, timedelta(days=3))
    database.dispose()
    assert any("3.0" in finding.text for finding in of(await doctor.examine(offline=True), "NUANYANG_DATABASE_URL"))
    (tmp_path / "empty.db").touch()
    configure(NUANYANG_DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    found = of(await doctor.examine(offline=True), "NUANYANG_DATABASE_URL")
    assert any("nuanyang db upgrade" in finding.text for finding in found)
