"""Two rows of the ledgers that are one person: they become one, and a merge can be taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id

ASKED, MERGED, UNDONE, DECLINED = STATES = ("asked", "merged", "undone", "declined")


class BeneficiaryMerge(SQLModel, table=True):
    """One merge: `gone_id` was set aside for `kept_id`. `asked_by` and the others are ids of persons, or "machine".

    "asked": the other county has not said yet that it is the same person; "declined": somebody said that it is not.
    `changes` = [table, id, {column: [before, after]}], ids, codes and times only, so that all of it can be put back.
    """

    __tablename__ = "beneficiary_merge"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(
            "uq_beneficiary_merge_standing",
            "gone_id",
            unique=True,
            sqlite_where=text("state IN ('asked', 'merged')"),
            postgresql_where=text("state IN ('asked', 'merged')"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    kept_id: str = Field(foreign_key="beneficiary.id", index=True)
    gone_id: str = Field(foreign_key="beneficiary.id", index=True)
    state: str = ASKED
    asked_by: str
    asked_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    undone_by: str = ""
    undone_at: datetime | None = None
    changes: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
