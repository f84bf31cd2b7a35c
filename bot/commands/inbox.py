"""`nuanyang inbox` and `nuanyang contacts`: messages that wait for a person to look."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import select

from bot.commands.shared import (
    Problem,
    aside,
    configured,
    local,
    opened,
    payload,
    person_of,
    say,
    time_head,
    told,
    zone_of,
)
from config.texts import _
from handlers.dialogue import Invalid
from handlers.free_text import free_words
from models import audit
from models.contact import MAX_WORDS, ContactError, Waiting, answer, open_contacts, read_words
from models.tables import METADATA

_T: Any = METADATA.tables["inbox"]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("处理失败、搁在一边的消息。"))
    group.command("list", help=_("列出搁在一边的消息（不显示内容）。"))(list_aside)
    group.command(help=_("看一条消息；加 --words 才显示内容，并留痕。"))(show)
    group.command(help=_("把一条消息重新处理一遍，回复从发件箱发出。"))(replay)
    app.add_typer(group, name="inbox")
    app.command(help=_("列出还没有人答复的“联系专员”留言；加 --words 才显示内容，并留痕；用 --answer 答复。"))(contacts)


def list_aside() -> None:
    """What was set aside, the oldest first."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        query = select(_T).where(_T.c.state == "aside").order_by(_T.c.received_at, _T.c.id)
        rows = session.execute(query).all()
    if rows:
        say(_heads(zone))
    for row in rows:
        say(_line(row, zone))
    if not rows:
        say(_("没有搁在一边的消息。"))


def _heads(zone: ZoneInfo) -> str:
    return "\t".join([_("编号"), time_head(zone), _("平台"), _("账号"), _("种类"), _("失败次数")])


def _line(row: Any, zone: ZoneInfo) -> str:
    return "\t".join([row.id, local(row.received_at, zone), row.platform, row.account, row.kind, str(row.failures)])


def show(
    message: Annotated[str, typer.Argument(metavar="ID")],
    words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False,
) -> None:
    """One message."""
    zone = zone_of(configured())
    with told() as (session, lines):
        row = aside(session, message)
        lines += [_heads(zone), _line(row, zone)]
        if words:
            audit.note(session, "machine", "inbox.read", row.id)
            inbound = payload(session, row)
            lines.append(inbound.text or inbound.choice or inbound.menu or inbound.scene or inbound.media_kind or "-")


def replay(message: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Hear a message again."""
    from bot.app import App
    from bot.replay import again

    with opened() as database:
        settings = configured()
        app = App(settings, database, spool=settings.spool, roles=())
        if not again(database, app.here, message):
            raise Problem(_("这条消息还是处理不了，仍搁在一边：看日志里的 replay_failed，修好后再试。"))
    say(_("已重新处理，回复在发件箱里。"))


def _delivery(waiting: Waiting) -> str:
    return {
        "sent": _("已送到"),
        "waiting": _("等待送出"),
        "uncertain": _("不确定是否送到"),
        "lost": _("没有送到"),
        "nobody": _("没有负责的同事"),
    }[waiting.delivery]


def contacts(
    words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False,
    answered: Annotated[str, typer.Option("--answer", metavar="ID", help=_("答复一条留言"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁答复的：专员或管理员的编号"))] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help=_("答复的话，会原样转给对方"))] = "",
) -> None:
    """Messages to a person of the programme that nobody answered yet."""
    if answered:
        _answer(answered, by, text)
        return
    if by or text:
        raise Problem(_("--by 和 --text 要和 --answer 一起用。"))
    zone = zone_of(configured())
    with told() as (session, lines):
        waiting = open_contacts(session)
        if waiting:
            lines.append("\t".join([_("编号"), time_head(zone), _("志愿者"), _("所在地"), _("送到没有")]))
        for each in waiting:
            at = local(each.at, zone)
            lines.append("\t".join([each.id, at, each.number or "-", each.county or "-", _delivery(each)]))
            # Read under a lock: whoever takes it back at this moment comes first, or is told that it was read.
            if words and (read := read_words(session, each.id, "machine")) is not None:
                lines.append("  " + read.replace("\n", "\n  "))
        if not waiting:
            lines.append(_("没有等待答复的留言。"))


def _answer(message: str, by: str, text: str) -> None:
    if not by or not text.strip():
        raise Problem(_("答复留言要写明谁答复的、答复什么：加上 --by 编号 和 --text 内容。"))
    try:
        said = free_words(MAX_WORDS)(text)
    except Invalid as refusal:
        raise Problem(str(refusal)) from None
    with opened() as database, database.write() as session:
        try:
            answer(session, message, person_of(session, by), said, for_nobody=True)
        except ContactError as cannot:
            raise Problem(_not_answered(cannot, message, by)) from None
    say(_("已经记下答复，正在转给对方：{id}。").format(id=message))


def _not_answered(cannot: ContactError, message: str, by: str) -> str:
    if cannot.reason == "gone":
        return _("没有编号为 {id} 的留言（也许已经撤回或删除）：用 nuanyang contacts 看编号。").format(id=message)
    return _(
        "{number} 不能答复这条留言：--by 要写负责对方所在地的专员或管理员；那里没有人负责时，写任何一位管理员。"
        "不能是对方自己。"
    ).format(number=by)
