"""Half an hour of people who write, and one copy that is killed every five minutes: the other one neither grows nor
complains.

The full run alone (35 minutes; the figures are printed, and stand in `soak.json` in the test's folder):

    python -m pytest -s "tests/faults/test_soak.py" -k postgresql-full
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database import Database
from tests.faults.crowds import effects, sound
from tests.faults.report import record
from tests.faults.senders import open_database
from tests.faults.world import Copy, Played, own_database, playing

MOST_GROWTH = 2.0  # MiB an hour
BLOCKS = 10  # into which the samples are put together for the slope
T_8 = 2.306  # Student's t for 95 % and BLOCKS - 2 degrees of freedom


@dataclass(frozen=True)
class Size:
    """`seconds` in all, of which `warm_up` are not counted; a copy is killed every `kill` seconds; `rate` updates a
    second; a sample every `every` seconds."""

    seconds: float
    warm_up: float
    kill: float
    rate: float
    every: float


SMALL = Size(6, 0, 4, 10, 0.5)
FULL = Size(1_800, 300, 300, 10, 5)


@dataclass(frozen=True)
class Sample:
    """What the copy that is never killed holds: memory and write-ahead log in MiB, open files without the connections
    of those who call it; `at` in seconds of the run."""

    at: float
    memory: float
    files: int
    threads: int
    wal: float


@dataclass(frozen=True)
class Slope:
    """Growth an hour and half of its 95 % interval."""

    an_hour: float
    give_or_take: float

    def __str__(self) -> str:
        return f"{self.an_hour:+.2f} ± {self.give_or_take:.2f}"


def sample(began: float, pid: int, port: int, database: Database) -> Sample:
    """One look at a process, from outside."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text("ascii").splitlines() if ":" in line)
    files = len(list((process / "fd").iterdir())) - callers(port)
    memory = int(status["VmRSS"].split()[0]) / 1024
    return Sample(time.monotonic() - began, memory, files, int(status["Threads"]), wal(database))


def callers(port: int) -> int:
    """Connections that others keep open to a port: how many these are is their business."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    ours = [fields for fields in map(str.split, lines) if int(fields[1].split(":")[1], 16) == port]
    return sum(1 for fields in ours if fields[3] in ("01", "08"))  # established, or ended by the other side


def wal(database: Database) -> float:
    """The size of the write-ahead log in MiB; PostgreSQL's is that of its whole server."""
    if database.is_sqlite:
        file = Path(f"{database.url.database}-wal")
        return file.stat().st_size / 2**20 if file.exists() else 0.0
    with database.read() as session:
        return float(session.execute(text("SELECT sum(size) FROM pg_ls_waldir()")).scalar_one()) / 2**20


def most_wal(database: Database) -> float:
    """What the log may come to, in MiB: PostgreSQL's own bound; SQLite begins anew after 1,000 pages of 4 KiB, and has
    some more where readers are in the way."""
    if database.is_sqlite:
        return 16.0
    with database.read() as session:
        bound = session.execute(text("SELECT setting FROM pg_settings WHERE name = 'max_wal_size'")).scalar_one()
    return float(bound)


def slope(samples: list[Sample]) -> Slope:
    """A straight line through the means of blocks, since neighbouring samples say the same thing twice."""
    length = len(samples) // BLOCKS
    blocks = [samples[begin : begin + length] for begin in range(0, length * BLOCKS, length)]
    hours = [statistics.fmean(one.at for one in block) / 3600 for block in blocks]
    memory = [statistics.fmean(one.memory for one in block) for block in blocks]
    line = statistics.linear_regression(hours, memory)
    left = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(hours, memory, strict=True))
    middle = statistics.fmean(hours)
    error = (left / (BLOCKS - 2) / sum((x - middle) ** 2 for x in hours)) ** 0.5
    return Slope(line.slope, T_8 * error)


def grown(samples: list[Sample], what: str) -> float:
    """How much more there is in the last third than in the one before: pools fill up when they are first needed."""
    third = len(samples) // 3
    before, last = ([getattr(one, what) for one in part] for part in (samples[third:-third], samples[-third:]))
    return float(statistics.median(last) - statistics.median(before))


def complaints(log: Path) -> list[str]:
    """Lines of a process that an operator would have to look at."""
    lines = log.read_text("utf-8").splitlines()
    return [one for one in lines if '"level": "error"' in one or '"level": "critical"' in one or "Traceback" in one]


async def watch(size: Size, steady: Copy, other: Copy | None, database: Database, crowd: Played) -> list[Sample]:
    """Samples of the one copy, while the other is killed and started again."""
    began = time.monotonic()
    samples, killed_at = [], began
    while not crowd.done and time.monotonic() - began < size.seconds:
        samples.append(await asyncio.to_thread(sample, began, steady.pid, steady.port, database))
        if other is not None and time.monotonic() - killed_at >= size.kill:
            killed_at = time.monotonic()
            await other.kill()
            await other.start()
        await asyncio.sleep(size.every)
    return samples


@pytest.mark.timeout(2_400)
@pytest.mark.parametrize(
    ("kind", "copies", "size", "seed"),
    [
        pytest.param("postgresql", 2, SMALL, 20261122, id="postgresql-small", marks=pytest.mark.long),
        pytest.param("postgresql", 2, FULL, 1, id="postgresql-full", marks=pytest.mark.long),
        pytest.param("sqlite", 1, FULL, 1, id="sqlite-full", marks=pytest.mark.long),
    ],
)
async def test_a_copy_that_nobody_kills_neither_grows_nor_complains(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, copies: int, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    updates = int(size.seconds * size.rate)
    options = {"updates": updates, "rate": size.rate, "people": 400, "patience": 60, "repeated": 0.05}
    with own_database(request, tmp_path, kind) as url:
        database = open_database(url)
        async with playing(tmp_path, seed=seed, **options) as crowd:
            all_copies = [Copy(tmp_path, url, crowd.api) for _ in range(copies)]
            try:
                await asyncio.gather(*(copy.start() for copy in all_copies))
                crowd.begin(*(copy.base for copy in all_copies))
                steady, other = all_copies[0], all_copies[1] if copies > 1 else None
                samples = await watch(size, steady, other, database, crowd)
                found = await crowd.result()
                complained = complaints(steady.log)
            finally:
                for copy in all_copies:
                    await copy.kill()
            came = await effects(steady, tmp_path / "player.jsonl")
        bound = most_wal(database)
        database.dispose()
    counted = [one for one in samples if one.at >= size.warm_up]
    figures = {
        "seed": seed,
        "copies": copies,
        "updates": updates,
        "killed": other.kills - 1 if other is not None else 0,  # the last kill is the test's own end
        "memory_MiB": round(counted[-1].memory, 1),
        "files": counted[-1].files,
        "threads": counted[-1].threads,
        "wal_MiB": round(max(one.wal for one in counted), 1),
        "errors": len(complained),
        "slowest": found["slowest"],
    }
    if size is FULL:
        growth = slope(counted)
        figures |= {"memory_growth_MiB_an_hour": str(growth), "files_grown": grown(counted, "files")}
        figures |= {"threads_grown": grown(counted, "threads"), "wal_grown_MiB": round(grown(counted, "wal"), 1)}
    record("soak", kind, **figures)
    kept = {"figures": figures, "samples": [asdict(one) for one in samples], "complaints": complained}
    (tmp_path / "soak.json").write_text(json.dumps(kept, ensure_ascii=False))
    assert complained == []
    sound(found, came, updates)
    assert max(one.wal for one in counted) <= bound
    if size is FULL:
        assert growth.an_hour + growth.give_or_take <= MOST_GROWTH, str(growth)
        assert figures["files_grown"] <= 2 and figures["threads_grown"] <= 2
