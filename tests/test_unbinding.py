"""Unbinding, unfollowing, and coming back."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import select

from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models.account import Join
from models.code import issue_code
from models.consent import standing
from models.contact import ContactMessage
from models.conversation import Conversation, Prompt
from models.database import Database, now_of
from models.inbox import InboxMessage, enter, finish
from models.outbox import OutboxMessage, enqueue
from models.person import Door, Person
from models.volunteer import volunteer_of
from tests.chatting import Chat
from tests.outgoing import deliver
from tests.people import bind, follow, unfollow
from tests.test_account import telegram as telegram
from tests.test_account import wechat as wechat


def test_unbinding_makes_the_door_a_person_of_its_own_and_tells_both(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    bind(wechat, telegram)
    deliver(database)
    wechat.say("解除绑定")
    assert wechat.labels()[-1] == "都不分"
    wechat.press(next(label for label in wechat.labels() if label.startswith("Telegram")))
    assert "已经分开" in wechat.press("确定分出去")
    assert telegram.person().id != wechat.person().id
    assert telegram.volunteer() is None
    assert wechat.volunteer() is not None
    assert [(one.sender, one.kind) for one in deliver(database)] == [("1001", "notice.unbound")]
    with database.read() as session:
        assert session.exec(select(Join)).one().undone_at is not None


def test_the_door_that_asks_may_unbind_itself_without_taking_the_registration(wechat: Chat, telegram: Chat) -> None:
    wechat.register()
    bind(wechat, telegram)
    wechat.say("解除绑定")
    wechat.press(next(label for label in wechat.labels() if label.endswith("就是这里")))
    assert "单独的身份" in wechat.press("确定分出去")
    assert wechat.volunteer() is None
    assert telegram.volunteer() is not None
    assert "没看懂" in telegram.say("确定分出去")


def test_the_only_door_is_never_unbound(wechat: Chat) -> None:
    assert "只有这一个账号" in wechat.say("解除绑定")


def test_no_to_unbinding_changes_nothing(wechat: Chat, telegram: Chat) -> None:
    bind(wechat, telegram)
    wechat.say("解除绑定")
    wechat.press("都不分")
    wechat.say("解除绑定", "1")
    wechat.press("不分了")
    assert telegram.person().id == wechat.person().id


def test_doors_that_came_together_part_together_and_this_is_said(database: Database) -> None:
    one, two, three = (Chat(database, name) for name in ("one", "two", "three"))
    bind(one, two)
    bind(three, one)
    three.say("解除绑定", "2")
    assert "共 2 个" in three.said.text
    three.press("确定分出去")
    assert one.person().id == two.person().id != three.person().id


def test_a_door_that_left_meanwhile_is_asked_again(wechat: Chat, telegram: Chat, database: Database) -> None:
    third = Chat(database, "third")
    bind(wechat, telegram)
    bind(wechat, third)
    wechat.say("解除绑定")
    wechat.press(next(label for label in wechat.labels() if label.startswith("Telegram")))
    unfollow(database, telegram)
    assert "已经不在了" in wechat.press("确定分出去")


def test_unfollowing_takes_link_and_words_at_once_and_leaves_person_and_registration(
    wechat: Chat, database: Database
) -> None:
    wechat.register()
    person, number = wechat.person().id, getattr(wechat.volunteer(), "number", "")
    wechat.say("联系专员", "我想请假")
    with database.write() as session:
        row = enter(session, "wechat", "test", "k1", "alin", "text", {"text": "悄悄话"})
        assert row is not None
        finish(session, row, person, {"text": "回话"}, "passive")
        enqueue(session, person, "reply", {"text": "等着"}, unique_key="waiting")
        issue_code(session, "bind", person, {}, timedelta(minutes=10))
    unfollow(database, wechat)
    with database.read() as session:
        assert session.exec(select(Door)).all() == []
        assert session.get(Conversation, person) is None
        assert session.exec(select(Prompt)).all() == []
        inbox = session.exec(select(InboxMessage)).all()
        assert [(row.payload_sealed, row.reply_sealed) for row in inbox] == [(None, None)]
        assert {row.state for row in session.exec(select(OutboxMessage))} == {"withdrawn"}
        assert session.get(Person, person) is not None
        kept = volunteer_of(session, person)
        assert kept is not None
        assert kept.number == number
        assert [row.kind for row in standing(session, person)] == ["registration"]


def test_leaving_by_one_door_of_two_leaves_the_talk_to_the_other(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    bind(wechat, telegram)
    wechat.say("报名")
    wechat.press("同意")
    unfollow(database, telegram)
    assert "手机号" in wechat.say("王小明")


def test_the_unfollow_event_itself_goes_that_way_and_gets_no_answer(wechat: Chat, database: Database) -> None:
    wechat.say("联系专员", "我想请假")
    with database.write() as session:
        gone = Inbound("wechat", "test", "alin", "gone", "unfollow", now_of(session))
        assert turn(session, gone, Here("wechat", "test")) == (None, None)
    with database.read() as session:
        assert session.exec(select(Door)).all() == []
        assert [row.words_sealed for row in session.exec(select(ContactMessage))] == [None]


def test_whoever_returns_is_greeted_as_new_and_offered_to_be_recognised(wechat: Chat, database: Database) -> None:
    wechat.register()
    before = wechat.person().id
    unfollow(database, wechat)
    follow(wechat)
    assert "我以前注册过" in wechat.labels()
    assert wechat.person().id != before
    assert wechat.volunteer() is None
