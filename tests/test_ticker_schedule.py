"""The jobs, whenever they run: late, twice, at once on two copies, over jumps of the clock, over leap days and years.

Everything is compared with a plain schedule: every job every third day at the same hour, the clock never moved.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.database import Database
from scheduler import jobs
from scheduler.ticker import Ticker
from tests.conftest import StoppedClock
from tests.due import WEEKS, clear, fill, read

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STARTS = {
    "over a year's end": datetime(2026, 12, 10, 2, 0, tzinfo=UTC),
    "over 29 February, by midnight in Guangdong": datetime(2028, 2, 10, 16, 0, tzinfo=UTC),
    "over the day after 28 February": datetime(2030, 2, 10, 15, 59, tzinfo=UTC),
}
State = dict[str, Counter[tuple[str, ...]]]


@dataclass(frozen=True)
class Step:
    """Something that happens: time passes, a clock is set (the programme's or the machine's), or a job runs."""

    what: str
    by: timedelta = timedelta(0)
    job: int = 0


STEPS = st.lists(
    st.one_of(
        st.builds(Step, st.just("pass"), by=st.integers(1, 24 * 9).map(lambda hours: hours * HOUR)),
        st.builds(
            Step,
            st.sampled_from(["programme clock", "machine clock"]),
            by=st.sampled_from([HOUR, -HOUR, DAY, -DAY, 8 * DAY]),
        ),
        st.builds(Step, st.just("job"), job=st.integers(0, len(jobs.JOBS) - 1)),
        st.just(Step("all jobs")),
    ),
    max_size=20,
)


def run_all(database: Database, order: int = 0) -> None:
    """Every job, beginning anywhere in the list."""
    seen: list[tuple[str, str]] = []
    ticker = Ticker(database, observe=lambda job, outcome: seen.append((job, outcome)))
    for name, _seconds, job in (*jobs.JOBS[order:], *jobs.JOBS[:order]):
        ticker._run(name, job)
    assert {outcome for _job, outcome in seen} == {"done"}, seen


def at_the_end(database: Database, clock: StoppedClock, start: datetime, order: int = 0) -> State:
    """After the last jobs. They are run until nothing changes, which must be at once after the second time."""
    clock.at, clock.offset = start + WEEKS, timedelta(0)
    run_all(database, order)
    run_all(database, order)
    found = read(database)
    run_all(database, order)
    assert read(database) == found, "a further run changes nothing"
    return found


def plain(database: Database, clock: StoppedClock, start: datetime) -> State:
    """The end of a plain schedule from the same beginning: some days apart, for time's sake, and never late by more."""
    begin(database, clock, start)
    while clock.at < start + WEEKS:
        run_all(database)
        clock.at += 3 * DAY
    found = at_the_end(database, clock, start)
    assert found["recognition"] and found["volunteer"] and found["outbox"]
    return found


def begin(database: Database, clock: StoppedClock, start: datetime) -> None:
    clear(database)
    clock.at, clock.offset = start, timedelta(0)
    fill(database, start)


def follow(database: Database, clock: StoppedClock, start: datetime, steps: list[Step]) -> None:
    """Let these steps happen; no clock ever runs beyond the end."""
    for step in steps:
        offset = clock.offset + (step.by if step.what == "programme clock" else timedelta(0))
        at = clock.at + (step.by if step.what in ("pass", "machine clock") else timedelta(0))
        if max(at, at + offset) <= start + WEEKS:
            clock.at, clock.offset = at, offset
        if step.what == "job":
            _name, _seconds, job = jobs.JOBS[step.job]
            job(database)
        elif step.what == "all jobs":
            run_all(database, order=step.job)


def differences(found: State, wanted: State) -> dict[str, tuple[object, object]]:
    """What is there and should not be, and the reverse; by table."""
    return {
        name: (found[name] - wanted[name], wanted[name] - found[name]) for name in wanted if found[name] != wanted[name]
    }


def compare(database: Database, clock: StoppedClock, start: datetime, examples: int) -> None:
    wanted = plain(database, clock, start)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(steps=STEPS, order=st.integers(0, len(jobs.JOBS) - 1))
    def play(steps: list[Step], order: int) -> None:
        begin(database, clock, start)
        follow(database, clock, start, steps)
        assert not differences(at_the_end(database, clock, start, order), wanted)

    play()


@pytest.mark.parametrize(
    ("when", "database", "examples"),
    [
        pytest.param(when, kind, examples, marks=[pytest.mark.long, pytest.mark.timeout(600)] if slow else [])
        for number, when in enumerate(STARTS)
        for kind in ("sqlite", "postgresql")
        for examples, slow in ((2, kind != "sqlite" or number != 1), (60, True))
    ],
    indirect=["database"],
)
def test_any_schedule_of_runs_and_jumps_ends_as_the_plain_one(
    when: str, database: Database, clock: StoppedClock, examples: int
) -> None:
    compare(database, clock, STARTS[when], examples)


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_two_copies_that_run_every_job_at_once_do_nothing_twice(database: Database, clock: StoppedClock) -> None:
    start = STARTS["over a year's end"]
    wanted = plain(database, clock, start)
    begin(database, clock, start)
    clock.at = start + WEEKS
    url = database.url.render_as_string(hide_password=False)
    other = Database(url, database.vault, clock, durable=False)
    seen: list[str] = []
    together = threading.Barrier(2)

    def run(one: Database, order: int) -> None:
        ticker = Ticker(one, observe=lambda _job, outcome: seen.append(outcome))
        for name, _seconds, job in (*jobs.JOBS[order:], *jobs.JOBS[:order]):
            together.wait(20)
            ticker._run(name, job)

    threads = [threading.Thread(target=run, args=(database, 0)), threading.Thread(target=run, args=(other, 0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.dispose()
    assert Counter(seen) == {"done": 2 * len(jobs.JOBS)}
    assert not differences(at_the_end(database, clock, start), wanted)
