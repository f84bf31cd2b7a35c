"""Who hears of a decision about hours, and what the family may say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import hours_told, serving
from models.database import Database
from models.family_consent import FamilyDoor
from models.service import ServiceRecord
from scheduler import jobs
from tests.conftest import START, StoppedClock
from tests.pairing_world import World
from tests.test_service_records import DAY, HOUR, Hours


@pytest.fixture
def world(database: Database) -> Hours:
    return Hours(database)


def door(world: World, beneficiary: str, person: str) -> None:
    with world.database.write() as session:
        session.add(
            FamilyDoor(
                beneficiary_id=beneficiary,
                holder="guardian",
                issued_by="machine",
                issued_at=START,
                expires_at=START,
                person_id=person,
                bound_at=START,
            )
        )


def test_many_decisions_are_one_message(world: Hours, clock: StoppedClock) -> None:
    person, other, specialist = world.volunteer(), world.volunteer(), world.specialist()
    records = [world.told(person, 1, DAY * day) for day in (1, 2, 3)]
    for key in records[:2]:
        world.do(serving.confirm, specialist, key)
        clock.pass_time(HOUR / 60)
    world.do(serving.refuse, specialist, records[2], "没有来")
    assert world.run(jobs.tell_hours) == 0, "perhaps more is decided in a moment"
    clock.pass_time(hours_told.SETTLED)
    assert world.run(jobs.tell_hours) == 1
    assert world.run(jobs.tell_hours) == 0
    assert world.told_kinds(person) == ["notice.hours_decided"] and world.told_kinds(other) == []
    row = world.record(records[0])
    world.do(serving.correct, specialist, row.id, row.starts_at, row.starts_at + 2 * HOUR, "study", "两个小时")
    clock.pass_time(HOUR)
    assert world.run(jobs.tell_hours) == 1
    assert world.told_kinds(person) == ["notice.hours_decided"] * 2, "a change is told again"


@pytest.fixture
def visited(world: Hours, clock: StoppedClock) -> tuple[Hours, str, str, str, str]:
    """A confirmed visit: world, family's phone, beneficiary, record, specialist."""
    person, specialist, somebody = world.volunteer(), world.specialist(), world.beneficiary()
    stint = world.paired(somebody, person, specialist)
    phone = world.person()
    door(world, somebody, phone)
    clock.pass_time(DAY)
    key = world.told(person, 1, two_hours_ago(clock), stint_id=stint)
    world.do(serving.confirm, specialist, key)
    clock.pass_time(HOUR)
    world.run(jobs.tell_hours)
    return world, phone, somebody, key, specialist


def two_hours_ago(clock: StoppedClock) -> timedelta:
    """So that the service began two hours before now."""
    return START - (clock.at - 2 * HOUR)


def test_the_family_is_asked_once_a_week_and_answers_in_one_tap(
    visited: tuple[Hours, str, str, str, str], clock: StoppedClock
) -> None:
    world, phone, _somebody, key, specialist = visited
    assert world.told_kinds(phone) == ["notice.family_asked"]
    row = world.record(key)
    second = world.told(row.person_id, 1, START - row.ends_at, stint_id=row.stint_id)  # type: ignore[operator]
    world.do(serving.confirm, specialist, second)
    clock.pass_time(HOUR)
    world.run(jobs.tell_hours)
    assert world.told_kinds(phone) == ["notice.family_asked"]
    before = world.told_kinds(specialist)
    assert world.do(hours_told.family_says, phone, key, "good")
    assert world.record(key).family_said == "good" and world.told_kinds(specialist) == before
    assert world.do(hours_told.family_says, phone, key, "change")
    assert world.told_kinds(specialist) == [*before, "notice.family_said"], "at once"
    assert world.record(key).family_said == "change"
    assert "notice.family_said" not in world.told_kinds(row.person_id)


def test_only_the_familys_own_phone_says_it(visited: tuple[Hours, str, str, str, str]) -> None:
    world, phone, somebody, key, specialist = visited
    row = world.record(key)
    assert not world.do(hours_told.family_says, row.person_id, key, "good")
    assert not world.do(hours_told.family_says, specialist, key, "good")
    assert not world.do(hours_told.family_says, phone, key, "wonderful")
    assert not world.do(hours_told.family_says, phone, "none", "good")
    door(world, somebody, row.person_id)
    assert not world.do(hours_told.family_says, row.person_id, key, "good"), "nobody praises oneself"
    assert world.one(ServiceRecord, key).family_said is None


def test_nobody_is_asked_about_the_dead_nor_about_what_is_long_ago(world: Hours, clock: StoppedClock) -> None:
    person, specialist = world.volunteer(), world.specialist()
    gone, late = world.beneficiary(), world.beneficiary()
    stints = [world.paired(one, person, specialist) for one in (gone, late)]
    phones = [world.person() for _ in range(2)]
    for one, phone in zip((gone, late), phones, strict=True):
        door(world, one, phone)
    clock.pass_time(DAY)
    first = world.told(person, 1, two_hours_ago(clock), stint_id=stints[0])
    second = world.told(person, 1, two_hours_ago(clock) + HOUR, stint_id=stints[1])
    world.do(serving.confirm, specialist, first)
    world.becomes(gone, "died")
    clock.pass_time(20 * DAY)
    world.do(serving.confirm, specialist, second)
    clock.pass_time(HOUR)
    world.run(jobs.tell_hours)
    assert all("notice.family_asked" not in world.told_kinds(phone) for phone in phones)
