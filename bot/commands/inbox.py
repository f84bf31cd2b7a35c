"""`nuanyang inbox` and `nuanyang contacts`: messages that wait for a person to look."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy import select

from bot.commands.shared import Problem, aside, configured, opened, payload, say
from config.texts import _
from models import audit
from models.contact import Waiting, note_read, open_contacts
from models.tables import METADATA

_T: Any = METADATA.tables["inbox"]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("处理失败、搁在一边的消息。"))
    group.command("list", help=_("列出搁在一边的消息（不显示内容）。"))(list_aside)
    group.command(help=_("看一条消息；加 --words 才显示内容，并留痕。"))(show)
    group.command(help=_("把一条消息重新处理一遍，回复从发件箱发出。"))(replay)
    app.add_typer(group, name="inbox")
    app.command(help=_("列出还没有人答复的“联系专员”留言；加 --words 才显示内容，并留痕。"))(contacts)


def list_aside() -> None:
    """What was set aside, the oldest first."""
    with opened() as database, database.read() as session:
        query = select(_T).where(_T.c.state == "aside").order_by(_T.c.received_at, _T.c.id)
        rows = session.execute(query).all()
    for row in rows:
        say(_line(row))
    if not rows:
        say(_("没有搁在一边的消息。"))


def _line(row: Any) -> str:
    received = f"{row.received_at:%Y-%m-%d %H:%M}"
    return "\t".join([row.id, received, row.platform, row.account, row.kind, str(row.failures)])


def show(
    message: Annotated[str, typer.Argument(metavar="ID")],
    words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False,
) -> None:
    """One message."""
    with opened() as database, database.write() as session:
        row = aside(session, message)
        say(_line(row))
        if words:
            audit.note(session, "machine", "inbox.read", row.id)
            inbound = payload(session, row)
            say(inbound.text or inbound.choice or inbound.menu or inbound.scene or inbound.media_kind or "-")


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


def contacts(words: Annotated[bool, typer.Option("--words", help=_("显示内容"))] = False) -> None:
    """Messages to a person of the programme that nobody answered yet."""
    with opened() as database, database.write() as session:
        waiting = open_contacts(session)
        if waiting:
            say("\t".join([_("编号"), _("时间"), _("志愿者"), _("所在地"), _("送到没有")]))
        for each in waiting:
            at = f"{each.at:%Y-%m-%d %H:%M}"
            say("\t".join([each.id, at, each.number or "-", each.county or "-", _delivery(each)]))
            if words:
                note_read(session, each.id, "machine")
                say("  " + each.words.replace("\n", "\n  "))
    if not waiting:
        say(_("没有等待答复的留言。"))
