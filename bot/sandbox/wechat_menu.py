"""The account's menu: WeChat's checks (3 × 5 and lengths in bytes), and which menu a person sees."""

from __future__ import annotations

from typing import Any

from bot.sandbox.memory import WeChatMemory
from bot.sandbox.reading import is_web_page, whole_number
from bot.sandbox.wechat_refusals import Refusal

MOST_COLUMNS, MOST_ENTRIES = 3, 5
MOST_CONDITIONAL = 100
PRIVATE = ("sex", "country", "province", "city", "language")  # WeChat matches no menu by these any more
WITH_KEY = {
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
}
# Lengths in bytes: name, key, url; then the errcodes of the two levels.
LENGTHS = {"top": (16, 128, 1024), "sub": (60, 128, 1024)}
CODES = {
    "top": {"size": 40016, "type": 40017, "name": 40018, "key": 40019, "url": 40020, "domain": 40055},
    "sub": {"size": 40023, "type": 40024, "name": 40025, "key": 40026, "url": 40027, "domain": 40054},
}


def checked(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons of a menu as stored; raises Refusal."""
    buttons = body.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= MOST_COLUMNS:
        raise Refusal(40016)
    return [_column(button) for button in buttons]


def _column(button: Any) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise Refusal(47001)
    entries = button.get("sub_button")
    if entries in (None, []):
        return _entry(button, "top") | {"sub_button": []}
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise Refusal(40023)
    name = _sized(button, "name", "top", 0)
    if any(isinstance(entry, dict) and entry.get("sub_button") for entry in entries):
        raise Refusal(40022)
    return {"name": name, "sub_button": [_entry(entry, "sub") | {"sub_button": []} for entry in entries]}


def _entry(button: Any, level: str) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise Refusal(47001)
    codes, kind = CODES[level], button.get("type")
    entry = {"type": kind, "name": _sized(button, "name", level, 0)}
    if kind in WITH_KEY:
        return entry | {"key": _sized(button, "key", level, 1)}
    if kind == "view":
        url = _sized(button, "url", level, 2)
        if not is_web_page(url):
            raise Refusal(codes["domain"])
        return entry | {"url": url}
    raise Refusal(codes["type"])


def _sized(button: dict[str, Any], field: str, level: str, place: int) -> str:
    value = button.get(field)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= LENGTHS[level][place]:
        raise Refusal(CODES[level][field])
    return value


def add_conditional(memory: WeChatMemory, body: dict[str, Any], menuid: int) -> int:
    """A menu for the holders of a tag; returns its menuid. Raises Refusal."""
    if memory.menu is None:
        raise Refusal(65303)
    if len(memory.conditional) >= MOST_CONDITIONAL:
        raise Refusal(65305)
    rule = body.get("matchrule")
    if isinstance(rule, dict) and any(rule.get(name) for name in PRIVATE):
        raise Refusal(65320)
    if not isinstance(rule, dict) or not any(rule.get(name) for name in ("tag_id", "client_platform_type")):
        raise Refusal(65304)
    tag = rule.get("tag_id")
    if tag not in (None, "") and whole_number(tag) not in memory.tags:
        raise Refusal(45159)
    memory.conditional.append({"button": checked(body), "matchrule": dict(rule), "menuid": menuid})
    return menuid


def menu_for(memory: WeChatMemory, person: str = "") -> list[dict[str, Any]]:
    """What a person sees: the newest conditional menu whose rule fits, else the default one."""
    tags = {str(tag) for tag in memory.tagged.get(person, ())}
    for menu in reversed(memory.conditional):
        rule = menu["matchrule"]
        # The sandbox's phones are all Android (2).
        if str(rule.get("tag_id") or "") in tags | {""} and str(rule.get("client_platform_type") or "2") == "2":
            return list(menu["button"])
    return list(memory.menu or [])


def entry_by_key(menu: list[dict[str, Any]], key: str) -> dict[str, Any] | None:
    """An entry by its key, or a page by its address."""
    for column in menu:
        for entry in column["sub_button"] or [column]:
            if key and key in (entry.get("key"), entry.get("url")):
                return dict(entry)
    return None
