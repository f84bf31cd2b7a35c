"""Terms are counted in months of the calendar."""

from __future__ import annotations

from calendar import monthrange
from datetime import date


def months_on(day: date, months: int) -> date:
    """The same day so many months later (or earlier), or the last one of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
