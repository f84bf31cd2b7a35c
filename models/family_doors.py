"""A phone of the family's own: joined by a code that a specialist hands over, and left as easily (programme §5).

It is optional. Through it a served person, or the guardian, confirms, objects, says how it goes, and asks who looked at
the address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, update
from sqlmodel import Session, col, or_, select

from config.catalogue import rules
from models import audit, sealed
from models import family as consents
from models.beneficiary import GONE, Beneficiary, is_minor, locked, may_see
from models.code import normal, pauses
from models.database import machine_now_of, now_of
from models.family import SELF, FamilyDoor, FamilyError
from models.family_consent import doors_of as doors_of
from models.ids import new_code, new_id
from models.outbox import REPLY, enqueue
from models.pairing import Stint
from models.person import family
from models.served import served_by
from models.stints import STANDING, answering, today_of
from models.team import TeamMember
from models.volunteer import age_on

KIND = "family"  # in the blind index
YOUNGEST = 14  # years: below, a door is the guardian's only
OPINIONS = ("good", "so_so", "change")

Verdict = Literal["good", "wrong", "used", "replaced", "expired", "own", "pause"]


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a typed code."""

    verdict: Verdict
    door: FamilyDoor | None = None


def issue(session: Session, beneficiary_id: str, holder: str, by: str) -> str:
    """A code for the family's phone, good for guardian_link_days of rules.toml; earlier unused ones of the same person
    and holder stop working. Raises FamilyError ("scope", "gone", "guardian" = too young for a door of their own)."""
    somebody = locked(session, beneficiary_id)
    if somebody is None or somebody.status in GONE or somebody.merged_into is not None:
        raise FamilyError("gone")
    if not may_see(session, by, somebody.county):
        raise FamilyError("scope")
    born = somebody.birth_date
    if holder == SELF and (born is None or age_on(born, now_of(session).date()) < YOUNGEST):
        raise FamilyError("guardian")
    now = machine_now_of(session)
    _close_codes(session, beneficiary_id, holder)
    lasts = timedelta(days=rules().registration.guardian_link_days)
    row = FamilyDoor(
        id=new_id(), beneficiary_id=beneficiary_id, holder=holder, issued_by=by, issued_at=now, expires_at=now + lasts
    )
    session.add(row)
    session.flush()
    code = new_code()
    sealed.index(session, "code", row.id, code, scope=KIND)
    audit.note(session, by, "family.code", beneficiary_id, holder=holder)
    return code


def _close_codes(session: Session, beneficiary_id: str, holder: str | None = None) -> None:
    """Make the unused codes of a served person unusable, of one holder if named."""
    now = machine_now_of(session)
    unused = (col(FamilyDoor.beneficiary_id) == beneficiary_id, col(FamilyDoor.person_id).is_(None))
    statement = update(FamilyDoor).where(*unused, col(FamilyDoor.expires_at) > now).values(expires_at=now)
    session.execute(statement if holder is None else statement.where(col(FamilyDoor.holder) == holder))


def look(session: Session, typed: str, by: str) -> Found | None:
    """Look at a typed code without using it; None when it is no code of a family. After too many wrong codes nothing
    is found out for a while."""
    if pauses(session, by):
        return Found("pause")
    rows = sealed.find(session, "code", normal(typed), scope=KIND)
    door = session.get(FamilyDoor, rows[0]) if rows else None
    return None if door is None else Found(_verdict(session, door, by), door)


def _verdict(session: Session, door: FamilyDoor, by: str) -> Verdict:
    """What becomes of a code that exists, when this person types it."""
    if door.person_id is not None:
        return "used"
    if door.expires_at <= machine_now_of(session):
        return "replaced" if _has_newer(session, door) else "expired"
    own = by == door.issued_by or _serves(session, by, door.beneficiary_id)
    return "own" if own else "good"


def _has_newer(session: Session, door: FamilyDoor) -> bool:
    query = select(FamilyDoor.id).where(
        FamilyDoor.beneficiary_id == door.beneficiary_id,
        FamilyDoor.holder == door.holder,
        FamilyDoor.id != door.id,
        FamilyDoor.issued_at >= door.expires_at,
    )
    return session.exec(query).first() is not None


def _serves(session: Session, person_id: str, beneficiary_id: str) -> bool:
    """They serve now: alone, as a substitute, or as one of the team that does; not whoever once said yes for a team."""
    people = family(session, person_id)
    teams = select(TeamMember.team_id).where(col(TeamMember.person_id).in_(people), col(TeamMember.left_at).is_(None))
    mine = or_(served_by(people), col(Stint.team_id).in_(teams))
    query = select(Stint.id).where(Stint.beneficiary_id == beneficiary_id, col(Stint.state).in_(STANDING), mine)
    return session.exec(query.limit(1)).first() is not None


def join(session: Session, door_id: str, person_id: str) -> Verdict:
    """From now on this person's phone is the family's, when "good"; else why not. A served person has one phone of
    their own: the one before ends."""
    row = session.get(FamilyDoor, door_id)
    somebody = locked(session, row.beneficiary_id) if row else None
    if pauses(session, person_id):
        return "pause"
    if row is None or somebody is None:
        return "wrong"
    session.refresh(row)
    verdict = _verdict(session, row, person_id)
    if verdict != "good" or somebody.status in GONE or somebody.merged_into is not None:
        return "expired" if verdict == "good" else verdict
    for other in doors_of(session, somebody.id):
        if other.person_id == person_id or row.holder == other.holder == SELF:
            _end(session, other, person_id)
    row.person_id, row.bound_at = person_id, now_of(session)
    session.add(row)
    if row.holder == SELF:
        somebody.person_id = person_id
        session.add(somebody)
    session.flush()
    audit.note(session, person_id, "family.joined", somebody.id, holder=row.holder)
    return "good"


def mine(session: Session, person_id: str) -> list[tuple[FamilyDoor, Beneficiary]]:
    """Whose family this person is, among those of the ledger."""
    query = select(FamilyDoor, Beneficiary).join(Beneficiary, col(Beneficiary.id) == FamilyDoor.beneficiary_id)
    query = query.where(FamilyDoor.person_id == person_id, col(FamilyDoor.ended_at).is_(None))
    rows = session.exec(query.order_by(col(FamilyDoor.bound_at), col(FamilyDoor.id))).all()
    return [(door, about) for door, about in rows if about.merged_into is None and about.status not in GONE]


def leave(session: Session, person_id: str, beneficiary_id: str | None = None) -> int:
    """This phone is the family's no more; of one person, or of all. Returns how many."""
    query = select(FamilyDoor).where(FamilyDoor.person_id == person_id, col(FamilyDoor.ended_at).is_(None))
    if beneficiary_id is not None:
        query = query.where(FamilyDoor.beneficiary_id == beneficiary_id)
    rows = session.exec(query).all()
    for row in rows:
        _end(session, row, person_id)
    return len(rows)


def disconnect(session: Session, beneficiary_id: str, by: str) -> int:
    """Whoever answers for the county ends what a wrong person joined, and every code that is still unused; the pairing
    goes on. Returns how many phones. Raises FamilyError ("gone", "scope")."""
    somebody = locked(session, beneficiary_id)
    if somebody is None:
        raise FamilyError("gone")
    if not may_see(session, by, somebody.county):
        raise FamilyError("scope")
    _close_codes(session, beneficiary_id)
    rows = doors_of(session, beneficiary_id)
    for row in rows:
        _end(session, row, by)
    audit.note(session, by, "family.disconnected", beneficiary_id, doors=len(rows))
    return len(rows)


def _end(session: Session, door: FamilyDoor, by: str) -> None:
    door.ended_at = now_of(session)
    session.add(door)
    somebody = session.get(Beneficiary, door.beneficiary_id)
    if somebody is not None and somebody.person_id == door.person_id:
        somebody.person_id = None
        session.add(somebody)
    session.flush()
    audit.note(session, by, "family.left", door.beneficiary_id)


def object_to(session: Session, person_id: str, beneficiary_id: str) -> bool:
    """They want no pairing any more: what stood ends at once, and whoever answers for the county is told. False when
    it is not theirs to say, or nothing stood."""
    if beneficiary_id not in {about.id for _door, about in mine(session, person_id)}:
        return False
    if not consents.take_back(session, beneficiary_id, consents.PAIRING, person_id):
        return False
    _tell(session, beneficiary_id, "object")
    return True


def say(session: Session, person_id: str, beneficiary_id: str, opinion: str) -> bool:
    """How it goes, in one tap; whoever answers for the county is told, and nobody else. False when it is not theirs to
    say."""
    if opinion not in OPINIONS or beneficiary_id not in {about.id for _door, about in mine(session, person_id)}:
        return False
    audit.note(session, person_id, "family.said", beneficiary_id, opinion=opinion)
    _tell(session, beneficiary_id, opinion)
    return True


def _tell(session: Session, beneficiary_id: str, opinion: str) -> None:
    somebody = session.get_one(Beneficiary, beneficiary_id)
    day = now_of(session).date().isoformat()
    params = {"served": beneficiary_id, "opinion": opinion}
    for one in answering(session, somebody.county):
        key = f"family:{beneficiary_id}:{opinion}:{day}:{one}"
        enqueue(session, one, "notice.family_said", params, unique_key=key, priority=REPLY)


def confirm(session: Session, person_id: str, stint_id: str) -> bool:
    """The family confirms a pairing on its own phone; False when it is not theirs, or has ended. Raises FamilyError
    ("guardian" = on a minor's own phone nobody confirms)."""
    stint = session.get(Stint, stint_id)
    about = {somebody.id: (door, somebody) for door, somebody in mine(session, person_id)}
    if stint is None or stint.beneficiary_id not in about or stint.state not in STANDING:
        return False
    if not may_confirm(session, *about[stint.beneficiary_id], person_id):
        raise FamilyError("guardian")
    if stint.family_at is None:
        stint.family_at = now_of(session)
        session.add(stint)
        session.flush()
        audit.note(session, person_id, "family.confirmed", stint.id)
    return True


def may_confirm(session: Session, door: FamilyDoor, somebody: Beneficiary, person_id: str) -> bool:
    """Whether this phone confirms pairings: on a minor's own nobody does, which is for the guardian."""
    return door.holder != SELF or not is_minor(somebody, today_of(session, person_id))


def forget_codes(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: the digests of codes that ended so long ago; returns of how many, at most `limit`. Who joined when is
    kept."""
    index = sealed.BlindIndex
    kept = select(index.id).where(index.kind == "code", index.scope == KIND, index.row_id == col(FamilyDoor.id))
    old = select(FamilyDoor.id).where(FamilyDoor.expires_at < machine_now_of(session) - older_than, kept.exists())
    ids = session.exec(old.limit(limit).with_for_update(skip_locked=True)).all()
    mine = (col(index.kind) == "code", col(index.scope) == KIND, col(index.row_id).in_(ids))
    session.execute(delete(index).where(*mine))
    return len(ids)
