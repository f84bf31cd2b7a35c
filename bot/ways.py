"""The channel ladder inside the delivery engine: which ways a message has now, and what a call means for the ledger.

The rules are in models/ladder.py and models/ledger.py; here they meet the engine's rows, doors and calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session, col, select

from bot.platforms.base import Outcome
from bot.sending_line import Account, Call, Way
from handlers import cards
from handlers.message import Reply
from models import ladder, ledger, outbox
from models.channel import Channel, count_calls, end_call, use_grant
from models.claiming import Claimed
from models.database import machine_now_of
from models.ledger import Ledger
from models.person import Door, Person

CARDED, CLOSED, TOMORROW = "card", "no open channel", outbox.TOMORROW  # why a row is held
Key = tuple[str, str]  # of a way
_ENDS = {"43101": "gone", ledger.ENOUGH: "enough"}  # by the platform's code, where it closed a channel


class Ways:
    """The ways of all accounts of this process; `channels` by account, those without have one that carries all."""

    def __init__(self, channels: Mapping[Account, tuple[Channel, ...]]) -> None:
        self._channels = channels
        self._keyed = any(channel.keyed for each in channels.values() for channel in each)

    def read(self, session: Session, rows: Sequence[Claimed], doors: Mapping[str, Sequence[Door]]) -> Ledger:
        """The ledger of these rows and the doors of their people, in a few queries; none where nothing is limited."""
        found = {door.id: door for row in rows for door in doors.get(row.person_id, ())}
        limited = {door.person_id for door in found.values() if ledger.is_limited(door, self._channels)}
        tried = [row.id for row in rows if row.resends or row.person_id in limited]
        return ledger.read(session, found.values(), tried, self._channels)

    def open(self, known: Ledger, row: Claimed, person: Person | None, doors: Iterable[Door]) -> list[Way]:
        """The ways that are open to a row, in the order of the ladder."""
        found = {door.id: door for door in doors if row.door_id in (None, door.id)}
        ways = self._every(known, row, person, found.values())
        return [
            Way(found[way.door_id], way.channel, way.subject, ladder.passed_over(ways, way))
            for way in ways
            if not way.closed
        ]

    def _every(self, known: Ledger, row: Claimed, person: Person | None, doors: Collection[Door]) -> list[ladder.Way]:
        ordered = ladder.in_order(person, doors) if person is not None else list(doors)
        card = cards.of_kind(row.kind)
        return ladder.ladder(known, ordered, self._channels, row=row.id, card=card, priority=row.priority)

    def again(
        self, session: Session, rows: Sequence[Claimed], tried: Mapping[str, Collection[Key]]
    ) -> dict[str, list[Way]]:
        """The ways that are open to each of these rows after its call has ended, but for those tried already."""
        ids = sorted({row.person_id for row in rows})
        here: dict[str, list[Door]] = {person: [] for person in ids}
        theirs = select(Door).where(col(Door.person_id).in_(ids), col(Door.blocked_at).is_(None))
        for door in session.exec(theirs.order_by(col(Door.last_in_at).desc(), col(Door.id))):
            here[door.person_id].append(door)
        people = {person.id: person for person in session.exec(select(Person).where(col(Person.id).in_(ids)))}
        known = self.read(session, rows, here)
        return {
            row.id: [
                way
                for way in self.open(known, row, people.get(row.person_id), here[row.person_id])
                if way.key not in tried[row.id]
            ]
            for row in rows
        }

    def held(
        self, session: Session, rows: Sequence[Claimed], counts: Callable[[Claimed, Way], bool] = lambda row, way: True
    ) -> dict[str, list[str]]:
        """Those of these rows that still have no open way that counts, by the reason why they are held.

        The doors are locked before it is looked, for whoever writes at this moment has them locked from the beginning
        of the turn to its end: a row is never held behind a message that would have let it go. Where a turn has one,
        the row is looked at again later.
        """
        people = sorted({row.person_id for row in rows})
        if not people:
            return {}
        query = select(Door).where(col(Door.person_id).in_(people)).order_by(col(Door.last_in_at).desc(), col(Door.id))
        every = Counter(session.exec(select(Door.person_id).where(col(Door.person_id).in_(people))))
        free: dict[str, list[Door]] = {person: [] for person in people}
        for door in session.exec(query.with_for_update(skip_locked=True).execution_options(populate_existing=True)):
            free[door.person_id].append(door)
        still = [row for row in rows if len(free[row.person_id]) == every[row.person_id]]
        usable = {person: [door for door in found if door.blocked_at is None] for person, found in free.items()}
        known = self.read(session, still, usable)
        why: dict[str, list[str]] = {}
        for row in still:
            person = session.get(Person, row.person_id)
            if not any(counts(row, way) for way in self.open(known, row, person, usable[row.person_id])):
                here = [door for door in usable[row.person_id] if row.door_id in (None, door.id)]
                why.setdefault(_why_held(known, row, self._every(known, row, person, here)), []).append(row.id)
        return why

    def repeats(self, session: Session, call: Call) -> bool:
        """Whether an uncertain call is simply made again: its channel sends once under the row's key."""
        if not call.way.channel.keyed:
            return False
        known = self.read(session, [call.row], {call.row.person_id: [call.way.door]})
        return ladder.may_repeat(known, _on_ladder(call.way), call.row.id)

    def may_double(self, session: Session, picked: Iterable[tuple[Claimed, Way]]) -> set[str]:
        """Those of these rows that bear no mark yet although a call may have brought them already: it was to be made
        again under its key, and by the way that is picked now, or so late, that does not help any more."""
        asked = {row.id: way for row, way in picked if not row.resends} if self._keyed else {}
        if not asked:
            return set()
        known = ledger.read(session, (), asked, self._channels)
        return {row for row, way in asked.items() if ladder.may_double(known, _on_ladder(way), row)}


def _why_held(known: Ledger, row: Claimed, ways: Iterable[ladder.Way]) -> str:
    before, closed = known.before.get(row.id), [way for way in ways if way.closed == "day"]
    if any(way.channel.cards is None for way in closed):
        return TOMORROW  # the words themselves may go then
    if before is not None and before.carded:
        return CARDED
    return TOMORROW if closed else CLOSED


def tomorrow(session: Session, why: str) -> dict[str, datetime]:
    """Until when a row is held that is held for this reason, as columns; none where only its person can let it go."""
    return outbox.not_before(session, ledger.next_day(machine_now_of(session))) if why == TOMORROW else {}


def _on_ladder(way: Way) -> ladder.Way:
    door = way.door
    return ladder.Way(door.id, door.platform, door.account, door.sender, way.channel, way.subject)


def with_card(reply: Reply, way: Way, row: Claimed, person: Person) -> Reply:
    """The reply with its card, where the way carries nothing else."""
    if way.channel.cards is None:
        return reply
    return replace(reply, card=cards.made(row.kind, row.due_at, person.zone))


def begin(session: Session, calls: Sequence[Call]) -> list[Call]:
    """Calls are about to be made; returns those that may be: what the others need has gone meanwhile, or more of them
    were picked than the account has left of its day. Then the most urgent go."""
    left: dict[tuple[Account, str], int] = {}
    may = []
    for call in sorted(calls):
        account, channel = call.way.account, call.way.channel
        key = (account, channel.name)
        if channel.daily and key not in left:
            left[key] = ledger.calls_left(session, *account, channel)
        if left.get(key, 1) > 0 and use_grant(session, call.way.door.id, channel, call.way.subject, call.attempt):
            may.append(call)
            if channel.daily:
                left[key] -= 1
    for (account, name), number in Counter((call.way.account, call.way.channel.name) for call in may).items():
        one = next(call.way.channel for call in may if (call.way.account, call.way.channel.name) == (account, name))
        count_calls(session, *account, one, number)
    return may


def ended(session: Session, call: Call, outcome: Outcome | None) -> None:
    """A call has ended; None = it was not made."""
    way = call.way
    if not way.channel.limited:
        return
    name = outcome.name if outcome is not None else "late"
    if name in ("sent", "uncertain"):
        return
    how = _ENDS.get(outcome.code, "not sent") if outcome is not None and name == "closed" else "not sent"
    # It may be written down long after the call, when another day has begun.
    attempt = session.get(outbox.Attempt, call.attempt) if how == "enough" else None
    began = attempt.started_at if attempt is not None else None
    end_call(session, (*way.account, way.door.id), way.channel, way.subject, call.attempt, how, began)


def is_card(call: Call) -> bool:
    """Whether only a card went out, so that the message itself still waits for the person."""
    return call.way.channel.cards is not None
