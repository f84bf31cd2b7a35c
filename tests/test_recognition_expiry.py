"""“我以前注册过” that nobody decided in time: what the specialist hears who answers late, and what the asker hears."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from models.audit import AuditEntry
from models.database import Database
from models.outbox import OutboxMessage
from models.recognition import NEWS_FOR, OPEN_FOR, Recognition, open_requests
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import Sent, deliver
from tests.people import bind, unfollow
from tests.people import specialist as specialist

OVER = OPEN_FOR + timedelta(minutes=1)


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


def search(chat: Chat, born: str = "2005-08-13") -> str:
    chat.say("我以前注册过")
    return chat.say("13800138000", born)


def come_back(alin: Chat, database: Database) -> None:
    """Registered, left every door, and is looking for the registration: only a specialist can tell who it is."""
    alin.register()
    unfollow(database, alin)
    search(alin)
    alin.press("没有码，等核实")


def told_of_expiry(database: Database) -> list[Sent]:
    return [one for one in deliver(database) if one.kind == "notice.recognition_expired"]


def states(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(row.state for row in session.exec(select(Recognition)))


def test_the_request_tells_one_idea_a_line_with_who_since_when_what_happens_and_until_when(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    come_back(alin, database)
    (sent,) = deliver(database, specialist)
    number = sent.text.split("志愿者 ")[1][:10]
    assert sent.text.splitlines() == [
        "请核实：一个新账号是不是这位志愿者本人。",
        f"说自己是：志愿者 {number}",
        "提出日期：2026-11-22",
        "手机号和生日对得上，原来的账号没法核实。",
        "先打登记的电话（选“看登记的电话”），或者当面见本人，再选。",
        "选“是本人”：新账号接上这份登记。",
        "选“不是”：不接，并告诉对方。",
        "请在 2026-12-22 前选，过期就作废。",
    ]
    assert specialist.labels() == ["是本人", "不是", "再核实", "看登记的电话"]


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("answer", ["是本人", "不是", "再核实"])
def test_a_specialist_who_answers_too_late_hears_that_the_request_has_expired(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock, answer: str, swept: bool
) -> None:
    come_back(alin, database)
    deliver(database, specialist)
    clock.pass_time(OVER)
    if swept:
        jobs.expire_searches(database)
    said = specialist.press(answer)
    assert "这条请求已过期（30 天里没有人核实）" in said
    assert "对方可以再找一次" in said
    assert "已经回答过" not in said
    assert alin.volunteer() is None


def test_a_request_that_expires_while_the_specialist_is_asked_to_be_sure_joins_nothing(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    come_back(alin, database)
    deliver(database, specialist)
    clock.pass_time(OPEN_FOR - timedelta(minutes=1))
    specialist.press("是本人")
    clock.pass_time(timedelta(minutes=2))
    assert "已过期" in specialist.press("确认是本人")
    assert alin.volunteer() is None


def test_the_asker_is_told_once_that_the_request_expired_and_what_to_do_next(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    come_back(alin, database)
    deliver(database)
    clock.pass_time(OPEN_FOR - timedelta(minutes=1))
    assert jobs.expire_searches(database) == 0
    clock.pass_time(timedelta(minutes=2))
    assert jobs.expire_searches(database) == 1
    assert states(database) == ["expired"]
    (told,) = [one for one in deliver(database, alin) if one.kind == "notice.recognition_expired"]
    assert told.sender == alin.sender
    assert "你在 2026-11-22 找过以前的登记" in told.text
    assert "没有接上" in told.text
    assert alin.labels() == ["我以前注册过", "报名注册", "联系专员"]
    clock.pass_time(timedelta(days=1))
    assert jobs.expire_searches(database) == 0
    assert told_of_expiry(database) == []


def test_after_it_expired_the_asker_may_ask_again_and_the_specialist_is_asked_again(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    come_back(alin, database)
    deliver(database)
    clock.pass_time(OVER)
    search(alin)
    (sent,) = deliver(database, specialist)
    assert sent.kind == "notice.recognition_check"
    jobs.expire_searches(database)
    assert told_of_expiry(database) == [], "the new search goes on"
    specialist.press("是本人")
    specialist.press("确认是本人")
    assert alin.volunteer() is not None


def test_the_same_is_told_whether_or_not_the_registration_is_there(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.register()
    wrong, door = Chat(database, "wrong"), Chat(database, "door")
    search(wrong, "2005-08-14")
    search(door)
    unfollow(database, alin)
    search(alin)
    deliver(database)
    clock.pass_time(OVER)
    assert states(database) == ["code", "nothing", "open"]
    assert jobs.expire_searches(database) == 3
    told = told_of_expiry(database)
    assert {one.sender for one in told} == {"wrong", "door", "alin"}
    assert len({one.text for one in told}) == 1


def test_who_searched_several_times_is_told_once_after_the_last(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    search(alin)
    alin.say("取消")
    clock.pass_time(timedelta(days=20))
    search(alin)
    clock.pass_time(timedelta(days=11))
    assert jobs.expire_searches(database) == 1
    assert told_of_expiry(database) == []
    clock.pass_time(timedelta(days=20))
    assert jobs.expire_searches(database) == 1
    assert len(told_of_expiry(database)) == 1


def test_more_searches_than_one_transaction_takes_are_all_ended(
    alin: Chat, database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_LOOKED_AT", 2)
    for _time in range(5):
        search(alin)
        alin.say("取消")
    clock.pass_time(OVER)
    assert jobs.expire_searches(database) == 5
    assert len(told_of_expiry(database)) == 1


@pytest.mark.parametrize("word", ["是本人", "不是"])
def test_who_got_an_answer_is_not_told_of_an_end(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock, word: str
) -> None:
    come_back(alin, database)
    search(alin)  # once more, while the first request waits
    deliver(database, specialist)
    specialist.press(word)
    if word == "是本人":
        specialist.press("确认是本人")
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    assert told_of_expiry(database) == []


def test_who_was_bound_to_the_old_registration_meanwhile_is_not_told_of_an_end(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.register()
    new = Chat(database, "2002", "telegram")
    search(new)
    new.say("取消")
    bind(alin, new)
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    assert told_of_expiry(database) == []


def test_who_registered_anew_meanwhile_is_sent_to_a_person(alin: Chat, database: Database, clock: StoppedClock) -> None:
    search(alin)
    alin.say("取消")
    alin.register()
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    (told,) = told_of_expiry(database)
    assert told.reply is not None
    assert [option.label for option in told.reply.options] == ["联系专员"]


def test_a_notice_that_waited_is_not_sent_once_a_new_search_is_under_way(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    search(alin)
    alin.say("取消")
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    with database.read() as session:
        assert session.exec(select(OutboxMessage.state)).all() == ["waiting"]
    search(alin)
    assert [one.reply for one in told_of_expiry(database)] == [None]


def test_who_deleted_their_data_is_told_of_nothing_and_who_searched_for_them_hears_what_everybody_hears(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.register()
    seeker, gone = Chat(database, "seeker"), Chat(database, "gone")
    search(seeker)
    search(gone, "2005-08-14")
    for chat in (alin, gone):
        chat.say("取消", "删除我的数据", "1", "确认删除")
    deliver(database)
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    assert [one.sender for one in told_of_expiry(database)] == ["seeker"]
    with database.read() as session:
        assert open_requests(session) == []


def test_a_request_about_somebody_who_deleted_their_data_is_gone(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    come_back(alin, database)
    deliver(database, specialist)
    with database.write() as session:
        row = session.exec(select(Recognition)).one()
        row.state = "nothing"
        session.add(row)
    assert "已经不在了" in specialist.press("是本人")
    with database.read() as session:
        actions = set(session.exec(select(AuditEntry.action)))
    assert not actions & {"recognition.confirmed", "recognition.refused"}


def test_who_was_joined_to_the_old_account_in_another_way_hears_nothing(
    database: Database, clock: StoppedClock
) -> None:
    old, new = Chat(database, "2001", "telegram"), Chat(database)
    old.register()
    search(new)
    new.say("取消")
    deliver(database)
    new.register()
    bind(new, old)
    assert old.person().id == new.person().id
    clock.pass_time(OVER)
    jobs.expire_searches(database)
    assert told_of_expiry(database) == []
    assert states(database) == ["expired"]


def test_an_end_that_is_noticed_a_month_late_is_told_to_nobody(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    search(alin)
    clock.pass_time(OPEN_FOR + NEWS_FOR + timedelta(minutes=1))
    jobs.expire_searches(database)
    assert told_of_expiry(database) == []
    assert states(database) == ["expired"]
