"""What a person can do in Telegram, as the updates Telegram makes of it."""

from __future__ import annotations

import re
import secrets
from typing import Any

from bot.sandbox.media import SAMPLES, MediaStore
from bot.sandbox.memory import Message, MessageKind, Person, Phrase
from bot.sandbox.phones import Phones, Refused
from bot.sandbox.telegram_sim import TelegramSim
from bot.sandbox.telegram_text import MOST_TEXT, entities
from bot.sandbox.wechat_words import linked

START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{0,64}\Z")
LONGEST_INPUT = 5 * MOST_TEXT
MOST_QUERIES = 200
SENT: dict[str, tuple[MessageKind, str]] = {
    "image": ("image", "[图片]"),
    "sticker": ("sticker", "[贴纸]"),
    "voice": ("voice", "[语音]"),
    "video": ("image", "[视频]"),
    "file": ("link", "[文件]"),
}


def user_json(person: Person) -> dict[str, Any]:
    """The person as a Bot API User."""
    return {
        "id": person.telegram_id,
        "is_bot": False,
        "first_name": person.name,
        "language_code": person.language,
    }


def chat_json(person: Person) -> dict[str, Any]:
    """The private chat with the person."""
    return {"id": person.telegram_id, "first_name": person.name, "type": "private"}


class TelegramActs:
    """The person's fingers. Every method returns the message shown for the act and raises Refused."""

    def __init__(self, phones: Phones, media: MediaStore, sim: TelegramSim, bot: dict[str, Any]) -> None:
        self._phones = phones
        self._media = media
        self._sim = sim
        self._bot = bot

    def text(self, person: Person, words: str, repeat: int = 0) -> Message:
        """Type words; the app cuts long ones into several messages, of which the last is returned."""
        if len(words) > LONGEST_INPUT:
            raise Refused("too_long", f"一次最多 {LONGEST_INPUT} 个字。", most=LONGEST_INPUT)
        self._may_write(person, starting=words.split(maxsplit=1)[0] == "/start")
        pieces = [words[start : start + MOST_TEXT] for start in range(0, len(words), MOST_TEXT)]
        for piece in pieces:
            marks = entities(piece)
            fields: dict[str, Any] = {"text": piece} | ({"entities": marks} if marks else {})
            rich = linked(piece)
            message = self._message(person, "text", piece, fields, repeat, html=rich if "<a " in rich else "")
        return message

    def press(self, person: Person, message_id: str, button_id: str, repeat: int = 0) -> Message:
        """Press a button under a message; the message shows how far the press has come."""
        self._may_write(person)
        message = self._phones.find("telegram", person, message_id)
        button = next((b for row in message.buttons for b in row if b.id == button_id), None)
        if button is None:
            raise Refused("no_button", "这个按钮已经不在了。", 404)
        if button.url:
            raise Refused("link", "这个按钮是一个链接，请直接打开。")
        query = str(secrets.randbits(62) | 1 << 61)
        queries = self._phones.memory.telegram.queries
        queries[query] = person.id
        for old in list(queries)[:-MOST_QUERIES]:
            del queries[old]
        body = {
            "id": query,
            "from": user_json(person),
            "message": self.message_json(person, message),
            "chat_instance": str(person.telegram_id * 31),
            "data": button.data,
        }
        self._phones.set_state("telegram", person, message, "sending")
        self._sim.queue(person, {"callback_query": body}, message, repeat)
        return message

    def location(self, person: Person, latitude: float, longitude: float, label: str, repeat: int = 0) -> Message:
        """Share a place, WGS-84; with a label it is a venue."""
        self._may_write(person)
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise Refused("place", "纬度或经度不对。")
        place = {"latitude": latitude, "longitude": longitude}
        fields: dict[str, Any] = {"location": place}
        if label:
            fields["venue"] = {"location": place, "title": label, "address": label}
        words = label or f"{latitude:.5f}, {longitude:.5f}"
        return self._message(person, "location", words, fields, repeat)

    def media(self, person: Person, kind: str, repeat: int = 0) -> Message:
        """Send a canned picture, sticker, voice, video or file."""
        self._may_write(person)
        media_id, sample = self._media.sample(kind), SAMPLES[kind]
        file: dict[str, Any] = {
            "file_id": media_id,
            "file_unique_id": media_id[:15],
            "file_size": len(sample.content),
        }
        fields: dict[str, Any]
        if kind == "image":
            fields = {"photo": [file | {"width": 160, "height": 120}]}
        elif kind == "sticker":
            about = {"type": "regular", "width": 96, "height": 96, "is_animated": False, "is_video": False}
            fields = {"sticker": file | about | {"emoji": "🌞"}}
        elif kind == "voice":
            fields = {"voice": file | {"duration": 2, "mime_type": "audio/ogg"}}
        elif kind == "video":
            fields = {"video": file | {"duration": 3, "width": 160, "height": 120, "mime_type": "video/mp4"}}
        else:
            fields = {"document": file | {"file_name": sample.name, "mime_type": sample.content_type}}
        shown_kind, words = SENT[kind]
        return self._message(person, shown_kind, words, fields, repeat, media_url=f"/sandbox/media/{media_id}")

    def contact(self, person: Person, repeat: int = 0) -> Message:
        """Share one's own phone number (invented, of the shape that mobile numbers have)."""
        self._may_write(person)
        number = f"+86138001{person.telegram_id % 10**5:05d}"
        contact = {"phone_number": number, "first_name": person.name, "user_id": person.telegram_id}
        return self._message(person, "text", number, {"contact": contact}, repeat)

    def follow(self, person: Person, parameter: str = "", repeat: int = 0) -> Message:
        """Press START, with a deep link's parameter where there is one; unblocks first where needed."""
        if not START_PARAMETER.match(parameter):
            raise Refused("parameter", "Telegram 的参数只能是 64 个以内的字母、数字、_ 和 -。")
        if person.blocked:
            self._membership(person, blocked=False)
        return self.text(person, f"/start {parameter}".strip(), repeat)

    def unfollow(self, person: Person, repeat: int = 0) -> Message:
        """Block the bot."""
        self._may_write(person)
        return self._membership(person, blocked=True, repeat=repeat)

    def message_json(self, person: Person, message: Message) -> dict[str, Any]:
        """A message the bot sent, as the Bot API shows it."""
        plain: dict[str, Any] = {
            "message_id": message.number,
            "from": self._bot,
            "chat": chat_json(person),
            "date": int(message.at.timestamp()),
            "text": message.text,
        }
        if message.markup and "inline_keyboard" in message.markup:
            plain["reply_markup"] = message.markup
        return plain

    def _membership(self, person: Person, *, blocked: bool, repeat: int = 0) -> Message:
        words = "停用了机器人" if blocked else "重新启用了机器人"
        note: Phrase = {"code": "blocked" if blocked else "unblocked"}
        message = self._phones.say("telegram", person, "person", "event", words, state="sending", note=note)
        person.blocked = blocked
        person.started = True
        self._phones.following_changed("telegram", person)
        gone: dict[str, Any] = {"user": self._bot, "status": "kicked", "until_date": 0}
        here: dict[str, Any] = {"user": self._bot, "status": "member"}
        change = {
            "chat": chat_json(person),
            "from": user_json(person),
            "date": int(self._phones.now().timestamp()),
            "old_chat_member": here if blocked else gone,
            "new_chat_member": gone if blocked else here,
        }
        self._sim.queue(person, {"my_chat_member": change}, message, repeat)
        return message

    def _message(
        self,
        person: Person,
        kind: MessageKind,
        words: str,
        fields: dict[str, Any],
        repeat: int = 0,
        *,
        html: str = "",
        media_url: str = "",
    ) -> Message:
        chat = self._phones.chat("telegram", person)
        if chat.keyboard is not None and chat.keyboard["one_time"]:
            chat.keyboard = None
        message = self._phones.say(
            "telegram", person, "person", kind, words, html=html, state="sending", media_url=media_url
        )
        body = {
            "message_id": message.number,
            "from": user_json(person),
            "chat": chat_json(person),
            "date": int(message.at.timestamp()),
            **fields,
        }
        self._sim.queue(person, {"message": body}, message, repeat)
        return message

    def _may_write(self, person: Person, *, starting: bool = False) -> None:
        if person.blocked:
            raise Refused("blocked", "已停用这个机器人，请先重新启用。", 409)
        if starting and not person.started:
            person.started = True
            self._phones.following_changed("telegram", person)
        if not person.started:
            raise Refused("not_started", "请先点“开始”。", 409)
