"""Institutions (助残机构) that teams are paired with [15]; their contact is sealed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from config import regions
from models import audit
from models.beneficiary import may_see
from models.database import now_of
from models.ids import new_id, new_number
from models.pairing import ENDED, Stint
from models.sealed import seal, sealed_columns, unseal

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
_PLACE = "institution.contact_sealed"

LONGEST_NAME, LONGEST_TEXT = 60, 200  # characters


@dataclass(frozen=True, slots=True)
class Contact:
    """How an institution is reached: `phone` is E.164, `person` whom to ask for. None = nothing is said."""

    address: str | None = None
    person: str | None = None
    phone: str | None = None


class InstitutionError(Exception):
    """`reason`: "scope" — not theirs to keep; "county" — no county; "name" — empty, or too long; "kind"; "taken" — one
    of this name stands in the county; "paired" — a team is paired with it still, or being agreed with; "gone" — no such
    institution stands; "text" — a part of the contact is too long."""

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
    if named(session, plain, county) is not None:
        raise InstitutionError("taken")
    number = _unused_number(session)
    row = Institution(number=number, name=plain, kind=kind, county=county, made_by=by, made_at=now_of(session))
    session.add(row)
    session.flush()
    audit.note(session, by, "institution.made", row.id, county=county, kind=kind)
    return row


def contact_of(session: Session, row: Institution) -> Contact:
    """How it is reached, for rules that put it back; people see it through those who answer for it."""
    return Contact(**json.loads(unseal(session, _PLACE, row.id, row.contact_sealed) or "{}"))


def set_contact(
    session: Session, by: str, institution_id: str, contact: Contact, *, clear: Collection[str] = ()
) -> list[str]:
    """Keep what is said of its contact, and let the rest stand, but for what is to be forgotten (`clear`); by whoever
    answers for its county. Returns the names of what has changed. Raises InstitutionError."""
    row = _locked(session, by, institution_id)
    said = {field: value for field, value in asdict(contact).items() if value is not None or field in clear}
    if any(value is not None and len(value) > LONGEST_TEXT for value in said.values()):
        raise InstitutionError("text")
    before = json.loads(unseal(session, _PLACE, row.id, row.contact_sealed) or "{}")
    changed = [field for field, value in said.items() if before.get(field) != value]
    if changed:
        row.contact_sealed = seal(session, _PLACE, row.id, json.dumps(before | said, ensure_ascii=False))
        session.add(row)
        session.flush()
        audit.note(session, by, "institution.contact", row.id, fields=" ".join(changed))
    return changed


def end(session: Session, by: str, institution_id: str) -> None:
    """It is one no more, by whoever answers for its county; nothing is deleted. Raises InstitutionError."""
    row = _locked(session, by, institution_id)
    query = select(Stint.id).where(Stint.institution_id == row.id, Stint.state != ENDED)
    if session.exec(query.limit(1)).first() is not None:
        raise InstitutionError("paired")
    row.ended_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "institution.ended", row.id)


def named(session: Session, name: str, county: str) -> Institution | None:
    """The standing one of exactly this name in a county."""
    query = select(Institution).where(Institution.county == county, Institution.name == name)
    return session.exec(query.where(col(Institution.ended_at).is_(None)).order_by(Institution.id)).first()


def standing(session: Session, region: str = "") -> list[Institution]:
    """The institutions of a region that have not ended, by county and name."""
    query = select(Institution).where(col(Institution.ended_at).is_(None))
    query = query.where(col(Institution.county).startswith(region, autoescape=True))
    return list(session.exec(query.order_by(col(Institution.county), col(Institution.name), col(Institution.id))))


def by_institution_number(session: Session, number: str) -> Institution | None:
    """The one with this number."""
    return session.exec(select(Institution).where(Institution.number == number)).first()


def _locked(session: Session, by: str, institution_id: str) -> Institution:
    query = select(Institution).where(Institution.id == institution_id, col(Institution.ended_at).is_(None))
    row = session.exec(query.with_for_update().execution_options(populate_existing=True)).first()
    if row is None:
        raise InstitutionError("gone")
    if not may_see(session, by, row.county):
        raise InstitutionError("scope")
    return row


def _unused_number(session: Session) -> str:
    """A number that none had before; the unique key stands behind it."""
    while True:
        number = new_number()
        if by_institution_number(session, number) is None:
            return number
