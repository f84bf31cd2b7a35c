"""Forty kinds of updates that do harm where a program trusts what it gets, each sealed and signed as a genuine one is.

`comes_to` says what must become of each: "refused" at the door, "answered" like anything else, or "aside": its turn
fails (see broken_product.py), and the message is kept for somebody to look at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OWN_NAME = "gh_player"
RAISES = (
    *("value", "key", "type", "runtime", "assertion", "recursion", "memory", "attribute", "unicode", "stop"),
    *("statement", "unique", "constraint", "foreign", "nested", "os"),
)
_BOMB = "<!DOCTYPE x [<!ENTITY a '" + "9" * 50 + "'>" + "<!ENTITY b '" + "&a;" * 50 + "'>" + "<!ENTITY c '" + "&b;" * 50


@dataclass(frozen=True)
class Poison:
    """`body` gets a sender, a number that was not there before, and the button of somebody else's screen."""

    name: str
    platform: str
    comes_to: str
    body: Callable[[str, int, str], bytes]


def _xml(sender: str, inner: str, *, at: object = None, number: object = "", head: str = "") -> bytes:
    at = int(time.time()) if at is None else at
    text = (
        f"{head}<xml><ToUserName><![CDATA[{OWN_NAME}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime>{inner}"
    )
    return (text + (f"<MsgId>{number}</MsgId>" if number != "" else "") + "</xml>").encode("utf-8", "surrogatepass")


def _text(words: str) -> str:
    return f"<MsgType>text</MsgType><Content><![CDATA[{words}]]></Content>"


def _event(event: str, key: str) -> str:
    return f"<MsgType>event</MsgType><Event>{event}</Event><EventKey><![CDATA[{key}]]></EventKey>"


def _message(sender: str, number: int, **fields: Any) -> dict[str, Any]:
    user = {"id": int(sender), "is_bot": False, "first_name": "P", "language_code": "zh-hans"}
    chat = {"id": int(sender), "type": "private", "first_name": "P"}
    message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": user, **fields}
    return {"update_id": number, "message": message}


def _press(sender: str, number: int, data: str) -> dict[str, Any]:
    message = _message(sender, number, text="?")["message"]
    query = {"id": str(number), "from": message["from"], "chat_instance": "1", "data": data, "message": message}
    return {"update_id": number, "callback_query": query}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _wechat() -> list[Poison]:
    def made(name: str, comes_to: str, body: Callable[[str, int], bytes]) -> Poison:
        return Poison(f"wechat: {name}", "wechat", comes_to, lambda sender, number, _button: body(sender, number))

    return [
        made("no XML", "refused", lambda s, n: b"\x00\xff not xml"),
        made("bomb of entities", "refused", lambda s, n: _xml(s, _text("&c;"), number=n, head=_BOMB + "'>]>")),
        made("outside entity", "refused", lambda s, n: _xml(
            s, "<MsgType>text</MsgType><Content>&x;</Content>", number=n,
            head="<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>",
        )),
        made("deep", "refused", lambda s, n: _xml(s, _text("x") + "<a>" * 300 + "</a>" * 300, number=n)),
        made("a crowd of elements", "refused", lambda s, n: _xml(s, _text("x") + "<a>1</a>" * 3_000, number=n)),
        made("elements where words belong", "refused", lambda s, n: _xml(
            s, "<MsgType>text</MsgType><Content><a>1</a><b>2</b></Content>", number=n
        )),
        made("half a surrogate pair", "refused", lambda s, n: _xml(s, _text("\ud800"), number=n)),
        made("time that is no number", "refused", lambda s, n: _xml(s, _text("x"), at="soon", number=n)),
        made("time beyond all calendars", "refused", lambda s, n: _xml(s, _text("x"), at="9" * 30, number=n)),
        made("nobody's", "refused", lambda s, n: _xml("", _text("x"), number=n)),
        made("scene that is no scene", "answered", lambda s, n: _xml(s, _event("SCAN", "g_" + "<&>'\"%00" * 20))),
        made("menu entry that never was", "answered", lambda s, n: _xml(s, _event("CLICK", f"gone{n}"))),
        made("event that does not exist yet", "answered", lambda s, n: _xml(s, _event(f"new_{n}", "x"))),
        made("message of a kind to come", "answered", lambda s, n: _xml(s, "<MsgType>hologram</MsgType>", number=n)),
        made("twenty thousand faces", "answered", lambda s, n: _xml(s, _text("🙂" * 5_000), number=n)),
    ]  # fmt: skip


def _telegram() -> list[Poison]:
    def made(name: str, comes_to: str, body: Callable[[str, int, str], bytes]) -> Poison:
        return Poison(f"telegram: {name}", "telegram", comes_to, body)

    return [
        made("deep", "refused", lambda s, n, b: _json({**_message(s, n, text="x"), "more": _deep(500)})),
        made("no number at all", "refused", lambda s, n, b: b'{"update_id": NaN}'),
        made("words that are a list", "refused", lambda s, n, b: _json(_message(s, n, text=["x"]))),
        made("a chat that is true", "refused", lambda s, n, b: _json(
            _message(s, n, text="x", chat={"id": True, "type": "private"})
        )),
        made("too big", "refused", lambda s, n, b: _json(_message(s, n, text="x" * 70_000))),
        made("halves of surrogate pairs", "answered", lambda s, n, b: _json(_message(s, n, text="\ud800 \udfff"))),
        made("control characters", "answered", lambda s, n, b: _json(_message(s, n, text="\x00\x07\x1b[31m"))),
        made("somebody else's button", "answered", lambda s, n, b: _json(_press(s, n, b))),
        made("a button that never was", "answered", lambda s, n, b: _json(_press(s, n, "x" * 22 + ":0"))),
    ]  # fmt: skip


def _raising() -> list[Poison]:
    def made(number: int, name: str) -> Poison:
        words = f"毒 {name}"
        if number % 2:
            return Poison(f"turn: {name}", "wechat", "aside", lambda s, n, _b: _xml(s, _text(words), number=n))
        return Poison(f"turn: {name}", "telegram", "aside", lambda s, n, _b: _json(_message(s, n, text=words)))

    return [made(number, name) for number, name in enumerate(RAISES)]


POISONS: tuple[Poison, ...] = (*_wechat(), *_telegram(), *_raising())
