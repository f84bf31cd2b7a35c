"""An answer of which nobody knows whether it came, or that its person left unread, is not silently over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from bot.platforms.base import Outcome
from models import calls, claiming, contact, unreachable
from models.contact import open_contacts, take_back
from models.database import Database
from models.outbox import Attempt, OutboxMessage
from models.person import door_of
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import Office
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import follow, unfollow
from tests.people import specialist as specialist

DOUBT = "不确定是否送到"


@pytest.fixture
def office(database: Database, alin: Chat, specialist: Chat) -> Office:
    """A sender; 阿林 has asked something, and the specialist has read it."""
    alin.say("联系专员")
    alin.say("下个月去吗")
    deliver(database, specialist)
    return Office(database)


async def go_on(office: Office, clock: StoppedClock, by: timedelta = timedelta(minutes=5)) -> None:
    clock.pass_time(by)
    office.deliverer._renew_at = 0
    await office.work()


async def doubted(office: Office, clock: StoppedClock, specialist: Chat, words: str = "去，周六早上") -> None:
    """The specialist answers, and both calls end without the platform's word."""
    specialist.press("回复")
    office.wechat.outcomes = [Outcome("uncertain", "http502")] * 2
    specialist.say(words)
    await office.work()
    await go_on(office, clock)


def of_kind(database: Database, kind: str) -> list[OutboxMessage]:
    with database.read() as session:
        query = select(OutboxMessage).where(OutboxMessage.kind == kind).order_by(OutboxMessage.unique_key)
        return list(session.exec(query))


def only_a_card(database: Database) -> None:
    """A card has told of the answer, which waits for its person."""
    with database.write() as session:
        (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.contact_answer")).all()
        row.state, row.why = "held", "card"
        at = database.clock.machine()
        session.add(Attempt(outbox_id=row.id, door_id="d", started_at=at, outcome="sent", channel="template"))


async def test_it_stands_on_the_call_list_and_whoever_wrote_it_is_told_once(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    await doubted(office, clock, specialist)
    assert [(row.state, row.resends) for row in of_kind(database, "notice.contact_answer")] == [
        ("uncertain", 1),
        ("held", 1),
    ]
    told = [text for sender, text in office.wechat.sent if sender == "specialist"]
    assert len(told) == 1 and "不确定有没有送到" in told[0] and "补发" in told[0]
    await go_on(office, clock, timedelta(hours=1))
    assert len([text for sender, text in office.wechat.sent if sender == "specialist"]) == 1
    assert "1 位" in specialist.say("要打电话的人")
    opened = specialist.say("1")
    assert DOUBT in opened and "负责的同事的答复：去，周六早上" in opened


async def test_at_the_next_message_it_is_offered_once_more_marked_and_then_never_again(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    await doubted(office, clock, specialist)
    office.wechat.sent.clear()
    alin.say("有人吗？")
    office.wechat.outcomes = [Outcome("uncertain", "http502")]
    await office.work()
    await go_on(office, clock)
    ((_sender, text),) = office.wechat.sent
    assert text.startswith("（补发，如已收到请忽略）") and "去，周六早上" in text
    assert [row.state for row in of_kind(database, "notice.contact_answer")] == ["uncertain", "uncertain"]
    alin.say("在吗")
    await go_on(office, clock)
    assert len(office.wechat.sent) == 1


async def test_once_it_was_told_by_phone_it_is_not_offered_again(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    await doubted(office, clock, specialist)
    specialist.say("要打电话的人")
    specialist.say("1")
    specialist.press("打过了")
    specialist.press("打通了，都说到了")
    office.wechat.sent.clear()
    alin.say("有人吗？")
    await go_on(office, clock)
    assert office.wechat.sent == []
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


async def test_a_process_that_died_in_the_second_call_leaves_the_same(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    specialist.press("回复")
    specialist.say("去，周六早上")
    for _kill in range(2):
        with database.write() as session:
            (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.contact_answer")).all()
            row.state, row.claimed_by, row.deadline = "sending", "dead", clock.machine()
        clock.pass_time(timedelta(seconds=20))
        with database.write() as session:
            claiming.sweep(session)
    assert [row.state for row in of_kind(database, "notice.contact_answer")] == ["uncertain", "held"]
    (told,) = of_kind(database, "notice.answer_unsure")
    assert told.person_id == specialist.person().id


async def test_what_was_asked_is_offered_again_too_and_counts_as_uncertain_until_then(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    office = Office(database)
    office.wechat.outcomes = [Outcome("uncertain", "http502")] * 2
    alin.say("联系专员")
    alin.say("下个月去吗")
    await office.work()
    await go_on(office, clock)
    with database.read() as session:
        assert [each.delivery for each in open_contacts(session)] == ["uncertain"]
    specialist.say("你好")
    await office.work()
    texts = [text for sender, text in office.wechat.sent if sender == "specialist"]
    assert texts[-1].startswith("（补发") and "下个月去吗" in texts[-1]
    with database.read() as session:
        assert [each.delivery for each in open_contacts(session)] == ["sent"]


async def test_what_was_asked_and_is_taken_back_is_not_offered_again(
    database: Database, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    office = Office(database)
    office.wechat.outcomes = [Outcome("uncertain", "http502")] * 2
    alin.say("联系专员")
    alin.say("下个月去吗")
    await office.work()
    await go_on(office, clock)
    with database.write() as session:
        asked = contact.latest(session, alin.person().id)
        assert asked is not None
        assert take_back(session, asked.id, alin.person().id), "it may have been seen"
    assert [row.state for row in of_kind(database, "notice.contact")] == ["uncertain", "withdrawn"]


async def test_who_leaves_an_answer_unread_is_on_the_list_and_the_notice_says_so(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    clock.pass_time(timedelta(days=3))
    specialist.say("留言")
    specialist.press("回复")
    specialist.say("去，周六早上")
    only_a_card(database)
    unfollow(database, alin, told=True)
    (one,) = [sent for sent in deliver(database, specialist) if sent.kind == "notice.unreachable"]
    assert "对方没有看到，已经撤下" in one.text
    assert "1 位" in specialist.press("要打电话的人")
    opened = specialist.say("1")
    assert "离开前没有看到的答复" in opened and "取消关注" in opened and "周六" not in opened
    specialist.press("打过了")
    assert "1 条消息不再发" in specialist.press("打通了，都说到了")
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


async def test_who_blocks_us_with_an_answer_unread_is_on_the_list_and_gets_it_on_coming_back(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    specialist.press("回复")
    specialist.say("去，周六早上")
    office.wechat.outcomes = [Outcome("left", "43004")]
    await office.work()
    await go_on(office, clock)
    (notice,) = [text for sender, text in office.wechat.sent if sender == "specialist"]
    assert "对方还没有看到：请打电话告诉对方" in notice
    assert "1 位" in specialist.say("要打电话的人")
    alin.say("我回来了")
    await office.work()
    assert "去，周六早上" in office.wechat.texts[-1]
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


async def test_who_comes_back_after_leaving_is_told_that_there_was_an_answer(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    person = alin.person().id
    clock.pass_time(timedelta(days=3))
    specialist.say("留言")
    specialist.press("回复")
    specialist.say("去，周六早上")
    only_a_card(database)
    unfollow(database, alin, told=True)
    (lost,) = of_kind(database, "notice.answer_lost")
    assert (lost.state, lost.person_id) == ("held", person)
    follow(alin)
    with database.write() as session:  # a colleague has recognised them
        door = door_of(session, "wechat", "test", alin.sender)
        assert door is not None
        door.person_id = person
    alin.say("你好")
    await go_on(office, clock)
    assert "给你的答复你还没有看到" in office.wechat.texts[-1]
    with database.read() as session:
        assert calls.to_call(session) == []


async def test_who_leaves_with_nothing_unread_is_told_of_and_not_on_the_list(
    database: Database, alin: Chat, specialist: Chat
) -> None:
    unfollow(database, alin, told=True)
    (one,) = [sent for sent in deliver(database, specialist) if sent.kind == "notice.unreachable"]
    assert "没有看到" not in one.text and "有事要说请打电话" in one.text
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")


async def test_an_answer_that_leaves_with_the_last_door_closed_long_ago_is_counted_once(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    """Blocked first, closed after a month: one notice, and one line on the list."""
    specialist.press("回复")
    specialist.say("去，周六早上")
    with database.write() as session:
        door = door_of(session, "wechat", "test", alin.sender)
        assert door is not None
        unreachable.left(session, door.id)
    unfollow(database, alin, told=True)
    assert len(of_kind(database, "notice.unreachable")) == 1
    with database.read() as session:
        (one,) = calls.to_call(session)
        assert (one.count, one.why) == (1, "left")


async def test_in_a_sandbox_whose_clock_was_moved_a_card_has_its_day_by_that_clock(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    clock.offset = timedelta(days=3)
    specialist.say("留言")
    specialist.press("回复")
    specialist.say("去，周六早上")
    only_a_card(database)
    assert "没有只能打电话找到的人" in specialist.say("要打电话的人")
    clock.offset += timedelta(hours=25)
    assert "1 位" in specialist.say("要打电话的人")
