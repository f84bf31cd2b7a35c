"""What is faster than Telegram allows leaves by the outbox, where a refusal is seen; nothing is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app import App
from bot.platforms import telegram_pace
from bot.platforms.telegram_pace import BURST, Pace
from models.database import Database
from tests.phones import BOT_SECRET, Exchange, Stage, chat_id, telegram_message


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_short_burst_is_answered_and_then_one_a_second() -> None:
    time = Time()
    pace = Pace(time)
    assert [pace.take("a") for _number in range(5)] == [True, True, True, False, False]
    assert pace.take("b"), "other chats have a measure of their own"
    time.now += 1.0
    assert [pace.take("a"), pace.take("a")] == [True, False]
    time.now += 60.0
    assert [pace.take("a") for _number in range(5)].count(True) == BURST, "rest is not saved up"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_pace, "_MOST", 3)
    pace = Pace(Time())
    for chat in "abcdef":
        pace.take(chat)
    assert list(pace._chats) == ["d", "e", "f"]


async def test_every_one_of_many_quick_messages_is_answered_once(database: Database, tmp_path: Path) -> None:
    from aiohttp.test_utils import TestClient, TestServer

    exchange = Exchange()
    await exchange.server.start_server()
    stage = Stage(database, tmp_path / "spool", exchange)
    app = App(stage.settings, database, spool=stage.spool, roles=("web",))
    answered = 0
    try:
        async with TestClient(TestServer(app.web)) as client:
            for number in range(1, 8):
                update = telegram_message("阿林", number, text="帮助")
                answer = await client.post(
                    "/telegram/test", json=update, headers={"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET}
                )
                assert answer.status == 200
                answered += "sendMessage" in await answer.text()
        sent = [shown for platform, sender, shown in await stage.deliver() if sender == str(chat_id("阿林"))]
    finally:
        await exchange.server.close()
    assert BURST <= answered < 7
    assert answered + len(sent) == 7
