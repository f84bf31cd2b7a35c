"""Ways in which a database is away for a while, each done to it by a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from tests.faults.world import ROOT

LOCKS = {
    "locked": "LOCK TABLE inbox, conversation IN ACCESS EXCLUSIVE MODE",
    "row": "SELECT 1 FROM conversation ORDER BY person_id LIMIT 5 FOR UPDATE",  # of five people
}


class Helper:
    """A process that is told by lines and answers by lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> str:
        """The next line it prints."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def tell(self, word: str) -> str:
        """Tell it a word; returns what it says to that."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        return await self.heard()


@asynccontextmanager
async def helper(module: str, *arguments: str) -> AsyncIterator[Helper]:
    """A module of the tests as a process, ended at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Helper(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def behind_wall(url: str, seed: int) -> AsyncIterator[tuple[str, Helper]]:
    """The database's address through a wall, and the wall."""
    plain = make_url(url)
    async with helper("tests.faults.wall", f"{plain.query['host']}/.s.PGSQL.5432", str(seed)) as wall:
        port = int(await wall.heard())
        through = plain.set(host="127.0.0.1", port=port, query={})
        yield through.render_as_string(hide_password=False), wall


@asynccontextmanager
async def away(how: str, url: str, wall: Helper | None) -> AsyncIterator[None]:
    """Within the block the database is away: "refuse", "hang" or "reset" by the wall, "locked" or "row" by a lock."""
    if how not in LOCKS:
        assert wall is not None
        assert await wall.tell(how) == how
        yield
        assert await wall.tell("open") == "open"
        return
    async with helper("tests.faults.holder", url, LOCKS[how]) as holder:
        assert await holder.heard() == "held"
        yield
        await holder.tell("go")
