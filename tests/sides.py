"""How each platform speaks to us and what it would show, for tests that hold for every platform."""

from __future__ import annotations

import json
import time
from typing import Any
from xml.etree import ElementTree

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.phones import (
    AES_KEY,
    APPID,
    BOT_SECRET,
    TOKEN,
    Shown,
    Stage,
    cdata,
    chat_id,
    openid,
    read_telegram,
    read_wechat,
    telegram_message,
    telegram_press,
    wechat_xml,
)
from tests.platforms.accidents import Answer
from tests.platforms.wechat_player import envelope, seal, sha1


class Api:
    """A small platform of one's own: one behaviour at a time, and what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.behaviour: Answer | None = None
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._heard)
        self.server = TestServer(app)

    async def _heard(self, request: web.Request) -> web.StreamResponse:
        method = request.path.rsplit("/", 1)[-1]
        if method == "stable_token":
            return web.json_response({"access_token": "t", "expires_in": 7200})
        raw = await request.read()
        body = json.loads(raw) if request.content_type == "application/json" else dict(await request.post())
        self.calls.append((method if "cgi-bin" not in request.path else request.path.split("cgi-bin/")[1], body))
        if self.behaviour is not None:
            return await self.behaviour(request)
        sent = {"message_id": 9, "date": int(time.time()), "chat": {"id": 1, "type": "private"}}
        if "cgi-bin" in request.path:
            return web.json_response(
                {"errcode": 0, "errmsg": "ok", "tags": [], "tag": {"id": 100, "name": "specialist"}}
            )
        return web.json_response({"ok": True, "result": sent if method == "sendMessage" else True})


class WeChatSide:
    """How WeChat speaks to us, and what it would show."""

    name = "wechat"

    def sender(self, who: str) -> str:
        return openid(who)

    def make(self, what: str, who: str, number: int, value: str = "") -> bytes:
        inner = {
            "text": ("text", cdata("Content", value)),
            "choice": ("text", cdata("Content", "标签") + cdata("bizmsgmenuid", value)),
            "menu": ("event", cdata("Event", "CLICK") + cdata("EventKey", value)),
            "follow": ("event", cdata("Event", "subscribe") + cdata("EventKey", f"qrscene_{value}" if value else "")),
            "unfollow": ("event", cdata("Event", "unsubscribe") + cdata("EventKey", "")),
            "location": (
                "location",
                "<Location_X>23.1266</Location_X><Location_Y>113.3665</Location_Y><Scale>1</Scale>",
            ),
            "sticker": ("image", cdata("PicUrl", "http://127.0.0.1/mmbiz_gif/x") + cdata("MediaId", "m1")),
            "voice": ("voice", cdata("MediaId", "m1") + cdata("Format", "amr")),
            "image": ("image", cdata("PicUrl", "http://127.0.0.1/x") + cdata("MediaId", "m1")),
            "other": ("event", cdata("Event", "TEMPLATESENDJOBFINISH") + cdata("EventKey", "")),
        }[what]
        return wechat_xml(who, inner[0], inner[1], number).encode()

    def request(self, update: bytes) -> dict[str, Any]:
        sealed, timestamp = seal(update, key=AES_KEY, appid=APPID), str(int(time.time()))
        query = {"timestamp": timestamp, "nonce": "n0nce", "encrypt_type": "aes"}
        query["msg_signature"] = sha1(TOKEN, timestamp, "n0nce", sealed)
        return {"path": "/wechat/test", "params": query, "data": envelope(sealed)}

    def forged(self, update: bytes) -> dict[str, Any]:
        made = self.request(update)
        made["params"]["msg_signature"] = sha1("guessed", made["params"]["timestamp"], "n0nce")
        return made

    def shown(self, stage: Stage, answer: bytes) -> Shown | None:
        if answer == b"success":
            return None
        outer = {part.tag: part.text or "" for part in ElementTree.fromstring(answer)}
        plain = stage.crypto.decrypt_message(answer.decode(), outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"])
        text = ElementTree.fromstring(plain).findtext("Content")
        assert text is not None
        return read_wechat(text)

    def sent(self, call: tuple[str, dict[str, Any]]) -> Shown:
        body = call[1]
        if body["msgtype"] == "msgmenu":
            listed = [(item["id"], item["content"].partition(". ")[2]) for item in body["msgmenu"]["list"]]
            return Shown(body["msgmenu"]["head_content"], listed)
        return read_wechat(body["text"]["content"])

    def answers(self) -> dict[str, Answer]:
        def code(number: int) -> Answer:
            return json_answer({"errcode": number, "errmsg": "x"})

        return {
            "closed": code(45015),
            "left": code(43004),
            "refused": code(45002),
            "stopped": code(48001),
            "retry": code(-1),
            "pause": code(45011),
        }


class TelegramSide:
    """How Telegram speaks to us, and what it would show."""

    name = "telegram"

    def sender(self, who: str) -> str:
        return str(chat_id(who))

    def make(self, what: str, who: str, number: int, value: str = "") -> bytes:
        file = {"file_id": "m1", "file_unique_id": "u1"}
        sticker = {"type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}
        fields: dict[str, dict[str, Any]] = {
            "text": {"text": value},
            "menu": {"text": f"/{value}"},
            "follow": {"text": f"/start {value}".strip()},
            "location": {"location": {"latitude": 23.1291, "longitude": 113.3612}},
            "sticker": {"sticker": {**file, **sticker}},
            "voice": {"voice": {**file, "duration": 1}},
            "image": {"photo": [{**file, "width": 1, "height": 1}]},
        }
        if what == "choice":
            return json.dumps(telegram_press(who, number, value)).encode()
        update = telegram_message(who, number, **fields.get(what, {"text": "x"}))
        if what == "other":
            update["edited_message"] = {**update.pop("message"), "edit_date": int(time.time())}
        if what == "unfollow":
            message, bot = update.pop("message"), {"id": 1, "is_bot": True, "first_name": "b"}
            update["my_chat_member"] = {key: message[key] for key in ("chat", "from", "date")} | {
                "old_chat_member": {"status": "member", "user": bot},
                "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0},
            }
        return json.dumps(update).encode()

    def request(self, update: bytes) -> dict[str, Any]:
        headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
        return {"path": "/telegram/test", "headers": headers, "data": update}

    def forged(self, update: bytes) -> dict[str, Any]:
        made = self.request(update)
        made["headers"] = {**made["headers"], "X-Telegram-Bot-Api-Secret-Token": "guessed"}
        return made

    def shown(self, stage: Stage, answer: bytes) -> Shown | None:
        if not answer.strip():
            return None
        call = json.loads(answer)
        assert call["method"] == "sendMessage"
        return read_telegram(call["text"], call.get("reply_markup", {}))

    def sent(self, call: tuple[str, dict[str, Any]]) -> Shown:
        return read_telegram(call[1]["text"], json.loads(call[1].get("reply_markup", "{}")))

    def answers(self) -> dict[str, Answer]:
        def error(status: int, words: str, **parameters: Any) -> Answer:
            body = {"ok": False, "error_code": status, "description": words, "parameters": parameters}
            return json_answer(body, status)

        return {
            "left": error(403, "Forbidden: bot was blocked by the user"),
            "refused": error(400, "Bad Request: message is too long"),
            "stopped": error(401, "Unauthorized"),
            "retry": error(429, "Too Many Requests: retry after 7", retry_after=7),
            "pause": error(429, "Too Many Requests: retry after 7", retry_after=7),
        }


def json_answer(body: dict[str, Any], status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


Side = WeChatSide | TelegramSide
