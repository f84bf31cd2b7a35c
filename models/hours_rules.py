"""How hours are counted (programme §7): rounded down to half hours, at most so much a day and a week without approval.

Pure: no session, no clock. Durations are taken from UTC; days and weeks are those of the volunteer's own zone, so that
a service across midnight counts on two days, and one across a change to summer time is as long as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.catalogue import rules

_MINUTE = timedelta(minutes=1)


def rounded(minutes: int) -> int:
    """Down to whole steps (rules.toml, hours.step_minutes); never below zero."""
    step = rules().hours.step_minutes
    return max(minutes, 0) // step * step


def minutes_between(starts: datetime, ends: datetime) -> int:
    """What a service of this length counts for, in minutes."""
    return rounded((ends - starts) // _MINUTE)


def by_day(starts: datetime, ends: datetime, zone: str) -> dict[date, int]:
    """The minutes that count on each local day of the zone; days on which nothing counts are left out. Together they
    are always `minutes_between`: what one day loses by rounding the next one has."""
    found: dict[date, int] = {}
    counted = 0
    for day, until in _days(starts, ends, ZoneInfo(zone)):
        so_far = minutes_between(starts, until)
        if so_far > counted:
            found[day], counted = so_far - counted, so_far
    return found


def _days(starts: datetime, ends: datetime, zone: ZoneInfo) -> Iterator[tuple[date, datetime]]:
    """Each local day that a service touches, and when its part of that day is over."""
    day = starts.astimezone(zone).date()
    while True:
        midnight = datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)
        if ends <= midnight:
            yield day, ends
            return
        yield day, midnight
        day += timedelta(days=1)


def monday_of(day: date) -> date:
    """The first day of the week."""
    return day - timedelta(days=day.weekday())


def weeks_of(days: Mapping[date, int]) -> set[date]:
    """The Mondays of the weeks that these days are in."""
    return {monday_of(day) for day in days}


def over_cap(own: Mapping[date, int], others: Mapping[date, int]) -> bool:
    """Whether a service (`own`, minutes by local day) brings a day or a week above what counts without approval, beside
    what counts already (`others`, at least of the weeks that `own` touches)."""
    limits = rules().hours
    together = Counter(dict(others))
    together.update(own)
    if any(together[day] > limits.day_minutes for day in own):
        return True
    weeks: Counter[date] = Counter()
    for day, minutes in together.items():
        weeks[monday_of(day)] += minutes
    return any(weeks[week] > limits.week_minutes for week in weeks_of(own))


@dataclass(frozen=True, slots=True)
class Stars:
    """How many stars (0 to 5), and the hours of the next one; None with all five."""

    stars: int
    next_hours: int | None


def stars_of(minutes: int) -> Stars:
    """The stars for so many minutes (rules.toml, hours.stars)."""
    steps = rules().hours.stars
    reached = sum(minutes >= hours * 60 for hours in steps)
    return Stars(reached, steps[reached] if reached < len(steps) else None)


def forecast(minutes: int, lately: int, over_days: int, today: date) -> date | None:
    """The day on which the next star is reached at the pace of the last `over_days` days, in which `lately` minutes
    were served; None with all stars, without any pace, or where it would take longer than ten years."""
    goal = stars_of(minutes).next_hours
    if goal is None or lately <= 0:
        return None
    days = -(-(goal * 60 - minutes) * over_days // lately)
    return today + timedelta(days=days) if days <= 3_652 else None
