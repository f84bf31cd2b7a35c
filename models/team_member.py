"""Who is taken into a team, leads it and leaves it. What a team is, and who answers for it, is in models/team.py."""

from __future__ import annotations

from sqlmodel import Session, col, select

from config import regions
from config.catalogue import rules
from models import audit, role
from models.database import insert_once, now_of
from models.ids import new_id
from models.person import Person, local_now
from models.team import (
    LEADER,
    MEMBER,
    Team,
    TeamError,
    TeamMember,
    is_paired,
    leader_of,
    leave,
    locked,
    may_help,
    may_manage,
    members,
    memberships,
    tell,
)
from models.volunteer import ACTIVE, Volunteer, age_on, by_number, counting


def add(session: Session, by: str, team_id: str, number: str) -> bool:
    """Take in the volunteer of this number: active, and of its regions, of one that helps them, or of those that
    whoever acts answers for. False when he or she is a member already. Raises TeamError."""
    team = _to_manage(session, by, team_id)
    # Locked: a registration that is being deleted becomes no member.
    query = counting().where(Volunteer.number == number).with_for_update(key_share=True)
    volunteer = session.exec(query.execution_options(populate_existing=True)).first()
    if volunteer is None or volunteer.county is None or not _may_take(session, by, team, volunteer.county):
        raise TeamError("number")
    if volunteer.status != ACTIVE:
        raise TeamError("inactive")
    return _join(session, by, team, volunteer.person_id, MEMBER)


def set_leader(session: Session, by: str, team_id: str, number: str) -> bool:
    """Make a member its one leader; who was it before stays a member. False when that is so already. Raises
    TeamError."""
    team = _to_manage(session, by, team_id)
    volunteer = by_number(session, number)
    held = _membership(session, team, volunteer.person_id) if volunteer is not None else None
    if volunteer is None or held is None:
        raise TeamError("stranger")
    if volunteer.status != ACTIVE:
        raise TeamError("inactive")
    if not is_adult(session, volunteer):
        raise TeamError("minor")
    if held.part == LEADER:
        return False
    before = leader_of(session, team)
    if before is not None:
        leave(session, by, before, "")
        _join(session, by, team, before.person_id, MEMBER, news="follower")
    leave(session, by, held, "")
    return _join(session, by, team, volunteer.person_id, LEADER, news="leader")


def remove(session: Session, by: str, team_id: str, number: str) -> bool:
    """Take a member out, or let him or her go (`by` = the member). False when there is none of this number. Raises
    TeamError, with "stints" while people are paired with the member in this team."""
    team = locked(session, team_id)
    volunteer = by_number(session, number)
    own = volunteer is not None and volunteer.person_id == by
    if not own and not may_manage(session, by, team):
        raise TeamError("scope")
    held = _membership(session, team, volunteer.person_id) if volunteer is not None else None
    if held is None:
        return False
    if is_paired(session, team_id, held.person_id):
        raise TeamError("stints")
    leave(session, by, held, "" if own else "removed")
    return True


def take_out(session: Session, by: str, team_id: str, person_id: str) -> None:
    """As `remove`, by the person's id: the number may have gone with a registration. Raises TeamError."""
    team = _to_manage(session, by, team_id)
    held = _membership(session, team, person_id)
    if held is None:
        raise TeamError("stranger")
    if is_paired(session, team_id, person_id):
        raise TeamError("stints")
    leave(session, by, held, "removed")


def lead_again(session: Session, by: str, team_id: str, person_id: str | None) -> None:
    """Whoever leads it now is a plain member again, and this member its leader, if one is named. Raises TeamError."""
    team = _to_manage(session, by, team_id)
    now = leader_of(session, team)
    held = _membership(session, team, person_id) if person_id is not None else None
    if person_id is not None and held is None:
        raise TeamError("stranger")
    if now is not None:
        leave(session, by, now, "")
        _join(session, by, team, now.person_id, MEMBER, news="follower")
    if held is not None:
        leave(session, by, held, "")
        _join(session, by, team, held.person_id, LEADER, news="leader")


def forget_member(session: Session, person_id: str) -> None:
    """Somebody deletes their data: they belong to no team from now on. Numbers and dates stay."""
    for held in memberships(session, person_id):
        leave(session, person_id, held, "")


def team_rows(session: Session, person_id: str) -> list[TeamMember]:
    """All that is kept of somebody's teams, the first one in front."""
    query = select(TeamMember).where(TeamMember.person_id == person_id)
    return list(session.exec(query.order_by(col(TeamMember.joined_at), TeamMember.id)))


def is_adult(session: Session, volunteer: Volunteer) -> bool:
    """Whether a volunteer is no minor any more, whatever he or she earns."""
    today = local_now(session, session.get_one(Person, volunteer.person_id)).date()
    born = volunteer.birth_date
    return born is not None and age_on(born, today) >= rules().registration.guardian_consent_below


def _may_take(session: Session, by: str, team: Team, county: str) -> bool:
    own = (team.region, team.helps) if team.helps else (team.region,)
    if any(regions.within(county, code) or may_help(session, county, code) for code in own):
        return True
    return role.covers_county(session, by, county)


def _to_manage(session: Session, by: str, team_id: str) -> Team:
    team = locked(session, team_id)
    if not may_manage(session, by, team):
        raise TeamError("scope")
    return team


def _membership(session: Session, team: Team, person_id: str) -> TeamMember | None:
    return next((held for held in members(session, team) if held.person_id == person_id), None)


def _join(session: Session, by: str, team: Team, person_id: str, part: str, *, news: str = "joined") -> bool:
    row = new_id()
    made = session.execute(
        insert_once(session, TeamMember).values(
            id=row, team_id=team.id, person_id=person_id, part=part, added_by=by, joined_at=now_of(session)
        )
    )
    if not getattr(made, "rowcount", 0):
        return False
    audit.note(session, by, "team.joined", team.id, member=person_id, part=part)
    tell(session, row, person_id, news)
    return True
