"""One copy of the process against two on one PostgreSQL: many people each, WeChat's door, by turns in one run."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from bot.server import collect_seldom
from models.database import Database
from models.vault import Vault

SECONDS, ROUNDS = 3.0, 2


def compared(database: Database, folder: Path) -> str:
    """One line with the turns a second of one copy and of two, and how the two compare."""
    url, key = database.url.render_as_string(hide_password=False), os.urandom(32)
    found: dict[int, list[float]] = {1: [], 2: []}
    for _round in range(ROUNDS):
        for number in found:
            found[number].append(_turns_a_second(url, key, folder, number))
    one, two = (sum(each) / ROUNDS for each in found.values())
    return (
        f"PostgreSQL, wechat, two copies: {two:.0f} turns/s, one {one:.0f}: ratio {two / one:.2f} "
        f"({os.cpu_count()} cores, shared with the server)"
    )


def _turns_a_second(url: str, key: bytes, folder: Path, number: int) -> float:
    """Of so many copies together, each a process of its own."""
    context = multiprocessing.get_context("spawn")
    together, counts = context.Barrier(number), context.Queue()
    copies = [context.Process(target=_copy, args=(url, key, folder, together, counts)) for _ in range(number)]
    for copy in copies:
        copy.start()
    turns: int = sum(counts.get(timeout=60) for _ in copies)
    for copy in copies:
        copy.join(10)
    return turns / SECONDS


def _copy(url: str, key: bytes, folder: Path, together: Barrier, counts: Any) -> None:
    from bench.doors import WeChatDoor
    from bench.inbound import Bench, Cost

    collect_seldom()
    database = Database(url, Vault([key]))

    async def run() -> int:
        bench, cost = (
            Bench(database, _no_floor, WeChatDoor(secrets.randbits(60)), folder / secrets.token_hex(4)),
            Cost(),
        )
        await bench.prepare()
        together.wait(30)  # nobody else runs in this process
        await bench.everybody(cost, time.monotonic() + SECONDS)
        await bench.receiver.stop(5)
        return len(cost.each)

    counts.put(asyncio.run(run()))
    database.dispose()


def _no_floor() -> Any:
    raise RuntimeError("no floor is measured here")
