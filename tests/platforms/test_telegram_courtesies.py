"""What Telegram is told beside the messages: buttons acknowledged, commands put up. None of it holds a message up."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from bot.platforms.base import Outcome
from bot.platforms.telegram import Telegram
from handlers.message import Inbound, MenuColumn, MenuEntry, Reply
from tests.platforms.accidents import hangs
from tests.platforms.telegram_server import RAW_CHOICE, BotApi, refuses, send, until
from tests.platforms.telegram_server import api as api
from tests.platforms.telegram_server import platform as platform
from tests.platforms.telegram_server import server as server

CHOICE = Inbound("telegram", "gd", "1001", "9", "choice", datetime(2026, 11, 22, tzinfo=UTC), choice="abc")
MENUS = {
    "volunteer": (
        MenuColumn("去服务", (MenuEntry("checkin", "签到签退"), MenuEntry("visit", "约探访"))),
        MenuColumn("找帮助", (MenuEntry("sos", "紧急求助"), MenuEntry("visit", "约探访"))),
    ),
    "volunteer@en": (MenuColumn("Serve", (MenuEntry("checkin", "Check in or out"),)),),
    "specialist": (MenuColumn("今天办", (MenuEntry("todo", "待办清单"),)),),
}


async def test_a_pressed_button_is_acknowledged_in_the_background(platform: Telegram, api: BotApi) -> None:
    api.answers["answerCallbackQuery"] = hangs
    started = time.monotonic()
    await platform.acknowledge(CHOICE, RAW_CHOICE)
    assert time.monotonic() - started < 0.5
    await until(lambda: api.named("answerCallbackQuery"))
    assert api.named("answerCallbackQuery") == [{"callback_query_id": "777"}]


async def test_words_need_no_acknowledgement_and_a_failed_one_is_no_matter(platform: Telegram, api: BotApi) -> None:
    await platform.acknowledge(Inbound("telegram", "gd", "1001", "9", "text", CHOICE.sent_at, text="x"), b"{}")
    api.answers["answerCallbackQuery"] = refuses(400, "Bad Request: query is too old")
    await platform.acknowledge(CHOICE, RAW_CHOICE)
    await until(lambda: not platform._background)
    assert len(api.calls) == 1


async def test_too_many_courtesies_are_skipped_not_piled_up(
    platform: Telegram, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.telegram._MAX_BACKGROUND", 2)
    for _ in range(5):
        await platform.acknowledge(CHOICE, RAW_CHOICE)
    assert len(platform._background) == 2
    await until(lambda: not platform._background)
    assert len(api.calls) == 2


async def test_the_menu_becomes_the_list_of_commands(platform: Telegram, api: BotApi) -> None:
    assert await platform.install_menu(MENUS) == Outcome("sent", "200")
    everybody, english = api.named("setMyCommands")
    assert json.loads(everybody["commands"]) == [
        {"command": "checkin", "description": "签到签退"},
        {"command": "visit", "description": "约探访"},
        {"command": "sos", "description": "紧急求助"},
    ]
    assert "language_code" not in everybody
    assert english["language_code"] == "en"
    [button] = api.named("setChatMenuButton")
    assert json.loads(button["menu_button"]) == {"type": "commands"}


async def test_a_reply_that_names_a_menu_puts_it_up_for_that_chat(platform: Telegram, api: BotApi) -> None:
    await platform.install_menu(MENUS)
    api.calls.clear()
    await send(platform, menu="specialist")
    await until(lambda: api.named("setMyCommands"))
    [form] = api.named("setMyCommands")
    assert json.loads(form["scope"]) == {"type": "chat", "chat_id": 1001}
    assert json.loads(form["commands"]) == [{"command": "todo", "description": "待办清单"}]
    await platform.acknowledge(CHOICE, RAW_CHOICE, Reply("好", menu="specialist"))
    await until(lambda: len(api.named("setMyCommands")) == 2)


async def test_a_menu_with_a_name_telegram_refuses_is_not_put_up(platform: Telegram, api: BotApi) -> None:
    bad = {"volunteer": (MenuColumn("x", (MenuEntry("Check-In", "签到"),)),)}
    assert await platform.install_menu(bad) == Outcome("refused", "command-name")
    assert api.calls == []
    api.answers["setMyCommands"] = refuses(401, "Unauthorized")
    assert (await platform.install_menu(MENUS)).name == "stopped"


@pytest.mark.parametrize(
    ("role", "language", "shown"),
    [
        ("volunteer", "en", "Check in or out"),
        ("volunteer", "zh_HK", "簽到簽退"),
        ("volunteer", "zh_CN", "签到签退"),
        ("specialist", "en", "待办清单"),
    ],
)
async def test_a_chat_reads_its_commands_in_the_language_its_person_chose(
    platform: Telegram, api: BotApi, role: str, language: str, shown: str
) -> None:
    cantonese = (MenuColumn("去服務", (MenuEntry("checkin", "簽到簽退"),)),)
    await platform.install_menu({**MENUS, "volunteer@zh_HK": cantonese})
    assert [form.get("language_code") for form in api.named("setMyCommands")] == [None, "en"], "zh_HK is no app's code"
    api.calls.clear()
    await platform.acknowledge(CHOICE, RAW_CHOICE, Reply("好", menu=role, language=language))
    await until(lambda: api.named("setMyCommands"))
    [form] = api.named("setMyCommands")
    assert json.loads(form["scope"]) == {"type": "chat", "chat_id": 1001}
    assert json.loads(form["commands"])[0]["description"] == shown
