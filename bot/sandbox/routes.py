"""The phone page and its JSON API, the media, and the two played APIs, all under `/sandbox`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox.faults import KINDS, MOST_TIMES, Faults
from bot.sandbox.media import MediaStore
from bot.sandbox.memory import Message, Person, PlatformName
from bot.sandbox.phones import Phones, Refused
from bot.sandbox.reading import SMALL_BODY, TooLarge, json_object, read_body, whole_number
from bot.sandbox.telegram_acts import TelegramActs
from bot.sandbox.telegram_commands import commands_for
from bot.sandbox.telegram_sim import TelegramSim
from bot.sandbox.wechat_acts import WeChatActs
from bot.sandbox.wechat_menu import menu_for

STATIC = Path(__file__).parent / "static"
HEARTBEAT = 15.0  # seconds
CLOCK_NEWS = 0.4  # seconds between two looks at a clock that is being moved
MOST_ADVANCE = 3 * 366 * 86_400  # seconds in one go
MOST_REPEAT = 5
LANGUAGES = ("", "zh-hans", "zh-hk", "en")  # as Telegram apps report them; "" = as the note suggests
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-cache",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = dict[str, Any]


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A refusal becomes {"error", "code"}."""
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response(refused.as_json(), status=refused.status)
    except TooLarge:
        return web.json_response({"error": "内容太大了。", "code": "too_large"}, status=413)


class PageRoutes:
    """What the phone page uses."""

    def __init__(
        self,
        phones: Phones,
        media: MediaStore,
        wechat: WeChatActs,
        telegram: TelegramActs,
        telegram_sim: TelegramSim,
        faults: Faults,
        advance: Callable[[int], Awaitable[None]],
        zone: str,
    ) -> None:
        self._phones = phones
        self._media = media
        self._wechat = wechat
        self._telegram = telegram
        self._telegram_sim = telegram_sim
        self._faults = faults
        self._advance = advance
        self._zone = zone

    def routes(self) -> list[web.RouteDef]:
        """Relative to `/sandbox`."""
        return [
            web.get("", self.page),
            web.get("/", self.page),
            web.get("/static/{path:.+}", self.static),
            web.get("/media/{identity}", self.picture),
            web.get("/api/state", self.state),
            web.get("/api/chats/{platform}/{person}", self.chat),
            web.post("/api/chats/{platform}/{person}/act", self.act),
            web.get("/api/events", self.events),
            web.post("/api/people", self.add_person),
            web.post("/api/reset", self.reset),
            web.post("/api/clock", self.move_clock),
            web.post("/api/faults", self.set_fault),
        ]

    # Files

    async def page(self, _request: web.Request) -> web.StreamResponse:
        """The phone page."""
        return web.FileResponse(STATIC / "index.html", headers=SAFE)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """A file of the page, never one outside its folder."""
        file = (STATIC / request.match_info["path"]).resolve()
        if not file.is_relative_to(STATIC.resolve()) or not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file, headers=SAFE)

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A picture, voice or file of a chat."""
        file = self._media.get(request.match_info["identity"])
        if file is None:
            raise web.HTTPNotFound
        headers = SAFE | {"Content-Security-Policy": "sandbox; default-src 'none'"}
        return web.Response(body=file.content, content_type=file.safe_type, headers=headers)

    # State

    async def state(self, request: web.Request) -> web.Response:
        """People, accounts, clock, number of the newest event; `?person=` asks for that person's menus."""
        asked = request.query.get("person")
        person = self._phones.person(asked) if asked else None
        memory = self._phones.memory
        body = {
            "people": [one.shown() for one in memory.people.values()],
            "accounts": {
                "wechat": {
                    "name": "sandbox",
                    "title": "暖阳（沙盒）",
                    "menu": menu_for(memory.wechat, person.id if person else ""),
                    "codes": [code.scene for code in memory.wechat.tickets.values() if code.url],
                },
                "telegram": {
                    "name": "sandbox",
                    "title": "暖阳沙盒 Bot",
                    "username": "nuanyang_sandbox_bot",
                    "mode": "webhook" if self._telegram_sim.webhook else "polling",
                    "commands": commands_for(self._phones, person),
                    "menu_button": memory.telegram.menu_button,
                },
            },
            "clock": self._clock(),
            "seq": self._phones.journal.seq,
            "oldest": self._phones.journal.oldest,
        }
        return web.json_response(body)

    async def chat(self, request: web.Request) -> web.Response:
        """One chat with what stands around it."""
        platform, person = self._which(request)
        chat = self._phones.chat(platform, person)
        menu: list[dict[str, Any]] = []
        if platform == "wechat":
            menu = menu_for(self._phones.memory.wechat, person.id)
        messages = [message.shown() for message in chat.messages]
        body: Body = {"messages": messages, "menu": menu, "keyboard": chat.keyboard}
        if platform == "telegram":
            body["commands"] = commands_for(self._phones, person)
        # Everything up to this event is in here: the page must not apply it a second time.
        body["seq"] = self._phones.journal.seq
        return web.json_response(body)

    def _clock(self) -> dict[str, Any]:
        now = self._phones.now().astimezone(UTC)
        offset = round((now - datetime.now(UTC)).total_seconds())
        return {"now": now.isoformat(), "offset_seconds": offset, "zone": self._zone}

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events after `since` (or Last-Event-ID); a "reload" marked `lost` when those are not held."""
        journal = self._phones.journal
        asked = request.headers.get("Last-Event-ID") or request.query.get("since", "")
        asked_number = whole_number(asked)
        since = journal.seq if asked_number is None else asked_number
        response = web.StreamResponse(
            headers=SAFE | {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        try:
            await response.write(b": hello\n\n")
            while not journal.closed:
                events = journal.after(since)
                if events is None:
                    events = [{"seq": journal.seq, "type": "reload", "lost": True}]
                for event in events:
                    since = event["seq"]
                    line = json.dumps(event, ensure_ascii=False)
                    await response.write(f"id: {since}\ndata: {line}\n\n".encode())
                if not await journal.wait(since, HEARTBEAT) and not journal.closed:
                    await response.write(b": still here\n\n")
        except ConnectionResetError:  # the page was closed
            return response
        return response

    # Acts

    async def act(self, request: web.Request) -> web.Response:
        """What the person does."""
        platform, person = self._which(request)
        body = await self._body(request)
        if platform == "wechat":
            message = self._act_wechat(person, body)
        else:
            message = self._act_telegram(person, body)
        return web.json_response({"message_id": message.id}, status=202)

    def _act_wechat(self, person: Person, body: Body) -> Message:
        what, repeat = _text(body, "do", 40), _whole(body, "repeat", 0, MOST_REPEAT, 0)
        acts = self._wechat
        if what == "text":
            return acts.text(person, _text(body, "text", 20_000), repeat=repeat)
        if what == "press":
            return acts.press(person, _text(body, "message_id", 40), _text(body, "button_id", 40), repeat)
        if what == "menu":
            place = _place(body) if "latitude" in body else None
            return acts.menu(person, _text(body, "key", 1024), place, repeat)
        if what in ("location", "report_location"):
            latitude, longitude = _place(body)
            if what == "report_location":
                return acts.report_location(person, latitude, longitude)
            return acts.location(person, latitude, longitude, _text(body, "label", 200, ""), repeat)
        if what in ("image", "sticker", "voice", "video", "file"):
            return acts.media(person, what, repeat)
        if what == "scan":
            return acts.scan(person, _text(body, "scene", 64), repeat)
        if what == "follow":
            return acts.follow(person, repeat=repeat)
        if what == "unfollow":
            return acts.unfollow(person, repeat)
        if what == "link":
            return acts.link(person, _text(body, "title", 200), _text(body, "text", 500, ""), _text(body, "url", 1024))
        if what == "grant":
            scene = _whole(body, "scene", 0, 10_000, 0)
            template = _text(body, "template_id", 64, "")
            return acts.grant(person, scene=scene, template=template, accept=body.get("accept") is not False)
        raise Refused("not_here", "微信里不能这样做。")

    def _act_telegram(self, person: Person, body: Body) -> Message:
        what, repeat = _text(body, "do", 40), _whole(body, "repeat", 0, MOST_REPEAT, 0)
        acts = self._telegram
        if what == "text":
            return acts.text(person, _text(body, "text", 20_000), repeat)
        if what == "press":
            return acts.press(person, _text(body, "message_id", 40), _text(body, "button_id", 40), repeat)
        if what == "location":
            latitude, longitude = _place(body)
            return acts.location(person, latitude, longitude, _text(body, "label", 200, ""), repeat)
        if what in ("image", "sticker", "voice", "video", "file"):
            return acts.media(person, what, repeat)
        if what == "scan":
            return acts.follow(person, _text(body, "scene", 64), repeat)
        if what == "follow":
            return acts.follow(person, repeat=repeat)
        if what == "unfollow":
            return acts.unfollow(person, repeat)
        if what == "contact":
            return acts.contact(person, repeat)
        raise Refused("not_here", "Telegram 里不能这样做。")

    # The sandbox itself

    async def add_person(self, request: web.Request) -> web.Response:
        """A new invented person."""
        body = await self._body(request)
        language = _text(body, "language", 10, "")
        if language not in LANGUAGES:
            raise Refused("language", "没有这种语言。")
        person = self._phones.add_person(_text(body, "name", 20), _text(body, "note", 40, ""), language=language)
        self._phones.journal.add("following", platform="wechat", person=person.id, wechat=person.shown()["wechat"])
        return web.json_response(person.shown(), status=201)

    async def reset(self, request: web.Request) -> web.Response:
        """Empty the simulator."""
        await read_body(request, SMALL_BODY)
        self._phones.reset()
        return web.json_response({"seq": self._phones.journal.seq})

    async def move_clock(self, request: web.Request) -> web.Response:
        """Move the programme clock forward; returns when everything due in between has been done. The page sees
        the clock run meanwhile."""
        body = await self._body(request)
        moving = asyncio.ensure_future(self._advance(_whole(body, "advance_seconds", 1, MOST_ADVANCE)))
        try:
            while not (await asyncio.wait({moving}, timeout=CLOCK_NEWS))[0]:
                self._tell_clock()
        finally:
            moving.cancel()  # does nothing to what is done
        moving.result()
        self._tell_clock()
        return web.json_response({"clock": self._clock()})

    def _tell_clock(self) -> None:
        self._phones.journal.add("clock", clock=self._clock())

    async def set_fault(self, request: web.Request) -> web.Response:
        """Let the product's next calls meet a fault."""
        body = await self._body(request)
        platform, kind = _text(body, "platform", 20), _text(body, "kind", 20)
        if platform not in ("wechat", "telegram") or kind not in KINDS:
            raise Refused("fault", "没有这种故障。")
        times = _whole(body, "times", 0, MOST_TIMES, 1)
        self._faults.set(platform, kind, times)
        return web.json_response({"platform": platform, "kind": kind, "times": times})

    def _which(self, request: web.Request) -> tuple[PlatformName, Person]:
        platform = request.match_info["platform"]
        person = self._phones.person(request.match_info["person"])
        if platform == "wechat":
            return "wechat", person
        if platform == "telegram":
            return "telegram", person
        raise Refused("no_platform", "没有这个平台。", 404)

    async def _body(self, request: web.Request) -> Body:
        try:
            return json_object(await read_body(request, SMALL_BODY))
        except ValueError:
            raise Refused("json", "要一个 JSON 对象。") from None


def _text(body: Body, name: str, most: int, otherwise: str | None = None) -> str:
    value = body.get(name, otherwise)
    if isinstance(value, str) and "\x00" not in value and len(value) <= most and (value.strip() or otherwise == ""):
        return value
    raise Refused("field_text", f"“{name}”要 1–{most} 个字。", name=name, most=most)


def _whole(body: Body, name: str, least: int, most: int, otherwise: int | None = None) -> int:
    value = body.get(name, otherwise)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise Refused("field_number", f"“{name}”要 {least}–{most} 的整数。", name=name, least=least, most=most)


def _place(body: Body) -> tuple[float, float]:
    latitude, longitude = body.get("latitude"), body.get("longitude")
    if isinstance(latitude, int | float) and isinstance(longitude, int | float) and abs(latitude) <= 90:
        # The platforms check again; here it keeps numbers out that no float can hold.
        if abs(longitude) > 180:
            raise Refused("place", "经度不对。")
        return float(latitude), float(longitude)
    raise Refused("place", "要纬度和经度。")
