"""WeChat's doors out: 客服, template, one-time and subscription messages, mass sends, each with its own refusals."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Any

from bot.sandbox.media import MediaStore
from bot.sandbox.memory import Person, SentOnce
from bot.sandbox.phones import Phones
from bot.sandbox.reading import whole_number
from bot.sandbox.wechat_limits import Quotas, WeChatLimits
from bot.sandbox.wechat_refusals import Refusal
from bot.sandbox.wechat_sim import WeChatSim
from bot.sandbox.wechat_words import MOST_TEXT, Shown, articles_message, msgmenu_message, text_message

# Longest value by the kind a field's name begins with; anything else: 20 characters.
FIELD_LENGTHS = {
    "thing": 20,
    "character_string": 32,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "phone_number": 17,
    "car_number": 8,
    "name": 20,
    "phrase": 5,
    "time": 32,
    "date": 32,
    "amount": 20,
    "const": 20,
}
# What the phone shows before a value, by the same kinds: the console lets each account choose its own words.
FIELD_NAMES = {"phrase": "状态", "const": "状态", "thing": "事项", "time": "时间", "date": "日期", "name": "姓名"}
FIELD = re.compile(r"([a-z_]+?)\d*\Z")


class WeChatSend:
    """Every method takes the call's JSON and returns the answer's fields; raises Refusal."""

    def __init__(self, phones: Phones, media: MediaStore, sim: WeChatSim, limits: WeChatLimits, quotas: Quotas) -> None:
        self._phones = phones
        self._media = media
        self._sim = sim
        self._limits = limits
        self._quotas = quotas

    def custom(self, body: dict[str, Any]) -> dict[str, Any]:
        """客服 message: only inside a window the person opened."""
        person = self._follower(body.get("touser"))
        shown = self._custom_content(body)
        self._quotas.take_window(person)
        self._sim.show(person, shown, "客服")
        return {}

    def typing(self, body: dict[str, Any]) -> dict[str, Any]:
        """“对方正在输入”."""
        person = self._follower(body.get("touser"))
        if body.get("command") not in ("Typing", "CancelTyping"):
            raise Refusal(40035)
        if body["command"] == "Typing":
            self._phones.journal.add("typing", platform="wechat", person=person.id)
        return {}

    def template(self, body: dict[str, Any]) -> dict[str, Any]:
        """Template message: once per openid and client_msg_id within ten minutes; its receipt comes as an event."""
        person = self._follower(body.get("touser"))
        key = body.get("client_msg_id")
        once = f"template|{person.openid}|{key}"
        known = self._known(once, self._limits.client_msg_life) if key else None
        if known is not None:
            return {"msgid": known.msgid}
        template = self._template(body.get("template_id"))
        data = _data(body)
        msgid = self._sim.message_id()
        if key:
            self._remember(once, msgid)
        self._show_fields(person, self._phones.memory.wechat.templates[template], data, body.get("url"), "模板")
        self._finished(person, "TEMPLATESENDJOBFINISH", {"MsgID": msgid, "Status": "success"})
        return {"msgid": msgid}

    def one_time(self, body: dict[str, Any]) -> dict[str, Any]:
        """一次性订阅消息: uses up one grant of its scene; the person need not follow."""
        person = self._known_person(body.get("touser"))
        self._template(body.get("template_id"))
        title, data = body.get("title"), body.get("data")
        content = data.get("content") if isinstance(data, dict) else None
        value = content.get("value") if isinstance(content, dict) else None
        if not isinstance(title, str) or not 1 <= len(title) <= 15:
            raise Refusal(47003, "title size invalid")
        if not isinstance(value, str) or not 1 <= len(value) <= 200:
            raise Refusal(47003, "data.content.value size invalid")
        scene = body.get("scene")
        number = whole_number(scene)
        if number is None or not 0 <= number <= 10_000:
            raise Refusal(40035, "scene")
        self._use_grant(person, f"scene:{number}")
        self._show_fields(person, title, {"": value}, body.get("url"), "订阅")
        return {}

    def bizsend(self, body: dict[str, Any]) -> dict[str, Any]:
        """订阅通知: uses up one grant of its template."""
        person = self._follower(body.get("touser"))
        template = self._template(body.get("template_id"))
        data = _data(body)
        self._use_grant(person, f"template:{template}")
        title = self._phones.memory.wechat.templates[template]
        self._show_fields(person, title, data, body.get("page"), "订阅")
        sent = {"TemplateId": template, "MsgID": self._sim.message_id(), "ErrorCode": 0, "ErrorStatus": "success"}
        self._finished(person, "subscribe_msg_sent_event", {"SubscribeMsgSentEvent": {"List": sent}})
        return {}

    def mass(self, body: dict[str, Any]) -> dict[str, Any]:
        """To listed followers, at least two."""
        openids = body.get("touser")
        if not isinstance(openids, list) or not all(isinstance(openid, str) for openid in openids):
            raise Refusal(40003)
        if not self._limits.mass_smallest <= len(openids) <= self._limits.mass_largest:
            raise Refusal(40130)
        return self._mass(body, len(openids), [p for o in dict.fromkeys(openids) if (p := self._phones.by_openid(o))])

    def mass_all(self, body: dict[str, Any]) -> dict[str, Any]:
        """To everybody or to the holders of a tag."""
        chosen, memory = body.get("filter"), self._phones.memory.wechat
        if not isinstance(chosen, dict):
            raise Refusal(40035, "filter")
        people = list(self._phones.memory.people.values())
        if not chosen.get("is_to_all"):
            tag = whole_number(chosen.get("tag_id"))
            if tag not in memory.tags:
                raise Refusal(45159)
            people = [person for person in people if tag in memory.tagged.get(person.id, ())]
        people = [person for person in people if person.following]
        return self._mass(body, len(people), people)

    def preview(self, body: dict[str, Any]) -> dict[str, Any]:
        """To one follower, outside the monthly four."""
        person = self._follower(body.get("touser"))
        self._sim.show(person, self._mass_content(body), "群发")
        return {"msg_id": self._sim.message_id()}

    def mass_state(self, body: dict[str, Any]) -> dict[str, Any]:
        """What became of a mass send."""
        msg_id = str(body.get("msg_id", ""))
        state = self._phones.memory.wechat.mass_tasks.get(msg_id)
        if state is None:
            raise Refusal(40035, "msg_id")
        return {"msg_id": int(msg_id), "msg_status": state}

    def _mass(self, body: dict[str, Any], asked: int, people: list[Person]) -> dict[str, Any]:
        shown = self._mass_content(body)
        key = body.get("clientmsgid")
        if key is not None and not 1 <= len(str(key).encode()) <= 64:
            raise Refusal(45067)
        known = self._known(f"mass|{key}", self._limits.clientmsgid_life) if key else None
        if known is not None:
            raise Refusal(45065, msg_id=known.msgid, msg_data_id=known.msgid + 1)
        followers = [person for person in people if person.following]
        allowed = [person for person in followers if self._quotas.mass_left(person) > 0]
        if followers and not allowed:
            raise Refusal(45028)
        msg_id = self._sim.message_id()
        if key:
            self._remember(f"mass|{key}", msg_id)
        for person in allowed:
            self._quotas.take_mass(person)
            self._sim.show(person, shown, "群发")
        self._phones.memory.wechat.mass_tasks[str(msg_id)] = "SEND_SUCCESS"
        totals = {
            "MsgID": msg_id,
            "Status": "send success",
            "TotalCount": asked,
            "FilterCount": len(followers),
            "SentCount": len(allowed),
            "ErrorCount": len(followers) - len(allowed),
        }
        # The event names no receiver; FromUserName is the WeChat account of the one who owns the service.
        self._finished(next(iter(self._phones.memory.people.values())), "MASSSENDJOBFINISH", totals)
        return {"msg_id": msg_id, "msg_data_id": msg_id + 1}

    # Contents

    def _custom_content(self, body: dict[str, Any]) -> Shown:
        kind = body.get("msgtype")
        part = body.get(str(kind))
        if kind not in ("text", "image", "voice", "msgmenu", "news"):
            raise Refusal(40008)
        if not isinstance(part, dict):
            raise Refusal(47001)
        if kind == "text":
            return _text(part)
        if kind == "msgmenu":
            return _msgmenu(part)
        if kind == "news":
            return _news(part)
        return self._media_message(kind, part)

    def _mass_content(self, body: dict[str, Any]) -> Shown:
        kind = body.get("msgtype")
        part = body.get(str(kind))
        if kind not in ("text", "image", "voice", "mpnews"):
            raise Refusal(40008)
        if not isinstance(part, dict):
            raise Refusal(47001)
        if kind == "text":
            return _text(part)
        if kind == "mpnews":
            titles = self._phones.memory.wechat.drafts.get(str(part.get("media_id")))
            if titles is None:
                raise Refusal(40007)
            return Shown("link", "\n".join(titles))
        return self._media_message(kind, part)

    def _media_message(self, kind: str, part: dict[str, Any]) -> Shown:
        media_id = str(part.get("media_id") or "")
        if self._media.get(media_id) is None:
            raise Refusal(40007)
        address = f"/sandbox/media/{media_id}"
        return (
            Shown("image", "[图片]", media_url=address)
            if kind == "image"
            else Shown("voice", "[语音]", "", [], address)
        )

    def _show_fields(self, person: Person, title: str, data: dict[str, str], url: Any, via: str) -> None:
        lines = "\n".join(f"{_field_name(name)}：{value}" if name else value for name, value in data.items())
        words = f"{title}\n{lines}"
        address = f"\n{url}" if isinstance(url, str) and url.startswith(("http://", "https://")) else ""
        shown = text_message(words + address)
        shown.kind = "template"
        self._sim.show(person, shown, via)

    # Who, what, how often

    def _known_person(self, openid: Any) -> Person:
        person = self._phones.by_openid(openid) if isinstance(openid, str) else None
        if person is None:
            raise Refusal(40003)
        return person

    def _follower(self, openid: Any) -> Person:
        person = self._known_person(openid)
        if not person.following:
            raise Refusal(43004)
        return person

    def _template(self, template: Any) -> str:
        """A template of the account. An id the sandbox has not seen counts as added in the console, while there
        is room for it."""
        templates = self._phones.memory.wechat.templates
        if not isinstance(template, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", template):
            raise Refusal(40037)
        if template not in templates:
            if len(templates) >= self._limits.templates:
                raise Refusal(40037)
            templates[template] = "服务通知"
        return template

    def _use_grant(self, person: Person, grant: str) -> None:
        granted = self._phones.memory.wechat.grants.get(person.id, [])
        if grant not in granted:
            raise Refusal(43101)
        granted.remove(grant)

    def _known(self, key: str, life: int) -> SentOnce | None:
        """An earlier sending under the same key. Its life is machine time, as the product's deadlines are."""
        found = self._phones.memory.wechat.once.get(key)
        return found if found is not None and time.time() - found.at < life else None

    def _remember(self, key: str, msgid: int) -> None:
        once = self._phones.memory.wechat.once
        oldest = time.time() - self._limits.clientmsgid_life
        for old in [known for known, sent in once.items() if sent.at < oldest]:
            del once[old]
        once[key] = SentOnce(at=time.time(), msgid=msgid)

    def _finished(self, person: Person, event: str, fields: dict[str, Any]) -> None:
        created = self._sim.event_time(person, event, "")
        self._sim.deliver(person, {"CreateTime": created, "MsgType": "event", "Event": event, **fields})


def _field_name(name: str) -> str:
    matched = FIELD.match(name)
    return FIELD_NAMES.get(matched[1], name) if matched else name


def _text(part: dict[str, Any]) -> Shown:
    content = part.get("content")
    if not isinstance(content, str) or not content:
        raise Refusal(44004)
    if len(content.encode()) > MOST_TEXT:
        raise Refusal(45002)
    return text_message(content)


def _msgmenu(part: dict[str, Any]) -> Shown:
    entries = part.get("list")
    if not isinstance(entries, list) or not entries:
        raise Refusal(47003, "msgmenu.list")
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("id") or not entry.get("content"):
            raise Refusal(47003, "msgmenu.list")
    shown = msgmenu_message(part)
    if len((shown.text + "".join(row[0].text for row in shown.buttons)).encode()) > MOST_TEXT:
        raise Refusal(45002)
    return shown


def _news(part: dict[str, Any]) -> Shown:
    articles = part.get("articles")
    if not isinstance(articles, list) or not articles:
        raise Refusal(44003)
    if len(articles) > 1:
        raise Refusal(45008)
    if not isinstance(articles[0], dict) or not articles[0].get("title"):
        raise Refusal(45003)
    return articles_message([{name: str(value) for name, value in articles[0].items()}])


def _data(body: dict[str, Any]) -> dict[str, str]:
    """The fields of a template or 订阅通知; raises Refusal 47003 as the category templates do."""
    data = body.get("data")
    if not isinstance(data, dict) or not data:
        raise Refusal(47003, "data is empty")
    values: dict[str, str] = {}
    for name, part in data.items():
        value = part.get("value") if isinstance(part, dict) else None
        matched = FIELD.match(name)
        # The first line and the remark were taken out of templates in 2023.
        if not isinstance(value, str) or not value or matched is None or name in ("first", "remark"):
            raise Refusal(47003, f"data.{name}.value is empty or invalid")
        if len(value) > FIELD_LENGTHS.get(matched[1], 20) or any(_not_allowed(letter) for letter in value):
            raise Refusal(47003, f"data.{name}.value invalid")
        values[name] = value
    return values


def _not_allowed(letter: str) -> bool:
    """Newlines, control characters and emoji (So beyond the BMP, or the variation selector)."""
    kind = unicodedata.category(letter)
    return kind == "Cc" or letter == "\ufe0f" or (kind == "So" and ord(letter) >= 0x2600)
