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
from models.database import is_moved, machine_now_of, now_of
from models.outbox import CAMPAIGN, EMERGENCY, TOMORROW
from models.person import Person
from models.role import grants, reaches
from models.volunteer import ENDED, Volunteer, counting
from models.wards import first_wards

READ, TOLD, MISSED = "phone.read", "call.told", "call.missed"  # in the audit trail
BY_PHONE = "told by phone"  # why a message has ended that somebody was told about
OVERDUE = timedelta(minutes=5)  # so long an emergency waits for its account before its person is called
LONG_DUE = timedelta(hours=6)  # so long anything else does, whatever keeps it: an account that is refused for days
CARDED = "card"  # why a message is held of which a card has gone

_O: Any = SQLModel.metadata.tables["outbox"]
_N: Any = _O.alias("newest")
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


@dataclass(frozen=True, slots=True)
class Listed:
    """One message of somebody on the list; `about` is the id that its key names, empty where it names none."""

    kind: str
    about: str
    created_at: datetime


class NotTheirs(Exception):
    """Somebody else answers for this person now, or the person is no longer there."""


def to_call(session: Session, person_id: str = "") -> list[ToCall]:
    """Whom only a call reaches: messages wait for their next word, or for a door that does not exist. The most urgent
    first, then who has waited longest. Who was sent a card has card_hours to come before they are called,
    in an emergency five minutes."""
    waits = _waits(session)
    newest = (
        select(_N.c.why)
        .where(_N.c.person_id == _O.c.person_id, literal_column("newest.state IN ('waiting', 'sending', 'held')"))
        .where(_waits(session, _N))
        .order_by(_N.c.created_at.desc(), _N.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    people = (
        select(
            _O.c.person_id,
            func.min(_O.c.created_at),
            func.max(_O.c.created_at),
            func.count(),
            func.min(_O.c.priority),
            newest,
        )
        # As the partial index of what is open says it.
        .where(literal_column("outbox.state IN ('waiting', 'sending', 'held')"), waits)
        .group_by(_O.c.person_id)
        .order_by(func.min(_O.c.priority), func.min(_O.c.created_at), _O.c.person_id)
    )
    if person_id:
        people = people.where(_O.c.person_id == person_id)
    return [ToCall(*row) for row in session.execute(people)]


def _waits(session: Session, message: Any = _O) -> Any:
    """What puts a message on the list, and is over once its person was called: it waits for their next word, or is due
    and no door is open to it, or cannot wait and has waited for minutes (its account is paused, nobody sends …)."""
    now, machine = now_of(session), machine_now_of(session)
    reachable = (
        select(_D.c.id)
        .where(_D.c.person_id == message.c.person_id, or_(message.c.door_id.is_(None), _D.c.id == message.c.door_id))
        .where(_D.c.blocked_at.is_(None))
        .exists()
    )

    def carded(patience: timedelta) -> Any:
        """Whether a card has gone so lately that its person may still come."""
        gone = select(_A.c.id).where(_A.c.outbox_id == message.c.id, _A.c.outcome == "sent")
        lately = gone.where(_A.c.started_at > machine - patience).exists()
        # The sandbox has moved the programme's clock, which attempts do not follow: there it counts from the message.
        return and_(lately, message.c.created_at > now - patience) if is_moved(session) else lately

    hours = timedelta(hours=rules().channels.card_hours)
    comes = or_(carded(OVERDUE), and_(message.c.priority > EMERGENCY, carded(hours)))
    # What goes tomorrow by itself needs no call, unless it cannot wait.
    tomorrow = and_(message.c.why == TOMORROW, message.c.priority > EMERGENCY)
    return or_(
        and_(message.c.state == "held", or_(message.c.why != CARDED, ~comes), ~tomorrow),
        and_(message.c.state == "waiting", message.c.due_at <= now, ~reachable),
        and_(message.c.state == "waiting", message.c.priority == EMERGENCY, message.c.due_at <= now - OVERDUE),
        and_(message.c.state == "waiting", message.c.priority < CAMPAIGN, message.c.due_at <= now - LONG_DUE),
    )


def listed(session: Session, person_id: str, limit: int) -> list[Listed]:
    """The messages for which somebody is on the list, the most urgent and then the newest first."""
    query = (
        select(_O.c.kind, _O.c.unique_key, _O.c.created_at)
        .where(literal_column("outbox.state IN ('waiting', 'sending', 'held')"), _O.c.person_id == person_id)
        .where(_waits(session))
        .order_by(_O.c.priority, _O.c.created_at.desc(), _O.c.id.desc())
        .limit(limit)
    )
    rows = [(row.kind, row.unique_key.split(":"), row.created_at) for row in session.execute(query)]
    return [Listed(kind, key[1] if len(key) > 1 else "", created_at) for kind, key, created_at in rows]


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


def told(session: Session, person_id: str, by: str, until: datetime) -> tuple[int, datetime]:
    """It was said on the phone: what stood on the list for the person and was made up to `until` ends; returns how many
    messages, and the time by which they are found again (calls_undone.py). What is being sent at this moment, has a
    way of its own or is not due yet is not touched. Raises NotTheirs."""
    if not is_theirs(session, person_id, by):
        raise NotTheirs
    listed = and_(_O.c.person_id == person_id, _waits(session), _O.c.created_at <= until)
    ids = session.scalars(select(_O.c.id).where(listed).with_for_update(skip_locked=True)).all()
    # What it holds stays for a while: the call may have been written down by mistake (models/calls_undone.py).
    at = now_of(session)
    gone = {"state": "withdrawn", "why": BY_PHONE, "ended_at": at}
    session.execute(update(_O).where(_O.c.id.in_(ids)).values(**gone))
    audit.note(session, by, TOLD, person_id, messages=len(ids))
    return len(ids), at


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
