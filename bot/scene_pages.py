"""`GET /q/<scene>`: what the code on a card or poster says. It leads into every account of the deployment.

The page names nobody and says the same for every card. An account is asked for its way in only for a scene that exists,
and then not again for a day.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import segno
import structlog
from aiohttp import web

from bot.page_views import View, render
from bot.parts import PARTS, Parts
from config.texts import language_for
from handlers.check_in import is_scene
from models.activities import by_activity_number
from models.database import DatabaseAway
from models.door_cards import card_of
from models.station import by_station_number

log = structlog.get_logger(__name__)

KEPT_SECONDS = 86_400.0
MOST_KEPT = 10_000
CALL_SECONDS = 4.0


@dataclass(slots=True)
class _Ways:
    """Ways in, by platform, account and scene: the address, and until when (time.monotonic()) it is kept."""

    found: dict[tuple[str, str, str], tuple[str, float]] = field(default_factory=dict)


_WAYS: web.AppKey[_Ways] = web.AppKey("ways_in", _Ways)


def add(app: web.Application) -> None:
    """The route."""
    app[_WAYS] = _Ways()
    app.router.add_get("/q/{scene}", show)


async def show(request: web.Request) -> web.Response:
    """How to get into a chat with this scene: a code for WeChat's scanner, a link for Telegram."""
    parts, scene = request.app[PARTS], request.match_info["scene"]
    language = language_for(request.headers.get("Accept-Language", "").split(",")[0])
    if not is_scene(scene):
        return await render(request, View("gone.html", 404, language, {}))
    try:
        exists = await asyncio.to_thread(_exists, parts, scene)
    except DatabaseAway:
        return await render(request, View("away.html", 503, language, {}))
    if not exists:
        return await render(request, View("gone.html", 404, language, {}))
    ways = [(key, await _way(request.app[_WAYS], parts, key, scene)) for key in sorted(parts.platforms)]
    codes = [segno.make(way).svg_data_uri(scale=6) for (kind, _name), way in ways if kind == "wechat" and way]
    links = [way for (kind, _name), way in ways if kind != "wechat" and way]
    values = {"codes": codes, "links": links, "door": scene.startswith("d_")}
    return await render(request, View("scene.html", 200 if codes or links else 503, language, values))


def _exists(parts: Parts, scene: str) -> bool:
    kind, _underscore, value = scene.partition("_")
    look = {"s": by_station_number, "a": by_activity_number, "d": card_of}[kind]
    with parts.database.read() as session:
        return look(session, value) is not None


async def _way(ways: _Ways, parts: Parts, key: tuple[str, str], scene: str) -> str:
    kept = ways.found.get((*key, scene))
    if kept is not None and kept[1] > time.monotonic():
        return kept[0]
    deadline = asyncio.get_running_loop().time() + CALL_SECONDS
    way = await parts.platforms[key].way_in(scene, deadline=deadline)
    if not way:
        log.info("no_way_in", platform=key[0], account=key[1])
        return ""
    while len(ways.found) >= MOST_KEPT:
        ways.found.pop(next(iter(ways.found)))
    ways.found[*key, scene] = way, time.monotonic() + KEPT_SECONDS
    return way
