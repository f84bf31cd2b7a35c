"""Workbooks of the older kinds, made byte by byte: .xls [MS-XLS in MS-CFB] and .xlsb [MS-XLSB]. A cell is a text, a
Typed error or one that was Calculated."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sheets import archive

_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_SHEET = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"


@dataclass(frozen=True)
class Typed:
    """An error that stands there."""

    code: int


@dataclass(frozen=True)
class Calculated:
    """An error that a formula gave."""

    code: int


Cell = str | Typed | Calculated
Rows = Sequence[Sequence[Cell]]


def xls(rows: Rows, *, small: bool = False, name: str = "表") -> bytes:
    """An .xls with one worksheet; `small` = in the table of small streams."""
    sheet = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            at = struct.pack("<HHH", number, column, 0)
            if isinstance(cell, str):
                sheet += _record(0x204, at + struct.pack("<HB", len(cell), 1) + cell.encode("utf-16-le"))
            elif isinstance(cell, Typed):
                sheet += _record(0x205, at + bytes((cell.code, 1)))
            else:
                result = bytes((2, 0, cell.code, 0, 0, 0, 0xFF, 0xFF))
                sheet += _record(0x06, at + result + bytes(6) + b"\x02\x00\x1c\x07")
    sheet += _record(0x0A, b"")
    head = _record(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 0)) + _record(0x42, struct.pack("<H", 1200))
    told = struct.pack("<BB", len(name), 1) + name.encode("utf-16-le")
    begins = len(head) + 4 + 6 + len(told) + 4
    book = head + _record(0x85, struct.pack("<IBB", begins, 0, 0) + told) + _record(0x0A, b"") + sheet
    return _compound(book if small else book.ljust(4096, b"\0"))


def _record(kind: int, told: bytes) -> bytes:
    return struct.pack("<HH", kind, len(told)) + told


def _compound(stream: bytes) -> bytes:
    """Sectors of 512: the table, the directory, the table of small streams, then the stream (or all small ones)."""
    is_small = len(stream) < 4096
    length, stream = len(stream), stream.ljust(-(-len(stream) // 512) * 512, b"\0")
    count = len(stream) // 512
    chain = [*range(4, 3 + count), _END]
    table = [_TABLE, _END, _END, *chain]
    table += [_FREE] * (128 - len(table))
    used = -(-length // 64)
    minis = [*range(1, used), _END] if is_small else []
    root = _entry("Root Entry", 5, 1, 3 if is_small else _END, len(stream) if is_small else 0)
    entries = root + _entry("Workbook", 2, _FREE, 0 if is_small else 3, length) + bytes(256)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 2, 1, _END, 0) + struct.pack("<109I", 0, *[_FREE] * 108)
    small_table = struct.pack("<128I", *minis, *[_FREE] * (128 - len(minis)))
    return header + struct.pack("<128I", *table) + entries + small_table + stream


def _entry(name: str, kind: int, child: int, first: int, length: int) -> bytes:
    told = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<BBIII", kind, 1, _FREE, _FREE, child)
    return told.ljust(64, b"\0") + struct.pack("<H", len(told)) + links + bytes(36) + struct.pack("<IQ", first, length)


def xlsb(rows: Rows, *, name: str = "表") -> bytes:
    """An .xlsb with one worksheet."""
    sheet = (
        _binary(129) + _binary(148, struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)) + _binary(145)
    )
    for number, row in enumerate(rows):
        sheet += _binary(0, struct.pack("<I", number) + bytes(13))
        for column, cell in enumerate(row):
            at = struct.pack("<II", column, 0)
            if isinstance(cell, str):
                sheet += _binary(6, at + _wide(cell))
            elif isinstance(cell, Typed):
                sheet += _binary(3, at + bytes((cell.code,)))
            else:
                sheet += _binary(11, at + bytes((cell.code, 0, 0)) + struct.pack("<II", 0, 0))
    sheet += _binary(146) + _binary(130)
    book = _binary(131) + _binary(143) + _binary(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide(name))
    link = f'<Relationship Id="rId1" Type="{_SHEET}" Target="worksheets/sheet1.bin"/>'
    parts = {
        "[Content_Types].xml": b'<?xml version="1.0"?><Types/>',
        "xl/workbook.bin": book + _binary(144) + _binary(132),
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{_RELATIONS}">{link}</Relationships>'.encode(),
        "xl/worksheets/sheet1.bin": sheet,
    }
    return archive(**parts)


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _binary(kind: int, told: bytes = b"") -> bytes:
    size, left = b"", len(told)
    while True:
        size += bytes(((left & 0x7F) | (0x80 if left > 0x7F else 0),))
        left >>= 7
        if not left:
            break
    first = bytes((kind,)) if kind < 128 else bytes(((kind & 0x7F) | 0x80, kind >> 7))
    return first + size + told
