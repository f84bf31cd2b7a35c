"""Turns at the same moment: the job on several machines, answers that meet, plans that meet."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from models import turn_acts
from models.database import Database
from models.turn import STANDING, Turn, TurnPlan
from models.turn_acts import TurnError
from tests.conftest import StoppedClock
from tests.pairing_world import World
from tests.test_pairing_race import Rule, at_once
from tests.test_turns import Team


@pytest.fixture
def team(database: Database) -> Team:
    return Team(World(database))


def standing(team: Team) -> list[str]:
    with team.world.database.read() as session:
        return list(session.exec(select(Turn.person_id).where(col(Turn.state).in_(STANDING))))


def says(act: object, turn: str, person: str) -> Rule:
    def say(session: Session) -> object:
        try:
            act(session, turn, person)  # type: ignore[operator]
        except TurnError as error:
            return error.reason
        return "done"

    return say


def test_the_job_on_many_machines_asks_the_next_one_once(team: Team, clock: StoppedClock) -> None:
    plan = team.plan(*team.members)
    clock.at += timedelta(hours=49)
    asked = at_once(team.world.database, [lambda session: turn_acts.move_on(session, [plan])] * 6)
    assert Counter(asked) == {1: 1, 0: 5}
    assert standing(team) == [team.members[1]]
    assert len(team.told("notice.turn")) == 1


def test_of_two_who_say_yes_one_goes_and_the_other_knows(team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    first = team.asked().id
    team.world.do(turn_acts.swap, first, one)
    second = team.asked().id
    came = at_once(team.world.database, [says(turn_acts.accept, first, one), says(turn_acts.accept, second, two)] * 2)
    assert set(map(str, came)) <= {"done", "taken"} and len(standing(team)) == 1
    assert team.going().accepted


def test_a_swap_pressed_twice_asks_one_more_and_not_two(team: Team) -> None:
    team.plan(*team.members)
    first = team.asked().id
    came = at_once(team.world.database, [says(turn_acts.swap, first, team.members[0])] * 4)
    assert came == ["done"] * 4
    assert standing(team) == [team.members[1]]


def test_two_plans_at_once_leave_one(team: Team) -> None:
    def plan(person: str) -> Rule:
        return lambda session: turn_acts.plan(session, team.stint, [person], "month", team.leader).id

    at_once(team.world.database, [plan(one) for one in team.members] * 2)
    with team.world.database.read() as session:
        [row] = session.exec(select(TurnPlan).where(col(TurnPlan.ended_at).is_(None))).all()
        asked = session.exec(select(Turn.person_id).where(Turn.plan_id == row.id, col(Turn.state).in_(STANDING))).all()
    assert list(asked) == [team.goes()]
    assert team.told("notice.turn") == [team.goes()], "those of the other plans are not sent"
