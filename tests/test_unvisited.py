"""未探访: whom one sees, nudges once a day, calls noted, taking all in hand; above a county counts alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from models import unvisited, visit_days
from models.database import Database
from models.outbox import OutboxMessage
from models.unvisited import MISSED, MOST_AT_ONCE, REACHED, Wanted
from models.visit import Visit, VisitNote
from models.visiting import VisitError, hold
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World
from tests.test_duty_list import owed

OVERDUE, SOON, LATER = date(2026, 11, 1), date(2026, 12, 1), date(2026, 12, 31)


@pytest.fixture
def world(database: Database, clock: StoppedClock) -> World:
    clock.at = datetime(2026, 11, 23, 2, tzinfo=UTC)
    return World(database)


def paired(world: World, by: str, person: str, team: str | None = None) -> str:
    served = world.beneficiary()
    return world.paired(served, person, by, team)


def reminders(world: World, person: str) -> list[str]:
    with world.database.read() as session:
        query = select(OutboxMessage.unique_key).where(OutboxMessage.person_id == person)
        return [key.split(":")[2] for key in session.exec(query.where(OutboxMessage.kind == "notice.visit"))]


def test_what_is_owed_is_listed_by_due_day_and_narrowed(world: World) -> None:
    near, person = world.specialist(), world.volunteer()
    team = world.team(person)
    stint = paired(world, near, person, team)
    with world.database.write() as session:
        for row in session.exec(select(Visit)).all():
            session.delete(row)
    first, second, third = owed(world, OVERDUE), owed(world, SOON, stint=stint), owed(world, LATER)
    owed(world, OVERDUE, YUEXIU)
    owed(world, LATER + timedelta(days=200))  # which may not be made yet
    with world.database.read() as session:
        assert unvisited.keys(session, near, Wanted()) == [first, second, third]
        assert unvisited.keys(session, near, Wanted("overdue")) == [first]
        assert unvisited.keys(session, near, Wanted("soon")) == [second]
        assert unvisited.keys(session, near, Wanted(team=team)) == [second]
        assert unvisited.keys(session, near, Wanted(town="五山街道")) == []
        count = unvisited.counts(session, near)
        assert (count.overdue, count.soon, count.owed, count.free, count.oldest) == (1, 1, 3, 1, OVERDUE)
        assert unvisited.by_team(session, near) == {team: 1, "": 2}
        assert unvisited.by_town(session, near) == {"": 3}
        assert unvisited.keys(session, person, Wanted()) == []


def test_a_teams_specialist_sees_the_visits_of_the_team_alone(world: World) -> None:
    near, person = world.specialist(), world.volunteer()
    team = world.team(person)
    with world.database.read() as session:
        from models.team import Team

        number = session.get_one(Team, team).number
    own = world.specialist(number, kind="team")
    visit = owed(world, OVERDUE, stint=paired(world, near, person, team))
    owed(world, OVERDUE)
    with world.database.read() as session:
        assert unvisited.keys(session, own, Wanted("overdue")) == [visit]


def test_a_nudge_goes_out_once_a_day_whoever_presses(world: World, clock: StoppedClock) -> None:
    near, other, person = world.specialist(), world.specialist(role="organiser"), world.volunteer()
    visit = owed(world, OVERDUE, stint=paired(world, near, person))
    world.do(unvisited.nudge, visit, near)
    for by in (near, other):
        with pytest.raises(VisitError, match="today"):
            world.do(unvisited.nudge, visit, by)
    assert reminders(world, person) == ["again-2026-11-23n"]
    clock.pass_time(timedelta(days=1))
    world.do(unvisited.nudge, visit, other)
    assert reminders(world, person) == ["again-2026-11-23n", "again-2026-11-24n"]
    with world.database.read() as session:
        line = unvisited.one_of(session, near, visit)
        assert line is not None
        assert (line.nudged_at, line.people) == (clock.at, (person,))


def test_where_nobody_is_paired_nobody_is_nudged_and_strangers_do_nothing(world: World) -> None:
    near, stranger = world.specialist(), world.specialist(YUEXIU)
    visit = owed(world, OVERDUE)
    with pytest.raises(VisitError, match="nobody"):
        world.do(unvisited.nudge, visit, near)
    for act in (unvisited.nudge, hold):
        with pytest.raises(VisitError, match="scope"):
            world.do(act, *((visit, stranger) if act is unvisited.nudge else (stranger, visit)))
    with pytest.raises(VisitError, match="scope"):
        world.do(unvisited.called, visit, stranger, REACHED)
    with world.database.read() as session:
        assert unvisited.one_of(session, stranger, visit) is None
        assert unvisited.calls_of(session, visit, stranger) == []
        assert session.exec(select(VisitNote)).all() == []


def test_a_call_is_noted_sealed_and_closes_nothing(world: World) -> None:
    near = world.specialist()
    visit = owed(world, OVERDUE, next_on=date(2026, 11, 24))
    world.do(unvisited.called, visit, near, REACHED, "答应周末去")
    world.do(unvisited.called, visit, near, MISSED)
    with world.database.read() as session:
        found = unvisited.calls_of(session, visit, near)
        assert sorted(found, key=lambda call: call[2]) == [
            (found[0][0], MISSED, ""),
            (found[0][0], REACHED, "答应周末去"),
        ]
        notes = session.exec(select(VisitNote)).all()
        assert all("答应" not in str(note.said_sealed) for note in notes)
        row = session.get_one(Visit, visit)
        assert (row.state, row.next_on, row.held_until) == ("owed", date(2026, 11, 24), None)


def test_all_that_is_overdue_is_taken_in_hand_at_once_and_only_once(world: World) -> None:
    near = world.specialist()
    visits = [owed(world, OVERDUE, steps=5, next_on=date(2026, 11, 24)) for _time in range(3)]
    later = owed(world, SOON)
    done = world.do(unvisited.hold_all, near)
    assert (done.done, done.already, done.left) == (3, 0, 0)
    with world.database.read() as session:
        until = visit_days.day_in_china(datetime(2026, 11, 30, 2, tzinfo=UTC))
        rows = [session.get_one(Visit, one) for one in visits]
        assert {(row.held_until, row.held_by, row.next_on) for row in rows} == {(until, near, until)}
        assert session.get_one(Visit, later).held_until is None
        assert unvisited.counts(session, near).free == 0
    again = world.do(unvisited.hold_all, near)
    assert (again.done, again.already) == (0, 3)


def test_everybody_is_nudged_at_once_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    near, people = world.specialist(), world.volunteers(3)
    for person in people:
        owed(world, OVERDUE, stint=paired(world, near, person))
    owed(world, OVERDUE)
    assert MOST_AT_ONCE >= 100
    monkeypatch.setattr(unvisited, "MOST_AT_ONCE", 2)
    first, second, third = (world.do(unvisited.nudge_all, near) for _time in range(3))
    assert first.left == 2
    assert first.done + second.done + third.done == 3
    assert third.already + third.done == 3
    assert third.not_possible == 1, "nobody is paired"
    assert [reminders(world, person) for person in people] == [["again-2026-11-23n"]] * 3


def test_what_climbed_to_a_city_is_a_count(world: World) -> None:
    near, city, province = (
        world.specialist(),
        world.specialist("4401", "organiser"),
        world.specialist("44", "organiser"),
    )
    owed(world, OVERDUE, steps=9)
    owed(world, OVERDUE, steps=8)
    with world.database.read() as session:
        assert unvisited.climbed(session, near) == {}
        assert unvisited.climbed(session, city) == {TIANHE: 2}, "the county has no organiser: its rung is the city's"
        assert unvisited.climbed(session, province) == {TIANHE: 1}
        assert unvisited.overdue_above(session, province) == {TIANHE: 2}
        assert unvisited.keys(session, city, Wanted()) == []
