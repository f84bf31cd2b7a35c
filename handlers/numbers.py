"""The numbers to call, for one person: those of the place where they live come first.

What is said before the database was asked (handlers/emergency.py) knows no place.
"""

from __future__ import annotations

from sqlmodel import Session

from handlers.emergency import emergency_text
from models.person import Person
from models.volunteer import volunteer_of


def numbers_to_call(session: Session, person: Person) -> str:
    """The emergency text for this person."""
    registered = volunteer_of(session, person.id)
    return emergency_text(registered.county or "" if registered else "")
