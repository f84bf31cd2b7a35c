"""What holds for every service record, whoever writes it: it lies in the past, overlaps with no other one of the same
person, and is looked at twice where a day or a week has too much (programme §7).

Whatever changes a person's records locks their registration first (`hold`), so of two acts at the same moment the
second one sees what the first one did. Ledgers are locked after that (hours_ledger.hold).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from config.catalogue import rules
from config.services import entries
from models import hours_ledger
from models.database import now_of
from models.hours_rules import by_day, minutes_between, monday_of, over_cap, weeks_of
from models.person import Person, family, survivor
from models.service import COUNTS, WAITING, ServiceRecord
from models.volunteer import Volunteer


class ServiceError(Exception):
    """The rules do not allow this. `reason`: "overlap" — another record of the same time; "future"; "too_old" — longer
    ago than can be told; "too_long"; "too_short" — nothing is left after rounding; "scope" — not theirs; "gone" — what
    it is about is not there, or was not theirs at that time; "self" — nobody decides about oneself, nor serves oneself;
    "minor" — too young to serve alone; "state" — it is not what it was; "running" — a service is under way; "nothing" —
    none is; "content" — no such content; "over" — above a day's or a week's most, which has to be approved by itself;
    "why" — a reason is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def number_of(person_id: str) -> int:
    """The number that stands for a person where the database looks for overlaps: 63 bits."""
    return int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:8]) >> 1


def hold(session: Session, people: Iterable[str]) -> None:
    """Keep the registrations of these people, all accounts of theirs, for this transaction; always in one order."""
    accounts = {account for one in people for account in family(session, one)}
    query = select(Volunteer).where(col(Volunteer.person_id).in_(accounts)).order_by(col(Volunteer.id))
    session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def locked(session: Session, record_id: str) -> tuple[ServiceRecord, Person]:
    """A record and whose it is today, both for this transaction. Raises ServiceError("gone")."""
    person_id = session.exec(select(ServiceRecord.person_id).where(ServiceRecord.id == record_id)).first()
    if person_id is None:
        raise ServiceError("gone")
    owner = survivor(session, person_id)
    hold(session, [owner.id])
    query = select(ServiceRecord).where(ServiceRecord.id == record_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one(), owner


def check_span(session: Session, starts: datetime, ends: datetime) -> None:
    """Raises ServiceError: "too_short", "future", "too_long"."""
    if ends > now_of(session):
        raise ServiceError("future")
    if minutes_between(starts, ends) <= 0:
        raise ServiceError("too_short")
    if ends - starts > timedelta(minutes=rules().hours.longest_minutes):
        raise ServiceError("too_long")


def check_content(content: str) -> None:
    """Raises ServiceError("content")."""
    if content not in entries("service"):
        raise ServiceError("content")


def overlapping(
    session: Session, person_id: str, starts: datetime, ends: datetime | None, but: str = ""
) -> list[ServiceRecord]:
    """The records of a person, of all accounts, that count and have a moment in common with this time, the first one in
    front; `ends` None = it is not over."""
    query = select(ServiceRecord).where(
        col(ServiceRecord.person_id).in_(family(session, person_id)),
        col(ServiceRecord.state).in_(COUNTS),
        ServiceRecord.id != but,
        or_(col(ServiceRecord.ends_at).is_(None), col(ServiceRecord.ends_at) > starts),
    )
    if ends is not None:
        query = query.where(col(ServiceRecord.starts_at) < ends)
    return list(session.exec(query.order_by(col(ServiceRecord.starts_at), ServiceRecord.id)))


def check_free(session: Session, person_id: str, starts: datetime, ends: datetime | None, but: str = "") -> None:
    """Raises ServiceError("overlap")."""
    if overlapping(session, person_id, starts, ends, but):
        raise ServiceError("overlap")


def days_of(record: ServiceRecord, owner: Person) -> dict[date, int]:
    """The minutes that a record with an end counts for, by day in its volunteer's zone."""
    return by_day(record.starts_at, record.ends_at, owner.zone) if record.ends_at is not None else {}


def is_over(session: Session, accounts: Sequence[str], days: dict[date, int], but: str) -> bool:
    """Whether these minutes, beside all that is confirmed but the record `but`, bring a day or a week above what counts
    without approval."""
    if not days:
        return False
    first, last = min(weeks_of(days)), max(weeks_of(days)) + timedelta(days=6)
    return over_cap(days, hours_ledger.by_days(session, accounts, first, last, but=but))


def reckon_caps(session: Session, owner: Person, days: Iterable[date]) -> None:
    """Say anew of every record that waits in the weeks of these days whether it needs approval: beside what is
    confirmed, and what waits and began before."""
    weeks = sorted({monday_of(day) for day in days})
    if not weeks:
        return
    first, last = weeks[0], weeks[-1] + timedelta(days=6)
    accounts = family(session, owner.id)
    counted = Counter(hours_ledger.by_days(session, accounts, monday_of(first), last + timedelta(days=7)))
    for row in _waiting(session, accounts, first, last):
        own = days_of(row, owner)
        over = over_cap(own, counted)
        counted.update(own)
        if row.over_cap != over:
            row.over_cap = over
            session.add(row)
    session.flush()


def _waiting(session: Session, accounts: Sequence[str], first: date, last: date) -> list[ServiceRecord]:
    # A day more on both sides: local days are up to fourteen hours away from those of UTC.
    since = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    until = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=2)
    query = select(ServiceRecord).where(
        col(ServiceRecord.person_id).in_(accounts),
        ServiceRecord.state == WAITING,
        col(ServiceRecord.starts_at) < until,
        col(ServiceRecord.ends_at) > since,
    )
    return list(session.exec(query.order_by(col(ServiceRecord.starts_at), ServiceRecord.id)))


def wait(session: Session, record: ServiceRecord, owner: Person) -> None:
    """A record whose times are known waits for somebody to confirm it. Raises ServiceError("overlap")."""
    if record.ends_at is None:
        raise ValueError("a record that waits has an end")
    check_free(session, owner.id, record.starts_at, record.ends_at, but=record.id)
    record.minutes = minutes_between(record.starts_at, record.ends_at)
    record.state, record.waiting_since = WAITING, now_of(session)
    session.add(record)
    session.flush()
    reckon_caps(session, owner, days_of(record, owner))
