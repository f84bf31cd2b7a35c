"""The routes of architecture.md §6: webhooks, health, readiness, metrics."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import text

from bot.parts import PARTS
from bot.platforms.base import Rejected
from bot.received import Unavailable
from config.texts import speaking
from models import lease
from models.database import DatabaseAway

log = structlog.get_logger(__name__)

SHORT_BODY = 4_096  # bytes: all but a long text, or nine pictures
READ_SECONDS = 5.0  # a body that takes longer is not a platform's
TICK_SECONDS = 180.0


def add(app: web.Application) -> None:
    """The fixed routes."""
    app.router.add_route("*", "/wechat/{name}", webhook)
    app.router.add_route("*", "/telegram/{name}", webhook)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


async def webhook(request: web.Request) -> web.StreamResponse:
    """One call of a platform: read → receive → render (stops 1, 2 and 6 of the six)."""
    arrived = time.monotonic()
    parts = request.app[PARTS]
    kind = request.path.split("/", 2)[1]
    platform = parts.platforms.get((kind, request.match_info["name"].lower()))
    if platform is None:
        raise web.HTTPNotFound
    query = dict(request.query)
    try:
        async with asyncio.timeout(READ_SECONDS):
            raw = await platform.accept(request)
        if isinstance(raw, web.StreamResponse):
            return raw
        # Opening a short one takes a tenth of a millisecond, and a thread nearly as much.
        short = len(raw) <= SHORT_BODY
        inbounds = (
            platform.open(raw, query) if short else await parts.receiver.quickly(partial(platform.open, raw, query))
        )
    except Rejected as rejected:
        parts.metrics.rejected.labels(kind, rejected.reason).inc()
        return web.Response(status=rejected.status, text=rejected.reason)
    except TimeoutError:
        parts.metrics.rejected.labels(kind, "slow").inc()
        return web.Response(status=408, text="slow")
    if not inbounds:
        return web.Response(text="")
    try:
        received = [await parts.receiver.receive(inbound, arrived=arrived) for inbound in inbounds]
    except Unavailable:
        # Not kept anywhere: the platform must come again.
        return web.Response(status=503, text="unavailable")
    last = received[-1]
    with speaking(last.reply.language if last.reply else ""):
        response = platform.render(last.reply, inbounds[-1], raw, query)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        log.info("caller_hung_up", route="webhook", platform=kind)  # and comes again, or the sweep sees to the reply
        return response
    for one in received:
        parts.receiver.handed(one.row)
    await platform.acknowledge(inbounds[-1], raw, last.reply)
    return response


async def healthz(_request: web.Request) -> web.Response:
    """Alive: the loop answers."""
    return web.json_response({"alive": True})


async def readyz(request: web.Request) -> web.Response:
    """Ready: database, leases, last tick. 503 names what is not."""
    parts = request.app[PARTS]

    def look() -> dict[str, str]:
        with parts.database.read() as session:
            session.execute(text("SELECT 1"))
            return lease.holders(session)

    problems: list[str] = []
    holders: dict[str, str] = {}
    try:
        async with asyncio.timeout(3):
            holders = await asyncio.to_thread(look)
    except (DatabaseAway, TimeoutError):
        problems.append("database")
    tick = parts.ticker.last_tick
    silent = parts.ticker.silent()  # not by the wall clock, which may be set
    if "tick" in parts.roles and silent is not None and silent > TICK_SECONDS:
        problems.append("ticker")
    body = {
        "ready": not problems,
        "problems": problems,
        "leases": sorted(holders),
        "mine": sorted(name for name, holder in holders.items() if holder == parts.name),
        "last_tick": tick.isoformat() if tick else None,
        "spooled": sum(parts.spool.waiting.values()),
    }
    return web.json_response(body, status=503 if problems else 200)


async def metrics(request: web.Request) -> web.Response:
    """Figures for Prometheus."""
    parts = request.app[PARTS]
    parts.metrics.spooled.set(sum(parts.spool.waiting.values()))
    return web.Response(body=parts.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


@web.middleware
async def count_requests(request: web.Request, handler: Any) -> web.StreamResponse:
    """Requests by route template and status."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    status = 500
    try:
        response: web.StreamResponse = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        request.app[PARTS].metrics.requests.labels(route, str(status)).inc()


@web.middleware
async def plain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """An error of ours is logged whole and told in one word; nothing of the request is echoed."""
    try:
        answered: web.StreamResponse = await handler(request)
        return answered
    except web.HTTPException as error:
        if error.status >= 400:
            return web.Response(status=error.status, text=error.reason, headers=_allow(error))
        raise
    except asyncio.CancelledError:
        raise
    except Exception as error:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            log.info("caller_hung_up", route=route)  # nobody reads the answer
            return web.Response(status=400, text="hung up")
        log.exception("request_failed", route=route)
        return web.Response(status=500, text="error")


def _allow(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
