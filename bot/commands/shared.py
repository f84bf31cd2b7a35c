"""What the commands share: problems told in one line, and the configuration and database they work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import select
from sqlmodel import Session

from config import settings as configuration
from config.catalogue import use_rules
from config.settings import Settings, UnsafeSetting, decode_key
from config.texts import _
from handlers.message import Inbound
from models import migrate
from models.clock import moved_by
from models.database import Database, vault_of
from models.tables import METADATA
from models.vault import Vault, VaultError
from models.volunteer import by_number

_INBOX: Any = METADATA.tables["inbox"]
KEY_FILE = Path(".nuanyang") / "keys"


class Problem(Exception):
    """Something that ends a command; `str()` is one line that says what is wrong and what to do."""


def configured() -> Settings:
    """The configuration with the deployment's own rules laid over ours. Raises UnsafeSetting."""
    settings = configuration.load()
    if settings.rules_file is not None:
        use_rules(settings.rules_file)
    return settings


def read_key_file(path: Path) -> tuple[bytes, ...]:
    """The keys that `nuanyang run` made for itself; raises Problem."""
    try:
        text = path.read_text("ascii")
        return tuple(decode_key(SecretStr(part.strip())) for part in text.split(",") if part.strip())
    except (OSError, ValueError) as error:
        raise Problem(
            _("密钥文件 {path} 读不出来（{why}）：请从备份恢复它。").format(path=path, why=type(error).__name__)
        ) from None


def ring(settings: Settings) -> Vault:
    """The key ring: NUANYANG_KEYS, or what `nuanyang run` made in this folder. Raises UnsafeSetting or Problem."""
    keys = settings.key_bytes()
    if not keys and KEY_FILE.is_file():
        keys = read_key_file(KEY_FILE)
    if not keys:
        raise UnsafeSetting(
            "NUANYANG_KEYS",
            _("还没有设置；nuanyang run 的数据要进它的文件夹再运行，新部署用 nuanyang keys new 生成并备份"),
        )
    return Vault(keys)


def throwaway() -> Vault:
    """For commands that open nothing sealed, so that they work without keys."""
    return Vault([os.urandom(32)])


def connect(settings: Settings, vault: Vault) -> Database:
    """The configured database, on its own programme clock. A missing SQLite file is not made."""
    url = settings.database_url.get_secret_value()
    try:
        return Database(url, vault)
    except Exception as error:  # noqa: BLE001 SQLAlchemy and the drivers raise a dozen kinds for a bad address
        raise UnsafeSetting("NUANYANG_DATABASE_URL", _("地址不对（{why}）").format(why=type(error).__name__)) from None


def refuse_old(database: Database) -> None:
    """Raise Problem unless the schema is exactly this program's; names the command that mends it."""
    state = migrate.state(database)
    if state.standing in ("empty", "behind"):
        raise Problem(
            _("数据库结构比程序旧（现在 {now}，需要 {head}）：先备份，再运行 nuanyang db upgrade。").format(
                now=state.revision or "-", head=state.head
            )
        )
    if state.standing == "ahead":
        raise Problem(
            _("数据库结构比程序新（{now}，程序只认识到 {head}）：请升级程序，或恢复升级前的备份。").format(
                now=state.revision, head=state.head
            )
        )
    if state.standing == "foreign":
        raise Problem(_("NUANYANG_DATABASE_URL 指向的数据库里有不是迁移建立的同名表：请换一个空数据库。"))


def with_played_operator(settings: Settings) -> Settings:
    """On a database that `nuanyang run` plays on: who answers for it, where nobody was named."""
    if settings.operator_name or settings.operator_contact:
        return settings
    # Made up, and plainly so: nobody answers for what somebody plays on his or her own machine.
    made_up = {"operator_name": _("某某志愿者协会（虚构）"), "operator_contact": "nobody@example.invalid"}
    return settings.model_copy(update=made_up)


@contextmanager
def opened() -> Iterator[Database]:
    """The database for one command: configured, current, closed at the end."""
    settings = configured()
    database = connect(settings, ring(settings))
    try:
        refuse_missing_file(database)
        refuse_old(database)
        with database.read() as session:
            database.clock.offset = moved_by(session)
        yield database
    finally:
        database.dispose()


def refuse_missing_file(database: Database) -> None:
    """SQLite would make an empty file; a command that only looks must not."""
    name = database.url.database
    if database.is_sqlite and name and name != ":memory:" and not Path(name).is_file():
        raise Problem(
            _("找不到数据库文件 {path}：用 nuanyang db upgrade 建立，或改正 NUANYANG_DATABASE_URL。").format(path=name)
        )


def person_of(session: Session, number: str) -> str:
    """The person behind a volunteer's number; raises Problem."""
    found = by_number(session, number.strip())
    if found is None:
        raise Problem(_("没有编号为 {number} 的志愿者：请核对编号（回复“我的资料”可以看到）。").format(number=number))
    return found.person_id


def aside(session: Session, message: str) -> Any:
    """The row of a message that was set aside, locked; raises Problem."""
    row = session.execute(
        select(_INBOX).where(_INBOX.c.id == message, _INBOX.c.state == "aside").with_for_update()
    ).first()
    if row is None:
        raise Problem(_("没有编号为 {id} 的搁置消息：用 nuanyang inbox list 看编号。").format(id=message))
    return row


def payload(session: Session, row: Any) -> Inbound:
    """What was said in it; raises Problem."""
    if row.payload_sealed is None:
        raise Problem(_("这条消息的内容已过保存期，不能再处理。"))
    try:
        return Inbound.from_json(vault_of(session).open_json("inbox.payload_sealed", row.id, row.payload_sealed))
    except (VaultError, KeyError, TypeError, ValueError) as error:
        raise Problem(_("这条消息的内容打不开（{why}）。").format(why=type(error).__name__)) from None


@contextmanager
def told() -> Iterator[tuple[Session, list[str]]]:
    """A transaction and what it has to tell. The lines are said once it is committed: what was shown stands in the
    audit trail, however early the reader goes (`| head`), and nobody waits for the lock while they are read."""
    with opened() as database:
        lines: list[str] = []
        with database.write() as session:
            yield session, lines
        for line in lines:
            say(line)


def local(at: datetime | None, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """A moment as lists show it, in the configured zone."""
    if at is None:
        return "-"
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if seconds else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def zone_of(settings: Settings) -> ZoneInfo:
    """The zone in which commands tell times; the heading of a list names it."""
    return ZoneInfo(settings.timezone)


def time_head(zone: ZoneInfo) -> str:
    """The heading of a column of times."""
    return _("时间（{zone}）").format(zone=zone.key)


def say(text: str) -> None:
    """A line for the person at the terminal."""
    typer.echo(text)


def save(path: Path, data: bytes) -> None:
    """A new file for its owner alone; raises Problem."""
    try:
        with path.open("xb") as file:
            file.write(data)
        path.chmod(0o600)  # personal data
    except FileExistsError:
        raise Problem(_("文件 {file} 已经在那里：换一个名字。").format(file=path)) from None
    except OSError as error:
        why = type(error).__name__
        raise Problem(_("文件 {file} 写不进去（{why}）：换一个位置。").format(file=path, why=why)) from None


def note(text: str) -> None:
    """A line beside the result, on standard error."""
    typer.echo(text, err=True)


@contextmanager
def progress_bar(words: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, which is told (done, total); nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
