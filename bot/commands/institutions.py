"""`nuanyang institution …`: institutions that teams are paired with."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, opened, person_of, say
from config import regions
from config.catalogue import rules
from config.services import entries
from config.texts import _
from models import institution, institution_pairing
from models.agreement import Terms
from models.institution import Institution, InstitutionError, by_institution_number, standing
from models.pairing import AGREEING
from models.stints import StintError, lead_of_institution
from models.team import Team, by_team_number

_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：负责这个区县的管理员或专员的编号"))]
_Number = Annotated[str, typer.Argument(metavar="INSTITUTION", help=_("机构编号，见 nuanyang institution list"))]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("助残机构：登记、列出、和团队结对、结束结对。"))
    group.command("add", help=_("登记一个机构。"))(create)
    group.command("list", help=_("列出机构和它们的结对。"))(list_all)
    group.command(help=_("写一份团队和机构的协议，由队长在聊天里接受。"))(pair)
    group.command(help=_("结束一个机构现在的结对。"))(end)
    group.command(help=_("结束一个机构本身（停办，或登记错了）；还有结对的要先结束结对。"))(close)
    app.add_typer(group, name="institution")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("机构名称"))],
    county: Annotated[str, typer.Option(metavar="CODE", help=_("区县的行政区划代码"))],
    by: _By,
    kind: Annotated[str, typer.Option(help="rehabilitation | care | employment | school | other")] = "other",
) -> None:
    """Write an institution down."""
    with opened() as database, database.write() as session:
        try:
            row = institution.create(session, person_of(session, by), name, kind, county)
        except InstitutionError as error:
            raise Problem(_why(error.reason)) from None
        number = row.number
    say(_("已登记：{name}（{number}）。").format(name=name, number=number))


def list_all(
    region: Annotated[str, typer.Option(metavar="CODE", help=_("只看这个地区，行政区划代码 2、4 或 6 位"))] = "",
) -> None:
    """Every institution with the team that is paired with it."""
    with opened() as database, database.read() as session:
        rows = [_row(session, one) for one in standing(session, region)]
    if not rows:
        say(_("还没有登记机构：nuanyang institution add 名称 --county 代码 --by 编号。"))
        return
    say("\t".join([_("编号"), _("名称"), _("类别"), _("区县"), _("团队"), _("状态")]))
    for row in rows:
        say("\t".join(row))


def _row(session: Session, one: Institution) -> list[str]:
    stint = lead_of_institution(session, one.id) or lead_of_institution(session, one.id, AGREEING)
    team = session.get(Team, stint.team_id) if stint is not None else None
    state = _("没有结对") if stint is None else _("等队长接受") if stint.state == AGREEING else _("结对中")
    return [one.number, one.name, one.kind, regions.place_words(one.county), team.number if team else "-", state]


def pair(
    number: _Number,
    team: Annotated[str, typer.Option(metavar="TEAM", help=_("团队编号"))],
    by: _By,
    service: Annotated[list[str] | None, typer.Option(help=_("约定的服务，可以写几次，如 --service culture"))] = None,
    activities: Annotated[int, typer.Option(help=_("一年活动几次"))] = 0,
    months: Annotated[int, typer.Option(help=_("约定几个月"))] = 0,
) -> None:
    """Write the agreement of a team with an institution."""
    unknown = [key for key in service or [] if key not in entries("service")]
    if unknown:
        known = _("、").join(entries("service"))
        raise Problem(_("没有这种服务：{what}。可以写：{known}。").format(what=unknown[0], known=known))
    usual = rules().pairing
    terms = Terms(tuple(service or []), activities or usual.activities_a_year, months or usual.term_months)
    with opened() as database, database.write() as session:
        one, its = _found(session, number), by_team_number(session, team)
        if its is None:
            raise Problem(_("没有这个团队：编号见 nuanyang team list。"))
        try:
            institution_pairing.agree(session, one.id, its.id, terms, person_of(session, by))
        except StintError as error:
            raise Problem(_refused(error.reason)) from None
    say(_("协议写好了，正在请队长在聊天里接受；接受以后结对成立。"))


def end(number: _Number, by: _By) -> None:
    """End the pairing of an institution."""
    with opened() as database, database.write() as session:
        one = _found(session, number)
        try:
            institution_pairing.end(session, one.id, person_of(session, by))
        except StintError as error:
            if error.reason == "gone":
                raise Problem(_("这个机构现在没有结对。")) from None
            raise Problem(_refused(error.reason)) from None
    say(_("已结束这个机构的结对。"))


def close(number: _Number, by: _By) -> None:
    """It is one no more."""
    with opened() as database, database.write() as session:
        one = _found(session, number)
        try:
            institution.end(session, person_of(session, by), one.id)
        except InstitutionError as error:
            raise Problem(_why(error.reason)) from None
    say(_("已结束这个机构。"))


def _found(session: Session, number: str) -> Institution:
    one = by_institution_number(session, number.strip())
    if one is None or one.ended_at is not None:
        raise Problem(_("没有这个机构：编号见 nuanyang institution list。"))
    return one


def _why(reason: str) -> str:
    return {
        "scope": _("--by 要写负责这个区县的管理员或专员的编号。"),
        "county": _("--county 要写区县的代码，如 440106（不设区县的市写 4 位）。"),
        "name": _("请写机构的名称，最多 {most} 个字。").format(most=institution.LONGEST_NAME),
        "kind": _("--kind 要写 rehabilitation、care、employment、school 或 other。"),
        "paired": _("这个机构还有结对，或有协议等队长接受：先运行 nuanyang institution end。"),
        "taken": _("这个区县已经登记过同名的机构。"),
    }.get(reason, reason)


def _refused(reason: str) -> str:
    return {
        "scope": _("--by 要写负责这个区县的管理员、专员，或这个团队的专员的编号。"),
        "paired": _("这个机构已经有团队结对，或有协议等队长接受。"),
        "team": _("这个团队已经解散，或者还没有队长。"),
        "full": _("这个团队的结对人数已满。"),
        "terms": _("协议写得不对：一年至少 2 次，最长 36 个月。"),
    }.get(reason, _("现在不能结对：{why}。").format(why=reason))
