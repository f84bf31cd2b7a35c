"""A whole team's pairings handed over at once: before graduation with a keeper for the summer, or from one organisation
to another (组织间交接, programme §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlmodel import Session, col, or_, select

from models import role
from models.beneficiary import Beneficiary, may_see
from models.offering import Candidate, OfferError, offer
from models.pairing import LEAD, OPEN, Stint
from models.relay import STANDING, Relay
from models.relaying import begin_batch
from models.stints import StintError
from models.team import LEADER, Team, TeamMember


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of it: how many relays began, how many had been begun before, how many could not be; and of those
    begun, how many families the other team was asked about and how many not."""

    name: str
    begun: int
    before: int
    left: int
    offered: int = 0
    not_offered: int = 0


def team_of(session: Session, number: str) -> Team | None:
    """The team with this number that has not ended."""
    query = select(Team).where(Team.number == number.strip().upper(), col(Team.ended_at).is_(None))
    return session.exec(query).first()


def leader_of(session: Session, team_id: str) -> str | None:
    """Who has led a team for longest; None where nobody does."""
    query = select(TeamMember.person_id).where(TeamMember.team_id == team_id, col(TeamMember.left_at).is_(None))
    return session.exec(query.where(TeamMember.part == LEADER).order_by(col(TeamMember.joined_at))).first()


def pairings_of(session: Session, team_id: str, by: str) -> tuple[list[Stint], int]:
    """The open pairings of a team and of its members by themselves, of those whom `by` answers for; and how many others
    there are."""
    members = select(TeamMember.person_id).where(TeamMember.team_id == team_id, col(TeamMember.left_at).is_(None))
    alone = col(Stint.team_id).is_(None) & col(Stint.person_id).in_(members)
    query = (
        select(Stint, Beneficiary.county)
        .join(Beneficiary, col(Beneficiary.id) == Stint.beneficiary_id)
        .where(or_(Stint.team_id == team_id, alone), Stint.part == LEAD, Stint.state == OPEN)
        .order_by(col(Stint.opened_at), col(Stint.id))
    )
    rows = session.exec(query).all()
    sees = {county: may_see(session, by, county) for county in {county for _stint, county in rows}}
    theirs = [stint for stint, county in rows if sees[county]]
    return theirs, len(rows) - len(theirs)


def may_keep(session: Session, keeper: str, stints: Sequence[Stint]) -> bool:
    """Whether somebody answers for the counties of all whom these stints are about."""
    ids = [stint.beneficiary_id for stint in stints]
    counties = session.exec(select(Beneficiary.county).where(col(Beneficiary.id).in_(ids)).distinct())
    return all(role.covers_county(session, keeper, county) for county in counties)


def hand_over_team(
    session: Session,
    team: Team,
    reason: str,
    last_day: date,
    by: str,
    *,
    keeper: str | None = None,
    to: Team | None = None,
) -> Batch:
    """Begin a relay of each pairing of a team; with `to` the other team's leader is asked about each of them. For a few
    alone: models/relaying_asked.py does many. Raises StintError ("keeper", "leader" = nobody leads the other team)."""
    stints, others = pairings_of(session, team.id, by)
    if to is not None and leader_of(session, to.id) is None:
        raise StintError("leader")
    done = hand_over(session, stints, reason, last_day, by, keeper=keeper, to=to)
    return replace(done, left=done.left + others)


def hand_over(
    session: Session,
    stints: Sequence[Stint],
    reason: str,
    last_day: date,
    by: str,
    *,
    keeper: str | None = None,
    to: Team | None = None,
    batch: str = "",
    told_after: timedelta = timedelta(0),
) -> Batch:
    """The same for these pairings, under a name that the batch may have already; `told_after` as of `begin_batch`.
    Raises StintError("keeper")."""
    ids = [stint.id for stint in stints]
    query = select(Relay.stint_id).where(col(Relay.state).in_(STANDING), col(Relay.stint_id).in_(ids))
    standing = set(session.exec(query))
    name, begun, left = begin_batch(
        session, ids, reason, last_day, by, keeper=keeper, batch=batch, told_after=told_after
    )
    before = sum(relay.stint_id in standing for relay in begun)
    offered, not_offered = _offer(session, stints, begun, to, by) if to else (0, 0)
    return Batch(name, len(begun) - before, before, len(left), offered, not_offered)


def _offer(session: Session, stints: Sequence[Stint], begun: Sequence[Relay], to: Team, by: str) -> tuple[int, int]:
    known, leader = {relay.stint_id for relay in begun}, leader_of(session, to.id)
    if leader is None:
        return 0, len(begun)
    asked = refused = 0
    for stint in stints:
        if stint.id not in known or stint.beneficiary_id is None:
            continue
        try:
            offer(session, stint.beneficiary_id, [Candidate(leader, to.id)], by)
            asked += 1
        except OfferError:
            refused += 1
    return asked, refused
