"""The family's own phone: joined by a code, told what it should know, and left or ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.catalogue import rules
from models import family_doors
from models.code import count_wrong, issue_code
from models.database import Database
from models.family import FamilyDoor
from tests.chatting import Chat
from tests.pairing_world import TIANHE, World

WRONG = "2A2A2A2A"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def phone(world: World, sender: str = "mother") -> Chat:
    """Somebody who follows, and has said hello."""
    chat = Chat(world.database, sender)
    chat.say("你好")
    return chat


def joined(world: World, asked: str, boss: str, holder: str = "guardian", sender: str = "mother") -> Chat:
    """A phone that has become the family's."""
    chat = phone(world, sender)
    chat.say(world.do(family_doors.issue, asked, holder, boss))
    chat.press("是，连上")
    assert "连上了" in chat.said.text
    return chat


def doors(world: World, asked: str) -> list[FamilyDoor]:
    with world.database.read() as session:
        return family_doors.doors_of(session, asked)


# --- wrong codes ---


def test_after_too_many_wrong_codes_the_right_one_waits(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(TIANHE), phone(world)
    code = world.do(family_doors.issue, asked, "guardian", boss)
    chat.act("menu", menu="family_join")
    for _ in range(rules().doors.code_tries):
        assert "没有这个码" in chat.say(WRONG)
    assert "输错太多次" in chat.say(code)
    chat.say("取消")
    told = chat.say(code)
    assert "试错次数太多了" in told and told == chat.say(WRONG), "it says no more than any other code"
    assert doors(world, asked) == []


def test_a_phone_that_pauses_joins_nothing(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(TIANHE), phone(world)
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    for _ in range(rules().doors.code_tries):
        with world.database.write() as session:
            count_wrong(session, chat.person().id)
    assert "输错太多次" in chat.press("是，连上")
    assert doors(world, asked) == []


def test_a_code_of_another_kind_is_no_guess(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(TIANHE), phone(world)
    with world.database.write() as session:
        other = issue_code(session, "bind", boss, {}, timedelta(hours=1))
    chat.act("menu", menu="family_join")
    for _ in range(rules().doors.code_tries + 1):
        assert "没有这个码" in chat.say(other)
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    assert "连上了" in chat.press("是，连上")
