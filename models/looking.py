"""Looks at an address: only around a confirmed meeting, and every one is written down (programme §12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.database import now_of
from models.pairing import AGREEING, OPEN, Stint
from models.person import family
from models.served import serves_now
from models.visit import KEPT, STANDING, VAIN, Booking
from models.visiting import may_go

AROUND = timedelta(hours=24)
LOOKED = "address.read"


@dataclass(frozen=True, slots=True)
class Looked:
    """Who looked (a person's id), and when."""

    by: str
    at: datetime


def may_look(session: Session, stint: Stint, by: str) -> bool:
    """Whether `by` may see the address now: whoever serves, from a day before the first meeting until a day after it;
    whoever goes, also in turn with a team, around a visit that they have booked themselves."""
    if stint.state not in (AGREEING, OPEN) or stint.beneficiary_id is None:
        return False
    now = now_of(session)
    if stint.meets_at is not None and abs(now - stint.meets_at) <= AROUND and serves_now(session, stint, by):
        return True
    if not serves_now(session, stint, by) and not may_go(session, stint, by):
        return False
    mine = (col(Booking.person_id).in_(family(session, by)), col(Booking.stint_id).in_((stint.id, stint.follows_id)))
    around = (Booking.at >= now - AROUND, Booking.at <= now + AROUND, col(Booking.state).in_((STANDING, KEPT, VAIN)))
    return session.exec(select(Booking.id).where(*mine, *around)).first() is not None


def booked_now(session: Session, by: str) -> list[Stint]:
    """The leads around whose booked visits `by` may see the address now, the next visit first."""
    now = now_of(session)
    mine = (col(Booking.person_id).in_(family(session, by)), col(Booking.state).in_((STANDING, KEPT, VAIN)))
    query = select(Stint).join(Booking, col(Booking.stint_id) == Stint.id).where(*mine)
    rows = session.exec(query.where(Booking.at >= now - AROUND, Booking.at <= now + AROUND).order_by(col(Booking.at)))
    return [stint for stint in {row.id: row for row in rows}.values() if may_look(session, stint, by)]


def looked(session: Session, stint: Stint, by: str) -> None:
    """Somebody sees the address now."""
    audit.note(session, by, LOOKED, str(stint.beneficiary_id), stint=stint.id)


def looks(session: Session, beneficiary_id: str) -> list[Looked]:
    """Who looked at this person's address, the newest first: for the family, and for whoever answers for the county."""
    query = select(AuditEntry).where(AuditEntry.subject == beneficiary_id, AuditEntry.action == LOOKED)
    return [Looked(row.actor, row.at) for row in session.exec(query.order_by(col(AuditEntry.at).desc()))]
