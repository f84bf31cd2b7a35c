"""Errors, and formulas without a value, of the older kinds of workbooks: they are no empty cells, and no zeros."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.ledger_sheet import read_sheet
from tests.old_workbooks import Calculated, Rows, Typed, xls, xlsb
from tests.sheets import CERTIFICATE, changed, ledger, reasons
from tests.test_ledger_sheet import ods

HEADS = ("姓名", "残疾人证号", "联系电话", "备注")
BAD: Rows = [HEADS, ("测试甲", CERTIFICATE, Typed(0x2A), Calculated(0x07)), ("测试乙", Typed(0x0F), "13800138000", "")]
SPACE = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'


def said(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def wrong(word: str, value: str = 'office:value-type="string" office:string-value=""') -> str:
    told = f'table:formula="of:=1/0" {value} calcext:value-type="error" {SPACE}'
    return f"<table:table-cell {told}><text:p>{word}</text:p></table:table-cell>"


def rows_of_ods(*rows: str) -> bytes:
    return ods("".join(f"<table:table-row>{row}</table:table-row>" for row in rows))


@pytest.mark.parametrize(
    "make", [xls, lambda rows: xls(rows, small=True), xlsb], ids=["xls", "xls of small streams", "xlsb"]
)
def test_an_error_of_an_older_workbook_is_told_beside_its_row(make: Callable[[Rows], bytes]) -> None:
    rows = list(ledger(make(BAD)).rows())
    assert reasons(rows[0]) == [("excel_error", False), ("excel_error", False)]
    assert [problem.params["text"] for problem in rows[0].problems] == ["#N/A", "#DIV/0!"]
    assert reasons(rows[1])[0] == ("excel_error", True) and rows[1].record is None


def test_an_error_of_an_ods_is_no_empty_cell_and_no_zero() -> None:
    heads = "".join(map(said, HEADS))
    zero = wrong("#DIV/0!", 'office:value-type="float" office:value="0"')
    repeated = '<table:table-cell table:number-columns-repeated="1"/>'
    data = rows_of_ods(heads, said("测试甲") + said(CERTIFICATE) + wrong("#N/A") + zero, repeated + wrong("#REF!"))
    cells = read_sheet(data, "").rows
    assert cells[1][2:] == ("#N/A", "#DIV/0!") and cells[2][1] == "#REF!"


def test_a_formula_of_an_ods_without_a_value_comes_as_its_text_and_one_with_its_value() -> None:
    heads = "".join(map(said, HEADS))
    never = '<table:table-cell table:formula="of:=[.A1]&amp;[.B1]"/>'
    empty = '<table:table-cell table:formula="of:=&quot;&quot;" office:value-type="string" office:string-value=""/>'
    value = 'office:value-type="float" office:value="2"'
    two = f'<table:table-cell table:formula="of:=1+1" {value}><text:p>2</text:p></table:table-cell>'
    cells = read_sheet(rows_of_ods(heads, said("甲") + never + two + empty), "").rows
    assert cells[1][1:3] == ("=[.A1]&[.B1]", 2.0) and cells[1][3:] in ((), (None,))


@pytest.mark.parametrize("make", [xls, xlsb], ids=["xls", "xlsb"])
def test_a_workbook_without_errors_is_as_it_was(make: Callable[[Rows], bytes]) -> None:
    good: Rows = [HEADS, ("测试甲", CERTIFICATE, "13800138000", "无")]
    assert read_sheet(make(good), "").rows == [tuple(row) for row in good]


def test_a_workbook_that_only_the_reader_understands_is_as_it_was_read() -> None:
    links = b'Target="worksheets/sheet1.bin"'
    data = changed(xlsb(BAD), "xl/_rels/workbook.bin.rels", links, links + b' Id2="x"')
    assert read_sheet(data, "").rows[1][:2] == ("测试甲", CERTIFICATE)
