"""Players of both platforms for transcripts: they speak the real protocols to the real webhook routes.

Every turn meets a new composition root; all that a phone remembers is what stood on its own screen.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import to_text

from bot.app import App
from config.cards import CARDS
from config.settings import Settings
from models import lease
from models.database import Database

TOKEN, AES_KEY, APPID = "transcript-token", "A" * 43, "wx0000000000000001"
BOT_TOKEN, BOT_SECRET = "1000001:transcript-token-of-the-bot", "transcript-secret"
PUBLIC = "https://nuanyang.example"
TEMPLATE = {"id": "T", "fields": {"state": "phrase1", "thing": "thing2", "time": "time3"}}
NAMES = {"phrase": "状态", "thing": "事项", "time": "时间"}
_OPTION = re.compile(r"^(\d+)\. (.*)$")
_NEXT_OPTION = re.compile(r"[；;] ?(?=\d+\. )")  # many choices stand several in a line
_LINK = re.compile(r'^<a href="([^"]*)">(.*)</a>$')


@dataclass
class Shown:
    """One message as it stood on a screen."""

    text: str
    options: list[tuple[str, str]] = field(default_factory=list)  # (what pressing sends, label)
    links: list[tuple[str, str]] = field(default_factory=list)  # (address, label)

    def lines(self) -> list[str]:
        """How a transcript writes it."""
        lines = self.text.split("\n")
        lines += [f"[{number}] {label}" for number, (_id, label) in enumerate(self.options, 1)]
        return lines + [f"→ {label}" for _url, label in self.links]


def openid(name: str) -> str:
    return "o" + hashlib.sha256(name.encode()).hexdigest()[:27]


def chat_id(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) + 10_000


class Exchange:
    """Catches what the product sends by itself, with just enough of both APIs to say “sent”."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Shown]] = []  # (platform, sender, message)
        self.silent = False  # nobody learns whether a message was taken
        app = web.Application()
        app.router.add_post("/cgi-bin/stable_token", self._token)
        app.router.add_post("/cgi-bin/message/custom/send", self._custom)
        app.router.add_post("/cgi-bin/message/template/send", self._template)
        app.router.add_route("*", "/bot{token}/{method}", self._bot)
        self.server = TestServer(app)

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "transcript", "expires_in": 7200})

    async def _custom(self, request: web.Request) -> web.Response:
        if self.silent:
            return web.Response(status=502)
        body = json.loads(await request.read())
        if body["msgtype"] == "msgmenu":
            menu = body["msgmenu"]
            options = [(item["id"], re.sub(r"^\d+\. ", "", item["content"])) for item in menu["list"]]
            shown = Shown(menu["head_content"], options)
        else:
            shown = read_wechat(body["text"]["content"])
        self.sent.append(("wechat", body["touser"], shown))
        return web.json_response({"errcode": 0, "errmsg": "ok"})

    async def _template(self, request: web.Request) -> web.Response:
        """As the phone shows it: the title that the account gave it, then field by field."""
        body = json.loads(await request.read())
        fields = [f"{NAMES[name.rstrip('0123456789')]}：{part['value']}" for name, part in body["data"].items()]
        self.sent.append(("wechat", body["touser"], Shown("\n".join(["【服务通知】", *fields]))))
        return web.json_response({"errcode": 0, "errmsg": "ok", "msgid": 1})

    async def _bot(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        if request.match_info["method"] == "sendMessage":
            if self.silent:
                return web.Response(status=502)
            shown = read_telegram(form["text"], json.loads(form.get("reply_markup", "{}")))
            self.sent.append(("telegram", form["chat_id"], shown))
            chat = {"id": int(form["chat_id"]), "type": "private"}
            return web.json_response({"ok": True, "result": {"message_id": 1, "date": int(time.time()), "chat": chat}})
        return web.json_response({"ok": True, "result": True})


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    made = Exchange()
    await made.server.start_server()
    yield made
    await made.server.close()


def read_wechat(text: str) -> Shown:
    """Take a WeChat text apart: links, the numbered choices with the line that explains them, the words."""
    lines = text.split("\n")
    links: list[tuple[str, str]] = []
    while lines and (found := _LINK.match(lines[-1])):
        links.insert(0, (found[1], found[2]))
        lines.pop()
    while links and lines and not lines[-1]:
        lines.pop()
    options: list[tuple[str, str]] = []
    if len(lines) >= 2 and _OPTION.match(lines[-2]) and not _OPTION.match(lines[-1]):
        rest = lines[:-1]
        while rest and _OPTION.match(rest[-1]):
            line = [_OPTION.match(part) for part in _NEXT_OPTION.split(rest.pop())]
            options[:0] = [(found[1], found[2]) for found in line if found]
        lines = rest
        while lines and not lines[-1]:
            lines.pop()
    return Shown("\n".join(lines), options, links)


def read_telegram(text: str, markup: dict[str, Any]) -> Shown:
    """Take a Telegram message apart: inline buttons, link buttons, and the labels of a reply keyboard."""
    options: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    for row in markup.get("inline_keyboard", []):
        for button in row:
            if "url" in button:
                links.append((button["url"], button["text"]))
            else:
                # Where the words speak of numbers the buttons carry them (tests/test_places.py), as on WeChat.
                options.append((button["callback_data"], re.sub(r"^\d+\. ", "", button["text"])))
    for row in markup.get("keyboard", []):
        for button in row:
            words = button if isinstance(button, str) else button["text"]
            if isinstance(button, str) or not button.get("request_location"):
                options.append(("", words))
    return Shown(text, options, links)


class Stage:
    """One deployment under test: a database, a spool folder, and both platforms' accounts named “test”."""

    def __init__(self, database: Database, spool: Any, exchange: Exchange, *, templates: bool = False) -> None:
        self.database = database
        self.exchange = exchange
        self.spool = spool
        base = str(exchange.server.make_url("")).rstrip("/")
        self.settings = Settings.model_validate(
            {
                "public_url": PUBLIC,
                "wechat": {
                    "test": {
                        "appid": APPID,
                        "secret": "s",
                        "token": TOKEN,
                        "encoding_aes_key": AES_KEY,
                        "api_base": base,
                        "templates": dict.fromkeys(CARDS, TEMPLATE) if templates else {},
                        "once": {"id": "O", "scene": 1000} if templates else None,
                    }
                },
                "telegram": {
                    "test": {
                        "token": SecretStr(BOT_TOKEN),
                        "secret_token": SecretStr(BOT_SECRET),
                        "api_base": base,
                        "sends_a_second": 0,  # nobody here wants to wait a second for the next message of a chat
                    }
                },
            }
        )
        self.crypto = WeChatCrypto(TOKEN, AES_KEY, APPID)
        self.number = 0

    def app(self) -> App:
        """A new composition root. Its end closes the connections; what the engine keeps is compiled statements."""
        return App(self.settings, self.database, spool=self.spool, roles=("web",))

    async def wechat(self, name: str, xml: str) -> tuple[int, Shown | None]:
        """Post a message of this follower; returns status and what stands on the screen."""
        timestamp = str(int(time.time()))
        body = self.crypto.encrypt_message(xml, "nonce123", timestamp)
        envelope = body if isinstance(body, str) else to_text(body)
        signature = re.search(r"<MsgSignature><!\[CDATA\[(.*?)\]\]></MsgSignature>", envelope)
        assert signature is not None
        query = {
            "timestamp": timestamp,
            "nonce": "nonce123",
            "msg_signature": signature[1],
            "encrypt_type": "aes",
            "signature": "0" * 40,
            "openid": openid(name),
        }
        async with TestClient(TestServer(self.app().web)) as client:
            answer = await client.post("/wechat/test", params=query, data=envelope.encode())
            text = await answer.text()
        if answer.status != 200 or text == "success":
            return answer.status, None
        parts = {key: re.search(rf"<{key}>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</{key}>", text, re.DOTALL) for key in KEYS}
        assert all(parts.values()), text
        sealed = {key: found[1] for key, found in parts.items() if found is not None}
        plain = to_text(
            self.crypto.decrypt_message(
                f"<xml><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>",
                sealed["MsgSignature"],
                sealed["TimeStamp"],
                sealed["Nonce"],
            )
        )
        content = re.search(r"<Content>(.*)</Content>", plain, re.DOTALL)
        assert content is not None, plain
        words = "".join(re.findall(r"<!\[CDATA\[(.*?)\]\]>", content[1], re.DOTALL))
        return answer.status, read_wechat(words)

    async def telegram(self, update: dict[str, Any]) -> tuple[int, Shown | None]:
        """Post an update; returns status and what the webhook's answer puts on the screen."""
        async with TestClient(TestServer(self.app().web)) as client:
            headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET}
            answer = await client.post("/telegram/test", json=update, headers=headers)
            text = await answer.text()
        if answer.status != 200 or not text.strip() or text.strip() == "{}":
            return answer.status, None
        method = json.loads(text)
        assert method["method"] == "sendMessage"
        return answer.status, read_telegram(method["text"], method.get("reply_markup", {}))

    async def page(self, url: str, answer: str) -> int:
        """Fill in a one-time page; returns the status of the answer."""
        async with TestClient(TestServer(self.app().web)) as client:
            path = urlsplit(url).path
            shown = await client.get(path)
            assert shown.status == 200, (path, shown.status)
            posted = await client.post(path, data={"answer": answer})
            return posted.status

    async def deliver(self) -> list[tuple[str, str, Shown]]:
        """Let the outbox run empty; returns what was sent."""
        self.exchange.sent.clear()
        app = self.app()
        await app.deliverer.once()
        while await app.deliverer.once():
            pass
        with app.database.write() as session:
            lease.give_up(session, app.deliverer.name)  # as a process that ends does; the clock stands still here
        for platform in app.platforms.values():
            await platform.stop()
        await app.http().close()
        app.database.dispose()
        return list(self.exchange.sent)

    def next_number(self) -> int:
        """A message or update number never used before."""
        self.number += 1
        return 70_000_000 + self.number


KEYS = ("Encrypt", "MsgSignature", "TimeStamp", "Nonce")


def wechat_xml(name: str, kind: str, inner: str, number: int) -> str:
    """A message or event as WeChat writes it."""
    msgid = "" if kind == "event" else f"<MsgId>{number}</MsgId>"
    # Events have no id: their time in seconds is part of their key, so each gets a second of its own.
    return (
        "<xml><ToUserName><![CDATA[gh_000000000001]]></ToUserName>"
        f"<FromUserName><![CDATA[{openid(name)}]]></FromUserName>"
        f"<CreateTime>{1_790_000_000 + number - 70_000_000}</CreateTime>"
        f"<MsgType><![CDATA[{kind}]]></MsgType>{inner}{msgid}</xml>"
    )


def cdata(tag: str, words: str) -> str:
    """One element; the words may hold anything."""
    return f"<{tag}>{escape(words)}</{tag}>"


def telegram_message(name: str, number: int, **fields: Any) -> dict[str, Any]:
    """A private message as the Bot API writes it."""
    user = {"id": chat_id(name), "is_bot": False, "first_name": "测试", "language_code": "zh-hans"}
    chat = {"id": chat_id(name), "type": "private", "first_name": "测试"}
    message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": user, **fields}
    return {"update_id": number, "message": message}


def telegram_press(name: str, number: int, data: str) -> dict[str, Any]:
    """A pressed inline button."""
    user = {"id": chat_id(name), "is_bot": False, "first_name": "测试", "language_code": "zh-hans"}
    chat = {"id": chat_id(name), "type": "private", "first_name": "测试"}
    message = {"message_id": 1, "date": int(time.time()), "chat": chat, "text": "…"}
    return {
        "update_id": number,
        "callback_query": {"id": str(number), "from": user, "chat_instance": "1", "data": data, "message": message},
    }
