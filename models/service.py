"""Service records (志愿服务记录) and the hours ledger (programme §7).

Rules are in models/serving.py (check-in, telling, confirming), models/hours_ledger.py (the ledger and its chain) and
models/hours_rules.py (rounding, caps).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns

# "running": checked in. "asked": the planned end is over and nobody checked out. "waiting": for somebody to confirm.
# "void": nothing came of it (a check-in by mistake), or it was withdrawn before it was confirmed.
RUNNING, ASKED, WAITING, CONFIRMED, REFUSED, VOID = STATES = (
    "running",
    "asked",
    "waiting",
    "confirmed",
    "refused",
    "void",
)
COUNTS = (RUNNING, ASKED, WAITING, CONFIRMED)  # two of these of one person must not overlap
# How the times are known.
STATION, ACTIVITY, PLACE, CARD, TOLD, UNPROVEN = WAYS = (
    "station",  # QR of a station
    "activity",  # the rotating code of an activity
    "place",  # one shared location that matched
    "card",  # the family's printed door QR (连心卡)
    "told",  # told afterwards (补录)
    "unproven",  # checked in without any of these: no signal, no smartphone, no match; `unproven_why` says which
)
UNPROVEN_WHY = ("", "no_match", "no_place", "no_signal", "no_phone", "refused")
WHYS = (
    "",
    "said",  # in words, by whoever decided
    "merged",  # another record of the same time, of an account that is the same person
)
FAMILY_SAYS = ("good", "fair", "change")


class ServiceRecord(SQLModel, table=True):
    """One service: who, for whom, what, when, how it is known (the five parts of the law). `person_no` = a number made
    from `person_id`, for the constraint that no two records of one person overlap (an exclusion on PostgreSQL, triggers
    on SQLite; models/guards.py). `content` is a key of services.toml; `county` the region it counts in.

    `ends_at` is empty while it is running, `planned_end` = until when it was to last. `minutes` = what counts: rounded
    down to half hours, once it has ended. `over_cap` = it needs approval, being over a day's or a week's most.
    It waits for somebody since `waiting_since`. `end_assumed` = nobody ever said when it ended: it is the planned end.
    `decided_by` confirmed or refused it, never the person themselves; `decided_why` is one of WHYS, `why_sealed` the
    words that go with it, and `first_told` what stood there before somebody changed it ("starts_at", "ends_at",
    "content"). The volunteer was told of the decision at `told_at`. Times are programme time, UTC."""

    __tablename__ = "service_record"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"way IN {WAYS}", name="way"),
        CheckConstraint(f"unproven_why IN {UNPROVEN_WHY}", name="unproven_why"),
        CheckConstraint(f"decided_why IN {WHYS}", name="decided_why"),
        CheckConstraint(f"family_said IN {FAMILY_SAYS}", name="family_said"),
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="in_order"),
        CheckConstraint("state NOT IN ('waiting', 'confirmed') OR ends_at IS NOT NULL", name="has_end"),
        CheckConstraint("minutes >= 0 AND minutes % 30 = 0", name="half_hours"),
        CheckConstraint("(state IN ('confirmed', 'refused')) = (decided_by <> '')", name="decided"),
        CheckConstraint("decided_by <> person_id", name="not_oneself"),
        Index("ix_service_record_person_id", "person_id", "starts_at"),
        Index("ix_service_record_person_no", "person_no", "starts_at"),
        Index(
            "ix_service_record_open",
            "state",
            "county",
            sqlite_where=text("state IN ('running', 'asked', 'waiting')"),
            postgresql_where=text("state IN ('running', 'asked', 'waiting')"),
        ),
        Index("ix_service_record_beneficiary_id", "beneficiary_id", "starts_at"),
        Index(
            "ix_service_record_untold",
            "decided_at",
            sqlite_where=text("told_at IS NULL AND state IN ('confirmed', 'refused')"),
            postgresql_where=text("told_at IS NULL AND state IN ('confirmed', 'refused')"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    person_no: int = Field(sa_column=Column(BigInteger, nullable=False))
    county: str
    team_id: str | None = Field(default=None, foreign_key="team.id")
    stint_id: str | None = Field(default=None, foreign_key="stint.id", index=True)
    beneficiary_id: str | None = Field(default=None, foreign_key="beneficiary.id")
    institution_id: str | None = Field(default=None, foreign_key="institution.id")
    station_id: str | None = Field(default=None, foreign_key="station.id")
    activity_id: str | None = Field(default=None, foreign_key="activity.id", index=True)
    content: str
    starts_at: datetime
    ends_at: datetime | None = None
    planned_end: datetime | None = None
    way: str
    unproven_why: str = ""
    state: str
    minutes: int = 0
    over_cap: bool = False
    note_sealed: bytes | None = None
    made_at: datetime
    asked_at: datetime | None = None
    waiting_since: datetime | None = None
    end_assumed: bool = False
    first_told: dict[str, str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    decided_by: str = ""
    decided_at: datetime | None = None
    decided_why: str = ""
    why_sealed: bytes | None = None
    told_at: datetime | None = None
    family_said: str | None = None
    family_at: datetime | None = None


class HoursEntry(SQLModel, table=True):
    """One line of a region's hours ledger: never changed, never deleted (triggers refuse it); what was wrong is put
    right by a counter-entry with the opposite minutes. `seq` counts the lines of a county from 1; `hash` is SHA-256
    over the line and the one before (hours_ledger.digest). It holds opaque ids only, so that deleting a person's data
    leaves the chain whole. `day` = the day of service in the volunteer's zone."""

    __tablename__ = "hours_entry"
    __table_args__ = (
        UniqueConstraint("county", "seq"),
        CheckConstraint("minutes <> 0 AND minutes % 30 = 0", name="half_hours"),
        CheckConstraint("seq >= 1", name="seq"),
        Index("ix_hours_entry_person_id", "person_id", "day"),
        Index("ix_hours_entry_record_id", "record_id"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    county: str
    seq: int
    record_id: str
    person_id: str
    content: str
    day: date
    minutes: int
    why: str
    made_by: str
    made_at: datetime
    before: str
    hash: str


class HoursCase(SQLModel, table=True):
    """我的时长有误: about one record or about a month ("2026-10"); must be answered by `due_on` (rules.toml,
    hours.answer_days working days). `said_sealed` = what the volunteer says, `answer_sealed` = the answer. At
    `told_late` the county was told that it is late."""

    __tablename__ = "hours_case"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'answered', 'withdrawn')", name="state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed"),
        Index(
            "ix_hours_case_open",
            "due_on",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    record_id: str | None = Field(default=None, foreign_key="service_record.id")
    month: str = ""
    county: str
    team_id: str | None = Field(default=None, foreign_key="team.id")
    state: str = "open"
    said_sealed: bytes | None = None
    answer_sealed: bytes | None = None
    opened_at: datetime
    due_on: date
    told_late: bool = False
    closed_at: datetime | None = None
    closed_by: str = ""


sealed_columns("service_record", "id", "note_sealed", "why_sealed")
sealed_columns("hours_case", "id", "said_sealed", "answer_sealed")
