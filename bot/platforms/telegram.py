"""One Telegram bot as a platform: the webhook or long polling in, replies and messages out.

The pieces: telegram_update.py reads, telegram_message.py lays out, telegram_request.py calls, telegram_outcome.py
names how a call ended, telegram_polling.py asks for updates where there is no public address.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from telegram import Bot, BotCommand, BotCommandScopeChat, LinkPreviewOptions, MenuButtonCommands
from telegram.error import InvalidToken, TelegramError

from bot.loopback import is_loopback
from bot.platforms.base import ONE_CHANNEL, Outcome, Rejected
from bot.platforms.telegram_message import FEATURES, show
from bot.platforms.telegram_outcome import outcome_of
from bot.platforms.telegram_pace import Pace
from bot.platforms.telegram_polling import Pause, Polling
from bot.platforms.telegram_request import CALL_SECONDS, AiohttpRequest
from bot.platforms.telegram_update import WANTED_UPDATES, callback_id, read_parsed, read_update
from config.settings import TelegramAccount
from handlers.message import Inbound, MenuColumn, Reply

MAX_BODY = 64 * 1024  # real updates stay under 10 KB
_BODY_SECONDS = 5.0
_SPINNER_SECONDS = 5.0
_LAST_SECONDS = 2.0
_WEBHOOK_CONNECTIONS = 40
_WEBHOOK_PAUSE = 300.0
_MAX_BACKGROUND = 200
_MAX_COMMANDS = 100
_EVERYBODY = "volunteer"
_APP_LANGUAGE = re.compile(r"[a-z]{2}\Z")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
# Telegram fetches a page to show a preview of it; a one-time page must be opened by its person alone.
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True).to_dict()
_NO_PREVIEW_FORM = json.dumps(_NO_PREVIEW)
_ENCODER = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one for each answer

log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Telegram:
    """The port `Platform` for one bot. `now` is the clock for pressed buttons, which carry no time of their own.

    `public_url` is this deployment's own address; the webhook is set to `<public_url>/telegram/<account>`.
    """

    name = "telegram"
    features = FEATURES
    channels = ONE_CHANNEL

    def __init__(
        self,
        account: str,
        settings: TelegramAccount,
        public_url: str,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.account = account
        self._settings = settings
        self._public_url = public_url.rstrip("/")
        self._now = now
        secret = settings.secret_token
        self._secret = secret.get_secret_value().encode() if secret is not None else b""
        # Their debug lines hold the token, and what people write.
        for library in ("telegram", "httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        token = settings.token.get_secret_value()
        self._base = f"{settings.api_base}/bot{token}"
        self._request = AiohttpRequest(token.partition(":")[2])
        self._bot = Bot(
            token,
            base_url=f"{settings.api_base}/bot",
            base_file_url=f"{settings.api_base}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._menus: dict[str, tuple[MenuColumn, ...]] = {}
        self._username = ""
        self._pace = Pace()
        self._sending = 0
        self._polling: Polling | None = None
        self._background: set[asyncio.Task[None]] = set()

    # In

    async def accept(self, request: web.Request) -> bytes | web.Response:
        """See the port. The secret is compared before anything of the body is looked at."""
        if request.method != "POST":
            raise Rejected(405, "method")
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret) or not self._secret:
            raise Rejected(403, "signature")
        if request.content_type != "application/json":
            raise Rejected(415, "type")
        if "Content-Encoding" in request.headers:
            raise Rejected(415, "encoding")
        return await _read_body(request)

    def open(self, raw: bytes, query: dict[str, str]) -> list[Inbound]:
        """See the port."""
        return read_update(raw, self.account, self._now)

    def answers_now(self, inbound: Inbound) -> bool:
        """See the port. How a call in an answer ended is never told, so what might meet a limit is no such call."""
        return self._pace.take(inbound.sender)

    def render(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> web.Response:
        """The reply as a call in the webhook's answer. Telegram never tells how that call ended."""
        if reply is None:
            return web.Response()
        shown = show(reply)
        call: dict[str, Any] = {
            "method": "sendMessage",
            "chat_id": int(inbound.sender),
            "text": shown.text,
            "link_preview_options": _NO_PREVIEW,
        }
        if shown.markup is not None:
            call["reply_markup"] = shown.markup
        body = _ENCODER.encode(call).encode("utf-8", "replace")
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def acknowledge(self, inbound: Inbound, raw: bytes, reply: Reply | None = None) -> None:
        """Finish what one webhook answer cannot hold; the route calls it after the answer.

        Stops the spinner on a pressed button and shows the person the command list that `reply.menu` names. Both
        run in the background, at most five seconds, best effort: the state is right without them. Returns at once.
        The buttons of an answered message stay; pressed again they get “这一步已经回答过了”.
        """
        if inbound.kind == "choice":
            self.stop_spinner(callback_id(json.loads(raw)))
        if reply is not None:
            self._show_menu(inbound.sender, reply)

    # Out

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        """See the port. Telegram knows no idempotency: `key` is not used, so what is uncertain stays uncertain."""
        if not re.fullmatch(r"-?[0-9]{1,16}", sender):
            return Outcome("refused", code="chat-id")
        shown = show(reply)
        seconds = min(deadline - asyncio.get_running_loop().time(), CALL_SECONDS)
        if seconds <= 0:
            return Outcome("retry", code="late")
        form = {"chat_id": sender, "text": shown.text, "link_preview_options": _NO_PREVIEW_FORM}
        if shown.markup is not None:
            form["reply_markup"] = json.dumps(shown.markup)
        self._sending += 1
        try:
            # Not by the library's Bot: what it does around the call costs as much as the call (docs/performance.md).
            message = await self._request.call(f"{self._base}/sendMessage", form, seconds)
        except TelegramError as error:
            return self._ended(outcome_of(error))
        finally:
            self._sending -= 1
        number = _message_id(message)
        if number is None:
            return self._ended(Outcome("uncertain", code="200"))
        self._pace.take(sender)  # answers count what was sent beside them
        self._show_menu(sender, reply)
        return Outcome("sent", code="200", reference=str(number))

    async def probe(self, *, deadline: float) -> Outcome:
        """See the port."""
        seconds = min(deadline - asyncio.get_running_loop().time(), CALL_SECONDS)
        try:
            await self._request.call(f"{self._base}/getMe", {}, max(seconds, 0.0))
        except TelegramError as error:
            return self._ended(outcome_of(error))
        return Outcome("sent", code="200")

    async def way_in(self, scene: str, *, deadline: float) -> str:
        """See the port: a deep link. The bot's name is asked for once."""
        if not self._username:
            seconds = min(deadline - asyncio.get_running_loop().time(), CALL_SECONDS)
            try:
                me = await self._request.call(f"{self._base}/getMe", {}, max(seconds, 0.0))
            except TelegramError as error:
                self._ended(outcome_of(error))
                return ""
            self._username = str(me.get("username", "")) if isinstance(me, dict) else ""
        return f"https://t.me/{self._username}?start={scene}" if self._username else ""

    async def install_menu(self, menus: dict[str, tuple[MenuColumn, ...]]) -> Outcome:
        """Put up the command lists and the menu button beside the input line.

        "volunteer" becomes everybody's list, and "volunteer@en" that of apps in this language (two letters, as Telegram
        wants them). For a single chat the list of a role is put up when a reply names it (`Reply.menu`), in the
        language that this person chose.
        """
        for columns in menus.values():
            if any(not _COMMAND.match(entry.key) for column in columns for entry in column.entries):
                return self._ended(Outcome("refused", code="command-name"))
        self._menus = dict(menus)
        try:
            for role, columns in menus.items():
                everybody, _, language = role.partition("@")
                if everybody == _EVERYBODY and (not language or _APP_LANGUAGE.match(language)):
                    await self._bot.set_my_commands(_commands(columns), language_code=language or None)
            await self._bot.set_chat_menu_button(menu_button=MenuButtonCommands())
        except TelegramError as error:
            return self._ended(outcome_of(error))
        return Outcome("sent", code="200")

    # Beside

    async def start(self, receive: Callable[[Inbound], Awaitable[None]]) -> None:
        """Begin long polling, or set the webhook in the background. Returns at once; never fails for the net."""
        if self._settings.mode == "polling":
            self._polling = Polling(self.account, self, receive)
            self._polling.start()
        elif not self._secret:
            log.error("telegram_webhook_without_secret", account=self.account)
        elif self._public_url.startswith("https://"):
            self._begin(self._set_webhook())
        elif all(is_loopback(urlsplit(url).netloc) for url in (self._public_url, self._settings.api_base)):
            log.info(
                "telegram_played_here",
                account=self.account,
                hint="Telegram is played on this machine and knows where to call; the real one needs https",
            )
        else:
            log.warning(
                "telegram_webhook_not_set",
                account=self.account,
                hint="NUANYANG_PUBLIC_URL is no https address, which Telegram needs",
            )

    async def stop(self) -> None:
        """End within three seconds; messages under way have two of them, then an unanswered call is cut."""
        if self._polling is not None:
            await self._polling.stop()
        background = list(self._background)
        for task in background:
            task.cancel()
        if background:
            await asyncio.wait(background, timeout=0.5)
        ends = asyncio.get_running_loop().time() + _LAST_SECONDS
        while self._sending and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 for two seconds at most
            await asyncio.sleep(0.02)
        await self._request.shutdown()

    async def fetch_updates(self, form: dict[str, str], seconds: float) -> object:
        """For Polling: one getUpdates call."""
        return await self._request.call(f"{self._base}/getUpdates", form, seconds)

    async def delete_webhook(self) -> None:
        """For Polling: what waits at Telegram is kept."""
        await self._bot.delete_webhook()

    def read(self, update: object) -> list[Inbound]:
        """For Polling: one update of a list."""
        return read_parsed(update, self.account, self._now)

    def stop_spinner(self, callback: str) -> None:
        """Tell Telegram, in the background, that a pressed button was taken; an empty id is none."""
        if callback:
            self._begin(
                self._attempt(partial(self._bot.answer_callback_query, callback, read_timeout=_SPINNER_SECONDS))
            )

    def _show_menu(self, sender: str, reply: Reply) -> None:
        columns = self._menus.get(f"{reply.menu}@{reply.language}") or self._menus.get(reply.menu)
        if columns is not None:
            call = partial(
                self._bot.set_my_commands,
                _commands(columns),
                scope=BotCommandScopeChat(int(sender)),
                read_timeout=_SPINNER_SECONDS,
            )
            self._begin(self._attempt(call))

    async def _set_webhook(self) -> None:
        pause = Pause(_WEBHOOK_PAUSE)
        while True:
            try:
                await self._bot.set_webhook(
                    f"{self._public_url}/telegram/{self.account}",
                    secret_token=self._secret.decode(),
                    allowed_updates=WANTED_UPDATES,
                    max_connections=_WEBHOOK_CONNECTIONS,
                )
            except TelegramError as error:
                refused = isinstance(error, InvalidToken)
                log.warning(
                    "telegram_webhook_failed",
                    account=self.account,
                    error=type(error).__name__,
                    hint="check the bot's token and API_BASE" if refused else "trying again",
                )
                await asyncio.sleep(pause.after(error))
            else:
                log.info("telegram_webhook_set", account=self.account)
                return

    async def _attempt(self, call: Callable[[], Awaitable[bool]]) -> None:
        try:
            await call()
        except TelegramError as error:
            # Late spinners are the rule after an outage: Telegram forgets a pressed button within a minute.
            log.info("telegram_courtesy_failed", account=self.account, code=outcome_of(error).code)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._background) >= _MAX_BACKGROUND:
            log.warning("telegram_courtesy_skipped", account=self.account)
            work.close()
            return
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _ended(self, outcome: Outcome) -> Outcome:
        log.info("telegram_call_ended", account=self.account, outcome=outcome.name, code=outcome.code)
        return outcome


def _message_id(message: object) -> int | None:
    """The number of a message as the Bot API tells of it; None = this is no such thing."""
    if not isinstance(message, dict) or not isinstance(message.get("chat"), dict):
        return None
    number, date = message.get("message_id"), message.get("date")
    return number if type(number) is int and type(date) is int else None


def _commands(columns: tuple[MenuColumn, ...]) -> list[BotCommand]:
    # A key that stands in two columns is one command.
    labels: dict[str, str] = {}
    for column in columns:
        for entry in column.entries:
            labels.setdefault(entry.key, entry.label)
    return [BotCommand(key, label[:256]) for key, label in labels.items()][:_MAX_COMMANDS]


async def _read_body(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise Rejected(413, "size")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Rejected(413, "size")
    except TimeoutError:
        raise Rejected(400, "slow") from None
    except (web.RequestPayloadError, OSError):
        raise Rejected(400, "cut") from None
    return bytes(body)
