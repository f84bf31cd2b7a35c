"""An update read through python-telegram-bot's own types: what our plain reading is compared with."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from telegram import CallbackQuery, Chat, Message, Update, User

from bot.platforms.base import Rejected
from bot.platforms.telegram_update import _degrees, _read_file, _read_words, _string, _too_deep, update_number
from bot.platforms.telegram_update import _language as language_of
from handlers.message import Inbound
from tests.platforms.telegram_corpus import NOW

_MESSAGE = ("message_id", "from", "chat", "date", "edit_date", "text", "caption", "location", "venue", "contact")
_CALLBACK = ("id", "from", "chat_instance", "data")


def read_by_library(data: object) -> list[Inbound] | None:
    """What the library's types say of an update; None = it is refused, by them or by our checks of their values."""
    try:
        if not isinstance(data, dict) or update_number(data) is None or _too_deep(data):
            return None
        return _read(data, Update.de_json(_needed(data), None))
    except Exception:  # noqa: BLE001 - the library raises whatever the values lead it to
        return None


def _needed(data: dict[str, Any]) -> dict[str, Any]:
    """Only what we use: the types refuse what lacks a field of the newest Bot API anywhere."""
    needed: dict[str, Any] = {"update_id": data["update_id"]}
    for kind in ("message", "edited_message", "channel_post", "edited_channel_post"):
        if data.get(kind) is not None:
            needed[kind] = _only(data[kind], _MESSAGE)
    query = data.get("callback_query")
    if query is not None:
        needed["callback_query"] = _only(query, _CALLBACK)
        if query.get("message") is not None:
            needed["callback_query"]["message"] = _only(query["message"], ("message_id", "chat", "date"))
    return needed


def _only(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in dict(value)}


def _read(data: dict[str, Any], update: Update) -> list[Inbound]:
    make = partial(Inbound, platform="telegram", account="gd", key=str(update.update_id))
    change = data.get("my_chat_member")
    if change is not None:
        chat, user = _chat(change["chat"]), User.de_json(change["from"])
        sent_at: Any = Message.de_json({"message_id": 1, "date": change["date"], "chat": change["chat"]}).date
        text = "group"
        if chat.type == Chat.PRIVATE:
            status = change["new_chat_member"]["status"]
            text = "" if status == "kicked" else "unblocked" if status == "member" else "membership"
        make = partial(make, sender=_number(chat), sent_at=_time(sent_at), language=_language(user))
        return [make(kind="other" if text else "unfollow", text=text)]
    message = update.message or update.edited_message or update.channel_post or update.edited_channel_post
    chat_ = update.effective_chat
    if chat_ is None:
        return [] if message is None else _refuse()
    sent_at = NOW if message is None else _time(message.edit_date or message.date)
    make = partial(make, sender=_number(chat_), sent_at=sent_at, language=_language(update.effective_user))
    if chat_.type != Chat.PRIVATE:
        return [make(kind="other", text="group")]
    if update.message is not None:
        return [_said(make, update.message, data["message"])]
    if update.callback_query is not None:
        return [_pressed(make, update.callback_query)]
    return [make(kind="other", text="edited")]


def _said(make: Any, message: Message, plain: dict[str, Any]) -> Inbound:
    if message.text is not None:
        return _read_words(make, _string(message.text, 4096))
    place = message.location or (message.venue.location if message.venue is not None else None)
    if place is not None:
        where = {"latitude": _degrees(place.latitude, 90), "longitude": _degrees(place.longitude, 180)}
        return make(kind="location", **where)  # type: ignore[no-any-return]
    contact = message.contact
    if contact is not None:
        digits = contact.phone_number.lstrip("+").replace(" ", "")
        if contact.user_id == message.chat.id and digits.isdecimal() and len(digits) >= 3:
            return make(kind="text", text="+" + contact.phone_number.removeprefix("+"))  # type: ignore[no-any-return]
        return make(kind="media", media_kind="contact")  # type: ignore[no-any-return]
    return _read_file(make, plain)


def _pressed(make: Any, query: CallbackQuery) -> Inbound:
    if query.data is None:
        return make(kind="other", text="game")  # type: ignore[no-any-return]
    choice = _string(query.data, 4096).encode()[:64].decode(errors="ignore")
    return make(kind="choice", choice=choice)  # type: ignore[no-any-return]


def _chat(plain: dict[str, Any]) -> Chat:
    return Chat.de_json(_only(plain, ("id", "type")))


def _number(chat: Chat) -> str:
    inside = type(chat.id) is int and 0 < abs(chat.id) < 2**53
    return str(chat.id) if inside and (chat.id > 0 or chat.type != Chat.PRIVATE) else _refuse()


def _language(user: User | None) -> str:
    return language_of({"language_code": user.language_code} if user is not None else None)


def _time(value: object) -> datetime:
    return value if isinstance(value, datetime) else _refuse()


def _refuse() -> Any:
    raise Rejected(400, "shape")
