"""Reminders of owed visits, and what is told when one is overdue: found and written in sets (programme §6).

A reminder's row in the outbox holds nothing sealed: that it is about a visit, and which step of it, stands in its
unique key ("visit:" + id + ":" + step + ":" + person), all of it opaque; its words are made from the visit as it stands
when it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import String, and_, bindparam, case, cast, exists, func, literal_column, or_, update
from sqlalchemy import select as sql_select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, SQLModel, col, select

from config.catalogue import rules
from models import visit_days, visit_ladder
from models.database import now_of
from models.ids import new_id
from models.many import Many
from models.outbox import REMINDER, enqueue, line_of
from models.pairing import Stint
from models.person import Person
from models.turn import TurnPlan
from models.turns import SLICE, turns_on
from models.visit import OWED, STANDING, Booking, Visit

KIND = "notice.visit"
MORNING = time(9, 0)  # a day's reminders come then, in China

_T = SQLModel.metadata.tables
_V: Any = _T["visit"]
_O: Any = _T["outbox"]
_DUE = and_(_V.c.state == literal_column("'owed'"), _V.c.next_on.is_not(None))


def key(visit: str, step: str, person: str) -> str:
    """The unique key of a reminder."""
    return f"visit:{visit}:{step}:{person}"


def told_by(unique_key: str) -> tuple[str, str]:
    """(visit, step) of a reminder's key; `step` is a number, or "again" for an asking that was put off."""
    _word, visit, step, *_more = unique_key.split(":")
    return visit, step.split("-")[0]


def is_overtaken(session: Session, visit: Visit, unique_key: str, person: str) -> bool:
    """Whether an asking that was put off to a day, or a nudge, has rested until a later step was told to the same
    person, too: one of the two messages is enough."""
    day = date.fromisoformat(unique_key.split(":")[2].removeprefix("again-")[:10])
    number = min(visit.steps - 1, visit_days.overdue_step())
    if number < 0 or visit_days.step_day(visit.due_on, number) <= day:
        return False
    told = sql_select(_O.c.id).where(_O.c.unique_key == key(visit.id, str(number), person))
    return session.execute(told).first() is not None


# --- whoever goes: the volunteer, or of a team whose turn it is ---


def remind(session: Session, size: int) -> int:
    """Write the reminders of at most `size` visits whose next step is the volunteer's and has come; returns how many
    visits. Each step is taken once: it is counted in the transaction that writes its messages."""
    now = now_of(session)
    today = visit_days.day_in_china(now)
    due = sql_select(_V.c.id, _V.c.due_on, _V.c.steps, _V.c.next_on).where(_DUE, _V.c.next_on <= today)
    due = due.where(_V.c.steps <= visit_days.overdue_step()).order_by(_V.c.next_on).limit(size)
    alike: dict[tuple[date, int, date | None], list[str]] = {}
    count = 0
    for row in session.execute(due.with_for_update(skip_locked=True)):
        again = row.next_on if visit_days.step_day(row.due_on, row.steps) > today else None
        alike.setdefault((row.due_on, row.steps, again), []).append(row.id)
        count += 1
    for (due_on, number, again), ids in alike.items():
        if again is not None:  # they wanted to be asked again, or nobody was at home
            _write(session, ids, f"again-{again.isoformat()}", today)
            after: visit_days.Step | None = visit_days.Step(number, visit_days.step_day(due_on, number))
        else:
            number = visit_days.taken(due_on, number, today)
            _write(session, ids, str(number), today)
            after = visit_days.following(due_on, number, today)
        _step(session, ids, after, number)
    return count


_STEP = Many(
    lambda among, _dialect: (
        update(_V)
        .where(among(_V.c.id))
        .values(
            steps=bindparam("taken"),
            next_on=bindparam("next", type_=_V.c.next_on.type),
            quiet_until=None,
            held_until=None,
            held_by="",
        )
    )
)


def _step(session: Session, ids: Sequence[str], after: visit_days.Step | None, number: int) -> None:
    steps, on = (after.number, after.on) if after is not None else (number + 1, None)
    _STEP.run(session, ids, taken=steps, next=on)


def _receivers() -> tuple[Any, Any]:
    """Who serves, joined to visits: whoever stands in, the volunteer, of a team whoever said yes while they lead it and
    then its leaders (models/served.servers); while nobody is paired, whoever keeps the served one."""
    lead, place = _T["stint"].alias("lead"), _T["stint"].alias("in_place")
    member, other, keeper = _T["team_member"].alias("led"), _T["team_member"].alias("other"), _T["keeping"]
    leads = and_(member.c.team_id == lead.c.team_id, member.c.left_at.is_(None), member.c.part == "leader")
    said_yes = exists().where(
        other.c.team_id == lead.c.team_id,
        other.c.person_id == lead.c.person_id,
        other.c.left_at.is_(None),
        other.c.part == "leader",
    )
    stands_in = and_(place.c.follows_id == lead.c.id, place.c.part == "substitute", place.c.state == "open")
    kept = and_(_V.c.stint_id.is_(None), keeper.c.beneficiary_id == _V.c.beneficiary_id, keeper.c.until.is_(None))
    joined = (
        _V.outerjoin(lead, lead.c.id == _V.c.stint_id)
        .outerjoin(place, stands_in)
        .outerjoin(member, and_(leads, or_(member.c.person_id == lead.c.person_id, ~said_yes)))
        .outerjoin(keeper, kept)
    )
    serving = case((lead.c.team_id.is_(None), lead.c.person_id), else_=member.c.person_id)
    return func.coalesce(place.c.person_id, serving, keeper.c.person_id), joined


@cache
def _insert(dialect: str) -> Many:
    """The rows of one step."""
    receiver, joined = _receivers()
    person = _T["person"].alias("receiver")  # the table's own name is taken by what looks for the line
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert

    def make(among: Any, _dialect: str) -> Any:
        columns = {
            "id": _new_id(dialect),
            "unique_key": literal_column("'visit:'").op("||")(_V.c.id).op("||")(_said("step")).op("||")(person.c.id),
            "person_id": person.c.id,
            "kind": literal_column(f"'{KIND}'"),
            "priority": literal_column(str(REMINDER)),
            "due_at": bindparam("due", type_=_O.c.due_at.type),
            "state": literal_column("'waiting'"),
            "resends": literal_column("0"),
            "created_at": bindparam("now", type_=_O.c.created_at.type),
            "why": literal_column("''"),
            "line": line_of(person),
        }
        found = sql_select(*columns.values()).select_from(joined.join(person, person.c.id == receiver))
        return insert(_O).from_select(list(columns), found.where(among(_V.c.id))).on_conflict_do_nothing()

    return Many(make)


def _said(name: str) -> Any:
    return cast(bindparam(name, type_=String), String)


def _new_id(dialect: str) -> Any:
    if dialect == "sqlite":
        return _said("stamp").op("||")(func.lower(func.hex(func.randomblob(10))))
    random = "replace(CAST(gen_random_uuid() AS text), '-', '')"
    return _said("stamp").op("||")(literal_column(f"left({random}, 12) || right({random}, 8)"))


def _write(session: Session, ids: Sequence[str], step: str, today: date) -> None:
    """Not before the morning; in other zones a receiver's quiet hours hold it longer (models/resting.py)."""
    now = now_of(session)
    due = max(now, datetime.combine(today, MORNING, visit_days.ZONE).astimezone(UTC))
    told = {"step": f":{step}:", "now": now, "due": due, "stamp": new_id()[:12]}
    turned = _turned(session, ids, today)
    _insert(session.get_bind().dialect.name).run(session, [one for one in ids if one not in turned], **told)
    for visit, person in turned.items():
        said = key(visit, step, person)
        enqueue(session, person, KIND, {"key": said}, unique_key=said, priority=REMINDER, due_at=due)


def _turned(session: Session, ids: Sequence[str], today: date) -> dict[str, str]:
    """Whose turn it is today, of those of these visits that a team makes in turns."""
    found: dict[str, str] = {}
    for at in range(0, len(ids), SLICE):
        query = select(Visit.id, Stint).join(Stint, col(Stint.id) == Visit.stint_id)
        query = query.join(TurnPlan, col(TurnPlan.stint_id) == Stint.id).where(col(TurnPlan.ended_at).is_(None))
        rows = session.exec(query.where(col(Visit.id).in_(ids[at : at + SLICE]))).all()
        going = turns_on(session, list({stint.id: stint for _visit, stint in rows}.values()), today)
        found |= {visit: going[stint.id].person_id for visit, stint in rows if stint.id in going}
    return found


def ask_again(session: Session, ids: Sequence[str], when: str) -> None:
    """Ask whoever owes these once more because somebody wishes it; once for each `when`."""
    _write(session, ids, f"again-{when}", visit_days.day_in_china(now_of(session)))


# --- whoever is told of the overdue ---


def climbing(session: Session) -> list[str]:
    """Overdue visits whose next step is for somebody at work, and has come."""
    today = visit_days.day_in_china(now_of(session))
    query = sql_select(_V.c.id).where(_DUE, _V.c.next_on <= today, _V.c.steps > visit_days.overdue_step())
    return list(session.scalars(query.order_by(_V.c.county, _V.c.steps, _V.c.id)))


def climb(session: Session, among: Sequence[str]) -> int:
    """Tell of these, each person once a day for all that stand on their steps; returns how many visits."""
    today = visit_days.day_in_china(now_of(session))
    query = select(Visit).where(col(Visit.id).in_(among), Visit.state == OWED).with_for_update()
    told: set[tuple[str, int]] = set()
    done = 0
    for row in session.exec(query.order_by(col(Visit.id)).execution_options(populate_existing=True)):
        number = row.steps
        if row.next_on is None or row.next_on > today or number <= visit_days.overdue_step():
            continue
        step = number - visit_days.overdue_step()
        told.update((person, step) for person in visit_ladder.told_at(session, row, step))
        after = visit_days.following(row.due_on, number, today)
        row.steps, row.next_on = number + 1, after.on if after is not None else None
        row.held_until, row.held_by = None, ""
        session.add(row)
        done += 1
    visit_ladder.gather(session, told)
    session.flush()
    return done


# --- what is booked ---


def booked_soon(session: Session) -> list[str]:
    """Bookings whose evening before may have come, or whose time is over."""
    ahead = now_of(session) + timedelta(hours=48)
    query = select(Booking.id).where(Booking.state == STANDING, Booking.at <= ahead)
    return list(session.exec(query.order_by(col(Booking.at), col(Booking.id))))


def remind_of_bookings(session: Session, among: Sequence[str]) -> int:
    """The evening before one reminder of what is booked, and some hours after it the question how it was; returns how
    many messages were written."""
    now, figures, done = now_of(session), rules().visits, 0
    for row in session.exec(select(Booking).where(col(Booking.id).in_(among), Booking.state == STANDING)):
        person = session.get_one(Person, row.person_id)
        evening = evening_before(row.at, person)
        if now >= row.at + timedelta(hours=figures.ask_after_hours):
            told, kind, due, until = f"booking:{row.id}:how", "notice.visit_how", now, None
        elif evening <= now < row.at and row.made_at < evening:
            told, kind, due, until = f"booking:{row.id}:eve", "notice.visit_eve", now, row.at
        else:
            continue
        params = {"booking": row.id}
        done += enqueue(
            session, row.person_id, kind, params, unique_key=told, priority=REMINDER, due_at=due, expires_at=until
        )
    return done


def evening_before(at: datetime, person: Person) -> datetime:
    """When the reminder of a booking comes (rules.toml, visits.evening_before, in the receiver's zone)."""
    zone = ZoneInfo(person.zone)
    day = at.astimezone(zone).date() - timedelta(days=1)
    return datetime.combine(day, rules().visits.evening_before, zone).astimezone(UTC)
