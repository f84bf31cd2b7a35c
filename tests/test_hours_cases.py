"""我的时长有误: who is told, who answers, until when, and who hears that it is late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from models import hours_cases, serving
from models.database import Database
from models.outbox import OutboxMessage
from models.service import HoursCase
from models.serving import ServiceError
from models.team import Team
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU
from tests.test_service_records import DAY, Hours


@pytest.fixture
def world(database: Database) -> Hours:
    return Hours(database)


def opened(world: Hours, person: str, record: str | None = None, month: str = "", words: str = "少了两个小时") -> str:
    return world.do(hours_cases.open_case, person, words, record, month).id


def test_a_case_goes_to_whoever_answers_for_the_volunteer(world: Hours) -> None:
    person, specialist, other = world.volunteer(), world.specialist(), world.specialist(YUEXIU)
    key = opened(world, person, world.told(person, 2))
    assert world.told_kinds(specialist) == ["notice.hours_case"] and world.told_kinds(other) == []
    with world.database.read() as session:
        assert [case.id for case in hours_cases.waiting_cases(session, specialist)] == [key]
        assert hours_cases.waiting_cases(session, other) == []
        assert hours_cases.waiting_cases(session, person) == []
        assert hours_cases.said(session, session.get_one(HoursCase, key)) == "少了两个小时"


def test_the_teams_specialist_is_told_first(world: Hours) -> None:
    person, county = world.volunteer(), world.specialist()
    number = world.one(Team, world.team(person)).number
    own = world.specialist(number, kind="team")
    key = opened(world, person)
    assert world.told_kinds(own) == ["notice.hours_case"] and world.told_kinds(county) == []
    world.do(hours_cases.answer, own, key, "查过了")
    assert "notice.hours_case_answered" in world.told_kinds(person)


def test_nobody_answers_oneself_and_nobody_else_does_either(world: Hours) -> None:
    person = world.volunteer()
    world.give_role(person)
    key = opened(world, person)
    assert world.refused(hours_cases.answer, person, key, "对") == "self"
    assert world.refused(hours_cases.answer, world.specialist(YUEXIU), key, "对") == "scope"
    specialist = world.specialist()
    assert world.refused(hours_cases.answer, specialist, key, "  ") == "why"
    world.do(hours_cases.answer, specialist, key, "查过了")
    assert world.refused(hours_cases.answer, specialist, key, "再说") == "state"
    assert world.refused(hours_cases.withdraw, person, key) == "state"


def test_one_case_about_one_thing_and_not_too_many(world: Hours) -> None:
    person = world.volunteer()
    record = world.told(person, 2)
    opened(world, person, record)
    assert world.refused(hours_cases.open_case, person, "又", record) == "state"
    first = opened(world, person, month="2026-10")
    for month in ("2026-09", "2026-08", "2026-07"):
        opened(world, person, month=month)
    assert world.refused(hours_cases.open_case, person, "又", None, "2026-06") == "state"
    world.do(hours_cases.withdraw, person, first)
    opened(world, person, month="2026-10")
    assert world.refused(hours_cases.open_case, world.volunteer(), "别人的", record) == "scope"
    assert world.refused(hours_cases.open_case, world.person(), "不是志愿者") == "scope"
    assert world.refused(hours_cases.open_case, person, "没有", "none") == "gone"


def test_the_answer_is_due_in_five_working_days_of_china(world: Hours, clock: StoppedClock) -> None:
    """29 September 2026 is a Tuesday; the first week of October is a holiday, and 10 October a working Saturday."""
    clock.at = datetime(2026, 9, 29, 2, tzinfo=UTC)
    person = world.volunteer(zone="America/New_York")
    case = world.one(HoursCase, opened(world, person))
    assert case.due_on == date(2026, 10, 10) or case.due_on > date(2026, 10, 8)
    assert (case.due_on - date(2026, 9, 29)).days > 7


def test_a_late_one_is_told_to_the_county_once(world: Hours, clock: StoppedClock) -> None:
    person, specialist = world.volunteer(), world.specialist()
    organiser, city = world.specialist(TIANHE, "organiser"), world.specialist("4401", "organiser")
    key = opened(world, person)
    due = world.one(HoursCase, key).due_on
    clock.at = datetime(due.year, due.month, due.day, 10, tzinfo=UTC)
    assert world.do(lambda session: hours_cases.tell_late(session, hours_cases.late(session))) == 0
    clock.pass_time(DAY)
    for expected in (1, 0):
        assert world.do(lambda session: hours_cases.tell_late(session, hours_cases.late(session))) == expected
    assert world.told_kinds(organiser) == ["notice.hours_case_late"]
    assert "notice.hours_case_late" not in world.told_kinds(specialist) + world.told_kinds(city)
    with world.database.read() as session:
        assert [case.id for case in hours_cases.waiting_cases(session, organiser)] == [key]


def test_an_answer_with_a_correction(world: Hours) -> None:
    person, specialist = world.volunteer(), world.specialist()
    record = world.told(person, 2)
    world.do(serving.confirm, specialist, record)
    key = opened(world, person, record)
    row = world.record(record)
    world.do(serving.correct, specialist, record, row.starts_at, row.starts_at + timedelta(hours=4), "study", "查到了")
    world.do(hours_cases.answer, specialist, key, "是四个小时，改好了")
    assert world.minutes(person) == 240 and world.whole()


def test_what_is_refused_writes_nothing(world: Hours) -> None:
    person = world.volunteer()
    with world.database.write() as session, pytest.raises(ServiceError):
        hours_cases.open_case(session, person, "   ")
    with world.database.read() as session:
        assert session.exec(select(HoursCase)).all() == []
        assert session.exec(select(OutboxMessage).where(col(OutboxMessage.kind).startswith("notice.hours"))).all() == []
