"""Whoever has a role and comes back by another account is told so at once, and how much waits for them."""

from __future__ import annotations

import pytest

from models.database import Database
from scheduler import jobs
from tests.chatting import Chat
from tests.outgoing import deliver
from tests.people import code_in, follow, grant, unfollow
from tests.test_recognition import search

PHONE, BORN = "13700137000", "1990-01-02"


@pytest.fixture
def boss(database: Database) -> Chat:
    """The organiser of the city, who has what nobody in the county can be told of."""
    chat = Chat(database, "boss")
    follow(chat)
    grant(database, chat, "organiser", "4401")
    return chat


@pytest.fixture
def specialist(database: Database) -> Chat:
    chat = Chat(database, "specialist")
    follow(chat)
    chat.register("陈静", PHONE, BORN)
    grant(database, chat, "specialist", "440106")
    return chat


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    follow(chat)
    chat.register()
    return chat


def test_a_specialist_who_is_recognised_hears_of_the_role_and_of_what_waits(
    database: Database, boss: Chat, specialist: Chat, alin: Chat
) -> None:
    alin.say("联系专员", "下周还去吗？")
    unfollow(database, specialist)
    jobs.hand_over(database)
    assert [(one.sender, one.kind) for one in deliver(database)] == [("boss", "notice.contact")]
    follow(specialist)
    search(specialist, PHONE, BORN)
    specialist.press("没有码，等核实")
    deliver(database, boss)
    boss.press("是本人")
    boss.press("确认是本人")
    (told,) = [one for one in deliver(database, specialist) if one.kind == "notice.recognised"]
    assert told.text.splitlines()[1:] == [
        "你仍是项目专员，负责：广东省广州市天河区。",
        "有 1 条留言等你答复，回复“留言”就能看到。",
    ]
    assert "下周还去吗" in specialist.press("留言")


def test_a_code_to_the_old_account_tells_as_much_and_counts_cries_for_help(
    database: Database, specialist: Chat, alin: Chat
) -> None:
    alin.say("救命")
    deliver(database)
    new = Chat(database, "new")
    search(new, PHONE, BORN)
    code = code_in(deliver(database)[-1].text.replace("（", " "))
    lines = new.say(code).splitlines()
    assert lines[1:] == [
        "你仍是项目专员，负责：广东省广州市天河区。",
        "有 1 条求助还没有办结，回复“求助”就能看到。",
    ]
    assert "还没结束的求助有 1 条" in new.say("求助")


def test_whoever_has_no_role_is_told_nothing_of_one(database: Database, alin: Chat) -> None:
    new = Chat(database, "new")
    search(new)
    code = code_in(deliver(database)[-1].text.replace("（", " "))
    assert new.say(code).splitlines() == ["欢迎回来，王小明！已经接上你以前的登记，资料都在。想做什么，回复“菜单”。"]
