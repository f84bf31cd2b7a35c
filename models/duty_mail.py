"""What is gathered for those who answer for others: one message in the morning, one a week, one a week for a city.

Each is one row of the outbox under a key of its person and day; its words are made when it leaves (handlers/todo.py),
so that whatever asks for it twice, or late, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from config.catalogue import rules
from models.database import now_of
from models.duty_days import is_first_workday
from models.outbox import REMINDER, enqueue
from models.workdays import is_workday

MORNING, WEEK, CLIMBED, LED = "notice.todo", "notice.week", "notice.climbed", "notice.led_overdue"
LATEST = time(20, 0)  # what would come later than that waits for the next morning

_G: Any = SQLModel.metadata.tables["role_grant"]
_P: Any = SQLModel.metadata.tables["person"]
_D: Any = SQLModel.metadata.tables["door"]
_O: Any = SQLModel.metadata.tables["outbox"]


def morning_key(person_id: str, day: date) -> str:
    """The key of a person's morning."""
    return f"todo:{person_id}:{day.isoformat()}"


def put(session: Session, kind: str, person_id: str, zone: str, hour: time) -> bool:
    """Put one of the day's messages into the outbox for this hour, or now where that is over, or tomorrow in the
    evening; False when it stands there already. It is not sent on another day."""
    now = now_of(session)
    there = now.astimezone(ZoneInfo(zone))
    day = there.date() + timedelta(days=there.time() >= LATEST)
    due = datetime.combine(day, hour, ZoneInfo(zone)).astimezone(UTC)
    until = datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(zone)).astimezone(UTC)
    stem, key_day = {
        MORNING: ("todo", day),
        LED: ("led", day),
        WEEK: ("week", _monday(day)),
        CLIMBED: ("climbed", _monday(day)),
    }[kind]
    key = f"{stem}:{person_id}:{key_day.isoformat()}"
    params = {"day": day.isoformat()}
    return enqueue(
        session,
        person_id,
        kind,
        params,
        unique_key=key,
        priority=REMINDER,
        due_at=max(now, due),
        expires_at=until,
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def awaited(session: Session, kind: str) -> list[str]:
    """Those who answer for others, whose hour for this message has come today and who have not had it: MORNING on
    working days, WEEK on the first one of a week. Nobody after LATEST: it is the next day's then."""
    hour = rules().duty.morning if kind == MORNING else rules().duty.digest
    now, found = now_of(session), list[str]()
    for zone in session.execute(select(_P.c.zone).join(_G, _G.c.person_id == _P.c.id).distinct()).scalars().all():
        there = now.astimezone(ZoneInfo(zone))
        day = there.date()
        if not hour <= there.time() < LATEST or not (is_workday(day) if kind == MORNING else is_first_workday(day)):
            continue
        key_day = (day if kind == MORNING else _monday(day)).isoformat()
        stem = "todo" if kind == MORNING else "week"
        had = select(_O.c.id).where(_O.c.unique_key == f"{stem}:" + _P.c.id + f":{key_day}").exists()
        door = select(_D.c.id).where(_D.c.person_id == _P.c.id, _D.c.blocked_at.is_(None)).exists()
        held = (_G.c.ended_at.is_(None), _G.c.scope_kind.in_(("region", "team")))
        query = select(_P.c.id).join(_G, _G.c.person_id == _P.c.id).where(*held, _P.c.zone == zone, ~had, door)
        found += session.execute(query.distinct().order_by(_P.c.id)).scalars().all()
    return found


def put_all(session: Session, kind: str, people: Sequence[str]) -> int:
    """Put it into the outbox for these; returns for how many."""
    hour = rules().duty.morning if kind == MORNING else rules().duty.digest
    rows = session.execute(select(_P.c.id, _P.c.zone).where(_P.c.id.in_(people)).order_by(_P.c.id)).all()
    return sum(put(session, kind, row.id, row.zone, hour) for row in rows)
