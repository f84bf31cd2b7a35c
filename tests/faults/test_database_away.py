"""The database away for a minute while people write: everything is acknowledged within the contract's 4 seconds, lies
in the spool meanwhile, and is answered when the database is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.absence import LOCKS, Helper, away, behind_wall
from tests.faults.crowds import effects, sound, tell
from tests.faults.world import Copy, own_database, playing

EMPTIED = 60.0  # seconds after its return within which the spool is empty


@dataclass(frozen=True)
class Size:
    """`rate` updates a second, `before` seconds with the database, `gone` without, `after` with it again."""

    rate: float
    before: float
    gone: float
    after: float
    people: int


SMALL = Size(rate=10, before=0.5, gone=4.5, after=0.5, people=20)  # a lock is waited for 3 s, a hung call 4 s
FULL = Size(rate=20, before=10, gone=60, after=30, people=500)


@asynccontextmanager
async def reached(url: str, how: str, seed: int) -> AsyncIterator[tuple[str, Helper | None]]:
    """The address for the product, through a wall where the database is cut off."""
    if how in LOCKS:
        yield url, None
        return
    async with behind_wall(url, seed) as (through, wall):
        yield through, wall


async def emptied(copy: Copy) -> float:
    """Seconds until no update lies in the spool any more; at most twice as long as it may take."""
    began = time.monotonic()
    while copy.spooled and time.monotonic() - began < 2 * EMPTIED:  # noqa: ASYNC110 another process
        await asyncio.sleep(0.1)
    return round(time.monotonic() - began, 1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "how", "size", "seed"),
    [
        pytest.param("sqlite", "locked", SMALL, 20261122, id="sqlite-locked-small"),
        *(
            pytest.param("postgresql", how, SMALL, 20261122, id=f"postgresql-{how}-small", marks=pytest.mark.long)
            for how in ("refuse", "hang", "reset", "locked", "row")
        ),
        pytest.param("sqlite", "locked", FULL, 1, id="sqlite-locked-full", marks=pytest.mark.long),
        *(
            pytest.param("postgresql", how, FULL, 2, id=f"postgresql-{how}-full", marks=pytest.mark.long)
            for how in ("refuse", "hang", "reset", "locked", "row")
        ),
    ],
)
async def test_while_the_database_is_away_all_is_acknowledged_in_time_and_answered_later(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, how: str, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    updates = int(size.rate * (size.before + size.gone + size.after))
    options = {"updates": updates, "rate": size.rate, "people": size.people, "patience": 120, "repeated": 0.1}
    with own_database(request, tmp_path, kind) as url:
        async with reached(url, how, seed) as (through, wall), playing(tmp_path, seed=seed, **options) as crowd:
            copy = Copy(tmp_path, through, crowd.api)
            try:
                await copy.start()
                crowd.begin(copy.base)
                await asyncio.sleep(size.before)
                async with away(how, url, wall):
                    await asyncio.sleep(size.gone)
                    most = copy.spooled
                took = await emptied(copy)
                found = await crowd.result()
            finally:
                await copy.kill()
            came = await effects(copy, tmp_path / "player.jsonl")
    tell(f"database away, {how}", kind, seed, found, came, in_the_spool=most, empty_after=took)
    sound(found, came, updates)
    assert most > 0, "nothing had to wait: the database was not away"
    assert took <= EMPTIED
    assert found["late"] == 0, "acknowledged after 4 s"
    assert copy.spooled == 0
