"""Taking an import back: whoever came by it goes, and what it changed is put back as it was. Where something has
happened to a row since, it stays, and is told by its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, delete, or_, select, union_all, update
from sqlmodel import Session, SQLModel

from models import audit
from models.beneficiary import LISTED, Beneficiary, forget_index, from_json, laid_over, record_of
from models.database import Database, now_of, vault_of
from models.ledger_batch import CHANGED, LEDGER, NEW, SAME, TAKEN, UNDOING, UNDONE, LedgerBatch
from models.ledger_check import SLICE, Told, nobody_hears
from models.ledger_import import BatchError, act, locked, occupy, tell_result
from models.ledger_questions import ask_absent, change

_B: Any = SQLModel.metadata.tables["beneficiary"]
_L: Any = SQLModel.metadata.tables["ledger_batch"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_Q: Any = SQLModel.metadata.tables["ledger_question"]

_P: Any = SQLModel.metadata.tables["proposal"]

LATER = "later"  # and so not taken back; of other tables with a word more (models/roster.py, WHY_LATER)


def undo(database: Database, batch_id: str, *, by: str, told: Told = nobody_hears) -> LedgerBatch:
    """Take it back, and go on with it after a crash. Raises BatchError."""
    last, done = 0, 0
    with database.write() as session:
        total = begin(session, batch_id, by)
    while True:
        with database.write() as session:
            ended = locked(session, batch_id).state == UNDONE
            rows = session.execute(
                select(_R)
                .where(_R.c.batch_id == batch_id, _R.c.done, _R.c.kind.in_((NEW, CHANGED)), _R.c.number > last)
                .order_by(_R.c.number)
                .limit(SLICE)
            ).all()
            if ended or not rows:
                break
            _put_back(session, rows)
        last, done = rows[-1].number, done + len(rows)
        told(min(done, total), total)
    with database.write() as session:
        batch = locked(session, batch_id)
        if batch.state != UNDONE:
            session.execute(delete(_Q).where(_Q.c.batch_id == batch.id, _Q.c.answer.is_(None)))
    _ask_again(database, batch)
    with database.write() as session:
        batch = locked(session, batch_id)
        if batch.state != UNDONE:
            batch.state, batch.busy, batch.undone_at = UNDONE, None, now_of(session)
            session.add(batch)
            audit.note(
                session,
                batch.undone_by or by,
                "ledger.undone",
                batch.id,
                region=batch.region,
                kept=len(refused(session, batch.id)),
            )
            tell_result(session, batch, batch.undone_by)
    return batch


def _ask_again(database: Database, undone: LedgerBatch) -> None:
    """Whoever is missing from the newest ledger that counts now, and is not asked about, since this one was there."""
    while True:
        with database.write() as session:
            newest = session.execute(
                select(LedgerBatch)
                .where(_L.c.state == TAKEN, ~_L.c.part, _L.c.region == undone.region, _L.c.id != undone.id)
                .where(_L.c.sheet == LEDGER)
                .order_by(_L.c.taken_at.desc(), _L.c.id.desc())
                .limit(1)
            ).scalar_one_or_none()
            if newest is None or newest.forgotten_at is not None or not ask_absent(session, newest):
                return


def kept_people(session: Session, batch_id: str, limit: int) -> list[tuple[int, Beneficiary | None]]:
    """The first rows that could not be taken back, with whom they are about, by number."""
    query = select(_R.c.number, Beneficiary).outerjoin(Beneficiary, _B.c.id == _R.c.beneficiary_id)
    query = query.where(_R.c.batch_id == batch_id, _R.c.why == LATER, _R.c.done).order_by(_R.c.number).limit(limit)
    return [(number, person) for number, person in session.execute(query)]


def refused(session: Session, batch_id: str) -> list[int]:
    """The numbers of the rows that could not be taken back."""
    query = select(_R.c.number).where(_R.c.batch_id == batch_id, _R.c.why.startswith(LATER), _R.c.done)
    return list(session.execute(query.order_by(_R.c.number)).scalars())


def begin(session: Session, batch_id: str, by: str) -> int:
    """From now on it is being taken back: `undo` goes on with it, wherever it is called. Returns how many rows it has.
    Raises BatchError."""
    batch = locked(session, batch_id)
    if batch.forgotten_at is not None and batch.state != UNDONE:
        raise BatchError("old")
    if batch.state == TAKEN:
        batch.undone_by = by
        occupy(session, batch, UNDOING)
        audit.note(session, by, act(batch, "undo"), batch.id, region=batch.region)
    elif batch.state not in (UNDOING, UNDONE):
        raise BatchError("state")
    return batch.total


def _put_back(session: Session, rows: Sequence[Any]) -> None:
    """What these rows brought goes, what they changed is put back."""
    query = select(_B).where(_B.c.id.in_([row.beneficiary_id for row in rows])).order_by(_B.c.id).with_for_update()
    people = {person.id: person for person in session.execute(query)}
    hung, confirmed = _hung_on(session, list(people)), _confirmed(session, rows[0].batch_id, list(people))
    later, gone = [], []
    for row in rows:
        person = people.get(row.beneficiary_id)
        if (
            person is None
            or person.id in confirmed
            or (row.kind == NEW and person.id in hung)
            or _says_more(session, row, person)
        ):
            later.append(row.id)
        elif row.kind == NEW:
            gone.append(person.id)
        else:
            before = from_json(vault_of(session).open("ledger_batch_row.before_sealed", row.id, row.before_sealed))
            change(session, person, record_of(vault_of(session), person), before)
    session.execute(delete(_Q).where(or_(_Q.c.beneficiary_id.in_(gone), _Q.c.other_id.in_(gone))))
    session.execute(delete(_P).where(_P.c.beneficiary_id.in_(gone)))
    forget_index(session, gone)
    session.execute(delete(_B).where(_B.c.id.in_(gone)))
    session.execute(update(_R).where(_R.c.id.in_(later)).values(why=LATER))
    back = [row.id for row in rows if row.id not in set(later)]
    session.execute(update(_R).where(_R.c.id.in_(back)).values(done=False))


def _hung_on(session: Session, people: list[str]) -> set[str]:
    """Those of them on whom something hangs that is not this import's: a door, an answer, a merge, a pairing …"""
    doors = select(_B.c.id).where(_B.c.id.in_(people), _B.c.person_id.is_not(None))
    answers = select(_Q.c.beneficiary_id).where(_Q.c.beneficiary_id.in_(people), _Q.c.answer.is_not(None))
    hanging = [
        select(key.parent).where(key.parent.in_(people))
        for table in SQLModel.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is _B.c.id and table is not _Q and table is not _P  # proposals go with the row
    ]
    return set(session.execute(union_all(doors, answers, *hanging)).scalars())


def _confirmed(session: Session, batch: str, people: list[str]) -> set[str]:
    """Those of them whom a later import names, too."""
    own = select(_L.c.taken_at).where(_L.c.id == batch).scalar_subquery()
    later = (
        select(_R.c.beneficiary_id)
        .join(_L, _L.c.id == _R.c.batch_id)
        .where(_R.c.beneficiary_id.in_(people), _R.c.done, _R.c.kind.in_((NEW, CHANGED, SAME)))
        .where(_L.c.state == TAKEN, or_(_L.c.taken_at > own, and_(_L.c.taken_at == own, _L.c.id > batch)))
    )
    return set(session.execute(later).scalars())


def _says_more(session: Session, row: Any, person: Any) -> bool:
    """Whether the person's row says something else than this import wrote."""
    vault = vault_of(session)
    wrote = from_json(vault.open_json("ledger_batch_row.row_sealed", row.id, row.row_sealed)["record"])
    if row.kind == CHANGED:
        wrote = laid_over(from_json(vault.open("ledger_batch_row.before_sealed", row.id, row.before_sealed)), wrote)
    if row.kind == NEW or row.decided:
        wrote = replace(wrote, status=wrote.status if row.kind == NEW and wrote.status else LISTED)
    return record_of(vault, person) != wrote or person.merged_into is not None
