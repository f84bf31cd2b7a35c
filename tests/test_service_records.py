"""Service records: checked in and out, told, confirmed, changed, refused, taken back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from models import account, forgotten, serving
from models.activity import Activity
from models.audit import AuditEntry
from models.beneficiary import Beneficiary
from models.confirming import reason_of
from models.database import Database
from models.hours_ledger import by_month, disagreeing, first_broken, minutes_of
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import Person, doors
from models.service import ASKED, CONFIRMED, REFUSED, RUNNING, VOID, WAITING, HoursEntry, ServiceRecord
from models.serving import Doing, ServiceError, Told
from models.team import Team
from models.volunteer import ACTIVE, PAUSED
from tests.conftest import START, StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEN = START  # 10:00 on a Sunday in Asia/Shanghai
DOING = Doing("study", "station")


class Hours(World):
    """People who serve, and who confirms it."""

    def told(self, person: str, hours: float, ago: timedelta = DAY, **more: Any) -> str:  # type: ignore[override]
        starts = TEN - ago
        told = {"content": "study", "starts_at": starts, "ends_at": starts + hours * HOUR} | more
        return self.do(serving.tell, person, Told(**told)).id

    def told_kinds(self, person: str) -> list[str]:
        """The kinds of messages that wait for somebody and tell of hours, or of what the family says."""
        return [kind for kind in World.told(self, person) if kind.startswith(("notice.hours", "notice.family_"))]

    def record(self, key: str) -> ServiceRecord:
        return self.one(ServiceRecord, key)

    def minutes(self, person: str) -> int:
        with self.database.read() as session:
            return minutes_of(session, person)

    def entries(self, record: str) -> list[tuple[date, int, str]]:
        with self.database.read() as session:
            rows = session.exec(select(HoursEntry).where(HoursEntry.record_id == record).order_by(col(HoursEntry.seq)))
            return [(row.day, row.minutes, row.why) for row in rows]

    def whole(self, county: str = TIANHE) -> bool:
        with self.database.read() as session:
            return first_broken(session, county) is None and disagreeing(session, county) is None

    def refused(self, rule: Any, *told: Any, **more: Any) -> str:
        """The reason for which a rule does nothing."""
        with pytest.raises(ServiceError) as caught:
            self.do(rule, *told, **more)
        return caught.value.reason

    def audited(self, record: str) -> list[str]:
        with self.database.read() as session:
            query = select(AuditEntry.action).where(AuditEntry.subject == record)
            return sorted(session.exec(query))


@pytest.fixture
def world(database: Database) -> Hours:
    return Hours(database)


def test_from_check_in_to_the_ledger(world: Hours, clock: StoppedClock) -> None:
    person, specialist = world.volunteer(), world.specialist()
    key = world.do(serving.check_in, person, DOING).id
    assert world.record(key).state == RUNNING and world.record(key).county == TIANHE
    clock.pass_time(timedelta(minutes=95))
    world.do(serving.check_out, person, None, "做了两页数学")
    row = world.record(key)
    assert (row.state, row.minutes, row.over_cap) == (WAITING, 90, False)
    with world.database.read() as session:
        assert serving.note_of(session, row) == "做了两页数学"
    world.do(serving.confirm, specialist, key)
    assert world.record(key).state == CONFIRMED and world.minutes(person) == 90
    assert world.entries(key) == [(date(2026, 11, 22), 90, "confirmed")]
    assert world.audited(key) == ["service.checked_in", "service.checked_out", "service.confirmed"]
    assert world.whole()


def test_there_is_one_service_at_a_time(world: Hours, clock: StoppedClock) -> None:
    person = world.volunteer()
    world.do(serving.check_in, person, DOING)
    assert world.refused(serving.check_in, person, DOING) == "running"
    assert world.refused(serving.tell, person, Told("study", TEN - HOUR, TEN + HOUR)) == "future"
    clock.pass_time(HOUR)
    assert world.refused(serving.tell, person, Told("study", TEN - HOUR, TEN + HOUR)) == "overlap"
    assert world.refused(serving.check_out, person, TEN + 2 * HOUR) == "future"
    assert world.refused(serving.check_out, person, TEN + timedelta(minutes=29)) == "too_short"
    assert world.refused(serving.check_out, person, TEN - HOUR) == "too_short"
    assert world.refused(serving.check_out, world.volunteer()) == "nothing"


@pytest.mark.parametrize(
    ("starts", "hours", "why"),
    [
        (TEN - HOUR, 2, "future"),
        (TEN + DAY, 1, "future"),
        (TEN - DAY, 0, "too_short"),
        (TEN - DAY, -2, "too_short"),
        (TEN - DAY, 0.4, "too_short"),
        (TEN - 3 * DAY, 25, "too_long"),
        (TEN - 61 * DAY, 1, "too_old"),
    ],
)
def test_what_cannot_be_is_not_told(world: Hours, starts: datetime, hours: float, why: str) -> None:
    person = world.volunteer()
    assert world.refused(serving.tell, person, Told("study", starts, starts + hours * HOUR)) == why


def test_what_was_told_overlaps_with_nothing(world: Hours) -> None:
    person = world.volunteer()
    first = world.told(person, 2)
    assert world.refused(serving.tell, person, Told("care", TEN - DAY + HOUR, TEN - DAY + 3 * HOUR)) == "overlap"
    world.told(person, 1, DAY - 2 * HOUR)
    world.do(serving.void, person, first)
    world.told(person, 2)
    assert world.record(first).state == VOID


def test_only_known_contents_count(world: Hours) -> None:
    person = world.volunteer()
    assert world.refused(serving.tell, person, Told("dancing", TEN - DAY, TEN - DAY + HOUR)) == "content"
    assert world.refused(serving.check_in, person, Doing("", "station")) == "content"


@pytest.mark.parametrize("status", ["waiting_guardian", PAUSED, "ended"])
def test_who_may_not_serve_now_records_nothing(world: Hours, status: str) -> None:
    person = world.volunteer(status=status)
    assert world.refused(serving.check_in, person, DOING) == "scope"
    assert world.refused(serving.tell, person, Told("study", TEN - DAY, TEN - DAY + HOUR)) == "scope"
    assert world.refused(serving.check_in, world.person(), DOING) == "scope"


def test_a_pairing_says_whom_it_was_for(world: Hours, clock: StoppedClock) -> None:
    person, specialist, somebody = world.volunteer(), world.specialist(), world.beneficiary()
    stint = world.paired(somebody, person, specialist)
    row = world.do(serving.check_in, person, Doing("study", "place", stint_id=stint))
    assert (row.stint_id, row.beneficiary_id) == (stint, somebody)
    assert world.refused(serving.check_in, world.volunteer(), Doing("study", "place", stint_id=stint)) == "scope"
    assert world.refused(serving.tell, person, Told("study", TEN - DAY, TEN - DAY + HOUR, stint_id=stint)) == "gone"
    assert world.refused(serving.check_in, world.volunteer(), Doing("study", "place", stint_id="none")) == "gone"


def test_a_minor_serves_with_a_team_and_never_alone(world: Hours) -> None:
    leader, specialist = world.volunteer(), world.specialist()
    child = world.volunteer(birth_date=date(2010, 5, 1), status=ACTIVE)
    team, alone = world.team(leader, members=(child,)), world.beneficiary()
    stint = world.paired(world.beneficiary(), leader, specialist, team)
    row = world.do(serving.check_in, child, Doing("study", "place", stint_id=stint))
    assert (row.team_id, row.state) == (team, RUNNING)
    own = world.paired(alone, leader, specialist)
    with world.database.write() as session:  # as an import or an older rule may have left it
        held = session.get_one(Stint, own)
        held.person_id = child
        session.add(held)
    world.do(serving.void, child, row.id)
    assert world.refused(serving.check_in, child, Doing("study", "place", stint_id=own)) == "minor"


def test_nobody_serves_oneself(world: Hours) -> None:

    person, specialist, somebody = world.volunteer(), world.specialist(), world.beneficiary()
    stint = world.paired(somebody, person, specialist)
    with world.database.write() as session:
        session.get_one(Beneficiary, somebody).person_id = person
    assert world.refused(serving.check_in, person, Doing("study", "place", stint_id=stint)) == "self"


# Who confirms


def test_a_second_person_confirms_who_answers_for_the_volunteer(world: Hours) -> None:
    person = world.volunteer()
    key = world.told(person, 2)
    for stranger in (world.volunteer(), world.specialist(YUEXIU), world.specialist("4403", "organiser")):
        assert world.refused(serving.confirm, stranger, key) == "scope"
    assert world.refused(serving.confirm, person, key) == "self"
    world.give_role(person)
    assert world.refused(serving.confirm, person, key) == "self", "also with a role for the county"
    with world.database.read() as session:
        assert not serving.may_confirm(session, person, session.get_one(ServiceRecord, key))
        assert serving.waiting_for(session, person) == []
    world.do(serving.confirm, world.specialist("4401", "organiser"), key)
    assert world.refused(serving.confirm, world.specialist(), key) == "state"


def test_the_teams_specialist_confirms_and_sees_its_members_only(world: Hours) -> None:

    leader, member, other = world.volunteer(), world.volunteer(), world.volunteer()
    number = world.one(Team, world.team(leader, members=(member,))).number
    specialist = world.specialist(number, kind="team")
    mine, theirs = world.told(member, 2), world.told(other, 2)
    with world.database.read() as session:
        assert [row.id for row in serving.waiting_for(session, specialist)] == [mine]
        assert serving.count_waiting(session, specialist) == 1
    assert world.refused(serving.confirm, specialist, theirs) == "scope"
    world.do(serving.confirm, specialist, mine)


def test_nobody_confirms_by_a_second_account(world: Hours) -> None:
    """Neither by one that was joined, nor by one that was parted since, nor by one registered alike."""

    person, second, third = world.volunteer(phone="+8613800138000"), world.specialist(), world.person()
    key = world.told(person, 2)
    with world.database.write() as session:
        account.join(session, session.get_one(Person, third), session.get_one(Person, person), "bind")
        account.join(session, session.get_one(Person, second), session.get_one(Person, person), "bind")
    assert world.refused(serving.confirm, person, key) == "self"
    with world.database.write() as session:
        door = doors(session, person)[0]
        parted = account.part(session, session.get_one(Person, person), door.id).person.id
    world.give_role(parted)
    assert world.refused(serving.confirm, parted, key) == "self", "they were one"
    twin = world.volunteer(phone="+8613800138000")
    world.give_role(twin)
    assert world.refused(serving.confirm, twin, key) == "self", "the same number and birth date"
    with world.database.read() as session:
        assert serving.waiting_for(session, twin) == []


# Changes


def test_a_change_has_a_reason_and_what_was_told_is_kept(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    key = world.told(person, 3)
    starts = world.record(key).starts_at
    assert world.refused(serving.correct, specialist, key, starts, starts + HOUR, "study", " ") == "why"
    world.do(serving.correct, specialist, key, starts, starts + 2 * HOUR, "care", "两点就走了")
    row = world.record(key)
    assert (row.state, row.minutes, row.content) == (CONFIRMED, 120, "care")
    assert row.first_told is not None and row.first_told["content"] == "study"
    world.do(serving.correct, specialist, key, starts, starts + 2.5 * HOUR, "care", "再核对过")
    assert world.record(key).first_told == row.first_told
    assert [(minutes, why) for _day, minutes, why in world.entries(key)] == [
        (120, "confirmed"),
        (-120, "corrected"),
        (150, "corrected"),
    ]
    assert world.minutes(person) == 150 and world.whole()
    with world.database.read() as session:
        assert by_month(session, person) == {"2026-11": {"care": 150}}


def test_what_was_refused_after_it_was_confirmed_is_countered(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    key = world.told(person, 3)
    world.do(serving.confirm, specialist, key)
    assert world.refused(serving.void, person, key) == "state"
    world.do(serving.refuse, specialist, key, "这天没有来")
    assert world.record(key).state == REFUSED and world.minutes(person) == 0 and world.whole()
    assert world.refused(serving.refuse, specialist, key, "再来一次") == "state"
    with world.database.read() as session:
        assert reason_of(session, session.get_one(ServiceRecord, key)) == "这天没有来"
    row = world.record(key)
    assert row.ends_at is not None
    world.do(serving.correct, specialist, key, row.starts_at, row.ends_at, "study", "核对过，来了")
    assert world.minutes(person) == 180 and world.whole()


def test_a_change_that_is_refused_changes_nothing(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    first, second = world.told(person, 2), world.told(person, 2, DAY - 3 * HOUR)
    world.do(serving.confirm, specialist, first)
    row = world.record(first)
    told = (specialist, first, row.starts_at, row.starts_at + 4 * HOUR, "study", "更久")
    assert world.refused(serving.correct, *told) == "overlap"
    with world.database.write() as session, pytest.raises(ServiceError, match="over"):
        starts = row.starts_at - 9.5 * HOUR
        serving.correct(session, specialist, first, starts, starts + 9 * HOUR, "study", "更久")
    assert world.record(first) == row and world.minutes(person) == 120 and world.whole()
    assert world.record(second).state == WAITING


# Caps


def test_more_than_eight_hours_a_day_are_approved_by_themselves(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    first, second = world.told(person, 5), world.told(person, 4, DAY - 5 * HOUR)
    assert [world.record(key).over_cap for key in (first, second)] == [False, True]
    done, left = world.do(serving.confirm_many, specialist, [first, second])
    assert (done, left) == ([first], {second: "over"})
    assert world.refused(serving.confirm, specialist, second) == "over"
    world.do(serving.confirm, specialist, second, over=True)
    assert world.record(second).over_cap and world.minutes(person) == 540 and world.whole()


def test_refusing_one_makes_room_for_the_other(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    first, second = world.told(person, 5), world.told(person, 4, DAY - 5 * HOUR)
    world.do(serving.refuse, specialist, first, "不是这天")
    assert not world.record(second).over_cap
    world.do(serving.confirm, specialist, second)


def test_who_leads_an_activity_approves_nothing_above_the_most(world: Hours) -> None:

    person, leader = world.volunteer(), world.volunteer()
    with world.database.write() as session:
        row = Activity(
            number="1",
            name="画画",
            county=TIANHE,
            leader_id=leader,
            content="culture",
            starts_at=TEN - DAY,
            ends_at=TEN - DAY + 10 * HOUR,
            made_by=leader,
            made_at=TEN,
        )
        session.add(row)
    key = world.told(person, 9, activity_id=row.id)
    assert world.refused(serving.confirm, leader, key, over=True) == "over"
    short = world.told(person, 1, DAY - 10 * HOUR, activity_id=row.id)
    world.do(serving.confirm, leader, short)
    world.do(serving.confirm, world.specialist(), key, over=True)


# What waits


def test_what_has_waited_for_two_days_is_counted(world: Hours, clock: StoppedClock) -> None:
    person, specialist = world.volunteer(), world.specialist()
    old = world.told(person, 1)
    clock.pass_time(48 * HOUR)
    world.told(person, 1, DAY - 2 * HOUR)
    with world.database.read() as session:
        assert [row.id for row in serving.unconfirmed_since(session, specialist, 48)] == [old]
        assert serving.count_waiting(session, specialist) == 2


# A forgotten check-out


def test_a_forgotten_check_out_asks_and_then_goes_on_as_it_is(world: Hours, clock: StoppedClock) -> None:

    person = world.volunteer()
    key = world.do(serving.check_in, person, DOING).id
    assert world.do(lambda session: forgotten.ask(session, [key])) == 0, "not yet"
    clock.pass_time(3 * HOUR)
    for _ in range(2):
        world.do(lambda session: forgotten.ask(session, forgotten.overdue(session)))
    assert (world.record(key).state, world.record(key).ends_at) == (ASKED, TEN + 2 * HOUR)
    with world.database.read() as session:
        kinds = session.exec(select(OutboxMessage.kind).where(OutboxMessage.person_id == person)).all()
        assert kinds == ["notice.check_out_asked"]
    world.do(serving.check_in, person, DOING)  # it stands in nobody's way
    clock.pass_time(2 * DAY)
    for _ in range(2):
        world.do(lambda session: forgotten.pass_on(session, forgotten.unanswered(session)))
    row = world.record(key)
    assert (row.state, row.minutes, row.end_assumed) == (WAITING, 120, True)


def test_the_question_is_answered_or_it_goes_on(world: Hours, clock: StoppedClock) -> None:

    person = world.volunteer()
    key = world.do(serving.check_in, person, DOING).id
    clock.pass_time(3 * HOUR)
    world.do(lambda session: forgotten.ask(session, forgotten.overdue(session)))
    world.do(serving.go_on, person, key, TEN + 4 * HOUR)
    assert world.record(key).state == RUNNING
    assert world.refused(serving.settle, world.volunteer(), key, TEN + HOUR) == "scope"
    world.do(serving.settle, person, key, TEN + 2.5 * HOUR)
    row = world.record(key)
    assert (row.state, row.minutes, row.end_assumed) == (WAITING, 150, False)
    assert world.refused(serving.settle, person, key, TEN + HOUR) == "state"
