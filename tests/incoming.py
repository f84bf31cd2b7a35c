"""A receiver on a real database, and turns as a test wants them: slow, failing, or with the database away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from bot import hearing
from bot import receive as receiving
from bot.receive import Receiver
from bot.spool import Spool
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.turn import turn
from models.arrival import Met
from models.conversation import Conversation
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.vault import Vault
from tests.conftest import START

DANGER = "救命，有人打我"


def message(words: str, key: str, sender: str = "alin", kind: Any = "text", **more: Any) -> Inbound:
    return Inbound("wechat", "test", sender, key, kind, START, text=words, **more)


def place(inbound: Inbound) -> Here:
    return Here(inbound.platform, inbound.account, public_url="https://nuanyang.example")


@pytest.fixture
async def receiver(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[Receiver]:
    spool = Spool(tmp_path / "spool", vault)
    spool.open()
    made = Receiver(database, spool, place)
    yield made
    await made.stop(5)


class Switch:
    """Turns as a test wants them: slow, failing, or with the database away; otherwise the real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow: set[str] = set()
        self.broken: dict[str, Callable[[], Exception]] = {}
        self.heard: list[str] = []
        self.go = threading.Event()
        self.began = threading.Event()
        self.away = False
        monkeypatch.setattr(hearing, "turn", self._turn)
        for name in ("write", "once", "share"):
            monkeypatch.setattr(Database, name, self._maybe(getattr(Database, name)))

    def _maybe(self, enter: Callable[..., AbstractContextManager[Any]]) -> Callable[..., AbstractContextManager[Any]]:
        @contextmanager
        def maybe(database: Database, **more: Any) -> Iterator[Any]:
            if self.away:
                raise DatabaseAway("test")
            with enter(database, **more) as begun:
                yield begun

        return maybe

    def _turn(
        self, session: Session, inbound: Inbound, here: Here, met: Met | None = None
    ) -> tuple[Reply | None, str | None]:
        if inbound.text in self.slow:
            self.began.set()
            assert self.go.wait(10), "the test forgot to let the slow turn go on"
        done = turn(session, inbound, here, met)
        self.heard.append(inbound.text)
        if inbound.text in self.broken:
            raise self.broken[inbound.text]()
        return done


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    made = Switch(monkeypatch)
    yield made
    made.go.set()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience as short as a test's."""
    monkeypatch.setattr(receiving, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(receiving, "URGENT_SECONDS", 0.8)


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as session:
        return list(session.exec(select(table).order_by(table.id if table is not Conversation else table.person_id)))


def inbox_of(database: Database, key: str) -> InboxMessage:
    with database.read() as session:
        return session.exec(select(InboxMessage).where(InboxMessage.key == key)).one()


def outgoing(database: Database) -> list[str]:
    """The texts that wait in the outbox, as they would be sent."""
    found = []
    for row in rows(database, OutboxMessage):
        assert row.params_sealed is not None
        found.append(database.vault.open_json("outbox.params_sealed", row.id, row.params_sealed)["text"])
    return found


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that a background task does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never became true"
        await asyncio.sleep(0.01)
