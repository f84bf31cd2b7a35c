"""One WeChat Official Account (verified 服务号) behind the port: AES mode, XML, passive replies, 客服 messages."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from bot.platforms import wechat_channels, wechat_text, wechat_xml
from bot.platforms.base import Features, Outcome, Rejected
from bot.platforms.wechat_api import Http, WeChatApi
from bot.platforms.wechat_crypto import Crypto, sealed_part
from config.settings import WeChatAccount
from handlers.message import Inbound, MenuColumn, Reply

MAX_BODY = 64 * 1024
FRESH = 300  # seconds that a timestamp may be off, either way
BODY_TIME = 4.0  # seconds for the whole body: WeChat itself hangs up after five
SUCCESS = "success"  # anything else, even an encrypted empty reply, shows the person 服务故障
EVERYBODY = "volunteer"  # the menu without a tag
ROLES = (EVERYBODY, "specialist", "organiser")  # and "specialist@en": tags of which a person has at most one
SCENE_SECONDS = 2 * 86_400  # a page keeps one for a day
MENU_TIME = 5.0  # seconds for showing a person another menu
_MSGMENU_REFUSED = {"40200", "45098"}  # this account has no menu messages; this one has too many entries

_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z")
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_SIGNATURE = re.compile(r"[0-9a-f]{40}\Z")
_ECHO = re.compile(r"[\x21-\x7e]{1,512}\Z")

_log = structlog.get_logger(__name__)


class WeChat:
    """The port `Platform` for one account; `http` as for `WeChatApi`, `clock` gives POSIX time (the machine's)."""

    name = "wechat"
    features = Features(
        buttons=False,
        markdown=False,
        max_text=wechat_text.MAX_BYTES // 3,
        max_label=40,
        max_options=0,
        sensitive_in_chat=True,
        asks_location=False,
    )

    def __init__(
        self, account: str, settings: WeChatAccount, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        keys = [settings.encoding_aes_key, *filter(None, [settings.previous_aes_key])]
        self.account = account
        self.channels = wechat_channels.channels_of(settings)
        self._settings = settings
        self.api = WeChatApi(account, settings, http)
        self._clock = clock
        self._crypto = Crypto(
            token=settings.token.get_secret_value(),
            appid=settings.appid,
            aes_keys=[key.get_secret_value() for key in keys],
        )
        self._warming: asyncio.Task[Outcome] | None = None
        self._has_msgmenu = True
        self._tags: dict[str, int] = {}
        self._showing: set[asyncio.Task[None]] = set()

    # --- in ---

    async def accept(self, request: web.Request) -> bytes | web.Response:
        """GET: WeChat's check of the address, answered with its echostr. POST: the signed body, for `open`.

        Raises Rejected: 400 "query", "shape" or "slow", 403 "stale" or "signature", 405 "method", 413 "size",
        415 "encoding". The body is read last, in full at most 64 KiB, and no XML parser has seen it.
        """
        if request.method not in ("GET", "POST"):
            raise Rejected(405, "method")
        timestamp, nonce = _one(request, "timestamp", _TIMESTAMP), _one(request, "nonce", _NONCE)
        if request.method == "GET":
            signature, echo = _one(request, "signature", _SIGNATURE), _one(request, "echostr", _ECHO)
            self._check(timestamp, signature, timestamp, nonce)
            return web.Response(text=echo, headers={"X-Content-Type-Options": "nosniff"})
        signature = _one(request, "msg_signature", _SIGNATURE)
        if request.query.getall("encrypt_type", ["aes"]) != ["aes"]:
            raise Rejected(400, "query")
        if any(coding.strip().lower() != "identity" for coding in request.headers.getall("Content-Encoding", [])):
            raise Rejected(415, "encoding")
        body = await _body(request)
        self._check(timestamp, signature, timestamp, nonce, sealed_part(body))
        return body

    def _check(self, timestamp: str, signature: str, *parts: str | bytes) -> None:
        if abs(self._clock() - int(timestamp)) > FRESH:
            raise Rejected(403, "stale")
        if not self._crypto.signed(signature, *parts):
            raise Rejected(403, "signature")

    def open(self, raw: bytes, query: dict[str, str]) -> list[Inbound]:
        """Decrypt with the current key or the previous one, and translate. `accept` has checked the signature; an
        update may come back here from the spool long after. Raises Rejected(400 | 403)."""
        xml, _key = self._crypto.unseal(sealed_part(raw))
        return [wechat_xml.read(xml, self.account)]

    def answers_now(self, inbound: Inbound) -> bool:
        """See the port. The passive reply is WeChat's own way and has no limit."""
        return True

    def render(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> web.Response:
        """The passive reply, sealed with the key that opened the message, or `success`.

        Its CreateTime is that of the message, so that a repeat gets the same content and not just the same words.
        """
        text = wechat_text.text_of(reply, account=self.account) if reply else ""
        if not text:
            return web.Response(text=SUCCESS)
        xml, key = self._crypto.unseal(sealed_part(raw))
        answer = wechat_text.passive_xml(
            text, to=inbound.sender, account=wechat_xml.account_name(xml), time=int(inbound.sent_at.timestamp())
        )
        now = int(self._clock())
        nonce = query.get("nonce", "")
        envelope = self._crypto.envelope(
            answer, nonce=nonce if _NONCE.match(nonce) else str(now), timestamp=now, key=key
        )
        return web.Response(text=envelope, content_type="application/xml", charset="utf-8")

    async def acknowledge(self, inbound: Inbound, raw: bytes, reply: Reply | None = None) -> None:
        """Show the person the menu that `reply.menu` names, in the background: at most five seconds, best effort."""
        if reply is not None:
            self._begin_to_show(inbound.sender, reply)

    def _begin_to_show(self, openid: str, reply: Reply) -> None:
        if reply.menu:
            showing = asyncio.get_running_loop().create_task(self._show_menu(openid, reply.menu, reply.language))
            self._showing.add(showing)
            showing.add_done_callback(self._showing.discard)

    # --- out ---

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        """A 客服 message, or by another channel the reply's card. Only a template takes a key; by the others an
        attempt that may have arrived ends as "uncertain".

        Choices go as a menu message; an account that may not send those gets the numbered list, now and from then on.
        """
        if channel in wechat_channels.CARRY_CARDS:
            return await wechat_channels.send_card(
                self.api, self._settings, channel, sender, reply, key=key, deadline=deadline
            )
        message = wechat_text.custom_message(reply, account=self.account, menu=self._has_msgmenu)
        outcome = (await self.api.custom_send(sender, message, deadline=deadline)).outcome
        if message["msgtype"] == "msgmenu" and outcome.code in _MSGMENU_REFUSED:
            self._has_msgmenu = self._has_msgmenu and outcome.code != "40200"
            _log.warning("wechat_msgmenu_refused", account=self.account, code=outcome.code)
            message = wechat_text.custom_message(reply, account=self.account, menu=False)
            outcome = (await self.api.custom_send(sender, message, deadline=deadline)).outcome
        if outcome.name == "sent":
            self._begin_to_show(sender, reply)
        return outcome

    async def probe(self, *, deadline: float) -> Outcome:
        """See the port: the account's tags are asked for, with a token as for a message."""
        return (await self.api.tags_get(deadline=deadline)).outcome

    async def way_in(self, scene: str, *, deadline: float) -> str:
        """See the port: what a temporary QR code says, which only WeChat's own scanner understands. Those for good are
        100,000 an account, fewer than a province has doors."""
        answer = await self.api.qrcode_create(scene, seconds=SCENE_SECONDS, deadline=deadline)
        return str(answer.data.get("url", "")) if answer.ok else ""

    async def install_menu(self, menus: dict[str, tuple[MenuColumn, ...]]) -> Outcome:
        """Everybody's menu, then one for each other role and language by a tag of its name, made where missing. (By the
        app's language itself WeChat matches no menu any more: 65320.)

        What hangs there is taken down first: WeChat adds a conditional menu with every call, and never drops one of an
        earlier version. So it can be begun anew wherever it was cut.

        Stops at the first call that fails and returns its outcome. Raises ValueError for a menu over 3 × 5.
        """
        buttons = {role: _buttons(columns) for role, columns in menus.items()}
        if EVERYBODY in buttons:
            answer = await self.api.menu_delete()
            if not answer.ok:
                return answer.outcome
            answer = await self.api.menu_create(buttons.pop(EVERYBODY))
            if not answer.ok:
                return answer.outcome
        if not buttons:
            return Outcome("sent")
        answer = await self.api.tags_get()
        if not answer.ok:
            return answer.outcome
        tags = _tag_ids(answer.data.get("tags"))
        for role, columns in buttons.items():
            if role not in tags:
                answer = await self.api.tags_create(role)
                tags |= _tag_ids([answer.data.get("tag")])
                if role not in tags:
                    return Outcome("uncertain", "tag") if answer.ok else answer.outcome
            answer = await self.api.menu_add_conditional(columns, tags[role])
            if not answer.ok:
                return answer.outcome
        self._tags = tags
        return Outcome("sent")

    async def _show_menu(self, openid: str, role: str, language: str) -> None:
        """WeChat shows a menu by tag: give the person the tag of `role`, in their language where there is one, and take
        those of the other menus. Most have the right one already."""
        deadline = asyncio.get_running_loop().time() + MENU_TIME
        if not self._tags:
            self._tags = _tag_ids((await self.api.tags_get(deadline=deadline)).data.get("tags"))
        ours = {name: tag for name, tag in self._tags.items() if name.partition("@")[0] in ROLES}
        wanted = ours.get(f"{role}@{language}", ours.get(role))
        answer = await self.api.tags_of(openid, deadline=deadline)
        held = answer.data.get("tagid_list") if answer.ok else None
        has = set(held) if isinstance(held, list) else set(ours.values()) - {wanted}
        for tag in ours.values():
            if tag != wanted and tag in has:
                await self.api.tags_withdraw(tag, [openid], deadline=deadline)
        if wanted is not None and wanted not in has:
            await self.api.tags_assign(wanted, [openid], deadline=deadline)

    async def start(self, receive: Callable[[Inbound], Awaitable[None]]) -> None:
        """Fetch the token beforehand. Updates come in by the webhook only, so `receive` is not needed."""
        self._warming = asyncio.get_running_loop().create_task(self.api.warm())

    async def stop(self) -> None:
        """Cut what runs in the background."""
        self.api.stop()
        running = [*self._showing, *([self._warming] if self._warming else [])]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=1.0)


async def _body(request: web.Request) -> bytes:
    """The body, however it is framed; Rejected 413 beyond the cap, 400 "slow" when it trickles."""
    if (request.content_length or 0) > MAX_BODY:
        raise Rejected(413, "size")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIME):
            async for part in request.content.iter_any():
                body += part
                if len(body) > MAX_BODY:
                    raise Rejected(413, "size")
    except TimeoutError:
        raise Rejected(400, "slow") from None
    except (web.RequestPayloadError, OSError):  # broken framing, or hung up in the middle
        raise Rejected(400, "shape") from None
    return bytes(body)


def _one(request: web.Request, name: str, form: re.Pattern[str]) -> str:
    """A query parameter that is there once and well-formed."""
    values = request.query.getall(name, [])
    if len(values) != 1 or not form.match(values[0]):
        raise Rejected(400, "query")
    return values[0]


def _buttons(columns: tuple[MenuColumn, ...]) -> list[dict[str, Any]]:
    if len(columns) > 3 or any(not 1 <= len(column.entries) <= 5 for column in columns):
        raise ValueError("a WeChat menu has at most 3 columns of 1–5 entries")
    return [
        {
            "name": column.label,
            "sub_button": [{"type": "click", "name": entry.label, "key": entry.key} for entry in column.entries],
        }
        for column in columns
    ]


def _tag_ids(tags: object) -> dict[str, int]:
    """Name and id of each tag in an answer, whatever else is in it."""
    items = tags if isinstance(tags, list) else []
    return {
        str(tag["name"]): tag["id"]
        for tag in items
        if isinstance(tag, dict) and "name" in tag and isinstance(tag.get("id"), int)
    }
