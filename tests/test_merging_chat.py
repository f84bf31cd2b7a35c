"""Merging in chat: both counties have a say, and what was said meanwhile counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from models.beneficiary import Beneficiary
from models.database import Database
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.ledger_files import person
from tests.outgoing import deliver
from tests.people import end_role, follow, grant
from tests.test_ledger_import import COUNTY, OTHER, brought

NAME = person(1)["姓名"]


@pytest.fixture
def both(database: Database, clock: StoppedClock) -> tuple[Chat, Chat]:
    """The specialists of the newer and the older ledger."""
    near, far = Chat(database, "near"), Chat(database, "far")
    for chat, county in ((near, OTHER), (far, COUNTY)):
        follow(chat)
        grant(database, chat, "specialist", county)
    brought(database, [person(1)])
    clock.pass_time(timedelta(days=1))
    brought(database, [person(1)], OTHER)
    deliver(database)
    return near, far


def merged(database: Database) -> int:
    with database.read() as session:
        return sum(1 for one in session.exec(select(Beneficiary.merged_into)) if one)


def asks(chat: Chat) -> str:
    chat.say("台账")
    chat.press(chat.said.options[0].label)
    chat.press("是同一个人，合并")
    return chat.press("确定")


def test_one_county_alone_merges_nobody(database: Database, both: tuple[Chat, Chat]) -> None:
    near, far = both
    assert "也确认以后" in asks(near) and merged(database) == 0
    assert "正等另一个区县确认" in asks(near), "a second time asks nobody again"
    [told] = [one for one in deliver(database, far) if one.kind == "notice.merging"]
    assert told.sender == "far" and NAME in told.text
    assert "合并好了" in far.press("是同一个人，合并") and merged(database) == 1
    deliver(database, near)
    near.press("撤回合并")
    assert "又分开了" in near.press("撤回") and merged(database) == 0
    assert [one.sender for one in deliver(database) if one.kind == "notice.merging" and "撤回了合并" in one.text] == [
        "far"
    ]


def test_an_organiser_above_both_merges_at_once(database: Database, both: tuple[Chat, Chat]) -> None:
    boss = Chat(database, "boss")
    follow(boss)
    grant(database, boss, "organiser", "4401")
    assert "合并好了" in asks(boss) and merged(database) == 1
    assert "撤回合并" in boss.labels()


def test_a_no_of_either_side_ends_it(database: Database, both: tuple[Chat, Chat]) -> None:
    near, far = both
    asks(near)
    deliver(database, far)
    assert "不是同一个人" in far.press("不是同一个人") and merged(database) == 0
    [told] = [one for one in deliver(database) if one.kind == "notice.merging"]
    assert told.sender == "near" and "两份档案都不变" in told.text
    assert "没有等着核实的人" in near.say("台账")


def test_whoever_asked_may_think_better_of_it(database: Database, both: tuple[Chat, Chat]) -> None:
    near, far = both
    asks(near)
    deliver(database, far)
    near.say("台账")
    near.press(near.said.options[0].label)
    near.press("不是同一个人")
    assert "已经有同事处理过" in far.press("是同一个人，合并") and merged(database) == 0


def test_a_role_that_ended_on_either_side_merges_nobody(database: Database, both: tuple[Chat, Chat]) -> None:
    near, far = both
    asks(near)
    deliver(database, far)
    end_role(database, near)
    assert "不归你负责" in far.press("是同一个人，合并") and merged(database) == 0


def test_on_telegram_the_question_has_no_name(database: Database, both: tuple[Chat, Chat]) -> None:
    near, far = both
    end_role(database, far)
    phone = Chat(database, "7002", "telegram")
    follow(phone)
    grant(database, phone, "specialist", COUNTY)
    asks(near)
    [told] = [one for one in deliver(database, phone) if one.kind == "notice.merging"]
    assert (told.sender, NAME in told.text) == ("7002", False) and "档案 " in told.text
    assert "合并好了" in phone.press("是同一个人，合并")
