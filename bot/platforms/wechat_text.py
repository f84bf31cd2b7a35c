"""How a neutral `Reply` looks on WeChat: plain text with numbered choices, or a 客服 menu message."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import structlog
from wechatpy.replies import TextReply

from config.texts import _
from handlers.message import Reply

MAX_BYTES = 2048  # for passive and 客服 text alike; beyond it the person reads 服务故障, or the API says 45002
MAX_MENU = 10  # 45098 beyond; the number is not documented for Official Accounts, 微信客服 states ten
MAX_MENU_LABEL = 128  # bytes
MAX_MENU_HEAD = 1024  # bytes
ONE_A_LINE = 12  # choices; more of them stand several in a line, or they would push the question off the screen
_LINE = 30  # half-width columns: what a phone shows of a line before it breaks it

_log = structlog.get_logger(__name__)
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANCHOR = re.compile(r"<(?=\s*/?\s*a\b)", re.IGNORECASE)
_SENTENCE = re.compile(r"[。！？；]")


def clean(text: str) -> str:
    """Without what XML cannot carry, and without links of other people's making.

    WeChat turns `<a href>` in a text into a link. Only `Reply.links` may become one, never a name that somebody typed.
    """
    return _ANCHOR.sub("＜", _ILLEGAL.sub("", text))


def passive_xml(text: str, *, to: str, account: str, time: int) -> str:
    """A passive text reply as XML; `time` in seconds. wechatpy writes CDATA unescaped, so `]]>` is cut in two first."""
    content = text.replace("]]>", "]]]]><![CDATA[>")
    return str(TextReply(source=account, target=to, content=content, time=time).render())


def text_of(reply: Reply, *, account: str = "") -> str:
    """The whole reply in one text of at most 2,048 bytes.

    What is too long is shortened before the choices and links, at the end of a line or sentence, says so to the reader
    and is logged.
    """
    body, tail = clean(reply.text).strip(), _tail(reply)
    if _size(body) + _size(tail) <= MAX_BYTES:
        return (body + tail).strip()
    _log.warning("wechat_text_cut", account=account, size=_size(body) + _size(tail), limit=MAX_BYTES)
    mark = _("…（内容太长，已截短）")
    room = MAX_BYTES - _size(tail) - _size(mark)
    if room >= 0:
        return _cut(body, room) + mark + tail
    return _cut(body + tail, MAX_BYTES - _size(mark)) + mark


def fits(reply: Reply) -> bool:
    """Whether nothing of the reply would be cut."""
    return _size(clean(reply.text).strip()) + _size(_tail(reply)) <= MAX_BYTES


def custom_message(reply: Reply, *, account: str = "", menu: bool = True) -> dict[str, Any]:
    """The body of a `message/custom/send`, without the receiver: a menu message where it can carry the choices."""
    if menu and reply.options and not reply.links:
        labels = [_numbered(number, option.label) for number, option in enumerate(reply.options, 1)]
        head = clean(reply.text).strip()
        if (
            len(labels) <= MAX_MENU
            and _size(head) <= MAX_MENU_HEAD
            and all(_size(label) <= MAX_MENU_LABEL for label in labels)
        ):
            items = [{"id": option.id, "content": label} for option, label in zip(reply.options, labels, strict=True)]
            tail = _("点一下，或回复数字选择")
            return {"msgtype": "msgmenu", "msgmenu": {"head_content": head, "list": items, "tail_content": tail}}
    return {"msgtype": "text", "text": {"content": text_of(reply, account=account)}}


def _tail(reply: Reply) -> str:
    """Choices and links: what must not be lost when a text is too long."""
    parts = []
    if reply.options:
        lines = _lines([_numbered(number, option.label) for number, option in enumerate(reply.options, 1)])
        parts.append("\n".join([*lines, _("回复数字选择")]))
    if reply.links:
        parts.append("\n".join(_link(link.url, link.label) for link in reply.links))
    return "".join("\n\n" + part for part in parts)


def _lines(choices: list[str]) -> list[str]:
    """The choices one in a line, or where they are many as many in a line as it holds."""
    if len(choices) <= ONE_A_LINE:
        return choices
    between = _("；")
    lines = choices[:1]
    for choice in choices[1:]:
        longer = lines[-1] + between + choice
        if _columns(longer) <= _LINE:
            lines[-1] = longer
        else:
            lines.append(choice)
    return lines


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _numbered(number: int, label: str) -> str:
    # The number stands first, so that a screen reader says it before the words it belongs to.
    return f"{number}. {' '.join(clean(label).split())}"


def _link(url: str, label: str) -> str:
    address = _ILLEGAL.sub("", url).replace('"', "%22").replace("<", "%3C").replace(">", "%3E")
    words = " ".join(clean(label).replace("<", "＜").split())
    return f'<a href="{address}">{words or address}</a>'


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _cut(text: str, room: int) -> str:
    """At most `room` bytes of `text`, up to its last whole line there, or sentence, or character.

    A line end in the first half is no good place: too much would go with it.
    """
    head = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    line = head.rfind("\n")
    if line > len(head) // 2:
        return head[:line].rstrip()
    sentence = max((found.end() for found in _SENTENCE.finditer(head)), default=0)
    return head[:sentence] if sentence > len(head) // 2 else head.rstrip()
