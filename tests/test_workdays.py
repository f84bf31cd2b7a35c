"""Working days: holidays, make-up days, years whose calendar is not announced."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.workdays import announced, is_workday, workdays_after


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-11-23", True),
        ("2026-11-22", False),  # a Sunday
        ("2026-10-01", False),
        ("2026-10-10", True),  # a Saturday that makes up for the holiday
        ("2026-02-14", True),
        ("2026-02-16", False),
        ("2035-10-01", False),  # not announced: by law
        ("2035-05-01", False),
        ("2035-05-08", True),
        ("2036-02-29", True),
    ],
)
def test_a_day_is_a_working_day_or_not(day: str, works: bool) -> None:
    assert is_workday(date.fromisoformat(day)) is works


def test_what_is_not_announced_is_provisional() -> None:
    assert announced(date(2026, 6, 1))
    assert not announced(date(2035, 6, 1))


def test_five_working_days_over_the_national_holiday() -> None:
    assert workdays_after(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert workdays_after(date(2026, 9, 30), 5) == date(2026, 10, 13)  # the 10th is a make-up Saturday
    assert workdays_after(date(2026, 10, 1), 0) == date(2026, 10, 8)
    assert workdays_after(date(2026, 11, 23), 0) == date(2026, 11, 23)


@given(st.dates(date(2020, 1, 1), date(2040, 12, 31)), st.integers(0, 30))
def test_so_many_working_days_lie_between(day: date, count: int) -> None:
    end = workdays_after(day, count)
    days = [day + timedelta(days=step) for step in range(1, (end - day).days + 1)]
    assert is_workday(end)
    assert sum(map(is_workday, days)) == (count or int(end > day))
