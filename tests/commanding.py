"""The `nuanyang` command for tests: as a process of its own, and what its folder and configuration hold."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlmodel import select

from models.audit import AuditEntry
from models.database import Database
from models.person import open_door
from models.vault import Vault
from models.volunteer import Volunteer, set_name
from tests.conftest import START, TEST_KEY

KEY = base64.urlsafe_b64encode(TEST_KEY).decode()
COMMAND = [sys.executable, "-c", "from bot.cli import main; main()"]
WECHAT = {
    "NUANYANG_WECHAT__GD__APPID": "wxba5fad812f8e6fb9",
    "NUANYANG_WECHAT__GD__SECRET": "secret",
    "NUANYANG_WECHAT__GD__TOKEN": "AAAAA",
    "NUANYANG_WECHAT__GD__ENCODING_AES_KEY": "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz",
    "NUANYANG_WECHAT__GD__API_BASE": "http://127.0.0.1:9",
}
TELEGRAM = {
    "NUANYANG_TELEGRAM__HK__TOKEN": "123456:ABC-DEF",
    "NUANYANG_TELEGRAM__HK__SECRET_TOKEN": "a-secret_for-tests-only",
    "NUANYANG_TELEGRAM__HK__API_BASE": "http://127.0.0.1:9",
}


def environment(folder: Path, **more: str | None) -> dict[str, str]:
    """A good configuration of `serve`, with what a test changes; None takes a variable away."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUANYANG_")}
    good = {
        **plain,
        **WECHAT,
        **TELEGRAM,
        "NUANYANG_KEYS": KEY,
        "NUANYANG_DATABASE_URL": f"sqlite:///{folder / 'serve.db'}",
        "NUANYANG_SPOOL": str(folder / "spool"),
        "NUANYANG_PORT": str(free_port()),
        "NUANYANG_LANGUAGE": "zh_CN",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **more,
    }
    return {name: value for name, value in good.items() if value is not None}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def nuanyang(folder: Path, *arguments: str, **more: str | None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=60
    )


@contextmanager
def started(folder: Path, *arguments: str, **more: str | None) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on; it is killed at the end if the test has not stopped it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def wait_for(url: str, seconds: float = 30) -> bytes:
    ends = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bytes(response.read())
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


@contextmanager
def on_database(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'serve.db'}", Vault([TEST_KEY]), durable=False)
    yield database
    database.dispose()


def register(folder: Path, *numbers: str) -> None:
    with on_database(folder) as database, database.write() as session:
        for number in numbers:
            _door, person = open_door(session, "wechat", "gd", f"sender{number}", "zh_CN", zone="Asia/Shanghai")
            session.add(
                Volunteer(
                    person_id=person.id,
                    number=number,
                    status="active",
                    registered_at=START,
                    birth_date=date(2000, 1, 1),
                    county="440106",
                )
            )
            session.flush()
            set_name(session, session.exec(select(Volunteer).where(Volunteer.number == number)).one(), "林小青")


def reads(folder: Path, action: str) -> list[tuple[str, str]]:
    with on_database(folder) as database, database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action == action)
        return [(entry.actor, entry.subject) for entry in session.exec(query)]
