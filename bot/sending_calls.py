"""The calls themselves: each begins when its account's line lets it, and never after its claim or lease has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from bot.last_moment import Ticket, steady, ticket
from bot.platforms.base import Outcome, Platform
from bot.sending_books import NO_NETWORK, Ended, pauses_account, pauses_chat
from bot.sending_leases import Leases
from bot.sending_line import Account, Call, Line
from config.texts import speaking
from models.clock import Clock

CALL_SECONDS = 9.5  # every call ends within 10 s
PROBE_SECONDS = 5.0
LEAST_SECONDS = 1.0  # a call is not begun when less is left for it

log = structlog.get_logger(__name__)


class Calls:
    """Calls under way. `ended` is told of each, `drained` of an account that has room for more."""

    def __init__(
        self,
        platforms: Mapping[Account, Platform],
        lines: Mapping[Account, Line],
        leases: Leases,
        clock: Clock,
        ended: Callable[[Ended], None],
        drained: Callable[[], None],
    ) -> None:
        self._platforms, self._lines, self._leases, self._clock = platforms, lines, leases, clock
        self._ended, self._drained = ended, drained
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Account, asyncio.TimerHandle] = {}
        self._tickets: dict[str, Ticket] = {}

    def dispatch(self, account: Account) -> None:
        """Begin the calls of an account whose turn it is; the next ones begin by themselves."""
        line = self._lines[account]
        while (step := line.next(steady())) is not None:
            if isinstance(step, Call):
                task = asyncio.get_running_loop().create_task(self._make(account, step))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                continue
            if account not in self._timers:
                self._timers[account] = asyncio.get_running_loop().call_later(step, self._fire, account)
            break

    async def probe(self, account: Account) -> Outcome:
        """Ask whether an account is served; as long as it is not known, it counts as served."""
        deadline = asyncio.get_running_loop().time() + PROBE_SECONDS
        return await self._platforms[account].probe(deadline=deadline)

    def clear(self) -> None:
        """What has not begun does not begin any more."""
        for account, line in self._lines.items():
            for call in line.clear():
                self._finish(account, call, None)

    async def cut(self) -> None:
        """End what is under way; whether it arrived nobody knows."""
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.5)

    def _fire(self, account: Account) -> None:
        self._timers.pop(account, None)
        self.dispatch(account)
        if self._lines[account].wants_more(steady()):
            self._drained()

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
        begins_until = min(call.until - LEAST_SECONDS, self._leases.until.get(account, 0.0))
        if begins_until <= now:
            return None
        mine = self._tickets[call.row.id] = Ticket(begins_until, stamp=call.stamp)
        ticket.set(mine)  # of this task alone
        with speaking(call.reply.language):
            outcome = await self._platforms[account].send(
                call.way.door.sender,
                call.reply,
                key=call.row.id,
                deadline=asyncio.get_running_loop().time() + min(CALL_SECONDS, left),
                channel=call.way.channel.name,
            )
        return None if mine.stopped else outcome

    def _finish(self, account: Account, call: Call, outcome: Outcome | None) -> None:
        self._lines[account].ended(call)
        self._tickets.pop(call.row.id, None)
        if outcome is not None:
            missed = outcome.name == "retry" and outcome.code.startswith(NO_NETWORK)
            self._leases.reached(account, was_reached=not missed)
            self._heed(account, call, outcome)
        self._ended(Ended(call, outcome))

    def _heed(self, account: Account, call: Call, outcome: Outcome) -> None:
        """A pause begins when it is heard of; it is written down a moment later."""
        if pauses_account(outcome):
            self._leases.rest(account, ask_first=outcome.ask_first)
            for other in self._lines[account].calling.values():
                if (begun := self._tickets.get(other.row.id)) is not None:
                    begun.until = 0.0  # no bytes of it leave, if none have left
        elif seconds := pauses_chat(outcome):
            self._leases.rest_chat(call.way.door.id, self._clock.shared() + timedelta(seconds=seconds))
