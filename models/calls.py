"""The call list: whom no door reaches now, for whoever is responsible for them, and what a call came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, literal_column, or_, select, update
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from config.catalogue import rules
from models import audit
from models.alert import number_of
from models.audit import AuditEntry
from models.contact import may_deal
from models.database import machine_now_of, now_of
from models.person import Person
from models.role import grants, reaches
from models.volunteer import ENDED, Volunteer, counting
from models.wards import first_wards

READ, TOLD, MISSED = "phone.read", "call.told", "call.missed"  # in the audit trail
BY_PHONE = "told by phone"
CARDED = "card"  # why a message is held of which a card has gone

_O: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]
_D: Any = SQLModel.metadata.tables["door"]
_SLICE = 200  # ids in one query


@dataclass(frozen=True, slots=True)
class ToCall:
    """A person whom no door reaches now. `since` is when the oldest of `count` messages was made, `newest` the newest
    (programme time); `priority` is that of the most urgent, `why` is from the newest. `number` and `county` are empty
    where nobody looked, or where there are none."""

    person_id: str
    since: datetime
    newest: datetime
    count: int
    priority: int
    why: str
    number: str = ""
    county: str = ""


class NotTheirs(Exception):
    """Somebody else answers for this person now, or the person is no longer there."""


def to_call(session: Session, person_id: str = "") -> list[ToCall]:
    """Whom only a call reaches: messages wait for their next word, or for a door that does not exist. The most urgent
    first, then who has waited longest. Who was sent a card has card_hours to come before they are called."""
    reachable = (
        select(_D.c.id)
        .where(_D.c.person_id == _O.c.person_id, or_(_O.c.door_id.is_(None), _D.c.id == _O.c.door_id))
        .where(_D.c.blocked_at.is_(None))
        .exists()
    )
    since = machine_now_of(session) - timedelta(hours=rules().channels.card_hours)
    carded = select(_A.c.id).where(_A.c.outbox_id == _O.c.id, _A.c.outcome == "sent", _A.c.started_at > since).exists()
    waits = or_(
        and_(_O.c.state == "held", or_(_O.c.why != CARDED, ~carded)),
        and_(_O.c.state == "waiting", _O.c.due_at <= now_of(session), ~reachable),
    )
    people = (
        select(
            _O.c.person_id,
            func.min(_O.c.created_at),
            func.max(_O.c.created_at),
            func.count(),
            func.min(_O.c.priority),
            func.max(_O.c.why),
        )
        # As the partial index of what is open says it.
        .where(literal_column("outbox.state IN ('waiting', 'sending', 'held')"), waits)
        .group_by(_O.c.person_id)
        .order_by(func.min(_O.c.priority), func.min(_O.c.created_at), _O.c.person_id)
    )
    if person_id:
        people = people.where(_O.c.person_id == person_id)
    return [ToCall(*row) for row in session.execute(people)]


def list_for(session: Session, viewer: str) -> list[ToCall]:
    """Of these the people of the regions that the viewer answers for today, never the viewer; with number and county.
    Whoever is not registered belongs to no region, and has left no number to call."""
    held = [grant for grant in grants(session, viewer) if grant.scope_kind == "region"]
    found = [each for each in to_call(session) if each.person_id != viewer] if held else []
    known = registered(session, [each.person_id for each in found])
    return [
        replace(each, number=number, county=county)
        for each in found
        for number, county in [known.get(each.person_id, ("", ""))]
        if county and any(reaches(grant, county) for grant in held)
    ]


def registered(session: Session, people: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Volunteer number and county by person; of guardians those of the minor they agreed for first. Who took back the
    consent to being registered has none."""
    ids = list(people)
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(ids), _SLICE):
        query = counting().where(col(Volunteer.person_id).in_(ids[start : start + _SLICE]), Volunteer.status != ENDED)
        found |= {row.person_id: (row.number, row.county or "") for row in session.exec(query)}
    wards = first_wards(session, [each for each in ids if each not in found])
    return {person: ("", ward.county or "") for person, ward in wards.items()} | found


def phone(session: Session, person_id: str, reader: str) -> str:
    """The number to call, for whoever asks for it now; empty without one. Leaves a line in the audit trail. Raises
    NotTheirs."""
    if not is_theirs(session, person_id, reader):
        raise NotTheirs
    found = number_of(session, person_id)
    if found:
        audit.note(session, reader, READ, person_id)
    return found


def has_phone(session: Session, person_id: str) -> bool:
    """Whether there is a number to call."""
    return bool(number_of(session, person_id))


def is_theirs(session: Session, person_id: str, viewer: str) -> bool:
    """Whether the viewer answers for this person today, who is registered in a county and still themselves."""
    person = session.get(Person, person_id)
    if person is None or person.deleted_at is not None or person.merged_into is not None:
        return False
    return person_id in registered(session, [person_id]) and may_deal(session, person_id, viewer)


def told(session: Session, person_id: str, by: str, until: datetime) -> int:
    """It was said on the phone: what waited for the person and was made up to `until` ends; returns how many messages.
    What is being sent at this moment is not touched. Raises NotTheirs."""
    if not is_theirs(session, person_id, by):
        raise NotTheirs
    open_ = and_(_O.c.person_id == person_id, _O.c.state.in_(("waiting", "held")), _O.c.created_at <= until)
    ids = session.scalars(select(_O.c.id).where(open_).with_for_update(skip_locked=True)).all()
    gone = {"state": "withdrawn", "why": BY_PHONE, "ended_at": now_of(session), "params_sealed": None}
    session.execute(update(_O).where(_O.c.id.in_(ids)).values(**gone))
    audit.note(session, by, TOLD, person_id, messages=len(ids))
    return len(ids)


def missed(session: Session, person_id: str, by: str) -> None:
    """Nobody answered the phone: everything stays as it is. Raises NotTheirs."""
    if not is_theirs(session, person_id, by):
        raise NotTheirs
    audit.note(session, by, MISSED, person_id)


def last_missed(session: Session, person_id: str, since: datetime) -> datetime | None:
    """When somebody last called in vain for what has waited since then."""
    query = select_rows(func.max(AuditEntry.at)).where(
        AuditEntry.subject == person_id, AuditEntry.action == MISSED, col(AuditEntry.at) >= since
    )
    return session.exec(query).one()
