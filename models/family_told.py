"""What a family hears of its pairing, on the phones that it joined. Of a death nothing is sent to them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from models.beneficiary import GONE, Beneficiary
from models.family_consent import doors_of
from models.outbox import REPLY, enqueue
from models.pairing import Stint


def phones_of(session: Session, stint: Stint) -> tuple[str, ...]:
    """The people behind the phones of whom a stint serves; none of an institution."""
    if stint.beneficiary_id is None:
        return ()
    somebody = session.get_one(Beneficiary, stint.beneficiary_id)
    if somebody.status in GONE or somebody.merged_into is not None:
        return ()
    return tuple(dict.fromkeys(str(door.person_id) for door in doors_of(session, somebody.id)))


def tell_family(
    session: Session,
    stint: Stint,
    kind: str,
    key: str,
    *,
    at: datetime | None = None,
    priority: int = REPLY,
    but: str = "",
) -> None:
    """Tell every phone of the family but `but` about a stint; `at` = of which moment, after which it is too late."""
    params = {"stint": stint.id} | ({"at": at.isoformat()} if at else {})
    for one in phones_of(session, stint):
        if one != but:
            told = f"{key}:family:{one}"
            enqueue(session, one, kind, params, unique_key=told, priority=priority, expires_at=at)
