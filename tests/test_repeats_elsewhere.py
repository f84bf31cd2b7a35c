"""A message that was late at one copy of the process is repeated at another: its person gets the reply once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from bot.receive import Receiver
from bot.received import Received
from bot.spool import Spool
from models.database import Database
from tests.incoming import Switch, message, outgoing, place, until
from tests.incoming import soon as soon
from tests.incoming import switch as switch

# SQLite serves one copy alone.
pytestmark = [pytest.mark.parametrize("database", ["postgresql"], indirect=True), pytest.mark.usefixtures("soon")]


@pytest.fixture
async def copies(database: Database, tmp_path: Path) -> AsyncIterator[tuple[Receiver, Receiver]]:
    made, databases = [], []
    for name in ("first", "second"):
        url = database.url.render_as_string(hide_password=False)
        databases.append(Database(url, database.vault, database.clock, durable=False))
        spool = Spool(tmp_path / name, database.vault)
        spool.open()
        made.append(Receiver(databases[-1], spool, place))
    yield made[0], made[1]
    for receiver, one in zip(made, databases, strict=True):
        await receiver.stop(5)
        one.dispose()


@pytest.fixture
def held_commit() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Whether the first commit has begun, and when it may go on."""
    began, go = threading.Event(), threading.Event()
    yield began, go
    go.set()


async def settle(receiver: Receiver) -> None:
    """What a copy does after an answer: its late turns are followed up, and what it handed over is written down."""
    await until(lambda: not receiver._late)
    await receiver._flush_handed()


def given(database: Database, *answers: Received) -> int:
    """How often the reply was given: in answers, and by the outbox."""
    return sum(answer.reply is not None for answer in answers) + len(outgoing(database))


async def test_a_turn_that_is_late_leaves_nothing_for_the_answer_to_a_repeat(
    copies: tuple[Receiver, Receiver], switch: Switch, database: Database
) -> None:
    first, second = copies
    switch.slow = {"菜单"}
    late = await first.receive(message("菜单", "1"))
    repeat = asyncio.create_task(second.receive(message("菜单", "1")))
    await asyncio.sleep(0.2)  # it waits for the first copy's row
    switch.go.set()
    again = await repeat
    second.handed(again.row)
    await settle(first)
    await settle(second)
    assert given(database, late, again) == 1
    assert given(database, await second.receive(message("菜单", "1"))) == 1, "and a later repeat gets no more"


async def test_a_reply_that_a_repeat_took_does_not_leave_by_the_outbox_as_well(
    copies: tuple[Receiver, Receiver], database: Database, held_commit: tuple[threading.Event, threading.Event]
) -> None:
    """The first copy gives up in the middle of its commit, when it cannot know any more that it is late."""
    first, second = copies
    began, go = held_commit

    def hold(_connection: object) -> None:
        if not began.is_set():
            began.set()
            assert go.wait(10)

    event.listen(first._database.engine, "commit", hold)
    late = await first.receive(message("菜单", "1"))
    assert began.is_set() and late.reply is None
    repeat = asyncio.create_task(second.receive(message("菜单", "1")))
    await asyncio.sleep(0.2)
    go.set()
    again = await repeat
    # The second copy's answer is on its way when the first copy follows its late turn up.
    await settle(first)
    second.handed(again.row)
    await settle(second)
    assert given(database, late, again) == 1


async def test_the_same_reply_is_given_to_every_repeat_whose_answer_was_cut(
    copies: tuple[Receiver, Receiver], database: Database
) -> None:
    first, second = copies
    answers = [await copy.receive(message("菜单", "1")) for copy in (first, second, first)]
    assert len({answer.reply for answer in answers}) == 1
    assert outgoing(database) == []


async def test_a_call_that_is_late_for_what_another_copy_answered_moves_nothing(
    copies: tuple[Receiver, Receiver], switch: Switch, database: Database
) -> None:
    """One copy has answered and not written that down yet, when the other gives its repeat up."""
    first, second = copies
    switch.slow = {"菜单"}
    # The first copy has all the time that a slow machine needs.
    turn = asyncio.create_task(first.receive(message("菜单", "1"), arrived=time.monotonic() + 20))
    await until(switch.began.is_set)
    await asyncio.sleep(0.3)
    second_began = asyncio.create_task(second.receive(message("菜单", "1"), arrived=time.monotonic() - 0.9))
    late = await second_began
    assert late.reply is None
    switch.go.set()
    answered = await turn
    assert answered.reply is not None
    await settle(second)
    assert outgoing(database) == []
    first.handed(answered.row)
    await settle(first)
    assert given(database, late, answered) == 1
