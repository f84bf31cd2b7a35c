"""开通提醒: which words mean it, which accounts offer it, and where WeChat's page is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from bot import preflight
from bot.platforms.wechat_channels import channels_of
from config.settings import Settings, WeChatAccount
from handlers import menu
from models.channel import asked_at
from models.database import Database
from tests.phones import AES_KEY, Exchange, Stage

ACCOUNT = {"appid": "wx1", "secret": "s", "token": "t", "encoding_aes_key": AES_KEY}
ONCE = {"id": "O-1", "scene": 1000}


@pytest.mark.parametrize(
    "words",
    [
        "开通提醒",
        "開通提醒",
        "打开提醒",
        "允许一次通知",
        "订阅通知",
        "allow a notice",
        "Turn on reminders",
        "allow notices",
    ],
)
def test_the_words_for_it_are_understood(words: str) -> None:
    found = menu.begins(words)
    assert isinstance(found, menu.Entry) and found.key == "allow_notice"


@pytest.mark.parametrize("words", ["提醒我明天去", "我想开通提醒他的服务", "关闭提醒", "reminders"])
def test_what_only_speaks_of_reminders_is_something_else(words: str) -> None:
    found = menu.begins(words)
    assert not (isinstance(found, menu.Entry) and found.key == "allow_notice")


@pytest.mark.parametrize("once", [True, False])
async def test_only_an_account_with_a_template_for_it_asks(database: Database, tmp_path: Path, once: bool) -> None:
    exchange = Exchange()
    await exchange.server.start_server()
    app = Stage(database, tmp_path / "spool", exchange, templates=once).app()
    assert app._here("wechat", "test").asks == (("once", "1000") if once else ("", ""))
    assert app._here("telegram", "test").asks == ("", "")
    await exchange.server.close()


def test_the_page_is_wechats_own_unless_a_setting_says_otherwise() -> None:
    for base, host in ((None, "mp.weixin.qq.com"), ("https://proxy.example.org/", "proxy.example.org")):
        given = ACCOUNT | {"once": ONCE} | ({"page_base": base} if base else {})
        (asked,) = [one.asks for one in channels_of(WeChatAccount.model_validate(given)) if one.asks is not None]
        assert urlsplit(asked.address)[:3] == ("https", host, "/mp/subscribemsg")
    assert asked_at(channels_of(WeChatAccount.model_validate(ACCOUNT))) == ("", "")
    with pytest.raises(ValidationError):
        WeChatAccount.model_validate(ACCOUNT | {"page_base": "mp.weixin.qq.com"})


def test_serve_leads_nobody_to_the_page_of_the_sandbox() -> None:
    settings = Settings.model_validate(
        {"wechat": {"gd": ACCOUNT | {"page_base": "http://127.0.0.1:8080/sandbox/wechat-pages"}}}
    )
    assert "NUANYANG_WECHAT__GD__PAGE_BASE" in [problem.key for problem in preflight.unsafe(settings)]
