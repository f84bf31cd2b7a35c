"""A message in: one transaction, one reply, in order, however slow or broken a turn is."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from bot import receive as receiving
from bot.receive import Receiver
from bot.spool import Spool
from handlers.message import Inbound
from models.conversation import Conversation
from models.database import Database
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.person import Door, Person
from models.vault import Vault
from tests.conftest import START
from tests.incoming import Switch, inbox_of, message, outgoing, place, rows, until
from tests.incoming import receiver as receiver
from tests.incoming import soon as soon
from tests.incoming import switch as switch

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
