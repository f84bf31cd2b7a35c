"""A machine whose clock ran ahead for a while and is put right again: nothing that was written down meanwhile keeps an
account, a chat, a message or a reply waiting until the clock has caught up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import select, update

from bot.hearing import SWEEP_AFTER, Hearing
from bot.platforms.base import Outcome
from models import claiming, lease, outbox
from models.database import Database
from models.inbox import InboxMessage
from models.lease import Lease
from models.outbox import EMERGENCY, REMINDER, OutboxMessage
from scheduler import jobs
from tests.conftest import START, StoppedClock
from tests.incoming import message, place
from tests.office import WECHAT, Office
from tests.office import office as office

AHEAD = [timedelta(hours=1), timedelta(days=8)]
MINUTE = timedelta(minutes=1)


async def again(office: Office, clock: StoppedClock, by: timedelta) -> None:
    clock.pass_time(by)
    office.deliverer._renew_at = 0
    await office.work()


def pause_of(office: Office, name: str) -> datetime | None:
    with office.database.read() as session:
        return session.get_one(Lease, name).paused_until


@pytest.mark.parametrize("ahead", AHEAD)
async def test_an_account_pauses_no_longer_than_the_platform_asked(
    office: Office, clock: StoppedClock, ahead: timedelta
) -> None:
    person = office.person()
    clock.pass_time(ahead)
    office.wechat.outcomes = [Outcome("retry", "http429", retry_after=5, whole_account=True)]
    office.put(person, due_at=START)
    await office.work()
    clock.pass_time(-ahead)
    office.put(person, "紧急", priority=EMERGENCY, unique_key="e")
    await again(office, clock, MINUTE)
    await again(office, clock, MINUTE)
    assert office.state("e") == office.state() == "sent"
    assert pause_of(office, "send:wechat:test") is None, "or it would be believed once the clock has caught up"


@pytest.mark.parametrize("ahead", AHEAD)
async def test_a_chat_pauses_no_longer_than_the_platform_asked(
    office: Office, clock: StoppedClock, ahead: timedelta
) -> None:
    person = office.person()
    clock.pass_time(ahead)
    office.wechat.outcomes = [Outcome("retry", "http429", retry_after=5)]
    office.put(person, "一", due_at=START)
    await office.work()
    office.put(person, "二", due_at=START, priority=REMINDER)
    await again(office, clock, timedelta(0))  # meets the pause
    assert office.rows()["二"].why == "chat paused"
    clock.pass_time(-ahead)
    office.deliverer._leases._heard.clear()  # as after ten seconds
    await again(office, clock, MINUTE)
    assert office.state("一") == office.state("二") == "sent"
    with office.database.read() as session:
        assert lease.pauses(session) == {}


@pytest.mark.parametrize("ahead", AHEAD)
async def test_what_was_put_back_is_tried_again(office: Office, clock: StoppedClock, ahead: timedelta) -> None:
    person = office.person()
    clock.pass_time(ahead)
    office.wechat.outcomes = [Outcome("retry", "connect")]
    office.put(person, due_at=START)
    await office.work()
    assert office.state() == "waiting"
    clock.pass_time(-ahead)
    await again(office, clock, MINUTE)
    assert office.state() == "sent"


async def test_a_clock_that_is_steered_by_a_few_seconds_ends_no_pause(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    office.wechat.outcomes = [Outcome("retry", "http429", retry_after=600, whole_account=True)]
    office.put(person, due_at=START - MINUTE)
    await office.work()
    await again(office, clock, -timedelta(seconds=5))
    await again(office, clock, 9 * MINUTE)
    assert len(office.wechat.sent) == 1 and office.state() == "waiting"
    await again(office, clock, 2 * MINUTE)
    assert office.state() == "sent"


async def test_a_pause_that_another_version_wrote_is_believed_for_a_day(office: Office, clock: StoppedClock) -> None:
    with office.database.write() as session:
        for name, hours in (("send:wechat:test", 24), ("send:telegram:test", 26)):
            lease.pause(session, name, hours * 3600)
        session.execute(update(Lease).values(paused_at=None))
    with office.database.read() as session:
        assert set(lease.pauses(session)) == {"send:wechat:test"}


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_reply_that_nobody_got_is_swept(database: Database, clock: StoppedClock, ahead: timedelta) -> None:
    hearing = Hearing(database, place, lambda _inbound: True, lambda _key: False)
    clock.pass_time(ahead)
    first, second = hearing.alone(message("菜单", "k1"), True), hearing.alone(message("帮助", "k2"), True)
    assert first.row and second.row
    hearing.alone(message("帮助", "k2"), True)  # a repeat, which claims the reply
    clock.pass_time(-ahead)
    hearing.sweep()
    with database.read() as session:
        assert len(session.exec(select(OutboxMessage)).all()) == 2
        assert {row.door for row in session.exec(select(InboxMessage))} == {"outbox"}


def test_a_reply_that_has_just_been_made_is_not_swept(database: Database, clock: StoppedClock) -> None:
    hearing = Hearing(database, place, lambda _inbound: True, lambda _key: False)
    assert hearing.alone(message("菜单", "k1"), True).row
    for by in (-timedelta(seconds=5), SWEEP_AFTER):  # the clock is steered, or another machine's is a little behind
        clock.pass_time(by)
        hearing.sweep()
    with database.read() as session:
        assert session.exec(select(OutboxMessage)).all() == []


async def test_a_swept_claim_waits_for_nothing_after_the_clock_was_set_back(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    clock.pass_time(timedelta(hours=1))
    office.put(person, due_at=START)
    with office.database.write() as session:
        (row,) = claiming.due(session, "wechat:test", {1: 1}, {})
        assert claiming.take(session, "dead", [row])
    clock.pass_time(MINUTE)
    with office.database.write() as session:
        assert claiming.sweep(session) == 1
    clock.pass_time(-timedelta(hours=1))
    await again(office, clock, timedelta(0))
    assert office.state() == "sent"
    assert WECHAT in office.deliverer.leases


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("priority", [EMERGENCY, REMINDER])
async def test_what_was_put_in_while_the_clock_was_ahead_leaves_now(
    office: Office, clock: StoppedClock, ahead: timedelta, priority: int
) -> None:
    person = office.person()
    clock.pass_time(ahead)
    office.put(person, "now", priority=priority)
    office.put(person, "some day", priority=priority, due_at=START + timedelta(days=20))
    clock.pass_time(-ahead)
    await again(office, clock, MINUTE)
    assert (office.state("now"), office.state("some day")) == ("waiting", "waiting")
    assert [jobs.mend_due_times(office.database) for _time in range(2)] == [1, 0]
    await again(office, clock, MINUTE)
    assert (office.state("now"), office.state("some day")) == ("sent", "waiting")


async def test_what_rested_by_a_wrong_clock_is_looked_at_anew(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    office.put(person, priority=REMINDER)
    with office.database.write() as session:
        session.execute(update(OutboxMessage).values(due_at=clock.at + timedelta(days=8), why=outbox.RESTS))
    assert jobs.mend_due_times(office.database) == 1
    await again(office, clock, MINUTE)
    assert office.state() == "sent"
