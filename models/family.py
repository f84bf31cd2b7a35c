"""What families agreed to: recorded before any offer, one kind at a time, withdrawn as easily (programme §5, §12)."""

from __future__ import annotations

from sqlmodel import Session

from config.catalogue import rules
from models import audit, objecting
from models.beneficiary import GONE, is_minor, locked, may_see
from models.database import now_of
from models.family_consent import CHAT, GUARDIAN, agreed, holds_door
from models.family_consent import GIVERS as GIVERS
from models.family_consent import KINDS as KINDS
from models.family_consent import PAIRING as PAIRING
from models.family_consent import PAPER as PAPER
from models.family_consent import PHONE as PHONE
from models.family_consent import PHOTOS as PHOTOS
from models.family_consent import PUBLICITY as PUBLICITY
from models.family_consent import SELF as SELF
from models.family_consent import SPOKEN as SPOKEN
from models.family_consent import VISITS as VISITS
from models.family_consent import WAYS as WAYS
from models.family_consent import FamilyConsent as FamilyConsent
from models.family_consent import FamilyDoor as FamilyDoor
from models.person import family
from models.stints import today_of


class FamilyError(Exception):
    """`reason`: "scope" — whoever records has no role for the county; "gone" — nobody of the ledger any more;
    "guardian" — for a minor the guardian's word is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def record(session: Session, beneficiary_id: str, kind: str, giver: str, way: str, by: str) -> FamilyConsent:
    """Write down that the family agreed; one that stands already stays as it is. `by` answers for the county, or is the
    served person's own door (`way` "chat"). Raises FamilyError."""
    person = locked(session, beneficiary_id)
    if person is None or person.merged_into is not None or person.status in GONE:
        raise FamilyError("gone")
    own = way == CHAT and person.person_id in family(session, by)
    if not own and not may_see(session, by, person.county):
        raise FamilyError("scope")
    # Nobody is the guardian of oneself: on a minor's own door no guardian speaks.
    if (own or giver != GUARDIAN) and is_minor(person, today_of(session, by)):
        raise FamilyError("guardian")
    standing = agreed(session, beneficiary_id, kind)
    if standing is not None:
        return standing
    row = FamilyConsent(
        beneficiary_id=beneficiary_id,
        kind=kind,
        version=rules().pairing.consent_version,
        giver=giver,
        way=way,
        recorded_by=by,
        given_at=now_of(session),
    )
    session.add(row)
    session.flush()
    audit.note(session, by, "family.agreed", beneficiary_id, kind=kind, giver=giver, way=way)
    return row


def take_back(session: Session, beneficiary_id: str, kind: str, by: str) -> bool:
    """The family agrees no longer; False when nothing stood. Of pairing it ends what it allowed, at the same moment
    (models/objecting.py). Whoever answers for the county writes it down, or the served person says it, a minor as well.
    Raises FamilyError."""
    person = locked(session, beneficiary_id)
    if person is None:
        raise FamilyError("gone")
    theirs = person.person_id in family(session, by) or holds_door(session, beneficiary_id, by)
    if not theirs and not may_see(session, by, person.county):
        raise FamilyError("scope")
    standing = agreed(session, beneficiary_id, kind)
    if standing is None:
        # What stands without a yes (two rows of the ledgers became one) ends by their word all the same.
        return kind == PAIRING and objecting.objected(session, person, by) > 0
    standing.withdrawn_at, standing.withdrawn_by = now_of(session), by
    session.add(standing)
    session.flush()
    audit.note(session, by, "family.took_back", beneficiary_id, kind=kind)
    if kind == PAIRING:
        objecting.objected(session, person, by)
    return True
