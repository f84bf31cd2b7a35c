"""Handing over what nobody has: messages and cries for help that reached none of those who may deal with them today.

They were written before anybody was responsible, or those who had them lost the role or left every door; a cry for help
also where it only waits for somebody who does not write, and anew where whoever took it on (收到，我来处理) has gone.
It may run as often as wanted: what somebody has is left alone. Looking takes no write lock, and what is found is
written in short transactions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select as sql_select
from sqlmodel import Session, and_, col, or_, select

from config.catalogue import rules
from models import audit
from models.alert import Alert, heard, takers
from models.contact import ContactMessage, everybody, is_late, reachable_grants, steps
from models.contact_routes import Firsts, passed_on
from models.database import Database, now_of
from models.outbox import EMERGENCY, REPLY, OutboxMessage, enqueue
from models.person import Person, doors, family
from models.volunteer import DELETED, Volunteer
from models.wards import first_wards

_T = TypeVar("_T")
Place = tuple[datetime, str]

# Ended without having reached anybody, for good.
_LOST = ("refused", "superseded", "expired", "withdrawn")
# Not certain to be read, however long one waits. What waits to be sent still goes when it can; nobody knows when.
_UNREACHED = ("waiting", "sending", "held", "uncertain")
_LOOKED_AT = 2_000  # of each kind in one run
_SLICE = 200  # keys or ids in one query
_WRITTEN = 50  # notices in one write transaction
_PAUSE = 0.05  # seconds between two of them: whoever waits for the lock gets it


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many messages to a specialist, and how many cries for help, were passed on now."""

    contacts: int
    alerts: int


@dataclass(slots=True)
class Places:
    """Behind which rows the next run goes on; None = with the oldest."""

    contacts: Place | None = None
    alerts: Place | None = None


@dataclass(frozen=True, slots=True)
class _Open:
    """What waits for a person, who are to hear of it step by step, and everybody who may deal with it.

    `keepers` = who keeps what they have taken: after a deletion, which takes the county away, everybody who is
    responsible for any county. `lost` = who had said 收到，我来处理 and cannot deal with it any more: no notice from
    before counts then.
    """

    id: str
    place: Place
    steps: list[list[str]]
    holders: frozenset[str]
    keepers: frozenset[str] = frozenset()
    lost: str = ""

    @property
    def key(self) -> str:
        """What the keys of its notices begin with, behind the prefix of the kind."""
        return f"{self.id}:{self.lost}" if self.lost else self.id


@dataclass(frozen=True, slots=True)
class _Kind:
    """How its notices are called, the name of the parameter that holds the id, and which rows are open.

    `unreached` = after how long a notice that has not certainly arrived counts no more; None = it always counts.
    """

    prefix: str
    name: str
    priority: int
    table: type[Alert] | type[ContactMessage]
    is_open: Any
    unreached: timedelta | None


@dataclass(frozen=True, slots=True)
class _Passing:
    """Who is to be told of a thing now, each under a key that no notice had."""

    id: str
    place: Place
    told: list[tuple[str, str]]


def hand_over(database: Database, limit: int = _SLICE, *, places: Places | None = None) -> HandedOver:
    """Pass on what nobody has to those who answer for it today, the oldest first; at most `limit` of each kind, from
    `places` on, which it moves. Where nothing is to be done nothing is written."""
    places = places or Places()
    alerts, contacts = _alert_kind(), _contact_kind()
    with database.read() as session:
        people = _Responsible(session)
        cries, after_alerts = _missing(session, alerts, people, limit, places.alerts)
        messages, after_contacts = _missing(session, contacts, people, limit, places.contacts)
    passed = HandedOver(alerts=_pass_on(database, alerts, cries), contacts=_pass_on(database, contacts, messages))
    # Only now: where the database went away meanwhile, the next run finds the same again.
    places.alerts, places.contacts = after_alerts, after_contacts
    return passed


def _alert_kind() -> _Kind:
    minutes = rules().safety.alert_unreached_minutes
    return _Kind("alert", "alert", EMERGENCY, Alert, col(Alert.state) == "open", timedelta(minutes=minutes))


def _contact_kind() -> _Kind:
    is_open = and_(
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.answered_at).is_(None),
        col(ContactMessage.words_sealed).is_not(None),
    )
    return _Kind("contact", "message", REPLY, ContactMessage, is_open, None)


class _Responsible:
    """Who answers for whom, found once a county."""

    def __init__(self, session: Session) -> None:
        self.held = self._grants = reachable_grants(session)
        self._steps: dict[str | None, list[list[str]]] = {}
        self._holders: dict[str | None, frozenset[str]] = {}

    def everybody(self) -> frozenset[str]:
        """Whoever can be reached and holds a role for any region."""
        return frozenset(held.person_id or held.held_by for held in self._grants)

    def anybody(self) -> bool:
        """Whether there is anybody at all who can be told."""
        return bool(self._grants)

    def steps(self, county: str | None, asker: str) -> list[list[str]]:
        """As `models.contact.steps`."""
        if asker in self.holders(county):
            # Nobody answers to oneself: then somebody farther away does.
            return steps(self._grants, county, but=asker)
        if county not in self._steps:
            self._steps[county] = steps(self._grants, county, but="")
        return self._steps[county]

    def holders(self, county: str | None) -> frozenset[str]:
        """Whoever can be reached and answers for the county today by a role that covers it: what one of them has is in
        good hands. What somebody has who is on leave passes on."""
        if county not in self._holders:
            self._holders[county] = everybody(self._grants, county)
        return self._holders[county]


def _missing(
    session: Session, kind: _Kind, people: _Responsible, limit: int, place: Place | None
) -> tuple[list[_Passing], Place | None]:
    """What nobody has of the next rows behind `place`, and where the next run is to go on."""
    if not people.anybody():
        return [], None
    waiting = _open_alerts(session, people, place) if kind.table is Alert else _open_contacts(session, people, place)
    keys = _Keys(session, kind)
    found: list[_Passing] = []
    for some in _slices(waiting, _SLICE):
        found += _unheard(session, kind, keys, some)
        if len(found) >= limit:
            return found[:limit], found[limit - 1].place
    return found, waiting[-1].place if len(waiting) == _LOOKED_AT else None


def _open_alerts(session: Session, people: _Responsible, place: Place | None) -> list[_Open]:
    kind = _alert_kind()
    query = select(Alert.id, Alert.at, Alert.person_id).where(kind.is_open, _behind(Alert, place))
    rows = session.exec(query.order_by(col(Alert.at), col(Alert.id)).limit(_LOOKED_AT)).all()
    county = _counties(session, {asker for _id, _at, asker in rows})
    deleted = _deleted(session, {asker for _id, _at, asker in rows})
    found = []
    for key, at, asker in rows:
        where = county.get(asker)
        holders = people.holders(where) - {asker}
        keepers = people.everybody() if asker in deleted else holders
        found.append(_Open(key, (at, key), people.steps(where, asker), holders, keepers))
    return found


def _open_contacts(session: Session, people: _Responsible, place: Place | None) -> list[_Open]:
    """As `models.contact.receivers_of`: within a thread it is whoever answered there and still may, else the specialist
    of what it is about, else who answers for the asker. Wider scopes hear of a cry for help only, and where whoever was
    to hear first is silent."""
    kind, message = _contact_kind(), ContactMessage
    query = sql_select(
        *(col(each) for each in (message.id, message.at, message.asker_id, message.thread, message.about))
    )
    query = query.where(kind.is_open, _behind(message, place))
    rows = session.execute(query.order_by(col(message.at), col(message.id)).limit(_LOOKED_AT)).all()
    county = _counties(session, {row.asker_id for row in rows})
    answered = _answered(session, {row.thread for row in rows if row.thread != row.id})
    firsts = Firsts(session, [(row.asker_id, row.about) for row in rows], people.held)
    found = []
    for row in rows:
        where, first = county.get(row.asker_id), firsts.of(row.asker_id, row.about)
        holders = (people.holders(where) | first) - {row.asker_id}
        there = holders & answered.get(row.thread, set()) if row.thread != row.id else frozenset()
        heads, further = there or first, people.steps(where, row.asker_id)
        rest = passed_on(heads, further) if first and is_late(session, row.at) else []
        if rest:  # it counts no more that the first ones have it
            order, holders = [rest], holders - heads
        else:
            order = [sorted(heads)] if there else [*([sorted(first)] if first else []), *further[:1]]
        found.append(_Open(row.id, (row.at, row.id), order, holders))
    return found


def _behind(table: type[Alert] | type[ContactMessage], place: Place | None) -> Any:
    if place is None:
        return col(table.id).is_not(None)
    at, key = place
    return or_(col(table.at) > at, and_(col(table.at) == at, col(table.id) > key))


def _counties(session: Session, people: set[str]) -> dict[str, str | None]:
    """Where each of them is registered today, as `models.contact.county_of`."""
    found: dict[str, str | None] = {}
    for ids in _slices(sorted(people), _SLICE):
        query = select(Volunteer.person_id, Volunteer.county).where(
            col(Volunteer.person_id).in_(ids), Volunteer.status != DELETED, col(Volunteer.merged_into).is_(None)
        )
        found.update(session.exec(query).all())
    wards = first_wards(session, people.difference(found))
    return {**{one: ward.county for one, ward in wards.items()}, **found}


def _deleted(session: Session, people: set[str]) -> set[str]:
    """Which of them have had their data deleted."""
    found: set[str] = set()
    for ids in _slices(sorted(people), _SLICE):
        found.update(
            session.exec(select(Person.id).where(col(Person.id).in_(ids), col(Person.deleted_at).is_not(None)))
        )
    return found


def _answered(session: Session, threads: set[str]) -> dict[str, set[str]]:
    """Who answered in each thread."""
    found: dict[str, set[str]] = {}
    for ids in _slices(sorted(threads), _SLICE):
        query = select(ContactMessage.thread, ContactMessage.author_id).where(
            col(ContactMessage.thread).in_(ids), col(ContactMessage.by_asker).is_(False)
        )
        for thread, author in session.exec(query.distinct()):
            found.setdefault(thread, set()).add(author)
    return found


def _unheard(session: Session, kind: _Kind, keys: _Keys, some: Sequence[_Open]) -> list[_Passing]:
    """Those of which nobody has a notice that counts, and who is told of them now."""
    if kind.table is Alert:
        # Whoever said 收到，我来处理 has it, whatever a platform said of the notice.
        taken = takers(session, [each.id for each in some])
        free = [each for each in some if each.keepers.isdisjoint(taken.get(each.id, ()))]
        some = [replace(each, lost=taken[each.id][-1]) if each.id in taken else each for each in free]
    # Mostly the first one who was told has it; only for the rest everybody else is asked.
    first = {each.key: set(each.steps[0]) for each in some if each.steps}
    states = _states(session, kind, {key for row, people in first.items() for key in keys.of_all(row, people)})
    rest = [each for each in some if each.key in first and not _has(keys, each.key, first[each.key], states)]
    states |= _states(session, kind, {key for each in rest for key in keys.of_all(each.key, each.holders)})
    found = []
    for each in rest:
        if _has(keys, each.key, each.holders, states):
            continue
        for step in _told_anew(session, each) if each.lost else each.steps:
            told = [(person, key) for person in step if (key := keys.free(each.key, person, states))]
            if told:
                found.append(_Passing(each.id, each.place, told))
                break
    return found


def _told_anew(session: Session, each: _Open) -> list[list[str]]:
    """The steps of what somebody had and has no more: whoever heard of it then believes it to be in good hands, so all
    of them hear of it first."""
    first = heard(session, each.id) & each.holders
    return [sorted(first.union(each.steps[0])), *each.steps[1:]]


def _has(keys: _Keys, row: str, people: set[str] | frozenset[str], states: dict[str, str]) -> bool:
    return any(states.get(key, "refused") not in (*_LOST, "unreached") for key in keys.of_all(row, people))


class _Keys:
    """Under which keys somebody may have been told of a thing: the first time, and once for each door by which they
    came back. A notice under the id of an account that has been joined to theirs counts as theirs."""

    def __init__(self, session: Session, kind: _Kind) -> None:
        self._session = session
        self._prefix = kind.prefix
        self._names: dict[str, tuple[list[str], list[str]]] = {}

    def of_all(self, row: str, people: set[str] | frozenset[str]) -> Iterator[str]:
        """Every key that counts."""
        return (f"{self._prefix}:{row}:{name}" for person in people for name in self._of(person)[0])

    def free(self, row: str, person: str, states: dict[str, str]) -> str:
        """The key of a new notice; empty where a notice may still arrive, or where they have had every one."""
        every, own = self._of(person)
        if any(states.get(f"{self._prefix}:{row}:{name}", _LOST[0]) not in _LOST for name in every):
            return ""
        return next((key for name in own if (key := f"{self._prefix}:{row}:{name}") not in states), "")

    def _of(self, person: str) -> tuple[list[str], list[str]]:
        """All names, and those that a new notice may have, the first free one counts."""
        if person not in self._names:
            through = [door.id for door in doors(self._session, person)]
            ids = family(self._session, person)
            every = [*ids, *(f"{one}:{door}" for one in ids for door in through)]
            self._names[person] = every, [person, *(f"{person}:{door}" for door in through)]
        return self._names[person]


def _states(session: Session, kind: _Kind, keys: set[str]) -> dict[str, str]:
    """The state of each notice; "unreached" for one that waited in vain for as long as the kind allows."""
    before = now_of(session) - kind.unreached if kind.unreached is not None else None
    found: dict[str, str] = {}
    for some in _slices(sorted(keys), _SLICE):
        query = select(OutboxMessage.unique_key, OutboxMessage.state, OutboxMessage.created_at)
        for key, state, since in session.exec(query.where(col(OutboxMessage.unique_key).in_(some))):
            in_vain = before is not None and state in _UNREACHED and since <= before
            found[key] = "unreached" if in_vain else state
    return found


def _pass_on(database: Database, kind: _Kind, found: list[_Passing]) -> int:
    """Put the notices into the outbox, few at a time; returns of how many things."""
    done = 0
    for number, some in enumerate(_portions(found)):
        if number:
            time.sleep(_PAUSE)
        with database.write() as session:
            done += _write(session, kind, some)
    return done


def _write(session: Session, kind: _Kind, some: list[_Passing]) -> int:
    """What was answered or closed since it was found needs nobody any more, and no key is used twice."""
    ids = [each.id for each in some]
    still = set(session.exec(select(kind.table.id).where(kind.is_open, col(kind.table.id).in_(ids))))
    done = 0
    for each in some:
        told = 0
        for receiver, key in each.told if each.id in still else ():
            params = {kind.name: each.id}
            told += enqueue(session, receiver, f"notice.{kind.prefix}", params, unique_key=key, priority=kind.priority)
        if told:
            audit.note(session, "programme", f"{kind.prefix}.handed_over", each.id, receivers=told)
            done += 1
    return done


def _portions(found: list[_Passing]) -> Iterator[list[_Passing]]:
    """So many that a write transaction has at most _WRITTEN notices, or one thing that has more."""
    some: list[_Passing] = []
    notices = 0
    for each in found:
        if some and notices + len(each.told) > _WRITTEN:
            yield some
            some, notices = [], 0
        some.append(each)
        notices += len(each.told)
    if some:
        yield some


def _slices(rows: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
