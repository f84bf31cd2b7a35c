"""去不了: somebody else is asked to make a visit, and whoever answers for it hears of it (programme §6)."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from models import audit, visiting
from models.database import now_of
from models.outbox import REPLY, OutboxMessage, enqueue
from models.pairing import CO, OPEN, Stint
from models.person import family
from models.served import served_of, serves, tell_responsible
from models.team import TeamMember
from models.visit import OWED, Visit
from models.visit_reminders import KIND, told_by
from models.visiting import VisitError

WHY = ("time", "health", "far", "stop")
_LATELY = timedelta(days=21)  # so long words without a number are taken for an answer to a reminder


def cannot_go(session: Session, visit_id: str, person_id: str, why: str) -> str:
    """Whoever was to go cannot (`why` of WHY). The next one who may go is asked, each of them once, and whoever answers
    for it is told; a booked time of this person is called off. Returns "asked", "told", or "nobody" where the
    deployment has nobody to tell. Raises VisitError."""
    visit = session.get(Visit, visit_id)
    lead = session.get(Stint, visit.stint_id) if visit is not None and visit.stint_id else None
    if visit is None or lead is None or visit.state != OWED:
        raise VisitError("closed")
    if not visiting.may_go(session, lead, person_id):
        raise VisitError("scope")
    for row in visiting.bookings_of(session, person_id):
        if row.visit_id == visit.id:
            visiting.cancel(session, person_id, row.id)
    audit.note(session, person_id, "visit.cannot", visit.id, why=why)
    asked = ask_next(session, visit, lead, person_id)
    params = {"visit": visit.id, "by": person_id, "why": why, "asked": asked}
    key = f"cannot:{visit.id}:{person_id}:{now_of(session).isoformat()}"
    told = tell_responsible(session, served_of(session, lead), "notice.visit_cannot", params, key, team=lead.team_id)
    return "asked" if asked else "told" if told else "nobody"


def ask_next(session: Session, visit: Visit, lead: Stint, but: str) -> bool:
    """Ask the next one who may go and was not asked about this visit yet; False when nobody is left."""
    own = set(family(session, but))
    for one in _others(session, lead):
        if one in own or serves(session, lead, one):
            continue
        key = f"turn:{visit.id}:{one}"
        if enqueue(session, one, "notice.visit_turn", {"visit": visit.id}, unique_key=key, priority=REPLY):
            return True
    return False


def _others(session: Session, lead: Stint) -> list[str]:
    """Whoever shares the pairing, the longest first; then the members of the team."""
    found: list[str] = []
    if lead.beneficiary_id is not None:
        shared = select(Stint.person_id).where(Stint.beneficiary_id == lead.beneficiary_id, Stint.part == CO)
        rows = session.exec(shared.where(Stint.state == OPEN).order_by(col(Stint.made_at)))
        found += [one for one in rows if one is not None]
    if lead.team_id is not None:
        members = select(TeamMember.person_id).where(
            TeamMember.team_id == lead.team_id, col(TeamMember.left_at).is_(None)
        )
        found += session.exec(members.order_by(col(TeamMember.joined_at), col(TeamMember.id))).all()
    return list(dict.fromkeys(found))


def asked_lately(session: Session, person_id: str) -> str:
    """The visit that the newest reminder was about, where somebody may still be answering it; "" for none."""
    since = now_of(session) - _LATELY
    query = select(OutboxMessage.unique_key).where(
        col(OutboxMessage.person_id).in_(family(session, person_id)),
        OutboxMessage.kind == KIND,
        col(OutboxMessage.state).in_(("sent", "uncertain", "held")),
        OutboxMessage.due_at >= since,
    )
    key = session.exec(query.order_by(col(OutboxMessage.due_at).desc()).limit(1)).first()
    visit = session.get(Visit, told_by(key)[0]) if key is not None else None
    return visit.id if visit is not None and visit.state == OWED else ""
