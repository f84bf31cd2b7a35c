"""Checking a ledger before it is taken: every row of the file compared with what stands, and kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from sqlalchemy import and_, func, insert, or_, select
from sqlmodel import Session, SQLModel

from models import ledger_questions
from models.beneficiary import DIED, ID_NUMBER, LISTED, OUT, laid_over, name_in, record_of, to_json
from models.database import Database, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import CHANGED, CHECKED, DOUBTFUL, NEW, REFUSED, SAME, LedgerBatch
from models.ledger_cells import Ledger, LedgerRow, Problem, Record

SLICE = 400  # rows in one transaction: well under 250 ms on both databases (architecture.md §9)

_B: Any = SQLModel.metadata.tables["beneficiary"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_I: Any = SQLModel.metadata.tables["blind_index"]

Told = Callable[[int, int], None]


def nobody_hears(_done: int, _total: int) -> None:
    """For callers that show no progress."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a row stands to the ledger; `row` = who stands there with the same number, `other` = who may be meant."""

    kind: str
    why: str = ""
    row: Any = None
    other: str | None = None
    old: Record | None = None
    new: Record | None = None


def check(
    database: Database, ledger: Ledger, data: bytes, *, region: str, by: str, part: bool, told: Told = nobody_hears
) -> LedgerBatch:
    """Compare a file with the ledger of a region and keep what it would change; nothing else is written."""
    with database.write() as session:
        batch = LedgerBatch(
            region=region,
            part=part,
            file_digest=hashlib.sha256(data).hexdigest(),
            headings=list(ledger.columns.headings),
            total=ledger.total,
            made_by=by,
            made_at=now_of(session),
        )
        session.add(batch)
    counts: Counter[str] = Counter()
    done = 0
    for rows in _slices(ledger.rows()):
        with database.write() as session:
            counts.update(_keep(session, batch, rows))
        done += len(rows)
        told(done, ledger.total)
    with database.write() as session:
        counts["gone"] = 0 if part else ledger_questions.count(session, batch)
        row = session.get_one(LedgerBatch, batch.id)
        row.state, row.counts = CHECKED, dict(counts)
    return row


def _slices(rows: Iterable[LedgerRow]) -> Iterator[list[LedgerRow]]:
    walking = iter(rows)
    while part := list(islice(walking, SLICE)):
        yield part


def _keep(session: Session, batch: LedgerBatch, rows: list[LedgerRow]) -> Counter[str]:
    """Write these rows down with how they stand; returns how many of each kind."""
    counts: Counter[str] = Counter()
    standings = stand(session, batch, [row.record for row in rows if row.record is not None])
    values, about = [], _refused(session, batch, rows)
    for row in rows:
        standing = (
            standings[row.record.id_number] if row.record is not None else Standing(REFUSED, row=about.get(row.number))
        )
        counts[standing.kind] += 1
        counts["problems"] += len(row.problems) if standing.kind != REFUSED else 0
        values.append(_as_row(session, batch.id, row, standing))
    session.execute(insert(_R), values)
    return counts


def _refused(session: Session, batch: LedgerBatch, rows: list[LedgerRow]) -> dict[int, Any]:
    """Whom rows that cannot be taken are about, by row number: they stand in the file, and are not missing from it."""
    vault = vault_of(session)
    stopped = {row.id_number: row.number for row in rows if row.record is None and row.id_number}
    digests = {digest: number for number in stopped for digest in vault.digests(ID_NUMBER, number).values()}
    found = select(_I.c.row_id, _I.c.digest).where(_I.c.digest.in_(list(digests)))
    number_of = {row.row_id: digests[row.digest] for row in session.execute(found)} if digests else {}
    people = select(_B.c.id).where(
        _B.c.id.in_(list(number_of)), _B.c.county.startswith(batch.region, autoescape=True), _B.c.merged_into.is_(None)
    )
    return {stopped[number_of[row.id]]: row for row in session.execute(people)} if number_of else {}


def _as_row(session: Session, batch: str, row: LedgerRow, standing: Standing) -> dict[str, Any]:
    key = new_id()
    kept: dict[str, Any] = {}
    if row.record is not None:
        kept["record"] = to_json(row.record)
    if row.problems or standing.kind in (REFUSED, DOUBTFUL):
        kept |= {"cells": row.cells, "problems": [asdict(problem) for problem in row.problems]}
    return {
        "id": key,
        "batch_id": batch,
        "number": row.number,
        "kind": standing.kind,
        "why": standing.why,
        "done": standing.kind == REFUSED,
        "decided": False,
        "faulty": bool(row.problems),
        "beneficiary_id": standing.row.id if standing.row is not None else None,
        "other_id": standing.other,
        "row_sealed": vault_of(session).seal_json("ledger_batch_row.row_sealed", key, kept),
        "before_sealed": None,
    }


def stand(session: Session, batch: LedgerBatch, records: list[Record], *, locked: bool = False) -> dict[str, Standing]:
    """How each of these stands to the ledger, by its number. `locked` = who stands there is kept from others until the
    transaction ends."""
    here, elsewhere, merged = _known(session, records, locked=locked)
    known = here.keys() | merged.keys()
    alike = _alike(session, batch, [record for record in records if (record.id_number, record.county) not in known])
    found = {}
    for record in records:
        row = here.get((record.id_number, record.county))
        old = record_of(vault_of(session), row) if row is not None else None
        if record.county is None or not record.county.startswith(batch.region):
            found[record.id_number] = Standing(REFUSED, "region")
        elif row is None and (record.id_number, record.county) in merged:
            # Somebody said that this is a person of another ledger, or under another number: that row counts.
            found[record.id_number] = Standing(SAME, "merged", merged[record.id_number, record.county])
        elif row is None or old is None:
            other = alike.get((record.county, record.name, record.birth_date))
            moved = elsewhere.get(record.id_number)
            kind, why = (DOUBTFUL, "alike") if other else (NEW, "elsewhere" if moved else "")
            found[record.id_number] = Standing(kind, why, other=other or moved, new=record)
        else:
            new = laid_over(old, record)
            kind, why = (SAME, "") if new == old else (CHANGED, "")
            if row.status in OUT and record.status in (None, LISTED):
                kind, why = DOUBTFUL, "had_died" if row.status == DIED else "had_left"
            found[record.id_number] = Standing(kind, why, row, None, old, new)
    return found


def _known(
    session: Session, records: list[Record], *, locked: bool
) -> tuple[dict[tuple[str, str | None], Any], dict[str, str], dict[tuple[str, str | None], Any]]:
    """Who stands in a ledger with these numbers: rows by number and county, the ids of those of other counties, and
    rows that were set aside when two became one."""
    vault = vault_of(session)
    numbers = {digest: r.id_number for r in records for digest in vault.digests(ID_NUMBER, r.id_number).values()}
    counties = {record.id_number: record.county for record in records}
    # Two statements: joined, a PostgreSQL without statistics (a ledger is just being filled) took a second for them.
    # The kind is a part of the digest; named here as well, SQLite would read every number of that kind.
    found = select(_I.c.row_id, _I.c.digest).where(_I.c.digest.in_(list(numbers)))
    number_of = {row.row_id: numbers[row.digest] for row in session.execute(found)}
    here: dict[tuple[str, str | None], Any] = {}
    merged: dict[tuple[str, str | None], Any] = {}
    elsewhere: dict[str, str] = {}
    query = select(_B).where(_B.c.id.in_(list(number_of))).order_by(_B.c.id)
    if locked:
        query = query.with_for_update()
    for row in session.execute(query) if number_of else ():
        number = number_of[row.id]
        if row.merged_into is not None:
            merged.setdefault((number, row.county), row)
            continue
        here.setdefault((number, row.county), row)
        if row.county != counties[number] and row.status == LISTED:
            elsewhere.setdefault(number, row.id)
    return here, elsewhere, merged


def _alike(session: Session, batch: LedgerBatch, strangers: list[Record]) -> dict[tuple[str | None, str, Any], str]:
    """For those whose number nobody has: whoever of the same county has the same name and birth date, and did not come
    by this file. A number may be mistyped, or have changed."""
    dates = {record.birth_date for record in strangers if record.birth_date}
    counties = {record.county for record in strangers}
    query = select(_B).where(_B.c.county.in_(counties), _B.c.birth_date.in_(dates), _B.c.merged_into.is_(None))
    found: dict[tuple[str | None, str, Any], str] = {}
    for row in session.execute(query.where(_B.c.batch_id != batch.id)):
        found.setdefault((row.county, name_in(vault_of(session), row), row.birth_date), row.id)
    return found


def _bad(batch: LedgerBatch) -> Any:
    return and_(_R.c.batch_id == batch.id, or_(_R.c.faulty, _R.c.kind.in_((REFUSED, DOUBTFUL))))


def count_problems(session: Session, batch: LedgerBatch) -> int:
    """How many rows have problems or are doubtful."""
    return int(session.execute(select(func.count()).select_from(_R).where(_bad(batch))).scalar_one())


def problems_of(session: Session, batch: LedgerBatch, limit: int | None = None) -> Iterator[LedgerRow]:
    """The rows of a batch that have problems or are doubtful, with their cells, as the file had them; the first of
    them, if there is a limit."""
    vault = vault_of(session)
    for row in session.execute(select(_R).where(_bad(batch)).order_by(_R.c.number).limit(limit)):
        kept = vault.open_json("ledger_batch_row.row_sealed", row.id, row.row_sealed) if row.row_sealed else {}
        found = tuple(Problem(**problem) for problem in kept.get("problems", ()))
        if row.why and row.kind in (DOUBTFUL, REFUSED):
            found = (*found, Problem(None, row.why, {}, True))
        if found and "cells" in kept:
            yield LedgerRow(row.number, None, found, tuple(kept["cells"]))
