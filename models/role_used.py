"""Whether a role has been used since it was given: what somebody did by it, or answers for, hangs on it."""

from __future__ import annotations

from sqlmodel import Session, col, or_, select

from models.audit import AuditEntry
from models.pairing import Keeping
from models.relay import Relay
from models.role import RoleGrant

# What people do for themselves, without any role. Whatever is not named here counts as an act of the role.
OWN_ACTS = frozenset(
    {
        "alert.raised",
        "alert.words_added",
        "call.words",
        "consent.given",
        "consent.withdrawn",
        "contact.written",
        "door.closed",
        "guardian.own_door",
        "offer.accepted",
        "offer.declined",
        "offer.reason",
        "offer.passed_by",
        "pairing.accepted",
        "person.deleted",
        "person.joined",
        "person.parted",
        "person.paused",
        "person.preferred_door",
        "person.resumed",
        "recognition.asked",
        "silence.ended",
        "substitute.answered",
        "turn.accepted",
        "turn.beside_away",
        "turn.done",
        "turn.swapped",
        "volunteer.changed",
        "volunteer.ended",
        "volunteer.erased",
        "volunteer.possible_duplicate",
        "volunteer.registered",
        "volunteer.resumed",
    }
)


def is_used(session: Session, held: RoleGrant) -> bool:
    """Whether its holder has acted, keeps somebody or is responsible for a relay since this role was given. With two
    roles nobody knows by which of them: then it counts for both."""
    acted = select(AuditEntry.id).where(AuditEntry.actor == held.person_id, AuditEntry.at >= held.granted_at)
    keeps = select(Keeping.id).where(
        Keeping.person_id == held.person_id, or_(Keeping.since >= held.granted_at, col(Keeping.until).is_(None))
    )
    relays = select(Relay.id).where(
        or_(Relay.specialist_id == held.person_id, Relay.keeper_id == held.person_id), Relay.begun_at >= held.granted_at
    )
    found = (acted.where(col(AuditEntry.action).not_in(OWN_ACTS)), keeps, relays)
    return any(session.exec(query.limit(1)).first() is not None for query in found)
