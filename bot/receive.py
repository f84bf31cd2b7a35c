"""A message in: one transaction in a worker thread, a deadline, and the spool when the database is away.

`Receiver.receive` is the second of the six stops. It never raises for the database's faults: the update is in the
inbox, or in the spool, or the platform is told to come again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from bot.drain import Drain
from bot.hearing import Hearing
from bot.received import Key, Received, Unavailable, is_gone, is_held, key_of, urgent_words
from bot.spool import Spool
from bot.together import Left, Together
from config.catalogue import rules
from handlers.here import Here
from handlers.message import Inbound, Reply
from models.database import Database, DatabaseAway, Part

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

SHORT = 200  # characters
URGENT_SECONDS = 1.0
ANSWER_SECONDS = 3.5  # from arrival; the spool's fsync comes after it, and 4 s are promised (WeChat cuts at 5)
HANGS_AFTER = 3.3  # seconds; a lock is waited for at most three
HANDED_EVERY = 0.5
TURNS_AT_ONCE = 2  # transactions with turns under way on PostgreSQL; more cost more than they bring
TOGETHER_SECONDS = 0.1  # after which a transaction takes no further turn
TOGETHER_LOCK_MS = 200  # for a row that somebody holds; after that its turn waits alone
AWAY_SECONDS = 1.0  # after a database was found gone, nobody waits for it again for so long
ASIDE_EVERY = 3_600.0
SWEEP_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """An update to hear. `replaying` = it comes from the spool and asks the database whatever was found before."""

    inbound: Inbound
    passive: bool
    replaying: bool


class Receiver:
    """Turns of one process. One person's updates are handled in order, different persons' side by side."""

    def __init__(
        self,
        database: Database,
        spool: Spool,
        here: Callable[[Inbound], Here],
        *,
        answers_now: Callable[[Inbound], bool] = lambda inbound: True,
        threads: int = 4,
        observe: Callable[[str, float], None] = lambda outcome, seconds: None,
    ) -> None:
        self._database = database
        self._spool = spool
        self._observe = observe
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="turn")
        # SQLite has one writer: more threads would only wait for its lock instead of sharing a commit.
        self._threads = 1 if database.is_sqlite else TURNS_AT_ONCE
        self._together = Together(self._pool, self._turns, threads=self._threads)
        # What must go on while the database hangs, and so never waits behind anything that asks it.
        self._quick = ThreadPoolExecutor(4, thread_name_prefix="quick")
        self._queues: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._running: dict[Key, asyncio.Task[Received]] = {}
        # Answered without their reply, which leaves by the outbox, once this task has them in the spool.
        self._given_up: dict[Key, asyncio.Task[None]] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._hearing = Hearing(database, here, answers_now, self._given_up.__contains__)
        self._handed: list[str] = []
        self._drain = Drain(spool, self._replayed, self._answers, lambda: self._closed)
        self._at_work: dict[int, float] = {}  # since time.monotonic(), by thread
        self._away_until = 0.0  # time.monotonic(); 0 = the database answered last time
        self._next_sweep = self._next_aside = 0.0
        self._closed = False

    async def receive(self, inbound: Inbound, *, passive: bool = True, arrived: float | None = None) -> Received:
        """Hear one update. `passive` = the reply can leave in this answer; `arrived` is a time.monotonic().

        Raises Unavailable when nothing could keep the update.
        """
        began = arrived if arrived is not None else time.monotonic()
        key = key_of(inbound)
        task, giving_up = self._running.get(key), self._given_up.get(key)
        if task is None and giving_up is None:
            task = asyncio.create_task(self._ordered(inbound, passive))
            self._running[key] = task
            task.add_done_callback(partial(self._ended, key))
        # A tenth of a millisecond for a short text; a thread costs more than that, and a long text could hold the loop.
        short = len(inbound.text) <= SHORT
        urgent = urgent_words(inbound) if short else await self.quickly(partial(urgent_words, inbound))
        at_once = Received(Reply(urgent) if urgent else None)
        try:
            if task is None or giving_up is not None:
                return await self._kept(giving_up, at_once)
            left = began + (URGENT_SECONDS if urgent else ANSWER_SECONDS) - time.monotonic()
            done, _pending = await asyncio.wait({task}, timeout=max(0.05, left))
            if key in self._given_up:
                return await self._kept(self._given_up[key], at_once)
            if not done:
                self._observe("late", time.monotonic() - began)
                return await self._kept(self._give_up(task, inbound, key), at_once)
            received = task.result()
        except Unavailable:
            if urgent:
                # A life before the record: the words to call for help need neither database nor disk.
                return at_once
            raise
        self._observe("away" if received.spooled else "turn", time.monotonic() - began)
        if received.reply is None and urgent:
            # It leaves by the outbox, which may take a moment longer than somebody in danger has: rather twice.
            return at_once
        return at_once if received.spooled else received

    def handed(self, row: str) -> None:
        """The reply of this inbox row left in its answer; written down in batches."""
        if row:
            self._handed.append(row)

    async def keep_up(self, stopping: asyncio.Event) -> None:
        """Beside the turns: write down what was handed over, sweep what was not, replay the spool."""
        self._next_sweep, self._next_aside = time.monotonic() + 5, time.monotonic()
        # A long replay must not keep from the database what was handed over: it would be swept.
        await asyncio.gather(self._keep(stopping, self._look_after), self._keep(stopping, self.replay))

    async def _keep(self, stopping: asyncio.Event, work: Callable[[], Awaitable[object]]) -> None:
        while not stopping.is_set():
            try:
                await work()
            except DatabaseAway:
                log.warning("database_away", doing="keep_up")
            except Exception:
                # One broken row must not end the loop that everybody's replies depend on.
                log.exception("keep_up_failed")
            try:
                await asyncio.wait_for(stopping.wait(), HANDED_EVERY)
            except TimeoutError:
                continue

    async def _look_after(self) -> None:
        await self._flush_handed()
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_EVERY
            await self._in_thread(self._hearing.sweep)
        if time.monotonic() >= self._next_aside:
            self._next_aside = time.monotonic() + ASIDE_EVERY
            await asyncio.to_thread(self._spool.forget_aside, timedelta(days=rules().messages.retention_days))

    async def replay(self) -> int:
        """Turn what waits in the spool into turns; returns how many. Ends early where the database is away."""
        return await self._drain.once()

    async def _replayed(self, inbound: Inbound) -> None:
        """Its call was answered without a reply, and so a fresh turn chooses the outbox. Raises what keeps it from
        being a turn."""
        await self._ordered(inbound, passive=False, replaying=True)

    async def _answers(self) -> bool:
        """Whether the database answers at all."""
        try:
            await self._in_thread(self._hearing.ask)
        except DatabaseAway:
            return False
        self._away_until = 0.0
        return True

    async def stop(self, seconds: float) -> None:
        """Let turns under way finish within so many seconds."""
        waiting = {*self._running.values(), *self._late}
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        try:
            await self._flush_handed()
        except DatabaseAway:
            log.warning("database_away", doing="stop")
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._quick.shutdown(wait=False)

    def _ended(self, key: Key, task: asyncio.Task[Received]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # told to those who wait for it; where nobody does any more, the platform comes again

    async def _ordered(self, inbound: Inbound, passive: bool, *, replaying: bool = False) -> Received:
        """The turn, after the sender's earlier ones. What cannot be a turn now takes its place in the spool before
        the next one may begin, so that nothing overtakes it."""
        sender = (inbound.platform, inbound.account, inbound.sender)
        queue = self._queues.get(sender)
        if queue is None:
            queue = self._queues[sender] = asyncio.Lock()
        async with queue:
            if not replaying and self._spool.is_waiting(inbound):
                return await self._to_spool(inbound, "behind")
            if not replaying and self._is_away():
                return await self._to_spool(inbound, "away")
            try:
                received = await self._together.do(_Asked(inbound, passive, replaying))
            except DatabaseAway:
                if replaying:
                    raise
                return await self._to_spool(inbound, "away")
            return received

    def _is_away(self) -> bool:
        """Whether the database was found gone a moment ago, or the replay is asking it anew: then each update would
        only wait for its own time-out. So it is while every thread hangs in a statement that nothing answers."""
        now = time.monotonic()
        if self._away_until > 0 and (now < self._away_until or self._drain.runs):
            return True
        return sum(now - since > HANGS_AFTER for since in list(self._at_work.values())) >= self._threads

    def _turns(self, asked: list[_Asked]) -> list[Left[Received]]:
        thread = threading.get_ident()
        self._at_work[thread] = time.monotonic()
        try:
            return self._heard(asked)
        finally:
            del self._at_work[thread]

    def _heard(self, asked: list[_Asked]) -> list[Left[Received]]:
        """Some updates in one transaction. Where something of the database's own keeps it from ending, nothing of it
        stands, and each is tried alone: one of them may be what the others fell with. Runs in a worker thread."""
        if len(asked) == 1:
            return [self._alone(asked[0])]
        if self._is_away() and not any(update.replaying for update in asked):
            return [Left(error=DatabaseAway("gone a moment ago")) for _update in asked]
        came: list[Left[Received]] = []
        try:
            ends = time.monotonic() + TOGETHER_SECONDS
            with self._database.share(lock_wait_ms=TOGETHER_LOCK_MS) as part:
                for update in asked:
                    came.append(self._beside_others(part, update) if time.monotonic() < ends else Left(later=True))
        except Exception as error:  # noqa: BLE001 each of them is tried alone, and that is logged there
            if isinstance(error, DatabaseAway) and is_gone(error):
                self._away_until = time.monotonic() + AWAY_SECONDS
                return [Left(error=error) for _update in asked]
            log.warning("shared_commit_failed", turns=len(asked), why=type(error).__name__)
            return [Left(alone=True) for _update in asked]
        self._away_until = 0.0
        return came

    def _beside_others(self, part: Part, update: _Asked) -> Left[Received]:
        """One turn of a shared transaction; for a row that somebody holds it waits alone, and nobody with it."""
        try:
            return Left(self._hearing.heard(part, update.inbound, update.passive))
        except Exception as error:
            if not is_held(error):
                raise
            return Left(alone=True)

    def _alone(self, update: _Asked) -> Left[Received]:
        """One update in a transaction of its own, unless the database was found gone while it waited for its thread."""
        if not update.replaying and self._is_away():
            return Left(error=DatabaseAway("gone a moment ago"))
        try:
            received = self.transact(update.inbound, passive=update.passive)
        except Exception as error:  # noqa: BLE001 whoever waits for the turn is told
            if isinstance(error, DatabaseAway) and is_gone(error):
                self._away_until = time.monotonic() + AWAY_SECONDS
            return Left(error=error)
        self._away_until = 0.0
        return Left(received)

    async def quickly(self, work: Callable[[], _T]) -> _T:
        """Run what needs no database in a thread that no database can hold up."""
        return await asyncio.get_running_loop().run_in_executor(self._quick, work)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def transact(self, inbound: Inbound, *, passive: bool) -> Received:
        """The one transaction of an update. Runs in a worker thread."""
        return self._hearing.alone(inbound, passive)

    async def _kept(self, giving_up: asyncio.Task[None] | None, at_once: Received) -> Received:
        """The answer to an update that somebody has given up, once it is kept. Raises Unavailable where it is not."""
        if giving_up is not None:
            await asyncio.shield(giving_up)
        return at_once

    def _give_up(self, task: asyncio.Task[Received], inbound: Inbound, key: Key) -> asyncio.Task[None]:
        """The turn takes too long for an answer: the update into the spool, its reply later by the outbox. Whoever
        comes again meanwhile waits for this as well: before its end the update is kept nowhere."""
        giving_up = self._given_up[key] = asyncio.create_task(self._put_late(task, inbound, key))
        self._late.add(giving_up)
        giving_up.add_done_callback(self._put_away)
        return giving_up

    def _put_away(self, giving_up: asyncio.Task[None]) -> None:
        self._late.discard(giving_up)
        if not giving_up.cancelled():
            giving_up.exception()  # told to those who wait for it

    async def _put_late(self, task: asyncio.Task[Received], inbound: Inbound, key: Key) -> None:
        try:
            path = await self._put(inbound, "late")
        except BaseException:
            self._given_up.pop(key, None)
            raise
        follow = asyncio.create_task(self._follow_up(task, inbound, path, key))
        self._late.add(follow)
        follow.add_done_callback(self._late.discard)

    async def _follow_up(self, task: asyncio.Task[Received], inbound: Inbound, path: Path, key: Key) -> None:
        """After a late turn: its reply goes by the outbox, and its spool file is done with."""
        try:
            received = await task
            if not received.spooled:
                await self._in_thread(partial(self._hearing.leave_later, inbound, received))
                self._spool.remove(path)
        except DatabaseAway:
            return  # the spool's replay does it when the database is back
        except Exception:
            log.exception("late_turn_failed")  # the spool's replay tries it once more
        finally:
            self._given_up.pop(key, None)

    async def _to_spool(self, inbound: Inbound, why: str) -> Received:
        giving_up = self._given_up.get(key_of(inbound))
        if giving_up is None:
            await self._put(inbound, why)
        else:
            await asyncio.shield(giving_up)
        return Received(None, spooled=True)

    async def _put(self, inbound: Inbound, why: str) -> Path:
        again = self._spool.holds(inbound)
        try:
            path = await self._spool.put_soon(inbound, self._quick)
        except OSError as error:
            log.error("spool_refused", errno=error.errno, why=why)
            self._away_until = 0.0  # the database is the only hope left: the next one asks it
            raise Unavailable from error
        if not again:
            log.info("spooled", why=why, file=path.name, kind=inbound.kind)
        return path

    async def _flush_handed(self) -> None:
        if not self._handed:
            return
        rows, self._handed = self._handed, []
        try:
            await self._in_thread(partial(self._hearing.mark, rows))
        except DatabaseAway:
            self._handed = [*rows, *self._handed]
            raise
