"""Leaves: counted in the days of whoever is away, and asked for of institutions as well."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from handlers import notices
from handlers.here import Here
from models import agreement, institution_pairing, leave, relaying, relaying_lists
from models.database import Database, vault_of
from models.outbox import OutboxMessage
from models.person import Person
from models.stints import StintError
from tests.conftest import StoppedClock
from tests.pairing_world import TERMS, YUEXIU, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def house(world: World) -> tuple[str, str, str]:
    """A team's leader, a specialist, and the stint of the team with an institution."""
    leader, boss = world.volunteer(), world.specialist()
    stint = world.do(institution_pairing.agree, world.institution(), world.team(leader), TERMS, boss)
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    return leader, boss, stint.id


def said(world: World, person: str, kind: str) -> str:
    with world.database.write() as session:
        session.info["here"] = Here("wechat", "test", sensitive_in_chat=True, public_url="")
        query = select(OutboxMessage).where(OutboxMessage.person_id == person, OutboxMessage.kind == kind)
        row = session.exec(query).one()
        params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed or b"")
        reply = notices.words(session, session.get_one(Person, person), kind, params, again=False)
        return "\n".join([reply.text, *(option.label for option in reply.options)]) if reply else ""


def test_a_local_day_decides_whether_a_leave_lasts(world: World, clock: StoppedClock) -> None:
    """In New York it is still the day before: the leave that ends then lasts, and may be asked for."""
    person, boss = world.volunteer(zone="America/New_York"), world.specialist()
    stint = world.paired(world.beneficiary(), person, boss)
    clock.at = datetime(2026, 12, 2, 2, 0, tzinfo=UTC)
    world.do(leave.ask, stint, date(2026, 12, 1), person)
    with world.database.read() as session:
        assert leave.leave_of(session, stint) is not None
    clock.pass_time(timedelta(hours=4))
    with world.database.read() as session:
        assert leave.leave_of(session, stint) is None


def test_what_is_over_where_they_live_is_over(world: World, clock: StoppedClock) -> None:
    """In Auckland it is the next day already."""
    person, boss = world.volunteer(zone="Pacific/Auckland"), world.specialist()
    stint = world.paired(world.beneficiary(), person, boss)
    clock.at = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
    world.do(leave.ask, stint, date(2026, 12, 1), person)
    clock.at = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
    with world.database.read() as session:
        assert leave.leave_of(session, stint) is None
    with pytest.raises(StintError, match="day"):
        world.do(leave.ask, stint, date(2026, 12, 1), person)


def test_a_team_of_an_institution_is_on_its_leaders_list(world: World, house: tuple[str, str, str]) -> None:
    leader, _boss, stint = house
    with world.database.read() as session:
        assert [one.id for one in relaying_lists.mine(session, leader)] == [stint]


def test_a_leave_from_an_institution_is_told_listed_and_settled(world: World, house: tuple[str, str, str]) -> None:
    leader, boss, stint = house
    far = world.specialist(YUEXIU)
    assert world.do(leave.ask, stint, world.database.clock.now().date() + timedelta(days=14), leader) == 1
    told = said(world, boss, "notice.leave")
    assert "阳光家园" in told and "已经安排好" in told and "安排替补" not in told

    def away(session: Session) -> list[list[str]]:
        return [[each.stint.id for each in relaying_lists.of_region(session, one)[1]] for one in (boss, far)]

    assert world.do(away) == [[stint], []]
    assert world.do(leave.settle, stint, boss)
    assert world.do(away) == [[], []]


def test_a_team_hands_an_institution_over_and_goes_on_after_all(world: World, house: tuple[str, str, str]) -> None:
    leader, boss, stint = house
    relay = world.do(relaying.begin, stint, "stopped", world.database.clock.now().date() + timedelta(days=30), leader)
    with world.database.read() as session:
        assert [each.relay.id for each in relaying_lists.begun_of(session, leader)] == [relay.id]
    world.do(relaying.cancel, relay.id, leader)
    assert "阳光家园" in said(world, boss, "notice.relay_cancelled")
