"""Quiet hours and pauses, in the receiver's own zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.person import Person, is_paused, is_quiet, rests_until

ZONES = (
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
)


def person(
    zone: str = "Asia/Shanghai", quiet: tuple[time, time] = (time(21), time(8, 30)), until: date | None = None
) -> Person:
    return Person(
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        zone=zone,
        quiet_from=quiet[0],
        quiet_until=quiet[1],
        paused_until=until,
    )


def local(text: str, zone: str = "Asia/Shanghai") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "free_at"),
    [
        ("2026-11-22T20:59", None),
        ("2026-11-22T21:00", "2026-11-23T08:30"),
        ("2026-11-22T23:59", "2026-11-23T08:30"),
        ("2026-11-23T00:10", "2026-11-23T08:30"),
        ("2026-11-23T08:29", "2026-11-23T08:30"),
        ("2026-11-23T08:30", None),
        ("2026-12-31T22:00", "2027-01-01T08:30"),
        ("2028-02-28T22:00", "2028-02-29T08:30"),
    ],
)
def test_quiet_hours_hold_until_the_morning(now: str, free_at: str | None) -> None:
    assert rests_until(person(), local(now)) == (local(free_at) if free_at else None)


def test_equal_times_are_no_quiet_hours() -> None:
    assert rests_until(person(quiet=(time(0), time(0))), local("2026-11-22T03:00")) is None


def test_quiet_hours_within_a_day_end_the_same_day() -> None:
    siesta = person(quiet=(time(13), time(15)))
    assert rests_until(siesta, local("2026-11-22T14:00")) == local("2026-11-22T15:00")


def test_a_pause_lasts_to_the_end_of_its_day_and_then_the_morning() -> None:
    resting = person(until=date(2026, 11, 30))
    assert rests_until(resting, local("2026-11-22T12:00")) == local("2026-12-01T08:30")
    assert is_paused(resting, local("2026-11-30T23:59"))
    assert rests_until(resting, local("2026-12-01T09:00")) is None


@given(
    zone=st.sampled_from(ZONES),
    at=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    quiet=st.tuples(
        st.times().map(lambda t: t.replace(microsecond=0)), st.times().map(lambda t: t.replace(microsecond=0))
    ),
    pause=st.none() | st.integers(0, 30),
)
def test_when_the_rest_is_over_nothing_holds_any_more(
    zone: str, at: datetime, quiet: tuple[time, time], pause: int | None
) -> None:
    now = at.replace(tzinfo=UTC)
    until = now.date() + timedelta(days=pause) if pause is not None else None
    someone = person(zone, quiet, until)
    free = rests_until(someone, now)
    if free is None:
        assert not is_quiet(someone, now)
        assert not is_paused(someone, now)
    else:
        assert free > now
        # In the night of a clock change the morning may not exist; an hour later it does.
        assert (
            any(
                not is_quiet(someone, free + timedelta(hours=h)) and not is_paused(someone, free + timedelta(hours=h))
                for h in (0, 1)
            )
            or quiet[0] == quiet[1]
        )
