"""The lone-visit timer: asked gently, then the partner, then everybody who answers; out, longer, and a silent word."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, select

from config.catalogue import rules
from config.texts import speaking
from handlers.lone_visit import LONE_ANSWER, LONE_VISIT, help_words, told_at_once
from handlers.moments import ahead, behind, span
from models import lone_timing
from models.alert import LONE, SILENT, Alert
from models.database import Database, now_of
from models.lone_timing import LoneError
from models.lone_visit import LoneVisit
from models.outbox import EMERGENCY, REPLY, OutboxMessage
from models.pairing import CO, Stint
from models.person import Person, set_address_form
from scheduler.jobs import look_for_lone_visits
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.ledger_files import people
from tests.outgoing import Sent, deliver
from tests.pairings import hush, pair, somebody
from tests.people import alin as alin
from tests.people import follow
from tests.people import specialist as specialist
from tests.test_ledger_import import brought

NOON = datetime(2026, 11, 22, 14, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
GRACE = timedelta(minutes=rules().hours.lone_grace_minutes)


@pytest.fixture
def azhen(database: Database, alin: Chat, specialist: Chat) -> Chat:
    """Who serves beside 阿林, whom somebody of the ledger is paired with."""
    brought(database, people(1))
    chat = Chat(database, "azhen")
    chat.register("林阿珍", "13800138009")
    with database.write() as session:
        stint = pair(session, alin.person().id, somebody(session, 0))
        beside = stint.model_dump(exclude={"id"}) | {"person_id": chat.person().id, "part": CO, "offer_id": None}
        session.add(Stint(**beside))
        for one, form in ((alin, "林哥"), (chat, "珍姐")):
            set_address_form(session, session.get_one(Person, one.person().id), form)
        hush(session)
    return chat


def row_of(session: Session) -> LoneVisit:
    return session.exec(select(LoneVisit)).one()


def stands(database: Database) -> str:
    with database.read() as session:
        return row_of(session).state


def passes(database: Database, clock: StoppedClock, by: timedelta, *chats: Chat) -> list[Sent]:
    """Time goes by, the ticker runs, and what is due is sent."""
    clock.pass_time(by)
    look_for_lone_visits(database)
    return deliver(database, *chats)


def in_by_two(chat: Chat) -> None:
    """“I am in, until noon”: it is ten o'clock now."""
    assert "先告诉谁" in chat.say("我进门了，12点前出来")


def test_it_asks_then_tells_the_partner_then_the_specialist(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    in_by_two(alin)
    assert "珍姐" in alin.labels()[0]
    said = alin.press(alin.labels()[0])
    assert "12:00 前出来" in said and "今天的牛奶订了吗" in said
    assert passes(database, clock, timedelta(hours=1, minutes=59)) == []
    [asks] = passes(database, clock, timedelta(minutes=1), alin)
    assert (asks.kind, asks.sender, asks.priority) == ("notice.lone_ask", "alin", REPLY)
    assert "说好 12:00 出来" in asks.text and "过了" not in asks.text
    assert passes(database, clock, GRACE - timedelta(seconds=1)) == []
    told = passes(database, clock, timedelta(seconds=1), azhen, alin)
    assert {(one.kind, one.sender) for one in told} == {("notice.lone_partner", "azhen"), ("notice.lone_told", "alin")}
    assert next(one for one in told if one.sender == "azhen").priority == EMERGENCY
    assert "请马上打电话或过去看看" in azhen.said.text and "林哥" in azhen.said.text
    told = passes(database, clock, GRACE, specialist, alin)
    assert {(one.kind, one.sender) for one in told} == {("notice.alert", "specialist"), ("notice.lone_told", "alin")}
    assert "独自上门，到了说好的时间没有出来" in specialist.said.text and "12:00 前出来" in specialist.said.text
    assert passes(database, clock, timedelta(days=1)) == [] and stands(database) == "specialist"
    assert "平安就好" in alin.say("我出来了")
    told = passes(database, clock, timedelta(0), specialist, azhen)
    assert {one.sender for one in told} == {"specialist", "azhen"}
    assert "已经出来了" in azhen.said.text and "补充：（已经出来了）" in specialist.said.text
    with database.read() as session:
        assert session.exec(select(Alert)).one().state == "open", "a person closes it, never the programme"


def test_without_a_partner_the_specialist_comes_next(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    in_by_two(alin)
    alin.press("不用，直接告诉专员")
    assert len(passes(database, clock, timedelta(hours=2))) == 1
    told = passes(database, clock, GRACE)
    assert {one.kind for one in told} == {"notice.alert", "notice.lone_told"}


def test_quiet_hours_hold_none_of_it(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    clock.pass_time(timedelta(hours=10, minutes=30))  # half past eight in the evening
    alin.say("我进门了，一小时后出来")
    alin.press(alin.labels()[0])
    for expected in ("notice.lone_ask", "notice.lone_partner", "notice.alert"):
        sent = passes(database, clock, timedelta(hours=1) if expected.endswith("ask") else GRACE)
        assert expected in {one.kind for one in sent}


def test_the_job_may_run_twice_and_late_and_everybody_asked_has_time_to_answer(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    in_by_two(alin)
    alin.press(alin.labels()[0])
    clock.pass_time(timedelta(hours=3))  # the machine was down
    assert look_for_lone_visits(database) == 1
    assert look_for_lone_visits(database) == 0
    [asks] = deliver(database, alin)
    assert "现在过了 60 分钟" in asks.text, "it comes late, and says so"
    assert passes(database, clock, GRACE - timedelta(seconds=1)) == []
    assert "notice.lone_partner" in {one.kind for one in passes(database, clock, timedelta(seconds=1))}
    with database.read() as session:
        keys = [row.unique_key for row in session.exec(select(OutboxMessage)) if row.kind.startswith("notice.lone")]
    assert len(keys) == len(set(keys)) == 3


def test_longer_begins_anew_and_whoever_was_told_hears_of_it(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    in_by_two(alin)
    alin.press(alin.labels()[0])
    passes(database, clock, timedelta(hours=2), alin)
    passes(database, clock, GRACE, alin)
    assert "改到 12:40" in alin.say("还要半小时")
    assert stands(database) == "running"
    [news] = passes(database, clock, timedelta(0))
    assert (news.sender, news.kind) == ("azhen", "notice.lone_news") and "12:40 前出来" in news.text
    assert passes(database, clock, timedelta(minutes=29)) == []
    assert [one.kind for one in passes(database, clock, timedelta(minutes=1), alin)] == ["notice.lone_ask"]
    alin.press("还要一会儿")
    assert "请写几点出来" in alin.say("随便")
    assert "改到 13:40" in alin.say("一个小时")


def test_an_old_question_is_not_sent_once_they_are_out(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat
) -> None:
    in_by_two(alin)
    alin.press("不用，直接告诉专员")
    clock.pass_time(timedelta(hours=2))
    assert look_for_lone_visits(database) == 1
    assert "平安就好" in alin.say("出来啦")
    assert [one.text for one in deliver(database)] == [""], "it is not true any more"
    assert passes(database, clock, timedelta(days=1)) == []


def test_the_partner_says_what_came_of_it(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    for label, after, kinds in (
        ("联系上了，没事", "out", set()),
        ("联系不上，告诉专员", "specialist", {"notice.alert", "notice.lone_told"}),
    ):
        alin.say("我进门了，两个小时后出来")
        alin.press(alin.labels()[0])
        passes(database, clock, timedelta(hours=2))
        passes(database, clock, GRACE, azhen)
        azhen.press(label)
        with database.read() as session:
            newest = session.exec(select(LoneVisit).order_by(LoneVisit.began_at.desc())).first()  # type: ignore[attr-defined]
            assert newest is not None and newest.state == after
        assert {one.kind for one in deliver(database) if one.text and one.kind != "notice.lone_news"} == kinds


def test_nobody_else_can_answer_for_the_partner(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    in_by_two(alin)
    alin.press(alin.labels()[0])
    passes(database, clock, timedelta(hours=2))
    passes(database, clock, GRACE)
    with database.write() as session:
        lone = row_of(session).id
        assert not lone_timing.partner_says(session, specialist.person().id, lone, safe=True)
        assert not lone_timing.partner_says(session, alin.person().id, lone, safe=True)
        assert lone_timing.partner_says(session, azhen.person().id, lone, safe=True)
        assert not lone_timing.partner_says(session, azhen.person().id, lone, safe=False)


@pytest.mark.parametrize(
    ("until", "reason"), [(-1, "past"), (0, "past"), (rules().hours.lone_longest_hours * 60 + 1, "too_long")]
)
def test_a_time_that_cannot_be_is_refused(database: Database, alin: Chat, until: int, reason: str) -> None:
    with database.write() as session:
        at = now_of(session) + timedelta(minutes=until)
        with pytest.raises(LoneError) as refused:
            lone_timing.begin(session, alin.person().id, at)
    assert refused.value.reason == reason


def test_only_whoever_serves_beside_them_can_be_named(
    database: Database, alin: Chat, azhen: Chat, specialist: Chat
) -> None:
    with database.write() as session:
        at = now_of(session) + timedelta(hours=1)
        assert lone_timing.partners_of(session, alin.person().id) == [azhen.person().id]
        with pytest.raises(LoneError) as refused:
            lone_timing.begin(session, alin.person().id, at, partner_id=specialist.person().id)
        assert refused.value.reason == "partner"
        begun = lone_timing.begin(session, specialist.person().id, at, session.exec(select(Stint.id)).first())
        assert begun.stint_id is None, "nobody is sent to a door that is not theirs"


def test_one_timer_runs_at_a_time(database: Database, alin: Chat) -> None:
    with database.write() as session:
        now, me = now_of(session), alin.person().id
        first = lone_timing.begin(session, me, now + timedelta(hours=1))
        again = lone_timing.begin(session, me, now + timedelta(hours=2))
        assert first.id == again.id == row_of(session).id


# --- the silent help word ---


@pytest.mark.parametrize(
    "words", ["今天的牛奶订了吗", "今天的牛奶訂了嗎？", " 今天的牛奶订了吗!! ", "Is the milk ordered?"]
)
def test_the_silent_word_calls_for_help_and_the_screen_speaks_of_milk(
    database: Database, clock: StoppedClock, alin: Chat, azhen: Chat, specialist: Chat, words: str
) -> None:
    alin.say("我进门了，两个小时后出来")
    alin.press(alin.labels()[0])
    assert alin.say(words) == "订好了，明天早上送到。"
    assert alin.labels() == []
    told = passes(database, clock, timedelta(0), specialist)
    assert [one.kind for one in told] == ["notice.alert"]
    assert "暗语" in specialist.said.text and "请不要在消息里回问" in specialist.said.text
    specialist.press("收到，我来处理")
    assert passes(database, clock, timedelta(days=1)) == [], "nothing more comes to the phone that others look at"
    assert stands(database) == "help"


def test_nothing_on_the_screen_after_the_silent_word_speaks_of_help(
    database: Database, clock: StoppedClock, alin: Chat, specialist: Chat
) -> None:
    alin.say("今天的牛奶订了吗")
    heard = [alin.say("三楼左边那家"), alin.act("location", latitude=23.1, longitude=113.3), alin.say("牛奶订了吗")]
    heard.append(alin.say("我出来了"))
    for said in heard:
        assert not any(word in said for word in ("110", "求助", "值班", "报警")), said
    with database.read() as session:
        alert = session.exec(select(Alert)).one()
        assert alert.source == SILENT
    deliver(database, specialist)
    told = specialist.said.text
    assert "三楼左边那家" in told or "补充" in told
    assert "110" in alin.say("救命"), "said openly, it is answered openly"


def test_the_silent_word_counts_in_the_middle_of_any_talk_and_leaves_it_as_it_is(database: Database) -> None:
    chat = Chat(database)
    follow(chat)
    chat.say("报名")
    assert chat.say("今天的牛奶订了吗") == "订好了，明天早上送到。"
    assert "姓名" in chat.say("同意"), "the question that waited is answered"
    with database.read() as session:
        assert session.exec(select(Alert)).one().source == SILENT


def test_the_words_in_a_longer_message_are_only_words(database: Database, alin: Chat) -> None:
    alin.say("小宇妈妈问今天的牛奶订了吗，我说不知道")
    with database.read() as session:
        assert session.exec(select(Alert)).all() == []


def test_the_taught_word_is_of_the_readers_language() -> None:
    for language, word in (
        ("zh_CN", "今天的牛奶订了吗"),
        ("zh_HK", "今日啲牛奶訂咗未"),
        ("en", "is the milk ordered for today"),
    ):
        with speaking(language):
            assert help_words() == word
            assert lone_timing.is_silent_call(word)


def test_nobody_to_tell_is_not_told_as_if_there_were(database: Database, clock: StoppedClock, alin: Chat) -> None:
    alin.say("我进门了，两个小时后出来")
    passes(database, clock, timedelta(hours=2))
    assert passes(database, clock, GRACE) == []
    with database.read() as session:
        assert session.exec(select(Alert)).one().source == LONE


# --- what is understood ---


@pytest.mark.parametrize(
    ("words", "until"),
    [
        ("我进门了，16:00 前出来", "16:00"),
        ("我进门了,16:00前出来", "16:00"),
        ("到了，大概四点半出来", "16:30"),
        ("刚进屋，一个小时后出来", "15:05"),
        ("我到了 5点之前走", "17:00"),
        ("我進門了，半個鐘頭後出嚟", "14:35"),
        ("I'm in, out by 4pm", "16:00"),
    ],
)
def test_going_in_is_understood(words: str, until: str) -> None:
    found = told_at_once(words)
    assert found is not None and found[0] is LONE_VISIT, words
    at = ahead(found[1]["until"]["t"], NOON)
    assert at is not None and f"{at:%H:%M}" == until


@pytest.mark.parametrize("words", ["我出来了", "出来啦", "已经出来了。", "我出來了", "I'm out"])
def test_coming_out_is_understood(words: str) -> None:
    assert told_at_once(words) == (LONE_ANSWER, {"how": {"c": "out"}})


@pytest.mark.parametrize(
    "words", ["走了哈刚从小雨屋头出来", "我到了", "什么时候出来", "再见", "还要多少人", "出来玩吗", "我到了广州再出来"]
)
def test_other_words_are_left_alone(words: str) -> None:
    assert told_at_once(words) is None


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        ("半小时", 30),
        ("一个半小时", 90),
        ("两个小时后", 120),
        ("1小时20分钟", 80),
        ("一刻钟", 15),
        ("90 分钟", 90),
        ("half an hour", 30),
        ("2 hours", 120),
    ],
)
def test_lengths_of_time(words: str, minutes: int) -> None:
    assert span(words) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("words", "then"),
    [("两点", "14:00"), ("十分钟前", "13:55"), ("13:30", "13:30"), ("刚刚", None), ("昨天", None), ("25:00", None)],
)
def test_moments_that_lie_behind(words: str, then: str | None) -> None:
    at = behind(words, NOON)
    assert (f"{at:%H:%M}" if at else None) == then
    assert at is None or at <= NOON


@pytest.mark.parametrize("words", ["", "9" * 500, "零", "0分钟", "四", "25点", "\x00", "nan", "-1小时"])
def test_strange_times_are_no_times_or_lie_ahead(words: str) -> None:
    at = ahead(words, NOON)
    assert at is None or NOON < at <= NOON + timedelta(days=1)
