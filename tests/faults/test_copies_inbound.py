"""Two and three copies of `serve` on one PostgreSQL, killed at random or restarted one after the other while people
write: the same as with one copy, and a repeat at another copy gets the same answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.crowds import GIVEN_UP, effects, not_admitted, sound, tell
from tests.faults.player import STEPS
from tests.faults.world import Copy, Played, own_database, playing


@dataclass(frozen=True)
class Size:
    """`alive` = seconds between two kills; `people` register, `updates` are written by a crowd at `rate`."""

    people: int
    at_once: int
    alive: tuple[float, float]
    updates: int
    rate: float


SMALL = Size(people=8, at_once=8, alive=(0.5, 1.5), updates=60, rate=15)
FULL = Size(people=300, at_once=16, alive=(1.0, 5.0), updates=4_000, rate=20)

CASES = [
    pytest.param(2, SMALL, 20261122, id="two-small", marks=pytest.mark.long),
    pytest.param(3, SMALL, 20261122, id="three-small", marks=pytest.mark.long),
    pytest.param(2, FULL, 1, id="two-full", marks=pytest.mark.long),
    pytest.param(3, FULL, 2, id="three-full", marks=pytest.mark.long),
]


async def harassed(people: Played, copies: list[Copy], chance: random.Random, alive: tuple[float, float]) -> int:
    """One of the copies is killed, or told to stop as in a rolling restart, and started again, until everybody has said
    everything; returns how many were told to stop."""
    stopped = 0
    while not people.done:
        await asyncio.sleep(chance.uniform(*alive))
        copy = chance.choice(copies)
        if chance.random() < 0.3:
            assert await copy.stop() == 0, "a stop in good order"
            stopped += 1
        else:
            await copy.kill()
        await copy.start()
    return stopped


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(("count", "size", "seed"), CASES)
async def test_people_who_register_at_several_copies_get_one_effect_and_one_answer_a_message(
    request: pytest.FixtureRequest, tmp_path: Path, count: int, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    options = {"people": size.people, "at_once": size.at_once, "pace": 0.5, "stragglers": 3 if size is SMALL else 40}
    with own_database(request, tmp_path, "postgresql") as url:
        async with playing(tmp_path, seed=seed, **options) as people:
            copies = [Copy(tmp_path, url, people.api) for _ in range(count)]
            try:
                await asyncio.gather(*(copy.start() for copy in copies))
                people.begin(*(copy.base for copy in copies))
                stopped = await harassed(people, copies, random.Random(seed), size.alive)
                found = await people.result()
            finally:
                await asyncio.gather(*(copy.kill() for copy in copies))
    kills = sum(copy.kills for copy in copies) - count
    print({name: value for name, value in found.items() if name != "numbers"})
    tell(f"{count} copies, inbound, registering", "postgresql", seed, found, kills=kills, restarts=stopped)
    assert kills + stopped > 0
    assert found["acknowledged"] == size.people * len(STEPS)
    assert (found["lost"], found["doubled"], found["wrong"], found["different"]) == (0, 0, 0, 0), found
    assert len(set(found["numbers"])) == size.people and "" not in found["numbers"]
    assert found["late"] == 0


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(("count", "size", "seed"), [case for case in CASES if "small" not in str(case.id)])
async def test_a_crowd_at_several_copies_gets_one_effect_and_one_answer_a_message(
    request: pytest.FixtureRequest, tmp_path: Path, count: int, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    options = {"updates": size.updates, "rate": size.rate, "people": 1_000, "repeated": 0.3, "patience": 120}
    with own_database(request, tmp_path, "postgresql") as url:
        async with playing(tmp_path, seed=seed, **options) as crowd:
            copies = [Copy(tmp_path, url, crowd.api) for _ in range(count)]
            try:
                await asyncio.gather(*(copy.start() for copy in copies))
                crowd.begin(*(copy.base for copy in copies))
                stopped = await harassed(crowd, copies, random.Random(seed), size.alive)
                found = await crowd.result()
            finally:
                await asyncio.gather(*(copy.kill() for copy in copies))
            came = await effects(copies[0], tmp_path / "player.jsonl")
            silent = not_admitted(url, tmp_path / "player.jsonl")
    kills = sum(copy.kills for copy in copies) - count
    tell(f"{count} copies, inbound", "postgresql", seed, found, came, kills=kills, restarts=stopped)
    assert silent == {}, "answers that nobody got, and nobody knows of"
    sound(found | {"lost": 0}, came, size.updates)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("updates", "seed"), [(40, 20261122), (2_000, 3)])
async def test_a_repeat_at_another_copy_while_the_first_is_at_work_gets_the_very_same_answer(
    request: pytest.FixtureRequest, tmp_path: Path, updates: int, seed: int
) -> None:
    """Each message comes two or three times at once, each time to another copy, and nobody is killed."""
    print(f"seed {seed}")
    options = {"updates": updates, "rate": 15, "people": 500, "repeated": 1.0, "patience": 60}
    with own_database(request, tmp_path, "postgresql") as url:
        async with playing(tmp_path, seed=seed, **options) as crowd:
            copies = [Copy(tmp_path, url, crowd.api) for _ in range(2)]
            try:
                await asyncio.gather(*(copy.start() for copy in copies))
                crowd.begin(*(copy.base for copy in copies))
                found = await crowd.result()
            finally:
                await asyncio.gather(*(copy.kill() for copy in copies))
            came = await effects(copies[0], tmp_path / "player.jsonl")
    tell("repeats at another copy", "postgresql", seed, found, came)
    sound(found, came, updates)
    assert found["silent"] == 0 or found["slowest"] > GIVEN_UP, "a repeat without the answer that the first one got"
