"""What families agreed to: recorded before any offer, one kind at a time, withdrawn as easily (programme §5, §12)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models import audit
from models.beneficiary import GONE, is_minor, locked, may_see
from models.database import now_of
from models.ids import new_id

PAIRING, VISITS, PHOTOS, PUBLICITY = KINDS = ("pairing", "visits", "photos", "publicity")
SELF, GUARDIAN = GIVERS = ("self", "guardian")
PAPER, PHONE, SPOKEN, CHAT = WAYS = ("paper", "phone", "spoken", "chat")


class FamilyConsent(SQLModel, table=True):
    """One yes for a served person: who gave it (adults for themselves, a guardian for a minor or for whoever cannot),
    how, and who wrote it down (`recorded_by`, a person's id; the giver's own where it came by chat)."""

    __tablename__ = "family_consent"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"giver IN {GIVERS}", name="giver"),
        CheckConstraint(f"way IN {WAYS}", name="way"),
        Index(
            "uq_family_consent_standing",
            "beneficiary_id",
            "kind",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id")
    kind: str
    version: str
    giver: str
    way: str
    recorded_by: str = Field(foreign_key="person.id")
    given_at: datetime
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""


class FamilyDoor(SQLModel, table=True):
    """A phone of a served person or of the guardian, which is optional. `person_id` is empty until the code was typed;
    codes are kept as blind digests only. Times of the code are the machine's, the others programme time."""

    __tablename__ = "family_door"
    __table_args__ = (
        CheckConstraint(f"holder IN {GIVERS}", name="holder"),
        Index(
            "uq_family_door_standing",
            "beneficiary_id",
            "person_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id")
    holder: str
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    person_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    bound_at: datetime | None = None
    ended_at: datetime | None = None


class FamilyError(Exception):
    """`reason`: "scope" — whoever records has no role for the county; "gone" — nobody of the ledger any more;
    "guardian" — for a minor the guardian's word is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def agreed(session: Session, beneficiary_id: str, kind: str) -> FamilyConsent | None:
    """The consent of this kind that stands."""
    query = select(FamilyConsent).where(
        FamilyConsent.beneficiary_id == beneficiary_id,
        FamilyConsent.kind == kind,
        col(FamilyConsent.withdrawn_at).is_(None),
    )
    return session.exec(query).first()


def record(session: Session, beneficiary_id: str, kind: str, giver: str, way: str, by: str) -> FamilyConsent:
    """Write down that the family agreed; one that stands already stays as it is. `by` answers for the county, or is the
    served person's own door (`way` "chat"). Raises FamilyError."""
    person = locked(session, beneficiary_id)
    if person is None or person.merged_into is not None or person.status in GONE:
        raise FamilyError("gone")
    if not (way == CHAT and person.person_id == by) and not may_see(session, by, person.county):
        raise FamilyError("scope")
    if giver != GUARDIAN and is_minor(person, now_of(session).date()):
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
    """The family agrees no longer; False when nothing stood. What follows from it for offers and stints is for
    models/stints.py. Raises FamilyError."""
    person = locked(session, beneficiary_id)
    if person is None:
        raise FamilyError("gone")
    if person.person_id != by and not may_see(session, by, person.county):
        raise FamilyError("scope")
    standing = agreed(session, beneficiary_id, kind)
    if standing is None:
        return False
    standing.withdrawn_at, standing.withdrawn_by = now_of(session), by
    session.add(standing)
    session.flush()
    audit.note(session, by, "family.took_back", beneficiary_id, kind=kind)
    return True
