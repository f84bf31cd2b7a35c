"""What duty people read of a cry for help and answer to it: 收到，我来处理, once, and everybody knows who has it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlmodel import select

from models.alert import Alert, CannotTake, close_alert, holder, open_alerts, take, words_of
from models.audit import AuditEntry
from models.database import Database, now_of
from models.outbox import end
from models.person import doors
from models.role import grants
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import ACCOUNTS, Sent, claim, deliver
from tests.people import bind, follow, grant, two_on_duty, unfollow

TAKE = "收到，我来处理"


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


@pytest.fixture
def chen(database: Database) -> Chat:
    return duty(database, "chen", "陈姐")


@pytest.fixture
def lin(database: Database) -> Chat:
    return duty(database, "2001", "林哥", "telegram")


def duty(database: Database, sender: str, form: str, platform: str = "wechat") -> Chat:
    """An organiser who is called so."""
    chat = Chat(database, sender, platform)
    follow(chat)
    grant(database, chat, "organiser", "44")
    if form:
        chat.say("称呼", form)
    return chat


def by_platform(sent: list[Sent]) -> dict[str, str]:
    return {one.platform: one.text for one in sent}


def who_has_it(database: Database) -> str | None:
    with database.read() as session:
        return holder(session, open_alerts(session)[0])


@pytest.mark.parametrize("how", ["button", "number", "label", "word"])
def test_whoever_is_first_takes_it_by_button_number_or_word(
    alin: Chat, chen: Chat, lin: Chat, database: Database, how: str
) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    for chat in (chen, lin):
        assert chat.labels() == [TAKE]
        said = (
            chat.press(TAKE) if how == "button" else chat.say({"number": "1", "label": TAKE, "word": "我来处理"}[how])
        )
        if chat is chen:
            assert "记下了，这条求助由你处理" in said
            assert "110" in said
    assert said == "陈姐已经接下这条求助，正在处理。"
    assert who_has_it(database) == chen.person().id


@pytest.mark.parametrize("words", ["收到", "好的", "ok", "收到[OK]"])
def test_a_bare_acknowledgement_takes_nothing_over(alin: Chat, chen: Chat, database: Database, words: str) -> None:
    alin.say("救命")
    deliver(database, chen)
    chen.say(words)
    assert who_has_it(database) is None


def test_the_others_are_told_who_has_it_by_form_of_address_only(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    chen.register("陈大文", "13900139000")
    alin.register()
    alin.say("救命，他打我")
    deliver(database, chen, lin)
    chen.press(TAKE)
    told, _seen = sorted(deliver(database), key=lambda one: one.sender)
    assert (told.sender, told.kind) == (lin.sender, "notice.alert_taken")
    assert told.text.startswith("陈姐已经接下这条求助，正在处理。")
    own, theirs = getattr(chen.volunteer(), "number", ""), getattr(alin.volunteer(), "number", "")
    assert f"求助人：志愿者 {theirs}" in told.text
    assert not any(word in told.text for word in ("陈大文", "13900139000", own, "他打我", "天河"))


def test_who_has_no_form_of_address_is_a_colleague(alin: Chat, lin: Chat, database: Database) -> None:
    quiet = duty(database, "quiet", "")
    alin.say("救命")
    deliver(database, quiet)
    quiet.press(TAKE)
    assert by_platform(deliver(database))["telegram"].startswith("一位同事已经接下这条求助，正在处理。")


def test_a_notice_that_still_waited_says_who_has_it_and_offers_nothing(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    with database.write() as session:
        take(session, open_alerts(session)[0].id, chen.person().id)
    sent = {one.sender: one.reply for one in deliver(database)}
    mine, others = sent["chen"], sent["2001"]
    assert mine is not None
    assert others is not None
    assert "这条求助由你处理。" in mine.text
    assert "陈姐已经接下这条求助，正在处理。" in others.text
    assert (mine.options, others.options) == ((), ())


def test_taking_it_is_written_down_once(alin: Chat, chen: Chat, lin: Chat, database: Database) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    chen.press(TAKE)
    lin.press(TAKE)
    with database.write() as session:
        row = open_alerts(session)[0]
        with pytest.raises(CannotTake, match="taken"):
            take(session, row.id, chen.person().id)
        query = select(AuditEntry.actor, AuditEntry.subject).where(AuditEntry.action == "alert.taken")
        assert session.exec(query).all() == [(chen.person().id, row.id)]


def test_of_several_who_take_it_at_the_same_moment_one_has_it(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    with database.read() as session:
        key = open_alerts(session)[0].id
    people = [chen.person().id, lin.person().id] * 2
    together = Barrier(len(people))

    def attempt(person_id: str) -> str:
        together.wait(timeout=10)
        try:
            with database.write() as session:
                take(session, key, person_id)
        except CannotTake as cannot:
            return cannot.reason
        return "has it"

    with ThreadPoolExecutor(len(people)) as pool:
        assert sorted(pool.map(attempt, people)) == ["has it", "taken", "taken", "taken"]


def test_the_person_can_still_add_and_all_who_were_told_hear_of_it(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    chen.press(TAKE)
    deliver(database)
    assert "已经加到" in alin.say("我在后门")
    added = by_platform(deliver(database))
    assert "这条求助由你处理。" in added["wechat"]
    assert "补充：我在后门" in added["wechat"]
    assert "陈姐已经接下这条求助" in added["telegram"]


def test_nobody_takes_what_is_closed_or_not_theirs(
    alin: Chat, chen: Chat, lin: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.register()
    alin.say("救命")
    deliver(database, chen, lin)
    with database.write() as session:
        (held,) = grants(session, lin.person().id)
        held.ended_at = now_of(session)
        session.add(held)
    assert "不归你负责" in lin.press(TAKE)
    assert who_has_it(database) is None
    with database.write() as session:
        row = open_alerts(session)[0]
        with pytest.raises(CannotTake, match="not_yours"):
            take(session, row.id, alin.person().id)
        close_alert(session, row.id, chen.person().id, "平安")
    assert "已经结束" in chen.press(TAKE)


@pytest.mark.parametrize("lost", ["role", "doors"])
def test_somebody_else_may_take_it_when_whoever_has_it_cannot_deal_with_it_any_more(
    alin: Chat, chen: Chat, lin: Chat, database: Database, lost: str
) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    chen.press(TAKE)
    if lost == "role":
        with database.write() as session:
            (held,) = grants(session, chen.person().id)
            held.ended_at = now_of(session)
            session.add(held)
    else:
        unfollow(database, chen)
    assert who_has_it(database) is None
    assert "由你处理" in lin.press(TAKE)
    assert who_has_it(database) == lin.person().id


def test_whoever_bound_another_account_still_has_it(alin: Chat, chen: Chat, database: Database) -> None:
    alin.say("救命")
    deliver(database, chen)
    chen.press(TAKE)
    other = Chat(database, "3003", "telegram")
    other.say("你好")
    bind(other, chen)
    assert who_has_it(database) == chen.person().id


def test_what_somebody_has_is_not_handed_further_up_whatever_the_platform_said(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    near, _boss = two_on_duty(database)
    alin.register()
    alin.say("救命")
    with database.write() as session:
        (row,) = claim(session, "test", ACCOUNTS, 10)
        assert end(session, row.id, "test", "uncertain", "")
        assert [door.sender for door in doors(session, row.person_id)] == ["near"]
        take(session, open_alerts(session)[0].id, near.person().id)
    clock.pass_time(timedelta(minutes=10))
    assert jobs.hand_over(database) == 0
    with database.write() as session:
        (held,) = grants(session, near.person().id)
        held.ended_at = now_of(session)
        session.add(held)
    assert jobs.hand_over(database) == 1, "whoever had it has gone"


# Once more


@pytest.mark.parametrize("words", ["救命", "他又打我了", "快来\n救命啊", "help me!"])
def test_a_second_cry_within_the_half_hour_reads_as_a_new_cry(
    alin: Chat, chen: Chat, lin: Chat, database: Database, words: str
) -> None:
    alin.say("救命，我在家")
    deliver(database)
    said = alin.say(words)
    assert "已经加到刚才那条求助里" in said
    assert "正在再次通知负责的同事" in said
    sent = by_platform(deliver(database))
    for text in sent.values():
        assert text.startswith("再次求助：同一个人又在求助，请马上处理。")
        assert "补充" not in text
    assert f"又写的话：{words}\n" in sent["wechat"]
    assert "我在家" not in sent["wechat"]


def test_an_addition_that_waited_becomes_a_cry_when_one_is_added(alin: Chat, chen: Chat, database: Database) -> None:
    alin.say("救命")
    deliver(database)
    alin.say("我在后门")
    alin.say("救命啊")
    (sent,) = deliver(database)
    assert sent.text.startswith("再次求助")
    assert "又写的话：我在后门\n救命啊\n" in sent.text


@pytest.mark.parametrize(("way", "heading"), [("sos", "再次求助"), ("worried", "有一条求助，请马上处理。")])
def test_the_entry_pressed_again_reads_as_repeated_and_a_concern_for_somebody_as_one_of_its_own(
    alin: Chat, chen: Chat, database: Database, clock: StoppedClock, way: str, heading: str
) -> None:
    alin.act("menu", menu="sos")
    assert deliver(database)[0].text.startswith("有一条求助，请马上处理。")
    clock.pass_time(timedelta(minutes=29))
    alin.act("menu", menu=way)
    assert deliver(database)[0].text.startswith(heading)


def test_a_cry_after_the_half_hour_is_a_cry_of_its_own(
    alin: Chat, chen: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.say("救命")
    deliver(database)
    clock.pass_time(timedelta(minutes=31))
    alin.say("救命")
    assert deliver(database)[0].text.startswith("有一条求助，请马上处理。")


def test_a_second_cry_that_nobody_hears_says_so(alin: Chat, database: Database) -> None:
    alin.say("救命")
    said = alin.say("救命啊")
    assert "没有值班的同事能马上看到" in said
    assert "正在再次通知" not in said


# What the waiting question does not take


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_what_a_question_does_not_take_joins_the_cry_for_help_and_the_question_is_asked_again(
    chen: Chat, database: Database, platform: str
) -> None:
    chat = Chat(database, "4004", platform)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明")
    chat.say("救命")
    deliver(database)
    said = chat.say("他拿着刀在门口，我躲在厕所")
    assert said.startswith("如有危险请先拨打110／120")
    assert "这句已经加到刚才那条求助里。" in said
    assert "请写 11 位手机号" in said
    assert said.endswith("请写你的手机号。")
    assert records(database) == ["救命\n他拿着刀在门口，我躲在厕所"]
    assert ["补充：他拿着刀在门口" in one.text for one in deliver(database)] == [True]
    assert "出生日期" in chat.say("13800138000"), "the talk goes on"


def test_what_a_question_takes_is_never_added(alin: Chat, database: Database) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("救命")
    alin.say("王小明", "13800138000", "2005-08-13", "广州天河", "1")
    assert alin.volunteer() is not None
    assert records(database) == ["救命"]


def test_a_choice_that_is_none_joins_it_and_a_slip_or_thanks_do_not(alin: Chat, database: Database) -> None:
    alin.say("报名")
    alin.say("救命")
    for words in ("9", "谢谢", "好的"):
        assert "已经加到" not in alin.say(words)
    said = alin.say("他追出来了")
    assert "已经加到" in said
    assert alin.labels()[:2] == ["同意", "不同意"]
    assert records(database) == ["救命\n他追出来了"]


def test_what_a_question_does_not_take_is_not_kept_without_a_cry_or_after_the_half_hour(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明")
    assert "求助" not in alin.say("他在门口")
    alin.say("救命")
    clock.pass_time(timedelta(minutes=31))
    assert "求助" not in alin.say("他在门口")
    assert records(database) == ["救命"]


def records(database: Database) -> list[str]:
    with database.read() as session:
        return [words_of(session, row) for row in session.exec(select(Alert))]


def test_where_nobody_else_was_told_nobody_else_is_spoken_of(alin: Chat, chen: Chat, database: Database) -> None:
    alin.say("救命")
    deliver(database, chen)
    assert "其他同事" not in chen.press(TAKE)


def test_where_somebody_else_was_told_they_are_told_who_has_it(
    alin: Chat, chen: Chat, lin: Chat, database: Database
) -> None:
    alin.say("救命")
    deliver(database, chen, lin)
    assert "正在告诉收到通知的其他同事" in chen.press(TAKE)
    assert [one.sender for one in deliver(database) if one.kind == "notice.alert_taken"] == ["2001"]
