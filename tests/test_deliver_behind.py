"""Many replies that wait for an earlier one to the same person keep nobody else from theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text, update
from sqlmodel import col

from bot.last_moment import steady
from bot.sending_choice import FOLLOWS_SECONDS, Chooser, View
from bot.sending_line import Room
from bot.ways import Ways
from models.outbox import OutboxMessage
from tests.conftest import StoppedClock
from tests.office import WECHAT, Office
from tests.office import office as office

MANY = 300
VIEW = View(rooms={WECHAT: Room(11, 1, 1)}, mine={WECHAT}, others=(), busy=(), busy_doors=(), resting={}, paused={})


def put_two_for_each(office: Office, people: int) -> None:
    with office.at_once():
        for number in range(people):
            person = office.person(f"n{number}")
            office.put(person, f"a{number}")
            office.put(person, f"b{number}")


def first_tries_that_wait(office: Office, clock: StoppedClock) -> None:
    """So many people have a reply that is tried again in half a minute, and one behind it."""
    put_two_for_each(office, MANY)
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


async def test_a_ready_second_try_is_not_locked_out_by_the_reply_behind_it(office: Office, clock: StoppedClock) -> None:
    put_two_for_each(office, 100)
    clock.pass_time(timedelta(seconds=2))
    with office.database.write() as session:
        put_back = "UPDATE outbox SET resends = 1, not_before = :now, put_back_at = :now WHERE unique_key LIKE 'a%'"
        session.execute(text(put_back), {"now": clock.machine()})
    chooser, now, order = Chooser(Ways({WECHAT: office.wechat.channels})), steady(), list[str]()
    view = replace(VIEW, rooms={WECHAT: Room(25, 15, 15)})
    for _look in range(40):
        with office.database.read() as session:
            taken = [pick.row for pick in chooser.pick(session, view, now).take]
        order += [row.unique_key for row in taken]
        with office.database.write() as session:
            session.execute(
                update(OutboxMessage).where(col(OutboxMessage.id).in_([row.id for row in taken])).values(state="sent")
            )
        now += 0.1
    assert len(order) == 200
    assert all(order.index(f"a{number}") < order.index(f"b{number}") for number in range(100))


async def test_what_was_marked_without_a_call_keeps_its_place_before_newer_ones(office: Office) -> None:
    """After a restore, or a passive reply that was swept: hundreds are marked, and none of them was put back."""
    with office.at_once():
        people = [office.person(f"n{number}") for number in range(60)]
        for number, person in enumerate(people):
            office.put(person, f"a{number}")
    with office.database.write() as session:
        session.execute(text("UPDATE outbox SET resends = 1"))
    with office.at_once():
        for number, person in enumerate(people):
            office.put(person, f"b{number}")
    await office.work()
    order = [words.removeprefix("（补发，如已收到请忽略）\n") for words in office.wechat.texts]
    assert len(order) == 120 and all(order.index(f"a{n}") < order.index(f"b{n}") for n in range(60))
