"""Both platforms on this machine: put together here, started and stopped with the product's server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.loopback import is_loopback
from bot.sandbox.faults import Faults
from bot.sandbox.loopback import loopback_only
from bot.sandbox.media import MediaStore
from bot.sandbox.phones import Phones
from bot.sandbox.routes import PageRoutes, plain_errors
from bot.sandbox.telegram_acts import TelegramActs
from bot.sandbox.telegram_api import TelegramApi, bot_json
from bot.sandbox.telegram_flood import Flood, TelegramLimits
from bot.sandbox.telegram_http import TelegramHttp
from bot.sandbox.telegram_sim import PAUSES, TelegramSim
from bot.sandbox.wechat_acts import WeChatActs
from bot.sandbox.wechat_api import WeChatApi
from bot.sandbox.wechat_limits import WeChatLimits
from bot.sandbox.wechat_pages import WeChatPages
from bot.sandbox.wechat_sim import WeChatSim
from config.settings import TelegramAccount, WeChatAccount


@dataclass(frozen=True)
class SandboxOptions:
    """What tests change. Times in seconds."""

    cut: float = 5.0  # WeChat's patience with an answer
    pauses: tuple[float, ...] = PAUSES  # Telegram's pauses between attempts
    slow: float = 15.0  # the fault "slow"
    zone: str = "Asia/Shanghai"
    wechat: WeChatLimits = field(default_factory=WeChatLimits)
    telegram: TelegramLimits = field(default_factory=TelegramLimits)


class Sandbox:
    """Plays WeChat and Telegram against the product's own routes.

    `base_url` is the product's address on loopback (may be set again before `start`, when the port is known only
    then); `folder` holds the one file with people and chats; `now` is the programme clock (aware), `advance` moves
    it by seconds. Raises ValueError for a `base_url` that is not this machine.
    """

    def __init__(
        self,
        base_url: str,
        folder: Path,
        wechat: WeChatAccount,
        telegram: TelegramAccount,
        advance: Callable[[int], Awaitable[None]],
        now: Callable[[], datetime],
        options: SandboxOptions | None = None,
    ) -> None:
        options = options or SandboxOptions()
        self.base_url = base_url
        self.phones = phones = Phones(folder / "sandbox.json", now)
        media, faults = MediaStore(), Faults(phones, options.slow)
        token = telegram.token.get_secret_value()
        bot = bot_json(token)
        self._wechat_sim = WeChatSim(phones, media, wechat, self._address, options.cut)
        self._telegram_sim = TelegramSim(phones, telegram, self._address, pauses=options.pauses)
        telegram_acts = TelegramActs(phones, media, self._telegram_sim, bot)
        flood = Flood(options.telegram, time.monotonic)
        self._telegram_api = TelegramApi(phones, media, self._telegram_sim, telegram_acts, flood, bot)
        self._wechat_http = WeChatApi(phones, media, self._wechat_sim, wechat, faults, options.wechat)
        self._telegram_http = TelegramHttp(phones, self._telegram_api, faults, token)
        wechat_acts = WeChatActs(phones, self._wechat_sim)
        self._wechat_pages = WeChatPages(phones, wechat_acts, wechat.appid, self._address)
        self._page = PageRoutes(
            phones,
            media,
            wechat_acts,
            telegram_acts,
            self._telegram_sim,
            faults,
            advance,
            options.zone,
        )
        self._http: aiohttp.ClientSession | None = None
        self._address()

    def add_routes(self, app: web.Application) -> None:
        """Put everything under `/sandbox`; streams end by themselves when the server begins to stop."""
        sandbox = web.Application(middlewares=[loopback_only, plain_errors])
        sandbox.add_routes(self._page.routes())
        sandbox.add_routes(self._wechat_pages.routes())
        sandbox.router.add_route("*", "/wechat-api/cgi-bin/{tail:.+}", self._wechat_http.handle)
        sandbox.router.add_route("*", "/telegram-api/bot{token}/{method}", self._telegram_http.handle)
        sandbox.router.add_get("/telegram-api/file/bot{token}/{path:.+}", self._telegram_http.download)
        app.add_subapp("/sandbox", sandbox)
        app.on_shutdown.append(self._let_go)

    async def start(self) -> None:
        """Begin to deliver; the product may start listening a moment later."""
        self._address()
        # A connection for each call: one that the product closed while idle would look like a lost message.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        self._wechat_sim.start(self._http)
        self._telegram_sim.start(self._http, self._telegram_api.call)

    async def stop(self) -> None:
        """Cut what is under way and write the chats down; raises OSError when they cannot be written."""
        self.phones.journal.close()
        await self._wechat_sim.stop()
        await self._telegram_sim.stop()
        if self._http is not None:
            await self._http.close()
            self._http = None
        await self.phones.flush()

    async def _let_go(self, _app: web.Application) -> None:
        self.phones.journal.close()
        await self._telegram_sim.stop()

    def _address(self) -> str:
        scheme, _, netloc = self.base_url.rstrip("/").partition("://")
        if scheme not in ("http", "https") or not is_loopback(netloc):
            raise ValueError(f"the sandbox plays only on this machine, not at {self.base_url}")
        return self.base_url.rstrip("/")
