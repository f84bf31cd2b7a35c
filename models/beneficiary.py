"""Beneficiaries: the people of the ledger, one dossier each (一人一档).

What matching and reports read in sets stands plainly: county, town, sex, birth date, kind of residence, needs, status.
Names, numbers, disability, address, phones and guardian are sealed together. Nobody reads a dossier but through
`dossier_of`, or the names of several through `names_of`: they take the viewer and log each look at a minor's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import JSON, CheckConstraint, Column, Index, delete
from sqlmodel import Field, Session, SQLModel, col, select

from models import audit, role
from models.database import now_of, vault_of
from models.ids import new_id
from models.ledger_cells import Record
from models.sealed import indexed_column, sealed_columns
from models.vault import Vault
from models.volunteer import age_on

LISTED: Final = "listed"
MOVED, DIED, CANCELLED, OVER_AGE = "moved", "died", "cancelled", "over_age"
STATUSES = (LISTED, MOVED, DIED, CANCELLED, OVER_AGE)
GONE = (DIED, MOVED)  # nothing is sent to or about them any more
OUT = (DIED, MOVED, CANCELLED)  # a ledger that names them again is doubtful
SEXES, RESIDENCES = ("female", "male"), ("urban", "rural")
DISABLED = "disabled"  # the group of the documents; others are entries of the catalogue (programme.md §4)
ID_NUMBER = "beneficiary"  # the kind under which the 18-digit number is indexed, its scope being the county
MACHINE = "machine"  # whoever holds the machine, as a viewer
ADULT = 18  # full years

# Of a record these stand in columns of their own.
_PLAIN = ("sex", "birth_date", "residence", "town", "needs", "status", "checked_on")
_APART = (*_PLAIN, "id_number", "county")
_NAMES = tuple(field.name for field in fields(Record))
_SEALED = tuple(name for name in _NAMES if name not in _APART)
_NOTHING: dict[str, Any] = dict.fromkeys(_NAMES) | {"needs": ()}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=date.isoformat)


class BeneficiaryError(Exception):
    """`reason`: "scope" — the viewer has no role for this county."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Beneficiary(SQLModel, table=True):
    """One person of one county's ledger. `status_since` and the other times are programme time, UTC.

    `batch_id` = the import that brought the row; `person_id` = the person's own door, if there is one; `merged_into`
    marks the row that was set aside when two turned out to be one.
    """

    __tablename__ = "beneficiary"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"sex IN {SEXES}", name="sex"),
        CheckConstraint(f"residence IN {RESIDENCES}", name="residence"),
        Index("ix_beneficiary_county_birth_date", "county", "birth_date"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    county: str
    group_key: str = DISABLED
    status: str
    status_since: datetime
    listed_at: datetime
    changed_at: datetime
    checked_on: date | None = None
    batch_id: str = Field(foreign_key="ledger_batch.id", index=True)
    person_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    merged_into: str | None = Field(default=None, foreign_key="beneficiary.id", index=True)

    sex: str | None = None
    birth_date: date | None = None
    residence: str | None = None
    town: str | None = None
    needs: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    id_number_sealed: bytes
    record_sealed: bytes


sealed_columns("beneficiary", "id", "id_number_sealed", "record_sealed")
indexed_column(ID_NUMBER, "beneficiary", "id", "id_number_sealed")


def as_columns(vault: Vault, row: str, record: Record) -> dict[str, Any]:
    """What a record becomes in the row of this id, without times and batch."""
    plain = {name: getattr(record, name) for name in _PLAIN} | {"status": record.status or LISTED}
    rest = {name: value for name in _SEALED if (value := getattr(record, name)) is not None}
    return plain | {
        "county": record.county,
        "needs": list(record.needs),
        "id_number_sealed": vault.seal("beneficiary.id_number_sealed", row, record.id_number),
        "record_sealed": vault.seal_json("beneficiary.record_sealed", row, rest),
    }


def record_of(vault: Vault, row: Any) -> Record:
    """The reverse, of a row or of an object; raises VaultError."""
    rest = _NOTHING | vault.open_json("beneficiary.record_sealed", row.id, row.record_sealed)
    number = vault.open("beneficiary.id_number_sealed", row.id, row.id_number_sealed)
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Record(**rest | plain | {"id_number": number, "county": row.county, "needs": tuple(row.needs)})


def to_json(record: Record) -> str:
    """A record as text, for keeping beside a batch."""
    told = {name: value for name in _NAMES if (value := getattr(record, name)) not in (None, ())}
    return _ENCODER.encode(told)


def from_json(text: str) -> Record:
    """The reverse."""
    found = _NOTHING | json.loads(text)
    for name in ("birth_date", "checked_on"):
        found[name] = date.fromisoformat(found[name]) if found[name] else None
    return Record(**found | {"needs": tuple(found["needs"])})


# When the first of these changes, the others are the new one's or nobody's.
_TOGETHER = (
    ("guardian_name", "guardian_phone", "guardian_relation"),
    ("town", "village", "address", "longitude", "latitude"),
    ("address", "longitude", "latitude"),
)


def laid_over(old: Record, new: Record) -> Record:
    """What a newer sheet says, and of the rest what stood there: an empty cell takes nothing away. But the telephone of
    a former guardian is not that of the new one, nor a former address that of a new town."""
    told = {name: value for name in _NAMES if (value := getattr(new, name)) not in (None, ())}
    for first, *others in _TOGETHER:
        if told.get(first, getattr(old, first)) != getattr(old, first) and getattr(old, first) is not None:
            told |= {name: getattr(new, name) for name in others}
    if new.needs or new.need_words:
        told |= {"needs": new.needs, "need_words": new.need_words}
    return replace(old, **told)


def name_in(vault: Vault, row: Any) -> str:
    """The name of a row, and nothing else of it."""
    return str(vault.open_json("beneficiary.record_sealed", row.id, row.record_sealed)["name"])


def by_id_number(session: Session, id_number: str, county: str | None = None) -> list[Beneficiary]:
    """The rows with this 18-digit number, of one county's ledger or of all; without those that were merged away."""
    digests = list(vault_of(session).digests(ID_NUMBER, id_number).values())
    index: Any = SQLModel.metadata.tables["blind_index"]
    rows = select(index.c.row_id).where(index.c.digest.in_(digests))
    query = select(Beneficiary).where(col(Beneficiary.id).in_(rows), col(Beneficiary.merged_into).is_(None))
    query = query.order_by(col(Beneficiary.id))
    if county is not None:
        query = query.where(Beneficiary.county == county)
    return list(session.exec(query))


def locked(session: Session, beneficiary_id: str) -> Beneficiary | None:
    """The row, held until the end of the transaction: whatever decides about somebody served begins here."""
    query = select(Beneficiary).where(Beneficiary.id == beneficiary_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def may_see(session: Session, viewer: str, county: str) -> bool:
    """Whether the viewer (a person's id, or MACHINE) answers for the people of this county."""
    return viewer == MACHINE or role.covers_county(session, viewer, county)


def is_full_name(session: Session, beneficiary_id: str, words: str) -> bool:
    """Whether the words hold the name that the ledger has."""
    row = session.get(Beneficiary, beneficiary_id)
    return row is not None and name_in(vault_of(session), row) in "".join(words.split())


def set_called(session: Session, beneficiary_id: str, words: str, by: str) -> None:
    """The form of address that volunteers see. Raises BeneficiaryError."""
    somebody = locked(session, beneficiary_id)
    if somebody is None or not may_see(session, by, somebody.county):
        raise BeneficiaryError("scope")
    vault = vault_of(session)
    record = replace(record_of(vault, somebody), called=words)
    somebody.record_sealed = as_columns(vault, somebody.id, record)["record_sealed"]
    somebody.changed_at = now_of(session)
    session.add(somebody)
    audit.note(session, by, "beneficiary.called", beneficiary_id)


def dossier_of(session: Session, beneficiary: Beneficiary, viewer: str, *, why: str) -> Record:
    """The whole record, for whoever answers for the county; a look at a minor's is logged with `why` (a code). Raises
    BeneficiaryError."""
    if not may_see(session, viewer, beneficiary.county):
        raise BeneficiaryError("scope")
    if is_minor(beneficiary, now_of(session).date()):
        audit.note(session, viewer, "beneficiary.read", beneficiary.id, why=why)
    return record_of(vault_of(session), beneficiary)


def names_of(session: Session, ids: Sequence[str], viewer: str, *, why: str) -> dict[str, str]:
    """The names of these, by id, for whoever answers for their counties, and nothing else of their records; each look
    at a minor's is logged with `why` (a code), all in one statement. Raises BeneficiaryError."""
    table: Any = SQLModel.metadata.tables["beneficiary"]
    columns = (table.c.id, table.c.county, table.c.birth_date, table.c.record_sealed)
    found = session.execute(table.select().with_only_columns(*columns).where(table.c.id.in_(list(ids)))).all()
    if not all(may_see(session, viewer, county) for county in {row.county for row in found}):
        raise BeneficiaryError("scope")
    today = now_of(session).date()
    audit.note_all(session, viewer, "beneficiary.read", [row.id for row in found if is_minor(row, today)], why=why)
    vault = vault_of(session)
    return {row.id: name_in(vault, row) for row in found}


def is_minor(beneficiary: Any, day: date) -> bool:
    """Whether the person of a row is below 18, or may be: without a birth date nobody is taken for grown up."""
    return beneficiary.birth_date is None or age_on(beneficiary.birth_date, day) < ADULT


def indexed(vault: Vault, row: str, record: Record) -> list[dict[str, Any]]:
    """The blind index of a row's number, as rows of its table."""
    return [
        {"kind": ID_NUMBER, "scope": record.county, "key_id": key_id, "digest": digest, "row_id": row}
        for key_id, digest in vault.digests(ID_NUMBER, record.id_number).items()
    ]


def forget_index(session: Session, rows: list[str]) -> None:
    """Take rows out of the blind index."""
    index: Any = SQLModel.metadata.tables["blind_index"]
    session.execute(delete(index).where(index.c.row_id.in_(rows), index.c.kind == ID_NUMBER))
