"""A forgotten check-out (programme §7): at the planned end whoever serves is asked when it ended, and after some days
without an answer the record goes to whoever confirms it, marked as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit
from models.database import now_of
from models.hours_rules import minutes_between
from models.outbox import REMINDER, enqueue
from models.person import Person
from models.record_rules import ServiceError, check_free, check_span, locked, wait
from models.service import ASKED, RUNNING, VOID, ServiceRecord

UNANSWERED = timedelta(days=2)  # so long the question waits for an answer
AT_MOST = 5_000  # found in one look; the next one finds the rest


def overdue(session: Session) -> list[str]:
    """What is under way past its planned end."""
    query = select(ServiceRecord.id).where(
        ServiceRecord.state == RUNNING, col(ServiceRecord.planned_end) <= now_of(session)
    )
    return list(session.exec(query.order_by(col(ServiceRecord.planned_end), ServiceRecord.id).limit(AT_MOST)))


def ask(session: Session, among: Sequence[str]) -> int:
    """Ask whose these are when it ended, of those that still are `overdue`; until they say so it ended as planned.
    Returns how many."""
    done = 0
    for record_id in among:
        row, owner = locked(session, record_id)
        if row.state != RUNNING or row.planned_end is None or row.planned_end > now_of(session):
            continue
        row.state, row.ends_at, row.asked_at = ASKED, row.planned_end, now_of(session)
        session.add(row)
        session.flush()
        audit.note(session, "programme", "service.asked", row.id)
        key = f"check_out_asked:{row.id}:{row.planned_end:%Y%m%d%H%M}"
        told = {"record": row.id, "planned": row.planned_end.isoformat()}
        enqueue(session, owner.id, "notice.check_out_asked", told, unique_key=key, priority=REMINDER)
        done += 1
    return done


def settle(session: Session, person_id: str, record_id: str, at: datetime) -> ServiceRecord:
    """What is under way, or was asked about, ended `at`, and waits for somebody to confirm it. Raises ServiceError:
    "gone", "scope", "state", "future", "too_short", "too_long", "overlap"; it then stays as it was."""
    row, owner = _mine(session, person_id, record_id)
    check_span(session, row.starts_at, at)
    check_free(session, person_id, row.starts_at, at, but=row.id)
    row.ends_at = at
    wait(session, row, owner)
    audit.note(session, person_id, "service.checked_out", row.id, minutes=row.minutes)
    return row


def go_on(session: Session, person_id: str, record_id: str, until: datetime) -> ServiceRecord:
    """It is not over: it is under way again until then. Raises ServiceError: "gone", "scope", "state", "overlap" (with
    what began meanwhile), "too_short" where `until` is over, "too_long"."""
    row, _owner = _mine(session, person_id, record_id)
    if until <= now_of(session):
        raise ServiceError("too_short")
    if until - row.starts_at > timedelta(minutes=rules().hours.longest_minutes):
        raise ServiceError("too_long")
    check_free(session, person_id, row.starts_at, None, but=row.id)
    row.state, row.ends_at, row.planned_end, row.asked_at = RUNNING, None, until, None
    session.add(row)
    session.flush()
    audit.note(session, person_id, "service.goes_on", row.id)
    return row


def _mine(session: Session, person_id: str, record_id: str) -> tuple[ServiceRecord, Person]:
    row, owner = locked(session, record_id)
    if owner.id != person_id:
        raise ServiceError("scope")
    if row.state not in (RUNNING, ASKED):
        raise ServiceError("state")
    return row, owner


def unanswered(session: Session) -> list[str]:
    """What was asked about and got no answer within UNANSWERED."""
    query = select(ServiceRecord.id).where(
        ServiceRecord.state == ASKED, col(ServiceRecord.asked_at) <= now_of(session) - UNANSWERED
    )
    return list(session.exec(query.order_by(col(ServiceRecord.asked_at), ServiceRecord.id).limit(AT_MOST)))


def pass_on(session: Session, among: Sequence[str]) -> int:
    """Those of these that still are `unanswered` go to whoever confirms them, as they are and marked. What would count
    for nothing, having been planned for less than half an hour, is void. Returns how many."""
    done = 0
    for record_id in among:
        row, owner = locked(session, record_id)
        if row.state != ASKED or row.asked_at is None or row.asked_at > now_of(session) - UNANSWERED:
            continue
        row.end_assumed = True
        if row.ends_at is None or minutes_between(row.starts_at, row.ends_at) == 0:
            row.state = VOID
            session.add(row)
        else:
            wait(session, row, owner)
        session.flush()
        audit.note(session, "programme", "service.passed_on", row.id, minutes=row.minutes)
        done += 1
    return done
