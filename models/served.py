"""Whom a stint serves: somebody of the ledger, or an institution; who decides about it, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, and_, col, or_, select

from models import role
from models.beneficiary import GONE, Beneficiary, locked, may_see
from models.contact import reachable
from models.institution import Institution
from models.outbox import REPLY, enqueue
from models.pairing import Stint
from models.person import doors, family
from models.standing_in import in_place_of
from models.team import LEADER, Team, TeamMember

Served = Beneficiary | Institution


def served_of(session: Session, stint: Stint) -> Served:
    """Whom it serves."""
    if stint.beneficiary_id is not None:
        return session.get_one(Beneficiary, stint.beneficiary_id)
    return session.get_one(Institution, stint.institution_id)


def is_gone(somebody: Served) -> bool:
    """Whether nobody serves them any more: not in the ledger, or an institution that is no more."""
    if isinstance(somebody, Institution):
        return somebody.ended_at is not None
    return somebody.status in GONE or somebody.merged_into is not None


def locked_institution(session: Session, institution_id: str) -> Institution | None:
    """The row, held until the end of the transaction, as `beneficiary.locked`."""
    query = select(Institution).where(Institution.id == institution_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def locked_stint(session: Session, stint_id: str) -> Stint | None:
    """A stint with whom it serves, both locked, the served one first."""
    about = session.exec(select(Stint.beneficiary_id, Stint.institution_id).where(Stint.id == stint_id)).first()
    if about is None:
        return None
    beneficiary, institution = about
    if beneficiary is not None:
        locked(session, beneficiary)
    elif institution is not None:
        locked_institution(session, institution)
    query = select(Stint).where(Stint.id == stint_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def in_order(session: Session, stints: list[str]) -> list[str]:
    """These stints in the one order in which whoever locks several of them takes them: by whom they serve."""
    query = select(Stint.id, Stint.beneficiary_id).where(col(Stint.id).in_(stints))
    about = {stint: served or "" for stint, served in session.exec(query)}
    return sorted(stints, key=lambda one: (about.get(one, ""), one))


def decides(session: Session, by: str, stint: Stint) -> bool:
    """Whether `by` decides about a stint: whoever answers for the county, and of an institution the team's specialist,
    too. Beneficiaries are the county's alone (programme §12)."""
    if may_see(session, by, served_of(session, stint).county):
        return True
    return stint.institution_id is not None and _of_team(session, by, stint.team_id)


def _of_team(session: Session, by: str, team_id: str | None) -> bool:
    team = session.get(Team, team_id) if team_id is not None else None
    if team is None:
        return False
    return any((held.scope_kind, held.scope) == ("team", team.number) for held in role.grants(session, by))


def leaders(session: Session, team_id: str) -> tuple[str, ...]:
    """Who leads a team today, the longest first."""
    query = select(TeamMember.person_id).where(TeamMember.team_id == team_id, col(TeamMember.left_at).is_(None))
    query = query.where(TeamMember.part == LEADER).order_by(col(TeamMember.joined_at), col(TeamMember.id))
    return tuple(session.exec(query))


def servers(session: Session, stint: Stint) -> tuple[str, ...]:
    """Who serves in a stint and hears of it: the volunteer; of a team whoever said yes, as long as they lead it, and
    then its leaders."""
    if stint.team_id is None:
        return (str(stint.person_id),)
    found = leaders(session, stint.team_id)
    return (stint.person_id,) if stint.person_id in found else found


def serves(session: Session, stint: Stint, by: str) -> bool:
    """Whether this one may act for whoever serves in a stint: the volunteer, or whoever leads the team today."""
    own = set(family(session, by))
    return stint.person_id in own if stint.team_id is None else bool(own.intersection(leaders(session, stint.team_id)))


def serves_now(session: Session, stint: Stint, reader: str) -> bool:
    """Whether the reader is one of its `servers`, and so reads what those who serve read."""
    return bool(set(servers(session, stint)).intersection(family(session, reader)))


def led_by(person_ids: Sequence[str]) -> Any:
    """The ids of the teams that one of these leads today, as part of a query."""
    query = select(TeamMember.team_id).where(TeamMember.part == LEADER, col(TeamMember.left_at).is_(None))
    return query.where(col(TeamMember.person_id).in_(person_ids))


def served_by(person_ids: Sequence[str]) -> Any:
    """Which stints one of these serves in, alone or for a team they lead today, as part of a query."""
    alone = and_(col(Stint.team_id).is_(None), col(Stint.person_id).in_(person_ids))
    return or_(alone, col(Stint.team_id).in_(led_by(person_ids)))


def answering(session: Session, county: str) -> list[str]:
    """Who answers for a county's people and can be reached; else who answers for it at all."""
    return reachable(session, county, but="") or role.responsible(session, county)


def tell_responsible(
    session: Session,
    somebody: Served,
    kind: str,
    params: dict[str, Any],
    key: str,
    first: str = "",
    *,
    team: str | None = None,
    priority: int = REPLY,
) -> int:
    """Tell who asked (`first`), or their deputy during a leave, if they still answer and can be reached, else everybody
    who does; returns how many. Of
    an institution the specialists of the `team` that serves it answer, too. What time brings, and not somebody's act,
    waits for the morning (`priority` REMINDER)."""

    def answers(one: str) -> bool:
        of_team = isinstance(somebody, Institution) and _of_team(session, one, team)
        return (role.covers_county(session, one, somebody.county) or of_team) and bool(doors(session, one))

    asked = in_place_of(session, first, answers)
    people = [asked] if asked is not None else answering(session, somebody.county)
    for one in people:
        enqueue(session, one, kind, params, unique_key=f"{key}:{one}", priority=priority)
    return len(people)
