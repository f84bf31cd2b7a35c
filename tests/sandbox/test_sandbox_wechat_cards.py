"""The product's own adapter against the played account: what a person sees on the phone when the window is closed."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from bot.platforms.wechat import WeChat
from bot.run import _played_templates
from config.cards import CARDS, Once
from config.settings import WeChatAccount
from config.texts import LANGUAGES
from handlers.cards import Card
from handlers.message import Reply
from tests.sandbox.conftest import AES_KEY, APPID, SECRET, TOKEN

AT = datetime(2026, 11, 22, 10, 5, tzinfo=ZoneInfo("Asia/Shanghai"))


def account(ground: Any) -> WeChat:
    """As `nuanyang run` sets it up."""
    settings = WeChatAccount(
        appid=APPID,
        secret=SecretStr(SECRET),
        token=SecretStr(TOKEN),
        encoding_aes_key=SecretStr(AES_KEY),
        api_base=f"{ground.base}/sandbox/wechat-api",
        templates=_played_templates("tm"),
        subscriptions=_played_templates("sub"),
        once=Once("once", 1000),
    )
    return WeChat("sandbox", settings, ground.http)


async def send(wechat: WeChat, openid: str, channel: str, card: str = "message", language: str = "zh_CN") -> str:
    reply = Reply("来自陈姐：不该出现", card=Card(card, AT), language=language)
    deadline = asyncio.get_running_loop().time() + 5
    outcome = await wechat.send(openid, reply, key=f"row-{channel}-{card}", deadline=deadline, channel=channel)
    return f"{outcome.name} {outcome.code}".strip()


async def test_when_the_window_is_closed_the_card_is_seen_on_the_phone_once(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        wechat, openid = account(ground), await ground.openid()
        ground.clock.offset += AT - AT.replace(day=19)  # three days later
        assert await send(wechat, openid, "") == "closed 45015"
        assert await send(wechat, openid, "template") == "sent"
        assert await send(wechat, openid, "template") == "sent", "the same key once more"
        (shown,) = [message for message in await ground.chat("wechat") if message["kind"] == "template"]
        assert (shown["via"], shown["text"].split("\n")[1:]) == (
            "模板",
            ["状态：有新留言", "事项：回复任意内容就能看到", "时间：2026年11月22日 10:05"],
        )
        assert not any("不该出现" in message["text"] for message in await ground.chat("wechat"))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_card_is_one_that_wechat_takes(play: Any, language: str) -> None:
    async with play() as ground:
        await ground.follow()
        wechat, openid = account(ground), await ground.openid()
        for card in CARDS:
            assert await send(wechat, openid, "template", card, language) == "sent", card


async def test_permissions_are_used_up_one_by_one_as_wechat_counts_them(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        wechat, openid = account(ground), await ground.openid()
        for channel, granted in (("once", {"scene": 1000}), ("subscription", {"template_id": "sub_message"})):
            assert await send(wechat, openid, channel) == "closed 43101"
            await ground.act("wechat", do="grant", **granted)
            assert await send(wechat, openid, channel) == "sent"
            assert await send(wechat, openid, channel) == "closed 43101"
        shown = [message["text"].split("\n")[0] for message in await ground.chat("wechat") if message["via"] == "订阅"]
        assert shown == ["有新留言", "服务通知"]
