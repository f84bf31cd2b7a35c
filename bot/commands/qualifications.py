"""`nuanyang qualifications …`: what specialists have been trained in, their certificates and insurances."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.commands.shared import Problem, opened, person_of, say
from config.texts import _
from handlers.qualifications import kind_words, refused
from models import qualifying
from models.beneficiary import MACHINE
from models.duty_days import home_day
from models.qualification import Qualification
from models.qualifying import Noted, QualifyingError
from models.volunteer import volunteer_of

_DAY = "YYYY-MM-DD"


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("专员的培训、资格证和保险。"))
    group.command("list", help=_("列出专员的培训和证书；加 --lapsing 只列快到期和已经过期的。"))(list_rows)
    group.command(help=_("登记一次培训、一张资格证或一份保险，先看过原件。"))(note)
    app.add_typer(group, name="qualifications")


def list_rows(
    lapsing: Annotated[int, typer.Option(metavar="DAYS", help=_("几天以内到期，已经过期的也算"))] = -1,
) -> None:
    """What stands, the first to lapse in front; numbers of certificates are not shown."""
    with opened() as database, database.read() as session:
        query = select(Qualification).where(col(Qualification.ended_at).is_(None))
        today = home_day(session)
        found = sorted(session.exec(query).all(), key=lambda row: (row.until or date.max, row.id))
        if lapsing >= 0:
            found = [row for row in found if row.until is not None and (row.until - today).days <= lapsing]
        lines = [_line(session, row, today) for row in found]
    heads = [_("志愿者"), _("项目"), _("从"), _("有效期至"), _("状态")]
    for line in ["\t".join(heads), *lines] if lines else [_("没有要列的。")]:
        say(line)


def _line(session: Session, row: Qualification, today: date) -> str:
    volunteer = volunteer_of(session, row.person_id)
    over = row.until is not None and row.until < today
    until = str(row.until) if row.until else "-"
    state = _("已过期") if over else _("有效")
    number = volunteer.number if volunteer else "-"
    return "\t".join([number, kind_words(row.kind), str(row.since or "-"), until, state])


def note(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help=_("专员的志愿者编号"))],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="training | certificate | insurance")],
    since: Annotated[str, typer.Option(metavar=_DAY, help=_("培训的那一天；证书、保险从哪一天起"))] = "",
    until: Annotated[str, typer.Option(metavar=_DAY, help=_("有效期至；培训不用写"))] = "",
    paper: Annotated[str, typer.Option("--number", metavar="TEXT", help=_("证书或保单的编号"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来登记：管理员的编号；不写就是本机操作者"))] = "",
) -> None:
    """Keep one."""
    noted = Noted(kind, _day(since), _day(until), paper)
    with opened() as database, database.write() as session:
        try:
            row = qualifying.note(session, person_of(session, by) if by else MACHINE, person_of(session, number), noted)
        except QualifyingError as error:
            raise Problem(refused(error)) from None
        good = row.until
    say(_("已登记：{number} {what}，有效期至 {day}。").format(number=number, what=kind_words(kind), day=good or "-"))


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words) if words else None
    except ValueError:
        raise Problem(_("日期写成 YYYY-MM-DD，例如 2026-12-01。")) from None
