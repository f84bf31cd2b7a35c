"""Confirming service records (programme §7): a second person confirms, changes with a reason, or refuses.

Who: whoever answers for the volunteer's county, a specialist of their team, or the leader of the activity. What is
confirmed stands in the hours ledger; a change of that is a counter-entry and a new line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import false, func, or_
from sqlmodel import Session, col, select

from models import audit, hours_ledger, role
from models.activity import Activity
from models.database import now_of
from models.hours_ledger import CONFIRM, CORRECT, REFUSE
from models.hours_rules import by_day, minutes_between
from models.one_human import accounts_of
from models.person import Person, family, survivor
from models.record_rules import (
    ServiceError,
    check_content,
    check_free,
    check_span,
    days_of,
    hold,
    is_over,
    locked,
    reckon_caps,
)
from models.sealed import seal, unseal
from models.service import CONFIRMED, REFUSED, WAITING, ServiceRecord
from models.team import Team


def may_confirm(session: Session, by: str, record: ServiceRecord) -> bool:
    """Whether `by` decides about this record: they answer for its volunteer, and are somebody else."""
    return _answers(session, by, record) is not None and not _is_own(session, by, record)


def _is_own(session: Session, by: str, record: ServiceRecord) -> bool:
    return not accounts_of(session, by).isdisjoint({record.person_id, survivor(session, record.person_id).id})


def _answers(session: Session, by: str, record: ServiceRecord) -> str | None:
    """As whom: "county", "team" or "leader" (of the activity)."""
    return answers_for(session, by, record.county, record.team_id) or _leads(session, by, record.activity_id)


def answers_for(session: Session, by: str, county: str, team_id: str | None) -> str | None:
    """As whom somebody answers for the hours of a county's volunteer and of a team: "county" or "team"."""
    held = role.grants(session, by)
    if any(role.reaches(one, county) for one in held):
        return "county"
    team = session.get(Team, team_id) if team_id is not None else None
    if team is not None and any((one.scope_kind, one.scope) == ("team", team.number) for one in held):
        return "team"
    return None


def _leads(session: Session, by: str, activity_id: str | None) -> str | None:
    activity = session.get(Activity, activity_id) if activity_id is not None else None
    return "leader" if activity is not None and activity.leader_id in family(session, by) else None


def confirm(session: Session, by: str, record_id: str, *, over: bool = False) -> ServiceRecord:
    """It counts. `over` = also where it brings a day or a week above the most, which whoever merely leads the activity
    cannot say. Raises ServiceError: "gone", "self", "scope", "state", "over"."""
    row, owner, days = _confirm(session, by, record_id, accounts_of(session, by), over=over)
    reckon_caps(session, owner, days)
    return row


def _confirm(
    session: Session, by: str, record_id: str, own: set[str], *, over: bool = False
) -> tuple[ServiceRecord, Person, dict[date, int]]:
    row, owner = _to_decide(session, by, record_id, (WAITING,), own)
    days = days_of(row, owner)
    row.over_cap = _approved(session, by, row, owner, days, over=over)
    _count(session, by, row, days, CONFIRM)
    audit.note(session, by, "service.confirmed", row.id, minutes=row.minutes, over=row.over_cap)
    return row, owner, days


def confirm_many(session: Session, by: str, records: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Confirm these; returns which were, and of the others why not, as ServiceError's `reason`. Nothing above a most is
    confirmed this way: each of those is to be looked at."""
    known = select(ServiceRecord.person_id, ServiceRecord.county).where(col(ServiceRecord.id).in_(records))
    rows = session.exec(known.distinct()).all()
    hold(session, {survivor(session, person).id for person, _county in rows})
    hours_ledger.hold(session, {county for _person, county in rows})
    done: list[str] = []
    left: dict[str, str] = {}
    own = accounts_of(session, by)
    changed: dict[str, tuple[Person, set[date]]] = {}
    for record_id in dict.fromkeys(records):
        try:
            row, owner, days = _confirm(session, by, record_id, own)
        except ServiceError as error:
            left[record_id] = error.reason
            continue
        done.append(row.id)
        changed.setdefault(owner.id, (owner, set()))[1].update(days)
    for owner, touched in changed.values():
        reckon_caps(session, owner, touched)
    return done, left


def correct(
    session: Session,
    by: str,
    record_id: str,
    starts_at: datetime,
    ends_at: datetime,
    content: str,
    why: str,
    *,
    over: bool = False,
) -> ServiceRecord:
    """It counts, with these times and this content; `why` in words is told to the volunteer. What counted before is
    countered; what was refused counts now. Raises ServiceError: "gone", "self", "scope", "state", "why", "content",
    "future", "too_short", "too_long", "overlap", "over"."""
    row, owner = _to_decide(session, by, record_id, (WAITING, CONFIRMED, REFUSED))
    _check_why(why)
    check_content(content)
    check_span(session, starts_at, ends_at)
    check_free(session, owner.id, starts_at, ends_at, but=row.id)
    days = by_day(starts_at, ends_at, owner.zone)
    is_approved = _approved(session, by, row, owner, days, over=over)
    old, was_counted = days_of(row, owner), row.state == CONFIRMED
    if row.first_told is None and (row.starts_at, row.ends_at, row.content) != (starts_at, ends_at, content):
        row.first_told = {
            "starts_at": row.starts_at.isoformat(),
            "ends_at": row.ends_at.isoformat() if row.ends_at is not None else "",
            "content": row.content,
        }
    if was_counted:
        hours_ledger.counter(session, row, CORRECT, by)
    row.starts_at, row.ends_at, row.content = starts_at, ends_at, content
    row.minutes, row.end_assumed, row.over_cap = minutes_between(starts_at, ends_at), False, is_approved
    _count(session, by, row, days, CORRECT if was_counted else CONFIRM, why)
    reckon_caps(session, owner, {*old, *days})
    audit.note(session, by, "service.corrected", row.id, minutes=row.minutes, over=row.over_cap)
    return row


def refuse(session: Session, by: str, record_id: str, why: str) -> ServiceRecord:
    """It does not count; `why` in words is told to the volunteer. What counted before is countered. Raises
    ServiceError: "gone", "self", "scope", "state", "why"."""
    row, owner = _to_decide(session, by, record_id, (WAITING, CONFIRMED))
    _check_why(why)
    if row.state == CONFIRMED:
        hours_ledger.counter(session, row, REFUSE, by)
    row.state, row.over_cap = REFUSED, False
    _decided(session, by, row, why)
    reckon_caps(session, owner, days_of(row, owner))
    audit.note(session, by, "service.refused", row.id)
    return row


def reason_of(session: Session, record: ServiceRecord) -> str:
    """Why somebody refused or changed it, in their words; empty where none were said."""
    return unseal(session, "service_record.why_sealed", record.id, record.why_sealed) or ""


def _to_decide(
    session: Session, by: str, record_id: str, states: tuple[str, ...], own: set[str] | None = None
) -> tuple[ServiceRecord, Person]:
    row, owner = locked(session, record_id)
    if not (own or accounts_of(session, by)).isdisjoint({row.person_id, owner.id}):
        raise ServiceError("self")
    if _answers(session, by, row) is None:
        raise ServiceError("scope")
    if row.state not in states:
        raise ServiceError("state")
    return row, owner


def _check_why(why: str) -> None:
    if not why.strip():
        raise ServiceError("why")


def _approved(
    session: Session, by: str, row: ServiceRecord, owner: Person, days: dict[date, int], *, over: bool
) -> bool:
    """Whether these minutes are above a most, and approved so. Raises ServiceError("over"); nothing is changed then."""
    if not is_over(session, family(session, owner.id), days, but=row.id):
        return False
    if not over or _answers(session, by, row) == "leader":
        raise ServiceError("over")
    return True


def _count(session: Session, by: str, row: ServiceRecord, days: dict[date, int], what: str, why: str = "") -> None:
    row.state = CONFIRMED
    _decided(session, by, row, why)
    hours_ledger.append(session, row, days, what, by)


def _decided(session: Session, by: str, row: ServiceRecord, why: str) -> None:
    row.decided_by, row.decided_at, row.told_at = by, now_of(session), None
    row.decided_why = "said" if why else ""
    row.why_sealed = seal(session, "service_record.why_sealed", row.id, why) if why else None
    session.add(row)
    session.flush()


# What waits for somebody


def waiting_for(session: Session, by: str, limit: int = 500) -> list[ServiceRecord]:
    """What waits for `by` to confirm it, the oldest first."""
    return unconfirmed_since(session, by, 0, limit)


def unconfirmed_since(session: Session, by: str, hours: int, limit: int = 500) -> list[ServiceRecord]:
    """What has waited for `by` for so many hours at least, the oldest first."""
    query = select(ServiceRecord).where(*_waits_for(session, by, hours))
    return list(session.exec(query.order_by(col(ServiceRecord.waiting_since), ServiceRecord.id).limit(limit)))


def count_waiting(session: Session, by: str, hours: int = 0) -> int:
    """How many of these there are, however many."""
    return int(session.exec(select(func.count(col(ServiceRecord.id))).where(*_waits_for(session, by, hours))).one())


def _waits_for(session: Session, by: str, hours: int) -> tuple[Any, ...]:
    return (
        ServiceRecord.state == WAITING,
        col(ServiceRecord.waiting_since) <= now_of(session) - timedelta(hours=hours),
        col(ServiceRecord.person_id).not_in(accounts_of(session, by)),
        or_(false(), *_reach(session, by)),
    )


def _reach(session: Session, by: str) -> list[Any]:
    held = role.grants(session, by)
    places = [col(ServiceRecord.county).startswith(one.scope) for one in held if one.scope_kind == "region"]
    numbers = [one.scope for one in held if one.scope_kind == "team"]
    teams = select(Team.id).where(col(Team.number).in_(numbers))
    led = select(Activity.id).where(col(Activity.leader_id).in_(family(session, by)))
    return [*places, col(ServiceRecord.team_id).in_(teams), col(ServiceRecord.activity_id).in_(led)]
