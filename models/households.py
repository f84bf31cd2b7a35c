"""一户不落 (programme §10): every listed person of a region with who answers for them today, and why they wait.

Sets are read in plain SQL and without anybody's sealed record; the names of a page are read by `beneficiary.names_of`.
The last contact is the latest of what visits, stints and relays know; what is due next may be an owed visit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Date, and_, cast, false, func, literal_column, or_, select, type_coerce
from sqlmodel import Session, SQLModel

from config import regions
from models.beneficiary import LISTED
from models.database import now_of
from models.households_of import FAR, columns, joined
from models.ledger_questions import scopes
from models.stints import answering

# What needs somebody first stands first.
NOBODY, RELAY, CONSENT, ASKED, AGREEING, PAIRED = STATES = (
    "nobody",  # the family agreed, nobody is asked
    "relay",  # a last day is set
    "consent",  # the family has not agreed yet
    "asked",  # an invitation waits
    "agreeing",  # a yes was given
    "paired",
)
SOON_DAYS = 30

_B: Any = SQLModel.metadata.tables["beneficiary"]
_K: Any = SQLModel.metadata.tables["keeping"]
_G: Any = SQLModel.metadata.tables["role_grant"]
_IN_FORCE = (_G.c.scope_kind == "region", _G.c.ended_at.is_(None))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to list; what is empty does not choose. `region` is a code of 2, 4 or 6 digits; `whom` = those for whom this
    person answers today; `soon` = those with something due within SOON_DAYS, or overdue."""

    region: str = ""
    state: str = ""
    town: str = ""
    whom: str = ""
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a county stand in each state, and for how many something is due soon."""

    states: Counter[str]
    soon: int

    @property
    def people(self) -> int:
        """All of them."""
        return sum(self.states.values())


def _prefixes(session: Session, viewer: str, region: str) -> list[str]:
    """What of a region the viewer answers for, as beginnings of county codes."""
    held = scopes(session, viewer)
    if any(region.startswith(scope) for scope in held):
        return [region]
    return [scope for scope in held if scope.startswith(region)]


def _within(prefixes: Sequence[str]) -> Any:
    return or_(false(), *(_B.c.county.startswith(one, autoescape=True) for one in prefixes))


def _everybody(session: Session, prefixes: Sequence[str], *more: Any) -> Any:
    """One row for every listed person within, without what is sealed."""
    where = and_(_B.c.status == literal_column(f"'{LISTED}'"), _B.c.merged_into.is_(None), _within(prefixes))
    return select(*columns(_day_of(session), _earliest(session))).select_from(joined()).where(where, *more).subquery()


def _day_of(session: Session) -> Callable[[Any], Any]:
    """The day (UTC) of a time, as the database reckons it."""
    if session.get_bind().dialect.name == "sqlite":
        return lambda time: type_coerce(func.date(time), Date)
    return lambda time: cast(time, Date)


def _earliest(session: Session) -> Callable[..., Any]:
    return func.min if session.get_bind().dialect.name == "sqlite" else func.least


def _chosen(session: Session, everybody: Any, wanted: Wanted, prefixes: Sequence[str]) -> Any:
    """What of everybody is wanted, as a condition."""
    row = everybody.c
    conditions = [row.state == wanted.state] if wanted.state else []
    if wanted.town:
        conditions.append(row.town == wanted.town)
    if wanted.soon:
        conditions.append(row.due <= now_of(session).date() + timedelta(days=SOON_DAYS))
    if wanted.whom:
        conditions.append(_answers(session, everybody, wanted.whom, prefixes))
    return and_(True, *conditions)


def _answers(session: Session, everybody: Any, person: str, prefixes: Sequence[str]) -> Any:
    """For whom somebody answers today, as models/stints.responsible_today has it."""
    row = everybody.c
    members: Any = SQLModel.metadata.tables["team_member"]
    leading = select(members.c.team_id).where(members.c.left_at.is_(None), members.c.part == "leader")
    own = row.substitute == person
    alone = row.substitute.is_(None)
    holds = and_(alone, row.lead_team.is_(None), row.lead_person == person)
    # Of a team whoever said yes for it answers, as long as they lead it, else its leaders, else the county.
    named = leading.where(members.c.team_id == row.lead_team, members.c.person_id == row.lead_person).exists()
    leads = row.lead_team.in_(leading.where(members.c.person_id == person))
    team = and_(alone, leads, or_(row.lead_person == person, ~named))
    pairs, covers = _keepers(session, prefixes), coverage(session)
    lost = [and_(row.keeper == one, row.county == county) for one, county in pairs if not covers(one, county)]
    kept = and_(row.keeper == person, *(~one for one in lost))
    unpaired = row.lead.is_(None)
    counties = {county for county in _counties(session, prefixes) if person in answering(session, county)}
    here = row.county.in_(sorted(counties))
    theirs = and_(or_(row.keeper.is_(None), *lost), here)
    leaderless = and_(alone, row.lead_team.is_not(None), row.lead_team.not_in(leading), here)
    return or_(own, holds, team, leaderless, and_(unpaired, or_(kept, theirs)))


def _keepers(session: Session, prefixes: Sequence[str]) -> list[tuple[str, str]]:
    """Who keeps anybody there, with the county."""
    kept = select(_K.c.person_id, _B.c.county).join(_B, _B.c.id == _K.c.beneficiary_id)
    query = kept.where(_K.c.until.is_(None), _within(prefixes)).distinct()
    return [(one.person_id, one.county) for one in session.execute(query)]


def coverage(session: Session) -> Callable[[str, str], bool]:
    """Whether somebody holds a role that takes in a county (role.covers_county), for many at once."""
    scopes_of: dict[str, list[str]] = {}
    for held in session.execute(select(_G.c.person_id, _G.c.scope).where(*_IN_FORCE)):
        scopes_of.setdefault(held.person_id, []).append(held.scope)

    @cache
    def covers(person: str, county: str) -> bool:
        return any(regions.within(county, scope) for scope in scopes_of.get(person, []))

    return covers


def _counties(session: Session, prefixes: Sequence[str]) -> list[str]:
    return list(session.execute(select(_B.c.county).where(_within(prefixes)).distinct()).scalars())


def counts(session: Session, viewer: str, region: str = "", whom: str = "") -> dict[str, Count]:
    """By county, what the viewer answers for there; a county without anybody is left out."""
    prefixes = _prefixes(session, viewer, region)
    everybody = _everybody(session, prefixes)
    row = everybody.c
    soon = func.count().filter(row.due <= now_of(session).date() + timedelta(days=SOON_DAYS))
    query = select(row.county, row.state, func.count().label("people"), soon.label("soon"))
    chosen = _chosen(session, everybody, Wanted(whom=whom), prefixes)
    found: dict[str, Count] = {}
    for each in session.execute(query.where(chosen).group_by(row.county, row.state)):
        before = found.get(each.county, Count(Counter(), 0))
        found[each.county] = Count(before.states + Counter({each.state: each.people}), before.soon + each.soon)
    return dict(sorted(found.items()))


def towns(session: Session, viewer: str, region: str) -> dict[str, int]:
    """How many stand in each town or street of a region; those without one are under ""."""
    everybody = _everybody(session, _prefixes(session, viewer, region))
    town = func.coalesce(everybody.c.town, "")
    query = select(town.label("town"), func.count().label("people")).group_by(town).order_by(town)
    return {each.town: each.people for each in session.execute(query)}


def keys(session: Session, viewer: str, wanted: Wanted) -> list[str]:
    """The ids of whom is wanted, whoever needs somebody first: by state, then by what is due first, then by how long it
    has been so, then by town. With `soon` what is due first stands first."""
    prefixes = _prefixes(session, viewer, wanted.region)
    everybody = _everybody(session, prefixes)
    row = everybody.c
    query = select(row.id).where(_chosen(session, everybody, wanted, prefixes))
    due, town = func.coalesce(row.due, FAR), func.coalesce(row.town, "")
    ordered = query.order_by(*((due, row.rank) if wanted.soon else (row.rank, due)), row.since, town, row.id)
    return list(session.execute(ordered).scalars())


def rows(session: Session, viewer: str, ids: Sequence[str]) -> list[Any]:
    """What is known of these, in their order; whoever is not the viewer's, or not listed any more, is left out."""
    everybody = _everybody(session, _prefixes(session, viewer, ""), _B.c.id.in_(ids))
    found = {each.id: each for each in session.execute(select(everybody))}
    return [found[one] for one in ids if one in found]


def due_day(row: Any) -> date | None:
    """What a row's `due` is, without the far day that stands for none."""
    day: date | None = row.due
    return day if day is not None and day < FAR else None


def due_what(row: Any) -> str:
    """What is due then: "meeting", "hand_over", "last_day", "term", "visit", or "" for nothing."""
    day = due_day(row)
    named: tuple[tuple[str, date | None], ...] = (
        ("hand_over", row.hands_over_on),
        ("last_day", row.last_day),
        ("visit", row.visit_due),
        ("term", row.ends_on),
    )
    if day is None:
        return ""
    return next((what for what, other in named if other == day), "meeting")


def last_of(*found: tuple[str, datetime | None]) -> tuple[str, datetime] | None:
    """The latest of these, with its name."""
    told = [(what, at) for what, at in found if at is not None]
    return max(told, key=lambda one: one[1], default=None)
