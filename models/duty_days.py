"""When the day of those who answer for others begins: their morning, their week, and today in China."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from models.database import now_of
from models.workdays import is_workday

HOME = ZoneInfo("Asia/Shanghai")  # due days are days in China, for people everywhere


def home_day(session: Session) -> date:
    """Today in China."""
    return now_of(session).astimezone(HOME).date()


def is_first_workday(day: date) -> bool:
    """Whether a day is the first working day of its week (from Monday on)."""
    monday = day - timedelta(days=day.weekday())
    return is_workday(day) and not any(is_workday(monday + timedelta(days=each)) for each in range(day.weekday()))


def reached(now: datetime, zone: str, hour: time) -> date | None:
    """The day somewhere, if this hour has come there; None before it."""
    there = now.astimezone(ZoneInfo(zone))
    return there.date() if there.time() >= hour else None
