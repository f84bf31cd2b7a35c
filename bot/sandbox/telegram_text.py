"""Text and keyboards as the Bot API takes them: HTML checked tag by tag, lengths, buttons."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

from bot.sandbox.memory import Button
from bot.sandbox.reading import is_web_page, scheme
from bot.sandbox.telegram_refusals import bad
from bot.sandbox.wechat_words import linked

MOST_TEXT = 4096
# A "<" that begins no tag must be written &lt;.
NO_TAG = re.compile(r"<(?!/?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?>)")
MOST_CAPTION = 1024
MOST_DATA = 64  # bytes of callback_data
MOST_BUTTONS = 100
# What a tag becomes on the page; the page's own sanitiser allows the same few.
TAGS = {
    "b": "b",
    "strong": "b",
    "i": "i",
    "em": "i",
    "u": "u",
    "ins": "u",
    "s": "s",
    "strike": "s",
    "del": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-spoiler": "span",
    "span": "span",
}


def formatted(text: Any, parse_mode: Any, most: int = MOST_TEXT) -> tuple[str, str]:
    """The plain text and, where it has marks or links, its safe HTML. Raises Denied as the Bot API does.

    MarkdownV2 is refused: the product speaks plain text and HTML.
    """
    if text is None or text == "":
        raise bad("message text is empty")
    if not isinstance(text, str):
        raise bad("strings must be encoded in UTF-8")
    if parse_mode in (None, ""):
        plain, rich = text, linked(text)
    elif isinstance(parse_mode, str) and parse_mode.lower() == "html":
        if NO_TAG.search(text):
            raise bad("can't parse entities: Unsupported start tag")
        reader = _HtmlReader()
        reader.feed(text)
        plain, rich = reader.finish()
    else:
        raise bad("unsupported parse_mode")
    if not plain.strip():
        raise bad("message text is empty")
    if len(plain) > most:
        raise bad("message is too long" if most == MOST_TEXT else "message caption is too long")
    return plain, rich if "<" in rich else ""


class _HtmlReader(HTMLParser):
    """Accepts exactly the tags of the Bot API, properly nested; anything else is 400."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._plain: list[str] = []
        self._rich: list[str] = []
        self._open: list[tuple[str, str]] = []  # tag as written, closing mark on the page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            address = next((value or "" for name, value in attrs if name == "href"), "")
            safe = is_web_page(address)
            start = f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">'
            self._rich.append(start if safe else "")
            self._open.append((tag, "</a>" if safe else ""))
        elif tag in TAGS:
            self._rich.append(f"<{TAGS[tag]}>")
            self._open.append((tag, f"</{TAGS[tag]}>"))
        else:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag[:32]}"')

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise bad(f'can\'t parse entities: Unexpected end tag "{tag[:32]}"')
        self._rich.append(self._open.pop()[1])

    def handle_data(self, data: str) -> None:
        self._plain.append(data)
        inside_link = any(tag == "a" for tag, _ in self._open)
        self._rich.append(html.escape(data) if inside_link else linked(data))

    def finish(self) -> tuple[str, str]:
        self.close()
        if self._open:
            raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1][0]}\"")
        return "".join(self._plain), "".join(self._rich)


def inline_buttons(markup: dict[str, Any]) -> list[list[Button]]:
    """The buttons of an inline keyboard; raises Denied."""
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list):
        raise bad("object expected as reply markup")
    made = [
        [_inline(button, f"b{row}-{place}") for place, button in enumerate(_row(buttons))]
        for row, buttons in enumerate(rows)
    ]
    if sum(len(row) for row in made) > MOST_BUTTONS:
        raise bad("reply markup is too long")
    return [row for row in made if row]


def _inline(button: Any, identity: str) -> Button:
    if not isinstance(button, dict):
        raise bad("can't parse inline keyboard button: Expected an Object")
    text, data, url = button.get("text"), button.get("callback_data"), button.get("url")
    if not isinstance(text, str) or not text.strip():
        raise bad('can\'t parse inline keyboard button: Field "text" must be of type String')
    if isinstance(url, str):
        if scheme(url) not in ("http", "https", "tg"):
            raise bad(f"inline keyboard button URL '{url[:64]}' is invalid: Wrong HTTP URL")
        return Button(id=identity, text=text, url=url)
    if not isinstance(data, str):
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if not 1 <= len(data.encode()) <= MOST_DATA:
        raise bad("BUTTON_DATA_INVALID")
    return Button(id=identity, text=text, data=data)


def reply_keyboard(markup: dict[str, Any]) -> dict[str, Any]:
    """A keyboard below the chat, as the page knows it; raises Denied."""
    rows = markup.get("keyboard")
    if not isinstance(rows, list) or not rows:
        raise bad("object expected as reply markup")
    return {
        "rows": [[_key(button) for button in _row(buttons)] for buttons in rows],
        "placeholder": str(markup.get("input_field_placeholder") or "")[:64],
        "one_time": bool(markup.get("one_time_keyboard")),
    }


def _key(button: Any) -> dict[str, Any]:
    text = button if isinstance(button, str) else button.get("text") if isinstance(button, dict) else None
    if not isinstance(text, str) or not text:
        raise bad('can\'t parse keyboard button: Field "text" must be of type String')
    asks = button if isinstance(button, dict) else {}
    return {
        "text": text,
        "request_location": bool(asks.get("request_location")),
        "request_contact": bool(asks.get("request_contact")),
    }


def _row(buttons: Any) -> list[Any]:
    if not isinstance(buttons, list):
        raise bad("object expected as reply markup")
    return buttons


def entities(text: str) -> list[dict[str, Any]]:
    """The marks Telegram puts on what a person typed: a command at the beginning."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    if word.startswith("/") and len(word) > 1 and text.startswith(word):
        return [{"type": "bot_command", "offset": 0, "length": len(word)}]
    return []
