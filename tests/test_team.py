"""Teams, who belongs to them, their specialists, and regions that help each other: the rules."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlmodel import Session, col, func, select

from models import role
from models.account import join, part
from models.audit import AuditEntry
from models.beneficiary import MACHINE, Beneficiary
from models.database import Database, now_of
from models.erasure import delete_person
from models.institution import Institution
from models.ledger_cells import read_ledger
from models.ledger_check import check
from models.ledger_import import take
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import Door, Person, open_door
from models.region_pair import PairError, end_pair, grant_pair, pairs_of
from models.role import GrantError, RoleGrant, end_grant
from models.team import (
    RegionPair,
    Team,
    TeamError,
    TeamMember,
    create,
    decides,
    end,
    leader_of,
    may_manage,
    members,
    places_taken,
    rename,
    seen_by,
    set_capacity,
    set_helps,
    specialists_of,
    standing_pairs,
    teams_of,
)
from models.team_member import add, remove, set_leader
from models.volunteer import Registered, Volunteer, register, volunteer_of
from models.volunteer_dates import DatesError, note_dates
from tests.ledger_files import as_csv, person

TIANHE, YUEXIU, FOGANG = "440106", "440104", "441821"


def somebody(session: Session, name: str, county: str = TIANHE, born: str = "2000-05-01") -> Volunteer:
    """A volunteer; the minors among them have their guardian's word."""
    _door, person = open_door(session, "wechat", "test", name, "zh_CN", zone="Asia/Shanghai")
    row = register(session, person, Registered("王小明", "+8613800138000", date.fromisoformat(born), county))
    row.status = "active"
    session.flush()
    return row


def give(session: Session, person_id: str, name: str, scope: str, kind: str = "region") -> None:
    session.add(
        RoleGrant(
            person_id=person_id,
            role=name,
            scope_kind=kind,
            scope=scope,
            granted_by=MACHINE,
            granted_at=now_of(session),
        )
    )
    session.flush()


def organiser(session: Session, name: str, scope: str) -> str:
    _door, person = open_door(session, "wechat", "test", name, "zh_CN", zone="Asia/Shanghai")
    give(session, person.id, "organiser", scope)
    return person.id


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(TeamError) as cannot:
        work()
    return cannot.value.reason


def told(session: Session) -> list[str]:
    return list(session.exec(select(OutboxMessage.unique_key).where(OutboxMessage.kind == "notice.team")))


@pytest.fixture
def served(database: Database) -> None:
    """One served person of 广州天河 in the ledger."""
    data = as_csv([person(0)])
    ledger = read_ledger(data, "台账.csv", county=TIANHE, today=date(2026, 11, 22))
    take(database, check(database, ledger, data, region=TIANHE, by=MACHINE, part=False).id, by=MACHINE)


def stint_with(session: Session, team: Team, person_id: str | None = None, state: str = "open") -> Stint:
    served = session.exec(select(Beneficiary.id)).one()
    row = Stint(
        beneficiary_id=served,
        team_id=team.id,
        person_id=person_id,
        state=state,
        activities=12,
        relay_months=12,
        made_by=MACHINE,
        made_at=now_of(session),
    )
    session.add(row)
    session.flush()
    return row


def test_an_organiser_makes_teams_in_the_own_region_only(database: Database) -> None:
    with database.write() as session:
        near, far = organiser(session, "near", "4401"), organiser(session, "far", "4418")
        made = create(session, near, "  阳光  一队 ", "440106", "student", 8)
        assert (made.name, made.region, made.kind, made.capacity) == ("阳光 一队", TIANHE, "student", 8)
        assert len(made.number) == 10
        assert create(session, MACHINE, "机器建的", "44").capacity == 10
        assert refused(lambda: create(session, far, "二队", TIANHE)) == "scope"
        assert refused(lambda: create(session, near, "二队", "999999")) == "region"
        assert refused(lambda: create(session, near, "队", TIANHE)) == "name"
        assert refused(lambda: create(session, near, "长" * 41, TIANHE)) == "name"
        assert refused(lambda: create(session, near, "二队", TIANHE, capacity=0)) == "capacity"
        assert refused(lambda: create(session, near, "二队", TIANHE, capacity=501)) == "capacity"
        give(session, far, "specialist", TIANHE)
        assert refused(lambda: create(session, far, "二队", TIANHE)) == "scope", "a specialist makes none"
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "team.created")).all()
        assert [(line.actor, line.details["region"]) for line in noted] == [(near, TIANHE), (MACHINE, "44")]


def test_the_same_team_again_is_that_team_and_a_name_stands_once_in_a_region(database: Database) -> None:
    with database.write() as session:
        near = organiser(session, "near", "4401")
        made = create(session, near, "一队", TIANHE)
        assert create(session, near, "一队", TIANHE).id == made.id
        assert refused(lambda: create(session, near, "一队", TIANHE, capacity=3)) == "taken"
        assert refused(lambda: create(session, MACHINE, "一队", TIANHE)) == "taken"
        other = create(session, near, "一队", YUEXIU)
        second = create(session, near, "二队", TIANHE)
        assert refused(lambda: rename(session, near, second.id, "一队")) == "taken"
        assert rename(session, near, second.id, "三队").name == "三队"
        assert end(session, near, made.id)
        assert create(session, near, "一队", TIANHE).id not in (made.id, other.id)


def test_only_its_organisers_decide_and_specialists_manage_its_members(database: Database) -> None:
    with database.write() as session:
        near, far = organiser(session, "near", "44"), organiser(session, "far", "4418")
        own, county, lead = (somebody(session, name).person_id for name in ("own", "county", "lead"))
        team = create(session, near, "一队", TIANHE)
        give(session, own, "specialist", team.number, "team")
        give(session, county, "specialist", TIANHE)
        give(session, lead, "organiser", team.number, "team")
        assert [decides(session, each, team) for each in (near, lead, MACHINE)] == [True] * 3
        assert [decides(session, each, team) for each in (far, own, county)] == [False] * 3
        assert [may_manage(session, each, team) for each in (near, lead, MACHINE, own, county)] == [True] * 5
        assert not may_manage(session, far, team)
        assert refused(lambda: set_capacity(session, own, team.id, 5)) == "scope"
        assert set_capacity(session, lead, team.id, 5).capacity == 5
        number = somebody(session, "alin").number
        assert refused(lambda: add(session, far, team.id, number)) == "scope"
        assert add(session, own, team.id, number)
        assert [team.id for team in seen_by(session, own)] == [team.id]
        assert [seen_by(session, far), len(seen_by(session, near))] == [[], 1]


def test_members_come_from_its_region_from_one_that_helps_it_or_from_where_one_answers_for(database: Database) -> None:
    with database.write() as session:
        near, wide = organiser(session, "near", TIANHE), organiser(session, "wide", "4401")
        far = organiser(session, "far", "4418")
        team = create(session, near, "一队", TIANHE)
        alin, next_door = somebody(session, "alin"), somebody(session, "next", YUEXIU)
        away = somebody(session, "away", FOGANG)
        assert add(session, near, team.id, alin.number)
        assert not add(session, near, team.id, alin.number)
        assert refused(lambda: add(session, near, team.id, next_door.number)) == "number"
        assert add(session, wide, team.id, next_door.number)
        assert refused(lambda: add(session, wide, team.id, away.number)) == "number"
        grant_pair(session, "441821", "440106", far, wide)
        assert add(session, near, team.id, away.number)
        assert refused(lambda: add(session, near, team.id, "1234567890")) == "number"
        waits = somebody(session, "waits")
        waits.status = "waiting_guardian"
        session.flush()
        assert refused(lambda: add(session, near, team.id, waits.number)) == "inactive"
        assert [held.person_id for held in members(session, team)] == [
            alin.person_id,
            next_door.person_id,
            away.person_id,
        ]
        assert [each.id for each in teams_of(session, alin.person_id)] == [team.id]
        assert len(told(session)) == 3


def test_a_minor_belongs_to_a_team_and_leads_none(database: Database) -> None:
    with database.write() as session:
        near = organiser(session, "near", TIANHE)
        team = create(session, near, "一队", TIANHE)
        child, alin, boan = (
            somebody(session, "child", born="2010-01-01"),
            somebody(session, "alin"),
            somebody(session, "boan"),
        )
        for each in (child, alin, boan):
            assert add(session, near, team.id, each.number)
        child.self_supporting = True
        assert refused(lambda: set_leader(session, near, team.id, child.number)) == "minor"
        assert refused(lambda: set_leader(session, near, team.id, "1234567890")) == "stranger"
        assert set_leader(session, near, team.id, alin.number)
        assert not set_leader(session, near, team.id, alin.number)
        assert set_leader(session, near, team.id, boan.number)
        assert [held.part for held in members(session, team)] == ["leader", "member", "member"]
        led = leader_of(session, team)
        assert led is not None
        assert led.person_id == boan.person_id
        rows = session.exec(select(TeamMember).where(TeamMember.team_id == team.id)).all()
        assert len(rows) == 3 + 1 + 2, "each change of part is a row of its own"


def test_leaving_is_refused_while_people_are_paired_with_the_member_in_this_team(
    database: Database, served: None
) -> None:
    with database.write() as session:
        near = organiser(session, "near", TIANHE)
        team, other = create(session, near, "一队", TIANHE), create(session, near, "二队", TIANHE)
        alin, boan = somebody(session, "alin"), somebody(session, "boan")
        for each in (alin, boan):
            add(session, near, team.id, each.number)
            add(session, near, other.id, each.number)
        stint = stint_with(session, team, alin.person_id)
        assert refused(lambda: remove(session, near, team.id, alin.number)) == "stints"
        assert refused(lambda: remove(session, boan.person_id, team.id, alin.number)) == "scope"
        assert remove(session, near, other.id, alin.number), "the other team has nothing to do with it"
        assert remove(session, boan.person_id, team.id, boan.number), "a member may go"
        assert not remove(session, near, team.id, boan.number)
        stint.state, stint.ended_at = "ended", now_of(session)
        session.flush()
        assert remove(session, near, team.id, alin.number)
        assert members(session, team) == []
        assert sum(key.endswith(":removed") for key in told(session)) == 2, "who left by oneself knows"


def test_a_team_ends_only_without_open_or_agreeing_pairings(database: Database, served: None) -> None:
    with database.write() as session:
        near = organiser(session, "near", TIANHE)
        team = create(session, near, "一队", TIANHE)
        alin = somebody(session, "alin")
        add(session, near, team.id, alin.number)
        give(session, alin.person_id, "specialist", team.number, "team")
        stint = stint_with(session, team, state="agreeing")
        assert places_taken(session, team) == 1
        assert refused(lambda: end(session, near, team.id)) == "stints"
        stint.state, stint.ended_at = "ended", now_of(session)
        session.flush()
        assert places_taken(session, team) == 0
        assert end(session, near, team.id)
        assert not end(session, near, team.id)
        assert members(session, team) == role.grants(session, alin.person_id) == []
        assert refused(lambda: add(session, near, team.id, alin.number)) == "gone"
        assert refused(lambda: end(session, near, "nothing")) == "gone"
        assert session.exec(select(func.count()).where(OutboxMessage.kind == "notice.role")).one() == 1


def test_a_pairing_with_an_institution_keeps_a_team_too(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE)
        house = Institution(
            number="1000000009", name="阳光之家", kind="care", county=TIANHE, made_by=MACHINE, made_at=now_of(session)
        )
        session.add(house)
        session.flush()
        session.add(
            Stint(
                institution_id=house.id,
                team_id=team.id,
                state="open",
                activities=2,
                relay_months=12,
                made_by=MACHINE,
                made_at=now_of(session),
            )
        )
        session.flush()
        assert places_taken(session, team) == 1, "as many as a further one is refused by"
        assert refused(lambda: end(session, MACHINE, team.id)) == "stints"


# Specialists


def test_the_organiser_of_its_home_region_grants_and_ends_its_specialists(database: Database) -> None:
    with database.write() as session:
        near, far = organiser(session, "near", "4401"), organiser(session, "far", "4418")
        chosen = somebody(session, "chosen").person_id
        team = create(session, near, "一队", TIANHE)
        assert specialists_of(session, team) == [near], "as long as there is none, who answers for its home"
        with pytest.raises(GrantError, match="--by"):
            role.grant(session, chosen, "specialist", "team", team.number, by=far)
        made = role.grant(session, chosen, "specialist", "team", team.number, by=near)
        assert role.grant(session, chosen, "specialist", "team", team.number, by=near).id == made.id
        assert specialists_of(session, team) == [chosen]
        with pytest.raises(GrantError, match="--by"):
            end_grant(session, made.id, far)
        end_grant(session, made.id, near)
        assert specialists_of(session, team) == [near]
        end(session, near, team.id)
        with pytest.raises(GrantError, match="--by"):
            role.grant(session, chosen, "specialist", "team", team.number, by=near)


# Regions that help each other


def test_a_pair_of_regions_needs_an_organiser_of_each_side(database: Database) -> None:
    with database.write() as session:
        city, county = organiser(session, "city", "4401"), organiser(session, "county", FOGANG)
        other = organiser(session, "other", "4403")

        def cannot(*arguments: str) -> str:
            with pytest.raises(PairError) as no:
                grant_pair(session, *arguments)
            return no.value.reason

        assert cannot("4401", FOGANG, city, other) == "scope"
        assert cannot("4401", FOGANG, city, city) == "scope"
        assert cannot("4401", FOGANG, city, MACHINE) == "scope"
        assert cannot("4401", "999999", city, county) == "region"
        assert cannot("4401", "440106", city, county) == "same"
        made = grant_pair(session, "4401", FOGANG, county, city)
        assert grant_pair(session, "440100", FOGANG, city, county).id == made.id, "the same again is that one"
        assert [pair.id for pair in pairs_of(session, county)] == [made.id]
        assert pairs_of(session, other) == []
        with pytest.raises(PairError, match="scope"):
            end_pair(session, "4401", FOGANG, city, other)
        end_pair(session, "4401", FOGANG, city, county)
        assert standing_pairs(session) == []
        with pytest.raises(PairError, match="gone"):
            end_pair(session, "4401", FOGANG, city, county)
        assert grant_pair(session, "4401", FOGANG, city, county).id != made.id


def test_who_covers_both_sides_needs_another_organiser_or_the_machine_while_alone(database: Database) -> None:
    with database.write() as session:
        boss = organiser(session, "boss", "44")
        for second in (boss, "", "nobody"):
            with pytest.raises(PairError, match="second"):
                grant_pair(session, "4401", FOGANG, boss, second)
        made = grant_pair(session, "4401", FOGANG, boss, MACHINE)
        assert made.seconded_by == MACHINE
        other = organiser(session, "other", "4403")
        with pytest.raises(PairError, match="second"):
            end_pair(session, "4401", FOGANG, boss, MACHINE)
        end_pair(session, "4401", FOGANG, boss, other)


def test_a_team_helps_where_a_standing_pair_lets_it_and_no_longer(database: Database) -> None:
    with database.write() as session:
        city, county = organiser(session, "city", "4401"), organiser(session, "county", FOGANG)
        team = create(session, city, "一队", TIANHE)
        assert refused(lambda: set_helps(session, city, team.id, FOGANG)) == "pair"
        grant_pair(session, "4401", FOGANG, city, county)
        assert set_helps(session, city, team.id, FOGANG).helps == FOGANG
        assert refused(lambda: set_helps(session, county, team.id, None)) == "scope"
        assert [each.id for each in seen_by(session, county)] == [team.id]
        assert not may_manage(session, county, team), "seen where it helps, managed at home"
        end_pair(session, "4401", FOGANG, city, county)
        assert team.helps is None
        assert set_helps(session, city, team.id, None).helps is None


# People who go, and people who turn out to be one


def test_who_deletes_their_data_belongs_to_no_team(database: Database) -> None:
    with database.write() as session:
        near = organiser(session, "near", TIANHE)
        team = create(session, near, "一队", TIANHE)
        alin = somebody(session, "alin")
        add(session, near, team.id, alin.number)
        delete_person(session, session.get_one(Person, alin.person_id))
        assert members(session, team) == []


def test_a_membership_goes_along_when_two_people_become_one_and_back(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE)
        alin = somebody(session, "alin")
        add(session, MACHINE, team.id, alin.number)
        _door, other = open_door(session, "telegram", "test", "77", "zh_CN", zone="Asia/Shanghai")
        gone = session.get_one(Person, alin.person_id)
        join(session, gone, other, "specialist")
        assert [held.person_id for held in members(session, team)] == [other.id]
        door = session.exec(select(Door.id).where(Door.platform == "wechat")).one()
        part(session, other, door)
        assert [held.person_id for held in members(session, team)] == [gone.id]


def test_two_memberships_of_the_same_team_become_one(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE)
        one, two = somebody(session, "one"), somebody(session, "two")
        for each in (one, two):
            add(session, MACHINE, team.id, each.number)
        join(session, session.get_one(Person, one.person_id), session.get_one(Person, two.person_id), "specialist")
        assert [held.person_id for held in members(session, team)] == [two.person_id]


# At the same moment


def at_once(database: Database, *works: Callable[[Session], object]) -> list[object]:
    """Each in a thread and transaction of its own; what they came to, refusals by their reason."""
    came: list[object] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[Session], object]) -> None:
        start.wait()
        try:
            with database.write() as session:
                came.append(work(session))
        except TeamError as cannot:
            came.append(cannot.reason)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return came


def test_a_volunteer_who_is_added_twice_at_once_is_a_member_once(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE).id
        number = somebody(session, "alin").number
    came = at_once(database, *[lambda session: add(session, MACHINE, team, number)] * 4)
    assert sorted(map(str, came)) == ["False", "False", "False", "True"]
    with database.read() as session:
        assert session.exec(select(func.count()).select_from(TeamMember)).one() == 1
        assert len(told(session)) == 1


def test_two_leaders_at_once_leave_one(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE)
        numbers = [somebody(session, name).number for name in ("alin", "boan", "chen")]
        for number in numbers:
            add(session, MACHINE, team.id, number)
    at_once(database, *[lambda session, n=number: set_leader(session, MACHINE, team.id, n) for number in numbers])
    with database.read() as session:
        assert [held.part for held in members(session, team)] == ["leader", "member", "member"]


def test_nobody_joins_a_team_that_ends_at_this_moment(database: Database) -> None:
    with database.write() as session:
        team = create(session, MACHINE, "一队", TIANHE)
        number = somebody(session, "alin").number
    came = at_once(
        database,
        lambda session: end(session, MACHINE, team.id),
        lambda session: end(session, MACHINE, team.id),
        lambda session: add(session, MACHINE, team.id, number),
    )
    assert came.count(True) - ("gone" not in came) == 1
    with database.read() as session:
        left = select(func.count()).select_from(TeamMember).where(col(TeamMember.left_at).is_(None))
        assert session.exec(left).one() == 0


def test_a_pair_that_is_granted_twice_at_once_stands_once(database: Database) -> None:
    with database.write() as session:
        city, county = organiser(session, "city", "4401"), organiser(session, "county", FOGANG)
    work = [lambda session: grant_pair(session, "4401", FOGANG, city, county).id] * 3
    assert len(set(at_once(database, *work))) == 1
    with database.read() as session:
        assert session.exec(select(func.count()).select_from(RegionPair)).one() == 1


# Training and clearance


def test_a_specialist_of_the_county_notes_the_dates_of_others(database: Database) -> None:
    with database.write() as session:
        alin, near = somebody(session, "alin"), somebody(session, "near").person_id
        give(session, near, "specialist", TIANHE)
        today = date(2026, 11, 22)
        changed = note_dates(session, near, alin.id, trained_on=today, cleared_until=today + timedelta(days=365))
        assert changed == ["trained_on", "cleared_until"]
        assert note_dates(session, near, alin.id, trained_on=today) == []
        row = volunteer_of(session, alin.person_id)
        assert row is not None
        assert (row.trained_on, row.cleared_until) == (today, date(2027, 11, 22))
        assert len(session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.dates")).all()) == 2
        for by, more, reason in (
            (alin.person_id, {"trained_on": today}, "scope"),
            (near, {"trained_on": today + timedelta(days=1)}, "trained_on"),
            (near, {"trained_on": date(2016, 11, 21)}, "trained_on"),
            (near, {"cleared_until": today - timedelta(days=1)}, "cleared_until"),
            (near, {"cleared_until": date(2031, 11, 23)}, "cleared_until"),
        ):
            with pytest.raises(DatesError, match=reason):
                note_dates(session, by, alin.id, **more)
        own = volunteer_of(session, near)
        assert own is not None
        with pytest.raises(DatesError, match="scope"):
            note_dates(session, near, own.id, trained_on=today)
