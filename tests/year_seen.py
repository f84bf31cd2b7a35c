"""What must be true of a county's visits and hours at any moment (programme §6, §7)."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from sqlmodel import Session, col, select

from models import hours_ledger, visit_days, visit_ladder
from models.audit import AuditEntry
from models.beneficiary import GONE, Beneficiary
from models.database import now_of
from models.hours_ledger import Head
from models.pairing import LEAD, OPEN, Stint
from models.person import Person, family
from models.service import CONFIRMED, WAITING, HoursEntry, ServiceRecord
from models.visit import EXCUSED, MADE, OWED, STANDING, VOID, Booking, Visit, VisitPlan, VisitReport
from models.visit_reminders import KIND, told_by
from models.visits_owed import overdue_for
from tests.year_sending import Sending


def visits(session: Session, seen: Counter[str]) -> None:
    """Every obligation is owed in time, made, excused by somebody who is named, void since the person has gone, or
    overdue and on the list of somebody who is named."""
    today = visit_days.day_in_china(now_of(session))
    people = {one.id: one for one in session.exec(select(Beneficiary))}
    gone = {key for key, one in people.items() if one.status in GONE or one.merged_into is not None}
    stints = {one.id: one for one in session.exec(select(Stint))}
    reported = set(session.exec(select(VisitReport.visit_id)))
    persons = set(session.exec(select(Person.id)))
    lists: dict[str, set[str]] = {}
    rows = session.exec(select(Visit)).all()
    for row in rows:
        if row.state == MADE:
            seen["a visit counts as made and nobody reported it"] += row.id not in reported
        elif row.state == EXCUSED:
            seen["a visit is excused by nobody who is named"] += row.closed_by not in persons or not row.why
        elif row.state == VOID:
            seen["a visit is void though the person is there"] += row.beneficiary_id not in gone
        else:
            seen["a visit is owed to somebody who has gone"] += row.beneficiary_id in gone
            stint = stints.get(row.stint_id or "")
            seen["a visit is owed by an ended pairing"] += row.stint_id is not None and (
                stint is None or (stint.state, stint.part) != (OPEN, LEAD) or stint.beneficiary_id != row.beneficiary_id
            )
            seen["a step was left behind"] += row.next_on is not None and row.next_on <= today
            steps = visit_days.steps()
            seen["nothing follows though there are steps left"] += row.next_on is None and row.steps < steps
            if row.due_on < today:
                seen.update(_overdue(session, row, lists))
    planned(session, seen, rows, stints)
    standing = session.exec(select(Booking).where(Booking.state == STANDING)).all()
    open_rows = {row.id for row in rows if row.state == OWED}
    late = now_of(session) - timedelta(days=4)
    for booking in standing:
        seen["a booking stands for what is not owed"] += booking.visit_id is not None and (
            booking.visit_id not in open_rows
        )
        seen["a booking stands of an ended pairing"] += stints[booking.stint_id].state != OPEN
        seen["a booking stands long after its time"] += booking.at < late


def _overdue(session: Session, row: Visit, lists: dict[str, set[str]]) -> Counter[str]:
    """Somebody who is named has it on their list."""
    named = visit_ladder.told_at(session, row, visit_ladder.SPECIALIST)
    for one in named:
        if one not in lists:
            lists[one] = {visit.id for visit in overdue_for(session, one)}
    found: Counter[str] = Counter()
    found["an overdue visit has nobody who is named"] += not named
    found["an overdue visit is on nobody's list"] += bool(named) and not any(row.id in lists[one] for one in named)
    return found


def planned(session: Session, seen: Counter[str], rows: Any, stints: dict[str, Stint]) -> None:
    """One row for every open lead and half since it began, or since the programme asks for visits."""
    keys = Counter((row.beneficiary_id, row.year, row.half) for row in rows)
    seen["a half is owed twice"] += sum(number > 1 for number in keys.values())
    plans = sorted((one.year, one.half) for one in session.exec(select(VisitPlan)))
    today = visit_days.half_of(visit_days.day_in_china(now_of(session)))
    for stint in stints.values():
        if (stint.state, stint.part) != (OPEN, LEAD) or stint.opened_at is None or not plans:
            continue
        began = max(visit_days.half_of(visit_days.day_in_china(stint.opened_at)), visit_days.Half(*plans[0]))
        for half in visit_days.halves(began, today):
            seen["a pairing owes nothing for a half"] += (stint.beneficiary_id, half.year, half.half) not in keys


def messages(session: Session, sending: Sending, seen: Counter[str]) -> None:
    """No step is told twice, nor two things of one kind about one visit to one person on one day."""
    seen.update(sending.wrong)
    keys = Counter(one.key for one in sending.handed)
    seen["a message was handed over twice"] += sum(number > 1 for number in keys.values())
    days: Counter[tuple[str, str, str, date]] = Counter()
    for one in sending.handed:
        if one.kind in (KIND, "notice.visit_eve", "notice.visit_how"):
            about = told_by(one.key)[0] if one.kind == KIND else one.key.split(":")[1]
            days[one.kind, about, one.person_id, visit_days.day_in_china(one.at)] += 1
        elif one.kind in ("notice.todo", "notice.led_overdue"):
            days[one.kind, "", one.person_id, visit_days.day_in_china(one.at)] += 1
    for (kind, *_rest), number in days.items():
        seen[f"two of one kind on one day: {kind}"] += number > 1


def hours(session: Session, kept: list[Head], seen: Counter[str]) -> None:
    """The chain holds, sums are the records', nobody confirmed their own, and nothing that counts overlaps."""
    for county, broken in hours_ledger.audited(session, taken=kept):
        assert broken is None, (county, broken)
    records = session.exec(select(ServiceRecord)).all()
    for person in sorted({one.person_id for one in records}):
        mine = [one for one in records if one.person_id == person]
        counts = sum(one.minutes for one in mine if one.state == CONFIRMED)
        seen["somebody's sum is not what was confirmed"] += hours_ledger.minutes_of(session, person) != counts
        own = set(family(session, person))
        seen["somebody confirmed themselves"] += any(one.decided_by in own for one in mine)
        spans = sorted(
            (one.starts_at, one.ends_at) for one in mine if one.state in (CONFIRMED, WAITING) and one.ends_at
        )
        seen["what counts overlaps"] += any(a[1] > b[0] for a, b in pairwise(spans))
    lines = session.exec(select(HoursEntry)).all()
    owner = {one.id: one.person_id for one in records}
    seen["a line was made by whose it is"] += any(line.made_by == owner[line.record_id] for line in lines)


def climbed(session: Session, sending: Sending, seen: Counter[str]) -> None:
    """Of what has been overdue for long somebody at work was told since."""
    late = visit_days.day_in_china(now_of(session)) - timedelta(days=35)
    told: dict[str, list[date]] = {}
    for one in sending.handed:
        if one.kind in ("notice.todo", "notice.led_overdue"):
            told.setdefault(one.person_id, []).append(visit_days.day_in_china(one.at))
    for row in session.exec(select(Visit).where(Visit.state == OWED, col(Visit.due_on) < late)):
        named = {p for step in (1, 2, 3) for p in visit_ladder.told_at(session, row, step)}
        heard = any(on > row.due_on for one in named for on in told.get(one, ()))
        seen["long overdue, and nobody at work was told"] += not heard


HAPPENS = {
    "visit.booked",
    "visit.reported",
    "visit.held",
    "service.checked_in",
    "service.checked_out",
    "service.told",
    "service.confirmed",
    "service.refused",
    "service.corrected",
}
EVERYTHING = {
    "visit.vain",
    "visit.later",
    "visit.cannot",
    "visit.excused",
    "visit.called_off",
    "service.asked",
    "duty_leave.asked",
    "duty_leave.taken",
    "turn.done",
}


def happened(session: Session, sending: Sending, *, everything: bool) -> None:
    """Something came up: visits were made and missed, messages rested through the night."""
    done = set(session.exec(select(AuditEntry.action)))
    wanted = HAPPENS | (EVERYTHING if everything else set())
    assert done >= wanted, wanted - done
    states = Counter(session.exec(select(Visit.state)))
    assert states[MADE] and states[OWED] and sending.rested
    assert {one.kind for one in sending.handed} >= {KIND, "notice.visit_eve", "notice.visit_how", "notice.todo"}
