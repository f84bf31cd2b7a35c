"""“我以前注册过”: by a code to the old door, or by the word of whoever is responsible."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from handlers.message import Option
from models.account import part
from models.database import Database
from models.outbox import OutboxMessage
from models.person import Person, door_of
from models.recognition import OPEN_FOR, Recognition, open_requests
from models.role import RoleGrant
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import bind, follow, grant, unfollow


@pytest.fixture
def wechat(database: Database) -> Chat:
    return Chat(database, "alin")


def search(chat: Chat, phone: str = "13800138000", born: str = "2005-08-13") -> str:
    chat.say("我以前注册过")
    return chat.say(phone, born)


def test_a_code_to_the_old_door_recognises(wechat: Chat, database: Database) -> None:
    wechat.register()
    new = Chat(database, "new-account")
    search(new)
    sent = deliver(database)
    assert [(one.sender, one.kind) for one in sent] == [("alin", "notice.recognition_code")]
    assert "不要把码告诉任何人" in sent[0].text
    code = next(word for word in sent[0].text.replace("：", " ").replace("（", " ").split() if len(word) == 8)
    assert "欢迎回来，王小明" in new.say(code)
    assert new.person().id == wechat.person().id


def test_the_same_is_said_whether_or_not_the_registration_is_there(wechat: Chat, database: Database) -> None:
    wechat.register()
    texts = {
        search(Chat(database, "right")),
        search(Chat(database, "wrong-day"), born="2005-08-14"),
        search(Chat(database, "wrong-phone"), phone="13900139000"),
    }
    assert len(texts) == 1
    assert [one.kind for one in deliver(database)] == ["notice.recognition_code"]
    with database.read() as session:
        assert sorted(row.state for row in session.exec(select(Recognition))) == ["code", "nothing", "nothing"]


def test_somebody_elses_code_does_not_recognise(wechat: Chat, database: Database) -> None:
    wechat.register()
    thief, owner = Chat(database, "thief"), Chat(database, "owner")
    search(thief)
    search(owner)
    code = deliver(database)[-1].text
    code = next(word for word in code.replace("：", " ").replace("（", " ").split() if len(word) == 8)
    assert "没有这个码" in thief.say(code)
    assert thief.person().id != wechat.person().id
    assert "欢迎回来" in owner.say(code)


def test_searching_again_and_again_brings_a_pause(database: Database) -> None:
    chat = Chat(database, "curious")
    search(chat)
    for _again in range(4):
        assert "已经去找了" in chat.press("再找一次，重新发码")
    assert "找得太多次" in chat.press("再找一次，重新发码")


def test_an_old_door_is_not_flooded_with_codes(wechat: Chat, database: Database) -> None:
    wechat.register()
    for number in range(6):
        search(Chat(database, f"stranger{number}"))
    assert len([one for one in deliver(database) if one.kind == "notice.recognition_code"]) == 3


def test_a_code_is_not_sent_when_it_is_too_old(wechat: Chat, database: Database) -> None:
    wechat.register()
    search(Chat(database, "new-account"))
    with database.read() as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.recognition_code")).one()
    assert row.expires_at is not None
    assert row.expires_at - row.due_at == timedelta(minutes=10)


def test_a_specialist_may_recognise_where_no_old_door_is_left(wechat: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist", "telegram")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    old = wechat.person().id
    unfollow(database, wechat)
    search(wechat)
    wechat.press("没有码，等核实")
    sent = deliver(database, specialist)
    assert [one.kind for one in sent] == ["notice.recognition_check"]
    assert "13800138000" not in sent[0].text
    assert "王小明" not in sent[0].text
    specialist.press("是本人")
    assert "已经接上" in specialist.press("确认是本人")
    assert wechat.person().id == old
    assert wechat.volunteer() is not None
    told = deliver(database)
    assert [(one.sender, one.kind) for one in told] == [("alin", "notice.recognised")]


def test_a_door_that_a_younger_one_unbound_is_given_back_by_a_persons_word_within_two_days(
    wechat: Chat, database: Database, clock: StoppedClock
) -> None:
    """The younger door may be a thief's: a code sent there would help nobody else."""
    specialist, thief = Chat(database, "specialist"), Chat(database, "2002", "telegram")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    old = wechat.person().id
    bind(wechat, thief)
    clock.pass_time(timedelta(hours=1))
    with database.write() as session:
        door = door_of(session, "wechat", "test", wechat.sender)
        assert door is not None
        part(session, session.get_one(Person, old), door.id)
    assert wechat.person().id != old
    clock.pass_time(timedelta(hours=47))
    deliver(database)
    search(wechat)
    kinds = {one.kind: one.sender for one in deliver(database, specialist)}
    assert kinds == {"notice.recognition_code": "2002", "notice.recognition_check": "specialist"}
    specialist.press("是本人")
    specialist.press("确认是本人")
    assert wechat.person().id == old
    assert wechat.volunteer() is not None


def test_two_days_after_it_was_unbound_a_door_is_asked_like_any_other(
    wechat: Chat, database: Database, clock: StoppedClock
) -> None:
    specialist, other = Chat(database, "specialist"), Chat(database, "2002", "telegram")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    bind(wechat, other)
    with database.write() as session:
        door = door_of(session, "wechat", "test", wechat.sender)
        assert door is not None
        part(session, session.get_one(Person, wechat.person().id), door.id)
    clock.pass_time(timedelta(hours=49))
    deliver(database)
    search(wechat)
    assert [one.kind for one in deliver(database)] == ["notice.recognition_code"]


def test_a_specialists_no_joins_nothing_and_is_told(wechat: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    unfollow(database, wechat)
    search(wechat)
    deliver(database, specialist)
    specialist.press("不是")
    assert wechat.volunteer() is None
    assert [one.kind for one in deliver(database, wechat)] == ["notice.recognition_refused"]
    assert Option("m:contact", "联系专员") in wechat.said.options


def test_later_keeps_the_request_and_the_buttons(wechat: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    old = wechat.person().id
    unfollow(database, wechat)
    search(wechat)
    deliver(database, specialist)
    assert "2026-12-22" in specialist.press("再核实")
    specialist.press("是本人")
    assert "2026-12-22" in specialist.press("还没有核实")
    specialist.press("是本人")
    specialist.press("确认是本人")
    assert wechat.person().id == old


def test_the_second_specialist_hears_that_it_is_decided(wechat: Chat, database: Database) -> None:
    both = [Chat(database, name) for name in ("first", "second")]
    for chat in both:
        follow(chat)
        grant(database, chat, "specialist", "440106")
    wechat.register()
    unfollow(database, wechat)
    search(wechat)
    deliver(database, *both)
    both[0].press("不是")
    assert "已经有人处理" in both[1].press("是本人")
    assert wechat.volunteer() is None


def test_a_specialist_of_another_county_decides_nothing(wechat: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    wechat.register()
    unfollow(database, wechat)
    search(wechat)
    deliver(database, specialist)
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.scope = "440305"
        session.add(held)
    assert "不归你负责" in specialist.press("不是")


def test_a_request_nobody_is_responsible_for_stays_open_for_staff(
    wechat: Chat, database: Database, clock: StoppedClock
) -> None:
    wechat.register()
    unfollow(database, wechat)
    assert "由系统的工作人员查看" in search(wechat)
    assert deliver(database) == []
    with database.read() as session:
        assert [row.county for row in open_requests(session)] == ["440106"]
    clock.pass_time(OPEN_FOR + timedelta(days=1))
    with database.read() as session:
        assert open_requests(session) == []


def test_a_notice_to_check_is_dropped_when_it_is_decided_already(wechat: Chat, database: Database) -> None:
    both = [Chat(database, name) for name in ("first", "second")]
    for chat in both:
        follow(chat)
        grant(database, chat, "specialist", "440106")
    wechat.register()
    unfollow(database, wechat)
    search(wechat)
    with database.write() as session:
        late = select(OutboxMessage).where(OutboxMessage.person_id == both[1].person().id)
        row = session.exec(late).one()
        row.state = "held"
        session.add(row)
    deliver(database, both[0])
    both[0].press("不是")
    with database.write() as session:
        held = session.exec(select(OutboxMessage).where(col(OutboxMessage.state) == "held")).one()
        held.state = "waiting"
        session.add(held)
    assert ("second", "notice.recognition_check", None) in [
        (one.sender, one.kind, one.reply) for one in deliver(database)
    ]


def test_who_is_registered_already_is_shown_the_way_to_bind(wechat: Chat) -> None:
    wechat.register()
    assert "已经登记过" in wechat.say("我以前注册过")


def test_after_a_search_another_number_may_be_searched(database: Database) -> None:
    chat = Chat(database)
    chat.say("我以前注册过", "13800138000", "2005-08-13")
    searched = chat.said.text
    assert "请写登记时用的手机号" in chat.press("换一个手机号再找")
    assert "收到验证码后" in chat.say("返回")
    chat.press("换一个手机号再找")
    assert chat.say("13900139000") == searched, "the birth date stands, and the words tell nothing"


def responsible(database: Database) -> Chat:
    chat = Chat(database, "specialist")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat


def test_the_number_is_seen_at_the_last_question_and_the_notices_own_buttons_live_until_it_is_decided(
    wechat: Chat, database: Database
) -> None:
    specialist = responsible(database)
    wechat.register()
    unfollow(database, wechat)
    search(wechat)
    deliver(database, specialist)
    phone = next(option.id for option in specialist.said.options if option.label == "看登记的电话")
    for _time in range(2):
        specialist.press("是本人")
        assert "登记的电话在网页上看" in specialist.say("看登记的电话")
    specialist.press("是本人")
    specialist.press("还没有核实")
    assert "登记的电话在网页上看" in specialist.act("choice", choice=phone)
    specialist.press("不是")
    assert "已经有人处理" in specialist.act("choice", choice=phone)


def test_what_went_unanswered_with_the_chat_is_said_once_at_the_return(wechat: Chat, database: Database) -> None:
    specialist = responsible(database)
    wechat.register()
    wechat.say("联系专员", "答复过的")
    deliver(database, specialist)
    specialist.press("回复")
    specialist.say("好")
    wechat.say("联系专员", "撤回的")
    wechat.press("撤回留言")
    wechat.say("联系专员", "没人答复的")
    welcomes = []
    for _return in range(2):
        unfollow(database, wechat)
        deliver(database)
        search(wechat)
        deliver(database, specialist)
        specialist.press("是本人")
        specialist.press("确认是本人")
        welcomes.append(next(one.text for one in deliver(database) if one.kind == "notice.recognised"))
    assert "有 1 条留言还没有得到答复，已经随聊天内容删除" in welcomes[0]
    assert "没有得到答复" not in welcomes[1]
