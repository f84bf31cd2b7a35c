"""台账 in chat: who may see and answer what a newer ledger leaves open."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from handlers.late import saw
from handlers.message import Option
from models.audit import AuditEntry
from models.beneficiary import Beneficiary
from models.database import Database
from models.ledger_batch import LedgerQuestion
from models.person import Door
from scheduler import jobs
from tests.chatting import Chat
from tests.ledger_files import people, person
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import end_role, follow, grant
from tests.people import specialist as specialist
from tests.test_ledger_import import COUNTY, OTHER, brought

NAME = person(1)["姓名"]


@pytest.fixture
def missing(database: Database, specialist: Chat) -> None:
    """One of two stands in no newer ledger."""
    brought(database, people(2))
    brought(database, people(1))


def statuses(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(Beneficiary.status)))


def colleague(database: Database, scope: str, sender: str = "colleague") -> Chat:
    chat = Chat(database, sender)
    follow(chat)
    grant(database, chat, "specialist", scope)
    return chat


def test_nobody_without_a_role_sees_a_ledger(database: Database, missing: None, alin: Chat) -> None:
    assert "负责的同事用的" in alin.say("台账")
    assert NAME not in alin.said.text


def test_a_colleague_of_another_county_sees_nothing_of_it(database: Database, missing: None) -> None:
    other = colleague(database, OTHER)
    assert "还没有导入台账" in other.say("台账") and not other.said.options


def test_those_who_answer_for_the_county_are_told_once_an_import(
    database: Database, missing: None, specialist: Chat
) -> None:
    [told] = [one for one in deliver(database, specialist) if one.kind == "notice.ledger"]
    assert "1 位要你核实" in told.text and NAME not in told.text
    brought(database, people(2))  # the person stands there again
    assert [one for one in deliver(database, specialist) if one.kind == "notice.ledger"] == []


def test_who_becomes_responsible_afterwards_is_told_of_what_is_open(
    database: Database, missing: None, specialist: Chat
) -> None:
    assert jobs.tell_open_questions(database) == 0, "whoever was there has been told"
    deliver(database)
    late, far = colleague(database, COUNTY, "late"), colleague(database, OTHER, "far")
    assert [jobs.tell_open_questions(database) for _time in range(2)] == [1, 0]
    [told] = [one for one in deliver(database, late) if one.kind == "notice.ledger"]
    assert "1 位要你核实" in told.text and NAME not in told.text
    assert far.person().id != late.person().id
    brought(database, people(2))
    colleague(database, COUNTY, "later")
    assert jobs.tell_open_questions(database) == 0, "nothing is open any more"


def test_a_name_that_is_shown_is_noted_when_it_is_a_minors(database: Database, missing: None, specialist: Chat) -> None:
    specialist.say("台账")
    assert specialist.said.options[0].label.startswith(NAME)
    with database.read() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all()
    assert [entry.actor for entry in looks] == [specialist.person().id]


def test_the_second_of_two_colleagues_is_told_that_it_is_done(
    database: Database, missing: None, specialist: Chat
) -> None:
    other = colleague(database, "440106")
    for chat in (specialist, other):
        chat.say("台账")
        chat.press(chat.said.options[0].label)
    assert "记下了：还在" in specialist.press("还在")
    other.press("去世了")
    assert "已经有同事核实过" in other.press("确定")
    assert statuses(database) == ["listed", "listed"]


def test_whoever_lost_the_role_meanwhile_changes_nothing(database: Database, missing: None, specialist: Chat) -> None:
    specialist.say("台账")
    specialist.press(specialist.said.options[0].label)
    specialist.press("迁走了")
    end_role(database, specialist)
    assert "不归你负责" in specialist.press("确定")
    assert statuses(database) == ["listed", "listed"]
    with database.read() as session:
        assert session.exec(select(LedgerQuestion).where(col(LedgerQuestion.closed_at).is_(None))).all()


@pytest.mark.parametrize("typed", ["也许吧", "收到", "9", "🙂", "是" * 5_000])
def test_what_is_no_answer_is_asked_again_and_changes_nothing(
    database: Database, missing: None, specialist: Chat, typed: str
) -> None:
    specialist.say("台账")
    specialist.press(specialist.said.options[0].label)
    specialist.press("去世了")
    assert "记下了" not in specialist.say(typed)
    assert statuses(database) == ["listed", "listed"]
    assert "记下了：去世了" in specialist.say("确定")
    assert statuses(database) == ["died", "listed"]


def test_a_cancelled_certificate_stops_no_message_and_asks_no_more(
    database: Database, missing: None, specialist: Chat
) -> None:
    specialist.say("台账")
    specialist.press(specialist.said.options[0].label)
    assert "记下了：残疾人证注销了" in specialist.press("残疾人证注销了")
    assert statuses(database) == ["cancelled", "listed"]


def test_a_name_on_the_screen_of_wechat_does_not_come_to_telegram_with_a_number(
    database: Database, missing: None, specialist: Chat, alin: Chat
) -> None:
    """Somebody with both accounts has the list open on WeChat; a message comes to Telegram, and “1” is typed there."""
    specialist.say("台账")
    with database.write() as session:
        at = session.exec(select(Door).where(Door.sender == specialist.sender)).one()
        own = {"platform": "telegram", "account": "test", "sender": "9000001"}
        session.add(Door(person_id=at.person_id, opened_at=at.opened_at, last_in_at=at.last_in_at, **own))
    phone = Chat(database, "9000001", "telegram")
    with database.write() as session:
        door = session.exec(select(Door).where(Door.sender == "9000001")).one()
        saw(session, door.person_id, (Option("m:messages", "留言"),), door.id)
    assert NAME not in phone.say("1")
    assert all(NAME not in option.label for option in phone.said.options)
