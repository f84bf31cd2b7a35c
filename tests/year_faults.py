"""What befalls the jobs of a county in a year: they run twice, late, in another order, or are killed in the middle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

from sqlmodel import Session

from models.database import Database, DatabaseAway
from scheduler.jobs import Job

# At the n-th transaction of a job: it cannot be had, is rolled back at its end, or is committed and nobody hears so.
BEFORE, INSIDE, BEHIND = DEATHS = ("before", "inside", "behind")


@contextmanager
def killed(database: Database, number: int, how: str) -> Iterator[None]:
    """Whatever writes dies with its `number`-th transaction."""
    plain, begun = database.write, 0

    @contextmanager
    def write() -> Iterator[Session]:
        nonlocal begun
        begun += 1
        if begun == number and how == BEFORE:
            raise DatabaseAway
        with plain() as session:
            yield session
            if begun == number and how == INSIDE:
                raise DatabaseAway
        if begun == number and how == BEHIND:
            raise DatabaseAway

    database.write = write  # type: ignore[method-assign]
    try:
        yield
    finally:
        del database.write


class Misfortune:
    """Runs jobs as a bad machine does; each of them has run to its end when it is over. `seen` counts what befell."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.chance = database, Random(seed)
        self.seen: Counter[str] = Counter()

    def run(self, jobs: Sequence[tuple[str, Job]]) -> None:
        """All of these once at least."""
        late: list[tuple[str, Job]] = []
        for name, job in jobs:
            what = self.chance.choices(("well", "twice", "late", "killed"), (70, 10, 6, 14))[0]
            self.seen[what] += 1
            if what == "late":
                late.append((name, job))
            elif what == "killed":
                self._killed(name, job)
            else:
                for _time in range(1 + (what == "twice")):
                    job(self.database)
        for _name, job in reversed(late):
            job(self.database)

    def _killed(self, name: str, job: Job) -> None:
        try:
            with killed(self.database, self.chance.choice((1, 1, 2, 3)), self.chance.choice(DEATHS)):
                job(self.database)
        except DatabaseAway:
            self.seen[f"killed: {name}"] += 1
        job(self.database)
