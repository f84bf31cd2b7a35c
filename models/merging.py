"""What becomes of registrations, pairings and guardians' consents when two people turn out to be one, and when they
part."""

from __future__ import annotations

from sqlalchemy import or_
from sqlmodel import Session, col, select

from models import audit, guardianship, pairing_moves, sealed, serving_moves
from models.consent import Consent
from models.database import now_of
from models.guardianship import Guardianship
from models.person import Person, family, local_now
from models.volunteer import (
    ACTIVE,
    DELETED,
    OFFICIAL,
    PAUSED,
    PHONE,
    Volunteer,
    counting,
    needs_guardian,
    official_number_of,
    phone_of,
    set_official_number,
    set_phone,
    volunteer_of,
)


def move(session: Session, from_person: str, to_person: str) -> dict[str, list[str]]:
    """Two people are one: `from_person`'s registration becomes `to_person`'s. Returns what changed hands, by table.

    Where both are registered, the receiving one counts and the other is set aside, out of the phone index.
    """
    # First of all: whom they serve is locked before any registration, as everywhere.
    paired = pairing_moves.move(session, from_person, to_person)
    given = guardianship.move(session, from_person, to_person)
    served = serving_moves.move(session, from_person, to_person)
    registered = _move_registration(session, from_person, to_person)
    _end_own_consent(session, to_person, {*family(session, to_person), *family(session, from_person)})
    return paired | served | {"guardianship": given, "volunteer": registered}


def _move_registration(session: Session, from_person: str, to_person: str) -> list[str]:
    row = volunteer_of(session, from_person)
    kept = volunteer_of(session, to_person)
    if row is None:
        return []
    if kept is None:
        row.person_id, row.moved_from = to_person, from_person
    else:
        row.merged_into = kept.id
        sealed.index(session, PHONE, row.id, None)
        sealed.index(session, OFFICIAL, row.id, None)
    session.add(row)
    session.flush()
    audit.note(session, to_person, "volunteer.moved", row.id, set_aside=kept is not None)
    return [row.id] if kept is None else []


def _end_own_consent(session: Session, person_id: str, accounts: set[str]) -> None:
    """Among the `accounts` that are this person by now is the guardian's, or that of the specialist who recorded a
    consent on paper: it never came from a guardian, or nobody else ever saw it."""
    row = volunteer_of(session, person_id)
    if row is None:
        return
    own = select(Guardianship).where(
        Guardianship.volunteer_id == row.id,
        or_(col(Guardianship.guardian_person).in_(accounts), col(Guardianship.recorded_by).in_(accounts)),
        col(Guardianship.withdrawn_at).is_(None),
    )
    for held in session.exec(own).all():
        given = session.get_one(Consent, held.consent_id)
        held.withdrawn_at = given.withdrawn_at = now_of(session)
        session.add_all((held, given))
        audit.note(session, person_id, "guardian.own_door", row.id)
        if row.status == ACTIVE and _is_minor(session, row):
            row.status = PAUSED
            session.add(row)
    session.flush()


def _is_minor(session: Session, volunteer: Volunteer) -> bool:
    today = local_now(session, session.get_one(Person, volunteer.person_id)).date()
    born = volunteer.birth_date
    return born is not None and needs_guardian(born, volunteer.self_supporting, today)


def move_back(session: Session, from_person: str, to_person: str, taken: dict[str, list[str]]) -> None:
    """Undo `move(session, from_person, to_person)`, which returned `taken`."""
    pairing_moves.move_back(session, from_person, to_person, taken)
    serving_moves.move_back(session, from_person, to_person, taken)
    guardianship.move_back(session, from_person, to_person, taken.get("guardianship", []))
    moved = session.exec(
        counting().where(Volunteer.person_id == to_person, col(Volunteer.id).in_(taken.get("volunteer", [])))
    ).first()
    if moved is not None:
        moved.person_id, moved.moved_from = from_person, None
        session.add(moved)
    aside = session.exec(
        select(Volunteer).where(
            Volunteer.person_id == from_person,
            col(Volunteer.merged_into).is_not(None),
            Volunteer.status != DELETED,
        )
    ).first()
    if aside is not None and volunteer_of(session, from_person) is None:
        aside.merged_into = None
        set_phone(session, aside, phone_of(session, aside) or None)
        set_official_number(session, aside, official_number_of(session, aside))
    session.flush()
    row = moved or aside
    if row is not None:
        audit.note(session, from_person, "volunteer.moved_back", row.id)
