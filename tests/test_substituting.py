"""Somebody stands in for a few weeks; the lead stays whose it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from models import agreement, relaying, stints, substituting
from models.database import Database
from models.offering import OfferError
from models.pairing import Stint
from models.stints import StintError
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import CHILD, YUEXIU, World, unbroken

LAST = date(2026, 12, 6)
H = timedelta(hours=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


class Three:
    """Somebody, who serves them, who may stand in, and who answers for the county."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.served, self.person, self.other = world.beneficiary(), world.volunteer(), world.volunteer()
        self.boss = world.specialist()
        self.stint = world.paired(self.served, self.person, self.boss)

    def ask(self) -> str:
        return self.world.do(substituting.ask, self.stint, self.other, LAST, self.boss).id

    def stands_in(self) -> str:
        return self.world.do(substituting.answer, self.ask(), self.other, yes=True).id


@pytest.fixture
def three(world: World) -> Three:
    return Three(world)


def refused(world: World, rule: object, *told: object, **more: object) -> str:
    with pytest.raises((StintError, OfferError)) as error:
        world.do(rule, *told, **more)  # type: ignore[arg-type]
    return error.value.reason


def test_whoever_stands_in_answers_today_and_the_lead_stays(three: Three, world: World, clock: StoppedClock) -> None:
    key = three.stands_in()
    assert (world.responsible(three.served).kind, world.responsible(three.served).people) == (
        "substitute",
        (three.other,),
    )
    assert "notice.stood_in_for" in world.told(three.person) and "notice.substitute" in world.told(three.boss)
    assert len(world.history(three.served)) == 1
    clock.at = datetime(2026, 12, 6, 15, 59, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 0
    clock.at = datetime(2026, 12, 6, 16, 1, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1
    assert world.stint(key).ended_why == "back"
    assert "notice.back" in world.told(three.person)
    assert world.responsible(three.served).people == (three.person,)


def test_when_somebody_has_died_a_substitute_hears_of_that_and_is_not_thanked_besides(
    three: Three, world: World
) -> None:
    three.stands_in()
    world.do(stints.served_left, three.served)
    assert world.told(three.other).count("notice.served_left") == 1
    assert "notice.thanks" not in world.told(three.other)


def test_only_whoever_answers_asks_and_for_days_that_can_be(three: Three, world: World) -> None:
    ask = substituting.ask
    assert refused(world, ask, three.stint, three.other, LAST, world.specialist(YUEXIU)) == "scope"
    assert refused(world, ask, three.stint, three.other, date(2026, 11, 21), three.boss) == "day"
    assert refused(world, ask, three.stint, three.other, date(2027, 6, 1), three.boss) == "day"
    assert refused(world, ask, three.stint, three.person, LAST, three.boss) == "paired"
    assert refused(world, ask, three.stint, world.volunteer(status="ended"), LAST, three.boss) == "volunteer"
    three.ask()
    assert refused(world, ask, three.stint, world.volunteer(), LAST, three.boss) == "paired"


def test_whoever_is_full_may_stand_in_but_not_without_the_clearance(world: World) -> None:
    child, boss = world.beneficiary(birth_date=CHILD), world.specialist()
    stint = world.paired(child, world.volunteer(), boss)
    full = world.volunteer()
    for _ in range(2):
        world.paired(world.beneficiary(), full, boss)
    key = world.do(substituting.ask, stint, full, LAST, boss).id
    world.do(substituting.answer, key, full, yes=False)
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == full)).one()
        row.cleared_until = date(2026, 11, 1)
        session.add(row)
    assert refused(world, substituting.ask, stint, full, LAST, boss) == "clearance"


def test_a_no_lets_somebody_else_be_asked(three: Three, world: World) -> None:
    key = three.ask()
    assert refused(world, substituting.answer, key, three.person, yes=True) == "scope"
    world.do(substituting.answer, key, three.other, yes=False)
    assert (world.stint(key).state, world.stint(key).ended_why) == ("ended", "taken_back")
    assert refused(world, substituting.answer, key, three.other, yes=True) == "gone"
    assert three.ask() != key


def test_who_does_not_answer_keeps_nobody_else_from_being_asked(
    three: Three, world: World, clock: StoppedClock
) -> None:
    key = three.ask()
    clock.pass_time(47 * H)
    assert world.run(jobs.end_last_days) == 0
    clock.pass_time(H)
    assert world.run(jobs.end_last_days) == 1
    assert world.run(jobs.end_last_days) == 0
    assert world.stint(key).ended_why == "taken_back"
    assert "notice.stand_in" not in world.told(three.other)
    assert "notice.substitute" in world.told(three.boss)
    assert "notice.back" not in world.told(three.person), "nobody had stood in"


def test_a_yes_after_the_last_day_or_by_who_may_not_serve_counts_nothing(
    three: Three, world: World, clock: StoppedClock
) -> None:
    key = three.ask()
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == three.other)).one()
        row.status = "ended"
        session.add(row)
    assert refused(world, substituting.answer, key, three.other, yes=True) == "volunteer"
    clock.at = datetime(2026, 12, 7, 2, 0, tzinfo=UTC)
    assert refused(world, substituting.answer, key, three.other, yes=True) == "day"


def test_it_is_called_off_before_its_time(three: Three, world: World) -> None:
    key = three.stands_in()
    assert refused(world, substituting.call_off, key, world.volunteer()) == "scope"
    world.do(substituting.call_off, key, three.other)
    assert world.stint(key).ended_why == "back"
    assert refused(world, substituting.call_off, key, three.boss) == "gone"


def test_with_the_stint_its_substitute_ends(three: Three, world: World) -> None:
    key = three.stands_in()
    world.do(agreement.end, three.stint, "specialist", three.boss)
    assert world.stint(key).ended_why == "back"
    assert "notice.thanks" in world.told(three.other)
    assert unbroken(world.history(three.served))


def test_with_the_handing_over_the_substitute_ends(three: Three, world: World) -> None:
    key = three.stands_in()
    relay = world.do(relaying.begin, three.stint, "stopped", LAST, three.person)
    person = world.volunteer()
    stint = world.agreeing(three.served, person)
    world.do(agreement.accept, stint, person, world.write(stint, three.boss))
    world.do(relaying.give, relay.id, three.person)
    assert world.stint(key).state == "ended"
    assert world.responsible(three.served).people == (person,)


def test_a_substitute_who_serves_no_more_is_not_named(three: Three, world: World) -> None:
    key = three.stands_in()
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == three.other)).one()
        row.status = "ended"
        session.add(row)
    assert world.run(jobs.end_for_gone_volunteers) == 1
    assert world.stint(key).state == "ended"
    assert world.responsible(three.served).people == (three.person,)
    with world.database.read() as session:
        assert session.exec(select(Stint.state).where(Stint.id == three.stint)).one() == "open"
