"""What WeChat tells, as a neutral `Inbound`. wechatpy parses; this file distrusts it and translates.

wechatpy raises whatever its parts raise and hands nested elements back where words are expected, so every value is
looked at again here, and everything that goes wrong becomes Rejected(400, "shape").
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn
from xml.parsers import expat

from wechatpy import parse_message

from bot.platforms.base import Rejected
from config.coordinates import gcj02_to_wgs84
from handlers.message import Inbound, InboundKind, MediaKind

MAX_ELEMENTS = 200  # the biggest real message, nine pictures or ten subscriptions, has about 50
MAX_DEPTH = 8

_CDATA = b"<![CDATA["
_NAME = re.compile(r"[A-Za-z0-9_@.-]{1,64}\Z")  # openids, and the account's own gh_… name
_MSG_ID = re.compile(r"[0-9]{1,32}\Z")
_ACCOUNT = re.compile(rb"\s*<xml>\s*<ToUserName><!\[CDATA\[([A-Za-z0-9_@.-]{1,64})\]\]></ToUserName>")

# Bought and saved stickers reach an account as these words instead of a picture.
_STICKER_WORDS = frozenset(
    {"【收到不支持的消息类型，暂无法显示】", "[收到了一个表情，请在手机上查看]", "[Unsupported Message]"}
)
_MEDIA: dict[str, MediaKind] = {
    "image": "image",
    "voice": "voice",
    "video": "video",
    "shortvideo": "video",
    "link": "link",
    "miniprogrampage": "link",
    "file": "file",
}

Facts = dict[str, Any]


def _bad_shape() -> NoReturn:
    raise Rejected(400, "shape")


def read(xml: bytes, account: str) -> Inbound:
    """One decrypted message or event as an `Inbound` of `account`.

    The key is WeChat's MsgId where there is one; an event has none and is known by who, when, what and its own key,
    as a digest, since keys are stored in the clear. Raises Rejected(400, "shape") and nothing else.
    """
    message = _parse(xml)
    try:
        return _translate(message.type, message._data, account)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        raise Rejected(400, "shape") from None


def account_name(xml: bytes) -> str:
    """The account's own name (`gh_…`) in a decrypted message: what a passive reply comes from."""
    # WeChat writes it first; searching further in could find what a person typed.
    found = _ACCOUNT.match(xml)
    if found:
        return found[1].decode()
    return _name(_parse(xml)._data, "ToUserName")


def _parse(xml: bytes) -> Any:
    _guard(xml)
    try:
        message = parse_message(xml.decode())
    except Exception:  # noqa: BLE001 a dozen kinds come out of wechatpy and its parser, and all mean the same
        raise Rejected(400, "shape") from None
    if message is None or not isinstance(message._data, dict):
        _bad_shape()
    return message


def _guard(xml: bytes) -> None:
    """Refuse document types, entities, depth and crowds before a tree is built.

    Markup that is only CDATA and few elements passes on two counts; anything else (also a person who typed a page of
    angle brackets) is walked through once without keeping anything.
    """
    if xml.count(b"<!") == xml.count(_CDATA) and xml.count(b"<") <= 2 * MAX_ELEMENTS and b"<?" not in xml:
        return
    depth = elements = 0

    def enter(_name: str, _attributes: object) -> None:
        nonlocal depth, elements
        depth += 1
        elements += 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            _bad_shape()

    def leave(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8")  # whatever the document claims: it is what wechatpy will read it as
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    parser.StartDoctypeDeclHandler = lambda *_: _bad_shape()
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, ValueError):
        _bad_shape()


def _translate(kind: str, facts: Facts, account: str) -> Inbound:
    sent_at = datetime.fromtimestamp(int(_word(facts, "CreateTime")), UTC)
    sender = _name(facts, "FromUserName")
    _name(facts, "ToUserName")  # the reply will need it: refused now, not when the message has had its effect

    def inbound(what: InboundKind, **more: Any) -> Inbound:
        return Inbound("wechat", account, sender, _key(facts, sender), what, sent_at, **more)

    if _word(facts, "MsgType").lower() == "event":
        return _event(facts, inbound)
    if kind == "text":
        return _text(facts, inbound)
    if kind == "location":
        latitude, longitude = _place(facts)
        return inbound("location", latitude=latitude, longitude=longitude, text=_word(facts, "Label"))
    return _media(facts, inbound)


def _text(facts: Facts, inbound: Callable[..., Inbound]) -> Inbound:
    words, choice = _word(facts, "Content"), _word(facts, "bizmsgmenuid")
    if choice:
        return inbound("choice", choice=choice, text=words)
    if words in _STICKER_WORDS:
        return inbound("media", media_kind="sticker")
    return inbound("text", text=words)


def _media(facts: Facts, inbound: Callable[..., Inbound]) -> Inbound:
    """Pictures, voices and all kinds that do not exist yet: somebody sent something, so somebody gets an answer."""
    media = _MEDIA.get(_word(facts, "MsgType").lower(), "file")
    if media == "image" and "mmbiz_gif" in _word(facts, "PicUrl"):
        media = "sticker"
    # A voice brings its recognised words where the account has that switched on, a link its title.
    words = _word(facts, "Recognition") or _word(facts, "Title")
    return inbound("media", media_kind=media, media_id=_word(facts, "MediaId"), text=words)


def _event(facts: Facts, inbound: Callable[..., Inbound]) -> Inbound:
    event, key = _word(facts, "Event").lower(), _word(facts, "EventKey")
    match event:
        case "subscribe_scan":  # wechatpy's name for a subscribe with a scene, which it has freed of its `qrscene_`
            return inbound("follow", scene=key)
        case "subscribe" | "subscribe_scan_product":
            return inbound("follow")
        case "unsubscribe":
            return inbound("unfollow")
        case "scan":
            return inbound("scan", scene=key)
        case "scancode_waitmsg":  # the phone waits for our answer to what it has scanned
            scanned = facts.get("ScanCodeInfo") or {}
            return inbound("scan", scene=_word(scanned, "ScanResult"), menu=key)
        case "click":
            return inbound("menu", menu=key)
    # Places and pictures chosen by a menu entry (location_select, pic_…) arrive as messages of their own besides, and
    # LOCATION is a track that we do not keep: none of them asks for an answer.
    return inbound("other", text=_receipt(event or "event", facts))


def _receipt(event: str, facts: Facts) -> str:
    """An event in words: its name, then for a receipt what it is about (`templatesendjobfinish 2001 success`)."""
    words = [event]
    if event in ("templatesendjobfinish", "masssendjobfinish"):
        words += [_word(facts, name) for name in ("MsgID", "Status", "SentCount", "ErrorCount")]
    elif event.startswith("subscribe_msg_"):
        grants = next((value for name, value in facts.items() if name.lower() == event.replace("_", "")), None) or {}
        items = grants.get("List") or []
        for item in items if isinstance(items, list) else [items]:
            answer = _word(item, "SubscribeStatusString") or _word(item, "ErrorStatus")
            words.append(f"{_word(item, 'TemplateId')}={answer}")
    return " ".join(word for word in words if word)


def _key(facts: Facts, sender: str) -> str:
    msg_id = _word(facts, "MsgId")
    if _MSG_ID.match(msg_id) and int(msg_id) != 0:
        return f"m{msg_id}"
    # Receipts of two template messages may share their second; their MsgID tells them apart.
    parts = [sender] + [_word(facts, name) for name in ("CreateTime", "MsgType", "Event", "EventKey", "MsgID")]
    if _word(facts, "MsgType").lower() != "event":
        parts.append(repr(sorted(facts.items(), key=lambda item: item[0])))
    return "e" + hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:40]


def _place(facts: Facts) -> tuple[float, float]:
    latitude, longitude = float(_word(facts, "Location_X")), float(_word(facts, "Location_Y"))
    if not (math.isfinite(latitude) and math.isfinite(longitude)) or abs(latitude) > 90 or abs(longitude) > 180:
        _bad_shape()
    return gcj02_to_wgs84(latitude, longitude)


def _word(facts: Facts, name: str) -> str:
    """The text of one element, empty where it is missing; a nested or repeated element is no word."""
    value = facts.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        _bad_shape()
    return value


def _name(facts: Facts, name: str) -> str:
    value = _word(facts, name)
    if not _NAME.match(value):
        _bad_shape()
    return value
