"""Reminders of owed visits and what follows when they are overdue: once for each step, in sets, true when sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from models import visit_days, visit_reporting, visiting, visits_owed
from models.database import Database
from models.outbox import REMINDER, OutboxMessage
from models.pairing import SUBSTITUTE, Stint
from models.stints import end_stint
from models.team import LEADER, TeamMember
from models.visit import Visit
from models.visit_reminders import is_overtaken, told_by
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import World


def at(words: str, hour: int = 10) -> datetime:
    return datetime.fromisoformat(f"{words}T{hour:02d}:00:00+08:00").astimezone(UTC)


@pytest.fixture
def world(database: Database, clock: StoppedClock) -> World:
    clock.at = at("2026-07-01")
    return World(database)


def told(world: World, person: str, kind: str = "notice.visit") -> list[OutboxMessage]:
    query = select(OutboxMessage).where(OutboxMessage.person_id == person, OutboxMessage.kind == kind)
    with world.database.read() as session:
        return list(session.exec(query.order_by(col(OutboxMessage.created_at), col(OutboxMessage.unique_key))))


def steps(world: World, person: str) -> list[str]:
    return [told_by(row.unique_key)[1] for row in told(world, person)]


def live(world: World, clock: StoppedClock, until: str, hours: int = 12) -> None:
    """The job runs every so many hours until a day."""
    while clock.at < at(until):
        jobs.remind_of_visits(world.database)
        clock.at += timedelta(hours=hours)
    jobs.remind_of_visits(world.database)


def visit_of(world: World, served: str) -> Visit:
    with world.database.read() as session:
        return session.exec(select(Visit).where(Visit.beneficiary_id == served)).one()


def test_a_volunteer_is_reminded_four_times_and_once_more_when_it_is_overdue(world: World, clock: StoppedClock) -> None:
    by, person = world.specialist(), world.volunteer()
    served = world.beneficiary()
    world.paired(served, person, by)
    live(world, clock, "2027-02-10")
    assert steps(world, person) == ["0", "1", "2", "3", "4"]
    days = [visit_days.day_in_china(row.due_at).isoformat() for row in told(world, person)]
    assert days == ["2026-11-16", "2026-12-10", "2026-12-24", "2026-12-31", "2027-01-03"]
    for row in told(world, person):
        assert (row.state, row.priority, row.params_sealed, len(row.id)) == ("waiting", REMINDER, None, 32)
        assert row.unique_key == f"visit:{visit_of(world, served).id}:{told_by(row.unique_key)[1]}:{person}"
        assert row.line == "wechat:test"
        assert row.due_at.astimezone(visit_days.ZONE).hour >= 9
    found = told(world, by, "notice.todo")
    days = [visit_days.day_in_china(row.created_at).isoformat() for row in found]
    assert days == ["2027-01-07", "2027-01-14", "2027-01-21", "2027-01-28"]
    assert visit_of(world, served).next_on is None


def test_running_it_twice_or_beside_another_one_tells_nobody_twice(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    world.paired(world.beneficiary(), person, world.specialist())
    clock.at = at("2026-11-16")
    assert jobs.remind_of_visits(world.database) == 1
    assert jobs.remind_of_visits(world.database) == 0
    with world.database.write() as session:  # as after a crash in which the step was lost
        row = session.exec(select(Visit)).one()
        row.steps, row.next_on = 0, date(2026, 11, 16)
        session.add(row)
    jobs.remind_of_visits(world.database)
    assert steps(world, person) == ["0"]


def test_after_weeks_of_down_time_one_reminder_comes_and_not_a_heap(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    world.paired(world.beneficiary(), person, world.specialist())
    clock.at = at("2026-12-25")
    jobs.remind_of_visits(world.database)
    assert steps(world, person) == ["2"]
    live(world, clock, "2026-12-31")
    assert steps(world, person) == ["2", "3"]


def test_before_nine_it_waits_for_the_morning(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    world.paired(world.beneficiary(), person, world.specialist())
    clock.at = at("2026-11-16", 0)
    jobs.remind_of_visits(world.database)
    [row] = told(world, person)
    assert row.due_at == at("2026-11-16", 9)


def test_whoever_serves_today_is_reminded(world: World, clock: StoppedClock) -> None:
    """The substitute in the volunteer's place; of a team whoever said yes while they lead it, and then its leaders;
    while nobody is paired, whoever keeps the served one."""
    by, person, other = world.specialist(), world.volunteer(), world.volunteer()
    leader, second, third = world.volunteer(), world.volunteer(), world.volunteer()
    alone, led, unled, kept = (world.beneficiary() for _ in range(4))
    stint = world.paired(alone, person, by)
    world.paired(led, leader, by, world.team(leader))
    team = world.team(second, third)
    theirs = world.paired(unled, second, by, team)
    ended = world.paired(kept, world.volunteer(), by)
    with world.database.write() as session:
        lead = session.get_one(Stint, stint)
        usual = {"activities": 12, "relay_months": 12, "made_by": by, "made_at": lead.made_at}
        session.add(
            Stint(beneficiary_id=alone, person_id=other, part=SUBSTITUTE, state="open", follows_id=stint, **usual)
        )
        end_stint(session, session.get_one(Stint, ended), "stopped", by)
        row = session.exec(select(TeamMember).where(TeamMember.person_id == second)).one()
        row.part = "member"
        session.add(row)
        session.add(TeamMember(team_id=team, person_id=leader, part=LEADER, added_by=by, joined_at=lead.made_at))
    clock.at = at("2026-11-16")
    jobs.remind_of_visits(world.database)
    assert steps(world, person) == [] and steps(world, second) == []
    assert steps(world, other) == ["0"] and steps(world, third) == ["0"]
    assert steps(world, leader) == ["0", "0"]  # of the team they lead alone, and of the other one
    assert steps(world, by) == ["0"]
    assert visit_of(world, unled).stint_id == theirs


def test_who_is_to_be_asked_later_is_asked_then_and_the_steps_go_on(world: World, clock: StoppedClock) -> None:
    person, served = world.volunteer(), world.beneficiary()
    world.paired(served, person, world.specialist())
    live(world, clock, "2026-11-16")
    world.do(visiting.ask_later, person, visit_of(world, served).id, date(2026, 11, 25))
    live(world, clock, "2027-01-03")
    days = [
        (told_by(row.unique_key)[1], visit_days.day_in_china(row.due_at).isoformat()) for row in told(world, person)
    ]
    assert days == [
        ("0", "2026-11-16"),
        ("again", "2026-11-25"),
        ("1", "2026-12-10"),
        ("2", "2026-12-24"),
        ("3", "2026-12-31"),
        ("4", "2027-01-03"),
    ]


def test_asking_later_about_what_is_overdue_keeps_nobody_else_from_being_told(
    world: World, clock: StoppedClock
) -> None:
    by, person, served = world.specialist(), world.volunteer(), world.beneficiary()
    world.paired(served, person, by)
    live(world, clock, "2027-01-05")
    world.do(visiting.ask_later, person, visit_of(world, served).id, date(2027, 1, 9))
    assert (steps(world, person)[-1], told(world, person)[-1].due_at) == ("again", at("2027-01-09", 9))
    live(world, clock, "2027-01-07")
    assert len(told(world, by, "notice.todo")) == 1


def test_one_message_a_person_for_all_that_climb_on_one_day(world: World, clock: StoppedClock) -> None:
    by = world.specialist()
    for _ in range(3):
        world.paired(world.beneficiary(), world.volunteer(), by)
    live(world, clock, "2027-01-07")
    assert len(told(world, by, "notice.todo")) == 1


def test_the_evening_before_one_reminder_and_afterwards_the_question(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    stint = world.paired(world.beneficiary(), person, world.specialist())
    world.do(visiting.book, person, stint, at("2026-08-05", 15))
    found = []
    while clock.at < at("2026-08-06"):
        jobs.remind_of_bookings(world.database)
        for kind in ("notice.visit_eve", "notice.visit_how"):
            found += [(kind, row.created_at) for row in told(world, person, kind) if row.created_at == clock.at]
        clock.at += timedelta(hours=1)
    assert found == [("notice.visit_eve", at("2026-08-04", 19)), ("notice.visit_how", at("2026-08-05", 18))]


def test_who_books_on_the_same_evening_is_not_reminded_of_it(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    stint = world.paired(world.beneficiary(), person, world.specialist())
    clock.at = at("2026-08-04", 20)
    world.do(visiting.book, person, stint, at("2026-08-05", 15))
    clock.at = at("2026-08-04", 21)
    jobs.remind_of_bookings(world.database)
    assert told(world, person, "notice.visit_eve") == []


def test_what_is_made_or_booked_meanwhile_waits_to_be_told_no_more(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    one, two = (world.paired(world.beneficiary(), person, world.specialist()) for _ in range(2))
    clock.at = at("2026-11-16")
    jobs.remind_of_visits(world.database)
    world.do(visiting.book, person, one, at("2026-11-20"))
    world.do(visit_reporting.report, person, visit_reporting.Report(two, at("2026-11-16"), "call"))
    assert {row.state for row in told(world, person)} == {"withdrawn"}


def test_slices_are_done_one_after_the_other(world: World, clock: StoppedClock) -> None:
    person, by = world.volunteer(), world.specialist()
    team = world.team(person)
    for _ in range(5):
        world.paired(world.beneficiary(), person, by, team)
    clock.at = at("2026-11-16")
    from models import visit_reminders

    with world.database.write() as session:
        assert visit_reminders.remind(session, 2) == 2
    assert len(told(world, person)) == 2
    assert jobs.remind_of_visits(world.database) == 3
    assert len(told(world, person)) == 5
    with world.database.read() as session:
        assert visits_owed.overdue_for(session, by) == []


def test_an_asking_put_off_that_rested_until_the_next_step_is_not_said_beside_it(
    world: World, clock: StoppedClock
) -> None:
    by, person, served = world.specialist(), world.volunteer(), world.beneficiary()
    world.paired(served, person, by)
    live(world, clock, "2026-12-01")
    world.do(visiting.ask_later, person, visit_of(world, served).id, date(2026, 12, 8))
    live(world, clock, "2026-12-08")
    again = next(row.unique_key for row in told(world, person) if ":again-" in row.unique_key)
    assert not world.do(is_overtaken, visit_of(world, served), again, person)
    live(world, clock, "2026-12-11")
    assert steps(world, person)[-1] == "1"
    assert world.do(is_overtaken, visit_of(world, served), again, person)
    assert not world.do(is_overtaken, visit_of(world, served), again, by)
