"""Relays of institutions are told of, listed and ended as those of people are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from handlers import notices
from handlers.here import Here
from models import agreement, institution_pairing, relaying, relaying_lists
from models.database import Database, vault_of
from models.outbox import OutboxMessage
from models.person import Person
from models.relay import Relay
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TERMS, YUEXIU, World

HOUSE = "阳光家园"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def heard(world: World, person: str, kind: str) -> str:
    """The words of a message that waits for somebody; empty where there are none."""
    with world.database.write() as session:
        session.info["here"] = Here("telegram", "test", sensitive_in_chat=False, public_url="")
        query = select(OutboxMessage).where(OutboxMessage.person_id == person, OutboxMessage.kind == kind)
        row = session.exec(query).first()
        if row is None:
            return ""
        params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed or b"")
        said = notices.words(session, session.get_one(Person, person), kind, params, again=False)
        return said.text if said else ""


def agreed(world: World, leader: str, boss: str, house: str) -> str:
    stint = world.do(institution_pairing.agree, house, world.team(leader), TERMS, boss)
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    return stint.id


def test_a_term_with_an_institution_that_ends_is_told_and_listed(world: World, clock: StoppedClock) -> None:
    leader, boss, far = world.volunteer(), world.specialist(), world.specialist(YUEXIU)
    stint = agreed(world, leader, boss, world.institution())
    clock.at = datetime(2027, 10, 1, 2, 0, tzinfo=UTC)
    assert world.run(jobs.begin_relays) == 1
    assert HOUSE in heard(world, leader, "notice.relay_begun")
    told = heard(world, boss, "notice.relay")
    assert HOUSE in told and "这个机构的结对就结束" in told
    with world.database.read() as session:
        listed = [[each.stint.id for each in relaying_lists.of_region(session, one)[0]] for one in (boss, far)]
        relay = session.exec(select(Relay.id)).one()
    assert listed == [[stint], []]
    new = world.do(relaying.renew, relay, leader)
    assert (new.state, world.stint(stint).ended_why) == ("open", "term")
    assert HOUSE in heard(world, boss, "notice.renewed")


def test_the_last_day_with_an_institution_is_told(world: World, clock: StoppedClock) -> None:
    leader = world.volunteer()
    agreed(world, leader, world.specialist(), world.institution())
    clock.at = datetime(2027, 10, 1, 2, 0, tzinfo=UTC)
    world.run(jobs.begin_relays)
    clock.at = datetime(2027, 11, 24, 2, 0, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1
    assert HOUSE in heard(world, leader, "notice.thanks")


def test_the_county_hears_that_nobody_serves_an_institution_any_more(world: World, clock: StoppedClock) -> None:
    leader, boss, far = world.volunteer(), world.specialist(), world.specialist(YUEXIU)
    house = world.institution()
    stint = agreed(world, leader, boss, house)
    world.do(relaying.begin, stint, "stopped", datetime(2026, 12, 1, tzinfo=UTC).date(), leader)
    clock.at = datetime(2026, 12, 3, 2, 0, tzinfo=UTC)
    assert [world.run(jobs.end_last_days) for _time in range(2)] == [1, 0]
    told = heard(world, boss, "notice.institution_left")
    assert HOUSE in told and "没有团队" in told
    assert world.told(far) == []
    agreed(world, world.volunteer(), boss, house)
    assert heard(world, boss, "notice.institution_left") == "", "one follows"


def test_a_successor_for_an_institution_is_named_to_who_hands_over(world: World) -> None:
    first, second, boss, house = world.volunteer(), world.volunteer(), world.specialist(), world.institution()
    stint = agreed(world, first, boss, house)
    world.do(relaying.begin, stint, "organisation", datetime(2026, 12, 31, tzinfo=UTC).date(), boss)
    agreed(world, second, boss, house)
    assert HOUSE in heard(world, first, "notice.hand_over")


def test_whoever_leads_the_team_hears_that_the_pairing_with_an_institution_was_ended(world: World) -> None:
    leader, boss, house = world.volunteer(), world.specialist(), world.institution()
    agreed(world, leader, boss, house)
    world.do(institution_pairing.end, house, boss)
    assert HOUSE in heard(world, leader, "notice.thanks")
    world.do(institution_pairing.agree, house, world.team(leader), TERMS, boss)
    world.do(institution_pairing.end, house, boss)
    assert HOUSE in heard(world, leader, "notice.called_off")
