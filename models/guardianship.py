"""A guardian's yes for a minor: the row, and what happens to it when a registration or a person changes.

Who may agree, and what follows from it, is in models/guardian.py.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from models.database import now_of
from models.ids import new_id
from models.sealed import sealed_columns

RELATIONS = ("father", "mother", "grandparent", "sibling", "other")


class Guardianship(SQLModel, table=True):
    """One guardian's yes for one minor. `guardian_person` is the guardian's own, or None when a specialist saw the
    consent on paper; `recorded_by` is the person who acted."""

    __tablename__ = "guardianship"
    __table_args__ = (CheckConstraint(f"relation IN {RELATIONS}", name="relation"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    volunteer_id: str = Field(foreign_key="volunteer.id", index=True)
    guardian_person: str | None = Field(default=None, foreign_key="person.id", index=True)
    recorded_by: str = Field(foreign_key="person.id")
    consent_id: str = Field(foreign_key="consent.id")
    relation: str
    name_sealed: bytes | None
    phone_sealed: bytes | None
    given_at: datetime
    withdrawn_at: datetime | None = None
    moved_from: str | None = Field(default=None, foreign_key="person.id")


sealed_columns("guardianship", "id", "name_sealed", "phone_sealed")


def stands(session: Session, volunteer_id: str) -> bool:
    """Whether some guardian's consent is in force."""
    query = select(Guardianship.id).where(
        Guardianship.volunteer_id == volunteer_id, col(Guardianship.withdrawn_at).is_(None)
    )
    return session.exec(query).first() is not None


def blank(session: Session, volunteer_id: str) -> None:
    """Take the guardians' personal data away and end their consents, when the registration's own data go."""
    for row in session.exec(select(Guardianship).where(Guardianship.volunteer_id == volunteer_id)).all():
        row.name_sealed = row.phone_sealed = None
        row.withdrawn_at = row.withdrawn_at or now_of(session)
        session.add(row)


def move(session: Session, from_person: str, to_person: str) -> list[str]:
    """A guardian's account became another person's: the consents go along. Returns which."""
    given = session.exec(select(Guardianship).where(Guardianship.guardian_person == from_person)).all()
    for held in given:
        held.guardian_person, held.moved_from = to_person, from_person
        session.add(held)
    return [held.id for held in given]


def move_back(session: Session, from_person: str, to_person: str, moved: list[str]) -> None:
    """Undo `move(session, from_person, to_person)`, which returned `moved`."""
    given = select(Guardianship).where(Guardianship.guardian_person == to_person, col(Guardianship.id).in_(moved))
    for held in session.exec(given).all():
        held.guardian_person, held.moved_from = from_person, None
        session.add(held)
