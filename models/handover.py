"""Handing over what nobody has: messages and cries for help that reached none of those who may deal with them today.

They were written before anybody was responsible, or those who had them lost the role or left every door. It may run as
often as wanted: what somebody has is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session, col, select

from config import regions
from models import audit
from models.alert import Alert
from models.contact import ContactMessage, reachable, reachable_grants, receivers_of
from models.outbox import EMERGENCY, REPLY, OutboxMessage, enqueue
from models.person import doors, family
from models.volunteer import DELETED, Volunteer

_T = TypeVar("_T")

# Ended without having reached anybody, for good.
_LOST = ("refused", "superseded", "expired", "withdrawn")
_SLICE = 200


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many messages to a specialist, and how many cries for help, were passed on now."""

    contacts: int
    alerts: int


@dataclass(frozen=True, slots=True)
class _Open:
    """What waits for a person: its id, who is to hear of it today, and everybody who may deal with it."""

    id: str
    receivers: list[str]
    holders: set[str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How its notices are called, and the name of the parameter that holds the id."""

    prefix: str
    name: str
    priority: int


_CONTACT = _Kind("contact", "message", REPLY)
_ALERT = _Kind("alert", "alert", EMERGENCY)


def hand_over(session: Session, limit: int = _SLICE) -> HandedOver:
    """Pass on what nobody has to those who answer for it today, the oldest first; at most `limit` of each kind, since a
    write transaction is to be short."""
    alerts, contacts = _open_alerts(session), _open_contacts(session)
    if not alerts and not contacts:
        return HandedOver(0, 0)
    people = _Responsible(session, [*(row.person_id for row in alerts), *(row.asker_id for row in contacts)])
    cries = [_Open(row.id, people.of(row.person_id), people.holding(row.person_id)) for row in alerts]
    messages = []
    for row in contacts:
        # Within a thread it is whoever answered there.
        told = receivers_of(session, row) if row.thread != row.id else people.of(row.asker_id)
        messages.append(_Open(row.id, told, {*told, *people.holding(row.asker_id)}))
    return HandedOver(
        contacts=_pass_on(session, _CONTACT, messages, limit), alerts=_pass_on(session, _ALERT, cries, limit)
    )


def _open_contacts(session: Session) -> Sequence[ContactMessage]:
    query = select(ContactMessage).where(
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.answered_at).is_(None),
        col(ContactMessage.words_sealed).is_not(None),
    )
    return session.exec(query.order_by(col(ContactMessage.at), ContactMessage.id)).all()


def _open_alerts(session: Session) -> Sequence[Alert]:
    return session.exec(select(Alert).where(Alert.state == "open").order_by(col(Alert.at), Alert.id)).all()


class _Responsible:
    """Who answers for whom, asked once a county."""

    def __init__(self, session: Session, people: Iterable[str]) -> None:
        self._session = session
        self._found: dict[str | None, list[str]] = {}
        self._county: dict[str, str | None] = {}
        for ids in _slices(sorted(set(people))):
            query = select(Volunteer.person_id, Volunteer.county).where(
                col(Volunteer.person_id).in_(ids), Volunteer.status != DELETED, col(Volunteer.merged_into).is_(None)
            )
            self._county.update(session.exec(query).all())
        self._grants = reachable_grants(session)

    def of(self, person_id: str) -> list[str]:
        """As `answers_for`."""
        county = self._county.get(person_id)
        if county not in self._found:
            self._found[county] = reachable(self._session, county, but="")
        found = self._found[county]
        # Nobody answers to oneself: then somebody farther away does.
        return reachable(self._session, county, but=person_id) if person_id in found else found

    def holding(self, person_id: str) -> set[str]:
        """Whoever can be reached and holds a role that covers this person: what one of them has is in good hands."""
        county = self._county.get(person_id)
        return {
            grant.person_id
            for grant in self._grants
            if (regions.within(county, grant.scope) if county else grant.role == "organiser")
            and grant.person_id != person_id
        }


def _pass_on(session: Session, kind: _Kind, waiting: list[_Open], limit: int) -> int:
    """Put the notices of what has no living one into the outbox; returns of how many things."""
    keys = _Keys(session, kind)
    done = 0
    for some in _slices(waiting):
        counting = {each.id: {key for holder in each.holders for key in keys.all(each.id, holder)} for each in some}
        states = _states(session, {key for some_keys in counting.values() for key in some_keys})
        for each in some:
            known = counting[each.id] & states.keys()
            if not each.receivers or any(states[key] not in _LOST for key in known):
                continue
            if not any(_tell(session, kind, each.id, receiver, keys, states) for receiver in each.receivers):
                continue
            audit.note(session, "programme", f"{kind.prefix}.handed_over", each.id, receivers=len(each.receivers))
            done += 1
            if done == limit:
                return done
    return done


def _tell(session: Session, kind: _Kind, row: str, receiver: str, keys: _Keys, states: dict[str, str]) -> bool:
    """A notice for one receiver, under a key that no notice had; False where this receiver has had every one."""
    key = next((key for key in keys.own(row, receiver) if key not in states), None)
    return key is not None and enqueue(
        session, receiver, f"notice.{kind.prefix}", {kind.name: row}, unique_key=key, priority=kind.priority
    )


class _Keys:
    """Under which keys somebody may have been told of a thing: the first time, and once for each door by which they
    came back. A notice under the id of an account that has been joined to theirs counts as theirs."""

    def __init__(self, session: Session, kind: _Kind) -> None:
        self._session = session
        self._kind = kind
        self._names: dict[str, tuple[list[str], list[str]]] = {}

    def all(self, row: str, receiver: str) -> list[str]:
        """Every key that counts."""
        ids, through = self._of(receiver)
        names = [*ids, *(f"{one}:{door}" for one in ids for door in through)]
        return [f"{self._kind.prefix}:{row}:{name}" for name in names]

    def own(self, row: str, receiver: str) -> list[str]:
        """Those under which a new notice may go, the first free one counts."""
        names = [receiver, *(f"{receiver}:{door}" for door in self._of(receiver)[1])]
        return [f"{self._kind.prefix}:{row}:{name}" for name in names]

    def _of(self, receiver: str) -> tuple[list[str], list[str]]:
        if receiver not in self._names:
            through = [door.id for door in doors(self._session, receiver)]
            self._names[receiver] = family(self._session, receiver), through
        return self._names[receiver]


def _states(session: Session, keys: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _slices(sorted(keys)):
        query = select(OutboxMessage.unique_key, OutboxMessage.state).where(col(OutboxMessage.unique_key).in_(some))
        found.update(session.exec(query).all())
    return found


def _slices(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for at in range(0, len(rows), _SLICE):
        yield rows[at : at + _SLICE]
