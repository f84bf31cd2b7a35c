"""The lone-visit timer (programme §12): “我进门了，16:00 前出来”. Rules are in models/lone_timing.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id

RUNNING, ASKED, PARTNER, SPECIALIST, OUT, HELP = STATES = ("running", "asked", "partner", "specialist", "out", "help")
STANDING = (RUNNING, ASKED, PARTNER, SPECIALIST)


class LoneVisit(SQLModel, table=True):
    """Somebody is alone in a home until `until`. When it is over they are asked gently, then the `partner_id` is told,
    then whoever answers for them; `next_at` = when the next of these falls. `alert_id` = the cry for help that came of
    it. Programme time, UTC."""

    __tablename__ = "lone_visit"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(
            "uq_lone_visit_standing",
            "person_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_lone_visit_next",
            "next_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    stint_id: str | None = Field(default=None, foreign_key="stint.id")
    partner_id: str | None = Field(default=None, foreign_key="person.id")
    state: str = RUNNING
    began_at: datetime
    until: datetime
    next_at: datetime
    ended_at: datetime | None = None
    alert_id: str | None = Field(default=None, foreign_key="alert.id")
