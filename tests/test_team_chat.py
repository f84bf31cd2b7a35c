"""团队 in the chat, where the transcripts teams*.chat do not go: pages, other languages, what has changed meanwhile."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import select

from handlers import notices
from handlers.volunteer_dates import NOTICES
from models import team_member
from models.copy import copy_of
from models.database import Database
from models.outbox import OutboxMessage
from models.region_pair import grant_pair
from models.team import MACHINE, Team, create, end, members, set_helps
from models.team_member import add, remove, set_leader
from models.volunteer import Volunteer
from models.volunteer_dates import note_dates
from tests.chatting import Chat
from tests.outgoing import deliver
from tests.people import end_role, follow, grant

PLATFORMS = pytest.mark.parametrize("platform", ["wechat", "telegram"])


def person_here(
    database: Database, sender: str, role: str = "", scope: str = "440106", platform: str = "wechat"
) -> Chat:
    chat = Chat(database, sender, platform)
    follow(chat)
    if role:
        grant(database, chat, role, scope)
    return chat


def volunteer(database: Database, sender: str, phone: str, born: str = "2000-08-13") -> Chat:
    chat = Chat(database, sender)
    chat.register(phone=phone, born=born)
    return chat


def number_of(chat: Chat) -> str:
    found = chat.volunteer()
    assert found is not None
    return found.number


def team_of(database: Database, name: str = "阳光一队", region: str = "440106") -> str:
    with database.write() as session:
        return create(session, MACHINE, name, region).id


def test_teams_are_read_page_by_page_and_then_from_the_beginning(database: Database) -> None:
    boss = person_here(database, "boss", "organiser")
    for number in range(7):
        team_of(database, f"第{number}队")
    assert "一共 7 个团队" in boss.say("团队")
    assert "第 1 页，共 2 页" in boss.said.text
    assert [label[:3] for label in boss.labels()[:6]] == ["第0队", "第1队", "第2队", "第3队", "第4队", "后面的"]
    boss.press("后面的团队")
    assert [label[:3] for label in boss.labels()[:3]] == ["第5队", "第6队", "从头看"]
    assert "第6队（团队编号" in boss.say("2")


def test_the_list_tells_which_regions_help(database: Database) -> None:
    boss, far = person_here(database, "boss", "organiser", "4401"), person_here(database, "far", "organiser", "441821")
    team = team_of(database)
    with database.write() as session:
        grant_pair(session, "4401", "441821", boss.person().id, far.person().id)
        set_helps(session, boss.person().id, team, "441821")
    for chat in (boss, far):
        assert "结对帮扶：广东省广州市帮助广东省清远市佛冈县。" in chat.say("团队")
    assert "也帮助：广东省清远市佛冈县" in far.say("1")
    assert far.labels() == ["团队"], "seen there, managed at home"


@PLATFORMS
def test_a_volunteer_of_several_teams_chooses_one(database: Database, platform: str) -> None:
    chat = Chat(database, "alin", platform)
    chat.register()
    for name in ("一队的人", "二队的人"):
        with database.write() as session:
            add(session, MACHINE, create(session, MACHINE, name, "440106").id, number_of(chat))
    assert "你在 2 个团队里" in chat.say("我的团队")
    assert chat.labels() == ["一队的人", "二队的人"]
    assert "我的团队：二队的人" in chat.press("二队的人")
    assert "团队" in [option.label for option in follow_my(chat)]


def follow_my(chat: Chat) -> tuple[object, ...]:
    chat.say("我的")
    return chat.said.options  # type: ignore[return-value]


def test_a_member_goes_by_oneself_unless_people_are_paired_with_them_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alin = volunteer(database, "alin", "13800138001")
    team = team_of(database)
    with database.write() as session:
        add(session, MACHINE, team, number_of(alin))
    alin.say("团队")
    with monkeypatch.context() as paired:
        paired.setattr(team_member, "is_paired", lambda *_arguments: True)
        alin.press("退出团队")
        assert "先和专员办好交接" in alin.press("退出团队")
    alin.say("团队")
    alin.press("退出团队")
    assert "没有做任何改动" in alin.press("不退出")
    alin.say("团队")
    alin.press("退出团队")
    assert "已经退出“阳光一队”" in alin.press("退出团队")
    assert "还没有加入团队" in alin.say("团队")
    assert [one.text for one in deliver(database, alin) if one.text] == [], "what was said is known"


def test_who_led_before_is_told(database: Database) -> None:
    alin, boan = volunteer(database, "alin", "13800138001"), volunteer(database, "boan", "13800138002")
    team = team_of(database)
    with database.write() as session:
        for chat in (alin, boan):
            add(session, MACHINE, team, number_of(chat))
        set_leader(session, MACHINE, team, number_of(alin))
        set_leader(session, MACHINE, team, number_of(boan))
    said = [one.text for one in deliver(database, alin) if one.text and one.sender == "alin"]
    assert [text.splitlines()[0][-8:] for text in said] == ["谢谢你一直带队！"]


def test_the_organiser_of_a_team_alone_finds_its_members_and_nobody_else(database: Database) -> None:
    lead, alin = person_here(database, "lead"), volunteer(database, "alin", "13800138001")
    boan = volunteer(database, "boan", "13800138002")
    team = team_of(database)
    with database.write() as session:
        add(session, MACHINE, team, number_of(alin))
        number = session.get_one(Team, team).number
    grant(database, lead, "organiser", number, "team")
    lead.say("团队", "1")
    lead.press("设专员")
    assert "没有这个编号" in lead.say(number_of(boan))
    lead.say(number_of(alin))
    assert "已经设为“阳光一队”的专员" in lead.press("设为专员")


def test_not_wishing_to_say_is_no_name_of_a_street(database: Database) -> None:
    chat = Chat(database)
    chat.register()
    for item in ("常在哪里", "性别"):
        chat.act("menu", menu="change_profile")
        chat.press(item)
        assert "先不填" in chat.say("不想说")
    row = chat.volunteer()
    assert row is not None
    assert (row.town, row.sex) == (None, None)


def test_what_stands_on_the_screen_may_be_typed(database: Database) -> None:
    boss, alin = person_here(database, "boss", "organiser"), volunteer(database, "alin", "13800138001")
    team_of(database)
    boss.say("团队", "1")
    assert "请写要当“阳光一队”专员" in boss.say("设专员"), "of the team, not of a county"
    boss.say(number_of(alin))
    boss.press("不是这位")
    assert "阳光一队" not in boss.say("设专员")
    assert "请写要当广东省广州市天河区专员" in boss.said.text


def test_help_names_the_teams_to_whom_they_concern(database: Database) -> None:
    alin = volunteer(database, "alin", "13800138001")
    assert "“团队”" not in alin.say("帮助")
    with database.write() as session:
        add(session, MACHINE, create(session, MACHINE, "一队的人", "440106").id, number_of(alin))
    assert "“团队”看你所在的团队" in alin.say("帮助")


def test_whoever_lost_the_role_meanwhile_changes_nothing(database: Database) -> None:
    boss, alin = person_here(database, "boss", "organiser"), volunteer(database, "alin", "13800138001")
    team = team_of(database)
    boss.say("团队")
    boss.say("1")
    end_role(database, boss)
    boss.press("加队员")
    assert "不归你负责" in boss.say(number_of(alin))
    with database.read() as session:
        assert members(session, session.get_one(Team, team)) == []


def test_a_leader_who_is_a_minor_is_refused_and_another_one_is_asked_for(database: Database) -> None:
    boss = person_here(database, "boss", "organiser")
    alin, child = volunteer(database, "alin", "13800138001"), volunteer(database, "child", "13800138002", "2010-01-01")
    team = team_of(database)
    with database.write() as session:
        row = session.get_one(Volunteer, child.volunteer().id)  # type: ignore[union-attr]
        row.status = "active"
        session.add(row)
        session.flush()
        for chat in (alin, child):
            add(session, MACHINE, team, number_of(chat))
    boss.say("团队")
    boss.say("1")
    boss.press("设队长")
    assert "未满 18 岁" in boss.say(number_of(child))
    assert "现在是队长" in boss.say(number_of(alin))


def test_what_is_no_longer_true_of_a_team_is_not_said(database: Database) -> None:
    alin = volunteer(database, "alin", "13800138001")
    team = team_of(database)
    number = number_of(alin)
    with database.write() as session:
        add(session, MACHINE, team, number)
        remove(session, MACHINE, team, number)
        add(session, MACHINE, team, number)
    assert [one.text[:5] for one in deliver(database, alin) if one.text] == ["你加入了志"], "in and out and in again"
    with database.write() as session:
        set_leader(session, MACHINE, team, number)
        end(session, MACHINE, team)
    (said,) = [one for one in deliver(database, alin) if one.text]
    assert "解散了" in said.text


def test_a_date_that_was_written_down_anew_is_told_once(database: Database) -> None:
    alin = volunteer(database, "alin", "13800138001")
    found = alin.volunteer()
    assert found is not None
    with database.write() as session:
        for day in (date(2026, 11, 1), date(2026, 11, 2)):
            note_dates(session, MACHINE, found.id, trained_on=day)
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.dates")).all()
        assert len(rows) == 2
    (said,) = [one for one in deliver(database, alin) if one.text]
    assert "2026-11-02" in said.text
    assert notices.NOTICES["notice.dates"] is NOTICES["notice.dates"]


def test_a_team_is_spoken_of_in_english(database: Database) -> None:
    boss = person_here(database, "boss", "organiser", "4401")
    team_of(database)
    boss.say("English")
    assert "Teams: 1." in boss.say("teams")
    assert boss.labels()[0] == "阳光一队 (Tianhe): members 0, takes 10, free 10, no specialist yet"
    boss.say("1")
    assert "Add members" in boss.labels()
    assert "What is the team called?" in boss.say("new team")


def test_a_long_list_of_members_is_cut_and_the_rest_is_counted(database: Database) -> None:
    boss = person_here(database, "boss", "organiser")
    team = team_of(database)
    for number in range(23):
        chat = volunteer(database, f"m{number}", f"138001380{number:02}")
        with database.write() as session:
            add(session, MACHINE, team, number_of(chat))
    boss.say("团队")
    assert "另外还有 3 位。" in boss.say("1")
    boss.press("移出队员")
    assert len(boss.said.options) == 10


@PLATFORMS
def test_my_data_names_sex_place_dates_and_teams(database: Database, platform: str) -> None:
    chat = Chat(database, "alin", platform)
    chat.register()
    team = team_of(database)
    with database.write() as session:
        row = session.get_one(Volunteer, chat.volunteer().id)  # type: ignore[union-attr]
        row.sex, row.latitude, row.longitude = "female", 23.14, 113.36
        row.trained_on, row.cleared_until = date(2026, 11, 1), date(2027, 11, 1)
        session.add(row)
        add(session, MACHINE, team, row.number)
    with database.read() as session:
        rows = {row.label: row.value for section in copy_of(session, chat.person().id) for row in section.rows}
    assert rows["性别"] == "女"
    assert rows["常在的位置（纬度，经度，约 1 公里）"] == "23.14, 113.36"
    assert (rows["培训日期"], rows["无犯罪记录查询有效期至"]) == ("2026-11-01", "2027-11-01")
    assert rows["团队"] == "阳光一队"


@PLATFORMS
def test_a_shared_place_is_kept_to_two_decimals_and_not_read_out_on_telegram(database: Database, platform: str) -> None:
    chat = Chat(database, "alin", platform)
    chat.register()
    chat.act("menu", menu="change_profile")
    chat.press("常在哪里")
    said = chat.act("location", latitude=23.135344, longitude=113.361187)
    row = chat.volunteer()
    assert row is not None
    assert (row.latitude, row.longitude, row.town) == (23.14, 113.36, None)
    assert ("23.14" in said) == (platform == "wechat")
    chat.act("menu", menu="change_profile")
    chat.press("常在哪里")
    chat.press("重新填写")
    assert "不用写门牌" in chat.say("五山路 381 号")
    chat.say("五山街道")
    row = chat.volunteer()
    assert row is not None
    assert (row.latitude, row.longitude, row.town) == (None, None, "五山街道")
