"""What goes wrong right after a call: the database is away, midnight passes, the process stops, the next chat rests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot import deliver, sending_screens
from bot.platforms.base import Outcome
from bot.platforms.wechat_outcomes import of_errcode
from bot.sending_books import Books, chat_pause
from handlers import late
from models import claiming, lease
from models.channel import Channel
from models.database import DatabaseAway
from models.ledger import next_day
from models.outbox import REMINDER, REPLY, release_held
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, Office
from tests.office import office as office
from tests.test_deliver_channels import again, put, row
from tests.test_deliver_channels import laddered as laddered


async def test_the_options_on_the_screen_are_remembered_though_the_database_was_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_screens, "AWAY_SECONDS", 0.01)
    seen: list[str] = []

    def saw(_session: Any, person: str, _options: Any, _door: str, *, sure: bool) -> None:
        if not seen:
            seen.append("away")
            raise DatabaseAway("for a moment")
        seen.append(person)
        assert not sure, "something else may have been asked meanwhile"

    monkeypatch.setattr(late, "saw", saw)
    person = office.person()
    office.put(person)
    view = office.deliverer._view
    original = Books._end

    def end(self: Books, session: Any, ended: Any, *rest: Any) -> None:
        original(self, session, ended, *rest)
        rest[-1].arrived += [one.call for one in ended]  # as for a notice with options

    monkeypatch.setattr(Books, "_end", end)
    await office.work()
    assert seen == ["away", person] and office.state() == "sent"
    assert person not in view().busy


async def test_a_day_is_used_up_on_which_the_call_was_made_however_late_it_is_written_down(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.wechat.channels = (Channel("custom", windowed=True, daily=5),)
    office.deliverer = office.worker("one")
    first, second = office.person(), office.person("other")
    clock.at = next_day(clock.at) - timedelta(seconds=65)  # 23:59:55 in Beijing
    put(office, first)
    office.wechat.outcomes = [of_errcode(45009)]
    office.wechat.before = lambda: clock.pass_time(timedelta(minutes=5))
    await again(office, clock, timedelta(0))
    office.wechat.before = lambda: None
    put(office, second, "二")
    await again(office, clock)
    assert row(office, "二")[0] == "sent"
    with office.database.write() as session:
        claiming.sweep(session)
    await again(office, clock)
    assert row(office)[0] == "sent"


@pytest.mark.parametrize("code", ["45028", "43101", "45015"])
async def test_a_channel_that_is_called_closed_for_a_person_is_left_alone_until_they_write(
    office: Office, clock: StoppedClock, code: str
) -> None:
    office.wechat.channels = (Channel("custom", windowed=True),)
    office.deliverer = office.worker("one")
    office.wechat.outcomes = [Outcome("closed", code)] * 20
    office.put(office.person(), priority=REMINDER)
    for _look in range(10):
        await again(office, clock, timedelta(seconds=1))
    assert len(office.wechat.sent) == 1 and office.state() == "held"


async def test_a_message_that_goes_on_to_the_next_door_heeds_its_pause(office: Office, clock: StoppedClock) -> None:
    person = office.person("alin")
    door = office.older_door(person)
    with office.database.write() as session:
        lease.pause(session, chat_pause(door), 60)
    office.wechat.channels = (Channel("custom", windowed=True),)
    office.deliverer = office.worker("one")
    office.wechat.outcomes = [Outcome("closed", "45015")]
    office.put(person)
    for _time in range(5):
        await again(office, clock)
    assert len(office.wechat.sent) == 1 and office.telegram.sent == [], "for fifty seconds"
    for _time in range(3):
        await again(office, clock)
    assert len(office.telegram.sent) == 1 and office.state() == "sent"


async def stopped_while_recording(
    office: Office, monkeypatch: pytest.MonkeyPatch, before: Callable[[], None], after: Callable[[], None]
) -> None:
    """The process is stopped while it writes down the first outcome, which takes longer than a stop leaves it; `before`
    and `after` happen in the recorder's thread around that transaction's work."""
    monkeypatch.setattr(deliver, "LAST_SECONDS", 0.1)
    monkeypatch.setattr(deliver, "STOP_SECONDS", 0.1)
    hung, stopping, original = asyncio.Event(), asyncio.Event(), Books.record
    loop = asyncio.get_running_loop()

    def record(self: Books, *rest: Any) -> Any:
        if hung.is_set():
            return original(self, *rest)
        loop.call_soon_threadsafe(hung.set)
        before()
        booked = original(self, *rest)
        after()
        return booked

    monkeypatch.setattr(Books, "record", record)
    running = asyncio.create_task(office.deliverer.run(stopping))
    await asyncio.wait_for(hung.wait(), 5)
    stopping.set()
    await asyncio.wait_for(running, 5)


async def test_a_stop_while_an_outcome_is_written_in_vain_writes_it_down_afterwards(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        time.sleep(0.5)
        raise DatabaseAway("the disk was slow")

    office.put(office.person())
    await stopped_while_recording(office, monkeypatch, fails, lambda: None)
    assert (len(office.wechat.sent), office.state()) == (1, "sent")


async def test_nothing_is_called_instead_when_all_is_over(office: Office, clock: StoppedClock) -> None:
    person = office.person("alin")
    office.older_door(person)
    office.put(person, priority=REPLY)
    office.wechat.outcomes = [Outcome("left", "45065")]
    sender = office.deliverer
    await sender._renew()
    await sender._claim()
    await asyncio.wait_for(sender._came.wait(), 5)
    sender._closing = True
    await sender._record_rest()
    assert office.telegram.sent == [] and office.state() == "waiting", "for whoever comes next"


async def test_a_transaction_that_was_cut_off_and_succeeds_leaves_no_call_that_nobody_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins a call by the next door, and is committed when nobody waits for it any more."""
    person = office.person("alin")
    office.older_door(person)
    office.wechat.outcomes = [Outcome("left", "45065")]
    office.put(person)
    await stopped_while_recording(office, monkeypatch, lambda: None, lambda: time.sleep(0.5))
    assert office.telegram.sent == [] and office.state() == "waiting"
    assert [attempt.outcome for attempt in office.attempts() if not attempt.ended_at] == []
    assert {attempt.outcome for attempt in office.attempts()} == {"left", "late"}


async def test_what_was_held_leaves_by_the_door_through_which_its_person_wrote(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person("alin", TELEGRAM)
    office.put(person)
    with office.database.write() as session:
        session.execute(text("UPDATE outbox SET state = 'held', why = 'left', line = 'wechat:gone'"))
        release_held(session, person)
    assert [(each.state, each.line) for each in office.rows().values()] == [("waiting", "telegram:test")]
