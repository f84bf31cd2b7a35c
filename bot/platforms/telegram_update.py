"""One Telegram update → what the person did, in neutral words. Pure; runs in a worker thread.

The secret token proves that an update came through Telegram, not that it has the shape we expect, so every value is
checked here. The library's own types are not made of it: they check no value, refuse what lacks a field of the newest
Bot API anywhere in a forwarded poll, and cost a quarter of a turn (docs/performance.md). What they refuse of the parts
that we use is refused all the same; tests/platforms/test_telegram_library.py compares the two.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from telegram import Chat, ChatMember

from bot.platforms.base import Rejected
from handlers.message import Inbound, MediaKind

# What we ask Telegram to send us; everything else is not even delivered.
WANTED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")

_MAX_DEPTH = 40  # a real update, replies and keyboards included, stays under 15
_MAX_ID = 2**53  # chat ids have at most 52 significant bits
_MAX_WORDS = 4096
_MAX_CHOICE_BYTES = 64
_MAX_SCENE = 64
_MAX_FILE_ID = 256

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w{1,64})?(?:\s+(.*))?\Z", re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}\Z")
_PHONE = re.compile(r"\+?[0-9 ()-]{3,32}\Z")
# Halves of surrogate pairs cannot be written as UTF-8, and PostgreSQL takes no NUL.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")

# What the library's types demand of a part.
_MESSAGE = ("message_id", "date")
_CALLBACK = ("id", "chat_instance")
_CHAT = ("id", "type")
_USER = ("id", "is_bot", "first_name")
_PARTS = (
    ("from", _USER),
    ("chat", _CHAT),
    ("location", ("latitude", "longitude")),
    ("venue", ("title", "address")),
    ("contact", ("phone_number", "first_name")),
)
_SPOKEN = ("message", "edited_message", "channel_post", "edited_channel_post")
_FILES: tuple[tuple[str, MediaKind], ...] = (
    ("voice", "voice"),
    ("sticker", "sticker"),
    ("animation", "video"),  # before document: an animation carries both
    ("video", "video"),
    ("video_note", "video"),
    ("document", "file"),
    ("audio", "file"),
)
# What a person can send that is neither words nor one of these: answered like a file.
_ODD_CONTENT = ("poll", "dice", "game", "story", "invoice", "paid_media", "checklist", "giveaway", "live_photo")


def clean_text(value: str) -> str:
    """The text without characters that no database and no protocol can carry; tabs and line ends stay."""
    return _CONTROL.sub("", _LONE_SURROGATE.sub("\ufffd", value.replace("\r\n", "\n")))


def read_update(raw: bytes, account: str, now: Callable[[], datetime]) -> list[Inbound]:
    """Parse a webhook body. Raises Rejected(400, "shape"), never anything else."""
    try:
        data = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Rejected(400, "shape") from None
    return read_parsed(data, account, now)


def read_parsed(data: object, account: str, now: Callable[[], datetime]) -> list[Inbound]:
    """The same for an update that is already parsed JSON (long polling delivers them in lists)."""
    try:
        if not isinstance(data, dict) or update_number(data) is None or _too_deep(data):
            raise Rejected(400, "shape")
        return _read(data, account, now)
    except Rejected:
        raise
    except Exception:  # noqa: BLE001 - whatever a value of a strange type leads to
        raise Rejected(400, "shape") from None


def update_number(data: object) -> int | None:
    """The `update_id`, or None if this is no update at all."""
    number = data.get("update_id") if isinstance(data, dict) else None
    return number if type(number) is int and 0 <= number < _MAX_ID else None


def callback_id(data: object) -> str:
    """The id with which a pressed button is acknowledged; empty if the update is no pressed button."""
    query = data.get("callback_query") if isinstance(data, dict) else None
    number = query.get("id") if isinstance(query, dict) else None
    return number if isinstance(number, str) and 0 < len(number) <= 64 else ""


def _read(data: dict[str, Any], account: str, now: Callable[[], datetime]) -> list[Inbound]:
    make = partial(Inbound, platform="telegram", account=account, key=str(data["update_id"]))
    spoken = [_message(data[kind]) for kind in _SPOKEN if data.get(kind) is not None]
    query, asked = _query(data.get("callback_query"))
    if data.get("my_chat_member") is not None:
        return [_read_membership(make, data["my_chat_member"])]
    message = spoken[0] if spoken else None
    chat = (message or asked).get("chat")
    if chat is None:
        if message is not None:
            raise Rejected(400, "shape")
        return []  # polls, inline queries and kinds that later Bot API versions bring
    # A pressed button tells when its message was sent, not when it was pressed.
    sent_at = now() if message is None else _sent_at(message)
    user = (message or query).get("from")
    make = partial(make, sender=_chat_id(chat), sent_at=sent_at, language=_language(user))
    if chat["type"] != Chat.PRIVATE:
        return [make(kind="other", text="group")]
    if data.get("message") is not None:
        return [_read_message(make, data["message"])]
    if query:
        return [_read_choice(make, query)]
    return [make(kind="other", text="edited")]


def _part(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """An object with at least these fields."""
    if not isinstance(value, dict):
        raise Rejected(400, "shape")
    for name in names:
        if name not in value:
            raise Rejected(400, "shape")
    return value


def _message(value: object) -> dict[str, Any]:
    message = _part(value, _MESSAGE)
    for name, demanded in _PARTS:
        if message.get(name) is not None:
            _part(message[name], demanded)
    venue = message.get("venue")
    if venue is not None and venue.get("location") is not None:
        _part(venue["location"], ("latitude", "longitude"))
    for name in ("date", "edit_date"):
        if message.get(name) is not None:
            _time(message[name])
    return message


def _query(value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pressed button, and the message that it stands below; empty where there is none."""
    if value is None:
        return {}, {}
    query, asked = _part(value, _CALLBACK), {}
    if query.get("from") is not None:
        _part(query["from"], _USER)
    if query.get("message") is not None:
        asked = _part(query["message"], _MESSAGE)
        if asked["date"] is not None:
            _time(asked["date"])
        if asked.get("chat") is not None:
            _part(asked["chat"], _CHAT)
    return query, asked


def _read_message(make: Callable[..., Inbound], message: dict[str, Any]) -> Inbound:
    if message.get("text") is not None:
        return _read_words(make, _string(message["text"], _MAX_WORDS))
    place = message.get("location")
    if place is None and message.get("venue") is not None:
        place = message["venue"].get("location")
    if place is not None:
        return make(
            kind="location",
            latitude=_degrees(place["latitude"], 90),
            longitude=_degrees(place["longitude"], 180),
        )
    contact = message.get("contact")
    if contact is not None:
        phone = _string(str(contact["phone_number"]), 33)
        # Only the person's own number, shared by Telegram's own button, may stand for typed digits.
        if contact.get("user_id") == message["chat"]["id"] and _PHONE.match(phone):
            # Telegram's numbers are international, with or without the sign that says so.
            return make(kind="text", text="+" + phone.removeprefix("+"))
        return make(kind="media", media_kind="contact")
    return _read_file(make, message)


def _read_words(make: Callable[..., Inbound], words: str) -> Inbound:
    command = _COMMAND.match(words)
    if command is None:
        return make(kind="text", text=words)
    name, rest = command[1].lower(), (command[2] or "").strip()
    if name == "start":
        return make(kind="follow", scene=rest[:_MAX_SCENE])
    return make(kind="menu", menu=name, text=rest)


def _read_file(make: Callable[..., Inbound], plain: dict[str, Any]) -> Inbound:
    # The caption comes along: words of danger may stand there.
    caption = _string(plain.get("caption", ""), _MAX_WORDS)
    if plain.get("photo"):
        return make(kind="media", media_kind="image", media_id=_file_id(plain["photo"][-1]), text=caption)
    for name, kind in _FILES:
        if plain.get(name) is not None:
            return make(kind="media", media_kind=kind, media_id=_file_id(plain[name]), text=caption)
    if any(plain.get(name) is not None for name in _ODD_CONTENT):
        return make(kind="media", media_kind="file", text=caption)
    return make(kind="other", text="service")


def _read_choice(make: Callable[..., Inbound], query: dict[str, Any]) -> Inbound:
    if query.get("data") is None:
        return make(kind="other", text="game")
    choice = _string(query["data"], _MAX_WORDS).encode()[:_MAX_CHOICE_BYTES].decode(errors="ignore")
    return make(kind="choice", choice=choice)


def _read_membership(make: Callable[..., Inbound], change: dict[str, Any]) -> Inbound:
    chat, user = _part(change["chat"], _CHAT), _part(change["from"], _USER)
    make = partial(make, sender=_chat_id(chat), sent_at=_time(change["date"]), language=_language(user))
    if chat["type"] != Chat.PRIVATE:
        return make(kind="other", text="group")
    status = change["new_chat_member"]["status"]
    if status == ChatMember.BANNED:  # "kicked": in a private chat the person blocked the bot
        return make(kind="unfollow")
    return make(kind="other", text="unblocked" if status == ChatMember.MEMBER else "membership")


def _sent_at(message: dict[str, Any]) -> datetime:
    edited = message.get("edit_date")
    return _time(message["date"] if edited is None else edited)


def _time(value: Any) -> datetime:
    # What is no number, or names no time, raises what the caller turns into a rejection.
    return datetime.fromtimestamp(value, UTC)


def _chat_id(chat: dict[str, Any]) -> str:
    number = chat["id"]
    if type(number) is not int or not 0 < abs(number) < _MAX_ID:
        raise Rejected(400, "shape")
    if chat["type"] == Chat.PRIVATE and number < 0:
        raise Rejected(400, "shape")
    return str(number)


def _language(user: dict[str, Any] | None) -> str:
    code = user.get("language_code") if user is not None else None
    return code if isinstance(code, str) and _LANGUAGE.match(code) else ""


def _file_id(file: dict[str, Any]) -> str:
    return _string(file["file_id"], _MAX_FILE_ID)


def _string(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise Rejected(400, "shape")
    return clean_text(value[:limit])


def _degrees(value: object, limit: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(400, "shape")
    degrees = float(value)
    if not math.isfinite(degrees) or abs(degrees) > limit:
        raise Rejected(400, "shape")
    return degrees


def _too_deep(data: object) -> bool:
    # Level by level, because a recursion would fall into the very hole it looks for.
    level = [data]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


# json.loads would make one for each update.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
