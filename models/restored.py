"""A database that came back from a backup: what may have happened since the backup was made must not happen again
unmarked, and what nobody can know any more is told as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, update
from sqlmodel import Session, SQLModel, col

from models import audit
from models.audit import AuditEntry
from models.code import OneTimeCode
from models.database import machine_now_of, now_of
from models.inbox import InboxMessage
from models.lease import Lease
from models.outbox import CAMPAIGN, RESTS, OutboxMessage
from models.page import Page

RESTORED = "restored"  # why a message is marked as sent again, or uncertain
RESTORING = "database.restored"  # in the audit trail

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
    sent, unless it was due before and only rests: whoever ended the pause after the backup has got it, and it is marked
    as well. What time has made due since the backup must stand in the outbox by now (scheduler/jobs.py, catch_up).
    Codes and pages may have been used since, so all of them end. Whoever held a lease is gone.
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
        session,
        update(OutboxMessage)
        .where(held, col(OutboxMessage.resends) == 0)
        # What is held keeps its reason, by which it is found when that is over.
        .values(resends=1, why=case((col(OutboxMessage.state) == "held", col(OutboxMessage.why)), else_=RESTORED)),
    )
    rests = (col(OutboxMessage.state) == "waiting") & (col(OutboxMessage.why) == RESTS)
    resent += _changed(session, update(OutboxMessage).where(rests, col(OutboxMessage.resends) == 0).values(resends=1))
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
    audit.note(session, "machine", RESTORING, "", resent=resent, uncertain=uncertain, closed=closed)
    return found


def restored_since(session: Session, at: datetime) -> bool:
    """Whether the database came back from a backup after that moment, programme time: what would have been said since
    may have been said already."""
    came = col(AuditEntry.action) == RESTORING
    since = select(col(AuditEntry.id)).where(col(AuditEntry.subject) == "", came, col(AuditEntry.at) > at)
    return session.execute(since.limit(1)).first() is not None


def latest(session: Session) -> datetime | None:
    """When the last thing happened that stands in the database; None where nothing ever did."""
    newest = [
        session.execute(select(func.max(column))).scalar()
        for column in (col(InboxMessage.received_at), col(AuditEntry.at), col(OutboxMessage.created_at))
    ]
    return max((at for at in newest if at is not None), default=None)


def last_message(session: Session) -> datetime | None:
    """When the last message of a person came, machine time; None where none did."""
    return session.execute(select(func.max(col(InboxMessage.received_at)))).scalar()


def messages_since(session: Session, at: datetime | None) -> int:
    """How many messages of people came after that moment, machine time; None = all."""
    table: Any = SQLModel.metadata.tables["inbox"]
    query = select(func.count()).select_from(table)
    return int(session.execute(query.where(table.c.received_at > at) if at else query).scalar_one())


def _changed(session: Session, statement: Any) -> int:
    return int(getattr(session.execute(statement), "rowcount", 0))
