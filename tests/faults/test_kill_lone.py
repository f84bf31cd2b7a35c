"""The ticker is killed in the middle of a step of a lone visit: the step is neither lost nor taken twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from sqlmodel import select

from models.database import Database, now_of
from models.lone_visit import LoneVisit
from models.outbox import OutboxMessage
from models.person import open_door
from models.vault import Vault
from scheduler.jobs import look_for_lone_visits
from tests.conftest import TEST_KEY, StoppedClock

# The state is written, the message is not: here the process dies.
_TICKS = """
import os, signal, sys
from datetime import datetime
from models import lone_timing
from models.database import Database
from models.vault import Vault
from scheduler.jobs import look_for_lone_visits
from tests.conftest import TEST_KEY, StoppedClock

lone_timing.enqueue = lambda *args, **more: os.kill(os.getpid(), signal.SIGKILL)
look_for_lone_visits(Database(sys.argv[1], Vault([TEST_KEY]), StoppedClock(datetime.fromisoformat(sys.argv[2]))))
"""


def test_a_step_that_a_kill_cut_in_two_is_taken_once_afterwards(empty_sqlite: Path, tmp_path: Path) -> None:
    file = tmp_path / "killed.db"
    file.write_bytes(empty_sqlite.read_bytes())
    clock = StoppedClock()
    database = Database(f"sqlite:///{file}", Vault([TEST_KEY]), clock)
    with database.write() as session:
        _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
        now = now_of(session)
        until = now + timedelta(hours=1)
        session.add(LoneVisit(person_id=person.id, began_at=now, until=until, next_at=until))
    clock.pass_time(timedelta(hours=1))
    killed = subprocess.run(
        [sys.executable, "-c", _TICKS, f"sqlite:///{file}", clock.at.isoformat()],
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert killed.returncode == -signal.SIGKILL
    with database.read() as session:
        assert session.exec(select(LoneVisit)).one().state == "running", "nothing of the half step stands"
    assert [look_for_lone_visits(database) for _run in range(2)] == [1, 0]
    with database.read() as session:
        assert session.exec(select(LoneVisit)).one().state == "asked"
        assert [row.kind for row in session.exec(select(OutboxMessage))] == ["notice.lone_ask"]
    database.dispose()
