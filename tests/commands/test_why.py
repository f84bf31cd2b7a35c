"""`nuanyang why` and `nuanyang calls`: each step in plain words, and whom only a call reaches."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select, update

import bot
import models
from bot.cli import run
from bot.commands import shared
from handlers.sending_words import reason
from models import inbox, lease, outbox
from models.audit import AuditEntry
from models.database import Database, machine_now_of, now_of
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER
from models.person import Door, Person
from models.volunteer import Volunteer, by_number
from tests.commanding import on_database, register
from tests.outgoing import claim

NUMBER = "1000000001"


def person_of(database: Database) -> str:
    with database.read() as session:
        found = by_number(session, NUMBER)
        assert found is not None
        return found.person_id


def queued(database: Database, key: str, priority: int = outbox.REPLY, **more: object) -> str:
    """A message to the volunteer; returns its id."""
    person = person_of(database)
    with database.write() as session:
        assert outbox.enqueue(
            session, person, "reply", {"text": "不该出现的内容"}, unique_key=key, priority=priority, **more
        )  # type: ignore[arg-type]
        return session.exec(select(outbox.OutboxMessage.id).where(outbox.OutboxMessage.unique_key == key)).one()


def now_in(database: Database, after: timedelta) -> datetime:
    with database.read() as session:
        return machine_now_of(session) + after


def tried(database: Database, row: str, outcome: str, code: str = "") -> None:
    with database.write() as session:
        lease.hold(session, "send:wechat:gd", "worker")
        (claimed,) = claim(session, "worker", [("wechat", "gd")], 1)
        assert claimed.id == row
        door = session.exec(select(Door)).one()
        attempt = outbox.begin_attempt(session, row, door.id)
        if outcome:
            outbox.end_attempt(session, attempt, outcome, code, "")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["why", *arguments]) == 0
    said = capsys.readouterr().out
    assert "不该出现的内容" not in said and "林小青" not in said
    return said


def test_a_message_that_was_sent_tells_each_step_and_no_words(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = queued(database, "one")
        tried(database, row, "retry", "45011")
        with database.write() as session:
            outbox.put_back(session, row, "worker", 0, "retry 45011")
        tried(database, row, "sent")
        with database.write() as session:
            outbox.end(session, row, "worker", "sent", "")
    head, *lines = told(capsys, row).splitlines()
    assert head == "时间（Asia/Shanghai）\t经过"
    assert [line.split("\t")[1].split("（")[0] for line in lines] == [
        "写进发件箱",
        "经 wechat",
        "经 wechat",
        "现在：平台已接收",
    ]
    assert "平台要求等一等 [45011]" in lines[1]
    assert lines[0].startswith("20") and "+" not in lines[0]


def test_why_a_message_has_not_gone_names_every_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        with database.read() as session:
            later = now_of(session) + timedelta(days=2)
        row = queued(database, "later", CAMPAIGN, due_at=later)
        queued(database, "first", EMERGENCY)
    said = told(capsys, row)
    for words in ("还没到时间", "现在没有进程在发送；启动 nuanyang serve 或 nuanyang worker", "前面还有 1 条更急的"):
        assert words in said
    with on_database(here) as database:
        reminder = queued(database, "reminder", REMINDER)
        with database.write() as session:
            person = session.get_one(Person, person_of(database))
            person.paused_until = now_of(session).date() + timedelta(days=3)
            session.add(person)
            lease.hold(session, "send:wechat:gd", "worker")
            lease.pause(session, "send:wechat:gd", 90)
            door = session.exec(select(Door)).one()
            lease.pause(session, f"chat:{door.id}", 60)
            door.blocked_at = now_of(session)
            session.add(door)
    said = told(capsys, reminder)
    for words in ("免打扰时段或暂停中", "整个账号暂停发送，还有", "这个会话暂停发送，还有", "起收不到"):
        assert words in said
    assert "没有进程在发送" not in said


def test_a_call_that_a_dead_process_left_open_is_told_as_such(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = queued(database, "one")
        tried(database, row, "")
    said = told(capsys, row)
    assert "没有记下结果" in said and "正在发送" in said


def test_a_message_that_came_in_is_told_with_its_reply(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        person = person_of(database)
        rows = {}
        with database.write() as session:
            for key, door in (("a", "passive"), ("b", "outbox"), ("c", "none")):
                row = inbox.enter(session, "wechat", "gd", key, "sender", "text", {"text": "不该出现的内容"})
                assert row is not None
                inbox.finish(session, row, person, {"text": "不该出现的内容"} if door != "none" else None, door)
                rows[key] = row
            outbox.enqueue(session, person, "reply", {"text": "x"}, unique_key=f"reply:{rows['b']}")
            broken = inbox.enter(session, "wechat", "gd", "d", "sender", "text", {"text": "不该出现的内容"})
            assert broken is not None
            inbox.set_aside(session, broken, person, None, "none")
    assert "还不知道平台有没有拿到" in told(capsys, rows["a"])
    with on_database(here) as database, database.write() as session:
        inbox.mark_handed(session, [rows["a"]])
    assert "回复已随应答交给平台" in told(capsys, rows["a"])
    assert "写进发件箱" in told(capsys, rows["b"])
    assert "不需要应答里的回复" in told(capsys, rows["c"])
    assert "nuanyang inbox replay" in told(capsys, broken)
    head, *listed = told(capsys, NUMBER).splitlines()
    assert head.startswith("编号\t时间（Asia/Shanghai）\t方向\t")
    assert len(listed) == 5
    assert {line.split("\t")[2] for line in listed} == {"收到", "发出"}
    assert any("搁在一边" in line for line in listed)
    assert len(told(capsys, NUMBER, "--limit", "2").splitlines()) == 1 + 2


def test_an_unknown_number_ends_with_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["why", "nobody"]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    register(here, NUMBER)
    assert "还没有消息" in told(capsys, NUMBER)


def test_calls_lists_who_waits_the_most_urgent_first_and_phones_only_when_asked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calls"]) == 0
    assert "没有只能打电话找到的人" in capsys.readouterr().out
    register(here, NUMBER, "1000000002", "1000000003")
    with on_database(here) as database, database.write() as session:
        volunteers = {v.number: v for v in session.exec(select(Volunteer)).all()}
        for number, priority in (("1000000001", REMINDER), ("1000000002", EMERGENCY)):
            for times in range(2):
                outbox.enqueue(
                    session,
                    volunteers[number].person_id,
                    "reply",
                    {"text": "x"},
                    unique_key=f"{number}{times}",
                    priority=priority,
                )
        for door in session.exec(select(Door).where(Door.person_id != volunteers["1000000003"].person_id)):
            door.blocked_at = machine_now_of(session)
            session.add(door)
        session.flush()
        session.execute(update(outbox.OutboxMessage).values(state="held", why="no open door"))
    assert run(["calls"]) == 0
    _heads, *lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1000000002", "1000000001"]
    assert [line.split("\t")[3:5] for line in lines] == [["2", "紧急"], ["2", "提醒"]]
    assert "没有开着的渠道" in lines[0]
    with on_database(here) as database, database.read() as session:
        assert not session.exec(select(AuditEntry).where(AuditEntry.action == "phone.read")).all()


def test_who_reads_the_first_lines_only_has_left_a_line_for_every_number_shown(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(here, NUMBER, "1000000002", "1000000003")
    with on_database(here) as database, database.write() as session:
        for volunteer in session.exec(select(Volunteer)).all():
            outbox.enqueue(session, volunteer.person_id, "reply", {"text": "x"}, unique_key=volunteer.number)
        session.execute(update(outbox.OutboxMessage).values(state="held", why="no open door"))
    shown: list[str] = []

    def say(line: str) -> None:
        if len(shown) == 2:
            raise BrokenPipeError
        shown.append(line)

    monkeypatch.setattr(shared, "say", say)
    with capsys.disabled():
        monkeypatch.setattr("bot.cli.os.dup2", lambda _old, _new: None)
        assert run(["calls", "--phones"]) == 1
    assert len(shown) == 2
    with on_database(here) as database, database.read() as session:
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "phone.read")).all()
        assert len(noted) == 3


def test_only_what_is_ready_in_the_same_line_goes_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = queued(database, "mine", REMINDER)
        for key in ("elsewhere", "resting", "first"):
            queued(database, key, EMERGENCY)
        other = {"elsewhere": {"line": "telegram:hk"}, "resting": {"not_before": now_in(database, timedelta(hours=1))}}
        with database.write() as session:
            for key, values in other.items():
                message = outbox.OutboxMessage
                session.execute(update(message).where(message.unique_key == key).values(**values))
    assert "前面还有 1 条更急的" in told(capsys, row)


def test_what_was_heard_again_tells_the_answer_after_the_excuse(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        person = person_of(database)
        with database.write() as session:
            row = inbox.enter(session, "wechat", "gd", "a", "sender", "text", {"text": "不该出现的内容"})
            assert row is not None
            inbox.finish(session, row, person, {"text": "不该出现的内容"}, "outbox")
        for key in (f"reply:{row}", f"replayed:{row}"):
            tried(database, queued(database, key), "sent", key[:5])
            with database.write() as session:
                session.execute(update(outbox.OutboxMessage).values(state="sent"))
    steps = [line.split("\t")[1] for line in told(capsys, row).splitlines()]
    assert [(step[:5], step[-7:-1]) for step in steps if step.startswith("经 ")] == [
        ("经 wec", "[reply"),
        ("经 wec", "[repla"),
    ]


REASONS = re.compile(
    r'why="([^"]+)"|0\.0, "([a-z ]+)"\)|HEARD_SECONDS\)?, "([a-z ]+)"|^[A-Z_]+ = "([a-z ]+)"  # why', re.M
)


def test_every_reason_that_a_row_keeps_has_words_of_its_own() -> None:
    elsewhere = {"used", "called", "check_in"}  # of grants, and of looks at a record
    files = [path for package in (bot, models) for path in Path(str(package.__path__[0])).glob("*.py")]
    found = {next(filter(None, match)) for path in files for match in REASONS.findall(path.read_text("utf-8"))}
    assert {"way gone", "not begun in time", "heard meanwhile", "day quota", "left", "told by phone"} <= found
    assert not {why: reason(why) for why in found - elsewhere if re.search("[a-z]", reason(why))}


def test_how_often_it_was_tried_is_told_in_words() -> None:
    assert reason("retry 45011, 3 times") == "没发出去，平台要求等一等 [45011]（试了 3 次）"


def test_what_waits_again_has_no_reason_from_before(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = queued(database, "one")
        with database.write() as session:
            session.execute(update(outbox.OutboxMessage).values(state="held", why="no open channel"))
            outbox.release_held(session, person_of(database))
    assert "现在：等待发送\n" in told(capsys, row)
