"""The listening side of a process: socket, limits against slow and big requests, and a stop that ends in time."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.app import App
from bot.commands.shared import Problem
from config.texts import SOURCE, _, speaking

log = structlog.get_logger(__name__)

# aiohttp counts this from the connection's start and from each answer: a head that is not complete by then, however
# busily its bytes drip, ends the connection (slowloris).
HEAD_SECONDS = 10.0
MAX_LINE = MAX_FIELD = 8_190  # bytes
MAX_HEADERS = 64
LINGER_SECONDS = 2.0  # for a body that nobody wanted to read
DRAIN_SECONDS = 2.0
TIDY_SECONDS = 15.0
STOP_SECONDS = 9.5  # after which a stop is no longer asked for but done
BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. It accepts before the application is up, so that what starts with it can call it.

    Raises Problem naming the port and the way to choose another.
    """
    try:
        family, kind, number, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, number)
    except OSError as error:
        raise Problem(_("NUANYANG_HOST：地址 {host} 用不了（{why}）。").format(host=host, why=error.strerror)) from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise Problem(_refused(host, port, error)) from None
    return made


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return _("端口 {port} 已被别的程序占用：用 --port {other} 或 NUANYANG_PORT 换一个。").format(
            port=port, other=port + 1 if port < 65_535 else 8080
        )
    if error.errno == errno.EACCES:
        return _("没有权限使用端口 {port}：用 --port 或 NUANYANG_PORT 换一个 1024 以上的。").format(port=port)
    return _("NUANYANG_HOST：地址 {host} 用不了（{why}）。").format(host=host, why=error.strerror)


def address(made: socket.socket) -> tuple[str, int]:
    """The host as it stands in a URL, and the port that was really taken."""
    host, port = made.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return (f"[{host}]" if ":" in host else host), port


class _NotHttp(logging.Filter):
    """A caller that speaks no HTTP gets its 400 from aiohttp; it is no error of ours, and its bytes are no words for a
    log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record stays."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_NOT_HTTP = _NotHttp()


def runner_for(application: web.Application, *, head_seconds: float = HEAD_SECONDS) -> web.AppRunner:
    """The application with its limits; no access log, since addresses and queries are nobody's business."""
    logging.getLogger("aiohttp.server").addFilter(_NOT_HTTP)  # the same one again is added once
    return web.AppRunner(
        application,
        access_log=None,
        auto_decompress=False,  # no platform packs its calls: a bomb is refused unopened
        keepalive_timeout=head_seconds,
        lingering_time=LINGER_SECONDS,
        max_line_size=MAX_LINE,
        max_field_size=MAX_FIELD,
        max_headers=MAX_HEADERS,
        shutdown_timeout=DRAIN_SECONDS,
    )


def collect_seldom() -> None:
    """Leave what was loaded at the start out of the collector's rounds, and make these seldomer: a turn makes thousands
    of objects and hardly a cycle (an eighth of its CPU went there)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


async def tidy() -> None:
    """Collect everything now and then, a few milliseconds each time: cycles that outlive two of the seldom rounds would
    wait for the third kind, which comes after tens of thousands of turns, and hold memory until then."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        gc.collect()


async def keep_running(app: App, sock: socket.socket | None, ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT, then stop gracefully. Without a socket nothing is served (`nuanyang worker`)."""
    stop = asyncio.Event()
    _on_signals(stop)
    runner = runner_for(app.web)
    # Users' languages are chosen turn by turn; the terminal's must not colour them.
    with speaking(SOURCE):
        try:
            await runner.setup()
            if sock is not None:
                await web.SockSite(runner, sock, backlog=BACKLOG).start()
            collect_seldom()
            tidying = asyncio.create_task(tidy())
            ready()
            log.info("started", roles=list(app.roles), accounts=len(app.platforms))
            await stop.wait()
            tidying.cancel()
            log.info("stopping")
        finally:
            _cut_after(STOP_SECONDS)
            await runner.cleanup()
            log.info("stopped")


def _on_signals(stop: asyncio.Event) -> None:
    """The first signal asks for a stop, the second ends the process at once."""

    def heard() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard)


def _cut_after(seconds: float) -> None:
    """However long a thread or a call hangs, the process ends: what was not committed is taken up at the next start."""

    def cut() -> None:
        log.error("stop_cut", seconds=seconds)
        sys.stderr.flush()
        os._exit(1)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
