"""kill −9 while a ledger is taken, and taken back: the same command goes on, and everybody stands there once."""

from __future__ import annotations

import base64
import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import Session, func, select

from models.beneficiary import MACHINE, Beneficiary
from models.database import Database
from models.ledger_batch import LedgerBatch, LedgerBatchRow, LedgerQuestion
from models.ledger_cells import read_ledger
from models.ledger_check import check
from models.ledger_import import take
from models.sealed import BlindIndex
from tests.conftest import START, TEST_KEY
from tests.faults.report import record
from tests.faults.senders import open_database
from tests.faults.world import NUANYANG, ROOT, own_database
from tests.ledger_files import as_csv, people

REGION = "440106"
SMALL, FULL = (2_400, 2), (30_000, 20)  # people, kills


class Command:
    """`nuanyang import …` on this database, as an operator starts it."""

    def __init__(self, folder: Path, url: str) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("NUANYANG_")}
        own = {"NUANYANG_KEYS": base64.urlsafe_b64encode(TEST_KEY).decode(), "NUANYANG_DATABASE_URL": url}
        self._environment = plain | own | {"PYTHONPATH": str(ROOT)}
        self._folder, self.kills = folder, 0

    def run(self, *arguments: str, kill: Callable[[], bool] | None = None) -> bool:
        """Whether it came to its end; else it was killed as soon as `kill` said so."""
        process = subprocess.Popen(
            [*NUANYANG, "import", *arguments], cwd=self._folder, env=self._environment, stdout=subprocess.DEVNULL
        )
        while kill is not None and process.poll() is None:
            if kill():
                process.kill()
                process.wait(10)
                self.kills += 1
                return False
            time.sleep(0.01)
        assert process.wait(300) == 0
        return True


class Moved:
    """Whether a batch has moved on since this was made, and a moment more has passed."""

    def __init__(self, database: Database, batch: str, chance: random.Random) -> None:
        self._database, self._batch, self._wait = database, batch, chance.uniform(0.0, 0.15)
        self._began, self._at = self._done(), 0.0

    def _done(self) -> int:
        of_batch = select(func.count()).where(LedgerBatchRow.batch_id == self._batch, LedgerBatchRow.done)
        with self._database.read() as session:
            return session.exec(of_batch).one()

    def __call__(self) -> bool:
        if not self._at and self._done() != self._began:
            self._at = time.monotonic()
        return bool(self._at) and time.monotonic() - self._at >= self._wait


def counted(session: Session) -> tuple[int, int, int]:
    tables = (Beneficiary, BlindIndex, LedgerQuestion)
    people, numbers, asked = (session.exec(select(func.count()).select_from(table)).one() for table in tables)
    return people, numbers, asked


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
def test_a_ledger_that_is_taken_under_kills_is_taken_once_and_whole(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: tuple[int, int], seed: int
) -> None:
    print(f"seed {seed}")
    count, kills = size
    chance = random.Random(seed)
    with own_database(request, tmp_path, kind) as url:
        database, command = open_database(url), Command(tmp_path, url)
        for rows in (people(50, first=count), people(count)):  # fifty that the second one does not name
            data = as_csv(rows)
            ledger = read_ledger(data, "台账.csv", county=REGION, today=START.date())
            batch = check(database, ledger, data, region=REGION, by=MACHINE, part=False)
            if len(rows) == 50:
                take(database, batch.id, by=MACHINE)
        began = time.monotonic()
        for _kill in range(kills):
            command.run("take", "--many-gone", batch.id, kill=Moved(database, batch.id, chance))
            with database.read() as session:
                people_now, numbers, _asked = counted(session)
            assert people_now == numbers, "a person without a number, or the other way round"
        assert command.run("take", "--many-gone", batch.id)
        with database.read() as session:
            assert counted(session) == (count + 50, count + 50, 50)
            taken = session.get_one(LedgerBatch, batch.id)
            assert (taken.state, taken.counts) == ("taken", {"new": count, "gone": 50, "problems": 0})
        for _kill in range(kills):
            command.run("undo", batch.id, kill=Moved(database, batch.id, chance))
        assert command.run("undo", batch.id)
        with database.read() as session:
            assert counted(session) == (50, 50, 0)
        database.dispose()
    seconds = round(time.monotonic() - began)
    record("kill −9, import", kind, seed=seed, people=count, kills=command.kills, seconds=seconds)
    assert command.kills, "nothing was killed"
