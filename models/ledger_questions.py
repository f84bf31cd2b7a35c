"""What a ledger leaves open about its people: whoever is missing from a newer one, or stands in two, and what somebody
answers. Absence closes nothing: somebody is asked (programme.md §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, exists, false, func, insert, or_, select, update
from sqlmodel import Session, SQLModel, col

from models import audit, role, served_gone
from models.beneficiary import (
    DIED,
    GONE,
    LISTED,
    MACHINE,
    Beneficiary,
    BeneficiaryError,
    as_columns,
    by_id_number,
    may_see,
    record_of,
)
from models.database import insert_once, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import ABSENT, ANSWERS, DOUBTFUL, ELSEWHERE, HERE, REFUSED, LedgerBatch, LedgerQuestion
from models.ledger_cells import Record
from models.outbox import REMINDER, OutboxMessage, enqueue, withdraw
from models.served import answering

SLICE = 400  # questions in one transaction

_B: Any = SQLModel.metadata.tables["beneficiary"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_Q: Any = SQLModel.metadata.tables["ledger_question"]


@dataclass(frozen=True, slots=True)
class Open:
    """A question with the person that it is about, and where one is named, the other."""

    question: LedgerQuestion
    beneficiary: Beneficiary
    other: Beneficiary | None


def _listed(region: str) -> Any:
    return and_(_B.c.status == LISTED, _B.c.merged_into.is_(None), _B.c.county.startswith(region, autoescape=True))


def listed(session: Session, region: str) -> int:
    """How many stand in the ledgers of a region."""
    return int(session.execute(select(func.count()).select_from(_B).where(_listed(region))).scalar_one())


def _missing(batch: LedgerBatch) -> Any:
    """Who stands in the region's ledgers and in no row of the file; one who may be meant by a row is not missing."""
    of_batch = _R.c.batch_id == batch.id
    named = exists().where(of_batch, _R.c.beneficiary_id == _B.c.id)
    meant = exists().where(of_batch, _R.c.other_id == _B.c.id, _R.c.kind == DOUBTFUL)
    return and_(_listed(batch.region), ~named, ~meant)


def count(session: Session, batch: LedgerBatch) -> int:
    """How many are missing from the file."""
    return int(session.execute(select(func.count()).select_from(_B).where(_missing(batch))).scalar_one())


def ask_absent(session: Session, batch: LedgerBatch) -> int:
    """Ask about the next ones who are missing and not asked about; returns how many. Again until it is zero."""
    said = or_(_Q.c.closed_at.is_(None), and_(_Q.c.batch_id == batch.id, _Q.c.answer.is_not(None)))
    asked = exists().where(_Q.c.beneficiary_id == _B.c.id, _Q.c.reason == ABSENT, said)
    ids = session.execute(select(_B.c.id).where(_missing(batch), ~asked).limit(SLICE)).scalars().all()
    now = now_of(session)
    if ids:
        rows = [_question(one, batch.id, ABSENT, None) | {"asked_at": now} for one in ids]
        session.execute(insert(_Q), rows)
    return len(ids)


def _question(about: str, batch: str, reason: str, other: str | None) -> dict[str, Any]:
    own = {"id": new_id(), "beneficiary_id": about, "batch_id": batch, "reason": reason, "other_id": other}
    return own | {"closed_at": None, "answer": None, "answered_by": ""}


def ask_elsewhere(session: Session, batch: LedgerBatch, pairs: Sequence[tuple[str, str]]) -> None:
    """Ask about people whose number stands in another county's ledger as well: (the new one, the one there)."""
    now = now_of(session)
    for about, other in pairs:
        row = _question(about, batch.id, ELSEWHERE, other) | {"asked_at": now}
        session.execute(insert_once(session, LedgerQuestion).values(**row))


def found_again(session: Session, people: Sequence[str]) -> None:
    """A ledger names these again: nobody need be asked whether they are still there."""
    what = and_(_Q.c.beneficiary_id.in_(list(people)), _Q.c.reason == ABSENT, _Q.c.closed_at.is_(None))
    session.execute(update(_Q).where(what).values(closed_at=now_of(session)))


def close(session: Session, person: str) -> None:
    """Nothing is open about this one any more: the ledger itself has said it."""
    open_one = and_(or_(_Q.c.beneficiary_id == person, _Q.c.other_id == person), _Q.c.closed_at.is_(None))
    session.execute(update(_Q).where(open_one).values(closed_at=now_of(session)))


def scopes(session: Session, viewer: str) -> list[str]:
    """The regions whose people the viewer answers for, as prefixes of county codes; MACHINE answers for all."""
    if viewer == MACHINE:
        return [""]
    return sorted({held.scope for held in role.grants(session, viewer) if held.scope_kind == "region"})


def _within(prefixes: list[str]) -> Any:
    return or_(false(), *(_B.c.county.startswith(prefix, autoescape=True) for prefix in prefixes))


def counties(session: Session, viewer: str) -> dict[str, int]:
    """How many stand in each county's ledger, of those that the viewer answers for."""
    query = (
        select(_B.c.county, func.count().label("people"))
        .where(_listed(""), _within(scopes(session, viewer)))
        .group_by(_B.c.county)
    )
    return {row.county: row.people for row in session.execute(query)}


def _open_of(session: Session, viewer: str) -> Any:
    return (
        select(LedgerQuestion, Beneficiary)
        .join(Beneficiary, col(Beneficiary.id) == LedgerQuestion.beneficiary_id)
        .where(col(LedgerQuestion.closed_at).is_(None), _within(scopes(session, viewer)))
        .order_by(col(LedgerQuestion.asked_at), _B.c.county, _B.c.town, col(LedgerQuestion.id))
    )


def open_questions(session: Session, viewer: str, limit: int = 500) -> list[Open]:
    """What is open about the people whom the viewer answers for, the oldest first."""
    return [_opened(session, *row) for row in session.execute(_open_of(session, viewer).limit(limit))]


def open_question(session: Session, viewer: str, question: str) -> Open | None:
    """One of them, if it is still open."""
    row = session.execute(_open_of(session, viewer).where(col(LedgerQuestion.id) == question)).first()
    return _opened(session, *row) if row is not None else None


def _opened(session: Session, question: LedgerQuestion, person: Beneficiary) -> Open:
    return Open(question, person, session.get(Beneficiary, question.other_id) if question.other_id else None)


def tell(session: Session, batch: LedgerBatch) -> int:
    """Tell whoever answers for the people of whom this import leaves something open; returns how many are told."""
    about = select(_B.c.county).join(_Q, _Q.c.beneficiary_id == _B.c.id).where(_Q.c.batch_id == batch.id)
    people = {
        person
        for county in session.execute(about.where(_Q.c.closed_at.is_(None)).distinct()).scalars()
        for person in answering(session, county)
    }
    for person in sorted(people):
        key = f"ledger:{batch.id}:{person}"
        enqueue(session, person, "notice.ledger", {"batch": batch.id}, unique_key=key, priority=REMINDER)
    return len(people)


def untold(session: Session) -> list[str]:
    """The keys under which somebody is still to be told of what an import left open: whoever has become responsible
    since. Each of them is told once of each import."""
    about = select(_Q.c.batch_id, _B.c.county).join(_B, _B.c.id == _Q.c.beneficiary_id)
    open_ones = session.execute(about.where(_Q.c.closed_at.is_(None)).distinct()).all()
    people = {row.county: role.responsible(session, row.county) for row in open_ones}
    keys = sorted({f"ledger:{row.batch_id}:{person}" for row in open_ones for person in people[row.county]})
    known: set[str] = set()
    for at in range(0, len(keys), SLICE):
        there = select(col(OutboxMessage.unique_key)).where(col(OutboxMessage.unique_key).in_(keys[at : at + SLICE]))
        known.update(session.execute(there).scalars())
    return [key for key in keys if key not in known]


def tell_untold(session: Session, keys: Sequence[str]) -> int:
    """Tell these; returns how many are told now."""
    told = 0
    for key in keys:
        _kind, batch, person = key.split(":")
        told += enqueue(session, person, "notice.ledger", {"batch": batch}, unique_key=key, priority=REMINDER)
    return told


def change(session: Session, row: Any, old: Record, new: Record) -> None:
    """Write what is known of a person now. Whoever has died or moved gets no message any more, from this moment on."""
    now = now_of(session)
    values = as_columns(vault_of(session), row.id, new) | {"changed_at": now}
    if new.status != old.status:
        values["status_since"] = now
        close(session, row.id)
        if new.status in GONE and row.person_id is not None:
            withdraw(session, row.person_id, why=f"ledger {new.status}")
        if new.status == DIED:
            _died_elsewhere(session, row, new)
    session.execute(update(_B).where(_B.c.id == row.id).values(**values))
    if new.status != old.status and new.status in GONE:
        served_gone.left(session, row.id)
    elif old.status in GONE and new.status != old.status:
        served_gone.back(session, row.id)


def _died_elsewhere(session: Session, row: Any, record: Record) -> None:
    """The same person stands in another county's ledger: messages end there, too, and that county is asked at once."""
    for other in by_id_number(session, record.id_number):
        if other.id == row.id or other.status != LISTED:
            continue
        if other.person_id is not None:
            withdraw(session, other.person_id, why="ledger died")
        served_gone.heard_dead(session, other.id)
        question = _question(other.id, other.batch_id, ELSEWHERE, row.id) | {"asked_at": now_of(session)}
        session.execute(insert_once(session, LedgerQuestion).values(**question))


def answer(session: Session, question_id: str, said: str, viewer: str) -> bool:
    """What somebody knows of the person: one of ANSWERS, which the ledger then says; False when it was answered
    already. Raises BeneficiaryError."""
    if said not in ANSWERS:
        raise ValueError(said)
    # First the person, then the question, as an import takes them.
    about = select(_Q.c.beneficiary_id).where(_Q.c.id == question_id).scalar_subquery()
    whom = select(Beneficiary).where(col(Beneficiary.id) == about).with_for_update()
    person = session.execute(whom.execution_options(populate_existing=True)).scalar_one_or_none()
    query = select(LedgerQuestion).where(col(LedgerQuestion.id) == question_id).with_for_update()
    question = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if person is None or question is None or question.closed_at is not None:
        return False
    if not may_see(session, viewer, person.county):
        raise BeneficiaryError("scope")
    question.closed_at, question.answer, question.answered_by = now_of(session), said, viewer
    session.add(question)
    session.flush()
    if said != HERE:
        old = record_of(vault_of(session), person)
        change(session, person, old, replace(old, status=said))  # type: ignore[arg-type]
    audit.note(session, viewer, "ledger.answered", person.id, reason=question.reason, answer=said)
    return True


def kinds(batch: str) -> Any:
    """How many rows of a batch are of each kind, as a statement."""
    done = or_(_R.c.done, _R.c.kind == REFUSED)
    return select(_R.c.kind, func.count().label("rows")).where(_R.c.batch_id == batch, done).group_by(_R.c.kind)
