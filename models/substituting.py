"""Substitutes: somebody stands in for a volunteer for a few weeks (exams, illness); the lead stays whose it is
(programme §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlmodel import Session, col, select

from models import audit
from models.beneficiary import Beneficiary, may_see
from models.database import now_of
from models.offering import Candidate, OfferError, obstacle, tell_responsible
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import AGREEING, LEAD, OPEN, SUBSTITUTE, Stint
from models.person import family
from models.stints import STANDING, StintError, end_stint, locked_stint

LONGEST_DAYS = 120


def ask(session: Session, stint_id: str, person_id: str, last_day: date, by: str) -> Stint:
    """Ask somebody to stand in until `last_day`. Raises StintError ("gone", "scope", "day", "paired" = somebody does or
    is asked already) and OfferError with the obstacle."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.state != OPEN or stint.part != LEAD or stint.beneficiary_id is None:
        raise StintError("gone")
    somebody = session.get_one(Beneficiary, stint.beneficiary_id)
    if not may_see(session, by, somebody.county):
        raise StintError("scope")
    today = now_of(session).date()
    if not today <= last_day <= today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    query = select(Stint.id).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE)
    if stint.person_id == person_id or session.exec(query.where(col(Stint.state).in_(STANDING))).first():
        raise StintError("paired")
    against = obstacle(session, somebody, Candidate(person_id), today)
    if against is not None and against != "full":  # a few weeks more are no pairing
        raise OfferError(against)
    row = Stint(
        beneficiary_id=stint.beneficiary_id,
        person_id=person_id,
        part=SUBSTITUTE,
        services=list(stint.services),
        activities=stint.activities,
        relay_months=stint.relay_months,
        follows_id=stint.id,
        made_by=by,
        made_at=now_of(session),
        ends_on=last_day,
    )
    session.add(row)
    session.flush()
    audit.note(session, by, "substitute.asked", row.id)
    key = f"substitute:{row.id}:ask"
    enqueue(session, person_id, "notice.stand_in", {"stint": row.id}, unique_key=key, priority=REPLY)
    return row


def answer(session: Session, stint_id: str, person_id: str, *, yes: bool) -> Stint:
    """They stand in, or cannot; whoever asked is told, and so is the one in whose place they stand. Raises
    StintError."""
    row = locked_stint(session, stint_id)
    if row is None or row.part != SUBSTITUTE or row.person_id not in family(session, person_id):
        raise StintError("scope")
    if row.state == OPEN and yes:
        return row
    before = session.get(Stint, row.follows_id or "")
    if row.state != AGREEING or before is None or before.state != OPEN:
        raise StintError("gone")
    somebody = session.get_one(Beneficiary, str(row.beneficiary_id))
    if yes:
        row.state, row.opened_at, row.accepted_at = OPEN, now_of(session), now_of(session)
        session.add(row)
        session.flush()
        if before.person_id is not None:
            key = f"substitute:{row.id}:found"
            enqueue(session, before.person_id, "notice.stood_in_for", {"stint": row.id}, unique_key=key)
    else:
        end_stint(session, row, "taken_back", person_id)
    audit.note(session, person_id, "substitute.answered", row.id, yes=yes)
    kind = "notice.substitute"
    tell_responsible(session, somebody, kind, {"stint": row.id}, f"substitute:{row.id}:answer", row.made_by)
    return row


def over(session: Session) -> list[str]:
    """Substitutes, asked or standing in, whose last day is over."""
    query = select(Stint.id).where(col(Stint.state).in_(STANDING), Stint.part == SUBSTITUTE)
    return list(session.exec(query.where(col(Stint.ends_on) < now_of(session).date()).order_by(col(Stint.id))))


def end_over(session: Session, among: Sequence[str]) -> int:
    """The one in whose place they stood is back, and is told; returns how many."""
    done = 0
    for stint_id in among:
        row = locked_stint(session, stint_id)
        if row is None or row.state not in STANDING or row.ends_on is None or row.ends_on >= now_of(session).date():
            continue
        end_stint(session, row, "back", "programme")
        before = session.get(Stint, row.follows_id or "")
        if before is not None and before.state == OPEN and before.person_id is not None:
            key = f"substitute:{row.id}:back"
            enqueue(session, before.person_id, "notice.back", {"stint": row.id}, unique_key=key, priority=REMINDER)
        done += 1
    return done
