"""The calendar of owed visits: due days, late starts, spacing, and on which day who is reminded or told."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.catalogue import rules
from models import visit_days
from models.visit import LATE_START, SPACING
from models.visit_days import Half, Step, first_step, following, half_of, halves, plan, step_day, taken
from models.workdays import is_workday

DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))
ONE = timedelta(days=1)


def day(words: str) -> date:
    return date.fromisoformat(words)


@pytest.mark.parametrize(
    ("half", "student", "due"),
    [
        (Half(2026, 1), True, "2026-05-31"),
        (Half(2026, 2), True, "2026-11-30"),
        (Half(2026, 1), False, "2026-06-30"),
        (Half(2028, 2), False, "2028-12-31"),
    ],
)
def test_students_are_due_a_month_earlier(half: Half, student: bool, due: str) -> None:
    assert visit_days.due_day(half, student=student) == day(due)


@pytest.mark.parametrize(
    ("began", "student", "due", "late"),
    [
        ("2026-01-01", False, "2026-06-30", False),
        ("2026-05-16", False, "2026-06-30", False),  # 45 days before it
        ("2026-05-17", False, "2026-07-01", True),
        ("2026-04-16", True, "2026-05-31", False),
        ("2026-04-20", True, "2026-06-30", True),  # by the half's end, which is later
        ("2026-06-30", True, "2026-08-14", True),
        ("2026-12-20", False, "2027-02-03", True),
        ("2028-02-29", False, "2028-06-30", False),
    ],
)
def test_a_late_start_owes_what_is_left(began: str, student: bool, due: str, late: bool) -> None:
    found = plan(half_of(day(began)), student=student, began=day(began))
    assert found == visit_days.Plan(day(began), day(due), (LATE_START,) if late else ())


def test_sixty_days_lie_between_two_visits() -> None:
    found = plan(Half(2026, 2), student=False, last_made=day("2026-06-30"))
    assert found == visit_days.Plan(day("2026-08-29"), day("2026-12-31"), ())
    assert plan(Half(2026, 2), student=False, last_made=day("2026-03-01")).opens_on == day("2026-07-01")
    leap = plan(Half(2028, 1), student=False, last_made=day("2027-12-31"))
    assert leap.opens_on == day("2028-02-29")


def test_the_spacing_yields_to_the_due_day_and_says_so() -> None:
    found = plan(Half(2026, 2), student=True, last_made=day("2026-11-02"))
    assert found == visit_days.Plan(day("2026-11-30"), day("2026-11-30"), (SPACING,))
    assert plan(Half(2026, 2), student=True, last_made=day("2026-10-01")).flags == ()


def test_reminders_and_what_follows_when_it_is_overdue() -> None:
    due = day("2026-06-30")
    told = [step_day(due, number).isoformat() for number in range(visit_days.steps())]
    assert told == [
        "2026-05-16",
        "2026-06-09",
        "2026-06-23",
        "2026-06-30",
        "2026-07-03",
        "2026-07-07",
        "2026-07-14",
        "2026-07-21",
        "2026-07-28",
    ]


def test_who_is_at_work_is_told_on_working_days() -> None:
    # 7 days after 30 September are in the holidays of the National Day, in 2026 up to the 7th.
    assert step_day(day("2026-09-30"), 5) == day("2026-10-08")
    assert step_day(day("2026-09-30"), 4) == day("2026-10-03")  # the volunteer is told on any day


def test_a_day_of_a_calendar_that_is_not_announced_is_provisional() -> None:
    assert visit_days.is_provisional(day("2035-06-30"), 5)
    assert not visit_days.is_provisional(day("2035-06-30"), 3)
    assert not visit_days.is_provisional(day("2026-06-30"), 5)


def test_steps_that_are_past_when_it_is_made_are_passed_over() -> None:
    due = day("2026-06-30")
    assert first_step(day("2026-01-01"), due, day("2026-01-01")) == Step(0, day("2026-05-16"))
    assert first_step(day("2026-01-01"), due, day("2026-05-16")) == Step(0, day("2026-05-16"))
    assert first_step(day("2026-01-01"), due, day("2026-05-17")) == Step(1, day("2026-06-09"))
    assert first_step(day("2026-01-01"), due, day("2026-07-01")) == Step(4, day("2026-07-03"))
    assert first_step(day("2026-01-01"), due, day("2026-08-01")) == Step(4, day("2026-08-01"))


def test_nobody_is_reminded_long_before_the_visit_may_be_made() -> None:
    due = day("2026-11-30")
    assert first_step(due, due, day("2026-07-01")) == Step(2, day("2026-11-23"))


def test_after_down_time_the_volunteer_gets_the_last_reminder_only() -> None:
    due = day("2026-06-30")
    assert taken(due, 0, day("2026-06-24")) == 2
    assert taken(due, 0, day("2026-05-16")) == 0
    assert taken(due, 0, day("2026-12-01")) == 4
    assert taken(due, 6, day("2026-12-01")) == 6  # each step of the overdue has receivers of its own


def test_the_steps_of_the_overdue_keep_their_distance_however_late_it_is() -> None:
    due, found, today = day("2026-06-30"), [], day("2026-12-01")
    step: Step | None = Step(4, today)
    while step is not None:
        found.append((step.number, step.on.isoformat()))
        step = following(due, step.number, step.on)
    assert found == [(4, "2026-12-01"), (5, "2026-12-07"), (6, "2026-12-14"), (7, "2026-12-21"), (8, "2026-12-28")]


def test_who_takes_over_what_is_overdue_hears_of_it_and_the_others_count_from_then() -> None:
    due, today = day("2026-06-30"), day("2026-08-10")
    assert visit_days.anew(due, 8, today) == Step(4, day("2026-08-13"))
    assert visit_days.anew(due, 2, day("2026-06-20")) == Step(2, day("2026-06-23"))
    assert visit_days.anew(due, 4, due + ONE) == Step(4, day("2026-07-04"))


@given(DAYS, st.booleans(), st.one_of(st.none(), st.integers(0, 200)))
def test_what_is_owed_can_be_made(began: date, student: bool, before: int | None) -> None:
    """It may be made before it is due, is due in its half or within the days of a late start, and is spaced or says
    that it is not."""
    half = half_of(began)
    last_made = None if before is None else began - before * ONE
    found = plan(half, student=student, began=began, last_made=last_made)
    late = began + timedelta(days=rules().visits.late_start_days)
    assert began <= found.opens_on <= found.due_on
    assert found.due_on in (visit_days.due_day(half, student=student), half.last, late)
    assert found.due_on >= min(late, visit_days.due_day(half, student=student))
    assert (LATE_START in found.flags) == (found.due_on != visit_days.due_day(half, student=student))
    if last_made is not None and SPACING not in found.flags:
        assert (found.opens_on - last_made).days >= rules().visits.spacing_days
    if SPACING in found.flags:
        assert found.opens_on == found.due_on
    # Due days of one served person never cross.
    assert found.due_on < visit_days.due_day(half.next, student=True)


@given(DAYS, DAYS)
def test_halves_follow_each_other_without_a_gap(one: date, other: date) -> None:
    found = list(halves(half_of(min(one, other)), half_of(max(one, other))))
    assert found[0].first <= min(one, other) and max(one, other) <= found[-1].last
    assert all(a.last + ONE == b.first for a, b in pairwise(found))


@given(DAYS, st.integers(0, 400), st.integers(0, 200), st.data())
def test_each_step_is_taken_once_at_most_and_never_two_on_one_day(
    due: date, ahead: int, notice: int, data: st.DataObject
) -> None:
    """A job that runs on any days, whatever it missed."""
    today = due - ahead * ONE
    opens = min(due, max(today, due - notice * ONE))
    step: Step | None = first_step(opens, due, today)
    told: list[int] = []
    days: list[date] = []
    while step is not None:
        today = max(today, step.on) + data.draw(st.integers(0, 40)) * ONE
        number = taken(due, step.number, today)
        assert step_day(due, number) <= today or number == step.number
        told.append(number)
        days.append(today)
        step = following(due, number, today)
        assert step is None or step.on > today
        if step is not None and step.number > visit_days.overdue_step():
            assert is_workday(step.on)
    assert told == sorted(set(told)) and days == sorted(set(days))
    assert set(range(visit_days.overdue_step(), visit_days.steps())) <= set(told)  # nobody above is left out
