"""One cell of a ledger → its value, or Bad with the reason; the words are in config/ledger_values.toml.

Numbers and names of persons are in models/ledger_person.py.
Nothing is repaired by guessing. What is missing from a cell (blank, “无”, “/”) is None.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from config import regions
from config.services import Kind, entries
from config.texts import simplified
from models.ledger_columns import Cell

LONGEST, LONGEST_NOTE = 200, 1000  # characters
EAST, NORTH = (73.0, 136.0), (3.0, 54.0)  # degrees; the box that China lies in

_ERRORS = re.compile(r"#(N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!|#+)", re.I)
_SIGNED_NUMBER = re.compile(r"\+[\d\s().\-]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SPLIT = re.compile(r"[、,，;；/／|\s]+")


_TIME = re.compile(r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})(?:[-/.月]([0-9]{1,2})?[日号]?)?")
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})?")
_YEAR = re.compile(r"([0-9]{4})年?")
_EXCEL_DAY_0 = date(1899, 12, 30)
_SERIALS = range(10_000, 100_000)  # Excel's numbers of the days from 1927

_GRADE_BEHIND = re.compile(r"[(（\[]?([一二三四1-4]|i{1,3}|iv)级[)）\]]?$")
_BRACKETS = re.compile(r"\([^()]*\)")


class Bad(Exception):
    """A cell that cannot be taken; the text is the reason, and nothing of the cell is in it but in `params`."""

    def __init__(self, reason: str, **params: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(files("config").joinpath("ledger_values.toml").read_text("utf-8"))


def footers() -> tuple[str, ...]:
    """What the rows below the last person begin with."""
    return tuple(_tables()["footers"])


def shown(cell: Cell) -> str:
    """A cell as text, numbers without an empty fraction, days as 2008-03-05; "" for an empty one."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15G}"
    if isinstance(cell, datetime):
        return cell.isoformat(" ") if cell.time() != time() else cell.date().isoformat()
    return str(cell)


def folded(words: str) -> str:
    """As words are compared: half width, simplified, no blanks, small letters."""
    return simplified("".join(unicodedata.normalize("NFKC", words).split())).casefold()


@cache
def _blanks() -> frozenset[str]:
    return frozenset(_tables()["blank"])


def says_nothing(words: str) -> bool:
    """Whether it is one of the words for “nothing”."""
    return unicodedata.normalize("NFKC", words).casefold() in _blanks()


@lru_cache(maxsize=4096)
def _key(table: str, words: str) -> str | None:
    """The key of a table that these words stand for."""
    return _keys(table).get(folded(words))


@cache
def _keys(table: str) -> dict[str, str]:
    rows: dict[str, list[str]] = _tables()[table]
    return {folded(word): key for key, words in rows.items() for word in words}


def plain(cell: Cell, limit: int = LONGEST) -> str | None:
    """The text of a cell in one line, as written; None when it says nothing. Raises Bad.

    "excel_error" (text), "garbled", "formula", "control", "too_long" (most, length).
    """
    line = shown(cell)
    if _INVISIBLE.search(line):
        line = _INVISIBLE.sub("", line)
    if _CONTROL.search(line):
        raise Bad("control")
    line = " ".join(line.split())
    if not line:
        return None
    first = line[0]
    if first in "#=+@＃＝＋＠":
        first = unicodedata.normalize("NFKC", first)
        if first == "#" and _ERRORS.fullmatch(line):
            raise Bad("excel_error", text=line[:20])
        if first in "=@" or (first == "+" and not _SIGNED_NUMBER.fullmatch(unicodedata.normalize("NFKC", line))):
            raise Bad("formula")
    if "\ufffd" in line:
        raise Bad("garbled")
    if len(line) > limit:
        raise Bad("too_long", most=str(limit), length=str(len(line)))
    return None if len(line) < 8 and says_nothing(line) else line


def choice(table: str, cell: Cell, reason: str) -> str | None:
    """The key that a word of one of the tables stands for. Raises Bad(reason) for a word that is none."""
    words = shown(cell)
    if len(words) <= 20:
        found = _key(table, words)  # before “无” counts as nothing: it may be a word of the table
        if found:
            return None if found == "any" else found
    line = plain(cell)
    if line is None:
        return None
    raise Bad(reason, text=line[:20])


# --- days ---


def day(cell: Cell) -> tuple[int, int | None, int | None] | None:
    """Year, month and day as far as they are told; only possible dates. Raises Bad("date")."""
    if isinstance(cell, datetime | date):
        return cell.year, cell.month, cell.day
    if isinstance(cell, bool | time):
        raise Bad("date", text=shown(cell))
    if isinstance(cell, float) and not cell.is_integer():
        if 1900 <= cell < 2100:
            return int(cell), None, None  # 2008.1 may have been January or October
        cell = float(int(cell)) if abs(cell) < 1e9 else 0.0
    line = plain(cell)
    if line is None:
        return None
    written = "".join(_TIME.sub("", unicodedata.normalize("NFKC", line)).split())
    if written.isdecimal() and len(written) == 5 and int(written) in _SERIALS:
        counted = _EXCEL_DAY_0 + timedelta(days=int(written))
        return counted.year, counted.month, counted.day
    parts = _DAY.fullmatch(written) or _DIGITS.fullmatch(written) or _YEAR.fullmatch(written)
    if parts is None:
        raise Bad("date", text=line[:20])
    year, month, of_month = [int(part) if part else None for part in (*parts.groups(), None, None)][:3]
    assert year is not None
    try:
        date(year, month or 1, of_month or 1)
    except ValueError:
        raise Bad("date", text=line[:20]) from None
    if month == 0 or of_month == 0:
        raise Bad("date", text=line[:20])
    return year, month, of_month


def past_day(cell: Cell, today: date) -> date | None:
    """A whole date that is not in the future. Raises Bad("date") or ("future")."""
    parts = day(cell)
    if parts is None:
        return None
    year, month, of_month = parts
    if not month or not of_month:
        raise Bad("date", text=shown(cell)[:20])
    if date(year, month, of_month) > today:
        raise Bad("future", text=shown(cell)[:20])
    return date(year, month, of_month)


# --- words of tables ---


def kind(cell: Cell) -> tuple[int, int | None] | None:
    """The kind of disability 1–7, and the grade if it stands there too (“肢体二级”). Raises Bad("kind")."""
    line = plain(cell)
    if line is None:
        return None
    found = _kind(line[:40])
    if found is None:
        raise Bad("kind", text=line[:20])
    return found


@lru_cache(maxsize=1024)
def _kind(line: str) -> tuple[int, int | None] | None:
    words = folded(line)
    behind = _GRADE_BEHIND.search(words)
    level = _key("grade", behind[1]) if behind else None
    if behind:
        words = words[: behind.start()]
    words = _BRACKETS.sub("", words)
    keys = [_one_kind(part) for part in re.split(r"[、,;/+和及]+", words) if part]
    if not keys or None in keys:
        return None
    one = int(keys[0] or 0) if len(set(keys)) == 1 else 7  # several kinds together are “multiple”
    return one, int(level) if level else None


def _one_kind(words: str) -> str | None:
    for suffix in ("", "残疾人", "残疾", "类", "残"):
        stem = words.removesuffix(suffix) if suffix else words
        found = stem if re.fullmatch("[1-7]", stem) else _key("kind", stem)
        if found:
            return found
    return None


def grade(cell: Cell) -> int | None:
    """The grade 1–4. Raises Bad("grade")."""
    line = plain(cell)
    if line is None:
        return None
    words = folded(line[:20])
    for suffix in ("残疾", "级", "等"):
        words = words.removesuffix(suffix)
    found = _key("grade", words)
    if found is None:
        raise Bad("grade", text=line[:20])
    return int(found)


def county(cell: Cell, here: str | None) -> str | None:
    """The six-digit code of a county by its name or code; `here` (a code of any level) decides between several.

    Raises Bad: "county", "county_several" (found), "county_wide" (only a city or province is named).
    """
    line = plain(cell)
    if line is None:
        return None
    long_code = line.isdecimal() and len(line) in (9, 12)  # with town and village behind
    return _county(line[:6] if long_code else line, here)


@lru_cache(maxsize=1024)
def _county(line: str, here: str | None) -> str:
    found = regions.search(line, limit=99)
    if not found:
        raise Bad("county", text=line[:20])
    nearer = [region for region in found if here and regions.within(region.code, here)]
    leaves = [region for region in nearer or found if regions.leaf(region.code)]
    if len(leaves) == 1:
        return leaves[0].code
    if len(leaves) > 1:
        raise Bad("county_several", found="、".join(region.full_name for region in leaves[:3]))
    if here and regions.leaf(here) and any(regions.within(here, region.code) for region in found):
        return here  # “广州市” on the ledger of one of its counties
    raise Bad("county_wide", text=line[:20])


def needs(cell: Cell) -> tuple[tuple[str, ...], str | None]:
    """The keys of what is asked for (services.toml), and what is not in the catalogue as it was written."""
    line = plain(cell, LONGEST)
    if line is None:
        return (), None
    keys: list[str] = []
    rest: list[str] = []
    for part in filter(None, SPLIT.split(line)):
        found = _need(part)
        if found:
            keys.append(found)
        elif not says_nothing(part):
            rest.append(part)
    words = (line if not keys else "、".join(rest)) if rest else None
    return tuple(dict.fromkeys(keys)), words


@lru_cache(maxsize=4096)
def _need(words: str) -> str | None:
    return _catalogue("service").get(folded(words)) or _key("needs", words)


def language(cell: Cell) -> str | None:
    """The key of a language (services.toml). Raises Bad("language")."""
    line = plain(cell)
    if line is None:
        return None
    found = _catalogue("language").get(folded(line))
    if found is None:
        raise Bad("language", text=line[:20])
    return found


@cache
def _catalogue(what: Kind) -> dict[str, str]:
    return {folded(word): key for key, entry in entries(what).items() for word in entry.spellings}


def degrees(cell: Cell, box: tuple[float, float]) -> float | None:
    """A longitude or latitude in decimal degrees within the box. Raises Bad("coordinates")."""
    line = plain(cell)
    if line is None:
        return None
    written = unicodedata.normalize("NFKC", line).rstrip("°度")
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,20})?", written) or not box[0] <= float(written) <= box[1]:
        raise Bad("coordinates")
    return float(written)
