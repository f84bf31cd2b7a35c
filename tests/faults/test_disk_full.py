"""The disk runs full while people write: nothing is acknowledged that is not kept, nothing breaks, and once there is
room again all goes on by itself."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.absence import away, behind_wall
from tests.faults.crowds import effects, sound, tell
from tests.faults.disk import small_disk
from tests.faults.world import NUANYANG, Copy, own_database, playing


@dataclass(frozen=True)
class Size:
    """`rate` updates a second, `before` seconds with room, `full` without, `after` with room again."""

    rate: float
    before: float
    full: float
    after: float
    people: int
    megabytes: int = 16


SMALL = Size(rate=10, before=0.5, full=2.5, after=0.5, people=20)
FULL = Size(rate=10, before=10, full=30, after=20, people=200, megabytes=64)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("size", "seed"),
    [
        pytest.param(SMALL, 20261122, id="small"),
        pytest.param(FULL, 1, id="full", marks=pytest.mark.long),
    ],
)
async def test_a_full_disk_below_database_and_spool_acknowledges_nothing_that_is_not_kept(
    tmp_path: Path, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    options = _options(size)
    async with small_disk(tmp_path, size.megabytes) as disk, playing(tmp_path, seed=seed, **options) as crowd:
        url, program = f"sqlite:///{disk.inside / 'fault.db'}", (*disk.entering, *NUANYANG)
        copy = Copy(tmp_path, url, crowd.api, spool=disk.inside / "spool", program=program)
        await copy.command("db", "upgrade")
        try:
            await copy.start()
            crowd.begin(copy.base)
            await asyncio.sleep(size.before)
            async with disk.full():
                await asyncio.sleep(size.full)
            found = await crowd.result()
            assert copy.alive, "it went on by itself"
        finally:
            await copy.kill()
        came = await effects(copy, tmp_path / "player.jsonl")
        for part in disk.outside.glob("fault.db*"):
            shutil.copy(part, tmp_path)
        assert not list((disk.outside / "spool").glob("*.update"))
    with closing(sqlite3.connect(tmp_path / "fault.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    tell("disk full", "sqlite", seed, found, came, refused=dict(found["refused"]))
    sound(found, came, int(options["updates"]))
    assert found["refused"].get("503", 0) > 0, "it was never full"
    assert set(found["refused"]) <= {"503"}, "an honest “come again”, and no other failure"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("size", "seed"),
    [
        pytest.param(SMALL, 20261122, id="small", marks=pytest.mark.long),
        pytest.param(FULL, 2, id="full", marks=pytest.mark.long),
    ],
)
async def test_a_full_disk_below_the_spool_while_the_database_is_away_acknowledges_nothing_that_is_not_kept(
    request: pytest.FixtureRequest, tmp_path: Path, size: Size, seed: int
) -> None:
    """First the database goes, then the spool's disk; the disk comes back first."""
    print(f"seed {seed}")
    options = _options(size)
    async with small_disk(tmp_path, size.megabytes) as disk:
        with own_database(request, tmp_path, "postgresql") as url:
            async with behind_wall(url, seed) as (through, wall), playing(tmp_path, seed=seed, **options) as crowd:
                program = (*disk.entering, *NUANYANG)
                copy = Copy(tmp_path, through, crowd.api, spool=disk.inside / "spool", program=program)
                try:
                    await copy.start()
                    crowd.begin(copy.base)
                    await asyncio.sleep(size.before)
                    async with away("refuse", url, wall):
                        await asyncio.sleep(size.full / 4)
                        async with disk.full():
                            await asyncio.sleep(size.full / 2)
                        await asyncio.sleep(size.full / 4)
                    found = await crowd.result()
                    assert copy.alive, "it went on by itself"
                finally:
                    await copy.kill()
                came = await effects(copy, tmp_path / "player.jsonl")
        assert not list((disk.outside / "spool").glob("*.update"))
    tell("disk full and database away", "postgresql", seed, found, came, refused=dict(found["refused"]))
    sound(found, came, int(options["updates"]))
    assert found["refused"].get("503", 0) > 0, "it was never full"
    assert set(found["refused"]) <= {"503"}, "an honest “come again”, and no other failure"


def _options(size: Size) -> dict[str, float]:
    updates = int(size.rate * (size.before + size.full + size.after))
    return {"updates": updates, "rate": size.rate, "people": size.people, "patience": 120, "repeated": 0.1}
