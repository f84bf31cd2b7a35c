"""Turns that wait for each other anyway share one commit: each in a savepoint of its own, so that each stands or falls
alone. A commit costs more than all the statements of a turn, on both databases (docs/performance.md).

Batches form by themselves: as long as a thread is free a turn starts at once, alone; what arrives while all are busy
goes together with the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 16  # turns of a commit: 50 ms at three milliseconds each, and a write transaction may take 250 (§9)


@dataclass(slots=True)
class Left(Generic[R]):
    """What became of one piece of work: its result, what it raised, or neither: done later, or later and alone."""

    result: R | None = None
    error: BaseException | None = None
    later: bool = False
    alone: bool = False


Work = Callable[[list[T]], list[Left[R]]]


class Together(Generic[T, R]):
    """Pieces of work, done in threads in the order in which they came, several at a time where they wait.

    `work` gets some of them and tells of each what became of it, in the same order; what it leaves for later is done
    before what came after it.
    """

    def __init__(self, pool: Executor, work: Work[T, R], *, threads: int, most: int = MOST) -> None:
        self._pool = pool
        self._work = work
        self._threads = threads
        self._most = most
        self._busy = 0
        self._waiting: deque[tuple[T, asyncio.Future[R], bool]] = deque()

    async def do(self, what: T) -> R:
        """Have it done; returns or raises what came of it."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((what, done, False))
        self._start()
        return await done

    def _start(self) -> None:
        while self._waiting and self._busy < self._threads:
            taken = self._take()
            try:
                task = asyncio.get_running_loop().run_in_executor(self._pool, self._work, [what for what, *_ in taken])
            except RuntimeError as error:  # the pool is shut down
                self._settle(taken, [Left(error=error) for _ in taken])
                continue
            self._busy += 1
            task.add_done_callback(partial(self._done, taken))

    def _take(self) -> list[tuple[T, asyncio.Future[R], bool]]:
        taken = [self._waiting.popleft()]
        while self._waiting and len(taken) < self._most and not taken[0][2] and not self._waiting[0][2]:
            taken.append(self._waiting.popleft())
        return taken

    def _done(self, taken: list[tuple[T, asyncio.Future[R], bool]], task: asyncio.Future[list[Left[R]]]) -> None:
        self._busy -= 1
        if task.cancelled():
            for _what, done, _alone in taken:
                done.cancel()
            return
        error = task.exception()
        self._settle(taken, [Left(error=error) for _ in taken] if error is not None else task.result())
        self._start()

    def _settle(self, taken: list[tuple[T, asyncio.Future[R], bool]], came: list[Left[R]]) -> None:
        again = []
        for (what, done, _alone), left in zip(taken, came, strict=True):
            if done.done():
                continue  # whoever waited for it was cancelled
            if left.later or left.alone:
                again.append((what, done, left.alone))
            elif left.error is not None:
                done.set_exception(left.error)
            else:
                done.set_result(left.result)  # type: ignore[arg-type]
        self._waiting.extendleft(reversed(again))
