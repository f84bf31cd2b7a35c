"""The account's own things: tags, menus, QR codes, media and drafts, with WeChat's limits."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

from bot.sandbox.media import File, MediaStore
from bot.sandbox.memory import Person, QrCode, WeChatMemory
from bot.sandbox.phones import Phones
from bot.sandbox.reading import whole_number
from bot.sandbox.wechat_limits import WeChatLimits
from bot.sandbox.wechat_menu import add_conditional, checked, menu_for
from bot.sandbox.wechat_refusals import Refusal

FIRST_TAG = 100  # 0–2 are WeChat's own (星标组 and the like)
LONGEST_TEMPORARY = 30 * 86_400  # seconds
MEDIA_SIZES = {"image": 10 << 20, "voice": 2 << 20, "video": 10 << 20, "thumb": 64 << 10}  # bytes
MOST_SCENE = 64


class WeChatAccountApi:
    """Every method takes the call's JSON (or nothing) and returns the answer's fields; raises Refusal."""

    def __init__(self, phones: Phones, media: MediaStore, limits: WeChatLimits) -> None:
        self._phones = phones
        self._media = media
        self._limits = limits

    @property
    def _memory(self) -> WeChatMemory:
        return self._phones.memory.wechat

    # Tags

    def tag_create(self, body: dict[str, Any]) -> dict[str, Any]:
        name = self._tag_name(body)
        if len(self._memory.tags) >= self._limits.tags:
            raise Refusal(45056)
        identity = max([FIRST_TAG - 1, *self._memory.tags]) + 1
        self._memory.tags[identity] = name
        return {"tag": {"id": identity, "name": name}}

    def tag_list(self, _body: dict[str, Any]) -> dict[str, Any]:
        held = [tag for tags in self._memory.tagged.values() for tag in tags]
        return {
            "tags": [{"id": tag, "name": name, "count": held.count(tag)} for tag, name in self._memory.tags.items()]
        }

    def tag_update(self, body: dict[str, Any]) -> dict[str, Any]:
        tag = self._tag(_part(body, "tag").get("id"))
        self._memory.tags[tag] = self._tag_name(body)
        return {}

    def tag_delete(self, body: dict[str, Any]) -> dict[str, Any]:
        tag = self._tag(_part(body, "tag").get("id"))
        del self._memory.tags[tag]
        for tags in self._memory.tagged.values():
            if tag in tags:
                tags.remove(tag)
        self._menu_changed()
        return {}

    def tag_people(self, body: dict[str, Any]) -> dict[str, Any]:
        tag, people = self._tag(body.get("tagid")), self._followers(body.get("openid_list"))
        for person in people:
            held = self._memory.tagged.get(person.id, [])
            if tag not in held and len(held) >= self._limits.tags_per_person:
                raise Refusal(45059)
        for person in people:
            held = self._memory.tagged.setdefault(person.id, [])
            if tag not in held:
                held.append(tag)
        self._menu_changed()
        return {}

    def untag_people(self, body: dict[str, Any]) -> dict[str, Any]:
        tag = self._tag(body.get("tagid"))
        for person in self._followers(body.get("openid_list")):
            held = self._memory.tagged.get(person.id, [])
            if tag in held:
                held.remove(tag)
        self._menu_changed()
        return {}

    def tags_of(self, body: dict[str, Any]) -> dict[str, Any]:
        person = self._followers([body.get("openid")])[0]
        return {"tagid_list": list(self._memory.tagged.get(person.id, ()))}

    def tagged(self, body: dict[str, Any]) -> dict[str, Any]:
        tag = self._tag(body.get("tagid"))
        holders = [person for person, tags in self._memory.tagged.items() if tag in tags]
        openids = [self._phones.memory.people[person].openid for person in holders]
        return {
            "count": len(openids),
            "data": {"openid": openids},
            "next_openid": openids[-1] if openids else "",
        }

    def _tag(self, identity: Any) -> int:
        tag = whole_number(identity)
        if tag is not None and 0 <= tag < FIRST_TAG:
            raise Refusal(45058)
        if tag is None or tag not in self._memory.tags:
            raise Refusal(45159)
        return tag

    def _tag_name(self, body: dict[str, Any]) -> str:
        name = _part(body, "tag").get("name")
        if not isinstance(name, str) or not name.strip() or name in self._memory.tags.values():
            raise Refusal(45157)
        if len(name.encode()) > 30:
            raise Refusal(45158)
        return name

    def _followers(self, openids: Any) -> list[Person]:
        if not isinstance(openids, list) or not 1 <= len(openids) <= self._limits.tag_batch:
            raise Refusal(40032)
        people = [self._phones.by_openid(openid) if isinstance(openid, str) else None for openid in openids]
        followers = [person for person in people if person is not None and person.following]
        if len(followers) < len(people):
            raise Refusal(40003)
        return followers

    # Menus

    def menu_create(self, body: dict[str, Any]) -> dict[str, Any]:
        self._memory.menu = checked(body)
        self._menu_changed()
        return {}

    def menu_get(self, _body: dict[str, Any]) -> dict[str, Any]:
        if self._memory.menu is None:
            raise Refusal(46003)
        menus: dict[str, Any] = {"menu": {"button": self._memory.menu}}
        if self._memory.conditional:
            menus["conditionalmenu"] = self._memory.conditional
        return menus

    def menu_delete(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._memory.menu = None
        self._memory.conditional.clear()
        self._menu_changed()
        return {}

    def menu_add(self, body: dict[str, Any]) -> dict[str, Any]:
        menuid = max((int(menu["menuid"]) for menu in self._memory.conditional), default=400_000_000) + 1
        add_conditional(self._memory, body, menuid)
        self._menu_changed()
        return {"menuid": str(menuid)}

    def menu_drop(self, body: dict[str, Any]) -> dict[str, Any]:
        kept = [menu for menu in self._memory.conditional if str(menu["menuid"]) != str(body.get("menuid"))]
        if len(kept) == len(self._memory.conditional):
            raise Refusal(65301)
        self._memory.conditional = kept
        self._menu_changed()
        return {}

    def menu_match(self, body: dict[str, Any]) -> dict[str, Any]:
        person = self._phones.by_openid(str(body.get("user_id")))
        if person is None:
            raise Refusal(40003)
        return {"button": menu_for(self._memory, person.id)}

    def _menu_changed(self) -> None:
        """The page asks for each person's menu anew; `menu` is the default one."""
        self._phones.journal.add("menu", platform="wechat", person=None, menu=menu_for(self._memory))

    # QR codes

    def qr_create(self, body: dict[str, Any]) -> dict[str, Any]:
        action = body.get("action_name")
        if action not in ("QR_STR_SCENE", "QR_SCENE", "QR_LIMIT_STR_SCENE", "QR_LIMIT_SCENE"):
            raise Refusal(40052)
        scene = _scene(_part(_part(body, "action_info", 40053), "scene", 40053), "STR" in action)
        seconds = None
        if "LIMIT" not in action:
            seconds = body.get("expire_seconds", 60)
            if not isinstance(seconds, int) or not 1 <= seconds <= LONGEST_TEMPORARY:
                raise Refusal(40053, "expire_seconds")
        ticket = "gQ" + secrets.token_urlsafe(64)
        url = f"http://weixin.qq.com/q/{secrets.token_urlsafe(18)}"
        now, tickets = self._phones.now(), self._memory.tickets
        for old in [code.ticket for code in tickets.values() if code.expires is not None and code.expires <= now]:
            del tickets[old]
        if seconds is None:
            for code in tickets.values():
                if code.scene == scene and code.expires is None and code.url:
                    return {"ticket": code.ticket, "url": code.url}  # a permanent code stays the same one
            if sum(code.expires is None for code in tickets.values()) >= self._limits.permanent_codes:
                raise Refusal(45029)
        expires = None if seconds is None else now + timedelta(seconds=seconds)
        tickets[ticket] = QrCode(ticket=ticket, scene=scene, url=url, expires=expires)
        return {"ticket": ticket, "url": url} | ({} if seconds is None else {"expire_seconds": seconds})

    def qr_url(self, ticket: str) -> str | None:
        """What the picture of a ticket says; None = no such ticket."""
        code = self._memory.tickets.get(ticket)
        return code.url if code is not None and code.url else None

    # Media, drafts, templates

    def media_keep(self, kind: str, name: str, content_type: str, content: bytes) -> dict[str, Any]:
        """Keep an uploaded file; its type and size are WeChat's."""
        if kind not in MEDIA_SIZES:
            raise Refusal(40004)
        if not content:
            raise Refusal(41005)
        if len(content) > MEDIA_SIZES[kind]:
            raise Refusal(40006)
        if kind in ("image", "thumb") and not content.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
            raise Refusal(40005)
        media_id = self._media.put(File(kind, content_type, name, content))
        return {"type": kind, "media_id": media_id, "created_at": int(time.time())}

    def draft_add(self, body: dict[str, Any]) -> dict[str, Any]:
        articles = body.get("articles")
        if not isinstance(articles, list) or not articles:
            raise Refusal(44003)
        if len(articles) > 8:
            raise Refusal(45008)
        for article in articles:
            self._check_article(article)
        media_id = secrets.token_urlsafe(32)
        self._memory.drafts[media_id] = [str(article["title"]) for article in articles]
        return {"media_id": media_id}

    def _check_article(self, article: Any) -> None:
        if not isinstance(article, dict):
            raise Refusal(47001)
        title, content = article.get("title"), article.get("content")
        if not isinstance(title, str) or not 1 <= len(title) <= 64:
            raise Refusal(45003)
        if len(str(article.get("digest") or "")) > 128:
            raise Refusal(45004)
        if not isinstance(content, str) or not content:
            raise Refusal(44004)
        if len(content) > 20_000:
            raise Refusal(45002)
        if self._media.get(str(article.get("thumb_media_id"))) is None:
            raise Refusal(40007)

    def template_add(self, body: dict[str, Any]) -> dict[str, Any]:
        short = body.get("template_id_short")
        if not isinstance(short, str) or not short:
            raise Refusal(40037)
        if len(self._memory.templates) >= self._limits.templates:
            raise Refusal(45026)
        template = secrets.token_urlsafe(32)
        self._memory.templates[template] = "服务通知"
        return {"template_id": template}

    def template_list(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {
            "template_list": [{"template_id": key, "title": title} for key, title in self._memory.templates.items()]
        }

    def template_delete(self, body: dict[str, Any]) -> dict[str, Any]:
        if self._memory.templates.pop(str(body.get("template_id")), None) is None:
            raise Refusal(40037)
        return {}


def _part(body: dict[str, Any], name: str, errcode: int = 40035) -> dict[str, Any]:
    part = body.get(name)
    if not isinstance(part, dict):
        raise Refusal(errcode)
    return part


def _scene(scene: dict[str, Any], text: bool) -> str:
    value = scene.get("scene_str" if text else "scene_id")
    if text and isinstance(value, str) and 1 <= len(value.encode()) <= MOST_SCENE:
        return value
    if not text and isinstance(value, int) and 1 <= value <= 4_294_967_295:
        return str(value)
    raise Refusal(40053)
