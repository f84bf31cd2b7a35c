"""`nuanyang duty …`: leave of specialists and organisers, with a deputy."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, opened, person_of, say
from config.texts import _
from handlers.duty_leave import refused
from models import duty_leaves
from models.beneficiary import MACHINE
from models.duty_leave import DutyLeave
from models.duty_leaves import DutyLeaveError
from models.handover import hand_over
from models.volunteer import volunteer_of

_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来登记：管理员的编号；不写就是本机操作者"))]
_DAY = "YYYY-MM-DD"


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("专员和管理员的值班请假：日期和代班人。"))
    group.command(help=_("登记一次值班请假；代班人要在聊天里答应以后才算。"))(leave)
    group.command("list", help=_("列出没有结束的值班请假（只有编号，没有姓名）。"))(list_leaves)
    group.command(help=_("结束或取消一次值班请假，编号见 nuanyang duty list。"))(end)
    app.add_typer(group, name="duty")


def leave(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help=_("请假的专员或管理员的编号"))],
    first: Annotated[str, typer.Option("--from", metavar=_DAY, help=_("第一天"))],
    last: Annotated[str, typer.Option("--until", metavar=_DAY, help=_("最后一天，那一天也算"))],
    deputy: Annotated[str, typer.Option(metavar="NUMBER", help=_("代班人的编号，要负责同样的地方"))] = "",
    by: _By = "",
) -> None:
    """Write a leave down, and ask the deputy."""
    days = _day(first), _day(last)
    with opened() as database, database.write() as session:
        person, instead = person_of(session, number), person_of(session, deputy) if deputy else None
        try:
            row = duty_leaves.ask(session, person, *days, instead, person_of(session, by) if by else MACHINE)
        except DutyLeaveError as error:
            raise Problem(refused(error)) from None
        key = row.id
    said = _("已登记，正在聊天里问代班人：{id}。") if deputy else _("已登记，没有代班人：{id}。")
    say(said.format(id=key))


def list_leaves() -> None:
    """Every leave that has not ended."""
    with opened() as database, database.read() as session:
        lines = [_line(session, row) for row in duty_leaves.standing(session)]
    heads = [_("编号"), _("请假的人"), _("第一天"), _("最后一天"), _("代班人"), _("答应了")]
    for line in ["\t".join(heads), *lines] if lines else [_("现在没有人请值班假。")]:
        say(line)


def _line(session: Session, row: DutyLeave) -> str:
    who = [_number(session, row.person_id), str(row.first_day), str(row.last_day)]
    deputy = _number(session, row.deputy_id) if row.deputy_id else "-"
    return "\t".join([row.id, *who, deputy, _("是") if row.taken_at else _("否")])


def _number(session: Session, person_id: str) -> str:
    found = volunteer_of(session, person_id)
    return found.number if found else "-"


def end(
    leave_id: Annotated[str, typer.Argument(metavar="ID", help=_("编号见 nuanyang duty list"))], by: _By = ""
) -> None:
    """It is over from now on."""
    with opened() as database:
        with database.write() as session:
            try:
                duty_leaves.end(session, leave_id, person_of(session, by) if by else MACHINE)
            except DutyLeaveError as error:
                raise Problem(refused(error)) from None
        hand_over(database)
    say(_("已结束：{id}。").format(id=leave_id))


def _day(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise Problem(_("日期写成 YYYY-MM-DD，例如 2026-12-01。")) from None
