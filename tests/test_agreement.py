"""From a yes to an open pairing, of people and of institutions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from models import agreement, institution_pairing, relaying
from models.agreement import Terms
from models.database import Database
from models.institution import Institution
from models.served import tell_responsible
from models.stints import StintError, standing_of
from models.team import Team, TeamMember
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TERMS, TIANHE, YUEXIU, World

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def refused(world: World, rule: object, *told: object) -> str:
    with pytest.raises(StintError) as error:
        world.do(rule, *told)  # type: ignore[arg-type]
    return error.value.reason


def test_from_the_yes_to_the_open_pairing(world: World, clock: StoppedClock) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.agreeing(asked, person)
    assert world.responsible(asked).kind == "specialist", "until it is agreed"
    world.do(agreement.set_meeting, stint, clock.at + DAY, boss)
    assert "notice.meeting" in world.told(person)
    clock.pass_time(2 * DAY)
    version = world.write(stint, boss)
    assert world.told(person).count("notice.agreement") == 1
    row = world.do(agreement.accept, stint, person, version)
    assert (row.state, row.ends_on, row.conduct_version) == ("open", date(2027, 11, 24), "2026-11")
    assert "notice.opened" in world.told(boss)
    assert world.responsible(asked).people == (person,)
    assert world.do(agreement.accept, stint, person, version).id == stint, "a second press changes nothing"


def test_the_term_is_counted_where_the_volunteer_lives(world: World, clock: StoppedClock) -> None:
    clock.at = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # 1:00 of the next day in China
    boss = world.specialist()
    here = world.paired(world.beneficiary(), world.volunteer(), boss)
    there = world.paired(world.beneficiary(), world.volunteer(zone="Europe/London"), boss)
    assert (world.stint(here).ends_on, world.stint(there).ends_on) == (date(2027, 11, 23), date(2027, 11, 22))


def test_an_agreement_written_anew_is_accepted_anew(world: World, clock: StoppedClock) -> None:
    person, boss = world.volunteer(), world.specialist()
    stint = world.agreeing(world.beneficiary(), person)
    first = world.write(stint, boss)
    clock.pass_time(DAY)
    second = world.write(stint, boss, Terms(("care",), 24, 6))
    assert world.told(person).count("notice.agreement") == 1, "the earlier one is not sent any more"
    assert refused(world, agreement.accept, stint, person, first) == "changed"
    assert world.do(agreement.accept, stint, person, second).activities == 24
    assert refused(world, agreement.write, stint, TERMS, boss) == "gone"


@pytest.mark.parametrize("terms", [Terms((), 1, 12), Terms((), 12, 0), Terms((), 12, 37), Terms((), 400, 12)])
def test_terms_beyond_all_measure_are_refused(world: World, terms: Terms) -> None:
    stint = world.agreeing(world.beneficiary(), world.volunteer())
    assert refused(world, agreement.write, stint, terms, world.specialist()) == "terms"


def test_only_whoever_answers_writes_and_only_who_serves_accepts(world: World) -> None:
    person, boss = world.volunteer(), world.specialist()
    stint = world.agreeing(world.beneficiary(), person)
    assert refused(world, agreement.write, stint, TERMS, world.specialist(YUEXIU)) == "scope"
    assert refused(world, agreement.write, stint, TERMS, person) == "scope"
    version = world.write(stint, boss)
    assert refused(world, agreement.accept, stint, world.volunteer(), version) == "scope"


def test_a_meeting_in_the_past_is_none(world: World, clock: StoppedClock) -> None:
    stint = world.agreeing(world.beneficiary(), world.volunteer())
    assert refused(world, agreement.set_meeting, stint, clock.at, world.specialist()) == "day"


def test_a_meeting_that_was_put_off_is_told_once_and_may_be_put_back(world: World, clock: StoppedClock) -> None:
    person, boss = world.volunteer(), world.specialist()
    stint = world.agreeing(world.beneficiary(), person)
    for days in (1, 2, 1):
        clock.pass_time(timedelta(minutes=1))
        world.do(agreement.set_meeting, stint, datetime(2026, 12, days, tzinfo=UTC), boss)
        assert world.told(person).count("notice.meeting") == 1


def test_who_may_not_serve_any_more_accepts_nothing(world: World) -> None:
    person, boss = world.volunteer(), world.specialist()
    stint = world.agreeing(world.beneficiary(), person)
    version = world.write(stint, boss)
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == person)).one()
        row.status = "paused_guardian"
        session.add(row)
    assert refused(world, agreement.accept, stint, person, version) == "volunteer"
    assert world.stint(stint).accepted_at is None


def test_what_does_not_come_about_is_thanked_for(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.agreeing(asked, person)
    world.write(stint, boss)
    world.do(agreement.call_off, stint, boss)
    assert world.told(person) == ["notice.called_off"]
    assert "notice.nobody_left" in world.told(boss)
    assert refused(world, agreement.call_off, stint, boss) == "gone"
    assert world.offer(asked, person), "they may be asked again"


def test_what_nobody_brings_to_an_end_is_asked_about_once_a_week(world: World, clock: StoppedClock) -> None:
    boss = world.specialist()
    world.agreeing(world.beneficiary(), world.volunteer())
    clock.pass_time(13 * DAY)
    assert world.run(jobs.remind_unfinished) == 0
    clock.pass_time(DAY)
    assert world.run(jobs.remind_unfinished) == 1
    clock.pass_time(6 * DAY)
    world.run(jobs.remind_unfinished)
    assert world.told(boss).count("notice.unfinished") == 1
    clock.pass_time(DAY)
    world.run(jobs.remind_unfinished)
    assert world.told(boss).count("notice.unfinished") == 2


def test_the_second_stint_of_the_same_two_is_a_new_row(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    first = world.paired(asked, person, boss)
    world.do(agreement.end, first, "specialist", boss)
    ended = world.stint(first)
    second = world.paired(asked, person, boss)
    assert second != first and world.stint(first) == ended


# Teams


def test_a_team_is_led_by_whoever_leads_it_today(world: World) -> None:
    asked, leader, deputy, member = world.beneficiary(), world.volunteer(), world.volunteer(), world.volunteer()
    boss = world.specialist()
    team = world.team(leader, members=(member,))
    world.paired(asked, leader, boss, team)
    assert world.responsible(asked).people == (leader,)
    with world.database.write() as session:
        row = session.exec(select(TeamMember).where(TeamMember.person_id == leader)).one()
        row.left_at = row.joined_at
        session.add(row)
    assert world.responsible(asked).people == (boss,), "a team without a leader is the specialist's"
    with world.database.write() as session:
        session.add(
            TeamMember(team_id=team, person_id=deputy, part="leader", added_by="machine", joined_at=row.joined_at)
        )
    assert (world.responsible(asked).kind, world.responsible(asked).people) == ("team", (deputy,))
    with world.database.read() as session:
        assert [len(standing_of(session, one)) for one in (deputy, member)] == [1, 0]


# Institutions


def test_a_team_agrees_with_an_institution_and_no_family_is_asked(world: World) -> None:
    leader, boss = world.volunteer(), world.specialist()
    team, house = world.team(leader), world.institution()
    stint = world.do(institution_pairing.agree, house, team, TERMS, boss)
    assert world.told(leader) == ["notice.agreement"]
    assert refused(world, institution_pairing.agree, house, team, TERMS, boss) == "paired"
    assert refused(world, agreement.accept, stint.id, world.volunteer(), stint.confirmed_at) == "scope"
    row = world.do(agreement.accept, stint.id, leader, stint.confirmed_at)
    assert (row.state, row.ends_on) == ("open", date(2027, 11, 22))
    assert refused(world, agreement.end, stint.id, "specialist", leader) == "scope"
    world.do(agreement.end, stint.id, "specialist", boss)
    assert world.do(institution_pairing.agree, house, team, TERMS, boss).id != stint.id


def test_a_teams_specialist_decides_about_its_institutions_and_nobody_elses(world: World) -> None:
    leader, other = world.volunteer(), world.volunteer()
    team, second, house = world.team(leader), world.team(other), world.institution()
    boss, others = (world.specialist(world.one(Team, one).number, kind="team") for one in (team, second))
    county = world.specialist()
    assert refused(world, institution_pairing.agree, house, second, TERMS, boss) == "scope"
    stint = world.do(institution_pairing.agree, house, team, TERMS, boss)
    assert refused(world, agreement.write, stint.id, TERMS, others) == "scope"
    row = world.do(agreement.write, stint.id, Terms(("care",), 4, 6), boss)
    assert row.activities == 4
    world.do(agreement.accept, stint.id, leader, row.confirmed_at)
    assert "notice.opened" in world.told(boss) and world.told(county) == [], "who wrote it hears of it"
    with world.database.write() as session:
        about = session.get_one(Institution, house)
        assert tell_responsible(session, about, "notice.opened", {"stint": stint.id}, "x", others, team=team) == 1
    assert "notice.opened" not in world.told(others) and "notice.opened" in world.told(county)


def test_a_team_takes_no_more_institutions_than_it_can(world: World) -> None:
    leader, boss = world.volunteer(), world.specialist()
    team = world.team(leader, capacity=1)
    world.do(institution_pairing.agree, world.institution(), team, TERMS, boss)
    assert refused(world, institution_pairing.agree, world.institution(), team, TERMS, boss) == "full"
    assert refused(world, institution_pairing.agree, world.institution(), world.team(), TERMS, boss) == "team"


def test_an_institution_is_handed_over_from_team_to_team(world: World) -> None:
    first, second, boss = world.volunteer(), world.volunteer(), world.specialist(TIANHE)
    house = world.institution()
    before = world.do(institution_pairing.agree, house, world.team(first), TERMS, boss)
    world.do(agreement.accept, before.id, first, before.confirmed_at)
    team = world.team(second)
    assert refused(world, institution_pairing.agree, house, team, TERMS, boss) == "paired"
    relay = world.do(relaying.begin, before.id, "organisation", date(2026, 12, 31), first)
    after = world.do(institution_pairing.agree, house, team, TERMS, boss)
    world.do(agreement.accept, after.id, second, after.confirmed_at)
    assert world.stint(after.id).state == "agreeing"
    world.do(relaying.give, relay.id, first)
    assert world.stint(before.id).ended_at == world.stint(after.id).opened_at is not None
