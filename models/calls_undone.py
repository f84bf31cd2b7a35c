"""“打通了” by mistake: for an hour what was said on the phone, as it was believed, can still be sent after all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, literal_column, select, update
from sqlmodel import Session, SQLModel

from models import audit
from models.calls import BY_PHONE, NotTheirs, is_theirs
from models.database import now_of

UNDO_FOR = timedelta(hours=1)  # so long the message is kept for it, sealed
UNTOLD = "call.untold"  # in the audit trail

_O: Any = SQLModel.metadata.tables["outbox"]
# As the partial index of what was told says it.
_KEPT: Any = literal_column("outbox.state = 'withdrawn' AND outbox.params_sealed IS NOT NULL")


def untold(session: Session, person_id: str, by: str, at: datetime) -> int:
    """It was not said: what ended by the call that was written down at that time waits to be sent again; returns how
    many messages, none once it is too late. Raises NotTheirs."""
    if not is_theirs(session, person_id, by):
        raise NotTheirs
    if now_of(session) - at > UNDO_FOR:
        return 0
    ended = and_(_KEPT, _O.c.person_id == person_id, _O.c.why == BY_PHONE, _O.c.ended_at == at)
    ids = session.scalars(select(_O.c.id).where(ended).with_for_update()).all()
    again = {"state": "waiting", "why": "", "ended_at": None, "not_before": None}
    session.execute(update(_O).where(_O.c.id.in_(ids)).values(**again))
    audit.note(session, by, UNTOLD, person_id, messages=len(ids))
    return len(ids)


def forget_told(session: Session, limit: int = 500) -> int:
    """What the messages held that nobody can send after all any more; returns how many, at most `limit`."""
    over = and_(_KEPT, _O.c.ended_at < now_of(session) - UNDO_FOR)
    ids = session.scalars(select(_O.c.id).where(over).limit(limit).with_for_update(skip_locked=True)).all()
    session.execute(update(_O).where(_O.c.id.in_(ids)).values(params_sealed=None))
    return len(ids)
