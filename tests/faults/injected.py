"""A tenth of all database calls and of all calls to the platforms fail or stall, by a seed.

A failing database call loses its connection, before or after the server did what it was asked for. A failing call to a
platform is lost before or after the platform showed the message, or ends in an answer that means nothing.
"""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web
from sqlalchemy import event, text
from sqlmodel import Session, col, select

from bot import hearing
from bot.app import App
from handlers.here import Here
from handlers.message import Inbound, Reply
from models import lease
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.phones import Exchange, Shown, Stage

SHARE = 0.1
STALL = 0.005  # seconds
ROUNDS = 400  # of settling after one message; a bound against never ending, not a measure
_MARK = re.compile(r"〔([^〕]+)〕")
_AGAIN = "（补发，如已收到请忽略）\n"
_turn = hearing.turn


class Faults:
    """Decides for each call; off until it is switched on."""

    def __init__(self, seed: int) -> None:
        self.on = False
        self.count: Counter[str] = Counter()
        self._random = random.Random(seed)

    @contextmanager
    def switched_on(self, on: bool = True) -> Iterator[None]:
        """For so long."""
        before, self.on = self.on, on
        try:
            yield
        finally:
            self.on = before

    def draw(self, place: str) -> str:
        """ "" = nothing happens; else "stall", "before" or "after": what was asked for is lost, or its answer is."""
        if not self.on or self._random.random() >= SHARE:
            return ""
        what = self._random.choice(["stall", "stall", "before", "after"])
        self.count[f"{place} {what}"] += 1
        return what


class _Lost:
    """What both drivers' cursors and connections have in common."""

    faults: Faults

    @classmethod
    @contextmanager
    def around(cls, lose: Any, *, server: bool) -> Iterator[None]:
        """A file, unlike a server, never does something and fails to say so."""
        what = cls.faults.draw("database")
        if what == "stall":
            time.sleep(STALL)
        elif what and not (server and what == "after"):
            lose()
        yield
        if what == "after":
            lose()


@contextmanager
def failing(database: Database, faults: Faults) -> Iterator[None]:
    """Every statement and every commit of this database may fail from now on."""

    class Lost(_Lost):
        pass

    Lost.faults = faults

    class SqliteCursor(sqlite3.Cursor):
        def execute(self, *arguments: Any) -> Any:
            with Lost.around(_locked, server=False):
                return super().execute(*arguments)

    class Sqlite(sqlite3.Connection):
        def cursor(self, *_arguments: Any) -> Any:
            return super().cursor(SqliteCursor)

        def commit(self) -> None:
            with Lost.around(_locked, server=False):
                super().commit()

    class PostgresCursor(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **more: Any) -> Any:
            with Lost.around(lambda: _gone(self.connection), server=True):
                return super().execute(*arguments, **more)

    class Postgres(psycopg.Connection[Any]):
        def commit(self) -> None:
            with Lost.around(lambda: _gone(self), server=True):
                super().commit()

    def connect(_dialect: Any, _record: Any, arguments: Any, given: dict[str, Any]) -> Any:
        if database.is_sqlite:
            given["factory"] = Sqlite
            return None
        return Postgres.connect(*arguments, cursor_factory=PostgresCursor, **given)

    engines = [database.engine] if database.engine is database.read_engine else [database.engine, database.read_engine]
    for engine in engines:
        engine.dispose()
        event.listen(engine, "do_connect", connect)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "do_connect", connect)
            engine.dispose()


def _locked() -> None:
    error = sqlite3.OperationalError("disk I/O error, made up")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise error


def _gone(connection: psycopg.Connection[Any]) -> None:
    connection.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly, made up")


class FailingExchange(Exchange):
    """Both platforms as they are called, on bad days. What was shown is in `sent`, whatever the caller was told."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults
        self.server.app.middlewares.append(self._badly)  # type: ignore[union-attr]

    @web.middleware
    async def _badly(self, request: web.Request, handler: Any) -> web.StreamResponse:
        what = self.faults.draw("platform")
        if what == "stall":
            await asyncio.sleep(STALL)
        if what == "before":
            return web.Response(status=502, text="<html>502</html>", content_type="text/html")
        answer: web.StreamResponse = await handler(request)
        if what == "after":
            assert request.transport is not None
            request.transport.abort()
        return answer


class BrokenOff(Exception):
    """An answer was in doubt twice: by the rules (architecture.md, platforms.md) it is called uncertain and not sent a
    third time, and whoever waits for it does not know how to go on."""


class FailingStage(Stage):
    """A deployment on bad days. A message whose answer does not come with it is waited for, as people do; what goes to
    others meanwhile stands in what `deliver` returns next."""

    def __init__(
        self, database: Database, spool: Path, exchange: Exchange, faults: Faults, clock: StoppedClock
    ) -> None:
        super().__init__(database, spool, exchange)
        self.faults, self.clock = faults, clock
        self.early: list[tuple[str, str, Shown]] = []
        self.key_of: dict[int, str] = {}  # which message something seen answers
        self.repeated: set[int] = set()  # what was seen before
        self.answers: dict[str, list[bool]] = {}  # by message: whether each answer that was seen was marked
        self.shown: list[Shown] = []
        self.posted: set[str] = set()
        self.replied: set[str] = set()

    async def wechat(self, name: str, xml: str) -> tuple[int, Shown | None]:
        return await self._until_heard(lambda: Stage.wechat(self, name, xml))

    async def telegram(self, update: dict[str, Any]) -> tuple[int, Shown | None]:
        return await self._until_heard(lambda: Stage.telegram(self, update))

    async def _until_heard(self, post: Any) -> tuple[int, Shown | None]:
        """The platform comes again where it was told to, or heard nothing."""
        before = set(self.replied)
        with self.faults.switched_on():
            for _time in range(20):
                status, shown = await post()
                if status == 200:
                    break
                self.clock.pass_time(timedelta(seconds=5))
        if shown is not None:
            return status, self._seen(shown)
        await self._settle()
        # What else comes now, such as an earlier answer once more, is not what people look at.
        mine = [one for one in self.early if self.key_of.get(id(one[2])) in self.replied - before]
        self.early = [one for one in self.early if id(one[2]) not in self.key_of]
        if not mine and self.replied - before <= self.in_doubt() != set():
            raise BrokenOff
        return status, mine[-1][2] if mine else None

    def _seen(self, shown: Shown) -> Shown:
        """Take the mark of its message off an answer and remember that it was seen."""
        again = shown.text.startswith(_AGAIN)
        text = shown.text.removeprefix(_AGAIN)
        found = _MARK.match(text)
        if found is None:
            return shown
        self.answers.setdefault(found[1], []).append(again)
        plain = Shown(text[found.end() :], shown.options, shown.links)
        self.key_of[id(plain)] = found[1]
        if len(self.answers[found[1]]) > 1:
            self.repeated.add(id(plain))
        self.shown.append(plain)  # kept, so that no other gets its id
        return plain

    def in_doubt(self) -> set[str]:
        """The messages whose answers nobody has seen, and which the product calls uncertain."""
        with self.faults.switched_on(False), self.database.read() as session:
            rows = session.execute(
                text(
                    "SELECT i.key FROM outbox o JOIN inbox i ON o.unique_key = 'reply:' || i.id"
                    " WHERE o.state = 'uncertain' AND o.resends > 0"
                )
            )
            return {key for (key,) in rows} - set(self.answers)

    async def deliver(self) -> list[tuple[str, str, Shown]]:
        await self._settle()

        # An earlier answer that comes once more is not what people look at: it stands above what is new.
        def place(one: tuple[str, str, Shown]) -> int:
            return 0 if id(one[2]) in self.repeated else 1 if id(one[2]) in self.key_of else 2

        sent, self.early = sorted(self.early, key=place), []
        return sent

    async def _settle(self) -> None:
        """Until the spool is empty and nothing waits that could be sent."""
        with self.faults.switched_on():
            await self._rounds()

    async def _rounds(self) -> None:
        for _round in range(ROUNDS):
            app = App(self.settings, self.database, spool=self.spool, roles=("web",))
            try:
                await self._work(app)
                if not app.spool.waiting and not self._waits():
                    return
            except DatabaseAway:
                continue
            finally:
                await self._end(app)
                self.clock.pass_time(timedelta(seconds=1))
        raise AssertionError(f"not settled after {ROUNDS} rounds: {self._left()}")

    async def _work(self, app: App) -> None:
        self.exchange.sent.clear()
        try:
            await asyncio.to_thread(app.spool.open)
            await app.receiver.replay()
            await asyncio.to_thread(app.receiver._hearing.sweep)
            await asyncio.to_thread(jobs.sweep_claims, self.database)
            await asyncio.wait_for(app.deliverer.once(), 30)
        finally:
            self.early += [(platform, sender, self._seen(shown)) for platform, sender, shown in self.exchange.sent]
            self.exchange.sent.clear()

    async def _end(self, app: App) -> None:
        """As a process that stops, whatever its database says."""
        await app.receiver.stop(5)
        with self.faults.switched_on(False), self.database.write() as session:
            lease.give_up(session, app.deliverer.name)
        for platform in app.platforms.values():
            await platform.stop()
        await app.http().close()
        self.database.dispose()

    def _waits(self) -> bool:
        """Whether there is something to send, or an answer of which nothing says that it was handed over."""
        with self.database.read() as session:
            rows = session.exec(select(OutboxMessage).where(col(OutboxMessage.state).in_(("waiting", "sending")))).all()
            kept = select(InboxMessage.id).where(InboxMessage.door == "passive", col(InboxMessage.handed_at).is_(None))
            return any(row.due_at <= self.clock.now() for row in rows) or session.exec(kept).first() is not None

    def _left(self) -> list[tuple[str, str, str]]:
        with self.faults.switched_on(False), self.database.read() as session:
            rows = session.exec(select(OutboxMessage)).all()
            return [(row.kind, row.state, row.why) for row in rows if row.state in ("waiting", "sending")]

    def turn(self, session: Session, inbound: Inbound, here: Here, *more: Any) -> tuple[Reply | None, str | None]:
        """The real turn; its answer carries the key of its message."""
        reply, person = _turn(session, inbound, here, *more)
        self.posted.add(inbound.key)
        if reply is not None:
            self.replied.add(inbound.key)
            reply = replace(reply, text=f"〔{inbound.key}〕{reply.text}")
        return reply, person
