"""The bot in a terminal: full turns on the configured database, in plain lines that a screen reader can follow.

A terminal is a platform of its own with one account a name, so that what is sent later (an answer of a specialist, a
reminder) comes out here too, through the same outbox as everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.deliver import Deliverer
from bot.platforms.base import ONE_CHANNEL, Features, Outcome, Rejected
from bot.receive import Receiver
from bot.spool import Spool
from config.settings import Settings
from config.texts import _
from handlers.here import Here
from handlers.message import Inbound, MenuColumn, Reply
from models import inbox
from models.database import Database
from models.person import door_of

PLATFORM = "terminal"
FEATURES = Features(
    buttons=False,
    markdown=False,
    max_text=0,
    max_label=0,
    max_options=0,
    sensitive_in_chat=True,
    asks_location=False,
)
LEAVE = ("/退出", "/quit", "/exit")
_LOCATION = re.compile(r"/(?:位置|location)\s+(-?[\d.]+)[,，\s]+(-?[\d.]+)\s*\Z")
_MEDIA = {
    "/图片": "image",
    "/image": "image",
    "/语音": "voice",
    "/voice": "voice",
    "/贴纸": "sticker",
    "/sticker": "sticker",
}


class Terminal:
    """The port `Platform` for one person at this terminal. There is no door from the web."""

    name = PLATFORM
    features = FEATURES
    channels = ONE_CHANNEL

    def __init__(self, account: str, show: Callable[[str], None]) -> None:
        self.account = account
        self._show = show

    async def accept(self, request: web.Request) -> bytes | web.Response:
        """See the port."""
        raise Rejected(404, "terminal")

    def open(self, raw: bytes, query: dict[str, str]) -> list[Inbound]:
        """See the port."""
        raise Rejected(404, "terminal")

    def answers_now(self, inbound: Inbound) -> bool:
        """See the port."""
        return True

    def render(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> web.Response:
        """See the port."""
        return web.Response(status=404)

    async def acknowledge(self, inbound: Inbound, raw: bytes, reply: Reply | None = None) -> None:
        """See the port: there is nothing to finish."""

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        """Print it."""
        self._show(words(reply))
        return Outcome("sent", reference=key)

    async def way_in(self, scene: str, *, deadline: float) -> str:
        """Nobody scans a terminal."""
        return ""

    async def probe(self, *, deadline: float) -> Outcome:
        """See the port: a terminal refuses nobody."""
        return Outcome("sent")

    async def install_menu(self, menus: dict[str, tuple[MenuColumn, ...]]) -> Outcome:
        """See the port: the menu is shown by the word 菜单."""
        return Outcome("sent")

    async def start(self, receive: Callable[[Inbound], Awaitable[None]]) -> None:
        """See the port: what is typed comes by `talk`."""

    async def stop(self) -> None:
        """See the port."""


def words(reply: Reply) -> str:
    """A reply as plain lines: the text, numbered options, links."""
    lines = [reply.text]
    lines += [f"{number}. {option.label}" for number, option in enumerate(reply.options, 1)]
    lines += [f"{link.label}: {link.url}" for link in reply.links]
    if reply.asks_location:
        lines.append(_("（发送位置：/位置 纬度,经度）"))
    return "\n".join(lines)


def heard(typed: str, name: str) -> Inbound:
    """What a typed line is: words, a location, a picture … or words again where the line is no command."""
    facts: dict[str, Any] = {"kind": "text", "text": typed}
    place = _LOCATION.match(typed)
    if place:
        with contextlib.suppress(ValueError):
            facts = {"kind": "location", "latitude": float(place[1]), "longitude": float(place[2])}
    elif typed.strip() in _MEDIA:
        facts = {"kind": "media", "media_kind": _MEDIA[typed.strip()]}
    return _inbound(name, **facts)


def _inbound(name: str, **facts: Any) -> Inbound:
    return Inbound(
        platform=PLATFORM,
        account=name,
        sender=name,
        key=secrets.token_hex(12),
        sent_at=datetime.now(UTC),
        language=os.environ.get("NUANYANG_LANGUAGE", ""),
        **facts,
    )


class Chat:
    """One person's talk: each line is one turn in one transaction, then whatever waits for this person is printed."""

    def __init__(self, settings: Settings, database: Database, name: str, show: Callable[[str], None]) -> None:
        self._database = database
        self._settings = settings
        self._name = name
        self._show = show
        # Never written to: a turn here waits for its database instead of for a deadline.
        spool = Spool(Path(tempfile.gettempdir()) / "nuanyang-chat-unused", database.vault)
        self._receiver = Receiver(database, spool, lambda _inbound: self._here(PLATFORM, name), threads=1)
        platforms = {(PLATFORM, name): Terminal(name, show)}
        self._deliverer = Deliverer(database, platforms, self._here, f"chat-{os.getpid()}-{secrets.token_hex(3)}")

    def _here(self, platform: str, account: str) -> Here:
        return Here(
            platform=platform,
            account=account,
            sensitive_in_chat=True,
            public_url=self._settings.public_url,
            zone=self._settings.timezone,
            operator=self._settings.operator_name,
            operator_contact=self._settings.operator_contact,
        )

    def greet(self) -> None:
        """Somebody new follows first, as on every platform."""
        with self._database.read() as session:
            known = door_of(session, PLATFORM, self._name, self._name) is not None
        if not known:
            self.say(_inbound(self._name, kind="follow"))

    def say(self, inbound: Inbound) -> None:
        """One turn; prints the reply."""
        received = self._receiver.transact(inbound, passive=True)
        if received.reply is not None:
            self._show(words(received.reply))
        if received.row:
            with self._database.write() as session:
                inbox.mark_handed(session, [received.row])

    async def deliver(self) -> None:
        """Print what waits in the outbox for this person."""
        while await self._deliverer.once():
            pass

    async def stop(self) -> None:
        """Give the lease up, so that the same name can talk again at once."""
        stopping = asyncio.Event()
        stopping.set()
        await self._deliverer.run(stopping)
        await self._receiver.stop(1.0)


def talk(settings: Settings, database: Database, name: str) -> None:
    """Read lines until Ctrl-D or /退出. Raises DatabaseAway."""
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 its import gives input() line editing and history
    chat = Chat(settings, database, name, lambda text: print(text, end="\n\n", flush=True))
    with asyncio.Runner() as loop:
        try:
            print(_("（离开：输入 /退出，或按 Ctrl-D）"), end="\n\n", flush=True)
            chat.greet()
            while True:
                loop.run(chat.deliver())
                typed = input("> " if sys.stdin.isatty() else "")
                if typed.strip() in LEAVE:
                    return
                chat.say(heard(typed, name))
        except EOFError:
            return
        finally:
            loop.run(chat.stop())
