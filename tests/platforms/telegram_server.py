"""A server that plays the Bot API and answers as badly as a test tells it, and an account that calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.platforms.base import Outcome
from bot.platforms.telegram import Telegram
from config.settings import TelegramAccount
from handlers.message import Reply
from tests.platforms.accidents import Answer

TOKEN_SECRET = "AbCdEf-GhIjKl"
TOKEN = f"123456:{TOKEN_SECRET}"
SENT = {"message_id": 77, "date": 1_790_000_000, "chat": {"id": 1001, "type": "private"}, "text": "好"}
RAW_CHOICE = json.dumps({"update_id": 9, "callback_query": {"id": "777", "data": "abc"}}).encode()
HTML = b"<html><title>502 Bad Gateway</title></html>"


class BotApi:
    """Plays api.telegram.org. `answers` holds what a method does instead of going well; `calls` what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer] = {}
        self.stopped = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.match_info["token"] == TOKEN
        form = {name: str(value) for name, value in (await request.post()).items()}
        method = request.match_info["method"]
        self.calls.append((method, form))
        if method in self.answers:
            return await self.answers[method](request)
        return web.json_response({"ok": True, "result": SENT if method == "sendMessage" else True})

    def named(self, method: str) -> list[dict[str, Any]]:
        return [form for name, form in self.calls if name == method]


def says(status: int, body: Any = None, *, raw: bytes | None = None, kind: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        content = raw if raw is not None else json.dumps(body).encode()
        return web.Response(status=status, body=content, content_type=kind)

    return answer


def refuses(status: int, description: str, **parameters: Any) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return says(status, {**body, "parameters": parameters} if parameters else body)


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    yield BotApi()


@pytest.fixture
async def server(api: BotApi) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", api.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1, access_log=None)
    yield server
    await server.close()


def telegram(base: str, mode: str = "webhook", public_url: str = "") -> Telegram:
    account = TelegramAccount.model_validate({"token": TOKEN, "secret_token": "s3cret", "api_base": base, "mode": mode})
    return Telegram("gd", account, public_url, now=lambda: datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture
async def platform(server: TestServer) -> AsyncIterator[Telegram]:
    platform = telegram(str(server.make_url("")).rstrip("/"))
    yield platform
    await platform.stop()


async def send(platform: Telegram, text: str = "好", seconds: float = 2.0, **reply: Any) -> Outcome:
    deadline = asyncio.get_running_loop().time() + seconds
    return await platform.send("1001", Reply(text, **reply), key="k", deadline=deadline)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state
            await asyncio.sleep(0.01)
