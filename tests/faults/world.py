"""The product's processes and the player, started as an operator and a platform would, killed at will."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from sqlalchemy import make_url

from models import migrate
from models.database import Database
from models.vault import Vault
from tests.conftest import TEST_KEY
from tests.faults import player

ROOT = Path(__file__).parent.parent.parent
NUANYANG = (sys.executable, "-c", "from bot.cli import main; main()")


@contextmanager
def own_database(request: pytest.FixtureRequest, folder: Path, kind: str) -> Iterator[str]:
    """The address of a migrated database of this test alone, on the disk as under `serve`."""
    url = f"sqlite:///{folder / 'fault.db'}"
    if kind == "postgresql":
        server = make_url(request.getfixturevalue("postgresql_url"))
        name = f"fault_{server.database}"
        plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[call-overload]
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        url = server.set(database=name).render_as_string(hide_password=False)
    database = Database(url, Vault([TEST_KEY]))
    migrate.upgrade(database)
    database.dispose()
    yield url


class Copy:
    """One `serve` or `worker`, started and killed."""

    def __init__(
        self,
        folder: Path,
        url: str,
        api: str,
        command: str = "serve",
        *,
        spool: Path | None = None,
        program: tuple[str, ...] = NUANYANG,
        **settings: str,
    ) -> None:
        """`program` starts the product; `settings` are further NUANYANG_… variables, in any case."""
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self.base = f"http://127.0.0.1:{self.port}"
        self.kills = 0
        self.log = folder / f"{command}-{self.port}.log"
        self.spool = spool or folder / f"spool-{self.port}"
        self._folder, self._start = folder, [*program, command]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("NUANYANG_")}
        self._environment = plain | {
            "PYTHONPATH": str(ROOT),
            "NUANYANG_KEYS": base64.urlsafe_b64encode(TEST_KEY).decode(),
            "NUANYANG_DATABASE_URL": url,
            "NUANYANG_SPOOL": str(self.spool),
            "NUANYANG_PORT": str(self.port),
            "NUANYANG_WECHAT__FAULT__APPID": player.APPID,
            "NUANYANG_WECHAT__FAULT__SECRET": player.SECRET,
            "NUANYANG_WECHAT__FAULT__TOKEN": player.TOKEN,
            "NUANYANG_WECHAT__FAULT__ENCODING_AES_KEY": player.AES_KEY,
            "NUANYANG_WECHAT__FAULT__API_BASE": f"{api}/wechat",
            "NUANYANG_TELEGRAM__FAULT__TOKEN": player.BOT_TOKEN,
            "NUANYANG_TELEGRAM__FAULT__MODE": "webhook",
            "NUANYANG_TELEGRAM__FAULT__SECRET_TOKEN": player.BOT_SECRET,
            "NUANYANG_TELEGRAM__FAULT__API_BASE": f"{api}/telegram",
            **{f"NUANYANG_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, seconds: float = 60) -> None:
        """Until /readyz says 200."""
        with self.log.open("ab") as log:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                self._start,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        ends = asyncio.get_running_loop().time() + seconds
        async with aiohttp.ClientSession() as http:
            while not await self._ready(http):
                alive = self._process.poll() is None and asyncio.get_running_loop().time() < ends
                assert alive, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.base}/readyz", timeout=aiohttp.ClientTimeout(5)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def kill(self) -> None:
        """SIGKILL, as a power cut of the process."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self.kills += 1
            await asyncio.to_thread(self._process.wait, 10)

    async def stop(self, seconds: float = 15) -> int:
        """SIGTERM, as an operator's restart; returns the exit status."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, seconds)

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def spooled(self) -> int:
        """How many updates lie in the spool folder."""
        return len(list(self.spool.glob("*.update")))

    async def command(self, *words: str) -> str:
        """What a command of the operator prints; it has to end well."""
        process = await asyncio.create_subprocess_exec(
            *(*self._start[:-1], *words),
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        printed, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
        return printed.decode()


class Played:
    """The player's process."""

    def __init__(self, process: asyncio.subprocess.Process, api: str) -> None:
        self.api = api
        self._process = process
        self._result: asyncio.Task[dict[str, Any]] | None = None

    def begin(self, *targets: str) -> None:
        """People start to write, each try to the next of these copies."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{' '.join(targets)}\n".encode())
        self._result = asyncio.create_task(self._read())

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line or b"{}")
        return found

    def end(self) -> None:
        """Nobody writes: it is enough."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"end\n")

    @property
    def done(self) -> bool:
        """Whether everybody has said everything."""
        return self._result is not None and self._result.done()

    async def result(self) -> dict[str, Any]:
        """What the player found."""
        assert self._result is not None
        return await self._result


@asynccontextmanager
async def playing(folder: Path, **options: object) -> AsyncIterator[Played]:
    """The player, started with these options."""
    given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.player", "--log", str(folder / "player.jsonl"), *given),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,  # bytes of the result's one line
    )
    try:
        assert process.stdout is not None
        yield Played(process, (await process.stdout.readline()).decode().strip())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
