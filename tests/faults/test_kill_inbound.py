"""kill −9 while people write: every acknowledged update has exactly one effect, and everybody is answered."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.faults.crowds import tell
from tests.faults.player import STEPS
from tests.faults.world import Copy, own_database, playing

SMALL = {"people": 6, "at_once": 8, "pace": 0.5, "alive": (0.5, 1.5)}
FULL = {"people": 720, "at_once": 16, "pace": 0.6, "alive": (1.0, 5.0)}


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(
    ("kind", "size", "seed"),
    [
        pytest.param("sqlite", SMALL, 20261122, id="sqlite-small"),
        pytest.param("postgresql", SMALL, 20261122, id="postgresql-small", marks=pytest.mark.long),
        pytest.param("sqlite", FULL, 1, id="sqlite-full", marks=pytest.mark.long),
        pytest.param("postgresql", FULL, 2, id="postgresql-full", marks=pytest.mark.long),
    ],
)
async def test_a_served_bot_killed_again_and_again_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: dict[str, object], seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    options = {name: size[name] for name in ("people", "at_once", "pace")}
    with own_database(request, tmp_path, kind) as url:
        async with playing(tmp_path, seed=seed, stragglers=40 if size is FULL else 3, **options) as people:
            copy = Copy(tmp_path, url, people.api)
            try:
                await copy.start()
                people.begin(copy.base)
                while not people.done:
                    low, high = size["alive"]  # type: ignore[misc]
                    await asyncio.sleep(chance.uniform(low, high))
                    if people.done or copy.kills >= 400:
                        break
                    await copy.kill()
                    await copy.start()
                found = await people.result()
            finally:
                await copy.kill()
    everybody = int(str(size["people"]))
    print({name: value for name, value in found.items() if name != "numbers"})
    tell("kill −9, inbound", kind, seed, found, kills=copy.kills)
    assert copy.kills >= 2
    assert found["acknowledged"] == everybody * len(STEPS)
    assert (found["lost"], found["doubled"], found["wrong"], found["different"]) == (0, 0, 0, 0), found
    assert len(set(found["numbers"])) == everybody and "" not in found["numbers"]
    assert found["slowest"] < 5.0
