"""The family, or the served person, does not want a pairing any more: nobody is sought, and what stood ends
(programme §12). No reason is asked for, and none is told."""

from __future__ import annotations

from sqlmodel import Session

from models.beneficiary import Beneficiary
from models.offering import drop_proposals, withdraw_offers
from models.outbox import REPLY, enqueue
from models.pairing import OBJECTED
from models.stints import end_all


def objected(session: Session, somebody: Beneficiary, by: str) -> int:
    """End what a family's consent had allowed: offers are withdrawn, stints end (`objected`) with somebody who keeps
    the served person, and whoever served is told gently. `somebody` is locked. Returns how many stints ended."""
    withdraw_offers(session, somebody.id, by)
    drop_proposals(session, somebody.id)
    ended = end_all(session, somebody.id, OBJECTED, by)
    for stint, people in ended:
        for one in people:
            key = f"stint:{stint.id}:objected:{one}"
            enqueue(session, one, "notice.objected", {"stint": stint.id}, unique_key=key, priority=REPLY)
    return len(ended)
