"""What was written to a specialist has gone out as it stands; it can be added to, and taken back until it is read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from config.catalogue import rules
from handlers import onpage
from handlers.emergency import emergency_text
from models.alert import Alert
from models.contact import ContactMessage, open_contacts, write
from models.conversation import lock
from models.database import Database
from models.outbox import begin_attempt, end_attempt, hold, put_back
from models.page import open_page
from models.person import doors
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import ACCOUNTS, claim, deliver
from tests.people import follow, grant


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    chat.register()
    return chat


@pytest.fixture
def specialist(database: Database) -> Chat:
    return responsible(database, "wechat")


def responsible(database: Database, platform: str) -> Chat:
    chat = Chat(database, "2001", platform)
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat


def test_what_was_written_goes_out_at_once_with_a_way_to_add_and_to_take_back(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    said = alin.say("联系专员", "下周考试")
    assert said.startswith("已经记下，正在转给负责的同事")
    assert said.endswith(emergency_text())
    assert alin.labels() == ["补充留言", "撤回留言"]
    assert [one.text.splitlines()[-2] for one in deliver(database)] == ["下周考试"]


@pytest.mark.parametrize("typed", ["补充留言", "补充", "1"])
def test_what_is_added_joins_the_thread(alin: Chat, specialist: Chat, database: Database, typed: str) -> None:
    alin.say("联系专员", "下周考试")
    assert "请写下想说的事" in alin.say(typed)
    assert "正在转给" in alin.say("周日可以吗")
    assert len(deliver(database)) == 2
    with database.read() as session:
        assert len({row.thread for row in session.exec(select(ContactMessage))}) == 1


@pytest.mark.parametrize("typed", ["撤回留言", "撤回", "2"])
def test_what_nobody_has_read_is_taken_back_and_gone(
    alin: Chat, specialist: Chat, database: Database, typed: str
) -> None:
    alin.say("联系专员", "说错了")
    assert alin.say(typed) == "已经撤回并删除，没有发给任何人。"
    assert deliver(database) == [], "its notice was withdrawn"
    assert "没有等你答复的留言" in specialist.say("留言")
    with database.read() as session:
        assert open_contacts(session) == []
        assert session.exec(select(ContactMessage)).one().words_sealed is None
    assert "没看懂" in alin.say("今天天气不错"), "nothing is asked any more"


def test_what_is_held_for_want_of_a_door_is_taken_back(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "说错了")
    with database.write() as session:
        (row,) = claim(session, "test", ACCOUNTS, 10)
        assert hold(session, row.id, "test", "closed")
    assert "没有发给任何人" in alin.press("撤回留言")


def test_what_may_have_arrived_by_a_call_without_an_answer_is_not_said_to_have_gone_to_nobody(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "说错了")
    with database.write() as session:
        (row,) = claim(session, "test", ACCOUNTS, 10)
        assert put_back(session, row.id, "test", 5.0, "uncertain", resend=True)
    assert "对方可能已经看到" in alin.press("撤回留言")
    assert deliver(database) == []


@pytest.mark.parametrize(("outcome", "seen"), [("", True), ("uncertain", True), ("sent", True), ("retry", False)])
def test_a_call_that_was_made_decides_whatever_became_of_the_notice(
    alin: Chat, specialist: Chat, database: Database, outcome: str, seen: bool
) -> None:
    alin.say("联系专员", "说错了")
    with database.write() as session:
        (row,) = claim(session, "test", ACCOUNTS, 10)
        (door,) = doors(session, row.person_id)
        attempt = begin_attempt(session, row.id, door.id)
        if outcome:
            end_attempt(session, attempt, outcome, "", "")
        assert put_back(session, row.id, "test", 5.0, "")
    assert ("对方可能已经看到" in alin.press("撤回留言")) == seen


def test_looking_at_the_list_is_not_reading_and_it_keeps_no_words(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    for words in ("我电话丢了", "还有一件"):
        alin.say("联系专员", words)
    assert "有 2 条留言" in specialist.say("留言")
    with database.write() as session:
        kept = str(lock(session, specialist.person().id))
    assert "电话丢了" not in kept + specialist.said.text + str(specialist.labels())
    assert "没有发给任何人" in alin.press("撤回留言")


def test_adding_where_nobody_answers_promises_nothing(alin: Chat) -> None:
    alin.say("联系专员", "我有事")
    said = alin.press("补充留言")
    assert "暂时还没有负责的同事" in said
    assert "转给负责你的同事" not in said


def test_adding_says_at_once_that_it_was_too_many_and_later_it_is_taken(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.say("联系专员", "第一句")
    adding = alin.said.options[0].id
    with database.write() as session:
        for _more in range(rules().messages.contacts_per_hour - 1):
            write(session, alin.person().id, "又一句")
    assert "先不用再写了" in alin.act("choice", choice=adding)
    clock.pass_time(timedelta(minutes=61))
    assert "请写下想说的事" in alin.act("choice", choice=adding)
    assert "正在转给" in alin.say("补一句")


def test_adding_pressed_twice_asks_once(alin: Chat, specialist: Chat) -> None:
    alin.say("联系专员", "下周考试")
    button = alin.said.options[0].id
    for _press in range(2):
        assert "请写下想说的事" in alin.act("choice", choice=button)
    assert "接着刚才的" not in alin.say("周日可以吗")
    assert "没看懂" in alin.say("今天天气不错"), "no second question waits"


def test_what_has_left_is_taken_back_and_honestly_said_to_be_seen_perhaps(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "说错了")
    deliver(database, specialist)
    assert "对方可能已经看到" in alin.press("撤回留言")
    specialist.press("回复")
    assert "已经不在了（对方可能撤回了它" in specialist.say("好的")


def test_what_was_opened_on_a_page_stays(alin: Chat, database: Database) -> None:
    responsible(database, "telegram")
    alin.say("联系专员", "说错了")
    (sent,) = deliver(database)
    assert sent.reply is not None
    with database.write() as session:
        page = open_page(session, sent.reply.links[0].url.rsplit("/", 1)[1])
        assert page is not None
        assert onpage.message(session, page) is not None, "looked up by a program that follows links"
    with database.write() as session:
        assert onpage.message(session, page, reading=True) is not None
    assert "已经打开看过，撤不回来" in alin.press("撤回留言")
    with database.read() as session:
        assert [waiting.words for waiting in open_contacts(session)] == ["说错了"]


def test_what_was_opened_from_the_list_or_answered_stays(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "第一句")
    first = alin.said.options[1].id
    specialist.say("留言")
    assert "撤不回来" in alin.act("choice", choice=first)
    alin.say("联系专员", "第二句")
    second = alin.said.options[1].id
    deliver(database, specialist)
    specialist.press("回复")
    specialist.say("知道了")
    assert "已经有人答复了，撤不回来" in alin.act("choice", choice=second)


def test_taking_back_twice_and_pressing_anothers_button_do_nothing(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "说错了")
    undo = alin.said.options[1].id
    other = Chat(database, "other")
    other.say("菜单")
    assert "已经回答过了" in other.act("choice", choice=undo)
    assert "已经撤回" in alin.act("choice", choice=undo)
    assert "已经回答过了" in alin.act("choice", choice=undo)


def test_a_talk_that_was_pushed_aside_goes_on_with_the_offers_below_its_question(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名", "同意", "联系专员", "怎么填？")
    assert chat.said.text.endswith("请写你的姓名，和证件上一致。")
    assert chat.labels() == ["补充留言", "撤回留言"]
    chat.press("撤回留言")
    assert chat.said.text.startswith("已经撤回并删除")
    assert chat.said.text.endswith("请写你的姓名，和证件上一致。")
    assert "请写你的手机号" in chat.say("王小明")


def test_below_a_question_with_choices_the_numbers_mean_what_is_shown(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名", "联系专员", "这是什么？")
    assert chat.labels() == ["同意", "不同意", "我以前注册过", "看完整的隐私说明", "补充留言", "撤回留言"]
    assert "已经撤回并删除" in chat.say("6")
    assert "请写你的姓名" in chat.say("1")


def test_danger_words_still_act_at_once(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员")
    assert alin.say("我不想活了").startswith(emergency_text())
    with database.read() as session:
        assert len(session.exec(select(Alert)).all()) == 1
        assert session.exec(select(ContactMessage)).all() == []
