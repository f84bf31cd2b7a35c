"""Whoever takes a cry for help can call the person, and finds what is open in the chat; who cried hears once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlmodel import select

from models.alert import holder, open_alerts, words_of
from models.audit import AuditEntry
from models.conversation import Prompt
from models.database import Database
from models.outbox import EMERGENCY
from scheduler import jobs
from tests.chatting import PUBLIC, Chat
from tests.conftest import StoppedClock
from tests.guarded import app as app
from tests.guarded import web as web
from tests.outgoing import Sent, deliver
from tests.people import end_role, two_on_duty
from tests.test_on_duty import TAKE, duty, who_has_it
from tests.test_on_duty import alin as alin
from tests.test_on_duty import chen as chen
from tests.test_on_duty import lin as lin

SEE = "看登记的电话"
SEEN = "有人已经看到，会尽快联系你。"


def page_of(chat: Chat) -> str:
    (link,) = chat.said.links
    return link.url.removeprefix(PUBLIC)


def readings(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(AuditEntry.actor).where(AuditEntry.action == "phone.read")))


def to_alin(sent: list[Sent]) -> list[Sent]:
    return [one for one in sent if one.sender == "alin"]


# Calling


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
async def test_whoever_took_it_reads_the_number_on_a_page_and_nobody_else_does(
    web: TestClient[Any, Any], alin: Chat, database: Database, platform: str
) -> None:
    reader = duty(database, "5005", "林哥", platform)
    alin.register()
    alin.say("救命")
    deliver(database, reader)
    reader.press(TAKE)
    assert "13800138000" not in reader.press(SEE)
    path = page_of(reader)
    assert "13800138000" not in await (await web.get(path)).text()
    assert readings(database) == [], "a preview reads nothing"
    shown = await (await web.post(path, data={})).text()
    assert "13800138000" in shown
    assert "核实" not in shown
    assert readings(database) == [reader.person().id]
    end_role(database, reader)
    assert (await web.post(path, data={})).status == 404
    assert "看不了电话" in reader.act("choice", choice=reader_button(database, reader))
    assert len(readings(database)) == 1


def reader_button(database: Database, chat: Chat) -> str:
    """The button below the answer to taking it, pressed again later."""
    with database.read() as session:
        query = select(Prompt.id).where(Prompt.person_id == chat.person().id, Prompt.dialogue == "alert_phone")
        return f"{session.exec(query).first()}:0"


def test_where_no_number_is_registered_that_is_said(alin: Chat, chen: Chat, database: Database) -> None:
    alin.say("救命")
    deliver(database, chen)
    assert "没有登记电话" in chen.press(TAKE)
    assert chen.labels() == []


async def test_the_page_of_a_cry_for_help_says_how_it_is_taken_and_not_that_it_is_answered(
    web: TestClient[Any, Any], alin: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    deliver(database, lin)
    path = page_of(lin)
    words = await (await web.post(path, data={})).text()
    assert "要答复" not in words
    assert "回复“收到，我来处理”" in words
    lin.say(TAKE)
    assert "回复“收到，我来处理”" not in await (await web.post(path, data={})).text()


# The one who cried


def test_who_cried_is_told_once_that_somebody_has_seen_it(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    chen.press(TAKE)
    (told,) = to_alin(deliver(database))
    assert (told.text, told.priority) == (SEEN, EMERGENCY)
    end_role(database, chen)
    lin.press(TAKE)
    assert to_alin(deliver(database)) == []


def test_who_worries_about_somebody_else_is_not_told(alin: Chat, chen: Chat, database: Database) -> None:
    alin.act("menu", menu="worried")
    deliver(database, chen)
    chen.press(TAKE)
    assert to_alin(deliver(database)) == []


# Typed at any time


@pytest.mark.parametrize(
    "words", ["收到，我来处理", "收到我来处理", "我来处理！", "I will handle it", "收到，我來處理"]
)
def test_the_words_take_it_whatever_came_in_between(alin: Chat, chen: Chat, database: Database, words: str) -> None:
    alin.say("救命")
    deliver(database, chen)
    chen.say("English", "menu")
    chen.say(words)
    assert who_has_it(database) == chen.person().id


def test_they_take_it_in_the_middle_of_a_talk_which_goes_on(alin: Chat, chen: Chat, database: Database) -> None:
    alin.register()
    alin.say("救命")
    deliver(database)
    chen.say("称呼")
    assert "由你处理" in chen.say(TAKE)
    assert who_has_it(database) == chen.person().id
    assert "陈老师" in chen.say("陈老师")


def test_where_several_wait_it_is_asked_which_one(alin: Chat, chen: Chat, database: Database) -> None:
    other = Chat(database, "other")
    for chat in (alin, other):
        chat.say("救命")
    deliver(database, chen)
    assert "你接哪一条" in chen.say(TAKE)
    assert len(chen.labels()) == 2
    chen.say("2")
    with database.read() as session:
        assert [holder(session, row) for row in open_alerts(session)] == [None, chen.person().id]
    chen.say(TAKE)
    with database.read() as session:
        assert {holder(session, row) for row in open_alerts(session)} == {chen.person().id}


def test_what_a_volunteer_types_takes_nothing(alin: Chat, database: Database) -> None:
    other = Chat(database, "other")
    alin.say("救命")
    assert "没看懂" in other.say(TAKE)
    assert "求助的" not in other.say("求助")


def test_the_list_names_every_open_cry_and_who_has_it(alin: Chat, chen: Chat, lin: Chat, database: Database) -> None:
    assert chen.say("求助") == "现在没有还没结束的求助。"
    alin.register()
    other = Chat(database, "other")
    for chat in (alin, other):
        chat.say("救命")
    deliver(database, chen)
    number = getattr(alin.volunteer(), "number", "")
    lin.say("求助")
    lin.press(f"接下：志愿者 {number}，刚刚")
    said = chen.say("求助")
    assert "还没结束的求助有 2 条" in said
    assert f"志愿者 {number}，写了危险的话，刚刚：林哥已经接下这条求助" in said
    assert "还没有注册的人，写了危险的话，刚刚：还没有人接手。" in said
    assert chen.labels() == [TAKE]
    assert lin.say("求助").count("由你处理") == 1
    assert SEE in lin.labels()


# A bare 收到


@pytest.mark.parametrize("words", ["收到", "好的", "ok"])
def test_a_bare_acknowledgement_says_that_nobody_has_it_yet(
    alin: Chat, chen: Chat, database: Database, words: str
) -> None:
    alin.say("救命")
    deliver(database, chen)
    assert chen.say(words).startswith("还没有人接下这条求助")
    assert who_has_it(database) is None
    assert "由你处理" in chen.say("1")
    assert chen.say(words) == "好的。想做什么，回复“菜单”。"


# What joins


@pytest.mark.parametrize(
    "words", ["我的时长", "我的资料", "你好", "吃了吗", "不", "确定", "是的", "1", "帮助", "加油站旁"]
)
def test_ordinary_words_do_not_join_the_record(alin: Chat, database: Database, words: str) -> None:
    alin.say("救命")
    alin.say("称呼", "取消")
    said = alin.say(words)
    assert ("已经加到" in said) == (words == "加油站旁")


def test_the_name_of_an_entry_a_question_refuses_does_not_join_and_what_tells_something_does(
    alin: Chat, database: Database
) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明", "救命")
    for words in ("我的时长", "不", "确定", "你好"):
        assert "已经加到" not in alin.say(words)
    alin.say("再见了")
    with database.read() as session:
        assert [words_of(session, row) for row in open_alerts(session)] == ["救命\n再见了"]


# Deleted


def test_a_deletion_leaves_a_cry_with_whoever_has_it_and_tells_nobody_anew(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    near, _boss = two_on_duty(database)
    alin.register()
    alin.say("救命")
    deliver(database, near)
    near.press(TAKE)
    deliver(database)
    alin.say("删除我的数据")
    alin.press("继续")
    alin.say("确认删除")
    assert alin.volunteer() is None
    assert who_has_it(database) == near.person().id
    clock.pass_time(timedelta(minutes=10))
    assert jobs.hand_over(database) == 0
    assert deliver(database) == []
    assert "已删除资料的人" in near.say("求助")
    assert near.labels() == []
    end_role(database, near)
    assert jobs.hand_over(database) == 1, "whoever had it has gone"
    (told,) = deliver(database)
    assert (told.sender, "求助人：已删除资料的人" in told.text) == ("boss", True)
