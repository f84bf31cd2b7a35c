"""The jobs: each may run twice or late, and does what rules.toml says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import Session, func, select
from structlog.testing import capture_logs

from config.catalogue import rules
from models import erasure, inbox
from models.conversation import Conversation, lock, save
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.person import Door, mark_blocked, open_door
from scheduler import jobs
from scheduler.ticker import Ticker
from tests.conftest import StoppedClock


def follower(database: Database, name: str = "alin") -> Door:
    with database.write() as session:
        door, person = open_door(session, "wechat", "test", name, "zh_CN", zone="Asia/Shanghai")
        state = lock(session, person.id)
        save(session, person.id, state)
        return door


def count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_door_that_stays_blocked_is_left_after_its_days_and_not_before(
    database: Database, clock: StoppedClock
) -> None:
    door, other = follower(database), follower(database, "other")
    with database.write() as session:
        mark_blocked(session, door.id)
    clock.pass_time(timedelta(days=rules().doors.blocked_days))
    assert jobs.leave_blocked_doors(database) == 0
    clock.pass_time(timedelta(seconds=1))
    assert jobs.leave_blocked_doors(database) == 1
    assert jobs.leave_blocked_doors(database) == 0
    with database.read() as session:
        assert [one.id for one in session.exec(select(Door))] == [other.id]


def test_talks_that_nobody_came_back_to_are_forgotten(database: Database, clock: StoppedClock) -> None:
    follower(database)
    clock.pass_time(timedelta(days=rules().messages.talk_retention_days))
    follower(database, "somebody who wrote just now")
    assert jobs.forget_abandoned_talks(database) == 0
    clock.pass_time(timedelta(seconds=1))
    assert jobs.forget_abandoned_talks(database) == 1
    assert count(database, Conversation) == 1


def test_raw_messages_are_forgotten_after_thirty_days(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        for number in range(1_201):
            inbox.enter(session, "wechat", "test", f"k{number}", "alin", "text", {"text": "你好"})
    clock.pass_time(timedelta(days=rules().messages.retention_days, seconds=1))
    with database.write() as session:
        inbox.enter(session, "wechat", "test", "today", "alin", "text", {"text": "今天"})
    assert jobs.forget_raw_messages(database) == 1_201
    assert count(database, InboxMessage) == 1


def test_every_job_may_run_twice_on_an_empty_database_and_says_that_nothing_was_due(database: Database) -> None:
    for _name, _seconds, job in jobs.JOBS:
        assert job(database) == 0
        assert job(database) == 0


def test_one_row_that_cannot_be_decided_keeps_no_other_from_being_done(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run ended at the same row, and what stood behind it was never done."""
    left = [follower(database, f"{number}") for number in range(12)]
    with database.write() as session:
        for door in left:
            mark_blocked(session, door.id)
    clock.pass_time(timedelta(days=rules().doors.blocked_days, seconds=1))
    with database.read() as session:
        broken = erasure.long_blocked(session, timedelta(days=1))[3]
    real = erasure.leave_blocked

    def leave(session: Session, older_than: timedelta, among: Sequence[str]) -> int:
        done = real(session, older_than, among)
        if broken in among:
            raise ValueError("broken on purpose")
        return done

    monkeypatch.setattr(erasure, "leave_blocked", leave)
    with capture_logs() as logs:
        assert jobs.leave_blocked_doors(database) == 11
        assert jobs.leave_blocked_doors(database) == 0
    with database.read() as session:
        assert [one.id for one in session.exec(select(Door))] == [broken]
    assert [line["row"] for line in logs if line["event"] == "job_row_failed"] == [broken] * 2


def test_a_database_that_goes_away_ends_a_job_at_once(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = follower(database)
    with database.write() as session:
        mark_blocked(session, door.id)
    clock.pass_time(timedelta(days=rules().doors.blocked_days, seconds=1))
    tries: list[Sequence[str]] = []

    def away(_session: Session, _older_than: timedelta, among: Sequence[str]) -> int:
        tries.append(among)
        raise DatabaseAway("test")

    monkeypatch.setattr(erasure, "leave_blocked", away)
    with pytest.raises(DatabaseAway):
        jobs.leave_blocked_doors(database)
    assert len(tries) == 1


def test_a_failing_job_is_logged_and_the_others_go_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def broken(_database: Database) -> int:
        raise ValueError("broken on purpose")

    monkeypatch.setattr("scheduler.ticker.JOBS", (("broken", 60, broken), ("sweep_claims", 60, jobs.sweep_claims)))
    ticker = Ticker(database, observe=lambda job, outcome: seen.append((job, outcome)))
    ticker.run_all()
    assert seen == [("broken", "failed"), ("sweep_claims", "done")]
    assert ticker.last_tick is not None
