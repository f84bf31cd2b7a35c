"""`nuanyang grant` and `nuanyang grants`: who may do what, and for which scope."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.commands.shared import Problem, configured, opened, person_of, say, zone_of
from config import regions
from config.texts import _
from models import audit, role
from models.handover import HandedOver, hand_over
from models.role import GrantError, RoleGrant
from models.team import by_team_number
from models.volunteer import volunteer_of

OPERATOR = "machine"


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(help=_("授予或结束一个角色。第一位管理员用 --first；以后授予管理员要两位管理员同意。"))(grant)
    app.command(help=_("列出现在有效的角色（只有编号，没有姓名）。"))(grants)


def grant(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help=_("志愿者编号"))] = "",
    role_name: Annotated[str, typer.Argument(metavar="ROLE", help="specialist | organiser")] = "",
    region: Annotated[str, typer.Option(metavar="CODE", help=_("行政区划代码，2、4 或 6 位"))] = "",
    system: Annotated[str, typer.Option(metavar="CODE", help=_("系统，如铁道、民航"))] = "",
    team: Annotated[str, typer.Option(metavar="CODE", help=_("团队编号，见 nuanyang team list"))] = "",
    first: Annotated[bool, typer.Option("--first", help=_("第一位管理员，只能用一次"))] = False,
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁授予或结束：管理员的编号"))] = "",
    second: Annotated[str, typer.Option(metavar="NUMBER", help=_("第二位同意的管理员的编号"))] = "",
    operator: Annotated[
        bool, typer.Option("--operator", help=_("由本机操作者同意：只有一位管理员时，或系统、团队还没有自己的管理员时"))
    ] = False,
    reason: Annotated[str, typer.Option(help=_("用 --operator 的理由，会留痕"))] = "",
    end: Annotated[str, typer.Option("--end", metavar="ID", help=_("结束一个角色，编号见 nuanyang grants"))] = "",
) -> None:
    """Give or end a role."""
    if operator and not reason.strip():
        raise Problem(_("用 --operator 要写明理由：加上 --reason。"))
    if end:
        if not by:
            raise Problem(_("结束角色要写明谁来结束：加上 --by 管理员的编号。"))
        _end(end, by, reason.strip() if operator else "")
        return
    kind, scope = _scope(region, system, team)
    if not number or role_name not in role.ROLES:
        raise Problem(_("写法：nuanyang grant 志愿者编号 specialist|organiser --region 代码。"))
    if first and role_name != "organiser":
        raise Problem(_("--first 只用来设第一位管理员：角色写 organiser。"))
    with opened() as database:
        with database.write() as session:
            person = person_of(session, number)
            seconded = OPERATOR if operator else person_of(session, second) if second else ""
            try:
                made = role.grant(
                    session,
                    person,
                    role_name,
                    kind,
                    scope,
                    first=first,
                    by=person_of(session, by) if by else "",
                    seconded_by=seconded,
                )
            except GrantError as error:
                raise Problem(_why(error)) from None
            if operator:
                audit.note(session, OPERATOR, "role.operator_agreed", made.id, reason=reason.strip()[:200])
            key = made.id
        passed = hand_over(database)
    say(_("已授予：{number} {role} {scope}（{id}）。").format(number=number, role=role_name, scope=scope, id=key))
    _tell_passed_on(passed)


def _end(grant_id: str, by: str, operator: str) -> None:
    """`operator` = the reason why whoever holds the machine agrees, empty without."""
    with opened() as database:
        with database.write() as session:
            try:
                role.end_grant(session, grant_id, person_of(session, by), operator=bool(operator))
            except GrantError as error:
                raise Problem(_why(error)) from None
            if operator:
                audit.note(session, OPERATOR, "role.operator_agreed", grant_id, reason=operator[:200])
        passed = hand_over(database)
    say(_("已结束：{id}。").format(id=grant_id))
    _tell_passed_on(passed)


def _tell_passed_on(passed: HandedOver) -> None:
    say(_("正在聊天里告诉本人。"))
    if passed.contacts or passed.alerts:
        told = _("原来没有人收的留言 {contacts} 条、求助 {alerts} 条，正在转给现在负责的人。")
        say(told.format(contacts=passed.contacts, alerts=passed.alerts))


def grants() -> None:
    """Every role in force."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        rows = session.exec(select(RoleGrant).where(col(RoleGrant.ended_at).is_(None)).order_by(RoleGrant.id)).all()
        if rows:
            say("\t".join([_("编号"), _("志愿者"), _("角色"), _("范围"), _("开始")]))
        for row in rows:
            scope = _shown(session, row)
            since = f"{row.granted_at.astimezone(zone):%Y-%m-%d}"
            say("\t".join([row.id, _number(session, row.person_id), row.role, scope, since]))
    if not rows:
        say(_("还没有任何角色：第一位管理员用 nuanyang grant 编号 organiser --region 代码 --first 设定。"))


def _number(session: Session, person_id: str) -> str:
    found = volunteer_of(session, person_id)
    return found.number if found else "-"


def _shown(session: Session, row: RoleGrant) -> str:
    place = regions.place_words(row.scope) if row.scope_kind == "region" else ""
    team = by_team_number(session, row.scope) if row.scope_kind == "team" else None
    place = team.name if team is not None else place
    return f"{row.scope_kind}:{row.scope} {place}".rstrip()


def _scope(region: str, system: str, team: str) -> tuple[str, str]:
    given = [(kind, code) for kind, code in (("region", region), ("system", system), ("team", team)) if code]
    if len(given) != 1:
        raise Problem(_("要写明一个范围：--region、--system、--team 三选一。"))
    kind, code = given[0]
    if kind == "region" and regions.get(code) is None:
        raise Problem(_("没有行政区划代码 {code}：要 2、4 或 6 位，如 44、4401、440106。").format(code=code))
    return kind, code


def _why(error: GrantError) -> str:
    """The rule's refusal in the words of the terminal."""
    words = {
        "there is an organiser already": _("已经有管理员了：用 --by 和 --second 写明授予的两位管理员。"),
        "there is no organiser yet": _("还没有管理员：第一位用 --first 设定。"),
        "--by must name an organiser": _(
            "--by 要写一位管理范围包括这里的管理员的编号；系统、团队还没有自己的管理员时，加上 --operator。"
        ),
        "a second organiser must agree": _("还要第二位管理员同意：用 --second 写明；只有一位时用 --operator。"),
        "no such grant": _("没有这个有效的角色：编号见 nuanyang grants。"),
        "this is the last organiser": _("这是最后一位管理员：先设好另一位。"),
    }
    return next((said for start, said in words.items() if str(error).startswith(start)), str(error))
