"""What becomes of pairings when two accounts turn out to be one person, and when they part again (models/merging.py).

Only what stands changes hands: what has ended stays as it is, and is found by `person.family`. What had been moved
comes back, also where it has ended since: it was that account's all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from models.about import unsay
from models.beneficiary import Beneficiary, locked
from models.database import now_of
from models.family_consent import FamilyDoor
from models.obstacles import standing_relay
from models.offer import ANSWERABLE, WITHDRAWN, Offer
from models.offering import go_on, undone
from models.pairing import AGREEING, BACK, LEAD, STOPPED, SUBSTITUTE, TAKEN_BACK, Keeping, Stint
from models.proposal import NEW, Proposal
from models.relay import STANDING as RELAYS
from models.relay import Relay
from models.served import served_of
from models.stints import STANDING, end_stint, lead_of
from models.team import LEADER, TeamMember
from models.turn import Turn, TurnMember, TurnPlan

# Under which name the moved ids are kept, the table, and the column that names the person.
_MOVED: tuple[tuple[str, Any, str], ...] = (
    ("stint", Stint, "person_id"),
    ("offer", Offer, "person_id"),
    ("team_member", TeamMember, "person_id"),
    ("keeping", Keeping, "person_id"),
    ("relay_specialist", Relay, "specialist_id"),
    ("relay_keeper", Relay, "keeper_id"),
    ("proposal", Proposal, "person_id"),
    ("beneficiary", Beneficiary, "person_id"),
    ("family_door", FamilyDoor, "person_id"),
    ("turn_member", TurnMember, "person_id"),
    ("turn", Turn, "person_id"),
    ("turn_beside", Turn, "beside_id"),
)
_TWICE = "team_member_twice"


def move(session: Session, from_person: str, to_person: str) -> dict[str, list[str]]:
    """What stands under `from_person` is `to_person`'s from now on. Returns what changed hands, by name."""
    _lock_served(session, (from_person, to_person))
    _drop_twice_offered(session, from_person, to_person)
    _end_second_door(session, from_person, to_person)
    twice = _end_twice(session, from_person, to_person)
    moved: dict[str, list[str]] = {}
    for name, table, owner in _MOVED:
        rows = session.exec(_standing(table).where(getattr(table, owner) == from_person)).all()
        for row in rows:
            setattr(row, owner, to_person)
            session.add(row)
        moved[name] = [row.id for row in rows]
    session.flush()
    _part_from_oneself(session, to_person)
    return moved | {_TWICE: twice}


def _standing(table: type[SQLModel]) -> Any:
    """The rows of this table that stand, in an order that is always the same."""
    stands: dict[Any, Any] = {
        Stint: col(Stint.state).in_(STANDING),
        Offer: col(Offer.state).in_(ANSWERABLE),
        TeamMember: col(TeamMember.left_at).is_(None),
        Keeping: col(Keeping.until).is_(None),
        Relay: col(Relay.state).in_(RELAYS),
        Proposal: Proposal.state == NEW,
        FamilyDoor: col(FamilyDoor.ended_at).is_(None),
        TurnMember: col(TurnMember.plan_id).in_(select(TurnPlan.id).where(col(TurnPlan.ended_at).is_(None))),
        # Also what was answered: nobody is asked twice for one turn.
        Turn: col(Turn.plan_id).in_(select(TurnPlan.id).where(col(TurnPlan.ended_at).is_(None))),
    }
    query = select(table).order_by(table.id)  # type: ignore[attr-defined]
    query = query.where(stands[table]) if table in stands else query
    return query.execution_options(populate_existing=True)


def _lock_served(session: Session, people: Sequence[str]) -> None:
    """Everybody about whom something may be decided here, in the one order."""
    stints = select(Stint.beneficiary_id).where(col(Stint.person_id).in_(people), col(Stint.state).in_(STANDING))
    offers = select(Offer.beneficiary_id).where(col(Offer.person_id).in_(people), col(Offer.state).in_(ANSWERABLE))
    kept = select(Keeping.beneficiary_id).where(col(Keeping.person_id).in_(people), col(Keeping.until).is_(None))
    own = select(Beneficiary.id).where(col(Beneficiary.person_id).in_(people))
    found: set[str | None] = {one for query in (stints, offers, kept, own) for one in session.exec(query)}
    for key in sorted(one for one in found if one is not None):
        locked(session, key)


def _drop_twice_offered(session: Session, from_person: str, to_person: str) -> None:
    """Both were asked about the same person: one invitation is enough."""
    theirs = select(Offer.beneficiary_id).where(
        Offer.person_id == to_person, col(Offer.state).in_(ANSWERABLE), col(Offer.beneficiary_id).is_not(None)
    )
    mine = _standing(Offer).where(Offer.person_id == from_person, col(Offer.beneficiary_id).in_(theirs))
    for row in session.exec(mine).all():
        _withdraw(session, row)


def _withdraw(session: Session, row: Offer) -> None:
    row.state, row.answered_at = WITHDRAWN, now_of(session)
    session.add(row)
    session.flush()
    unsay(session, [row.person_id], [f"offer:{row.id}"], why="withdrawn")


def _end_second_door(session: Session, from_person: str, to_person: str) -> None:
    """Both are the phone of one family: it is one phone."""
    theirs = select(FamilyDoor.beneficiary_id).where(
        FamilyDoor.person_id == to_person, col(FamilyDoor.ended_at).is_(None)
    )
    mine = _standing(FamilyDoor).where(FamilyDoor.person_id == from_person)
    for row in session.exec(mine.where(col(FamilyDoor.beneficiary_id).in_(theirs))).all():
        row.ended_at = now_of(session)
        session.add(row)
    session.flush()


def _end_twice(session: Session, from_person: str, to_person: str) -> list[str]:
    """Both belong to one team: they do so once, as its leader if either leads it. Returns the memberships of
    `from_person` that ended or were exchanged."""
    ended = []
    for row in session.exec(_standing(TeamMember).where(TeamMember.person_id == from_person)).all():
        query = _standing(TeamMember).where(TeamMember.person_id == to_person, TeamMember.team_id == row.team_id)
        other = session.exec(query).first()
        if other is None:
            continue
        weaker = other if row.part == LEADER and other.part != LEADER else row
        weaker.left_at = now_of(session)
        session.add(weaker)
        session.flush()
        if weaker is row:
            ended.append(row.id)
    return ended


def _part_from_oneself(session: Session, person: str) -> None:
    """Nobody stands in for oneself, follows oneself, is asked to, or serves oneself."""
    mine = session.exec(_standing(Stint).where(Stint.person_id == person)).all()
    for row in mine:
        before = session.get(Stint, row.follows_id) if row.follows_id else None
        if row.part == SUBSTITUTE and before is not None and before.person_id == person and row.state in STANDING:
            end_stint(session, row, BACK if row.state == "open" else TAKEN_BACK, "programme")
        elif row.state == AGREEING and row.part == LEAD and _same_holder(before, row):
            undone(session, row, "programme")
            _go_on(session, row)
    for row in mine:
        served = served_of(session, row)
        if isinstance(served, Beneficiary) and served.person_id == person and row.state in STANDING:
            end_stint(session, row, STOPPED, "programme")
    for offer in session.exec(_standing(Offer).where(Offer.person_id == person)).all():
        lead = lead_of(session, offer.beneficiary_id) if offer.beneficiary_id else None
        if lead is not None and _same(lead, person, offer.team_id) and standing_relay(session, lead.id) is not None:
            _withdraw(session, offer)
            go_on(session, session.get_one(Beneficiary, offer.beneficiary_id), offer.made_by)


def _same_holder(before: Stint | None, row: Stint) -> bool:
    return before is not None and before.state == "open" and _same(before, str(row.person_id), row.team_id)


def _same(lead: Stint, person: str, team_id: str | None) -> bool:
    return lead.person_id == person and lead.team_id == team_id


def _go_on(session: Session, row: Stint) -> None:
    if row.beneficiary_id is not None:
        go_on(session, session.get_one(Beneficiary, row.beneficiary_id), row.made_by)


def move_back(session: Session, from_person: str, to_person: str, moved: dict[str, list[str]]) -> None:
    """Undo `move(session, from_person, to_person)`, which returned `moved`."""
    _lock_served(session, (from_person, to_person))
    for name, table, owner in _MOVED:
        for key in moved.get(name, []):
            row = session.get(table, key, populate_existing=True)
            if row is not None and getattr(row, owner) == to_person:
                setattr(row, owner, from_person)
                session.add(row)
    session.flush()
    for key in moved.get(_TWICE, []):
        _join_again(session, session.get_one(TeamMember, key), to_person)
    session.flush()


def _join_again(session: Session, before: TeamMember, to_person: str) -> None:
    """They belonged to it before, and the one person still did: so do both now."""
    query = _standing(TeamMember).where(TeamMember.team_id == before.team_id)
    if session.exec(query.where(TeamMember.person_id == to_person)).first() is None:
        return
    row = TeamMember(
        team_id=before.team_id,
        person_id=before.person_id,
        part=before.part,
        added_by="programme",
        joined_at=now_of(session),
    )
    session.add(row)
