"""Updates that do harm, at the head of every other batch: the others are answered as if there were none, and what was
accepted of the poison waits for somebody to look at it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.faults.crowds import effects, sound, tell
from tests.faults.poisons import POISONS
from tests.faults.world import Copy, own_database, playing

BROKEN = (sys.executable, "-m", "tests.faults.broken_product")


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("kind", "rounds", "size", "seed"),
    [
        pytest.param("sqlite", 1, 3, 20261122, id="sqlite-small"),
        pytest.param("postgresql", 1, 3, 20261122, id="postgresql-small", marks=pytest.mark.long),
        pytest.param("sqlite", 15, 8, 1, id="sqlite-full", marks=pytest.mark.long),
        pytest.param("postgresql", 15, 8, 2, id="postgresql-full", marks=pytest.mark.long),
    ],
)
async def test_forty_kinds_of_poison_hold_nobody_else_up(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, rounds: int, size: int, seed: int
) -> None:
    print(f"seed {seed}")
    assert len(POISONS) == 40
    ordinary = len(POISONS) * rounds * (2 * size + 3)
    options = {"rounds": rounds, "size": size, "people": ordinary // 4, "patience": 120}
    with own_database(request, tmp_path, kind) as url:
        async with playing(tmp_path, seed=seed, **options) as crowd:
            copy = Copy(tmp_path, url, crowd.api, program=BROKEN)
            try:
                await copy.start()
                crowd.begin(copy.base)
                found = await crowd.result()
                assert copy.alive
            finally:
                await copy.kill()
            came = await effects(copy, tmp_path / "player.jsonl")
            listed = await copy.command("inbox", "list")
    became, (low, ratio, high) = found.pop("became"), found.pop("ratio")
    print(f"p95 of the others beside poison {ratio:.2f} of that beside ordinary messages ({low:.2f} to {high:.2f})")
    p95 = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
    tell("poison", kind, seed, found, came, p95_of_the_others=p95)
    sound(found, came, ordinary)
    assert found["late"] == 0
    assert became == {each.name: {each.comes_to: rounds} for each in POISONS}
    aside = rounds * sum(each.comes_to == "aside" for each in POISONS)
    assert len(re.findall(r"\t(?:wechat|telegram)\t", listed)) == aside
