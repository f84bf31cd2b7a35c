"""The smaller tables that are handed in: teams, specialists, institutions, stations. Each row is done by the same rules
as everywhere else, and a row that stands already changes nothing.

How a table is checked, taken and taken back is in models/roster_batch.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, NoReturn, Protocol, TypeVar

from sqlalchemy import and_, select
from sqlmodel import Session, SQLModel

from config import regions
from models import ledger_values, role
from models.ledger_batch import NEW
from models.ledger_cells import Problem, RowCells
from models.ledger_columns import Cell, Columns, Row, SheetError, find_columns, fold, kinds
from models.ledger_sheet import read_sheet
from models.ledger_values import Bad, footers, plain, says_nothing, shown

MOST_LINES = 20_000

_R: Any = SQLModel.metadata.tables["ledger_batch_row"]

_WITH_FRACTION = re.compile(r"([0-9]+)\.0+")
_NUMBER = re.compile(r"[0-9]{6,12}")

E = TypeVar("E")


class Refused(Exception):
    """A row cannot be taken: the field whose cell is to blame and the reason. `doubtful`: unless somebody looks at it
    and says so."""

    def __init__(self, field: str, reason: str, *, doubtful: bool = False, **params: str) -> None:
        super().__init__(reason)
        self.field, self.reason, self.doubtful, self.params = field, reason, doubtful, params


class Later(Exception):
    """A row cannot be taken back; `reason` is one of WHY_LATER."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# What keeps a row: it says something else by now; it is paired, or was; it has been offered; a specialist has acted;
# it has specialists of its own; a newer table names it, too; it is for others to say.
WHY_LATER = (CHANGED_SINCE, PAIRED, OFFERED, USED, STAFFED, NAMED_AGAIN, NOT_YOURS) = (
    "later_changed",
    "later_paired",
    "later_offered",
    "later_used",
    "later_staffed",
    "later_named",
    "later_not_yours",
)

State = dict[str, Any]  # how something stands, as JSON; "id" is None where it does not


@dataclass(frozen=True, slots=True)
class Doing:
    """One row that is being done: who does it, its cells (which take further problems), and whether somebody looked at
    it and is `sure`."""

    session: Session
    by: str
    row: RowCells
    sure: bool

    def doubt(self, field: str, reason: str) -> None:
        """Somebody has to look at this row first. Raises Refused unless that was done."""
        if not self.sure:
            raise Refused(field, reason, doubtful=True)


class Kind(Protocol[E]):
    """One kind of table."""

    name: str
    entry: type[E]

    def prepare(self, session: Session, batch: str = "") -> None:
        """Look once at what stands already, but for what this batch itself has brought."""

    def read(self, row: RowCells, here: str | None) -> E | None:
        """The row as it is meant; None with a problem that stops it. `here` decides between regions of one name."""

    def key(self, entry: E) -> tuple[str, ...]:
        """What a second row would be the same by."""

    def place(self, session: Session, entry: E) -> tuple[str, str | None]:
        """The field that says where it is, and the region's code; None = the rules will say that there is none."""

    def called(self, session: Session, entry: E) -> str:
        """What people call it."""

    def do(self, doing: Doing, entry: E) -> str:
        """Do it: NEW, CHANGED or SAME. Raises Refused."""

    def state(self, session: Session, entry: E) -> State:
        """How that which the row is about stands now."""

    def put_back(self, session: Session, by: str, entry: E, before: State, after: State) -> None:
        """Undo what changed from `before` to `after`, which still stands. Raises Later."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row as read; `entry` None when a problem stops it, `number` as Excel shows it."""

    number: int
    cells: Row
    entry: Any
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """A table that can be read; `name` is the worksheet's, `sheets` are all of them."""

    kind: Kind[Any]
    name: str
    sheets: tuple[str, ...]
    columns: Columns
    lines: tuple[Line, ...]


def read_roster(data: bytes, name: str, kind: Kind[Any], *, here: str | None) -> Roster:
    """A file as a table of this kind. Raises SheetError, "too_large" (most: "lines") above MOST_LINES rows."""
    sheet = read_sheet(data, name, kind.name)
    columns = find_columns(sheet.rows, kind.name)
    filled: dict[int, set[int]] = {}
    for at, column in sheet.filled:
        filled.setdefault(at + 1, set()).add(column)
    told = [
        (number, cells)
        for number, cells in enumerate(sheet.rows[columns.row :], start=columns.row + 1)
        if _is_told(cells, columns, filled.get(number, ()))
    ]
    if len(told) > MOST_LINES:
        raise SheetError("too_large", most="lines")
    seen: dict[tuple[str, ...], int] = {}
    lines = tuple(_line(number, cells, columns, kind, here, seen) for number, cells in told)
    return Roster(kind, sheet.name, sheet.sheets, columns, lines)


def home_of(session: Session, person_id: str) -> str | None:
    """The one region that somebody's roles are for; it decides between counties of one name."""
    found = {held.scope for held in role.grants(session, person_id) if held.scope_kind == "region"}
    return found.pop() if len(found) == 1 else None


def _line(
    number: int,
    cells: Row,
    columns: Columns,
    kind: Kind[Any],
    here: str | None,
    seen: dict[tuple[str, ...], int],
) -> Line:
    row = RowCells(cells, columns)
    entry = kind.read(row, here)
    if entry is None or any(problem.stops for problem in row.problems):
        return Line(number, cells, None, tuple(row.problems))
    first = seen.setdefault(kind.key(entry), number)
    line = Line(number, cells, entry, tuple(row.problems))
    if first == number:
        return line
    return replace(line, entry=None, problems=(*row.problems, Problem(None, "row_again", {"row": str(first)}, True)))


def _is_told(cells: Row, columns: Columns, filled: Collection[int]) -> bool:
    """False for a blank row, for sums and notes at the end, and for headings again. What only a merged cell above says
    (`filled` columns) is nothing of the row's own."""
    texts = {field: shown(cells[index]).strip() for field, index in columns.fields.items() if index < len(cells)}
    said = {field: text for field, text in texts.items() if text}
    if not any(columns.fields[field] not in filled for field in said):
        return False
    headings = {fold(columns.headings[columns.fields[field]]) for field in said}
    if all(fold(text) in headings for text in said.values()):
        return False
    first = next((text for cell in cells if (text := shown(cell).strip()) and not text.isdecimal()), "")
    ends = "".join(first.split()).replace("：", ":").startswith(footers())
    return not ends or all(field in said for field in kinds()[columns.kind].required)


def brought_by(batch: str) -> Any:
    """What this batch itself has brought so far, by id, as a statement."""
    mine = and_(_R.c.batch_id == batch, _R.c.target_id.is_not(None), _R.c.done)
    return select(_R.c.target_id).where(mine, _R.c.kind == NEW)


def hanging(session: Session, table: str, key: str, but: Collection[str] = ()) -> str:
    """The name of a table with a row that refers to this one, ended or not; empty where none does."""
    target = SQLModel.metadata.tables[table].c.id
    for other in SQLModel.metadata.sorted_tables:
        for link in other.foreign_keys:
            found = select(link.parent).where(link.parent == key).limit(1)
            if link.column is target and other.name not in but and session.execute(found).first() is not None:
                return str(other.name)
    return ""


# --- cells ---


def need(row: RowCells, field: str, read: Callable[[Cell], E | None]) -> E | None:
    """The value of a cell without which the row cannot be taken."""
    value = row.take(field, read, stops=True)
    if value is None and not row.is_bad(field):
        row.problem(field, "missing", stops=True, field=field)
    return value


def named(most: int, least: int = 1) -> Callable[[Cell], str | None]:
    """Reads a name of so many characters."""

    def read(cell: Cell) -> str | None:
        line = plain(cell, most)
        if line is not None and len(line) < least:
            raise Bad("name_short", least=str(least))
        return line

    return read


def whole(line: str) -> str:
    """Digits as they were meant: spreadsheets write 440106.0."""
    written = "".join(unicodedata.normalize("NFKC", line).split())
    found = _WITH_FRACTION.fullmatch(written)
    return found[1] if found else written


def number(cell: Cell) -> str | None:
    """The public number of a volunteer or team. Raises Bad("no_number")."""
    line = plain(cell)
    if line is None:
        return None
    written = whole(line).replace("-", "")
    if not _NUMBER.fullmatch(written):
        raise Bad("no_number")
    return written


def numbers(cell: Cell) -> tuple[str, ...] | None:
    """Several of them in one cell; each is looked up by itself."""
    line = plain(cell, 4000)
    if line is None:
        return None
    parts = [whole(part) for part in ledger_values.SPLIT.split(line) if part and not says_nothing(part)]
    return tuple(dict.fromkeys(parts))


def count(most: int) -> Callable[[Cell], int | None]:
    """Reads a count from 1 to `most`; raises Bad("count")."""

    def read(cell: Cell) -> int | None:
        line = None if isinstance(cell, bool | date) else plain(cell)
        if line is None and (cell is None or isinstance(cell, str)):
            return None
        written = re.sub(r"[人个位名]$", "", whole(line or ""))
        if not re.fullmatch(r"[0-9]{1,9}", written) or not 1 <= int(written) <= most:
            raise Bad("count", most=str(most))
        return int(written)

    return read


def day(cell: Cell) -> date | None:
    """A whole date, also one ahead. Raises Bad("date")."""
    parts = ledger_values.day(cell)
    if parts is None:
        return None
    year, month, of_month = parts
    if not month or not of_month:
        raise Bad("date")
    return date(year, month, of_month)


def county(here: str | None) -> Callable[[Cell], str | None]:
    """Reads a county by its name or code; raises Bad as models/ledger_values.py does."""

    def read(cell: Cell) -> str | None:
        line = plain(cell)
        if line is None:
            return None
        written = whole(line)
        if written.isdecimal():
            found = regions.get(written)
            if found is None:
                raise Bad("county")
            written = found.code
        return ledger_values.county(written, here)

    return read


def region(here: str | None) -> Callable[[Cell], str | None]:
    """Reads a province, city or county by its name or code. Raises Bad("region") or ("county_several")."""

    def read(cell: Cell) -> str | None:
        line = plain(cell)
        if line is None:
            return None
        written = whole(line)
        if written.isdecimal():
            known = regions.get(written)
            return known.code if known is not None else _unknown()
        return _one_region(written, here)

    return read


@lru_cache(maxsize=1024)
def _one_region(written: str, here: str | None) -> str:
    found: Sequence[regions.Region] = regions.search(written, limit=99)
    if not found:
        _unknown()
    exact = [one for one in found if written in (one.name, one.full_name)]
    several = exact or found
    nearer = [one for one in several if here and regions.within(one.code, here)] or several
    if len(nearer) > 1:
        raise Bad("county_several", found="、".join(one.full_name for one in nearer[:3]))
    return nearer[0].code


def _unknown() -> NoReturn:
    raise Bad("region")
