"""How hours are counted: half hours, local days and weeks, stars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hours_rules import by_day, forecast, minutes_between, monday_of, over_cap, rounded, stars_of

ZONES = ("Asia/Shanghai", "Asia/Hong_Kong", "Europe/London", "America/New_York", "America/Santiago", "Asia/Kathmandu")
LONDON = ZoneInfo("Europe/London")
MONDAY = date(2026, 11, 16)


@pytest.mark.parametrize(("minutes", "counts"), [(0, 0), (29, 0), (30, 30), (59, 30), (60, 60), (119, 90), (-40, 0)])
def test_minutes_are_rounded_down_to_half_hours(minutes: int, counts: int) -> None:
    assert rounded(minutes) == counts


def test_seconds_do_not_make_a_half_hour() -> None:
    start = datetime(2026, 11, 21, 1, tzinfo=UTC)
    assert minutes_between(start, start + timedelta(minutes=59, seconds=59)) == 30


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.integers(0, 3 * 24 * 60),
    st.sampled_from(ZONES),
)
def test_the_days_together_are_what_the_service_counts_for(start: datetime, minutes: int, zone: str) -> None:
    days = by_day(start, start + timedelta(minutes=minutes), zone)
    assert sum(days.values()) == minutes_between(start, start + timedelta(minutes=minutes))
    assert all(one > 0 and one % 30 == 0 for one in days.values())
    local = start.astimezone(ZoneInfo(zone)).date()
    assert all(local <= day <= local + timedelta(days=3) for day in days)


def test_a_service_across_midnight_counts_on_both_days() -> None:
    start = datetime(2026, 11, 21, 22, 45, tzinfo=ZoneInfo("Asia/Shanghai"))
    days = by_day(start, start + timedelta(hours=2), "Asia/Shanghai")
    assert days == {date(2026, 11, 21): 60, date(2026, 11, 22): 60}


def test_the_same_service_is_on_another_day_overseas() -> None:
    start = datetime(2026, 11, 21, 1, tzinfo=UTC)
    assert by_day(start, start + timedelta(hours=2), "Asia/Hong_Kong") == {date(2026, 11, 21): 120}
    assert by_day(start, start + timedelta(hours=2), "America/New_York") == {date(2026, 11, 20): 120}


@pytest.mark.parametrize(
    ("day", "from_hour", "to_hour", "minutes"), [(date(2026, 3, 29), 0, 4, 180), (date(2026, 10, 25), 0, 4, 300)]
)
def test_a_night_in_which_the_clock_is_changed_is_as_long_as_it_was(
    day: date, from_hour: int, to_hour: int, minutes: int
) -> None:
    start = datetime(day.year, day.month, day.day, from_hour, tzinfo=LONDON)
    end = datetime(day.year, day.month, day.day, to_hour, tzinfo=LONDON)
    assert by_day(start.astimezone(UTC), end.astimezone(UTC), "Europe/London") == {day: minutes}


def test_a_day_that_begins_at_one_in_the_morning_loses_nothing() -> None:
    """Chile's clocks go forward at midnight: there is no 00:00 on that day."""
    zone = ZoneInfo("America/Santiago")
    start = datetime(2026, 9, 5, 23, tzinfo=zone).astimezone(UTC)
    assert by_day(start, start + timedelta(hours=2), "America/Santiago") == {date(2026, 9, 5): 60, date(2026, 9, 6): 60}


def test_eight_hours_a_day_need_no_approval_and_half_an_hour_more_does() -> None:
    assert not over_cap({MONDAY: 240}, {MONDAY: 240})
    assert over_cap({MONDAY: 270}, {MONDAY: 240})
    assert not over_cap({MONDAY: 480}, {MONDAY + timedelta(days=1): 480})


def test_twenty_four_hours_a_week_need_no_approval_and_half_an_hour_more_does() -> None:
    week = {MONDAY + timedelta(days=day): 360 for day in range(3)}
    assert not over_cap({MONDAY + timedelta(days=6): 360}, week)
    assert over_cap({MONDAY + timedelta(days=6): 390}, week)
    assert not over_cap({MONDAY + timedelta(days=7): 390}, week), "another week"
    assert not over_cap({MONDAY - timedelta(days=1): 390}, week), "Sunday belongs to the week before"


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_weeks_begin_on_monday(day: date) -> None:
    assert monday_of(day).weekday() == 0 and 0 <= (day - monday_of(day)).days < 7


@pytest.mark.parametrize(
    ("hours", "stars", "following"), [(0, 0, 100), (99.5, 0, 100), (100, 1, 300), (1499.5, 4, 1500), (1500, 5, None)]
)
def test_stars(hours: float, stars: int, following: int | None) -> None:
    found = stars_of(int(hours * 60))
    assert (found.stars, found.next_hours) == (stars, following)


def test_the_forecast_goes_on_at_the_pace_of_late() -> None:
    today = date(2026, 11, 22)
    assert forecast(90 * 60, 10 * 60, 30, today) == today + timedelta(days=30)
    assert forecast(90 * 60, 0, 30, today) is None, "no pace"
    assert forecast(1500 * 60, 600, 30, today) is None, "all stars"
    assert forecast(0, 30, 180, today) is None, "in the next century"
