"""What waits in the spool becomes turns: each sender's updates in order, different senders' side by side, so that they
share commits. One after the other, what came in a minute without the database took two more minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import structlog

from bot.received import is_held, is_lost
from bot.spool import Sender, Spool, Spooled
from handlers.message import Inbound
from models.database import DatabaseAway, is_away

log = structlog.get_logger(__name__)

AT_ONCE = 32  # senders: two shared commits, so that one fills while the other is written
LOOK_SECONDS = 5.0  # between two looks for what others left in the folder
STUCK_TIMES, STUCK_SECONDS = 5, 30.0  # a database that fails now and then takes a good update long before
# Connections that break now and then break under good updates, too; one that breaks them all for so long is another
# matter (it may end the server's process each time).
LOST_SECONDS = 3_600.0


class Drain:
    """`hear` makes a turn of an update and raises where the database does not take it; `answers` asks the database
    whether it is there at all; `closed` tells that the process ends."""

    def __init__(
        self,
        spool: Spool,
        hear: Callable[[Inbound], Awaitable[object]],
        answers: Callable[[], Awaitable[bool]],
        closed: Callable[[], bool],
    ) -> None:
        self._spool = spool
        self._hear = hear
        self._answers = answers
        self._closed = closed
        self._running = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._next_look = 0.0  # time.monotonic()
        self._stuck: dict[Path, tuple[float, int]] = {}  # since time.monotonic(), and how often it failed

    @property
    def runs(self) -> bool:
        """Whether updates of the spool are being heard."""
        return self._running.locked()

    async def once(self) -> int:
        """Hear all that waits; returns how many became turns. Ends early where the database is away."""
        if self.runs or not (self._spool.waiting or await self._has_others()):
            return 0
        async with self._running:
            senders: dict[Sender, list[Spooled]] = {}
            for spooled in await asyncio.to_thread(self._spool.scan):
                update = spooled.inbound
                senders.setdefault((update.platform, update.account, update.sender), []).append(spooled)
            left, stop = iter(senders.values()), asyncio.Event()
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(self._some(left, stop)) for _place in range(min(AT_ONCE, len(senders)))]
            return sum(task.result() for task in work)

    async def _has_others(self) -> bool:
        """Whether somebody else left work in the folder: a process that died for good, or an operator."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        return await asyncio.to_thread(self._spool.has_others)

    async def _some(self, left: Iterator[list[Spooled]], stop: asyncio.Event) -> int:
        """One sender after the other; `stop` is set for all once the database takes nothing."""
        done = 0
        for waiting in left:
            for spooled in waiting:
                if stop.is_set():
                    return done
                if spooled.theirs:
                    break  # what its sender wrote later waits behind it
                try:
                    await self._hear(spooled.inbound)
                except Exception as error:
                    if await self._waits(error, spooled.path, stop):
                        break  # what its sender wrote later waits behind it
                    # The database takes updates, but not this one: nobody waits behind it.
                    log.exception("spool_file_set_aside", file=spooled.path.name)
                    await asyncio.to_thread(self._spool.set_aside, spooled.path)
                else:
                    self._spool.remove(spooled.path)
                    done += 1
                self._stuck.pop(spooled.path, None)
        return done

    async def _waits(self, error: Exception, path: Path, stop: asyncio.Event) -> bool:
        """Whether an update that could not become a turn is to be tried again."""
        if self._closed():
            stop.set()
            return True
        if not is_away(error):
            return False
        if isinstance(error, DatabaseAway) and is_held(error):
            return True
        async with self._asking:
            if stop.is_set():
                return True
            if not await self._answers():
                stop.set()
                return True
        since, times = self._stuck.get(path, (time.monotonic(), 0))
        self._stuck[path] = since, times + 1
        patience = LOST_SECONDS if is_lost(error) else STUCK_SECONDS
        return times + 1 < STUCK_TIMES or time.monotonic() - since < patience
