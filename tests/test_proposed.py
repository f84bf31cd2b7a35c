"""The proposals of a run, one by one: none is out of sight, however many are others' or were passed over."""

from __future__ import annotations

import pytest
from sqlmodel import Session

from models import proposed
from models.database import Database, now_of
from models.proposal import MatchingRun, Proposal
from tests.pairing_world import TIANHE, YUEXIU, World

MANY = 205


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def run_of(world: World, people: list[tuple[str, str]]) -> str:
    """A run with a proposal for each (somebody served, a volunteer), the dearest last."""
    with world.database.write() as session:
        now = now_of(session)
        run = MatchingRun(region="4401", made_by="machine", made_at=now, done_at=now, counts={})
        session.add(run)
        session.flush()
        for cost, (about, volunteer) in enumerate(people):
            told = {"cost": float(cost), "reasons": [], "made_at": now}
            session.add(Proposal(run_id=run.id, beneficiary_id=about, person_id=volunteer, **told))
        return run.id


def test_more_than_two_hundred_of_another_county_hide_none_of_ones_own(world: World) -> None:
    volunteer, boss = world.volunteer(), world.specialist()
    others = [world.beneficiary(YUEXIU, consent=False) for _time in range(MANY)]
    mine = world.beneficiary(TIANHE)
    run = run_of(world, [(one, volunteer) for one in (*others, mine)])

    def look(session: Session) -> tuple[str, int]:
        found = proposed.next_of_run(session, run, boss, ())
        assert found is not None
        return found.beneficiary_id, proposed.left_of_run(session, run, boss)

    assert world.do(look) == (mine, 1)


def test_who_passes_two_hundred_over_gets_to_the_end(world: World) -> None:
    volunteer, boss = world.volunteer(), world.specialist()
    mine = [world.beneficiary(consent=False) for _time in range(MANY)]
    run = run_of(world, [(one, volunteer) for one in mine])
    with world.database.read() as session:
        seen: list[str] = []
        while (found := proposed.next_of_run(session, run, boss, seen)) is not None:
            seen.append(found.id)
    assert len(set(seen)) == MANY


def test_whose_region_it_is_not_sees_none(world: World) -> None:
    volunteer, far = world.volunteer(), world.specialist(YUEXIU)
    run = run_of(world, [(world.beneficiary(), volunteer)])
    with world.database.read() as session:
        assert proposed.next_of_run(session, run, far, ()) is None
        assert proposed.left_of_run(session, run, far) == 0
        assert proposed.next_of_run(session, run, volunteer, ()) is None
