"""Whom a guardian answers for: who is not registered, but agreed for a minor, belongs to the minor's county."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from models.guardianship import Guardianship
from models.volunteer import DELETED, Volunteer

_SLICE = 200  # ids in one query


@dataclass(frozen=True, slots=True)
class Ward:
    """A minor for whom somebody agreed: the volunteer's number and county."""

    number: str
    county: str | None


def first_wards(session: Session, people: Iterable[str]) -> dict[str, Ward]:
    """For each of these people who agreed for a minor, and has not taken it back, the one they agreed for first."""
    found: dict[str, Ward] = {}
    ids = sorted(set(people))
    for start in range(0, len(ids), _SLICE):
        query = (
            select(Guardianship.guardian_person, Volunteer.number, Volunteer.county)
            .join(Volunteer, col(Volunteer.id) == Guardianship.volunteer_id)
            .where(
                col(Guardianship.guardian_person).in_(ids[start : start + _SLICE]),
                col(Guardianship.withdrawn_at).is_(None),
                Volunteer.status != DELETED,
                col(Volunteer.merged_into).is_(None),
            )
            .order_by(col(Guardianship.given_at), col(Guardianship.id))
        )
        for guardian, number, county in session.exec(query):
            if guardian is not None:
                found.setdefault(guardian, Ward(number, county))
    return found


def first_ward(session: Session, person_id: str) -> Ward | None:
    """As `first_wards`, for one person."""
    return first_wards(session, [person_id]).get(person_id)
