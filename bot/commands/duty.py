"""`nuanyang alerts` and `nuanyang recognitions`: cries for help, and people who come back, that wait for a person."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, configured, local, opened, person_of, say, time_head, told, zone_of
from config.texts import _
from models import audit
from models.account import CannotJoin
from models.alert import (
    Alert,
    CannotClose,
    close_alert,
    delivery,
    holder,
    is_deleted,
    open_alerts,
    phone_to_call,
    words_of,
)
from models.recognition import (
    OPEN_FOR,
    NotToDecide,
    Recognition,
    confirm,
    open_requests,
    refuse,
    registered_phone,
)
from models.volunteer import volunteer_of
from models.wards import first_ward


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        help=_(
            "列出还没有处理完的求助；加 --words 才显示内容，加 --phones 才显示登记的电话，都留痕。"
            "求助只能由人来结束：--close。"
        )
    )(alerts)
    app.command(
        help=_(
            "列出等待核实的“我以前注册过”；加 --phones 才显示登记的电话，并留痕。"
            "先打这个电话或当面核实，再用 --confirm 或 --refuse 写明结果。"
        )
    )(recognitions)


def alerts(
    words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False,
    phones: Annotated[bool, typer.Option("--phones", help=_("显示登记的电话"))] = False,
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
    zone = zone_of(configured())
    with told() as (session, lines):
        waiting = open_alerts(session)
        if waiting:
            heads = [_("编号"), time_head(zone), _("类型"), _("志愿者"), _("所在地"), _("谁在处理"), _("通知")]
            lines.append("\t".join([*heads, *([_("登记的电话")] if phones else [])]))
        for each in waiting:
            phone = [phone_to_call(session, each, "machine") or "-"] if phones else []
            lines.append("\t".join([_alert(session, each, zone), *phone]))
            if words:
                audit.note(session, "machine", "alert.read", each.id)
                lines.append("  " + (words_of(session, each) or "-").replace("\n", "\n  "))
        if not waiting:
            lines.append(_("没有还在等待处理的求助。"))


def _alert(session: Session, alert: Alert, zone: ZoneInfo) -> str:
    """One line; of people numbers and county only."""
    has_it = holder(session, alert)
    cells = (alert.id, local(alert.at, zone), _source(alert), *_who(session, alert.person_id))
    return "\t".join([*cells, _who(session, has_it)[0] if has_it else "-", _told(session, alert)])


def _told(session: Session, alert: Alert) -> str:
    """How far the notices to duty people came: to how many of them."""
    labels = {
        "sent": _("交给平台 {count}"),
        "waiting": _("等待送出 {count}"),
        "held": _("等对方先说话 {count}"),
        "uncertain": _("不确定 {count}"),
        "lost": _("没送到 {count}"),
    }
    come = delivery(session, alert)
    told = [label.format(count=come[state]) for state, label in labels.items() if come[state]]
    return _("，").join(told) if told else _("没有能通知的人")


def _source(alert: Alert) -> str:
    return {
        "words": _("写了求助的话"),
        "sos": _("紧急求助"),
        "worried": _("我很担心TA"),
        "silent": _("独自上门的暗语"),
        "lone": _("独自上门没有出来"),
    }[alert.source]


def _who(session: Session, person_id: str) -> tuple[str, str]:
    """Number and county, of a guardian those of the minor; never the name."""
    registered = volunteer_of(session, person_id)
    if registered is not None:
        return registered.number, registered.county or "-"
    if is_deleted(session, person_id):
        return _("已删除资料的人"), "-"
    ward = first_ward(session, person_id)
    return (_("{number} 的监护人").format(number=ward.number), ward.county or "-") if ward else ("-", "-")


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
    phones: Annotated[bool, typer.Option("--phones", help=_("显示登记的电话"))] = False,
) -> None:
    """People who say that they registered before, and wait for somebody's word."""
    if confirmed and refused:
        raise Problem(_("--confirm 和 --refuse 只能写一个。"))
    if phones and (confirmed or refused):
        raise Problem(_("--phones 不能和 --confirm 或 --refuse 一起用。"))
    if confirmed or refused:
        _decide(confirmed or refused, by, yes=bool(confirmed))
        return
    if by:
        raise Problem(_("--by 要和 --confirm 或 --refuse 一起用。"))
    zone = zone_of(configured())
    with told() as (session, lines):
        waiting = open_requests(session)
        if waiting:
            heads = [_("编号"), time_head(zone), _("志愿者"), _("所在地"), _("请求保留到")]
            lines.append("\t".join([*heads, *([_("登记的电话")] if phones else [])]))
        for each in waiting:
            phone = [registered_phone(session, each, "machine") or "-"] if phones else []
            lines.append("\t".join([_request(session, each, zone), *phone]))
        if not waiting:
            lines.append(_("没有等待核实的人。"))


def _request(session: Session, row: Recognition, zone: ZoneInfo) -> str:
    registered = volunteer_of(session, row.found or "")
    number, until = registered.number if registered else "-", local(row.at + OPEN_FOR, zone)
    return "\t".join([row.id, local(row.at, zone), number, row.county or "-", until])


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
    if cannot.reason == "expired":
        return _("请求 {id} 已过期（{days} 天里没有人核实）：请对方再用一次“我以前注册过”。").format(
            id=request, days=OPEN_FOR.days
        )
    if cannot.reason in ("decided", "gone"):
        return _("没有编号为 {id} 的待核实请求（也许已经处理了）：用 nuanyang recognitions 看编号。").format(id=request)
    return _("{number} 不能核实这个人：--by 要写负责登记所在地的专员或管理员，不能是本人。").format(number=by)
