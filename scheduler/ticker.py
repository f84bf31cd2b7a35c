"""The ticker only wakes jobs; what is due stands in rows, so a pause or a second copy changes nothing.

APScheduler with an in-memory store, `misfire_grace_time=None` and `coalesce=True`: its defaults ran 0 of 20 jobs
after a pause of ten seconds (architecture.md §7).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from models.database import Database, DatabaseAway
from scheduler.jobs import JOBS, Job

log = structlog.get_logger(__name__)


class Ticker:
    """Runs the jobs of one process in two threads of its own. `last_tick` is machine time of the last finished job."""

    def __init__(self, database: Database, observe: Callable[[str, str], None] = lambda job, outcome: None) -> None:
        self._database = database
        self._observe = observe
        self.last_tick: datetime | None = None
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin; each job runs at once and then at its interval."""
        for name, seconds, job in JOBS:
            self._scheduler.add_job(
                partial(self._run, name, job), "interval", seconds=seconds, id=name, next_run_time=datetime.now(UTC)
            )
        self._scheduler.start()

    def stop(self) -> None:
        """No new run begins; a run under way is not waited for, since its transaction commits or does not."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def run_all(self) -> None:
        """Every job once, now (for tests and after a jump of the programme clock)."""
        for name, _seconds, job in JOBS:
            self._run(name, job)

    def _run(self, name: str, job: Job) -> None:
        try:
            done = job(self._database)
        except DatabaseAway:
            log.warning("database_away", doing=name)
            self._observe(name, "away")
            return
        except Exception:
            log.exception("job_failed", job=name)
            self._observe(name, "failed")
            return
        self.last_tick = datetime.now(UTC)
        self._observe(name, "done")
        if done:
            log.info("job_done", job=name, rows=done)
