"""A message out: claim → words → platform call → named outcome → one update.

Calls run side by side, as many as an account has places (sending_line.py). One thread looks for what may leave
(sending_choice.py) and claims it; another writes down how calls ended, together what came meanwhile (sending_books.py).
One sender per account by a lease, which a third one renews.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import structlog
from sqlmodel import Session

from bot.last_moment import Ticket, steady, ticket
from bot.platforms.base import Outcome, Platform
from bot.sending_books import Booked, Books, Ended, pauses_account, pauses_chat, sends
from bot.sending_choice import Chooser, Picks, View
from bot.sending_line import Account, Call, Limits, Line
from bot.ways import Ways
from config.texts import speaking
from handlers import late
from handlers.here import Here
from models import claiming, lease, outbox
from models.database import Database, DatabaseAway
from models.person import Door

log = structlog.get_logger(__name__)

T = TypeVar("T")

IDLE_SECONDS = 0.3  # between two looks when there was nothing
CALL_SECONDS = 9.5  # every call ends within 10 s
LEAST_SECONDS = 1.0  # a call is not begun when less is left for it
RENEW_SECONDS = 3.0
TOGETHER_SECONDS = 0.05  # outcomes of an account with a pace wait so long for others, to share their commit
STOP_SECONDS = 4.0  # for the calls under way when the process stops
LAST_SECONDS = 1.0  # for what is being written down then
AWAY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Held:
    """Leases as they stand: mine, those of others that are not paused, and paused chats by door."""

    mine: frozenset[Account]
    others: frozenset[Account]
    chats: dict[str, datetime]
    until: float


class Deliverer:
    """Sends for the accounts whose leases this process holds."""

    def __init__(
        self,
        database: Database,
        platforms: Mapping[Account, Platform],
        here: Callable[[str, str], Here],
        name: str,
        *,
        limits: Mapping[Account, Limits] | None = None,
        observe: Callable[[str, str], None] = lambda platform, outcome: None,
    ) -> None:
        self._database = database
        self._platforms = platforms
        self.name = name
        self._observe = observe
        self._lines = {account: Line((limits or {}).get(account, Limits())) for account in platforms}
        ways = Ways({account: platform.channels for account, platform in platforms.items()})
        self._books, self._chooser = Books(name, here, ways), Chooser(ways)
        self._claimer = ThreadPoolExecutor(1, "claim")
        self._recorder = ThreadPoolExecutor(1, "record")
        self._renewer = ThreadPoolExecutor(1, "lease")
        self._saver = ThreadPoolExecutor(1, "arrived")
        self.leases: dict[Account, float] = {}  # until when (steady seconds) calls may begin
        self._others: frozenset[Account] = frozenset()
        self._chats: dict[str, datetime] = {}
        self._renew_at = 0.0
        self._look_at = 0.0
        self._ended: list[Ended] = []
        self._arriving: set[str] = set()  # people of whom it is being written down what they have on their screen
        self._recording, self._closing = 0, False
        self._one = Lock()
        self._wake, self._came = asyncio.Event(), asyncio.Event()
        self._tickets: dict[str, Ticket] = {}
        self._resting: set[Account] = set()  # accounts whose pause is not written down yet
        self._rested_at = 0.0
        paced = all(line.limits.a_second for line in self._lines.values())
        self._together = TOGETHER_SECONDS if paced else 0.0
        self._timers: dict[Account, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = False  # there was not time enough to look at everything
        self._broken = False  # the last transaction may have been committed without an answer

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; then what has not begun goes back, calls under way end, and the leases are given up."""
        renewing = asyncio.create_task(self._keep_leases())
        recording = asyncio.create_task(self._keep_record())
        ringing = asyncio.create_task(self._ring(stopping))
        try:
            while not stopping.is_set():
                await self._turn(stopping)
            await self._drain()
        finally:
            renewing.cancel()
            ringing.cancel()
            self._closing = True
            self._came.set()
            await asyncio.wait([recording], timeout=LAST_SECONDS)
            recording.cancel()
            for timer in self._timers.values():
                timer.cancel()
        await self._record_rest()
        await self._leave()

    async def once(self) -> int:
        """Claim what there is room for, send it and wait for it; returns how many rows were worked on. Not beside
        `run`. Raises DatabaseAway."""
        if steady() >= self._renew_at:
            await self._renew()
        self._chooser.begin_anew()
        worked = await self._claim()
        while any(line.held for line in self._lines.values()) or self._arriving:
            self._wake.clear()
            if not self._ended:
                await self._wake.wait()
            await self._record()
        return worked

    # What comes next

    async def _turn(self, stopping: asyncio.Event) -> None:
        """Wait until there may be something to send, and claim it."""
        if steady() < self._look_at:
            self._wake.clear()
            try:
                async with asyncio.timeout(self._look_at - steady()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            if stopping.is_set():
                return
        await asyncio.sleep(self._together)
        self._look_at = steady() + IDLE_SECONDS
        try:
            if await self._claim() or self._more:
                self._look_at = 0.0
        except DatabaseAway:
            log.warning("database_away", doing="deliver")
            await asyncio.sleep(AWAY_SECONDS)
        except Exception:
            # The loop that carries everybody's messages goes on.
            log.exception("deliver_failed")
            await asyncio.sleep(AWAY_SECONDS)

    async def _ring(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _claim(self) -> int:
        """Claim what there is room for and begin it; returns how many rows were found."""
        view = self._view()
        known = [row for line in self._lines.values() for row in line.held]
        try:
            picks, booked = await self._in(self._claimer, lambda: self._look(view, known))
        except DatabaseAway:
            self._broken = True
            raise
        self._broken, self._more = False, picks.more
        self._follow(booked)
        return len(picks)

    def _look(self, view: View, known: list[str]) -> tuple[Picks, Booked]:
        """In the claimer's thread."""
        if self._broken:
            with self._write() as session:
                claiming.stranded(session, self.name, known)
        with self._database.read() as session:
            picks = self._chooser.pick(session, view, steady())
        if not picks:
            return picks, Booked()
        began = steady()
        with self._write() as session:
            return picks, self._books.claim(session, picks, began)

    def _view(self) -> View:
        now, machine = steady(), self._database.clock.machine()
        mine = {account for account, until in self.leases.items() if until > now}
        held = [call for line in self._lines.values() for call in line.held.values()]
        return View(
            rooms={account: self._lines[account].room(now) for account in mine},
            mine=mine,
            others=self._others,
            busy={call.row.person_id for call in held} | self._arriving,
            busy_doors={call.way.door.id for call in held},
            resting=set().union(*(line.resting(now) for line in self._lines.values())),
            paused={door: until for door, until in self._chats.items() if until > machine},
        )

    def _follow(self, booked: Booked) -> None:
        """What has been committed, happens."""
        for call in (*booked.calls, *booked.instead):
            self._lines[call.way.account].add(call)
        for call in booked.arrived:
            self._begin(self._arrived(call))
        for account in self._lines:
            self._dispatch(account)

    # What has ended

    async def _keep_record(self) -> None:
        """Beside the claims: how a call ended must not wait for a look at what comes next."""
        while not self._closing:
            self._came.clear()
            if not self._ended:
                await self._came.wait()
            await asyncio.sleep(self._together)
            try:
                await self._record()
            except DatabaseAway:
                log.warning("database_away", doing="record")
                await asyncio.sleep(AWAY_SECONDS)

    async def _record(self) -> None:
        """Write down how calls ended. Raises DatabaseAway; the outcomes are kept then."""
        ended, self._ended = self._ended, []
        if not ended:
            return
        self._recording += 1
        try:
            view = self._view()
            try:
                booked = await self._in(self._recorder, lambda: self._books_of(ended, view))
            except DatabaseAway:
                self._ended[:0] = ended
                raise
            except Exception:
                log.exception("outcomes_not_written")
                booked = await self._one_by_one(ended, view)
        finally:
            self._recording -= 1
        for one in ended:
            self._lines[one.call.way.account].release(one.call)
        self._resting -= set(booked.paused)
        self._follow(booked)
        self._look_at = 0.0  # there is room, and the next message of these people may go
        self._wake.set()

    def _books_of(self, ended: list[Ended], view: View) -> Booked:
        """In the recorder's thread."""
        began = steady()
        with self._write() as session:
            return self._books.record(session, ended, view, began)

    async def _one_by_one(self, ended: list[Ended], view: View) -> Booked:
        """One of these outcomes cannot be written, through a fault of ours: the others must not suffer from it."""
        booked = Booked()
        for at, one in enumerate(ended):
            try:
                done = await self._in(self._recorder, partial(self._books_of, [one], view))
            except DatabaseAway:
                self._ended[:0] = ended[at:]
                for kept in ended[at:]:
                    self._lines[kept.call.way.account].held[kept.call.row.id] = kept.call
                del ended[at:]
                break
            except Exception:
                log.exception("outcome_not_written", outcome=one.outcome.name if one.outcome else "late")
                continue  # its row is swept by its deadline
            booked.instead += done.instead
            booked.arrived += done.arrived
            booked.paused += done.paused
        return booked

    # Calls

    def _dispatch(self, account: Account) -> None:
        """Begin the calls whose turn it is."""
        line = self._lines[account]
        while (step := line.next(steady())) is not None:
            if isinstance(step, Call):
                self._begin(self._make(account, step))
                continue
            if account not in self._timers:
                self._timers[account] = asyncio.get_running_loop().call_later(step, self._fire, account)
            break

    def _fire(self, account: Account) -> None:
        self._timers.pop(account, None)
        self._dispatch(account)
        if self._lines[account].wants_more(steady()):
            self._look_at = 0.0
            self._wake.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, account: Account, call: Call) -> None:
        """One call. Its outcome is None when the claim or the lease ran out before it began."""
        outcome: Outcome | None = None
        try:
            outcome = await self._send(account, call)
        except asyncio.CancelledError:
            outcome = Outcome("uncertain", "cut")
            raise
        except Exception as error:
            log.exception("send_failed", platform=account[0])
            outcome = Outcome("uncertain", type(error).__name__)
        finally:
            self._finish(account, call, outcome)

    async def _send(self, account: Account, call: Call) -> Outcome | None:
        now = steady()
        left = call.until - now
        begins_until = min(call.until - LEAST_SECONDS, self.leases.get(account, 0.0))
        if begins_until <= now:
            return None
        mine = self._tickets[call.row.id] = Ticket(begins_until, stamp=call.stamp)
        ticket.set(mine)  # of this task alone
        deadline = asyncio.get_running_loop().time() + min(CALL_SECONDS, left)
        with speaking(call.reply.language):
            outcome = await self._platforms[account].send(
                call.way.door.sender,
                call.reply,
                key=call.row.id,
                deadline=deadline,
                channel=call.way.channel.name,
            )
        return None if mine.stopped else outcome

    def _finish(self, account: Account, call: Call, outcome: Outcome | None) -> None:
        self._lines[account].ended(call)
        self._tickets.pop(call.row.id, None)
        if outcome is not None:
            self._heed(account, call, outcome)
        self._ended.append(Ended(call, outcome))
        self._observe(account[0], outcome.name if outcome else "late")
        self._came.set()
        self._wake.set()

    def _heed(self, account: Account, call: Call, outcome: Outcome) -> None:
        """A pause begins when it is heard of; it is written down a moment later."""
        if pauses_account(outcome):
            self._resting.add(account)
            self._rested_at = steady()
            self.leases.pop(account, None)
            for other in self._lines[account].calling.values():
                if (begun := self._tickets.get(other.row.id)) is not None:
                    begun.until = 0.0  # no bytes of it leave, if none have left
        elif seconds := pauses_chat(outcome):
            self._chats[call.way.door.id] = self._database.clock.machine() + timedelta(seconds=seconds)

    async def _arrived(self, call: Call) -> None:
        """The options are on the screen. A transaction of its own: that it was sent must not wait for a turn."""

        def save() -> None:
            with self._write() as session:
                door = session.get(Door, call.way.door.id)
                if door is not None:
                    late.saw(session, door.person_id, call.reply.options)

        self._arriving.add(call.row.person_id)
        try:
            await self._in(self._saver, save)
        except DatabaseAway:
            log.warning("database_away", doing="arrived")
        except Exception:
            log.exception("arrived_failed", kind=call.row.kind)
        finally:
            self._arriving.discard(call.row.person_id)
            self._look_at = 0.0
            self._wake.set()

    # Leases

    async def _keep_leases(self) -> None:
        """Beside everything else: a lease must not wait for a batch."""
        while True:
            try:
                await self._renew()
            except DatabaseAway:
                log.warning("database_away", doing="renew")
            except Exception:
                log.exception("renew_failed")
            await asyncio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        began = steady()
        self._renew_at = began + RENEW_SECONDS
        known = [row for line in self._lines.values() for row in line.held]
        held = await self._in(self._renewer, lambda: self._hold(known))
        for account in self._lines:
            if account in self._resting or (self._rested_at > began and account not in self.leases):
                continue  # it was heard of after this was looked up
            if account not in held.mine:
                self.leases.pop(account, None)
                continue
            if account not in self.leases:
                self._lines[account].pace.begin_full(steady())
            self.leases[account] = held.until
        self._others = held.others
        if not self._ended and not self._recording:  # or a pause may not be written down yet
            self._chats = held.chats
        self._wake.set()

    def _hold(self, known: list[str]) -> _Held:
        until = steady() + lease.LEASE_SECONDS - 1
        with self._write() as session:
            outbox.prolong(session, self.name, known)
            taken = {account for account in self._platforms if lease.hold(session, sends(account), self.name)}
            lease.forget_pauses(session, "chat:")
            pauses = lease.pauses(session)
            holders = lease.holders(session)
        mine = frozenset(account for account in taken if sends(account) not in pauses)
        names = {name for name, holder in holders.items() if holder != self.name and name not in pauses}
        parts = [name.split(":", 2) for name in names if name.startswith("send:")]
        chats = {name[len("chat:") :]: until for name, until in pauses.items() if name.startswith("chat:")}
        return _Held(mine, frozenset((kind, account) for _send, kind, account in parts), chats, until)

    # The end

    async def _drain(self) -> None:
        """What has not begun goes back; calls under way have a few seconds, and are in doubt after that."""
        ends = steady() + STOP_SECONDS
        while steady() < ends:
            for account, line in self._lines.items():
                for call in line.clear():
                    self._finish(account, call, None)
            if not any(line.held for line in self._lines.values()) and not self._arriving:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, ends - steady())):
                    await self._wake.wait()
            except TimeoutError:
                break
        cut = list(self._tasks)
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.wait(cut, timeout=0.5)

    async def _record_rest(self) -> None:
        for account, line in self._lines.items():
            for call in line.clear():  # a next door that will not be tried any more
                self._finish(account, call, None)
        try:
            await self._record()
        except DatabaseAway:
            log.warning("database_away", doing="record")

    @contextmanager
    def _write(self) -> Iterator[Session]:
        # SQLite has one writer at a time, and who waits for it sleeps in growing steps; here one wakes the next.
        with self._one if self._database.is_sqlite else nullcontext(), self._database.write() as session:
            yield session

    async def _leave(self) -> None:
        def give_up() -> None:
            with self._write() as session:
                lease.give_up(session, self.name)

        try:
            await self._in(self._renewer, give_up)
        except DatabaseAway:
            log.warning("database_away", doing="give_up_leases")
        for pool in (self._claimer, self._recorder, self._renewer, self._saver):
            pool.shutdown(wait=False)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
