"""Pairings (结对): dated stints of a volunteer or a team with one served person or one institution (programme §5).

Stints are never overwritten: a second one of the same two people is a new row. The database itself refuses a second
open lead stint of anybody served, and a second one that is being agreed.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id

# "agreeing": a yes was given, the first meeting and the agreement are still to come; whoever was responsible before is.
AGREEING, OPEN, ENDED = STATES = ("agreeing", "open", "ended")
LEAD, CO, SUBSTITUTE = PARTS = ("lead", "co", "substitute")
# Why a stint ended.
TERM, GRADUATION, STOPPED, MOVED_AWAY, SILENCE, RELAYED, OBJECTED, GONE, TAKEN_BACK, BACK, SPECIALIST = ENDS = (
    "term",  # the agreed term was over
    "graduation",
    "stopped",  # 我做不下去了
    "moved",  # the volunteer moved away
    "silence",
    "relayed",  # handed over to a successor
    "objected",  # the family, or the served person, said no
    "gone",  # the served person died, moved away or lost the certificate
    "taken_back",  # a yes pressed by mistake, or never agreed
    "back",  # a substitute's time is over
    "specialist",  # the specialist ended it
)


def _one(name: str, state: str, column: str) -> Index:
    where = text(f"state = '{state}' AND part = 'lead'")
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


class Stint(SQLModel, table=True):
    """One stint. Served is a beneficiary or an institution; who serves is a volunteer (`person_id`), a team, or a
    volunteer of a team. `services` are keys of services.toml, `activities` the agreed count a year (活动次数),
    `relay_months` the relay cycle. `follows_id` = the stint that it took over from, or whose substitute it is.

    `meets_at` = the first meeting, accompanied; the volunteer accepted the agreement at `accepted_at`, the specialist
    (`confirmed_by`) at `confirmed_at`, the family on its own door at `family_at`. `ends_on` = the last day agreed;
    times are programme time, UTC."""

    __tablename__ = "stint"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"part IN {PARTS}", name="part"),
        CheckConstraint(f"ended_why IN {ENDS}", name="ended_why"),
        CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name="one_served"),
        CheckConstraint("person_id IS NOT NULL OR team_id IS NOT NULL", name="somebody_serves"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended"),
        CheckConstraint("ended_at IS NULL OR ended_at >= made_at", name="in_order"),
        _one("uq_stint_open_beneficiary", "open", "beneficiary_id"),
        _one("uq_stint_agreeing_beneficiary", "agreeing", "beneficiary_id"),
        _one("uq_stint_open_institution", "open", "institution_id"),
        _one("uq_stint_agreeing_institution", "agreeing", "institution_id"),
        Index("ix_stint_person_id_state", "person_id", "state"),
        Index("ix_stint_team_id_state", "team_id", "state"),
        Index("ix_stint_beneficiary_id_state", "beneficiary_id", "state"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str | None = Field(default=None, foreign_key="beneficiary.id")
    institution_id: str | None = Field(default=None, foreign_key="institution.id")
    person_id: str | None = Field(default=None, foreign_key="person.id")
    team_id: str | None = Field(default=None, foreign_key="team.id")
    part: str = LEAD
    state: str = AGREEING
    services: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    activities: int
    relay_months: int
    follows_id: str | None = Field(default=None, foreign_key="stint.id", index=True)
    offer_id: str | None = Field(default=None, foreign_key="offer.id", index=True)
    made_by: str
    made_at: datetime
    meets_at: datetime | None = None
    met_at: datetime | None = None
    accepted_at: datetime | None = None
    conduct_version: str = ""
    confirmed_at: datetime | None = None
    confirmed_by: str = ""
    family_at: datetime | None = None
    opened_at: datetime | None = None
    ends_on: date | None = None
    ended_at: datetime | None = None
    ended_why: str | None = None
    ended_by: str = ""


class Keeping(SQLModel, table=True):
    """Who answers for a served person while nobody is paired with them: from the end of a stint to the next one. One
    row stands at a time; `why` is one of ENDS, or "relay" for a successor sought, or "summer" for a keeper."""

    __tablename__ = "keeping"
    __table_args__ = (
        Index(
            "uq_keeping_standing",
            "beneficiary_id",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id")
    person_id: str = Field(foreign_key="person.id", index=True)
    why: str
    since: datetime
    until: datetime | None = None
