"""The events the phone page follows: numbered, bounded, and resumable from any number still held."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

HELD = 2000


class Journal:
    """The last `size` events. Numbers only grow; `seq` is the newest one."""

    def __init__(self, seq: int, size: int = HELD) -> None:
        self.seq = seq
        self.closed = False
        self._events: deque[dict[str, Any]] = deque(maxlen=size)
        self._oldest_known = seq  # everything after this number is, or was, in `_events`
        self._waiting: set[asyncio.Event] = set()

    def add(self, kind: str, **fields: Any) -> int:
        """Record an event and wake everybody who waits; returns its number."""
        self.seq += 1
        if len(self._events) == self._events.maxlen:
            self._oldest_known = self._events[0]["seq"]
        self._events.append({"seq": self.seq, "type": kind, **fields})
        for waiter in self._waiting:
            waiter.set()
        return self.seq

    @property
    def oldest(self) -> int:
        """The smallest number that `after` still has an answer for."""
        return self._oldest_known

    def after(self, since: int) -> list[dict[str, Any]] | None:
        """Events newer than `since`, or None when some of them are gone or `since` is from another life."""
        if since < self._oldest_known or since > self.seq:
            return None
        newest_first: list[dict[str, Any]] = []
        for event in reversed(self._events):
            if event["seq"] <= since:
                break
            newest_first.append(event)
        return newest_first[::-1]

    async def wait(self, since: int, seconds: float) -> bool:
        """Wait until there is an event newer than `since`, at most `seconds`; False = nothing came."""
        if self.seq > since or self.closed:
            return self.seq > since
        waiter = asyncio.Event()
        self._waiting.add(waiter)
        try:
            await asyncio.wait_for(waiter.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiter)
        return self.seq > since

    def close(self) -> None:
        """Wake everybody for the last time, so that a stopping server does not wait for its streams."""
        self.closed = True
        for waiter in self._waiting:
            waiter.set()
