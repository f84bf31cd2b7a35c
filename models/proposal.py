"""Proposals: whom a matching run, or a look at one waiting person, found to go with whom, and why (programme §5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

from models.ids import new_id

NEW, OFFERED, REFUSED, STALE = STATES = ("new", "offered", "refused", "stale")


class MatchingRun(SQLModel, table=True):
    """One run over everybody waiting in a region. `counts`: waiting, matched, left. `asked` = it was asked for in a
    chat, and a job does it until `done_at`."""

    __tablename__ = "matching_run"
    id: str = Field(default_factory=new_id, primary_key=True)
    region: str
    made_by: str
    made_at: datetime
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    asked: bool = False
    done_at: datetime | None = None


class Proposal(SQLModel, table=True):
    """A volunteer (or a team, then `person_id` leads it) for somebody waiting; without one, why nobody was found.

    `reasons` = [[code, {parameter: value}], …], worded by handlers; they hold no name, number, address or disability.
    `cost` has no unit: smaller is better (models/matching.py)."""

    __tablename__ = "proposal"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index("ix_proposal_beneficiary_id_state", "beneficiary_id", "state"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    run_id: str = Field(foreign_key="matching_run.id", index=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id")
    person_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    team_id: str | None = Field(default=None, foreign_key="team.id")
    state: str = NEW
    cost: float = 0.0
    reasons: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    made_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
