"""Cries for help while others close, take or deliver them at the same moment: no words are lost, and nobody is asked
for what they have not seen."""

from __future__ import annotations

from threading import Barrier, Event, Thread

import pytest
from sqlmodel import Session, select

from bot.platforms.base import Outcome
from handlers import late, safeguarding
from models import carded
from models.alert import Alert, close_alert, delivery, holder, open_alerts, recent_alert, words_of
from models.code import CodeTry
from models.database import Database
from models.outbox import hold, release_held
from models.person import Person
from tests.chatting import Chat
from tests.office import Office
from tests.office import office as office
from tests.outgoing import ACCOUNTS, claim, deliver
from tests.test_messages import asks
from tests.test_on_duty import TAKE, duty
from tests.test_review_at_once import together


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


@pytest.fixture
def chen(database: Database) -> Chat:
    return duty(database, "chen", "陈姐")


def records(database: Database) -> list[tuple[str, str, str]]:
    """Source, state and words of each, the oldest first."""
    with database.read() as session:
        rows = session.exec(select(Alert).order_by(Alert.id)).all()
        return [(row.source, row.state, words_of(session, row)) for row in rows]


def close(database: Database, by: Chat) -> None:
    with database.write() as session:
        close_alert(session, open_alerts(session)[0].id, by.person().id, "平安")


# Closed while somebody writes


@pytest.mark.parametrize(("way", "source"), [("sos", "sos"), ("worried", "worried")])
def test_words_for_a_record_that_was_closed_meanwhile_open_a_new_one(
    alin: Chat, chen: Chat, database: Database, way: str, source: str
) -> None:
    alin.act("menu", menu=way)
    alin.press("写下发生了什么")
    deliver(database)
    close(database, chen)
    said = alin.say("有人拿着东西在门口，我出不去")
    assert "这条求助已经记下，正在通知负责的同事" in said
    assert records(database) == [(source, "closed", ""), (source, "open", "有人拿着东西在门口，我出不去")]
    (told,) = deliver(database)
    assert "有人拿着东西在门口，我出不去" in told.text


def test_a_place_for_a_record_that_was_closed_meanwhile_is_kept_as_a_place(
    alin: Chat, chen: Chat, database: Database
) -> None:
    alin.act("menu", menu="sos")
    alin.press("写下发生了什么")
    close(database, chen)
    alin.act("location", latitude=23.1, longitude=113.3)
    assert records(database)[1:] == [("sos", "open", "位置（WGS-84）：纬度 23.1，经度 113.3")]


def test_words_for_a_closed_record_join_the_one_that_is_open_now(alin: Chat, chen: Chat, database: Database) -> None:
    alin.act("menu", menu="sos")
    first = alin.said
    close(database, chen)
    alin.say("救命")
    alin.said = first
    alin.press("写下发生了什么")
    assert "已经加到刚才那条求助里" in alin.say("在后门")
    assert records(database) == [("sos", "closed", ""), ("words", "open", "救命\n在后门")]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer: there one comes first
def test_words_that_meet_the_closing_are_heard(
    alin: Chat, chen: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alin.say("救命")
    deliver(database)
    found, closed = Event(), Event()

    def slowly(session: Session, person_id: str) -> Alert | None:
        row = recent_alert(session, person_id)
        found.set()
        assert closed.wait(5)
        return row

    monkeypatch.setattr(safeguarding, "recent_alert", slowly)
    writing = Thread(target=alin.say, args=("他又回来了",))
    writing.start()
    assert found.wait(5)
    close(database, chen)
    closed.set()
    writing.join(10)
    assert records(database) == [("words", "closed", "救命"), ("words", "open", "他又回来了")]
    assert ["他又回来了" in one.text for one in deliver(database)] == [True]


# Taken while the others write


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer
def test_two_who_take_it_at_once_while_words_are_held_for_both_do_not_stop_each_other(
    alin: Chat, chen: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin = duty(database, "lin", "林哥")
    alin.say("救命")
    deliver(database, chen, lin)
    alin.say("他还在门外面")
    with database.write() as session:
        for row in claim(session, "test", ACCOUNTS, 10):
            assert hold(session, row.id, "test", "closed")
    both = Barrier(2)

    def released(session: Session, person_id: str) -> int:
        count = release_held(session, person_id)
        both.wait(5)
        return count

    monkeypatch.setattr(carded, "release_held", released)
    assert together(lambda: chen.press(TAKE), lambda: lin.press(TAKE)) == [None, None]
    assert sorted("这条求助由你处理" in chat.said.text for chat in (chen, lin)) == [False, True]
    monkeypatch.undo()
    assert all("他还在门外面" in one.text for one in deliver(database) if one.kind == "notice.alert")


# A notice that has not arrived


async def test_a_number_means_a_notice_only_once_it_has_arrived(office: Office) -> None:
    database = office.database
    Chat(database).register()
    chen = duty(database, "chen", "陈姐")
    await office.work()
    asks(database, 2)
    await office.work()
    chen.say("留言")
    assert len(chen.labels()) == 2
    Chat(database, "other").say("救命")
    office.wechat.outcomes = [Outcome("closed", code="45015")]
    await office.work()
    assert "写的话：救命" in office.wechat.texts[-1]
    assert "第 0 句" in chen.say("1"), "the first on the list that was seen"
    with database.read() as session:
        assert holder(session, open_alerts(session)[0]) is None


async def test_a_number_or_the_words_take_a_notice_that_has_arrived(office: Office) -> None:
    database = office.database
    chen = duty(database, "chen", "陈姐")
    for typed in ("1", "我来处理"):
        Chat(database, f"other{typed}").say("救命")
        await office.work()
        assert "这条求助由你处理" in chen.say(typed)


async def test_a_notice_that_arrives_in_the_middle_of_a_talk_takes_no_number(office: Office) -> None:
    database = office.database
    chen = duty(database, "chen", "陈姐")
    chen.say("免打扰时段")
    shown = chen.labels()
    Chat(database, "other").say("救命")
    await office.work()
    assert shown
    assert "这条求助由你处理" not in chen.say("1")


async def test_a_notice_has_been_sent_even_where_its_options_cannot_be_remembered(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_anything: object) -> None:
        raise RuntimeError("a fault of ours")

    database = office.database
    chen = duty(database, "chen", "陈姐")
    await office.work()
    monkeypatch.setattr(late, "saw", broken)
    Chat(database, "other").say("救命")
    await office.work()
    with database.read() as session:
        assert delivery(session, open_alerts(session)[0]) == {"sent": 1}
    assert "没看懂" in chen.say("1")
    assert "由你处理" in chen.say("我来处理"), "the words do without the button"


# What only looks like a code


@pytest.mark.parametrize("tries", [0, 5])
def test_what_only_looks_like_a_code_joins_the_cry_for_help_and_is_not_counted(
    alin: Chat, chen: Chat, database: Database, tries: int
) -> None:
    for number in range(tries):
        alin.say(f"22B3C4D{number + 2}")
    alin.say("救命")
    assert "已经加到刚才那条求助里" in alin.say("FLAT 7B22")
    assert records(database) == [("words", "open", "救命\nFLAT 7B22")]
    with database.read() as session:
        person = session.get_one(Person, alin.person().id)
        assert len(session.exec(select(CodeTry).where(CodeTry.person_id == person.id)).all()) == tries
