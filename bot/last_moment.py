"""The last moment before bytes leave: a call that would begin too late is stopped there, however long it waited for a
connection, and however long its process stood still.

Whoever makes a call sets a `Ticket`; sessions made with `last_moment()` look at it right before they write.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp

from models.clock import steady as steady


@dataclass(slots=True)
class Ticket:
    """`until` = seconds of `steady()`; `stopped` = the call was not made, since they had passed. `stamp` holds one
    time, which becomes that of the writing."""

    until: float
    stopped: bool = False
    stamp: list[float] | None = None


class TooLate(aiohttp.ClientError):
    """Nothing was written."""


ticket: ContextVar[Ticket | None] = ContextVar("ticket", default=None)


async def _check(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
    mine = ticket.get()
    if mine is None:
        return
    now = steady()
    if now >= mine.until:
        mine.stopped = True
        raise TooLate("too late to begin")
    if mine.stamp is not None:
        mine.stamp[0] = now


def last_moment() -> aiohttp.TraceConfig:
    """For `trace_configs` of a session: aiohttp tells of headers and body right before it writes them (both together,
    where they fit)."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_check)
    trace.on_request_chunk_sent.append(_check)
    return trace
