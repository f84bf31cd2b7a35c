"""Relays as people look at them: those of one's own, those of one's region, who answers for one today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, or_, select

from models import relaying, role
from models.audit import AuditEntry
from models.beneficiary import GONE, Beneficiary, may_see
from models.database import now_of
from models.institution import Institution
from models.leave import ASKED, Leave, leaves_of
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import AGREEING, LEAD, OPEN, Keeping, Stint
from models.person import family
from models.relay import DONE, SEEKING, STANDING, TERM, Relay
from models.served import Served, is_gone, served_by, served_of, servers, tell_responsible
from models.standing_in import in_place_of
from models.stints import StintError, answering, lead_of, lead_of_institution

AGAIN_DAYS = 14  # 晚点说: so much later the question about another term comes again


@dataclass(frozen=True, slots=True)
class Handing:
    """A relay with its two, as they stand today. `stint` = of the one who goes; `successor` = of who said yes."""

    relay: Relay
    stint: Stint
    somebody: Served
    successor: Stint | None


def handing(session: Session, relay_id: str) -> Handing | None:
    """A relay, whatever became of it; None when there is none, or the served person is no more in the ledger, or the
    institution no more there."""
    row = session.get(Relay, relay_id)
    stint = session.get(Stint, row.stint_id) if row else None
    if row is None or stint is None:
        return None
    somebody = served_of(session, stint)
    if is_gone(somebody):
        return None
    return Handing(row, stint, somebody, session.get(Stint, row.successor_id) if row.successor_id else None)


def standing(session: Session, relay_id: str) -> Handing | None:
    """A relay that still matters: somebody is sought, or handing over waits. One whose last day is over stays as long
    as nobody has the lead."""
    found = handing(session, relay_id)
    if found is None or found.relay.state not in STANDING:
        return None
    if found.stint.state != OPEN and _has_lead(session, found.somebody):
        return None
    return found


def _has_lead(session: Session, somebody: Served) -> bool:
    of = lead_of_institution if isinstance(somebody, Institution) else lead_of
    return of(session, somebody.id) is not None


_COUNTY = func.coalesce(Beneficiary.county, Institution.county)
_TOWN = func.coalesce(Beneficiary.town, Institution.town, "")


def _still() -> list[ColumnElement[bool]]:
    """`standing` for a statement that joins relays with their stints, and these with whom they serve (outer joins)."""
    other = aliased(Stint)
    same = or_(
        col(other.beneficiary_id) == Stint.beneficiary_id,
        col(other.institution_id) == Stint.institution_id,
    )
    led = exists().where(same, col(other.part) == LEAD, col(other.state) == OPEN)
    # Of the one whom a stint does not serve all columns are empty.
    return [
        col(Relay.state).in_(STANDING),
        or_(col(Beneficiary.id).is_(None), col(Beneficiary.status).not_in(GONE)),
        col(Beneficiary.merged_into).is_(None),
        col(Institution.ended_at).is_(None),
        or_(col(Stint.state) == OPEN, ~led),
    ]


def told_together(session: Session, person_id: str, row: Relay) -> tuple[str | None, int]:
    """Of the relays that are told of in one message with `row`, the one that is due first, and how many they are: those
    of a batch, and the terms that one run of the job found, as far as this person answers for them. Whoever looks after
    forty families does not get forty messages at once."""
    if row.batch:
        alike = [Relay.batch == row.batch]
    elif row.reason == TERM and row.begun_by == relaying.PROGRAMME:
        hour = row.begun_at.replace(minute=0, second=0, microsecond=0)
        alike = [Relay.begun_by == relaying.PROGRAMME, Relay.begun_at >= hour]
        alike.append(Relay.begun_at < hour + timedelta(hours=1))
    else:
        return row.id, 1
    places = scopes(session, person_id)
    if not places:
        return None, 0
    query = (
        select(Relay.id, func.count().over())
        .join(Stint, col(Stint.id) == Relay.stint_id)
        .join(Beneficiary, col(Beneficiary.id) == Stint.beneficiary_id, isouter=True)
        .join(Institution, col(Institution.id) == Stint.institution_id, isouter=True)
        .where(*_still(), Relay.reason == row.reason, *alike, _within(places))
    )
    found = session.exec(query.order_by(col(Relay.last_day), col(Relay.id)).limit(1)).first()
    return found or (None, 0)


def _within(places: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(_COUNTY.startswith(place) for place in places))


def mine(session: Session, person_id: str) -> list[Stint]:
    """The open lead stints that this person holds, with somebody served or an institution; the oldest first."""
    query = select(Stint).where(served_by(family(session, person_id)), Stint.part == LEAD, Stint.state == OPEN)
    return list(session.exec(query.order_by(col(Stint.opened_at), col(Stint.id))))


def begun_of(session: Session, person_id: str) -> list[Handing]:
    """The relays of this person's open stints."""
    ids = [stint.id for stint in mine(session, person_id)]
    query = select(Relay.id).where(col(Relay.stint_id).in_(ids), col(Relay.state).in_(STANDING))
    found = (standing(session, key) for key in session.exec(query.order_by(col(Relay.begun_at), col(Relay.id))))
    return [each for each in found if each is not None]


def of_stint(session: Session, stint: Stint) -> Handing | None:
    """The relay that stands of an open lead stint."""
    if (stint.state, stint.part) != (OPEN, LEAD):
        return None
    query = select(Relay.id).where(Relay.stint_id == stint.id, col(Relay.state).in_(STANDING))
    key = session.exec(query).first()
    return standing(session, key) if key is not None else None


def taken_by(session: Session, person_id: str) -> list[Handing]:
    """The relays in which this person is the successor and still is what they became; with a note to read."""
    query = (
        select(Relay.id)
        .join(Stint, col(Stint.id) == Relay.successor_id)
        .where(served_by(family(session, person_id)), col(Stint.state).in_((AGREEING, OPEN)))
        .where(col(Relay.state).in_((*STANDING, DONE)), col(Relay.note_sealed).is_not(None))
    )
    found = (handing(session, key) for key in session.exec(query.order_by(col(Relay.begun_at), col(Relay.id))))
    return [each for each in found if each is not None]


def may_read_note(session: Session, found: Handing, reader: str) -> bool:
    """Whether `relaying.note_of` shows this reader the note."""
    return relaying.may_read(session, found.stint, found.successor, reader) or may_see(
        session, reader, found.somebody.county
    )


def give_for(session: Session, relay_id: str, by: str) -> None:
    """Whoever answers for the county says in their place that it was handed over; the one who goes is thanked, and so
    hears of it. Raises StintError."""
    row = relaying.give(session, relay_id, by)
    stint = session.get_one(Stint, row.stint_id)
    for one in servers(session, stint):
        if by not in family(session, one):
            key = f"relay:{row.id}:thanks:{one}"
            enqueue(session, one, "notice.thanks", {"stint": stint.id}, unique_key=key, priority=REMINDER)


def cancel_for(session: Session, relay_id: str, by: str) -> None:
    """Whoever answers for the county ends a relay; the one whose pairing goes on hears of it. Raises StintError."""
    row = relaying.cancel(session, relay_id, by)
    stint = session.get_one(Stint, row.stint_id)
    for one in servers(session, stint):
        if by not in family(session, one):
            key = f"relay:{row.id}:off:holder:{one}"
            enqueue(session, one, "notice.relay_off", {"relay": row.id}, unique_key=key, priority=REPLY)


def scopes(session: Session, person_id: str) -> tuple[str, ...]:
    """The regions for whose people this person answers."""
    return tuple(sorted({held.scope for held in role.grants(session, person_id) if held.scope_kind == "region"}))


def of_region(session: Session, viewer: str) -> tuple[list[Handing], list[Leave]]:
    """The relays and leaves of the regions that the viewer (a person's id, or "machine") answers for, what is due first
    in front."""
    places = None if viewer == "machine" else scopes(session, viewer)
    if places == ():
        return [], []
    within = [] if places is None else [_within(places)]
    successor = aliased(Stint)
    relays = (
        sql_select(Relay, Stint, Beneficiary, Institution, successor)
        .join(Stint, col(Stint.id) == Relay.stint_id)
        .join(Beneficiary, col(Beneficiary.id) == Stint.beneficiary_id, isouter=True)
        .join(Institution, col(Institution.id) == Stint.institution_id, isouter=True)
        .join(successor, col(successor.id) == Relay.successor_id, isouter=True)
        .where(*_still(), *within)
        .order_by(col(Relay.last_day), _COUNTY, _TOWN, col(Relay.id))
    )
    found = [
        Handing(row, stint, somebody or institution, after)
        for row, stint, somebody, institution, after in session.execute(relays)
    ]
    asked = exists().where(col(AuditEntry.subject) == Stint.id, col(AuditEntry.action) == ASKED)
    away = (
        select(Stint)
        .join(Beneficiary, col(Beneficiary.id) == Stint.beneficiary_id, isouter=True)
        .join(Institution, col(Institution.id) == Stint.institution_id, isouter=True)
        .where(Stint.state == OPEN, Stint.part == LEAD, asked, *within)
    )
    return found, leaves_of(session, session.exec(away))


def responsible_for(session: Session, found: Handing) -> str | None:
    """Who is responsible for a relay today: who was named, or their deputy during a leave, as long as they answer for
    the county, else whoever does."""
    county = found.somebody.county
    named = in_place_of(session, found.relay.specialist_id, lambda one: role.covers_county(session, one, county))
    return named or next(iter(answering(session, found.somebody.county)), None)


def keeping(session: Session, key: str) -> tuple[Keeping, Beneficiary] | None:
    """A keeping that stands, and whom it is about."""
    row = session.get(Keeping, key)
    somebody = session.get(Beneficiary, row.beneficiary_id) if row else None
    if row is None or somebody is None or row.until is not None or somebody.status in GONE:
        return None
    return row, somebody


def was_paired(session: Session, beneficiary_id: str) -> bool:
    """Whether somebody ever had a pairing that began."""
    query = select(Stint.id).where(Stint.beneficiary_id == beneficiary_id, Stint.part == LEAD)
    return session.exec(query.where(col(Stint.opened_at).is_not(None)).limit(1)).first() is not None


def willing(session: Session, relay_id: str, why: str) -> None:
    """Whoever serves wants another term, and may not have it as things stand (`why`, as `relaying.renew` raises it):
    whoever is responsible hears of it, once for each reason."""
    row = session.get_one(Relay, relay_id)
    stint, params = session.get_one(Stint, row.stint_id), {"relay": relay_id, "why": why}
    key = f"relay:{relay_id}:willing:{why}"
    tell_responsible(session, served_of(session, stint), "notice.willing", params, key, row.specialist_id)


def ask_later(session: Session, relay_id: str, person_id: str) -> bool:
    """The question about another term comes again, once, before the last day; False where it does not, because the last
    day is nearer or it was put off before. Raises StintError."""
    found = standing(session, relay_id)
    if found is None or found.relay.state != SEEKING or not relaying.serves(session, found.stint, person_id):
        raise StintError("gone")
    due = now_of(session) + timedelta(days=AGAIN_DAYS)
    if due.date() >= found.relay.last_day:
        return False
    params = {"relay": relay_id, "again": True}
    key = f"relay:{relay_id}:holder:again"
    return enqueue(session, person_id, "notice.relay_begun", params, unique_key=key, priority=REMINDER, due_at=due)
