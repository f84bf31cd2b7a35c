"""Which messages wait for whose answer: read at once for however many there are."""

from __future__ import annotations

from sqlmodel import Session, col, select

from models.contact import ContactMessage, everybody, reachable_grants, steps, unanswered
from models.role import grants, reaches
from models.standing_in import Duty
from models.volunteer import counting
from models.wards import Ward, first_wards


def waiting_for(session: Session, person_id: str) -> list[str]:
    """The ids of the messages that wait for this person's answer, the oldest first: those that
    `models.contact.receivers_of` names them for."""
    mine = [held for held in grants(session, person_id) if held.scope_kind == "region"]
    if not mine:
        return []
    message, counties = ContactMessage, counting().subquery()
    query = (
        select(message.id, message.thread, message.asker_id, counties.c.county)
        .outerjoin(counties, counties.c.person_id == message.asker_id)
        .where(*unanswered(), message.asker_id != person_id)
        .order_by(col(message.at), col(message.id))
    )
    read = session.exec(query).all()
    wards = first_wards(session, [asker for _id, _thread, asker, county in read if county is None])
    rows = [(key, thread, asker, county or _of(wards.get(asker))) for key, thread, asker, county in read]
    covered = {county: any(reaches(held, county) for held in mine) for _id, _thread, _asker, county in rows}
    people, answered = _Responsible(reachable_grants(session)), _answered(session)
    found = []
    for key, thread, asker, county in rows:
        if not covered[county]:
            continue
        there = answered.get(thread, set()) & people.holders(county) - {asker} if thread != key else set()
        if person_id in (there or people.first(county, asker)):
            found.append(key)
    return found


def _of(ward: Ward | None) -> str | None:
    return ward.county if ward else None


class _Responsible:
    """Who answers for a county, found once for each."""

    def __init__(self, held: list[Duty]) -> None:
        self._held = held
        self._holders: dict[str | None, frozenset[str]] = {}
        self._first: dict[tuple[str | None, str], frozenset[str]] = {}

    def holders(self, county: str | None) -> frozenset[str]:
        """Whoever answers for the county today and can be reached."""
        if county not in self._holders:
            self._holders[county] = everybody(self._held, county)
        return self._holders[county]

    def first(self, county: str | None, asker: str) -> frozenset[str]:
        """As `models.contact.reachable`, for this asker; nobody answers to oneself."""
        but = asker if asker in self.holders(county) else ""
        if (county, but) not in self._first:
            step = next(iter(steps(self._held, county, but=but)), [])
            self._first[county, but] = frozenset(step)
        return self._first[county, but]


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
