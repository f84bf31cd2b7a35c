"""A sender with people to write to, and two platforms that answer as a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.deliver import Deliverer
from bot.platforms.base import ONE_CHANNEL, Outcome
from bot.sending_line import Limits
from handlers.here import Here
from handlers.message import Reply
from models.database import Database
from models.outbox import REPLY, Attempt, OutboxMessage, enqueue
from models.person import Door, open_door

WECHAT, TELEGRAM = ("wechat", "test"), ("telegram", "test")


class Player:
    """A platform that answers as told; without orders it says “sent”."""

    channels = ONE_CHANNEL

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.ways: list[tuple[str, str]] = []  # by which channel, under which key
        self.outcomes: list[Outcome] = []
        self.in_flight = self.most_in_flight = 0
        self.seconds = 0.002
        self.probes, self.still = 0, list[Outcome]()  # how often it was asked, and what it answers first
        self.before: Callable[[], Any] = lambda: None

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
            self.before()
            self.sent.append((sender, reply.card.name if reply.card is not None else reply.text))
            self.ways.append((channel, key))
            return self.outcomes.pop(0) if self.outcomes else Outcome("sent", reference="77")
        finally:
            self.in_flight -= 1

    async def probe(self, *, deadline: float) -> Outcome:
        self.probes += 1
        return self.still.pop(0) if self.still else Outcome("sent")

    @property
    def texts(self) -> list[str]:
        return [text for _sender, text in self.sent]


class Office:
    """A database with people, both platforms, and a sender."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.put_so_far = 0
        self._session: Session | None = None
        self.wechat, self.telegram = Player(), Player()
        self.deliverer = self.worker("one")

    def worker(self, name: str, limits: dict[tuple[str, str], Limits] | None = None) -> Deliverer:
        platforms: Any = {WECHAT: self.wechat, TELEGRAM: self.telegram}
        return Deliverer(
            self.database, platforms, lambda platform, account: Here(platform, account), name, limits=limits
        )

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """One transaction for all people and messages made within."""
        with self.database.write() as self._session:
            yield
        self._session = None

    @contextmanager
    def _write(self) -> Iterator[Session]:
        if self._session is not None:
            yield self._session
        else:
            with self.database.write() as session:
                yield session

    def person(self, name: str = "alin", *more: tuple[str, str]) -> str:
        """A person with a WeChat door, and further doors; the last one named was used last."""
        with self._write() as session:
            door, person = open_door(session, *WECHAT, name, "zh_CN", zone="Asia/Shanghai")
            for number, (platform, account) in enumerate(more, 1):
                at = door.last_in_at + timedelta(minutes=number)
                session.add(
                    Door(
                        person_id=person.id,
                        platform=platform,
                        account=account,
                        sender=f"9{name}",
                        opened_at=at,
                        last_in_at=at,
                    )
                )
            return person.id

    def older_door(self, person: str, sender: str = "9") -> str:
        """The person has another door, at Telegram, which was used a day before; returns its id."""
        at = self.database.clock.now() - timedelta(days=1)
        door = Door(
            person_id=person, platform=TELEGRAM[0], account=TELEGRAM[1], sender=sender, opened_at=at, last_in_at=at
        )
        with self._write() as session:
            session.add(door)
        return door.id

    def put(self, person: str, text: str = "你好", **more: Any) -> bool:
        # The clock stands still: each is due a microsecond after the one before, as it is in life.
        self.put_so_far += 1
        due = self.database.clock.now() - timedelta(seconds=1) + timedelta(microseconds=self.put_so_far)
        usual: dict[str, Any] = {"unique_key": text, "priority": REPLY, "due_at": due}
        with self._write() as session:
            return enqueue(session, person, "reply", Reply(text).as_json(), **{**usual, **more})

    async def work(self, deliverer: Deliverer | None = None) -> None:
        """Until nothing is left to be done now."""
        while await (deliverer or self.deliverer).once():
            pass

    def rows(self) -> dict[str, OutboxMessage]:
        with self.database.read() as session:
            return {row.unique_key: row for row in session.exec(select(OutboxMessage))}

    def state(self, key: str = "你好") -> str:
        return self.rows()[key].state

    def attempts(self) -> list[Attempt]:
        with self.database.read() as session:
            return list(session.exec(select(Attempt).order_by(Attempt.id)))


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)
