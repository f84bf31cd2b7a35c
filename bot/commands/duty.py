"""`nuanyang alerts` and `nuanyang recognitions`: cries for help, and people who come back, that wait for a person."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, opened, person_of, say
from config.texts import _
from models import audit
from models.account import CannotJoin
from models.alert import Alert, CannotClose, close_alert, open_alerts, words_of
from models.recognition import NotToDecide, Recognition, confirm, open_requests, refuse
from models.volunteer import volunteer_of


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(help=_("列出还没有处理完的求助；加 --words 才显示内容，并留痕。求助只能由人来结束：--close。"))(alerts)
    app.command(
        help=_("列出等待核实的“我以前注册过”。先打登记的电话或当面核实，再用 --confirm 或 --refuse 写明结果。")
    )(recognitions)


def alerts(
    words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False,
    close: Annotated[str, typer.Option("--close", metavar="ID", help=_("结束一条求助"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁处理的：专员或管理员的编号"))] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help=_("怎么处理的，会加密保存"))] = "",
) -> None:
    """Cries for help that nobody has closed yet."""
    if close:
        _close(close, by, note)
        return
    if by or note:
        raise Problem(_("--by 和 --note 要和 --close 一起用。"))
    with opened() as database, database.write() as session:
        waiting = open_alerts(session)
        for each in waiting:
            say("\t".join([each.id, f"{each.at:%Y-%m-%d %H:%M}", _source(each), *_who(session, each.person_id)]))
            if words:
                audit.note(session, "machine", "alert.read", each.id)
                say("  " + (words_of(session, each) or "-").replace("\n", "\n  "))
    if not waiting:
        say(_("没有还在等待处理的求助。"))


def _source(alert: Alert) -> str:
    return {"words": _("写了求助的话"), "sos": _("紧急求助"), "worried": _("我很担心TA")}[alert.source]


def _who(session: Session, person_id: str) -> tuple[str, str]:
    """Number and county, never the name."""
    registered = volunteer_of(session, person_id)
    return (registered.number, registered.county or "-") if registered else ("-", "-")


def _close(alert_id: str, by: str, note: str) -> None:
    if not by or not note.strip():
        raise Problem(_("结束求助要写明谁处理的、怎么处理的：加上 --by 编号 和 --note 说明。"))
    with opened() as database, database.write() as session:
        try:
            close_alert(session, alert_id, person_of(session, by), note)
        except CannotClose as cannot:
            raise Problem(_not_closed(cannot, alert_id, by)) from None
    say(_("已结束求助：{id}。").format(id=alert_id))


def _not_closed(cannot: CannotClose, alert_id: str, by: str) -> str:
    if cannot.reason == "gone":
        return _("没有编号为 {id} 的未结束求助：用 nuanyang alerts 看编号。").format(id=alert_id)
    return _("{number} 不能结束这条求助：--by 要写负责求助人所在地的专员或管理员，不能是求助人自己。").format(number=by)


def recognitions(
    confirmed: Annotated[str, typer.Option("--confirm", metavar="ID", help=_("核实过，是本人"))] = "",
    refused: Annotated[str, typer.Option("--refuse", metavar="ID", help=_("核实过，不是本人"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁核实的：专员或管理员的编号"))] = "",
) -> None:
    """People who say that they registered before, and wait for somebody's word."""
    if confirmed and refused:
        raise Problem(_("--confirm 和 --refuse 只能写一个。"))
    if confirmed or refused:
        _decide(confirmed or refused, by, yes=bool(confirmed))
        return
    if by:
        raise Problem(_("--by 要和 --confirm 或 --refuse 一起用。"))
    with opened() as database, database.read() as session:
        waiting = open_requests(session)
        for each in waiting:
            say(_request(session, each))
    if not waiting:
        say(_("没有等待核实的人。"))


def _request(session: Session, row: Recognition) -> str:
    registered = volunteer_of(session, row.found or "")
    return "\t".join([row.id, f"{row.at:%Y-%m-%d %H:%M}", registered.number if registered else "-", row.county or "-"])


def _decide(request: str, by: str, *, yes: bool) -> None:
    if not by:
        raise Problem(_("要写明谁核实的：加上 --by 编号。"))
    with opened() as database, database.write() as session:
        person_id = person_of(session, by)
        try:
            (confirm if yes else refuse)(session, request, person_id)
        except NotToDecide as cannot:
            raise Problem(_undecided(cannot, request, by)) from None
        except CannotJoin:
            raise Problem(_("两个账号的登记对不上，没有接上：请和对方联系后再核对。")) from None
    say(_("已接上以前的登记，正在告诉对方。") if yes else _("没有接上，正在告诉对方。"))


def _undecided(cannot: NotToDecide, request: str, by: str) -> str:
    if cannot.reason == "decided":
        return _("没有编号为 {id} 的待核实请求（也许已经处理，或过期了）：用 nuanyang recognitions 看编号。").format(
            id=request
        )
    return _("{number} 不能核实这个人：--by 要写负责登记所在地的专员或管理员，不能是本人。").format(number=by)
