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
import struct
import sys
import zipfile
from collections.abc import Iterator, Sequence
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

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}

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
        # What the reader understood and we do not is as it was read.
        with contextlib.suppress(zipfile.BadZipFile, LookupError, ValueError, ElementTree.ParseError, struct.error):
            _show_hidden(rows, data, name)
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


def _show_hidden(rows: Rows, data: bytes, name: str) -> None:
    """Put in what the reader gives as empty, or as a zero: the word of an error (#N/A), and of .xlsx and .ods a formula
    that has no value kept. In .xls and .xlsb there is always a value, if only a zero."""
    if not data.startswith(b"PK"):
        for row, column, code in _errors_of_xls(_stream(data), name):
            _put(rows, row, column, _ERRORS.get(code, "#N/A"))
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            _show_in_xlsx(rows, _markup(archive, name))
        elif "xl/workbook.bin" in names:
            for row, column, code in _errors_of_xlsb(archive.read(_part_of_xlsb(archive, name))):
                _put(rows, row, column, _ERRORS.get(code, "#N/A"))
        elif "content.xml" in names:
            _show_in_ods(rows, archive.read("content.xml"), name)


# --- .xlsx ---


def _markup(archive: zipfile.ZipFile, name: str) -> bytes:
    """The XML of one worksheet."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 limits of memory and time
    (wanted,) = {node.get(_RELATION) for node in book.iter() if node.get("name") == name and node.get(_RELATION)}
    return archive.read(_target(archive, "xl/_rels/workbook.xml.rels", str(wanted)))


def _target(archive: zipfile.ZipFile, links: str, wanted: str) -> str:
    """The part that a workbook calls by this id."""
    nodes = ElementTree.fromstring(archive.read(links))  # noqa: S314 limits of memory and time
    (target,) = {node.get("Target", "") for node in nodes if node.get("Id") == wanted}
    return target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl", target))


def _show_in_xlsx(rows: Rows, markup: bytes) -> None:
    """A formula that gave an empty text keeps its type (t="str") and stays empty."""
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


# --- .ods ---


def _show_in_ods(rows: Rows, markup: bytes, name: str) -> None:
    """An error has a value beside it (an empty text, or 0), which is none."""
    if b'"error"' not in markup and b":formula=" not in markup:
        return
    row, here = 0, False
    for event, node in ElementTree.iterparse(io.BytesIO(markup), ("start", "end")):  # noqa: S314 limits as above
        if node.tag == f"{_TABLE}table":
            here, row = event == "start" and node.get(f"{_TABLE}name") == name, 0
        if event == "end" and node.tag == f"{_TABLE}table-row":
            if here:
                count = int(node.get(f"{_TABLE}number-rows-repeated", "1"))
                for one in range(row, min(row + count, max(len(rows), row + 1))):
                    _show_in_row(rows, one, node)
                row += count
            node.clear()


def _show_in_row(rows: Rows, row: int, node: ElementTree.Element) -> None:
    column = 0
    for cell in node:
        formula, kind = cell.get(f"{_TABLE}formula"), cell.get(f"{_OFFICE}value-type")
        paragraphs = ["".join(part.itertext()) for part in cell if part.tag == f"{_TEXT}p"]
        count = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
        is_error = cell.get(f"{_CALC}value-type") == "error"
        text = "".join(paragraphs) or "#N/A" if is_error else ""
        if formula is not None and kind is None and not paragraphs:
            text = "=" + formula.partition(":=")[2]
        for one in range(column, min(column + count, MOST_COLUMNS + 1)) if text else ():
            _put(rows, row, one, text, instead=is_error)
        column += count


# --- .xlsb ---


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and contents; both lengths are written in bits of seven."""
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | data[at] << 7
            at += 1
        size = shift = 0
        while True:
            byte, at = data[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift == 28:
                break
        yield kind, data[at : at + size]
        at += size


def _part_of_xlsb(archive: zipfile.ZipFile, name: str) -> str:
    for kind, told in _records(archive.read("xl/workbook.bin")):
        if kind == 156:  # a worksheet: state, number, relation, name
            (length,) = struct.unpack_from("<I", told, 8)
            relation, rest = told[12 : 12 + 2 * length].decode("utf-16-le"), told[12 + 2 * length :]
            if rest[4:].decode("utf-16-le") == name:
                return _target(archive, "xl/_rels/workbook.bin.rels", relation)
    raise KeyError(name)


def _errors_of_xlsb(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Row, column and code of each error, typed or calculated."""
    row = 0
    for kind, told in _records(data):
        if kind == 0:
            (row,) = struct.unpack_from("<I", told)
        elif kind in (3, 11):
            yield row, struct.unpack_from("<I", told)[0], told[8]


# --- .xls ---


def _stream(data: bytes) -> bytes:
    """The stream of the workbook: sectors chained by a table, small streams by a table of their own [MS-CFB]."""
    size, small = 1 << struct.unpack_from("<H", data, 30)[0], 1 << struct.unpack_from("<H", data, 32)[0]
    tables, directory, cutoff, small_table = struct.unpack_from("<I I 4x I I", data, 44)
    whole = data[size:]

    def chained(source: bytes, table: Sequence[int], first: int, length: int) -> bytes:
        parts, seen = [], 0
        while first < len(table) and seen <= len(table):
            parts.append(source[first * length : (first + 1) * length])
            first, seen = table[first], seen + 1
        return b"".join(parts)

    def numbers(text: bytes) -> list[int]:
        return list(struct.unpack(f"<{len(text) // 4}I", text[: len(text) // 4 * 4]))

    listed = numbers(data[76:512])
    more, left = struct.unpack_from("<I I", data, 68)
    left = min(left, len(whole) // size)  # a file may say anything
    while more < len(whole) // size and left:
        part = numbers(whole[more * size : (more + 1) * size])
        listed, more, left = [*listed, *part[:-1]], part[-1], left - 1
    table = [n for at in listed[:tables] for n in numbers(whole[at * size : (at + 1) * size])]
    entries = chained(whole, table, directory, size)
    found = {}
    for at in range(0, len(entries), 128):
        (length,) = struct.unpack_from("<H", entries, at + 64)
        called = entries[at : at + max(length - 2, 0)].decode("utf-16-le", "replace")
        found[called] = struct.unpack_from("<I I", entries, at + 116)
    first, length = found["Workbook" if "Workbook" in found else "Book"]
    if length >= cutoff:
        return chained(whole, table, first, size)[:length]
    inner = chained(whole, table, found["Root Entry"][0], size)
    return chained(inner, numbers(chained(whole, table, small_table, size)), first, small)[:length]


def _errors_of_xls(data: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    """Row, column and code of each error, typed or calculated, in one worksheet."""
    begins = {}
    for kind, told in _parts(data, 0):
        if kind == 0x85:  # a worksheet: where it begins, state, kind, name
            wide = told[7] & 1
            begins[told[8:].decode("utf-16-le" if wide else "latin-1")] = struct.unpack_from("<I", told)[0]
    for kind, told in _parts(data, begins[name]):
        if kind == 0x205 and told[7]:
            yield (*struct.unpack_from("<H H", told), told[6])
        elif kind == 0x06 and told[12:14] == b"\xff\xff" and told[6] == 2:
            yield (*struct.unpack_from("<H H", told), told[8])


def _parts(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records from here to the end of what they belong to."""
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<H H", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == 0x0A:
            return


# --- all ---


def _put(rows: Rows, row: int, column: int, text: str, *, instead: bool = False) -> None:
    if row >= MOST_ROWS or column >= MOST_COLUMNS:
        raise _Refused("too_large", "rows" if row >= MOST_ROWS else "columns")
    while len(rows) <= row:
        rows.append(())
    cells = list(rows[row])
    cells += [None] * (column + 1 - len(cells))
    if cells[column] is None or instead:
        cells[column] = text
        rows[row] = tuple(cells)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


if __name__ == "__main__":
    main()
