"""How long a `serve` takes from its start to its first answer, and what it holds in memory: idle, and with many talks
that wait for an answer. `python -m bench.start`, a minute; on SQLite, both platforms configured, without a network.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import secrets
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from models import migrate
from models.database import Database
from models.vault import Vault

STARTS = 5
TALKS = 10_000
SECRET = secrets.token_hex(16)
_COMMAND = [sys.executable, "-c", "from bot.cli import main; main()", "serve"]
_MEBIBYTE = 1024 * 1024


class Served:
    """A `serve` of its own port, and what is asked of it."""

    def __init__(self, folder: Path, keys: bytes) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.base = f"http://127.0.0.1:{found.getsockname()[1]}"
            port = str(found.getsockname()[1])
        plain = {name: value for name, value in os.environ.items() if not name.startswith("NUANYANG_")}
        self.environment = plain | {
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "NUANYANG_KEYS": base64.urlsafe_b64encode(keys).decode(),
            "NUANYANG_DATABASE_URL": f"sqlite:///{folder / 'start.db'}",
            "NUANYANG_SPOOL": str(folder / "spool"),
            "NUANYANG_PORT": port,
            "NUANYANG_LOG_LEVEL": "ERROR",
            "NUANYANG_WECHAT__BENCH__APPID": "wx0000000000000001",
            "NUANYANG_WECHAT__BENCH__SECRET": "bench",
            "NUANYANG_WECHAT__BENCH__TOKEN": "bench",
            "NUANYANG_WECHAT__BENCH__ENCODING_AES_KEY": "A" * 43,
            "NUANYANG_WECHAT__BENCH__API_BASE": "http://127.0.0.1:9",
            "NUANYANG_TELEGRAM__BENCH__TOKEN": "1000001:bench",
            "NUANYANG_TELEGRAM__BENCH__SECRET_TOKEN": SECRET,
            "NUANYANG_TELEGRAM__BENCH__API_BASE": "http://127.0.0.1:9",
        }
        self.folder = folder
        self.pid = 0

    @contextmanager
    def running(self) -> Iterator[float]:
        """Started, until its first answer has come: the seconds that took."""
        began = time.perf_counter()
        with subprocess.Popen(
            _COMMAND, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            self.pid = process.pid
            try:
                while not self.answers(1):
                    if process.poll() is not None:
                        raise SystemExit("serve has ended: start it by hand to see why")
                    time.sleep(0.01)
                yield time.perf_counter() - began
            finally:
                process.terminate()

    def answers(self, number: int, words: str = "菜单") -> bool:
        """Whether somebody's message gets an answer with words."""
        user = {"id": 1_000_000 + number, "is_bot": False, "first_name": "b", "language_code": "zh-hans"}
        chat = {"id": user["id"], "type": "private", "first_name": "b"}
        message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": user, "text": words}
        body = json.dumps({"update_id": int(time.time_ns() % 10**15), "message": message}).encode()
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": SECRET}
        request = urllib.request.Request(f"{self.base}/telegram/bench", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def memory(self) -> float:
        """MiB that the process holds now (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / _MEBIBYTE


def main() -> None:
    """Measure and tell."""
    console, keys = Console(), os.urandom(32)
    with TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'start.db'}", Vault([keys]))
        migrate.upgrade(database)
        database.dispose()
        served = Served(folder, keys)
        seconds, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
        for number in range(STARTS):
            with served.running() as took:
                seconds.append(took)
            console.print(f"start {number + 1} of {STARTS}: {took:.2f} s to the first answer")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / STARTS
        with served.running():
            time.sleep(5)
            idle = served.memory()
            half, held = _with_talks(served, console)
    console.print(
        f"start to first answer: median {statistics.median(seconds):.2f} s, {cpu:.2f} s of CPU for start and stop\n"
        f"idle: {idle:.0f} MiB; after {TALKS:,} people began a talk that waits: {held:.0f} MiB "
        f"({(held - idle) * _MEBIBYTE / TALKS:.0f} bytes each, with what is filled once: the database's page caches, "
        f"compiled statements); the second half of them {(held - half) * _MEBIBYTE / TALKS * 2:.0f} bytes each"
    )


def _with_talks(served: Served, console: Console) -> tuple[float, float]:
    """MiB after half of them, and after all."""
    half = 0.0
    for number in range(1, TALKS + 1):
        if not served.answers(number, "报名"):
            raise SystemExit(f"message {number} was not answered")
        if number % 1_000 == 0:
            console.print(f"{number:,} talks wait: {served.memory():.1f} MiB")
        if number == TALKS // 2:
            half = served.memory()
    time.sleep(2)
    return half, served.memory()


if __name__ == "__main__":
    main()
