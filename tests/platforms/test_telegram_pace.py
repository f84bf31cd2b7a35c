"""What is faster than Telegram allows leaves by the outbox, where a refusal is seen; nothing is dropped."""

from __future__ import annotations

from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import update
from sqlmodel import select

from bot.app import App
from bot.platforms import telegram_pace
from bot.platforms.telegram_pace import BURST, Pace
from bot.receive import Receiver
from bot.spool import Spool
from handlers.here import Here
from handlers.message import Inbound
from models.database import Database
from models.outbox import EMERGENCY, OutboxMessage
from tests.conftest import START
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


def test_a_chat_that_was_silent_until_its_measure_was_full_is_not_remembered() -> None:
    time = Time()
    pace = Pace(time)
    for number in range(1_000):
        pace.take(str(number))
        time.now += 0.01
    assert len(pace._chats) <= BURST / telegram_pace.RATE / 0.01
    time.now += 60
    pace.take("x")
    assert list(pace._chats) == ["x"]


async def test_every_one_of_many_quick_messages_is_answered_once(database: Database, tmp_path: Path) -> None:
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


HERE = Here("telegram", "test", sensitive_in_chat=False, public_url="https://nuanyang.example", sure_answers=False)


class Chat:
    """One hurried person on Telegram, before a real receiver and a real pace with a clock of the test's."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.time, self.number, self.database = Time(), 0, database
        pace = Pace(self.time)
        spool = Spool(folder / "spool", database.vault)
        self.receiver = Receiver(database, spool, lambda _inbound: HERE, answers_now=lambda i: pace.take(i.sender))

    async def say(self, words: str, seconds: float) -> str | None:
        """What stands in the webhook's answer."""
        self.time.now += seconds
        self.number += 1
        inbound = Inbound("telegram", "test", "7", str(self.number), "text", START, text=words)
        reply = (await self.receiver.receive(inbound)).reply
        return reply.text if reply else None

    def waiting(self) -> list[int]:
        """The priorities of what waits in the outbox."""
        with self.database.read() as session:
            rows = session.exec(select(OutboxMessage).order_by(OutboxMessage.id))
            return [row.priority for row in rows if row.kind == "reply" and row.state == "waiting"]


async def test_no_reply_overtakes_an_earlier_one_that_still_waits(database: Database, tmp_path: Path) -> None:
    chat = Chat(database, tmp_path)
    for words in ("注册", "同意", "王小明"):
        assert await chat.say(words, 0.1)
    assert await chat.say("13800138000", 0.1) is None
    assert await chat.say("2000-01-01", 5) is None, "the bucket is full again, but the question before it is not sent"
    assert len(chat.waiting()) == 2
    with database.write() as session:
        session.execute(update(OutboxMessage).values(state="sent"))
    assert await chat.say("返回", 5) is not None, "nothing waits any more"
    await chat.receiver.stop(2)


async def test_the_numbers_to_call_are_in_the_answer_however_quickly_somebody_types(
    database: Database, tmp_path: Path
) -> None:
    chat = Chat(database, tmp_path)
    for _number in range(4):
        await chat.say("帮助", 0.1)
    for cry in ("救命，有人打我", "救命，他拿刀"):
        assert "110" in (await chat.say(cry, 0.1) or "")
    assert chat.waiting().count(EMERGENCY) == 2, "and they come again by the outbox, ahead of all else"
    await chat.receiver.stop(2)
