"""The composition root: the one place that knows every concrete class and puts them together."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from bot import pages, routes, scene_pages
from bot.deliver import Deliverer
from bot.last_moment import last_moment
from bot.metrics import Metrics
from bot.parts import PARTS, Parts
from bot.platforms.base import Platform
from bot.platforms.telegram import Telegram
from bot.platforms.wechat import WeChat
from bot.receive import Receiver
from bot.sending_line import CHAT_SECONDS, Limits
from bot.spool import Spool
from bot.uploads import Uploads
from config.settings import Settings
from handlers import menu
from handlers.here import Here
from handlers.message import Inbound
from models.channel import asked_at
from models.database import Database
from models.installed import is_installed, remember
from scheduler.ticker import Ticker

log = structlog.get_logger(__name__)

ALL_ROLES = ("web", "open", "deliver", "tick")
STOP_SECONDS = 6.0  # for everything at once; open requests are drained after it, and the whole stop has 10 s
FLUSH_SECONDS = 1.0  # of these, for writing down which replies were handed over


class App:
    """Everything that runs in one process. `web` is the aiohttp application; start and stop go with it.

    `roles` says what this process does: "web" (routes), "open" (polling, tokens, menus), "deliver" (outbox),
    "tick" (jobs).
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        spool: Path,
        public_url: str | None = None,
        roles: tuple[str, ...] = ALL_ROLES,
    ) -> None:
        self.settings = settings
        self.database = database
        self.roles = roles
        self.public_url = (settings.public_url if public_url is None else public_url).rstrip("/")
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.metrics = Metrics()
        self.spool = Spool(spool, database.vault)
        self._http: ClientSession | None = None
        self.platforms: Mapping[tuple[str, str], Platform] = self._platforms()
        self.receiver = Receiver(
            database, self.spool, self.here, answers_now=self._answers_now, observe=self._observe_turn
        )
        self.deliverer = Deliverer(
            database, self.platforms, self._here, self.name, limits=self._limits(), observe=self._observe_sent
        )
        self.ticker = Ticker(database, observe=lambda job, outcome: self.metrics.jobs.labels(job, outcome).inc())
        self.uploads = Uploads(database, spool, settings.timezone)
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.web = web.Application(middlewares=[routes.count_requests, routes.plain_errors], client_max_size=64 * 1024)
        self.parts = Parts(
            name=self.name,
            roles=roles,
            database=database,
            platforms=self.platforms,
            receiver=self.receiver,
            spool=self.spool,
            metrics=self.metrics,
            ticker=self.ticker,
            uploads=self.uploads,
            operator=settings.operator_name,
            operator_contact=settings.operator_contact,
        )
        self.web[PARTS] = self.parts
        if "web" in roles:
            routes.add(self.web)
            pages.add(self.web)
            scene_pages.add(self.web)
        self.web.on_startup.append(self._on_startup)
        self.web.on_shutdown.append(self._on_shutdown)
        self.web.on_cleanup.append(self._on_cleanup)

    def here(self, inbound: Inbound) -> Here:
        """Where an update's talk is held."""
        return self._here(inbound.platform, inbound.account)

    def _here(self, platform: str, account: str) -> Here:
        found = self.platforms.get((platform, account))
        return Here(
            platform=platform,
            account=account,
            sensitive_in_chat=found.features.sensitive_in_chat if found else False,
            sure_answers=found.features.sure_answers if found else True,
            asks=asked_at(found.channels if found else ()),
            public_url=self.public_url,
            zone=self.settings.timezone,
            operator=self.settings.operator_name,
            operator_contact=self.settings.operator_contact,
        )

    def _answers_now(self, inbound: Inbound) -> bool:
        return self.platforms[inbound.platform, inbound.account].answers_now(inbound)

    def _platforms(self) -> dict[tuple[str, str], Platform]:
        found: dict[tuple[str, str], Platform] = {}
        for name, wechat in self.settings.wechat.items():
            found["wechat", name] = WeChat(name, wechat, self.http)
        for name, telegram in self.settings.telegram.items():
            found["telegram", name] = Telegram(name, telegram, self.public_url)
        return found

    def _limits(self) -> dict[tuple[str, str], Limits]:
        found: dict[tuple[str, str], Limits] = {}
        for name, wechat in self.settings.wechat.items():
            found["wechat", name] = Limits(wechat.sends_a_second, wechat.sends_at_once)
        for name, telegram in self.settings.telegram.items():
            # One message a second in a chat (platforms.md); whoever lifts the account's limit has no need of it either.
            chat = CHAT_SECONDS if telegram.sends_a_second else 0.0
            found["telegram", name] = Limits(telegram.sends_a_second, telegram.sends_at_once, chat)
        return found

    def http(self) -> ClientSession:
        """The session that outgoing calls share, made on first use inside the running loop."""
        if self._http is None or self._http.closed:
            self._http = ClientSession(
                timeout=ClientTimeout(total=10, sock_connect=5),
                # No limit: the delivery engine has its own, and hanging calls must not keep an emergency waiting.
                connector=TCPConnector(limit=0, keepalive_timeout=15),
                trace_configs=[last_moment()],
                trust_env=True,
            )
        return self._http

    async def receive(self, inbound: Inbound) -> None:
        """For doors without an answer (long polling): returns after the commit, or with the update in the spool."""
        await self.receiver.receive(inbound, passive=False)

    async def _on_startup(self, _app: web.Application) -> None:
        await asyncio.to_thread(self.spool.open)
        self._spawn(self.receiver.keep_up(self.stopping), "keep_up")
        if "deliver" in self.roles:
            self._spawn(self.deliverer.run(self.stopping), "deliver")
        if "tick" in self.roles:
            self.ticker.start()
        if "open" in self.roles:
            for key, platform in self.platforms.items():
                self._spawn(self._open_platform(key, platform), f"open {key[0]}")

    async def _open_platform(self, key: tuple[str, str], platform: Platform) -> None:
        """Begin polling or token fetching, and put the menus up; neither is needed to answer, so neither is fatal."""
        await platform.start(self.receive)
        menus = menu.commands() if platform.features.commands else menu.menus()
        name, content = f"menu:{key[0]}:{key[1]}", repr(menus)
        # A list of commands may be put up again and again; WeChat adds another conditional menu each time.
        if not platform.features.commands:
            if await asyncio.to_thread(self._has, name, content):
                return
            # Its menus are taken down before new ones go up. Cut in the middle, and started again as the version that
            # hung there before, it must not believe that they still hang.
            await asyncio.to_thread(self._keep, name, "")
        outcome = await platform.install_menu(menus)
        log.info("menu_installed", platform=key[0], account=key[1], outcome=outcome.name, code=outcome.code)
        if outcome.name == "sent":
            await asyncio.to_thread(self._keep, name, content)

    def _has(self, name: str, content: str) -> bool:
        with self.database.read() as session:
            return is_installed(session, name, content)

    def _keep(self, name: str, content: str) -> None:
        with self.database.write() as session:
            remember(session, name, content)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)

        def done(ended: asyncio.Task[Any]) -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and ended.exception() is not None:
                log.error("task_failed", task=name, exc_info=ended.exception())

        task.add_done_callback(done)

    async def _on_shutdown(self, _app: web.Application) -> None:
        """Everything stops side by side under one deadline; what is not done by then is cut."""
        self.stopping.set()
        self.ticker.stop()
        self.uploads.stop()
        for task in self._tasks:
            if task.get_name().startswith("open "):
                task.cancel()  # nobody waits for a menu, and the next start puts it up
        for kind, account in self.platforms:
            self._spawn(self.platforms[kind, account].stop(), f"stop {kind}")
        self._spawn(self.receiver.stop(STOP_SECONDS - FLUSH_SECONDS), "stop receiver")
        _done, left = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in left:
            log.warning("stop_cut_task", task=task.get_name())
            task.cancel()

    async def _on_cleanup(self, _app: web.Application) -> None:
        if self._http is not None:
            await self._http.close()
        await asyncio.to_thread(self.database.dispose)

    def _observe_turn(self, outcome: str, seconds: float) -> None:
        self.metrics.turns.labels(outcome).observe(seconds)

    def _observe_sent(self, platform: str, outcome: str) -> None:
        self.metrics.sent.labels(platform, outcome).inc()
