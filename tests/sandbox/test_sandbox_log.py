"""The protocol log: what happened as facts, for a page that says it in its reader's language."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox.telegram_flood import TelegramLimits
from tests.sandbox.wechat_calls import code, text

CHINESE = re.compile(r"[\u3400-\u9fff]")


def lines(ground: Any, since: int) -> list[dict[str, Any]]:
    """What the log got since, without the parts that differ from run to run."""
    found = [event for event in ground.sandbox.phones.journal.after(since) if event["type"] == "wire"]
    for event in found:
        assert not CHINESE.search(json.dumps(event, ensure_ascii=False)), event
        assert isinstance(event["facts"].pop("ms", 0), int)
    return [{key: event[key] for key in ("what", "ok", "person", "facts")} for event in found]


async def test_a_delivery_and_its_repeats_are_told_in_facts(play: Any) -> None:
    async with play(cut=0.2) as ground:
        await ground.follow()
        ground.product.sleep(1)
        since = (await ground.get("/state"))["seq"]
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "failed")
        cut = {"method": "POST", "path": "/wechat/sandbox", "problem": "timeout", "patience": 0.2}
        told = [{"what": "delivery", "ok": False, "person": "p1", "facts": cut}]
        told += [told[0] | {"facts": cut | {"repeat": number}} for number in (1, 2)]
        assert lines(ground, since) == told


async def test_what_an_answer_asked_for_is_told_in_facts(play: Any) -> None:
    async with play(telegram=TelegramLimits(chat_burst=1)) as ground:
        await ground.begin()

        async def answer(update: dict[str, Any], _count: int) -> Any:
            body = {"method": "sendMessage", "chat_id": update["message"]["chat"]["id"], "text": "收到"}
            return web.json_response(body)

        ground.product.telegram = answer
        since = (await ground.get("/state"))["seq"]
        for _ in range(2):
            await ground.state_of("telegram", await ground.act("telegram", do="text", text="在吗"), "delivered")
        said = [line for line in lines(ground, since) if line["what"] == "in_answer"]
        assert [(line["ok"], line["facts"].get("retry_after")) for line in said] == [(True, None), (False, 2)]
        assert said[1]["facts"]["error"] == "Too Many Requests: retry after 2"


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("slow", {"status": 200, "errcode": 0}),
        ("5xx", {"status": 502}),
        ("drop", {"status": 0, "errcode": 0}),
        ("429", {"status": 200, "errcode": 45011}),
    ],
)
async def test_a_wechat_call_that_met_a_fault_is_in_the_log(play: Any, kind: str, facts: dict[str, Any]) -> None:
    async with play(slow=0.05) as ground:
        await ground.follow()
        openid = await ground.openid()
        await ground.wx("tags/get")
        await ground.post("/faults", {"platform": "wechat", "kind": kind, "times": 1})
        since = (await ground.get("/state"))["seq"]
        url = f"{ground.base}/sandbox/wechat-api/cgi-bin/message/custom/send"
        try:
            await ground.http.post(url, params={"access_token": ground.token}, json=text(openid, "一"))
        except aiohttp.ClientError:
            assert kind == "drop"
        assert await code(ground, "message/custom/send", text(openid, "二")) == 0
        met, fine = lines(ground, since)
        call = {"method": "POST", "path": "cgi-bin/message/custom/send"}
        person = "p1" if kind in ("slow", "drop") else None  # a call that was not read is nobody's
        assert met == {"what": "call", "ok": False, "person": person, "facts": call | facts | {"fault": kind}}
        assert fine == {"what": "call", "ok": True, "person": "p1", "facts": call | {"status": 200, "errcode": 0}}
        done = kind in ("slow", "drop")
        assert [m["text"] for m in await ground.chat("wechat") if m["via"]] == (["一", "二"] if done else ["二"])


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("slow", {"status": 200}),
        ("5xx", {"status": 502, "error": "Bad Gateway"}),
        ("drop", {"status": 0}),
        ("429", {"status": 429, "error": "Too Many Requests: retry after 2", "retry_after": 2}),
    ],
)
async def test_a_telegram_call_that_met_a_fault_is_in_the_log(play: Any, kind: str, facts: dict[str, Any]) -> None:
    async with play(slow=0.05) as ground:
        await ground.begin()
        chat = await ground.chat_id()
        await ground.post("/faults", {"platform": "telegram", "kind": kind, "times": 1})
        since = (await ground.get("/state"))["seq"]
        try:
            answer = await ground.tg("sendMessage", chat_id=chat, text="一")
            assert answer.get("parameters") == ({"retry_after": 2} if kind == "429" else None)
        except aiohttp.ClientError:
            assert kind == "drop"
        (met,) = lines(ground, since)
        assert (met["what"], met["ok"]) == ("call", False)
        assert met["facts"] == {"method": "POST", "path": "bot/sendMessage", "fault": kind} | facts


async def test_a_platforms_own_too_many_is_told_with_the_pause_it_asks_for(play: Any) -> None:
    async with play(telegram=TelegramLimits(chat_burst=1)) as ground:
        await ground.begin()
        chat = await ground.chat_id()
        since = (await ground.get("/state"))["seq"]
        for _ in range(2):
            await ground.tg("sendMessage", chat_id=chat, text="一")
        assert [(line["facts"]["status"], line["facts"].get("retry_after")) for line in lines(ground, since)] == [
            (200, None),
            (429, 2),
        ]


async def test_a_quiet_poll_is_no_news_but_a_refused_one_is(play: Any) -> None:
    async with play(mode="polling") as ground:
        since = (await ground.get("/state"))["seq"]
        await ground.tg("getUpdates")
        assert lines(ground, since) == []
        await ground.tg("getUpdates", token="1:wrong-token")
        assert [line["facts"]["status"] for line in lines(ground, since)] == [401]


async def test_the_check_of_the_address_is_told_without_words(play: Any) -> None:
    async with play() as ground:
        (check, *_) = lines(ground, ground.sandbox.phones.journal.oldest)
        facts = {"method": "GET", "path": "/wechat/sandbox"}
        assert check == {"what": "check_passed", "ok": True, "person": None, "facts": facts}
