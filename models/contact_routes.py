"""Who hears first of what somebody writes: the specialists of a team they belong to, or who was named for the served
person whose family they are; and only then whoever answers for the county (programme §12).

A message keeps what it is about as "team:" or "served:" with an id. What is no longer so (they left the team, the phone
is the family's no more) counts for nothing, and the county's people hear of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from models.beneficiary import GONE, Beneficiary
from models.family_consent import FamilyDoor
from models.pairing import LEAD, OPEN, Keeping, Stint
from models.person import Door
from models.relay import STANDING, Relay
from models.role import RoleGrant, reaches
from models.standing_in import Duty, duties
from models.team import Team, TeamMember

TEAM, SERVED = "team:", "served:"
_SLICE = 500  # ids in one statement


@dataclass(frozen=True, slots=True)
class Concern:
    """What somebody may write about: `about` as a message keeps it, and the team's name, empty of a served person."""

    about: str
    name: str = ""


def concerns(session: Session, person_id: str) -> list[Concern]:
    """The teams somebody belongs to, those joined first in front, and the served people whose family they are."""
    teams = (
        select(Team.id, Team.name)
        .join(TeamMember, col(TeamMember.team_id) == Team.id)
        .where(TeamMember.person_id == person_id, col(TeamMember.left_at).is_(None), col(Team.ended_at).is_(None))
        .order_by(col(TeamMember.joined_at), col(TeamMember.id))
    )
    served = (
        select(Beneficiary.id)
        .join(FamilyDoor, col(FamilyDoor.beneficiary_id) == Beneficiary.id)
        .where(FamilyDoor.person_id == person_id, *_is_family())
        .order_by(col(FamilyDoor.bound_at), col(FamilyDoor.id))
    )
    found = [Concern(TEAM + key, name) for key, name in session.exec(teams)]
    return found + [Concern(SERVED + key) for key in session.exec(served)]


def _is_family() -> tuple[ColumnElement[bool], ...]:
    return (
        col(FamilyDoor.ended_at).is_(None),
        col(Beneficiary.status).not_in(GONE),
        col(Beneficiary.merged_into).is_(None),
    )


class Firsts:
    """Who hears first of each of these messages, given by (asker, about): read at once for however many there are.
    `held` = the roles for regions of all who can be reached (models/contact.py, reachable_grants)."""

    def __init__(self, session: Session, messages: Iterable[tuple[str, str | None]], held: Sequence[Duty]) -> None:
        wanted = {about for _asker, about in messages if about}
        self._found: dict[tuple[str, str], set[str]] = {}
        teams = sorted(about.removeprefix(TEAM) for about in wanted if about.startswith(TEAM))
        people = sorted(about.removeprefix(SERVED) for about in wanted if about.startswith(SERVED))
        for at in range(0, len(teams), _SLICE):
            self._read_teams(session, teams[at : at + _SLICE])
        for at in range(0, len(people), _SLICE):
            self._read_served(session, people[at : at + _SLICE], held)

    def of(self, asker: str, about: str | None) -> frozenset[str]:
        """Who can be reached and hears first; never the asker. Empty: it is the county's."""
        return frozenset(self._found.get((asker, about or ""), ())) - {asker}

    def _read_teams(self, session: Session, ids: Collection[str]) -> None:
        reached = select(Door.person_id).where(col(Door.blocked_at).is_(None))
        held = select(RoleGrant).where(
            col(RoleGrant.scope_kind).in_(("region", "team")),
            col(RoleGrant.ended_at).is_(None),
            col(RoleGrant.person_id).in_(reached),
        )
        specialists: dict[str, set[str]] = {}
        for each in duties(session, list(session.exec(held))):  # during a leave the deputy is the one
            if (each.scope_kind, each.role) == ("team", "specialist") and each.person_id:
                specialists.setdefault(each.scope, set()).add(each.person_id)
        query = (
            select(TeamMember.team_id, TeamMember.person_id, Team.number)
            .join(Team, col(Team.id) == TeamMember.team_id)
            .where(col(TeamMember.team_id).in_(ids), col(TeamMember.left_at).is_(None), col(Team.ended_at).is_(None))
        )
        for team, member, number in session.exec(query):
            if found := specialists.get(number):
                self._found.setdefault((member, TEAM + team), set()).update(found)

    def _read_served(self, session: Session, ids: Collection[str], held: Sequence[Duty]) -> None:
        """Whoever keeps them, else who is responsible for the relay, else who made the agreement with them; as long as
        they answer for the county."""
        kept = select(Keeping.beneficiary_id, Keeping.person_id)
        kept = kept.where(col(Keeping.beneficiary_id).in_(ids), col(Keeping.until).is_(None))
        lead = (Stint.part == LEAD, Stint.state == OPEN, col(Stint.beneficiary_id).in_(ids))
        sought = select(Stint.beneficiary_id, Relay.specialist_id).join(Relay, col(Relay.stint_id) == Stint.id)
        sought = sought.where(*lead, col(Relay.state).in_(STANDING))
        made = select(Stint.beneficiary_id, Stint.confirmed_by).where(*lead)
        named: dict[str, list[str]] = {}
        for query in (kept, sought, made):
            for served, person in session.exec(query):
                named.setdefault(str(served), []).append(person)
        doors = select(FamilyDoor.person_id, Beneficiary.id, Beneficiary.county)
        doors = doors.join(Beneficiary, col(Beneficiary.id) == FamilyDoor.beneficiary_id)
        for relative, served, county in session.exec(doors.where(col(Beneficiary.id).in_(ids), *_is_family())):
            covering = {grant.person_id for grant in held if reaches(grant, county)}
            first = next((one for one in named.get(served, []) if one in covering and one != relative), None)
            if first is not None and relative is not None:
                self._found[relative, SERVED + served] = {first}


def receivers(heads: Collection[str], county: Sequence[Sequence[str]], *, late: bool) -> list[str]:
    """Who is to hear of a message: those who hear first; `late` = they have been silent, so that the `county`'s next
    step (models/contact.py, `steps`) hears of it as well. Without anybody to hear first it is the county's first."""
    return sorted({*heads, *(passed_on(heads, county) if late or not heads else ())})


def passed_on(heads: Collection[str], county: Sequence[Sequence[str]]) -> list[str]:
    """Who is next where those who hear first are silent."""
    return next((rest for step in county if (rest := [one for one in step if one not in heads])), [])
