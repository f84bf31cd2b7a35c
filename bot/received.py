"""What the receiver and its callers share: what a message came to, and how its reply is queued."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session

from config.catalogue import rules
from config.texts import language_for, speaking
from handlers.emergency import emergency_text
from handlers.message import Inbound, Reply
from handlers.turn import is_urgent
from models import outbox
from models.database import DatabaseAway, now_of

# PostgreSQL's words for “somebody else holds this row”: the database itself is there.
_HELD = ("55P03", "40P01", "40001")

Key = tuple[str, str, str]  # platform, account, and the update's own key or its sender


class Unavailable(Exception):
    """Neither database nor spool took the update: the platform must repeat it."""


@dataclass(frozen=True, slots=True)
class Received:
    """What to answer the platform now; `row` is the inbox row whose reply this is, empty if it leaves otherwise.

    `spooled` = the update is no turn yet, and waits in the spool. `claimed` = the reply of a repeat, which counts as
    handed over already.
    """

    reply: Reply | None
    row: str = ""
    spooled: bool = False
    claimed: bool = field(default=False, compare=False)


def queue_reply(
    session: Session,
    row: str,
    person: str,
    reply: Reply,
    door: str | None,
    *,
    again: bool = False,
    priority: int = outbox.REPLY,
) -> None:
    """Put the reply of an inbox row into the outbox, bound to its door. `again` = it may have been seen already."""
    outbox.enqueue(
        session,
        person,
        "reply",
        reply.as_json(),
        unique_key=f"reply:{row}",
        priority=priority,
        door_id=door,
        expires_at=now_of(session) + timedelta(hours=rules().messages.reply_expires_hours),
        again=again,
    )


def is_gone(error: DatabaseAway) -> bool:
    """Whether nobody can be served now; a row that is held for long concerns one person only."""
    return not is_held(error)


def is_held(error: BaseException) -> bool:
    """Whether somebody else holds a row (PostgreSQL), or both waited for each other: the database itself is there."""
    asked = error.__cause__ if isinstance(error, DatabaseAway) else error
    return getattr(getattr(asked, "orig", None), "sqlstate", None) in _HELD


def is_lost(error: BaseException) -> bool:
    """Whether the database never said a word about what was asked: no connection, one that broke, no lock given. Then
    it is no fault of the update, however often it happens to it."""
    asked = error.__cause__ if isinstance(error, DatabaseAway) else error
    return asked is not None and getattr(getattr(asked, "orig", None), "sqlstate", None) is None


def key_of(inbound: Inbound) -> Key:
    """What an update is the same by, however often it comes."""
    return inbound.platform, inbound.account, inbound.key


def found_by(inbound: Inbound) -> tuple[str, str, str, str]:
    """What finds the inbox row of an update, and its sender."""
    return inbound.platform, inbound.account, inbound.key, inbound.sender


def urgent_words(inbound: Inbound) -> str:
    """The emergency text when this message must be answered with it at once, whatever the database does."""
    if not is_urgent(inbound):
        return ""
    with speaking(language_for(inbound.language)):
        return emergency_text()
