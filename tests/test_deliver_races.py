"""Between the look at what may be sent and the claim of it: others, the person and the connection act meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from bot import sending_choice
from bot.deliver import Deliverer
from bot.last_moment import steady
from bot.platforms.base import Outcome
from bot.sending_choice import Picks
from bot.sending_leases import MISSES
from bot.sending_line import Limits
from handlers import cards, notices
from handlers.here import Here
from handlers.message import Reply
from models.channel import Channel, ChannelGrant, allow
from models.database import DatabaseAway
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, OutboxMessage, enqueue, release_held
from models.person import Door, Person, open_door
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office, Player
from tests.office import office as office


async def looked(office: Office, sender: Deliverer) -> Picks:
    """What a worker saw, and has not claimed yet."""
    await sender._renew()
    with office.database.read() as session:
        return sender._chooser.pick(session, sender._view(), steady())


async def claim(office: Office, sender: Deliverer, picks: Picks) -> None:
    """It goes on from there."""
    with office.database.write() as session:
        booked = sender._books.claim(session, picks, steady())
    sender._follow(booked)
    while any(line.held for line in sender._lines.values()):
        sender._wake.clear()
        if not sender._ended:
            await sender._wake.wait()
        await sender._record()


async def test_what_another_worker_has_put_back_meanwhile_is_neither_sent_early_nor_unmarked(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person())
    stands_still = office.deliverer
    seen = await looked(office, stands_still)
    clock.pass_time(timedelta(seconds=20))
    office.wechat.outcomes = [Outcome("uncertain", "reset")]
    await office.worker("two").once()
    assert (office.state(), len(office.wechat.sent)) == ("waiting", 1)
    clock.pass_time(timedelta(seconds=11))
    await stands_still._renew()
    await claim(office, stands_still, seen)
    assert len(office.wechat.sent) == 1, "it is looked at anew"
    await office.work()
    assert [text.startswith("（补发") for text in office.wechat.texts] == [False, True]


async def test_a_row_is_not_held_behind_its_person_who_has_just_come(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    with office.database.write() as session:
        session.execute(update(Door).values(blocked_at=clock.at))
    seen = await looked(office, office.deliverer)
    assert [row.unique_key for row in seen.homeless] == ["你好"]
    with office.database.write() as session:
        _door, person = open_door(session, *WECHAT, "alin", "zh_CN", zone="Asia/Shanghai")
        assert release_held(session, person.id) == 0, "nothing is held yet"
    await claim(office, office.deliverer, seen)
    clock.pass_time(timedelta(seconds=10))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.state() == "sent"


async def test_a_claim_whose_commit_was_not_confirmed_costs_no_permission(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(_session: Any, _person: Person, params: dict[str, Any]) -> Reply:
        return Reply(params["text"])

    monkeypatch.setitem(notices.NOTICES, "notice.test", words)
    monkeypatch.setitem(cards.OF_KIND, "notice.test", "message")
    office.wechat.channels = (
        Channel("custom", windowed=True),
        Channel("subscription", cards={"message": "S"}, granted=True),
    )
    sender = office.deliverer = office.worker("one")
    person = office.person()
    with office.database.write() as session:
        allow(session, session.exec(select(Door)).one().id, "subscription", "S")
    clock.pass_time(timedelta(hours=49))
    with office.database.write() as session:
        enqueue(session, person, "notice.test", {"text": "你好"}, unique_key="你好")
    picks = await looked(office, sender)
    with office.database.write() as session:
        assert len(sender._books.claim(session, picks, steady()).calls) == 1
    sender._broken = True  # the commit stands, and nobody knows
    await office.work()
    assert [(attempt.outcome, attempt.channel) for attempt in office.attempts()] == [
        ("late", "subscription"),
        ("sent", "subscription"),
    ]
    with office.database.read() as session:
        assert [grant.why for grant in session.exec(select(ChannelGrant))] == ["used"]


@pytest.mark.parametrize("priority", [EMERGENCY, REPLY, CAMPAIGN])
async def test_however_much_waits_for_one_chat_others_are_called(
    office: Office, priority: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_choice, "LONGEST_SECONDS", 0.0)  # on a machine that gets through one page a look
    limits = {WECHAT: Limits(30.0, 30, 5.0)}
    sender = office.worker("one", limits)
    with office.database.write() as session:
        at = office.database.clock.now() - timedelta(minutes=5)
        many, few = office.person("many"), office.person("few")
        for number in range(300):
            enqueue(
                session,
                many,
                "reply",
                Reply("x").as_json(),
                unique_key=f"x{number}",
                priority=priority,
                due_at=at + timedelta(microseconds=number),
            )
    office.put(few, "few", priority=priority)
    stopping = asyncio.Event()
    sending = asyncio.create_task(sender.run(stopping))
    async with asyncio.timeout(10):
        while "few" not in office.wechat.texts:  # noqa: ASYNC110 what is waited for has no event of its own
            await asyncio.sleep(0.02)
    stopping.set()
    await sending
    assert office.wechat.texts.count("x") <= 3, "its chat rests five seconds after each"


async def test_an_account_goes_on_when_its_pause_could_not_be_written_down(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put(office.person(), priority=REMINDER)
    office.wechat.outcomes = [Outcome("retry", "http429", retry_after=1, whole_account=True)]
    record, times = office.deliverer._books.record, []

    def breaks_twice(*what: Any) -> Any:
        times.append(1)
        if len(times) <= 2:
            raise ValueError("a fault of ours")
        return record(*what)

    monkeypatch.setattr(office.deliverer._books, "record", breaks_twice)
    await office.work()
    clock.pass_time(timedelta(minutes=10))
    office.deliverer._renew_at = 0
    office.put(office.person("cries"), "help", priority=EMERGENCY)
    await office.work()
    assert office.wechat.texts[-1] == "help"


async def test_what_of_one_person_cannot_be_worked_out_stops_nobody_else(office: Office, clock: StoppedClock) -> None:
    bad, good = office.person("bad"), office.person("good")
    with office.database.write() as session:
        session.execute(update(Person).where(col(Person.id) == bad).values(zone="Nowhere/Land"))
    office.put(bad, "r", priority=REMINDER)
    office.put(good, "e", priority=REMINDER)
    await office.work()
    assert (office.state("r"), office.state("e")) == ("waiting", "sent")
    for _look in range(3):
        clock.pass_time(timedelta(minutes=5))
        office.deliverer._renew_at = 0
        await office.work()
    assert (office.state("r"), office.rows()["r"].why) == ("held", "no words"), "somebody is to call"
    with office.database.write() as session:
        session.execute(update(Person).where(col(Person.id) == bad).values(zone="Asia/Shanghai"))
    await office.deliverer._begin()
    await office.work()
    assert office.state("r") == "sent", "the next version found the words"


async def test_what_holds_no_words_is_held_after_ten_minutes(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    with office.database.write() as session:
        session.execute(update(OutboxMessage).values(params_sealed=b"broken"))
    for _look in range(4):
        await office.work()
        clock.pass_time(timedelta(minutes=5))
        office.deliverer._renew_at = 0
    assert (office.state(), office.rows()["你好"].why) == ("held", "no words")


async def test_a_third_refusal_holds_nothing_back_from_a_person_who_wrote_meanwhile(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person())
    office.wechat.outcomes = [Outcome("retry", "-1", retry_after=5) for _time in range(3)]

    def writes() -> None:
        if len(office.wechat.sent) == 2:  # the third call is under way
            with office.database.write() as session:
                open_door(session, *WECHAT, "alin", "zh_CN", zone="Asia/Shanghai")

    office.wechat.before = writes
    for _time in range(5):
        await office.work()
        clock.pass_time(timedelta(minutes=6))
        office.deliverer._renew_at = 0
    assert office.state() == "sent"


async def test_a_call_that_was_begun_in_a_commit_without_answer_leaves_no_trace_of_doubt(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person("alin", TELEGRAM))
    office.telegram.outcomes = [Outcome("left", "403")]
    record, times = office.deliverer._books_of, []

    def lost(*what: Any) -> Any:
        done = record(*what)
        times.append(1)
        if len(times) == 1:
            raise DatabaseAway("the answer was lost")
        return done

    office.deliverer._books_of = lost  # type: ignore[method-assign]
    for _time in range(3):
        with suppress(DatabaseAway):
            await office.work()
        clock.pass_time(timedelta(seconds=20))
        office.deliverer._renew_at = 0
    assert office.state() == "sent"
    assert [attempt.outcome for attempt in office.attempts()] == ["left", "late", "sent"]


async def test_who_reaches_no_platform_leaves_the_account_to_others(office: Office, clock: StoppedClock) -> None:
    cut = Player()
    cut.outcomes = [Outcome("retry", "connect") for _time in range(100)]
    platforms: Any = {WECHAT: cut}
    cut_off = Deliverer(office.database, platforms, lambda platform, account: Here(platform, account), "cut off")
    other = office.worker("other")
    office.put(office.person(), priority=EMERGENCY)
    for _time in range(MISSES + 1):
        for sender in (cut_off, other):
            sender._renew_at = 0
            await sender.once()
        clock.pass_time(timedelta(seconds=6))
    assert (office.state(), len(cut.sent), len(office.wechat.sent)) == ("sent", MISSES, 1)


async def test_a_connection_that_breaks_behind_the_request_is_no_reason_to_leave_the_account(
    office: Office, clock: StoppedClock
) -> None:
    for number in range(3 * MISSES):
        office.put(office.person(f"p{number}"), f"n{number}", priority=CAMPAIGN)
    office.wechat.outcomes = [Outcome("uncertain", "connection-lost") for _time in range(3 * MISSES)]
    await office.work()
    assert len(office.wechat.sent) == 3 * MISSES
    assert WECHAT in office.deliverer.leases
