"""What the two played platforms remember, as one typed document (see `phones.Phones`, which keeps it on disk)."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

PlatformName = Literal["wechat", "telegram"]
Author = Literal["person", "bot", "system"]
MessageKind = Literal["text", "image", "sticker", "voice", "location", "qr", "event", "template", "link"]
State = Literal["sending", "delivered", "repeated", "failed", ""]
WindowKind = Literal["message", "menu", "follow", "scan"]
# A sentence that the page says in its own language: {"code": one word, and what the sentence needs}; {} = nothing.
Phrase = dict[str, str | int | float]

COLOURS = ("#07c160", "#2f80ed", "#eb5757", "#f2994a", "#9b51e0", "#00a3a3", "#b5651d", "#5b6b7b")
# Name, note, and the word under which the page has the note in its languages.
INVENTED = (
    ("阿林", "19 岁学生", "student"),
    ("陈老师", "想当项目专员", "coordinator"),
    ("小海妈妈", "监护人", "guardian"),
    ("何主任", "县里的管理员", "administrator"),
    ("小海", "15 岁中学生", "minor"),
    ("Ah Ming", "香港志愿者", "hongkong"),
)


def _phrase(value: Any) -> Any:
    """Files of earlier versions hold a Chinese sentence here; such a sentence is let go."""
    return {} if isinstance(value, str) else value


class Record(BaseModel):
    """A part of the document; unknown fields of a newer version are refused rather than lost."""

    model_config = ConfigDict(extra="forbid")


class Person(Record):
    """An invented person with a WeChat account and a Telegram account."""

    id: str
    name: str
    note: str
    avatar: str
    openid: str
    telegram_id: int
    language: str = "zh-hans"  # of the Telegram app; WeChat tells nobody its language
    role: str = ""  # which of INVENTED; empty for people added by hand, whose note nobody translates
    following: bool = False
    started: bool = False
    blocked: bool = False

    def shown(self) -> dict[str, Any]:
        """The person as the phone page knows people."""
        return {
            "id": self.id,
            "name": self.name,
            "note": self.note,
            "role": self.role,
            "avatar": self.avatar,
            "wechat": {"openid": self.openid, "following": self.following},
            "telegram": {"id": self.telegram_id, "started": self.started, "blocked": self.blocked},
        }


class Button(Record):
    """A button under a message. `data` is what the product gave (callback_data, bizmsgmenuid) and is not shown."""

    id: str
    text: str
    url: str = ""
    data: str = ""


class Message(Record):
    """One line of a chat. `number` is Telegram's message_id; `at` is a time of the programme clock."""

    id: str
    number: int
    author: Author
    at: datetime
    kind: MessageKind
    text: str
    entities_html: str = ""
    buttons: list[list[Button]] = []
    via: str = ""
    state: State = ""
    detail: Annotated[Phrase, BeforeValidator(_phrase)] = {}  # why it failed, or which attempt it is
    note: Phrase = {}  # what `text` says, where the sandbox itself says it
    media_url: str = ""
    markup: dict[str, Any] | None = None  # Telegram's reply_markup as the product sent it

    def shown(self) -> dict[str, Any]:
        """The message as the phone page knows messages."""
        plain: dict[str, Any] = {
            "id": self.id,
            "from": self.author,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "text": self.text,
            "buttons": [
                [{"id": b.id, "text": b.text} | ({"url": b.url} if b.url else {}) for b in row] for row in self.buttons
            ],
            "via": self.via,
            "state": self.state,
            "detail": self.detail,
        }
        if self.note:
            plain["note"] = self.note
        if self.entities_html:
            plain["entities_html"] = self.entities_html
        if self.media_url:
            plain["media_url"] = self.media_url
        return plain


class Chat(Record):
    """What one person sees of one account; `keyboard` is Telegram's keyboard below the chat, None = none."""

    messages: list[Message] = []
    keyboard: dict[str, Any] | None = None


class Window(Record):
    """客服 messages still allowed because of something the person did at `opened` (programme clock)."""

    opened: datetime
    left: int


class QrCode(Record):
    """A QR code the product asked for; `expires` None = permanent."""

    ticket: str
    scene: str
    url: str
    expires: datetime | None


class SentOnce(Record):
    """A sending remembered by the product's own key; `at` is machine time in seconds since 1970."""

    at: float
    msgid: int


class WeChatMemory(Record):
    """The Official Account as WeChat holds it."""

    menu: list[dict[str, Any]] | None = None
    conditional: list[dict[str, Any]] = []
    tags: dict[int, str] = {}
    tagged: dict[str, list[int]] = {}  # person → tag ids
    windows: dict[str, dict[WindowKind, Window]] = {}
    grants: dict[str, list[str]] = {}  # person → "scene:1000" or "template:ID", one entry a grant
    templates: dict[str, str] = {}  # template id → title
    tickets: dict[str, QrCode] = {}
    drafts: dict[str, list[str]] = {}  # media id → titles
    mass: dict[str, int] = {}  # "2026-11|p1" → mass messages received in that month
    mass_tasks: dict[str, str] = {}  # msg_id → state
    once: dict[str, SentOnce] = {}
    calls: dict[str, int] = {}  # "2026-11-22|path" → calls on that day of the programme clock
    last_msgid: int = 0


class Pending(Record):
    """An update Telegram still holds for the bot. `shown` is the phone's message it belongs to."""

    update_id: int
    person: str
    shown: str
    body: dict[str, Any]
    repeats: int = 0


class TelegramMemory(Record):
    """The bot as Telegram holds it. `webhook` None = as the settings say, "" = polling."""

    webhook: str | None = None
    secret: str = ""
    allowed: list[str] = []
    commands: dict[str, list[dict[str, str]]] = {}  # "scope|language" → commands
    menu_button: dict[str, Any] = {"type": "commands"}
    pending: list[Pending] = []
    last_update: int = 0
    queries: dict[str, str] = {}  # callback query id → person, until it is answered


class Memory(Record):
    """The whole document."""

    version: Literal[1] = 1
    seq: int = 0
    last_number: int = 0
    people: dict[str, Person] = {}
    chats: dict[str, Chat] = {}  # "wechat:p1"
    wechat: WeChatMemory = Field(default_factory=WeChatMemory)
    telegram: TelegramMemory = Field(default_factory=TelegramMemory)


def new_person(identity: str, name: str, note: str, taken: set[int], role: str = "", language: str = "") -> Person:
    """Invent the accounts of a person; ids are fresh, so a product that remembers earlier people meets a stranger."""
    telegram_id = 0
    while not telegram_id or telegram_id in taken:
        telegram_id = 5_000_000_000 + secrets.randbelow(2_000_000_000)
    return Person(
        id=identity,
        name=name,
        note=note,
        avatar=COLOURS[(int(identity[1:]) - 1) % len(COLOURS)],
        openid="o6_" + secrets.token_urlsafe(19)[:25],
        telegram_id=telegram_id,
        role=role,
        language=language or ("zh-hk" if "香港" in note else "zh-hans"),
    )
