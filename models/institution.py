"""Institutions (助残机构) that teams are paired with [15]; their contact is sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from config import regions
from models import audit
from models.beneficiary import may_see
from models.database import now_of
from models.ids import new_id, new_number
from models.sealed import sealed_columns

KINDS = ("rehabilitation", "care", "employment", "school", "other")


class Institution(SQLModel, table=True):
    """One organisation that serves disabled people. `county` is a region code of six digits (four where a city has no
    counties); `contact_sealed` = address, telephone and whom to ask for."""

    __tablename__ = "institution"
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    number: str = Field(unique=True)
    name: str
    kind: str
    county: str = Field(index=True)
    town: str | None = None
    contact_sealed: bytes | None = None
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None


sealed_columns("institution", "id", "contact_sealed")

LONGEST_NAME = 60  # characters


class InstitutionError(Exception):
    """`reason`: "scope" — not theirs to keep; "county" — no county; "name" — empty, or too long; "kind"; "taken" — one
    of this name stands in the county; "paired" — a team is paired with it still."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def create(session: Session, by: str, name: str, kind: str, county: str) -> Institution:
    """Write an institution down, by whoever answers for its county (or MACHINE). Raises InstitutionError."""
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_NAME:
        raise InstitutionError("name")
    if kind not in KINDS:
        raise InstitutionError("kind")
    if not regions.leaf(county):
        raise InstitutionError("county")
    if not may_see(session, by, county):
        raise InstitutionError("scope")
    if any(one.name == plain for one in standing(session, county)):
        raise InstitutionError("taken")
    row = Institution(number=new_number(), name=plain, kind=kind, county=county, made_by=by, made_at=now_of(session))
    session.add(row)
    session.flush()
    audit.note(session, by, "institution.made", row.id, county=county, kind=kind)
    return row


def standing(session: Session, region: str = "") -> list[Institution]:
    """The institutions of a region that have not ended, by county and name."""
    query = select(Institution).where(col(Institution.ended_at).is_(None))
    query = query.where(col(Institution.county).startswith(region, autoescape=True))
    return list(session.exec(query.order_by(col(Institution.county), col(Institution.name), col(Institution.id))))


def by_institution_number(session: Session, number: str) -> Institution | None:
    """The one with this number."""
    return session.exec(select(Institution).where(Institution.number == number)).first()
