"""`nuanyang run`, `serve` and `worker`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot import logs, preflight
from bot.backup import InUse, using
from bot.commands.shared import Problem, configured, connect, say
from config.settings import Settings
from config.texts import _
from models.database import Database
from models.vault import Vault


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(help=_("在这台机器上运行全部：数据库、两个平台的沙盒和手机页面，不需要账号和网络。"))(run)
    app.command(help=_("按配置正式运行：接收消息、投递和定时任务。"))(serve)
    app.command(help=_("只投递和跑定时任务，不开网页端口。"))(worker)


def run(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help=_("端口，0 表示任选一个空闲的"))] = None,
    host: Annotated[str | None, typer.Option(help=_("监听的本机地址"))] = None,
    data: Annotated[Path | None, typer.Option(help=_("放数据的文件夹"))] = None,
) -> None:
    """Everything on this machine."""
    from bot import run as everything

    settings = configured()
    logs.set_up(settings.log_level if "log_level" in settings.model_fields_set else "WARNING")
    asyncio.run(everything.run(settings, host=host, port=port, data=data))


def serve() -> None:
    """The real thing."""
    from bot import server
    from bot.app import App

    with _ready() as (settings, database):
        sock = server.listen(settings.host, settings.port)
        logs.set_up(settings.log_level)
        host, port = server.address(sock)
        asyncio.run(
            server.keep_running(
                App(settings, database, spool=settings.spool),
                sock,
                lambda: say(_("暖阳正在 {address} 提供服务。").format(address=f"http://{host}:{port}")),
            )
        )


def worker() -> None:
    """Delivery and jobs without HTTP."""
    from bot import server
    from bot.app import App

    with _ready() as (settings, database):
        logs.set_up(settings.log_level)
        app = App(settings, database, spool=settings.spool, roles=("deliver", "tick"))
        asyncio.run(server.keep_running(app, None, lambda: say(_("暖阳正在投递和跑定时任务。"))))


@contextmanager
def _ready() -> Iterator[tuple[Settings, Database]]:
    """The checked configuration and database, which nobody puts another file in place of meanwhile; raises what is told
    in one line."""
    settings = configured()
    preflight.check_settings(settings)
    preflight.check_spool(settings.spool)
    database = connect(settings, Vault(settings.key_bytes()))
    try:
        with using(database.url, alone=False):
            preflight.check_database(database)
            yield settings, database
    except InUse:
        raise Problem(_("数据库正在恢复，或者另一个 nuanyang run 正在用它：等它结束，或者换一个数据库。")) from None
    finally:
        database.dispose()
