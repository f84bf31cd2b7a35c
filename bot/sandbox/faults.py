"""Faults the played platforms show on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

KINDS = ("slow", "5xx", "drop", "none")
MOST_TIMES = 1000


class Faults:
    """The next calls of the product meet a fault: "5xx" does nothing and says 502; "slow" and "drop" do the work,
    and then answer after `slow_seconds`, or cut the connection: the cases in which a sender cannot know."""

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._set: dict[str, tuple[str, int]] = {}

    def set(self, platform: str, kind: str, times: int) -> None:
        """`times` calls from now on; "none" ends it."""
        self._set[platform] = (kind, 0 if kind == "none" else times)

    def _take(self, platform: str) -> str:
        kind, left = self._set.get(platform, ("none", 0))
        if left <= 0:
            return "none"
        self._set[platform] = (kind, left - 1)
        return kind

    async def around(
        self, platform: str, request: web.Request, work: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Do the work of a call, under the fault that is due."""
        kind = self._take(platform)
        if kind == "5xx":
            return _bad_gateway(platform)
        response = await work()
        if kind == "slow":
            await asyncio.sleep(self._slow_seconds)
        if kind == "drop" and request.transport is not None:
            request.transport.abort()
        return response


def _bad_gateway(platform: str) -> web.Response:
    if platform == "telegram":
        body = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
        return web.json_response(body, status=502)
    return web.Response(status=502, text="<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")
