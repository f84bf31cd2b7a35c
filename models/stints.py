"""The rules of stints: how one is agreed, opened and ended, and who answers for a served person today (programme §5).

Whatever decides about a served person first locks their row (`beneficiary.locked`), so of two acts at the same moment
the second one sees what the first one did.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import func, update
from sqlmodel import Session, col, or_, select

from models import audit, role
from models.beneficiary import GONE, Beneficiary, locked
from models.contact import reachable
from models.database import now_of
from models.outbox import REPLY, enqueue
from models.pairing import AGREEING, ENDED, LEAD, OPEN, SUBSTITUTE, Keeping, Stint
from models.pairing import GONE as SERVED_GONE
from models.person import Person, doors, local_now
from models.team import LEADER, TeamMember

STANDING = (AGREEING, OPEN)


class StintError(Exception):
    """`reason`: "gone" — the stint has ended, or is not what it was; "scope" — not theirs to decide; "paired" —
    somebody else has the lead; "day" — a day that cannot be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Responsible:
    """Who answers for a served person today. `people` are ids, the first one is named first; empty only where the
    deployment has nobody at all for the county. `stint` = the open lead stint, or that of a substitute."""

    kind: Literal["volunteer", "team", "substitute", "keeper", "specialist"]
    people: tuple[str, ...]
    stint: Stint | None = None


def lead_of(session: Session, beneficiary_id: str, state: str = OPEN) -> Stint | None:
    """The lead stint of a served person in this state; there is one at most."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, Stint.part == LEAD, Stint.state == state)
    return session.exec(query).first()


def standing_of(session: Session, person_id: str) -> list[Stint]:
    """The stints of a volunteer, alone or for a team they lead, that are being agreed or open; the oldest first."""
    teams = select(TeamMember.team_id).where(TeamMember.person_id == person_id, col(TeamMember.left_at).is_(None))
    mine = or_(col(Stint.person_id) == person_id, col(Stint.team_id).in_(teams))
    query = select(Stint).where(mine, col(Stint.state).in_(STANDING))
    return list(session.exec(query.order_by(col(Stint.made_at), col(Stint.id))))


def load(session: Session, person_id: str) -> int:
    """How many served people a volunteer has in the lead, alone."""
    query = select(func.count()).select_from(Stint)
    own = query.where(Stint.person_id == person_id, col(Stint.team_id).is_(None))
    return int(session.exec(own.where(Stint.part == LEAD, col(Stint.state).in_(STANDING))).one())


def team_load(session: Session, team_id: str) -> int:
    """How many served people and institutions a team has in the lead."""
    query = select(func.count()).select_from(Stint).where(Stint.team_id == team_id, Stint.part == LEAD)
    return int(session.exec(query.where(col(Stint.state).in_(STANDING))).one())


def responsible_today(session: Session, somebody: Beneficiary) -> Responsible:
    """Who answers for somebody now: the open lead, a substitute in their place, a keeper, else the county's people.
    It always names somebody where the deployment has anybody for the county."""
    stint = lead_of(session, somebody.id)
    if stint is not None:
        standing_in = substitute_of(session, stint)
        if standing_in is not None and standing_in.person_id is not None:
            return Responsible("substitute", (standing_in.person_id,), standing_in)
        if stint.person_id is not None:
            return Responsible("volunteer" if stint.team_id is None else "team", (stint.person_id,), stint)
        return Responsible("team", _leaders(session, stint.team_id or ""), stint)
    kept = keeping_of(session, somebody.id)
    if kept is not None and role.covers_county(session, kept.person_id, somebody.county):
        return Responsible("keeper", (kept.person_id,))
    return Responsible("specialist", tuple(answering(session, somebody.county)))


def answering(session: Session, county: str) -> list[str]:
    """Who answers for a county's people and can be reached; else who answers for it at all."""
    return reachable(session, county, but="") or role.responsible(session, county)


def substitute_of(session: Session, stint: Stint) -> Stint | None:
    """Who stands in for the holder of a stint now."""
    query = select(Stint).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE, Stint.state == OPEN)
    return session.exec(query).first()


def _leaders(session: Session, team_id: str) -> tuple[str, ...]:
    query = select(TeamMember.person_id).where(TeamMember.team_id == team_id, col(TeamMember.left_at).is_(None))
    return tuple(session.exec(query.where(TeamMember.part == LEADER).order_by(col(TeamMember.joined_at))))


def keeping_of(session: Session, beneficiary_id: str) -> Keeping | None:
    """Who keeps somebody on their list, where that has been written down."""
    query = select(Keeping).where(Keeping.beneficiary_id == beneficiary_id, col(Keeping.until).is_(None))
    return session.exec(query).first()


def keep(session: Session, beneficiary_id: str, person_id: str, why: str) -> Keeping:
    """From now on this one answers for somebody who is not paired; tells them. It follows the earlier one without a
    gap."""
    now = now_of(session)
    before = keeping_of(session, beneficiary_id)
    if before is not None:
        if before.person_id == person_id:
            return before
        before.until = now
        session.add(before)
        session.flush()
    row = Keeping(beneficiary_id=beneficiary_id, person_id=person_id, why=why, since=now)
    session.add(row)
    session.flush()
    audit.note(session, "programme", "pairing.kept", beneficiary_id, keeper=person_id, why=why)
    enqueue(session, person_id, "notice.keeping", {"keeping": row.id}, unique_key=f"keeping:{row.id}", priority=REPLY)
    return row


def _stop_keeping(session: Session, beneficiary_id: str, at: datetime) -> None:
    standing = (col(Keeping.beneficiary_id) == beneficiary_id, col(Keeping.until).is_(None))
    session.execute(update(Keeping).where(*standing).values(until=at))


def open_stint(session: Session, stint: Stint, ends_on: date) -> None:
    """Agreed and begun: from now on this one has the lead. Whoever had it before ends at the same instant, so that
    there is no moment without. Raises StintError."""
    if stint.state != AGREEING:
        raise StintError("gone")
    now = now_of(session)
    if stint.beneficiary_id is not None:
        before = lead_of(session, stint.beneficiary_id)
        if before is not None:
            if stint.follows_id != before.id:
                raise StintError("paired")
            _ended(session, before, "relayed", "programme", now)
            session.flush()
        _stop_keeping(session, stint.beneficiary_id, now)
    stint.state, stint.opened_at, stint.ends_on = OPEN, now, ends_on
    session.add(stint)
    session.flush()
    audit.note(session, stint.confirmed_by or "programme", "pairing.opened", stint.id)


def end_stint(session: Session, stint: Stint, why: str, by: str, keeper: str | None = None) -> None:
    """End a stint. Where a served person loses the lead by it and is still in the ledger, somebody who is named keeps
    them from the same moment on: `keeper`, else whoever answers for the county. Raises StintError."""
    if stint.state == ENDED:
        raise StintError("gone")
    was_lead = stint.state == OPEN and stint.part == LEAD
    now = now_of(session)
    _ended(session, stint, why, by, now)
    for other in _standing_in(session, stint.id):
        _ended(session, other, "back", by, now)
    session.flush()
    if was_lead and stint.beneficiary_id is not None:
        somebody = session.get_one(Beneficiary, stint.beneficiary_id)
        if somebody.status not in GONE and somebody.merged_into is None:
            _keep_by(session, somebody, keeper, why)


def _keep_by(session: Session, somebody: Beneficiary, keeper: str | None, why: str) -> None:
    named = [keeper] if keeper and role.covers_county(session, keeper, somebody.county) else []
    people = named or answering(session, somebody.county)
    if people:
        keep(session, somebody.id, people[0], why)
    else:
        audit.note(session, "programme", "pairing.nobody", somebody.id, why=why)


def _standing_in(session: Session, stint_id: str) -> list[Stint]:
    query = select(Stint).where(Stint.follows_id == stint_id, Stint.part == SUBSTITUTE)
    return list(session.exec(query.where(col(Stint.state).in_(STANDING))))


def _ended(session: Session, stint: Stint, why: str, by: str, at: datetime) -> None:
    stint.state, stint.ended_at, stint.ended_why, stint.ended_by = ENDED, at, why, by
    session.add(stint)
    audit.note(session, by, "pairing.ended", stint.id, why=why)


def served_left(session: Session, beneficiary_id: str) -> None:
    """Somebody served has died or moved away: every stint ends, whoever served them is told gently, and nothing more is
    sent about them. Offers are ended by models/offering.py."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, col(Stint.state).in_(STANDING))
    for stint in session.exec(query.order_by(col(Stint.id))).all():
        _ended(session, stint, SERVED_GONE, "programme", now_of(session))
        if stint.person_id is not None:
            key = f"stint:{stint.id}:gone"
            enqueue(session, stint.person_id, "notice.served_left", {"stint": stint.id}, unique_key=key)
    _stop_keeping(session, beneficiary_id, now_of(session))
    session.flush()


def locked_stint(session: Session, stint_id: str) -> Stint | None:
    """A stint with the person it is about, both locked, the person first."""
    about = session.exec(select(Stint.beneficiary_id).where(Stint.id == stint_id)).first()
    if about is not None:
        locked(session, about)
    query = select(Stint).where(Stint.id == stint_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def lost_keepers(session: Session) -> list[str]:
    """The keepings whose keeper does not answer for the county any more, or whom nothing reaches while somebody else
    there can be reached."""
    query = select(Keeping.id, Keeping.person_id, Beneficiary.county).join(
        Beneficiary, col(Beneficiary.id) == Keeping.beneficiary_id
    )
    found = []
    known: dict[str, list[str]] = {}
    for row, keeper, county in session.exec(query.where(col(Keeping.until).is_(None)).order_by(col(Keeping.id))):
        people = known.setdefault(county, answering(session, county))
        if keeper not in people and not _keeps(session, keeper, county):
            found.append(row)
    return found


def _keeps(session: Session, keeper: str, county: str) -> bool:
    return role.covers_county(session, keeper, county) and bool(doors(session, keeper))


def rekeep(session: Session, among: Sequence[str]) -> int:
    """Of these keepings, those that are `lost_keepers` still get somebody else who is named; returns how many."""
    done = 0
    for key in among:
        about = session.get(Keeping, key)
        somebody = locked(session, about.beneficiary_id) if about else None
        if about is None or somebody is None:
            continue
        session.refresh(about)
        people = answering(session, somebody.county)
        if about.until is not None or not people or _keeps(session, about.person_id, somebody.county):
            continue
        keep(session, somebody.id, people[0], about.why)
        done += 1
    return done


def today_of(session: Session, person_id: str) -> date:
    """Today where this person lives."""
    return local_now(session, session.get_one(Person, person_id)).date()


def months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
