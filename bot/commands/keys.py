"""`nuanyang keys`: make, change and look after the field-encryption keys."""

from __future__ import annotations

import base64
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import col, select

from bot.commands.shared import Problem, configured, note, opened, progress_bar, say
from config.settings import UnsafeSetting
from config.texts import _
from models import audit, rotation
from models.audit import AuditEntry
from models.database import Database

BACKED_UP = "keys.backed_up"


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("字段加密密钥。"))
    group.command(help=_("生成一个新密钥，放到 NUANYANG_KEYS 的最前面。"))(new)
    group.command(help=_("用最新的密钥重新加密全部数据；可以随时中断，再运行一次会接着做。"))(rotate)
    group.command(help=_("每个密钥还被多少数据使用。"))(status)
    group.command("backed-up", help=_("记下：现在的密钥已经备份在别处。"))(backed_up)
    app.add_typer(group, name="keys")


def new() -> None:
    """Print a new key, and nothing else on standard output."""
    say(base64.urlsafe_b64encode(os.urandom(32)).decode())
    if _has_keys():
        note(_("换密钥：把它放到 NUANYANG_KEYS 最前面（旧的留在后面，用逗号隔开），另存一份到别处。"))
        note(_("然后重启 nuanyang serve 和 worker，再运行 nuanyang keys rotate。"))
        return
    note(_("第一次安装：上面这一行就是密钥。请放到下面的一处，三选一："))
    note(_("  环境变量：NUANYANG_KEYS=这一行"))
    note(_('  配置文件 nuanyang.toml：keys = ["这一行"]'))
    note(_("  密钥文件夹（NUANYANG_SECRETS）里名为 keys 的文件，内容就是这一行"))
    note(_("再另存一份到别处：密钥丢了，加密的数据就永远打不开。存好后运行 nuanyang keys backed-up 记下。"))


def _has_keys() -> bool:
    """Whether this is a change of keys; a configuration that cannot be read yet has none."""
    try:
        return bool(configured().keys)
    except UnsafeSetting:
        return False


def rotate(
    drop: Annotated[bool, typer.Option("--drop", help=_("之后删去旧密钥的检索摘要"))] = False,
) -> None:
    """Seal everything under the newest key."""
    with opened() as database:
        try:
            with progress_bar(_("重新加密")) as told:
                report = rotation.rotate(database, told)
            if drop:
                gone, kept = rotation.drop(database)
                told_of = _("已删去旧摘要 {gone} 条，留下 {kept} 条（还没过期的一次性码要用）。")
                say(told_of.format(gone=gone, kept=kept))
        except rotation.RotationError as error:
            raise Problem(_unready(error)) from None
        say(
            _("已用密钥 {key} 重新加密 {sealed} 处，补上检索摘要 {digests} 条。").format(
                key=database.vault.newest, sealed=report.resealed, digests=report.indexed
            )
        )
        if report.unreadable or report.unmatched:
            places = _("、").join(sorted(report.unreadable)) or "blind_index"
            raise Problem(
                _("有 {count} 处用 NUANYANG_KEYS 里的密钥打不开（{places}）：补上当时的密钥再运行一次。").format(
                    count=sum(report.unreadable.values()) + report.unmatched, places=places
                )
            )
        _tell_removable(database)


def status() -> None:
    """What each key is used for."""
    with opened() as database:
        for use in rotation.uses(database):
            words = [_("密钥 {key}").format(key=use.key_id)]
            words.append(_("最新") if use.newest else _("旧") if use.known else _("不在 NUANYANG_KEYS 里"))
            words.append(_("加密 {count} 处").format(count=use.sealed))
            words.append(_("摘要 {count} 条").format(count=use.digests))
            if not use.newest and use.missing:
                words.append(_("待补摘要 {count} 条").format(count=use.missing))
            say(_("，").join(words))
        _tell_removable(database)
        if not is_backed_up(database):
            note(_("密钥还没有确认备份：备份后运行 nuanyang keys backed-up。"))


def backed_up() -> None:
    """Write down that the ring's keys are kept elsewhere too."""
    with opened() as database:
        with database.write() as session:
            for key_id in database.vault.key_ids:
                audit.note(session, "machine", BACKED_UP, key_id)
        say(_("已记下：密钥 {keys} 有备份。").format(keys=_("、").join(database.vault.key_ids)))


def is_backed_up(database: Database) -> bool:
    """Whether somebody has said so of the key that seals now."""
    with database.read() as session:
        query = select(AuditEntry.id).where(
            col(AuditEntry.action) == BACKED_UP, col(AuditEntry.subject) == database.vault.newest
        )
        return session.exec(query).first() is not None


def spooled_keys(folder: Path) -> Counter[str]:
    """How many updates in the spool each key sealed."""
    found: Counter[str] = Counter()
    for path in folder.glob("*.update"):
        try:
            with path.open("rb") as file:
                found[file.read(5)[1:].hex()] += 1
        except FileNotFoundError:
            continue  # became a turn meanwhile
    return found


def _unready(error: rotation.RotationError) -> str:
    if error.reason == "old_copies":
        return _("还有正在运行的程序在用旧密钥加密：把所有 serve 和 worker 重启，再运行一次。")
    return _("还有数据依赖旧密钥：先不带 --drop 运行 nuanyang keys rotate。")


def _tell_removable(database: Database) -> None:
    spooled = spooled_keys(configured().spool)
    for use in rotation.uses(database):
        if use.newest or not use.known:
            continue
        if use.sealed or use.missing:
            say(_("密钥 {key} 还不能删：请先运行 nuanyang keys rotate。").format(key=use.key_id))
        elif use.codes and use.codes_until is not None:
            until = use.codes_until.astimezone().strftime("%Y-%m-%d %H:%M")
            say(
                _("密钥 {key} 在 {until} 之后可以从 NUANYANG_KEYS 删去（还有 {count} 个一次性码要用它）。").format(
                    key=use.key_id, until=until, count=use.codes
                )
            )
        elif spooled[use.key_id]:
            say(
                _("密钥 {key} 还不能删：NUANYANG_SPOOL 里有 {count} 条待处理消息用它加密。").format(
                    key=use.key_id, count=spooled[use.key_id]
                )
            )
        else:
            say(_("密钥 {key} 已经不用，可以从 NUANYANG_KEYS 删去。").format(key=use.key_id))
