"""For what somebody answers day by day: the counties whose matters come to them first, teams, and the regions above a
county, of which only counts climb to them (programme §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel

from config import regions
from models import role
from models.contact import reachable_grants, steps
from models.standing_in import Duty

_T: Any = SQLModel.metadata.tables["team"]


@dataclass(frozen=True, slots=True)
class Mine:
    """`counties` = codes of counties (or cities without any), `wide` = wider regions, as prefixes of county codes;
    `teams` = ids of teams for which somebody is the specialist or organiser."""

    counties: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    def within(self, county: Any, team: Any = None) -> Any:
        """Whether a row is theirs, by its columns, as part of a query."""
        here = [county.startswith(one, autoescape=True) for one in self.counties]
        return or_(false(), *here, *([team.in_(self.teams)] if team is not None and self.teams else []))

    def above(self, county: Any) -> Any:
        """Whether a row counts for one of the wider regions, and is none that is theirs."""
        return or_(false(), *(county.startswith(one, autoescape=True) for one in self.wide)) & ~self.within(county)


def mine(session: Session, viewer: str) -> Mine:
    """For whoever holds a role; of a region above a county those counties are theirs in which nobody is nearer."""
    own = role.grants(session, viewer)
    near = {held.scope for held in own if held.scope_kind == "region" and regions.leaf(held.scope)}
    wide = sorted({held.scope for held in own if held.scope_kind == "region"} - near)
    if wide:
        near |= _first_in(session, viewer, wide)
    numbers = [held.scope for held in own if held.scope_kind == "team"]
    teams: list[str] = []
    if numbers:
        standing = sql_select(_T.c.id).where(_T.c.number.in_(numbers), _T.c.ended_at.is_(None))
        teams = list(session.execute(standing.order_by(_T.c.id)).scalars())
    return Mine(tuple(sorted(near)), tuple(wide), tuple(teams))


def _first_in(session: Session, viewer: str, wide: list[str]) -> set[str]:
    """The counties within these regions whose matters come to this person first."""
    by_scope: dict[str, list[Duty]] = {}
    for duty in reachable_grants(session):
        place = regions.get(duty.scope)
        if place is not None:
            by_scope.setdefault(place.code, []).append(duty)
    found = set()
    for scope in wide:
        for county in _leaves(scope):
            held = [duty for place in regions.path(county) for duty in by_scope.get(place.code, [])]
            first = steps(held, county, but="")
            if first and viewer in first[0]:
                found.add(county)
    return found


def _leaves(scope: str) -> list[str]:
    below = regions.children(scope)
    return [code for child in below for code in _leaves(child.code)] if below else [scope]
