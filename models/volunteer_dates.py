"""When a volunteer was trained, and until when a clearance for work with minors is good (programme §8).

A specialist or organiser of the volunteer's county writes it down, who saw the paper; nobody does so for oneself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlmodel import Session

from models import audit
from models.beneficiary import MACHINE
from models.guardian import may_record
from models.ids import new_id
from models.outbox import enqueue
from models.person import Person, local_now
from models.volunteer import Volunteer, counting

TRAINED, CLEARED = FIELDS = ("trained_on", "cleared_until")
OLDEST_TRAINING = 10  # years back
LONGEST_CLEARANCE = 5  # years ahead


class DatesError(Exception):
    """This date cannot stand; `reason`: "scope" — whoever acts does not answer for the volunteer; TRAINED — a training
    that lies ahead, or more than ten years back; CLEARED — a clearance that is over, or good for more than five years.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def may_note(session: Session, by: str, volunteer: Volunteer) -> bool:
    """Whether somebody (a person's id, or MACHINE) answers for the volunteer's county, and is not the volunteer."""
    return by == MACHINE or may_record(session, by, volunteer)


def note_dates(
    session: Session, by: str, volunteer_id: str, *, trained_on: date | None = None, cleared_until: date | None = None
) -> list[str]:
    """Keep one or both dates, and tell the volunteer; returns which of FIELDS have changed. Raises DatesError."""
    query = counting().where(Volunteer.id == volunteer_id).with_for_update(key_share=True)
    volunteer = session.exec(query.execution_options(populate_existing=True)).first()
    if volunteer is None or not may_note(session, by, volunteer):
        raise DatesError("scope")
    today = local_now(session, session.get_one(Person, volunteer.person_id)).date()
    if trained_on is not None and not _years_on(today, -OLDEST_TRAINING) <= trained_on <= today:
        raise DatesError(TRAINED)
    if cleared_until is not None and not today <= cleared_until <= _years_on(today, LONGEST_CLEARANCE):
        raise DatesError(CLEARED)
    given = {TRAINED: trained_on, CLEARED: cleared_until}
    changed = [field for field, day in given.items() if day is not None and getattr(volunteer, field) != day]
    for field in changed:
        day = given[field]
        setattr(volunteer, field, day)
        audit.note(session, by, f"volunteer.{field}", volunteer.id)
        params = {"volunteer": volunteer.id, "field": field, "day": str(day)}
        enqueue(
            session,
            volunteer.person_id,
            "notice.dates",
            params,
            unique_key=f"dates:{volunteer.id}:{field}:{day}:{new_id()}",
        )
    session.add(volunteer)
    session.flush()
    return changed


def put_dates_back(session: Session, by: str, person_id: str, dates: Mapping[str, date | None]) -> None:
    """What was written down by mistake goes, and what stood there before stands again, also if it has run out since;
    the volunteer is told. Raises DatesError("scope")."""
    query = counting().where(Volunteer.person_id == person_id).with_for_update(key_share=True)
    volunteer = session.exec(query.execution_options(populate_existing=True)).first()
    if volunteer is None or not may_note(session, by, volunteer):
        raise DatesError("scope")
    for field, day in dates.items():
        setattr(volunteer, field, day)
        audit.note(session, by, f"volunteer.{field}", volunteer.id, put_back=True)
        params = {"volunteer": volunteer.id, "field": field, "day": str(day) if day else ""}
        key = f"dates:{volunteer.id}:{field}:{day}:{new_id()}"
        enqueue(session, volunteer.person_id, "notice.dates", params, unique_key=key)
    session.add(volunteer)
    session.flush()


def _years_on(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
