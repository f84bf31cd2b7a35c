"""Opens one workbook (.xlsx, .xls, .xlsb, .ods) in a process of its own; models/ledger_sheet.py talks to it.

A file of five kilobytes with a cell in the last row and column makes the reader ask for 500 GB, and that ends its
process: so it is another process, with a limit of memory and time, and it imports nothing of the house.

It reads the file from standard input, answers with the beginning of each worksheet, is told which one is wanted, and
answers with its rows. Everything is pickled; both ends are ours.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import re
import sys
import zipfile
from datetime import timedelta
from html import unescape
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 200_000, 200, 6_000_000
MOST_UNPACKED = 512 << 20  # bytes
MOST_CHARACTERS = 100_000_000  # one text of the file may stand in a million cells
HEAD = 20  # rows shown of each worksheet
_MEMORY = 3 << 30  # bytes of address space
_SECONDS = 45  # of the processor; 100,000 rows take four, and a damaged .xls can take for ever

# A cell of .xlsx that is not empty: its attributes, what is in it.
_CELL = re.compile(rb"<(?:\w+:)?c\b([^<>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL)
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^<>]*?(?:/>|>([^<]*)</(?:\w+:)?f>)(.*)", re.DOTALL)
_NO_VALUE = re.compile(rb"\s*(?:<v\s*/>|<v>\s*</v>)?\s*")
_ERROR = re.compile(rb"<v>([^<]*)</v>")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Rows = list[tuple[Any, ...]]
Ranges = list[tuple[int, int, int, int]]


class _Refused(Exception):
    """The file cannot be taken; the first argument is the reason of a SheetError, the second what is too large."""


def main() -> None:
    """Answer one caller and end."""
    _limit()
    data: bytes = pickle.load(sys.stdin.buffer)  # noqa: S301 from our own process
    try:
        _check_archive(data)
        book, sheets = _open(data)
        _answer([(name, sheet.to_python(False, HEAD), _ranges(sheet)) for name, sheet in sheets])
        name, sheet = sheets[pickle.load(sys.stdin.buffer)]  # noqa: S301
        _check_size(sheet)
        rows = [tuple([_plain(cell) for cell in row]) for row in sheet.to_python(False)]
        if sum(len(cell) for row in rows for cell in row if isinstance(cell, str)) > MOST_CHARACTERS:
            raise _Refused("too_large", "memory")
        if data.startswith(b"PK"):
            with contextlib.suppress(zipfile.BadZipFile, KeyError, ElementTree.ParseError):
                _show_hidden(rows, _markup(data, name))
        book.close()
        _answer((rows, _ranges(sheet)))
    except _Refused as refused:
        _answer(refused.args)
    except MemoryError:
        _answer(("too_large", "memory"))
    except BaseException as error:  # noqa: BLE001 a panic of the reader is no Exception
        _answer(("encrypted" if type(error).__name__ == "PasswordError" else "broken", ""))


def _limit() -> None:
    import resource  # not on every system; there the caller's clock is all there is

    for what, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _answer(what: Any) -> None:
    pickle.dump(what, sys.stdout.buffer, protocol=5)
    sys.stdout.buffer.flush()


def _check_archive(data: bytes) -> None:
    """Refuse what says that it is encrypted, or that it unpacks to more than we want."""
    if not data.startswith(b"PK"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise _Refused("encrypted", "")
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise _Refused("encrypted", "")
    if sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise _Refused("too_large", "unpacked")
    names = {part.filename for part in parts}
    if not names & {"[Content_Types].xml", "content.xml"}:
        raise _Refused("not_a_table", "")


def _open(data: bytes) -> tuple[Any, list[tuple[str, Any]]]:
    """The workbook, and its worksheets that can be read, the visible ones before the hidden."""
    from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum, load_workbook

    try:
        book = load_workbook(io.BytesIO(data))
    except CalamineError as error:
        unknown = "Cannot detect file format" in str(error)
        if unknown and data.startswith(b"PK"):
            raise _Refused("broken", "") from None
        raise
    wanted = [meta for meta in book.sheets_metadata if meta.typ == SheetTypeEnum.WorkSheet]
    wanted.sort(key=lambda meta: meta.visible != SheetVisibleEnum.Visible)
    sheets: list[tuple[str, Any]] = []
    failed: Exception | None = None
    for meta in wanted:
        try:
            sheets.append((meta.name, book.get_sheet_by_name(meta.name)))
        except CalamineError as error:
            failed = error
    if failed is not None and not sheets:
        raise failed
    return book, sheets


def _check_size(sheet: Any) -> None:
    if sheet.total_height > MOST_ROWS:
        raise _Refused("too_large", "rows")
    if sheet.total_width > MOST_COLUMNS:
        raise _Refused("too_large", "columns")
    if sheet.total_height * sheet.total_width > MOST_CELLS:
        raise _Refused("too_large", "cells")


def _ranges(sheet: Any) -> Ranges:
    """Merged cells as first row, first column, last row, last column, all from 0."""
    return [(*first, *last) for first, last in sheet.merged_cell_ranges or ()]


def _plain(cell: Any) -> Any:
    if cell == "":
        return None
    return str(cell) if isinstance(cell, timedelta) else cell


def _markup(data: bytes, name: str) -> bytes:
    """The XML of one worksheet of an .xlsx; empty for other files."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            return b""
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 limits of memory and time
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
        (wanted,) = {node.get(_RELATION) for node in book.iter() if node.get("name") == name and node.get(_RELATION)}
        (target,) = {node.get("Target", "") for node in links if node.get("Id") == wanted}
        path = target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl", target))
        return archive.read(path)


def _show_hidden(rows: Rows, markup: bytes) -> None:
    """Put in what the reader gives as empty: the words of an error (#N/A), a formula that has no value kept.

    A formula that gave an empty text keeps its type (t="str") and stays empty.
    """
    if b"f>" not in markup and b't="e"' not in markup:
        return
    for cell in _CELL.finditer(markup):
        attributes, inside = cell.groups()
        text = ""
        formula = _FORMULA.search(inside)
        if b't="e"' in attributes:
            error = _ERROR.search(inside)
            text = error[1].decode() if error else "#N/A"
        elif formula and _NO_VALUE.fullmatch(formula[2]) and b't="str"' not in attributes:
            text = "=" + unescape((formula[1] or b"").decode())
        place = _PLACE.search(attributes) if text else None
        if place:
            _put(rows, int(place[2]) - 1, _column(place[1]), text)


def _put(rows: Rows, row: int, column: int, text: str) -> None:
    if row >= MOST_ROWS or column >= MOST_COLUMNS:
        raise _Refused("too_large", "rows" if row >= MOST_ROWS else "columns")
    while len(rows) <= row:
        rows.append(())
    cells = list(rows[row])
    cells += [None] * (column + 1 - len(cells))
    if cells[column] is None:
        cells[column] = text
        rows[row] = tuple(cells)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


if __name__ == "__main__":
    main()
