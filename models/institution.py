"""Institutions (助残机构) that teams are paired with [15]; their contact is sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.ids import new_id
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
