"""Consents: separate ones, each with the version of its text and its time; withdrawn in two taps (PIPL)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from models import audit
from models.database import now_of
from models.ids import new_id

KINDS = ("registration", "guardian", "pairing", "visits", "photos", "publicity")
GIVERS = ("self", "guardian", "specialist")


class Consent(SQLModel, table=True):
    """One yes: who it concerns, to what, to which text, by whom. A withdrawal completes the row, nothing deletes it.

    `giver` "specialist" = a written consent that a specialist saw and recorded; `given_by` is the person acting.
    """

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"giver IN {GIVERS}", name="giver"),
        Index(
            "uq_consent_standing",
            "person_id",
            "kind",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    kind: str
    version: str
    language: str
    giver: str
    given_by: str = Field(foreign_key="person.id")
    given_at: datetime
    withdrawn_at: datetime | None = None


def give(
    session: Session, person_id: str, kind: str, version: str, language: str, *, giver: str = "self", given_by: str = ""
) -> Consent:
    """Record a consent; one of the same kind that still stands is completed first."""
    withdraw(session, person_id, kind)
    row = Consent(
        person_id=person_id,
        kind=kind,
        version=version,
        language=language,
        giver=giver,
        given_by=given_by or person_id,
        given_at=now_of(session),
    )
    session.add(row)
    session.flush()
    audit.note(session, row.given_by, "consent.given", person_id, kind=kind, version=version, giver=giver)
    return row


def standing(session: Session, person_id: str) -> list[Consent]:
    """The consents in force, the oldest first."""
    query = select(Consent).where(Consent.person_id == person_id, col(Consent.withdrawn_at).is_(None))
    return list(session.exec(query.order_by(col(Consent.given_at))))


def history(session: Session, person_id: str) -> list[Consent]:
    """All consents ever given, the oldest first."""
    query = select(Consent).where(Consent.person_id == person_id).order_by(col(Consent.given_at))
    return list(session.exec(query))


def stands(session: Session, person_id: str, kind: str) -> bool:
    """Whether a consent of the kind is in force."""
    return any(consent.kind == kind for consent in standing(session, person_id))


def withdraw(session: Session, person_id: str, kind: str) -> bool:
    """Withdraw a consent; False when none stood."""
    rows = [consent for consent in standing(session, person_id) if consent.kind == kind]
    for row in rows:
        row.withdrawn_at = now_of(session)
        session.add(row)
        audit.note(session, person_id, "consent.withdrawn", person_id, kind=kind, version=row.version)
    session.flush()
    return bool(rows)
