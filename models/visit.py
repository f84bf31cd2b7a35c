"""Visits (探访): what is owed, what is booked, what was reported (programme §6).

An obligation is one row for a served person or an institution, a year and a half of it. It outlives relays, restarts
and down time: whoever has the lead owes it, and while nobody has it whoever keeps the person does. Its rules are in
models/visit_days.py (days), models/visiting.py and models/visit_reporting.py (acts) and models/visits_owed.py (sets).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns

# "void": nobody owes it any more, since the person left the ledger, or the two rows of one person became one.
OWED, MADE, EXCUSED, VOID = STATES = ("owed", "made", "excused", "void")
HOME, AT_INSTITUTION, TOGETHER, CALL, PARCEL = FORMS = ("home", "institution", "together", "call", "parcel")
FACE_TO_FACE = (HOME, AT_INSTITUTION, TOGETHER)
# What is true of an obligation that does not fit a rule, and is shown for it.
SPACING, LATE_START, SAME_FORM, NO_FACE = FLAGS = ("spacing", "late_start", "same_form", "no_face")

STANDING, MOVED, CANCELLED, VAIN, KEPT, LAPSED = BOOKING_STATES = (
    "standing",
    "moved",  # to another time: the next row of the same obligation
    "cancelled",
    "vain",  # 没人在家
    "kept",  # there is a report
    "lapsed",  # the time is over and nobody said anything
)


class Visit(SQLModel, table=True):
    """One owed visit. `half` is 1 (January to June) or 2; `county` is the served one's, for lists and what climbs.

    `stint_id` = the open lead stint that owes it now, None while nobody is paired. It may be made from `opens_on` on,
    and is due on `due_on`, both days in China's zone; `flags` are of FLAGS. `next_on` = the day on which the next step
    of reminding or chasing falls, None when there is none; `steps` = how many of them were taken (visit_days.STEPS).
    Until `quiet_until` the volunteer wants to be asked no more (晚点问我); until `held_until` whoever pressed
    收到，我来处理 (`held_by`) has it in hand. Times are programme time, UTC."""

    __tablename__ = "visit"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"form IN {FORMS}", name="form"),
        CheckConstraint("half IN (1, 2)", name="half"),
        CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name="one_served"),
        CheckConstraint("(state = 'owed') = (closed_at IS NULL)", name="closed"),
        CheckConstraint("state <> 'made' OR (made_on IS NOT NULL AND form IS NOT NULL)", name="made"),
        CheckConstraint("state <> 'excused' OR (closed_by <> '' AND why <> '')", name="excused"),
        CheckConstraint("opens_on <= due_on", name="in_order"),
        Index(
            "uq_visit_beneficiary",
            "beneficiary_id",
            "year",
            "half",
            unique=True,
            sqlite_where=text("beneficiary_id IS NOT NULL"),
            postgresql_where=text("beneficiary_id IS NOT NULL"),
        ),
        Index(
            "uq_visit_institution",
            "institution_id",
            "year",
            "half",
            unique=True,
            sqlite_where=text("institution_id IS NOT NULL"),
            postgresql_where=text("institution_id IS NOT NULL"),
        ),
        Index(
            "ix_visit_next",
            "next_on",
            sqlite_where=text("state = 'owed' AND next_on IS NOT NULL"),
            postgresql_where=text("state = 'owed' AND next_on IS NOT NULL"),
        ),
        Index(
            "ix_visit_owed",
            "county",
            "due_on",
            sqlite_where=text("state = 'owed'"),
            postgresql_where=text("state = 'owed'"),
        ),
        Index("ix_visit_stint_id", "stint_id"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str | None = Field(default=None, foreign_key="beneficiary.id")
    institution_id: str | None = Field(default=None, foreign_key="institution.id")
    year: int
    half: int
    county: str
    stint_id: str | None = Field(default=None, foreign_key="stint.id")
    opens_on: date
    due_on: date
    flags: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    state: str = OWED
    steps: int = 0
    next_on: date | None = None
    quiet_until: date | None = None
    held_until: date | None = None
    held_by: str = ""
    made_on: date | None = None
    form: str | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    why: str = ""
    planned_at: datetime


class VisitPlan(SQLModel, table=True):
    """How far the visits of a half are planned: `after` = the last stint that was looked at. The first row tells from
    when on the programme asks for visits at all: pairings that are older owe nothing for the time before it."""

    __tablename__ = "visit_plan"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    half: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    after: str = ""
    begun_at: datetime
    done_at: datetime | None = None


class Booking(SQLModel, table=True):
    """A time at which somebody (`person_id`) goes. `visit_id` = the obligation, None for a visit beyond what is owed.
    Rows are never changed but to end them; a booking that is moved is followed by a new one."""

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint(f"state IN {BOOKING_STATES}", name="state"),
        CheckConstraint("(state = 'standing') = (ended_at IS NULL)", name="ended"),
        Index(
            "uq_booking_standing",
            "visit_id",
            unique=True,
            sqlite_where=text("state = 'standing'"),
            postgresql_where=text("state = 'standing'"),
        ),
        Index(
            "ix_booking_standing_at",
            "at",
            sqlite_where=text("state = 'standing'"),
            postgresql_where=text("state = 'standing'"),
        ),
        Index("ix_booking_person_id_state", "person_id", "state"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    visit_id: str | None = Field(default=None, foreign_key="visit.id")
    stint_id: str = Field(foreign_key="stint.id", index=True)
    person_id: str = Field(foreign_key="person.id")
    at: datetime
    state: str = STANDING
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


class VisitReport(SQLModel, table=True):
    """What was told of one visit (探访记录). `at` = when it was; `answers_sealed` = how the person is, needs that
    changed and the note for the specialist, as JSON; `worrying` = something is for safeguarding (`alert_id`).
    `told_by` wrote it: `person_id` themselves, or somebody who answers for them, and then `why` says why."""

    __tablename__ = "visit_report"
    __table_args__ = (
        CheckConstraint(f"form IN {FORMS}", name="form"),
        CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name="one_served"),
        Index("ix_visit_report_beneficiary_id", "beneficiary_id", "at"),
        Index("ix_visit_report_institution_id", "institution_id", "at"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    visit_id: str | None = Field(default=None, foreign_key="visit.id", index=True)
    booking_id: str | None = Field(default=None, foreign_key="booking.id")
    stint_id: str | None = Field(default=None, foreign_key="stint.id", index=True)
    beneficiary_id: str | None = Field(default=None, foreign_key="beneficiary.id")
    institution_id: str | None = Field(default=None, foreign_key="institution.id")
    person_id: str = Field(foreign_key="person.id", index=True)
    record_id: str | None = Field(default=None, foreign_key="service_record.id")
    alert_id: str | None = None
    at: datetime
    form: str
    answers_sealed: bytes | None = None
    worrying: bool = False
    told_by: str
    told_at: datetime
    why: str = ""


class VisitNote(SQLModel, table=True):
    """What somebody did about an owed visit that is no visit: a telephone call to the volunteer, a nudge. `kind` "call"
    or "nudge", or "why" = why it was excused; `said_sealed` = what came of it, or what was said."""

    __tablename__ = "visit_note"
    __table_args__ = (CheckConstraint("kind IN ('call', 'nudge', 'why')", name="kind"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    visit_id: str = Field(foreign_key="visit.id", index=True)
    kind: str
    by: str
    at: datetime
    said_sealed: bytes | None = None


sealed_columns("visit_report", "id", "answers_sealed")
sealed_columns("visit_note", "id", "said_sealed")
