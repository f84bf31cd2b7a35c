"""The table of what families agreed to, and whether they agree now. Who may write it down is in models/family.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, Session, SQLModel, col, select

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


def agreed(session: Session, beneficiary_id: str, kind: str) -> FamilyConsent | None:
    """The consent of this kind that stands."""
    query = select(FamilyConsent).where(
        FamilyConsent.beneficiary_id == beneficiary_id,
        FamilyConsent.kind == kind,
        col(FamilyConsent.withdrawn_at).is_(None),
    )
    return session.exec(query).first()


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


def holds_door(session: Session, beneficiary_id: str, person_id: str) -> bool:
    """Whether this is the family's own phone."""
    query = select(FamilyDoor.id).where(
        FamilyDoor.beneficiary_id == beneficiary_id,
        FamilyDoor.person_id == person_id,
        col(FamilyDoor.ended_at).is_(None),
    )
    return session.exec(query).first() is not None


def doors_of(session: Session, beneficiary_id: str) -> list[FamilyDoor]:
    """The family's phones that are joined now."""
    query = select(FamilyDoor).where(FamilyDoor.beneficiary_id == beneficiary_id, col(FamilyDoor.ended_at).is_(None))
    return list(session.exec(query.where(col(FamilyDoor.person_id).is_not(None)).order_by(col(FamilyDoor.id))))
