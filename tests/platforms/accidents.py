"""What a platform's server may do instead of answering, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hangs(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits as long as this")


async def resets(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def truncates(begun: bytes) -> Answer:
    """The connection ends after these bytes, although more were announced."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500"})
        await response.prepare(request)
        await response.write(begun)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


async def trickles(request: web.Request) -> web.StreamResponse:
    """White space, byte by byte, for longer than anybody waits."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response
