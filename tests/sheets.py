"""Ledgers as files, made here: invented people with numbers that pass the checks."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from stdnum.cn import ric
from xlsxwriter import Workbook

from models.ledger_cells import Ledger, LedgerRow, Record, read_ledger

TODAY = date(2026, 11, 22)
TIANHE = "440106"
HEADINGS = ("姓名", "残疾人证号", "性别", "出生日期", "残疾类别", "残疾等级", "联系电话", "备注")


def id_number(born: date = date(1990, 3, 7), order: str = "123", place: str = "440106") -> str:
    """An ID number with its right last sign; an odd order is a man's."""
    body = f"{place}{born:%Y%m%d}{order}"
    return body + str(ric.calc_check_digit(body + "0"))


ID = id_number()
CERTIFICATE = ID + "43"
GOOD = ("测试甲", CERTIFICATE, "男", "1990-03-07", "肢体", "三级", "13800138000", "无")
OTHER = ("测试乙", id_number(order="124") + "12", "女", "1990.3.7", "视力", "2", "020-87654321", "")


def workbook(*sheets: Iterable[Sequence[Any]], **named: Iterable[Sequence[Any]]) -> bytes:
    """An .xlsx of these worksheets; text stays text, None is left out."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with Workbook(file, options | {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in [*((f"表{n}", rows) for n, rows in enumerate(sheets, 1)), *named.items()]:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if cell is not None:
                        sheet.write(number, column, cell)
    return file.getvalue()


def text(rows: Iterable[Sequence[Any]], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    """The same as CSV."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue().encode(encoding)


def archive(**parts: bytes) -> bytes:
    """A zip archive of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return file.getvalue()


def changed(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """A workbook with other markup in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            if name == part:
                assert old in content
                content = content.replace(old, new)
            after.writestr(name, content)
    return file.getvalue()


def ledger(data: bytes, county: str | None = TIANHE) -> Ledger:
    return read_ledger(data, "台账", county=county, today=TODAY)


def rows_of(*rows: Sequence[Any], headings: Sequence[str] = HEADINGS, county: str | None = TIANHE) -> list[LedgerRow]:
    """These rows as a ledger by way of a CSV."""
    return list(ledger(text([headings, *rows]), county).rows())


def one(row: Sequence[Any], headings: Sequence[str] = HEADINGS, county: str | None = TIANHE) -> LedgerRow:
    (found,) = rows_of(row, headings=headings, county=county)
    return found


def record(row: LedgerRow) -> Record:
    assert row.record is not None, row.problems
    return row.record


def reasons(row: LedgerRow) -> list[tuple[str, bool]]:
    return [(problem.reason, problem.stops) for problem in row.problems]
