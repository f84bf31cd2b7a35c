"""The product's calls of a played platform: under the fault that is due, and in the protocol log in every case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.sandbox.memory import Person, PlatformName
from bot.sandbox.phones import Phones
from bot.sandbox.telegram_refusals import flood
from bot.sandbox.wechat_refusals import Refusal

KINDS = ("slow", "5xx", "drop", "429", "none")
MOST_TIMES = 1000
RETRY_AFTER = 2  # seconds, what the fault "429" asks of a Telegram bot


@dataclass(slots=True)
class Call:
    """One call as the protocol log tells of it; whoever answers it fills in what became of it.

    `facts` go into the log beside the rest: errcode (WeChat), error and retry_after in seconds (Telegram).
    """

    platform: PlatformName
    method: str
    path: str
    person: Person | None = None
    ok: bool = True
    quiet: bool = False  # leaves no line when nothing is wrong with it
    facts: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The next calls of the product meet a fault. "5xx" and "429" do nothing and say 502 or “too many”; "slow" and
    "drop" do the work, and then answer after `slow_seconds`, or cut the connection: the cases in which a sender
    cannot know."""

    def __init__(self, phones: Phones, slow_seconds: float) -> None:
        self._phones = phones
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

    async def serve(
        self,
        request: web.Request,
        call: Call,
        work: Callable[[], Awaitable[web.StreamResponse]],
        *,
        spared: bool = False,
    ) -> web.StreamResponse:
        """Do the work of a call, under the fault that is due unless the call is `spared`, and log what happened."""
        began = time.monotonic()
        fault = "none" if spared else self._take(call.platform)
        status = 0  # stays 0 for an answer that never arrived
        try:
            if fault in ("5xx", "429"):
                response: web.StreamResponse = _refusal(call, fault)
            else:
                response = await work()
            if fault == "slow":
                await asyncio.sleep(self._slow_seconds)
            if fault == "drop" and request.transport is not None:
                request.transport.abort()
            else:
                status = response.status
            return response
        finally:
            if not call.quiet or not call.ok or fault != "none":
                self._log(call, fault, status, round((time.monotonic() - began) * 1000))

    def _log(self, call: Call, fault: str, status: int, took: int) -> None:
        facts = call.facts | ({"fault": fault} if fault != "none" else {})
        ok = call.ok and fault == "none" and status != 0
        self._phones.wire(
            call.platform,
            call.person,
            "call",
            ok=ok,
            method=call.method,
            path=call.path,
            status=status,
            ms=took,
            **facts,
        )


def _refusal(call: Call, fault: str) -> web.Response:
    """The answer of a platform that does not do the work at all."""
    if fault == "429":
        if call.platform == "wechat":
            refusal = Refusal(45011)
            call.facts["errcode"] = refusal.errcode
            return web.json_response(refusal.as_json())
        denied = flood(RETRY_AFTER)
        call.facts |= {"error": denied.description, "retry_after": denied.retry_after}
        return web.json_response(denied.as_json(), status=denied.code, headers=denied.headers())
    if call.platform == "telegram":
        call.facts["error"] = "Bad Gateway"
        body = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
        return web.json_response(body, status=502)
    return web.Response(status=502, text="<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")
