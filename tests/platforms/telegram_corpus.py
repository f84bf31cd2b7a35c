"""What people do on Telegram, as updates that are shaped as Telegram really shapes them, and what each means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SENT = datetime(2026, 11, 22, 3, 59, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
PERSON = {
    "id": 1001,
    "is_bot": False,
    "first_name": "林",
    "last_name": "晓",
    "username": "xiaolin",
    "language_code": "zh-hans",
}
CHAT = {"id": 1001, "first_name": "林", "last_name": "晓", "username": "xiaolin", "type": "private"}
BOT = {"id": 7, "is_bot": True, "first_name": "暖阳", "username": "nuanyang_bot"}
FILE = {"file_id": "BQACAgUAAxkBAAIB", "file_unique_id": "AgADBQ", "file_size": 20480}
GROUP = {"id": -1001234567890, "title": "助残之星", "type": "supergroup"}


def message(**content: Any) -> dict[str, Any]:
    return {
        "update_id": 710000001,
        "message": {
            "message_id": 42,
            "from": PERSON,
            "chat": CHAT,
            "date": int(SENT.timestamp()),
            **content,
        },
    }


def pressed(**changes: Any) -> dict[str, Any]:
    asked = {
        "message_id": 41,
        "from": BOT,
        "chat": CHAT,
        "date": 1,
        "text": "请问怎么称呼你？",
        "reply_markup": {"inline_keyboard": [[{"text": "同意", "callback_data": "abc"}]]},
    }
    query = {
        "id": "4382bfdwdsb323b2d9",
        "from": PERSON,
        "message": asked,
        "chat_instance": "-1",
        "data": "abc",
    }
    return {"update_id": 710000002, "callback_query": {**query, **changes}}


def membership(status: str) -> dict[str, Any]:
    def member(state: str) -> dict[str, Any]:
        return {"user": BOT, "status": state, **({"until_date": 0} if state == "kicked" else {})}

    return {
        "update_id": 710000003,
        "my_chat_member": {
            "chat": CHAT,
            "from": PERSON,
            "date": int(SENT.timestamp()),
            "old_chat_member": member("member" if status == "kicked" else "kicked"),
            "new_chat_member": member(status),
        },
    }


def command(text: str) -> dict[str, Any]:
    length = len(text.split()[0])
    return message(text=text, entities=[{"offset": 0, "length": length, "type": "bot_command"}])


PHOTO = [{**FILE, "file_id": name, "width": size, "height": size} for name, size in (("small", 90), ("large", 800))]
STICKER = {
    **FILE,
    "type": "regular",
    "width": 512,
    "height": 512,
    "is_animated": False,
    "is_video": False,
    "emoji": "👍",
    "set_name": "Hello",
}
VIDEO = {**FILE, "width": 640, "height": 480, "duration": 3, "mime_type": "video/mp4"}
PLACE = {"latitude": 23.135, "longitude": 113.361}
POLL = {
    "id": "5",
    "question": "去吗",
    "options": [{"text": "去", "voter_count": 0, "persistent_id": "1"}],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": True,
}

# update, and the fields of the Inbound that must come out of it
CORPUS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "words": (message(text="大一的想当义工咋报名"), {"kind": "text", "text": "大一的想当义工咋报名"}),
    "start": (command("/start"), {"kind": "follow"}),
    "deep link": (command("/start st_4401-9"), {"kind": "follow", "scene": "st_4401-9"}),
    "start by name": (command("/start@nuanyang_bot x"), {"kind": "follow", "scene": "x"}),
    "menu": (command("/menu"), {"kind": "menu", "menu": "menu"}),
    "command": (command("/SOS@nuanyang_bot"), {"kind": "menu", "menu": "sos"}),
    "unknown command": (command("/foo 1 2"), {"kind": "menu", "menu": "foo", "text": "1 2"}),
    "slash only": (message(text="/路上 见"), {"kind": "text", "text": "/路上 见"}),
    "button": (pressed(), {"kind": "choice", "choice": "abc", "sent_at": NOW, "key": "710000002"}),
    "old button": (
        pressed(message={"message_id": 3, "chat": CHAT, "date": 0}),
        {"kind": "choice", "choice": "abc", "sent_at": NOW, "key": "710000002"},
    ),
    "place": (message(location=PLACE), {"kind": "location", **PLACE}),
    "venue": (
        message(location=PLACE, venue={"location": PLACE, "title": "天河公园", "address": "员村"}),
        {"kind": "location", **PLACE},
    ),
    "own number": (
        message(contact={"phone_number": "8613800138000", "first_name": "林", "user_id": 1001}),
        {"kind": "text", "text": "+8613800138000"},
    ),
    "a friend's number": (
        message(contact={"phone_number": "+8613800138000", "first_name": "妈妈", "user_id": 1002}),
        {"kind": "media", "media_kind": "contact"},
    ),
    "photo": (
        message(photo=PHOTO, caption="胳膊上有烟头印"),
        {"kind": "media", "media_kind": "image", "media_id": "large", "text": "胳膊上有烟头印"},
    ),
    "voice": (
        message(voice={**FILE, "duration": 2, "mime_type": "audio/ogg"}),
        {"kind": "media", "media_kind": "voice", "media_id": FILE["file_id"]},
    ),
    "video": (message(video=VIDEO), {"kind": "media", "media_kind": "video", "media_id": FILE["file_id"]}),
    "video note": (
        message(video_note={**FILE, "length": 240, "duration": 3}),
        {"kind": "media", "media_kind": "video", "media_id": FILE["file_id"]},
    ),
    "animation": (
        message(animation=VIDEO, document=FILE),
        {"kind": "media", "media_kind": "video", "media_id": FILE["file_id"]},
    ),
    "sticker": (
        message(sticker=STICKER),
        {"kind": "media", "media_kind": "sticker", "media_id": FILE["file_id"]},
    ),
    "document": (
        message(document={**FILE, "file_name": "台账.xlsx"}),
        {"kind": "media", "media_kind": "file", "media_id": FILE["file_id"]},
    ),
    "audio": (
        message(audio={**FILE, "duration": 3}),
        {"kind": "media", "media_kind": "file", "media_id": FILE["file_id"]},
    ),
    "poll": (message(poll=POLL), {"kind": "media", "media_kind": "file"}),
    "dice": (message(dice={"emoji": "🎲", "value": 3}), {"kind": "media", "media_kind": "file"}),
    "service": (message(delete_chat_photo=True), {"kind": "other", "text": "service"}),
    "edited": (
        {"update_id": 710000001, "edited_message": message(text="改了", edit_date=1)["message"]},
        {"kind": "other", "text": "edited", "sent_at": EPOCH},
    ),
    "blocked": (membership("kicked"), {"kind": "unfollow", "key": "710000003"}),
    "unblocked": (membership("member"), {"kind": "other", "text": "unblocked", "key": "710000003"}),
    "group": (
        message(text="/start", chat=GROUP),
        {"kind": "other", "text": "group", "sender": "-1001234567890"},
    ),
    "channel": (
        {
            "update_id": 710000001,
            "channel_post": {"message_id": 1, "date": 1, "chat": {**GROUP, "type": "channel"}, "text": "公告"},
        },
        {"kind": "other", "text": "group", "sender": "-1001234567890", "language": "", "sent_at": EPOCH},
    ),
}
