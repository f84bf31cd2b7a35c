"""Substitutes: somebody stands in for a volunteer for a few weeks (exams, illness); the lead stays whose it is
(programme §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, or_, select

from config.catalogue import rules
from models import audit
from models.beneficiary import Beneficiary, may_see
from models.database import now_of
from models.obstacles import Candidate, unfit
from models.offering import OfferError, tell_responsible
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import AGREEING, BACK, LEAD, OPEN, SUBSTITUTE, TAKEN_BACK, Stint
from models.person import family
from models.served import in_order, servers, serves
from models.stints import STANDING, StintError, end_stint, latest_today, locked_stint, today_in, today_of
from models.turn import stood_in as turns_stood_in

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
    today = today_in(session, stint)
    if not today <= last_day <= today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    query = select(Stint.id).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE)
    if serves(session, stint, person_id) or session.exec(query.where(col(Stint.state).in_(STANDING))).first():
        raise StintError("paired")
    # A few weeks more are no pairing: how many they serve already stands in nobody's way.
    against = unfit(session, somebody, Candidate(person_id), today_of(session, person_id))
    if against is not None:
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
    """They stand in, or cannot; whoever asked is told, and so is the one in whose place they stand. Raises StintError
    ("gone", "scope", "day" — the last day is over; or why they may not serve any more)."""
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
        _check_still(session, row, somebody, person_id)
        row.state, row.opened_at, row.accepted_at = OPEN, now_of(session), now_of(session)
        session.add(row)
        session.flush()
        if before.team_id is not None:
            turns_stood_in(session, before.id)
        for one in servers(session, before):
            key = f"substitute:{row.id}:found:{one}"
            enqueue(session, one, "notice.stood_in_for", {"stint": row.id}, unique_key=key)
    else:
        end_stint(session, row, TAKEN_BACK, person_id)
    audit.note(session, person_id, "substitute.answered", row.id, yes=yes)
    kind = "notice.substitute"
    tell_responsible(session, somebody, kind, {"stint": row.id}, f"substitute:{row.id}:answer", row.made_by)
    return row


def _check_still(session: Session, row: Stint, somebody: Beneficiary, person_id: str) -> None:
    today = today_of(session, person_id)
    if row.ends_on is not None and row.ends_on < today:
        raise StintError("day")
    against = unfit(session, somebody, Candidate(person_id), today)
    if against is not None:
        raise StintError(against)


def call_off(session: Session, stint_id: str, by: str) -> Stint:
    """Whoever answers for the county, or whoever stands in, ends it before its time; the one in whose place they stood
    is told. Raises StintError."""
    row = locked_stint(session, stint_id)
    if row is None or row.part != SUBSTITUTE or row.state not in STANDING:
        raise StintError("gone")
    somebody = session.get_one(Beneficiary, str(row.beneficiary_id))
    own = row.person_id in family(session, by)
    if not own and not may_see(session, by, somebody.county):
        raise StintError("scope")
    _end(session, row, by)
    if own:
        tell_responsible(
            session, somebody, "notice.substitute", {"stint": row.id}, f"substitute:{row.id}:off", row.made_by
        )
    return row


def _end(session: Session, row: Stint, by: str) -> None:
    """One who began is thanked, and the one in whose place they stood is back, and told."""
    began = row.state == OPEN
    end_stint(session, row, BACK if began else TAKEN_BACK, by)
    before = session.get(Stint, row.follows_id or "")
    if not began or before is None or before.state != OPEN:
        return
    for one in servers(session, before):
        key = f"substitute:{row.id}:back:{one}"
        enqueue(session, one, "notice.back", {"stint": row.id}, unique_key=key, priority=REMINDER)


def over(session: Session) -> list[str]:
    """Substitutes whose last day is over, and those who were asked and have not answered within rules.toml,
    pairing.hold_hours."""
    query = select(Stint.id).where(col(Stint.state).in_(STANDING), Stint.part == SUBSTITUTE)
    unheard = (col(Stint.state) == AGREEING) & (col(Stint.made_at) <= _asked_before(session))
    query = query.where(or_(col(Stint.ends_on) < latest_today(session), unheard))
    return list(session.exec(query.order_by(col(Stint.beneficiary_id), col(Stint.id))))


def _asked_before(session: Session) -> datetime:
    return now_of(session) - timedelta(hours=rules().pairing.hold_hours)


def end_over(session: Session, among: Sequence[str]) -> int:
    """The one in whose place they stood is back, and is told; of one who never answered whoever asked hears, so that
    somebody else is asked. Returns how many."""
    done = 0
    for stint_id in in_order(session, list(among)):
        row = locked_stint(session, stint_id)
        if row is None or row.state not in STANDING or row.ends_on is None:
            continue
        unheard = row.state == AGREEING and row.made_at <= _asked_before(session)
        if row.ends_on >= today_in(session, row) and not unheard:
            continue
        _end(session, row, "programme")
        if unheard:
            somebody = session.get_one(Beneficiary, str(row.beneficiary_id))
            key = f"substitute:{row.id}:unheard"
            kind, params = "notice.substitute", {"stint": row.id}
            tell_responsible(session, somebody, kind, params, key, row.made_by, priority=REMINDER)
        done += 1
    return done
