"""The members of a team take turns in one of its pairings (团队帮扶＋结对接力, programme §5): the plan, and the turns.

A plan is never changed: another one takes its place. Whose turn it is on a day is in models/turns.py; how turns pass
from one to the next in models/turn_acts.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from models.database import now_of
from models.ids import new_id
from models.outbox import REMINDER, enqueue
from models.pairing import OPEN, Stint
from models.team import TeamMember

VISIT, MONTH = RHYTHMS = ("visit", "month")  # another one goes each visit, or each month of the calendar
MEMBER, LEADER = PARTS = ("member", "leader")
# "swapped": asked for somebody else, or as a minor stayed away; "silent": did not answer in time; "released": somebody
# before them goes after all; "skipped": cannot go, by the rules or because they are away; "done": went, and the next
# turn has begun.
ASKED, ACCEPTED, SWAPPED, SILENT, RELEASED, SKIPPED, DONE = STATES = (
    "asked",
    "accepted",
    "swapped",
    "silent",
    "released",
    "skipped",
    "done",
)
STANDING = (ASKED, ACCEPTED)
HOME = ZoneInfo("Asia/Shanghai")  # where months begin and end


class TurnPlan(SQLModel, table=True):
    """Who goes in one pairing of a team, in turns. `number`, where each visit another one goes: the turn that is due
    now, from 0; where each month: the month it began with, as `month_number`. `left_number` = the turn of which whoever
    answers for the county has heard that nobody can go. `made_by` is a person's id; times are programme time, UTC."""

    __tablename__ = "turn_plan"
    __table_args__ = (
        CheckConstraint(f"rhythm IN {RHYTHMS}", name="rhythm"),
        Index(
            "uq_turn_plan_standing",
            "stint_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    stint_id: str = Field(foreign_key="stint.id")
    rhythm: str
    number: int
    left_number: int | None = None
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None


class TurnMember(SQLModel, table=True):
    """Somebody has a place in a plan, from 0."""

    __tablename__ = "turn_member"
    __table_args__ = (UniqueConstraint("plan_id", "place", name="uq_turn_member_place"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    plan_id: str = Field(foreign_key="turn_plan.id")
    place: int
    person_id: str = Field(foreign_key="person.id", index=True)


class Turn(SQLModel, table=True):
    """Somebody was asked to go, or was passed over. `number` as of the plan, or the month itself; `person_id` is always
    grown up where the turn stands, `beside_id` a minor whose turn it is and who goes with them. One stands at a time
    for each turn."""

    __tablename__ = "turn"
    __table_args__ = (
        CheckConstraint(f"part IN {PARTS}", name="part"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index("ix_turn_plan_id_number", "plan_id", "number"),
        Index(
            "uq_turn_standing",
            "plan_id",
            "number",
            unique=True,
            sqlite_where=text("state IN ('asked', 'accepted')"),
            postgresql_where=text("state IN ('asked', 'accepted')"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    plan_id: str = Field(foreign_key="turn_plan.id")
    number: int
    person_id: str = Field(foreign_key="person.id", index=True)
    beside_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    part: str = MEMBER
    state: str = ASKED
    asked_at: datetime
    answered_at: datetime | None = None


def plan_of(session: Session, stint_id: str) -> TurnPlan | None:
    """The plan in force."""
    query = select(TurnPlan).where(TurnPlan.stint_id == stint_id, col(TurnPlan.ended_at).is_(None))
    return session.exec(query).first()


def locked_plan(session: Session, plan_id: str) -> TurnPlan | None:
    """The plan, while it is in force, held until the end of the transaction."""
    query = select(TurnPlan).where(TurnPlan.id == plan_id, col(TurnPlan.ended_at).is_(None)).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def today(session: Session) -> date:
    """The day on which turns are looked at."""
    return now_of(session).astimezone(HOME).date()


def month_number(day: date) -> int:
    """A month of the calendar, counted on."""
    return day.year * 12 + day.month - 1


def accepted(session: Session, plan: TurnPlan) -> list[Turn]:
    """The turns to which somebody has said yes and that are not over."""
    due = plan.number if plan.rhythm == VISIT else month_number(today(session))
    query = select(Turn).where(Turn.plan_id == plan.id, Turn.state == ACCEPTED, Turn.number >= due)
    return list(session.exec(query.order_by(col(Turn.id)).execution_options(populate_existing=True)))


def tell_off(session: Session, turns: Iterable[Turn], but: Collection[str | None] = ()) -> None:
    """Whoever said yes to these, and a minor beside them, need not go any more; not whoever is asked anew (`but`)."""
    for turn in turns:
        for one in (turn.person_id, turn.beside_id):
            if one is not None and one not in but:
                key = f"turn:{turn.id}:off:{one}"
                enqueue(session, one, "notice.turn_off", {"turn": turn.id}, unique_key=key, priority=REMINDER)


def over(session: Session, stint_id: str) -> None:
    """A pairing has ended: whoever was to go in its turns does not go any more, and hears of it."""
    row = plan_of(session, stint_id)
    plan = locked_plan(session, row.id) if row is not None else None
    if plan is not None:
        tell_off(session, accepted(session, plan))


def stood_in(session: Session, stint_id: str) -> None:
    """Somebody stands in for the team: whoever is asked or has said yes does not go, and hears of it where they said
    yes. Afterwards it is asked anew."""
    row = plan_of(session, stint_id)
    plan = locked_plan(session, row.id) if row is not None else None
    if plan is None:
        return
    tell_off(session, accepted(session, plan))
    standing = select(Turn).where(Turn.plan_id == plan.id, col(Turn.state).in_(STANDING)).order_by(col(Turn.id))
    for turn in session.exec(standing).all():
        turn.state, turn.answered_at = RELEASED, now_of(session)
        session.add(turn)
    session.flush()


def goes_on(session: Session, before: str, after: str) -> None:
    """The same team goes on for another term: so does the plan of the stint before."""
    standing = (col(TurnPlan.stint_id) == before, col(TurnPlan.ended_at).is_(None))
    session.execute(update(TurnPlan).where(*standing).values(stint_id=after))


def taking_turns(session: Session, people: Sequence[str]) -> list[Stint]:
    """The open pairings in whose plan one of these has a place, as long as they belong to the team; the oldest
    first."""
    query = (
        select(Stint)
        .join(TurnPlan, col(TurnPlan.stint_id) == Stint.id)
        .join(TurnMember, col(TurnMember.plan_id) == TurnPlan.id)
        .join(TeamMember, (col(TeamMember.team_id) == Stint.team_id) & (TeamMember.person_id == TurnMember.person_id))
        .where(Stint.state == OPEN, col(TurnPlan.ended_at).is_(None), col(TeamMember.left_at).is_(None))
        .where(col(TurnMember.person_id).in_(people))
        .order_by(col(Stint.opened_at), col(Stint.id))
    )
    return list({stint.id: stint for stint in session.exec(query)}.values())
