"""一户不落 as a one-time page: the same list with names, on which no address, phone, disability or number stands."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config import regions
from handlers import household_words
from models import household, households, ledger_questions
from models.beneficiary import names_of
from models.household import Household
from models.households import STATES, Wanted
from models.page import OpenPage
from models.person import Person

MOST = 2_000  # people on one page


@dataclass(frozen=True, slots=True)
class Row:
    """One person. `contact` and `due` are what it is and its day."""

    name: str
    town: str
    who: str
    notes: tuple[str, ...]
    contact: tuple[str, str]
    agreed: str
    due: tuple[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """The people of one state, under its name."""

    key: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page. `left_out` = how many more there are than it takes."""

    place: str
    total: int
    left_out: int
    groups: tuple[Group, ...]


def sheet(session: Session, page: OpenPage, *, reading: bool) -> Sheet | None:
    """What a page shows to whoever it was made for; None once they answer for nobody there. `reading` = it is shown
    now, and each minor whose name stands on it leaves a line in the audit trail."""
    viewer, chosen = page.person_id, Wanted(**page.facts["households"])
    if not ledger_questions.scopes(session, viewer) or not regions.leaf(chosen.region):
        return None
    place = regions.place_name(chosen.region)
    keys = households.keys(session, viewer, chosen)
    if not keys and not _theirs(session, viewer, chosen.region):
        return None
    if not reading:
        return Sheet(place, len(keys), 0, ())
    lines = household.of(session, viewer, keys[:MOST])
    names = names_of(session, [line.id for line in lines], viewer, why="household page")
    zone = session.get_one(Person, viewer).zone
    groups = [
        Group(state, household_words.state(state), tuple(_row(line, names[line.id], viewer, zone) for line in of_state))
        for state in STATES
        if (of_state := [line for line in lines if line.state == state])
    ]
    return Sheet(place, len(keys), max(0, len(keys) - MOST), tuple(groups))


def _theirs(session: Session, viewer: str, county: str) -> bool:
    return any(regions.within(county, scope) for scope in ledger_questions.scopes(session, viewer))


def _row(line: Household, name: str, viewer: str, zone: str) -> Row:
    return Row(
        name=name,
        town=line.town or "",
        who=household_words.who(line, viewer),
        notes=tuple(household_words.warnings(line)),
        contact=household_words.contact_parts(line, zone),
        agreed=household_words.agreed(line),
        due=household_words.due_parts(line, zone),
        why=household_words.waiting(line, zone),
    )
