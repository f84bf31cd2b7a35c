"""A list of hundreds: paged, confirmed twenty at a time, in short transactions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlmodel import SQLModel

from models import serving
from models.database import Database
from models.hours_ledger import disagreeing, first_broken, heads
from models.ids import new_id
from models.record_rules import number_of
from models.service import TOLD, WAITING
from tests.chatting import Chat
from tests.conftest import START
from tests.pairing_world import TIANHE
from tests.test_service_records import Hours

MANY = 520


def filled(database: Database, chat: Chat) -> Hours:
    """So many records of ten volunteers wait for whoever chats."""
    world = Hours(database)
    people = world.volunteers(10)
    world.give_role(chat.person().id)
    starts = [START - timedelta(days=1 + at // 10) for at in range(MANY)]
    rows = [
        {
            "id": new_id(),
            "person_id": people[at % 10],
            "person_no": number_of(people[at % 10]),
            "county": TIANHE,
            "content": "study",
            "starts_at": start,
            "ends_at": start + timedelta(hours=1),
            "way": TOLD,
            "unproven_why": "",
            "state": WAITING,
            "minutes": 60,
            "over_cap": False,
            "made_at": START,
            "waiting_since": START,
            "end_assumed": False,
            "decided_by": "",
            "decided_why": "",
        }
        for at, start in enumerate(starts)
    ]
    with database.write() as session:
        session.execute(insert(SQLModel.metadata.tables["service_record"]), rows)
    return world


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_hundreds_are_paged_and_confirmed_in_parts(database: Database, platform: str) -> None:
    chat = Chat(database, "specialist", platform)
    chat.act("follow")
    world = filled(database, chat)
    said = chat.act("menu", menu="hours_to_confirm")
    assert f"{MANY} 条" in said and "第 1 页，共 100 页" in said
    assert "第 2 页" in chat.press("后面的")
    chat.press("一次确认 20 条")
    said = chat.press("全部确认")
    assert "确认了 20 条" in said and f"{MANY - 20} 条" in said
    chat.press("确认这一页的 5 条")
    with database.read() as session:
        assert serving.count_waiting(session, chat.person().id) == MANY - 25
        assert [head.seq for head in heads(session)] == [25]
        assert first_broken(session, TIANHE) is None and disagreeing(session, TIANHE) is None
    assert world.whole()


def test_a_pressed_list_of_somebody_elses_county_confirms_nothing(database: Database) -> None:
    """The role ended between the list and the press."""
    chat = Chat(database, "specialist")
    chat.act("follow")
    world = filled(database, chat)
    chat.act("menu", menu="hours_to_confirm")
    world.end_roles(chat.person().id)
    said = chat.press("确认这一页的 5 条")
    assert "确认了 0 条" in said and "5 条已经处理过、被撤回，或者不归你确认" in said
    with database.read() as session:
        assert heads(session) == []
