"""Teams of volunteers (志愿服务团队), who belongs to them, and regions that help each other (programme §1, §2).

A team has a home region and may be owned by a second one as well (a helping city and a helped county); it counts once,
at home. Its specialists are grants for the team (models/role.py); without any, whoever answers for its home does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, or_, text
from sqlmodel import Field, Session, SQLModel, col, select

from config import regions
from config.catalogue import rules
from models import audit, role
from models.beneficiary import MACHINE
from models.database import now_of
from models.ids import new_id, new_number
from models.outbox import enqueue
from models.pairing import ENDED, LEAD, Stint

STUDENT, GENERAL = KINDS = ("student", "general")
LEADER, MEMBER = PARTS = ("leader", "member")
MOST_SERVED = 500  # the capacity of a whole station (programme §5)
LONGEST_NAME = 40  # characters


class Team(SQLModel, table=True):
    """One team. `number` is public and never used twice; `region` and `helps` are region codes of 2, 4 or 6 digits;
    `capacity` = how many served people it takes (结对人数) as a team. A "student" team's visits are due a month earlier
    (programme §6). `made_by` is a person's id, or "machine". Times are programme time, UTC."""

    __tablename__ = "team"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("capacity > 0", name="capacity"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    number: str = Field(unique=True)
    name: str
    kind: str = GENERAL
    region: str = Field(index=True)
    helps: str | None = Field(default=None, index=True)
    capacity: int
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None


class TeamMember(SQLModel, table=True):
    """Somebody belongs to a team, as its leader or not. A row is never changed but to end it."""

    __tablename__ = "team_member"
    __table_args__ = (
        CheckConstraint(f"part IN {PARTS}", name="part"),
        Index(
            "uq_team_member_standing",
            "team_id",
            "person_id",
            unique=True,
            sqlite_where=text("left_at IS NULL"),
            postgresql_where=text("left_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    team_id: str = Field(foreign_key="team.id")
    person_id: str = Field(foreign_key="person.id", index=True)
    part: str = MEMBER
    added_by: str
    joined_at: datetime
    left_at: datetime | None = None


class RegionPair(SQLModel, table=True):
    """A region that helps another one: volunteers and teams of `helper` may be paired with people of `helped`. It gives
    nobody a look into the other's ledger. `granted_by` and `seconded_by` are persons' ids, or "machine"."""

    __tablename__ = "region_pair"
    __table_args__ = (
        CheckConstraint("helper <> helped", name="differ"),
        Index(
            "uq_region_pair_standing",
            "helper",
            "helped",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    helper: str
    helped: str = Field(index=True)
    granted_by: str
    seconded_by: str
    granted_at: datetime
    ended_at: datetime | None = None


class TeamError(Exception):
    """The rules of teams do not allow this; `reason` is what the words are chosen by.

    "gone" — no such team stands; "scope" — whoever acts does not answer for it; "region" — no such region; "name" — no
    name of 2 to 40 characters; "taken" — another team of the region has this name; "capacity" — not 1 to MOST_SERVED;
    "pair" — no standing pair of regions lets it help there; "stints" — somebody is still paired with it, or is being
    agreed with it; "number" — no volunteer of this number whom it may take in; "inactive" — the volunteer may not
    serve now; "minor" — a minor leads no team; "stranger" — the volunteer is no member.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def create(session: Session, by: str, name: str, region: str, kind: str = GENERAL, capacity: int | None = None) -> Team:
    """A new team of a region (2, 4 or 6 digits), by an organiser whose scope covers it, or MACHINE. `capacity` = how
    many served people it takes; None = rules.toml, pairing.team_capacity. The very same team again by the same person
    is that team. Raises TeamError."""
    place = regions.get(region)
    if place is None:
        raise TeamError("region")
    if not _organises(session, by, place.code):
        raise TeamError("scope")
    size = rules().pairing.team_capacity if capacity is None else capacity
    called = _checked_name(name)
    _check_capacity(size)
    found = named(session, called, place.code)
    if found is not None:
        if (found.made_by, found.kind, found.capacity) == (by, kind, size):
            return found
        raise TeamError("taken")
    team = Team(
        number=_unused_number(session),
        name=called,
        kind=kind,
        region=place.code,
        capacity=size,
        made_by=by,
        made_at=now_of(session),
    )
    session.add(team)
    session.flush()
    audit.note(session, by, "team.created", team.id, region=team.region, kind=kind, capacity=size)
    return team


def rename(session: Session, by: str, team_id: str, name: str) -> Team:
    """Give it another name. Raises TeamError."""
    team = _to_decide(session, by, team_id)
    called = _checked_name(name)
    other = named(session, called, team.region)
    if other is not None and other.id != team.id:
        raise TeamError("taken")
    return _changed(session, by, team, "name", called, said="")


def set_capacity(session: Session, by: str, team_id: str, capacity: int) -> Team:
    """How many served people it takes. A smaller number ends no pairing; there are no free places then. Raises
    TeamError."""
    team = _to_decide(session, by, team_id)
    _check_capacity(capacity)
    return _changed(session, by, team, "capacity", capacity, said=str(capacity))


def set_helps(session: Session, by: str, team_id: str, region: str | None) -> Team:
    """The second region that owns it, where a standing pair of regions allows that; None takes it away. Raises
    TeamError."""
    team = _to_decide(session, by, team_id)
    place = regions.get(region) if region else None
    if region and place is None:
        raise TeamError("region")
    if place is not None and not may_help(session, team.region, place.code):
        raise TeamError("pair")
    code = place.code if place is not None else None
    return _changed(session, by, team, "helps", code, said=code or "")


def end(session: Session, by: str, team_id: str) -> bool:
    """Dissolve it: its members and specialists are told, nothing is deleted. False when that was done before. Raises
    TeamError, with "stints" while anybody served has an open pairing with it, or one that is being agreed."""
    query = select(Team).where(Team.id == team_id).with_for_update(key_share=True)
    team = session.exec(query.execution_options(populate_existing=True)).first()
    if team is None:
        raise TeamError("gone")
    if not decides(session, by, team):
        raise TeamError("scope")
    if team.ended_at is not None:
        return False
    if is_paired(session, team_id):
        raise TeamError("stints")
    for held in members(session, team):
        leave(session, by, held, "ended")
    role.end_scope(session, "team", team.number, by)
    team.ended_at = now_of(session)
    session.add(team)
    session.flush()
    audit.note(session, by, "team.ended", team.id)
    return True


# Who belongs to it


def members(session: Session, team: Team) -> list[TeamMember]:
    """Who belongs to it now: the leader first, then whoever joined first."""
    query = select(TeamMember).where(TeamMember.team_id == team.id, col(TeamMember.left_at).is_(None))
    found = session.exec(query.order_by(col(TeamMember.joined_at), TeamMember.id)).all()
    return sorted(found, key=lambda held: held.part != LEADER)


def leader_of(session: Session, team: Team) -> TeamMember | None:
    """Its leader, if it has one."""
    return next((held for held in members(session, team) if held.part == LEADER), None)


def teams_of(session: Session, person_id: str) -> list[Team]:
    """The teams that somebody belongs to, by name."""
    belongs = [held.team_id for held in memberships(session, person_id)]
    query = select(Team).where(col(Team.id).in_(belongs), col(Team.ended_at).is_(None))
    return list(session.exec(query.order_by(Team.name, Team.id)))


# Who answers for it, and who may see it


def by_team_number(session: Session, number: str) -> Team | None:
    """The team of a public number, also one that was dissolved."""
    return session.exec(select(Team).where(Team.number == number)).first()


def specialists_of(session: Session, team: Team) -> list[str]:
    """Who looks after it: the specialists granted for the team, else whoever is responsible for its home region."""
    own = sorted({held.person_id for held in role.holding(session, "specialist", "team", team.number)})
    return own or role.responsible(session, team.region)


def decides(session: Session, person_id: str, team: Team) -> bool:
    """Whether somebody may rename or dissolve it, set its capacity or its specialists: MACHINE, and organisers of its
    home region or of the team."""
    return _organises(session, person_id, team.region) or any(
        (held.role, held.scope_kind, held.scope) == ("organiser", "team", team.number)
        for held in role.grants(session, person_id)
    )


def may_manage(session: Session, person_id: str, team: Team) -> bool:
    """Whether somebody may take members in and out: who `decides`, and specialists of the team or its home region."""
    if person_id == MACHINE:
        return True
    for held in role.grants(session, person_id):
        if held.scope_kind == "region" and regions.within(team.region, held.scope):
            return True
        if (held.scope_kind, held.scope) == ("team", team.number):
            return True
    return False


def seen_by(session: Session, person_id: str) -> list[Team]:
    """The standing teams that somebody's roles let them see: those of their regions, at home there or helping there,
    and those that a role was given for. In the order of regions and names."""
    held = role.grants(session, person_id)
    places = [place.code for each in held if each.scope_kind == "region" and (place := regions.get(each.scope))]
    numbers = [each.scope for each in held if each.scope_kind == "team"]
    if not places and not numbers:
        return []
    near = [field.startswith(code) for code in places for field in (col(Team.region), col(Team.helps))]
    query = select(Team).where(col(Team.ended_at).is_(None), or_(col(Team.number).in_(numbers), *near))
    return list(session.exec(query.order_by(Team.region, Team.name, Team.id)))


def places_taken(session: Session, team: Team) -> int:
    """How many people and institutions have an open pairing with it, or one that is being agreed: what a further one
    is refused by (models/stints.py, team_load)."""
    served = func.count(func.coalesce(Stint.beneficiary_id, Stint.institution_id).distinct())
    query = select(served).where(Stint.team_id == team.id, Stint.part == LEAD, Stint.state != ENDED)
    return int(session.exec(query).one())


def may_help(session: Session, helper: str, helped: str) -> bool:
    """Whether a standing pair of regions covers both of these."""
    return any(
        regions.within(helper, pair.helper) and regions.within(helped, pair.helped) for pair in standing_pairs(session)
    )


def standing_pairs(session: Session) -> list[RegionPair]:
    """The pairs of regions in force, in the order of their codes."""
    query = select(RegionPair).where(col(RegionPair.ended_at).is_(None))
    return list(session.exec(query.order_by(RegionPair.helper, RegionPair.helped)))


def _organises(session: Session, person_id: str, region: str) -> bool:
    return person_id == MACHINE or any(
        held.role == "organiser" and held.scope_kind == "region" and regions.within(region, held.scope)
        for held in role.grants(session, person_id)
    )


def locked(session: Session, team_id: str) -> Team:
    """The standing team, of which nobody else changes anything until the transaction ends: whoever pairs with it takes
    this first, so that it is not dissolved meanwhile. Raises TeamError("gone")."""
    query = select(Team).where(Team.id == team_id, col(Team.ended_at).is_(None)).with_for_update(key_share=True)
    team = session.exec(query.execution_options(populate_existing=True)).first()
    if team is None:
        raise TeamError("gone")
    return team


def _to_decide(session: Session, by: str, team_id: str) -> Team:
    team = locked(session, team_id)
    if not decides(session, by, team):
        raise TeamError("scope")
    return team


def _changed(session: Session, by: str, team: Team, field: str, value: Any, *, said: str) -> Team:
    if getattr(team, field) != value:
        setattr(team, field, value)
        session.add(team)
        session.flush()
        audit.note(session, by, f"team.{field}", team.id, value=said)
    return team


def is_paired(session: Session, team_id: str, person_id: str | None = None) -> bool:
    """Whether it has a pairing that is open or being agreed; of `person_id`, if one is named, where they serve in it:
    not once somebody else leads the team."""
    query = select(Stint.id).where(Stint.team_id == team_id, Stint.state != ENDED)
    if person_id is not None:
        leading = select(TeamMember.person_id).where(TeamMember.team_id == team_id, TeamMember.part == LEADER)
        people = set(session.exec(leading.where(col(TeamMember.left_at).is_(None))))
        if people and person_id not in people:
            return False
        if people != {person_id}:
            query = query.where(Stint.person_id == person_id)
    return session.exec(query.limit(1)).first() is not None


def memberships(session: Session, person_id: str) -> list[TeamMember]:
    """What somebody belongs to now, as rows."""
    query = select(TeamMember).where(TeamMember.person_id == person_id, col(TeamMember.left_at).is_(None))
    return list(session.exec(query))


def leave(session: Session, by: str, held: TeamMember, news: str) -> None:
    """Somebody belongs to it no more; whether `by` may say so is for the caller to know. `news` as in `tell`."""
    held.left_at = now_of(session)
    session.add(held)
    session.flush()
    audit.note(session, by, "team.left", held.team_id, member=held.person_id)
    tell(session, held.id, held.person_id, news)


def tell(session: Session, row: str, person_id: str, news: str) -> None:
    """`news`: "joined", "leader", "follower" (leads no longer), "removed", "ended"; empty = they know."""
    if news:
        enqueue(session, person_id, "notice.team", {"member": row, "news": news}, unique_key=f"team:{row}:{news}")


def named(session: Session, name: str, region: str) -> Team | None:
    """The standing team of exactly this name in exactly this region."""
    query = select(Team).where(Team.region == region, Team.name == name, col(Team.ended_at).is_(None))
    return session.exec(query).first()


def _checked_name(name: str) -> str:
    called = " ".join(name.split())
    if not 2 <= len(called) <= LONGEST_NAME:
        raise TeamError("name")
    return called


def _check_capacity(capacity: int) -> None:
    if not 0 < capacity <= MOST_SERVED:
        raise TeamError("capacity")


def _unused_number(session: Session) -> str:
    """A number that no team had before; the unique key stands behind it."""
    while True:
        number = new_number()
        if by_team_number(session, number) is None:
            return number
