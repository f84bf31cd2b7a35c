"""The rows of a ledger that have problems, as a workbook to be mended and handed in again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from models.ledger_cells import LedgerRow, Problem
from models.ledger_columns import ORIGINAL_ROW, PROBLEM

_TEXT = 49  # Excel's own number for the format of text
_LONGEST = 32_767  # characters of a cell
_OPTIONS = {
    "in_memory": True,  # no personal data in temporary files
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def corrected(rows: Iterable[LedgerRow], headings: Sequence[str], words: Callable[[Problem], str]) -> bytes:
    """An .xlsx of these rows under the headings of the sheet, then the number of the row there and what is wrong.

    `headings` are those of Columns. Every cell is text, so that no number is rounded and nothing is a formula. Red:
    the row could not be taken because of this cell; yellow: the cell was left out. The last two columns are ignored
    when the file comes back.
    """
    file = io.BytesIO()
    with Workbook(file, _OPTIONS) as book:
        text = book.add_format({"num_format": _TEXT})
        heading = book.add_format({"num_format": _TEXT, "bold": True, "bottom": 1, "text_wrap": True})
        left_out = book.add_format({"num_format": _TEXT, "bg_color": "#FFEB9C"})
        stopping = book.add_format({"num_format": _TEXT, "bg_color": "#FFC7CE"})
        wrapped = book.add_format({"num_format": _TEXT, "text_wrap": True})
        sheet = book.add_worksheet(PROBLEM)
        kept = list(rows)
        width = max([len(headings), *(len(row.cells) for row in kept)])
        titles = [*headings, *[""] * (width - len(headings)), ORIGINAL_ROW, PROBLEM]
        for number, row in enumerate(kept, start=1):
            colours = _colours(row, left_out, stopping)
            for column in range(width):
                cell = row.cells[column] if column < len(row.cells) else ""
                if cell or column in colours:  # an empty one has the shape of its column
                    _write(sheet, number, column, cell, colours.get(column, text))
            _write(sheet, number, width, str(row.number), text)
            _write(sheet, number, width + 1, "\n".join(map(words, row.problems)), wrapped)
        for column, title in enumerate(titles):
            _write(sheet, 0, column, title, heading)
        sheet.freeze_panes(1, 0)
        # Cells below are text too: what is typed there must not become a number.
        sheet.set_column(0, width, 16, text)
        sheet.set_column(width + 1, width + 1, 60, wrapped)
    return file.getvalue()


def workbook(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """An .xlsx of these rows; every cell is text, so that nothing is a formula."""
    file = io.BytesIO()
    with Workbook(file, _OPTIONS) as book:
        text = book.add_format({"num_format": _TEXT})
        heading = book.add_format({"num_format": _TEXT, "bold": True, "bottom": 1})
        sheet = book.add_worksheet(title)
        for number, row in enumerate((headings, *rows)):
            for column, cell in enumerate(row):
                _write(sheet, number, column, cell, text if number else heading)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(headings) - 1, 18, text)
    return file.getvalue()


def _write(sheet: Worksheet, row: int, column: int, text: str, shape: Format) -> None:
    if text:
        sheet.write_string(row, column, text[:_LONGEST], shape)
    else:
        sheet.write_blank(row, column, None, shape)


def _colours(row: LedgerRow, left_out: Format, stopping: Format) -> dict[int, Format]:
    """The shape of each bad cell; what stops the row shows above what is only left out."""
    colours: dict[int, Format] = {}
    for problem in sorted(row.problems, key=lambda problem: problem.stops):
        if problem.column is not None:
            colours[problem.column] = stopping if problem.stops else left_out
    return colours
