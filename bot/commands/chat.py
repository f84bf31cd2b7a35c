"""`nuanyang chat`: talk to the bot in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from bot import logs
from bot.commands.shared import Problem, configured, opened, with_played_operator
from config.texts import _
from models.installed import is_played


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command(help=_("在终端里和机器人对话；输入 /退出 或按 Ctrl-D 结束。"))(chat)


def chat(
    name: Annotated[str, typer.Option("--as", metavar="NAME", help=_("以谁的身份，每个名字是一个人"))] = "me",
) -> None:
    """Plain lines in and out."""
    from bot.terminal import talk

    if not name.strip() or len(name) > 60:
        raise Problem(_("--as 要一个 1–60 个字的名字。"))
    settings = configured()
    logs.set_up("ERROR")
    with opened() as database:
        with database.read() as session:
            played = is_played(session)
        if played:
            settings = with_played_operator(settings)
        talk(settings, database, name.strip())
