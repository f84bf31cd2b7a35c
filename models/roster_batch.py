"""Imports of teams, specialists, institutions and stations: a table is checked, taken and taken back as a ledger is, in
short transactions that go on after a crash.

To check a row it is done and taken back at once: what is told is what the rules will say. Taking it back is done by the
rules, too: what it brought ends, what it changed is put back; where something has happened since, the row stays.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import and_, insert, or_, select, update
from sqlmodel import Session, SQLModel

from config import regions
from models import audit, ledger_import, ledger_questions, ledger_undo
from models.database import Database, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import CHANGED, CHECKED, DOUBTFUL, NEW, REFUSED, SAME, TAKEN, TAKING, UNDONE, LedgerBatch
from models.ledger_cells import Problem, RowCells
from models.ledger_columns import Columns
from models.ledger_import import act, locked, tell_result
from models.ledger_values import shown
from models.roster import CHANGED_SINCE, NAMED_AGAIN, Doing, Kind, Later, Line, Refused, Roster, State
from models.roster_places import Institutions, Stations
from models.roster_teams import Specialists, Teams

SLICE = 25  # rows of one transaction, for which others wait on SQLite
KINDS: dict[str, Callable[[], Kind[Any]]] = {one.name: one for one in (Teams, Specialists, Institutions, Stations)}

_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(make().entry) for name, make in KINDS.items()}

_L: Any = SQLModel.metadata.tables["ledger_batch"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_ROW, _BEFORE = "ledger_batch_row.row_sealed", "ledger_batch_row.before_sealed"

Told = Callable[[int, int], None]


def nobody_hears(_done: int, _total: int) -> None:
    """For callers that show no progress."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row to be done: `read` are the problems that were found in its cells, `fields` says which of them is what."""

    number: int
    cells: tuple[Any, ...]
    fields: dict[str, int]
    entry: Any
    read: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of it: NEW, CHANGED, SAME, DOUBTFUL or REFUSED; and how what it is about stood before and after."""

    outcome: str
    problems: tuple[Problem, ...]
    before: State | None = None
    after: State | None = None


# --- looking ---


def check(
    database: Database, roster: Roster, data: bytes, *, region: str, by: str, told: Told = nobody_hears
) -> LedgerBatch:
    """Do each row and take it back, and keep what came of it; nothing else is written. `region` = a code that every row
    has to lie in, or empty."""
    with database.write() as session:
        batch = LedgerBatch(
            sheet=roster.kind.name,
            region=region,
            part=True,
            file_digest=hashlib.sha256(data).hexdigest(),
            headings=list(roster.columns.headings),
            total=len(roster.lines),
            made_by=by,
            made_at=now_of(session),
        )
        session.add(batch)
    with database.read() as session:
        roster.kind.prepare(session)
    counts: Counter[str] = Counter()
    for start in range(0, len(roster.lines), SLICE):
        rows = [_read(line, roster) for line in roster.lines[start : start + SLICE]]
        done: list[_Done] = []
        with suppress(_TakenBack), database.write() as session:
            done += [_do(session, roster.kind, by, region, row, sure=False) for row in rows]
            raise _TakenBack
        with database.write() as session:
            session.execute(
                insert(_R), [_as_row(session, batch, roster.kind, *pair) for pair in zip(rows, done, strict=True)]
            )
        counts.update(one.outcome for one in done)
        counts["problems"] += sum(len(one.problems) for one in done if one.outcome not in (REFUSED, DOUBTFUL))
        told(start + len(rows), len(roster.lines))
    with database.write() as session:
        row = session.get_one(LedgerBatch, batch.id)
        row.state, row.counts = CHECKED, dict(counts)
    return row


class _TakenBack(Exception):
    """Ends a transaction of which nothing is to stay."""


def _read(line: Line, roster: Roster) -> _Row:
    return _Row(line.number, line.cells, roster.columns.fields, line.entry, line.problems)


def _do(session: Session, kind: Kind[Any], by: str, region: str, row: _Row, *, sure: bool) -> _Done:
    cells = RowCells(row.cells, Columns(kind.name, 0, (), row.fields, ()))
    cells.problems += row.read
    if row.entry is None:
        return _Done(REFUSED, row.read)
    try:
        with session.begin_nested():
            before = kind.state(session, row.entry)
            outcome = kind.do(Doing(session, by, cells, sure), row.entry)
            _check_place(session, kind, region, row.entry)
            return _Done(outcome, tuple(cells.problems), before, kind.state(session, row.entry))
    except Refused as refused:
        cells.problem(refused.field, refused.reason, stops=True, **refused.params)
        return _Done(DOUBTFUL if refused.doubtful else REFUSED, tuple(cells.problems))


def _check_place(session: Session, kind: Kind[Any], region: str, entry: Any) -> None:
    field, code = kind.place(session, entry)
    if region and code is not None and not regions.within(code, region):
        raise Refused(field, "region_of_import")


def _as_row(session: Session, batch: LedgerBatch, kind: Kind[Any], row: _Row, done: _Done) -> dict[str, Any]:
    key = new_id()
    kept = {
        "entry": _adapter(kind).dump_python(row.entry, mode="json") if row.entry is not None else None,
        "fields": row.fields,
        "cells": [shown(cell) for cell in row.cells],
        "read": [asdict(problem) for problem in row.read],
        "problems": [asdict(problem) for problem in done.problems],
    }
    return {
        "id": key,
        "batch_id": batch.id,
        "number": row.number,
        "kind": done.outcome,
        "why": "",
        "done": done.outcome == REFUSED,
        "decided": False,
        "faulty": bool(done.problems),
        "row_sealed": vault_of(session).seal_json(_ROW, key, kept),
    }


def _adapter(kind: Kind[Any]) -> TypeAdapter[Any]:
    return _ADAPTERS[kind.name]


def doubtful_rows(session: Session, batch_id: str) -> set[int]:
    """The numbers of the rows that somebody has to look at."""
    query = select(_R.c.number).where(_R.c.batch_id == batch_id, _R.c.kind == DOUBTFUL)
    return set(session.execute(query).scalars())


# --- taking ---


def take(
    database: Database, batch_id: str, *, by: str, doubtful: Collection[int] = (), told: Told = nobody_hears
) -> LedgerBatch:
    """Do what was checked, and of the doubtful rows those of these numbers; goes on with it after a crash. Raises
    BatchError."""
    with database.write() as session:
        total = ledger_import.begin(session, batch_id, by, doubtful=doubtful)
        kind = KINDS[locked(session, batch_id).sheet]()
    with database.read() as session:
        kind.prepare(session, batch_id)
    done, last = 0, 0
    while True:
        with database.write() as session:
            batch = locked(session, batch_id)
            if batch.state == TAKEN:
                return batch
            numbers = _take_slice(session, kind, batch, last)
            if not numbers:
                _end(session, batch)
                return batch
        done, last = done + len(numbers), numbers[-1]
        told(min(done, total), total)


def _take_slice(session: Session, kind: Kind[Any], batch: LedgerBatch, last: int) -> list[int]:
    query = select(_R).where(_R.c.batch_id == batch.id, _R.c.number > last, ~_R.c.done)
    rows = session.execute(query.order_by(_R.c.number).limit(SLICE)).all()
    for row in rows:
        kept = vault_of(session).open_json(_ROW, row.id, row.row_sealed)
        done = _do(session, kind, batch.taken_by, batch.region, _kept(kind, row.number, kept), sure=row.decided)
        problems = [asdict(problem) for problem in done.problems]
        changes: dict[str, Any] = {"kind": done.outcome, "done": True, "faulty": bool(problems)}
        if problems != kept["problems"]:
            changes["row_sealed"] = vault_of(session).seal_json(_ROW, row.id, kept | {"problems": problems})
        if done.after is not None:
            changes["target_id"] = done.after["id"]
            stood = {"before": done.before, "after": done.after}
            changes["before_sealed"] = vault_of(session).seal_json(_BEFORE, row.id, stood)
        session.execute(update(_R).where(_R.c.id == row.id).values(**changes))
    return [row.number for row in rows]


def _kept(kind: Kind[Any], number: int, kept: dict[str, Any]) -> _Row:
    entry = _adapter(kind).validate_python(kept["entry"])
    return _Row(number, tuple(kept["cells"]), kept["fields"], entry, tuple(Problem(**one) for one in kept["read"]))


def _end(session: Session, batch: LedgerBatch) -> None:
    kinds = {row.kind: row.rows for row in session.execute(ledger_questions.kinds(batch.id))}
    batch.counts = kinds | {"problems": batch.counts.get("problems", 0)}
    batch.state, batch.busy, batch.taken_at = TAKEN, None, now_of(session)
    session.add(batch)
    tell_result(session, batch, batch.taken_by)
    audit.note(session, batch.taken_by, act(batch, "taken"), batch.id, sheet=batch.sheet, **batch.counts)


# --- and taking back ---


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that could not be taken back: its number, what people call it, and one of WHY_LATER."""

    number: int
    name: str
    why: str


def undo(database: Database, batch_id: str, *, by: str, told: Told = nobody_hears) -> LedgerBatch:
    """End what it brought and put back what it changed, the last row first; goes on with it after a crash. Raises
    BatchError."""
    with database.write() as session:
        total = ledger_undo.begin(session, batch_id, by)
    done = 0
    while True:
        with database.write() as session:
            batch = locked(session, batch_id)
            if batch.state == UNDONE:
                return batch
            rows = _undo_slice(session, batch)
            if not rows:
                batch.state, batch.busy, batch.undone_at = UNDONE, None, now_of(session)
                session.add(batch)
                kept = len(ledger_undo.refused(session, batch.id))
                audit.note(session, batch.undone_by, act(batch, "undone"), batch.id, sheet=batch.sheet, kept=kept)
                tell_result(session, batch, batch.undone_by)
                return batch
        done += rows
        told(min(done, total), total)


def _undo_slice(session: Session, batch: LedgerBatch) -> int:
    kind = KINDS[batch.sheet]()
    waiting = and_(_R.c.batch_id == batch.id, _R.c.done, _R.c.kind.in_((NEW, CHANGED)), _R.c.why == "")
    rows = session.execute(select(_R).where(waiting).order_by(_R.c.number.desc()).limit(SLICE)).all()
    for row in rows:
        changes: dict[str, Any] = {"done": False}
        try:
            with session.begin_nested():
                _put_back(session, kind, batch, row)
        except Later as later:
            changes = {"why": later.reason}
        session.execute(update(_R).where(_R.c.id == row.id).values(**changes))
    return len(rows)


def _put_back(session: Session, kind: Kind[Any], batch: LedgerBatch, row: Any) -> None:
    """Raises Later."""
    vault = vault_of(session)
    entry = _adapter(kind).validate_python(vault.open_json(_ROW, row.id, row.row_sealed)["entry"])
    stood = vault.open_json(_BEFORE, row.id, row.before_sealed)
    before, after, now = stood["before"], stood["after"], kind.state(session, entry)
    made = before["id"] is None
    # What it left alone may have changed since; what it brought itself may not.
    if any(now[name] != value for name, value in after.items() if made or name == "id" or before[name] != value):
        raise Later(CHANGED_SINCE)
    if _named_again(session, batch, row.target_id):
        raise Later(NAMED_AGAIN)
    kind.put_back(session, batch.undone_by, entry, before, after)


def _named_again(session: Session, batch: LedgerBatch, target: str) -> bool:
    """Whether a table that was taken later, and stands, is about the same, or one that is being taken now."""
    later = or_(_L.c.taken_at > batch.taken_at, and_(_L.c.taken_at == batch.taken_at, _L.c.id > batch.id))
    query = (
        select(_R.c.id)
        .join(_L, _L.c.id == _R.c.batch_id)
        .where(_R.c.target_id == target, _R.c.done, _R.c.kind.in_((NEW, CHANGED, SAME)))
        .where(_L.c.id != batch.id, or_(_L.c.state == TAKING, and_(_L.c.state == TAKEN, later)))
    )
    return session.execute(query.limit(1)).first() is not None


def kept_rows(session: Session, batch: LedgerBatch, limit: int) -> list[Kept]:
    """The first rows that could not be taken back."""
    kind, vault = KINDS[batch.sheet](), vault_of(session)
    query = select(_R).where(_R.c.batch_id == batch.id, _R.c.why.startswith(ledger_undo.LATER), _R.c.done)
    found = []
    for row in session.execute(query.order_by(_R.c.number).limit(limit)):
        kept = vault.open_json(_ROW, row.id, row.row_sealed) if row.row_sealed else {}
        entry = _adapter(kind).validate_python(kept["entry"]) if kept else None
        found.append(Kept(row.number, kind.called(session, entry) if entry is not None else "", row.why))
    return found
