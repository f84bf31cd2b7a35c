"""What may be claimed next, and through which door: looked up before anything is locked or changed.

One person has one call at a time, so that nothing overtakes; an emergency may go beside it through another door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlmodel import Session, SQLModel

from bot.last_moment import steady
from bot.sending_line import Account, Room, Way
from bot.sending_places import Place, every
from bot.ways import Ways
from models import claiming, lease, outbox
from models.claiming import LANES, Claimed, Mark
from models.database import now_of
from models.ledger import Ledger
from models.many import Many
from models.outbox import EMERGENCY, REMINDER, REPLY
from models.person import Door, Person, rests_until

TOGETHER = 200  # rows that are claimed together: one account's many must not keep another's few waiting
LEAST_SHARE = 4  # of them, for each account
FEW = 2  # accounts
SECOND_TRIES = 8  # one of so many places is for what was sent before, while others wait for their first time
CALLED_SECONDS = 0.3  # emergencies of somebody who is being called already are passed over for so long
FOLLOWS_SECONDS = 1.0  # and so are replies to somebody who is first to get an earlier one
MORE = 8  # rows looked at beyond those that there is room for
LONGEST_SECONDS = 0.05  # of one look at a line; what is left is for the next
QUIET_SECONDS = 0.2  # a line where nothing was due is looked at again after that
STRAYS_SECONDS = 0.25  # and so are those of accounts that nobody sends for
STRAYS = 200  # rows of a priority looked at there in one go
UNSERVED = timedelta(hours=6)  # after that people are called instead

log = structlog.get_logger(__name__)

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
    """What the engine knows: how many calls each account has room for, whose leases are whose, whom a
    call is being made to, which chats rest for a moment (by door their person), and which are paused until when
    (machine time)."""

    rooms: Mapping[Account, Room]
    mine: Collection[Account]
    others: Collection[Account]
    busy: Collection[str]
    busy_doors: Collection[str]
    resting: Mapping[str, str]
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
    whose chats are paused until some time, that stand in the wrong line, that could not be looked at, or that nobody
    has sent for in a long time. `more` = not everything was looked at."""

    take: list[Pick] = field(default_factory=list)
    expired: list[Claimed] = field(default_factory=list)
    homeless: list[Claimed] = field(default_factory=list)
    closed: list[Claimed] = field(default_factory=list)
    rest: dict[datetime, list[Claimed]] = field(default_factory=dict)
    paused: dict[datetime, list[Claimed]] = field(default_factory=dict)
    moved: dict[str, list[Claimed]] = field(default_factory=dict)
    broken: list[Claimed] = field(default_factory=list)
    unserved: list[Claimed] = field(default_factory=list)
    more: bool = False

    def __bool__(self) -> bool:
        return len(self) > 0

    def __len__(self) -> int:
        others = sum(map(len, (*self.rest.values(), *self.paused.values(), *self.moved.values())))
        others += sum(map(len, (self.expired, self.homeless, self.closed, self.broken, self.unserved)))
        return len(self.take) + others


def choose(row: Claimed, ways: Sequence[Way], view: View) -> Way | None:
    """Of the ways that are open to a row, the first whose account somebody sends for now. The account may be another
    process's. None = nobody sends for any of them."""
    served = [way for way in ways if way.account in view.mine or way.account in view.others]
    if row.priority != EMERGENCY or not served:
        return next(iter(served), None)
    # The ways take turns only where a doubled message is better than none. Whoever looks comes to the same one, and
    # only its own process looks past what is busy: else two of them would send the row to and fro.
    awake = [way for way in served if way.door.id not in view.paused] or served
    turn = row.resends % len(awake)
    order = [*awake[turn:], *awake[:turn]]
    mine = [way for way in order if way.account in view.mine and way.door.id not in view.busy_doors]
    return mine[0] if mine and order[0].account in view.mine else order[0]


class Chooser:
    """Goes along the lines. Used by one thread at a time."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._quiet: dict[Account, float] = {}
        self._called: dict[str, float] = {}
        self._follow: dict[str, float] = {}
        self._places: dict[str, Place] = {}
        self._strays_at = 0.0

    def begin_anew(self) -> None:
        """Look at every line from its beginning."""
        self._places.clear()
        self._quiet.clear()
        self._called.clear()
        self._follow.clear()
        self._strays_at = 0.0

    def pick(self, session: Session, view: View, now: float) -> Picks:
        """What may be claimed within the rooms of the view; `now` in seconds of a steady clock."""
        self._called = {person: until for person, until in self._called.items() if until > now}
        self._follow = {person: until for person, until in self._follow.items() if until > now}
        look = _Look(session, view, self._ways, self._called, self._follow)
        if now >= self._strays_at:
            self._strays_at = now + STRAYS_SECONDS
            self._strays(look, session, view, now)
        rooms = {at: room for at, room in view.rooms.items() if room.urgent and now >= self._quiet.get(at, 0.0)}
        if len(rooms) > FEW:  # one question instead of one for each line that is empty
            full = set(claiming.lines(session))
            rooms = {account: room for account, room in rooms.items() if outbox.line(*account) in full}
        look.glance({account: room.at_most(_share(len(rooms))) for account, room in rooms.items()})
        share = _share(sum(look.sees(account) for account in rooms))
        for account, room in rooms.items():
            if not look.along(account, room.at_most(share)) and room.lesser:
                self._quiet[account] = now + QUIET_SECONDS
        self._called |= dict.fromkeys(look.called - self._called.keys(), now + CALLED_SECONDS)
        self._follow |= dict.fromkeys(look.follow - self._follow.keys(), now + FOLLOWS_SECONDS)
        look.picks.more |= len(look.picks.take) >= TOGETHER
        return look.picks

    def _strays(self, look: _Look, session: Session, view: View, now: float) -> None:
        """Rows in the lines of accounts that nobody sends for now, and in none: they may leave by another one."""
        served = {outbox.line(*account) for account in (*view.mine, *view.others)}
        lines = [line for line in claiming.lines(session) if line not in served]
        self._places = {line: self._places.get(line, Place()) for line in lines}
        look.idle = lease.idle(session, "send:") if lines else {}
        seconds = every(self._places.values())
        for line, place in self._places.items():
            place.refresh(now, seconds)
            if look.strays(line, place):
                self._strays_at = 0.0


class _Batch(NamedTuple):
    """Rows of a line; in the `crowded` lanes they do not stand in their order (`_mixed`)."""

    rows: list[Claimed]
    crowded: Collection[int] = ()


class _Look:
    """One look at the lanes, in one read transaction."""

    def __init__(
        self, session: Session, view: View, ways: Ways, called: Collection[str] = (), follow: Collection[str] = ()
    ) -> None:
        self.picks = Picks()
        self.idle: Mapping[str, timedelta] = {}  # for how long nobody has sent for an account, by its line
        self._session, self._view, self._now = session, view, now_of(session)
        self._ways, self._ledgers = ways, dict[str, Ledger]()
        self._seen: set[str] = set()
        self._busy = set(view.busy)
        self._passed = {*view.busy, *view.resting.values(), *follow}  # nothing of theirs but emergencies may go now …
        self.called = set(called)  # … and not even those
        self.follow = set(follow)  # people whose reply waits for the one before it
        self._busy_doors = set(view.busy_doors)
        self._doors: dict[str, list[Door]] = {}
        self._people: dict[str, Person] = {}
        self._behind: dict[str, Sequence[Mark]] = {}
        self._ready: set[str] = set()  # people whose earlier reply may be tried again now
        self._first: dict[Account, _Batch] = {}
        self._limits: dict[Account, dict[int, int]] = {}

    def glance(self, rooms: Mapping[Account, Room]) -> None:
        """Read the beginning of each of these lines, and what is to be known about it for all of them together."""
        self._limits = {account: _limits(room, LANES) for account, room in rooms.items()}
        self._first = {account: self._due(account, room, LANES, {}) for account, room in rooms.items()}
        self._load([row for account, room in rooms.items() for row in self._first[account].rows[: MORE + room.usual]])

    def sees(self, account: Account) -> bool:
        """Whether anything is due in its line."""
        return bool(self._first[account].rows)

    def _due(self, account: Account, room: Room, lanes: Collection[int], marks: Mapping[int, Mark]) -> _Batch:
        limits = _limits(room, lanes)
        due = partial(claiming.due, self._session, outbox.line(*account), busy=self._passed, called=self.called)
        rows = due(limits, marks)
        again = Counter(row.priority for row in rows if row.is_second_try)
        crowded = {lane: limit for lane, limit in limits.items() if again[lane] > _second_tries(limit)}
        return _Batch(_mixed(rows, due(crowded, marks, resends=0), crowded), crowded) if crowded else _Batch(rows)

    def along(self, account: Account, room: Room) -> bool:
        """Take what there is room for, in the order of the lanes, after a glance; whether anything was due."""
        marks, lanes = dict[int, Mark](), list(LANES)
        batch, limits = self._first[account], self._limits[account]
        ends, any_due = steady() + LONGEST_SECONDS, bool(batch.rows)
        while lanes:
            for lane, in_lane in groupby(batch.rows, lambda row: row.priority):
                if room.of(lane) <= 0:
                    break
                looked_at = list(in_lane)
                self._load(looked_at)
                for row in looked_at:
                    if lane not in batch.crowded or row.is_second_try:  # those stand in their order
                        marks[lane] = row.mark
                    if room.of(lane) > 0 and self._guarded(row, partial(self._takes, row, account)):
                        room = room.after(lane)
            found = Counter(row.priority for row in batch.rows)
            lanes = [lane for lane in lanes if room.of(lane) > 0 and found[lane] == limits.get(lane)]
            if lanes and steady() > ends:
                self.picks.more = True
                break
            limits = _limits(room, lanes)
            batch = self._due(account, room, lanes, marks) if lanes else _Batch([])
        return any_due

    def strays(self, line: str, place: Place) -> bool:
        """Send on what stands in a line that nobody sends for; whether there is more to look at."""
        rows = claiming.due(self._session, line, dict.fromkeys(LANES, STRAYS), place.marks)
        self._load(rows)
        for row in rows:
            place.marks[row.priority] = row.mark
            self._guarded(row, partial(self._is_sent_on, row, line))
        found = Counter(row.priority for row in rows)
        place.passed.update(found)
        return any(number == STRAYS for number in found.values())

    def _is_sent_on(self, row: Claimed, line: str) -> bool:
        if row.id in self._seen or self._is_settled(row):
            return False
        ways = self._open(row)
        return self._goes_elsewhere(row, ways, line) or self._is_given_up(row, ways)

    def _is_given_up(self, row: Claimed, ways: Sequence[Way]) -> bool:
        """Whether nobody has sent for any of its accounts for so long that its person should be called. They are looked
        for as `lease` names them: an account that was never served has no lease."""
        idle = (self.idle.get(outbox.line(*way.account), timedelta.max) for way in ways)
        if self._now - row.due_at <= UNSERVED or any(since <= UNSERVED for since in idle):
            return False
        self._seen.add(row.id)
        self.picks.unserved.append(row)
        return True

    def _guarded(self, row: Claimed, work: Callable[[], bool]) -> bool:
        """What of one row cannot be worked out, through a fault of ours or of its data, is nobody else's hindrance."""
        try:
            return work()
        except Exception:
            log.exception("not_looked_at", kind=row.kind)
            self._seen.add(row.id)
            self.picks.broken.append(row)
            return False

    def _load(self, rows: Sequence[Claimed]) -> None:
        """Doors, people and earlier replies, for all rows at once."""
        rows = [row for row in rows if row.id not in self._ledgers]
        if not rows:
            return
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
            marks, ready = claiming.under_way(self._session, replying)
            self._behind |= marks
            self._ready |= ready

    def _takes(self, row: Claimed, account: Account) -> bool:
        """Whether it is taken for this account. If not, it waits for a moment, or is gone from the line."""
        if row.id in self._seen or self._is_settled(row):
            return False
        ways = self._open(row)
        if self._goes_elsewhere(row, ways, outbox.line(*account)):
            return False
        way = choose(row, ways, self._view)
        if way is None:
            return False
        urgent, door = row.priority == EMERGENCY, way.door.id
        busy = door in self._busy_doors if urgent else row.person_id in self._busy
        follows = claiming.follows(row, self._behind)
        if follows and row.person_id not in self._ready:
            self.follow.add(row.person_id)
        if follows or busy or door in self._view.resting:
            (self.called if urgent else self._passed).add(row.person_id)
            return False
        self._seen.add(row.id)
        if door in self._view.paused:
            self.picks.paused.setdefault(self._view.paused[door], []).append(row)
            return False
        self._busy.add(row.person_id)
        self._passed.add(row.person_id)
        self._busy_doors.add(door)
        self.picks.take.append(Pick(row, self._people[row.person_id], way))
        return True

    def _open(self, row: Claimed) -> list[Way]:
        person, doors = self._people[row.person_id], self._doors[row.person_id]
        return self._ways.open(self._ledgers[row.id], row, person, doors)

    def _goes_elsewhere(self, row: Claimed, ways: Sequence[Way], line: str) -> bool:
        """Whether a row stands in the wrong line: it is closed everywhere, or leaves by another account."""
        if not ways:
            self.picks.closed.append(row)
        else:
            way = choose(row, ways, self._view) or ways[0]
            right = outbox.line(*way.account)
            if right == line:
                return False
            self.picks.moved.setdefault(right, []).append(row)
        self._seen.add(row.id)
        return True

    def _is_settled(self, row: Claimed) -> bool:
        """Whether it goes nowhere now, whoever sends."""
        if self._settles(row):
            self._seen.add(row.id)
            return True
        return False

    def _settles(self, row: Claimed) -> bool:
        person = self._people.get(row.person_id)
        if row.expires_at is not None and row.expires_at < self._now:
            self.picks.expired.append(row)
        elif person is None or not any(row.door_id in (None, door.id) for door in self._doors[row.person_id]):
            self.picks.homeless.append(row)
        else:
            rest = rests_until(person, self._now) if row.priority >= REMINDER else None
            if rest is None:
                return False
            self.picks.rest.setdefault(rest, []).append(row)
        return True


def _share(accounts: int) -> int:
    """How many rows each of so many accounts may claim together with the others."""
    return max(LEAST_SHARE, TOGETHER // max(1, accounts))


def _second_tries(limit: int) -> int:
    """How many of so many rows may be such as were sent before, while others wait for their first time."""
    return max(1, limit // SECOND_TRIES)


def _mixed(rows: Sequence[Claimed], first: Sequence[Claimed], crowded: Mapping[int, int]) -> list[Claimed]:
    """Where many hundred calls ended in doubt, their second tries are due before anybody else's first: in these lanes a
    few of them come at the head, then what is sent for the `first` time, then the others. Whose second try is among
    them gets that one first."""
    found = [row for row in rows if row.priority not in crowded]
    for lane, limit in crowded.items():
        again = [row for row in rows if row.priority == lane and row.is_second_try]
        people = {row.person_id for row in again} if lane != EMERGENCY else set()
        fresh = [row for row in first if row.priority == lane and row.person_id not in people]
        few = _second_tries(limit)
        found += [*again[:few], *fresh, *again[few:]][:limit]
    return sorted(found, key=lambda row: row.priority)


def _limits(room: Room, lanes: Collection[int]) -> dict[int, int]:
    """How many rows of each priority are to be looked at."""
    return {lane: MORE + room.of(lane) for lane in lanes if room.of(lane) > 0}
