"""Which column of a sheet holds what: the heading row is found by its words (config/ledger_columns.toml,
config/sheet_columns.toml).

Words are compared exactly after folding. A heading that could be two things is told to a person, never guessed.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from config.texts import simplified

Cell = str | int | float | bool | date | datetime | time | None
Row = tuple[Cell, ...]

HEAD = 20  # rows that are searched for the headings
PROBLEM, ORIGINAL_ROW = "问题", "原行号"  # what a corrected file adds; ignored when it comes back
_LONGEST = 60  # characters of a heading; a longer cell is a note

_HINT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕|\{[^{}]*\}|<[^<>]*>")


class SheetError(Exception):
    """A file that cannot be taken as a whole; `reason` and `params` are what the words are chosen by.

    "empty", "not_a_table", "web_page" (HTML or XML under a name of Excel's), "encrypted", "broken", "too_large"
    (most: "bytes", "unpacked", "memory", "rows", "columns", "cells"), "encoding", "no_heading" (missing: fields),
    "doubtful_heading" (headings). Nothing of what stands in the rows is in them.
    """

    def __init__(self, reason: str, **params: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


class Field(BaseModel):
    """How the column of one field is headed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: tuple[str, ...]
    weak: tuple[str, ...] = ()
    merged: bool = False


class Kind(BaseModel):
    """One kind of sheet: its fields in the order of the file, and which of them it cannot be without."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prefixes: tuple[str, ...] = ()
    required: tuple[str, ...]
    required_one_of: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    fields: dict[str, Field]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what stands. `row` is the number of the heading row as Excel shows it; columns count from 0.

    `headings` are the texts of all columns, of two heading rows together where that decided; `unknown` the columns
    with a heading that says nothing to us.
    """

    kind: str
    row: int
    headings: tuple[str, ...]
    fields: dict[str, int]
    unknown: tuple[int, ...]

    def merged(self) -> tuple[int, ...]:
        """The columns whose cells, when merged downwards, hold for each row."""
        known = kinds()[self.kind].fields
        return tuple(index for field, index in self.fields.items() if known[field].merged)


@dataclass(frozen=True, slots=True)
class _Match:
    row: int
    headings: tuple[str, ...]
    fields: dict[str, int]
    doubtful: tuple[str, ...]


@cache
def kinds() -> dict[str, Kind]:
    """The kinds of sheets that can be read, by key."""
    read = [files("config").joinpath(f"{name}_columns.toml").read_text("utf-8") for name in ("ledger", "sheet")]
    tables = [table for text in read for table in tomllib.loads(text).items()]
    return {key: Kind.model_validate(value) for key, value in tables}


def find_columns(rows: Sequence[Row], kind: str = "ledger") -> Columns:
    """The columns by the best heading row among the first 20, or by two rows together where headings are merged.

    Raises SheetError: "no_heading" (missing: names of the fields nothing is headed with), "doubtful_heading"
    (headings: the texts that mean the same field).
    """
    best = _best(rows, kind)
    wanted = kinds()[kind]
    missing = [field for field in wanted.required if field not in best.fields]
    if wanted.required_one_of and not any(field in best.fields for field in wanted.required_one_of):
        missing.append(wanted.required_one_of[0])
    if missing:
        raise SheetError("no_heading", missing=" ".join(missing))
    if best.doubtful:
        raise SheetError("doubtful_heading", headings="、".join(best.doubtful))
    return Columns(kind, best.row, best.headings, best.fields, _unknown(best, kind))


def unused(headings: Sequence[str], kind: str = "ledger") -> tuple[str, ...]:
    """The texts of the columns that are not used, of the headings as `Columns` has them."""
    texts = tuple(headings)
    return tuple(texts[index] for index in _unknown(_assign(1, texts, kind), kind))


def _unknown(best: _Match, kind: str) -> tuple[int, ...]:
    known, ignored = set(best.fields.values()), set(map(fold, kinds()[kind].ignored))
    return tuple(
        index
        for index, text in enumerate(best.headings)
        if text and index not in known and fold(without_hint(text)) not in ignored
    )


def fit(rows: Sequence[Row], kind: str = "ledger") -> int:
    """How many fields the best heading row names; 0 without one that is enough. Chooses sheet, encoding, delimiter."""
    best = _best(rows, kind)
    wanted = kinds()[kind]
    enough = all(field in best.fields for field in wanted.required) and (
        not wanted.required_one_of or any(field in best.fields for field in wanted.required_one_of)
    )
    return len(best.fields) if enough else 0


def heading_text(cell: Cell) -> str:
    """A heading as it is shown, in one line."""
    return " ".join(unicodedata.normalize("NFKC", cell).split()) if isinstance(cell, str) else ""


def without_hint(text: str) -> str:
    """A heading without what stands in brackets: 姓名（必填） is 姓名."""
    return _HINT.sub("", unicodedata.normalize("NFKC", text))


@lru_cache(maxsize=1024)  # the headings, for every row of a sheet
def fold(text: str) -> str:
    """A heading as it is compared: letters and digits only, simplified, in small letters."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST])
    return simplified("".join(filter(str.isalnum, folded))).casefold()


@cache
def _words(kind: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Folded heading → field, for the words that decide; and → fields, for those that decide only where it is open."""
    strong: dict[str, str] = {}
    weak: dict[str, tuple[str, ...]] = {}
    for name, field in kinds()[kind].fields.items():
        for word in map(fold, field.words):
            strong[word] = name
        for word in map(fold, field.weak):
            weak[word] = (*weak.get(word, ()), name)
    return strong, weak


def _forms(text: str, kind: str) -> list[str]:
    """What a heading may be compared as, the form nearest to what is written first."""
    forms = [fold(text), fold(without_hint(text))]
    prefixes = kinds()[kind].prefixes
    forms += [form.removeprefix(start) for form in forms for start in prefixes if form.startswith(start)]
    return [form for form in dict.fromkeys(forms) if form]


def _best(rows: Sequence[Row], kind: str) -> _Match:
    best = _Match(0, (), {}, ())
    head = [tuple(map(heading_text, row)) for row in rows[:HEAD]]
    for index, row in enumerate(head):
        tries = [row]
        if index:
            tries.append(_together(head[index - 1], row, kind))
        for texts in tries:
            match = _assign(index + 1, texts, kind)
            # Two rows together must know more, or a blank row below the headings would do as well as they do.
            if (len(match.fields), -len(match.doubtful)) > (len(best.fields), -len(best.doubtful)):
                best = match
    return best


def _together(above: Sequence[str], row: Sequence[str], kind: str) -> tuple[str, ...]:
    """Two heading rows in one: what stands above a group (监护人) goes before each of its parts (姓名, 电话)."""
    strong = _words(kind)[0]
    texts: list[str] = []
    group = ""
    for index in range(max(len(above), len(row))):
        own = row[index] if index < len(row) else ""
        over = above[index] if index < len(above) else ""
        group = over or (group if own else "")
        both = group + own
        if own and own != group and any(form in strong for form in _forms(both, kind)):
            texts.append(both)
        else:
            texts.append(own or over)
    return tuple(texts)


def _assign(number: int, texts: tuple[str, ...], kind: str) -> _Match:
    strong, weak = _words(kind)
    forms = [_forms(text, kind) if len(text) <= _LONGEST else [] for text in texts]
    fields: dict[str, int] = {}
    doubtful: list[str] = []
    undecided: list[int] = []
    for index, tried in enumerate(forms):
        field = next((strong[form] for form in tried if form in strong), None)
        if field is None:
            undecided.append(index)
        elif field in fields:
            doubtful += [texts[fields[field]], texts[index]]
        else:
            fields[field] = index
    for index in undecided:
        for field in next((weak[form] for form in forms[index] if form in weak), ()):
            if field not in fields:
                fields[field] = index
                break
    return _Match(number, texts, fields, tuple(dict.fromkeys(doubtful)))
