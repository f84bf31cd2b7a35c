"""The rows of a ledger of disabled people, checked cell by cell: what can be taken, and what is wrong where.

A bad cell that the programme can do without is left out and told; only what makes it unsure who somebody is, or
whether somebody lives, stops a row. Certificates: 18 characters of the ID number, kind 1–7, grade 1–4, and B1, B2 …
for a re-issue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, TypeVar

from models import ledger_person, ledger_values
from models.ledger_columns import Cell, Columns, Row, find_columns, fold
from models.ledger_person import Identity
from models.ledger_sheet import read_sheet
from models.ledger_values import EAST, LONGEST_NOTE, NORTH, Bad, choice, footers, plain, shown

Status = Literal["listed", "moved", "died", "cancelled", "over_age"]
LONGEST_CALLED = 50  # characters of a form of address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell (`column` from 0; None: with the row). `stops`: the row cannot be taken.

    `params` never hold a name, a number, a telephone or an address.
    """

    column: int | None
    reason: str
    params: dict[str, str]
    stops: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One person of a ledger. `county` is a six-digit code, phones are E.164, coordinates degrees in WGS-84.

    `needs` are keys of services.toml and `need_words` what is not in it; `language` is a key of services.toml. A field
    of which the sheet says nothing is None, the status, too.
    """

    id_number: str
    name: str
    certificate: str | None
    kind: int | None
    grade: int | None
    sex: Literal["male", "female"] | None
    birth_date: date | None
    residence: Literal["urban", "rural"] | None
    poor: bool | None
    county: str | None
    town: str | None
    village: str | None
    address: str | None
    phone: str | None
    guardian_name: str | None
    guardian_phone: str | None
    guardian_relation: str | None
    needs: tuple[str, ...]
    need_words: str | None
    status: Status | None
    checked_on: date | None
    longitude: float | None
    latitude: float | None
    called: str | None
    note: str | None
    language: str | None = None
    sex_wanted: Literal["male", "female"] | None = None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row: `number` as Excel shows it, `cells` as the sheet shows them, `record` None when a problem stops it; then
    `id_number` says whom it is about, where that is sure."""

    number: int
    record: Record | None
    problems: tuple[Problem, ...]
    cells: tuple[str, ...]
    id_number: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """A sheet that can be read as a ledger. `name` is the worksheet's, `sheets` are all of them, `total` counts rows.

    `encoding` is None for a workbook.
    """

    name: str
    sheets: tuple[str, ...]
    encoding: str | None
    columns: Columns
    total: int
    _persons: list[tuple[int, Row]] = field(repr=False)
    _county: str | None
    _today: date

    def rows(self) -> Iterator[LedgerRow]:
        """Each person's row, checked when it is asked for; somebody who stands there twice is taken once."""
        seen: dict[str, int] = {}
        for number, cells in self._persons:
            row = check_row(cells, self.columns, number, self._today, self._county)
            if row.record is not None:
                first = seen.setdefault(row.record.id_number, number)
                if first != number:
                    again = Problem(_identity_column(self.columns), "repeated", {"row": str(first)}, True)
                    row = replace(row, record=None, problems=(*row.problems, again))
            yield row


def read_ledger(data: bytes, name: str, *, county: str | None, today: date) -> Ledger:
    """A file as a ledger; `county` (a code of any level) is whose it is. Raises SheetError.

    Blank rows, sums and notes below the last person and headings that are repeated are left out.
    """
    sheet = read_sheet(data, name)
    columns = find_columns(sheet.rows)
    persons = [
        (number, cells)
        for number, cells in enumerate(sheet.rows[columns.row :], start=columns.row + 1)
        if _is_person(cells, columns)
    ]
    return Ledger(sheet.name, sheet.sheets, sheet.encoding, columns, len(persons), persons, county, today)


def check_row(cells: Sequence[Cell], columns: Columns, number: int, today: date, county: str | None) -> LedgerRow:
    """One row, checked as of `today`; `county` is taken where the row names none. Raises nothing."""
    row = RowCells(cells, columns)
    who = _who(row, today)
    name = row.take("name", ledger_person.name, stops=True)
    if name is None and not row.is_bad("name"):
        row.problem("name", "missing", stops=True, field="name")
    kind, grade = _kind_and_grade(row, who)
    _compare_birth_and_sex(row, who, today)
    needs, need_words = row.take("needs", ledger_values.needs) or ((), None)
    longitude, latitude = _place(row)
    fields: dict[str, Any] = {
        "certificate": who.certificate if who else None,
        "kind": kind,
        "grade": grade,
        "residence": row.take("residence", lambda cell: choice("residence", cell, "residence")),
        "poor": {"yes": True, "no": False, None: None}[row.take("poor", lambda cell: choice("poor", cell, "yes_no"))],
        "county": row.take("county", lambda cell: ledger_values.county(cell, county)) or _own(row, county),
        "town": row.take("town", plain),
        "village": row.take("village", plain),
        "address": row.take("address", plain),
        "phone": row.phone("phone"),
        "guardian_name": row.take("guardian_name", ledger_person.name),
        "guardian_phone": row.phone("guardian_phone"),
        "guardian_relation": row.take("guardian_relation", plain),
        "needs": needs,
        "need_words": need_words,
        # Nobody may be written to who has died, so a word that is not understood stops the row.
        "status": row.take("status", lambda cell: choice("status", cell, "status"), stops=True),
        "checked_on": row.take("checked_on", lambda cell: ledger_values.past_day(cell, today)),
        "longitude": longitude,
        "latitude": latitude,
        "called": row.take("called", lambda cell: plain(cell, LONGEST_CALLED)),
        "note": row.take("note", lambda cell: plain(cell, LONGEST_NOTE)),
        "language": row.take("language", ledger_values.language),
        "sex_wanted": row.take("sex_wanted", lambda cell: choice("sex_wanted", cell, "sex_wanted")),
    }
    record = None
    if who and name and not any(problem.stops for problem in row.problems):
        record = Record(who.id_number, name, sex=who.sex, birth_date=who.born, **fields)
    return LedgerRow(number, record, tuple(row.problems), tuple(map(shown, cells)), who.id_number if who else None)


class RowCells:
    """The cells of one row by field, and the problems found so far."""

    def __init__(self, cells: Sequence[Cell], columns: Columns) -> None:
        self.cells = cells
        self.columns = columns.fields
        self.problems: list[Problem] = []

    def take(self, field: str, read: Callable[[Cell], T | None], *, stops: bool = False) -> T | None:
        """The value of a cell, None when it is empty or bad."""
        column = self.columns.get(field)
        if column is None or column >= len(self.cells) or self.cells[column] is None:
            return None
        try:
            return read(self.cells[column])
        except Bad as bad:
            self.problems.append(Problem(column, bad.reason, bad.params, stops))
            return None

    def phone(self, field: str) -> str | None:
        """A telephone number; of several in one cell the first."""
        found = self.take(field, ledger_person.phone)
        if found and found[1]:
            self.problem(field, "several_phones")
        return found[0] if found else None

    def problem(self, place: str, reason: str, *, stops: bool = False, **params: str) -> None:
        """One more problem, in the column of this field."""
        self.problems.append(Problem(self.columns.get(place), reason, params, stops))

    def is_bad(self, field: str) -> bool:
        """Whether a problem stands in its column."""
        column = self.columns.get(field)
        return column is not None and any(problem.column == column for problem in self.problems)


def _who(row: RowCells, today: date) -> Identity | None:
    """Who it is by certificate and ID number; one good number is enough, two must be of the same person."""

    def read(cell: Cell) -> Identity | None:
        return ledger_person.identity(cell, today)

    certificate, number = row.take("certificate", read), row.take("id_number", read)
    if certificate and number and certificate.id_number != number.id_number:
        row.problem("id_number", "id_differs", stops=True)
        return None
    if certificate and not certificate.certificate:
        row.problem("certificate", "certificate_short")
    found = certificate if certificate and certificate.certificate else number or certificate
    if found is None:
        if row.problems:
            row.problems[:] = [replace(problem, stops=True) for problem in row.problems]
        else:
            row.problem("id_number" if "id_number" in row.columns else "certificate", "missing", stops=True, field="id")
    return found


def _kind_and_grade(row: RowCells, who: Identity | None) -> tuple[int | None, int | None]:
    told = row.take("kind", ledger_values.kind)
    kind, beside = told or (None, None)
    grade = row.take("grade", ledger_values.grade)
    if who and who.certificate:
        if kind is not None and kind != who.kind:
            row.problem("kind", "kind_differs", stops=True)
        if grade is not None and grade != who.grade:
            row.problem("grade", "grade_differs", stops=True)
        if beside is not None and beside != who.grade:
            row.problem("kind", "grade_differs", stops=True)
        return who.kind, who.grade
    if None not in (grade, beside) and grade != beside:
        row.problem("grade", "grade_differs", stops=True)
    return kind, grade if grade is not None else beside


def _compare_birth_and_sex(row: RowCells, who: Identity | None, today: date) -> None:
    """Both are in the ID number; the columns may be empty or say less, but not something else."""
    told = row.take("birth_date", ledger_values.day)
    sex = row.take("sex", lambda cell: choice("sex", cell, "sex"))
    if told and date(told[0], told[1] or 1, told[2] or 1) > today:
        row.problem("birth_date", "future", stops=True)
    elif told and who:
        born = (who.born.year, who.born.month, who.born.day)
        if any(part is not None and part != own for part, own in zip(told, born, strict=True)):
            row.problem("birth_date", "birth_date_differs", stops=True)
    if sex and who and sex != who.sex:
        row.problem("sex", "sex_differs", stops=True)


def _place(row: RowCells) -> tuple[float | None, float | None]:
    """Longitude and latitude, both or neither."""
    longitude = row.take("longitude", lambda cell: ledger_values.degrees(cell, EAST))
    latitude = row.take("latitude", lambda cell: ledger_values.degrees(cell, NORTH))
    if (longitude is None) == (latitude is None):
        return longitude, latitude
    lacking = "longitude" if longitude is None else "latitude"
    if not row.is_bad(lacking):
        row.problem("latitude" if longitude is None else "longitude", "coordinates_half")
    return None, None


def _own(row: RowCells, county: str | None) -> str | None:
    """The county of the ledger for a row that names none; one that is named wrongly may be another."""
    return county if county and len(county) == 6 and not row.is_bad("county") else None


def _identity_column(columns: Columns) -> int | None:
    return columns.fields.get("certificate", columns.fields.get("id_number"))


def _is_person(cells: Row, columns: Columns) -> bool:
    """False for a row without anything about a person: blank, sums and notes at the end, headings again."""
    told = [index for index in columns.fields.values() if _says(_at(cells, index))]
    if any(_says(_at(cells, columns.fields.get(name))) for name in ("certificate", "id_number")):
        headings = {fold(columns.headings[index]) for index in columns.fields.values()}
        return not all(fold(shown(cells[index])) in headings for index in told)
    texts = [text for cell in cells if (text := shown(cell).strip()) and not text.isdecimal()]
    if texts and "".join(texts[0].split()).replace("：", ":").startswith(footers()):
        return False
    merged = columns.merged()
    # A number in the first column of a form, or a village merged over it, is not yet a person.
    return any(index not in merged for index in told) or any(
        _says(cell) and index not in merged and not shown(cell).strip().isdecimal() for index, cell in enumerate(cells)
    )


def _at(cells: Row, index: int | None) -> Cell:
    return cells[index] if index is not None and index < len(cells) else None


def _says(cell: Cell) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))
