"""However calls of one message, their answers and the ends of processes follow each other at two copies: the person
gets the reply, and never twice without being told."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlmodel import select

from bot.hearing import SWEEP_AFTER, Hearing
from bot.received import Key, Received, key_of
from models.database import Database
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from tests.conftest import StoppedClock
from tests.incoming import message, place

# What becomes of a call once its transaction has ended. "Known" = the copy lives to write down that it has answered.
FATES = (
    "answered and known",
    "answered, then the copy dies",
    "cut",
    "the copy dies before it answers",
    "given up before the turn",
    "given up in the commit",
    "given up, then the copy dies",
)
COPIES = 2


@dataclass
class Call:
    """One call of the platform at a copy. It has two steps: its transaction, and what becomes of it."""

    copy: int
    fate: str
    received: Received | None = None

    @property
    def given_up(self) -> bool:
        return self.fate.startswith("given up")


@dataclass
class World:
    """Two copies on one database, and one message that comes several times."""

    database: Database
    key: str
    shown: int = 0
    known: bool = False  # that the platform has it: it was answered, and has not come again since
    given_up: list[set[Key]] = field(default_factory=lambda: [set() for _copy in range(COPIES)])

    def __post_init__(self) -> None:
        self.update = message("菜单", self.key, f"sender-{self.key}")
        self.copies = [
            Hearing(self.database, place, lambda _inbound: True, self.given_up[copy].__contains__)
            for copy in range(COPIES)
        ]

    def begins(self, call: Call) -> None:
        if call.fate == "given up before the turn":
            self.given_up[call.copy].add(key_of(self.update))
        self.known = False
        call.received = self.copies[call.copy].alone(self.update, True)
        if call.given_up:
            self.given_up[call.copy].add(key_of(self.update))

    def ends(self, call: Call) -> None:
        """As bot/routes.py and bot/receive.py do it."""
        received, hearing = call.received, self.copies[call.copy]
        assert received is not None
        if call.fate.startswith("answered") and received.reply is not None:
            self.shown += 1
        if call.fate == "answered and known" and received.row:
            hearing.mark([received.row])
            self.known = True
        if call.fate == "given up, then the copy dies":
            hearing.alone(self.update, False)  # from the spool, by whoever starts next
        elif call.given_up:
            hearing.leave_later(self.update, received)
        if call.given_up:
            self.given_up[call.copy].discard(key_of(self.update))


def orders(calls: int) -> Iterator[list[tuple[int, bool]]]:
    """Every order of the steps (call, it ends) in which calls begin one after the other and end after they began."""
    steps = [(call, end) for call in range(calls) for end in (False, True)]
    for order in itertools.permutations(steps):
        begun = [call for call, end in order if not end]
        if begun == sorted(begun) and all(order.index((call, False)) < order.index((call, True)) for call in begun):
            yield list(order)


def can_be(calls: list[Call], order: list[tuple[int, bool]]) -> bool:
    """A copy that has given a call up answers no other of the same message before it has followed that one up."""
    busy: dict[int, int] = {}
    for number, end in order:
        call = calls[number]
        if end:
            busy.pop(call.copy, None) if busy.get(call.copy) == number else None
        elif call.copy in busy:
            return False
        elif call.given_up:
            busy[call.copy] = number
    return True


def cases(most: int, calls: int, seed: int) -> list[tuple[list[tuple[int, str]], list[tuple[int, bool]]]]:
    """All cases of so many calls, or `most` of them by chance. The first call is the first copy's."""
    every = []
    for order in orders(calls):
        for fates in itertools.product(FATES, repeat=calls):
            for copies in itertools.product(range(COPIES), repeat=calls - 1):
                chosen = list(zip((0, *copies), fates, strict=True))
                if can_be([Call(*each) for each in chosen], order):
                    every.append((chosen, order))
    return every if len(every) <= most else random.Random(seed).sample(every, most)


def play(world: World, calls: list[tuple[int, str]], order: list[tuple[int, bool]]) -> None:
    made = [Call(*each) for each in calls]
    for number, end in order:
        (world.ends if end else world.begins)(made[number])


def judge(world: World, rows: list[int]) -> str:
    """What is wrong with the end of a case; empty if nothing is. `rows` = how often each reply in the outbox may have
    come already."""
    if not world.shown and not rows:
        return "lost"
    if len(rows) > 1 or (0 in rows and world.shown):
        return "doubled, unmarked"
    if rows and world.known:
        return "sent again though it was known"
    return ""


@pytest.mark.parametrize(
    ("calls", "most"),
    [
        (1, 10),
        (2, 60),
        (3, 60),
        pytest.param(2, 1_000, marks=pytest.mark.long),
        pytest.param(3, 1_000, marks=pytest.mark.long),
    ],
)
def test_a_reply_is_never_lost_and_never_doubled_without_a_mark(
    database: Database, clock: StoppedClock, calls: int, most: int
) -> None:
    seed = 20261122
    played = [(World(database, f"{number}"), *case) for number, case in enumerate(cases(most, calls, seed))]
    for world, chosen, order in played:
        play(world, chosen, order)
    for _time in range(2):
        clock.pass_time(SWEEP_AFTER + timedelta(seconds=1))
        for hearing in world.copies:
            hearing.sweep()
    with database.read() as session:
        keys = {f"reply:{row.id}": row.key for row in session.exec(select(InboxMessage))}
        rows = [(keys[row.unique_key], row.resends) for row in session.exec(select(OutboxMessage))]
    wrong = []
    for world, chosen, order in played:
        fault = judge(world, [resends for key, resends in rows if key == world.key])
        wrong += [(fault, chosen, order)] if fault else []
    assert not wrong, f"seed {seed}: {len(wrong)} of {len(played)}, the first ones {wrong[:5]}"
