"""`nuanyang db`: bring the schema up to this program's, or say how far it is."""

from __future__ import annotations

import typer

from bot.commands.shared import Problem, configured, connect, note, refuse_missing_file, refuse_old, say, throwaway
from config.texts import _
from models import migrate


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help=_("数据库结构。只能升级，不能降级：要回到旧版本，请恢复升级前的备份，所以升级前先备份。"),
    )
    group.command(help=_("把数据库结构升级到这个程序的版本；升级前先备份，因为不提供降级。"))(upgrade)
    group.command(help=_("检查数据库结构是否与程序一致；不一致时退出码不为 0。"))(check)
    app.add_typer(group, name="db")


def upgrade() -> None:
    """Run the missing migrations."""
    database = connect(configured(), throwaway())
    try:
        before = migrate.state(database)
        if before.standing in ("ahead", "foreign"):
            refuse_old(database)
        done = migrate.upgrade(database, told=lambda revision: note(_("已应用 {name}").format(name=revision)))
    except migrate.MigrationError as error:
        raise Problem(_("升级没有成功，数据库保持原样：{why}").format(why=error)) from None
    finally:
        database.dispose()
    say(
        _("数据库结构已是最新（{head}）。").format(head=before.head)
        if not done
        else _("升级完成，共 {count} 步（{head}）。").format(count=len(done), head=before.head)
    )


def check() -> None:
    """Compare revision and schema."""
    database = connect(configured(), throwaway())
    try:
        refuse_missing_file(database)
        refuse_old(database)
        found = migrate.differences(database)
    finally:
        database.dispose()
    if found:
        raise Problem(_("数据库结构被改动过：{what}；请恢复备份或联系维护者。").format(what="; ".join(found[:5])))
    say(_("数据库结构与程序一致（{head}）。").format(head=migrate.head()))
