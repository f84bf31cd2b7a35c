"""People who register: seven messages each, the next one only after the answer to the last.

A message without its effect, or with two, shows at once: the answer is not the one that belongs to the step.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.wire import AGAIN, CUT, PATIENCE, Answer, Said, Wire

NAMES = "一二三四五六七八九十"
STEPS = (
    ("报名", "隐私说明"),
    ("同意", "请写你的姓名"),
    ("{name}", "请写你的手机号"),
    ("{phone}", "你的出生日期"),
    ("1999-05-06", "你在哪个县"),
    ("广州天河", "提交"),
    ("提交", "注册成功"),
)


@dataclass
class Found:
    """What is counted: `lost` and `doubled` must be 0; `again` are answers that came again and said so."""

    acknowledged: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    different: int = 0
    again: int = 0
    late: int = 0
    slowest: float = 0.0
    numbers: list[str] = field(default_factory=list)


@dataclass
class Person:
    """`heard` are the answers to the message under way; `before` those to earlier ones."""

    platform: str
    sender: str
    words: dict[str, str]
    found: Found
    heard: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, text: str) -> None:
        """An answer came, by whatever way."""
        plain = text.removeprefix(AGAIN).strip()
        if text.startswith(AGAIN):
            self.found.again += 1
        if plain in self.heard or plain in self.before:
            self.found.doubled += not text.startswith(AGAIN)
            return
        self.heard.append(plain)
        self.news.set()


class People:
    """Everybody who registers, on the given wire. `pace` = seconds that somebody thinks before writing, at most."""

    def __init__(self, wire: Wire, pace: float) -> None:
        self._wire, self._pace = wire, pace
        self.found = Found()

    async def play(self, people: int, at_once: int) -> Found:
        """Everybody registers, so many at the same time."""
        gate = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            wechat = number % 2 == 0
            sender = f"o{number:027d}" if wechat else str(7_000_000_000 + number)
            name = "林" + "".join(NAMES[int(digit)] for digit in f"{number:05d}"[-2:])
            words = {"name": name, "phone": f"138{number:08d}"}
            person = Person("wechat" if wechat else "telegram", sender, words, self.found)
            self._wire.listeners[sender] = person.hear
            async with gate:
                await self._register(http, person)

        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(one(number) for number in range(people)))
        return self.found

    async def _register(self, http: aiohttp.ClientSession, person: Person) -> None:
        """One person's whole talk."""
        for words, expected in STEPS:
            await asyncio.sleep(self._wire.random.uniform(0, self._pace))
            person.before += person.heard
            person.heard, person.news = [], asyncio.Event()
            await self._say(http, person, words.format(**person.words))
            try:
                async with asyncio.timeout(PATIENCE):
                    await person.news.wait()
            except TimeoutError:
                self._missed("lost", person, step=expected)
                return
            if expected not in person.heard[0]:
                self._missed("wrong", person, step=expected, heard=person.heard[0])
                return
        number = re.search(r"\d{10}", person.heard[0])
        self.found.numbers.append(number.group() if number else "")

    def _missed(self, what: str, person: Person, **facts: Any) -> None:
        setattr(self.found, what, getattr(self.found, what) + 1)
        self._wire.note(what, sender=person.sender, **facts)

    async def _say(self, http: aiohttp.ClientSession, person: Person, words: str) -> None:
        """Send one update until it is acknowledged (WeChat would stop after three tries); sometimes twice at once."""
        said = Said(person.platform, person.sender, self._wire.next(), int(time.time()), words)
        while True:
            twice = self._wire.random.random() < 0.1
            tries = await asyncio.gather(*(self._wire.post(http, said) for _ in range(1 + twice)))
            came = [answer for answer in tries if not answer.why]
            self.found.repeats += len(tries) - 1
            self._time(came)
            if came:
                break
            self.found.repeats += 1
            await asyncio.sleep(0.3)
        self.found.acknowledged += 1
        answers = {answer.text for answer in came if answer.text}
        self.found.different += len(answers) > 1
        for answer in answers:
            person.hear(answer)

    def _time(self, came: list[Answer]) -> None:
        for answer in came:
            self.found.slowest = max(self.found.slowest, answer.took)
            self.found.late += answer.took > CUT
