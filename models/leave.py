"""Leaves (请假): a volunteer cannot come for a few weeks; whoever answers for the county finds a substitute
(models/substituting.py). A leave stands in the audit trail, and is over with its last day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.beneficiary import may_see
from models.database import now_of
from models.pairing import LEAD, OPEN, SUBSTITUTE, Stint
from models.served import served_of, serves, tell_responsible
from models.stints import STANDING, StintError, latest_today, locked_stint, today_in, today_of
from models.substituting import LONGEST_DAYS

ASKED, SETTLED = "leave.asked", "leave.settled"  # in the audit trail


@dataclass(frozen=True, slots=True)
class Leave:
    """A leave that nobody stands in for yet; `until` = its last day."""

    stint: Stint
    until: date
    asked_at: datetime


def ask(session: Session, stint_id: str, until: date, by: str) -> int:
    """A volunteer is away until `until`; whoever answers for the county is told; returns how many. Raises StintError
    ("gone", "scope", "day")."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.state != OPEN or stint.part != LEAD:
        raise StintError("gone")
    if not serves(session, stint, by):
        raise StintError("scope")
    today = today_of(session, by)
    if not today <= until <= today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    audit.note(session, by, ASKED, stint.id, until=until.isoformat())
    params, key = {"stint": stint.id, "until": until.isoformat()}, f"leave:{stint.id}:{now_of(session).isoformat()}"
    return tell_responsible(session, served_of(session, stint), "notice.leave", params, key, team=stint.team_id)


def leave_of(session: Session, stint_id: str) -> Leave | None:
    """The leave that was asked for last for this stint, as long as it lasts and nobody dealt with it."""
    stint = session.get(Stint, stint_id)
    return next(iter(_standing(session, [stint])), None) if stint is not None else None


def leaves_of(session: Session, stints: Iterable[Stint]) -> list[Leave]:
    """The leaves of these stints that nobody dealt with; the first to be over in front."""
    return sorted(_standing(session, stints), key=lambda leave: (leave.until, leave.stint.id))


def _standing(session: Session, stints: Iterable[Stint]) -> list[Leave]:
    known = {stint.id: stint for stint in stints if stint.state == OPEN and stint.part == LEAD}
    query = select(AuditEntry).where(col(AuditEntry.subject).in_(known), col(AuditEntry.action).in_((ASKED, SETTLED)))
    last: dict[str, AuditEntry] = {}
    for entry in session.exec(query.order_by(col(AuditEntry.at), col(AuditEntry.action))):
        last[entry.subject] = entry
    helped = select(Stint.follows_id).where(
        col(Stint.follows_id).in_(last), Stint.part == SUBSTITUTE, col(Stint.state).in_(STANDING)
    )
    covered = set(session.exec(helped))
    found, anywhere = [], latest_today(session)
    for stint_id, entry in last.items():
        if entry.action == SETTLED or stint_id in covered:
            continue
        until = date.fromisoformat(str(entry.details["until"]))
        # Only around the day itself it matters where they live.
        if until >= anywhere or until >= today_in(session, known[stint_id]):
            found.append(Leave(known[stint_id], until, entry.at))
    return found


def away_until(session: Session, stint: Stint) -> date | None:
    """The last day of the leave that was asked for last, whether or not anybody stands in; None without one, or where
    whoever asked for it said since that they are back."""
    query = select(AuditEntry).where(AuditEntry.subject == stint.id, col(AuditEntry.action).in_((ASKED, SETTLED)))
    until: date | None = None
    for entry in session.exec(query.order_by(col(AuditEntry.at), col(AuditEntry.action))):
        if entry.action == ASKED:
            until = date.fromisoformat(str(entry.details["until"]))
        elif serves(session, stint, entry.actor):
            until = None
    return until


def settle(session: Session, stint_id: str, by: str) -> bool:
    """No substitute is needed, or the volunteer is back; False when there was nothing to settle. Raises StintError."""
    stint = locked_stint(session, stint_id)
    if stint is None:
        raise StintError("gone")
    if not serves(session, stint, by) and not may_see(session, by, served_of(session, stint).county):
        raise StintError("scope")
    if leave_of(session, stint_id) is None:
        return False
    audit.note(session, by, SETTLED, stint.id)
    return True
