"""Cards that asked people to write (“回复任意内容就能看到”), and the message that they write then."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, SQLModel

from models.channel import CARRY_CARDS
from models.conversation import State
from models.outbox import release_held

_O: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]


def let_go(session: Session, person_id: str, state: State) -> None:
    """The person wrote: what was held for want of a way may go now. `state` learns whether a card about any of it has
    asked them to write; once for each card, whatever becomes of the message itself."""
    if not release_held(session, person_id):
        return
    gone = (
        select(func.max(_A.c.started_at))
        .join(_O, _O.c.id == _A.c.outbox_id)
        .where(_O.c.person_id == person_id, _O.c.state == "waiting")
        .where(_A.c.channel.in_(CARRY_CARDS), _A.c.outcome.in_(("sent", "uncertain")))
    )
    newest = session.execute(gone).scalar()
    if newest is not None and newest.isoformat() != state.card:
        state.card, state.carded = newest.isoformat(), True
