"""Whether two people are one human being: by the joins that were made, or by what both registered with."""

from __future__ import annotations

from datetime import date

from sqlalchemy import column, select, table
from sqlmodel import Session

from models.volunteer import find_by_phone, phone_of, volunteer_of

# models/account.py, which stands on the rules that ask here, has it in full.
_JOIN = table("person_join", column("gone"), column("stays"))


def accounts_of(session: Session, person_id: str) -> set[str]:
    """Every id under which this human being is or was here: joined accounts, also those that were parted since, and
    whoever registered with the same phone number and birth date. Nobody speaks for oneself by a second account."""
    known: set[str] = set()
    new = {person_id}
    while new:
        joined = {other for one in new for other in _ever_one_with(session, one)} - known
        known |= joined
        new = {other for one in sorted(joined) for other in _registered_alike(session, one)} - known
    return known


def _registered_alike(session: Session, person_id: str) -> set[str]:
    row = volunteer_of(session, person_id)
    phone = phone_of(session, row) if row is not None else ""
    if row is None or not phone:
        return set()
    return {other for other in find_by_phone(session, phone) if _born(session, other) == row.birth_date}


def _born(session: Session, person_id: str) -> date | None:
    row = volunteer_of(session, person_id)
    return row.birth_date if row is not None else None


def ever_one(session: Session, one: str, other: str) -> bool:
    """Whether these two are or were ever one person, also where they have been parted since."""
    return other in _ever_one_with(session, one)


def _ever_one_with(session: Session, one: str) -> set[str]:
    known, new = {one}, {one}
    while new:
        query = select(_JOIN.c.gone, _JOIN.c.stays).where(_JOIN.c.gone.in_(new) | _JOIN.c.stays.in_(new))
        new = {each for pair in session.execute(query) for each in pair} - known
        known |= new
    return known


def same_human(session: Session, one: str, other: str) -> bool:
    """Whether two registrations tell the same phone number and birth date; never by name alone (§9)."""
    first, second = volunteer_of(session, one), volunteer_of(session, other)
    if first is None or second is None:
        return False
    phone = phone_of(session, first)
    return bool(phone) and phone == phone_of(session, second) and first.birth_date == second.birth_date
