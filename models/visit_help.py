"""去不了: somebody else is asked to make a visit, and whoever answers for it hears of it (programme §6)."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from models import audit, turn_acts, turns, visiting
from models.database import now_of
from models.outbox import REPLY, OutboxMessage, enqueue
from models.pairing import CO, OPEN, Stint
from models.person import family
from models.served import locked_stint, served_of, serves, tell_responsible
from models.team import TeamMember
from models.turn import Turn, TurnPlan, plan_of
from models.visit import OWED, Visit
from models.visit_reminders import KIND, told_by
from models.visiting import VisitError

WHY = ("time", "health", "far", "stop")
_LATELY = timedelta(days=21)  # so long words without a number are taken for an answer to a reminder


def cannot_go(session: Session, visit_id: str, person_id: str, why: str) -> str:
    """Whoever was to go cannot (`why` of WHY). Where members take turns, the turn passes on; else the next one who may
    go is asked, each of them once. Whoever answers for it is told; a booked time of this person is called off. Returns
    "asked", "told", or "nobody" where the deployment has nobody to tell. Raises VisitError."""
    visit = session.get(Visit, visit_id)
    lead = session.get(Stint, visit.stint_id) if visit is not None and visit.stint_id else None
    if visit is None or lead is None or visit.state != OWED:
        raise VisitError("closed")
    if not visiting.may_go(session, lead, person_id):
        raise VisitError("scope")
    locked_stint(session, lead.id)
    plan = plan_of(session, lead.id)
    _call_off(session, person_id, lead.id, "" if plan is not None else visit.id)
    audit.note(session, person_id, "visit.cannot", visit.id, why=why)
    if plan is not None:
        asked = _turn_passes(session, plan, person_id)
    else:
        asked = ask_next(session, visit, lead, person_id)
    params = {"visit": visit.id, "by": person_id, "why": why, "asked": asked}
    key = f"cannot:{visit.id}:{person_id}:{now_of(session).isoformat()}"
    told = tell_responsible(session, served_of(session, lead), "notice.visit_cannot", params, key, team=lead.team_id)
    return "asked" if asked else "told" if told else "nobody"


def swap(session: Session, turn_id: str, by: str) -> Turn | None:
    """换人, as `turn_acts.swap`; what they have booked there is called off. Raises TurnError."""
    turn = session.get(Turn, turn_id)
    plan = session.get(TurnPlan, turn.plan_id) if turn is not None else None
    if plan is not None:
        locked_stint(session, plan.stint_id)
    found = turn_acts.swap(session, turn_id, by)
    if plan is not None:
        _call_off(session, by, plan.stint_id)
    return found


def _call_off(session: Session, by: str, stint_id: str, visit_id: str = "") -> None:
    """What they have booked ahead in this pairing, or for this visit alone, does not stand any more."""
    for row in visiting.bookings_of(session, by):
        ahead = row.at > now_of(session) and row.stint_id == stint_id
        if row.visit_id == visit_id if visit_id else ahead:
            visiting.cancel(session, by, row.id)


def _turn_passes(session: Session, plan: TurnPlan, by: str) -> bool:
    """Where members take turns the turn passes on, and nobody else is asked besides; False when nobody is left."""
    turn_acts.move_on(session, [plan.id])
    stint = session.get_one(Stint, plan.stint_id)
    own, today = family(session, by), turns.today(session)
    about = next(iter(turns.planned(session, [stint], today)), None)
    standing = about.standing() if about is not None else None
    if standing is None:
        return False
    if standing.beside_id in own:
        turn_acts.stay_away(session, standing.id, by)
        return True
    return turn_acts.swap(session, standing.id, by) is not None if standing.person_id in own else True


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
