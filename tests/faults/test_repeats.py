"""Repeats, reordering and lateness: each distinct update has one effect and one answer, however often it comes.

A platform promises no order, so the messages are of a kind whose effects need none (see player_crowd.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.crowds import GIVEN_UP, effects, sound, tell
from tests.faults.world import Copy, own_database, playing

SHARES = {"repeated": 0.3, "shuffled": 0.2, "old": 0.01, "clicking": 0.03}
SMALL = {"updates": 150, "rate": 50, "people": 60, "spread": 1.0, "later": 1.0, "patience": 60, **SHARES, "old": 0.05}
FULL = {"updates": 10_000, "rate": 30, "people": 2_500, "spread": 60.0, "patience": 240, **SHARES}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "size", "seed"),
    [
        pytest.param("sqlite", SMALL, 20261122, id="sqlite-small"),
        pytest.param("postgresql", SMALL, 20261122, id="postgresql-small", marks=pytest.mark.long),
        pytest.param("sqlite", FULL, 1, id="sqlite-full", marks=pytest.mark.long),
        pytest.param("postgresql", FULL, 2, id="postgresql-full", marks=pytest.mark.long),
    ],
)
async def test_repeated_shuffled_and_late_updates_have_one_effect_and_one_answer_each(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: dict[str, float], seed: int
) -> None:
    print(f"seed {seed}")
    with own_database(request, tmp_path, kind) as url:
        async with playing(tmp_path, seed=seed, **size) as crowd:
            copy = Copy(tmp_path, url, crowd.api)
            try:
                await copy.start()
                crowd.begin(copy.base)
                found = await crowd.result()
            finally:
                await copy.kill()
            came = await effects(copy, tmp_path / "player.jsonl")
    tell("repeats", kind, seed, found, came)
    sound(found, came, int(size["updates"]))
    assert found["silent"] == 0 or found["slowest"] > GIVEN_UP, "a repeat without the answer that the first one got"
    assert found["repeats"] > size["updates"] * size["repeated"] / 2
