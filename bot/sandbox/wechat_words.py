"""What a WeChat message looks like on the phone: safe links, clickable menu words, passive replies."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from bot.sandbox.memory import Button, MessageKind
from bot.sandbox.reading import is_web_page
from bot.sandbox.wechat_envelope import BadEnvelope

MOST_TEXT = 2048  # bytes of UTF-8 in one text message
LINK = re.compile(r"""<a\s+[^<>]*?href\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')[^<>]*>(.*?)</a>""", re.I | re.S)
ADDRESS = re.compile(r"https?://[^\s<>\"'，。；！？（）《》、]+")


@dataclass(slots=True)
class Shown:
    """A message ready for `Phones.say`."""

    kind: MessageKind
    text: str
    html: str = ""
    buttons: list[list[Button]] = field(default_factory=list)
    media_url: str = ""


def text_message(content: str) -> Shown:
    """A text as the phone shows it: `<a href>` to web pages stay links, `weixin://bizmsgmenu` links become
    buttons, every other markup is shown as the characters it is."""
    plain: list[str] = []
    rich: list[str] = []
    buttons: list[list[Button]] = []
    position = 0
    for match in LINK.finditer(content):
        before = content[position : match.start()]
        plain.append(before)
        rich.append(linked(before))
        address, label = html.unescape(match[1] or match[2] or ""), match[3]
        if is_web_page(address):
            rich.append(anchor(address, label))
            plain.append(label)
        elif address.startswith("weixin://bizmsgmenu?"):
            query = parse_qs(address.partition("?")[2])
            words = query.get("msgmenucontent", [label])[0]
            menu_id = query.get("msgmenuid", [""])[0]
            buttons.append([Button(id=f"b{len(buttons)}", text=words, data=menu_id)])
            rich.append(html.escape(label))
            plain.append(label)
        else:
            rich.append(html.escape(match[0]))
            plain.append(match[0])
        position = match.end()
    rest = content[position:]
    plain.append(rest)
    rich.append(linked(rest))
    shown = "".join(rich)
    return Shown("text", "".join(plain), shown if "<a " in shown else "", buttons)


def anchor(address: str, label: str) -> str:
    """A safe link; `address` must be http or https already."""
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">{html.escape(label)}</a>'


def linked(text: str) -> str:
    """Escaped text in which web addresses are links."""
    parts: list[str] = []
    position = 0
    for match in ADDRESS.finditer(text):
        parts += [html.escape(text[position : match.start()]), anchor(match[0], match[0])]
        position = match.end()
    return "".join(parts) + html.escape(text[position:])


def msgmenu_message(menu: dict[str, Any]) -> Shown:
    """客服 msgmenu: head, clickable entries, tail."""
    rows = [
        [Button(id=f"b{place}", text=str(entry["content"]), data=str(entry["id"]))]
        for place, entry in enumerate(menu["list"])
    ]
    words = [str(menu.get("head_content") or ""), str(menu.get("tail_content") or "")]
    return Shown("text", "\n".join(word for word in words if word), buttons=rows)


def articles_message(articles: list[dict[str, str]]) -> Shown:
    """图文: titles and descriptions with links."""
    plain, rich = [], []
    for article in articles:
        title, about, address = article["title"], article.get("description", ""), article.get("url", "")
        plain.append(f"{title}\n{about}".strip())
        heading = anchor(address, title) if is_web_page(address) else html.escape(title)
        rich.append(heading + ("\n" + html.escape(about) if about else ""))
    return Shown("link", "\n\n".join(plain), "\n\n".join(rich))


def passive_message(reply: dict[str, Any], openid: str, account: str, media_base: str) -> Shown | None:
    """What a passive reply shows, None for 转客服; raises BadEnvelope for what WeChat does not accept."""
    if reply.get("ToUserName") != openid or reply.get("FromUserName") != account:
        raise BadEnvelope("the reply's ToUserName or FromUserName is wrong")
    if not str(reply.get("CreateTime", "")).isdigit():
        raise BadEnvelope("the reply has no CreateTime")
    kind = reply.get("MsgType")
    if kind == "text":
        content = reply.get("Content")
        if not isinstance(content, str) or not content:
            raise BadEnvelope("the text is empty")
        if len(content.encode()) > MOST_TEXT:
            raise BadEnvelope(f"the text is longer than {MOST_TEXT} bytes")
        return text_message(content)
    if kind == "image":
        return Shown("image", "[图片]", media_url=media_base + _inner(reply, "Image", "MediaId"))
    if kind == "voice":
        return Shown("voice", "[语音]", media_url=media_base + _inner(reply, "Voice", "MediaId"))
    if kind == "news":
        return articles_message(_articles(reply))
    if kind == "transfer_customer_service":
        return None
    raise BadEnvelope("the reply's MsgType is not known")


def _inner(reply: dict[str, Any], outer: str, name: str) -> str:
    part = reply.get(outer)
    if not isinstance(part, dict) or not isinstance(part.get(name), str):
        raise BadEnvelope(f"the reply has no {outer}/{name}")
    return str(part[name])


def _articles(reply: dict[str, Any]) -> list[dict[str, str]]:
    part = reply.get("Articles")
    items = part.get("item") if isinstance(part, dict) else None
    if not items or str(reply.get("ArticleCount")) != str(len(items)):
        raise BadEnvelope("ArticleCount and Articles do not match")
    if not all(isinstance(item, dict) and item.get("Title") for item in items):
        raise BadEnvelope("an article has no Title")
    names = {"Title": "title", "Description": "description", "Url": "url"}
    return [{names[name]: str(value) for name, value in item.items() if name in names} for item in items]
