"""Whom somebody answers for who is not registered: a guardian belongs to the county of the minor for whom they agreed,
and the family of somebody served, by its own phone, to theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from models.beneficiary import GONE, Beneficiary
from models.family_consent import FamilyDoor
from models.guardianship import Guardianship
from models.volunteer import DELETED, Volunteer

_SLICE = 200  # ids in one query


@dataclass(frozen=True, slots=True)
class Ward:
    """A minor for whom somebody agreed: the volunteer's number and county; or somebody served, without a number."""

    number: str
    county: str | None


def first_wards(session: Session, people: Iterable[str]) -> dict[str, Ward]:
    """For each of these people who agreed for a minor, and has not taken it back, the one they agreed for first; else
    the served person whose family they became first."""
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
    _add_families(session, [one for one in ids if one not in found], found)
    return found


def _add_families(session: Session, people: list[str], found: dict[str, Ward]) -> None:
    for start in range(0, len(people), _SLICE):
        query = (
            select(FamilyDoor.person_id, Beneficiary.county)
            .join(Beneficiary, col(Beneficiary.id) == FamilyDoor.beneficiary_id)
            .where(
                col(FamilyDoor.person_id).in_(people[start : start + _SLICE]),
                col(FamilyDoor.ended_at).is_(None),
                col(Beneficiary.status).not_in(GONE),
                col(Beneficiary.merged_into).is_(None),
            )
            .order_by(col(FamilyDoor.bound_at), col(FamilyDoor.id))
        )
        for relative, county in session.exec(query):
            if relative is not None:
                found.setdefault(relative, Ward("", county))


def first_ward(session: Session, person_id: str) -> Ward | None:
    """As `first_wards`, for one person."""
    return first_wards(session, [person_id]).get(person_id)
