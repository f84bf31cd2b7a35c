"""An account's calls of a day: what finds them used up waits for the next day, and nothing goes beyond them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.platforms.base import Outcome
from bot.platforms.wechat_outcomes import of_errcode
from models import claiming, lease, outbox
from models.calls import to_call
from models.database import Database
from models.ledger import next_day
from models.outbox import EMERGENCY, REMINDER, REPLY
from tests.chatting import Chat
from tests.conftest import START, StoppedClock
from tests.office import Office
from tests.office import office as office
from tests.test_deliver_channels import CHANNELS, LATER, again, put
from tests.test_deliver_channels import laddered as laddered

DAILY = CHANNELS[-1].daily


def states(office: Office) -> list[tuple[str, str]]:
    """Of all rows, in the order of their keys."""
    return [(row.state, row.why) for _key, row in sorted(office.rows().items())]


async def more_than_a_day_takes(office: Office, clock: StoppedClock, priority: int = REPLY, more: int = 2) -> list[str]:
    people = [office.person(f"n{number}") for number in range(DAILY + more)]
    clock.pass_time(LATER)
    for number, person in enumerate(people):
        put(office, person, f"k{number}", priority=priority, due_at=START)
    await again(office, clock)
    return people


async def tomorrow(office: Office, clock: StoppedClock) -> None:
    clock.at = next_day(clock.at)
    with office.database.write() as session:
        claiming.sweep(session)
    await again(office, clock)


async def test_what_is_put_in_together_goes_no_further_than_the_day(office: Office, clock: StoppedClock) -> None:
    await more_than_a_day_takes(office, clock)
    assert len(office.wechat.ways) == DAILY
    assert sorted(states(office)) == [("held", "card")] * DAILY + [("held", outbox.TOMORROW)] * 2


async def test_of_what_was_picked_together_the_most_urgent_goes(office: Office, clock: StoppedClock) -> None:
    people = [office.person(f"n{number}") for number in range(DAILY + 1)]
    clock.pass_time(LATER)
    for number, person in enumerate(people):
        put(office, person, f"k{number}", priority=EMERGENCY if number == DAILY else REPLY)
    await again(office, clock)
    assert states(office)[-1] == ("held", "card") and len(office.wechat.ways) == DAILY


async def test_what_met_a_used_up_day_goes_on_the_next_one(office: Office, clock: StoppedClock) -> None:
    await more_than_a_day_takes(office, clock)
    until = next_day(clock.at)
    clock.at = until - timedelta(minutes=2)
    with office.database.write() as session:
        claiming.sweep(session)
    await again(office, clock)
    assert len(office.wechat.ways) == DAILY, "not before"
    await tomorrow(office, clock)
    assert len(office.wechat.ways) == DAILY + 2
    assert states(office) == [("held", "card")] * (DAILY + 2)


async def test_the_platforms_word_that_the_day_is_used_up_counts_too(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    office.wechat.outcomes = [Outcome("closed", "45009")]
    put(office, person)
    await again(office, clock, LATER)
    assert states(office) == [("held", outbox.TOMORROW)]
    await tomorrow(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["template"] * 2
    assert states(office) == [("held", "card")]


async def test_whoever_writes_gets_it_at_once(office: Office, database: Database, clock: StoppedClock) -> None:
    await more_than_a_day_takes(office, clock, more=1)
    ((late, _row),) = [(key, row) for key, row in office.rows().items() if row.why == outbox.TOMORROW]
    Chat(database, f"n{late[1:]}").say("我来了")
    await again(office, clock)
    assert office.wechat.sent[-1] == (f"n{late[1:]}", late)


async def test_a_clock_that_was_set_back_keeps_nothing_until_a_day_that_is_far(
    office: Office, clock: StoppedClock
) -> None:
    clock.pass_time(timedelta(days=8))
    await more_than_a_day_takes(office, clock)
    clock.pass_time(-timedelta(days=7))
    with office.database.write() as session:
        claiming.sweep(session)
    await again(office, clock)
    assert len(office.wechat.ways) == DAILY + 2


@pytest.mark.parametrize(("priority", "listed"), [(REMINDER, 0), (EMERGENCY, 1)])
async def test_only_an_emergency_is_called_about_until_tomorrow(
    office: Office, clock: StoppedClock, priority: int, listed: int
) -> None:
    await more_than_a_day_takes(office, clock, priority, more=1)
    with office.database.read() as session:
        assert len(to_call(session)) == listed


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-22T02:00:00+00:00", "2026-11-22T16:01:00+00:00"),
        ("2026-11-22T15:59:59+00:00", "2026-11-22T16:01:00+00:00"),
        ("2026-11-22T16:00:00+00:00", "2026-11-22T16:01:00+00:00"),
        ("2026-12-31T16:01:00+00:00", "2027-01-01T16:01:00+00:00"),
    ],
)
def test_the_next_day_begins_at_midnight_in_beijing(at: str, until: str) -> None:
    assert next_day(datetime.fromisoformat(at)) == datetime.fromisoformat(until)


async def test_a_used_up_day_of_messages_leaves_the_other_ways_open(office: Office, clock: StoppedClock) -> None:
    first, second = office.person("a"), office.person("b")
    clock.pass_time(timedelta(hours=1))
    office.wechat.outcomes = [of_errcode(45009)]
    put(office, first, "一")
    await again(office, clock)
    put(office, second, "二", priority=EMERGENCY)
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["custom", "template", "template"]
    assert states(office) == [("held", outbox.TOMORROW)] * 2, "the words themselves go tomorrow"
    with office.database.read() as session:
        assert lease.pauses(session) == {}


async def test_what_has_no_other_way_goes_when_the_next_day_has_begun(office: Office, clock: StoppedClock) -> None:
    first, second = office.person("a"), office.person("b")
    office.wechat.outcomes = [of_errcode(45009)]
    office.put(first, "一")
    await again(office, clock)
    office.put(second, "二", priority=EMERGENCY)
    await again(office, clock)
    assert states(office) == [("held", outbox.TOMORROW)] * 2
    with office.database.read() as session:
        assert [each.person_id for each in to_call(session)] == [second]
    office.wechat.sent.clear()
    await tomorrow(office, clock)
    assert sorted(office.wechat.sent) == [("a", "一"), ("b", "二")]


@pytest.mark.parametrize("priority", [EMERGENCY, REPLY])
async def test_an_emergency_at_an_account_that_is_stopped_is_called_about_after_five_minutes(
    office: Office, clock: StoppedClock, priority: int
) -> None:
    stopped = Outcome("stopped", "40164", whole_account=True, ask_first=True)
    person = office.person()
    office.wechat.outcomes, office.wechat.still = [stopped], [stopped] * 99
    office.put(person, "急", priority=priority)
    await again(office, clock)
    listed = []
    for _minute in range(7):
        with office.database.read() as session:
            listed.append(len(to_call(session)))
        await again(office, clock, timedelta(minutes=1))
    assert listed == ([0] * 5 + [1] * 2 if priority == EMERGENCY else [0] * 7)
    assert states(office)[0][0] == "waiting"
