"""Matching from the database to stored proposals, against the bare assignment of scipy over the same candidates, and
against taking the cheapest pair each time. `python -m bench.matching`, some minutes.

1,000 and 10,000 people waiting in one county with about fifty candidates each, once with places for all and once with
places for seven of ten; 100,000 in a province of 120 counties. People live around one centre as in a city; their
coordinates are sealed, as always. Each figure is of a database of its own, the ratios are of one run.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from sqlalchemy import func, insert, select
from sqlmodel import SQLModel

from bench.places import PLACES
from config import regions
from config.services import catalogue
from models import proposing
from models.beneficiary import MACHINE
from models.database import Database
from models.ids import new_id
from models.ledger_batch import LedgerBatch
from models.matching import Columns, best, columns, greedy
from models.matching_near import candidates
from models.proposing_places import helpers
from models.proposing_rows import gathered

COUNTY = "440106"
SIZES = ((1_000, 1.1), (1_000, 0.7), (10_000, 1.1), (10_000, 0.7))  # people, places for each
PROVINCE, COUNTIES, PROVINCE_PLACES = 100_000, 120, 0.9
KM = 111.2  # of a degree
_T = SQLModel.metadata.tables
console = Console()


@dataclass
class Case:
    """One size on one database: counts, and seconds of the clock and of our CPU."""

    edges: int
    kernel: tuple[float, float]
    ours: tuple[float, float]
    longest: float
    matched: tuple[int, int]
    cost: tuple[float, float]
    greedy: float


def fill(database: Database, people: int, places: float, counties: list[str]) -> None:
    """Invented people, volunteers with two places each, and consents; nobody is paired yet."""
    chance = random.Random(people)
    services, skills = list(catalogue().service), list(catalogue().skill)
    now, vault = datetime.now(UTC), database.vault
    with database.write() as session:
        batch = LedgerBatch(region="44", file_digest="", total=0, made_by=MACHINE, made_at=now)
        session.add(batch)
    clerk = new_id()
    rows: dict[str, list[dict[str, Any]]] = {"person": [person(clerk, now)]}
    rows |= {name: [] for name in ("volunteer", "beneficiary", "family_consent")}
    for number in range(people):
        key, spot = new_id(), around(chance)
        told = {"name": "某某", "longitude": spot[0], "latitude": spot[1]}
        if chance.random() < 0.02:
            told["language"] = "sign"
        if chance.random() < 0.1:
            told["sex_wanted"] = chance.choice(["female", "male"])
        rows["beneficiary"].append(
            dict.fromkeys(("status_since", "listed_at", "changed_at"), now)
            | {"id": key, "county": counties[number % len(counties)], "group_key": "disabled", "status": "listed"}
            | {"batch_id": batch.id, "birth_date": date(1990 + number % 30, 1, 1), "town": f"第{number % 20}街道"}
            | {"needs": chance.sample(services, chance.randint(1, 3)), "id_number_sealed": b""}
            | {"record_sealed": vault.seal_json("beneficiary.record_sealed", key, told)}
        )
        rows["family_consent"].append(
            {"id": new_id(), "beneficiary_id": key, "kind": "pairing", "version": "1", "giver": "self"}
            | {"way": "phone", "recorded_by": clerk, "given_at": now, "withdrawn_by": ""}
        )
    for number in range(int(people * places / 2)):
        key, spot = new_id(), around(chance)
        rows["person"].append(person(key, now))
        rows["volunteer"].append(
            {"id": new_id(), "person_id": key, "number": f"{number:08d}", "status": "active", "registered_at": now}
            | {"birth_date": date(1985, 1, 1), "county": counties[number % len(counties)], "self_supporting": False}
            | {"skills": chance.sample(skills, 2), "services": chance.sample(services, 4), "languages": ["mandarin"]}
            | {"travel_km": chance.choice([3, 5, 10, 20, None]), "sex": chance.choice(["female", "male"])}
            | {"longitude": round(spot[0], 2), "latitude": round(spot[1], 2), "skipped": []}
        )
    for name, values in rows.items():
        for begin in range(0, len(values), 5_000):
            with database.write() as session:
                session.execute(insert(_T[name]), values[begin : begin + 5_000])


def person(key: str, now: datetime) -> dict[str, Any]:
    """A row of a person."""
    return {"id": key, "created_at": now}


def around(chance: random.Random) -> tuple[float, float]:
    """Longitude and latitude: half of all within 7 km of the centre."""
    return 113.3 + chance.gauss(0, 6 / KM), 23.1 + chance.gauss(0, 6 / KM)


@contextmanager
def longest_write(database: Database) -> Iterator[list[float]]:
    """Notes how long each write transaction takes."""
    known, found = database.write, list[float]()

    @contextmanager
    def timed() -> Iterator[Any]:
        began = time.perf_counter()
        with known() as session:
            yield session
        found.append(time.perf_counter() - began)

    database.write = timed  # type: ignore[method-assign]
    try:
        yield found
    finally:
        del database.write  # type: ignore[method-assign]


def timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """What it gives, and the seconds it took: by the clock, and of this process's CPU (without the server's)."""
    began, used = time.perf_counter(), time.process_time()
    return work(), (time.perf_counter() - began, time.process_time() - used)


def assignment(database: Database) -> Columns:
    """The candidates of everybody, as the first assignment of a run has them."""
    from collections import Counter

    with database.read() as session:
        found = gathered(session, [COUNTY], helpers(session), Counter())
    none = np.zeros(len(found.places), np.int64)
    edges, price = candidates(found.waiting, found.places, found.terms, np.arange(len(found.waiting)), none)
    return columns(found.places, edges, price, found.terms, none)


def case(database: Database, people: int, places: float) -> Case:
    """One size."""
    fill(database, people, places, [COUNTY])
    proposing.run(database, "4403", MACHINE)  # nobody lives there: statements are compiled, libraries loaded
    made = assignment(database)
    matrix = made.matrix()
    (_rows, found), kernel = timed(lambda: min_weight_full_bipartite_matching(matrix))
    bare = int((found < made.width).sum())
    with longest_write(database) as writes:
        done, ours = timed(lambda: proposing.run(database, COUNTY, MACHINE))
    chosen, (cheap, took) = best(made), timed(lambda: greedy(made))
    assert len(chosen) == bare <= done.counts["matched"]
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(_T["proposal"])).scalar_one() == people
    return Case(
        len(set(zip(made.row.tolist(), made.edge.tolist(), strict=True))),
        kernel,
        ours,
        max(writes),
        (done.counts["matched"], len(cheap)),
        (float(made.cost[chosen].sum()), float(made.cost[cheap].sum())),
        took[1],
    )


def province(database: Database, name: str) -> None:
    """100,000 people in 120 counties."""
    counties = [one.code for one in regions.every() if one.code.startswith("44") and len(one.code) == 6][:COUNTIES]
    console.print(f"{name}: filling a province …")
    fill(database, PROVINCE, PROVINCE_PLACES, counties)
    with longest_write(database) as writes:
        done, took = timed(lambda: proposing.run(database, "44", MACHINE))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = (
        f"{done.counts['matched']:,} matched, {done.counts['left']:,} left in {took[0]:.1f} s, {took[1]:.1f} s of CPU"
    )
    console.print(
        f"{name}: {PROVINCE:,} in {len(counties)} counties, {told}; longest write {max(writes) * 1000:.0f} ms"
    )
    console.print(f"{name}: most memory so far {memory:.0f} MiB, with the rows made in the same process")


def main() -> None:
    """Everything, and a table of it."""
    heads = (
        "where",
        "waiting",
        "places",
        "candidates",
        "bare s; CPU",
        "ours s; CPU",
        "ratio; CPU",
        "matched ours / greedy",
    )
    table = Table(*heads, "cost each ours / greedy", "greedy CPU s", "longest write ms", title="Matching")
    for name, place in PLACES:
        for people, places in SIZES:
            console.print(f"{name}, {people:,} …")
            with TemporaryDirectory() as folder, place(Path(folder)) as (database, _floor):
                one = case(database, people, places)
            each = " / ".join(f"{cost / count:.2f}" for cost, count in zip(one.cost, one.matched, strict=True))
            found = " / ".join(f"{count:,}" for count in one.matched)
            seconds = tuple(f"{clock:.2f}; {cpu:.2f}" for clock, cpu in (one.kernel, one.ours))
            ratios = (f"{ours / bare:.2f}" for ours, bare in zip(one.ours, one.kernel, strict=True))
            figures = (*seconds, "; ".join(ratios), found, each)
            more = f"{one.greedy:.2f}", f"{one.longest * 1000:.0f}"
            table.add_row(name, f"{people:,}", f"{people * places:,.0f}", f"{one.edges:,}", *figures, *more)
    console.print(table)
    for name, place in PLACES:
        with TemporaryDirectory() as folder, place(Path(folder)) as (database, _floor):
            province(database, name)


if __name__ == "__main__":
    main()
