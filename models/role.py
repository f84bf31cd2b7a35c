"""Roles with scope: a grant is for a region prefix, a system or a team, and never reaches beyond it (programme §2)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import CheckConstraint, Index, column, table, text
from sqlalchemy import select as sql_select
from sqlmodel import Field, Session, SQLModel, col, select

from config import regions
from models import audit
from models.database import now_of
from models.ids import new_id
from models.outbox import enqueue

ROLES = ("specialist", "organiser")
SCOPES = ("region", "system", "team")
# models/team.py, which stands on this file, has it in full.
_TEAM = table("team", column("number"), column("region"), column("ended_at"))


class GrantError(Exception):
    """A grant that the rules do not allow; the text says why and what to do."""


class RoleGrant(SQLModel, table=True):
    """One role for one scope. `granted_by` and `seconded_by` are persons' ids, or "machine"."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        CheckConstraint(f"scope_kind IN {SCOPES}", name="scope_kind"),
        Index(
            "uq_role_grant_standing",
            "person_id",
            "role",
            "scope_kind",
            "scope",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    role: str
    scope_kind: str
    scope: str
    granted_by: str
    seconded_by: str = ""
    granted_at: datetime
    ended_at: datetime | None = None


class Scoped(Protocol):
    """A role for a scope, whoever answers by it."""

    @property
    def role(self) -> str: ...
    @property
    def scope_kind(self) -> str: ...
    @property
    def scope(self) -> str: ...


def grants(session: Session, person_id: str) -> list[RoleGrant]:
    """The roles a person holds now."""
    query = select(RoleGrant).where(RoleGrant.person_id == person_id, col(RoleGrant.ended_at).is_(None))
    return list(session.exec(query.order_by(col(RoleGrant.granted_at))))


def highest(session: Session, person_id: str) -> str:
    """ "organiser", "specialist" or, without a role, "volunteer": whose menu the person sees."""
    held = {grant.role for grant in grants(session, person_id)}
    return next((role for role in ("organiser", "specialist") if role in held), "volunteer")


def holds(session: Session, person_id: str, role: str, county: str | None = None) -> bool:
    """Whether the person holds the role, and for this county if one is named."""
    return any(
        grant.role == role
        and (county is None or (grant.scope_kind == "region" and regions.within(county, grant.scope)))
        for grant in grants(session, person_id)
    )


def reaches(held: Scoped, county: str | None) -> bool:
    """Whether a role takes in the people of a county; for those without a county every organiser of a region counts.
    A system or a team has no people who write to it."""
    if held.scope_kind != "region":
        return False
    return regions.within(county, held.scope) if county else held.role == "organiser"


def covers_county(session: Session, person_id: str, county: str | None) -> bool:
    """Whether the person holds a role today that takes in the people of a county, as `reaches`."""
    return any(reaches(held, county) for held in grants(session, person_id))


def responsible(session: Session, county: str) -> list[str]:
    """Who answers for a county's people: its specialists, else the organisers nearest to it. Never an empty promise:
    an empty list means that the deployment has nobody for this county."""
    query = select(RoleGrant).where(RoleGrant.scope_kind == "region", col(RoleGrant.ended_at).is_(None))
    covering = [grant for grant in session.exec(query) if regions.within(county, grant.scope)]
    for role in ("specialist", "organiser"):
        found = [grant for grant in covering if grant.role == role]
        if found:
            nearest = max(len(grant.scope) for grant in found)
            return sorted({grant.person_id for grant in found if len(grant.scope) == nearest})
    return []


def holding(session: Session, role: str, scope_kind: str, scope: str) -> list[RoleGrant]:
    """The grants in force of this role for exactly this scope, the oldest in front."""
    query = select(RoleGrant).where(
        RoleGrant.role == role,
        RoleGrant.scope_kind == scope_kind,
        RoleGrant.scope == scope,
        col(RoleGrant.ended_at).is_(None),
    )
    return list(session.exec(query.order_by(col(RoleGrant.granted_at), RoleGrant.id)))


def organisers(session: Session) -> set[str]:
    """Everybody who is an organiser anywhere."""
    query = select(RoleGrant.person_id).where(RoleGrant.role == "organiser", col(RoleGrant.ended_at).is_(None))
    return set(session.exec(query))


def grant(
    session: Session,
    person_id: str,
    role: str,
    scope_kind: str,
    scope: str,
    *,
    first: bool = False,
    by: str = "",
    seconded_by: str = "",
) -> RoleGrant:
    """Give a role, and tell the person. The first organiser comes from the machine, once; after that an organiser's
    word is needed for a specialist, and two organisers' for an organiser. While there is only one organiser, the second
    word is that of whoever holds the machine (`seconded_by="machine"`); so it is for a system or team in which no
    granting organiser holds a role. Raises GrantError."""
    _check_scope(scope_kind, scope)
    standing = organisers(session)
    if first:
        if standing:
            raise GrantError("there is an organiser already; name the granting organisers with --by and --second")
        by = seconded_by = "machine"
    else:
        _check_signatures(session, role, scope_kind, scope, by, seconded_by, standing)
    for held in grants(session, person_id):
        if (held.role, held.scope_kind, held.scope) == (role, scope_kind, scope):
            return held
    row = RoleGrant(
        person_id=person_id,
        role=role,
        scope_kind=scope_kind,
        scope=scope,
        granted_by=by,
        seconded_by=seconded_by,
        granted_at=now_of(session),
    )
    session.add(row)
    session.flush()
    audit.note(
        session, by, "role.granted", person_id, role=role, scope_kind=scope_kind, scope=scope, second=seconded_by
    )
    _tell(session, row, "granted")
    return row


def end_grant(session: Session, grant_id: str, by: str, *, operator: bool = False) -> None:
    """End a role, and tell the person. `operator` = whoever holds the machine agrees, which counts where no organiser
    holds the system or team. Raises GrantError for one that is not in force, that lies outside of what `by` may grant,
    or when that would leave no organiser at all."""
    row = session.get(RoleGrant, grant_id)
    if row is None or row.ended_at is not None:
        raise GrantError("no such grant is in force")
    _check_may_grant(session, by, row.scope_kind, row.scope, operator=operator)
    others = session.exec(
        select(RoleGrant).where(
            RoleGrant.role == "organiser", col(RoleGrant.ended_at).is_(None), RoleGrant.id != grant_id
        )
    ).all()
    if row.role == "organiser" and not others:
        raise GrantError("this is the last organiser; grant another one first")
    _end(session, row, by)


def end_scope(session: Session, scope_kind: str, scope: str, by: str) -> None:
    """End every role for a scope that is no more, and tell their people; but never that of the last organiser. Whether
    `by` may do so is for the caller to know."""
    query = select(RoleGrant).where(RoleGrant.scope_kind == scope_kind, RoleGrant.scope == scope)
    for row in session.exec(query.where(col(RoleGrant.ended_at).is_(None))).all():
        if row.role != "organiser" or organisers(session) != {row.person_id}:
            _end(session, row, by)


def _end(session: Session, row: RoleGrant, by: str) -> None:
    row.ended_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "role.ended", row.person_id, role=row.role, scope_kind=row.scope_kind, scope=row.scope)
    _tell(session, row, "ended")


def _tell(session: Session, row: RoleGrant, news: str) -> None:
    """`news`: "granted" or "ended"; each is told once."""
    enqueue(session, row.person_id, "notice.role", {"grant": row.id, "news": news}, unique_key=f"role:{row.id}:{news}")


def _check_scope(scope_kind: str, scope: str) -> None:
    if scope_kind == "region" and regions.get(scope) is None:
        raise GrantError(f"{scope} is no region code of 2, 4 or 6 digits that we know")
    if not scope:
        raise GrantError("a grant needs a scope")


def _check_signatures(
    session: Session, role: str, scope_kind: str, scope: str, by: str, second: str, standing: set[str]
) -> None:
    if not standing:
        raise GrantError("there is no organiser yet; make the first one with --first")
    _check_may_grant(session, by, scope_kind, scope, operator=second == "machine")
    if role != "organiser":
        return
    alone = len(standing) == 1 or (scope_kind != "region" and not _covers(session, by, scope_kind, scope))
    if second == "machine" and alone:
        return
    if second == by or second not in standing:
        raise GrantError("a second organiser must agree: name another one with --second")


def _covers(session: Session, organiser: str, scope_kind: str, scope: str) -> bool:
    """Whether an organiser's own scope reaches so far: a region within theirs, a team at home in it, or the very system
    or team."""
    mine = [held for held in grants(session, organiser) if held.role == "organiser"]
    place = scope if scope_kind == "region" else _home_of(session, scope) if scope_kind == "team" else ""
    if place and any(held.scope_kind == "region" and regions.within(place, held.scope) for held in mine):
        return True
    return any((held.scope_kind, held.scope) == (scope_kind, scope) for held in mine)


def _home_of(session: Session, team: str) -> str:
    """The home region of the standing team of this number; empty when there is none."""
    query = sql_select(_TEAM.c.region).where(_TEAM.c.number == team, _TEAM.c.ended_at.is_(None))
    return str(session.execute(query).scalar() or "")


def _check_may_grant(session: Session, by: str, scope_kind: str, scope: str, *, operator: bool) -> None:
    """A grant never reaches beyond what its organiser holds. Of systems and teams the machine's word decides as well,
    beside any organiser's."""
    by_machine = operator and scope_kind != "region" and by in organisers(session)
    if by_machine or _covers(session, by, scope_kind, scope):
        return
    raise GrantError("--by must name an organiser whose scope covers this one")
