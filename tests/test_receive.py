"""A message in: one transaction, one reply, in order, whatever is slow, broken or away."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from bot import receive as receiving
from bot import spool as spooling
from bot.receive import Receiver
from bot.received import Unavailable
from bot.spool import Spool
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.turn import turn
from models.conversation import Conversation
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.person import Door, Person
from models.vault import Vault
from tests.conftest import START, StoppedClock
from tests.cutting import Cut

DANGER = "救命，有人打我"


def message(words: str, key: str, sender: str = "alin", kind: Any = "text", **more: Any) -> Inbound:
    return Inbound("wechat", "test", sender, key, kind, START, text=words, **more)


def place(inbound: Inbound) -> Here:
    return Here(inbound.platform, inbound.account, public_url="https://nuanyang.example")


@pytest.fixture
async def receiver(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[Receiver]:
    spool = Spool(tmp_path / "spool", vault)
    spool.open()
    made = Receiver(database, spool, place)
    yield made
    await made.stop(5)


class Switch:
    """Turns as a test wants them: slow, failing, or with the database away; otherwise the real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow: set[str] = set()
        self.broken: dict[str, Callable[[], Exception]] = {}
        self.heard: list[str] = []
        self.go = threading.Event()
        self.began = threading.Event()
        self.away = False
        monkeypatch.setattr(receiving, "turn", self._turn)
        write = Database.write

        @contextmanager
        def maybe(database: Database) -> Iterator[Session]:
            if self.away:
                raise DatabaseAway("test")
            with write(database) as session:
                yield session

        monkeypatch.setattr(Database, "write", maybe)

    def _turn(self, session: Session, inbound: Inbound, here: Here) -> tuple[Reply | None, str | None]:
        if inbound.text in self.slow:
            self.began.set()
            assert self.go.wait(10), "the test forgot to let the slow turn go on"
        done = turn(session, inbound, here)
        self.heard.append(inbound.text)
        if inbound.text in self.broken:
            raise self.broken[inbound.text]()
        return done


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    made = Switch(monkeypatch)
    yield made
    made.go.set()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience as short as a test's."""
    monkeypatch.setattr(receiving, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(receiving, "URGENT_SECONDS", 0.8)


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as session:
        return list(session.exec(select(table).order_by(table.id if table is not Conversation else table.person_id)))


def inbox_of(database: Database, key: str) -> InboxMessage:
    with database.read() as session:
        return session.exec(select(InboxMessage).where(InboxMessage.key == key)).one()


def outgoing(database: Database) -> list[str]:
    """The texts that wait in the outbox, as they would be sent."""
    found = []
    for row in rows(database, OutboxMessage):
        assert row.params_sealed is not None
        found.append(database.vault.open_json("outbox.params_sealed", row.id, row.params_sealed)["text"])
    return found


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that a background task does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never became true"
        await asyncio.sleep(0.01)


# --- the good way ---


async def test_state_reply_and_row_are_written_in_one_transaction(receiver: Receiver, database: Database) -> None:
    received = await receiver.receive(message("报名", "1"))
    assert received.reply is not None
    assert "隐私说明" in received.reply.text
    row = inbox_of(database, "1")
    assert (row.id, row.door, row.state, row.handed_at) == (received.row, "passive", "done", None)
    assert len(rows(database, Person)) == len(rows(database, Door)) == len(rows(database, Conversation)) == 1
    assert rows(database, Conversation)[0].revision == 1


async def test_what_was_said_is_sealed_wherever_it_is_stored(receiver: Receiver, database: Database) -> None:
    await receiver.receive(message("这句话是秘密", "1"))
    for table in ("inbox", "conversation", "outbox", "person", "door"):
        with database.read() as session:
            for found in session.execute(text(f"SELECT * FROM {table}")):  # a fixed list of names
                assert "秘密".encode() not in repr(tuple(found)).encode() + b"".join(
                    bytes(part) for part in found if isinstance(part, bytes | memoryview)
                )


async def test_a_repeat_gets_the_same_reply_and_has_no_second_effect(receiver: Receiver, database: Database) -> None:
    first = await receiver.receive(message("报名", "1"))
    again = await receiver.receive(message("报名", "1"))
    assert again == first
    assert len(rows(database, InboxMessage)) == 1
    assert rows(database, Conversation)[0].revision == 1


async def test_a_repeat_of_another_account_or_platform_is_another_message(
    receiver: Receiver, database: Database
) -> None:
    for platform, account in (("wechat", "test"), ("wechat", "other"), ("telegram", "test")):
        await receiver.receive(Inbound(platform, account, "7", "1", "text", START, text="你好"))
    assert len(rows(database, InboxMessage)) == 3
    assert len(rows(database, Person)) == 3


async def test_a_repeat_while_the_first_is_at_work_waits_and_gets_the_same_reply(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    switch.slow.add("报名")
    tasks = [asyncio.create_task(receiver.receive(message("报名", "1"))) for _number in range(3)]
    await until(switch.began.is_set)
    assert not any(task.done() for task in tasks)
    switch.go.set()
    first, second, third = await asyncio.gather(*tasks)
    assert first == second == third
    assert first.reply is not None
    assert switch.heard == ["报名"]
    assert rows(database, Conversation)[0].revision == 1


async def test_a_repeat_at_another_copy_while_the_first_is_at_work_has_no_second_effect(
    receiver: Receiver, database: Database, switch: Switch, vault: Vault, tmp_path: Path
) -> None:
    other = Receiver(database, Spool(tmp_path / "other", vault), place)
    switch.slow.add("报名")
    first = asyncio.create_task(receiver.receive(message("报名", "1")))
    await until(switch.began.is_set)
    second = asyncio.create_task(other.receive(message("报名", "1")))
    await asyncio.sleep(0.05)
    switch.go.set()
    assert await first == await second
    assert switch.heard == ["报名"]
    await other.stop(5)


async def test_one_person_is_heard_in_order_and_others_side_by_side(receiver: Receiver, switch: Switch) -> None:
    switch.slow.add("一")
    mine = []
    for number, words in enumerate(("一", "二", "三", "四")):
        mine.append(asyncio.create_task(receiver.receive(message(words, str(number)))))
        await asyncio.sleep(0)
    await until(switch.began.is_set)
    assert switch.heard == []
    switch.go.set()
    await asyncio.gather(*mine)
    assert switch.heard == ["一", "二", "三", "四"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_a_slow_person_does_not_hold_others_up(receiver: Receiver, database: Database, switch: Switch) -> None:
    switch.slow.add("慢")
    slow = asyncio.create_task(receiver.receive(message("慢", "1", "slow")))
    await until(switch.began.is_set)
    quick = await asyncio.wait_for(receiver.receive(message("你好", "2", "quick")), 3)
    assert quick.reply is not None
    assert not slow.done()
    switch.go.set()
    assert (await slow).reply is not None


async def test_two_copies_that_meet_a_new_person_at_once_make_one_person(
    receiver: Receiver, database: Database, vault: Vault, tmp_path: Path
) -> None:
    other = Receiver(database, Spool(tmp_path / "other", vault), place)
    work = []
    for number in range(6):
        work.append((receiver, other)[number % 2].receive(message("你好", str(number))))
    answers = await asyncio.gather(*work)
    assert all(answer.reply is not None for answer in answers)
    assert len(rows(database, Person)) == len(rows(database, Door)) == 1
    assert {row.state for row in rows(database, InboxMessage)} == {"done"}
    await other.stop(5)


# --- poison ---


async def test_a_failing_turn_rolls_back_only_itself_and_gets_an_apology(
    receiver: Receiver, database: Database, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    await receiver.receive(message("报名", "1"))
    switch.broken["坏"] = lambda: RuntimeError("a bug")
    received = await receiver.receive(message("坏", "2"))
    assert received.reply is not None
    assert received.reply.text.startswith("抱歉，刚才这句我没有处理好")
    row = inbox_of(database, "2")
    assert (row.state, row.failures, row.door) == ("aside", 1, "passive")
    assert row.payload_sealed is not None, "its words wait for somebody to look"
    assert rows(database, Conversation)[0].revision == 1, "the talk stands where it stood"
    assert await receiver.receive(message("坏", "2")) == received
    assert switch.heard == ["报名", "坏"]
    after = await receiver.receive(message("同意", "3"))
    assert after.reply is not None
    assert "姓名" in after.reply.text


async def test_the_first_message_of_a_new_person_may_fail_too(receiver: Receiver, switch: Switch) -> None:
    switch.broken["坏"] = lambda: ValueError("a bug")
    received = await receiver.receive(message("坏", "1"))
    assert received.reply is not None
    again = await receiver.receive(message("你好", "2"))
    assert again.reply is not None


async def test_an_apology_goes_by_the_outbox_where_there_is_no_answer_to_put_it_in(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    await receiver.receive(message("你好", "1"), passive=False)
    switch.broken["坏"] = lambda: RuntimeError("a bug")
    received = await receiver.receive(message("坏", "2"), passive=False)
    assert received.reply is None
    assert outgoing(database)[-1].startswith("抱歉")
    assert inbox_of(database, "2").door == "outbox"


async def test_somebody_who_leaves_gets_no_apology(receiver: Receiver, database: Database, switch: Switch) -> None:
    switch.broken[""] = lambda: RuntimeError("a bug")
    assert (await receiver.receive(message("", "1", kind="unfollow"))).reply is None
    assert inbox_of(database, "1").door == "none"


# --- late ---


async def test_a_turn_over_the_deadline_is_spooled_and_its_reply_leaves_by_the_outbox_once(
    receiver: Receiver, database: Database, switch: Switch, soon: None, tmp_path: Path
) -> None:
    switch.slow.add("报名")
    began = time.monotonic()
    received = await receiver.receive(message("报名", "1"))
    assert (received.reply, received.row) == (None, "")
    assert time.monotonic() - began < 4
    assert len(list((tmp_path / "spool").glob("*.update"))) == 1
    repeats = [asyncio.create_task(receiver.receive(message("报名", "1"))) for _number in range(2)]
    await asyncio.sleep(0.05)
    switch.go.set()
    for repeat in repeats:
        assert (await repeat).reply is None, "what leaves by the outbox must not leave in an answer as well"
    await until(lambda: not list((tmp_path / "spool").glob("*.update")))
    assert [words[:4] for words in outgoing(database)] == ["报名大约"]
    assert inbox_of(database, "1").door == "outbox"
    assert (await receiver.receive(message("报名", "1"))).reply is None
    await receiver.replay()
    assert len(outgoing(database)) == 1
    assert switch.heard == ["报名"]


async def test_a_repeat_that_waited_past_the_first_ones_deadline_gets_no_second_reply(
    receiver: Receiver, database: Database, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "ANSWER_SECONDS", 0.4)
    switch.slow.add("报名")
    first = asyncio.create_task(receiver.receive(message("报名", "1")))
    await asyncio.sleep(0.25)
    repeat = asyncio.create_task(receiver.receive(message("报名", "1")))
    assert (await first).reply is None
    switch.go.set()
    assert (await repeat).reply is None
    await until(lambda: len(outgoing(database)) == 1)


async def test_messages_behind_a_late_one_stay_behind_it(
    receiver: Receiver, database: Database, switch: Switch, soon: None
) -> None:
    switch.slow.add("一")
    late = [asyncio.create_task(receiver.receive(message("一", "1")))]
    await until(switch.began.is_set)
    for number, words in enumerate(("二", "三"), 2):
        late.append(asyncio.create_task(receiver.receive(message(words, str(number)))))
        await asyncio.sleep(0.01)
    assert [(await one).reply for one in late] == [None, None, None]
    switch.go.set()
    while receiver._spool.waiting:
        await receiver.replay()
        await asyncio.sleep(0.01)
    assert switch.heard == ["一", "二", "三"]
    assert len(outgoing(database)) == 3


async def test_an_apology_that_comes_too_late_leaves_by_the_outbox(
    receiver: Receiver, database: Database, switch: Switch, soon: None
) -> None:
    await receiver.receive(message("你好", "0"))
    switch.slow.add("坏")
    switch.broken["坏"] = lambda: RuntimeError("a bug")
    assert (await receiver.receive(message("坏", "1"))).reply is None
    switch.go.set()
    await until(lambda: len(outgoing(database)) == 1)
    assert outgoing(database)[0].startswith("抱歉")


# --- the database away ---


async def test_while_the_database_is_away_updates_are_spooled_and_replayed_in_order(
    receiver: Receiver, database: Database, switch: Switch
) -> None:
    switch.away = True
    began = time.monotonic()
    for number, words in enumerate(("一", "二", "三")):
        assert (await receiver.receive(message(words, str(number)))).reply is None
    assert (await receiver.receive(message("二", "1"))).reply is None, "a repeat"
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
    database: Database, vault: Vault, tmp_path: Path, wire: Cut
) -> None:
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
    await until(receiver._replaying.locked)
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
    enter = receiving.inbox.enter

    def poisoned(session: Session, platform: str, account: str, key: str, *rest: Any) -> str | None:
        if key == "1":
            raise ValueError("no database takes this")
        return enter(session, platform, account, key, *rest)

    monkeypatch.setattr(receiving.inbox, "enter", poisoned)
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
    assert time.monotonic() - began < 1
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


# --- what was not handed over ---


async def test_a_reply_that_was_never_handed_over_is_swept_to_the_outbox_once_and_marked(
    receiver: Receiver, database: Database, clock: StoppedClock
) -> None:
    handed = await receiver.receive(message("你好", "1"))
    await receiver.receive(message("报名", "2"))
    receiver.handed(handed.row)
    await receiver._flush_handed()
    clock.pass_time(timedelta(seconds=29))
    receiver._sweep()
    assert outgoing(database) == []
    clock.pass_time(timedelta(seconds=2))
    receiver._sweep()
    receiver._sweep()
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


# --- leaving ---


async def test_unfollowing_takes_the_words_away_at_once_and_the_keys_stay(
    receiver: Receiver, database: Database
) -> None:
    await receiver.receive(message("这句是秘密", "1"))
    await receiver.receive(message("报名", "2"), passive=False)
    assert (await receiver.receive(message("", "3", kind="unfollow"))).reply is None
    for row in rows(database, InboxMessage):
        assert (row.payload_sealed, row.reply_sealed, row.door) == (None, None, "none")
    assert rows(database, Conversation) == rows(database, Door) == []
    (waiting,) = rows(database, OutboxMessage)
    assert (waiting.state, waiting.params_sealed) == ("withdrawn", None)
    assert (await receiver.receive(message("这句是秘密", "1"))).reply is None
    assert rows(database, Door) == [], "a late repeat opens no door"


async def test_a_stop_lets_turns_under_way_finish(
    database: Database, vault: Vault, tmp_path: Path, switch: Switch
) -> None:
    receiver = Receiver(database, Spool(tmp_path / "spool", vault), place)
    switch.slow.add("报名")
    task = asyncio.create_task(receiver.receive(message("报名", "1")))
    await until(switch.began.is_set)
    stop = asyncio.create_task(receiver.stop(5))
    await asyncio.sleep(0.02)
    switch.go.set()
    await asyncio.wait_for(stop, 3)
    assert (await task).reply is not None
    assert inbox_of(database, "1").state == "done"
