"""A crowd that writes at a steady rate, whatever becomes of it: messages whose effects do not depend on their order.

A platform promises no order, so what is counted must not need one. Two kinds of messages, mixed:
- “我很担心TA，…” with a number of its own: each makes one record, which whoever is on duty reads (`nuanyang alerts`);
  how often each number stands there is the effect, counted by the test outside of this process;
- “免打扰 …” with hours of its own: the answer names these hours, so it belongs to one message and to no other.
Some people press 紧急求助 on the menu instead: an event without a number, known by who and when.

Each message is repeated until it is acknowledged, as a platform does (though WeChat would stop after three tries).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import aiohttp

from tests.faults.wire import AGAIN, Answer, Said, Wire

CONTRACT = 4.0  # seconds within which each update is acknowledged
DAY = 86_400
RECORD = "这条求助已经记下"
URGENT_SECONDS = 1.0  # within which a cry for help is answered (the product's promise)
_HOURS = re.compile(r"每天 (\d\d:\d\d) 到 (\d\d:\d\d) 不打扰你")


@dataclass(frozen=True)
class Plan:
    """How the crowd writes. Shares are 0–1; `rate` is messages a second, `spread` seconds that a shuffled message comes
    late at most, `later` seconds after which every other repeated message comes once more at most, though it was
    acknowledged; `patience` seconds to wait at the end for answers."""

    updates: int = 100
    rate: float = 20.0
    people: int = 40
    repeated: float = 0.0
    shuffled: float = 0.0
    spread: float = 60.0
    later: float = 5.0
    old: float = 0.0
    clicking: float = 0.0
    patience: float = 60.0


@dataclass
class Crowd:
    """What is counted: `lost` = answers that did not come, `doubled` = that came twice without saying so, `wrong` = to
    nothing that was said; `different` = repeats that got another answer, `silent` = that got none where others did;
    `late` = acknowledged after the contract's time."""

    acknowledged: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    different: int = 0
    silent: int = 0
    again: int = 0
    late: int = 0
    spooled: int = 0  # acknowledged without an answer, which came by the API later
    slowest: float = 0.0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """For the test."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def sender_of(number: int) -> tuple[str, str]:
    """Platform and sender; every other person is on WeChat."""
    return ("wechat", f"o{number:027d}") if number % 2 == 0 else ("telegram", str(7_000_000_000 + number))


def answer_to(said: Said) -> str:
    """What belongs to a message: the sort of its answer, as `sort_of` names it."""
    hours = re.search(r"(\d\d:\d\d)-(\d\d:\d\d)", said.words)
    return f"{hours[1]} {hours[2]}" if hours else "record"


def sort_of(text: str) -> str:
    """The sort of an answer; empty for one that belongs to nothing here."""
    hours = _HOURS.search(text)
    if hours:
        return f"{hours[1]} {hours[2]}"
    return "record" if RECORD in text else ""


def _with_record(said: Said, came: list[Answer]) -> list[Answer]:
    """The answers that are compared. A cry for help is answered after a second at the latest, if need be with the
    numbers to call alone, before anything is written down: a life before the record (bot/receive.py). So where one took
    that long, another copy of it may have got the whole answer."""
    slow = max((each.took for each in came), default=0.0) >= URGENT_SECONDS
    if not slow or answer_to(said) != "record":
        return came
    return [each for each in came if not each.text or RECORD in each.text]


class Writing:
    """The crowd on the given wire."""

    def __init__(self, wire: Wire, plan: Plan) -> None:
        self._wire, self._plan = wire, plan
        self.found = Crowd()
        self._owed: dict[str, Counter[str]] = {}  # by sender: answers that belong to what was acknowledged
        self._heard: dict[str, Counter[str]] = {}
        self._marked: dict[str, Counter[str]] = {}

    def planned(self) -> Iterator[tuple[float, Said, int]]:
        """Each message with the second in which it comes, and how often it comes at once."""
        plan, chance, began = self._plan, self._wire.random, int(time.time())
        clickers = {number for number in range(0, plan.people, 2) if chance.random() < plan.clicking * 2}
        seconds: dict[str, int] = {}
        everybody = chance.sample(range(plan.people), plan.people)
        for number in range(plan.updates):
            # In turns: nobody writes so much that WeChat, which allows five messages of ours, would refuse an answer.
            person = everybody[number % plan.people]
            platform, sender = sender_of(person)
            due = number / plan.rate
            at = began + int(due) - (DAY if chance.random() < plan.old else 0)
            if chance.random() < plan.shuffled:
                due += chance.uniform(0, plan.spread)
            copies = chance.choice((2, 3)) if chance.random() < plan.repeated else 1
            if person in clickers:
                # Two presses within a second are one event to the platform, and so to everybody.
                at = seconds[sender] = max(at, seconds.get(sender, 0) + 1)
                said = Said(platform, sender, self._wire.next(), at, click="sos")
            else:
                said = Said(platform, sender, self._wire.next(), at, self._words(chance.random() < 0.6))
            yield due, said, copies

    def _words(self, record: bool) -> str:
        number = self._wire.next()
        if record:
            return f"我很担心TA，n{number}n"
        start, end = number % 240, number // 240 % 240
        return f"免打扰 {20 + start // 60:02d}:{start % 60:02d}-{5 + end // 60:02d}:{end % 60:02d}"

    async def play(self) -> Crowd:
        """Everything that was planned; then the answers that are still to come."""
        began = time.monotonic()
        for person in range(self._plan.people):
            self._listen(sender_of(person)[1])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, asyncio.TaskGroup() as group:
            for due, said, copies in sorted(self.planned(), key=lambda each: each[0]):
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                group.create_task(self._say(http, said, copies))
        self.found.seconds = round(time.monotonic() - began, 1)
        await self._finish()
        return self.found

    async def _finish(self) -> None:
        """Wait for the answers that are still to come, and count."""
        ends = time.monotonic() + self._plan.patience
        while self._missing() and time.monotonic() < ends:  # noqa: ASYNC110 answers come by several ways
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)  # what comes twice comes after
        self._judge()

    def _listen(self, sender: str) -> None:
        self._owed[sender], self._heard[sender], self._marked[sender] = Counter(), Counter(), Counter()
        self._wire.listeners[sender] = lambda text: self._hear(sender, text)

    def _hear(self, sender: str, text: str) -> None:
        sort = sort_of(text)
        if text.startswith(AGAIN):
            self.found.again += 1
            self._marked[sender][sort] += 1
        else:
            self._heard[sender][sort] += 1
        if not sort:
            self.found.wrong += 1
            self._wire.note("wrong", sender=sender, heard=text)

    async def _say(self, http: aiohttp.ClientSession, said: Said, copies: int) -> None:
        pause = 0.3
        while True:
            tries = await asyncio.gather(*(self._wire.post(http, said) for _ in range(copies)))
            self.found.repeats += copies - 1
            came = [answer for answer in tries if not answer.why]
            self.found.refused.update(answer.why for answer in tries if answer.why)
            for answer in came:
                self.found.slowest = max(self.found.slowest, round(answer.took, 3))
                self.found.late += answer.took >= CONTRACT
            if came:
                break
            self.found.repeats += 1
            await asyncio.sleep(pause)
            pause = min(8.0, pause * 1.5)  # as platforms do, but sooner
        self._acknowledged(said, came)
        if copies > 1 and self._wire.random.random() < 0.5:
            await asyncio.sleep(self._wire.random.uniform(0, self._plan.later))
            once_more = await self._wire.post(http, said)
            self.found.repeats += 1
            self._compare(said, [*came, once_more])

    def _acknowledged(self, said: Said, came: list[Answer]) -> None:
        self.found.acknowledged += 1
        self._wire.note("kept", key=said.key, sender=said.sender, words=said.words, click=said.click)
        self._compare(said, came)
        if said.click:
            return  # the words to call for help may come twice; the records are what counts
        self._owed[said.sender][answer_to(said)] += 1
        text = next((answer.text for answer in _with_record(said, came) if answer.text), "")
        if text:
            self._hear(said.sender, text)
        self.found.spooled += not text

    def _compare(self, said: Said, came: list[Answer]) -> None:
        """Answers to the same message are the same, to the byte that the platform opens."""
        wholes = {each.whole if each.text else "" for each in _with_record(said, came) if not each.why}
        self.found.silent += len(wholes) > 1 and "" in wholes
        if len(wholes - {""}) > 1:
            self.found.different += 1
            self._wire.note("different", key=said.key, answers=sorted(wholes))

    def _missing(self) -> int:
        return sum(self._missing_of(sender) for sender in self._owed)

    def _missing_of(self, sender: str) -> int:
        heard, marked = self._heard[sender], self._marked[sender]
        return sum(max(0, count - heard[sort] - marked[sort]) for sort, count in self._owed[sender].items())

    def _judge(self) -> None:
        self.found.lost = self._missing()
        for sender in self._owed:
            if missing := self._missing_of(sender):
                self._wire.note("lost", sender=sender, answers=missing)
        for sender, heard in self._heard.items():
            for sort, count in heard.items():
                if sort and count > self._owed[sender][sort] and not self._clicks(sender):
                    self.found.doubled += count - self._owed[sender][sort]
                    self._wire.note("doubled", sender=sender, sort=sort, heard=count, owed=self._owed[sender][sort])
            for sort, count in self._marked[sender].items():  # once more and marked is allowed, twice more is not
                if sort and count > self._owed[sender][sort] and not self._clicks(sender):
                    self.found.doubled += count - self._owed[sender][sort]
                    self._wire.note("doubled", sender=sender, sort=sort, marked=count, owed=self._owed[sender][sort])

    def _clicks(self, sender: str) -> bool:
        return not self._owed[sender]
