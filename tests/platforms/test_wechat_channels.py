"""WeChat's other ways to a person: a card in the fields of a template, and what their refusals mean."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from config.cards import read_once, read_templates
from config.texts import speaking
from handlers.cards import Card
from handlers.message import Reply
from tests.platforms.accidents import hangs
from tests.platforms.wechat_player import OPENID, settings
from tests.platforms.wechat_server import GOOD, Api
from tests.platforms.wechat_server import api as api
from tests.platforms.wechat_server import http as http

TEMPLATE, ONCE, SUBSCRIPTION = "message/template/send", "message/template/subscribe", "message/subscribe/bizsend"
CARD = Card("message", datetime(2026, 11, 22, 10, 5, tzinfo=ZoneInfo("Asia/Shanghai")))
FIELDS = {"state": "phrase1", "thing": "thing2", "time": "time3"}


@pytest.fixture
def account(api: Api, http: aiohttp.ClientSession) -> WeChat:
    more: dict[str, Any] = {
        "templates": read_templates({"message": {"id": "TM", "fields": FIELDS}}),
        "subscriptions": read_templates({"message": {"id": "SUB", "fields": {"thing": "thing1"}}}),
        "once": read_once({"id": "ONCE", "scene": 1000}),
    }
    return WeChat("gd", settings(api_base=api.url, **more), http)


async def sent(
    account: WeChat, channel: str, card: Card | None = CARD, language: str = "zh_CN", within: float = 10.0
) -> Outcome:
    deadline = asyncio.get_running_loop().time() + within
    reply = Reply("来自陈姐：这句话不该出现", card=card, language=language)
    return await account.send(OPENID, reply, key="row-1", deadline=deadline, channel=channel)


def test_an_account_names_its_ways_in_the_order_in_which_they_are_tried(account: WeChat) -> None:
    ways = {
        way.name: (way.windowed, dict(way.cards or {}).get("message"), way.granted, way.keyed)
        for way in account.channels
    }
    assert ways == {
        "custom": (True, None, False, False),
        "once": (False, "1000", True, False),
        "subscription": (False, "SUB", True, False),
        "template": (False, "TM", False, True),
    }
    plain = WeChat("gd", settings(), lambda: None)  # type: ignore[arg-type, return-value]
    assert [(way.name, way.cards) for way in plain.channels] == [
        ("custom", None),
        ("once", {}),
        ("subscription", {}),
        ("template", {}),
    ]


async def test_a_template_carries_the_cards_fields_and_the_rows_key_and_no_words(api: Api, account: WeChat) -> None:
    api.answers(TEMPLATE, {**GOOD, "msgid": 7})
    with speaking("zh_CN"):
        assert await sent(account, "template") == Outcome("sent", reference="7")
    assert api.calls == [
        (
            TEMPLATE,
            {
                "touser": OPENID,
                "template_id": "TM",
                "data": {
                    "phrase1": {"value": "有新留言"},
                    "thing2": {"value": "回复任意内容就能看到"},
                    "time3": {"value": "2026年11月22日 10:05"},
                },
                "client_msg_id": "row-1",
            },
        )
    ]


async def test_a_card_is_in_the_persons_language_but_for_what_takes_chinese_only(api: Api, account: WeChat) -> None:
    await sent(account, "template", language="en")
    data = api.calls[0][1]["data"]
    assert data["phrase1"]["value"] == "有新留言"
    assert data["thing2"]["value"].isascii()


async def test_a_one_time_message_goes_under_its_scene_and_a_subscription_by_its_template(
    api: Api, account: WeChat
) -> None:
    assert (await sent(account, "once")).name == (await sent(account, "subscription")).name == "sent"
    (one, once), (other, subscription) = api.calls
    assert (one, other) == (ONCE, SUBSCRIPTION)
    assert (once["template_id"], once["scene"], once["title"]) == ("ONCE", "1000", "有新留言")
    assert once["data"]["content"]["value"] == "2026年11月22日 10:05：回复任意内容就能看到"
    assert (subscription["template_id"], subscription["data"]) == ("SUB", {"thing1": {"value": "回复任意内容就能看到"}})


@pytest.mark.parametrize("channel", ["once", "subscription", "template"])
@pytest.mark.parametrize(
    ("errcode", "meant"),
    [
        (40037, "closed"),  # no such template any more
        (47003, "closed"),  # a field that it does not take
        (43101, "closed"),  # no permission
        (45009, "closed"),  # this channel's calls of today
        (48001, "closed"),  # the account may not use it
        (43004, "left"),
        (-1, "retry"),
        (45011, "retry"),
        (40013, "stopped"),  # the account itself
    ],
)
async def test_a_refusal_closes_the_channel_and_neither_the_account_nor_the_message(
    api: Api, account: WeChat, channel: str, errcode: int, meant: str
) -> None:
    path = {"once": ONCE, "subscription": SUBSCRIPTION, "template": TEMPLATE}[channel]
    api.answers(path, {"errcode": errcode, "errmsg": "no"})
    outcome = await sent(account, channel)
    assert (outcome.name, outcome.code) == (meant, str(errcode))


async def test_what_has_no_card_or_no_template_is_not_called(api: Api, account: WeChat) -> None:
    assert (await sent(account, "template", None)).name == "closed"
    assert (await sent(account, "template", Card("role", CARD.at))).name == "closed"
    assert (await sent(account, "subscription", Card("role", CARD.at))).name == "closed"
    assert api.calls == []


async def test_a_template_without_an_answer_is_uncertain(api: Api, account: WeChat) -> None:
    api.behaviours[TEMPLATE] = hangs
    assert (await sent(account, "template", within=0.5)).name == "uncertain"
