"""The ticker itself, with its real threads and clocks: clocks that are set, jobs that hang or fail, long backlogs."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session

from models.database import Database, DatabaseAway
from models.page import Page
from models.person import Person
from models.vault import Vault
from models.volunteer import Volunteer
from scheduler import jobs, ticker
from scheduler.jobs import Job
from scheduler.ticker import Ticker
from tests.conftest import StoppedClock

SECONDS = 20.0  # for what comes within one on a machine that does nothing else


class WallClock:
    """The wall clock of APScheduler and of the ticker, which a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta(0)
        clock = self

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.now(tz) + clock.ahead

        wall = SimpleNamespace(time=lambda: time.time() + self.ahead.total_seconds(), monotonic=time.monotonic)
        monkeypatch.setattr("apscheduler.schedulers.base.datetime", Moved)
        monkeypatch.setattr(ticker, "datetime", Moved)
        monkeypatch.setattr(ticker, "time", wall)


class Runs:
    """Counts the runs of a job, and waits for further ones."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._then = then
        self._changed = threading.Condition()

    def __call__(self, _database: Database) -> int:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
        self._then()
        return 0

    def more(self, times: int, seconds: float = SECONDS) -> bool:
        """Whether it ran so many times more within these seconds."""
        with self._changed:
            wanted = self.count + times
            return self._changed.wait_for(lambda: self.count >= wanted, seconds)

    def at_least(self, times: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= times, SECONDS)


@pytest.fixture
def database(vault: Vault, clock: StoppedClock, tmp_path: Path) -> Iterator[Database]:
    """None of these jobs asks it anything."""
    made = Database(f"sqlite:///{tmp_path / 'never made.db'}", vault, clock)
    yield made
    made.dispose()


@contextmanager
def ticking(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    seen: list[tuple[str, str]] | None = None,
    **made: tuple[float, Job],
) -> Iterator[Ticker]:
    monkeypatch.setattr(ticker, "JOBS", tuple((name, seconds, job) for name, (seconds, job) in made.items()))
    monkeypatch.setattr(ticker, "WATCH_SECONDS", 0.05)
    begun = Ticker(database, observe=lambda job, outcome: None if seen is None else seen.append((job, outcome)))
    begun.start()
    try:
        yield begun
    finally:
        begun.stop()


@pytest.mark.parametrize(
    "jump", [timedelta(hours=-1), timedelta(days=-1), timedelta(minutes=30), timedelta(days=8), timedelta(days=20_000)]
)
def test_jobs_go_on_at_once_when_the_machines_clock_is_set(
    database: Database, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    wall = WallClock(monkeypatch)
    often, rare = Runs(), Runs()
    with ticking(database, monkeypatch, often=(0.1, often), rare=(3_600, rare)):
        assert often.at_least(1) and rare.at_least(1)
        wall.ahead = jump
        assert rare.more(1), "it comes every hour, and the clock tells nothing of when the last one was"
        before = often.count
        assert often.more(2)
        assert often.count - before < 20, "runs that a jump seems to have missed are not made up for one by one"


def test_a_jumping_clock_hides_neither_a_silent_ticker_nor_a_living_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = WallClock(monkeypatch)
    often = Runs()
    assert Ticker(database).silent() is None
    with ticking(database, monkeypatch, often=(0.1, often)) as begun:
        assert often.more(1)
        wall.ahead = timedelta(days=-30)
        assert often.more(2)
        silent = begun.silent()
        assert silent is not None and 0 <= silent < SECONDS
        assert begun.last_tick is not None and begun.last_tick.tzinfo is UTC


def test_jobs_that_hang_hold_up_no_other_and_are_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(ticker, "HANGS_SECONDS", 0.1)
    hung = [Runs(lambda: released.wait(60)) for _number in range(ticker.THREADS - 1)]
    often = Runs()
    made: dict[str, tuple[float, Job]] = {f"hung{number}": (0.1, one) for number, one in enumerate(hung)}
    try:
        with ticking(database, monkeypatch, **made, often=(0.1, often)) as begun:
            assert all(one.at_least(1) for one in hung)
            assert often.more(5)
            assert begun.hanging() == sorted(made)
            assert [one.count for one in hung] == [1] * len(hung), "one that runs is not begun anew"
            released.set()
            assert all(one.more(1) for one in hung), "and goes on when it can"
    finally:
        released.set()


@pytest.mark.parametrize("error", [DatabaseAway("gone"), ValueError("on purpose")])
def test_a_job_that_fails_is_tried_again_before_its_next_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(ticker, "RETRY_SECONDS", 0.1)
    seen: list[tuple[str, str]] = []
    rare = Runs()

    def fails_twice(given: Database) -> int:
        rare(given)
        if rare.count < 3:
            raise error
        return 0

    with ticking(database, monkeypatch, seen, rare=(3_600, fails_twice)) as begun:
        assert begun.last_tick is None
        assert rare.at_least(3)
        assert not rare.more(1, seconds=0.5), "then it waits for its time again"
    failed = "away" if isinstance(error, DatabaseAway) else "failed"
    assert seen == [("rare", failed), ("rare", failed), ("rare", "done")]


def test_nothing_runs_after_the_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    often = Runs()
    with ticking(database, monkeypatch, often=(0.1, often)) as begun:
        assert often.more(1)
    begun.stop()  # twice does no harm
    assert not often.more(1, seconds=0.5)


class Slices:
    """Counts write transactions and what each of them did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = Database.write
        mine = self

        @contextmanager
        def write(database: Database) -> Iterator[Session]:
            mine.count += 1
            with real(database) as session:
                yield session

        monkeypatch.setattr(Database, "write", write)
        monkeypatch.setattr(jobs, "_PAUSE", 0.0)


@pytest.fixture
def backlog(empty_sqlite: Path, vault: Vault, clock: StoppedClock, tmp_path: Path) -> Iterator[Database]:
    """More of one cheap and one costly kind than one transaction may do."""
    path = tmp_path / "backlog.db"
    shutil.copy(empty_sqlite, path)
    made = Database(f"sqlite:///{path}", vault, clock, durable=False)
    old = clock.now() - timedelta(days=400)
    with made.write() as session:
        session.add(Person(id="p", created_at=old))
        session.flush()
        page = {"kind": "data", "person_id": "p", "facts_sealed": b"x", "created_at": old, "expires_at": old}
        session.execute(insert(Page), [{"id": f"page-{number}", **page} for number in range(1_101)])
        for number in range(25):
            person = Person(id=f"p{number}", created_at=old)
            session.add(person)
            session.flush()
            session.add(
                Volunteer(
                    person_id=person.id,
                    number=str(number),
                    status="waiting_guardian",
                    registered_at=old,
                    waiting_since=old,
                    birth_date=date(2014, 1, 1),
                    county="440106",
                )
            )
    yield made
    made.dispose()


def test_a_long_backlog_is_done_in_short_transactions(backlog: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = Slices(monkeypatch)
    assert jobs.forget_ended(backlog) == 1_101
    assert slices.count == 3 + 5, "pages by 500, and one look for each of the five other kinds"
    slices.count = 0
    assert jobs.drop_pending_minors(backlog) == 25
    assert slices.count == 3, "by 10, since each of them is looked at and written to by itself"
    slices.count = 0
    assert jobs.drop_pending_minors(backlog) == jobs.leave_blocked_doors(backlog) == jobs.come_of_age(backlog) == 0
    assert slices.count == 0, "where nothing is due no lock is taken"
