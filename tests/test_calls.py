"""要打电话的人: whom no door reaches, told to whoever is responsible; the number on a press; what the call came to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select, update

from handlers import onpage
from models import calls, unreachable
from models.audit import AuditEntry
from models.database import Database
from models.erasure import delete_person
from models.outbox import EMERGENCY, REMINDER, REPLY, Attempt, OutboxMessage, enqueue
from models.page import OpenPage
from models.person import Person, door_of
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import Sent, deliver
from tests.people import alin as alin
from tests.people import end_role, follow, grant, unfollow
from tests.people import specialist as specialist


def held(database: Database, chat: Chat, key: str = "one", priority: int = REPLY, why: str = "no open channel") -> str:
    """A message that no door takes."""
    with database.write() as session:
        enqueue(session, chat.person().id, "reply", {"text": "x"}, unique_key=key, priority=priority)
        session.execute(update(OutboxMessage).where(col(OutboxMessage.unique_key) == key).values(state="held", why=why))
        return session.exec(select(OutboxMessage.id).where(OutboxMessage.unique_key == key)).one()


def states(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {row.unique_key: row.state for row in session.exec(select(OutboxMessage))}


def noted(database: Database, action: str) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.exec(select(AuditEntry).where(AuditEntry.action == action))
        return [(row.actor, row.subject) for row in rows]


def lose(database: Database, chat: Chat) -> None:
    """The platform says that this person left."""
    with database.write() as session:
        door = door_of(session, chat.platform, "test", chat.sender)
        assert door is not None
        unreachable.left(session, door.id)


def told_of(database: Database, *people: Chat) -> list[Sent]:
    return [one for one in deliver(database, *people) if one.kind == "notice.unreachable"]


def test_without_anybody_to_call_the_list_says_so(specialist: Chat) -> None:
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


def test_the_list_tells_who_how_urgent_how_many_and_since_when(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    held(database, alin, "one", REMINDER)
    clock.pass_time(timedelta(hours=3))
    held(database, alin, "two", REPLY)
    said = specialist.say("要打电话的人")
    assert "1 位" in said
    (option,) = specialist.said.options
    assert "志愿者" in option.label and "答复 2 条，3 小时前" in option.label
    opened = specialist.press(option.label)
    assert "所在地：" in opened and "原因：现在没有能用的渠道" in opened and "2 条消息没有送到" in opened
    assert [one.label for one in specialist.said.options] == ["看登记的电话", "打过了", "没打通", "要打电话的人"]
    assert noted(database, "phone.read") == [], "to open somebody is not to read the number"


def test_the_number_never_stands_in_a_chat_and_every_look_at_its_page_is_noted(
    database: Database, alin: Chat, specialist: Chat
) -> None:
    held(database, alin)
    specialist.say("要打电话的人")
    specialist.say("1")
    assert "138" not in specialist.said.text
    assert "138" not in specialist.press("看登记的电话") and len(specialist.said.links) == 1
    assert specialist.labels() == ["打过了", "没打通"]
    assert noted(database, "phone.read") == []
    page = OpenPage("p", "data", specialist.person().id, None, {"call": alin.person().id})
    for _look in range(2):
        with database.write() as session:
            shown = onpage.message(session, page, reading=True)
            assert shown is not None and "138" in shown.words
    assert noted(database, "phone.read") == [(specialist.person().id, alin.person().id)] * 2


def test_on_telegram_the_number_is_on_a_page_and_the_list_names_numbers_only(database: Database, alin: Chat) -> None:
    abroad = Chat(database, "77", "telegram")
    follow(abroad)
    grant(database, abroad, "specialist", "440106")
    alin.say("称呼", "陈姐")
    held(database, alin)
    abroad.say("要打电话的人")
    assert "陈姐" not in abroad.said.options[0].label
    opened = abroad.say("1")
    assert "陈姐" not in opened and "天河" not in opened
    said = abroad.press("看登记的电话")
    assert "138" not in said and len(abroad.said.links) == 1
    assert noted(database, "phone.read") == []
    page = OpenPage("p", "data", abroad.person().id, None, {"call": alin.person().id})
    with database.write() as session:
        closed = onpage.message(session, page)
        assert closed is not None and "138" not in closed.words
    assert noted(database, "phone.read") == []
    with database.write() as session:
        shown = onpage.message(session, page, reading=True)
        assert shown is not None and "138" in shown.words
    assert noted(database, "phone.read") == [(abroad.person().id, alin.person().id)]
    end_role(database, abroad)
    with database.write() as session:
        assert onpage.message(session, page, reading=True) is None


def test_told_by_phone_ends_what_was_on_the_screen_and_nothing_newer(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    held(database, alin, "one")
    specialist.say("要打电话的人")
    specialist.say("1")
    clock.pass_time(timedelta(minutes=1))
    held(database, alin, "two")
    assert "打通了吗" in specialist.press("打过了")
    assert "1 条消息不再发" in specialist.press("打通了，都说到了")
    assert states(database) == {"one": "withdrawn", "two": "held"}
    with database.read() as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.unique_key == "one")).one()
        assert row.why == "told by phone"
    assert noted(database, "call.told") == [(specialist.person().id, alin.person().id)]


def test_nobody_answered_leaves_everything_and_is_told_to_the_next_who_looks(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    held(database, alin)
    specialist.say("要打电话的人")
    specialist.say("1")
    specialist.press("打过了")
    assert "没打通" in specialist.press("没打通")
    assert states(database) == {"one": "held"}
    clock.pass_time(timedelta(hours=2))
    specialist.say("要打电话的人")
    assert "上次打电话没有打通：2 小时前" in specialist.say("1")


def test_only_a_role_that_covers_the_county_today_sees_the_list_and_the_number(
    database: Database, alin: Chat, specialist: Chat
) -> None:
    held(database, alin)
    other = Chat(database, "other")
    follow(other)
    assert "是负责的同事用的" in other.say("要打电话的人")
    grant(database, other, "specialist", "440304")
    assert "没有只能打电话找到的人" in other.say("要打电话的人")
    province = Chat(database, "province")
    follow(province)
    grant(database, province, "organiser", "44")
    assert "1 位" in province.say("要打电话的人")
    specialist.say("要打电话的人")
    specialist.say("1")
    end_role(database, specialist)
    assert "不归你负责" in specialist.press("看登记的电话")
    with database.write() as session:
        for act in (
            lambda: calls.phone(session, alin.person().id, specialist.person().id),
            lambda: calls.missed(session, alin.person().id, specialist.person().id),
        ):
            with pytest.raises(calls.NotTheirs):
                act()
    assert noted(database, "phone.read") == []


def test_nobody_is_on_their_own_list(database: Database, alin: Chat) -> None:
    grant(database, alin, "specialist", "440106")
    held(database, alin)
    assert "没有只能打电话找到的人" in alin.say("要打电话的人")


def test_who_is_not_registered_or_has_no_number_is_not_called(database: Database, specialist: Chat) -> None:
    stranger = Chat(database, "stranger")
    follow(stranger)
    held(database, stranger)
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


def test_pages_go_on_after_the_last_one_seen_and_begin_again(database: Database, specialist: Chat) -> None:
    for number in range(7):
        each = Chat(database, f"v{number}")
        each.register(phone=f"13800138{number:03d}")
        held(database, each, f"k{number}", EMERGENCY if number == 6 else REPLY)
    first = specialist.say("要打电话的人")
    assert "7 位" in first and "第 1 页，共 2 页" in first
    assert "紧急" in specialist.said.options[0].label, "the most urgent first"
    assert len(specialist.said.options) == 6
    second = specialist.press("后面的人")
    assert "第 2 页，共 2 页" in second and len(specialist.said.options) == 3
    assert "第 1 页，共 2 页" in specialist.press("从头看")


def test_who_was_sent_a_card_has_a_day_to_come_before_they_are_called(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    row = held(database, alin, why="card")
    with database.write() as session:
        session.add(Attempt(outbox_id=row, door_id="d", started_at=clock.machine(), outcome="sent", channel="template"))
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")
    clock.pass_time(timedelta(hours=25))
    specialist.say("要打电话的人")
    assert "已发模板提醒，等对方来看" in specialist.say("1")


def test_a_person_who_left_is_told_to_whoever_is_responsible_once_an_episode(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    alin.say("你好")
    lose(database, alin)
    lose(database, alin)
    (one,) = told_of(database, specialist)
    assert (one.sender, one.priority) == ("specialist", REMINDER)
    assert "收不到我们的消息了" in one.text and "志愿者" in one.text
    assert "登记的电话在网页上看" in specialist.press("看登记的电话")
    clock.pass_time(timedelta(days=1))
    alin.say("我回来了")
    lose(database, alin)
    assert len(told_of(database)) == 1, "another episode"
    assert len(noted(database, "person.unreachable")) == 2


def test_who_is_back_before_it_was_told_is_told_of_to_nobody(database: Database, alin: Chat, specialist: Chat) -> None:
    lose(database, alin)
    alin.say("我回来了")
    (one,) = told_of(database)
    assert one.reply is None
    with database.read() as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.unreachable")).one()
        assert row.state == "superseded"


def test_to_unfollow_is_to_be_out_of_reach_and_on_telegram_only_the_number_is_told(
    database: Database, alin: Chat
) -> None:
    abroad = Chat(database, "77", "telegram")
    follow(abroad)
    grant(database, abroad, "specialist", "440106")
    alin.say("称呼", "陈姐")
    unfollow(database, alin, told=True)
    (one,) = told_of(database)
    assert "志愿者" in one.text and "陈姐" not in one.text


@pytest.mark.parametrize("why", ["another door", "not registered", "deleted"])
def test_nobody_is_told_of_who_can_be_reached_or_is_nobodys(
    database: Database, alin: Chat, specialist: Chat, why: str
) -> None:
    gone = alin
    if why == "another door":
        other = Chat(database, "9", "telegram")
        follow(other)
        alin.say("绑定")
        alin.press("在这里拿一个绑定码")
        code = next(word for word in alin.said.text.replace("：", " ").split() if len(word) == 8 and word.isalnum())
        other.say(f"绑定 {code}")
        other.press("是我的，绑定")
        deliver(database)
    elif why == "not registered":
        gone = Chat(database, "stranger")
        follow(gone)
    else:
        with database.write() as session:
            delete_person(session, session.get_one(Person, alin.person().id))
    lose(database, gone)
    assert told_of(database) == []


def test_told_by_phone_ends_what_was_listed_only(database: Database, alin: Chat, clock: StoppedClock) -> None:
    """Not a reminder of next week, nor what has a way of its own, nor what was sent a card just now."""
    other = Chat(database, "colleague")
    follow(other)
    grant(database, other, "specialist", "440106")
    held(database, alin, "one")
    carded = held(database, alin, "carded", why="card")
    with database.write() as session:
        session.add(Attempt(outbox_id=carded, door_id="d", started_at=clock.machine(), outcome="sent"))
        person, week = alin.person().id, clock.now() + timedelta(days=7)
        enqueue(session, person, "reply", {"text": "x"}, unique_key="later", priority=REMINDER, due_at=week)
        enqueue(session, person, "reply", {"text": "x"}, unique_key="reached")
    clock.pass_time(timedelta(minutes=1))
    held(database, alin, "two")
    with database.write() as session:
        (each,) = calls.to_call(session, alin.person().id)
        assert each.count == 2
        assert calls.told(session, alin.person().id, other.person().id, each.newest)[0] == 2
    assert {key for key, state in states(database).items() if state == "withdrawn"} == {"one", "two"}


def test_the_reason_is_that_of_the_newest_message_on_the_list(
    database: Database, alin: Chat, clock: StoppedClock
) -> None:
    held(database, alin, "one", why="retry http429, 3 times")
    clock.pass_time(timedelta(minutes=1))
    held(database, alin, "two", why="no open channel")
    clock.pass_time(timedelta(minutes=1))
    with database.write() as session:
        week = clock.now() + timedelta(days=7)
        enqueue(session, alin.person().id, "reply", {"text": "x"}, unique_key="later", due_at=week)
    with database.read() as session:
        assert [each.why for each in calls.to_call(session)] == ["no open channel"]


def test_nobody_who_answered_is_asked_again_whether_they_were_reached(
    database: Database, alin: Chat, specialist: Chat
) -> None:
    """没打通 is said at once, also in words."""
    held(database, alin)
    specialist.say("要打电话的人")
    specialist.say("1")
    assert "记下了：没打通" in specialist.press("没打通")
    assert states(database) == {"one": "held"}


def test_more_messages_than_are_told_one_by_one_are_counted(database: Database, alin: Chat, specialist: Chat) -> None:
    for number in range(7):
        held(database, alin, f"k{number}")
    specialist.say("要打电话的人")
    opened = specialist.say("1")
    assert opened.count("对来话的自动应答") == 5 and "另外还有 2 条" in opened
