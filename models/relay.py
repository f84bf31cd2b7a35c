"""Relays (接力、交接): a stint is to end, a successor is sought, and nobody is left alone in between (programme §5)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns

# "seeking": nobody has said yes; "agreeing": a successor said yes; "done": handed over, or the specialist keeps the
# person on a list; "cancelled": the volunteer goes on after all.
SEEKING, AGREEING, DONE, CANCELLED = STATES = ("seeking", "agreeing", "done", "cancelled")
STANDING = (SEEKING, AGREEING)
PROGRAMME = "programme"
GRADUATION, STOPPED, TERM, MOVED, SILENCE, ORGANISATION, SPECIALIST, GONE = REASONS = (
    "graduation",
    "stopped",
    "term",
    "moved",
    "silence",
    "organisation",
    "specialist",
    "gone",
)


class Relay(SQLModel, table=True):
    """One handing over. `last_day` = the last day of the one who goes; `hands_over_on` = the day agreed for handing
    over; `specialist_id` = who is responsible for it; `keeper_id` = who looks after the person until a successor comes.

    `note_sealed` = what the successor may read, `private_sealed` = for the specialist only. `batch` = the same for all
    that were begun together."""

    __tablename__ = "relay"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"reason IN {REASONS}", name="reason"),
        Index(
            "uq_relay_standing",
            "stint_id",
            unique=True,
            sqlite_where=text("state IN ('seeking', 'agreeing')"),
            postgresql_where=text("state IN ('seeking', 'agreeing')"),
        ),
        Index("ix_relay_specialist_id_state", "specialist_id", "state"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    stint_id: str = Field(foreign_key="stint.id")
    successor_id: str | None = Field(default=None, foreign_key="stint.id", index=True)
    state: str = SEEKING
    reason: str
    batch: str = Field(default="", index=True)
    begun_by: str
    begun_at: datetime
    last_day: date
    hands_over_on: date | None = None
    specialist_id: str = Field(foreign_key="person.id")
    keeper_id: str | None = Field(default=None, foreign_key="person.id")
    note_sealed: bytes | None = None
    private_sealed: bytes | None = None
    given_at: datetime | None = None
    taken_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def undecided(self) -> bool:
        """A volunteer whom a door still reaches was silent (models/silence.py, whose row's id is the `batch`), and
        whoever is responsible has not decided yet: the last day is when they are asked again, and ends nothing."""
        return self.reason == SILENCE and self.begun_by == PROGRAMME and bool(self.batch)


sealed_columns("relay", "id", "note_sealed", "private_sealed")
