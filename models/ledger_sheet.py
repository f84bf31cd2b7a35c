"""One sheet of a file that was handed over, as rows of cells: Excel, OpenDocument, or text in any usual encoding.

What a file is, is decided by its bytes and never by its name.
"""

from __future__ import annotations

import contextlib
import csv
import io
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from charset_normalizer import from_bytes

from models import ledger_workbook
from models.ledger_columns import HEAD, Cell, Row, SheetError, find_columns, fit
from models.ledger_workbook import MOST_CELLS, MOST_COLUMNS, MOST_ROWS, Ranges

MOST_BYTES = 64 << 20
_PATIENCE = 60  # seconds that a workbook may take
_LINES = 8  # that one row of a faulty CSV may go over
_SHOWN = 200_000  # characters that encoding and delimiter are chosen by

_WORKBOOKS = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_OTHERS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"{\\rtf")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
_AS_TEXT = re.compile(r'="?([^"]*)"?')  # ="4401…" keeps Excel from making a number of it
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x19\x7f]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells; the row that Excel shows as number n is rows[n - 1], and a row may be shorter than others.

    `name` is the worksheet's (the file's for text), `encoding` what a text was written in (None for a workbook),
    `sheets` the names of all worksheets, hidden ones last. `filled` = the cells, by place in `rows` and column, that
    stand empty in the file and have the value of the merged cell above.
    """

    name: str
    encoding: str | None
    rows: list[Row]
    sheets: tuple[str, ...]
    filled: frozenset[tuple[int, int]] = frozenset()


def read_sheet(data: bytes, name: str, kind: str = "ledger") -> Sheet:
    """The sheet of a file that reads most like one of this kind (models/ledger_columns.py); `name` is only shown.
    Raises SheetError, nothing else.

    Up to 64 MiB, 200,000 rows, 200 columns and 6 million cells; a workbook unpacks to 512 MiB at most. Cells merged
    downwards are filled where that is meant (county, town, village) and the file says that they are merged; .xlsb and
    .ods do not say so. A formula has the value that was kept for it. One without a kept value comes as its own text
    (“=A1”; .xls and .xlsb always keep one) and an error as its word (“#N/A”).
    A character that cannot be read in the encoding of the rest comes as “\ufffd”.
    """
    if len(data) > MOST_BYTES:
        raise SheetError("too_large", most="bytes")
    if not data.strip():
        raise SheetError("empty")
    if data.startswith(_WORKBOOKS):
        return _from_workbook(data, kind)
    start = data[:2000].lstrip(b"\xef\xbb\xbf\r\n\t ").lower()
    if start.startswith((b"<?xml", b"<html", b"<!doctype", b"<table", b"<head", b"<meta", b"<style", b"<div")):
        raise SheetError("web_page")
    if data.startswith(_OTHERS):
        raise SheetError("not_a_table")
    return _from_text(data, name, kind)


# --- workbooks ---


def _from_workbook(data: bytes, kind: str) -> Sheet:
    command = [sys.executable, "-I", ledger_workbook.__file__]
    with subprocess.Popen(  # noqa: S603 our own file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        clock = threading.Timer(_PATIENCE, process.kill)
        clock.start()
        try:
            assert process.stdin and process.stdout
            return _talk(process.stdin, process.stdout, data, kind)
        except (EOFError, BrokenPipeError):
            # It was ended by a limit, or by the reader, which asked for more memory than there is.
            raise SheetError("too_large", most="memory") from None
        finally:
            clock.cancel()
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]  # a pipe was asked for


def _talk(to: IO[bytes], back: IO[bytes], data: bytes, kind: str) -> Sheet:
    _send(to, data)
    heads: list[tuple[str, list[Row], Ranges]] = _hear(back)
    if not any(any(cell != "" for row in head for cell in row) for _name, head, _merged in heads):
        raise SheetError("empty")
    fits = [fit(_filled(head, merged, HEAD), kind) for _name, head, merged in heads]
    chosen = max(range(len(heads)), key=lambda index: (fits[index], -index))
    if not fits[chosen]:
        # The words for the first one that is not empty are the ones to tell.
        chosen = next(index for index, (_n, head, _m) in enumerate(heads) if any(c != "" for r in head for c in r))
        _name, head, merged = heads[chosen]
        find_columns(_filled(head, merged, HEAD), kind)
    _send(to, chosen)
    rows: list[Row]
    rows, merged = _hear(back)
    told, filled = _with_merged(rows, merged, kind)
    return Sheet(heads[chosen][0], None, told, tuple(name for name, _head, _merged in heads), filled)


def _send(to: IO[bytes], what: Any) -> None:
    pickle.dump(what, to, protocol=5)
    to.flush()


def _hear(back: IO[bytes]) -> Any:
    try:
        answer = pickle.load(back)  # noqa: S301 from our own process
    except Exception:  # noqa: BLE001 half an answer can fail in any way
        raise EOFError from None
    if isinstance(answer, tuple) and isinstance(answer[0], str):
        raise SheetError(answer[0], **({"most": answer[1]} if answer[1] else {}))
    return answer


def _with_merged(rows: list[Row], merged: Ranges, kind: str) -> tuple[list[Row], frozenset[tuple[int, int]]]:
    """The rows with the headings' merged cells filled, and below them the merged cells of the columns that want it;
    and which of those below were filled."""
    head = _filled(rows[:HEAD], merged, HEAD)
    columns = find_columns(head, kind)
    wanted = columns.merged()
    below = [
        (max(top, columns.row), left, bottom, left)
        for top, left, bottom, right in merged
        if left == right and left in wanted and bottom >= columns.row and top >= columns.row
    ]
    filled = frozenset(
        (at, left) for top, left, bottom, _r in below for at in range(top + 1, min(bottom + 1, len(rows)))
    )
    return [*head[: columns.row], *_filled(rows, below, len(rows))[columns.row :]], filled


def _filled(rows: list[Row], merged: Ranges, limit: int) -> list[Row]:
    """The first `limit` rows with the value of each merged range in all of its cells."""
    filled = [list(row) for row in rows[:limit]]
    for top, left, bottom, right in merged:
        if top >= len(filled) or left >= len(filled[top]):
            continue
        value = filled[top][left]
        for row in filled[top : min(bottom + 1, limit)]:
            row[left : right + 1] = [value] * len(row[left : right + 1])
    return [tuple(row) for row in filled]


# --- text ---


def _from_text(data: bytes, name: str, kind: str) -> Sheet:
    if len(_CONTROL.findall(data[:4000])) > 20:
        raise SheetError("not_a_table")
    encoding, text = _decoded(data, kind)
    text = text.removeprefix("\ufeff").rstrip("\x1a\0")
    if "\0" in text:
        raise SheetError("not_a_table")
    if not text.strip():
        raise SheetError("empty")
    said = _SEPARATOR.match(text)
    if said:
        text = text[said.end() :]
    rows = list(_records(text, said[1] if said else _delimiter(text, kind)))
    find_columns(rows, kind)
    return Sheet(name, encoding, rows, (name,))


def _decoded(data: bytes, kind: str) -> tuple[str, str]:
    """The text and what it was written in. Raises SheetError("encoding") or ("not_a_table")."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data[:4000]:
        tries = [("utf-16-le", "strict"), ("utf-16-be", "strict")]
        return _fitting(data, tries, kind) or _refuse("not_a_table")
    with contextlib.suppress(UnicodeDecodeError):
        return "utf-8", data.decode("utf-8")
    # Text of one Chinese encoding often decodes as another, into nonsense: the headings tell which it is.
    names = ["gb18030", "big5hkscs"]
    found = _fitting(data, [(name, "strict") for name in names], kind)
    if found is None:
        best = from_bytes(data[:64_000]).best()
        guessed = [(best.encoding, "strict")] if best else []
        found = _fitting(data, [*guessed, *[(name, "replace") for name in ("utf-8", *names)]], kind)
    if found is None:
        with contextlib.suppress(UnicodeDecodeError):
            return "gb18030", data.decode("gb18030")
    return found or _refuse("encoding")


def _refuse(reason: str) -> tuple[str, str]:
    raise SheetError(reason)


def _fitting(data: bytes, tries: list[tuple[str, str]], kind: str) -> tuple[str, str] | None:
    """The first encoding in which there are headings, with the text."""
    for encoding, errors in tries:
        with contextlib.suppress(UnicodeError, LookupError):
            text = data.decode(encoding, errors)
            if max(_fits(text, kind).values()):
                return encoding, text
    return None


def _fits(text: str, kind: str) -> dict[str, int]:
    """How many headings are found with each delimiter."""
    fits: dict[str, int] = {}
    for delimiter in _DELIMITERS:
        reader = csv.reader(io.StringIO(text[:_SHOWN], newline=""), delimiter=delimiter)
        head: list[Row] = []
        with contextlib.suppress(csv.Error):
            head.extend(tuple(row) for row in islice(reader, HEAD))
        fits[delimiter] = fit(head, kind)
    return fits


def _delimiter(text: str, kind: str) -> str:
    fits = _fits(text, kind)
    return max(_DELIMITERS, key=lambda mark: (fits[mark], text[:_SHOWN].count(mark)))


def _records(text: str, delimiter: str) -> Iterator[Row]:
    """The rows of a CSV; a quotation mark that is never closed spoils its own line and not those behind it."""
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        records = list(_line_by_line(text, delimiter))
    if len(records) > MOST_ROWS:
        raise SheetError("too_large", most="rows")
    if sum(map(len, records)) > MOST_CELLS:
        raise SheetError("too_large", most="cells")
    for record in records:
        yield tuple([_cell(text) for text in (record if len(record) <= MOST_COLUMNS else _trimmed(record))])


def _line_by_line(text: str, delimiter: str) -> Iterator[list[str]]:
    """Each row as strictly as it can be read: with the lines that its quoted cells go over, else as one line."""
    lines = list(io.StringIO(text, newline=""))
    index = 0
    while index < len(lines) and index <= MOST_ROWS:
        for count in range(1, _LINES + 1):
            with contextlib.suppress(csv.Error):
                (record,) = csv.reader(lines[index : index + count], delimiter=delimiter, strict=True)
                break
        else:
            count = 1
            record = lines[index].rstrip("\r\n").replace('"', "").split(delimiter)
        yield record
        index += count


def _trimmed(record: list[str]) -> list[str]:
    """A row without the empty cells at its end."""
    while record and not record[-1]:
        record.pop()
    if len(record) > MOST_COLUMNS:
        raise SheetError("too_large", most="columns")
    return record


def _cell(text: str) -> Cell:
    if text.startswith("="):
        plain = _AS_TEXT.fullmatch(text)
        if plain and ('"' in text or text[1:].isdigit()):
            text = plain[1]
    return text or None
