"""补记时长: nothing is written down that was not echoed and confirmed, and nothing told is lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from models.database import Database
from models.service import TOLD, WAITING, ServiceRecord
from models.serving import note_of
from tests.chatting import Chat
from tests.people import alin as alin


def records(database: Database) -> list[ServiceRecord]:
    with database.read() as session:
        return list(session.exec(select(ServiceRecord).order_by(ServiceRecord.starts_at)).all())  # type: ignore[arg-type]


def test_nothing_is_written_down_before_the_echo_is_confirmed(alin: Chat, database: Database) -> None:
    said = alin.say("昨天下午两点到四点在驿站整理物资")
    assert "2026-11-21（星期六） 14:00–16:00" in said
    assert "共 2 小时" in said and "补录" in said
    alin.say("收到")
    assert records(database) == [], "a bare 收到 confirms nothing"
    alin.say("对")
    [record] = records(database)
    assert (record.way, record.state, record.minutes, record.content) == (TOLD, WAITING, 120, "giving")
    assert record.starts_at == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    with database.read() as session:
        assert note_of(session, record) == "昨天下午两点到四点在驿站整理物资"


def test_only_what_is_missing_is_asked_for(alin: Chat, database: Database) -> None:
    assert "是哪一天" in alin.say("补记：支教两小时")
    assert "几点开始" in alin.say("昨天")
    assert "09:00–11:00" in alin.say("9点")
    alin.press("对，记下")
    assert len(records(database)) == 1


def test_rounding_down_is_said(alin: Chat, database: Database) -> None:
    said = alin.say("昨天14:00-15:45支教")
    assert "共 1 小时 30 分钟" in said and "1 小时 45 分钟 记作 1 小时 30 分钟" in said
    alin.press("对，记下")
    assert records(database)[0].minutes == 90


def test_an_overlap_shows_the_other_one_and_can_be_put_right(alin: Chat, database: Database) -> None:
    alin.say("昨天14:00-16:00支教", "对")
    alin.say("昨天15:00-17:00送餐")
    assert "2026-11-21 14:00–16:00" in alin.press("对，记下")
    alin.press("改时间")
    assert "16:00–17:00" in alin.say("16:00-17:00")
    alin.press("对，记下")
    assert len(records(database)) == 2


@pytest.mark.parametrize(
    "change", [("改日期", "前天", "2026-11-20"), ("改内容", "康复", "康复治疗"), ("改时间", "9点到10点", "09:00–10:00")]
)
def test_each_part_can_be_corrected(change: tuple[str, str, str], alin: Chat) -> None:
    alin.say("昨天14:00-16:00支教")
    alin.press(change[0])
    assert change[2] in alin.say(change[1])


def test_what_is_too_old_goes_to_the_specialist(alin: Chat, database: Database) -> None:
    alin.say("2026-08-01 9:00-11:00 支教")
    assert "60 天" in alin.press("对，记下")
    assert "联系专员" in alin.labels()
    assert records(database) == []


def test_two_services_are_written_down_one_after_the_other(alin: Chat, database: Database) -> None:
    alin.say("昨天上午9点到10点支教，下午5点到6点半送餐")
    assert "第 2 次" in alin.press("对，记下")
    assert len(records(database)) == 1, "the first one stands, whatever becomes of the second"
    alin.press("对，记下")
    assert [record.content for record in records(database)] == ["study", "care"]


def test_leaving_out_the_first_leaves_the_second(alin: Chat, database: Database) -> None:
    alin.say("昨天上午9点到10点支教，下午5点到6点半送餐")
    assert "第 2 次" in alin.press("这次不记了")
    alin.press("对，记下")
    assert [record.content for record in records(database)] == ["care"]


def test_whoever_is_not_registered_is_shown_the_way(database: Database) -> None:
    stranger = Chat(database, "nobody")
    assert "报名" in stranger.say("补记时长")
    assert "报名注册" in stranger.labels()
