"""One line of 一户不落: who answers for somebody today, by what right, and what is known of it all.

Everything is read for a whole page at once; how many statements that takes does not depend on how many people it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, SQLModel

from models.beneficiary import is_minor
from models.database import now_of
from models.households import coverage, due_day, due_what, last_of, rows
from models.offer import DECLINED
from models.pairing import SUBSTITUTE
from models.stints import answering
from models.team import LEADER
from models.visit_days import ZONE, day_in_china
from models.volunteer import DELETED

_S: Any = SQLModel.metadata.tables["stint"]
_R: Any = SQLModel.metadata.tables["relay"]
_O: Any = SQLModel.metadata.tables["offer"]
_P: Any = SQLModel.metadata.tables["proposal"]
_M: Any = SQLModel.metadata.tables["team_member"]
_T: Any = SQLModel.metadata.tables["team"]
_V: Any = SQLModel.metadata.tables["volunteer"]
_D: Any = SQLModel.metadata.tables["door"]
_W: Any = SQLModel.metadata.tables["visit_report"]

Covers = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Answering:
    """Somebody who answers for a served person: `number` is a volunteer's, "" for who is not registered; `reached` = an
    open door leads to them."""

    person_id: str
    number: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Household:
    """One person of the ledger, without name. `kind` and `people` are those of stints.Responsible; `state` is one of
    households.STATES and has been so `since`.

    `due` is a day (`meets_at` the very time of a first meeting) and `due_what` one of "meeting", "hand_over",
    "last_day", "visit", "term", or "" for nothing. `contact` = the latest of "visit", "opened", "met" and "handed"
    with its time. `activities` = agreed a year, `done` = visits told of this year. `stint` = the open lead stint;
    `agreeing` = who is to follow, or to begin, as a person's id. `declined` = the last one who was asked could not;
    `unmatched` = the last search found nobody."""

    id: str
    county: str
    town: str | None
    minor: bool
    state: str
    since: datetime
    kind: str
    people: tuple[Answering, ...]
    team: str
    due: date | None
    due_what: str
    contact: tuple[str, datetime] | None
    activities: int | None
    done: int
    stint: str | None
    agreeing: str | None
    last_day: date | None
    successor: bool
    meets_at: datetime | None
    asked_until: datetime | None
    declined: bool
    unmatched: bool

    @property
    def departing(self) -> bool:
        """Whether whoever has the lead has a last day."""
        return self.last_day is not None

    @property
    def unreachable(self) -> bool:
        """Whether no message reaches anybody who answers for them."""
        return not any(one.reached for one in self.people)


def of(session: Session, viewer: str, ids: Sequence[str]) -> list[Household]:
    """These people as lines, in their order; whoever is not the viewer's, or not listed any more, is left out."""
    found = rows(session, viewer, ids)
    if not found:
        return []
    kept = [row.id for row in found]
    leaders = _leaders(session, {row.lead_team for row in found if row.lead_team})
    known: dict[str, tuple[str, ...]] = {}
    covers = coverage(session)
    by_row = {row.id: _who(session, row, leaders, known, covers) for row in found}
    people = _people(session, {person for _kind, persons in by_row.values() for person in persons})
    teams = _teams(session, {row.lead_team for row in found if row.lead_team})
    contacts = _contacts(session, kept)
    done = _done(session, kept)
    declined, unmatched = _without_success(session, kept)
    today = now_of(session).date()
    lines = []
    for row in found:
        kind, persons = by_row[row.id]
        lines.append(
            Household(
                id=row.id,
                county=row.county,
                town=row.town,
                minor=is_minor(row, today),
                state=row.state,
                since=row.since,
                kind=kind,
                people=tuple(people[one] for one in persons),
                team=teams.get(row.lead_team, ""),
                due=due_day(row),
                due_what=due_what(row),
                contact=contacts.get(row.id),
                activities=row.activities,
                done=done.get(row.id, 0),
                stint=row.lead,
                agreeing=row.agreeing_person,
                last_day=row.last_day,
                successor=row.successor is not None,
                meets_at=row.meets_at,
                asked_until=row.asked_until,
                declined=row.id in declined,
                unmatched=row.id in unmatched,
            )
        )
    return lines


def one_of(session: Session, viewer: str, beneficiary_id: str) -> Household | None:
    """One of them; None where it is not the viewer's, or not listed any more."""
    return next(iter(of(session, viewer, [beneficiary_id])), None)


def _who(
    session: Session, row: Any, leaders: dict[str, tuple[str, ...]], known: dict[str, tuple[str, ...]], covers: Covers
) -> tuple[str, tuple[str, ...]]:
    """As stints.responsible_today; `known` keeps who answers for a county."""
    if row.lead is not None:
        if row.substitute is not None:
            return "substitute", (row.substitute,)
        if row.lead_team is None:
            return "volunteer", (row.lead_person,)
        leading = leaders.get(row.lead_team, ())
        if leading:
            return "team", (row.lead_person,) if row.lead_person in leading else leading
    elif row.keeper is not None and covers(row.keeper, row.county):
        return "keeper", (row.keeper,)
    if row.county not in known:
        known[row.county] = tuple(answering(session, row.county))
    return "specialist", known[row.county]


def _leaders(session: Session, teams: Iterable[str]) -> dict[str, tuple[str, ...]]:
    standing = (_M.c.team_id.in_(sorted(teams)), _M.c.left_at.is_(None), _M.c.part == LEADER)
    found: dict[str, tuple[str, ...]] = {}
    query = select(_M.c.team_id, _M.c.person_id).where(*standing).order_by(_M.c.joined_at)
    for row in session.execute(query):
        found[row.team_id] = (*found.get(row.team_id, ()), row.person_id)
    return found


def _people(session: Session, persons: Iterable[str]) -> dict[str, Answering]:
    ids = sorted(persons)
    counted = (_V.c.person_id.in_(ids), _V.c.status != DELETED, _V.c.merged_into.is_(None))
    registered = session.execute(select(_V.c.person_id, _V.c.number).where(*counted))
    numbers = {row.person_id: row.number for row in registered}
    open_doors = select(_D.c.person_id).where(_D.c.person_id.in_(ids), _D.c.blocked_at.is_(None))
    reached = set(session.execute(open_doors.distinct()).scalars())
    return {one: Answering(one, numbers.get(one, ""), one in reached) for one in ids}


def _teams(session: Session, ids: Iterable[str]) -> dict[str, str]:
    query = select(_T.c.id, _T.c.name).where(_T.c.id.in_(sorted(ids)))
    return {row.id: row.name for row in session.execute(query)}


def _contacts(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, datetime]]:
    """The latest of visits, stints opened, first meetings and handings over."""
    mine = (_S.c.beneficiary_id.in_(ids), _S.c.part != SUBSTITUTE)
    latest = select(_S.c.beneficiary_id, func.max(_S.c.met_at).label("met"), func.max(_S.c.opened_at).label("opened"))
    handed = select(_S.c.beneficiary_id, func.max(_R.c.given_at).label("at")).join(_R, _R.c.stint_id == _S.c.id)
    given = {row.beneficiary_id: row.at for row in session.execute(handed.where(*mine).group_by(_S.c.beneficiary_id))}
    visited = select(_W.c.beneficiary_id, func.max(_W.c.at).label("at")).where(_W.c.beneficiary_id.in_(ids))
    seen = {row.beneficiary_id: row.at for row in session.execute(visited.group_by(_W.c.beneficiary_id))}
    found = {about: ("visit", at) for about, at in seen.items()}
    for row in session.execute(latest.where(*mine).group_by(_S.c.beneficiary_id)):
        about = row.beneficiary_id
        newest = last_of(
            ("visit", seen.get(about)), ("met", row.met), ("handed", given.get(about)), ("opened", row.opened)
        )
        if newest is not None:
            found[about] = newest
    return found


def _done(session: Session, ids: Sequence[str]) -> dict[str, int]:
    """How many visits of this year were told of."""
    first = datetime(day_in_china(now_of(session)).year, 1, 1, tzinfo=ZONE)
    query = select(_W.c.beneficiary_id, func.count().label("count")).where(_W.c.beneficiary_id.in_(ids))
    rows = session.execute(query.where(_W.c.at >= first).group_by(_W.c.beneficiary_id))
    return {row.beneficiary_id: int(row[1]) for row in rows}


def _without_success(session: Session, ids: Sequence[str]) -> tuple[set[str], set[str]]:
    """Of whom the newest invitation was declined, and for whom the newest search found nobody."""
    newest = func.max(_O.c.made_at).over(partition_by=_O.c.beneficiary_id).label("newest")
    offers = select(_O.c.beneficiary_id, _O.c.state, _O.c.made_at, newest).where(_O.c.beneficiary_id.in_(ids))
    asked = offers.subquery()
    refused = select(asked.c.beneficiary_id).where(asked.c.made_at == asked.c.newest, asked.c.state == DECLINED)
    made = func.max(_P.c.made_at).over(partition_by=_P.c.beneficiary_id).label("newest")
    searched = select(_P.c.beneficiary_id, _P.c.person_id, _P.c.made_at, made).where(_P.c.beneficiary_id.in_(ids))
    search = searched.subquery()
    empty = select(search.c.beneficiary_id).where(search.c.made_at == search.c.newest, search.c.person_id.is_(None))
    return set(session.execute(refused).scalars()), set(session.execute(empty).scalars())
