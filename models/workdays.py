"""Working days in China: public holidays and make-up working days, as far as they are announced (programme §6, §7).

The State Council announces a year's calendar in the autumn before it. Until then a day is reckoned by the statutory
holidays and weekends alone, and is provisional: `announced` says so, and whoever shows such a day says it too.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache


def announced(day: date) -> bool:
    """Whether the calendar of this day's year is announced, as far as this version of the software knows."""
    import chinese_calendar  # loaded when it is first asked for: it is not needed to answer a message

    return any(one.year == day.year for one in chinese_calendar.holidays)


@cache
def is_workday(day: date) -> bool:
    """Whether offices work on this day: a weekday that is no holiday, or a make-up working day."""
    import chinese_calendar

    if announced(day):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < 5 and day not in _statutory(day.year)


@cache
def _statutory(year: int) -> frozenset[date]:
    import holidays

    return frozenset(holidays.country_holidays("CN", years=year))


def workdays_after(day: date, count: int) -> date:
    """The `count`-th working day after a day; 0 is the day itself, or the next working day where it is none."""
    found = day
    if count == 0:
        while not is_workday(found):
            found += timedelta(days=1)
        return found
    while count:
        found += timedelta(days=1)
        count -= is_workday(found)
    return found
