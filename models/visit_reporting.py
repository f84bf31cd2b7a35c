"""What is told of a visit afterwards, and what it closes (programme §6). Times are programme time, UTC."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, turn_acts, turns, visit_days, visits_owed
from models.about import unsay
from models.beneficiary import Beneficiary, may_see
from models.database import now_of
from models.pairing import ENDED, Stint
from models.person import family
from models.sealed import seal, unseal
from models.served import decides, servers
from models.service import COUNTS, ServiceRecord
from models.stints import keeping_of
from models.visit import (
    FACE_TO_FACE,
    FORMS,
    KEPT,
    MADE,
    NO_FACE,
    OWED,
    SAME_FORM,
    STANDING,
    Booking,
    Visit,
    VisitReport,
)
from models.visiting import TOLD, VisitError, answers_for, end, locked_lead, locked_visit, may_go, why_code

BACK_DAYS = 365  # a visit can be told of so long afterwards


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of a visit. `at` = when it was; `answers` = how the person is, what changed, a note, by key;
    `worrying` = something is for safeguarding; `why` = why somebody tells it for another, one of WHYS or words."""

    stint_id: str
    at: datetime
    form: str
    answers: dict[str, str] = field(default_factory=dict)
    worrying: bool = False
    visit_id: str | None = None
    booking_id: str | None = None
    record_id: str | None = None
    why: str = ""


def report(session: Session, by: str, told: Report) -> VisitReport:
    """Somebody was there. It closes the obligation that is named, else the oldest one that it fits, and is welcome
    beyond what is owed. What is known of a day of a pairing that has ended since counts, too. Whoever decides about the
    pairing may tell it for the volunteer, and says why. Raises VisitError."""
    lead = locked_lead(session, told.stint_id)
    own = may_go(session, lead, by) or (lead.person_id is not None and lead.person_id in family(session, by))
    if not own and not decides(session, by, lead):
        raise VisitError("scope")
    if not own and not told.why:
        raise VisitError("why")
    if told.form not in FORMS:
        raise VisitError("form")
    _check_time(session, lead, told.at)
    booking = _booking_of(session, lead, told)
    person = by if own else booking.person_id if booking is not None else (*servers(session, lead), by)[0]
    visit = _fits(session, lead, told)
    row = VisitReport(
        visit_id=visit.id if visit is not None else None,
        booking_id=booking.id if booking is not None else None,
        stint_id=lead.id,
        beneficiary_id=lead.beneficiary_id,
        institution_id=lead.institution_id,
        person_id=person,
        record_id=told.record_id or _record_of(session, lead, person, told.at),
        at=told.at.astimezone(UTC),
        form=told.form,
        worrying=told.worrying,
        told_by=by,
        told_at=now_of(session),
        why=why_code(told.why),
    )
    _seal_answers(session, row, told.answers, told.why)
    session.add(row)
    session.flush()
    if booking is not None:
        end(session, booking, KEPT, by)
    if visit is not None:
        _close(session, lead, visit, row)
    turn_acts.visited(session, lead.id, person, visit_days.day_in_china(row.at))
    audit.note(session, by, "visit.reported", row.id, closes=visit is not None, for_another=not own)
    return row


def _record_of(session: Session, lead: Stint, person: str, at: datetime) -> str | None:
    """The service record of that visit: of the same pairing, person and day in China; the newest one."""
    mine = (col(ServiceRecord.person_id).in_(family(session, person)), col(ServiceRecord.state).in_(COUNTS))
    about = ServiceRecord.beneficiary_id == lead.beneficiary_id
    if lead.institution_id is not None:
        about = ServiceRecord.institution_id == lead.institution_id
    near = (ServiceRecord.starts_at > at - timedelta(days=1), ServiceRecord.starts_at < at + timedelta(days=1))
    query = select(ServiceRecord).where(*mine, about, *near).order_by(col(ServiceRecord.starts_at).desc())
    day = visit_days.day_in_china(at)
    return next((one.id for one in session.exec(query) if visit_days.day_in_china(one.starts_at) == day), None)


def _seal_answers(session: Session, row: VisitReport, answers: dict[str, str], why: str) -> None:
    told = answers | ({"why": why} if why_code(why) == TOLD else {})
    words = json.dumps(told, ensure_ascii=False) if told else None
    row.answers_sealed = seal(session, "visit_report.answers_sealed", row.id, words)


def report_kept(session: Session, by: str, visit_id: str, at: datetime, form: str, why: str) -> VisitReport:
    """Somebody went while nobody was paired, says whoever answers for it, and why they say it. Raises VisitError."""
    visit = locked_visit(session, visit_id)
    kept = keeping_of(session, visit.beneficiary_id) if visit.beneficiary_id else None
    if (kept is None or kept.person_id not in family(session, by)) and not answers_for(session, by, visit):
        raise VisitError("scope")
    if visit.state != OWED or visit.stint_id is not None:
        raise VisitError("closed")
    if not why.strip():
        raise VisitError("why")
    if at > now_of(session) + timedelta(minutes=5):
        raise VisitError("future")
    if visit_days.day_in_china(at) < visit.opens_on:
        raise VisitError("early", visit.opens_on)
    row = VisitReport(
        visit_id=visit.id,
        beneficiary_id=visit.beneficiary_id,
        institution_id=visit.institution_id,
        person_id=by,
        at=at.astimezone(UTC),
        form=form,
        told_by=by,
        told_at=now_of(session),
        why=why_code(why),
    )
    _seal_answers(session, row, {}, why)
    session.add(row)
    session.flush()
    _close(session, None, visit, row)
    audit.note(session, by, "visit.reported", row.id, closes=True, for_another=True)
    return row


def link_alert(session: Session, report_id: str, alert_id: str) -> None:
    """What worried somebody on a visit has a record of its own."""
    row = session.get_one(VisitReport, report_id)
    row.alert_id = alert_id
    session.add(row)
    session.flush()


def _check_time(session: Session, lead: Stint, at: datetime) -> None:
    now = now_of(session)
    if at > now + timedelta(minutes=5):
        raise VisitError("future")
    opened = visit_days.day_in_china(lead.opened_at or lead.made_at)
    day = visit_days.day_in_china(at)
    over = lead.state == ENDED and lead.ended_at is not None and day > visit_days.day_in_china(lead.ended_at)
    if day < opened or over or day < visit_days.day_in_china(now) - timedelta(days=BACK_DAYS):
        raise VisitError("day", opened)


def _booking_of(session: Session, lead: Stint, told: Report) -> Booking | None:
    """The booking that is named, else the one of that day."""
    query = select(Booking).where(Booking.stint_id == lead.id, Booking.state == STANDING)
    rows = session.exec(query.order_by(col(Booking.at))).all()
    day = visit_days.day_in_china(told.at)
    return next((one for one in rows if told.booking_id == one.id), None) or next(
        (one for one in rows if visit_days.day_in_china(one.at) == day), None
    )


def _fits(session: Session, lead: Stint, told: Report) -> Visit | None:
    """What a visit on that day closes. One before it may be made at all, as after too few days, closes nothing."""
    mine = Visit.beneficiary_id == lead.beneficiary_id
    if lead.institution_id is not None:
        mine = Visit.institution_id == lead.institution_id
    day = visit_days.day_in_china(told.at)
    query = select(Visit).where(mine, Visit.state == OWED, Visit.opens_on <= day).with_for_update()
    rows = session.exec(query.order_by(col(Visit.year), col(Visit.half))).all()
    return next((one for one in rows if one.id == told.visit_id), None) or next(iter(rows), None)


def _close(session: Session, lead: Stint | None, visit: Visit, row: VisitReport) -> None:
    visit.state, visit.closed_at, visit.closed_by = MADE, now_of(session), row.told_by
    visit.made_on, visit.form, visit.why = visit_days.day_in_china(row.at), row.form, row.why
    visit.next_on = visit.quiet_until = visit.held_until = None
    visit.flags = sorted({*visit.flags, *_form_flags(session, visit)})
    session.add(visit)
    session.flush()
    if lead is not None:
        unsay(session, turns.hearing(session, lead), [f"visit:{visit.id}:"], why="made")
    visits_owed.space(session, visit)


def _form_flags(session: Session, visit: Visit) -> set[str]:
    """What of the year's forms does not fit: the same one twice, nobody met face to face. Told, never a lock."""
    mine = Visit.beneficiary_id == visit.beneficiary_id
    if visit.institution_id is not None:
        mine = Visit.institution_id == visit.institution_id
    query = select(Visit.form).where(mine, Visit.year == visit.year, Visit.state == MADE, Visit.id != visit.id)
    forms = [form for form in session.exec(query) if form]
    flags = {SAME_FORM} if visit.form in forms else set()
    faces = sum(form in FACE_TO_FACE for form in [*forms, visit.form])
    last = len(forms) + 1 >= rules().visits.a_year
    return flags | ({NO_FACE} if last and faces < rules().visits.face_to_face else set())


def newest_for(session: Session, viewer: str, beneficiary_id: str) -> VisitReport | None:
    """The newest report about somebody, for whoever answers for the county alone; None where there is none, or for
    anybody else. Nothing of what it says is unsealed."""
    somebody = session.get(Beneficiary, beneficiary_id)
    if somebody is None or not may_see(session, viewer, somebody.county):
        return None
    query = select(VisitReport).where(VisitReport.beneficiary_id == beneficiary_id)
    return session.exec(query.order_by(col(VisitReport.at).desc(), col(VisitReport.id).desc()).limit(1)).first()


def may_read(session: Session, viewer: str, report_id: str) -> bool:
    """Whether somebody answers for the county of whoever the report is about."""
    row = session.get(VisitReport, report_id)
    somebody = session.get(Beneficiary, row.beneficiary_id) if row is not None and row.beneficiary_id else None
    return somebody is not None and may_see(session, viewer, somebody.county)


def read(session: Session, viewer: str, report_id: str) -> tuple[VisitReport, dict[str, str]] | None:
    """What a report says, for whoever answers for the county alone, who is written down as having read it; None for
    anybody else."""
    if not may_read(session, viewer, report_id):
        return None
    row = session.get_one(VisitReport, report_id)
    audit.note(session, viewer, "visit_report.read", str(row.beneficiary_id), report=row.id)
    return row, answers_of(session, row)


def answers_of(session: Session, row: VisitReport) -> dict[str, str]:
    """What was told of a visit, by key."""
    words = unseal(session, "visit_report.answers_sealed", row.id, row.answers_sealed)
    return dict(json.loads(words)) if words else {}
