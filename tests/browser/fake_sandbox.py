"""A stand-in for the sandbox's server: the same contract, canned talk, and handles to make things go wrong."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.browser import canned

STATIC = Path(__file__).resolve().parents[2] / "bot" / "sandbox" / "static"
# Stricter than the product needs: nothing inline, nothing from elsewhere. The page must live with it.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'"
)


class FakeSandbox:
    """Start with `start`, talk through `push`, break with `failing` and `cut`; everything asked is in `acts`."""

    def __init__(self) -> None:
        self.people: list[dict[str, Any]] = canned.people()
        self.accounts = canned.accounts()
        self.chats: dict[str, dict[str, Any]] = canned.chats()
        self.offset = 0
        self._opened = time.monotonic()
        self.seq = 100
        self.oldest = 0  # events up to this one are forgotten, as after a restart
        self.slow_acts: asyncio.Event | None = None
        self.slow_clock: asyncio.Event | None = None
        self.advances: list[int] = []
        self.held: list[dict[str, Any]] = []
        self.acts: list[tuple[str, str, dict[str, Any]]] = []
        self.faults: list[dict[str, Any]] = []
        self.failing: tuple[int, str, str] | None = None  # status, sentence, code of the next POSTs
        self.slow_chats: asyncio.Event | None = None
        self.streams: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self.closed = False  # refuses event streams, as a stopped server does
        self.base = ""
        self._runner: web.AppRunner | None = None

    @property
    def now(self) -> datetime:
        """The programme clock: it runs, and starts at the full minute that the tests name."""
        return canned.NOW + timedelta(seconds=self.offset + time.monotonic() - self._opened)

    async def start(self) -> None:
        """Listen on a free loopback port; `base` is the address."""
        app = web.Application()
        app.router.add_get("/sandbox", self._page)
        app.router.add_static("/sandbox/static", STATIC)
        app.router.add_get("/sandbox/api/state", self._state)
        app.router.add_get("/sandbox/api/chats/{platform}/{person}", self._chat)
        app.router.add_post("/sandbox/api/chats/{platform}/{person}/act", self._act)
        app.router.add_get("/sandbox/api/events", self._events)
        app.router.add_post("/sandbox/api/people", self._people)
        app.router.add_post("/sandbox/api/clock", self._clock)
        app.router.add_post("/sandbox/api/faults", self._faults)
        app.router.add_post("/sandbox/api/reset", self._reset)
        app.router.add_get("/p/{token}", self._one_time_page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    def push(self, kind: str, platform: str = "wechat", person: str = "p1", **fields: Any) -> None:
        """Send one event to every open page."""
        self.seq += 1
        event = {"seq": self.seq, "type": kind, "platform": platform, "person": person, **fields}
        self.held.append(event)
        for stream in self.streams:
            stream.put_nowait(event)

    def wire(self, what: str = "delivery", *, ok: bool = True, **facts: Any) -> None:
        """A line of the protocol log: a delivery to WeChat's route, but for what is said otherwise."""
        plain = {"method": "POST", "path": "/wechat/sandbox", "status": 200, "ms": 12} if what == "delivery" else {}
        self.push("wire", what=what, ok=ok, at=self.now.isoformat(), facts=plain | facts)

    def restart(self) -> None:
        """Count on from far ahead and hold nothing of before, as a restarted sandbox does."""
        self.seq += 1000
        self.oldest = self.seq
        self.held.clear()
        self.cut()

    def say(
        self, author: str, text: str, platform: str = "wechat", person: str = "p1", **fields: Any
    ) -> dict[str, Any]:
        """Put a message into a chat and show it."""
        chat = self.chats.setdefault(f"{platform}/{person}", {"messages": [], "keyboard": None})
        message = canned.message(f"n{self.seq + 1}", author, self.now, text, **fields)
        chat["messages"].append(message)
        more = {"keyboard": chat["keyboard"]} if platform == "telegram" else {}
        self.push("message", platform, person, message=message, **more)
        return message

    def cut(self) -> None:
        """End every event stream, as a crash of the server would."""
        for stream in self.streams:
            stream.put_nowait(None)

    def person(self, identity: str) -> dict[str, Any]:
        return next(person for person in self.people if person["id"] == identity)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": CSP})

    async def _state(self, request: web.Request) -> web.Response:
        clock = {"now": self.now.isoformat(), "offset_seconds": self.offset, "zone": "Asia/Shanghai"}
        return web.json_response(
            {"people": self.people, "accounts": self.accounts, "clock": clock, "seq": self.seq, "oldest": self.oldest}
        )

    async def _chat(self, request: web.Request) -> web.Response:
        if self.slow_chats is not None:
            await self.slow_chats.wait()
        platform, person = request.match_info["platform"], request.match_info["person"]
        chat = self.chats.get(f"{platform}/{person}", {"messages": [], "keyboard": None})
        menu = self.accounts["wechat"]["menu"] if platform == "wechat" else []
        more = {"commands": self.accounts["telegram"]["commands"]} if platform == "telegram" else {}
        return web.json_response({**more, **chat, "menu": menu, "seq": self.seq})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.closed:
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        stream: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        if not self.oldest <= int(request.query["since"]) <= self.seq:
            stream.put_nowait({"seq": self.seq, "type": "reload", "lost": True})
        for event in self.held:
            if event["seq"] > int(request.query["since"]):
                stream.put_nowait(event)
        self.streams.add(stream)
        try:
            await response.write(b": hello\n\n")
            while (following := await stream.get()) is not None:
                await response.write(f"data: {json.dumps(following)}\n\n".encode())
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            self.streams.discard(stream)
        return response

    async def _act(self, request: web.Request) -> web.Response:
        if self.slow_acts is not None:
            await self.slow_acts.wait()
        if self.failing:
            status, sentence, code = self.failing
            return web.json_response({"error": sentence, "code": code}, status=status)
        action = await request.json()
        platform, person = request.match_info["platform"], request.match_info["person"]
        self.acts.append((platform, person, action))
        self._answer(platform, person, action)
        return web.json_response({"message_id": f"n{self.seq}"}, status=202)

    def _answer(self, platform: str, person: str, action: dict[str, Any]) -> None:
        owner, what = self.person(person), action["do"]
        if what in ("follow", "unfollow"):
            on = what == "follow"
            owner["wechat"]["following"] = on if platform == "wechat" else owner["wechat"]["following"]
            if platform == "telegram":
                owner["telegram"] |= {"started": True, "blocked": not on}
            self.push("following", platform, person)
        if what == "text":
            self.say("person", action["text"], platform, person, state="delivered")
            self.say("bot", f"收到：{action['text']}", platform, person, via=canned.DOOR[platform])
        elif what == "location":
            self.say("person", action["label"] or "位置", platform, person, kind="location", state="delivered")
        elif what in ("image", "sticker", "voice", "video", "file"):
            self.say("person", "[图片]", platform, person, kind=what, state="delivered")

    async def _people(self, request: web.Request) -> web.Response:
        body = await request.json()
        person = canned.person(f"p{len(self.people) + 1}", body["name"], body["note"], "#5b6b7b")
        self.people.append(person)
        return web.json_response(person, status=201)

    async def _clock(self, request: web.Request) -> web.Response:
        seconds = (await request.json())["advance_seconds"]
        if self.slow_clock is not None:
            await self.slow_clock.wait()
        self.advances.append(seconds)
        self.offset += seconds
        self.push("clock")
        return web.json_response({})

    async def _faults(self, request: web.Request) -> web.Response:
        self.faults.append(await request.json())
        return web.json_response({})

    async def _reset(self, request: web.Request) -> web.Response:
        self.chats, self.people = {}, canned.people()
        self.push("reload")
        return web.json_response({})

    async def _one_time_page(self, request: web.Request) -> web.Response:
        html = "<!doctype html><html lang='zh'><title>一次性页面</title><main><h1>一次性页面</h1></main></html>"
        return web.Response(text=html, content_type="text/html")


async def _serve() -> None:
    """By hand: `python -m tests.browser.fake_sandbox` prints its address and stays."""
    fake = FakeSandbox()
    await fake.start()
    print(f"{fake.base}/sandbox", datetime.now(UTC).isoformat(timespec="seconds"), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
