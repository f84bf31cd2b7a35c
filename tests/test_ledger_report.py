"""The file that comes back to be mended: the same columns, what is wrong beside each row, and nothing that runs."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from handlers.ledger_words import problem_words, sheet_words
from models.ledger_cells import Ledger, LedgerRow, Problem
from models.ledger_columns import SheetError
from models.ledger_report import corrected
from models.ledger_sheet import read_sheet
from tests.sheets import CERTIFICATE, GOOD, HEADINGS, ID, OTHER, ledger, reasons, record, text, workbook

BAD = ("测试1", CERTIFICATE, "男", "1990-03-07", "肢体", "三级", "12345", "@SUM(1)")
RUNNING = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "{=1}", "http://example.org", "\t=1", '"=1', "=HYPERLINK()")


def mended(read: Ledger, rows: list[LedgerRow] | None = None) -> bytes:
    return corrected(read.rows() if rows is None else rows, read.columns.headings, problem_words)


def markup(data: bytes, part: str = "xl/worksheets/sheet1.xml") -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(part).decode()


def test_the_columns_are_those_of_the_sheet_with_row_and_problem_behind() -> None:
    read = ledger(text([("台账",), HEADINGS, OTHER, BAD]))
    (row,) = [row for row in read.rows() if row.problems]
    head, line = read_sheet(mended(read, [row]), "").rows
    assert head == (*HEADINGS, "原行号", "问题")
    assert line[:-1] == (*BAD, "4")
    assert str(line[-1]).split("\n") == [problem_words(problem) for problem in row.problems]
    assert len(row.problems) == 3


def test_it_can_be_handed_in_again_as_it_is_and_when_it_is_mended() -> None:
    read = ledger(text([HEADINGS, BAD, GOOD[:-1]]))
    again = ledger(mended(read))
    assert (again.columns.fields, again.columns.unknown) == (read.columns.fields, ())
    assert [reasons(row) for row in again.rows()] == [reasons(row) for row in read.rows()]
    rows = [list(row) for row in read_sheet(mended(read), "").rows]
    rows[1][0], rows[1][6], rows[1][7] = "测试丙", "13800138000", "好"
    first = next(ledger(workbook(rows)).rows())
    assert (record(first).name, first.problems) == ("测试丙", ())


def test_headings_in_two_rows_come_back_in_one() -> None:
    head = [("姓名", "残疾证号", "监护人", ""), ("", "", "姓名", "电话")]
    read = ledger(text([*head, ("测试甲", CERTIFICATE, "测试2", "12345")]))
    again = ledger(mended(read))
    assert again.columns.fields == read.columns.fields
    assert [reasons(row) for row in again.rows()] == [[("name", False), ("phone", False)]]


@pytest.mark.parametrize("cell", RUNNING)
def test_nothing_in_it_is_a_formula_a_link_or_a_number(cell: str) -> None:
    read = ledger(text([(*HEADINGS, cell), (*GOOD[:-1], cell, cell)]))
    data = mended(read)
    cells = markup(data).split("<sheetData>")[1].split("</sheetData>")[0]
    assert "<f" not in cells and "hyperlink" not in markup(data)
    assert cells.count("<v>") == cells.count('t="s"')
    assert read_sheet(data, "").rows[1][7:9] == (cell, cell)


def test_numbers_stay_as_they_are_shown_and_every_cell_is_text() -> None:
    row: tuple[Any, ...] = ("测试甲", 4.40106199003071e17, 13800138000.0)
    read = ledger(workbook([("姓名", "身份证号", "电话"), row]))
    data = mended(read)
    assert read_sheet(data, "").rows[1][:3] == ("测试甲", "4.40106199003071E+17", "13800138000")
    assert [reasons(row) for row in ledger(data).rows()] == [[("destroyed", True)]]
    assert 'numFmtId="49"' in markup(data, "xl/styles.xml")
    assert "pane" in markup(data) and 'topLeftCell="A2"' in markup(data)


def test_bad_cells_have_their_colour_and_empty_ones_too() -> None:
    problems = (Problem(0, "missing", {"field": "name"}, True), Problem(7, "formula", {}, False))
    data = corrected([LedgerRow(2, None, problems, ("", *GOOD[1:-1], "=1"))], HEADINGS, problem_words)
    styles = markup(data, "xl/styles.xml")
    assert "FFFFC7CE" in styles and "FFFFEB9C" in styles
    shapes = {cell.split('"')[0]: cell.split('s="')[1].split('"')[0] for cell in markup(data).split('<c r="')[1:]}
    assert len({shapes["A2"], shapes["B2"], shapes["H2"]}) == 3


def test_cells_beyond_the_headings_and_very_long_ones_are_kept() -> None:
    read = ledger(text([HEADINGS, (*GOOD[:-1], "甲" * 40_000, "多", "出")]))
    line = read_sheet(mended(read), "").rows[1]
    assert (len(str(line[7])), line[8:10], line[10]) == (32_767, ("多", "出"), "2")


def test_without_problems_there_are_only_headings() -> None:
    read = ledger(text([HEADINGS, GOOD]))
    assert len(read_sheet(mended(read, []), "").rows) == 1


@pytest.mark.parametrize(
    "error",
    [
        *(SheetError(reason) for reason in ("empty", "not_a_table", "web_page", "encrypted", "broken", "encoding")),
        *(SheetError("too_large", most=most) for most in ("bytes", "unpacked", "memory", "rows", "columns", "cells")),
        SheetError("no_heading", missing="name certificate"),
        SheetError("doubtful_heading", headings="手机、电话"),
    ],
    ids=lambda error: error.reason,
)
def test_whoever_handed_in_the_file_is_told_what_to_do_next(error: SheetError) -> None:
    words = sheet_words(error)
    assert words.endswith("。") and "{" not in words
    assert any(verb in words for verb in ("请", "再上传"))


def test_the_words_of_a_cell_say_whether_the_row_was_taken() -> None:
    assert "可以收下" in problem_words(Problem(6, "phone", {}, False))
    assert "可以收下" not in problem_words(Problem(0, "name", {}, True))
    assert ID not in problem_words(Problem(0, "repeated", {"row": "2"}, True))
