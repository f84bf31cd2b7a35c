"""Teams of volunteers (志愿服务团队), who belongs to them, and regions that help each other (programme §1, §2).

A team has a home region and may be owned by a second one as well (a helping city and a helped county); it counts once,
at home. Its specialists are grants for the team (models/role.py); without any, whoever answers for its home does.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ids import new_id

STUDENT, GENERAL = KINDS = ("student", "general")
LEADER, MEMBER = PARTS = ("leader", "member")


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
