"""Specialists' training, certificates and insurances (programme §8). Rules are in models/qualifying.py."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns

FIRST_TRAINING, TRAINING, CERTIFICATE, INSURANCE = KINDS = ("first_training", "training", "certificate", "insurance")


class Qualification(SQLModel, table=True):
    """What somebody has, or owes: good from `since` until `until` (days, both included; `until` empty = for good; of
    a first training that is owed still: `since` empty and `until` its deadline). A renewal is a new row that ends the
    one before. `number_sealed` = of a certificate or a policy; `steps` = reminders taken (60, 30, 7 and 0 days
    before)."""

    __tablename__ = "qualification"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("since IS NULL OR until IS NULL OR since <= until", name="in_order"),
        Index(
            "uq_qualification_standing",
            "person_id",
            "kind",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_qualification_next",
            "next_on",
            sqlite_where=text("ended_at IS NULL AND next_on IS NOT NULL"),
            postgresql_where=text("ended_at IS NULL AND next_on IS NOT NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    kind: str
    number_sealed: bytes | None = None
    since: date | None = None
    until: date | None = None
    steps: int = 0
    next_on: date | None = None
    noted_by: str
    noted_at: datetime
    ended_at: datetime | None = None


sealed_columns("qualification", "id", "number_sealed")
