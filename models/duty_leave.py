"""Leave of those who answer for others, with a deputy who receives everything meanwhile (programme §6)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id


class DutyLeave(SQLModel, table=True):
    """A specialist or organiser is away from `first_day` to `last_day` (both included, days in their zone); what would
    go to them goes to `deputy_id`, who said yes at `taken_at`; None = to whoever else answers for the same."""

    __tablename__ = "duty_leave"
    __table_args__ = (
        CheckConstraint("first_day <= last_day", name="in_order"),
        CheckConstraint("person_id <> deputy_id", name="somebody_else"),
        Index("ix_duty_leave_person_id", "person_id", "first_day"),
        Index("ix_duty_leave_deputy_id", "deputy_id", "first_day"),
        Index(
            "ix_duty_leave_standing",
            "first_day",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    deputy_id: str | None = Field(default=None, foreign_key="person.id")
    first_day: date
    last_day: date
    made_by: str
    made_at: datetime
    taken_at: datetime | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None
