"""The port: what the product asks of a platform, and the words for how a sending ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from aiohttp import web

from handlers.message import Inbound, MenuColumn, Reply
from models.channel import Channel

OutcomeName = Literal[
    "sent",  # the platform said so
    "retry",  # certainly not sent; try again after `retry_after` seconds
    "uncertain",  # may have been sent: read time-out, reset after the request, 5xx
    "closed",  # this door is not open for this person now (45015, 45047, 43101): next door
    "left",  # the person left or blocked us: no more calls
    "refused",  # this message will never be taken (too long, bad parameters)
    "stopped",  # the account itself has a problem (48001, 401): stop the account, tell the organiser
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one sending ended. `retry_after` is in seconds; `code` is the platform's own, for the log.

    `whole_account` says that the pause concerns every chat of the account, not this one alone; `ask_first` that the
    account itself is refused, so that `Platform.probe` shall ask before the next message is tried.
    `reference` is the platform's id of the message, where there is one.
    """

    name: OutcomeName
    code: str = ""
    retry_after: float = 0.0
    whole_account: bool = False
    reference: str = ""
    ask_first: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """What a platform can show; one row a platform. Lengths are in characters, zero = no limit known.

    `commands` = its menu is a list of commands, which may be longer and is put up per language. `sure_answers` = what
    is said in a call's answer arrives, or the platform comes again; otherwise `answers_now` is asked before.
    """

    buttons: bool
    markdown: bool
    max_text: int
    max_label: int
    max_options: int
    sensitive_in_chat: bool
    asks_location: bool
    commands: bool = False
    sure_answers: bool = True


# What most platforms have: every message goes the same way, at any time.
ONE_CHANNEL: tuple[Channel, ...] = (Channel("bot"),)


class Rejected(Exception):
    """A request that is not the platform's, or cannot be read.

    `status` is the HTTP status to answer (400, 403, 404, 405, 413 or 415); `reason` is one word for log and
    metrics, such as "signature", "stale", "size", "appid", "shape"; it never holds anything from the request.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Platform(Protocol):
    """One account of one platform. `name` is the platform, `account` the name from the configuration. `channels` are
    its ways to a person, in the order in which they are to be tried.

    `open` and `render` are pure and safe to call in a worker thread.
    """

    name: str
    account: str
    features: Features
    channels: tuple[Channel, ...]

    async def accept(self, request: web.Request) -> bytes | web.Response:
        """Cheap checks on the event loop: method, headers, size, signature. Returns the raw body for `open`,
        or a finished answer (WeChat's GET check). Raises Rejected."""
        ...

    def open(self, raw: bytes, query: dict[str, str]) -> list[Inbound]:
        """Decrypt and parse (in a worker thread). An update that needs no answer gives kind "other" or no entry.
        Raises Rejected; never anything else, whatever the bytes are."""
        ...

    def answers_now(self, inbound: Inbound) -> bool:
        """Whether a reply to this may leave in the call's own answer; False = it goes by the outbox, because the
        platform would drop it. In a worker thread, once for each reply; asked only without `sure_answers`."""
        ...

    def render(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> web.Response:
        """The answer to the webhook call; None = acknowledge without words."""
        ...

    async def acknowledge(self, inbound: Inbound, raw: bytes, reply: Reply | None = None) -> None:
        """Finish what one webhook answer cannot hold (a pressed button's spinner, the person's own menu). Called by
        the route after the answer; returns at once, best effort."""
        ...

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        """Send outside an answer, by one of `channels` (empty = the first). `deadline` is a time of the loop's
        monotonic clock by which the call must have ended; `key` makes it idempotent where the channel offers that. A
        channel that carries cards takes `reply.card` and no words. Never raises for the platform's faults."""
        ...

    async def probe(self, *, deadline: float) -> Outcome:
        """A call that no person notices, after the account was refused: `ask_first` in its outcome = it still is.
        `deadline` as for `send`. Never raises for the platform's faults."""
        ...

    async def install_menu(self, menus: dict[str, tuple[MenuColumn, ...]]) -> Outcome:
        """Put up the menus by role ("volunteer" is everybody's), and by role and language ("volunteer@en").

        A reply that names a role (`Reply.menu`) shows its person that menu, in the reply's language where there is one.
        """
        ...

    async def way_in(self, scene: str, *, deadline: float) -> str:
        """An address that leads into this account and brings `scene` (1–64 characters) along: what a QR code says, or a
        link to press; it may end after a day. Empty where the platform gives none now. `deadline` as for `send`; never
        raises for the platform's faults."""
        ...

    async def start(self, receive: Callable[[Inbound], Awaitable[None]]) -> None:
        """Begin what runs beside the webhook: long polling, fetching the token. `receive` returns after the commit
        (or the spool), so that an offset may advance."""
        ...

    async def stop(self) -> None:
        """End it within a few seconds; an unanswered call is cut."""
        ...
