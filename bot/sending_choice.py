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
from models import claiming, outbox
from models.claiming import LANES, Claimed, Mark
from models.database import now_of
from models.ledger import Ledger
from models.many import Many
from models.outbox import EMERGENCY, REMINDER, REPLY
from models.person import Door, Person, rests_until

MORE = 8  # rows looked at beyond those that there is room for
LONGEST_SECONDS = 0.05  # of one look at a line; what is left is for the next
QUIET_SECONDS = 0.2  # a line where nothing was due is looked at again after that
STRAYS_SECONDS = 0.25  # and so are those of accounts that nobody sends for
STRAYS = 200  # rows of a priority looked at there in one go
AGAIN_SECONDS = 0.5  # after this time it is looked from the beginning of such a line again …
PASSED_A_SECOND = 10_000  # … or later, where so many rows stand there for nobody that it costs something


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
    whose chats are paused until some time, and that stand in the wrong line. `more` = not everything was looked at."""

    take: list[Pick] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    homeless: list[str] = field(default_factory=list)
    closed: list[Claimed] = field(default_factory=list)
    rest: dict[datetime, list[str]] = field(default_factory=dict)
    paused: dict[datetime, list[str]] = field(default_factory=dict)
    moved: dict[str, list[str]] = field(default_factory=dict)
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.take or self.expired or self.homeless or self.closed or self.rest or self.paused or self.moved)

    def __len__(self) -> int:
        others = sum(map(len, (*self.rest.values(), *self.paused.values(), *self.moved.values())))
        return len(self.take) + len(self.expired) + len(self.homeless) + len(self.closed) + others


@dataclass(slots=True)
class Place:
    """How far the look along a line that nobody sends for came: what stands before can go nowhere else."""

    marks: dict[int, Mark] = field(default_factory=dict)
    passed: int = 0
    since: float = 0.0

    def refresh(self, now: float) -> None:
        """From the beginning again, now and then: another way may have opened for what stands there."""
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
    """Goes along the lines. Used by one thread at a time."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._quiet: dict[Account, float] = {}
        self._places: dict[str, Place] = {}
        self._strays_at = 0.0

    def begin_anew(self) -> None:
        """Look at every line from its beginning."""
        self._places.clear()
        self._quiet.clear()
        self._strays_at = 0.0

    def pick(self, session: Session, view: View, now: float) -> Picks:
        """What may be claimed within the rooms of the view; `now` in seconds of a steady clock."""
        look = _Look(session, view, self._ways)
        if now >= self._strays_at:
            self._strays_at = now + STRAYS_SECONDS
            self._strays(look, session, view, now)
        for account, (urgent, usual) in view.rooms.items():
            if not urgent or now < self._quiet.get(account, 0.0):
                continue
            if not look.along(account, urgent, usual) and usual:
                self._quiet[account] = now + QUIET_SECONDS
        return look.picks

    def _strays(self, look: _Look, session: Session, view: View, now: float) -> None:
        """Rows in the lines of accounts that nobody sends for now, and in none: they may leave by another one."""
        served = {outbox.line(*account) for account in (*view.mine, *view.others)}
        lines = [line for line in claiming.lines(session) if line not in served]
        self._places = {line: self._places.get(line, Place()) for line in lines}
        for line, place in self._places.items():
            place.refresh(now)
            if look.strays(line, place):
                self._strays_at = 0.0


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

    def along(self, account: Account, urgent: int, usual: int) -> bool:
        """Take what there is room for, emergencies and others in the order of their lanes; whether anything was due."""
        line, marks, lanes = outbox.line(*account), dict[int, Mark](), set(LANES)
        ends, any_due = steady() + LONGEST_SECONDS, False
        while lanes:
            limits = {lane: MORE + usual for lane in lanes if usual > 0} | {
                lane: MORE + urgent for lane in lanes if lane == EMERGENCY
            }
            rows = claiming.due(self._session, line, limits, marks)
            any_due = any_due or bool(rows)
            self._load(rows)
            for row in rows:
                lane = row.priority
                marks[lane] = row.mark
                if (urgent if lane == EMERGENCY else usual) <= 0 or not self._takes(row, account):
                    continue
                usual = usual - 1 if lane != EMERGENCY else min(usual, max(0, urgent - 1 - URGENT_PLACES))
                urgent -= 1
            found = Counter(row.priority for row in rows)
            lanes = {lane for lane, limit in limits.items() if found[lane] == limit}
            lanes -= {lane for lane in lanes if (urgent if lane == EMERGENCY else usual) <= 0}
            if lanes and steady() > ends:
                self.picks.more = True
                break
        return any_due

    def strays(self, line: str, place: Place) -> bool:
        """Send on what stands in a line that nobody sends for; whether there is more to look at."""
        rows = claiming.due(self._session, line, dict.fromkeys(LANES, STRAYS), place.marks)
        self._load(rows)
        for row in rows:
            place.marks[row.priority] = row.mark
            if row.id not in self._seen and not self._is_settled(row):
                self._goes_elsewhere(row, self._open(row), line)
        place.passed += len(rows)
        return any(number == STRAYS for number in Counter(row.priority for row in rows).values())

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
        if door in self._view.resting or (door in self._busy_doors if urgent else row.person_id in self._busy):
            return False
        if claiming.follows(row, self._behind):
            return False
        self._seen.add(row.id)
        if door in self._view.paused:
            self.picks.paused.setdefault(self._view.paused[door], []).append(row.id)
            return False
        self._busy.add(row.person_id)
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
            self.picks.moved.setdefault(right, []).append(row.id)
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
            self.picks.expired.append(row.id)
        elif person is None or not any(row.door_id in (None, door.id) for door in self._doors[row.person_id]):
            self.picks.homeless.append(row.id)
        else:
            rest = rests_until(person, self._now) if row.priority >= REMINDER else None
            if rest is None:
                return False
            self.picks.rest.setdefault(rest, []).append(row.id)
        return True
