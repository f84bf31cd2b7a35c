"""Who is told of an overdue visit, step by step; to the city climbs a count, and nobody is told twice a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlmodel import Session, select

from models import duty_leaves, unvisited, visit_days, visit_ladder
from models.database import Database
from models.outbox import OutboxMessage
from models.visit import Visit
from models.visit_ladder import CITY, LEADER, ORGANISER, SPECIALIST, VOLUNTEER, gather, told_at
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, World

OVERDUE = date(2027, 1, 20)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def visit_of(session: Session, served: str) -> Visit:
    return session.exec(select(Visit).where(Visit.beneficiary_id == served)).one()


def paired(world: World, by: str, person: str, team: str | None = None) -> str:
    served = world.beneficiary()
    world.paired(served, person, by, team)
    return served


def ladder(world: World, served: str) -> list[list[str]]:
    with world.database.read() as session:
        return [told_at(session, visit_of(session, served), step) for step in range(5)]


def test_from_the_volunteer_to_the_city(world: World) -> None:
    near, county = world.specialist(), world.specialist(role="organiser")
    city, province = world.specialist("4401", "organiser"), world.specialist("44", "organiser")
    person = world.volunteer()
    served = paired(world, near, person)
    assert ladder(world, served) == [[person], [near], [county], [county], [city]]
    assert province not in {one for rung in ladder(world, served) for one in rung}


def test_of_a_team_its_specialist_and_then_its_leaders_and_the_countys(world: World) -> None:
    near, leader, second = world.specialist(), world.volunteer(), world.volunteer()
    team = world.team(leader, second)
    served = paired(world, near, leader, team)
    with world.database.read() as session:
        from models.team import Team

        number = session.get_one(Team, team).number
    own = world.specialist(number, kind="team")
    found = ladder(world, served)
    assert (found[VOLUNTEER], found[SPECIALIST]) == ([leader], [own])
    assert set(found[LEADER]) == {second, near}
    assert found[ORGANISER] == [near], "without an organiser whoever else answers"


def test_where_nobody_stands_on_a_rung_it_is_the_next_one_and_never_nobody(world: World) -> None:
    city = world.specialist("4401", "organiser")
    served = paired(world, city, world.volunteer())
    assert ladder(world, served)[1:] == [[city]] * 4
    world.end_roles(city)
    far = world.specialist("44", "organiser")
    assert ladder(world, served)[1:] == [[far]] * 4


def test_a_volunteer_who_is_the_specialist_is_passed_over(world: World) -> None:
    person, county = world.volunteer(), world.specialist(role="organiser")
    world.give_role(person)
    served = paired(world, county, person)
    assert ladder(world, served)[:2] == [[person], [county]]


def test_a_deputy_hears_of_it_during_a_leave(world: World) -> None:
    near, deputy = world.specialist(), world.specialist("4401", "organiser")
    served = paired(world, near, world.volunteer())
    with world.database.write() as session:
        row = duty_leaves.ask(session, near, date(2026, 11, 22), date(2026, 11, 23), deputy, near)
        duty_leaves.take(session, row.id, deputy)
    assert ladder(world, served)[SPECIALIST] == [deputy]


def keys(world: World, person: str) -> list[str]:
    with world.database.read() as session:
        query = select(OutboxMessage.unique_key).where(OutboxMessage.person_id == person)
        return sorted(key for key in session.exec(query) if key.startswith(("todo", "climbed", "led")))


def test_what_climbs_on_one_day_is_one_message_and_to_a_city_one_a_week(world: World, clock: StoppedClock) -> None:
    near, city, leader = world.specialist(), world.specialist("4401", "organiser"), world.volunteer()
    with world.database.write() as session:
        for _time in range(2):
            gather(session, [(near, SPECIALIST), (near, LEADER), (city, CITY), (leader, LEADER)])
    clock.pass_time(timedelta(days=1))  # Monday
    with world.database.write() as session:
        gather(session, [(near, ORGANISER), (city, CITY)])
    clock.pass_time(timedelta(days=1))
    with world.database.write() as session:
        gather(session, [(city, CITY)])
    days = ("2026-11-22", "2026-11-23")
    assert keys(world, near) == [f"todo:{near}:{day}" for day in days]
    assert keys(world, city) == [f"climbed:{city}:{day}" for day in ("2026-11-16", "2026-11-23")]
    assert keys(world, leader) == [f"led:{leader}:2026-11-22"]


def test_a_whole_ladder_in_time_tells_everybody_once_a_step_and_a_city_sees_a_count(
    world: World, clock: StoppedClock
) -> None:
    near, county = world.specialist(), world.specialist(role="organiser")
    city = world.specialist("4401", "organiser")
    for _time in range(3):
        paired(world, near, world.volunteer())
    begun = clock.at
    while clock.at < begun + timedelta(days=75):
        jobs.remind_of_visits(world.database)
        clock.pass_time(timedelta(hours=20))
    with world.database.read() as session:
        assert unvisited.climbed(session, city) == {TIANHE: 3}
        assert unvisited.overdue_above(session, city) == {TIANHE: 3}
        assert unvisited.keys(session, city, unvisited.Wanted()) == [], "no single people above a county"
        assert unvisited.counts(session, county).overdue == 3
        steps = visit_days.overdue_step() + CITY + 1
        assert {row.steps for row in session.exec(select(Visit))} == {steps}
    assert (len(keys(world, near)), len(keys(world, county)), len(keys(world, city))) == (1, 2, 1)
    assert visit_ladder.CITY == 4
