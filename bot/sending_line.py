"""One account's line of calls: how many at once, how many a second, and which is next.

A call takes a place when it is claimed and gives it back when its outcome is committed, so that a process that is
killed leaves at most as many rows in doubt as it has places. Times are seconds of
`last_moment.steady()`.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import NamedTuple

from bot.platforms.base import ONE_CHANNEL
from handlers.message import Reply
from models.channel import Channel
from models.claiming import Claimed
from models.outbox import EMERGENCY, REPLY
from models.person import Door

Account = tuple[str, str]

URGENT_PLACES = 10  # for emergencies alone, beside the others
SLOW_SECONDS = 0.75  # a call that takes longer gives its place to another one …
SLOW_PLACES = 8  # … while there are at most so many of them for each place …
SLOW_LESSER = 4  # … or so many, to what is no reply: where all hang, a reply must still find a place
AHEAD_SECONDS = 0.5  # a claim holds at most so much work (architecture.md §9)
CHAT_SECONDS = 1.05  # Telegram: one message a second in a chat
MARGIN = 1.04  # a call may reach the platform a little later, and the next one a little sooner, than it began


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one account: messages a second (zero = no limit), calls at once, seconds between two messages of a chat."""

    a_second: float = 0.0
    at_once: int = 30
    chat_seconds: float = 0.0


class Room(NamedTuple):
    """How many more calls an account has room for: emergencies, replies, and what is less urgent. Each of them takes a
    place of the others, too."""

    urgent: int
    usual: int
    lesser: int

    def of(self, lane: int) -> int:
        """Of a priority."""
        return self.urgent if lane == EMERGENCY else self.usual if lane == REPLY else self.lesser

    def after(self, lane: int) -> Room:
        """What is left when one more of a priority was taken."""
        urgent = self.urgent - 1
        if lane != EMERGENCY:
            return Room(urgent, self.usual - 1, self.lesser - 1)
        most = max(0, urgent - URGENT_PLACES)
        return Room(urgent, min(self.usual, most), min(self.lesser, most))

    def at_most(self, number: int) -> Room:
        """So many at most, but for emergencies."""
        return Room(self.urgent, min(self.usual, number), min(self.lesser, number))


@dataclass(frozen=True, slots=True)
class Way:
    """A door through which a row may leave, and by which of its channels. `subject` is what the channel knows the row's
    card by; `passed` the ways that were closed before it (bot/ways.py)."""

    door: Door
    channel: Channel = ONE_CHANNEL[0]
    subject: str = ""
    passed: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other ways of the same row."""
        return self.door.id, self.channel.name

    @property
    def account(self) -> Account:
        return self.door.platform, self.door.account


@dataclass(eq=False, slots=True)
class Call:
    """One call: the row, its words and its way. `until` = when the claim runs out; `tried` = ways that were closed."""

    row: Claimed
    reply: Reply
    way: Way
    attempt: str
    until: float
    tried: frozenset[tuple[str, str]] = frozenset()
    began: float | None = None
    stamp: list[float] | None = None

    def __lt__(self, other: Call) -> bool:
        return self.order < other.order

    @property
    def order(self) -> tuple[int, datetime, str]:
        return self.row.priority, self.row.due_at, self.row.id


class Pace:
    """At most `a_second` calls in any second, evenly, as seen from the other side of the wire."""

    def __init__(self, a_second: float) -> None:
        number = max(1, math.floor(a_second))
        self._window = number / a_second * MARGIN if a_second else 0.0
        self._gap = 0.8 / a_second if a_second else 0.0
        self._began: deque[list[float]] = deque(maxlen=number)

    def begin_full(self, now: float) -> None:
        """As if another had sent at this pace until now: who takes an account over does not know."""
        number = self._began.maxlen or 1
        if self._window:
            self._began.extend([now - self._window * (1 - at / number)] for at in range(number))

    def wait(self, now: float) -> float:
        """Seconds until the next call may begin."""
        if not self._window or not self._began:
            return 0.0
        full = self._began[0][0] + self._window if len(self._began) == self._began.maxlen else 0.0
        return max(full - now, self._began[-1][0] + self._gap - now, 0.0)

    def took(self, now: float) -> list[float]:
        """A call begins; its time, to be corrected when its bytes leave: a busy loop may take a while until then."""
        stamp = [now]
        if self._window:
            self._began.append(stamp)
        return stamp


@dataclass(slots=True)
class Line:
    """The calls of one account that this process has claimed: `held` all of them, until their outcome is written down,
    `waiting` a heap of those that have not begun, `calling` those under way. What is as urgent goes in the order in
    which it was claimed: by the time when it was due, second tries would overtake the first ones here again."""

    limits: Limits
    pace: Pace = field(init=False)
    held: dict[str, Call] = field(default_factory=dict)
    waiting: list[tuple[int, int, Call]] = field(default_factory=list)
    calling: dict[str, Call] = field(default_factory=dict)
    _chats: dict[str, tuple[float, str]] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.pace = Pace(self.limits.a_second)

    def add(self, call: Call) -> None:
        """Claimed: it has a place and waits for its turn."""
        self.held[call.row.id] = call
        heapq.heappush(self.waiting, (call.row.priority, next(self._number), call))

    def next(self, now: float) -> Call | float | None:
        """The next call, which begins now; or how many seconds until one may; or None."""
        if not self.waiting:
            return None
        wait = self.pace.wait(now)
        if wait > 0:
            return wait
        call = heapq.heappop(self.waiting)[-1]
        call.stamp, call.began = self.pace.took(now), now
        self.calling[call.row.id] = call  # stands behind those that began before
        if self.limits.chat_seconds:
            self._chats[call.way.door.id] = (now + self.limits.chat_seconds, call.row.person_id)
        return call

    def clear(self) -> list[Call]:
        """Take out what has not begun."""
        waiting, self.waiting = self.waiting, []
        return [call for _lane, _number, call in waiting]

    def ended(self, call: Call) -> None:
        """The platform has answered, or the call was not made; its place is free when that is written down."""
        self.calling.pop(call.row.id, None)

    def release(self, call: Call) -> None:
        """Its outcome is written down."""
        self.held.pop(call.row.id, None)

    def resting(self, now: float) -> dict[str, str]:
        """The doors whose chats had a message just now, with their people."""
        for door in [door for door, (until, _person) in self._chats.items() if until <= now]:
            del self._chats[door]
        return {door: person for door, (_until, person) in self._chats.items()}

    def room(self, now: float) -> Room:
        """How many more may be claimed."""
        slow = 0
        for call in self.calling.values():  # in the order in which they began
            if call.began is None or call.began > now - SLOW_SECONDS:
                break
            slow += 1
        at_once, held = self.limits.at_once, len(self.held)
        usual = at_once - held + min(slow, at_once * SLOW_PLACES)
        lesser = at_once - held + min(slow, at_once * SLOW_LESSER)
        urgent = usual + URGENT_PLACES
        if self.limits.a_second:
            soon = max(1, math.ceil(self.limits.a_second * AHEAD_SECONDS)) - len(self.waiting)
            usual, lesser, urgent = min(usual, soon), min(lesser, soon), min(urgent, soon + URGENT_PLACES)
        return Room(max(0, urgent), max(0, usual), max(0, lesser))

    def wants_more(self, now: float) -> bool:
        """Whether it is worth looking for more: half of what may wait is gone."""
        if self.room(now).usual == 0:
            return False
        soon = math.ceil(self.limits.a_second * AHEAD_SECONDS) if self.limits.a_second else 0
        return not soon or len(self.waiting) <= soon // 2
