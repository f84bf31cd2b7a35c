"""A database that came back from a backup: what may have happened since the backup was made must not happen again
unmarked, and what nobody can know any more is told as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session, SQLModel, col

from models import audit
from models.audit import AuditEntry
from models.code import OneTimeCode
from models.database import machine_now_of, now_of
from models.inbox import InboxMessage
from models.lease import Lease
from models.outbox import CAMPAIGN, OutboxMessage
from models.page import Page

RESTORED = "restored"  # why a message is marked as sent again, or uncertain

_OPEN = ("waiting", "sending", "held")


@dataclass(frozen=True, slots=True)
class Marked:
    """`resent` = messages that say, when they go out, that they may have come before; `uncertain` = campaign messages
    that are not sent again; `closed` = one-time codes and pages that no longer work."""

    resent: int
    uncertain: int
    closed: int


def mark(session: Session) -> Marked:
    """Once after a restore, before anything is served. A second time changes nothing but leases.

    What was due and not sent when the backup was made may have been sent since: it goes out marked, as after a call
    whose end nobody knows (platforms.md), and campaigns are uncertain and stay so. What is due later cannot have been
    sent. Codes and pages may have been used since, so all of them end. Whoever held a lease is gone.
    """
    now, machine = now_of(session), machine_now_of(session)
    held = col(OutboxMessage.state).in_(_OPEN) & (col(OutboxMessage.due_at) <= now)
    uncertain = _changed(
        session,
        update(OutboxMessage)
        .where(held, col(OutboxMessage.priority) == CAMPAIGN)
        .values(state="uncertain", why=RESTORED, ended_at=now, params_sealed=None, claimed_by=None, deadline=None),
    )
    session.execute(
        update(OutboxMessage)
        .where(held, col(OutboxMessage.state) == "sending")
        .values(state="waiting", claimed_by=None, deadline=None)
    )
    resent = _changed(
        session, update(OutboxMessage).where(held, col(OutboxMessage.resends) == 0).values(resends=1, why=RESTORED)
    )
    closed = sum(
        _changed(
            session,
            update(table)
            .where(col(table.used_at).is_(None), col(table.expires_at) > machine)
            .values(expires_at=machine),
        )
        for table in (OneTimeCode, Page)
    )
    session.execute(update(Lease).values(holder="", until=machine, fence=col(Lease.fence) + 1))
    found = Marked(resent, uncertain, closed)
    audit.note(session, "machine", "database.restored", "", resent=resent, uncertain=uncertain, closed=closed)
    return found


def latest(session: Session) -> datetime | None:
    """When the last thing happened that stands in the database; None where nothing ever did."""
    newest = [
        session.execute(select(func.max(column))).scalar()
        for column in (col(InboxMessage.received_at), col(AuditEntry.at), col(OutboxMessage.created_at))
    ]
    return max((at for at in newest if at is not None), default=None)


def messages_since(session: Session, at: datetime) -> int:
    """How many messages of people came after that moment."""
    table: Any = SQLModel.metadata.tables["inbox"]
    return int(session.execute(select(func.count()).select_from(table).where(table.c.received_at > at)).scalar_one())


def _changed(session: Session, statement: Any) -> int:
    return int(getattr(session.execute(statement), "rowcount", 0))
