"""Hearing a message again that was set aside because its turn had failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import update
from sqlmodel import Session

from bot.commands.shared import aside, payload
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.turn import turn
from models import audit, inbox, outbox
from models.database import Database
from models.person import door_of
from models.tables import METADATA

log = structlog.get_logger(__name__)

_T: Any = METADATA.tables["inbox"]


def again(database: Database, here: Callable[[Inbound], Here], message: str) -> bool:
    """The turn once more in one transaction, its reply into the outbox; False when it failed again and was counted."""
    with database.write() as session:
        row = aside(session, message)
        inbound = payload(session, row)
        try:
            with session.begin_nested():
                reply, person = turn(session, inbound, here(inbound))
        except Exception:  # whatever the turn fails with, the failure is counted and the message stays
            log.exception("replay_failed", inbox=row.id)
            session.execute(update(_T).where(_T.c.id == row.id).values(failures=_T.c.failures + 1))
            return False
        session.execute(update(_T).where(_T.c.id == row.id).values(state="done"))
        inbox.finish(session, row.id, person, reply.as_json() if reply else None, "outbox")
        if reply is not None and person is not None:
            _enqueue(session, row.id, person, inbound, reply)
        audit.note(session, "machine", "inbox.replayed", row.id)
        return True


def _enqueue(session: Session, row: str, person: str, inbound: Inbound, reply: Reply) -> None:
    door = door_of(session, inbound.platform, inbound.account, inbound.sender)
    outbox.enqueue(
        session,
        person,
        "reply",
        reply.as_json(),
        unique_key=f"replayed:{row}",
        priority=outbox.REPLY,
        door_id=door.id if door else None,
    )
