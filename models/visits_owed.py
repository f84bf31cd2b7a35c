"""Which visits are owed, and by whom: planned from the pairings that stand, in sets (programme §6).

One row a served person or institution and half. Rows are made when a pairing opens, and for everybody at the beginning
of a half; whatever was missed meanwhile is caught up with, and nothing is made twice (unique keys of `visit`). Days are
decided by models/visit_days.py alone: once for each kind of row that occurs, and laid over all rows in one statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, or_, text, update
from sqlmodel import Session, SQLModel, col, select

from config.catalogue import rules
from models import role, visit_days
from models.beneficiary import GONE, MACHINE, Beneficiary
from models.database import insert_once, now_of
from models.ids import new_id
from models.institution import Institution
from models.pairing import LEAD, OPEN, Stint
from models.visit import CANCELLED, EXCUSED, MADE, OWED, SPACING, VOID, Booking, Visit, VisitPlan
from models.visit import STANDING as BOOKED
from models.visit_days import Half

_V: Any = SQLModel.metadata.tables["visit"]
_B: Any = SQLModel.metadata.tables["booking"]


@dataclass(frozen=True, slots=True)
class _Words:
    """What the two databases say differently."""

    row_id: str  # a new id that begins with :stamp
    day_of: str  # the day in China of a time
    day: str  # a day from text
    flags: str  # JSON from text
    chosen: str  # the table of plans, from one parameter


_DIALECTS = {
    "sqlite": _Words(
        ":stamp || lower(hex(randomblob(10)))",
        "date({at}, '+8 hours')",
        "{day}",
        "{json}",
        "(SELECT {sqlite} FROM json_each(:plans))",
    ),
    "postgresql": _Words(
        ":stamp || left(replace(CAST(gen_random_uuid() AS text), '-', ''), 12)"
        " || right(CAST(gen_random_uuid() AS text), 8)",
        "CAST({at} AT TIME ZONE 'Asia/Shanghai' AS date)",
        "CAST({day} AS date)",
        "CAST({json} AS json)",
        "unnest({postgresql}) AS listed({names})",
    ),
}
_NAMES = ("what", "opens", "due", "flags", "step", "next")

# One row for each open lead of a slice that owes the half: what its days depend on is in `student`, `began` (only where
# it began in the half) and `made` (only where the spacing may reach into the half).
_FACTS = """
    SELECT s.id AS stint_id, s.beneficiary_id, s.institution_id, coalesce(b.county, i.county) AS county,
      CASE WHEN t.kind = 'student' THEN 'student' ELSE 'other' END
        || ':' || CASE WHEN {opened} > {first} THEN CAST({opened} AS varchar) ELSE '' END
        || ':' || coalesce(CAST((SELECT max(p.made_on) FROM visit AS p
            WHERE {same} AND p.year >= :year - 1 AND p.made_on > {far}) AS varchar), '') AS what
    FROM stint AS s
    LEFT JOIN team AS t ON t.id = s.team_id
    LEFT JOIN beneficiary AS b ON b.id = s.beneficiary_id
    LEFT JOIN institution AS i ON i.id = s.institution_id
    WHERE {slice} AND s.state = 'open' AND s.part = 'lead' AND {served} AND {opened} <= {last}
      AND (b.id IS NULL OR (b.status NOT IN ('moved', 'died') AND b.merged_into IS NULL)) AND i.ended_at IS NULL
"""


@cache
def _statements(dialect: str, served: str, one: bool) -> tuple[Any, Any]:
    """(which kinds of rows there are, the rows); `served` = "beneficiary" or "institution", `one` = of one stint."""
    words = _DIALECTS[dialect]
    facts = _FACTS.format(
        opened=words.day_of.format(at="coalesce(s.opened_at, s.made_at)"),
        first=words.day.format(day=":first"),
        last=words.day.format(day=":last"),
        far=words.day.format(day=":far"),
        same=f"p.{served}_id = s.{served}_id",
        served=f"s.{served}_id IS NOT NULL",
        slice="s.id = :upto" if one else "s.id > :after AND s.id <= :upto",
    )
    plans = words.chosen.format(
        sqlite=", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(_NAMES)),
        postgresql=", ".join(f"CAST(:plans_{name} AS varchar[])" for name in _NAMES),
        names=", ".join(_NAMES),
    )
    kinds = text(f"SELECT DISTINCT what FROM ({facts}) AS facts")  # noqa: S608 made of constants
    rows = text(
        "INSERT INTO visit (id, beneficiary_id, institution_id, year, half, county, stint_id, opens_on, due_on, flags,"  # noqa: S608
        " state, steps, next_on, held_by, closed_by, why, planned_at)"
        f" SELECT {words.row_id}, facts.beneficiary_id, facts.institution_id, :year, :half, facts.county,"
        f" facts.stint_id, {words.day.format(day='listed.opens')}, {words.day.format(day='listed.due')},"
        f" {words.flags.format(json='listed.flags')}, 'owed', CAST(listed.step AS integer),"
        f" {words.day.format(day='listed.next')}, '', '', '', :now"
        f" FROM ({facts}) AS facts JOIN {plans if dialect == 'postgresql' else plans + ' AS listed'}"
        " ON listed.what = facts.what WHERE true ON CONFLICT DO NOTHING"
    ).bindparams(bindparam("now", type_=_V.c.planned_at.type))
    return kinds, rows


def _plan_slice(session: Session, half: Half, after: str, upto: str, *, one: bool = False) -> int:
    """Rows for the open leads whose ids lie in a slice (or of `one`); returns how many were made."""
    dialect, now = session.get_bind().dialect.name, now_of(session)
    today = visit_days.day_in_china(now)
    reach = timedelta(days=rules().visits.spacing_days)
    days = {"first": half.first, "last": half.last, "far": half.first - reach}
    about = {"year": half.year, "after": after, "upto": upto}
    about |= {name: day.isoformat() for name, day in days.items()}
    made = 0
    for served in ("beneficiary", "institution"):
        kinds, rows = _statements(dialect, served, one)
        found = [_planned(half, what, today) for what in session.connection().execute(kinds, about).scalars()]
        if not found:
            continue
        told: dict[str, Any] = {"half": half.half, "now": now, "stamp": new_id()[:12]}
        if dialect == "postgresql":
            told |= {f"plans_{name}": list(each) for name, each in zip(_NAMES, zip(*found, strict=True), strict=True)}
        else:
            told["plans"] = json.dumps(found)
        result = session.connection().execute(rows, about | told)
        made += max(result.rowcount, 0)
    return made


def _planned(half: Half, what: str, today: date) -> tuple[str, ...]:
    """The days of one kind of row, as text."""
    kind, began, made = what.split(":")
    plan = visit_days.plan(
        half,
        student=kind == "student",
        began=date.fromisoformat(began) if began else None,
        last_made=date.fromisoformat(made) if made else None,
    )
    step = visit_days.first_step(plan.opens_on, plan.due_on, today)
    flags = json.dumps(list(plan.flags))
    return what, plan.opens_on.isoformat(), plan.due_on.isoformat(), flags, str(step.number), step.on.isoformat()


# --- planning ---


def to_plan(session: Session) -> list[Half]:
    """The halves whose visits are not planned for everybody yet: from the first one that ever was to today's."""
    now = visit_days.half_of(visit_days.day_in_china(now_of(session)))
    known = {Half(row.year, row.half): row.done_at is not None for row in session.exec(select(VisitPlan))}
    first = min((*known, now))
    return [half for half in visit_days.halves(first, now) if not known.get(half, False)]


def plan(session: Session, half: Half, size: int) -> int:
    """The next slice of at most `size` pairings of a half; returns how many were looked at. Who begins meanwhile is
    planned by `begun`. Running it twice, late or on two machines changes nothing: the row of how far it came is locked.
    """
    new = insert_once(session, VisitPlan).values(year=half.year, half=half.half, after="", begun_at=now_of(session))
    session.execute(new)
    query = select(VisitPlan).where(VisitPlan.year == half.year, VisitPlan.half == half.half).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one()
    if row.done_at is not None:
        return 0
    ids = session.exec(select(Stint.id).where(Stint.id > row.after).order_by(col(Stint.id)).limit(size)).all()
    if ids:
        _plan_slice(session, half, row.after, ids[-1])
        row.after = ids[-1]
    if len(ids) < size:
        row.done_at = now_of(session)
    session.add(row)
    session.flush()
    return len(ids)


def plan_for(session: Session, stint: Stint) -> None:
    """What this open lead owes for today's half, and for those before it that are not planned for everybody yet."""
    today = visit_days.half_of(visit_days.day_in_china(now_of(session)))
    for half in (*to_plan(session), today):
        _plan_slice(session, half, "", stint.id, one=True)


# --- who owes it ---


def _of(stint: Stint) -> Any:
    if stint.beneficiary_id is not None:
        return _V.c.beneficiary_id == stint.beneficiary_id
    return _V.c.institution_id == stint.institution_id


def begun(session: Session, stint: Stint, before: Stint | None = None) -> None:
    """A lead stint is open from now on: it owes what is owed. `before` = the same people's last stint, which this one
    goes on from: nothing changes for them, and what they booked stands. Called by models/stints.py."""
    now, mine = now_of(session), _of(stint)
    today = visit_days.day_in_china(now)
    _revive(session, stint, now)
    for row in session.exec(select(Visit).where(mine, Visit.state == OWED).with_for_update()):
        if before is None:
            step = visit_days.anew(row.due_on, row.steps, today)
            row.steps, row.next_on, row.quiet_until = step.number, step.on, None
        row.stint_id = stint.id
        session.add(row)
    if before is not None:
        mine_booked = (_B.c.stint_id == before.id, _B.c.state == BOOKED)
        session.execute(update(_B).where(*mine_booked).values(stint_id=stint.id))
    session.flush()
    plan_for(session, stint)


def _revive(session: Session, stint: Stint, now: datetime) -> None:
    """Somebody who had left is there again, and paired again: what is not over yet is owed after all."""
    today = visit_days.day_in_china(now)
    back = {"state": OWED, "closed_at": None, "closed_by": "", "why": "", "stint_id": stint.id}
    gone = (_of(stint), _V.c.state == VOID, _V.c.due_on >= today)
    session.execute(update(_V).where(*gone).values(**back))


def ended(session: Session, stint: Stint) -> None:
    """A lead stint has ended and nobody follows at once: whoever keeps the served one owes it now. What was booked is
    off. Called by models/stints.py."""
    call_off(session, stint.id)
    owed = (_V.c.stint_id == stint.id, _V.c.state == OWED)
    session.execute(update(_V).where(*owed).values(stint_id=None, quiet_until=None))


def call_off(session: Session, stint_id: str) -> None:
    """Nothing that was booked for this stint stands any more."""
    query = select(Booking).where(Booking.stint_id == stint_id, Booking.state == BOOKED)
    for row in session.exec(query):
        row.state, row.ended_at, row.ended_by = CANCELLED, now_of(session), "programme"
        session.add(row)
        visit = session.get(Visit, row.visit_id) if row.visit_id else None
        if visit is not None and visit.state == OWED:
            tomorrow = visit_days.day_in_china(now_of(session)) + timedelta(days=1)
            visit.next_on = visit_days.not_before(visit.due_on, visit.steps, tomorrow)
            session.add(visit)
    session.flush()


def void(session: Session, beneficiary_id: str) -> None:
    """Somebody served has died, moved away or left the ledger: nobody owes them a visit any more."""
    _void(session, _V.c.beneficiary_id == beneficiary_id)


def _void(session: Session, which: Any) -> int:
    gone = {"state": VOID, "closed_at": now_of(session), "closed_by": "programme", "why": "gone", "next_on": None}
    done = session.execute(update(_V).where(which, _V.c.state == OWED).values(**gone))
    return int(getattr(done, "rowcount", 0))


def mend(session: Session, limit: int) -> int:
    """Obligations towards whoever is not in the ledger any more, or an institution that is no more, however that came
    about; at most `limit`, returns how many. A net below the acts that end them at once."""
    served = select(Visit.id).where(Visit.state == OWED)
    left = served.join(Beneficiary, col(Beneficiary.id) == Visit.beneficiary_id)
    left = left.where(or_(col(Beneficiary.status).in_(GONE), col(Beneficiary.merged_into).is_not(None)))
    no_more = served.join(Institution, col(Institution.id) == Visit.institution_id)
    no_more = no_more.where(col(Institution.ended_at).is_not(None))
    ids = [*session.exec(left.limit(limit)), *session.exec(no_more.limit(limit))][:limit]
    return _void(session, _V.c.id.in_(ids)) if ids else 0


# --- two rows of the ledger become one ---


def merged(session: Session, kept: str, gone: str, changed: Any) -> None:
    """Two rows of the ledgers are one person: what was made for the one is made, and nothing is owed twice. `changed`
    (table, row, **values) writes, and keeps what stood there (models/beneficiary_merging.py)."""
    rows = session.execute(_V.select().where(_V.c.beneficiary_id.in_((kept, gone)))).all()
    here = {(row.year, row.half): row for row in rows if row.beneficiary_id == kept}
    now = now_of(session)
    void = {"state": VOID, "closed_at": now, "closed_by": "programme", "why": "merged", "next_on": None}
    for row in rows:
        if row.beneficiary_id == kept:
            continue
        other = here.get((row.year, row.half))
        if other is None:
            changed(_V, row, beneficiary_id=kept)
        elif row.state == OWED:
            changed(_V, row, **void)
        elif other.state == OWED and row.state in (MADE, EXCUSED):
            told = {name: getattr(row, name) for name in ("state", "made_on", "form", "closed_at", "closed_by", "why")}
            changed(_V, other, **told, next_on=None)


def settle(session: Session, beneficiary_id: str) -> None:
    """Who owes what somebody is owed, found anew from the pairings that stand: after rows of a ledger became one, or
    two again."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, Stint.part == LEAD, Stint.state == OPEN)
    lead = session.exec(query).first()
    owed = (_V.c.beneficiary_id == beneficiary_id, _V.c.state == OWED)
    session.execute(update(_V).where(*owed).values(stint_id=lead.id if lead is not None else None))
    if lead is not None:
        plan_for(session, lead)


# --- spacing ---


def space(session: Session, visit: Visit) -> None:
    """A visit was made: the next one owed may be made so many days later, at the latest on its due day."""
    mine = Visit.beneficiary_id == visit.beneficiary_id
    if visit.institution_id is not None:
        mine = Visit.institution_id == visit.institution_id
    for row in session.exec(select(Visit).where(mine, Visit.state == OWED, Visit.id != visit.id)):
        opens, tight = visit_days.spaced_from(row.opens_on, row.due_on, visit.made_on)
        row.opens_on = opens
        row.flags = sorted({*row.flags, SPACING}) if tight else row.flags
        step = visit_days.first_step(opens, row.due_on, visit_days.day_in_china(now_of(session)))
        if row.next_on is not None and step.number > row.steps:
            row.steps, row.next_on = step.number, step.on
        session.add(row)
    session.flush()


# --- reading ---


def overdue_for(session: Session, viewer: str, region: str = "") -> list[Visit]:
    """What is owed and overdue of those for whom the viewer answers, within a region, the longest first."""
    today = visit_days.day_in_china(now_of(session))
    held = {one.scope for one in role.grants(session, viewer) if one.scope_kind == "region"}
    held |= {""} if viewer == MACHINE else set()
    within = [region] if any(region.startswith(scope) for scope in held) else [s for s in held if s.startswith(region)]
    if not within:
        return []
    here = or_(*(col(Visit.county).startswith(one, autoescape=True) for one in within))
    query = select(Visit).where(Visit.state == OWED, Visit.due_on < today, here)
    return list(session.exec(query.order_by(col(Visit.due_on), col(Visit.county), col(Visit.id))))


def owed_of(session: Session, stints: Iterable[str]) -> list[Visit]:
    """What these stints owe, what is due first in front."""
    query = select(Visit).where(col(Visit.stint_id).in_(list(stints)), Visit.state == OWED)
    return list(session.exec(query.order_by(col(Visit.due_on), col(Visit.id))))


def counted(session: Session, beneficiaries: Sequence[str], year: int) -> dict[str, tuple[int, int]]:
    """Of these people in a year: (made, owed in all), without what is void."""
    made = func.count().filter(_V.c.state == MADE)
    query = select(_V.c.beneficiary_id, made, func.count()).where(_V.c.beneficiary_id.in_(beneficiaries))
    query = query.where(_V.c.year == year, _V.c.state != VOID).group_by(_V.c.beneficiary_id)
    return {served: (done, owed) for served, done, owed in session.execute(query)}
