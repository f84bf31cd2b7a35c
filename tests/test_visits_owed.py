"""Which visits are owed: planned in sets, at the opening of a pairing and for everybody, neither doubled nor lost."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from models import beneficiary_merging, visit_days, visit_reporting, visiting, visits_owed
from models.beneficiary import MACHINE
from models.database import Database, now_of
from models.pairing import LEAD, OPEN, Stint
from models.stints import end_stint, open_stint
from models.team import Team
from models.visit import LATE_START, OWED, SPACING, VOID, Booking, Visit, VisitPlan
from models.visit_days import Half, half_of
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def at(words: str) -> datetime:
    """Nine in the morning in China."""
    return datetime.fromisoformat(words + "T01:00:00").replace(tzinfo=UTC)


def visits(world: World, **told: Any) -> list[Visit]:
    query = select(Visit)
    for name, value in told.items():
        query = query.where(getattr(Visit, name) == value)
    with world.database.read() as session:
        return list(session.exec(query.order_by(col(Visit.year), col(Visit.half), col(Visit.id))))


def put(world: World, served: str | None, person: str | None, *, opened: datetime, **told: Any) -> str:
    """An open pairing, straight into the table: nothing is planned by it."""
    with world.database.write() as session:
        usual: dict[str, Any] = {"state": OPEN, "part": LEAD, "activities": 12, "relay_months": 12, "made_by": MACHINE}
        row = Stint(beneficiary_id=served, person_id=person, made_at=opened, opened_at=opened, **usual | told)
        session.add(row)
        return row.id


def test_a_pairing_that_opens_owes_its_visit_at_once(world: World, clock: StoppedClock) -> None:
    by, person = world.specialist(), world.volunteer()
    served = world.beneficiary()
    stint = world.paired(served, person, by)
    [visit] = visits(world)
    assert (visit.beneficiary_id, visit.stint_id, visit.county) == (served, stint, TIANHE)
    assert (visit.year, visit.half, visit.opens_on) == (2026, 2, date(2026, 11, 22))
    # On 22 November fewer than 45 days are left of the half.
    assert (visit.due_on, visit.flags) == (date(2027, 1, 6), [LATE_START])
    assert (visit.steps, visit.next_on) == (0, date(2026, 11, 22))


def test_a_half_is_planned_for_everybody_in_slices_once(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    stints = {put(world, world.beneficiary(), person, opened=at("2026-03-01")) for _ in range(7)}
    with world.database.write() as session:
        [half] = visits_owed.to_plan(session)
        assert half == Half(2026, 2)
        assert visits_owed.plan(session, half, 3) == 3
    assert jobs.plan_visits(world.database) == 4
    assert jobs.plan_visits(world.database) == 0
    found = visits(world)
    assert {one.stint_id for one in found} == stints and len(found) == 7
    assert {(one.year, one.half, one.due_on, one.opens_on) for one in found} == {
        (2026, 2, date(2026, 12, 31), date(2026, 7, 1))
    }
    assert len({one.id for one in found}) == 7 and all(len(one.id) == 32 for one in found)
    with world.database.write() as session:
        assert visits_owed.to_plan(session) == []


def test_planning_again_from_the_beginning_changes_nothing(world: World) -> None:
    put(world, world.beneficiary(), world.volunteer(), opened=at("2026-03-01"))
    jobs.plan_visits(world.database)
    before = visits(world)
    with world.database.write() as session:
        row = session.exec(select(VisitPlan)).one()
        row.after, row.done_at = "", None
        session.add(row)
    jobs.plan_visits(world.database)
    assert [one.model_dump() for one in visits(world)] == [one.model_dump() for one in before]


def test_what_was_missed_while_it_was_down_is_caught_up_with(world: World, clock: StoppedClock) -> None:
    stint = put(world, world.beneficiary(), world.volunteer(), opened=at("2026-03-01"))
    jobs.plan_visits(world.database)
    clock.at = at("2028-02-29")
    jobs.plan_visits(world.database)
    found = [(one.year, one.half, one.due_on, one.steps) for one in visits(world, stint_id=stint)]
    assert found == [
        (2026, 2, date(2026, 12, 31), 1),
        (2027, 1, date(2027, 6, 30), 4),  # overdue when it is made: it begins with the volunteer
        (2027, 2, date(2027, 12, 31), 4),
        (2028, 1, date(2028, 6, 30), 0),
    ]


def test_nothing_is_owed_for_the_time_before_the_programme_asked_for_visits(world: World) -> None:
    put(world, world.beneficiary(), world.volunteer(), opened=at("2024-03-01"))
    jobs.plan_visits(world.database)
    assert [(one.year, one.half) for one in visits(world)] == [(2026, 2)]


def test_students_are_due_earlier_and_institutions_are_visited_too(world: World) -> None:
    person, house = world.volunteer(), world.institution()
    team = world.team(person)
    with world.database.write() as session:
        row = session.get_one(Team, team)
        row.kind = "student"
        session.add(row)
    put(world, None, None, opened=at("2026-03-01"), institution_id=house, team_id=team)
    jobs.plan_visits(world.database)
    [visit] = visits(world)
    assert (visit.institution_id, visit.beneficiary_id, visit.due_on) == (house, None, date(2026, 11, 30))


def test_a_visit_made_late_spaces_the_one_of_the_next_half(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    one, other = (put(world, world.beneficiary(), person, opened=at("2026-03-01")) for _ in range(2))
    jobs.plan_visits(world.database)
    clock.at = at("2026-12-20")
    world.do(visit_reporting.report, person, visit_reporting.Report(one, at("2026-12-20"), "home"))
    clock.at = at("2027-01-01")
    jobs.plan_visits(world.database)
    spaced, plain = (visits(world, stint_id=stint)[-1] for stint in (one, other))
    assert (spaced.year, spaced.half, spaced.opens_on, spaced.flags) == (2027, 1, date(2027, 2, 18), [])
    assert plain.opens_on == date(2027, 1, 1)


def test_a_visit_made_when_the_next_one_is_owed_already_spaces_it(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    stint = put(world, world.beneficiary(), person, opened=at("2026-03-01"))
    jobs.plan_visits(world.database)
    clock.at = at("2027-06-10")
    jobs.plan_visits(world.database)
    world.do(visit_reporting.report, person, visit_reporting.Report(stint, at("2027-06-10"), "home"))
    made, owed = visits(world, stint_id=stint)
    assert (made.year, made.state, made.made_on) == (2026, "made", date(2027, 6, 10))
    assert (owed.opens_on, owed.due_on, owed.flags) == (date(2027, 6, 30), date(2027, 6, 30), [SPACING])
    assert owed.next_on == date(2027, 6, 23)


def test_the_obligation_stays_when_the_pairing_is_handed_over(world: World, clock: StoppedClock) -> None:
    clock.at = at("2026-08-01")
    by, first, second = world.specialist(), world.volunteer(), world.volunteer()
    served = world.beneficiary()
    stint = world.paired(served, first, by)
    [before] = visits(world)
    with world.database.write() as session:
        old = session.get_one(Stint, stint)
        new = Stint(
            beneficiary_id=served,
            person_id=second,
            activities=12,
            relay_months=12,
            follows_id=old.id,
            made_by=by,
            made_at=now_of(session),
        )
        session.add(new)
        session.flush()
        open_stint(session, new, date(2027, 8, 1))
        follower = new.id
    [after] = visits(world)
    assert (after.id, after.due_on, after.opens_on) == (before.id, before.due_on, before.opens_on)
    assert (before.stint_id, after.stint_id) == (stint, follower)


def test_one_who_takes_over_what_is_overdue_is_told_of_it(world: World, clock: StoppedClock) -> None:
    by, first = world.specialist(), world.volunteer()
    served = world.beneficiary()
    stint = put(world, served, first, opened=at("2026-03-01"))
    jobs.plan_visits(world.database)
    clock.at = at("2027-01-20")
    jobs.plan_visits(world.database)
    with world.database.write() as session:
        old = session.get_one(Stint, stint)
        end_stint(session, old, "stopped", first)
    assert {one.stint_id for one in visits(world)} == {None}
    clock.at = at("2027-02-10")
    new = world.paired(served, world.volunteer(), by)
    late, owed = visits(world)
    assert (late.stint_id, late.steps, late.next_on) == (new, 4, date(2027, 2, 13))
    assert (owed.stint_id, owed.due_on) == (new, date(2027, 6, 30))


def test_who_goes_on_for_another_term_keeps_what_is_booked(world: World, clock: StoppedClock) -> None:
    clock.at = at("2026-08-01")
    by, person = world.specialist(), world.volunteer()
    served = world.beneficiary()
    stint = world.paired(served, person, by)
    booking = world.do(visiting.book, person, stint, at("2026-08-20"))
    [visit] = visits(world)
    with world.database.write() as session:
        new = Stint(
            beneficiary_id=served,
            person_id=person,
            activities=12,
            relay_months=12,
            follows_id=stint,
            made_by=by,
            made_at=now_of(session),
        )
        session.add(new)
        session.flush()
        open_stint(session, new, date(2027, 8, 1))
        follower = new.id
    [after] = visits(world)
    assert (after.next_on, after.stint_id) == (visit.next_on, follower)
    kept = world.one(Booking, booking.id)
    assert (kept.state, kept.stint_id) == ("standing", follower)


def test_a_booking_ends_with_the_pairing(world: World, clock: StoppedClock) -> None:
    clock.at = at("2026-08-01")
    person = world.volunteer()
    stint = world.paired(world.beneficiary(), person, world.specialist())
    booking = world.do(visiting.book, person, stint, at("2026-08-20"))
    with world.database.write() as session:
        end_stint(session, session.get_one(Stint, stint), "stopped", person)
    assert world.one(Booking, booking.id).state == "cancelled"
    [visit] = visits(world)
    assert (visit.state, visit.stint_id) == (OWED, None)


@pytest.mark.parametrize("status", ["died", "moved"])
def test_who_has_left_the_ledger_is_owed_nothing(world: World, status: str) -> None:
    served = world.beneficiary()
    world.paired(served, world.volunteer(), world.specialist())
    world.becomes(served, status)
    [visit] = visits(world)
    assert (visit.state, visit.why, visit.next_on) == (VOID, "gone", None)


def test_who_comes_back_and_is_paired_again_is_owed_it_after_all(world: World, clock: StoppedClock) -> None:
    by, served = world.specialist(), world.beneficiary()
    world.paired(served, world.volunteer(), by)
    world.becomes(served, "moved")
    world.becomes(served, "listed")
    stint = world.paired(served, world.volunteer(), by)
    [visit] = visits(world)
    assert (visit.state, visit.stint_id, visit.closed_at) == (OWED, stint, None)


def test_a_net_below_finds_those_whose_end_nobody_told(world: World) -> None:
    from models.beneficiary import Beneficiary
    from models.institution import Institution

    person, house, served = world.volunteer(), world.institution(), world.beneficiary()
    put(world, served, person, opened=at("2026-03-01"))
    put(world, None, None, opened=at("2026-03-01"), institution_id=house, team_id=world.team(person))
    jobs.plan_visits(world.database)
    assert jobs.mend_visits(world.database) == 0
    with world.database.write() as session:
        session.get_one(Beneficiary, served).status = "died"
        session.get_one(Institution, house).ended_at = now_of(session)
    assert jobs.mend_visits(world.database) == 2
    assert {one.state for one in visits(world)} == {VOID}


def test_two_rows_of_one_person_owe_one_visit_and_part_again(world: World, clock: StoppedClock) -> None:
    clock.at = at("2026-08-01")
    by, other = world.specialist(TIANHE), world.specialist(YUEXIU)
    person = world.volunteer()
    one, two = world.beneficiary(TIANHE), world.beneficiary(YUEXIU)
    stint = world.paired(one, person, by)
    ended = world.paired(two, world.volunteer(YUEXIU), other)
    with world.database.write() as session:
        end_stint(session, session.get_one(Stint, ended), "stopped", other)
    merge = world.do(beneficiary_merging.ask, one, two, by, keep=two)
    world.do(beneficiary_merging.agree, merge.id, other)
    owed = visits(world, state=OWED)
    assert [(row.beneficiary_id, row.stint_id) for row in owed] == [(two, stint)]
    world.do(beneficiary_merging.undo, merge.id, by)
    owed = visits(world, state=OWED)
    assert {(row.beneficiary_id, row.stint_id) for row in owed} == {(one, stint), (two, None)}


def test_a_visit_made_for_one_of_two_rows_counts_for_the_person(world: World, clock: StoppedClock) -> None:
    clock.at = at("2026-08-01")
    by, person = world.specialist(TIANHE), world.volunteer()
    one, two = world.beneficiary(), world.beneficiary()
    first = world.paired(one, person, by)
    second = world.paired(two, person, by)
    clock.at = at("2026-08-20")
    world.do(visit_reporting.report, person, visit_reporting.Report(first, at("2026-08-20"), "home"))
    with world.database.write() as session:
        end_stint(session, session.get_one(Stint, first), "stopped", person)
    world.do(beneficiary_merging.ask, one, two, by, keep=two)
    [row] = visits(world, beneficiary_id=two)
    assert (row.state, row.made_on, row.stint_id) == ("made", date(2026, 8, 20), second)


@pytest.mark.parametrize("seed", range(3))
def test_it_owes_what_a_simple_model_says_whatever_happens(world: World, clock: StoppedClock, seed: int) -> None:
    """Pairings begin, end and are handed over on any days of two years, and the job runs, or is down for months: every
    half in which a pairing stood, from the first planning on, is owed once, by whoever has the lead."""
    chance, person = random.Random(seed), world.volunteer()
    clock.at = at("2026-02-01")
    jobs.plan_visits(world.database)
    people = [world.beneficiary() for _ in range(4)]
    lead: dict[str, str] = {}
    owed: set[tuple[str, Half]] = set()
    for _ in range(40):
        before = visit_days.day_in_china(clock.now())
        clock.at += timedelta(days=chance.randint(1, 40))
        today = visit_days.day_in_china(clock.now())
        for half in visit_days.halves(half_of(before), half_of(today)):
            owed |= {(served, half) for served in lead}
        served = chance.choice(people)
        act = chance.choice(("open", "end", "hand over", "job"))
        with world.database.write() as session:
            if (act == "open" and served not in lead) or (act == "hand over" and served in lead):
                lead[served] = _opened(session, served, person, lead.get(served))
                owed.add((served, half_of(today)))
            elif act == "end" and served in lead:
                end_stint(session, session.get_one(Stint, lead.pop(served)), "stopped", person)
        if act == "job":
            jobs.plan_visits(world.database)
    jobs.plan_visits(world.database)
    found = visits(world)
    assert sorted((one.beneficiary_id or "", one.year, one.half) for one in found) == sorted(
        (served, half.year, half.half) for served, half in owed
    )
    assert all(one.stint_id == lead.get(one.beneficiary_id or "") for one in found)


def _opened(session: Session, served: str, person: str, before: str | None) -> str:
    new = Stint(
        beneficiary_id=served,
        person_id=person,
        activities=12,
        relay_months=12,
        follows_id=before,
        made_by=MACHINE,
        made_at=now_of(session),
    )
    session.add(new)
    session.flush()
    open_stint(session, new, date(2030, 1, 1))
    return new.id


def test_each_sees_what_is_overdue_of_their_own_region(world: World, clock: StoppedClock) -> None:
    by, city = world.specialist(), world.specialist("4401", "organiser")
    put(world, world.beneficiary(), world.volunteer(), opened=at("2026-03-01"))
    put(world, world.beneficiary(YUEXIU), world.volunteer(), opened=at("2026-03-01"))
    jobs.plan_visits(world.database)

    def seen(viewer: str, region: str = "") -> list[str]:
        return [one.county for one in world.do(visits_owed.overdue_for, viewer, region)]

    assert seen(by) == []
    clock.at = at("2027-01-01")
    assert seen(by) == [TIANHE]
    assert seen(city) == [YUEXIU, TIANHE]
    assert seen(city, TIANHE) == [TIANHE] and seen(by, YUEXIU) == []
    assert seen(world.volunteer()) == []
