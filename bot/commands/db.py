"""`nuanyang db`: bring the schema up to this program's, say how far it is, copy the database and put a copy back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from bot import backup as copying
from bot.backup import CopyFailed, Exchange, InUse, Unclear
from bot.commands.shared import (
    Problem,
    configured,
    connect,
    note,
    refuse_missing_file,
    refuse_old,
    ring,
    say,
    throwaway,
)
from bot.preflight import check_keys
from config.settings import Settings
from config.texts import _
from models import migrate
from models import restored as after
from models.clock import moved_by
from models.database import Database, DatabaseAway, away
from models.lease import holders
from models.restored import Marked
from models.vault import Vault
from scheduler.jobs import catch_up


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help=_("数据库结构。只能升级，不能降级：要回到旧版本，请恢复升级前的备份，所以升级前先备份。"),
    )
    group.command(help=_("把数据库结构升级到这个程序的版本；升级前先备份，因为不提供降级。"))(upgrade)
    group.command(help=_("检查数据库结构是否与程序一致；不一致时退出码不为 0。"))(check)
    group.command(help=_("把数据库备份到一个新文件；服务不用停。PostgreSQL 用 pg_dump。"))(backup)
    group.command(help=_("从备份恢复数据库：先停下所有服务；原来的数据库留在旁边，可能已经发过的消息会标明“补发”。"))(
        restore
    )
    group.command(help=_("数据库是用别的办法恢复的：给可能已经发过的消息做标记，启动服务前运行一次。"))(restored)
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


def backup(
    file: Annotated[Path, typer.Argument(help=_("新文件；已经有的文件不会被覆盖"))],
) -> None:
    """A copy of one moment, while everything runs."""
    settings = configured()
    database = connect(settings, throwaway())
    try:
        refuse_missing_file(database)
        state = migrate.state(database)
        source = copying.file_of(database.url)
        if source is not None:
            copying.copy_sqlite(source, file, _telling())
        else:
            copying.dump(database.url, file)
    except FileExistsError:
        raise Problem(_("{path} 已经存在，备份不会覆盖文件：换一个文件名。").format(path=file)) from None
    except (CopyFailed, OSError) as error:
        raise Problem(
            _("备份没有做成（{why}）：检查 {path} 能不能写、够不够大，PostgreSQL 还要装有 pg_dump。").format(
                why=error, path=file
            )
        ) from None
    finally:
        database.dispose()
    megabytes = max(1, round(file.stat().st_size / 1_000_000))
    say(
        _("备份完成并检查过：{path}（约 {size} MB，结构 {revision}）。").format(
            path=file, size=megabytes, revision=state.revision or "-"
        )
    )
    _say_what_else(settings)


def _say_what_else(settings: Settings) -> None:
    waiting = len(list(settings.spool.glob("*.update"))) if settings.spool.is_dir() else 0
    say(_("还要另外保存，并且放在别处：密钥（没有它，备份谁也打不开）、配置文件。"))
    if waiting:
        say(
            _("{path} 里有 {count} 条消息还没进数据库：把这个文件夹也复制一份。").format(
                path=settings.spool, count=waiting
            )
        )


def restore(
    file: Annotated[Path, typer.Argument(help=_("nuanyang db backup 做的文件"))],
    force: Annotated[bool, typer.Option("--force", help=_("现在的数据库比备份新也恢复"))] = False,
) -> None:
    """Put a copy back, while nothing runs."""
    settings = configured()
    vault = ring(settings)
    database = connect(settings, vault)
    if not file.is_file():
        raise Problem(_("找不到备份文件 {path}。").format(path=file))
    try:
        with copying.using(database.url, alone=True):
            path = copying.file_of(database.url)
            put_back = _put_back_file if path is not None else _put_back_server
            marked, former = put_back(database, vault, file, force)
    except InUse:
        raise Problem(
            _("数据库正在使用：先停下所有的 nuanyang serve、worker 和 run，也断开其他程序，再恢复。")
        ) from None
    except Unclear as error:
        raise Problem(
            _(
                "做到最后一步时和数据库断了联系，不知道换成没有：连上以后，有 {name} 就是换成了；没有，就再恢复一次。"
            ).format(name=error)
        ) from None
    except (CopyFailed, migrate.MigrationError, DBAPIError, OSError) as error:
        raise Problem(_("没有恢复，现在的数据库保持原样（{why}）。").format(why=_reason(error))) from None
    finally:
        database.dispose()
    say(_("已从 {path} 恢复。").format(path=file))
    if former:
        say(_("原来的数据库留在 {name}：确认不再需要以后自己删除。").format(name=former))
    _say_marked(marked)
    say(_("备份之后说过的话、登记和删除都没有了：请告诉大家，并把这期间要求删除资料的人再处理一次。"))


def restored() -> None:
    """Mark a database that was put back in some other way."""
    settings = configured()
    database = connect(settings, ring(settings))
    try:
        refuse_missing_file(database)
        with copying.using(database.url, alone=True):
            refuse_old(database)
            _refuse_sender(database)
            marked = _mark(database)
    except InUse:
        raise Problem(_("数据库正在使用：先停下所有的 nuanyang serve、worker 和 run，再做标记。")) from None
    finally:
        database.dispose()
    _say_marked(marked)


def _refuse_sender(database: Database) -> None:
    """PostgreSQL knows no lock of ours (`copying.using`), but whoever sends holds a lease. Raises InUse."""
    if database.is_sqlite:
        return
    with database.read() as session:
        if holders(session):
            raise InUse


def _say_marked(marked: Marked) -> None:
    say(
        _("可能已经发过的消息 {count} 条：再发时标明“补发”。群发中不确定是否发过的 {campaigns} 条：不再发。").format(
            count=marked.resent, campaigns=marked.uncertain
        )
    )
    say(
        _("一次性的码和网页 {count} 个已作废（备份之后可能用过）：需要的人会被告知过期，可以重新拿。").format(
            count=marked.closed
        )
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())


def _put_back_file(database: Database, vault: Vault, file: Path, force: bool) -> tuple[Marked, str]:
    """SQLite: everything is done to a copy beside it, which then takes the place in one step."""
    path = copying.file_of(database.url)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.restoring")
    _remove(beside)
    try:
        copying.copy_sqlite(file, beside, _telling())
        copied = Database(f"sqlite:///{beside}", vault)
        try:
            marked = _prepared(copied, database if path.is_file() else None, force)
        finally:
            copied.dispose()
        copying.into_one_file(beside)
        database.dispose()
        aside = copying.put_in_place(beside, path, datetime.now(UTC))
    finally:
        _remove(beside)
    return marked, str(aside or "")


def _put_back_server(database: Database, vault: Vault, file: Path, force: bool) -> tuple[Marked, str]:
    """PostgreSQL: into a database beside it, which then takes the name."""
    exchange = Exchange(database.url, datetime.now(UTC))
    copied = Database(exchange.beside_url.render_as_string(hide_password=False), vault)
    with away():
        former = exchange.exists()
    if former:
        database.dispose()
    exchange.make()
    try:
        copying.load(exchange.beside_url, file)
        marked = _prepared(copied, database if former else None, force)
        copied.dispose()
        database.dispose()
        aside = exchange.swap()
    except BaseException:
        copied.dispose()
        _drop(exchange)
        raise
    return marked, aside or ""


def _drop(exchange: Exchange) -> None:
    """What was not finished goes; that it cannot is told beside the reason why nothing was restored."""
    try:
        exchange.drop()
    except DBAPIError as error:
        note(_("没做完的 {name} 没有删掉（{why}）：可以自己删除。").format(name=exchange.beside, why=_reason(error)))


def _remove(path: Path) -> None:
    for name in ("", *copying.COMPANIONS, "-journal"):
        Path(f"{path}{name}").unlink(missing_ok=True)


def _prepared(copied: Database, former: Database | None, force: bool) -> Marked:
    """The copy as this program needs it: readable, of its revision, marked. Raises Problem and UnsafeSetting."""
    state = migrate.state(copied)
    if state.standing in ("empty", "foreign"):
        raise Problem(_("这个文件不是暖阳数据库的备份。"))
    if state.standing == "ahead":
        refuse_old(copied)
    if former is not None and not force:
        _refuse_newer(copied, former)
    migrate.upgrade(copied, told=lambda revision: note(_("已应用 {name}").format(name=revision)))
    check_keys(copied)
    return _mark(copied)


def _refuse_newer(copied: Database, former: Database) -> None:
    """Raise Problem where the database that would be replaced goes on after the copy was made."""
    with copied.read() as session:
        made, heard = after.latest(session), after.last_message(session)
    try:
        with former.read() as session:
            last = after.latest(session)
            # By the machine's own clock: the programme's, which the others are told by, may have been moved.
            lost = after.messages_since(session, heard)
    except (DatabaseAway, DBAPIError):
        note(_("现在的数据库读不出来。"))
        return
    if last is not None and (made is None or last > made):
        raise Problem(
            _(
                "现在的数据库比备份新（到 {last}，备份到 {made}，其间有 {count} 条消息）：真要恢复，加上 --force。"
            ).format(last=_at(last), made=_at(made) if made else "-", count=lost)
        )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _mark(database: Database) -> Marked:
    with database.read() as session:
        database.clock.offset = moved_by(session)
    catch_up(
        database,
        lambda name, error: note(
            _("{name} 没有做完（{why}）：它以后要发的消息，可能已经发过，却不会标明“补发”。").format(
                name=name, why=type(error).__name__
            )
        ),
    )
    with database.write() as session:
        return after.mark(session)


def _telling() -> Callable[[int], None]:
    """Tells of every further tenth."""
    told = 0

    def tell(percent: int) -> None:
        nonlocal told
        if percent // 10 > told // 10:
            told = percent
            note(f"{percent} %")

    return tell
