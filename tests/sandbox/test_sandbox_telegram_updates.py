"""The played Telegram towards the bot: webhook order and repeats, getUpdates, every kind of update."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web


async def test_start_and_words_arrive_at_the_webhook_with_the_secret(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        await ground.state_of("telegram", await ground.act("telegram", do="text", text="/help 我"), "delivered")
        start, command = (update["message"] for update in ground.product.updates)
        assert start["text"] == "/start"
        assert command["entities"] == [{"type": "bot_command", "offset": 0, "length": 5}]
        assert command["chat"] == {"id": await ground.chat_id(), "first_name": "阿林", "type": "private"}
        assert ground.product.updates[0]["update_id"] + 1 == ground.product.updates[1]["update_id"]
        assert set(ground.product.secrets) == {"hook-secret"}
        assert (await ground.person())["telegram"]["started"]


async def test_a_deep_link_brings_its_parameter_and_a_bad_one_is_refused(play: Any) -> None:
    async with play() as ground:
        await ground.state_of("telegram", await ground.act("telegram", do="scan", scene="bind_7"), "delivered")
        assert ground.product.updates[-1]["message"]["text"] == "/start bind_7"
        status, answer = await ground.post("/chats/telegram/p1/act", {"do": "scan", "scene": "带空格 的"})
        assert (status, answer["code"]) == (400, "parameter")


async def test_one_chat_keeps_its_order_while_another_goes_on(play: Any) -> None:
    async with play(pauses=(0.3, 0.3)) as ground:
        await ground.begin("p1")
        await ground.begin("p2")
        chat = await ground.chat_id("p1")
        refused: list[int] = []

        async def refuse_p1_once(update: dict[str, Any], _count: int) -> web.Response:
            if update["message"]["chat"]["id"] == chat and not refused:
                refused.append(update["update_id"])
                return web.Response(status=500)
            return web.Response()

        ground.product.telegram = refuse_p1_once
        ground.product.updates.clear()
        first = await ground.act("telegram", "p1", do="text", text="一")
        second = await ground.act("telegram", "p1", do="text", text="二")
        other = await ground.act("telegram", "p2", do="text", text="三")
        await ground.state_of("telegram", other, "delivered", person="p2")
        waiting = await ground.state_of("telegram", first, "repeated")
        assert waiting["detail"] == {"code": "later", "n": 1, "seconds": 0.3, "problem": "status", "status": 500}
        await ground.state_of("telegram", second, "delivered")
        assert (await ground.state_of("telegram", first, "repeated"))["detail"] == {}
        assert [u["message"]["text"] for u in ground.product.updates if u["message"]["chat"]["id"] == chat] == [
            "一",
            "一",
            "二",
        ]
        assert ground.product.updates[0]["update_id"] == refused[0]


async def test_an_update_nobody_takes_is_given_up_visibly(play: Any) -> None:
    async with play(pauses=(0.02, 0.04)) as ground:
        await ground.begin()

        async def refuse(_update: dict[str, Any], _count: int) -> web.Response:
            return web.Response(status=403)

        ground.product.telegram = refuse
        ground.product.updates.clear()
        failed = await ground.state_of("telegram", await ground.act("telegram", do="text", text="在吗"), "failed")
        assert failed["detail"] == {"code": "telegram_gave_up", "n": 3, "problem": "status", "status": 403}
        assert len(ground.product.updates) == 3
        info = (await ground.tg("getWebhookInfo"))["result"]
        assert info["last_error_message"] == "HTTP 403"
        assert info["pending_update_count"] == 0


async def test_repeats_on_request_carry_the_same_update_id(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        ground.product.updates.clear()
        await ground.state_of("telegram", await ground.act("telegram", do="text", text="再来", repeat=2), "repeated")

        async def three() -> bool:
            return len(ground.product.updates) == 3

        await ground.until(three)
        assert len({update["update_id"] for update in ground.product.updates}) == 1


async def test_a_webhook_answer_with_a_method_is_done(play: Any, events: Any) -> None:
    async with play() as ground:
        await ground.begin()

        async def answer(update: dict[str, Any], _count: int) -> web.Response:
            body = {"method": "sendMessage", "chat_id": update["message"]["chat"]["id"], "text": "收到"}
            return web.json_response(body)

        ground.product.telegram = answer
        await ground.state_of("telegram", await ground.act("telegram", do="text", text="在吗"), "delivered")
        last = (await ground.chat("telegram"))[-1]
        assert (last["from"], last["text"], last["via"]) == ("bot", "收到", "bot api")


async def test_polling_confirms_by_offset_and_repeats_what_was_not_confirmed(play: Any) -> None:
    async with play(mode="polling") as ground:
        assert (await ground.get("/state"))["accounts"]["telegram"]["mode"] == "polling"
        first = await ground.act("telegram", do="follow")
        second = await ground.act("telegram", do="text", text="二")
        await ground.act("telegram", do="text", text="三")
        one, two, three = (await ground.tg("getUpdates"))["result"]
        assert (await ground.tg("getUpdates", limit=1))["result"] == [one]
        assert (await ground.chat("telegram"))[0]["state"] == "sending"
        assert (await ground.tg("getUpdates", offset=two["update_id"]))["result"] == [two, three]
        await ground.state_of("telegram", first, "delivered")
        assert (await ground.tg("getUpdates", offset=-1))["result"] == [three]
        await ground.state_of("telegram", second, "delivered")
        assert (await ground.tg("getUpdates", offset=three["update_id"] + 1))["result"] == []
        assert not ground.product.updates


async def test_a_long_poll_ends_when_something_comes_or_time_is_over(play: Any) -> None:
    async with play(mode="polling") as ground:
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = asyncio.create_task(ground.tg("getUpdates", timeout=10))
        await asyncio.sleep(0.2)
        await ground.act("telegram", do="follow")
        (update,) = (await waiting)["result"]
        assert update["message"]["text"] == "/start"
        assert 0.2 <= loop.time() - began < 3
        began = loop.time()
        assert (await ground.tg("getUpdates", offset=update["update_id"] + 1, timeout=1))["result"] == []
        assert 0.95 <= loop.time() - began < 3


async def test_a_second_poller_ends_the_first_and_a_webhook_ends_both(play: Any) -> None:
    async with play(mode="polling") as ground:
        first = asyncio.create_task(ground.tg("getUpdates", timeout=10))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(ground.tg("getUpdates", timeout=10))
        ended = await first
        assert (ended["error_code"], "terminated by other getUpdates" in ended["description"]) == (409, True)
        url = f"{ground.base}/telegram/sandbox"
        assert (await ground.tg("setWebhook", url=url, secret_token="s2"))["ok"]
        assert (await second)["error_code"] == 409
        assert "webhook is active" in (await ground.tg("getUpdates"))["description"]
        await ground.begin()
        assert ground.product.secrets == ["s2"]
        assert (await ground.tg("getWebhookInfo"))["result"]["url"] == url
        assert (await ground.tg("deleteWebhook"))["ok"]
        assert (await ground.tg("getUpdates"))["result"] == []


@pytest.mark.parametrize("url", ["https://example.org/hook", "ftp://127.0.0.1/x", "http://127.0.0.1@example.org/"])
async def test_a_webhook_elsewhere_is_refused(play: Any, url: str) -> None:
    async with play() as ground:
        assert (await ground.tg("setWebhook", url=url))["error_code"] == 400


async def test_kinds_the_bot_does_not_want_are_kept_from_it(play: Any) -> None:
    async with play(mode="polling") as ground:
        await ground.tg("getUpdates", allowed_updates=["callback_query"])
        await ground.state_of("telegram", await ground.act("telegram", do="follow"), "delivered")
        assert (await ground.tg("getUpdates"))["result"] == []


async def test_repeats_on_request_come_in_one_poll(play: Any) -> None:
    async with play(mode="polling") as ground:
        await ground.act("telegram", do="follow", repeat=1)
        first, second = (await ground.tg("getUpdates"))["result"]
        assert first == second


async def test_every_kind_of_message_is_an_update_of_its_kind(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        kinds = {"image": "photo", "sticker": "sticker", "voice": "voice", "video": "video", "file": "document"}
        for act, field in kinds.items():
            await ground.state_of("telegram", await ground.act("telegram", do=act), "delivered")
            assert field in ground.product.updates[-1]["message"]
        await ground.state_of("telegram", await ground.act("telegram", do="contact"), "delivered")
        contact = ground.product.updates[-1]["message"]["contact"]
        assert contact["user_id"] == await ground.chat_id()
