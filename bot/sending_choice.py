"""What may be claimed next, and through which door: looked up before anything is locked or changed.

One person has one call at a time, so that nothing overtakes; an emergency may go beside it through another door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from bot.last_moment import steady
from bot.sending_line import URGENT_PLACES, Account, Way
from bot.ways import Ways
from models import claiming
from models.claiming import LANES, START, Claimed, Mark
from models.database import now_of
from models.ledger import Ledger
from models.many import Many
from models.outbox import EMERGENCY, REMINDER, REPLY
from models.person import Door, Person, rests_until

MORE = 8  # rows looked at beyond those that there is room for
LONGEST_SECONDS = 0.05  # of one look at an account's lanes; what is left is for the next
AGAIN_SECONDS = 0.5  # after this time it is looked from the beginning of a lane again …
PASSED_A_SECOND = 10_000  # … or later, where so many rows of other accounts stand there that it costs something


_DOOR, _PERSON = SQLModel.metadata.tables["door"], SQLModel.metadata.tables["person"]
# Rows, which have the attributes of the objects that they stand for here: making the objects costs more than all else.
_DOORS = Many(
    lambda among, _dialect: (
        select(_DOOR)
        .where(among(_DOOR.c.person_id), _DOOR.c.blocked_at.is_(None))
        .order_by(_DOOR.c.last_in_at.desc(), _DOOR.c.id)
    )
)
_PEOPLE = Many(lambda among, _dialect: select(_PERSON).where(among(_PERSON.c.id)))


@dataclass(frozen=True, slots=True)
class View:
    """What the engine knows: how many (emergencies, others) each account has room for, whose leases are whose, whom a
    call is being made to, which chats rest for a moment and which are paused until when (machine time), by door."""

    rooms: Mapping[Account, tuple[int, int]]
    mine: Collection[Account]
    others: Collection[Account]
    busy: Collection[str]
    busy_doors: Collection[str]
    resting: Collection[str]
    paused: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Pick:
    """A row that may be claimed."""

    row: Claimed
    person: Person
    way: Way


@dataclass(slots=True)
class Picks:
    """What is to be claimed, and what else was found: rows that are too old, whose people have no door, who rest or
    whose chats are paused until some time. `more` = it was not looked at everything."""

    take: list[Pick] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    homeless: list[str] = field(default_factory=list)
    closed: list[Claimed] = field(default_factory=list)
    rest: dict[datetime, list[str]] = field(default_factory=dict)
    paused: dict[datetime, list[str]] = field(default_factory=dict)
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.take or self.expired or self.homeless or self.closed or self.rest or self.paused)

    def __len__(self) -> int:
        others = sum(map(len, (*self.rest.values(), *self.paused.values())))
        return len(self.take) + len(self.expired) + len(self.homeless) + len(self.closed) + others


@dataclass(slots=True)
class Place:
    """How far the look along one account's lanes came: what stands before is not this account's to send."""

    marks: dict[int, Mark] = field(default_factory=dict)
    passed: int = 0
    since: float = 0.0

    def refresh(self, now: float) -> None:
        """From the beginning again, now and then: something may have become due there, or another account's may have
        become ours."""
        if now - self.since > max(AGAIN_SECONDS, self.passed / PASSED_A_SECOND):
            self.marks, self.passed, self.since = {}, 0, now


def choose(row: Claimed, ways: Sequence[Way], view: View) -> Way | None:
    """Of the ways that are open to a row, the first whose account somebody sends for now. The account may be another
    process's. None = nobody sends for any of them."""
    mine = [way for way in ways if way.account in view.mine]
    if row.priority == EMERGENCY and mine:
        free = [way for way in mine if way.door.id not in view.paused and way.door.id not in view.busy_doors] or mine
        # The ways take turns only where a doubled message is better than none.
        return free[row.resends % len(free)]
    return next((way for way in ways if way.account in view.mine or way.account in view.others), None)


class Chooser:
    """Goes along the lanes of each account. Used by one thread at a time."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._places: dict[Account, Place] = {}

    def begin_anew(self) -> None:
        """Look from the beginning of every lane."""
        self._places.clear()

    def pick(self, session: Session, view: View, now: float) -> Picks:
        """What may be claimed within the rooms of the view; `now` in seconds of a steady clock."""
        look = _Look(session, view, self._ways)
        for account in [account for account in self._places if account not in view.mine]:
            del self._places[account]
        for account, (urgent, usual) in view.rooms.items():
            if account in view.mine and (urgent or usual):
                place = self._places.setdefault(account, Place())
                place.refresh(now)
                look.along(account, place, (urgent, usual))
        return look.picks


class _Look:
    """One look at the lanes, in one read transaction."""

    def __init__(self, session: Session, view: View, ways: Ways) -> None:
        self.picks = Picks()
        self._session, self._view, self._now = session, view, now_of(session)
        self._ways, self._ledgers = ways, dict[str, Ledger]()
        self._seen: set[str] = set()
        self._busy = set(view.busy)
        self._busy_doors = set(view.busy_doors)
        self._doors: dict[str, list[Door]] = {}
        self._people: dict[str, Person] = {}
        self._behind: dict[str, Sequence[Mark]] = {}

    def along(self, account: Account, place: Place, rooms: tuple[int, int]) -> None:
        """Take what there is room for: emergencies, and the others in the order of their lanes."""
        urgent, usual = rooms
        marks, lanes, ours = dict(place.marks), set(LANES), set[int]()
        ends = steady() + LONGEST_SECONDS
        while lanes:
            limits = {lane: MORE + (urgent if lane == EMERGENCY else usual) for lane in lanes}
            if usual <= 0:
                limits = {lane: limit for lane, limit in limits.items() if lane == EMERGENCY}
            rows = claiming.due(self._session, account, limits, marks) if limits else []
            self._load(rows)
            for row in rows:
                lane = row.priority
                if (urgent if lane == EMERGENCY else usual) <= 0:
                    ours.add(lane)
                    continue
                came = self._look_at(row, account)
                if came == "taken":
                    usual = usual - 1 if lane != EMERGENCY else min(usual, max(0, urgent - 1 - URGENT_PLACES))
                    urgent -= 1
                elif came == "waits":
                    ours.add(lane)
                elif came == "another's" and lane not in ours and lane != EMERGENCY:
                    place.marks[lane] = row.mark
            found = Counter(row.priority for row in rows)
            last = {row.priority: row.mark for row in rows}
            lanes = set()
            for lane, limit in limits.items():
                if (urgent if lane == EMERGENCY else usual) <= 0:
                    continue
                if found[lane] == limit:
                    marks[lane] = last[lane]
                    lanes.add(lane)
                elif (end := claiming.beyond(self._session, lane, marks.get(lane, START))) is not None:
                    marks[lane] = end
                    lanes.add(lane)
                    if lane not in ours and lane != EMERGENCY:
                        place.marks[lane] = end
                        place.passed += claiming.SCAN
            if lanes and steady() > ends:
                self.picks.more = True
                return

    def _load(self, rows: Sequence[Claimed]) -> None:
        """Doors, people and earlier replies, for all rows at once."""
        people = list({row.person_id for row in rows} - self._doors.keys())
        if people:
            self._doors.update((person, []) for person in people)
            for door in _DOORS.run(self._session, people):
                self._doors[door.person_id].append(door)
            for person in _PEOPLE.run(self._session, people):
                self._people[person.id] = person
        known = self._ways.read(self._session, rows, self._doors)
        self._ledgers |= {row.id: known for row in rows}
        replying = list({row.person_id for row in rows if row.priority == REPLY} - self._behind.keys())
        if replying:
            self._behind |= dict.fromkeys(replying, ())
            self._behind |= claiming.under_way(self._session, replying)

    def _look_at(self, row: Claimed, account: Account) -> str:
        """Whether it is "taken" for this account, must "wait" for a moment, is "another's" to send, or is "gone" from
        the lane for a while or for ever."""
        if row.id in self._seen:
            return "gone"
        if self._is_settled(row):
            self._seen.add(row.id)
            return "gone"
        person = self._people[row.person_id]
        ways = self._ways.open(self._ledgers[row.id], row, person, self._doors[row.person_id])
        if not ways:
            self._seen.add(row.id)
            self.picks.closed.append(row)
            return "gone"
        way = choose(row, ways, self._view)
        if way is None or way.account != account:
            return "another's"
        urgent, door = row.priority == EMERGENCY, way.door.id
        if door in self._view.resting or (door in self._busy_doors if urgent else row.person_id in self._busy):
            return "waits"
        if claiming.follows(row, self._behind):
            return "waits"
        self._seen.add(row.id)
        if door in self._view.paused:
            self.picks.paused.setdefault(self._view.paused[door], []).append(row.id)
            return "gone"
        self._busy.add(row.person_id)
        self._busy_doors.add(door)
        self.picks.take.append(Pick(row, person, way))
        return "taken"

    def _is_settled(self, row: Claimed) -> bool:
        """Whether it goes nowhere now, whoever sends."""
        person = self._people.get(row.person_id)
        if row.expires_at is not None and row.expires_at < self._now:
            self.picks.expired.append(row.id)
        elif person is None or not any(row.door_id in (None, door.id) for door in self._doors[row.person_id]):
            self.picks.homeless.append(row.id)
        else:
            rest = rests_until(person, self._now) if row.priority >= REMINDER else None
            if rest is None:
                return False
            self.picks.rest.setdefault(rest, []).append(row.id)
        return True
