"""While the database is away or the disk full, nothing is lost, nothing overtakes, and cries for help are answered."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from bot import hearing
from bot import receive as receiving
from bot import spool as spooling
from bot.receive import Receiver
from bot.received import Unavailable
from bot.spool import Spool
from handlers.message import Inbound
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.vault import Vault
from tests.conftest import StoppedClock
from tests.cutting import Cut
from tests.incoming import DANGER, Switch, inbox_of, message, outgoing, place, rows, until
from tests.incoming import receiver as receiver
from tests.incoming import soon as soon
from tests.incoming import switch as switch

# --- the database away ---


async def test_while_the_database_is_away_updates_are_spooled_and_replayed_in_order(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    switch.away = True
    began = time.monotonic()
    for number, words in enumerate(("一", "二", "三")):
        assert (await receiver.receive(message(words, str(number)))).reply is None
    assert (await receiver.receive(message("二", "1"))).reply is None, "a repeat"
    assert len(receiver._spool.scan()) == 3, "which has its place already"
    assert time.monotonic() - began < 4
    assert await receiver.replay() == 0
    switch.away = False
    assert (await receiver.receive(message("四", "3"))).reply is None, "joins behind the others"
    assert switch.heard == []
    await receiver.replay()
    assert switch.heard == ["一", "二", "三", "四"]
    assert len(outgoing(database)) == len(rows(database, InboxMessage)) == 4
    assert not receiver._spool.waiting
    assert (await receiver.receive(message("五", "4"))).reply is not None


async def test_nothing_overtakes_a_message_that_the_database_did_not_take(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    switch.slow.add("一")
    switch.broken["一"] = lambda: OperationalError("statement", {}, Exception("gone"))
    first = asyncio.create_task(receiver.receive(message("一", "1")))
    await until(switch.began.is_set)
    second = asyncio.create_task(receiver.receive(message("二", "2")))
    await asyncio.sleep(0.02)
    switch.go.set()
    assert (await first).reply is None
    assert (await second).reply is None
    assert switch.heard == ["一"], "its transaction was rolled back, and the next one waits behind it"
    switch.broken.clear()
    assert await receiver.replay() == 2
    assert switch.heard == ["一", "一", "二"]
    assert len(outgoing(database)) == 2


@pytest.fixture
def wire(database: Database) -> Iterator[Cut]:
    made = Cut(database.url.render_as_string(hide_password=False))
    yield made
    made.close()


async def test_while_the_database_is_cut_off_only_the_first_update_waits_for_it(
    database: Database, vault: Vault, tmp_path: Path, wire: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.IDLE_SECONDS", 0.0)  # a connection used a moment ago says so at once
    spool = Spool(tmp_path / "spool", vault)
    spool.open()
    far = Database(wire.url, vault, database.clock, durable=False)
    receiver = Receiver(far, spool, place)
    assert (await receiver.receive(message("之前", "0"))).reply is not None
    wire.cut()
    began = time.monotonic()
    assert (await receiver.receive(message("一", "1"))).spooled is False, "nothing to say to the platform"
    waited = time.monotonic() - began
    assert 1.0 < waited < 5.0, "the time-out of a lock or a connection"
    took = []
    for number, (words, sender) in enumerate((("二", "alin"), ("三", "other"), (DANGER, "third"), ("四", "alin"))):
        began = time.monotonic()
        received = await receiver.receive(message(words, f"{number + 2}", sender))
        took.append(time.monotonic() - began)
        assert bool(received.reply) == (words == DANGER)
    assert max(took) < 0.5, took
    probe = asyncio.create_task(receiver.replay())
    await until(lambda: receiver._drain.runs)
    await asyncio.sleep(1.1)
    began = time.monotonic()
    await receiver.receive(message("五", "6", "fifth"))
    assert time.monotonic() - began < 0.5, "while the replay asks the database, nobody else does"
    assert await probe == 0
    wire.mend()
    while spool.waiting:
        await receiver.replay()
    began = time.monotonic()
    assert (await receiver.receive(message("六", "7"))).reply is not None, "it is back, and heard at once"
    assert time.monotonic() - began < 1.0
    kept = sorted(rows(database, InboxMessage), key=lambda row: row.id)
    assert [row.key for row in kept if row.sender == "alin"] == ["0", "1", "2", "5", "7"]
    assert len(kept) == 8
    await receiver.stop(5)
    far.dispose()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_a_row_that_somebody_holds_sends_nobody_else_to_the_spool(receiver: Receiver, database: Database) -> None:
    await receiver.receive(message("你好", "1"))
    with database.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM door FOR UPDATE"))
        assert (await receiver.receive(message("还在吗", "2"))).reply is None
        await until(lambda: receiver._spool.waiting.total() == 1)
        assert (await receiver.receive(message("你好", "3", "other"))).reply is not None
    assert await receiver.replay() == 1


async def test_one_spooled_update_that_can_never_be_a_turn_does_not_stop_the_others(
    receiver: Receiver, switch: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    switch.away = True
    await receiver.receive(message("毒", "1", "x"))
    await receiver.receive(message("好", "2", "y"))
    switch.away = False

    def poisoned(real: Callable[..., Any]) -> Callable[..., Any]:
        def enter(session: Session, platform: str, account: str, key: str, *rest: Any) -> Any:
            if key == "1":
                raise ValueError("no database takes this")
            return real(session, platform, account, key, *rest)

        return enter

    monkeypatch.setattr(hearing, "arrive", poisoned(hearing.arrive))
    monkeypatch.setattr(hearing.inbox, "enter", poisoned(hearing.inbox.enter))
    assert await receiver.replay() == 1
    assert switch.heard == ["好"]
    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".aside"], "kept, out of the way"
    assert (await receiver.receive(message("再来", "3", "x"))).reply is not None


async def test_words_that_call_for_help_are_answered_whatever_is_away(
    receiver: Receiver, switch: Switch, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    switch.away = True
    updates = [
        message(DANGER, "1"),
        message("第二句" + DANGER, "2"),
        message("", "3", kind="menu", menu="sos"),
        message("", "4", kind="choice", choice="m:worried"),
        message("字" * 9_000 + DANGER, "5", "other"),
    ]
    for update in updates:
        received = await receiver.receive(update)
        assert received.reply is not None
        assert received.reply.text.startswith("如有危险请先拨打110／120")
    monkeypatch.setattr(spooling.os, "fsync", full_disk)
    for update in (message(DANGER, "6"), message(DANGER, "7", "third")):
        received = await receiver.receive(update)
        assert received.reply is not None, "neither database nor disk is needed to say whom to call"
    with pytest.raises(Unavailable):
        await receiver.receive(message("你好", "8"))
    monkeypatch.undo()
    switch.away = False
    await receiver.replay()
    assert [words[:6] for words in outgoing(database)].count("如有危险请先") == 5


async def test_words_that_call_for_help_do_not_wait_for_a_slow_turn(
    receiver: Receiver, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "URGENT_SECONDS", 0.8)
    switch.slow.add(DANGER)
    began = time.monotonic()
    received = await receiver.receive(message(DANGER, "1"))
    assert time.monotonic() - began < 4  # the turn itself would take ten
    assert received.reply is not None
    again = await receiver.receive(message(DANGER, "1"))
    assert again.reply == received.reply
    switch.go.set()


def full_disk(_handle: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_with_database_away_and_disk_full_the_platform_is_told_to_come_again(
    receiver: Receiver, database: Database, switch: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    switch.away = True
    with monkeypatch.context() as patch:
        patch.setattr(spooling.os, "fsync", full_disk)
        for _try in range(2):
            with pytest.raises(Unavailable):
                await receiver.receive(message("你好", "1"))
    assert list((tmp_path / "spool").iterdir()) == []
    assert not receiver._spool.waiting
    switch.away = False
    assert (await receiver.receive(message("你好", "1"))).reply is not None
    assert len(rows(database, InboxMessage)) == 1


async def test_a_late_turn_with_the_disk_full_is_not_lost(
    receiver: Receiver, database: Database, switch: Switch, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch.slow.add("报名")
    with monkeypatch.context() as patch:
        patch.setattr(spooling.os, "fsync", full_disk)
        with pytest.raises(Unavailable):
            await receiver.receive(message("报名", "1"))
    switch.go.set()
    repeat = await receiver.receive(message("报名", "1"))
    assert repeat.reply is not None
    assert switch.heard == ["报名"]


async def test_the_replay_hears_senders_side_by_side_and_each_in_order(
    receiver: Receiver, database: Database, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each would cost a commit of its own, and a minute of updates minutes."""
    switch.away = True
    for number in range(10):
        for sender in range(20):
            await receiver.receive(message(f"{number}", f"{sender}-{number}", f"sender {sender}"))
    switch.away = False
    commits: list[str] = []
    event.listen(database.engine, "commit", lambda _connection: commits.append("one"))
    heard: list[tuple[str, str]] = []
    real = hearing.turn

    def noted(session: Session, inbound: Inbound, *rest: Any) -> Any:
        heard.append((inbound.sender, inbound.text))
        return real(session, inbound, *rest)

    monkeypatch.setattr(hearing, "turn", noted)
    assert await receiver.replay() == 200
    for sender in range(20):
        assert [text for who, text in heard if who == f"sender {sender}"] == [f"{number}" for number in range(10)]
    assert len(commits) < 100, "they share them"
    assert len(outgoing(database)) == 200
    assert not receiver._spool.waiting


async def test_a_long_replay_does_not_keep_back_what_was_handed_over(
    receiver: Receiver, database: Database, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "HANDED_EVERY", 0.02)
    received = await receiver.receive(message("你好", "1"))
    switch.away = True
    await receiver.receive(message("慢", "2", "other"))
    switch.away = False
    real, go = receiver._ordered, asyncio.Event()

    async def slow(inbound: Inbound, passive: bool, *, replaying: bool = False) -> Any:
        if replaying:
            await go.wait()
        return await real(inbound, passive, replaying=replaying)

    monkeypatch.setattr(receiver, "_ordered", slow)
    stopping = asyncio.Event()
    keeper = asyncio.create_task(receiver.keep_up(stopping))
    await until(lambda: receiver._drain.runs)
    receiver.handed(received.row)
    await until(lambda: inbox_of(database, "1").handed_at is not None)
    assert receiver._drain.runs
    go.set()
    stopping.set()
    await asyncio.wait_for(keeper, 5)
    assert not receiver._spool.waiting


# --- what was not handed over ---


async def test_a_reply_that_was_never_handed_over_is_swept_to_the_outbox_once_and_marked(
    receiver: Receiver, database: Database, clock: StoppedClock
) -> None:
    handed = await receiver.receive(message("你好", "1"))
    await receiver.receive(message("报名", "2"))
    receiver.handed(handed.row)
    await receiver._flush_handed()
    clock.pass_time(timedelta(seconds=29))
    receiver._hearing.sweep()
    assert outgoing(database) == []
    clock.pass_time(timedelta(seconds=2))
    receiver._hearing.sweep()
    receiver._hearing.sweep()
    assert [words[:4] for words in outgoing(database)] == ["报名大约"]
    assert [row.resends for row in rows(database, OutboxMessage)] == [1], "it may have arrived: it says so"
    assert (await receiver.receive(message("报名", "2"))).reply is None


async def test_what_was_handed_over_is_written_down_after_an_outage_too(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    received = await receiver.receive(message("你好", "1"))
    receiver.handed(received.row)
    switch.away = True
    with pytest.raises(DatabaseAway):
        await receiver._flush_handed()
    switch.away = False
    await receiver._flush_handed()
    assert inbox_of(database, "1").handed_at is not None


async def test_the_keeper_replays_and_sweeps_beside_the_turns(
    receiver: Receiver, database: Database, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "HANDED_EVERY", 0.02)
    stopping = asyncio.Event()
    switch.away = True
    await receiver.receive(message("你好", "1"))
    keeper = asyncio.create_task(receiver.keep_up(stopping))
    await asyncio.sleep(0.1)
    assert not keeper.done(), "an outage does not end it"
    switch.away = False
    await until(lambda: switch.heard == ["你好"] and not receiver._spool.waiting)
    received = await receiver.receive(message("你好", "2", "other"))
    receiver.handed(received.row)
    await until(lambda: inbox_of(database, "2").handed_at is not None)
    stopping.set()
    await asyncio.wait_for(keeper, 2)
