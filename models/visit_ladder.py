"""Who is told at which step of an overdue visit (programme §6)."""

from __future__ import annotations

from sqlmodel import Session

from models.pairing import Stint
from models.served import answering, servers
from models.visit import Visit


def told_at(session: Session, visit: Visit, step: int) -> list[str]:
    """The people to tell at a step of the overdue, 0 to 4: the volunteer, and then whoever answers for the county."""
    stint = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if step == 0 and stint is not None:
        return list(servers(session, stint))
    return answering(session, visit.county)
