"""A message out: claim → words → platform call → named outcome → one update.

Calls run side by side, as many as an account has places (sending_line.py). One thread looks for what may leave
(sending_choice.py) and claims it; another writes down how calls ended, together what came meanwhile (sending_books.py).
One sender per account by a lease, which a third one renews.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import TypeVar

import structlog
from sqlmodel import Session

from bot.last_moment import steady
from bot.platforms.base import Outcome, Platform
from bot.sending_books import Booked, Books, Ended, pauses_account, sends
from bot.sending_calls import Calls
from bot.sending_choice import Chooser, Picks, View
from bot.sending_leases import Leases
from bot.sending_line import Account, Limits, Line
from bot.sending_screens import Screens
from bot.ways import Ways
from handlers.here import Here
from models import claiming, lease
from models.database import Database, DatabaseAway

log = structlog.get_logger(__name__)

T = TypeVar("T")

IDLE_SECONDS = 0.3  # between two looks when there was nothing
RENEW_SECONDS = 3.0
TOGETHER_SECONDS = 0.05  # outcomes of an account with a pace wait so long for others, to share their commit
STOP_SECONDS = 4.0  # for the calls under way when the process stops
LAST_SECONDS = 1.0  # for what is being written down then
AWAY_SECONDS = 0.5


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
        self.name = name
        self._observe = observe
        self._lines = {account: Line((limits or {}).get(account, Limits())) for account in platforms}
        ways = Ways({account: platform.channels for account, platform in platforms.items()})
        self._books, self._chooser = Books(name, here, ways), Chooser(ways)
        self._claimer = ThreadPoolExecutor(1, "claim")
        self._recorder = ThreadPoolExecutor(1, "record")
        self._renewer = ThreadPoolExecutor(1, "lease")
        self._screens = Screens(self._write, self._look_now)
        self._one = Lock()
        self._leases = Leases(name, tuple(platforms), self._write, self._renewer)
        self._calls = Calls(platforms, self._lines, self._leases, database.clock, self._has_ended, self._look_now)
        self._renew_at = 0.0
        self._look_at = 0.0
        self._ended: list[Ended] = []
        self._closing = False
        self._wake, self._came = asyncio.Event(), asyncio.Event()
        paced = all(line.limits.a_second for line in self._lines.values())
        self._together = TOGETHER_SECONDS if paced else 0.0
        self._asking: dict[Account, asyncio.Task[None]] = {}
        self._more = False  # there was not time enough to look at everything
        self._record_broken = False
        self._unwritten: set[str] = set()  # rows whose outcome could not be written, and that wait to be swept
        self._broken = False  # the last transaction may have been committed without an answer

    @property
    def leases(self) -> dict[Account, float]:
        """Until when (in `steady` seconds) calls of an account may begin."""
        return self._leases.until

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; then what has not begun goes back, calls under way end, and the leases are given up."""
        renewing = asyncio.create_task(self._keep_leases())
        recording = asyncio.create_task(self._keep_record())
        ringing = asyncio.create_task(self._ring(stopping))
        await self._begin()
        try:
            while not stopping.is_set():
                await self._turn(stopping)
            await self._drain()
        finally:
            for task in (renewing, ringing, *self._asking.values()):
                task.cancel()
            self._closing = True
            self._came.set()
            await asyncio.wait([recording], timeout=LAST_SECONDS)
            recording.cancel()
            await asyncio.wait([recording])
        await self._record_rest()
        await self._leave()

    async def _begin(self) -> None:
        def begin() -> None:
            with self._write() as session:
                claiming.try_again_without_words(session)

        try:
            await self._in(self._claimer, begin)
        except DatabaseAway:
            log.warning("database_away", doing="begin")

    async def once(self) -> int:
        """Claim what there is room for, send it and wait for it; returns how many rows were worked on. Not beside
        `run`. Raises DatabaseAway."""
        if steady() >= self._renew_at:
            await self._renew()
        if self._asking:
            await asyncio.wait(self._asking.values())
        self._chooser.begin_anew()
        worked = await self._claim()
        while any(line.held for line in self._lines.values()) or self._screens.people:
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
        known = [*(row for line in self._lines.values() for row in line.held), *self._unwritten]
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
        now, machine = steady(), self._database.clock.shared()
        mine = {account for account, until in self.leases.items() if until > now}
        held = [call for line in self._lines.values() for call in line.held.values()]
        return View(
            rooms={account: self._lines[account].room(now) for account in mine},
            mine=mine,
            others=self._leases.others,
            busy={call.row.person_id for call in held} | self._screens.people,
            busy_doors={call.way.door.id for call in held},
            resting={door: of for line in self._lines.values() for door, of in line.resting(now).items()},
            paused={door: until for door, until in self._leases.chats.items() if until > machine},
        )

    def _follow(self, booked: Booked) -> None:
        """What has been committed, happens."""
        for call in (*booked.calls, *booked.instead):
            self._lines[call.way.account].add(call)
            self._unwritten.discard(call.row.id)
            if self._closing:  # it does not begin any more
                self._has_ended(Ended(call, None))
        for call in booked.arrived:
            self._screens.came(call)
        for account in self._lines if not self._closing else ():
            self._calls.dispatch(account)

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
        view = self._view()
        try:
            booked = await self._in(self._recorder, lambda: self._books_of(ended, view))
        except (DatabaseAway, asyncio.CancelledError):  # cancelled: it may come to be written yet, or not
            self._ended[:0] = ended
            self._record_broken = True
            raise
        except Exception:
            log.exception("outcomes_not_written")
            try:
                booked = await self._one_by_one(ended, view)
            except asyncio.CancelledError:
                self._ended[:0] = ended
                self._record_broken = True
                raise
        for one in ended:
            self._lines[one.call.way.account].release(one.call)
        later = {one.call.way.account for one in self._ended}
        self._leases.written({one.call.way.account for one in ended} - later)
        self._follow(booked)
        self._look_now()  # there is room, and the next message of these people may go

    def _books_of(self, ended: list[Ended], view: View) -> Booked:
        """In the recorder's thread."""
        began = steady()
        # Taken at the beginning: whoever waits for this may be cut off and set it anew, while it goes on to its end.
        broken, self._record_broken = self._record_broken, False
        try:
            return self._written(ended, view, began, broken)
        except BaseException:
            self._record_broken |= broken
            raise

    def _written(self, ended: list[Ended], view: View, began: float, broken: bool) -> Booked:
        with self._write() as session:
            if broken:
                held = [call.attempt for line in self._lines.values() for call in tuple(line.held.values())]
                since = claiming.begun_at(session, [one.call.attempt for one in ended])
                claiming.end_phantoms(session, since, held)
            return self._books.record(session, ended, view, began)

    async def _one_by_one(self, ended: list[Ended], view: View) -> Booked:
        """One of these outcomes cannot be written, through a fault of ours: the others must not suffer from it."""
        booked = Booked()
        for at, one in enumerate(ended):
            try:
                done = await self._in(self._recorder, partial(self._books_of, [one], view))
            except DatabaseAway:
                self._ended[:0] = ended[at:]
                self._record_broken = True
                del ended[at:]
                break
            except Exception:
                log.exception("outcome_not_written", outcome=one.outcome.name if one.outcome else "late")
                self._unwritten.add(one.call.row.id)  # no claim that was broken off: it is swept by its deadline
                continue
            booked.instead += done.instead
            booked.arrived += done.arrived
        return booked

    def _has_ended(self, ended: Ended) -> None:
        self._ended.append(ended)
        self._observe(ended.call.way.account[0], ended.outcome.name if ended.outcome else "late")
        self._came.set()
        self._wake.set()

    def _look_now(self) -> None:
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
        self._renew_at = steady() + RENEW_SECONDS
        known = [row for line in self._lines.values() for row in line.held]
        for account in await self._leases.renew(known, self._database.clock.shared()):
            self._lines[account].pace.begin_full(steady())
        for account in self._leases.to_ask - self._asking.keys():
            self._asking[account] = asyncio.get_running_loop().create_task(self._ask(account))
        self._wake.set()

    async def _ask(self, account: Account) -> None:
        """Whether the platform serves an account again that it has refused: no message is put at risk for that."""
        try:
            outcome = await self._calls.probe(account)
            if outcome.ask_first:
                log.error("account_stopped", platform=account[0], account=account[1], code=outcome.code)
                await self._in(self._recorder, partial(self._rest_again, account, outcome))
            else:
                self._leases.heal(account)
                await self._renew()
        except DatabaseAway:
            log.warning("database_away", doing="ask")
        except Exception:
            log.exception("ask_failed", platform=account[0])
        finally:
            self._asking.pop(account, None)

    def _rest_again(self, account: Account, outcome: Outcome) -> None:
        with self._write() as session:
            lease.pause(session, sends(account), pauses_account(outcome))

    # The end

    async def _drain(self) -> None:
        """What has not begun goes back; calls under way have a few seconds, and are in doubt after that."""
        ends = steady() + STOP_SECONDS
        while steady() < ends:
            self._calls.clear()
            if not any(line.held for line in self._lines.values()) and not self._screens.people:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, ends - steady())):
                    await self._wake.wait()
            except TimeoutError:
                break
        await self._calls.cut()

    async def _record_rest(self) -> None:
        self._calls.clear()
        try:
            for _time in range(2):  # what would have been called instead has ended as well
                await self._record()
        except DatabaseAway:
            log.warning("database_away", doing="record")
        await self._screens.end(LAST_SECONDS)

    @contextmanager
    def _write(self) -> Iterator[Session]:
        # SQLite has one writer at a time, and who waits for it sleeps in growing steps; here one wakes the next.
        with self._one if self._database.is_sqlite else nullcontext(), self._database.write() as session:
            yield session

    async def _leave(self) -> None:
        try:
            await self._leases.give_up()
        except DatabaseAway:
            log.warning("database_away", doing="give_up_leases")
        for pool in (self._claimer, self._recorder, self._renewer):
            pool.shutdown(wait=False)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
