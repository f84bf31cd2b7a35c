"""Offers (邀请): a volunteer or a team is asked whether they would serve somebody, in bands that identify nobody.

An invitation, never a race: one candidate at a time unless a specialist opens a round; the first valid yes counts, once
(programme §5).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id

# "waiting": sent, unanswered; "later": 晚点问我; "overdue": the hold is over and the next one is asked, a late yes
# still counts while nobody else said it; "taken": somebody else was first; "withdrawn": nobody is sought any more;
# "passed_by": a yes came that the rules no longer allowed.
WAITING, LATER, OVERDUE, ACCEPTED, DECLINED, TAKEN, WITHDRAWN, PASSED_BY = STATES = (
    "waiting",
    "later",
    "overdue",
    "accepted",
    "declined",
    "taken",
    "withdrawn",
    "passed_by",
)
ANSWERABLE = (WAITING, LATER, OVERDUE)
HOLDING = (WAITING, LATER)
DECLINES = ("busy", "far", "unsure", "full", "other")


class Offer(SQLModel, table=True):
    """One invitation to one person, alone or for a team they lead. `bands` = what it shows, frozen (handlers/offer.py
    words them); `holds_until` = until then nobody else is asked, but within its round. `follows_id` = the stint whose
    successor is sought."""

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"reason IN {DECLINES}", name="reason"),
        CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name="one_served"),
        Index(
            "uq_offer_standing",
            "beneficiary_id",
            "person_id",
            unique=True,
            sqlite_where=text("state IN ('waiting', 'later', 'overdue')"),
            postgresql_where=text("state IN ('waiting', 'later', 'overdue')"),
        ),
        Index("ix_offer_beneficiary_id_state", "beneficiary_id", "state"),
        Index("ix_offer_person_id_state", "person_id", "state"),
        Index("ix_offer_holds_until", "holds_until"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str | None = Field(default=None, foreign_key="beneficiary.id")
    institution_id: str | None = Field(default=None, foreign_key="institution.id", index=True)
    person_id: str = Field(foreign_key="person.id")
    team_id: str | None = Field(default=None, foreign_key="team.id")
    proposal_id: str | None = Field(default=None, foreign_key="proposal.id")
    follows_id: str | None = Field(default=None, index=True)
    round: int = 1
    state: str = WAITING
    bands: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    made_by: str
    made_at: datetime
    holds_until: datetime
    asked_again_at: datetime | None = None
    answered_at: datetime | None = None
    reason: str | None = None
