"""Many replies that wait for an earlier one to the same person keep nobody else from theirs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from bot.last_moment import steady
from bot.sending_choice import FOLLOWS_SECONDS, Chooser, View
from bot.sending_line import Room
from bot.ways import Ways
from tests.conftest import StoppedClock
from tests.office import WECHAT, Office
from tests.office import office as office

MANY = 300
VIEW = View(rooms={WECHAT: Room(11, 1, 1)}, mine={WECHAT}, others=(), busy=(), busy_doors=(), resting={}, paused={})


def first_tries_that_wait(office: Office, clock: StoppedClock) -> None:
    """So many people have a reply that is tried again in half a minute, and one behind it."""
    people = [office.person(f"n{number}") for number in range(MANY)]
    for number, person in enumerate(people):
        office.put(person, f"a{number}")
        office.put(person, f"b{number}")
    clock.pass_time(timedelta(seconds=2))
    with office.database.write() as session:
        later, now = clock.machine() + timedelta(seconds=30), clock.machine()
        session.execute(
            text("UPDATE outbox SET not_before = :later, put_back_at = :now WHERE unique_key LIKE 'a%'"),
            {"later": later, "now": now},
        )


def look(office: Office, chooser: Chooser, now: float) -> list[str]:
    with office.database.read() as session:
        return [pick.row.unique_key for pick in chooser.pick(session, VIEW, now).take]


async def test_who_stands_behind_them_is_reached_within_a_few_looks(office: Office, clock: StoppedClock) -> None:
    first_tries_that_wait(office, clock)
    office.put(office.person("last"), "末")
    clock.pass_time(timedelta(seconds=2))
    chooser, now = Chooser(Ways({WECHAT: office.wechat.channels})), steady()
    looks = 0
    while not (found := look(office, chooser, now)):
        looks += 1
        assert looks < 60, "each look begins from the first of them again"
    assert found == ["末"]


async def test_they_are_looked_at_again_after_a_second(office: Office, clock: StoppedClock) -> None:
    first_tries_that_wait(office, clock)
    chooser, now = Chooser(Ways({WECHAT: office.wechat.channels})), steady()
    for _look in range(60):
        assert look(office, chooser, now) == []
    clock.pass_time(timedelta(seconds=31))
    assert look(office, chooser, now + FOLLOWS_SECONDS + 0.1) == ["a0"]
