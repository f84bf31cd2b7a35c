"""A turn that takes too long goes into the spool: nobody is told that it is kept before it is."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator

import pytest

from bot import spool as spooling
from bot.receive import Receiver
from bot.received import Received, Unavailable
from handlers.message import Inbound
from models.database import DatabaseAway
from tests.incoming import Switch, message, until
from tests.incoming import receiver as receiver
from tests.incoming import soon as soon
from tests.incoming import switch as switch


class Disk:
    """Takes its time, and then what is written or not."""

    def __init__(self) -> None:
        self.full = True
        self.began, self.go = threading.Event(), threading.Event()

    def sync(self, _handle: int) -> None:
        self.began.set()
        assert self.go.wait(10), "the test forgot to let the disk go on"
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    monkeypatch.setattr(spooling.os, "fsync", made.sync)
    yield made
    made.go.set()


async def outcome(receiver: Receiver, update: Inbound) -> Received | str:
    try:
        return await receiver.receive(update)
    except Unavailable:
        return "come again"


@pytest.mark.parametrize("words", ["慢", "慢" * 9_000], ids=["short", "long"])
async def test_a_repeat_is_not_acknowledged_while_the_first_one_is_still_being_written(
    receiver: Receiver, switch: Switch, soon: None, disk: Disk, words: str
) -> None:
    """The disk was full in the end: the first call was told to come again, the second one that all was well."""
    switch.slow = {words}
    update = message(words, "1")
    first = asyncio.create_task(outcome(receiver, update))
    beside = asyncio.create_task(outcome(receiver, update))  # waits for the same turn
    await until(disk.began.is_set)
    later = asyncio.create_task(outcome(receiver, update))
    await asyncio.sleep(0.1)
    assert not any(call.done() for call in (first, beside, later)), "it is nowhere yet"
    disk.go.set()
    assert await asyncio.gather(first, beside, later) == ["come again"] * 3
    assert list(receiver._spool.folder.iterdir()) == []
    disk.full = False
    switch.go.set()
    again = await outcome(receiver, update)
    assert isinstance(again, Received) and again.reply is not None, "and the next one gets the reply"
    assert switch.heard == [words]


async def test_a_repeat_is_acknowledged_once_the_first_one_is_written(
    receiver: Receiver, switch: Switch, soon: None, disk: Disk
) -> None:
    disk.full = False
    switch.slow = {"慢"}
    update = message("慢", "1")
    calls = [asyncio.create_task(outcome(receiver, update)) for _time in range(2)]
    await until(disk.began.is_set)
    disk.go.set()
    assert await asyncio.gather(*calls) == [Received(None)] * 2
    assert await outcome(receiver, update) == Received(None)
    assert len(list(receiver._spool.folder.glob("*.update"))) == 1


async def test_a_turn_that_the_database_refuses_meanwhile_is_not_taken_for_kept(
    receiver: Receiver, switch: Switch, soon: None, disk: Disk
) -> None:
    switch.slow, switch.broken = {"慢"}, {"慢": lambda: DatabaseAway("test")}
    update = message("慢", "1")
    first = asyncio.create_task(outcome(receiver, update))
    await until(disk.began.is_set)
    turn = next(iter(receiver._running.values()))
    switch.go.set()
    await until(lambda: not receiver._at_work)
    await asyncio.sleep(0.1)
    assert not turn.done(), "what becomes of it depends on the disk"
    disk.go.set()
    assert await first == "come again"
    with pytest.raises(Unavailable):
        await turn


async def test_a_caller_that_hangs_up_leaves_nothing_half_done(
    receiver: Receiver, switch: Switch, soon: None, disk: Disk
) -> None:
    disk.full = False
    switch.slow = {"慢"}
    update = message("慢", "1")
    first = asyncio.create_task(outcome(receiver, update))
    await until(disk.began.is_set)
    first.cancel()
    disk.go.set()
    assert await outcome(receiver, update) == Received(None)
    switch.go.set()
    await until(lambda: not receiver._given_up)
    assert not receiver._spool.waiting and switch.heard == ["慢"], "its file went with the turn"
