"""Faults the played platforms show on request, and bodies read with a limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

SMALL_BODY = 64 * 1024
KINDS = ("slow", "5xx", "drop", "none")
MOST_TIMES = 1000


class TooLarge(Exception):
    """A body over its limit."""


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


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, decompressed; raises TooLarge as soon as it passes `limit` bytes, whatever its header says."""
    if (request.content_length or 0) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in request.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object; raises ValueError for anything else, also for nesting without end."""
    try:
        value = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
