"""What of a file is left out is told: rows without a name, columns nobody reads, and a file without a good row."""

from __future__ import annotations

import io
from typing import Any

import pytest
import xlsxwriter
from aiohttp.test_utils import TestClient

from models import roster_batch
from models.database import Database
from models.ledger_columns import find_columns, unused
from models.roster import read_roster
from tests.chatting import Chat
from tests.guarded import app as app
from tests.guarded import web as web
from tests.outgoing import deliver
from tests.sheets import text
from tests.test_roster_pages import page_for
from tests.test_roster_undo import STATION_HEADS
from tests.uploading import figure, organiser, press, send

Web = TestClient[Any, Any]
HEADS = (*STATION_HEADS, "站长生日")


@pytest.fixture
def boss(database: Database) -> Chat:
    return organiser(database)


def test_a_row_that_only_says_where_it_is_is_a_row(database: Database) -> None:
    rows = [("甲站", "驿站", "天河区", "", ""), ("", "", "天河区", "", ""), ("", "", "", "", "")]
    roster = read_roster(text([STATION_HEADS, *rows]), "a.csv", roster_batch.KINDS["stations"](), here="440106")
    assert [(line.number, line.entry is None) for line in roster.lines] == [(2, False), (3, True)]


def test_below_a_merged_cell_an_empty_row_is_none(database: Database) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for column, head in enumerate(STATION_HEADS):
            sheet.write(0, column, head)
        sheet.write_row(1, 0, ("甲站", "驿站"))
        sheet.merge_range(1, 2, 3, 2, "天河区")
        sheet.write_row(3, 0, ("", "驿站"))
    roster = read_roster(file.getvalue(), "a.xlsx", roster_batch.KINDS["stations"](), here="440106")
    assert [(line.number, line.entry is None) for line in roster.lines] == [(2, False), (4, True)]


def test_the_columns_nobody_reads_are_known_by_the_headings_alone() -> None:
    columns = find_columns([("姓名", "残疾人证号", "鞋码", "备注")])
    assert [columns.headings[at] for at in columns.unknown] == list(unused(columns.headings)) == ["鞋码"]


async def test_the_page_from_the_chat_names_the_columns_too(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss, "驿站等阵地")
    rows = [("甲站", "驿站", "天河区", "", "30", "5月"), ("", "", "天河区", "", "", "")]
    _status, words = await send(web, at, text([HEADS, *rows]))
    assert "没有用上的列：站长生日" in words
    assert (figure(words, "新增"), figure(words, "不能收")) == (1, 1) and "缺少名称" in words
    deliver(database, boss)
    boss.press("看结果")
    shown = await (await web.get(boss.said.links[0].url.removeprefix("https://nuanyang.example"))).text()
    assert "没有用上的列：站长生日" in shown


async def test_a_file_of_which_nothing_is_taken_offers_nothing(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss, "驿站等阵地")
    _status, words = await send(web, at, text([STATION_HEADS, ("", "驿站", "天河区", "", "")]))
    assert "没有一行能收下" in words and 'value="take"' not in words and 'value="drop"' in words
    [told] = [one for one in deliver(database, boss) if one.kind == "notice.import"]
    assert "没有一行能收下" in told.text
    assert boss.labels()[:2] == ["看结果", "放弃"]


async def test_it_is_said_which_import_is_taken_back(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss, "驿站等阵地")
    await send(web, at, text([STATION_HEADS, ("甲站", "驿站", "天河区", "", "30")]))
    await press(web, at, "take", database)
    deliver(database, boss)
    boss.say("最近的导入")
    boss.say("1")
    said = boss.press("撤回")
    assert "驿站等阵地" in said and "天河区" in said and "1 行" in said and "2026-11-22 " in said
