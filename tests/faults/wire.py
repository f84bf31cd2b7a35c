"""The platforms' side of the wire: what they send to the product, what they answer to its calls, and a log of both.

It knows nothing of the product but its addresses and secrets, and seals WeChat's envelopes with other people's code
(wechatpy).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from wechatpy.crypto import WeChatCrypto

APPID, SECRET, TOKEN = "wx0123456789abcdef", "app-secret", "AAAAA"
AES_KEY = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz"
BOT_TOKEN, BOT_SECRET = "123456789:AA-player_token", "a-secret-hook-of-the-player"
ACCOUNT, OWN_NAME = "fault", "gh_player"
CUT, PATIENCE = 5.0, 120.0  # seconds: WeChat's cut; how long a person waits for an answer
TELEGRAM_CUT = 30.0
AGAIN = "（补发，如已收到请忽略）"

Hears = Callable[[str], None]


@dataclass(frozen=True)
class Said:
    """One update of a person. `at` is the time that the platform gave it (its CreateTime or date), `key` its number;
    `click` is the menu entry that was pressed instead of writing."""

    platform: str
    sender: str
    key: int
    at: int
    words: str = ""
    click: str = ""


@dataclass(frozen=True)
class Answer:
    """What one call of the webhook came to: `text` for the person (empty for none), `whole` as the platform opened it.
    `why` is empty when it was acknowledged."""

    text: str = ""
    whole: str = ""
    why: str = ""
    took: float = 0.0


@dataclass
class Wire:
    """Both platforms. `targets` are the copies of the product; each try goes to the next one."""

    log_file: Path
    seed: int
    busy: float = 0.0
    targets: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)  # messages by their words, and how often each came
    listeners: dict[str, Hears] = field(default_factory=dict)  # by sender: hears what came by the API

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._crypto = WeChatCrypto(TOKEN, AES_KEY, APPID)
        self._log = self.log_file.open("a", encoding="utf-8", buffering=1)
        self._number = self.random.randrange(10**6, 10**9)
        self._turn = 0

    def note(self, what: str, **facts: Any) -> None:
        """A line of the log: what was seen, and when."""
        self._log.write(json.dumps({"at": time.time(), "what": what, **facts}, ensure_ascii=False) + "\n")

    def next(self) -> int:
        """A number that was not there before."""
        self._number += 1
        return self._number

    # --- what the product calls ---

    def application(self) -> web.Application:
        """Both APIs."""
        app = web.Application()
        app.router.add_route("*", "/wechat/cgi-bin/{tail:.+}", self.wechat)
        app.router.add_route("*", "/telegram/bot{token}/{method}", self.telegram)
        return app

    async def wechat(self, request: web.Request) -> web.Response:
        """The Official Account's API: everything is taken, and messages are heard by their receivers."""
        path = request.path.partition("/cgi-bin/")[2]
        if path == "stable_token":
            return web.json_response({"access_token": "token-of-the-player", "expires_in": 7200})
        body = await request.json() if request.can_read_body else {}
        if path == "message/custom/send":
            kind = body["msgtype"]
            text = body[kind].get("content") or body[kind].get("head_content", "")
            self.call(body["touser"], text)
            await self._take_time()
        if path == "tags/get":
            return web.json_response({"tags": []})
        if path == "tags/create":
            return web.json_response({"tag": {"id": self.next(), "name": body["tag"]["name"]}})
        return web.json_response({"errcode": 0, "errmsg": "ok", "tagid_list": [], "menuid": "1"})

    async def telegram(self, request: web.Request) -> web.Response:
        """The Bot API."""
        method = request.match_info["method"]
        body = dict(await request.post()) if request.content_type != "application/json" else await request.json()
        if method == "sendMessage":
            self.call(str(body["chat_id"]), str(body["text"]))
            await self._take_time()
            chat = {"id": int(str(body["chat_id"])), "type": "private"}
            sent = {"message_id": self.next(), "date": int(time.time()), "chat": chat}
            return web.json_response({"ok": True, "result": sent})
        me = {"id": 123456789, "is_bot": True, "first_name": "player", "username": "player_bot"}
        return web.json_response({"ok": True, "result": me if method == "getMe" else True})

    def call(self, sender: str, text: str) -> None:
        """A message that came by the API and not as an answer."""
        self.note("call", sender=sender, text=text)
        self.calls[text] = self.calls.get(text, 0) + 1
        if sender in self.listeners:
            self.listeners[sender](text)

    async def _take_time(self) -> None:
        """What a platform takes until it answers; a process that dies meanwhile never learns the outcome."""
        if self.busy:
            await asyncio.sleep(self.random.uniform(0, self.busy))

    # --- what the platforms call ---

    async def post(self, http: aiohttp.ClientSession, said: Said) -> Answer:
        """One try; every failure is an answer too."""
        body = self.xml(said) if said.platform == "wechat" else json.dumps(self.update(said))
        return await self.post_raw(http, said.platform, body.encode(), key=said.key)

    async def post_raw(self, http: aiohttp.ClientSession, platform: str, body: bytes, *, key: int = 0) -> Answer:
        """The same with whatever bytes, sealed and signed as the platform does."""
        self._turn += 1
        target = self.targets[self._turn % len(self.targets)]
        began = time.monotonic()
        try:
            send = self._post_wechat if platform == "wechat" else self._post_telegram
            text, whole = await send(http, target, body)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            why = str(error.status) if isinstance(error, aiohttp.ClientResponseError) else type(error).__name__
            self.note("not acknowledged", key=key, why=why, took=round(time.monotonic() - began, 3))
            return Answer(why=why, took=time.monotonic() - began)
        took = time.monotonic() - began
        self.note("acknowledged", key=key, took=round(took, 3), answer=text)
        return Answer(text, whole, took=took)

    def xml(self, said: Said) -> str:
        """WeChat's message, or the event of a pressed menu entry, which has no number of its own."""
        if said.click:
            what = f"<MsgType>event</MsgType><Event>CLICK</Event><EventKey><![CDATA[{said.click}]]></EventKey>"
        else:
            what = f"<MsgType>text</MsgType><Content><![CDATA[{said.words}]]></Content><MsgId>{said.key}</MsgId>"
        return (
            f"<xml><ToUserName><![CDATA[{OWN_NAME}]]></ToUserName><FromUserName><![CDATA[{said.sender}]]></FromUserName>"
            f"<CreateTime>{said.at}</CreateTime>{what}</xml>"
        )

    def update(self, said: Said) -> dict[str, Any]:
        """Telegram's update."""
        chat = int(said.sender)
        message = {
            "message_id": said.key,
            "date": said.at,
            "chat": {"id": chat, "type": "private", "first_name": "P"},
            "from": {"id": chat, "is_bot": False, "first_name": "P", "language_code": "zh-hans"},
            "text": said.words,
        }
        return {"update_id": said.key, "message": message}

    async def _post_wechat(self, http: aiohttp.ClientSession, target: str, xml: bytes) -> tuple[str, str]:
        now, nonce = str(int(time.time())), str(self.random.randrange(10**9))
        sealed = self._crypto.encrypt_message(xml, nonce, now)
        encrypted = re.search(r"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>", sealed, re.DOTALL)
        signature = re.search(r"<MsgSignature><!\[CDATA\[(.*?)\]\]></MsgSignature>", sealed)
        assert encrypted and signature
        query = {"timestamp": now, "nonce": nonce, "msg_signature": signature.group(1), "encrypt_type": "aes"}
        body = f"<xml><ToUserName>{OWN_NAME}</ToUserName><Encrypt>{encrypted.group(1)}</Encrypt></xml>"
        url = f"{target}/wechat/{ACCOUNT}"
        async with http.post(url, params=query, data=body.encode(), timeout=aiohttp.ClientTimeout(CUT)) as answer:
            answer.raise_for_status()
            text = await answer.text()
        if text == "success":
            return "", ""
        found = {
            name: re.search(rf"<{name}><!\[CDATA\[(.*?)\]\]></{name}>|<{name}>(.*?)</{name}>", text, re.DOTALL)
            for name in ("MsgSignature", "TimeStamp", "Nonce")
        }
        parts = {name: (match.group(1) or match.group(2)) if match else "" for name, match in found.items()}
        plain = self._crypto.decrypt_message(text, parts["MsgSignature"], parts["TimeStamp"], parts["Nonce"])
        content = re.search(r"<Content><!\[CDATA\[(.*?)\]\]></Content>", plain, re.DOTALL)
        return (content.group(1) if content else ""), str(plain)

    async def _post_telegram(self, http: aiohttp.ClientSession, target: str, body: bytes) -> tuple[str, str]:
        headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
        url = f"{target}/telegram/{ACCOUNT}"
        async with http.post(url, data=body, headers=headers, timeout=aiohttp.ClientTimeout(TELEGRAM_CUT)) as answer:
            answer.raise_for_status()
            text = await answer.text()
        return (str(json.loads(text).get("text", "")), text) if text.startswith("{") else ("", text)
