"""A crowd in batches, with a poisonous update at the head of every other batch.

Whether the others wait longer for it is told by the ratio of their 95th percentiles; its interval comes from drawing
the pairs of batches anew (bootstrap), since what disturbs the machine disturbs neighbours alike.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections import Counter

import aiohttp

from tests.faults.player_crowd import Plan, Writing, sender_of
from tests.faults.poisons import POISONS, Poison
from tests.faults.wire import Said, Wire

DRAWS = 2_000
_APOLOGY = "没有处理好"
_BUTTON = re.compile(r'"callback_data": ?"([^"]+)"')

Pair = tuple[list[float], list[float]]  # seconds until acknowledged, beside an ordinary message and beside poison


class Poisoning(Writing):
    """`rounds` times each kind; `plan.people` others, `size` of them beside each."""

    def __init__(self, wire: Wire, plan: Plan, rounds: int, size: int) -> None:
        super().__init__(wire, plan)
        self._rounds, self._size = rounds, size
        self._pairs: list[Pair] = []
        self._became: dict[str, Counter[str]] = {}
        self._button = ""
        self._writes = 0

    async def poison(self) -> dict[str, object]:
        """All of it; then what is still to come."""
        began = time.monotonic()
        self._wire.random.shuffle(order := list(POISONS) * self._rounds)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            for person in range(self._plan.people):
                self._listen(sender_of(person)[1])
            await self._find_button(http)
            for each in order:
                both: dict[bool, list[float]] = {}
                for poisoned in self._wire.random.sample((True, False), 2):
                    both[poisoned] = await self._batch(http, each if poisoned else None)
                self._pairs.append((both[False], both[True]))
        self.found.seconds = round(time.monotonic() - began, 1)
        await self._finish()
        low, ratio, high = _ratio(self._pairs, self._wire.random)
        return {
            **self.found.as_json(),
            "became": {name: dict(times) for name, times in self._became.items()},
            "ratio": [low, ratio, high],
            "p95": [_p95([each for pair in self._pairs for each in pair[side]]) for side in (0, 1)],
        }

    async def _batch(self, http: aiohttp.ClientSession, poison: Poison | None) -> list[float]:
        """One at the head and the others behind it at the same moment; how long the others took. An ordinary message
        goes before, so that the head has company: what waits while somebody is at work shares one transaction."""
        first = asyncio.create_task(self._one(http))
        await asyncio.sleep(0)
        head = asyncio.create_task(self._swallow(http, poison) if poison else self._one(http))
        await asyncio.sleep(0)
        others = await asyncio.gather(*(self._one(http) for _ in range(self._size)))
        await asyncio.gather(first, head)
        return others

    async def _one(self, http: aiohttp.ClientSession) -> float:
        self._writes = (self._writes + 1) % self._plan.people
        platform, sender = sender_of(self._writes)
        words = self._words(self._wire.random.random() < 0.6)
        began = time.monotonic()
        await self._say(http, Said(platform, sender, self._wire.next(), int(time.time()), words), 1)
        return time.monotonic() - began

    async def _swallow(self, http: aiohttp.ClientSession, poison: Poison) -> float:
        number = self._wire.next()
        sender = f"p{number:027d}" if poison.platform == "wechat" else str(8_000_000_000 + number)
        body = poison.body(sender, number, self._button)
        answer = await self._wire.post_raw(http, poison.platform, body, key=number)
        if answer.why:
            became = "refused" if re.fullmatch(r"4\d\d", answer.why) else answer.why
        elif answer.text:
            became = "aside" if _APOLOGY in answer.text else "answered"
        else:  # nothing to say, or later by the API: `nuanyang inbox` tells which were set aside
            became = "answered" if poison.comes_to == "refused" else poison.comes_to
        self._became.setdefault(poison.name, Counter())[became] += 1
        return answer.took

    async def _find_button(self, http: aiohttp.ClientSession) -> None:
        """Something on the screen of somebody else. A copy that has just started on a busy machine may take more than
        the second after which a cry for help is answered with the numbers alone, without a button: then anew."""
        found = None
        for person in range(5):
            sender = str(6_000_000_000 + person)
            said = Said("telegram", sender, self._wire.next(), int(time.time()), "我很担心TA，别的事")
            found = _BUTTON.search((await self._wire.post(http, said)).whole)
            if found:
                break
        assert found, "an answer with a button"
        self._button = found[1]


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[18]


def _ratio(pairs: list[Pair], chance: random.Random) -> tuple[float, float, float]:
    """The ratio of the 95th percentiles, with its interval of 95 %: lower end, ratio, upper end."""

    def of(drawn: list[Pair]) -> float:
        plain, poisoned = ([each for pair in drawn for each in pair[side]] for side in (0, 1))
        return _p95(poisoned) / _p95(plain)

    draws = sorted(of(chance.choices(pairs, k=len(pairs))) for _ in range(max(200, DRAWS * 40 // len(pairs))))
    return draws[len(draws) * 25 // 1000], of(pairs), draws[len(draws) * 975 // 1000]
