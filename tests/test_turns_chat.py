"""轮流排班 in the chat, where the transcripts turns*.chat do not go: minors, who may not go, pages, other languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlmodel import col, select

from models import agreement
from models.beneficiary import Beneficiary, as_columns, record_of
from models.copy import copy_of
from models.database import Database, vault_of
from models.outbox import OutboxMessage
from models.turn import Turn
from models.volunteer import volunteer_of
from scheduler import jobs
from tests.chatting import Chat
from tests.ledger_files import people
from tests.outgoing import deliver
from tests.pairings import hush, open_stint, pair, somebody, team_with
from tests.people import follow, grant
from tests.test_ledger_import import brought


class Played:
    """A specialist, a leader and two members in one team, paired with `count` people."""

    def __init__(self, database: Database, count: int = 1) -> None:
        self.database = database
        self.boss, self.lead, self.one, self.two = chats = [
            Chat(database, name) for name in ("boss", "lead", "one", "two")
        ]
        for at, chat in enumerate(chats):
            follow(chat)
            if at:
                chat.register(phone=f"1380013800{at}", born="2000-08-13")
        grant(database, self.boss, "specialist", "440106")
        brought(database, people(count))
        ids = [chat.person().id for chat in chats[1:]]
        with database.write() as session:
            team = team_with(session, "GZ01", *ids)
            for at in range(count):
                pair(session, ids[0], somebody(session, at), team=team)
            hush(session)

    def change(self, chat: Chat, **columns: object) -> None:
        with self.database.write() as session:
            row = volunteer_of(session, chat.person().id)
            assert row is not None
            for name, value in columns.items():
                setattr(row, name, value)

    def plan(self, order: str, rhythm: str = "每个月换一位") -> str:
        self.lead.say("轮流排班", "1")
        plan = next(label for label in self.lead.labels() if label in ("排一下", "重新排"))
        self.lead.press(plan)
        self.lead.say(order)
        self.lead.press(rhythm)
        return self.lead.press("就这样排")


@pytest.fixture
def played(database: Database) -> Played:
    return Played(database)


def test_a_minor_is_told_with_whom_and_can_say_no(played: Played) -> None:
    played.change(played.one, birth_date=date(2010, 5, 1))
    played.lead.say("轮流排班", "1", "排一下")
    assert "（未满 18 岁，会和成年队员一起去）" in played.lead.said.text
    played.lead.say("取消")
    assert "这次轮到" in played.plan("2 3")
    assert "，和" in played.lead.said.text
    deliver(played.database, played.two)
    assert "未满 18 岁，要和你一起去" in played.two.said.text
    played.two.press("好的，我去")
    assert "请和你一起去，不要让对方一个人去" in played.two.said.text
    deliver(played.database, played.one)
    assert "请不要一个人去" in played.one.said.text
    assert "和" in played.one.say("我的结对") and "一起去" in played.one.said.text
    assert "好的，我去" not in played.one.labels()
    assert "没关系，已经告诉" in played.one.press("我去不了")
    deliver(played.database, played.two)
    assert "这次去不了" in played.two.said.text and "由你一个人去看" in played.two.said.text
    assert "一起去" not in played.two.say("我的结对")


def test_a_minor_alone_makes_no_plan(played: Played) -> None:
    played.change(played.one, birth_date=date(2010, 5, 1))
    assert "至少要有一位成年队员" in played.plan("2")
    assert "谁先去" in played.lead.said.text


def test_who_may_not_go_is_named_with_the_reason_and_the_order_asked_again(played: Played) -> None:
    played.change(played.two, status="ended")
    said = played.plan("2 3")
    assert "现在不能排进来" in said and "注册还不能服务" in said
    played.lead.say("2")
    assert "排好了" in played.lead.said.text


def test_what_stands_in_a_members_registration_is_not_told_to_the_leader(played: Played) -> None:
    for chat, sex in ((played.lead, "female"), (played.one, "female"), (played.two, "male")):
        played.change(chat, sex=sex)
    with played.database.write() as session:
        row = session.exec(select(Beneficiary)).one()
        record = replace(record_of(vault_of(session), row), sex_wanted="female")
        for name, value in as_columns(vault_of(session), row.id, record).items():
            setattr(row, name, value)
    said = played.plan("2 3")
    assert "现在不能排进来：按现在的登记不能去这一位" in said and "性别" not in said
    played.lead.say("2")
    assert "排好了" in played.lead.said.text
    played.boss.say("轮流排班", "1", "重新排", "2 3", "每个月换一位", "就这样排")
    assert "家里希望的性别和登记对不上" in played.boss.said.text, "whoever answers for the county may know"


def test_everybody_goes_in_the_order_of_the_list(played: Played) -> None:
    assert "排好了" in played.plan("都去", "每次探访换一位")
    with played.database.read() as session:
        assert [row.person_id for row in session.exec(select(Turn))] == [played.lead.person().id]
    assert "去过了" not in played.lead.labels()
    played.lead.say("我的结对")
    played.lead.press("好的，我去")
    assert "去过了" in played.lead.labels()


def test_several_pairings_are_told_apart_by_their_buttons(database: Database) -> None:
    played = Played(database, count=2)
    played.plan("2")
    played.lead.say("轮到谁")
    played.lead.say("2")
    played.lead.press("排一下")
    played.lead.say("2")
    played.lead.press("每个月换一位")
    played.lead.press("就这样排")
    played.one.say("我的结对")
    goes = [label for label in played.one.labels() if label.endswith("好的，我去")]
    assert len(goes) == len(set(goes)) == 2 and all(label != "好的，我去" for label in goes)
    assert "由你去看" in played.one.press(goes[1])
    assert "轮到你" in played.one.say("轮到谁"), "a member who may plan nothing sees their own"


def test_nobody_else_plans(played: Played) -> None:
    stranger = Chat(played.database, "stranger")
    follow(stranger)
    for chat in (stranger, played.one):
        assert "没有可以排班的团队结对" in chat.say("轮流排班")


def test_a_pairing_that_ended_meanwhile_is_told(played: Played) -> None:
    played.plan("2 3")
    played.lead.say("轮流排班", "1")
    played.lead.press("重新排")
    with played.database.write() as session:
        agreement.end(session, open_stint(session, somebody(session, 0)).id, "specialist", played.boss.person().id)
    played.lead.say("2")
    played.lead.press("每个月换一位")
    assert "已经结束，或者现在不归你管" in played.lead.press("就这样排")
    assert "没有结对" in played.one.say("我的结对")
    assert jobs.move_turns(played.database) == 0


def test_the_words_of_a_turn_that_passed_are_not_sent(played: Played) -> None:
    played.plan("2 3")
    played.one.say("我的结对")
    played.one.press("换人")
    with played.database.read() as session:
        waiting = session.exec(
            select(OutboxMessage.person_id).where(
                OutboxMessage.kind == "notice.turn", col(OutboxMessage.state) == "waiting"
            )
        ).all()
    assert list(waiting) == [played.two.person().id]


@pytest.mark.parametrize("words", ["turns", "輪值表", "轮到谁去了"])
def test_other_words_lead_there_too(played: Played, words: str) -> None:
    assert "团队的结对 1 个" in played.lead.say(words)


def test_when_somebody_was_asked_stands_in_their_copy(played: Played) -> None:
    played.plan("2 3")
    with played.database.read() as session:
        copies = [copy_of(session, chat.person().id) for chat in (played.one, played.two)]
    labels = [[row.label for section in copy for row in section.rows] for copy in copies]
    assert ["问你能不能去（轮到你）的时间" in found for found in labels] == [True, False]
