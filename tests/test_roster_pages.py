"""Tables of teams, specialists, institutions and stations on the same one-time page as a ledger."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from python_calamine import CalamineWorkbook
from sqlmodel import col, func, select

from models import roster_batch, team
from models.beneficiary import MACHINE
from models.database import Database
from models.ledger_batch import LedgerBatch
from models.page import issue_page
from models.role import RoleGrant
from models.roster import read_roster
from models.station import Station
from models.team import Team
from scheduler.jobs import finish_imports
from tests.chatting import Chat
from tests.guarded import app as app
from tests.guarded import web as web
from tests.outgoing import deliver
from tests.people import end_role
from tests.sheets import text
from tests.test_ledger_sheet import REFUSED
from tests.test_roster_undo import SPECIALIST_HEADS, STATION_HEADS, TEAM_HEADS, somebody
from tests.uploading import figure, organiser, path, press, send

Web = TestClient[Any, Any]
GOOD = text([STATION_HEADS, ("甲站", "驿站", "天河区", "某路", "30")])


@pytest.fixture
def boss(database: Database) -> Chat:
    return organiser(database)


def page_for(chat: Chat, what: str) -> str:
    chat.say("导入名册")
    chat.press(what)
    return path(chat)


def standing(database: Database, table: Any) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(table).where(col(table.ended_at).is_(None))).one()


async def test_stations_go_from_the_page_into_the_county_and_back(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss, "驿站等阵地")
    shown = await (await web.get(at)).text()
    assert "导入驿站等阵地" in shown and "开放时间" in shown and "残疾人证号" not in shown
    _status, words = await send(web, at, GOOD)
    assert (figure(words, "新增"), standing(database, Station)) == (1, 0)
    assert "新台账里没有" not in words and "没有列出的人" not in words
    [told] = [one for one in deliver(database, boss) if one.kind == "notice.import"]
    assert "驿站等阵地（广东省广州市天河区）：检查好了" in told.text and "新增 1" in told.text
    assert boss.labels()[:3] == ["看结果", "收下", "放弃"]
    _status, words = await press(web, at, "take", database)
    assert "已收下" in words and standing(database, Station) == 1
    assert [one.text for one in deliver(database, boss) if "已收下" in one.text]
    _status, words = await press(web, at, "undo", database)
    assert "已撤回" in words and standing(database, Station) == 0
    assert (await press(web, at, "undo", database))[0] == 200 and standing(database, Station) == 0


async def test_bad_cells_stand_beside_their_rows_and_come_back_as_a_file(
    web: Web, boss: Chat, database: Database
) -> None:
    rows = [("甲站", "驿站", "天河区", "", "许多"), ("", "驿站", "天河区", "", ""), ("乙站", "驿站", "越秀区", "", "")]
    at = page_for(boss, "驿站等阵地")
    _status, words = await send(web, at, text([STATION_HEADS, *rows]))
    assert (figure(words, "新增"), figure(words, "不能收"), figure(words, "没有用上的格子")) == (1, 2, 1)
    assert "第 2 行（容量）" in words and "第 3 行（名称）" in words and "缺少名称" in words
    assert "第 4 行（区县）" in words and "不归导入的人负责" in words and "--by" not in words
    answer = await web.post(at, data={"do": "file"})
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(await answer.read())).get_sheet_by_index(0).to_python()
    assert (len(sheet), sheet[0][-1], sheet[3][0]) == (4, "问题", "乙站")
    await press(web, at, "take", database)
    assert standing(database, Station) == 1


@pytest.mark.parametrize("name", sorted(REFUSED)[::6])
async def test_a_file_that_is_none_is_refused_at_the_same_door(
    web: Web, boss: Chat, database: Database, name: str
) -> None:
    make, _why = REFUSED[name]
    at = page_for(boss, "团队")
    if name != "more bytes than we take":
        _status, words = await send(web, at, make(), "坏.xlsx")
        assert 'role="alert"' in words and "上传并检查" in words and "--part" not in words
    _status, words = await send(web, at, text([TEAM_HEADS, ("甲队", "天河区", "", "", "")]))
    assert figure(words, "新增") == 1


async def test_a_ledger_on_the_page_of_teams_is_told_which_columns_are_missing(web: Web, boss: Chat) -> None:
    _status, words = await send(web, page_for(boss, "团队"), text([("姓名", "残疾人证号"), ("某人", "1")]))
    assert "没有找到表头" in words and "地区" in words


async def test_doubtful_rows_are_taken_by_their_numbers(web: Web, boss: Chat, database: Database) -> None:
    with database.write() as session:
        team.create(session, MACHINE, "甲队", "440106")
    at = page_for(boss, "团队")
    _status, words = await send(web, at, text([TEAM_HEADS, ("甲 队", "天河区", "", "", "")]))
    assert figure(words, "存疑") == 1 and "几乎一样" in words
    assert (await press(web, at, "take", database, doubtful="3"))[0] == 409
    await press(web, at, "take", database, doubtful="2")
    assert standing(database, Team) == 2


async def test_specialists_are_granted_by_whoever_pressed_and_what_stays_is_named(
    web: Web, boss: Chat, database: Database
) -> None:
    with database.write() as session:
        numbers = [somebody(session, name).number for name in ("alin", "bo")]
    at = page_for(boss, "项目专员")
    await send(web, at, text([SPECIALIST_HEADS, *((one, "天河区", "", "", "") for one in numbers)]))
    await press(web, at, "take", database)
    with database.read() as session:
        held = session.exec(select(RoleGrant).where(RoleGrant.role == "specialist")).all()
        assert {one.granted_by for one in held} == {boss.person().id} and len(held) == 2
    with database.write() as session:
        session.get_one(RoleGrant, held[0].id).ended_at = held[0].granted_at
    _status, words = await press(web, at, "undo", database)
    assert "有 1 行之后又有变化" in words and standing(database, RoleGrant) == 1  # the organiser's own
    _status, words = await press(web, at, "names", database)
    assert "之后又改过" in words and any(number in words for number in numbers)


async def test_a_volunteer_hears_that_a_date_was_a_mistake(web: Web, boss: Chat, database: Database) -> None:
    with database.write() as session:
        number = somebody(session, "alin").number
    at = page_for(boss, "项目专员")
    await send(web, at, text([SPECIALIST_HEADS, (number, "天河区", "", "2026-03-01", "")]))
    await press(web, at, "take", database)
    assert [one for one in deliver(database) if one.kind == "notice.dates" and "登记了你的培训日期" in one.text]
    await press(web, at, "undo", database)
    assert [one for one in deliver(database) if one.kind == "notice.dates" and "写错了，已经撤回" in one.text]


async def test_only_whoever_may_see_an_import_can(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss, "团队")
    await send(web, at, text([TEAM_HEADS, ("甲队", "天河区", "", "", "")]))
    other = organiser(database, "440105", sender="other")
    other.say("最近的导入")
    assert "还没有导入过" in other.said.text
    with database.write() as session:
        batch = session.exec(select(LedgerBatch)).one()
        facts = {"import": {"region": "440105", "state": "done", "batch": batch.id, "sheet": "teams"}}
        token = issue_page(session, other.person().id, "data", facts)
    for what in ("take", "file", "names", "drop"):
        assert (await web.post(f"/p/{token}", data={"do": what})).status == 403
    end_role(database, boss)
    assert (await web.post(at, data={"do": "take"})).status == 403
    assert standing(database, Team) == 0


async def test_a_table_from_the_command_line_is_seen_by_whoever_brought_it(boss: Chat, database: Database) -> None:
    read = read_roster(GOOD, "", roster_batch.KINDS["stations"](), here=None)
    roster_batch.check(database, read, GOOD, region="", by=boss.person().id)
    boss.say("最近的导入")
    assert "各个地区" in boss.labels()[0]
    boss.press(boss.labels()[0])
    boss.press("收下")
    await asyncio.to_thread(finish_imports, database)
    assert standing(database, Station) == 1
