"""Looks at an address: only around a confirmed meeting, and every one is written down (programme §12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.database import now_of
from models.pairing import AGREEING, OPEN, Stint

AROUND = timedelta(hours=24)
LOOKED = "address.read"


@dataclass(frozen=True, slots=True)
class Looked:
    """Who looked (a person's id), and when."""

    by: str
    at: datetime


def may_look(session: Session, stint: Stint) -> bool:
    """Whether the address may be seen now: from a day before the meeting that was agreed until a day after it."""
    if stint.state not in (AGREEING, OPEN) or stint.meets_at is None or stint.beneficiary_id is None:
        return False
    return abs(now_of(session) - stint.meets_at) <= AROUND


def looked(session: Session, stint: Stint, by: str) -> None:
    """Somebody sees the address now."""
    audit.note(session, by, LOOKED, str(stint.beneficiary_id), stint=stint.id)


def looks(session: Session, beneficiary_id: str) -> list[Looked]:
    """Who looked at this person's address, the newest first: for the family, and for whoever answers for the county."""
    query = select(AuditEntry).where(AuditEntry.subject == beneficiary_id, AuditEntry.action == LOOKED)
    return [Looked(row.actor, row.at) for row in session.exec(query.order_by(col(AuditEntry.at).desc()))]
