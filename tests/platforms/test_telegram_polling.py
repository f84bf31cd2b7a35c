"""Long polling: what the offset confirms, and what happens when Telegram or we ourselves fail."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from telegram.error import Conflict, InvalidToken, NetworkError, TelegramError

from bot.platforms.base import Rejected
from bot.platforms.telegram_polling import Pause, Polling
from bot.platforms.telegram_request import Paused
from handlers.message import Inbound

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def update(number: int, chat: int = 1) -> dict[str, Any]:
    return {"update_id": number, "chat": chat, "callback_query": {"id": f"c{number}"}}


class BotApi:
    """Keeps updates until a higher offset is asked for, as Telegram does."""

    def __init__(self, *waiting: dict[str, Any]) -> None:
        self.waiting = list(waiting)
        self.asked: list[int | None] = []
        self.faults: list[Exception | Any] = []
        self.webhook_faults: list[TelegramError] = []
        self.webhook_deleted = 0
        self.spinners: list[str] = []

    async def fetch_updates(self, form: dict[str, str], seconds: float) -> object:
        assert json.loads(form["allowed_updates"])
        assert seconds > int(form["timeout"])
        offset = int(form["offset"]) if "offset" in form else None
        self.asked.append(offset)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        self.waiting = [given for given in self.waiting if offset is None or given["update_id"] >= offset]
        while not self.waiting:  # noqa: ASYNC110 - the tests fill a plain list
            await asyncio.sleep(0.005)
        return list(self.waiting)

    async def delete_webhook(self) -> None:
        if self.webhook_faults:
            raise self.webhook_faults.pop(0)
        self.webhook_deleted += 1

    def read(self, plain: object) -> list[Inbound]:
        assert isinstance(plain, dict)
        if plain.get("broken"):
            raise Rejected(400, "shape")
        if plain.get("nothing"):
            return []
        return [Inbound("telegram", "gd", str(plain["chat"]), str(plain["update_id"]), "text", NOW)]

    def stop_spinner(self, callback: str) -> None:
        self.spinners.append(callback)


class Inbox:
    """Takes messages down and fails for the keys it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.failing: set[str] = set()
        self.tried: list[str] = []

    async def receive(self, inbound: Inbound) -> None:
        self.tried.append(inbound.key)
        await asyncio.sleep(0)
        if inbound.key in self.failing:
            raise OSError("neither database nor spool")
        self.keys.append(inbound.key)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.platforms.telegram_polling._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("bot.platforms.telegram_polling._LAST_PAUSE", 0.04)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state
            await asyncio.sleep(0.002)


async def test_the_offset_advances_only_after_everything_was_received() -> None:
    api, inbox = BotApi(update(10), update(11, chat=2), update(12)), Inbox()
    polling = Polling("gd", api, inbox.receive)
    polling.start()
    await until(lambda: len(api.asked) == 2)
    assert api.asked == [None, 13]
    assert sorted(inbox.keys) == ["10", "11", "12"]
    assert sorted(api.spinners) == ["c10", "c11", "c12"]
    assert api.webhook_deleted == 1
    await polling.stop()


async def test_what_was_received_but_not_confirmed_before_a_crash_comes_again() -> None:
    api, first, second = BotApi(update(10), update(11)), Inbox(), Inbox()
    received = asyncio.Event()

    async def receive_and_die(inbound: Inbound) -> None:
        await first.receive(inbound)
        if inbound.key == "11":
            received.set()
            await asyncio.sleep(60)  # committed, but killed before the next getUpdates

    crashed = Polling("gd", api, receive_and_die)
    crashed.start()
    await received.wait()
    assert crashed._task is not None
    crashed._task.cancel()
    await asyncio.wait([crashed._task])
    again = Polling("gd", api, second.receive)
    again.start()
    await until(lambda: len(second.keys) == 2)
    assert first.keys == second.keys == ["10", "11"]
    await again.stop()


async def test_one_chat_keeps_its_order_while_another_overtakes() -> None:
    api = BotApi(update(1, chat=1), update(2, chat=1), update(3, chat=2), update(4, chat=1))
    slow = asyncio.Event()
    keys: list[str] = []

    async def receive(inbound: Inbound) -> None:
        if inbound.key == "1":
            await slow.wait()
        keys.append(inbound.key)

    polling = Polling("gd", api, receive)
    polling.start()
    await until(lambda: keys)
    assert keys == ["3"]
    assert api.asked == [None]  # nothing is confirmed while one of them is open
    slow.set()
    await until(lambda: len(api.asked) == 2)
    assert keys == ["3", "1", "2", "4"]
    await polling.stop()


async def test_an_update_that_cannot_be_received_holds_the_offset_and_only_its_chat() -> None:
    api, inbox = BotApi(update(1), update(2), update(3), update(4, chat=2)), Inbox()
    inbox.failing = {"2"}
    polling = Polling("gd", api, inbox.receive)
    polling.start()
    await until(lambda: inbox.tried.count("2") >= 3)
    assert set(api.asked[1:]) == {2}
    assert sorted(inbox.keys) == ["1", "4"]  # each once, though 4 was given again every time
    inbox.failing = set()
    await until(lambda: api.asked[-1] == 5)
    assert sorted(inbox.keys) == ["1", "2", "3", "4"]
    assert inbox.keys.index("2") < inbox.keys.index("3")
    await polling.stop()


async def test_unreadable_updates_and_those_without_content_are_passed_over_and_logged() -> None:
    api, inbox = BotApi({**update(1), "broken": True}, {**update(2), "nothing": True}, update(3)), Inbox()
    polling = Polling("gd", api, inbox.receive)
    with structlog.testing.capture_logs() as logs:
        polling.start()
        await until(lambda: api.asked[-1:] == [4])
    assert inbox.keys == ["3"]
    assert [entry["update"] for entry in logs if entry["event"] == "telegram_update_unreadable"] == [1]
    await polling.stop()


@pytest.mark.parametrize(
    "fault",
    [
        NetworkError("reset"),
        Conflict("two of us"),
        InvalidToken(),
        Paused(0.01),
        RuntimeError("a fault of ours"),
        {"not": "a list"},
        [{"update_id": "1"}],
        [None],
        "text",
    ],
    ids=repr,
)
async def test_polling_survives_every_fault_and_goes_on(fault: Any) -> None:
    api, inbox = BotApi(update(1)), Inbox()
    api.faults = [fault, fault, fault]
    polling = Polling("gd", api, inbox.receive)
    polling.start()
    await until(lambda: inbox.keys == ["1"])
    assert len(api.asked) >= 4
    assert inbox.tried == ["1"]
    await polling.stop()


async def test_a_conflict_is_one_clear_line_and_its_end_another() -> None:
    api, inbox = BotApi(), Inbox()
    api.faults = [Conflict("terminated by other getUpdates request")] * 5
    polling = Polling("gd", api, inbox.receive)
    with structlog.testing.capture_logs() as logs:
        polling.start()
        await until(lambda: len(api.asked) == 6)
        api.waiting.append(update(1))
        await until(lambda: inbox.keys)
    await polling.stop()
    assert [entry["event"] for entry in logs] == ["telegram_polling_conflict", "telegram_polling_resumed"]
    assert "another process" in logs[0]["hint"]


async def test_the_webhook_is_deleted_before_the_first_call_however_long_it_takes() -> None:
    api, inbox = BotApi(update(1)), Inbox()
    api.webhook_faults = [NetworkError("x"), NetworkError("x")]
    polling = Polling("gd", api, inbox.receive)
    polling.start()
    await until(lambda: inbox.keys)
    assert api.webhook_deleted == 1
    await polling.stop()


async def test_stopping_waits_for_the_turn_under_way_and_cuts_the_call() -> None:
    api = BotApi(update(1))
    begun, finished = asyncio.Event(), asyncio.Event()

    async def receive(_: Inbound) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        finished.set()

    polling = Polling("gd", api, receive)
    polling.start()
    await begun.wait()
    await polling.stop()
    assert finished.is_set()
    idle = Polling("gd", BotApi(), receive)
    idle.start()
    await asyncio.sleep(0.02)
    started = time.monotonic()
    await idle.stop()
    assert time.monotonic() - started < 0.5


async def test_stopping_does_not_wait_for_a_turn_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.platforms.telegram_polling._LAST_TURNS_SECONDS", 0.1)
    begun = asyncio.Event()

    async def receive(_: Inbound) -> None:
        begun.set()
        await asyncio.sleep(60)

    polling = Polling("gd", BotApi(update(1)), receive)
    polling.start()
    await begun.wait()
    started = time.monotonic()
    await polling.stop()
    assert time.monotonic() - started < 1.0
    assert polling._task is not None
    assert polling._task.done()


async def test_a_polling_that_was_never_started_stops() -> None:
    await Polling("gd", BotApi(), Inbox().receive).stop()


def test_pauses_double_up_to_their_limit_and_start_anew_after_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real figures
    pause = Pause()
    assert [pause.seconds() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    pause.over()
    assert pause.seconds() == 1
    assert pause.after(Paused(90)) == 90
    assert pause.after(NetworkError("x")) == 4
