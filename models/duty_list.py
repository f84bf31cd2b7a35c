"""待办清单: what waits for somebody who answers for others today, counted by kind, and the week behind and ahead.

Each kind is counted in one or a few statements, however much there is. What needs somebody first stands first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import and_, func, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel

from config.catalogue import rules
from models import contact_waiting, duty_leaves, qualifying, role, unvisited, visit_days, waiting
from models.alert import takers
from models.beneficiary import LISTED
from models.database import now_of
from models.duty_days import HOME, home_day
from models.mine import Mine, mine
from models.one_human import accounts_of
from models.pairing import AGREEING as STINT_AGREEING
from models.pairing import LEAD
from models.relay import STANDING as RELAYS
from models.service import CONFIRMED, WAITING
from models.visit import EXCUSED, MADE, OWED
from models.volunteer import counting
from models.wards import first_wards

KINDS = (
    "cries",
    "contacts",
    "visits",
    "climbed",
    "cases",
    "hours",
    "deputies",
    "relays",
    "agreements",
    "unpaired",
    "offers",
    "own_papers",
    "papers",
)
# Nobody is told of these alone in the morning: they wait for somebody else, or have reminders of their own.
UNHURRIED = ("climbed", "offers", "own_papers", "papers")
PAPER_DAYS = 30  # one's own that lapse within so many days
_T = SQLModel.metadata.tables
_A: Any = _T["alert"]
_V: Any = _T["visit"]
_S: Any = _T["stint"]
_R: Any = _T["relay"]
_B: Any = _T["beneficiary"]
_I: Any = _T["institution"]
_H: Any = _T["service_record"]
_C: Any = _T["hours_case"]


@dataclass(frozen=True, slots=True)
class Item:
    """How many of a kind wait; `first` = the day of the most urgent one, where the kind has days."""

    kind: str
    count: int
    first: date | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """The seven days before a day and those from it on: visits made, excused, hours confirmed (minutes) and unconfirmed
    services now; `due` = the ids of the visits due this week, `overdue` how many are."""

    made: int
    excused: int
    minutes: int
    due: tuple[str, ...]
    overdue: int
    oldest: date | None
    unconfirmed: int


def items(session: Session, viewer: str) -> list[Item]:
    """What waits for somebody now, kind by kind; empty for whoever answers for nobody, and where nothing waits."""
    held = role.grants(session, viewer)
    if not held:
        return []
    theirs = mine(session, viewer)
    found = [
        Item("cries", _cries(session, viewer, held)),
        Item("contacts", len(contact_waiting.waiting_for(session, viewer))),
        _visits(session, viewer, theirs),
        Item("climbed", sum(unvisited.climbed(session, viewer, theirs).values())),
        _cases(session, viewer, theirs),
        Item("hours", _hours(session, viewer, theirs, rules().hours.confirm_hours)),
        _deputies(session, viewer),
        _relays(session, theirs),
        Item("agreements", _agreements(session, theirs)),
        *_unpaired(session, viewer, theirs),
        *_papers(session, viewer),
    ]
    return [item for item in found if item.count]


def urgent(session: Session, viewer: str) -> bool:
    """Whether anything waits of which somebody is told in the morning."""
    return any(item.kind not in UNHURRIED for item in items(session, viewer))


def _cries(session: Session, viewer: str, held: list[role.RoleGrant]) -> int:
    """Open cries for help that this person may deal with and nobody else has taken."""
    known = counting().subquery()
    query = sql_select(_A.c.id, _A.c.person_id, known.c.county).outerjoin(known, known.c.person_id == _A.c.person_id)
    rows = session.execute(query.where(_A.c.state == "open", _A.c.person_id != viewer)).all()
    wards = first_wards(session, [row.person_id for row in rows if row.county is None])
    places = {row.id: row.county or (ward.county if (ward := wards.get(row.person_id)) else None) for row in rows}
    theirs = [one for one, county in places.items() if any(role.reaches(each, county) for each in held)]
    taken = takers(session, theirs)
    return sum(1 for one in theirs if not taken.get(one) or taken[one][-1] == viewer)


def _visits(session: Session, viewer: str, theirs: Mine) -> Item:
    found = unvisited.counts(session, viewer, theirs)
    return Item("visits", found.overdue, found.oldest if found.overdue else None)


def _cases(session: Session, viewer: str, theirs: Mine) -> Item:
    query = sql_select(func.count(), func.min(_C.c.due_on)).where(
        _C.c.state == "open", _C.c.person_id != viewer, theirs.within(_C.c.county, _C.c.team_id)
    )
    count, first = session.execute(query).one()
    return Item("cases", count, first)


def _unconfirmed(session: Session, viewer: str, theirs: Mine, hours: int) -> Any:
    return and_(
        _H.c.state == WAITING,
        _H.c.waiting_since <= now_of(session) - timedelta(hours=hours),
        _H.c.person_id.not_in(accounts_of(session, viewer)),
        theirs.within(_H.c.county, _H.c.team_id),
    )


def _hours(session: Session, viewer: str, theirs: Mine, hours: int) -> int:
    query = sql_select(func.count()).select_from(_H).where(_unconfirmed(session, viewer, theirs, hours))
    return int(session.execute(query).scalar_one())


def _deputies(session: Session, viewer: str) -> Item:
    asked = [row.first_day for row in duty_leaves.standing_in_for(session, viewer) if row.taken_at is None]
    return Item("deputies", len(asked), min(asked, default=None))


def _of_stints(theirs: Mine) -> tuple[Any, Any]:
    """Stints joined with whom they serve, and which of them are theirs."""
    joined = _S.outerjoin(_B, _B.c.id == _S.c.beneficiary_id).outerjoin(_I, _I.c.id == _S.c.institution_id)
    here = theirs.within(func.coalesce(_B.c.county, _I.c.county))
    of_team = and_(_S.c.institution_id.is_not(None), _S.c.team_id.in_(theirs.teams))
    listed = or_(_B.c.id.is_(None), and_(_B.c.status == LISTED, _B.c.merged_into.is_(None)))
    return joined, and_(or_(here, of_team), listed, _I.c.ended_at.is_(None))


def _relays(session: Session, theirs: Mine) -> Item:
    """Those whose last day comes within two weeks, or is over."""
    joined, here = _of_stints(theirs)
    soon = home_day(session) + timedelta(days=rules().duty.soon_days)
    query = sql_select(func.count(), func.min(_R.c.last_day)).select_from(_R.join(joined, _S.c.id == _R.c.stint_id))
    count, first = session.execute(query.where(_R.c.state.in_(RELAYS), _R.c.last_day <= soon, here)).one()
    return Item("relays", count, first)


def _agreements(session: Session, theirs: Mine) -> int:
    """Those that wait for the meeting or the agreement, and not for the volunteer."""
    joined, here = _of_stints(theirs)
    waits = (_S.c.state == STINT_AGREEING, _S.c.part == LEAD, _S.c.confirmed_at.is_(None))
    query = sql_select(func.count()).select_from(joined).where(*waits, here)
    return int(session.execute(query).scalar_one())


def _unpaired(session: Session, viewer: str, theirs: Mine) -> list[Item]:
    found = waiting.counts(session, viewer, theirs.counties)
    return [Item("unpaired", found.get("nobody", 0)), Item("offers", found.get("asked", 0))]


def _papers(session: Session, viewer: str) -> list[Item]:
    until = home_day(session) + timedelta(days=PAPER_DAYS)
    own = [row.until for row in qualifying.of(session, viewer) if row.until is not None and row.until <= until]
    own = own if qualifying.is_specialist(session, viewer) else []
    others = [row.until for row in qualifying.lapsing(session, viewer, qualifying.TOLD_ORGANISER) if row.until]
    return [
        Item("own_papers", len(own), min(own, default=None)),
        Item("papers", len(others), min(others, default=None)),
    ]


def week(session: Session, viewer: str) -> Week | None:
    """The seven days behind and ahead of today, of those for whom somebody answers first; None without a role."""
    if not role.grants(session, viewer):
        return None
    theirs, today = mine(session, viewer), visit_days.day_in_china(now_of(session))
    monday = today - timedelta(days=today.weekday())
    here = theirs.within(_V.c.county, _S.c.team_id)
    joined = _V.outerjoin(_S, _S.c.id == _V.c.stint_id)
    begin, end = (datetime.combine(day, time(0), HOME).astimezone(UTC) for day in (monday - timedelta(days=7), monday))
    made = and_(_V.c.state == MADE, _V.c.made_on >= monday - timedelta(days=7), _V.c.made_on < monday)
    excused = and_(_V.c.state == EXCUSED, _V.c.closed_at >= begin, _V.c.closed_at < end)
    row = session.execute(
        sql_select(func.count().filter(made), func.count().filter(excused))
        .select_from(joined)
        .where(_V.c.state.in_((MADE, EXCUSED)), here)
    ).one()
    confirmed = and_(_H.c.state == CONFIRMED, _H.c.decided_at >= begin, _H.c.decided_at < end)
    minutes = session.execute(
        sql_select(func.coalesce(func.sum(_H.c.minutes), 0)).where(confirmed, theirs.within(_H.c.county, _H.c.team_id))
    ).scalar_one()
    due = (_V.c.state == OWED, _V.c.due_on >= today, _V.c.due_on < monday + timedelta(days=7), here)
    ids = session.execute(sql_select(_V.c.id).select_from(joined).where(*due).order_by(_V.c.due_on, _V.c.id)).scalars()
    found = unvisited.counts(session, viewer, theirs)
    unconfirmed_now = _hours(session, viewer, theirs, 0)
    return Week(
        row[0],
        row[1],
        int(minutes),
        tuple(ids),
        found.overdue,
        found.oldest if found.overdue else None,
        unconfirmed_now,
    )
