"""Institutions as those who answer for them look at them: who is paired with each, and which teams could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, false, or_, select

from config import regions
from models import role
from models.institution import Institution
from models.pairing import AGREEING, ENDED, LEAD, OPEN, Stint
from models.relay import STANDING as RELAYS
from models.relay import Relay
from models.team import LEADER, Team, TeamMember, standing_pairs
from models.volunteer import Volunteer, counting

MOST = 500  # institutions of one list
# How near a team is, the nearest first: its leader lives in the same town or street; it is at home in the county; it is
# of the whole city or province; it helps there; it is of another county of the city.
TOWN, COUNTY, WIDE, HELPS, CITY = NEAR = ("town", "county", "wide", "helps", "city")


@dataclass(frozen=True, slots=True)
class Seen:
    """An institution with what stands about it: `stint` = the open lead, `agreeing` = one that its team's leader has
    not accepted yet, or that waits to be handed over to; `relay` = what seeks another team for `stint`. `team` and
    `next_team` are theirs; `own` = the viewer answers for the county, and not for a team alone."""

    institution: Institution
    stint: Stint | None
    agreeing: Stint | None
    relay: Relay | None
    team: Team | None
    next_team: Team | None
    own: bool


@dataclass(frozen=True, slots=True)
class TeamFor:
    """A team that could be paired with an institution: `near` of NEAR, `free` = how many more it takes."""

    team: Team
    near: str
    free: int


def looks_after(session: Session, viewer: str) -> bool:
    """Whether somebody answers for a region or a team, and so for institutions."""
    return any(held.scope_kind in ("region", "team") for held in role.grants(session, viewer))


def listed(session: Session, viewer: str) -> list[Seen]:
    """The standing institutions that somebody answers for, those without a team first, then by county and name; at most
    MOST. For a region: all of it. For a team: those paired with it, and those without a team where it is at home or
    helps."""
    return _found(session, viewer, [])


def one(session: Session, viewer: str, institution_id: str) -> Seen | None:
    """One of `listed`; None where it is not, or not any more."""
    return next(iter(_found(session, viewer, [Institution.id == institution_id])), None)


def waiting(session: Session, viewer: str) -> int:
    """How many of somebody's institutions have no team, and none that is being asked; of a whole region."""
    scopes = [each.scope for each in role.grants(session, viewer) if each.scope_kind == "region"]
    paired = select(Stint.institution_id).where(col(Stint.institution_id).is_not(None), Stint.state != ENDED)
    theirs = or_(false(), *(col(Institution.county).startswith(code, autoescape=True) for code in scopes))
    query = select(func.count()).select_from(Institution).where(col(Institution.ended_at).is_(None), theirs)
    return int(session.exec(query.where(col(Institution.id).not_in(paired))).one())


def _found(session: Session, viewer: str, only: list[Any]) -> list[Seen]:
    held = role.grants(session, viewer)
    scopes = [each.scope for each in held if each.scope_kind == "region"]
    numbers = [each.scope for each in held if each.scope_kind == "team"]
    if not scopes and not numbers:
        return []
    lead, agreeing, team, other = aliased(Stint), aliased(Stint), aliased(Team), aliased(Team)
    theirs = or_(false(), *(col(Institution.county).startswith(code, autoescape=True) for code in scopes))
    of_team = _of_teams(session, numbers, lead, agreeing)
    query = (
        sql_select(Institution, lead, agreeing, Relay, team, other)
        .join(lead, _stands(lead, OPEN), isouter=True)
        .join(agreeing, _stands(agreeing, AGREEING), isouter=True)
        .join(Relay, and_(col(Relay.stint_id) == lead.id, col(Relay.state).in_(RELAYS)), isouter=True)
        .join(team, col(team.id) == lead.team_id, isouter=True)
        .join(other, col(other.id) == agreeing.team_id, isouter=True)
        .where(col(Institution.ended_at).is_(None), or_(theirs, of_team), *only)
        .order_by(
            or_(col(lead.id).is_not(None), col(agreeing.id).is_not(None)),
            col(lead.id).is_not(None),
            col(Institution.county),
            col(Institution.name),
            col(Institution.id),
        )
        .limit(MOST)
    )
    return [
        Seen(about, stint, coming, relay, its, next_, any(regions.within(about.county, code) for code in scopes))
        for about, stint, coming, relay, its, next_ in session.execute(query)
    ]


def _stands(stint: Any, state: str) -> Any:
    return and_(stint.institution_id == Institution.id, stint.part == LEAD, stint.state == state)


def _of_teams(session: Session, numbers: Sequence[str], lead: Any, agreeing: Any) -> Any:
    teams = session.exec(select(Team).where(col(Team.number).in_(numbers), col(Team.ended_at).is_(None))).all()
    ids = [team.id for team in teams]
    homes = [code for team in teams for code in (team.region, team.helps) if code]
    near = or_(false(), *(col(Institution.county).startswith(code, autoescape=True) for code in homes))
    return or_(lead.team_id.in_(ids), agreeing.team_id.in_(ids), and_(lead.id.is_(None), near))


def teams_for(session: Session, viewer: str, about: Seen, most: int) -> list[TeamFor]:
    """Teams with a leader and a free place that could be paired with this institution, the nearest first, then the one
    with most places free; without the one that has it. Whoever answers for teams alone is offered those."""
    county = about.institution.county
    query = select(Team).where(col(Team.ended_at).is_(None), _about(session, county))
    if not about.own:
        numbers = [held.scope for held in role.grants(session, viewer) if held.scope_kind == "team"]
        query = query.where(col(Team.number).in_(numbers))
    led = select(TeamMember.team_id).where(TeamMember.part == LEADER, col(TeamMember.left_at).is_(None))
    taken = _taken(session)
    in_town = _led_from(session, about.institution)
    found = []
    for team in session.exec(query.where(col(Team.id).in_(led))):
        free = team.capacity - taken.get(team.id, 0)
        has = about.stint is not None and about.stint.team_id == team.id
        if free > 0 and not has:
            found.append(TeamFor(team, TOWN if team.id in in_town else _near(team, county), free))
    found.sort(key=lambda each: (NEAR.index(each.near), -each.free, each.team.name, each.team.id))
    return found[:most]


def _about(session: Session, county: str) -> Any:
    """Teams at home in the county's city, or above it, or that help there."""
    helpers = [pair.helper for pair in standing_pairs(session) if regions.within(county, pair.helped)]
    near = [col(Team.region).startswith(code, autoescape=True) for code in (county[:4], *helpers)]
    above = (county[:2], county[:4], county)
    return or_(col(Team.region).in_(above), col(Team.helps).in_(above), *near)


def _near(team: Team, county: str) -> str:
    if regions.within(team.region, county):
        return COUNTY
    if regions.within(county, team.region):
        return WIDE
    if team.region[:4] == county[:4] and not (team.helps and regions.within(county, team.helps)):
        return CITY
    return HELPS


def _taken(session: Session) -> dict[str, int]:
    """How many each team has in the lead, as `stints.team_load`, of all teams in one statement."""
    served = func.coalesce(Stint.beneficiary_id, Stint.institution_id)
    query = select(Stint.team_id, func.count(served.distinct())).where(
        col(Stint.team_id).is_not(None), Stint.part == LEAD, Stint.state != ENDED
    )
    return {str(team): count for team, count in session.exec(query.group_by(col(Stint.team_id)))}


def _led_from(session: Session, institution: Institution) -> set[str]:
    """The teams that somebody of the institution's own town leads."""
    if not institution.town:
        return set()
    there = counting().where(Volunteer.county == institution.county, Volunteer.town == institution.town)
    people = there.with_only_columns(col(Volunteer.person_id))
    query = select(TeamMember.team_id).where(TeamMember.part == LEADER, col(TeamMember.left_at).is_(None))
    return set(session.exec(query.where(col(TeamMember.person_id).in_(people))))
