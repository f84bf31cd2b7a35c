"""Turns that wait share one commit, and each stands or falls alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from bot import receive as receiving
from bot.receive import Receiver
from bot.received import Received
from bot.together import Left, Together
from models.database import Database
from models.inbox import InboxMessage
from models.person import Door, Person
from tests.incoming import Switch, inbox_of, message, rows
from tests.incoming import receiver as receiver
from tests.incoming import switch as switch

PEOPLE = [f"person-{number}" for number in range(12)]
BUSY = [f"busy-{number}" for number in range(receiving.TURNS_AT_ONCE)]


@contextmanager
def commits(database: Database) -> Iterator[list[object]]:
    """Every commit of the block."""
    counted: list[object] = []

    def count(connection: object) -> None:
        counted.append(connection)

    event.listen(database.engine, "commit", count)
    try:
        yield counted
    finally:
        event.remove(database.engine, "commit", count)


async def said_while_busy(receiver: Receiver, switch: Switch, **words: str) -> dict[str, Received]:
    """All people write while every thread is busy with a slow turn, which then ends. Returns what each was answered;
    `words` of a person instead of 菜单."""
    switch.slow = {"慢慢说"}
    busy = [asyncio.create_task(receiver.receive(message("慢慢说", f"{who}:1", who))) for who in BUSY]
    await asyncio.to_thread(switch.began.wait, 5)
    texts = {who: words.get(who.replace("-", "_"), "菜单") for who in PEOPLE}
    said = [asyncio.create_task(receiver.receive(message(texts[who], f"{who}:1", who))) for who in PEOPLE]
    await asyncio.sleep(0.1)
    switch.go.set()
    answers = dict(zip(PEOPLE, await asyncio.gather(*said), strict=True))
    await asyncio.gather(*busy)
    return answers


async def test_turns_that_wait_share_a_commit_and_each_is_answered(
    receiver: Receiver, switch: Switch, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "TOGETHER_SECONDS", 30.0)  # however slow the machine is
    with commits(database) as counted:
        answers = await said_while_busy(receiver, switch)
    assert len(counted) <= len(BUSY) + 3
    assert all(answer.reply is not None for answer in answers.values())
    assert len({answer.row for answer in answers.values()}) == len(PEOPLE)
    assert len(rows(database, Door)) == len(rows(database, Person)) == len(PEOPLE) + len(BUSY)


async def test_a_turn_that_fails_falls_alone(receiver: Receiver, switch: Switch, database: Database) -> None:
    switch.broken["坏的"] = lambda: ValueError("a fault of ours")
    answers = await said_while_busy(receiver, switch, person_4="坏的")
    apology = answers["person-4"].reply
    assert apology is not None and "没有处理好" in apology.text
    with database.read() as session:
        aside = session.exec(select(InboxMessage.sender).where(InboxMessage.state == "aside")).all()
        known = set(session.exec(select(Door.sender)))
    assert aside == ["person-4"]
    assert known == {*PEOPLE, *BUSY} - {"person-4"}


async def test_where_the_transaction_breaks_each_is_tried_alone_and_has_one_effect(
    receiver: Receiver,
    switch: Switch,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = []

    def breaks(_connection: object) -> None:
        if len(switch.heard) > len(BUSY) and not broken:
            broken.append(True)
            raise IntegrityError("COMMIT", None, Exception("a deferred constraint"))

    event.listen(database.engine, "commit", breaks)
    try:
        answers = await said_while_busy(receiver, switch)
    finally:
        event.remove(database.engine, "commit", breaks)
    assert broken
    assert all(answer.reply is not None for answer in answers.values())
    assert len(rows(database, InboxMessage)) == len(PEOPLE) + len(BUSY)
    assert len(switch.heard) > len(PEOPLE) + len(BUSY)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one lock, for all rows
async def test_a_row_that_somebody_holds_holds_nobody_else_of_the_commit(
    receiver: Receiver, switch: Switch, database: Database
) -> None:
    for who in PEOPLE:
        await receiver.receive(message("菜单", f"{who}:0", who))
    holder = database.engine.connect()
    holder.execute(text("SELECT 1 FROM door WHERE sender = 'person-4' FOR UPDATE"))
    release = threading.Timer(1.5, holder.rollback)
    release.start()
    began = time.monotonic()
    took: dict[str, float] = {}

    async def say(who: str) -> Received:
        answer = await receiver.receive(message("我的", f"{who}:1", who))
        took[who] = time.monotonic() - began
        return answer

    answers = await asyncio.gather(*map(say, PEOPLE))
    await asyncio.to_thread(release.join)
    holder.close()
    assert all(answer.reply is not None for answer in answers)
    assert all(seconds < 1.2 for who, seconds in took.items() if who != "person-4"), took
    assert took["person-4"] >= 1.0
    assert inbox_of(database, "person-4:1").state == "done"


async def test_work_is_done_in_the_order_in_which_it_came_and_what_is_left_comes_first() -> None:
    seen: list[list[int]] = []
    go = threading.Event()

    def work(some: list[int]) -> list[Left[int]]:
        seen.append(some)
        go.wait(5)
        left: dict[int, Left[int]] = {3: Left(alone=True), 4: Left(later=True)} if len(seen) == 2 else {}
        return [left.get(number) or Left(number * 10) for number in some]

    with ThreadPoolExecutor(4) as pool:
        together = Together(pool, work, threads=1, most=3)
        asked = [asyncio.create_task(together.do(number)) for number in range(1, 8)]
        await asyncio.sleep(0.05)
        go.set()
        assert await asyncio.gather(*asked) == [number * 10 for number in range(1, 8)]
    assert seen == [[1], [2, 3, 4], [3], [4, 5, 6], [7]]


async def test_a_fault_of_the_work_is_told_to_everybody_who_waits_and_ends_nothing() -> None:
    def work(some: list[int]) -> list[Left[int]]:
        if 2 in some:
            raise ValueError("broken")
        return [Left(number) for number in some]

    pool = ThreadPoolExecutor(1)
    together = Together(pool, work, threads=1)
    with pytest.raises(ValueError, match="broken"):
        await together.do(2)
    assert await together.do(5) == 5
    pool.shutdown()
    with pytest.raises(RuntimeError):
        await together.do(6)
