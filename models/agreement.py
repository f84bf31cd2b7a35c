"""From a yes to an open pairing: the first meeting, the agreement, and the volunteer's acceptance of it (programme §5).

The specialist writes the agreement after the first meeting, when the family has agreed to it; with that it is
confirmed. The volunteer accepts it with the conduct card. Without a predecessor that opens the stint; in a relay the
handing over does (models/relaying.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, offering, relaying
from models.beneficiary import Beneficiary, may_see
from models.database import now_of
from models.offering import tell_responsible
from models.outbox import REPLY, enqueue
from models.pairing import AGREEING, Stint
from models.person import family
from models.stints import StintError, lead_of, locked_stint, months_on, open_stint, today_of

MOST_MONTHS, MOST_ACTIVITIES = 36, 366
LEAST_ACTIVITIES = 2  # two visits a year are the floor (programme §5)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. `services` are keys of services.toml, `activities` a year, `months` = the term."""

    services: tuple[str, ...]
    activities: int
    months: int


def _theirs(session: Session, stint_id: str, by: str) -> tuple[Stint, Beneficiary]:
    """A stint that is being agreed, for whoever answers for the county. Raises StintError."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.state != AGREEING or stint.beneficiary_id is None:
        raise StintError("gone")
    somebody = session.get_one(Beneficiary, stint.beneficiary_id)
    if not may_see(session, by, somebody.county):
        raise StintError("scope")
    return stint, somebody


def set_meeting(session: Session, stint_id: str, at: datetime, by: str) -> Stint:
    """When the first meeting is; the volunteer is told. Raises StintError."""
    stint, _somebody = _theirs(session, stint_id, by)
    if at <= now_of(session):
        raise StintError("day")
    stint.meets_at = at.astimezone(UTC)
    session.add(stint)
    session.flush()
    audit.note(session, by, "pairing.meeting", stint.id)
    key = f"meeting:{stint.id}:{stint.meets_at.isoformat()}"
    params = {"stint": stint.id, "at": stint.meets_at.isoformat()}
    enqueue(session, str(stint.person_id), "notice.meeting", params, unique_key=key, priority=REPLY, expires_at=at)
    return stint


def write(session: Session, stint_id: str, terms: Terms, by: str) -> Stint:
    """The agreement after the first meeting, with the family's word; the volunteer is asked to accept it. Written anew,
    it has to be accepted anew. Raises StintError."""
    stint, _somebody = _theirs(session, stint_id, by)
    now = now_of(session)
    if stint.accepted_at is not None:
        raise StintError("accepted")
    stint.services, stint.activities = list(terms.services), terms.activities
    stint.relay_months = terms.months
    stint.met_at = stint.met_at or now
    stint.confirmed_at, stint.confirmed_by = now, by
    session.add(stint)
    session.flush()
    audit.note(session, by, "pairing.agreement", stint.id, activities=terms.activities, months=terms.months)
    key = f"agreement:{stint.id}:{now.isoformat()}"
    params = {"stint": stint.id, "at": now.isoformat()}
    enqueue(session, str(stint.person_id), "notice.agreement", params, unique_key=key, priority=REPLY)
    return stint


def accept(session: Session, stint_id: str, person_id: str, version: datetime) -> Stint:
    """The volunteer accepts the agreement as it was written at `version`, and the conduct card. Raises StintError:
    "gone", "scope" — somebody else's; "changed" — it was written anew meanwhile."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.person_id not in family(session, person_id):
        raise StintError("scope")
    if stint.state == "open" or (stint.state == AGREEING and stint.accepted_at is not None):
        return stint
    if stint.state != AGREEING or stint.confirmed_at is None or stint.beneficiary_id is None:
        raise StintError("gone")
    if stint.confirmed_at != version:
        raise StintError("changed")
    stint.accepted_at, stint.conduct_version = now_of(session), rules().pairing.conduct_version
    session.add(stint)
    session.flush()
    audit.note(session, person_id, "pairing.accepted", stint.id, conduct=stint.conduct_version)
    somebody = session.get_one(Beneficiary, stint.beneficiary_id)
    if lead_of(session, stint.beneficiary_id) is None:
        begin(session, stint)
        tell_responsible(session, somebody, "notice.opened", {"stint": stint.id}, f"opened:{stint.id}", stint.made_by)
    else:
        relaying.taken(session, stint)
    return stint


def begin(session: Session, stint: Stint) -> None:
    """Open an accepted stint for its agreed term. Raises StintError."""
    today = today_of(session, str(stint.person_id))
    open_stint(session, stint, months_on(today, stint.relay_months))


def call_off(session: Session, stint_id: str, by: str) -> None:
    """It does not come about: after a meeting that did not fit, or because the family said no. The volunteer is thanked
    and the next one asked. Raises StintError."""
    stint, somebody = _theirs(session, stint_id, by)
    offering.undone(session, stint, by)
    key = f"stint:{stint.id}:off"
    enqueue(session, str(stint.person_id), "notice.called_off", {"stint": stint.id}, unique_key=key, priority=REPLY)
    offering.go_on(session, somebody, by)


def unfinished(session: Session) -> list[str]:
    """Agreements that nobody has brought to an end within rules.toml, pairing.agree_days."""
    before = now_of(session) - timedelta(days=rules().pairing.agree_days)
    query = select(Stint.id).where(Stint.state == AGREEING, col(Stint.made_at) <= before)
    return list(session.exec(query.order_by(col(Stint.made_at))))


def remind_unfinished(session: Session, among: Sequence[str]) -> int:
    """Whoever answers for these hears of it, once a week; returns how many are told."""
    told = 0
    for stint_id in among:
        stint = session.get(Stint, stint_id)
        if stint is None or stint.state != AGREEING or stint.beneficiary_id is None:
            continue
        somebody = session.get_one(Beneficiary, stint.beneficiary_id)
        week = (now_of(session) - stint.made_at).days // 7
        key = f"unfinished:{stint.id}:{week}"
        told += tell_responsible(session, somebody, "notice.unfinished", {"stint": stint.id}, key, stint.made_by)
    return told
