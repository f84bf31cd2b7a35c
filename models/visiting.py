"""What people do about a visit: book a time, move it, call it off, find nobody at home, report, excuse (programme §6).

An obligation is closed by a report alone, or excused by somebody who is named. Times are programme time, UTC; days are
those of China's zone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session, col, or_, select

from config.catalogue import rules
from models import audit, visit_days, visit_ladder, visits_owed
from models.about import unsay
from models.database import now_of
from models.outbox import REMINDER, enqueue
from models.pairing import CO, ENDED, LEAD, OPEN, SUBSTITUTE, Stint
from models.person import family
from models.sealed import seal, unseal
from models.served import decides, locked_stint, served_by, servers, serves
from models.stints import keeping_of
from models.team import TeamMember
from models.visit import (
    CANCELLED,
    EXCUSED,
    FACE_TO_FACE,
    FORMS,
    KEPT,
    LAPSED,
    MADE,
    MOVED,
    NO_FACE,
    OWED,
    SAME_FORM,
    STANDING,
    VAIN,
    Booking,
    Visit,
    VisitNote,
    VisitReport,
)
from models.visit_reminders import KIND, MORNING, key

AHEAD_DAYS = 60  # a time can be booked so far ahead, or until the due day where that is later
APART = timedelta(minutes=60)  # nobody goes to two places within that
NOT_YET = timedelta(hours=1)  # so long before its time nobody can say that nobody was at home
LAPSE_DAYS = 3  # after the time that was booked: so long until the reminders go on
LATER_DAYS = 7  # of an overdue visit asking can be put off so far
WHYS = ("phoned", "family", "there", "health", "away")  # why somebody tells it for another, or excuses it
TOLD = "told"  # in words, which are kept sealed
BACK_DAYS = 365  # a visit can be told of so long afterwards


class VisitError(Exception):
    """`reason`: "gone" — no such thing stands, or the pairing has ended; "scope" — not theirs; "past" — the time is
    over, "future" — it has not come; "far" — too far ahead; "day" — a day that cannot be; "early" — it may be made
    later only (`opens_on`); "booked" — a time is booked for it already; "taken" — the same person, or the same family,
    has something else then; "closed" — it is not owed any more; "form"; "why" — a reason is missing; "held" — it was
    taken in hand already, and nothing has happened since."""

    def __init__(self, reason: str, day: date | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.day = day


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


# --- who may ---


def may_go(session: Session, lead: Stint, person_id: str) -> bool:
    """Whether somebody may make the visits of a lead stint: whoever serves in it, who stands in or shares it, or
    belongs to its team (members take turns, programme §5)."""
    if serves(session, lead, person_id):
        return True
    own = family(session, person_id)
    stands_in = select(Stint.id).where(Stint.follows_id == lead.id, Stint.part == SUBSTITUTE, Stint.state == OPEN)
    if session.exec(stands_in.where(col(Stint.person_id).in_(own))).first() is not None:
        return True
    shares = select(Stint.id).where(Stint.beneficiary_id == lead.beneficiary_id, Stint.part == CO, Stint.state == OPEN)
    if lead.beneficiary_id and session.exec(shares.where(col(Stint.person_id).in_(own))).first() is not None:
        return True
    if lead.team_id is None:
        return False
    member = select(TeamMember.id).where(TeamMember.team_id == lead.team_id, col(TeamMember.left_at).is_(None))
    return session.exec(member.where(col(TeamMember.person_id).in_(own))).first() is not None


def going(session: Session, person_id: str) -> list[Stint]:
    """The open leads whose visits somebody makes first of all: their own, of teams they lead, and those in whose place
    they stand; the oldest first."""
    own = family(session, person_id)
    in_place = select(Stint.follows_id).where(Stint.part == SUBSTITUTE, Stint.state == OPEN)
    mine = or_(served_by(own), col(Stint.id).in_(in_place.where(col(Stint.person_id).in_(own))))
    query = select(Stint).where(mine, Stint.state == OPEN, Stint.part == LEAD)
    return list(session.exec(query.order_by(col(Stint.made_at), col(Stint.id))))


def lead_of(session: Session, stint_id: str) -> Stint | None:
    """The lead stint whose visits these are: of a substitute the one in whose place they stand."""
    stint = session.get(Stint, stint_id)
    if stint is not None and stint.part == SUBSTITUTE:
        stint = session.get(Stint, stint.follows_id or "")
    return stint


def _locked_lead(session: Session, stint_id: str) -> Stint:
    lead = lead_of(session, stint_id)
    stint = locked_stint(session, lead.id) if lead is not None else None
    if stint is None or stint.part != LEAD:
        raise VisitError("gone")
    return stint


# --- a time ---


def book(session: Session, person_id: str, stint_id: str, at: datetime, visit_id: str | None = None) -> Booking:
    """Somebody goes then. For the obligation that is named, else for the first one that a visit at that time would
    close and for which nothing is booked, else beyond what is owed. Raises VisitError."""
    lead = _locked_lead(session, stint_id)
    if lead.state != OPEN:
        raise VisitError("gone")
    if not may_go(session, lead, person_id):
        raise VisitError("scope")
    visit = _bookable(session, lead, at, visit_id)
    return _booked(session, lead, visit, person_id, at, person_id)


def _bookable(session: Session, lead: Stint, at: datetime, visit_id: str | None) -> Visit | None:
    day = visit_days.day_in_china(at)
    if visit_id is not None:
        visit = _locked_visit(session, visit_id)
        if visit.state != OWED or visit.stint_id != lead.id:
            raise VisitError("closed")
        if visit.opens_on > day:
            raise VisitError("early", visit.opens_on)
        if _standing_for(session, visit.id) is not None:
            raise VisitError("booked")
        return visit
    fit = [one for one in visits_owed.owed_of(session, [lead.id]) if one.opens_on <= day]
    return next((one for one in fit if _standing_for(session, one.id) is None), None)


def _booked(session: Session, lead: Stint, visit: Visit | None, person_id: str, at: datetime, by: str) -> Booking:
    now, today = now_of(session), visit_days.day_in_china(now_of(session))
    if at <= now:
        raise VisitError("past")
    last = today + timedelta(days=AHEAD_DAYS)
    if visit_days.day_in_china(at) > max(last, visit.due_on if visit is not None else last):
        raise VisitError("far", last)
    own = family(session, person_id)
    near = (Booking.state == STANDING, Booking.at > at - APART, Booking.at < at + APART)
    theirs = or_(col(Booking.person_id).in_(own), Booking.stint_id == lead.id)
    if session.exec(select(Booking.id).where(*near, theirs)).first() is not None:
        raise VisitError("taken")
    row = Booking(
        visit_id=visit.id if visit is not None else None,
        stint_id=lead.id,
        person_id=person_id,
        at=at.astimezone(UTC),
        made_by=by,
        made_at=now,
    )
    session.add(row)
    if visit is not None:
        after = visit_days.day_in_china(at) + timedelta(days=1)
        visit.next_on, visit.quiet_until = visit_days.not_before(visit.due_on, visit.steps, after), None
        session.add(visit)
        unsay(session, servers(session, lead), [f"visit:{visit.id}:"], why="booked")
    session.flush()
    audit.note(session, by, "visit.booked", row.id, stint=lead.id)
    return row


def _locked_visit(session: Session, visit_id: str) -> Visit:
    query = select(Visit).where(Visit.id == visit_id).with_for_update()
    visit = session.exec(query.execution_options(populate_existing=True)).first()
    if visit is None:
        raise VisitError("gone")
    return visit


def _standing_for(session: Session, visit_id: str) -> Booking | None:
    query = select(Booking).where(Booking.visit_id == visit_id, Booking.state == STANDING)
    return session.exec(query).first()


def _theirs(session: Session, by: str, booking_id: str) -> tuple[Booking, Stint]:
    """A booking that stands, for whoever goes, serves, or decides about the pairing. Raises VisitError."""
    about = session.get(Booking, booking_id)
    if about is None:
        raise VisitError("gone")
    lead = _locked_lead(session, about.stint_id)
    query = select(Booking).where(Booking.id == booking_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one()
    if row.person_id not in family(session, by) and not serves(session, lead, by) and not decides(session, by, lead):
        raise VisitError("scope")
    if row.state != STANDING:
        raise VisitError("gone")
    return row, lead


def _end(session: Session, row: Booking, state: str, by: str) -> None:
    row.state, row.ended_at, row.ended_by = state, now_of(session), by
    session.add(row)
    session.flush()
    unsay(session, [row.person_id], [f"booking:{row.id}:"], why=state)


def move(session: Session, by: str, booking_id: str, at: datetime) -> Booking:
    """To another time; returns the booking that follows it. Raises VisitError, and then the old one stands."""
    row, lead = _theirs(session, by, booking_id)
    visit = _locked_visit(session, row.visit_id) if row.visit_id else None
    if visit is not None and visit.opens_on > visit_days.day_in_china(at):
        raise VisitError("early", visit.opens_on)
    with session.begin_nested():
        _end(session, row, MOVED, by)
        return _booked(session, lead, visit if visit and visit.state == OWED else None, row.person_id, at, by)


def cancel(session: Session, by: str, booking_id: str) -> None:
    """Called off; the reminders of what is owed go on. Raises VisitError."""
    row, _lead = _theirs(session, by, booking_id)
    _end(session, row, CANCELLED, by)
    _ask_from(session, row, 1)
    audit.note(session, by, "visit.called_off", row.id)


def nobody_home(session: Session, by: str, booking_id: str) -> Booking:
    """没人在家: recorded as such; a new time is asked for after some days (rules.toml, visits.vain_days). Raises
    VisitError ("future" — its time has not come)."""
    row, _lead = _theirs(session, by, booking_id)
    if row.at > now_of(session) + NOT_YET:
        raise VisitError("future")
    _end(session, row, VAIN, by)
    _ask_from(session, row, rules().visits.vain_days, again=True)
    audit.note(session, by, "visit.vain", row.id)
    return row


def in_vain(session: Session, by: str, stint_id: str) -> Booking:
    """Somebody went without having booked a time, and nobody was at home. Raises VisitError."""
    lead = _locked_lead(session, stint_id)
    if lead.state != OPEN or not may_go(session, lead, by):
        raise VisitError("gone" if lead.state != OPEN else "scope")
    now = now_of(session)
    owed = [one for one in visits_owed.owed_of(session, [lead.id]) if one.opens_on <= visit_days.day_in_china(now)]
    visit = next(iter(owed), None)
    row = Booking(
        visit_id=visit.id if visit else None,
        stint_id=lead.id,
        person_id=by,
        at=now,
        state=VAIN,
        made_by=by,
        made_at=now,
        ended_at=now,
        ended_by=by,
    )
    session.add(row)
    session.flush()
    if visit is None or _standing_for(session, visit.id) is None:
        _ask_from(session, row, rules().visits.vain_days, again=True)
    audit.note(session, by, "visit.vain", row.id)
    return row


def _ask_from(session: Session, row: Booking, days: int, *, again: bool = False) -> None:
    """The obligation behind a booking is asked about in so many days at the earliest, `again` = then in any case."""
    visit = session.get(Visit, row.visit_id) if row.visit_id else None
    if visit is None or visit.state != OWED:
        return
    day = visit_days.day_in_china(now_of(session)) + timedelta(days=days)
    visit.next_on = visit_days.not_before(visit.due_on, visit.steps, day)
    if again and visit.steps <= visit_days.overdue_step():
        visit.next_on = day
    session.add(visit)
    session.flush()


def lapsed(session: Session) -> list[str]:
    """Bookings that nobody said anything about since their time was over."""
    before = now_of(session) - timedelta(days=LAPSE_DAYS)
    return list(session.exec(select(Booking.id).where(Booking.state == STANDING, Booking.at < before)))


def lapse(session: Session, among: Sequence[str]) -> int:
    """They stand no more, and the reminders of what is owed go on; returns how many."""
    done = 0
    for row in session.exec(select(Booking).where(col(Booking.id).in_(among), Booking.state == STANDING)):
        _end(session, row, LAPSED, "programme")
        _ask_from(session, row, 0)
        done += 1
    return done


# --- 晚点问我 ---


def ask_later(session: Session, by: str, visit_id: str, day: date) -> None:
    """Whoever serves wants to be asked again on that day, and not before. Of an overdue visit what others are told goes
    on. Raises VisitError ("day" — not so late: the error's `day` is the last one)."""
    visit = _locked_visit(session, visit_id)
    lead = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if lead is None or not may_go(session, lead, by):
        raise VisitError("scope")
    if visit.state != OWED:
        raise VisitError("closed")
    now = now_of(session)
    today = visit_days.day_in_china(now)
    last = max(visit.due_on, today + timedelta(days=LATER_DAYS))
    if not today < day <= last:
        raise VisitError("day", last)
    visit.quiet_until = day
    if visit.steps <= visit_days.overdue_step():
        visit.next_on = day
    else:
        due = datetime.combine(day, MORNING, visit_days.ZONE).astimezone(UTC)
        told = key(visit.id, f"again-{day.isoformat()}", by)
        enqueue(session, by, KIND, {"key": told}, unique_key=told, priority=REMINDER, due_at=due)
    session.add(visit)
    session.flush()
    audit.note(session, by, "visit.later", visit.id)


# --- afterwards ---


def report(session: Session, by: str, told: Report) -> VisitReport:
    """Somebody was there. It closes the obligation that is named, else the oldest one that it fits, and is welcome
    beyond what is owed. What is known of a day of a pairing that has ended since counts, too. Whoever decides about the
    pairing may tell it for the volunteer, and says why. Raises VisitError."""
    lead = _locked_lead(session, told.stint_id)
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
        record_id=told.record_id,
        at=told.at.astimezone(UTC),
        form=told.form,
        worrying=told.worrying,
        told_by=by,
        told_at=now_of(session),
        why=_code(told.why),
    )
    _seal_answers(session, row, told.answers, told.why)
    session.add(row)
    session.flush()
    if booking is not None:
        _end(session, booking, KEPT, by)
    if visit is not None:
        _close(session, lead, visit, row)
    audit.note(session, by, "visit.reported", row.id, closes=visit is not None, for_another=not own)
    return row


def _code(why: str) -> str:
    """What of a reason may stand open in a row."""
    return why if why in ("", *WHYS) else TOLD


def _seal_answers(session: Session, row: VisitReport, answers: dict[str, str], why: str) -> None:
    told = answers | ({"why": why} if _code(why) == TOLD else {})
    words = json.dumps(told, ensure_ascii=False) if told else None
    row.answers_sealed = seal(session, "visit_report.answers_sealed", row.id, words)


def report_kept(session: Session, by: str, visit_id: str, at: datetime, form: str, why: str) -> VisitReport:
    """Somebody went while nobody was paired, says whoever answers for it, and why they say it. Raises VisitError."""
    visit = _locked_visit(session, visit_id)
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
        why=_code(why),
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
        unsay(session, servers(session, lead), [f"visit:{visit.id}:"], why="made")
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


def excuse(session: Session, by: str, visit_id: str, why: str) -> None:
    """Whoever answers for it, and does not owe it themselves, says that it need not be made, and why: one of WHYS, or
    in words, which are kept sealed. Raises VisitError."""
    visit = _locked_visit(session, visit_id)
    lead = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if not answers_for(session, by, visit) or (lead is not None and may_go(session, lead, by)):
        raise VisitError("scope")
    if visit.state != OWED:
        raise VisitError("closed")
    if not why.strip():
        raise VisitError("why")
    visit.state, visit.closed_at, visit.closed_by, visit.why = EXCUSED, now_of(session), by, _code(why)
    if visit.why == TOLD:
        note = VisitNote(visit_id=visit.id, kind="why", by=by, at=now_of(session))
        note.said_sealed = seal(session, "visit_note.said_sealed", note.id, why)
        session.add(note)
    visit.next_on = None
    session.add(visit)
    booking = _standing_for(session, visit.id)
    if booking is not None:
        _end(session, booking, CANCELLED, by)
    if lead is not None:
        unsay(session, servers(session, lead), [f"visit:{visit.id}:"], why="excused")
    session.flush()
    audit.note(session, by, "visit.excused", visit.id)


def answers_for(session: Session, by: str, visit: Visit) -> bool:
    """Whether somebody answers for an obligation: they decide about the pairing, or are told of it when it is overdue
    (a team's leader, whoever stands in for somebody on leave)."""
    stint = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if stint is not None and decides(session, by, stint):
        return True
    own = set(family(session, by))
    return any(own.intersection(visit_ladder.told_at(session, visit, step)) for step in (1, 2, 3))


def hold(session: Session, by: str, visit_id: str) -> None:
    """收到，我来处理: nobody further up is told for some days (rules.toml, visits.held_days). Once between two steps.
    Raises VisitError."""
    visit = _locked_visit(session, visit_id)
    if not answers_for(session, by, visit):
        raise VisitError("scope")
    if visit.state != OWED:
        raise VisitError("closed")
    if visit.held_until is not None:
        raise VisitError("held", visit.held_until)
    until = visit_days.day_in_china(now_of(session)) + timedelta(days=rules().visits.held_days)
    visit.held_until, visit.held_by = until, by
    if visit.next_on is not None:
        visit.next_on = visit_days.not_before(visit.due_on, visit.steps, max(until, visit.next_on))
    session.add(visit)
    session.flush()
    audit.note(session, by, "visit.held", visit.id)


# --- reading ---


def owed_by(session: Session, person_id: str) -> list[Visit]:
    """What somebody owes, what is due first in front."""
    return visits_owed.owed_of(session, [one.id for one in going(session, person_id)])


def bookings_of(session: Session, person_id: str) -> list[Booking]:
    """The times that stand at which somebody goes, the next one first."""
    query = select(Booking).where(col(Booking.person_id).in_(family(session, person_id)), Booking.state == STANDING)
    return list(session.exec(query.order_by(col(Booking.at), col(Booking.id))))


def answers_of(session: Session, row: VisitReport) -> dict[str, str]:
    """What was told of a visit, by key."""
    words = unseal(session, "visit_report.answers_sealed", row.id, row.answers_sealed)
    return dict(json.loads(words)) if words else {}
