"""What becomes of service records when two accounts turn out to be one person and when they part again
(models/merging.py), and when somebody has their data deleted (models/erasure.py).

A record stays under the account that made it, and is found by `person.family`; what joins the accounts is the number by
which the database looks for overlaps. What was counted twice, or confirmed by the very person, does not go on counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from models import audit, hours_ledger
from models.database import now_of
from models.hours_ledger import MERGE, TOGETHER
from models.one_human import accounts_of
from models.person import Person, family
from models.record_rules import ServiceError, check_free, days_of, hold, is_over, number_of, reckon_caps, wait
from models.service import (
    ASKED,
    CONFIRMED,
    COUNTS,
    REFUSED,
    RUNNING,
    TOLD,
    VOID,
    WAITING,
    HoursCase,
    ServiceRecord,
)

REFUSED_TWICE = "service_twice"


def move(session: Session, from_person: str, to_person: str) -> dict[str, list[str]]:
    """Two people are one from now on. Of two records of the same time one counts: what is confirmed before what waits,
    what was checked in before what was told, the older one. What one confirmed for the other waits again, and so does
    what is above a day's or a week's most only now. Returns what gave way."""
    hold(session, (from_person, to_person))
    mine, theirs = family(session, from_person), family(session, to_person)
    hours_ledger.hold(session, {row.county for row in _records(session, [*mine, *theirs], (CONFIRMED,))})
    twice = _give_way(session, mine, theirs)
    for row in _records(session, mine, COUNTS):
        row.person_no = number_of(to_person)
        session.add(row)
    session.flush()
    _part_from_oneself(session, to_person, mine, theirs)
    _above_the_most(session, to_person, mine, [*theirs, *mine])
    return {REFUSED_TWICE: twice}


def _records(session: Session, accounts: Iterable[str], states: Sequence[str]) -> list[ServiceRecord]:
    query = select(ServiceRecord).where(
        col(ServiceRecord.person_id).in_(list(accounts)), col(ServiceRecord.state).in_(states)
    )
    query = query.order_by(col(ServiceRecord.starts_at), ServiceRecord.id)
    return list(session.exec(query.execution_options(populate_existing=True)))


def _give_way(session: Session, mine: Sequence[str], theirs: Sequence[str]) -> list[str]:
    strength = {CONFIRMED: 0, WAITING: 1, RUNNING: 2, ASKED: 3}
    rows = _records(session, [*mine, *theirs], COUNTS)
    rows.sort(key=lambda row: (strength[row.state], row.way == TOLD, row.made_at, row.id))
    stay: list[ServiceRecord] = []
    weaker: list[ServiceRecord] = []
    for row in rows:
        (weaker if any(_overlap(row, other) for other in stay) else stay).append(row)
    for row in weaker:
        if row.state == CONFIRMED:
            hours_ledger.counter(session, row, MERGE, "programme")
        if row.state in (RUNNING, ASKED):
            row.state = VOID
        else:
            row.state, row.decided_by, row.decided_why = REFUSED, "programme", "merged"
            row.decided_at, row.why_sealed, row.told_at, row.over_cap = now_of(session), None, None, False
        session.add(row)
        audit.note(session, "programme", "service.twice", row.id)
    session.flush()
    return [row.id for row in weaker if row.state == REFUSED]


def _overlap(one: ServiceRecord, other: ServiceRecord) -> bool:
    return (other.ends_at is None or one.starts_at < other.ends_at) and (
        one.ends_at is None or other.starts_at < one.ends_at
    )


def _part_from_oneself(session: Session, owner: str, mine: Sequence[str], theirs: Sequence[str]) -> None:
    """What somebody confirmed who is the very person waits for somebody else."""
    own = {*mine, *theirs, *accounts_of(session, owner)}
    for row in _records(session, [*mine, *theirs], (CONFIRMED,)):
        if row.decided_by in own:
            _again(session, row)


def _above_the_most(session: Session, owner: str, mine: Sequence[str], all_of_them: Sequence[str]) -> None:
    person = session.get_one(Person, owner)
    for row in _records(session, mine, (CONFIRMED,)):
        days = days_of(row, person)
        if not row.over_cap and is_over(session, all_of_them, days, but=row.id):
            _again(session, row)
            row.over_cap = True
            session.add(row)
    session.flush()


def _again(session: Session, row: ServiceRecord) -> None:
    hours_ledger.counter(session, row, TOGETHER, "programme")
    row.state, row.waiting_since = WAITING, now_of(session)
    row.decided_by, row.decided_at, row.decided_why, row.why_sealed, row.told_at = "", None, "", None, None
    session.add(row)
    session.flush()
    audit.note(session, "programme", "service.waits_again", row.id)


def move_back(session: Session, from_person: str, to_person: str, moved: dict[str, list[str]]) -> None:
    """Undo `move(session, from_person, to_person)`, which returned `moved`: what gave way waits to be confirmed, unless
    there is another record of that time by now."""
    hold(session, (from_person, to_person))
    mine = family(session, from_person)
    for row in _records(session, mine, COUNTS):
        row.person_no = number_of(from_person)
        session.add(row)
    session.flush()
    for row in session.exec(select(ServiceRecord).where(col(ServiceRecord.id).in_(moved.get(REFUSED_TWICE, [])))).all():
        if row.state == REFUSED and row.decided_why == "merged" and row.ends_at is not None:
            _apart(session, row, session.get_one(Person, from_person if row.person_id in mine else to_person))
    for one in (from_person, to_person):
        person = session.get_one(Person, one)
        waiting = _records(session, family(session, one), (WAITING,))
        reckon_caps(session, person, {day for row in waiting for day in days_of(row, person)})


def _apart(session: Session, row: ServiceRecord, owner: Person) -> None:
    try:
        check_free(session, owner.id, row.starts_at, row.ends_at, but=row.id)
    except ServiceError:
        return
    row.state, row.decided_by, row.decided_at, row.decided_why, row.told_at = WAITING, "", None, "", None
    row.person_no = number_of(owner.id)
    wait(session, row, owner)
    audit.note(session, "programme", "service.waits_again", row.id)


def leave(session: Session, accounts: Sequence[str]) -> None:
    """Somebody has their data deleted. The record that the law wants stays, under an id that leads to no account:
    when, what, how long, confirmed by whom, and its lines in the ledger. What was said in words goes, and what the
    family said; what had not ended is void, and open questions about hours are withdrawn."""
    for row in _records(session, accounts, (*COUNTS, REFUSED, VOID)):
        row.note_sealed = row.why_sealed = row.family_said = row.family_at = None
        if row.state in (RUNNING, ASKED):
            row.state = VOID
            audit.note(session, "programme", "service.void", row.id, was="deleted")
        session.add(row)
    for case in session.exec(select(HoursCase).where(col(HoursCase.person_id).in_(accounts))).all():
        case.said_sealed = case.answer_sealed = None
        if case.state == "open":
            case.state, case.closed_at, case.closed_by = "withdrawn", now_of(session), case.person_id
        session.add(case)
    session.flush()
