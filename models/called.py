"""How somebody served is called by those who serve them: a form of address, never a name (programme §12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, and_, col, or_, select

from models import audit
from models.beneficiary import Beneficiary, is_minor, may_see, record_of
from models.database import now_of, vault_of
from models.family_consent import holds_door
from models.pairing import ENDED, Stint
from models.person import Person, address_form, family
from models.served import served_by
from models.turn import taking_turns

_TWO = (
    "欧阳",
    "歐陽",
    "司马",
    "司馬",
    "上官",
    "诸葛",
    "諸葛",
    "东方",
    "東方",
    "皇甫",
    "尉迟",
    "尉遲",
    "慕容",
    "司徒",
    "令狐",
)


@dataclass(frozen=True, slots=True)
class Called:
    """What may be said of a name: `form` = a form of address that was chosen or is written in the ledger; else
    `given` = a child's given name, or the `surname` of somebody grown up, with the sex."""

    form: str = ""
    given: str = ""
    surname: str = ""
    sex: Literal["female", "male"] | None = None


def called_by(session: Session, somebody: Beneficiary, viewer: str) -> Called | None:
    """How the viewer may call somebody, who serves or served them, answers for the county or is
    their family; None for anybody else. A
    look at a minor's row is logged."""
    theirs = _serves(session, somebody.id, viewer) or holds_door(session, somebody.id, viewer)
    if not theirs and not may_see(session, viewer, somebody.county):
        return None
    minor = is_minor(somebody, now_of(session).date())
    if minor:
        audit.note(session, viewer, "beneficiary.read", somebody.id, why="called")
    own = session.get(Person, somebody.person_id) if somebody.person_id else None
    chosen = address_form(session, own) if own else None
    record = record_of(vault_of(session), somebody)
    if chosen or record.called:
        return Called(form=str(chosen or record.called))
    surname, given = _parts(record.name)
    return Called(given=given) if minor else Called(surname=surname, sex=record.sex)


def _serves(session: Session, beneficiary_id: str, viewer: str) -> bool:
    """They serve today, in turns with their team, too, or served until a stint ended; not whoever led a team before
    somebody else did."""
    people = family(session, viewer)
    then = and_(col(Stint.state) == ENDED, col(Stint.person_id).in_(people))
    query = select(Stint.id).where(Stint.beneficiary_id == beneficiary_id, or_(then, served_by(people)))
    if session.exec(query.limit(1)).first() is not None:
        return True
    return any(stint.beneficiary_id == beneficiary_id for stint in taking_turns(session, people))


def _parts(name: str) -> tuple[str, str]:
    """(surname, given name); of a name in another script its last and its first word."""
    words = name.replace("·", " ").split()
    if len(words) > 1:
        return words[-1], words[0]
    at = 2 if name[:2] in _TWO and len(name) > 2 else 1
    return (name[:at], name[at:]) if len(name) > 1 else (name, name)
