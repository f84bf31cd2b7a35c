"""Both platforms in a process of their own, which answer as badly as a script says and keep a log of their own.

What was sent, lost or doubled is decided by this log. It knows nothing of the product: receivers, texts and accounts
are whatever is in the calls. Each call leaves two lines, `n` its number: one when it arrives (`at`, the machine's
monotonic clock, which all processes of a machine share; `copy`, `account`, `path`, `to`, `text`, `key`, `fault`,
`taken`), one when it ends (`ended`, `how`: "ok", the fault's name, or "hung up" when the caller did).

    python -m tests.faults.platform --log calls.jsonl --seed 7        (prints its address; ends when its input ends)

Addresses: `<base>/<copy>/<account>` is an API_BASE; the copy's name tells the calling processes apart.
`POST <base>/control/script` takes a script (`Script`); `GET <base>/control/calls?least=N` answers when N messages came.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
LONGEST_PAUSE = 900.0  # seconds
LONGEST_CALL = 120.0  # seconds after which even a hanging call is answered
SAME_KEY = 600.0  # seconds for which WeChat remembers a client_msg_id
# Whether the message was taken nobody can tell from such an answer, so a coin decides it.
UNCLEAR = {"500", "502 html", "200 html", "200 empty", "200 []", "no errcode", "errcode as text"} | {
    "hang",
    "reset",
    "truncated",
}
ERRCODES = {"-1": -1, "45009": 45009, "45015": 45015, "45047": 45047, "43004": 43004}
WECHAT_FAULTS = (*sorted(UNCLEAR), *ERRCODES, "40001", "429", "token hang")
TELEGRAM_FAULTS = (*sorted(UNCLEAR), "401", "403", "429")


@dataclass
class Script:
    """`faults` by account; receivers whose names begin with one of `spared` meet none, and the first `after` messages
    of an account neither. `busy` = seconds that an answer takes, at least and at most; `pauses` = seconds asked for by
    a WeChat account's refusals with 429, one by one; a Telegram chat has one, drawn up to `longest_pause`."""

    faults: dict[str, str] = field(default_factory=dict)
    spared: list[str] = field(default_factory=list)
    after: int = 0
    busy: tuple[float, float] = (0.0, 0.0)
    pauses: dict[str, list[float]] = field(default_factory=dict)
    longest_pause: float = LONGEST_PAUSE


class Platform:
    """The platforms' side of the wire."""

    def __init__(self, log: Path, seed: int) -> None:
        self.script = Script()
        self._random = random.Random(seed)
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._calls = 0  # of any kind
        self._messages = 0
        self._came = asyncio.Condition()
        self._per_account: dict[str, int] = {}
        self._paused: dict[str, float] = {}  # an account or a chat → until when (monotonic)
        self._refusals: dict[str, int] = {}
        self._keys: dict[tuple[str, str], float] = {}
        self._tokens: dict[str, int] = {}

    def note(self, **facts: Any) -> None:
        """A line of the log."""
        self._log.write(json.dumps(facts, ensure_ascii=False) + "\n")

    # --- the wire ---

    async def wechat(self, request: web.Request) -> web.StreamResponse:
        """The Official Account's API."""
        account, path = request.match_info["account"], request.match_info["path"]
        body = await request.json() if request.can_read_body else {}
        fault = self.script.faults.get(account, "")
        if path == "stable_token":
            return await self._token(request, account, body, fault)
        if fault == "40001" and not path.startswith("message/"):
            self._calls += 1
            at = time.monotonic()
            self.note(n=self._calls, at=at, copy=request.match_info["copy"], account=account, path=path, fault=fault)
            self.note(n=self._calls, ended=at, how=fault)
            return web.json_response({"errcode": 40001, "errmsg": "played rid: 65a1b2c3-0a1b2c3d-4e5f6a7b"})
        if not path.startswith("message/"):
            return web.json_response({"errcode": 0, "errmsg": "ok", "tags": [], "tagid_list": [], "menuid": "1"})
        if fault == "token hang":
            fault = ""
        to, key = body.get("touser", ""), str(body.get("client_msg_id", body.get("clientmsgid", "")))
        call = await self._arrived(request, account, path, str(to), _words(body), key, fault)
        good = {"errcode": 0, "errmsg": "ok", "msgid": call["n"]}
        return await self._answer(request, call, good)

    async def telegram(self, request: web.Request) -> web.StreamResponse:
        """The Bot API."""
        account, method = request.match_info["account"], request.match_info["method"]
        body = await request.json() if request.content_type == "application/json" else dict(await request.post())
        if self.script.faults.get(account) == "401" and method != "sendMessage":
            return _response({"fault": "401", "path": "sendMessage"}, {})
        if method != "sendMessage":
            me = {"id": 123456789, "is_bot": True, "first_name": "played", "username": "played_bot"}
            return web.json_response({"ok": True, "result": me if method == "getMe" else True})
        fault, to = self.script.faults.get(account, ""), str(body.get("chat_id", ""))
        call = await self._arrived(request, account, method, to, str(body.get("text", "")), "", fault)
        chat = {"id": int(to), "type": "private"}
        good = {"ok": True, "result": {"message_id": call["n"], "date": int(time.time()), "chat": chat, "text": "."}}
        return await self._answer(request, call, good)

    async def _token(self, request: web.Request, account: str, body: Any, fault: str) -> web.StreamResponse:
        """The same token for every repeat, another one when it is forced, as the real call does."""
        self._calls += 1
        number, began = self._calls, time.monotonic()
        forced = bool(body.get("force_refresh"))
        self.note(n=number, at=began, copy=request.match_info["copy"], account=account, path="token", forced=forced)
        try:
            await asyncio.sleep(LONGEST_CALL if fault == "token hang" else 0)
        except asyncio.CancelledError:
            self.note(n=number, ended=time.monotonic(), how="hung up")
            raise
        self._tokens[account] = self._tokens.get(account, 1) + forced
        self.note(n=number, ended=time.monotonic(), how="ok")
        return web.json_response({"access_token": f"token-{self._tokens[account]}", "expires_in": 7200})

    async def _arrived(
        self, request: web.Request, account: str, path: str, to: str, text: str, key: str, fault: str
    ) -> dict[str, Any]:
        """Decide what becomes of a message, and write it down."""
        self._calls += 1
        self._messages += 1
        seen = self._per_account[account] = self._per_account.get(account, 0) + 1
        if seen <= self.script.after or any(to.startswith(start) for start in self.script.spared):
            fault = ""
        now = time.monotonic()
        pause = 0.0
        if fault == "429":
            whole = path != "sendMessage"
            fault, pause = self._pause(
                account if whole else f"{account} {to}", self.script.pauses.get(account, []) if whole else [], now
            )
        taken = not fault or (fault in UNCLEAR and self._random.random() < 0.5)
        if key and taken:
            if self._keys.get((to, key), -math.inf) > now - SAME_KEY:
                taken = False  # it was sent before, under this key
            self._keys.setdefault((to, key), now)
        call = {
            "n": self._calls,
            "at": now,
            "copy": request.match_info["copy"],
            "account": account,
            "path": path,
            "to": to,
            "text": text,
            "key": key,
            "fault": fault,
            "taken": taken,
            "pause": pause,
        }
        self.note(**call)
        async with self._came:
            self._came.notify_all()
        return call

    def _pause(self, name: str, pauses: list[float], now: float) -> tuple[str, float]:
        """A refusal with 429 and its seconds; nothing once the pause is over."""
        until = self._paused.get(name)
        if until is not None and now < until:
            return "429", until - now  # it did not wait
        count = self._refusals.get(name, 0)
        if count >= max(1, len(pauses)):
            return "", 0.0
        self._refusals[name] = count + 1
        if pauses:
            seconds = pauses[count]
        else:
            seconds = float(math.ceil(math.exp(self._random.uniform(0, math.log(self.script.longest_pause)))))
        self._paused[name] = now + seconds
        return "429", seconds

    async def _answer(self, request: web.Request, call: dict[str, Any], good: dict[str, Any]) -> web.StreamResponse:
        """The good answer after a while, or the fault."""
        number, fault = call["n"], call["fault"]
        try:
            await asyncio.sleep(self._random.uniform(*self.script.busy) if any(self.script.busy) else 0)
            if fault == "hang":
                await asyncio.sleep(LONGEST_CALL)
            if fault in ("reset", "truncated"):
                await _break_off(request, fault)
        except asyncio.CancelledError:
            self.note(n=number, ended=time.monotonic(), how="hung up")
            raise
        response = _response(call, good)
        self.note(n=number, ended=time.monotonic(), how=fault or "ok")
        return response

    # --- control ---

    async def set_script(self, request: web.Request) -> web.Response:
        """Another script from now on."""
        given = await request.json()
        self.script = Script(**given)
        return web.json_response({"ok": True})

    async def calls(self, request: web.Request) -> web.Response:
        """How many messages came, as soon as they are `least`, or after `seconds`."""
        least, seconds = int(request.query.get("least", "0")), float(request.query.get("seconds", "30"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._came:
                await self._came.wait_for(lambda: self._messages >= least)
        return web.json_response(self._messages)


def _words(body: dict[str, Any]) -> str:
    """What the receiver reads, of any kind of WeChat message."""
    told = body.get(str(body.get("msgtype", "")), body.get("data", {}))
    if not isinstance(told, dict):
        return ""
    plain = told.get("content", told.get("head_content"))
    if isinstance(plain, str):
        return plain
    return "\n".join(str(part.get("value", "")) for part in told.values() if isinstance(part, dict))


async def _break_off(request: web.Request, fault: str) -> None:
    """End the connection in the middle."""
    assert request.transport is not None
    if fault == "reset":
        request.transport.abort()
        return
    response = web.StreamResponse(headers={"Content-Length": "500", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"errcode":0,"ok":true,"result":{"message_id"')
    request.transport.close()


def _response(call: dict[str, Any], good: dict[str, Any]) -> web.StreamResponse:
    """The answer of a call that gets one."""
    fault, telegram = call["fault"], call["path"] == "sendMessage"
    if fault == "429":
        seconds = math.ceil(call["pause"])
        headers = {"Retry-After": str(seconds)}
        if telegram:
            body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
            return web.json_response({**body, "parameters": {"retry_after": seconds}}, status=429, headers=headers)
        return web.Response(status=429, text="slow down", headers=headers)
    if fault in ("401", "403"):
        words = {"401": "Unauthorized", "403": "Forbidden: bot was blocked by the user"}[fault]
        return web.json_response({"ok": False, "error_code": int(fault), "description": words}, status=int(fault))
    if fault in ERRCODES or fault == "40001":
        return web.json_response({"errcode": int(fault), "errmsg": "played rid: 65a1b2c3-0a1b2c3d-4e5f6a7b"})
    odd: dict[str, tuple[int, str, str]] = {
        "500": (500, "", "text/plain"),
        "502 html": (502, HTML, "text/html"),
        "200 html": (200, HTML, "text/html"),
        "200 empty": (200, "", "application/json"),
        "200 []": (200, "[]", "application/json"),
        "no errcode": (200, '{"errmsg":"ok"}', "application/json"),
        "errcode as text": (200, '{"errcode":"0","errmsg":"ok","ok":"true","result":"0"}', "application/json"),
    }
    if fault in odd:
        status, text, kind = odd[fault]
        return web.Response(status=status, text=text, content_type=kind)
    return web.json_response(good)


async def main() -> None:
    """Serve at a port that is printed, until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    platform = Platform(asked.log, asked.seed)
    app = web.Application()
    app.router.add_post("/control/script", platform.set_script)
    app.router.add_get("/control/calls", platform.calls)
    app.router.add_route("*", "/{copy}/{account}/cgi-bin/{path:.+}", platform.wechat)
    app.router.add_route("*", "/{copy}/{account}/bot{token}/{method}", platform.telegram)
    # Handlers end when their caller hangs up: that is how the log knows the moment.
    runner = web.AppRunner(app, shutdown_timeout=0.2, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
