"""Institutions as those who answer for them see them: whose list they stand on, which teams are proposed, and that an
agreement which nobody accepts is told of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session

from models import agreement, institution_pairing, institution_seen, relaying, team_member
from models.database import Database
from models.institution import Institution
from models.institution_seen import Seen
from models.relay import ORGANISATION
from models.stints import today_of
from models.team import Team
from models.volunteer import volunteer_of
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TERMS, TIANHE, YUEXIU, World
from tests.test_institution_relays import heard


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def names(world: World, viewer: str) -> list[tuple[str, str]]:
    """The list of somebody: institution, and who has it or is asked."""
    with world.database.read() as session:
        return [
            (each.institution.id, each.team.name if each.team else each.next_team.name if each.next_team else "")
            for each in institution_seen.listed(session, viewer)
        ]


def one(world: World, viewer: str, house: str) -> Seen:
    with world.database.read() as session:
        found = institution_seen.one(session, viewer, house)
    assert found is not None
    return found


def make(world: World, team: str, **columns: object) -> None:
    with world.database.write() as session:
        row = session.get_one(Team, team)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)


def number_of(world: World, team: str) -> str:
    with world.database.read() as session:
        return session.get_one(Team, team).number


def proposed(world: World, viewer: str, house: str) -> list[tuple[str, str, int]]:
    with world.database.read() as session:
        about = institution_seen.one(session, viewer, house)
        assert about is not None
        return [(each.team.id, each.near, each.free) for each in institution_seen.teams_for(session, viewer, about, 9)]


def test_the_list_is_that_of_ones_region_with_those_without_a_team_first(world: World) -> None:
    leader, boss, far = world.volunteer(), world.specialist(), world.specialist(YUEXIU)
    paired, bare, other = world.institution(), world.institution(), world.institution(YUEXIU)
    stint = world.do(institution_pairing.agree, paired, world.team(leader), TERMS, boss)
    assert sorted(names(world, boss)) == sorted([(bare, ""), (paired, "向阳队")]), "its leader is being asked"
    with world.database.write() as session:
        session.get_one(Institution, paired).name = "0 站在名字的最前面"
    assert names(world, boss) == [(bare, ""), (paired, "向阳队")], "somebody is being asked for it"
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    assert names(world, boss) == [(bare, ""), (paired, "向阳队")]
    assert names(world, far) == [(other, "")]
    assert names(world, world.specialist("44")) == [(other, ""), (bare, ""), (paired, "向阳队")]
    assert names(world, world.volunteer()) == []


def test_a_teams_specialist_sees_what_is_paired_with_it_and_what_has_nobody_where_it_is(world: World) -> None:
    first, second, boss = world.volunteer(), world.volunteer(), world.specialist()
    mine, theirs = world.team(first), world.team(second)
    own = world.specialist(number_of(world, mine), kind="team")
    bare, paired, others, away = (
        world.institution(),
        world.institution(),
        world.institution(),
        world.institution(YUEXIU),
    )
    for house, team, leader in ((paired, mine, first), (others, theirs, second)):
        stint = world.do(institution_pairing.agree, house, team, TERMS, boss)
        world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    seen = {key for key, _team in names(world, own)}
    assert seen == {bare, paired} and away not in seen
    assert [team for team, _near, _free in proposed(world, own, bare)] == [mine], "only their own team"
    with world.database.read() as session:
        assert institution_seen.waiting(session, boss) == 1
        assert institution_seen.waiting(session, own) == 0, "counts are a region's"


def test_teams_are_proposed_by_nearness_then_free_places(world: World) -> None:
    boss, house = world.specialist(), world.institution()
    with world.database.write() as session:
        session.get_one(Institution, house).town = "五山街道"
    neighbour = world.volunteer()
    with world.database.write() as session:
        row = volunteer_of(session, neighbour)
        assert row is not None
        row.town = "五山街道"
    near = world.team(neighbour, capacity=1)
    small, large = world.team(world.volunteer(), capacity=3), world.team(world.volunteer(), capacity=8)
    wide, city, away = (world.team(world.volunteer()) for _each in range(3))
    make(world, wide, region="4401")
    make(world, city, region=YUEXIU)
    make(world, away, region="441821")
    helping = world.team(world.volunteer())
    make(world, helping, region="441821", helps=TIANHE)
    world.team()  # nobody leads it
    assert proposed(world, boss, house) == [
        (near, "town", 1),
        (large, "county", 8),
        (small, "county", 3),
        (wide, "wide", 10),
        (helping, "helps", 10),
        (city, "city", 10),
    ]


def test_a_full_team_and_the_one_that_has_it_are_not_proposed(world: World) -> None:
    leader, boss = world.volunteer(), world.specialist()
    first, second = world.institution(), world.institution()
    team = world.team(leader, capacity=1)
    stint = world.do(institution_pairing.agree, first, team, TERMS, boss)
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    assert proposed(world, boss, second) == []
    make(world, team, capacity=5)
    assert [key for key, _near, _free in proposed(world, boss, second)] == [team]
    assert proposed(world, boss, first) == []


def test_a_relay_and_whom_it_waits_for_stand_beside_the_pairing(world: World) -> None:
    leader, follower, boss, house = world.volunteer(), world.volunteer(), world.specialist(), world.institution()
    stint = world.do(institution_pairing.agree, house, world.team(leader), TERMS, boss)
    assert (one(world, boss, house).stint, one(world, boss, house).agreeing is not None) == (None, True)
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)

    def begin(session: Session) -> None:
        relaying.begin(session, stint.id, ORGANISATION, today_of(session, leader) + timedelta(days=9), boss)

    world.do(begin)
    assert one(world, boss, house).relay is not None
    world.do(institution_pairing.agree, house, world.team(follower), TERMS, boss)
    found = one(world, boss, house)
    assert found.stint is not None and found.agreeing is not None and found.next_team is not None
    assert found.agreeing.team_id == found.next_team.id != found.stint.team_id


def test_an_agreement_that_no_leader_accepts_is_told_of(world: World, clock: StoppedClock) -> None:
    leader, boss, house = world.volunteer(), world.specialist(), world.institution()
    stint = world.do(institution_pairing.agree, house, world.team(leader), TERMS, boss)
    clock.at += timedelta(days=15)
    assert world.run(jobs.remind_unfinished) == 1
    assert "阳光家园：和团队“向阳队”的协议已经有一段时间了" in heard(world, boss, "notice.unfinished")
    world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    assert heard(world, boss, "notice.unfinished") == "", "no longer true"


def test_a_leader_who_leaves_lets_the_county_answer(world: World) -> None:
    leader, boss, house = world.volunteer(), world.specialist(), world.institution()
    team = world.team(leader)
    stint = world.do(institution_pairing.agree, house, team, TERMS, boss)
    world.do(team_member.forget_member, leader)
    assert names(world, boss) == [(house, "向阳队")]
    assert proposed(world, boss, house) == [], "nobody leads it"
    world.do(agreement.call_off, stint.id, boss)
    assert names(world, boss) == [(house, "")]
