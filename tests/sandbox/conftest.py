"""A tiny product written with other people's code (wechatpy's crypto, plain JSON), and a phone to play against it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from wechatpy.crypto import WeChatCrypto
from wechatpy.parser import parse_message
from wechatpy.replies import TextReply

from bot.sandbox.sandbox import Sandbox, SandboxOptions
from config.settings import TelegramAccount, WeChatAccount

APPID, SECRET, TOKEN, AES_KEY = (
    "wx0123456789abcdef",
    "app-secret",
    "AAAAA",
    "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz",
)
BOT_TOKEN, BOT_SECRET = "123456789:AA-sandbox_token", "hook-secret"


class Clock:
    """The programme clock: real time plus what was added."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    async def advance(self, seconds: int) -> None:
        self.offset += timedelta(seconds=seconds)


class Product:
    """What the sandbox talks to. Replace `wechat` and `telegram` to change how it answers."""

    def __init__(self) -> None:
        self.crypto = WeChatCrypto(TOKEN, AES_KEY, APPID)
        self.received: list[dict[str, Any]] = []  # every WeChat delivery: msg, query, parsed
        self.updates: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.checks = 0
        self.wechat: Callable[[dict[str, Any], int], Awaitable[str]] = self.say_nothing
        self.telegram: Callable[[dict[str, Any], int], Awaitable[web.Response]] = self.take

    async def say_nothing(self, _message: dict[str, Any], _count: int) -> str:
        return "success"

    def sleep(self, seconds: float) -> None:
        """From now on WeChat's deliveries are answered with nothing, and as late as this."""

        async def sleeping(_delivery: dict[str, Any], _count: int) -> str:
            await asyncio.sleep(seconds)
            return "success"

        self.wechat = sleeping

    async def take(self, _update: dict[str, Any], _count: int) -> web.Response:
        return web.Response()

    def reply(self, delivery: dict[str, Any], words: str) -> str:
        xml = TextReply(content=words, message=delivery["parsed"]).render()
        return self.crypto.encrypt_message(xml, delivery["query"]["nonce"], delivery["query"]["timestamp"])

    async def check(self, request: web.Request) -> web.Response:
        from wechatpy.utils import check_signature

        query = request.query
        check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
        self.checks += 1
        return web.Response(text=query["echostr"])

    async def on_wechat(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        body = (await request.read()).decode()
        xml = self.crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        delivery = {"xml": xml, "query": query, "parsed": parse_message(xml), "body": body}
        self.received.append(delivery)
        return web.Response(text=await self.wechat(delivery, len(self.received)))

    async def on_telegram(self, request: web.Request) -> web.Response:
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        update = await request.json()
        self.updates.append(update)
        return await self.telegram(update, len(self.updates))


class Ground:
    """One running sandbox, its product and a browser on the same machine."""

    def __init__(
        self, base: str, http: aiohttp.ClientSession, sandbox: Sandbox, product: Product, clock: Clock
    ) -> None:
        self.base, self.http, self.sandbox, self.product, self.clock = base, http, sandbox, product, clock
        self.token = ""

    async def get(self, path: str, **kwargs: Any) -> Any:
        async with self.http.get(f"{self.base}/sandbox/api{path}", **kwargs) as response:
            return await response.json()

    async def post(self, path: str, body: Any, **kwargs: Any) -> tuple[int, Any]:
        async with self.http.post(f"{self.base}/sandbox/api{path}", json=body, **kwargs) as response:
            return response.status, await response.json()

    async def act(self, platform: str, person: str = "p1", /, **body: Any) -> str:
        status, answer = await self.post(f"/chats/{platform}/{person}/act", body)
        assert status == 202, answer
        return str(answer["message_id"])

    async def chat(self, platform: str, person: str = "p1") -> list[dict[str, Any]]:
        return list((await self.get(f"/chats/{platform}/{person}"))["messages"])

    async def person(self, person: str = "p1") -> dict[str, Any]:
        return next(one for one in (await self.get("/state"))["people"] if one["id"] == person)

    async def openid(self, person: str = "p1") -> str:
        return str((await self.person(person))["wechat"]["openid"])

    async def chat_id(self, person: str = "p1") -> int:
        return int((await self.person(person))["telegram"]["id"])

    async def wx(self, path: str, body: Any = None, *, token: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """A call of the WeChat API with a token fetched once."""
        if token is None and not self.token and path != "stable_token":
            asked = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
            self.token = (await self.wx("stable_token", asked))["access_token"]
        url = f"{self.base}/sandbox/wechat-api/cgi-bin/{path}"
        params = {"access_token": token if token is not None else self.token}
        method = "GET" if body is None else "POST"
        async with self.http.request(method, url, params=params, json=body, **kwargs) as response:
            assert response.status == 200
            return dict(await response.json())

    async def tg(self, method: str, *, token: str = BOT_TOKEN, **params: Any) -> dict[str, Any]:
        url = f"{self.base}/sandbox/telegram-api/bot{token}/{method}"
        async with self.http.post(url, json=params) as response:
            answer = dict(await response.json())
            assert response.status == (200 if answer["ok"] else answer["error_code"])
            return answer

    async def until(self, true: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
        """Wait for something that must come; returns its first true value."""
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            if value := await true():
                return value
            assert asyncio.get_running_loop().time() < ends, "it never came"
            await asyncio.sleep(0.01)

    async def state_of(self, platform: str, message_id: str, *wanted: str, person: str = "p1") -> dict[str, Any]:
        async def look() -> Any:
            found = next(m for m in await self.chat(platform, person) if m["id"] == message_id)
            return found if found["state"] in wanted else None

        return dict(await self.until(look))

    async def follow(self, person: str = "p1") -> None:
        message = await self.act("wechat", person, do="follow")
        await self.state_of("wechat", message, "delivered", person=person)

    async def begin(self, person: str = "p1") -> None:
        message = await self.act("telegram", person, do="follow")
        await self.state_of("telegram", message, "delivered", person=person)


@asynccontextmanager
async def running(
    folder: Path, *, mode: str = "webhook", clock: Clock | None = None, **options: Any
) -> AsyncIterator[Ground]:
    clock, product = clock or Clock(), Product()
    wechat = WeChatAccount(
        appid=APPID, secret=SecretStr(SECRET), token=SecretStr(TOKEN), encoding_aes_key=SecretStr(AES_KEY)
    )
    telegram = TelegramAccount(token=SecretStr(BOT_TOKEN), secret_token=SecretStr(BOT_SECRET), mode=mode)
    sandbox = Sandbox("http://127.0.0.1", folder, wechat, telegram, clock.advance, clock.now, SandboxOptions(**options))
    app = web.Application()
    app.router.add_get("/wechat/sandbox", product.check)
    app.router.add_post("/wechat/sandbox", product.on_wechat)
    app.router.add_post("/telegram/sandbox", product.on_telegram)
    sandbox.add_routes(app)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    sandbox.base_url = base
    await sandbox.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        ground = Ground(base, http, sandbox, product, clock)
        try:

            async def checked() -> bool:
                return sandbox._wechat_sim.verified is not None

            await ground.until(checked)
            yield ground
        finally:
            await sandbox.stop()
            await runner.cleanup()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Any]:
    """`async with play(cut=0.3) as ground:`; the same folder each time, so a second one is a restart."""

    def start(**options: Any) -> Any:
        return running(tmp_path, **options)

    return start


async def read_events(ground: Ground, since: int, count: int, **kwargs: Any) -> list[dict[str, Any]]:
    """The first `count` events after `since`."""
    found: list[dict[str, Any]] = []
    url = f"{ground.base}/sandbox/api/events"
    async with ground.http.get(url, params={"since": str(since)}, **kwargs) as response:
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line[6:]))
                if len(found) == count:
                    break
    return found


@pytest.fixture
def events() -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    return read_events
