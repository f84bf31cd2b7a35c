"""Who answers today by whose role: during a leave of somebody who answers for others their deputy does (programme §6).

This is the one place where that is decided. Roles and rights stay as they are (models/role.py): whoever is away may
still read and answer, and a deputy has rights of their own. What changes is to whom things go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import column, table
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from config import regions
from models.database import now_of
from models.duty_leave import DutyLeave
from models.person import Person, survivor
from models.role import RoleGrant

# models/team.py, which stands on this file, has it in full.
_TEAM = table("team", column("number"), column("region"))

Away = dict[str, list[str]]  # who is on leave today, each with the deputies who said yes


@dataclass(frozen=True, slots=True)
class Duty:
    """A role for a scope, and who answers by it today: `person_id`, empty while the holder (`held_by`) is away and
    nobody stands in for them."""

    person_id: str
    held_by: str
    role: str
    scope_kind: str
    scope: str


def away_today(session: Session) -> Away:
    """Who is on leave today, by the day in their own zone. Of several leaves the one that was made first comes first;
    a deputy whose account was joined to another is who they are today."""
    now = now_of(session)
    query = (
        select(DutyLeave, Person.zone)
        .join(Person, col(Person.id) == DutyLeave.person_id)
        .where(
            col(DutyLeave.ended_at).is_(None),
            col(DutyLeave.first_day) <= now.date() + timedelta(days=1),
            col(DutyLeave.last_day) >= now.date() - timedelta(days=1),
        )
        .order_by(col(DutyLeave.made_at), col(DutyLeave.id))
    )
    found: Away = {}
    for leave, zone in session.exec(query):
        if leave.first_day <= now.astimezone(ZoneInfo(zone)).date() <= leave.last_day:
            deputies = found.setdefault(leave.person_id, [])
            if leave.deputy_id is not None and leave.taken_at is not None:
                deputies.append(survivor(session, leave.deputy_id).id)
    return found


def is_away(session: Session, person_id: str) -> bool:
    """Whether somebody who answers for others is on leave today."""
    return person_id in away_today(session)


def duties(session: Session, held: Sequence[RoleGrant]) -> list[Duty]:
    """These roles with who answers by each today: the holder; during a leave the deputy, while a role of theirs among
    these covers the same; of a deputy who is away too the deputy's; else nobody, which `models.contact.steps` makes
    good."""
    away = away_today(session)
    teams = [each.scope for each in held if each.scope_kind == "team" and each.person_id in away]
    return shared_out(held, away, _homes(session, teams) if teams else None)


def _homes(session: Session, numbers: Sequence[str]) -> dict[str, str]:
    rows = session.execute(sql_select(_TEAM.c.number, _TEAM.c.region).where(_TEAM.c.number.in_(numbers)))
    return {str(number): str(region) for number, region in rows}


def shared_out(held: Sequence[RoleGrant], away: Away, homes: Mapping[str, str] | None = None) -> list[Duty]:
    """As `duties`, with who is away, and the home regions of the teams for which somebody has a role."""
    own: dict[str, list[RoleGrant]] = {}
    for each in held:
        own.setdefault(each.person_id, []).append(each)

    def answers(each: RoleGrant) -> str:
        if each.person_id not in away:
            return each.person_id
        home = (homes or {}).get(each.scope, "") if each.scope_kind == "team" else ""
        return (
            stand_in(away, each.person_id, lambda one: any(covers(mine, each, home) for mine in own.get(one, ()))) or ""
        )

    return [Duty(answers(each), each.person_id, each.role, each.scope_kind, each.scope) for each in held]


def in_place_of(session: Session, person_id: str, fits: Callable[[str], bool]) -> str | None:
    """Who is to get what goes to somebody by name: they themselves, and while they are away the first of their deputies
    who `fits`. None where that is nobody."""
    if not person_id:
        return None
    away = away_today(session)
    if person_id not in away:
        return person_id if fits(person_id) else None
    return stand_in(away, person_id, fits)


def stand_in(away: Away, person_id: str, fits: Callable[[str], bool]) -> str | None:
    """The first who stands in for somebody on leave, is not away, too, and `fits`; nobody is asked twice."""
    seen = {person_id}

    def after(one: str) -> str | None:
        for deputy in away.get(one, ()):
            if deputy in seen:
                continue
            seen.add(deputy)
            found = after(deputy) if deputy in away else deputy if fits(deputy) else None
            if found is not None:
                return found
        return None

    return after(person_id)


def covers(mine: RoleGrant, wanted: RoleGrant, home: str = "") -> bool:
    """Whether a role answers for all that another one does. An organiser's takes an organiser. `home` = the home region
    of the team, of a role for a team."""
    if wanted.role == "organiser" and mine.role != "organiser":
        return False
    if (mine.scope_kind, mine.scope) == (wanted.scope_kind, wanted.scope):
        return True
    place = wanted.scope if wanted.scope_kind == "region" else home
    return bool(place) and mine.scope_kind == "region" and regions.within(place, mine.scope)
