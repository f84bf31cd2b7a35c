"""Pairings of the tests, made by the rules themselves: the family agrees, somebody is asked, says yes, and accepts."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, select

from models import agreement, family, offering
from models.agreement import Terms
from models.beneficiary import MACHINE, Beneficiary, by_id_number
from models.database import now_of
from models.offering import Candidate
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.role import responsible
from models.stints import lead_of
from models.team import LEADER, MEMBER, Team, TeamMember
from tests.ledger_files import id_number

# What others tell of a pairing that comes about; tests of relays begin after it.
BEFORE = ("notice.offer", "notice.accepted", "notice.agreement", "notice.opened", "notice.opened_for_you")


def somebody(session: Session, number: int, county: str = "440106") -> Beneficiary:
    """The person of the ledger with this number (tests/ledger_files.py)."""
    [found] = by_id_number(session, id_number(number), county)
    return found


def asked_and_agreed(session: Session, person_id: str, served: Beneficiary, *, team: Team | None = None) -> Stint:
    """Somebody was asked, said yes, and the agreement is written. The specialist of the county does it."""
    by = responsible(session, served.county)[0]
    family.record(session, served.id, "pairing", "guardian", "paper", by)
    [offer] = offering.offer(session, served.id, [Candidate(person_id, team.id if team else None)], by)
    answered = offering.answer(session, offer.id, person_id, "accepted")
    assert answered is not None and answered.stint is not None, answered
    return agreement.write(session, answered.stint.id, Terms(("study",), 12, 12), by)


def pair(session: Session, person_id: str, served: Beneficiary, *, team: Team | None = None) -> Stint:
    """An open pairing; where somebody is paired already and a relay seeks, the successor has accepted."""
    stint = asked_and_agreed(session, person_id, served, team=team)
    assert stint.confirmed_at is not None
    return agreement.accept(session, stint.id, person_id, stint.confirmed_at)


def hush(session: Session, *kinds: str) -> None:
    """What was to be told of these kinds is taken for told."""
    for row in session.exec(select(OutboxMessage).where(OutboxMessage.state == "waiting")):
        if row.kind in (kinds or BEFORE):
            row.state, row.ended_at = "withdrawn", now_of(session)
            session.add(row)


def team_with(session: Session, number: str, leader: str, *members: str, capacity: int = 10) -> Team:
    """A team of 广州天河 with its people."""
    now = now_of(session)
    made = Team(number=number, name=f"测试{number}队", region="440106", capacity=capacity, made_by=MACHINE, made_at=now)
    session.add(made)
    session.flush()
    for at, (person, part) in enumerate(((leader, LEADER), *((one, MEMBER) for one in members))):
        joined = now + timedelta(microseconds=at)  # they are listed in this order
        session.add(TeamMember(team_id=made.id, person_id=person, part=part, added_by=MACHINE, joined_at=joined))
    session.flush()
    return made


def open_stint(session: Session, served: Beneficiary) -> Stint:
    """The open lead stint of somebody."""
    found = lead_of(session, served.id)
    assert found is not None
    return found
