"""A team invited by its number in 待结对: who is asked for it, and why it may not be."""

from __future__ import annotations

import pytest
from sqlmodel import select

from models.database import Database, now_of
from models.offer import Offer
from models.team import Team, TeamMember
from tests.chatting import Chat
from tests.ledger_files import people
from tests.pairings import pair, somebody, team_with
from tests.people import follow, grant
from tests.test_ledger_import import brought


@pytest.fixture
def boss(database: Database) -> Chat:
    """A specialist, asked for the number of whom to invite for the one person of the ledger, who is agreed about."""
    chat = Chat(database, "boss")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    brought(database, people(1))
    chat.say("待结对", "1", "1")
    for label in ("记录家里的同意", "书面", "记下", "按编号邀请"):
        chat.press(label)
    return chat


def team(database: Database, number: str = "GZ01", capacity: int = 10) -> str:
    leader = Chat(database, f"leader{number}")
    leader.register(phone=f"1380013{len(number) * 1000 + int(number[2:]):04d}", born="2000-08-13")
    with database.write() as session:
        return team_with(session, number, leader.person().id, capacity=capacity).id


def offers(database: Database) -> list[Offer]:
    with database.read() as session:
        return list(session.exec(select(Offer)))


def test_its_leader_is_asked_for_it(database: Database, boss: Chat) -> None:
    made = team(database)
    assert "已邀请团队“测试GZ01队”，队长是志愿者 " in boss.say("ＧＺ０１")
    [offer] = offers(database)
    assert offer.team_id == made
    boss.say("待结对", "1", "1")
    boss.press("再邀请一位")
    assert "已经收到邀请" in boss.say("GZ01")
    assert len(offers(database)) == 1


def test_a_team_that_nobody_leads_or_that_is_full_or_gone_is_not_asked(database: Database, boss: Chat) -> None:
    made = team(database)
    with database.write() as session:
        held = session.exec(select(TeamMember).where(TeamMember.team_id == made)).one()
        held.left_at = now_of(session)
        session.add(held)
    assert "还没有队长" in boss.say("GZ01")
    with database.write() as session:
        row = session.get_one(Team, made)
        row.ended_at = now_of(session)
        session.add(row)
    assert "已经解散" in boss.say("GZ01")
    assert "没有这个编号的志愿者或团队" in boss.say("GZ77")
    assert "请写志愿者编号" in boss.say("阳光队")
    assert offers(database) == []
    team(database, "GZ02")
    assert "已邀请团队" in boss.say("GZ02"), "the question stood all the time"


def test_a_full_team_is_told_so_and_the_question_stands(database: Database, boss: Chat) -> None:
    made = team(database, capacity=1)
    brought(database, people(2))
    with database.write() as session:
        leader = session.exec(select(TeamMember.person_id).where(TeamMember.team_id == made)).one()
        pair(session, leader, somebody(session, 1), team=session.get_one(Team, made))
    assert "结对人数已满" in boss.say("GZ01")
    team(database, "GZ03")
    assert "已邀请团队" in boss.say("GZ03")
