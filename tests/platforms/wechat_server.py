"""A server that plays WeChat's API, well and as badly as a test tells it, and an account that calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from handlers.message import Option, Reply
from tests.platforms.accidents import Answer
from tests.platforms.wechat_player import OPENID, settings

GOOD = {"errcode": 0, "errmsg": "ok"}


@dataclass
class Api:
    """WeChat's API: hands out tokens, checks them, and behaves as it is told for each path."""

    url: str = ""
    token: str = ""
    issued: int = 0
    forced: int = 0
    lifetime: int = 7200
    calls: list[tuple[str, Any]] = field(default_factory=list)
    behaviours: dict[str, Answer] = field(default_factory=dict)
    token_behaviour: Answer | None = None
    asked_for_token: int = 0

    async def stable_token(self, request: web.Request) -> web.StreamResponse:
        self.asked_for_token += 1
        if self.token_behaviour:
            return await self.token_behaviour(request)
        asked = await request.json()
        assert (asked["grant_type"], asked["secret"]) == ("client_credential", "app-secret")
        if asked.get("force_refresh"):
            self.forced += 1
            self.token = ""
        if not self.token:
            self.issued += 1
            self.token = f"TOKEN{self.issued}"
        return web.json_response({"access_token": self.token, "expires_in": self.lifetime})

    async def call(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        is_json = request.content_type == "application/json"
        self.calls.append((path, await request.json() if is_json else (await request.read()).decode("latin-1")))
        if path in self.behaviours:
            return await self.behaviours[path](request)
        if request.query.get("access_token") != self.token:
            return web.json_response({"errcode": 40001, "errmsg": "invalid credential rid: 65a-1b-2c"})
        return web.json_response(GOOD)

    def answers(self, path: str, body: object, **more: Any) -> None:
        async def answer(_request: web.Request) -> web.Response:
            if isinstance(body, bytes):
                return web.Response(body=body, **more)
            return web.json_response(body, **more)

        self.behaviours[path] = answer


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    player = Api()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/cgi-bin/stable_token", player.stable_token)
    app.router.add_route("*", "/cgi-bin/{path:.+}", player.call)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    player.url = str(server.make_url("")).rstrip("/")
    yield player
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def account(api: Api, http: aiohttp.ClientSession) -> WeChat:
    return WeChat("gd", settings(api_base=api.url), http)


SEND = "message/custom/send"
QUESTION = Reply("这次能去吗？", (Option("k1", "能去"), Option("k2", "去不了")))


async def sent(account: WeChat, reply: Reply | None = None, within: float = 10.0) -> Outcome:
    deadline = asyncio.get_running_loop().time() + within
    return await account.send(OPENID, reply or Reply("你好😀"), key="row-1", deadline=deadline)
