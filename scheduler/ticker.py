"""The ticker only wakes jobs; what is due stands in rows, so a pause or a second copy changes nothing.

APScheduler with an in-memory store, `misfire_grace_time=None` and `coalesce=True`: its defaults ran 0 of 20 jobs
after a pause of ten seconds (architecture.md §7). It reads the wall clock, which may be set: back by an hour, it would
wake nothing for an hour; forward by years, as on a machine that starts without a battery, it would count every run
missed. So each run is planned from the moment of the last one, and a watch beside it, which goes by the monotonic
clock, wakes all jobs after the wall clock was set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from models.database import Database, DatabaseAway
from scheduler.jobs import JOBS, Job

log = structlog.get_logger(__name__)

THREADS = 4  # three jobs that hang still leave one for the others; each may hold one connection of the pool
WATCH_SECONDS = 1.0
SET_SECONDS = 2.0  # a clock that is steered into place moves less than this between two looks
RETRY_SECONDS = 60  # after a failure, for jobs that come more rarely
HANGS_SECONDS = 300.0  # a run as long as this is told of, once


class _Every(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """So many seconds after the last run was begun, however many were missed meanwhile."""

    def __init__(self, seconds: int) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """As APScheduler asks for it."""
        return now + self._interval


class Ticker:
    """Runs the jobs of one process in threads of its own. `last_tick` is machine time of the last finished job."""

    def __init__(self, database: Database, observe: Callable[[str, str], None] = lambda job, outcome: None) -> None:
        self._database = database
        self._observe = observe
        self.last_tick: datetime | None = None
        self._finished = 0.0  # time.monotonic() of the last finished job or the start; 0 before that
        self._running: dict[str, float] = {}  # since when, time.monotonic()
        self._told: set[str] = set()  # of these it was told that they hang
        self._seconds = {name: seconds for name, seconds, _job in JOBS}
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin; each job runs at once and then at its interval."""
        for name, seconds, job in JOBS:
            run = partial(self._run, name, job)
            self._scheduler.add_job(run, _Every(seconds), id=name, name=name, next_run_time=datetime.now(UTC))
        self._finished = time.monotonic()
        self._scheduler.start()
        threading.Thread(target=self._watch, name="ticker watch", daemon=True).start()

    def stop(self) -> None:
        """No new run begins; a run under way is not waited for, since its transaction commits or does not."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def run_all(self) -> None:
        """Every job once, now (for tests and after a jump of the programme clock)."""
        for name, _seconds, job in JOBS:
            self._run(name, job)

    def silent(self) -> float | None:
        """For how many seconds no job has been finished, whatever the wall clock was set to; None before the start."""
        return time.monotonic() - self._finished if self._finished else None

    def hanging(self) -> list[str]:
        """Jobs that have been running for longer than HANGS_SECONDS."""
        now = time.monotonic()
        return sorted(name for name, since in list(self._running.items()) if now - since > HANGS_SECONDS)

    def _watch(self) -> None:
        ahead = time.time() - time.monotonic()
        while not self._stopping.wait(WATCH_SECONDS):
            before, ahead = ahead, time.time() - time.monotonic()
            if abs(ahead - before) > SET_SECONDS:
                log.warning("machine_clock_set", seconds=round(ahead - before))
                for name in self._seconds:
                    self._wake(name, 0)
            for name in self.hanging():
                if name not in self._told:
                    self._told.add(name)
                    log.error("job_hangs", job=name, seconds=round(HANGS_SECONDS))

    def _wake(self, name: str, seconds: int) -> None:
        """Let the job run next after so many seconds from now."""
        try:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC) + timedelta(seconds=seconds))
        except JobLookupError:
            return  # the scheduler has been stopped meanwhile

    def _run(self, name: str, job: Job) -> None:
        self._running[name] = time.monotonic()
        try:
            done = job(self._database)
        except DatabaseAway:
            log.warning("database_away", doing=name)
            self._failed(name, "away")
            return
        except Exception:
            log.exception("job_failed", job=name)
            self._failed(name, "failed")
            return
        finally:
            self._running.pop(name, None)
            self._told.discard(name)
        self.last_tick = datetime.now(UTC)
        self._finished = time.monotonic()
        self._observe(name, "done")
        if done:
            log.info("job_done", job=name, rows=done)

    def _failed(self, name: str, outcome: str) -> None:
        """What comes every hour does not wait for the next one."""
        self._observe(name, outcome)
        if self._scheduler.running and self._seconds.get(name, 0) > RETRY_SECONDS:
            self._wake(name, RETRY_SECONDS)
