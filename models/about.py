"""What still waits to be sent about a stint, an offer or a served person, and is no longer true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import or_, select, update
from sqlmodel import Session, SQLModel

from models.database import now_of
from models.outbox import OutboxMessage

_O: Any = SQLModel.metadata.tables[str(OutboxMessage.__tablename__)]
_SLICE = 50  # beginnings of keys in one statement


def unsay(session: Session, people: Iterable[str | None], starts: Sequence[str], *, why: str) -> int:
    """End what waits for these people under keys that begin so; returns how many messages. The people are named so that
    their few open messages are looked at, not the whole outbox. What another transaction holds at this moment is passed
    over, as in `outbox.withdraw_unsent`; it is looked at again before it is sent."""
    among = sorted({one for one in people if one})
    done = 0
    for at in range(0, len(starts) if among else 0, _SLICE):
        keys = or_(*(_O.c.unique_key.startswith(start, autoescape=True) for start in starts[at : at + _SLICE]))
        waits = (_O.c.person_id.in_(among), _O.c.state.in_(("waiting", "held")), keys)
        ids = session.scalars(select(_O.c.id).where(*waits).with_for_update(skip_locked=True)).all()
        gone = {"state": "withdrawn", "why": why, "ended_at": now_of(session), "params_sealed": None}
        if ids:
            session.execute(update(_O).where(_O.c.id.in_(ids)).values(**gone))
        done += len(ids)
    return done
