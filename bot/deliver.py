"""A message out: claim → words → platform call → named outcome → one update.

Calls run side by side, as many as an account has places (sending_line.py). One thread looks for what may leave
(sending_choice.py) and writes (sending_books.py): how the calls ended that came back meanwhile, and the next claims, in
one transaction. One sender per account by a lease, which a task of its own renews.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog

from bot.last_moment import Ticket, steady, ticket
from bot.platforms.base import Outcome, Platform
from bot.sending_books import Booked, Books, Ended, sends
from bot.sending_choice import Chooser, Picks, View
from bot.sending_line import Account, Call, Limits, Line
from bot.ways import Ways
from config.texts import speaking
from handlers import late
from handlers.here import Here
from models import claiming, lease
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
        self._writer = ThreadPoolExecutor(1, "deliver")
        self._renewer = ThreadPoolExecutor(1, "lease")
        self._saver = ThreadPoolExecutor(1, "arrived")
        self.leases: dict[Account, float] = {}  # until when (steady seconds) calls may begin
        self._others: frozenset[Account] = frozenset()
        self._chats: dict[str, datetime] = {}
        self._renew_at = 0.0
        self._look_at = 0.0
        self._ended: list[Ended] = []
        self._arriving: set[str] = set()  # people of whom it is being written down what they have on their screen
        self._wake = asyncio.Event()
        self._timers: dict[Account, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = False  # there was not time enough to look at everything
        self._broken = False  # the last transaction may have been committed without an answer

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; then what has not begun goes back, calls under way end, and the leases are given up."""
        renewing = asyncio.create_task(self._keep_leases())
        waking = asyncio.create_task(self._wake_at(stopping))
        try:
            while not stopping.is_set():
                await self._turn(stopping)
            await self._drain()
        finally:
            waking.cancel()
            renewing.cancel()
            for timer in self._timers.values():
                timer.cancel()
        await self._leave()

    async def once(self) -> int:
        """Claim what there is room for, send it and wait for it; returns how many rows were worked on. Not beside
        `run`. Raises DatabaseAway."""
        if steady() >= self._renew_at:
            await self._renew()
        self._chooser.begin_anew()
        worked = await self._cycle(look=True)
        while any(line.held for line in self._lines.values()) or self._arriving:
            self._wake.clear()
            if not self._ended:
                await self._wake.wait()
            await self._cycle(look=False)
        return worked

    # The loop

    async def _turn(self, stopping: asyncio.Event) -> None:
        """Wait until there is something to do, and do it."""
        if not self._ended and steady() < self._look_at:
            self._wake.clear()
            try:
                async with asyncio.timeout(self._look_at - steady()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            if stopping.is_set():
                return
        if all(line.limits.a_second for line in self._lines.values()):
            await asyncio.sleep(TOGETHER_SECONDS)
        try:
            had = bool(self._ended)
            worked = await self._cycle(look=True)
        except DatabaseAway:
            log.warning("database_away", doing="deliver")
            await asyncio.sleep(AWAY_SECONDS)
        except Exception:
            # The loop that carries everybody's messages goes on; a row in doubt is swept by its deadline.
            log.exception("deliver_failed")
            await asyncio.sleep(AWAY_SECONDS)
        else:
            self._look_at = steady() + (0.0 if had or worked or self._more else IDLE_SECONDS)

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _cycle(self, *, look: bool) -> int:
        """Write down how calls ended, claim more and begin them; returns how many rows were found."""
        ended, self._ended = self._ended, []
        view = self._view(ended, look=look)
        known = [row for line in self._lines.values() for row in line.held]
        try:
            picks, booked = await self._in(self._writer, lambda: self._work(ended, view, known))
        except DatabaseAway:
            self._ended[:0] = ended
            self._broken = True
            raise
        except Exception:
            if not ended:
                raise
            log.exception("outcomes_not_written")
            picks, booked = Picks(), await self._one_by_one(ended, view)
        self._broken, self._more = False, picks.more
        for one in ended:
            self._lines[one.call.way.account].release(one.call)
        for account in booked.paused:
            self.leases.pop(account, None)
        self._chats |= booked.chats
        for call in (*booked.calls, *booked.instead):
            self._lines[call.way.account].add(call)
        for call in booked.arrived:
            self._begin(self._arrived(call))
        for account in self._lines:
            self._dispatch(account)
        return len(picks)

    def _work(self, ended: list[Ended], view: View, known: list[str]) -> tuple[Picks, Booked]:
        """In the writer's thread."""
        if self._broken:
            with self._database.write() as session:
                claiming.stranded(session, self.name, known)
        picks = Picks()
        if view.rooms:
            with self._database.read() as session:
                picks = self._chooser.pick(session, view, steady())
        if not picks and not ended:
            return picks, Booked()
        began = steady()
        with self._database.write() as session:
            return picks, self._books.write(session, ended, picks, view, began)

    async def _one_by_one(self, ended: list[Ended], view: View) -> Booked:
        """One of these outcomes cannot be written, through a fault of ours: the others must not suffer from it."""
        booked = Booked()
        for one in ended:

            def write(one: Ended = one) -> Booked:
                with self._database.write() as session:
                    return self._books.write(session, [one], Picks(), view, steady())

            try:
                done = await self._in(self._writer, write)
            except DatabaseAway:
                raise
            except Exception:
                log.exception("outcome_not_written", outcome=one.outcome.name if one.outcome else "late")
                continue  # its row is swept by its deadline
            booked.instead += done.instead
            booked.arrived += done.arrived
            booked.paused += done.paused
            booked.chats |= done.chats
        return booked

    def _view(self, ended: list[Ended], *, look: bool) -> View:
        now, machine = steady(), self._database.clock.machine()
        leaving = dict.fromkeys(self._lines, 0)
        for one in ended:
            if one.outcome is None or one.outcome.name not in ("closed", "left"):  # those may have another door
                leaving[one.call.way.account] += 1
        mine = {account for account, until in self.leases.items() if until > now}
        held = [call for line in self._lines.values() for call in line.held.values()]
        return View(
            rooms={account: self._lines[account].room(now, leaving[account]) for account in mine} if look else {},
            mine=mine,
            others=self._others,
            busy={call.row.person_id for call in held} | self._arriving,
            busy_doors={call.way.door.id for call in held},
            resting=set().union(*(line.resting(now) for line in self._lines.values())),
            paused={door: until for door, until in self._chats.items() if until > machine},
        )

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
        mine = Ticket(begins_until, stamp=call.stamp)
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
        self._ended.append(Ended(call, outcome))
        self._observe(account[0], outcome.name if outcome else "late")
        self._wake.set()

    async def _arrived(self, call: Call) -> None:
        """The options are on the screen. A transaction of its own: that it was sent must not wait for a turn."""

        def save() -> None:
            with self._database.write() as session:
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
        self._renew_at = steady() + RENEW_SECONDS
        held = await self._in(self._renewer, self._hold)
        for account in self._lines:
            if account not in held.mine:
                self.leases.pop(account, None)
                continue
            if account not in self.leases:
                self._lines[account].pace.begin_full(steady())
            self.leases[account] = held.until
        self._others, self._chats = held.others, held.chats
        self._wake.set()

    def _hold(self) -> _Held:
        until = steady() + lease.LEASE_SECONDS - 1
        with self._database.write() as session:
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
        for account, line in self._lines.items():
            for call in line.clear():
                self._finish(account, call, None)
        ends = steady() + STOP_SECONDS
        while (self._tasks or self._ended) and steady() < ends:
            await self._last_cycle()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=max(0.0, ends - steady()), return_when="FIRST_COMPLETED")
        cut = list(self._tasks)
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.wait(cut, timeout=0.5)
        await self._last_cycle()

    async def _last_cycle(self) -> None:
        if not self._ended:
            return
        try:
            await self._cycle(look=False)
        except DatabaseAway:
            log.warning("database_away", doing="deliver")
            await asyncio.sleep(AWAY_SECONDS)
        for account, line in self._lines.items():
            for call in line.clear():  # a next door that will not be tried any more
                self._finish(account, call, None)

    async def _leave(self) -> None:
        def give_up() -> None:
            with self._database.write() as session:
                lease.give_up(session, self.name)

        try:
            await self._in(self._renewer, give_up)
        except DatabaseAway:
            log.warning("database_away", doing="give_up_leases")
        for pool in (self._writer, self._renewer, self._saver):
            pool.shutdown(wait=False)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
