"""Everything on this machine: SQLite file, migrations, keys of its own, both platforms played, one address."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import delete, make_url
from sqlmodel import col

from bot import preflight, server
from bot.app import App
from bot.commands.shared import KEY_FILE, Problem, connect, read_key_file, say, with_played_operator
from bot.sandbox.sandbox import Sandbox, SandboxOptions
from config.cards import CARDS, Once, Template
from config.settings import Settings, TelegramAccount, WeChatAccount
from config.texts import _
from models import migrate
from models.clock import moved_by
from models.database import Database
from models.installed import Installed, remember_played
from models.vault import Vault

ACCOUNT = "sandbox"
STEP = timedelta(hours=1)


async def run(settings: Settings, *, host: str | None, port: int | None, data: Path | None) -> None:
    """Until Ctrl-C. Raises Problem or UnsafeSetting before anything is served."""
    with alone(database_url(settings, data)):
        sock = server.listen(host or settings.host, settings.port if port is None else port)
        name, number = server.address(sock)
        base = f"http://{name}:{number}"
        try:
            app = await _app(settings, base, name, data)
        except BaseException:
            sock.close()
            raise
        await server.keep_running(app, sock, lambda: _tell(base))


@contextmanager
def alone(url: str) -> Iterator[None]:
    """One `run` a database file: two would play the same accounts with secrets of their own. The system takes the lock
    away with the process, however it ends; the file stays. Raises Problem."""
    name = make_url(url).database if url.startswith("sqlite:") else None
    if not name or name == ":memory:":
        yield
        return
    path = Path(f"{name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("ab")
    except OSError as error:
        raise Problem(
            _("文件夹 {path} 写不进去（{why}）：用 --data 换一个。").format(path=path.parent, why=error.strerror)
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(
                _(
                    "另一个 nuanyang run 正在用 {path}：直接用那一个，或先按 Ctrl-C 停下它，或用 --data 换一个文件夹。"
                ).format(path=name)
            ) from None
        except OSError:
            say(_("这个文件夹不支持文件锁（多半是网络盘）：请自己留意不要同时运行两个。"))
        yield


async def _app(settings: Settings, base: str, host: str, data: Path | None) -> App:
    """The whole of it: database, both platforms as they are played, the clock that can be moved."""
    folder = (data or Path()) / KEY_FILE.parent
    mine = own_settings(settings, base, folder, data)
    database = await asyncio.to_thread(open_played, mine, folder)
    clock = _Clock(database)
    app = App(mine, database, spool=mine.spool, public_url=base)
    clock.app = app
    try:
        sandbox = Sandbox(
            base,
            folder,
            wechat=mine.wechat[ACCOUNT],
            telegram=mine.telegram[ACCOUNT],
            advance=clock.advance,
            now=database.clock.now,
            options=SandboxOptions(zone=mine.timezone),
        )
    except ValueError:
        raise Problem(_("NUANYANG_HOST：沙盒只在本机使用，不能放在 {host}：去掉 --host。").format(host=host)) from None
    _add(app.web, sandbox)
    return app


def _tell(base: str) -> None:
    say(_("暖阳已经开始，请用浏览器打开：{address}").format(address=f"{base}/sandbox"))
    say(_("按 Ctrl-C 停止。"))


def _add(application: web.Application, sandbox: Sandbox) -> None:
    async def start(_app: web.Application) -> None:
        await sandbox.start()

    async def stop(_app: web.Application) -> None:
        await sandbox.stop()

    sandbox.add_routes(application)
    application.on_startup.append(start)
    application.on_cleanup.append(stop)


def own_settings(settings: Settings, base: str, folder: Path, data: Path | None) -> Settings:
    """The configuration with the sandbox's accounts in place of any real ones; they are made anew at each start."""
    wechat = WeChatAccount(
        appid="wx73616e64626f7831",
        secret=SecretStr(secrets.token_hex(16)),
        token=SecretStr(secrets.token_hex(16)),
        encoding_aes_key=SecretStr(base64.b64encode(os.urandom(32)).decode().rstrip("=")),
        api_base=f"{base}/sandbox/wechat-api",
        page_base=f"{base}/sandbox/wechat-pages",
        templates=_played_templates("tm"),
        subscriptions=_played_templates("sub"),
        once=Once("once", 1000),
    )
    telegram = TelegramAccount(
        token=SecretStr(f"1000000001:{secrets.token_urlsafe(24)}"),
        secret_token=SecretStr(secrets.token_hex(16)),
        api_base=f"{base}/sandbox/telegram-api",
    )
    changed: dict[str, object] = {"wechat": {ACCOUNT: wechat}, "telegram": {ACCOUNT: telegram}, "public_url": base}
    changed["database_url"] = SecretStr(database_url(settings, data))
    if data is not None or "spool" not in settings.model_fields_set:
        changed["spool"] = folder / "spool"
    return with_played_operator(settings.model_copy(update=changed))


def _played_templates(kind: str) -> dict[str, Template]:
    """A template for every card, as the played account has them: what goes out by them is seen on the phone."""
    fields = {"state": "phrase1", "thing": "thing2", "time": "time3"}
    return {card: Template(f"{kind}_{card}", fields) for card in CARDS}


def database_url(settings: Settings, data: Path | None) -> str:
    return settings.database_url.get_secret_value() if data is None else f"sqlite:///{data / 'nuanyang.db'}"


def open_played(settings: Settings, folder: Path) -> Database:
    """Folder, keys and database, made where they are not there yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = settings.key_bytes() or _own_keys(folder / KEY_FILE.name)
    except OSError as error:
        raise Problem(
            _("文件夹 {path} 写不进去（{why}）：用 --data 换一个。").format(path=folder, why=error.strerror)
        ) from None
    preflight.check_spool(settings.spool)
    database = connect(settings, Vault(keys))
    state = migrate.state(database)
    if state.standing in ("ahead", "foreign"):
        raise Problem(
            _("数据库 {url} 不是这个版本建立的：用 --data 换一个文件夹，或升级程序。").format(
                url=database.url.render_as_string(hide_password=True)
            )
        )
    migrate.upgrade(database)
    preflight.check_keys(database)
    with database.write() as session:
        database.clock.offset = moved_by(session)
        remember_played(session)
        if not (folder / "sandbox.json").exists():
            # The played platforms begin without a memory, so nothing is put up there yet.
            session.execute(delete(Installed).where(col(Installed.name).like(f"%:{ACCOUNT}")))
    return database


def _own_keys(path: Path) -> tuple[bytes, ...]:
    """The keys of this folder, made at the first start, readable by their owner alone."""
    if not path.exists():
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Whoever starts second at the same moment keeps the first one's keys.
        try:
            path.hardlink_to(part)
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)
    return read_key_file(path)


class _Clock:
    """Moves the programme clock through everything that falls due on the way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one = asyncio.Lock()
        self.app: App | None = None

    async def advance(self, seconds: int) -> None:
        """Forward by so many seconds, in steps of at most an hour, running every job after each."""
        async with self._one:
            left = timedelta(seconds=seconds)
            while left > timedelta(0):
                step = min(left, STEP)
                await asyncio.to_thread(self._step, step)
                left -= step

    def _step(self, step: timedelta) -> None:
        with self._database.write() as session:
            self._database.clock.advance(session, step)
        if self.app is not None:
            self.app.ticker.run_all()
