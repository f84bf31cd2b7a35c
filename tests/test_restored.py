"""After a restore: what time has brought due since the backup may have been told, and is marked as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select, update

from models import handover, inbox, lease, restored, unreachable
from models.audit import AuditEntry
from models.database import Database, now_of
from models.outbox import CAMPAIGN, REMINDER, RESTS, OutboxMessage, enqueue
from models.person import Door, open_door
from models.recognition import OPEN_FOR
from scheduler import jobs
from scheduler.ticker import Ticker
from tests.backing import Told, opened
from tests.backing import live as live
from tests.backing import told as told
from tests.backing import tools as tools
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.people import follow, grant, unfollow

AHEAD = datetime.now(UTC) + timedelta(days=8)


def resends(database: Database, kind: str) -> list[int]:
    with database.read() as session:
        return list(session.exec(select(OutboxMessage.resends).where(OutboxMessage.kind == kind)))


def advance(database: Database, by: timedelta) -> None:
    with database.write() as session:
        database.clock.advance(session, by)


def an_undecided_search(database: Database) -> None:
    alin, specialist = Chat(database), Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    alin.register()
    unfollow(database, alin)
    alin.say("我以前注册过")
    alin.say("13800138000", "2005-08-13")
    alin.press("没有码，等核实")


def test_what_a_job_told_between_backup_and_restore_is_told_marked(live: str, tmp_path: Path, told: Told) -> None:
    """The next tick put it into the outbox anew, and nothing said that it might have come before."""
    with opened(live) as database:
        an_undecided_search(database)
        advance(database, OPEN_FOR + timedelta(minutes=1))
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    with opened(live) as database:
        database.clock.offset = OPEN_FOR + timedelta(minutes=1)
        assert jobs.expire_searches(database) == 1
        assert resends(database, "notice.recognition_expired") == [0], "it was told, the first time"
    told("db", "restore", str(file), "--force")
    with opened(live) as database:
        database.clock.offset = OPEN_FOR + timedelta(minutes=1)
        assert resends(database, "notice.recognition_expired") == [1]
        Ticker(database).run_all()
        assert resends(database, "notice.recognition_expired") == [1], "and nothing is left to be told unmarked"


def test_a_job_that_fails_is_named_and_the_restore_goes_on(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def broken(_database: Database) -> int:
        raise ValueError("broken on purpose")

    def sound(_database: Database) -> int:
        done.append("sound")
        return 0

    monkeypatch.setattr(jobs, "JOBS", (("birthdays", 60, broken), ("sound", 60, sound)))
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    said = told("db", "restore", str(file), "--force")
    assert "birthdays 没有做完（ValueError）" in said and "已从" in said
    assert done == ["sound"]


def test_everybody_is_handed_over_however_many_slices_it_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []

    def three_slices(_database: Database, *, places: handover.Places) -> None:
        looked.append(places.alerts)
        places.alerts = (database.clock.now(), str(len(looked))) if len(looked) < 3 else None

    monkeypatch.setattr(handover, "hand_over", three_slices)
    jobs.catch_up(database, lambda name, error: pytest.fail(f"{name}: {error!r}"))
    assert len(looked) == 3


def test_what_rests_is_marked_too_since_its_person_may_have_ended_the_pause(
    database: Database, clock: StoppedClock
) -> None:
    with database.write() as session:
        _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
        later = now_of(session) + timedelta(days=3)
        for key, priority in (("rests", REMINDER), ("a campaign that rests", CAMPAIGN), ("not due yet", REMINDER)):
            enqueue(session, person.id, "reply", {"text": "x"}, unique_key=key, priority=priority, due_at=later)
        rests = OutboxMessage.unique_key.in_(["rests", "a campaign that rests"])  # type: ignore[attr-defined]
        session.execute(update(OutboxMessage).where(rests).values(why=RESTS))
    with database.write() as session:
        assert restored.mark(session).resent == 2
    with database.read() as session:
        rows = {row.unique_key: (row.state, row.resends, row.why) for row in session.exec(select(OutboxMessage))}
    assert rows == {
        "rests": ("waiting", 1, RESTS),  # still found by whoever ends the pause
        "a campaign that rests": ("waiting", 1, RESTS),
        "not due yet": ("waiting", 0, ""),
    }


def test_that_somebody_left_is_told_marked_where_it_may_have_been_told_before_the_restore(
    database: Database, clock: StoppedClock
) -> None:
    chats = {name: Chat(database, name) for name in ("alin", "later", "specialist")}
    follow(chats["specialist"])
    grant(database, chats["specialist"], "specialist", "440106")
    chats["alin"].register()
    clock.pass_time(timedelta(minutes=1))
    with database.write() as session:
        restored.mark(session)
    clock.pass_time(timedelta(minutes=1))
    chats["later"].register(name="王海燕", phone="13900139000")
    for name in ("alin", "later"):
        with database.write() as session:
            door = session.exec(select(Door).where(Door.sender == name)).one()
            unreachable.left(session, door.id)
    with database.read() as session:
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.unreachable")).all()
        marked = {
            database.vault.open_json("outbox.params_sealed", row.id, row.params_sealed or b"")["person"]: row.resends
            for row in rows
        }
    assert marked == {chats["alin"].person().id: 1, chats["later"].person().id: 0}


@pytest.mark.parametrize("live", ["postgresql"], indirect=True)
def test_marking_is_refused_while_anybody_sends(live: str, told: Told) -> None:
    """No lock's file keeps a worker out there, and the calls under way were made a second time."""
    with opened(live) as database:
        with database.write() as session:
            lease.hold(session, "send:wechat:test", "a worker")
        assert "正在使用" in told("db", "restored", status=1)
        with database.read() as session:
            assert not session.exec(select(AuditEntry)).all(), "nothing was marked"
        with database.write() as session:
            lease.give_up(session, "a worker")
            session.execute(update(lease.Lease).values(holder="before the clock was set back", until=AHEAD))
    told("db", "restored")


def test_the_messages_that_a_restore_would_lose_are_counted_whatever_the_programme_clock_says(
    live: str, tmp_path: Path, told: Told
) -> None:
    """The clock had been moved forward, and it said “0 messages” of three."""

    def hear(database: Database, key: str) -> None:
        with database.write() as session:
            inbox.enter(session, "wechat", "test", key, "alin", "text", {"text": "你好"})

    with opened(live) as database:
        hear(database, "before")
        advance(database, timedelta(days=3))
        Chat(database).say("你好")  # makes something at the programme's time
        with database.write() as session:
            session.add(AuditEntry(at=now_of(session), actor="programme", action="x", subject=""))
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    with opened(live) as database:
        database.clock.offset = timedelta(days=3)
        for key in ("one", "two", "three"):
            hear(database, key)
        with database.write() as session:
            session.add(AuditEntry(at=now_of(session), actor="programme", action="y", subject=""))
    assert "3 条消息" in told("db", "restore", str(file), status=1)
