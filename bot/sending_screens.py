"""Options that have arrived on somebody's screen are remembered, so that a number typed there means them.

A transaction of its own for each: that a message was sent must not wait for a turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import structlog
from sqlmodel import Session

from bot.sending_line import Call
from handlers import late
from models.database import DatabaseAway
from models.person import Door

log = structlog.get_logger(__name__)

AWAY_SECONDS = 0.5


class Screens:
    """`saved` is told when one was written down, and its person may get the next message."""

    def __init__(self, write: Callable[[], AbstractContextManager[Session]], saved: Callable[[], None]) -> None:
        self._write, self._saved = write, saved
        self._pool = ThreadPoolExecutor(1, "arrived")
        self._tasks: set[asyncio.Task[None]] = set()
        self._people: Counter[str] = Counter()

    @property
    def people(self) -> Set[str]:
        """Of whom it is being written down what they have on their screen: nothing newer may reach them meanwhile."""
        return self._people.keys()

    def came(self, call: Call) -> None:
        """The platform has taken a message with options."""
        self._people[call.row.person_id] += 1
        task = asyncio.get_running_loop().create_task(self._save(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, seconds: float) -> None:
        """Wait so long for what is being written down; no more is, after that."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        self._pool.shutdown(wait=False)

    async def _save(self, call: Call) -> None:
        again = False

        def save() -> None:
            with self._write() as session:
                door = session.get(Door, call.way.door.id)
                if door is not None:
                    late.saw(session, door.person_id, call.reply.options, door.id, sure=not again)

        try:
            while True:
                try:
                    return await asyncio.get_running_loop().run_in_executor(self._pool, save)
                except DatabaseAway:  # until it is back: a number that they type would count for an older question
                    again = True  # something else may have been asked meanwhile
                    log.warning("database_away", doing="arrived")
                    await asyncio.sleep(AWAY_SECONDS)
        except Exception:
            log.exception("arrived_failed", kind=call.row.kind)
        finally:
            self._people -= Counter([call.row.person_id])
            self._saved()
