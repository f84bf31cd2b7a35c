"""What people do about a visit: book a time, move it, call it off, find nobody at home, excuse it (programme §6).

An obligation is closed by a report alone (models/visit_reporting.py), or excused by somebody who is named. Times are
programme time, UTC; days are those of China's zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from config.catalogue import rules
from models import audit, turn_acts, turns, visit_days, visit_ladder, visits_owed
from models.about import unsay
from models.database import now_of
from models.outbox import REMINDER, enqueue
from models.pairing import CO, LEAD, OPEN, SUBSTITUTE, Stint
from models.person import family
from models.sealed import seal
from models.served import decides, locked_stint, served_by, serves
from models.team import TeamMember
from models.turn import taking_turns
from models.visit import (
    CANCELLED,
    EXCUSED,
    LAPSED,
    MOVED,
    OWED,
    STANDING,
    VAIN,
    Booking,
    Visit,
    VisitNote,
)
from models.visit_reminders import KIND, MORNING, key

AHEAD_DAYS = 60  # a time can be booked so far ahead, or until the due day where that is later
APART = timedelta(minutes=60)  # nobody goes to two places within that
NOT_YET = timedelta(hours=1)  # so long before its time nobody can say that nobody was at home
LAPSE_DAYS = 3  # after the time that was booked: so long until the reminders go on
LATER_DAYS = 7  # of an overdue visit asking can be put off so far
WHYS = ("phoned", "family", "there", "health", "away")  # why somebody tells it for another, or excuses it
TOLD = "told"  # in words, which are kept sealed


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
    """The open leads whose visits somebody makes first of all: their own, of teams they lead, those in whose place
    they stand, and of their team where it is their turn; the oldest first."""
    own = family(session, person_id)
    in_place = select(Stint.follows_id).where(Stint.part == SUBSTITUTE, Stint.state == OPEN)
    mine = or_(served_by(own), col(Stint.id).in_(in_place.where(col(Stint.person_id).in_(own))))
    query = select(Stint).where(mine, Stint.state == OPEN, Stint.part == LEAD)
    found = list(session.exec(query.order_by(col(Stint.made_at), col(Stint.id))))
    known = {stint.id for stint in found}
    placed = [stint for stint in taking_turns(session, own) if stint.id not in known]
    turn = turns.turns_on(session, placed, turns.today(session))
    return [*found, *(stint for stint in placed if stint.id in turn and turn[stint.id].person_id in own)]


def gone_to(session: Session, person_id: str) -> list[Stint]:
    """The open leads of whose visits somebody may tell: `going`, and those that they visit in turn with others, or have
    booked a time for, though the turn is another one's by now."""
    found = {stint.id: stint for stint in going(session, person_id)}
    found |= {stint.id: stint for stint in taking_turns(session, family(session, person_id))}
    for row in bookings_of(session, person_id):
        found.setdefault(row.stint_id, session.get_one(Stint, row.stint_id))
    return [stint for stint in found.values() if stint.state == OPEN and may_go(session, stint, person_id)]


def lead_of(session: Session, stint_id: str) -> Stint | None:
    """The lead stint whose visits these are: of a substitute the one in whose place they stand."""
    stint = session.get(Stint, stint_id)
    if stint is not None and stint.part == SUBSTITUTE:
        stint = session.get(Stint, stint.follows_id or "")
    return stint


def locked_lead(session: Session, stint_id: str) -> Stint:
    """`lead_of`, locked with whom it serves. Raises VisitError."""
    lead = lead_of(session, stint_id)
    stint = locked_stint(session, lead.id) if lead is not None else None
    if stint is None or stint.part != LEAD:
        raise VisitError("gone")
    return stint


# --- a time ---


def book(session: Session, person_id: str, stint_id: str, at: datetime, visit_id: str | None = None) -> Booking:
    """Somebody goes then. For the obligation that is named, else for the first one that a visit at that time would
    close and for which nothing is booked, else beyond what is owed. Raises VisitError."""
    lead = locked_lead(session, stint_id)
    if lead.state != OPEN:
        raise VisitError("gone")
    if not may_go(session, lead, person_id):
        raise VisitError("scope")
    visit = _bookable(session, lead, at, visit_id)
    return _booked(session, lead, visit, person_id, at, person_id)


def _bookable(session: Session, lead: Stint, at: datetime, visit_id: str | None) -> Visit | None:
    day = visit_days.day_in_china(at)
    if visit_id is not None:
        visit = locked_visit(session, visit_id)
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
        unsay(session, turns.hearing(session, lead), [f"visit:{visit.id}:"], why="booked")
    session.flush()
    turn_acts.goes(session, lead.id, person_id)
    audit.note(session, by, "visit.booked", row.id, stint=lead.id)
    return row


def locked_visit(session: Session, visit_id: str) -> Visit:
    """The obligation, locked. Raises VisitError."""
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
    lead = locked_lead(session, about.stint_id)
    query = select(Booking).where(Booking.id == booking_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one()
    if row.person_id not in family(session, by) and not serves(session, lead, by) and not decides(session, by, lead):
        raise VisitError("scope")
    if row.state != STANDING:
        raise VisitError("gone")
    return row, lead


def end(session: Session, row: Booking, state: str, by: str) -> None:
    """The booking stands no more, and nobody is reminded of it."""
    row.state, row.ended_at, row.ended_by = state, now_of(session), by
    session.add(row)
    session.flush()
    unsay(session, [row.person_id], [f"booking:{row.id}:"], why=state)


def move(session: Session, by: str, booking_id: str, at: datetime) -> Booking:
    """To another time; returns the booking that follows it. Raises VisitError, and then the old one stands."""
    row, lead = _theirs(session, by, booking_id)
    visit = locked_visit(session, row.visit_id) if row.visit_id else None
    if visit is not None and visit.opens_on > visit_days.day_in_china(at):
        raise VisitError("early", visit.opens_on)
    with session.begin_nested():
        end(session, row, MOVED, by)
        return _booked(session, lead, visit if visit and visit.state == OWED else None, row.person_id, at, by)


def cancel(session: Session, by: str, booking_id: str) -> None:
    """Called off; the reminders of what is owed go on. Raises VisitError."""
    row, _lead = _theirs(session, by, booking_id)
    end(session, row, CANCELLED, by)
    _ask_from(session, row, 1)
    audit.note(session, by, "visit.called_off", row.id)


def nobody_home(session: Session, by: str, booking_id: str) -> Booking:
    """没人在家: recorded as such; a new time is asked for after some days (rules.toml, visits.vain_days). Raises
    VisitError ("future" — its time has not come)."""
    row, _lead = _theirs(session, by, booking_id)
    if row.at > now_of(session) + NOT_YET:
        raise VisitError("future")
    end(session, row, VAIN, by)
    _ask_from(session, row, rules().visits.vain_days, again=True)
    audit.note(session, by, "visit.vain", row.id)
    return row


def in_vain(session: Session, by: str, stint_id: str) -> Booking:
    """Somebody went without having booked a time, and nobody was at home. Raises VisitError."""
    lead = locked_lead(session, stint_id)
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
    """Bookings that nobody said anything about since their time was over, and those of members who left the team."""
    now = now_of(session)
    before = now - timedelta(days=LAPSE_DAYS)
    found = list(session.exec(select(Booking.id).where(Booking.state == STANDING, Booking.at < before)))
    belongs = and_(
        col(TeamMember.team_id) == Stint.team_id,
        col(TeamMember.person_id) == Booking.person_id,
        col(TeamMember.left_at).is_(None),
    )
    left = select(Booking, Stint).join(Stint, col(Stint.id) == Booking.stint_id)
    left = left.join(TeamMember, belongs, isouter=True).where(Booking.state == STANDING, Booking.at > now)
    rows = session.exec(left.where(Stint.state == OPEN, col(Stint.team_id).is_not(None), col(TeamMember.id).is_(None)))
    return found + [row.id for row, lead in rows.all() if not may_go(session, lead, row.person_id)]


def lapse(session: Session, among: Sequence[str]) -> int:
    """They stand no more, and the reminders of what is owed go on, to whose turn it is now; returns how many."""
    done = 0
    now = now_of(session)
    for row in session.exec(select(Booking).where(col(Booking.id).in_(among), Booking.state == STANDING)):
        ahead = row.at > now
        end(session, row, CANCELLED if ahead else LAPSED, "programme")
        _ask_from(session, row, 0, again=ahead)
        done += 1
    return done


# --- 晚点问我 ---


def ask_later(session: Session, by: str, visit_id: str, day: date) -> None:
    """Whoever serves wants to be asked again on that day, and not before. Of an overdue visit what others are told goes
    on. Raises VisitError ("day" — not so late: the error's `day` is the last one)."""
    visit = locked_visit(session, visit_id)
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


def why_code(why: str) -> str:
    """What of a reason may stand open in a row."""
    return why if why in ("", *WHYS) else TOLD


def excuse(session: Session, by: str, visit_id: str, why: str) -> None:
    """Whoever answers for it, and does not owe it themselves, says that it need not be made, and why: one of WHYS, or
    in words, which are kept sealed. Raises VisitError."""
    visit = locked_visit(session, visit_id)
    lead = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if not answers_for(session, by, visit) or (lead is not None and may_go(session, lead, by)):
        raise VisitError("scope")
    if visit.state != OWED:
        raise VisitError("closed")
    if not why.strip():
        raise VisitError("why")
    visit.state, visit.closed_at, visit.closed_by, visit.why = EXCUSED, now_of(session), by, why_code(why)
    if visit.why == TOLD:
        note = VisitNote(visit_id=visit.id, kind="why", by=by, at=now_of(session))
        note.said_sealed = seal(session, "visit_note.said_sealed", note.id, why)
        session.add(note)
    visit.next_on = None
    session.add(visit)
    booking = _standing_for(session, visit.id)
    if booking is not None:
        end(session, booking, CANCELLED, by)
    if lead is not None:
        unsay(session, turns.hearing(session, lead), [f"visit:{visit.id}:"], why="excused")
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
    visit = locked_visit(session, visit_id)
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
