"""A message out: claimed once, sent in order and while it is true, never doubled silently, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bot.sending_books import Books
from handlers import notices
from handlers.message import Reply
from models import claiming, lease, outbox
from models.database import Database, DatabaseAway
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, enqueue
from models.person import Person
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office
from tests.office import office as office
from tests.outgoing import claim


async def test_a_message_is_written_down_before_the_call_and_completed_after_it(office: Office) -> None:
    office.put(office.person())
    seen: list[tuple[str, int]] = []
    office.wechat.before = lambda: seen.append((office.state(), len(office.attempts())))
    await office.work()
    assert seen == [("sending", 1)]
    row = office.rows()["你好"]
    assert (row.state, row.claimed_by, row.params_sealed) == ("sent", None, None)
    assert [(one.outcome, one.reference, one.ended_at is not None) for one in office.attempts()] == [
        ("sent", "77", True)
    ]
    assert office.wechat.sent == [("alin", "你好")]


async def test_a_unique_key_goes_out_once(office: Office) -> None:
    person = office.person()
    assert office.put(person, "甲", unique_key="k")
    assert not office.put(person, "乙", unique_key="k")
    await office.work()
    assert not office.put(person, "丙", unique_key="k")
    await office.work()
    assert office.wechat.texts == ["甲"]


async def test_the_most_urgent_goes_first_then_what_was_due_first(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    for text, priority, minutes in (
        ("活动", CAMPAIGN, -9),
        ("提醒", REMINDER, -5),
        ("后", REPLY, -1),
        ("先", REPLY, -2),
        ("急", EMERGENCY, 0),
        ("明天", EMERGENCY, 600),
    ):
        office.put(person, text, priority=priority, due_at=clock.now() + timedelta(minutes=minutes))
    await office.work()
    assert office.wechat.texts == ["急", "先", "后", "提醒", "活动"]
    clock.pass_time(timedelta(hours=10))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts[-1] == "明天"


async def test_one_call_is_in_flight_per_chat_and_others_go_on_beside_it(office: Office) -> None:
    one = office.person("one")
    for number in range(6):
        office.put(one, f"一{number}")
    await office.work()
    assert office.wechat.most_in_flight == 1
    assert office.wechat.texts == [f"一{number}" for number in range(6)], "a person reads in order"
    office.wechat.seconds = 0.3  # longer than it takes a busy machine to begin the next
    for number in range(6):
        office.put(office.person(f"p{number}"), f"二{number}")
    await office.work()
    assert office.wechat.most_in_flight > 1


async def test_a_lease_held_by_another_copy_keeps_this_one_from_sending(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    other = office.worker("two")
    await other.once()
    assert office.wechat.texts == ["你好"]
    office.put(office.person(), "再来")
    assert await office.deliverer.once() == 0
    assert office.wechat.texts == ["你好"]
    clock.pass_time(timedelta(seconds=lease.LEASE_SECONDS + 1))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts == ["你好", "再来"]


async def test_a_sender_that_stops_hands_its_accounts_over_at_once(office: Office) -> None:
    other, stopping = office.worker("two"), asyncio.Event()
    await other.once()
    assert set(other.leases) == {WECHAT, TELEGRAM}
    stopping.set()
    await asyncio.wait_for(other.run(stopping), 5)
    office.put(office.person())
    await office.work()
    assert office.wechat.texts == ["你好"]


def test_the_fencing_number_grows_with_every_change_of_holder(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        assert [lease.hold(session, "x", "a"), lease.hold(session, "x", "a"), lease.hold(session, "x", "b")] == [
            1,
            1,
            None,
        ]
        clock.pass_time(timedelta(seconds=11))
        assert lease.hold(session, "x", "b") == 2
        assert lease.holders(session) == {"x": "b"}
        lease.give_up(session, "b")
        assert lease.hold(session, "x", "a") == 3


async def test_two_senders_claim_nothing_twice(database: Database, office: Office) -> None:
    people = [office.person(f"p{number}") for number in range(40)]
    for number, person in enumerate(people):
        office.put(person, f"n{number}")

    def take_all(worker: str) -> list[str]:
        found: list[str] = []
        while True:
            with database.write() as session:
                rows = claim(session, worker, [WECHAT], 3)
            if not rows:
                return found
            found += [row.id for row in rows]

    first, second = await asyncio.gather(asyncio.to_thread(take_all, "a"), asyncio.to_thread(take_all, "b"))
    assert len(first) + len(second) == len({*first, *second}) == 40


async def test_what_is_too_old_is_not_sent(office: Office, clock: StoppedClock, database: Database) -> None:
    person = office.person()
    office.put(person, "旧", expires_at=clock.now() + timedelta(hours=1))
    office.put(person, "新", expires_at=clock.now() + timedelta(hours=3))
    clock.pass_time(timedelta(hours=2))
    await office.work()
    assert office.wechat.texts == ["新"]
    assert office.state("旧") == "expired"
    office.put(person, "放着", due_at=clock.now() + timedelta(days=2), expires_at=clock.now() + timedelta(days=1))
    clock.pass_time(timedelta(days=3))
    with database.write() as session:
        assert outbox.expire(session) == 1
    assert office.state("放着") == "expired"


async def test_what_is_no_longer_true_is_superseded_when_its_words_are_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(notices.NOTICES, "reply", lambda session, person, params: None)
    office.put(office.person())
    await office.work()
    assert office.wechat.sent == []
    assert office.state() == "superseded"
    assert office.attempts() == []


async def test_a_message_whose_words_cannot_be_made_waits_and_holds_nobody_up(
    office: Office, monkeypatch: pytest.MonkeyPatch, clock: StoppedClock
) -> None:
    def broken(session: Session, person: Person, params: dict[str, Any]) -> Reply:
        raise ValueError("a bug")

    person = office.person()
    with monkeypatch.context() as patch:
        patch.setitem(notices.NOTICES, "notice.broken", broken)
        with office.database.write() as session:
            enqueue(session, person, "notice.broken", {}, unique_key="坏", priority=EMERGENCY)
            enqueue(session, person, "notice.of.tomorrow", {}, unique_key="明天", priority=EMERGENCY)
        office.put(person)
        await office.work()
    assert office.wechat.texts == ["你好"]
    assert {key: row.state for key, row in office.rows().items()} == {
        "坏": "waiting",
        "明天": "waiting",
        "你好": "sent",
    }
    monkeypatch.setitem(notices.NOTICES, "notice.of.tomorrow", lambda session, person, params: Reply("来了"))
    clock.pass_time(timedelta(seconds=61))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts == ["你好", "来了"]
    assert office.rows()["坏"].resends == 0, "nothing was sent, so nothing is marked as sent again"


@pytest.mark.parametrize(
    ("priority", "states", "marked"),
    [(REPLY, "waiting", True), (REMINDER, "waiting", True), (CAMPAIGN, "uncertain", False)],
)
async def test_the_claim_of_a_dead_worker_is_swept_and_its_message_marked(
    office: Office, clock: StoppedClock, priority: int, states: str, marked: bool
) -> None:
    office.put(office.person(), priority=priority)
    with office.database.write() as session:
        assert len(claim(session, "dead", [WECHAT], 10)) == 1
        assert claiming.sweep(session) == 0, "its deadline has not passed"
    clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
    with office.database.write() as session:
        assert claiming.sweep(session) == 1
        assert claiming.sweep(session) == 0
    assert office.state() == states
    await office.work()
    assert office.wechat.texts == (["（补发，如已收到请忽略）\n你好"] if marked else [])


async def test_a_claim_that_ran_out_before_the_call_is_not_called(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put(office.person())
    monkeypatch.setattr(outbox, "CLAIM_SECONDS", 0.5)
    await office.deliverer.once()
    assert office.wechat.sent == []
    assert office.state() == "waiting"
    assert [one.outcome for one in office.attempts()] == ["late"]


async def test_a_worker_that_lost_its_claim_changes_nothing_any_more(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())

    def lose() -> None:
        clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
        with office.database.write() as session:
            claiming.sweep(session)
            claim(session, "two", [WECHAT], 10)

    office.wechat.before = lose
    await office.deliverer.once()
    row = office.rows()["你好"]
    assert (row.state, row.claimed_by) == ("sending", "two")


async def outage_in_the_middle_of_a_call(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is made; the database is away when its outcome is to be written."""
    end = Books._end

    def gone(self: Books, session: Session, ended: Any, *more: Any) -> None:
        if ended:
            raise DatabaseAway("test")
        end(self, session, ended, *more)

    office.put(office.person())
    with monkeypatch.context() as patch:
        patch.setattr(Books, "_end", gone)
        with pytest.raises(DatabaseAway):
            await office.deliverer.once()
    assert office.state() == "sending"
    assert office.wechat.texts == ["你好"]


@pytest.mark.parametrize("swept", [False, True])
async def test_what_was_sent_during_an_outage_is_written_down_after_it(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, swept: bool
) -> None:
    await outage_in_the_middle_of_a_call(office, monkeypatch)
    if swept:
        clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
        with office.database.write() as session:
            assert claiming.sweep(session) == 1
    await office.work()
    assert office.wechat.texts == ["你好"]
    assert office.state() == "sent"
    assert [one.outcome for one in office.attempts()] == ["sent"]


async def test_a_sender_that_dies_in_an_outage_leaves_one_marked_message_more(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outage_in_the_middle_of_a_call(office, monkeypatch)
    clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
    with office.database.write() as session:
        claiming.sweep(session)
    await office.work(office.worker("two"))
    assert office.wechat.texts == ["你好", "（补发，如已收到请忽略）\n你好"]


async def test_a_platform_that_raises_stops_nobody_else(office: Office) -> None:
    def explode() -> None:
        office.wechat.before = lambda: None
        raise RuntimeError("a bug in an adapter")

    office.wechat.before = explode
    office.put(office.person("one"), "一")
    office.put(office.person("two"), "二")
    await office.work()
    assert sorted(row.state for row in office.rows().values()) == ["sent", "waiting"]
    assert sorted(one.outcome for one in office.attempts()) == ["sent", "uncertain"]


async def test_withdrawn_messages_are_not_sent(office: Office, database: Database) -> None:
    person = office.person()
    office.put(person)
    with database.write() as session:
        assert outbox.withdraw(session, person, why="left") == 1
    await office.work()
    assert office.wechat.sent == []
    assert office.state() == "withdrawn"
