"""未探访: who has not been visited yet, for those who answer for them; nudges, telephone calls and taking in hand.

Lists are read in sets. Of what lies above a county only counts are read: to city and province climb counts, never
people (programme §6).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as model_select

from config.catalogue import rules
from models import audit, visit_days, visit_ladder, visit_reminders, visiting
from models.contact import reachable_grants
from models.database import now_of
from models.ids import new_id
from models.mine import Mine, mine
from models.pairing import Stint
from models.person import Person, local_now
from models.sealed import seal, unseal
from models.served import servers
from models.visit import OWED, STANDING, Visit, VisitNote
from models.visiting import VisitError

CALL, NUDGE = "call", "nudge"
REACHED, MISSED = OUTCOMES = ("reached", "missed")
MOST_AT_ONCE = 200  # of one bulk act: what is left is done by pressing again

_T = SQLModel.metadata.tables
_V: Any = _T["visit"]
_S: Any = _T["stint"]
_N: Any = _T["visit_note"]
_K: Any = _T["booking"]
_B: Any = _T["beneficiary"]
_I: Any = _T["institution"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which to list; what is empty does not choose. `when`: "overdue", "soon" (due within rules.toml, duty.soon_days),
    or "" for both and later. `team` = a team's id, "" any; `town` as in the ledger."""

    when: str = ""
    team: str = ""
    town: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many are overdue and soon due, and all that is owed now; `free` = overdue, and in nobody's hand."""

    overdue: int
    soon: int
    owed: int
    free: int
    oldest: date | None


@dataclass(frozen=True, slots=True)
class Line:
    """One owed visit. `people` = who is to make it; `nudged_at`, `called_at` = when somebody last reminded or called
    them; `booked_at` = the time that is booked."""

    visit: Visit
    people: tuple[str, ...]
    nudged_at: datetime | None
    called_at: datetime | None
    booked_at: datetime | None


def _owed(session: Session, theirs: Mine) -> Any:
    """What may be made by now, of theirs."""
    return and_(
        _V.c.state == OWED,
        _V.c.opens_on <= visit_days.day_in_china(now_of(session)),
        theirs.within(_V.c.county, _S.c.team_id),
    )


def _joined() -> Any:
    return _V.outerjoin(_S, _S.c.id == _V.c.stint_id)


def _free(today: date) -> Any:
    return or_(_V.c.held_until.is_(None), _V.c.held_until <= today)


def counts(session: Session, viewer: str, theirs: Mine | None = None) -> Count:
    """Of those for whom the viewer answers first."""
    theirs, today = theirs or mine(session, viewer), visit_days.day_in_china(now_of(session))
    soon = today + timedelta(days=rules().duty.soon_days)
    overdue = _V.c.due_on < today
    query = select(
        func.count().filter(overdue),
        func.count().filter(and_(~overdue, _V.c.due_on <= soon)),
        func.count(),
        func.count().filter(and_(overdue, _free(today))),
        func.min(_V.c.due_on),
    ).select_from(_joined())
    row = session.execute(query.where(_owed(session, theirs))).one()
    return Count(*row)


def climbed(session: Session, viewer: str, theirs: Mine | None = None) -> dict[str, int]:
    """How many overdue visits have climbed as far as the viewer's wider regions, by county: to the city, or one rung
    below where the county has no organiser of its own."""
    theirs = theirs or mine(session, viewer)
    if not theirs.wide:
        return {}
    city = visit_days.overdue_step() + visit_ladder.CITY
    late = (_V.c.state == OWED, _V.c.steps >= city, theirs.above(_V.c.county))
    query = select(_V.c.county, _V.c.steps, func.count()).where(*late)
    rows = session.execute(query.group_by(_V.c.county, _V.c.steps).order_by(_V.c.county)).all()
    held = reachable_grants(session) if rows else []
    found: dict[str, int] = {}
    for county, steps, count in rows:
        if steps > city or viewer in visit_ladder.nearest_organisers(held, county):
            found[county] = found.get(county, 0) + count
    return found


def overdue_above(session: Session, viewer: str) -> dict[str, int]:
    """How many visits are overdue in each county of the viewer's wider regions; never whose."""
    theirs, today = mine(session, viewer), visit_days.day_in_china(now_of(session))
    if not theirs.wide:
        return {}
    late = (_V.c.state == OWED, _V.c.due_on < today, theirs.above(_V.c.county))
    query = select(_V.c.county, func.count()).where(*late).group_by(_V.c.county).order_by(_V.c.county)
    return {str(county): int(count) for county, count in session.execute(query)}


def keys(session: Session, viewer: str, wanted: Wanted, limit: int | None = None) -> list[str]:
    """The ids of what is wanted, what is due first in front."""
    theirs, today = mine(session, viewer), visit_days.day_in_china(now_of(session))
    query = select(_V.c.id).select_from(_joined().outerjoin(_B, _B.c.id == _V.c.beneficiary_id))
    query = query.where(_owed(session, theirs))
    if wanted.when == "overdue":
        query = query.where(_V.c.due_on < today)
    elif wanted.when == "soon":
        query = query.where(_V.c.due_on >= today, _V.c.due_on <= today + timedelta(days=rules().duty.soon_days))
    if wanted.team:
        query = query.where(_S.c.team_id == wanted.team)
    if wanted.town:
        query = query.where(_B.c.town == wanted.town)
    return list(session.execute(query.order_by(_V.c.due_on, _V.c.county, _V.c.id).limit(limit)).scalars())


def is_held(visit: Visit, today: date) -> bool:
    """Whether somebody has it in hand today."""
    return visit.held_until is not None and visit.held_until > today


def overdue_of_teams(session: Session, teams: Any, late: timedelta) -> int:
    """How many visits of these teams (a query of ids) are overdue for so long."""
    day = visit_days.day_in_china(now_of(session)) - late
    query = select(func.count()).select_from(_joined()).where(_V.c.state == OWED, _V.c.due_on <= day)
    return int(session.execute(query.where(_S.c.team_id.in_(teams))).scalar_one())


def by_team(session: Session, viewer: str) -> dict[str, int]:
    """How many are owed now by each team's pairings; those of volunteers alone under ""."""
    team = func.coalesce(_S.c.team_id, "")
    query = select(team, func.count()).select_from(_joined()).where(_owed(session, mine(session, viewer)))
    return {str(name): int(count) for name, count in session.execute(query.group_by(team))}


def by_town(session: Session, viewer: str) -> dict[str, int]:
    """How many are owed now in each town or street."""
    town = func.coalesce(_B.c.town, "")
    query = select(town, func.count()).select_from(_joined().outerjoin(_B, _B.c.id == _V.c.beneficiary_id))
    rows = session.execute(query.where(_owed(session, mine(session, viewer))).group_by(town).order_by(town))
    return {str(name): int(count) for name, count in rows}


def lines(session: Session, viewer: str, ids: Sequence[str]) -> list[Line]:
    """These, in their order; what is not owed any more, or not the viewer's, is left out."""
    theirs = mine(session, viewer)
    query = model_select(Visit).outerjoin(_S, _S.c.id == Visit.stint_id)
    found = {
        row.id: row
        for row in session.exec(
            query.where(col(Visit.id).in_(ids), Visit.state == OWED, theirs.within(col(Visit.county), _S.c.team_id))
        )
    }
    stints = {row.stint_id for row in found.values() if row.stint_id}
    known = {stint.id: stint for stint in session.exec(model_select(Stint).where(col(Stint.id).in_(stints)))}
    last = _last_notes(session, list(found))
    standing = select(_K.c.visit_id, _K.c.at).where(_K.c.visit_id.in_(list(found)), _K.c.state == STANDING)
    booked = {str(visit): at for visit, at in session.execute(standing)}
    return [
        Line(
            row,
            servers(session, known[row.stint_id]) if row.stint_id in known else (),
            last.get((row.id, NUDGE)),
            last.get((row.id, CALL)),
            booked.get(row.id),
        )
        for one in ids
        if (row := found.get(one)) is not None
    ]


def one_of(session: Session, viewer: str, visit_id: str) -> Line | None:
    """One of them."""
    return next(iter(lines(session, viewer, [visit_id])), None)


def _last_notes(session: Session, visits: Sequence[str]) -> dict[tuple[str, str], datetime]:
    query = select(_N.c.visit_id, _N.c.kind, func.max(_N.c.at)).where(_N.c.visit_id.in_(visits))
    return {(row[0], row[1]): row[2] for row in session.execute(query.group_by(_N.c.visit_id, _N.c.kind))}


# --- acts ---


def _theirs(session: Session, visit_id: str, by: str) -> Visit:
    """An owed visit, locked, for whoever answers for it. Raises VisitError ("gone", "scope", "closed")."""
    query = model_select(Visit).where(Visit.id == visit_id).with_for_update()
    visit = session.exec(query.execution_options(populate_existing=True)).first()
    if visit is None:
        raise VisitError("gone")
    if one_of(session, by, visit_id) is None and not visiting.answers_for(session, by, visit):
        raise VisitError("scope")
    if visit.state != OWED:
        raise VisitError("closed")
    return visit


def nudge(session: Session, visit_id: str, by: str) -> None:
    """Remind whoever is to make it, once a day, with the question of the reminders (能去, 去不了, 晚点问我). Raises
    VisitError, with "today" — somebody reminded them today — and "nobody" — nobody is paired."""
    visit = _theirs(session, visit_id, by)
    if visit.stint_id is None:
        raise VisitError("nobody")
    if not _nudge(session, [visit], by):
        raise VisitError("today")


def _nudge(session: Session, visits: Sequence[Visit], by: str) -> int:
    """Those of these, locked and paired, that nobody reminded of today; returns how many."""
    zone = local_now(session, session.get_one(Person, by)).tzinfo
    today = now_of(session).astimezone(zone).date()
    last = _last_notes(session, [visit.id for visit in visits])
    fresh = [
        visit.id
        for visit in visits
        if (at := last.get((visit.id, NUDGE))) is None or at.astimezone(zone).date() < today
    ]
    if not fresh:
        return 0
    visit_reminders.ask_again(session, fresh, f"{today.isoformat()}n")
    now = now_of(session)
    session.add_all([VisitNote(id=new_id(), visit_id=one, kind=NUDGE, by=by, at=now) for one in fresh])
    session.flush()
    audit.note_all(session, by, "visit.nudged", fresh)
    return len(fresh)


def _note(session: Session, visit_id: str, kind: str, by: str, said: dict[str, str] | None = None) -> VisitNote:
    row = VisitNote(id=new_id(), visit_id=visit_id, kind=kind, by=by, at=now_of(session))
    words = json.dumps(said, ensure_ascii=False) if said else None
    row.said_sealed = seal(session, "visit_note.said_sealed", row.id, words)
    session.add(row)
    session.flush()
    return row


def called(session: Session, visit_id: str, by: str, outcome: str, words: str = "") -> VisitNote:
    """打过电话: somebody called whoever is to make it; `outcome` is one of OUTCOMES, `words` what was said. It closes
    nothing and stops no clock. Raises VisitError."""
    if outcome not in OUTCOMES:
        raise ValueError(outcome)
    visit = _theirs(session, visit_id, by)
    row = _note(session, visit.id, CALL, by, {"outcome": outcome, "words": words})
    audit.note(session, by, "visit.called", visit.id, outcome=outcome)
    return row


def calls_of(session: Session, visit_id: str, viewer: str, limit: int = 3) -> list[tuple[datetime, str, str]]:
    """The last calls about one of the viewer's visits: (when, outcome, what was said), the last one first."""
    if one_of(session, viewer, visit_id) is None:
        return []
    query = model_select(VisitNote).where(VisitNote.visit_id == visit_id, VisitNote.kind == CALL)
    found = []
    for row in session.exec(query.order_by(col(VisitNote.at).desc(), col(VisitNote.id)).limit(limit)):
        said = json.loads(unseal(session, "visit_note.said_sealed", row.id, row.said_sealed) or "{}")
        found.append((row.at, str(said.get("outcome", MISSED)), str(said.get("words", ""))))
    return found


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of a bulk act: for how many it was `done`, how many had it `already`, for how many it cannot be, and
    how many are `left` for the next press."""

    done: int
    already: int
    not_possible: int
    left: int


def nudge_all(session: Session, by: str) -> Bulk:
    """Remind everybody who has a visit that is overdue, as `nudge`."""
    found = keys(session, by, Wanted("overdue"))
    last, zone = _last_notes(session, found), local_now(session, session.get_one(Person, by)).tzinfo
    today = now_of(session).astimezone(zone).date()
    todo = [one for one in found if (at := last.get((one, NUDGE))) is None or at.astimezone(zone).date() < today]
    rows = _locked(session, todo[:MOST_AT_ONCE])
    paired = [row for row in rows if row.stint_id is not None]
    done = _nudge(session, paired, by)
    left = max(0, len(todo) - MOST_AT_ONCE)
    return Bulk(done, len(found) - len(todo), len(rows) - len(paired), left)


def hold_all(session: Session, by: str) -> Bulk:
    """都由我来处理: all that is overdue and was in nobody's hand since its last step, as `visiting.hold`."""
    found = keys(session, by, Wanted("overdue"))
    held = (_V.c.id.in_(found), _V.c.held_until.is_not(None))
    already = set(session.execute(select(_V.c.id).where(*held)).scalars())
    todo = [one for one in found if one not in already]
    today = visit_days.day_in_china(now_of(session))
    until = today + timedelta(days=rules().visits.held_days)
    rows = [row for row in _locked(session, todo[:MOST_AT_ONCE]) if row.held_until is None]
    for row in rows:
        row.held_until, row.held_by = until, by
        if row.next_on is not None:
            row.next_on = visit_days.not_before(row.due_on, row.steps, max(until, row.next_on))
        session.add(row)
    session.flush()
    audit.note_all(session, by, "visit.held", [row.id for row in rows])
    return Bulk(len(rows), len(already), 0, max(0, len(todo) - MOST_AT_ONCE))


def _locked(session: Session, ids: Sequence[str]) -> list[Visit]:
    """Those of these that are still owed, locked in one order."""
    query = model_select(Visit).where(col(Visit.id).in_(ids), Visit.state == OWED).order_by(col(Visit.id))
    return list(session.exec(query.with_for_update().execution_options(populate_existing=True)))
