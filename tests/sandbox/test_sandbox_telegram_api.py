"""The played Bot API: limits, refusals, edits, keyboards, files and commands, against plain JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.sandbox.telegram_flood import TelegramLimits


async def test_a_button_brings_its_data_and_is_answered_once_with_a_toast(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        markup = {
            "inline_keyboard": [[{"text": "好", "callback_data": "q:7:yes"}, {"text": "看", "url": "https://e.org/"}]]
        }
        sent = await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="可以吗？", reply_markup=markup)
        shown = (await ground.chat("telegram"))[-1]
        assert shown["buttons"] == [
            [{"id": "b0-0", "text": "好"}, {"id": "b0-1", "text": "看", "url": "https://e.org/"}]
        ]
        pressed = await ground.act("telegram", do="press", message_id=shown["id"], button_id="b0-0")
        assert pressed == shown["id"]
        await ground.state_of("telegram", pressed, "delivered")
        query = ground.product.updates[-1]["callback_query"]
        assert query["data"] == "q:7:yes"
        assert query["message"]["message_id"] == sent["result"]["message_id"]
        seq = (await ground.get("/state"))["seq"]
        assert (await ground.tg("answerCallbackQuery", callback_query_id=query["id"], text="记下了"))["ok"]
        toasts = [e for e in ground.sandbox.phones.journal.after(seq) if e["type"] == "toast"]
        assert [(t["person"], t["text"]) for t in toasts] == [("p1", "记下了")]
        again = await ground.tg("answerCallbackQuery", callback_query_id=query["id"])
        assert (again["error_code"], "query is too old" in again["description"]) == (400, True)


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        (
            {
                "text": "x",
                "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "x" * 65}]]},
            },
            "BUTTON_DATA_INVALID",
        ),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": ""}]]}},
            "BUTTON_DATA_INVALID",
        ),
        ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a"}]]}}, "Text buttons are unallowed"),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "url": "javascript:1"}]]}},
            "Wrong HTTP URL",
        ),
        ({"text": "x", "reply_markup": "{"}, "can't parse reply_markup JSON object"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "Can't find end tag"),
        ({"text": "<script>x</script>", "parse_mode": "HTML"}, "Unsupported start tag"),
        ({"text": "a < b", "parse_mode": "HTML"}, "Unsupported start tag"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
    ],
)
async def test_a_message_out_of_limits_is_a_bad_request(play: Any, params: dict[str, Any], description: str) -> None:
    async with play() as ground:
        await ground.begin()
        answer = await ground.tg("sendMessage", chat_id=await ground.chat_id(), **params)
        assert answer["error_code"] == 400
        assert description in answer["description"]
        assert all(m["from"] == "person" for m in await ground.chat("telegram"))


async def test_the_longest_text_and_the_longest_data_pass(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        markup = {"inline_keyboard": [[{"text": "a", "callback_data": "x" * 64}]]}
        answer = await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="长" * 4096, reply_markup=markup)
        assert answer["ok"]


async def test_html_is_shown_safely(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        text = '<b>粗</b> &lt;i&gt; <a href="javascript:x">坏</a> <a href="https://e.org/?a=1&amp;b=2">好</a>'
        await ground.tg("sendMessage", chat_id=await ground.chat_id(), text=text, parse_mode="HTML")
        shown = (await ground.chat("telegram"))[-1]
        assert shown["text"] == "粗 <i> 坏 好"
        assert '<b>粗</b> &lt;i&gt; 坏 <a href="https://e.org/?a=1&amp;b=2"' in shown["entities_html"]
        assert "javascript" not in shown["entities_html"]


async def test_who_blocked_never_started_or_does_not_exist_gets_nothing(play: Any) -> None:
    async with play() as ground:
        chat = await ground.chat_id()
        never = await ground.tg("sendMessage", chat_id=chat, text="你好")
        assert (never["error_code"], never["description"]) == (
            403,
            "Forbidden: bot can't initiate conversation with a user",
        )
        await ground.begin()
        await ground.state_of("telegram", await ground.act("telegram", do="unfollow"), "delivered")
        change = ground.product.updates[-1]["my_chat_member"]
        assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "kicked")
        blocked = await ground.tg("sendMessage", chat_id=chat, text="你好")
        assert (blocked["error_code"], blocked["description"]) == (403, "Forbidden: bot was blocked by the user")
        status, answer = await ground.post("/chats/telegram/p1/act", {"do": "text", "text": "在吗"})
        assert (status, answer["code"]) == (409, "blocked")
        await ground.begin()
        assert [next(k for k in u if k != "update_id") for u in ground.product.updates[-2:]] == [
            "my_chat_member",
            "message",
        ]
        assert (await ground.tg("sendMessage", chat_id=str(chat), text="你好"))["ok"]
        stranger = await ground.tg("sendMessage", chat_id=42, text="你好")
        assert (stranger["error_code"], stranger["description"]) == (400, "Bad Request: chat not found")
        assert (await ground.tg("sendMessage", text="你好"))["description"] == "Bad Request: chat_id is empty"


async def test_a_wrong_token_or_method_is_not_served(play: Any) -> None:
    async with play() as ground:
        assert (await ground.tg("getMe", token="1:wrong-token"))["error_code"] == 401
        assert (await ground.tg("getMe", token="nonsense"))["error_code"] == 404
        assert (await ground.tg("flyAway"))["error_code"] == 404
        me = (await ground.tg("getMe"))["result"]
        assert (me["id"], me["is_bot"], me["username"]) == (123456789, True, "nuanyang_sandbox_bot")


async def test_a_hasty_bot_is_told_how_long_to_wait_and_other_chats_go_on(play: Any) -> None:
    async with play(telegram=TelegramLimits(chat_burst=2, shortest_pause=1)) as ground:
        await ground.begin("p1")
        await ground.begin("p2")
        one, two = await ground.chat_id("p1"), await ground.chat_id("p2")
        answers = [await ground.tg("sendMessage", chat_id=one, text=str(n)) for n in range(3)]
        assert [answer["ok"] for answer in answers] == [True, True, False]
        assert answers[2]["error_code"] == 429
        assert answers[2]["parameters"] == {"retry_after": 1}
        assert (await ground.tg("sendMessage", chat_id=two, text="你好"))["ok"]
        await asyncio.sleep(1.05)
        assert (await ground.tg("sendMessage", chat_id=one, text="3"))["ok"]


async def test_all_chats_together_have_a_limit_too(play: Any) -> None:
    async with play(telegram=TelegramLimits(all_burst=3, all_rate=0.5)) as ground:
        people = ["p1", "p2", "p3", "p4"]
        for person in people:
            await ground.begin(person)
        answers = [await ground.tg("sendMessage", chat_id=await ground.chat_id(p), text="你好") for p in people]
        assert [answer["ok"] for answer in answers] == [True, True, True, False]
        assert answers[3]["parameters"]["retry_after"] == 2


async def test_messages_are_edited_and_deleted_like_the_bot_api_does(play: Any) -> None:
    async with play(telegram=TelegramLimits(chat_burst=20)) as ground:
        await ground.begin()
        chat = await ground.chat_id()
        markup = {"inline_keyboard": [[{"text": "好", "callback_data": "y"}]]}
        sent = (await ground.tg("sendMessage", chat_id=chat, text="一", reply_markup=markup))["result"]
        where = {"chat_id": chat, "message_id": sent["message_id"]}
        assert (
            "not modified"
            in (await ground.tg("editMessageText", **where, text="一", reply_markup=markup))["description"]
        )
        assert (await ground.tg("editMessageReplyMarkup", **where))["ok"]
        assert (await ground.chat("telegram"))[-1]["buttons"] == []
        assert (await ground.tg("editMessageText", **where, text="二"))["result"]["text"] == "二"
        theirs = {"chat_id": chat, "message_id": sent["message_id"] - 1}
        assert "can't be edited" in (await ground.tg("editMessageText", **theirs, text="x"))["description"]
        assert (await ground.tg("deleteMessage", **where))["ok"]
        assert "not found" in (await ground.tg("editMessageText", **where, text="x"))["description"]
        assert "not found" in (await ground.tg("deleteMessage", **where))["description"]


async def test_a_reply_keyboard_stays_until_it_is_used_or_removed(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        chat = await ground.chat_id()
        keys = [[{"text": "发送位置", "request_location": True}, "算了"]]
        markup: dict[str, Any] = {"keyboard": keys, "input_field_placeholder": "在哪里？"}
        await ground.tg("sendMessage", chat_id=chat, text="你在哪？", reply_markup=markup)
        board = (await ground.get("/chats/telegram/p1"))["keyboard"]
        assert board["placeholder"] == "在哪里？"
        assert [(key["text"], key["request_location"]) for key in board["rows"][0]] == [
            ("发送位置", True),
            ("算了", False),
        ]
        place = await ground.act("telegram", do="location", latitude=23.1291, longitude=113.2644, label="")
        await ground.state_of("telegram", place, "delivered")
        assert ground.product.updates[-1]["message"]["location"] == {"latitude": 23.1291, "longitude": 113.2644}
        assert (await ground.get("/chats/telegram/p1"))["keyboard"] is not None
        await ground.tg("sendMessage", chat_id=chat, text="好", reply_markup={"remove_keyboard": True})
        assert (await ground.get("/chats/telegram/p1"))["keyboard"] is None
        await ground.tg("sendMessage", chat_id=chat, text="再问", reply_markup=markup | {"one_time_keyboard": True})
        await ground.act("telegram", do="text", text="算了")
        assert (await ground.get("/chats/telegram/p1"))["keyboard"] is None


async def test_a_file_can_be_fetched_by_its_path(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        await ground.state_of("telegram", await ground.act("telegram", do="image"), "delivered")
        file_id = ground.product.updates[-1]["message"]["photo"][0]["file_id"]
        found = (await ground.tg("getFile", file_id=file_id))["result"]
        base = f"{ground.base}/sandbox/telegram-api/file"
        async with ground.http.get(f"{base}/bot123456789:AA-sandbox_token/{found['file_path']}") as response:
            content = await response.read()
        assert content.startswith(b"\x89PNG")
        assert len(content) == found["file_size"]
        async with ground.http.get(f"{base}/bot1:wrong/{found['file_path']}") as response:
            assert response.status == 401


async def test_forms_and_uploads_are_understood(play: Any) -> None:
    async with play() as ground:
        await ground.begin()
        base = f"{ground.base}/sandbox/telegram-api/bot123456789:AA-sandbox_token"
        markup = '{"inline_keyboard": [[{"text": "好", "callback_data": "y"}]]}'
        fields = {"chat_id": str(await ground.chat_id()), "text": "表单", "reply_markup": markup}
        async with ground.http.post(f"{base}/sendMessage", data=fields) as response:
            assert response.status == 200
        assert (await ground.chat("telegram"))[-1]["buttons"] == [[{"id": "b0-0", "text": "好"}]]
        form = aiohttp.FormData({"chat_id": fields["chat_id"], "photo": "attach://picture", "caption": "一张图"})
        form.add_field("picture", b"\x89PNG...", filename="a.png", content_type="image/png")
        async with ground.http.post(f"{base}/sendPhoto", data=form) as response:
            assert response.status == 200
        shown = (await ground.chat("telegram"))[-1]
        assert (shown["kind"], shown["text"]) == ("image", "一张图")
        async with ground.http.get(ground.base + shown["media_url"]) as response:
            assert (response.content_type, await response.read()) == ("image/png", b"\x89PNG...")


async def test_commands_are_shown_by_scope_and_language(play: Any) -> None:
    async with play() as ground:
        one = [{"command": "start", "description": "开始"}]
        two = [{"command": "sos", "description": "緊急求助"}]
        assert (await ground.tg("setMyCommands", commands=one))["ok"]
        assert (
            await ground.tg("setMyCommands", commands=two, scope={"type": "all_private_chats"}, language_code="zh")
        )["ok"]
        assert (await ground.get("/state"))["accounts"]["telegram"]["commands"] == one
        state = await ground.get("/state", params={"person": "p6"})
        assert state["accounts"]["telegram"]["commands"] == two
        assert (await ground.tg("getMyCommands"))["result"] == one
        bad = await ground.tg("setMyCommands", commands=[{"command": "Start!", "description": "x"}])
        assert bad["description"] == "Bad Request: BOT_COMMAND_INVALID"
        assert (await ground.tg("setChatMenuButton", menu_button={"type": "commands"}))["ok"]


async def test_faults_hit_sending_but_not_the_bots_own_polling(play: Any) -> None:
    async with play(mode="polling") as ground:
        await ground.act("telegram", do="follow")
        await ground.post("/faults", {"platform": "telegram", "kind": "5xx", "times": 1})
        assert len((await ground.tg("getUpdates"))["result"]) == 1
        assert (await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="一"))["error_code"] == 502
        await ground.post("/faults", {"platform": "telegram", "kind": "drop", "times": 1})
        with pytest.raises(aiohttp.ClientError):
            await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="二")
        assert (await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="三"))["ok"]
        assert [m["text"] for m in await ground.chat("telegram") if m["from"] == "bot"] == ["二", "三"]
