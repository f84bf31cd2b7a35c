"""Background work that ends when the sandbox ends, and never dies unseen; and why a call of the product failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import aiohttp

log = logging.getLogger(__name__)


class Tasks:
    """A set of running tasks; `stop` cancels what is left."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self.stopped = False

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` now; an exception in it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what runs and wait for it."""
        self.stopped = True
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sandbox: a background task failed", exc_info=task.exception())


def problem_of(error: Exception) -> str:
    """Why a call of the product brought no answer, as the word the page has a sentence for."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refused"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "dropped"
    return "broken"
