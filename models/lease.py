"""Leases: one holder at a time of a named duty, such as sending for an account. Times are the machine's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, null, or_, select, update
from sqlmodel import Field, Session, SQLModel

from models.clock import SET_BACK
from models.database import insert_once, machine_now_of

LEASE_SECONDS = 10
_DAY = timedelta(hours=25)
_AHEAD = timedelta(seconds=3 * LEASE_SECONDS)  # no honest lease lies so far ahead: the machine's clock was set back


class Lease(SQLModel, table=True):
    """`fence` grows with every change of holder. `paused_until` outlives restarts (a platform's retry_after), but not a
    clock that is set back: one that was written down at a time (`paused_at`) that lies ahead is void."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str = ""
    fence: int = 0
    until: datetime
    paused_until: datetime | None = None
    paused_at: datetime | None = None


_T: Any = SQLModel.metadata.tables["lease"]


def _void(now: datetime) -> Any:
    """Pauses that were written down before the machine's clock was set back; nobody knows how much of them is left."""
    # Of one without a time it is known only that it is no longer than a platform's day.
    return func.coalesce(_T.c.paused_at > now + SET_BACK, _T.c.paused_until > now + _DAY)


def hold(session: Session, name: str, holder: str) -> int | None:
    """Take or keep the lease for LEASE_SECONDS; returns its fencing number, None while another holds it."""
    now = machine_now_of(session)
    session.execute(insert_once(session, Lease).values(name=name, holder="", fence=0, until=now))
    taken = session.execute(
        update(_T)
        .where(_T.c.name == name, or_(_T.c.holder.in_(("", holder)), _T.c.until <= now, _T.c.until > now + _AHEAD))
        .values(
            holder=holder,
            until=now + timedelta(seconds=LEASE_SECONDS),
            fence=case((_T.c.holder == holder, _T.c.fence), else_=_T.c.fence + 1),
            paused_until=case((_void(now), null()), else_=_T.c.paused_until),
        )
        .returning(_T.c.fence)
    ).first()
    return int(taken.fence) if taken else None


def give_up(session: Session, holder: str) -> None:
    """End all leases of a holder that stops, so that others need not wait."""
    session.execute(update(_T).where(_T.c.holder == holder).values(holder="", until=machine_now_of(session)))


def let_go(session: Session, name: str, holder: str) -> None:
    """End this lease of a holder that cannot do the duty now."""
    ended = update(_T).where(_T.c.name == name, _T.c.holder == holder)
    session.execute(ended.values(holder="", until=machine_now_of(session)))


def pause(session: Session, name: str, seconds: float) -> None:
    """No call of this duty before so many seconds have passed, in any process, whatever restarts."""
    now = machine_now_of(session)
    session.execute(insert_once(session, Lease).values(name=name, holder="", fence=0, until=now))
    until = now + timedelta(seconds=seconds)
    session.execute(update(_T).where(_T.c.name == name).values(paused_until=until, paused_at=now))


def paused(session: Session, name: str) -> float:
    """For how many seconds the duty is still paused; zero = it is not."""
    now = machine_now_of(session)
    found = session.execute(select(_T.c.paused_until).where(_T.c.name == name, _is_paused(now))).scalar()
    return float((found - now).total_seconds()) if found is not None else 0.0


def pauses(session: Session) -> dict[str, datetime]:
    """Which duties are paused now, and until when (machine time)."""
    rows = session.execute(select(_T.c.name, _T.c.paused_until).where(_is_paused(machine_now_of(session))))
    return {row.name: row.paused_until for row in rows}


def _is_paused(now: datetime) -> Any:
    return and_(_T.c.paused_until > now, ~_void(now))


def forget_pauses(session: Session, start: str) -> int:
    """Drop what begins so, whose pause is over and which nobody holds; returns how many."""
    now = machine_now_of(session)
    old = and_(_T.c.name.startswith(start, autoescape=True), or_(_T.c.paused_until < now, _void(now)))
    return int(getattr(session.execute(delete(_T).where(old, _T.c.holder == "")), "rowcount", 0))


def idle(session: Session, start: str) -> dict[str, timedelta]:
    """For how long nobody has held the leases whose names begin so, by the rest of the name; zero where one is held."""
    now = machine_now_of(session)
    rows = session.execute(select(_T.c.name, _T.c.until).where(_T.c.name.startswith(start, autoescape=True)))
    return {row.name.removeprefix(start): max(timedelta(0), now - row.until) for row in rows}


def holders(session: Session) -> dict[str, str]:
    """Who holds what now."""
    now = machine_now_of(session)
    lasts = and_(_T.c.until > now, _T.c.until <= now + _AHEAD)
    rows = session.execute(select(_T.c.name, _T.c.holder).where(lasts, _T.c.holder != ""))
    return {row.name: row.holder for row in rows}
