"""What somebody answers for, in words, and what waits for them."""

from __future__ import annotations

from sqlmodel import Session

from config.regions import place_name
from config.texts import _
from handlers.message import Option
from models.alert import open_for
from models.contact_waiting import waiting_for
from models.role import RoleGrant, grants
from models.team import by_team_number


def role(row: RoleGrant) -> str:
    """The name of a role."""
    return {"specialist": _("项目专员"), "organiser": _("管理员")}[row.role]


def scope(session: Session, row: RoleGrant) -> str:
    """What a role is held for; a team by its name, also one that was dissolved."""
    if row.scope_kind == "region":
        return place_name(row.scope)
    if row.scope_kind == "system":
        return _("{code}系统").format(code=row.scope)
    team = by_team_number(session, row.scope)
    return _("{code}团队").format(code=_("“{name}”").format(name=team.name) if team else row.scope)


def still(session: Session, person_id: str) -> tuple[str, tuple[Option, ...]]:
    """What somebody answers for who has just come back, and how much waits for them; empty without a role."""
    held = [row for row in grants(session, person_id) if row.scope_kind == "region"]
    if not held:
        return "", ()
    lines = [_("你仍是{role}，负责：{scope}。").format(role=role(row), scope=scope(session, row)) for row in held]
    more, options = waits(session, person_id)
    return "\n".join([*lines, *more]), options


def waits(session: Session, person_id: str) -> tuple[list[str], tuple[Option, ...]]:
    """How many messages and cries for help wait for somebody."""
    lines: list[str] = []
    options: tuple[Option, ...] = ()
    if waiting := len(waiting_for(session, person_id)):
        lines.append(_("有 {count} 条留言等你答复，回复“留言”就能看到。").format(count=waiting))
        options = (Option("m:messages", _("留言")),)
    if cries := len(open_for(session, person_id)):
        lines.append(_("有 {count} 条求助还没有办结，回复“求助”就能看到。").format(count=cries))
    return lines, options
