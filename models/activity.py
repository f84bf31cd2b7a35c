"""Activities (活动): a time, a place, somebody who leads it, and a code that changes for checking in (programme §7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns


class Activity(SQLModel, table=True):
    """One activity. `content` is a key of services.toml, `places` how many can take part (None = as many as come);
    `secret_sealed` = what its six-digit codes are made from. `leader_id` shows the code and confirms the hours. Times
    are programme time, UTC."""

    __tablename__ = "activity"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="in_order"),
        CheckConstraint("places > 0", name="places"),
        Index("ix_activity_county_starts_at", "county", "starts_at"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    number: str = Field(unique=True)
    name: str
    county: str
    team_id: str | None = Field(default=None, foreign_key="team.id", index=True)
    station_id: str | None = Field(default=None, foreign_key="station.id")
    leader_id: str = Field(foreign_key="person.id", index=True)
    content: str
    place: str = ""
    places: int | None = None
    starts_at: datetime
    ends_at: datetime
    secret_sealed: bytes | None = None
    made_by: str
    made_at: datetime
    cancelled_at: datetime | None = None


sealed_columns("activity", "id", "secret_sealed")
