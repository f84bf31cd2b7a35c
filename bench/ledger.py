"""A ledger of 100,000 people from the file to the database (checked, then taken), against the bare sum of reading the
file, checking its cells and inserting the same rows in one statement. `python -m bench.ledger`, some minutes.

The ratio is ours ÷ bare; the aim is at most 2.5. Sealing the rows counts with the bare sum: without it nothing of them
may be written. What it takes is told apart.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert
from sqlmodel import SQLModel
from stdnum.cn import ric
from xlsxwriter import Workbook

from bench.places import PLACES, Place
from models.beneficiary import MACHINE, as_columns, indexed
from models.database import Database
from models.ids import new_id
from models.ledger_batch import LedgerBatch
from models.ledger_cells import Ledger, Record, read_ledger
from models.ledger_check import check
from models.ledger_import import take
from models.ledger_undo import undo

PEOPLE = 100_000
COUNTY, TODAY = "440106", date(2026, 11, 22)
HEADINGS = (
    *("姓名", "残疾人证号", "性别", "出生日期", "户口性质", "乡镇街道"),
    *("村居社区", "家庭住址", "联系电话", "监护人", "监护人电话", "需求"),
)
_NAMES = "甲乙丙丁戊己庚辛壬癸"

T = TypeVar("T")
console = Console()


def people() -> list[tuple[str, ...]]:
    """Invented ones, 999 of a birth date."""
    made = []
    for number in range(PEOPLE):
        born = date.fromordinal(date(2000, 1, 1).toordinal() + number // 999)
        body = f"{COUNTY}{born:%Y%m%d}{number % 999 + 1:03d}"
        man = (number % 999 + 1) % 2
        name = "测" + "".join(_NAMES[int(digit)] for digit in f"{number:06d}")
        place = ("农村", f"第{number % 21}街道", f"第{number % 300}社区", f"某某路{number}号")
        told = (f"1380{number:07d}", "某某", "13900000000", "支教助学、康复治疗")
        made.append((name, body + ric.calc_check_digit(body + "0") + "42", "女男"[man], f"{born}", *place, *told))
    return made


def workbook(rows: list[tuple[str, ...]]) -> bytes:
    """The same as an .xlsx."""
    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True, "in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([tuple(HEADINGS), *rows]):
            sheet.write_row(number, 0, row)
    return file.getvalue()


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def records(ledger: Ledger) -> list[Record]:
    """Every row checked; all of them are good."""
    found = [row.record for row in ledger.rows() if row.record is not None]
    assert len(found) == PEOPLE
    return found


def rows_of(database: Database, found: list[Record], batch: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sealed rows of beneficiaries and of the index."""
    now, vault = datetime.now(UTC), database.vault
    times = dict.fromkeys(("status_since", "listed_at", "changed_at"), now)
    people, index = [], []
    for record in found:
        key = new_id()
        own = {"id": key, "group_key": "disabled", "batch_id": batch}
        people.append(own | times | as_columns(vault, key, record))
        index += indexed(vault, key, record)
    return people, index


def bare(database: Database, data: bytes) -> dict[str, float]:
    """The floor: read, checked, sealed, inserted in one transaction; seconds of each."""
    with database.write() as session:
        batch = LedgerBatch(region=COUNTY, file_digest="", total=0, made_by=MACHINE, made_at=datetime.now(UTC))
        session.add(batch)
    ledger, read = timed(lambda: read_ledger(data, "台账.xlsx", county=COUNTY, today=TODAY))
    found, checked = timed(lambda: records(ledger))
    rows, sealed = timed(lambda: rows_of(database, found, batch.id))

    def write() -> None:
        with database.write() as session:
            for name, values in zip(("beneficiary", "blind_index"), rows, strict=True):
                session.execute(insert(SQLModel.metadata.tables[name]), values)

    _nothing, inserted = timed(write)
    return {"read": read, "check": checked, "seal": sealed, "insert": inserted}


def ours(database: Database, data: bytes) -> dict[str, float]:
    """As `nuanyang import ledger FILE --take` does it; seconds of checking and of taking, then of taking it back."""

    def shown() -> LedgerBatch:
        ledger = read_ledger(data, "台账.xlsx", county=COUNTY, today=TODAY)
        return check(database, ledger, data, region=COUNTY, by=MACHINE, part=False)

    batch, checked = timed(shown)
    taken, took = timed(lambda: take(database, batch.id, by=MACHINE))
    assert taken.counts["new"] == PEOPLE
    _again, same = timed(shown)
    _undone, back = timed(lambda: undo(database, batch.id, by=MACHINE))
    return {"shown": checked, "taken": took, "the same file again": same, "taken back": back}


def measure(place: Callable[[Path], AbstractContextManager[Place]], folder: Path, data: bytes) -> tuple[dict, dict]:  # type: ignore[type-arg]
    """The floor and ours, each on a database of its own."""
    for name in ("bare", "ours"):
        (folder / name).mkdir()
    with place(folder / "bare") as (database, _floor):
        floor = bare(database, data)
    with place(folder / "ours") as (database, _floor):
        return floor, ours(database, data)


def main() -> None:
    """Everything, and a table of it."""
    data = workbook(people())
    console.print(f"{PEOPLE:,} people, {len(data) / 1e6:.1f} MB of .xlsx")
    table = Table("where", "bare: s", "ours: s", "ratio", title=f"A ledger of {PEOPLE:,}")
    for name, place in PLACES:
        console.print(f"{name} …")
        with TemporaryDirectory() as folder:
            floor, found = measure(place, Path(folder), data)
        total, mine = sum(floor.values()), found["shown"] + found["taken"]
        parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in floor.items())
        own = ", ".join(f"{part} {seconds:.1f}" for part, seconds in found.items())
        table.add_row(name, f"{total:.1f} ({parts})", f"{mine:.1f} ({own})", f"{mine / total:.2f}")
        without = mine / (total - floor["seal"])
        console.print(f"{name}: ratio {mine / total:.2f} (aim ≤ 2.5), {without:.2f} without sealing in the bare sum")
    console.print(table)
    console.print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
