"""连心卡: the QR code that hangs at a family's door. It names nobody; whoever serves there scans it to check in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id, new_token


class DoorCard(SQLModel, table=True):
    """One printed card. `token` is what its QR code holds. A new card ends the one before, which then says so."""

    __tablename__ = "door_card"
    __table_args__ = (
        Index(
            "uq_door_card_standing",
            "beneficiary_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id")
    token: str = Field(default_factory=new_token, unique=True)
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None
