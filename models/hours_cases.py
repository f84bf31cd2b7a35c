"""我的时长有误 (programme §7): what a volunteer says is wrong, and the answer, due within some working days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import false, or_
from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, role
from models.confirming import answers_for
from models.database import now_of
from models.ids import new_id
from models.one_human import accounts_of
from models.outbox import REMINDER, enqueue
from models.person import family, survivor
from models.record_rules import ServiceError
from models.sealed import seal, unseal
from models.served import answering
from models.service import HoursCase, ServiceRecord
from models.team import Team, memberships, specialists_of
from models.volunteer import volunteer_of
from models.workdays import workdays_after

CHINA = ZoneInfo("Asia/Shanghai")  # working days are China's, wherever the volunteer is
MAX_WORDS = 1_000
AT_ONCE = 5  # open cases of one person


def open_case(session: Session, person_id: str, words: str, record_id: str | None = None, month: str = "") -> HoursCase:
    """Something is wrong with a record, or with a month ("2026-10"), or with the hours as a whole. Whoever answers for
    the volunteer is told. Raises ServiceError: "gone", "scope" (not theirs, or no volunteer), "why" (no words), "state"
    (an open case about the same, or AT_ONCE of them)."""
    registered = volunteer_of(session, person_id)
    if registered is None or registered.county is None:
        raise ServiceError("scope")
    if not words.strip():
        raise ServiceError("why")
    record = session.get(ServiceRecord, record_id) if record_id is not None else None
    if record_id is not None and record is None:
        raise ServiceError("gone")
    accounts = family(session, person_id)
    if record is not None and record.person_id not in accounts:
        raise ServiceError("scope")
    standing = [one for one in cases_of(session, person_id) if one.state == "open"]
    if len(standing) >= AT_ONCE or any((one.record_id, one.month) == (record_id, month) for one in standing):
        raise ServiceError("state")
    team_id = record.team_id if record is not None else _team_of(session, person_id)
    row = HoursCase(
        id=new_id(),
        person_id=person_id,
        record_id=record_id,
        month=month,
        county=record.county if record is not None else registered.county,
        team_id=team_id,
        opened_at=now_of(session),
        due_on=workdays_after(today(session), rules().hours.answer_days),
    )
    row.said_sealed = seal(session, "hours_case.said_sealed", row.id, words[:MAX_WORDS])
    session.add(row)
    session.flush()
    audit.note(session, person_id, "hours_case.opened", row.id, record=record_id or "", month=month)
    for one in _answering(session, row):
        enqueue(session, one, "notice.hours_case", {"case": row.id}, unique_key=f"hours_case:{row.id}:{one}")
    return row


def _team_of(session: Session, person_id: str) -> str | None:
    held = memberships(session, person_id)
    return held[0].team_id if held else None


def today(session: Session) -> date:
    """The day in China, by which the deadline is counted."""
    return now_of(session).astimezone(CHINA).date()


def _answering(session: Session, case: HoursCase) -> list[str]:
    """Who is told of a case: the team's specialists, else who answers for the county; never the volunteer."""
    team = session.get(Team, case.team_id) if case.team_id is not None else None
    own = accounts_of(session, case.person_id)
    found = specialists_of(session, team) if team is not None and team.ended_at is None else []
    found = [one for one in found if one not in own and answers_for(session, one, case.county, case.team_id)]
    return found or [one for one in answering(session, case.county) if one not in own]


def cases_of(session: Session, person_id: str) -> list[HoursCase]:
    """A volunteer's cases, the newest first."""
    query = select(HoursCase).where(col(HoursCase.person_id).in_(family(session, person_id)))
    return list(session.exec(query.order_by(col(HoursCase.opened_at).desc(), HoursCase.id)))


def waiting_cases(session: Session, by: str, limit: int = 500) -> list[HoursCase]:
    """The open cases that `by` may answer, those due first in front."""
    held = role.grants(session, by)
    places: list[Any] = [col(HoursCase.county).startswith(one.scope) for one in held if one.scope_kind == "region"]
    teams = select(Team.id).where(col(Team.number).in_([one.scope for one in held if one.scope_kind == "team"]))
    query = select(HoursCase).where(
        HoursCase.state == "open",
        col(HoursCase.person_id).not_in(accounts_of(session, by)),
        or_(false(), *places, col(HoursCase.team_id).in_(teams)),
    )
    return list(
        session.exec(query.order_by(col(HoursCase.due_on), col(HoursCase.opened_at), HoursCase.id).limit(limit))
    )


def may_answer(session: Session, by: str, case: HoursCase) -> bool:
    """Whether `by` answers a case: they answer for the volunteer, and are somebody else."""
    owner = survivor(session, case.person_id).id
    return answers_for(session, by, case.county, case.team_id) is not None and accounts_of(session, by).isdisjoint(
        {case.person_id, owner}
    )


def answer(session: Session, by: str, case_id: str, words: str) -> HoursCase:
    """Answer a case; the volunteer is told. What is to be corrected is corrected before (models/confirming.py). Raises
    ServiceError: "gone", "scope", "self", "state", "why"."""
    row = _locked(session, case_id)
    if not accounts_of(session, by).isdisjoint({row.person_id, survivor(session, row.person_id).id}):
        raise ServiceError("self")
    if not may_answer(session, by, row):
        raise ServiceError("scope")
    if row.state != "open":
        raise ServiceError("state")
    if not words.strip():
        raise ServiceError("why")
    row.answer_sealed = seal(session, "hours_case.answer_sealed", row.id, words[:MAX_WORDS])
    _close(session, row, "answered", by)
    owner = survivor(session, row.person_id).id
    key = f"hours_case_answered:{row.id}"
    enqueue(session, owner, "notice.hours_case_answered", {"case": row.id}, unique_key=key)
    return row


def withdraw(session: Session, person_id: str, case_id: str) -> None:
    """It was right after all. Raises ServiceError: "gone", "scope", "state"."""
    row = _locked(session, case_id)
    if row.person_id not in family(session, person_id):
        raise ServiceError("scope")
    if row.state != "open":
        raise ServiceError("state")
    _close(session, row, "withdrawn", person_id)


def _locked(session: Session, case_id: str) -> HoursCase:
    query = select(HoursCase).where(HoursCase.id == case_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise ServiceError("gone")
    return row


def _close(session: Session, row: HoursCase, state: str, by: str) -> None:
    row.state, row.closed_at, row.closed_by = state, now_of(session), by
    session.add(row)
    session.flush()
    audit.note(session, by, f"hours_case.{state}", row.id)


def said(session: Session, case: HoursCase) -> str:
    """What the volunteer says; empty once deleted."""
    return unseal(session, "hours_case.said_sealed", case.id, case.said_sealed) or ""


def answer_of(session: Session, case: HoursCase) -> str:
    """The answer; empty without one."""
    return unseal(session, "hours_case.answer_sealed", case.id, case.answer_sealed) or ""


def late(session: Session) -> list[str]:
    """Open cases whose last day is over, and of which nobody has been told yet that they are late."""
    query = select(HoursCase.id).where(
        HoursCase.state == "open", col(HoursCase.due_on) < today(session), col(HoursCase.told_late).is_(False)
    )
    return list(session.exec(query.order_by(col(HoursCase.due_on), HoursCase.id)))


def tell_late(session: Session, among: Sequence[str]) -> int:
    """Tell the county's organisers of those of these that are `late`. Returns how many."""
    done = 0
    for case_id in among:
        row = _locked(session, case_id)
        if row.state != "open" or row.told_late or row.due_on >= today(session):
            continue
        row.told_late = True
        session.add(row)
        own = accounts_of(session, row.person_id)
        for one in _organisers(session, row.county):
            if one not in own:
                told = {"case": row.id}
                key = f"hours_case_late:{row.id}:{one}"
                enqueue(session, one, "notice.hours_case_late", told, unique_key=key, priority=REMINDER)
        audit.note(session, "programme", "hours_case.late", row.id)
        done += 1
    session.flush()
    return done


def _organisers(session: Session, county: str) -> list[str]:
    """The organisers nearest to a county; where there are none, whoever answers for it."""
    held = [one for one in role.organisers(session) if role.holds(session, one, "organiser", county)]
    scopes = {
        one: max(len(grant.scope) for grant in role.grants(session, one) if role.reaches(grant, county)) for one in held
    }
    nearest = max(scopes.values(), default=0)
    return sorted(one for one, length in scopes.items() if length == nearest) or answering(session, county)
