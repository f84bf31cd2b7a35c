"""`nuanyang why` names the way of every attempt, and why the other ways were passed over or are closed now."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select, update

from models import inbox, outbox
from models.channel import Channel, allow, end_call
from models.database import Database, machine_now_of, now_of
from models.outbox import CAMPAIGN, Attempt, OutboxMessage
from models.person import Door
from tests.commanding import on_database, register
from tests.commands.test_why import NUMBER, person_of, told

TEMPLATES = json.dumps({"message": {"id": "T", "fields": {"thing": "thing1"}}})


def waiting(database: Database, kind: str, ago: timedelta, priority: int = outbox.REPLY) -> str:
    """A message to somebody who was heard so long ago."""
    with database.write() as session:
        outbox.enqueue(session, person_of(database), kind, {}, unique_key=kind, priority=priority)
        session.execute(update(Door).values(last_in_at=now_of(session) - ago))
        return session.exec(select(OutboxMessage.id).where(OutboxMessage.unique_key == kind)).one()


def tried(database: Database, row: str, channel: str, passed: str = "", *, times: int = 1, code: str = "") -> None:
    with database.write() as session:
        door = session.exec(select(Door)).one()
        for _time in range(times):
            session.add(
                Attempt(
                    outbox_id=row,
                    door_id=door.id,
                    started_at=machine_now_of(session),
                    ended_at=machine_now_of(session),
                    outcome="closed" if code else "sent",
                    code=code,
                    channel=channel,
                    passed=passed,
                )
            )


def test_each_attempt_names_its_way_and_what_was_passed_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = waiting(database, "notice.contact", timedelta(hours=50))
        passed = "wechat/custom:over;wechat/once:not set up;wechat/subscription:not set up"
        tried(database, row, "template", passed)
        with database.write() as session:
            session.execute(update(OutboxMessage).values(state="held", why="card"))
    said = told(capsys, row)
    assert "发送模板消息：平台已接收（先跳过了客服消息：窗口已过：对方太久没有说话" in said
    assert "一次性订阅消息、订阅通知：没有配置这种模板" in said
    assert "已发模板提醒，等对方来看" in said
    assert told(capsys, NUMBER).strip().split("\t")[-1] == "模板消息"


def test_every_closed_way_is_told_with_its_figures(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(here, NUMBER)
    with on_database(here) as database:
        row = waiting(database, "reply", timedelta(hours=50), CAMPAIGN)
    said = told(capsys, row)
    assert "客服消息：窗口已过（48 小时）：对方上次说话是 20" in said
    assert "模板消息：这种消息没有模板写法" in said
    with on_database(here) as database:
        other = waiting(database, "notice.contact", timedelta(minutes=1))
        with database.write() as session:
            inbox.enter(session, "wechat", "gd", "k", session.exec(select(Door.sender)).one(), "text", {})
        tried(database, other, "custom", times=5)
        tried(database, row, "mass", times=4)
    assert "窗口里的 5 条已用完，等对方再说话" in told(capsys, other)
    with on_database(here) as database:
        tried(database, other, "custom", code="45047")
    assert "客服消息：平台说现在发不了，等对方再说话" in told(capsys, other)
    assert "模板消息：没有配置这种模板" in told(capsys, other)
    assert "本月群发已满 4 次" in told(capsys, row)
    monkeypatch.setenv("NUANYANG_WECHAT__GD__TEMPLATES", TEMPLATES)
    assert "模板消息" not in told(capsys, other), "that way is open"


def test_a_channel_without_a_known_limit_that_has_none_left_today_is_told_without_a_figure(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUANYANG_WECHAT__GD__SUBSCRIPTIONS", TEMPLATES)
    register(here, NUMBER)
    with on_database(here) as database:
        row = waiting(database, "notice.contact", timedelta(hours=50))
        with database.write() as session:
            door = session.exec(select(Door)).one()
            used = Channel("subscription", granted=True)
            allow(session, door.id, "subscription", "T")  # but for the day it would go
            end_call(session, ("wechat", "gd", door.id), used, "T", "attempt", "enough")
    said = told(capsys, row)
    assert "订阅通知：今天的次数已用完" in said and "0 次" not in said
