"""Reminders that meet quiet hours or a pause, and what becomes of them when the person changes those."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import select

from bot.last_moment import steady
from handlers.preferences import Pause, Span, _set_pause, _set_quiet
from models import calls, outbox
from models.outbox import REMINDER
from models.person import Person
from tests.conftest import START, StoppedClock
from tests.office import Office
from tests.office import office as office

EVENING = START.replace(hour=12, minute=30)  # 20:30 in Asia/Shanghai


async def go_on(office: Office, clock: StoppedClock, by: timedelta) -> None:
    clock.pass_time(by)
    office.deliverer._renew_at = 0
    await office.work()
    with office.database.write() as session:
        outbox.expire(session)


def pause(office: Office, person: str, days: int | None) -> None:
    with office.database.write() as session:
        until = (office.database.clock.now() + timedelta(days=days)).date() if days is not None else None
        _set_pause(session, session.get_one(Person, person), Pause(until))


async def test_who_ends_a_pause_early_gets_the_reminders_that_rested(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    pause(office, person, 90)
    office.put(person, "提醒", priority=REMINDER)
    await office.work()
    assert office.state("提醒") == "waiting" and office.wechat.sent == []
    pause(office, person, None)
    await go_on(office, clock, timedelta(minutes=1))
    assert office.state("提醒") == "sent"


async def test_who_shortens_a_pause_gets_them_at_its_new_end(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    pause(office, person, 90)
    office.put(person, "提醒", priority=REMINDER)
    await office.work()
    pause(office, person, 1)
    await go_on(office, clock, timedelta(minutes=1))
    assert office.state("提醒") == "waiting"
    await go_on(office, clock, timedelta(days=2))
    assert office.state("提醒") == "sent"


async def test_who_turns_quiet_hours_off_gets_what_rested_and_nothing_that_is_not_due(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    clock.at = START.replace(hour=14)  # 22:00
    office.put(person, "提醒", priority=REMINDER)
    office.put(person, "下周", priority=REMINDER, due_at=clock.at + timedelta(days=7))
    await office.work()
    assert office.state("提醒") == "waiting"
    with office.database.write() as session:
        _set_quiet(session, session.get_one(Person, person), Span(clock.at.time(), clock.at.time()))
    await go_on(office, clock, timedelta(minutes=1))
    assert (office.state("提醒"), office.state("下周")) == ("sent", "waiting")


async def test_a_pause_that_ends_while_it_is_written_down_keeps_nothing_back(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    pause(office, person, 90)
    office.put(person, "提醒", priority=REMINDER)
    await office.deliverer._renew()
    with office.database.read() as session:
        picks = office.deliverer._chooser.pick(session, office.deliverer._view(), steady())
    assert picks.rest
    pause(office, person, None)
    with office.database.write() as session:
        office.deliverer._books.claim(session, picks, steady())
    await go_on(office, clock, timedelta(minutes=1))
    assert office.state("提醒") == "sent"


async def test_what_quiet_hours_make_too_old_stands_on_the_call_list_until_its_person_comes(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    clock.at = EVENING
    due, expires = EVENING + timedelta(hours=1), EVENING + timedelta(hours=5)
    office.put(person, "提醒", priority=REMINDER, due_at=due, expires_at=expires)
    for _half_hour in range(12):
        await go_on(office, clock, timedelta(minutes=30))
    with office.database.read() as session:
        (each,) = calls.to_call(session)
        assert (each.person_id, each.why) == (person, outbox.PAST_REST)
    with office.database.write() as session:
        outbox.release_held(session, person)
    await go_on(office, clock, timedelta(minutes=1))
    assert office.state("提醒") == "expired" and office.wechat.sent == []


async def test_what_a_pause_makes_too_old_is_what_its_person_wished(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    pause(office, person, 30)
    office.put(person, "提醒", priority=REMINDER, expires_at=clock.at + timedelta(days=2))
    await office.work()
    with office.database.read() as session:
        assert calls.to_call(session) == []
        assert session.exec(select(outbox.OutboxMessage.state)).one() == "waiting"
    await go_on(office, clock, timedelta(days=3))
    assert office.state("提醒") == "expired"
