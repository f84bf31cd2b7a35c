"""What a person can do in WeChat, as the messages and events WeChat makes of it."""

from __future__ import annotations

import hashlib
from typing import Any

from bot.sandbox.coordinates import to_gcj02
from bot.sandbox.media import SAMPLES
from bot.sandbox.memory import Message, MessageKind, Person, Phrase, QrCode
from bot.sandbox.phones import Phones, Refused
from bot.sandbox.wechat_menu import entry_by_key, menu_for
from bot.sandbox.wechat_sim import WeChatSim

Said = tuple[str, Phrase]  # what the phone shows of an event, and the same for the page's languages
SENT: dict[str, tuple[MessageKind, str]] = {
    "image": ("image", "[图片]"),
    "sticker": ("sticker", "[动画表情]"),
    "voice": ("voice", "[语音]"),
    "video": ("image", "[视频]"),
    "file": ("link", "[文件]"),
}


class WeChatActs:
    """The person's fingers. Every method returns the message shown for the act and raises Refused."""

    def __init__(self, phones: Phones, sim: WeChatSim) -> None:
        self._phones = phones
        self._sim = sim

    def text(self, person: Person, words: str, *, menu_id: str = "", repeat: int = 0) -> Message:
        """Type words, or click an entry of a msgmenu (`menu_id`)."""
        fields: dict[str, Any] = {"MsgType": "text", "Content": words}
        if menu_id:
            fields["bizmsgmenuid"] = menu_id
        return self._message(person, "text", words, fields, repeat)

    def press(self, person: Person, message_id: str, button_id: str, repeat: int = 0) -> Message:
        """Click an entry of a msgmenu: WeChat sends its words as a text."""
        for row in self._phones.find("wechat", person, message_id).buttons:
            for button in row:
                if button.id == button_id:
                    return self.text(person, button.text, menu_id=button.data, repeat=repeat)
        raise Refused("no_button", "这个选项已经不在了。", 404)

    def media(self, person: Person, kind: str, repeat: int = 0) -> Message:
        """Send a canned picture, sticker, voice, video or file."""
        media_id = self._sim.media.sample(kind)
        address = f"/sandbox/media/{media_id}"
        fields: dict[str, Any]
        if kind in ("image", "sticker"):  # a sticker reaches an account as a picture
            fields = {"MsgType": "image", "PicUrl": self._sim.public(address), "MediaId": media_id}
        elif kind == "voice":
            fields = {"MsgType": "voice", "MediaId": media_id, "Format": "amr", "MediaId16K": media_id}
        elif kind == "video":
            fields = {"MsgType": "video", "MediaId": media_id, "ThumbMediaId": self._sim.media.sample("image")}
        else:
            sample = SAMPLES["file"]
            digest = hashlib.md5(sample.content, usedforsecurity=False).hexdigest()
            fields = {
                "MsgType": "file",
                "Title": sample.name,
                "Description": "",
                "FileKey": media_id,
                "FileMd5": digest,
                "FileTotalLen": len(sample.content),
            }
        shown_kind, words = SENT[kind]
        return self._message(person, shown_kind, words, fields, repeat, media_url=address)

    def location(self, person: Person, latitude: float, longitude: float, label: str, repeat: int = 0) -> Message:
        """Share a place; WGS-84 in, GCJ-02 on the wire as in WeChat."""
        words = label or f"{latitude:.5f}, {longitude:.5f}"
        return self._message(person, "location", words, _place(latitude, longitude, label), repeat)

    def report_location(self, person: Person, latitude: float, longitude: float) -> Message:
        """The position an account gets when the person opens the chat and allowed it."""
        north, east = to_gcj02(latitude, longitude)
        fields = {"Latitude": round(north, 6), "Longitude": round(east, 6), "Precision": 40.0}
        return self._event(person, "LOCATION", "", ("打开会话，上报位置", {"code": "reported"}), fields)

    def link(self, person: Person, title: str, about: str, url: str) -> Message:
        """Forward an article."""
        fields = {"MsgType": "link", "Title": title, "Description": about, "Url": url}
        return self._message(person, "link", title, fields)

    def menu(self, person: Person, key: str, place: tuple[float, float] | None = None, repeat: int = 0) -> Message:
        """Press an entry of the account's menu by its key (for a page: its address)."""
        entry = entry_by_key(menu_for(self._phones.memory.wechat, person.id), key)
        if entry is None:
            raise Refused("no_entry", "公众号的菜单里没有这一项。", 404)
        words = (f"点击菜单：{entry['name']}", Phrase(code="menu", name=str(entry["name"])))
        kind = str(entry["type"])
        if kind == "click":
            self._sim.open_window(person, "menu")
            return self._event(person, "CLICK", key, words, repeat=repeat)
        if kind == "view":
            return self._event(person, "VIEW", key, words, {"MenuId": 1}, repeat=repeat)
        if kind.startswith("scancode_"):
            self._sim.open_window(person, "menu")
            scanned = {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "https://example.org/nuanyang"}}
            return self._event(person, kind, key, words, scanned, repeat=repeat)
        if kind.startswith("pic_"):
            picture = hashlib.md5(SAMPLES["image"].content, usedforsecurity=False).hexdigest()
            sent = {"SendPicsInfo": {"Count": 1, "PicList": [{"PicMd5Sum": picture}]}}
            self._event(person, kind, key, words, sent)
            return self.media(person, "image", repeat)
        if kind == "location_select":
            latitude, longitude = place or (23.1291, 113.2644)
            info = _place(latitude, longitude, "")
            del info["MsgType"]
            self._event(person, kind, key, words, {"SendLocationInfo": {**info, "Poiname": ""}})
            return self.location(person, latitude, longitude, "", repeat)
        raise Refused("not_here", "沙盒不会打开这种菜单项。")

    def follow(self, person: Person, scene: str = "", repeat: int = 0) -> Message:
        """Subscribe, by hand or with a QR code's scene."""
        if person.following:
            raise Refused("following", "已经关注了。", 409)
        person.following = True
        self._sim.open_window(person, "follow")
        self._phones.following_changed("wechat", person)
        if not scene:
            return self._event(person, "subscribe", "", ("关注了公众号", {"code": "followed"}), repeat=repeat)
        ticket = {"Ticket": self._ticket(scene)}
        words: Said = ("扫码并关注了公众号", {"code": "scanned_followed"})
        return self._event(person, "subscribe", f"qrscene_{scene}", words, ticket, repeat=repeat)

    def scan(self, person: Person, scene: str, repeat: int = 0) -> Message:
        """Scan a QR code of the account."""
        if not 1 <= len(scene.encode()) <= 64:
            raise Refused("scene", "二维码的场景值是 1–64 个字符。")
        if not person.following:
            return self.follow(person, scene, repeat)
        self._sim.open_window(person, "scan")
        words: Said = ("扫描二维码", {"code": "scanned"})
        return self._event(person, "SCAN", scene, words, {"Ticket": self._ticket(scene)}, repeat=repeat)

    def unfollow(self, person: Person, repeat: int = 0) -> Message:
        """Unsubscribe: windows, grants and tags go."""
        message = self._event(person, "unsubscribe", "", ("取消了关注", {"code": "unfollowed"}), repeat=repeat)
        person.following = False
        memory = self._phones.memory.wechat
        for kept in (memory.windows, memory.grants, memory.tagged):
            kept.pop(person.id, None)
        self._phones.following_changed("wechat", person)
        return message

    def grant(self, person: Person, *, scene: int | None, template: str, accept: bool = True) -> Message:
        """Allow one 一次性订阅消息 (`scene`) or one 订阅通知 (`template`); a refused 订阅通知 is reported too."""
        self._must_follow(person)
        words: Said = ("拒绝了订阅消息", {"code": "grant_refused"})
        if accept:
            words = ("同意接收一次订阅消息", {"code": "granted"})
        granted = self._phones.memory.wechat.grants.setdefault(person.id, [])
        grant = f"template:{template}" if template else f"scene:{scene}"
        if accept and (template or grant not in granted):  # of one scene WeChat counts one, however often it is allowed
            granted.append(grant)
        if not template:  # the one-time page tells the product nothing but its redirect
            return self._phones.say("wechat", person, "system", "event", words[0], note=words[1])
        told = {"TemplateId": template, "SubscribeStatusString": "accept" if accept else "reject", "PopupScene": 2}
        return self._event(person, "subscribe_msg_popup_event", "", words, {"SubscribeMsgPopupEvent": {"List": told}})

    def _message(
        self,
        person: Person,
        kind: MessageKind,
        words: str,
        fields: dict[str, Any],
        repeat: int = 0,
        media_url: str = "",
    ) -> Message:
        self._must_follow(person)
        self._sim.open_window(person, "message")
        message = self._phones.say("wechat", person, "person", kind, words, state="sending", media_url=media_url)
        stamp = {"CreateTime": int(self._phones.now().timestamp()), **fields, "MsgId": self._sim.message_id()}
        self._sim.deliver(person, stamp, message, repeat=repeat)
        return message

    def _event(
        self, person: Person, event: str, key: str, words: Said, extra: dict[str, Any] | None = None, repeat: int = 0
    ) -> Message:
        self._must_follow(person)
        message = self._phones.say("wechat", person, "person", "event", words[0], state="sending", note=words[1])
        created = self._sim.event_time(person, event, key)
        fields: dict[str, Any] = {"CreateTime": created, "MsgType": "event", "Event": event}
        if event not in ("LOCATION", "subscribe_msg_popup_event"):
            fields["EventKey"] = key
        self._sim.deliver(person, fields | (extra or {}), message, repeat=repeat)
        return message

    def _must_follow(self, person: Person) -> None:
        if not person.following:
            raise Refused("not_following", "请先关注公众号。", 409)

    def _ticket(self, scene: str) -> str:
        tickets = self._phones.memory.wechat.tickets
        for code in tickets.values():
            if code.scene == scene:
                if code.expires is not None and code.expires <= self._phones.now():
                    raise Refused("expired", "二维码已过期。", 409)
                return code.ticket
        # A printed code from before this sandbox: the person can scan it all the same.
        ticket = "gQ" + hashlib.sha256(scene.encode()).hexdigest()
        tickets[ticket] = QrCode(ticket=ticket, scene=scene, url="", expires=None)
        return ticket


def _place(latitude: float, longitude: float, label: str) -> dict[str, Any]:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Refused("place", "纬度或经度不对。")
    north, east = to_gcj02(latitude, longitude)
    return {
        "MsgType": "location",
        "Location_X": round(north, 6),
        "Location_Y": round(east, 6),
        "Scale": 15,
        "Label": label,
    }
