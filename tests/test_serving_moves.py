"""Service records of two accounts that turn out to be one person, and of somebody whose data is deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from models import account, hours_cases, serving
from models.copy import copy_of
from models.database import Database
from models.erasure import delete_person
from models.hours_ledger import entries_of, minutes_of
from models.person import Person, doors
from models.service import CONFIRMED, REFUSED, VOID, WAITING, HoursCase
from models.serving import Doing
from tests.conftest import StoppedClock
from tests.test_service_records import DAY, HOUR, Hours

PHONE = "+8613800138000"


@pytest.fixture
def world(database: Database) -> Hours:
    return Hours(database)


def join(world: Hours, gone: str, stays: str) -> None:
    with world.database.write() as session:
        account.join(session, session.get_one(Person, gone), session.get_one(Person, stays), "bind")


def part(world: Hours, stays: str) -> None:
    with world.database.write() as session:
        brought = list(doors(session, stays))
        row = session.exec(select(account.Join)).one()
        door = next(one for one in brought if one.id in row.moved["door"])
        account.part(session, session.get_one(Person, stays), door.id)


def two(world: Hours) -> tuple[str, str]:
    one, other = (world.volunteer(phone=PHONE) for _ in range(2))
    return one, other


def test_of_two_records_of_one_time_one_counts_and_comes_back_when_they_part(world: Hours) -> None:
    one, other = two(world)
    specialist = world.specialist()
    first, second, free = world.told(one, 2), world.told(other, 3), world.told(one, 1, 3 * DAY)
    for key in (first, second, free):
        world.do(serving.confirm, specialist, key)
    join(world, one, other)
    states = {world.record(key).state for key in (first, second)}
    assert states == {CONFIRMED, REFUSED} and world.record(free).state == CONFIRMED
    assert world.minutes(other) == 60 + (180 if world.record(second).state == CONFIRMED else 120)
    assert world.whole()
    lost = next(key for key in (first, second) if world.record(key).state == REFUSED)
    assert world.record(lost).decided_why == "merged"
    assert world.refused(serving.correct, specialist, lost, *_times(world, lost), "study", "还要") == "overlap"
    part(world, other)
    assert world.record(lost).state == WAITING
    world.do(serving.confirm, specialist, lost)
    assert world.minutes(one) + world.minutes(other) == 120 + 180 + 60 and world.whole()


def _times(world: Hours, key: str) -> tuple[datetime, datetime | None]:
    row = world.record(key)
    return row.starts_at, row.ends_at


def test_what_is_checked_in_stays_before_what_was_told(world: Hours, clock: StoppedClock) -> None:
    one, other = two(world)
    running = world.do(serving.check_in, one, Doing("study", "station")).id
    clock.pass_time(HOUR)
    told = world.do(serving.tell, other, serving.Told("study", clock.at - HOUR, clock.at - timedelta(minutes=20))).id
    join(world, one, other)
    assert (world.record(running).state, world.record(told).state) == (VOID, WAITING), "what is known to be over stays"


def test_what_one_confirmed_for_the_other_waits_again(world: Hours) -> None:
    one, other = two(world)
    world.give_role(other)
    key = world.told(one, 2)
    assert world.refused(serving.confirm, other, key) == "self", "the same number and birth date"
    follower, plain = world.person(), world.told(one, 1, 3 * DAY)
    world.give_role(follower)
    world.do(serving.confirm, follower, plain)
    assert world.minutes(one) == 60
    join(world, follower, one)
    assert world.record(plain).state == WAITING and world.minutes(one) == 0 and world.whole()
    assert [why for _day, _minutes, why in world.entries(plain)] == ["confirmed", "together"]


def test_two_accounts_together_above_the_most_are_looked_at_again(world: Hours) -> None:
    one, other = two(world)
    specialist = world.specialist()
    first = world.told(one, 8)
    second = world.told(other, 3, DAY - 8 * HOUR)
    for key in (first, second):
        world.do(serving.confirm, specialist, key)
    join(world, one, other)
    assert sorted(world.record(key).state for key in (first, second)) == [CONFIRMED, WAITING]
    waits = next(key for key in (first, second) if world.record(key).state == WAITING)
    assert world.record(waits).over_cap
    assert world.refused(serving.confirm, specialist, waits) == "over"
    world.do(serving.confirm, specialist, waits, over=True)
    assert world.minutes(other) == 660 and world.whole()


def test_who_has_their_data_deleted_leaves_the_record_without_words_or_account(
    world: Hours, clock: StoppedClock
) -> None:
    person, specialist = world.volunteer(), world.specialist()
    world.specialist("44", "organiser")
    kept = world.told(person, 2, note="说的话")
    waiting = world.told(person, 1, 3 * DAY)
    world.do(serving.confirm, specialist, kept)
    running = world.do(serving.check_in, person, Doing("study", "station")).id
    case = world.do(hours_cases.open_case, person, "少了", kept).id
    with world.database.read() as session:
        shown = {section.title: section.rows for section in copy_of(session, person)}
        values = [row.value for row in shown["服务时长"]]
        assert "说的话" in values and any("2 h" in value for value in values if isinstance(value, tuple))
        assert sum(row.label == "时长台账" for row in shown["服务时长"]) == 1
        assert [row.value for row in shown["提过的“时长有误”"]][1] == "少了"
    with world.database.write() as session:
        fresh = delete_person(session, session.get_one(Person, person)).id
    with world.database.read() as session:
        assert doors(session, person) == [] and len(doors(session, fresh)) == 1
        row = world.record(kept)
        assert (row.state, row.note_sealed, row.minutes) == (CONFIRMED, None, 120)
        assert minutes_of(session, person) == 120 and len(entries_of(session, person)) == 1
        assert minutes_of(session, fresh) == 0 and not any(s.title == "服务时长" for s in copy_of(session, fresh))
        assert session.get_one(HoursCase, case).state == "withdrawn"
        assert session.get_one(HoursCase, case).said_sealed is None
    assert world.record(running).state == VOID
    world.do(serving.confirm, specialist, waiting)
    clock.pass_time(HOUR)
    assert world.whole()
