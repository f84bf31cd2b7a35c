"""Tools of the hostile tests: mutated updates from a seed, and a server whose event loop is watched."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from bot.app import App
from bot.server import runner_for
from tests.phones import cdata, chat_id, telegram_message, telegram_press, wechat_xml

SLOW = 0.05  # seconds of CPU that one callback may take
WORDS = (
    "报名",
    "同意",
    "阿林",
    "13800138000",
    "2001-02-03",
    "广州天河",
    "1",
    "取消",
    "返回",
    "菜单",
    "救命",
    "",
    "🙂]]>",
    "绑定 ABCD2345",
)
SPLINTERS = (
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"]]>", b"<![CDATA[", b"</xml>", b"<xml>" * 40, b"<a>" * 300, b"&a;"),
    *(b"&#0;", b"&#xD800;", b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"),
    *(b"<?xml version='1.0' encoding='utf-16'?>", b"9" * 5000, b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}"),
    *(b"[" * 2000, b'{"a":' * 300, b'"\\ud800"', b"\\u0000", b"%00", b"'; DROP TABLE inbox; --", b"x" * 20_000),
    *("救命".encode(), "🙂".encode() * 50),
)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One to four accidents: bytes flipped, spans lost, doubled or moved, splinters put in, the end torn off."""
    found = bytearray(data)
    for _time in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        span = rng.randint(1, 30)
        match rng.randrange(6):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                del found[at : at + span]
            case 2:
                found[at:at] = found[at : at + span] * rng.randint(1, 3)
            case 3:
                found[at:at] = rng.choice(SPLINTERS)
            case 4:
                found[at : at + span] = rng.choice(SPLINTERS)
            case _:
                del found[max(at, 1) :]
    return bytes(found[:60_000])


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value that has no business where it is put."""
    deeper: tuple[Callable[[], Any], ...] = (
        lambda: [odd_value(rng, depth + 1) for _ in range(rng.randint(0, 3))],
        lambda: {rng.choice(("id", "type", "text", "x")): odd_value(rng, depth + 1) for _ in range(rng.randint(0, 3))},
    )
    plain: tuple[Callable[[], Any], ...] = (
        lambda: None,
        lambda: rng.choice((True, False)),
        lambda: rng.choice((0, -1, 2**31, 2**53, 2**63, -(2**63), 10**400)),
        lambda: rng.choice((0.5, -1e308, 1e308)),
        lambda: rng.choice(
            ("", "a", "\x00", "\ud800", "9" * 5000, "private", "救命", "x" * 5000, "m:register", "m:sos")
        ),
    )
    return rng.choice(plain + (deeper if depth < 4 else ()))()


def twisted(rng: random.Random, value: Any) -> Any:
    """The same JSON with some of its parts replaced, lost or doubled."""
    if rng.random() < 0.06:
        return odd_value(rng)
    if isinstance(value, dict):
        return {key: twisted(rng, part) for key, part in value.items() if rng.random() > 0.03}
    if isinstance(value, list):
        return [twisted(rng, part) for part in value for _time in range(rng.choice((1, 1, 1, 1, 0, 2)))]
    return value


def wechat_update(rng: random.Random, name: str, number: int) -> bytes:
    """Something that a follower may do."""

    def event(kind: str, key: str) -> tuple[str, str]:
        return "event", cdata("Event", kind) + cdata("EventKey", key)

    words = rng.choice(WORDS)
    kind, inner = rng.choice(
        (
            ("text", cdata("Content", words)),
            ("text", cdata("Content", words)),
            (
                "text",
                cdata("Content", words) + cdata("bizmsgmenuid", rng.choice(("m:register", "m:sos", "x" * 22 + ":0"))),
            ),
            (
                "location",
                "<Location_X>23.1</Location_X><Location_Y>113.3</Location_Y><Scale>1</Scale>" + cdata("Label", ""),
            ),
            ("image", cdata("PicUrl", "http://127.0.0.1/x") + cdata("MediaId", "m")),
            ("voice", cdata("MediaId", "m") + cdata("Format", "amr") + cdata("Recognition", words)),
            event("subscribe", ""),
            event("subscribe", "qrscene_g_ABCD2345"),
            event("SCAN", "b_ABCD2345"),
            event("CLICK", rng.choice(("register", "sos", "my", "nothing"))),
            event("unsubscribe", ""),
            event("TEMPLATESENDJOBFINISH", ""),
        )
    )
    return wechat_xml(name, kind, inner, number).encode()


def telegram_update(rng: random.Random, name: str, number: int) -> dict[str, Any]:
    """Something that a person in a private chat may do."""
    file = {"file_id": "f", "file_unique_id": "u"}
    fields: dict[str, Any] = rng.choice(
        (
            {"text": rng.choice(WORDS)},
            {"text": rng.choice(("/start", "/start g_ABCD2345", "/register", "/nothing", "/sos@bot x", "/menu"))},
            {"location": {"latitude": 23.1, "longitude": 113.3}},
            {"photo": [{**file, "width": 1, "height": 1}], "caption": rng.choice(WORDS)},
            {"voice": {**file, "duration": 1}},
            {"contact": {"phone_number": "13800138000", "first_name": "a", "user_id": chat_id(name)}},
            {"dice": {"emoji": "🎲", "value": 1}},
        )
    )
    update = telegram_message(name, number, **fields)
    chance = rng.random()
    if chance < 0.25:
        return telegram_press(
            name, number, rng.choice(("m:register", "m:sos", "x" * 22 + ":0", ":", "m:", "m:my:0", "9" * 64))
        )
    if chance < 0.3:
        return {"update_id": number, "edited_message": {**update["message"], "edit_date": int(time.time())}}
    if chance < 0.35:
        message, bot = update["message"], {"id": 1, "is_bot": True, "first_name": "b"}
        changed = {
            "old_chat_member": {"status": "member", "user": bot},
            "new_chat_member": {"status": "kicked", "user": bot},
        }
        return {
            "update_id": number,
            "my_chat_member": {key: message[key] for key in ("chat", "from", "date")} | changed,
        }
    return update


def as_json(value: Any) -> bytes:
    """JSON bytes; halves of surrogate pairs stay the escapes that a hostile sender would write."""
    return json.dumps(value).encode()


class House:
    """The whole app over real HTTP in a thread of its own, so that what its loop does can be measured alone."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="house", daemon=True)
        self._runner: web.AppRunner | None = None
        self.slow: list[tuple[float, str]] = []
        self.unhandled: list[str] = []
        self.port = 0
        run = asyncio.events.Handle._run

        def watched(handle: Any) -> None:
            if threading.current_thread() is not self._thread:
                run(handle)
                return
            what, began = repr(handle), time.thread_time()
            run(handle)
            took = time.thread_time() - began
            if took > SLOW:
                self.slow.append((round(took, 3), what))

        monkeypatch.setattr(asyncio.events.Handle, "_run", watched)

    async def __aenter__(self) -> House:
        # What the test tools have piled up is not the product's, nor is a walk of the collector through it.
        gc.collect()
        gc.freeze()
        self._loop.set_exception_handler(lambda _loop, context: self.unhandled.append(str(context)))
        self._thread.start()
        await self._there(self._start())
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        await self._there(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 5)
        self._loop.close()
        gc.unfreeze()

    async def call(self, work: Callable[[], None]) -> None:
        """Run something on the house's loop, and the turn of the loop after it."""
        self._loop.call_soon_threadsafe(work)
        await self._there(asyncio.sleep(0))

    async def _start(self) -> None:
        self._runner = runner_for(self._app.web)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _there(self, work: Any) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def raw(self, request: bytes, seconds: float = 3.0) -> bytes:
        """Bytes as they are to the socket; what comes back until the end, or nothing any more for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(seconds):
                return await reader.read(65_536)
        except (TimeoutError, ConnectionError):
            return b""
        finally:
            writer.close()
