"""Tables of teams, specialists, institutions and stations are taken back in one go; what has gone on since stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from models import institution, roster_batch, station, team, team_member
from models.audit import AuditEntry, note
from models.beneficiary import MACHINE
from models.database import Database, now_of
from models.institution import Contact, Institution
from models.ledger_batch import LedgerBatch
from models.ledger_import import BatchError, begin, forget_rows
from models.ledger_undo import refused
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import open_door
from models.role import RoleGrant, grant
from models.roster import read_roster
from models.station import About, Station
from models.team import Team, TeamMember
from models.volunteer import Registered, Volunteer, register
from scheduler import jobs
from tests.sheets import text

TEAM_HEADS = ("团队名称", "地区", "结对人数", "队长编号", "队员编号")
SPECIALIST_HEADS = ("志愿者编号", "地区", "团队编号", "培训日期", "证明有效期")
HOUSE_HEADS = ("名称", "类别", "区县", "地址", "联系人", "电话")
STATION_HEADS = ("名称", "类别", "区县", "地址", "容量")
Rows = Sequence[Sequence[Any]]


def brought(database: Database, kind: str, heads: Sequence[str], *rows: Sequence[Any], by: str = MACHINE) -> str:
    """A table of these rows is taken; returns its batch."""
    data = text([heads, *rows])
    read = read_roster(data, "表", roster_batch.KINDS[kind](), here=None)
    batch = roster_batch.check(database, read, data, region="", by=by)
    return roster_batch.take(database, batch.id, by=by).id


def undone(database: Database, batch: str, by: str = MACHINE) -> dict[int, str]:
    """Why which rows stay."""
    ended = roster_batch.undo(database, batch, by=by)
    with database.read() as session:
        return {row.number: row.why for row in roster_batch.kept_rows(session, ended, 99)}


def somebody(session: Session, name: str) -> Volunteer:
    _door, person = open_door(session, "wechat", "test", name, "zh_CN", zone="Asia/Shanghai")
    row = register(session, person, Registered("王小明", "+8613800138000", date(2000, 5, 1), "440106"))
    row.status = "active"
    session.flush()
    return row


@pytest.fixture
def two(database: Database) -> tuple[Volunteer, Volunteer]:
    with database.write() as session:
        return somebody(session, "alin"), somebody(session, "bo")


@pytest.fixture
def boss(database: Database) -> str:
    with database.write() as session:
        person = somebody(session, "boss").person_id
        grant(session, person, "organiser", "region", "44", first=True)
    return person


def one_team(session: Session, name: str = "甲队") -> Team:
    return session.exec(select(Team).where(Team.name == name)).one()


# --- teams ---


def test_teams_that_came_by_mistake_are_dissolved_with_their_people(
    database: Database, two: tuple[Volunteer, Volunteer]
) -> None:
    batch = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", two[0].number, two[1].number))
    with database.read() as session:
        assert len(team.members(session, one_team(session))) == 2
    assert undone(database, batch) == {} and undone(database, batch) == {}
    with database.read() as session:
        assert one_team(session).ended_at is not None
        assert session.exec(select(TeamMember).where(col(TeamMember.left_at).is_(None))).all() == []
        ended = session.exec(select(OutboxMessage).where(col(OutboxMessage.unique_key).like("team:%:ended"))).all()
        assert {row.person_id for row in ended} == {two[0].person_id, two[1].person_id}
        actions = list(session.exec(select(AuditEntry.action).where(AuditEntry.subject == batch)))
        assert actions == ["import.taken", "import.undo", "import.undone"]
    again = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", "", ""))
    assert undone(database, again) == {}


def test_what_a_table_changed_in_a_team_is_put_back(database: Database, two: tuple[Volunteer, Volunteer]) -> None:
    brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", two[0].number, ""))
    batch = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "9", two[1].number, ""))
    with database.read() as session:
        lead = team.leader_of(session, one_team(session))
        assert lead is not None and lead.person_id == two[1].person_id
    assert undone(database, batch) == {}
    with database.read() as session:
        found = one_team(session)
        assert found.capacity == 5 and found.ended_at is None
        assert [(one.person_id, one.part) for one in team.members(session, found)] == [(two[0].person_id, "leader")]


def test_a_leader_who_was_named_first_by_a_table_is_a_plain_member_again(
    database: Database, two: tuple[Volunteer, Volunteer]
) -> None:
    brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", "", two[0].number))
    batch = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "", two[0].number, ""))
    assert undone(database, batch) == {}
    with database.read() as session:
        assert [one.part for one in team.members(session, one_team(session))] == ["member"]


def stint(session: Session, house: Institution, its: Team, state: str) -> None:
    now = now_of(session)
    own = {"state": state, "made_at": now, "made_by": MACHINE, "activities": 12, "relay_months": 12}
    own |= {"ended_at": now} if state == "ended" else {}
    session.add(Stint(institution_id=house.id, team_id=its.id, **own))  # type: ignore[arg-type]


def paired(session: Session, found: Team) -> None:
    house = institution.create(session, MACHINE, "某院", "care", "440106")
    stint(session, house, found, "ended")


def joined(session: Session, found: Team) -> None:
    team_member.add(session, MACHINE, found.id, somebody(session, "late").number)


def test_a_paired_team_keeps_its_only_leader(database: Database, two: tuple[Volunteer, Volunteer]) -> None:
    brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", "", two[0].number))
    batch = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "", two[0].number, ""))
    with database.write() as session:
        stint(session, institution.create(session, MACHINE, "某院", "care", "440106"), one_team(session), "open")
    assert undone(database, batch) == {2: "later_paired"}
    with database.read() as session:
        assert team.leader_of(session, one_team(session)) is not None


def renamed(session: Session, found: Team) -> None:
    team.rename(session, MACHINE, found.id, "乙队")


def resized(session: Session, found: Team) -> None:
    team.set_capacity(session, MACHINE, found.id, 6)


def ended(session: Session, found: Team) -> None:
    team.end(session, MACHINE, found.id)


def staffed(session: Session, found: Team) -> None:
    boss = somebody(session, "boss").person_id
    grant(session, boss, "organiser", "region", "44", first=True)
    grant(session, somebody(session, "head").person_id, "specialist", "team", found.number, by=boss)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (paired, "later_paired"),
        (joined, "later_changed"),
        (renamed, "later_changed"),
        (resized, "later_changed"),
        (ended, "later_changed"),
        (staffed, "later_staffed"),
    ],
)
def test_a_team_that_has_gone_on_stays_and_is_named_and_the_others_go(
    database: Database, happens: Any, why: str
) -> None:
    batch = brought(database, "teams", TEAM_HEADS, ("甲队", "天河区", "5", "", ""), ("丙队", "天河区", "", "", ""))
    with database.write() as session:
        happens(session, one_team(session))
    assert undone(database, batch) == {2: why} and undone(database, batch) == {2: why}
    with database.read() as session:
        assert one_team(session, "丙队").ended_at is not None
        row = session.get_one(LedgerBatch, batch)
        assert (row.state, refused(session, batch)) == ("undone", [2])
        assert [kept.name for kept in roster_batch.kept_rows(session, row, 9)] == ["甲队"]


def test_what_a_newer_table_names_too_stays(database: Database) -> None:
    first = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "某路", ""))
    second = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "", ""))
    assert undone(database, first) == {2: "later_named"}
    assert undone(database, second) == {}  # it had changed nothing


# --- specialists ---


def test_specialists_lose_the_role_and_their_dates_are_what_they_were(
    database: Database, two: tuple[Volunteer, Volunteer], boss: str
) -> None:
    row = (two[0].number, "天河区", "", "2026-01-05", "")
    brought(database, "specialists", SPECIALIST_HEADS, row, by=boss)
    later = (two[0].number, "天河区", "", "2026-02-05", "2027-02-05")
    batch = brought(database, "specialists", SPECIALIST_HEADS, later, (two[1].number, "天河区", "", "", ""), by=boss)
    assert undone(database, batch, boss) == {}
    with database.read() as session:
        held = session.exec(select(RoleGrant).where(RoleGrant.role == "specialist")).all()
        assert {(one.person_id, one.ended_at is None) for one in held} == {
            (two[0].person_id, True),
            (two[1].person_id, False),
        }
        dated = session.get_one(Volunteer, two[0].id)
        assert (str(dated.trained_on), dated.cleared_until) == ("2026-01-05", None)


def test_dates_of_one_person_in_two_rows_come_back_in_the_right_order(
    database: Database, two: tuple[Volunteer, Volunteer], boss: str
) -> None:
    rows = [(two[0].number, place, "", day, "") for place, day in (("天河区", "2026-01-05"), ("越秀区", "2026-02-05"))]
    batch = brought(database, "specialists", SPECIALIST_HEADS, *rows, by=boss)
    assert undone(database, batch, boss) == {}
    with database.read() as session:
        assert session.get_one(Volunteer, two[0].id).trained_on is None


@pytest.mark.parametrize(
    ("action", "why"), [("contact.answered", "later_used"), ("volunteer.changed", ""), ("turn.accepted", "")]
)
def test_a_role_that_was_used_stays(
    database: Database, two: tuple[Volunteer, Volunteer], boss: str, action: str, why: str
) -> None:
    """What people do for themselves uses no role."""
    batch = brought(database, "specialists", SPECIALIST_HEADS, (two[0].number, "天河区", "", "", ""), by=boss)
    with database.write() as session:
        note(session, two[0].person_id, action, "x")
    assert undone(database, batch, boss) == ({2: why} if why else {})
    with database.read() as session:
        [held] = session.exec(select(RoleGrant).where(RoleGrant.role == "specialist")).all()
        assert (held.ended_at is None) == bool(why)


def test_whoever_may_not_ends_nothing(database: Database, two: tuple[Volunteer, Volunteer], boss: str) -> None:
    batch = brought(database, "specialists", SPECIALIST_HEADS, (two[0].number, "天河区", "", "", ""), by=boss)
    assert undone(database, batch, two[1].person_id) == {2: "later_not_yours"}


# --- institutions and stations ---


def test_what_is_known_of_an_institution_is_put_back_or_forgotten(database: Database) -> None:
    with database.write() as session:
        row = institution.create(session, MACHINE, "甲院", "care", "440106")
        institution.set_contact(session, MACHINE, row.id, Contact("旧路", None, "+8613800138000"))
    rows = [("甲院", "托养", "天河区", "新路", "某人", "13800138000"), ("乙院", "托养", "天河区", "新路", "某人", "")]
    batch = brought(database, "institutions", HOUSE_HEADS, *rows)
    assert undone(database, batch) == {}
    with database.read() as session:
        named = {one.name: one for one in session.exec(select(Institution))}
        first, second = named["甲院"], named["乙院"]
        assert institution.contact_of(session, first) == Contact("旧路", None, "+8613800138000")
        assert (first.ended_at, second.ended_at is not None) == (None, True)
        assert institution.contact_of(session, second) == Contact()


def test_an_institution_with_a_pairing_stays(database: Database) -> None:
    batch = brought(database, "institutions", HOUSE_HEADS, ("某院", "托养", "天河区", "", "", ""))
    with database.write() as session:
        house = session.exec(select(Institution)).one()
        stint(session, house, team.create(session, MACHINE, "甲队", "440106"), "open")
    assert undone(database, batch) == {2: "later_paired"}


def test_what_is_told_of_a_station_is_put_back(database: Database) -> None:
    brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "", ""))
    batch = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "某路", "30"))
    assert undone(database, batch) == {}
    with database.read() as session:
        one = session.exec(select(Station)).one()
        assert (one.address, one.capacity, one.ended_at) == ("", None, None)


def test_a_station_that_was_described_since_stays(database: Database) -> None:
    batch = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "", ""))
    with database.write() as session:
        station.describe(session, MACHINE, session.exec(select(Station)).one().id, About(capacity=3))
    assert undone(database, batch) == {2: "later_changed"}


# --- crashes, and what is not allowed ---


class _CrashError(Exception):
    pass


def crashing(after: int) -> Any:
    def told(done: int, _total: int) -> None:
        if done >= after:
            raise _CrashError

    return told


def test_taking_and_taking_back_go_on_after_a_crash(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_batch, "SLICE", 2)
    data = text([STATION_HEADS, *[(f"样{n}站", "驿站", "天河区", "", "") for n in range(5)]])
    read = read_roster(data, "表", roster_batch.KINDS["stations"](), here=None)
    batch = roster_batch.check(database, read, data, region="4401", by=MACHINE).id
    standing = select(func.count()).select_from(Station).where(col(Station.ended_at).is_(None))
    for work, some, whole in ((roster_batch.take, 2, 5), (roster_batch.undo, 3, 0)):
        with pytest.raises(_CrashError):
            work(database, batch, by=MACHINE, told=crashing(2))
        with database.read() as session:
            assert session.exec(standing).one() == some
        for _time in range(2):
            work(database, batch, by=MACHINE)
            with database.read() as session:
                assert session.exec(standing).one() == whole
    with database.read() as session:
        assert len(session.exec(select(Station)).all()) == 5


def test_what_a_table_names_that_is_being_taken_stays(
    database: Database, boss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "", ""), by=boss)
    monkeypatch.setattr(roster_batch, "SLICE", 1)
    data = text([STATION_HEADS, *[(name, "驿站", "天河区", "", "") for name in ("甲站", "乙站")]])
    read = read_roster(data, "表", roster_batch.KINDS["stations"](), here=None)
    second = roster_batch.check(database, read, data, region="4401", by=boss).id
    with pytest.raises(_CrashError):
        roster_batch.take(database, second, by=boss, told=crashing(1))
    assert undone(database, first, boss) == {2: "later_named"}
    roster_batch.take(database, second, by=boss)
    with database.read() as session:
        names = session.exec(select(Station.name).where(col(Station.ended_at).is_(None))).all()
        assert sorted(names) == ["乙站", "甲站"]


def test_one_that_cannot_go_on_keeps_no_other_waiting(
    database: Database, boss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, real = [], roster_batch.take
    for name in ("甲站", "乙站"):
        data = text([STATION_HEADS, (name, "驿站", "天河区", "", "")])
        read = read_roster(data, "表", roster_batch.KINDS["stations"](), here=None)
        batches.append(roster_batch.check(database, read, data, region="4401", by=boss).id)
        with database.write() as session:
            begin(session, batches[-1], boss)

    def take(database: Database, batch: str, **told: Any) -> LedgerBatch:
        if batch == batches[0]:
            raise _CrashError
        return real(database, batch, **told)

    monkeypatch.setattr(roster_batch, "take", take)
    assert jobs.finish_imports(database) == 1
    with database.read() as session:
        assert [session.get_one(LedgerBatch, one).state for one in batches] == ["taking", "taken"]


def test_what_is_forgotten_is_not_taken_back(database: Database) -> None:
    batch = brought(database, "stations", STATION_HEADS, ("甲站", "驿站", "天河区", "", ""))
    with database.write() as session:
        session.get_one(LedgerBatch, batch).forgotten_at = now_of(session)
    with pytest.raises(BatchError, match="old"):
        roster_batch.undo(database, batch, by=MACHINE)
    with database.write() as session:
        assert forget_rows(session, timedelta(0)) == 1


def test_a_row_outside_of_the_region_of_its_import_is_refused(database: Database) -> None:
    data = text([STATION_HEADS, ("甲站", "驿站", "天河区", "", ""), ("乙站", "驿站", "越秀区", "", "")])
    read = read_roster(data, "表", roster_batch.KINDS["stations"](), here=None)
    batch = roster_batch.check(database, read, data, region="440106", by=MACHINE)
    assert (batch.counts["new"], batch.counts["refused"]) == (1, 1)
