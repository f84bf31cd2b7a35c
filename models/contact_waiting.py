"""Which messages wait for whose answer: read at once for however many there are."""

from __future__ import annotations

from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from models.contact import ContactMessage, everybody, is_late, reachable_grants, steps, unanswered
from models.contact_routes import Firsts, receivers
from models.role import grants, reaches
from models.standing_in import Duty
from models.volunteer import counting
from models.wards import Ward, first_wards


def waiting_for(session: Session, person_id: str) -> list[str]:
    """The ids of the messages that wait for this person's answer, the oldest first: those that
    `models.contact.receivers_of` names them for."""
    mine = [held for held in grants(session, person_id) if held.scope_kind in ("region", "team")]
    if not mine:
        return []
    message, counties = ContactMessage, counting().subquery()
    told = (message.id, message.thread, message.asker_id, message.about, message.at)
    query = (
        sql_select(*(col(each) for each in told), counties.c.county)
        .outerjoin(counties, counties.c.person_id == message.asker_id)
        .where(*unanswered(), col(message.asker_id) != person_id)
        .order_by(col(message.at), col(message.id))
    )
    read = session.execute(query).all()
    wards = first_wards(session, [row.asker_id for row in read if row.county is None])
    held = reachable_grants(session)
    firsts = Firsts(session, [(row.asker_id, row.about) for row in read], held)
    people, answered, found = _Responsible(held), _answered(session), []
    covered: dict[str | None, bool] = {}
    for row in read:
        asker, county = row.asker_id, row.county or _of(wards.get(row.asker_id))
        first = firsts.of(asker, row.about)
        if county not in covered:
            covered[county] = any(reaches(grant, county) for grant in mine)
        if not covered[county] and person_id not in first:
            continue
        there: frozenset[str] = frozenset()
        if row.thread != row.id:
            there = (people.holders(county) | first).intersection(answered.get(row.thread, ())) - {asker}
        late = bool(first) and is_late(session, row.at)
        if person_id in receivers(there or first, people.steps(county, asker), late=late):
            found.append(row.id)
    return found


def _of(ward: Ward | None) -> str | None:
    return ward.county if ward else None


class _Responsible:
    """Who answers for a county, found once for each."""

    def __init__(self, held: list[Duty]) -> None:
        self._held = held
        self._holders: dict[str | None, frozenset[str]] = {}
        self._steps: dict[tuple[str | None, str], list[list[str]]] = {}

    def holders(self, county: str | None) -> frozenset[str]:
        """Whoever answers for the county today and can be reached."""
        if county not in self._holders:
            self._holders[county] = everybody(self._held, county)
        return self._holders[county]

    def steps(self, county: str | None, asker: str) -> list[list[str]]:
        """As `models.contact.steps`, for this asker; nobody answers to oneself."""
        but = asker if asker in self.holders(county) else ""
        if (county, but) not in self._steps:
            self._steps[county, but] = steps(self._held, county, but=but)
        return self._steps[county, but]


def _answered(session: Session) -> dict[str, set[str]]:
    """Who answered in each thread that waits again."""
    follow_ups = select(ContactMessage.thread).where(*unanswered(), col(ContactMessage.thread) != ContactMessage.id)
    query = select(ContactMessage.thread, ContactMessage.author_id).where(
        col(ContactMessage.thread).in_(follow_ups), col(ContactMessage.by_asker).is_(False)
    )
    found: dict[str, set[str]] = {}
    for thread, author in session.exec(query.distinct()):
        found.setdefault(thread, set()).add(author)
    return found
