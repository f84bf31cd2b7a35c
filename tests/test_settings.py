"""Settings: where they come from, what they refuse, and that they never show a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.catalogue import rules, use_rules
from config.settings import UnsafeSetting, load
from config.texts import speaking
from tests.commanding import KEY, TELEGRAM, WECHAT


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and no variable of ours."""
    for name in list(os.environ):
        if name.startswith("NUANYANG_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.timezone) == ("127.0.0.1", 8080, "Asia/Shanghai")
    assert settings.database_url.get_secret_value() == "sqlite:///nuanyang.db"


def test_accounts_come_from_nested_variables_and_their_names_are_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, **WECHAT, **TELEGRAM, NUANYANG_KEYS=f"{KEY}, {KEY}")
    settings = load()
    assert list(settings.wechat) == ["gd"]
    assert list(settings.telegram) == ["hk"]
    assert settings.wechat["gd"].appid == "wxba5fad812f8e6fb9"
    assert settings.telegram["hk"].mode == "webhook"
    assert settings.key_bytes() == (bytes(range(32)),) * 2


def test_who_answers_for_a_deployment_is_one_line_and_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load().operator_name, load().operator_contact) == ("", "")
    put(monkeypatch, NUANYANG_OPERATOR_NAME=" 某县\n志愿者协会 ", NUANYANG_OPERATOR_CONTACT="020-00000000")
    assert (load().operator_name, load().operator_contact) == ("某县 志愿者协会", "020-00000000")


def test_several_accounts_of_one_platform_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, **WECHAT, **{name.replace("__GD__", "__HN__"): value for name, value in WECHAT.items()})
    assert set(load().wechat) == {"gd", "hn"}


def test_the_environment_wins_over_the_secrets_folder_and_that_over_the_file(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "nuanyang.toml").write_text(
        'host = "file"\ntimezone = "Asia/Tokyo"\npublic_url = "https://file.example"\n'
    )
    folder = alone / "secrets"
    folder.mkdir()
    (folder / "host").write_text("secret")
    (folder / "timezone").write_text("Asia/Macau")
    put(monkeypatch, NUANYANG_SECRETS=str(folder), NUANYANG_HOST="environment")
    settings = load()
    assert (settings.host, settings.timezone, settings.public_url) == (
        "environment",
        "Asia/Macau",
        "https://file.example",
    )


def test_an_account_may_be_spread_over_file_and_secrets(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone / "own.toml").write_text('[telegram.hk]\nmode = "polling"\n')
    folder = alone / "secrets"
    folder.mkdir()
    (folder / "telegram__hk__token").write_text("123456:ABC-DEF")
    put(monkeypatch, NUANYANG_CONFIG=str(alone / "own.toml"), NUANYANG_SECRETS=str(folder))
    account = load().telegram["hk"]
    assert (account.mode, account.token.get_secret_value()) == ("polling", "123456:ABC-DEF")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUANYANG_PORT", "70000"),
        ("NUANYANG_TIMEZONE", "Nowhere"),
        ("NUANYANG_TIMEZONE", "../../etc/passwd"),
        ("NUANYANG_DATABASE_URL", "mysql://x"),
        ("NUANYANG_PUBLIC_URL", "ftp://x"),
        ("NUANYANG_OPERATOR_NAME", "<b>志愿者协会</b>"),
        ("NUANYANG_OPERATOR_NAME", "协" * 61),
        ("NUANYANG_OPERATOR_CONTACT", '<a href="https://x.example">x</a>'),
        ("NUANYANG_OPERATOR_CONTACT", "1" * 101),
        ("NUANYANG_OPERATOR_CONTACT", "020\u202e1234"),
        ("NUANYANG_PUBLIC_URL", "https://x/?a=1"),
        ("NUANYANG_KEYS", "c2hvcnQ="),
        ("NUANYANG_LOG_LEVEL", "LOUD"),
        ("NUANYANG_WECHAT__GD__ENCODING_AES_KEY", "A" * 42),
        ("NUANYANG_WECHAT__GD__PREVIOUS_AES_KEY", "!" * 43),
        ("NUANYANG_WECHAT__GD__SECRET", " "),
        ("NUANYANG_WECHAT__GD__API_BASE", "api.weixin.qq.com"),
        ("NUANYANG_TELEGRAM__HK__SECRET_TOKEN", "with space"),
        ("NUANYANG_TELEGRAM__HK__TOKEN", "98765:?"),
        ("NUANYANG_TELEGRAM__HK__TYPO", "x"),
        ("NUANYANG_TELEGRAM__HK__SENDS_A_SECOND", "many"),
        ("NUANYANG_TELEGRAM__HK__SENDS_A_SECOND", "-0.5"),
        ("NUANYANG_WECHAT__GD__SENDS_A_SECOND", "inf"),
        ("NUANYANG_WECHAT__GD__SENDS_AT_ONCE", "2.5"),
        ("NUANYANG_WECHAT__GD__SENDS_AT_ONCE", "-7"),
        ("NUANYANG_TELEGRAM__HK__SENDS_AT_ONCE", "987654"),
    ],
)
def test_what_is_malformed_is_named_in_one_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    put(monkeypatch, **{**WECHAT, **TELEGRAM, name: value})
    with pytest.raises(UnsafeSetting) as refused:
        load()
    assert refused.value.key == name
    assert "\n" not in str(refused.value)
    assert value.strip() == "" or value in ("x",) or value not in str(refused.value)


@pytest.mark.parametrize("field", ["APPID", "SECRET", "TOKEN", "ENCODING_AES_KEY"])
def test_a_wechat_account_without_one_of_its_four_is_refused(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    put(monkeypatch, **{name: value for name, value in WECHAT.items() if not name.endswith(f"__{field}")})
    with pytest.raises(UnsafeSetting) as refused:
        load()
    assert refused.value.key == f"NUANYANG_WECHAT__GD__{field}"


def test_a_file_or_folder_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, NUANYANG_CONFIG="/nonexistent/x.toml")
    with pytest.raises(UnsafeSetting, match="NUANYANG_CONFIG"):
        load()
    monkeypatch.delenv("NUANYANG_CONFIG")
    put(monkeypatch, NUANYANG_SECRETS="/nonexistent")
    with pytest.raises(UnsafeSetting, match="NUANYANG_SECRETS"):
        load()


def test_a_broken_file_is_named_with_its_line(alone: Path) -> None:
    (alone / "nuanyang.toml").write_text('host = "x"\nport = = 3\n')
    with pytest.raises(UnsafeSetting, match=r"nuanyang.toml：.*line 2"):
        load()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"NUANYANG_KEYS": KEY, "NUANYANG_DATABASE_URL": "postgresql+psycopg://u:hunter2@h/d"}
    put(monkeypatch, **{**WECHAT, **TELEGRAM, **secrets})
    shown = repr(load()) + str(load())
    for secret in (KEY, "hunter2", "ABC-DEF", "AAAAA", WECHAT["NUANYANG_WECHAT__GD__ENCODING_AES_KEY"]):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value", "chinese", "english"),
    [
        ("NUANYANG_PORT", "70000", "不能大于 65535", "must not be greater than 65535"),
        ("NUANYANG_PORT", "eighty", "要写一个整数", "must be a whole number"),
        ("NUANYANG_TIMEZONE", "Nowhere", "时区的名称", "name of a time zone"),
        ("NUANYANG_LOG_LEVEL", "LOUD", "只能写 'DEBUG'", "must be 'DEBUG'"),
        ("NUANYANG_TELEGRAM__HK__TYPO", "x", "没有这个设置", "is no setting"),
        ("NUANYANG_WECHAT__HN__APPID", "wx1", "没有设置", "not set"),
        ("NUANYANG_CONFIG", "/nonexistent/x.toml", "文件不存在", "names no file"),
    ],
)
def test_what_is_wrong_is_told_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, chinese: str, english: str
) -> None:
    put(monkeypatch, **{**WECHAT, **TELEGRAM, name: value})
    for language, said in (("zh_CN", chinese), ("en", english)):
        with speaking(language), pytest.raises(UnsafeSetting) as refused:
            load()
        assert said in refused.value.problem
        mark = "：" if language == "zh_CN" else ": "
        assert str(refused.value) == f"{refused.value.key}{mark}{refused.value.problem}"


def test_a_rules_file_that_is_refused_leaves_the_figures_as_they_were(tmp_path: Path) -> None:
    broken = tmp_path / "rules.toml"
    broken.write_text("[doors]\npage_minutes = 'many'\n")
    with pytest.raises(UnsafeSetting):
        use_rules(broken)
    assert rules().doors.page_minutes == 30
