"""A neutral reply → text and keyboard of one Telegram message. Pure; runs in any thread.

Always plain text without a parse mode: whatever stands in a reply is shown as it is and can format nothing. Keyboards
are written as the Bot API has them: to make the library's types of them and these into JSON again costs more than all
else here (docs/performance.md).
"""

from __future__ import annotations

import ipaddress
import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from bot.platforms.base import Features
from bot.platforms.telegram_update import clean_text
from config.texts import N_, _
from handlers.message import Link, Option, Reply

FEATURES = Features(
    buttons=True,
    markdown=False,
    max_text=4096,
    max_label=64,
    max_options=100,
    sensitive_in_chat=False,
    asks_location=True,
    commands=True,
    sure_answers=False,
)

CUT_NOTE = N_("…（内容太长，已截短）")
SHARE_LOCATION = N_("发送我的位置")
_ONLY_OPTIONS = N_("请选择：")
_NO_WORDS = N_("（没有文字）")

_MAX_DATA_BYTES = 64
_SHORT_LABEL = 8  # two buttons of eight Chinese characters fit beside each other on a small phone
_VERY_SHORT_LABEL = 5  # and three of five, such as the names of provinces and counties
_MANY = 12  # choices; of more of them up to three stand beside each other
_NARROW = 2  # a Latin letter is half as wide as a Chinese character
# Names that only this machine or this house can resolve: Telegram refuses a button that leads there.
_LOCAL_SUFFIXES = ("localhost", "local", "internal", "lan", "test", "invalid")

log = structlog.get_logger(__name__)


_Button = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """One message ready to be sent; `markup` is the Bot API's `reply_markup` in plain values."""

    text: str
    markup: dict[str, Any] | None


def show(reply: Reply) -> Shown:
    """Lay a reply out. Never raises: what cannot be a button stands in the text, and that is logged."""
    lines: list[str] = []
    markup: dict[str, Any] | None
    if reply.asks_location and not reply.numbered:
        # A message has one keyboard: the one that can share a place is not the one with buttons under the message.
        # That one goes away with the next message, so a list to choose from is never on it.
        markup = _location_keyboard(reply.options)
        lines += [_as_line(link) for link in reply.links]
    else:
        rows = _option_rows(reply.options, lines, numbered=reply.numbered)
        for link in reply.links:
            if is_public_url(link.url):
                rows.append([{"text": _label(link.label) or link.url[:64], "url": link.url}])
            else:
                lines.append(_as_line(link))
        markup = {"inline_keyboard": rows} if rows else None
    body = clean_text(reply.text).strip()
    if not body and not lines:
        log.warning("telegram_reply_without_words")
        body = _(_ONLY_OPTIONS) if markup is not None else _(_NO_WORDS)
    return Shown(_fit(body, "\n".join(lines)), markup)


def is_public_url(url: str) -> bool:
    """Whether Telegram accepts the address for a button: http(s) to a host that the whole net can reach."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and host.rsplit(".", 1)[-1].lower() not in _LOCAL_SUFFIXES


def utf16_length(text: str) -> int:
    """Length as Telegram counts it: characters outside the basic plane count twice."""
    return len(text.encode("utf-16-le")) // 2


def _option_rows(options: tuple[Option, ...], lines: list[str], *, numbered: bool) -> list[list[_Button]]:
    buttons: list[_Button] = []
    for number, option in enumerate(options, start=1):
        # The number stands first, so that a screen reader says it before the words it belongs to.
        label = _label(f"{number}. {option.label}") if numbered else _label(option.label) or str(number)
        if number <= FEATURES.max_options and 0 < len(option.id.encode("utf-8", "replace")) <= _MAX_DATA_BYTES:
            buttons.append({"text": label, "callback_data": option.id})
        else:
            # Telegram would refuse the whole message; its number can still be typed.
            log.warning("telegram_option_without_button", number=number)
            lines.append(label if numbered else f"{number}. {label}")
    longest = max((_width(option.label) for option in options), default=0)
    if len(options) > _MANY:
        across = 3 if longest <= _VERY_SHORT_LABEL else 2 if longest <= _SHORT_LABEL else 1
    else:
        across = 2 if all(len(button["text"]) <= _SHORT_LABEL for button in buttons) else 1
    return [buttons[start : start + across] for start in range(0, len(buttons), across)]


def _location_keyboard(options: tuple[Option, ...]) -> dict[str, Any]:
    # These buttons type their label for the person, and a choice accepts its label: so it is never shortened.
    labels = [clean_text(option.label).strip() or str(number) for number, option in enumerate(options, start=1)]
    rows: list[list[_Button]] = [[{"text": _(SHARE_LOCATION), "request_location": True}]]
    rows += [[{"text": label}] for label in labels]
    return {"keyboard": rows, "resize_keyboard": True, "one_time_keyboard": True}


def _width(label: str) -> float:
    """How wide a label is, in Chinese characters."""
    return sum(1 if unicodedata.east_asian_width(character) in "WF" else 1 / _NARROW for character in label)


def _label(label: str) -> str:
    words = " ".join(clean_text(label).split())
    return words if len(words) <= FEATURES.max_label else words[: FEATURES.max_label - 1] + "…"


def _as_line(link: Link) -> str:
    label = _label(link.label)
    url = clean_text(link.url)
    return _("{item}：{value}").format(item=label, value=url) if label else url


def _fit(body: str, tail: str) -> str:
    """Body and the lines that must not be lost, within the limit of one message."""
    if not tail:
        return _cut(body, FEATURES.max_text)
    if not body:
        return _cut(tail, FEATURES.max_text)
    room = FEATURES.max_text - utf16_length(tail) - 2
    if room < utf16_length(_(CUT_NOTE)) + 1:
        return _cut(f"{body}\n\n{tail}", FEATURES.max_text)
    return f"{_cut(body, room)}\n\n{tail}"


def _cut(text: str, room: int) -> str:
    if utf16_length(text) <= room:
        return text
    log.warning("telegram_text_cut", length=utf16_length(text))
    room -= utf16_length(_(CUT_NOTE)) + 1
    # Half of a character outside the basic plane at the end is left out by "ignore".
    head = text.encode("utf-16-le")[: room * 2].decode("utf-16-le", "ignore")
    line_end = head.rfind("\n")
    if line_end >= len(head) // 2:
        head = head[:line_end]
    return f"{head.rstrip()}\n{_(CUT_NOTE)}"
