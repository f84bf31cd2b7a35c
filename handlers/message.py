"""What comes in and what goes back, in words that belong to no platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from handlers.cards import Card

InboundKind = Literal[
    "text",  # typed words; a button of Telegram's reply keyboard arrives like this too
    "choice",  # a button under a message: `choice` holds its opaque id
    "menu",  # an entry of the account's menu, or a slash command: `menu` holds its key
    "location",  # a shared place, WGS-84
    "media",  # picture, voice, video, sticker, file: `media_kind` says which
    "follow",  # subscribed, or pressed /start; `scene` holds the QR scene or deep-link parameter
    "scan",  # scanned a QR code while already following: `scene`
    "unfollow",  # unsubscribed, or blocked the bot
    "page",  # answered on a one-time page: `text` holds the answer, `choice` the question's id
    "other",  # an event that asks for no answer (template receipts and the like): `text` names it
]
MediaKind = Literal["", "image", "voice", "video", "sticker", "file", "link", "contact"]


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing that one person did, as every platform tells it.

    `key` is unique per platform and account and the same for every repeat of the same update;
    `sent_at` is the platform's own time (UTC, aware); coordinates are degrees, WGS-84.
    """

    platform: str
    account: str
    sender: str
    key: str
    kind: InboundKind
    sent_at: datetime
    text: str = ""
    choice: str = ""
    menu: str = ""
    scene: str = ""
    latitude: float | None = None
    longitude: float | None = None
    media_kind: MediaKind = ""
    media_id: str = ""
    language: str = ""

    def as_json(self) -> dict[str, Any]:
        """The update as plain values, for the inbox and the spool."""
        plain: dict[str, Any] = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if getattr(self, name) not in ("", None)
        }
        plain["sent_at"] = self.sent_at.isoformat()
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Inbound:
        """The reverse of `as_json`; raises TypeError, ValueError or KeyError on anything else."""
        return cls(**{**plain, "sent_at": datetime.fromisoformat(plain["sent_at"])})


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose: `id` is opaque and at most 64 bytes, `label` is what the person reads.

    A platform without buttons shows the options as a numbered list beginning with 1; the number
    is the place in `Reply.options`, and the words for it never depend on an emoji.
    """

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Link:
    """A page to open: one-time pages and public pages of this product only."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person gets to read, once; how it looks is the platform's business.

    `asks_location` offers the platform's own “share my place” where it has one.
    `numbered` = the words speak of the options' numbers, so buttons carry them as well.
    `menu` names the menu the person should now see ("volunteer", "specialist", "organiser"), empty = unchanged.
    `language` is that of the words; a platform adds its own (such as “回复数字选择”) in the same.
    `card` is how it looks where a channel carries no words; it is made when it is sent and never kept.
    """

    text: str
    options: tuple[Option, ...] = ()
    links: tuple[Link, ...] = ()
    asks_location: bool = False
    menu: str = ""
    language: str = ""
    numbered: bool = False
    card: Card | None = None

    def as_json(self) -> dict[str, Any]:
        """The reply as plain values, for the inbox and the outbox."""
        return {
            "text": self.text,
            "options": [[option.id, option.label] for option in self.options],
            "links": [[link.url, link.label] for link in self.links],
            "asks_location": self.asks_location,
            "menu": self.menu,
            "language": self.language,
            "numbered": self.numbered,
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Reply:
        """The reverse of `as_json`."""
        return cls(
            text=plain["text"],
            options=tuple(Option(*pair) for pair in plain.get("options", ())),
            links=tuple(Link(*pair) for pair in plain.get("links", ())),
            asks_location=plain.get("asks_location", False),
            menu=plain.get("menu", ""),
            language=plain.get("language", ""),
            numbered=plain.get("numbered", False),
        )


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One entry of an account's menu: `key` comes back as `Inbound.menu`, `label` is shown."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class MenuColumn:
    """A column of the WeChat menu (3 × 5) or a section of Telegram's command list."""

    label: str
    entries: tuple[MenuEntry, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Written:
    """What was written to somebody, as a one-time page shows it. `hint` says what to do with it."""

    title: str
    words: str
    hint: str = ""
