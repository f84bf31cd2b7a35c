"""The rules of stints: how one is opened and ended, and who answers for a served person today (programme §5).

Whatever decides about a served person first locks their row (`beneficiary.locked`, `served.locked_stint`), so of two
acts at the same moment the second one sees what the first one did. Whoever locks several takes them in one order
(`served.in_order`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from models import audit, role, visits_owed
from models.about import unsay
from models.beneficiary import GONE, Beneficiary
from models.database import now_of
from models.family_told import tell_family
from models.months import months_on as months_on
from models.outbox import REMINDER, enqueue
from models.pairing import AGREEING, BACK, ENDED, LEAD, OPEN, RELAYED, SUBSTITUTE, TAKEN_BACK, TERM, Keeping, Stint
from models.pairing import GONE as SERVED_GONE
from models.person import Person, family, local_now
from models.relay import DONE, SEEKING, Relay
from models.relay import STANDING as RELAYS
from models.served import answering as answering
from models.served import locked_stint as locked_stint
from models.served import served_by, servers, serves_now
from models.turn import over as turns_over

STANDING = (AGREEING, OPEN)
FARTHEST_ZONE = timedelta(hours=14)  # where the day begins first, ahead of UTC


class StintError(Exception):
    """`reason`: "gone" — the stint has ended, or is not what it was; "scope" — not theirs to decide; "paired" —
    somebody else has the lead; "day" — a day that cannot be; "changed", "accepted", "terms" — of an agreement;
    "waits" — the successor has not accepted yet; "keeper" — does not answer for the county; "lapsed" — a training,
    certificate or insurance of whoever agrees; "nobody" — the deployment has nobody for the county; "consent" — the
    family does not agree; or an obstacle (models/obstacles.py)."""

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


@dataclass(frozen=True, slots=True)
class Held:
    """Who answered for a served person from `since` to `until` (programme time, UTC; None = now, too): a lead stint or
    a keeping, `row` being its id. Of a team that served without a person's name `person_id` is None."""

    kind: Literal["lead", "keeper"]
    row: str
    person_id: str | None
    since: datetime
    until: datetime | None


def lead_of(session: Session, beneficiary_id: str, state: str = OPEN) -> Stint | None:
    """The lead stint of a served person in this state; there is one at most."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, Stint.part == LEAD, Stint.state == state)
    return session.exec(query).first()


def lead_of_institution(session: Session, institution_id: str, state: str = OPEN) -> Stint | None:
    """The same of an institution."""
    query = select(Stint).where(Stint.institution_id == institution_id, Stint.part == LEAD, Stint.state == state)
    return session.exec(query).first()


def standing_of(session: Session, person_id: str) -> list[Stint]:
    """The stints of a volunteer, alone or for a team they lead, that are being agreed or open; the oldest first."""
    query = select(Stint).where(served_by(family(session, person_id)), col(Stint.state).in_(STANDING))
    found = session.exec(query.order_by(col(Stint.made_at), col(Stint.id))).all()
    return [stint for stint in found if serves_now(session, stint, person_id)]


def load(session: Session, person_id: str) -> int:
    """How many served people a volunteer has in the lead, alone. One who goes on with the same person counts once."""
    query = select(func.count(Stint.beneficiary_id.distinct())).where(  # type: ignore[union-attr]
        Stint.person_id == person_id, col(Stint.team_id).is_(None)
    )
    return int(session.exec(query.where(Stint.part == LEAD, col(Stint.state).in_(STANDING))).one())


def team_load(session: Session, team_id: str) -> int:
    """How many served people and institutions a team has in the lead."""
    served = func.coalesce(Stint.beneficiary_id, Stint.institution_id)
    query = select(func.count(served.distinct())).where(Stint.team_id == team_id, Stint.part == LEAD)
    return int(session.exec(query.where(col(Stint.state).in_(STANDING))).one())


def responsible_today(session: Session, somebody: Beneficiary) -> Responsible:
    """Who answers for somebody now: the open lead, a substitute in their place, a keeper, else the county's people.
    It always names somebody where the deployment has anybody for the county."""
    stint = lead_of(session, somebody.id)
    if stint is not None:
        standing_in = substitute_of(session, stint)
        if standing_in is not None and standing_in.person_id is not None:
            return Responsible("substitute", (standing_in.person_id,), standing_in)
        people = servers(session, stint)
        if people:
            return Responsible("volunteer" if stint.team_id is None else "team", people, stint)
        return Responsible("specialist", tuple(answering(session, somebody.county)), stint)
    kept = keeping_of(session, somebody.id)
    if kept is not None and role.covers_county(session, kept.person_id, somebody.county):
        return Responsible("keeper", (kept.person_id,))
    return Responsible("specialist", tuple(answering(session, somebody.county)))


def history(session: Session, beneficiary_id: str) -> list[Held]:
    """Who answered for somebody from when to when, the first one in front: lead stints that were opened, and keepings.
    From the first one on there is no gap as long as the person is in the ledger and the deployment has anybody for the
    county. Whoever stood in for somebody changes nothing of it."""
    opened = select(Stint).where(Stint.beneficiary_id == beneficiary_id, Stint.part == LEAD)
    held = [
        Held("lead", one.id, one.person_id, one.opened_at, one.ended_at)
        for one in session.exec(opened.where(col(Stint.opened_at).is_not(None)))
        if one.opened_at is not None
    ]
    kept = session.exec(select(Keeping).where(Keeping.beneficiary_id == beneficiary_id)).all()
    held += [Held("keeper", one.id, one.person_id, one.since, one.until) for one in kept]
    return sorted(held, key=lambda one: (one.since, one.until is None, one.until or one.since))


def substitute_of(session: Session, stint: Stint) -> Stint | None:
    """Who stands in for the holder of a stint now."""
    query = select(Stint).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE, Stint.state == OPEN)
    return session.exec(query).first()


def keeping_of(session: Session, beneficiary_id: str) -> Keeping | None:
    """Who keeps somebody on their list, where that has been written down."""
    query = select(Keeping).where(Keeping.beneficiary_id == beneficiary_id, col(Keeping.until).is_(None))
    return session.exec(query).first()


def keep(session: Session, beneficiary_id: str, person_id: str, why: str, by: str = "programme") -> Keeping:
    """From now on this one answers for somebody who is not paired; tells them, not at night, unless they did it
    themselves (`by`). It follows the earlier one without a gap."""
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
    audit.note(session, by, "pairing.kept", beneficiary_id, keeper=person_id, why=why)
    if person_id != by:
        key = f"keeping:{row.id}"
        enqueue(session, person_id, "notice.keeping", {"keeping": row.id}, unique_key=key, priority=REMINDER)
    return row


def keep_by(session: Session, somebody: Beneficiary, keeper: str | None, why: str) -> None:
    """Somebody who is named keeps them from now on: `keeper` where that one answers for the county, else whoever
    does."""
    named = [keeper] if keeper and role.covers_county(session, keeper, somebody.county) else []
    people = named or answering(session, somebody.county)
    if people:
        keep(session, somebody.id, people[0], why)
    else:
        audit.note(session, "programme", "pairing.nobody", somebody.id, why=why)


def stop_keeping(session: Session, beneficiary_id: str, at: datetime) -> None:
    """Nobody keeps them any more: they are paired, or gone."""
    standing = (col(Keeping.beneficiary_id) == beneficiary_id, col(Keeping.until).is_(None))
    session.execute(update(Keeping).where(*standing).values(until=at))


def open_stint(session: Session, stint: Stint, ends_on: date) -> None:
    """Agreed and begun: from now on this one has the lead. Whoever had it before ends at the same instant, so that
    there is no moment without. Raises StintError."""
    if stint.state != AGREEING or stint.part != LEAD:
        raise StintError("gone")
    now = now_of(session)
    before, goes_on = _lead_before(session, stint), False
    if before is not None:
        if stint.follows_id != before.id:
            raise StintError("paired")
        goes_on = before.team_id == stint.team_id and (stint.team_id is not None or before.person_id == stint.person_id)
        visits_owed.plan_for(session, before)
        _ended(session, before, TERM if goes_on else RELAYED, "programme", now)
        _let_go(session, before, "programme", now)
        if not goes_on:
            visits_owed.ended(session, before)
        session.flush()
    if stint.beneficiary_id is not None:
        stop_keeping(session, stint.beneficiary_id, now)
    stint.state, stint.opened_at, stint.ends_on = OPEN, now, ends_on
    session.add(stint)
    session.flush()
    visits_owed.begun(session, stint, before if goes_on else None)
    audit.note(session, stint.confirmed_by or "programme", "pairing.opened", stint.id)


def _lead_before(session: Session, stint: Stint) -> Stint | None:
    if stint.beneficiary_id is not None:
        return lead_of(session, stint.beneficiary_id)
    return lead_of_institution(session, str(stint.institution_id))


def end_stint(session: Session, stint: Stint, why: str, by: str, keeper: str | None = None) -> None:
    """End a stint, and what hangs on it: substitutes, the relay that sought its successor. Where a served person loses
    the lead by it and is still in the ledger, somebody who is named keeps them from the same moment on: `keeper`, else
    whoever answers for the county; the family's phones are told. Raises StintError."""
    if stint.state == ENDED:
        raise StintError("gone")
    was_lead = stint.state == OPEN and stint.part == LEAD
    now = now_of(session)
    if was_lead:
        visits_owed.plan_for(session, stint)
    _ended(session, stint, why, by, now)
    _let_go(session, stint, by, now)
    session.flush()
    if was_lead:
        visits_owed.ended(session, stint)
    if was_lead and stint.beneficiary_id is not None:
        somebody = session.get_one(Beneficiary, stint.beneficiary_id)
        if somebody.status not in GONE and somebody.merged_into is None:
            keep_by(session, somebody, keeper, why)
            key = f"stint:{stint.id}:ended"
            tell_family(session, stint, "notice.family_ended", key, priority=REMINDER, but=by)


def end_all(session: Session, beneficiary_id: str, why: str, by: str) -> list[tuple[Stint, tuple[str, ...]]]:
    """End every stint of a served person, the lead first and with it what hangs on it; returns those that ended, with
    whoever served in each."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, col(Stint.state).in_(STANDING))
    rows = session.exec(query.order_by(col(Stint.id)).execution_options(populate_existing=True)).all()
    ended = [(row, servers(session, row)) for row in rows]
    for row in sorted(rows, key=lambda one: (one.part != LEAD, one.state != OPEN)):
        if row.state in STANDING:
            end_stint(session, row, why, by)
    return ended


def served_left(session: Session, beneficiary_id: str) -> None:
    """Somebody served has died or moved away: every stint ends, whoever served them is told gently, and nobody keeps
    them any more. What else speaks of them is ended by models/served_gone.py, which calls this."""
    for stint, people in end_all(session, beneficiary_id, SERVED_GONE, "programme"):
        for one in people:
            key = f"stint:{stint.id}:gone:{one}"
            enqueue(session, one, "notice.served_left", {"stint": stint.id}, unique_key=key, priority=REMINDER)
    stop_keeping(session, beneficiary_id, now_of(session))
    visits_owed.void(session, beneficiary_id)
    session.flush()


def _ended(session: Session, stint: Stint, why: str, by: str, at: datetime) -> None:
    stint.state, stint.ended_at, stint.ended_why, stint.ended_by = ENDED, at, why, by
    session.add(stint)
    audit.note(session, by, "pairing.ended", stint.id, why=why)
    waits = [f"meeting:{stint.id}:", f"agreement:{stint.id}:", f"substitute:{stint.id}:ask"]
    unsay(session, servers(session, stint), waits, why="ended")
    if stint.part == LEAD and stint.team_id is not None:
        turns_over(session, stint.id)


def _let_go(session: Session, stint: Stint, by: str, at: datetime) -> None:
    """What hung on a stint that has ended: nobody stands in for it, no successor is sought for it, and a relay whose
    successor it was to be seeks again."""
    query = select(Stint).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE)
    for other in session.exec(query.where(col(Stint.state).in_(STANDING)).order_by(col(Stint.id))).all():
        began = other.state == OPEN
        _ended(session, other, BACK if began else TAKEN_BACK, by, at)
        # Of somebody who has gone they hear otherwise (served_left).
        if began and other.person_id is not None and stint.ended_why != SERVED_GONE:
            key = f"stint:{other.id}:thanks"
            enqueue(session, other.person_id, "notice.thanks", {"stint": other.id}, unique_key=key, priority=REMINDER)
    for relay in session.exec(select(Relay).where(Relay.stint_id == stint.id, col(Relay.state).in_(RELAYS))).all():
        relay.state, relay.closed_at = DONE, at
        session.add(relay)
        waits = [f"relay:{relay.id}:holder", f"relay:{relay.id}:give", f"relay:{relay.id}:day:"]
        unsay(session, servers(session, stint), waits, why="ended")
    for relay in session.exec(select(Relay).where(Relay.successor_id == stint.id, col(Relay.state).in_(RELAYS))).all():
        relay.state, relay.successor_id, relay.taken_at = SEEKING, None, None
        session.add(relay)
    session.flush()


def today_of(session: Session, person_id: str) -> date:
    """Today where this person lives."""
    return local_now(session, session.get_one(Person, person_id)).date()


def today_in(session: Session, stint: Stint) -> date:
    """Today where whoever serves in a stint lives; of a team that nobody leads, in China."""
    people = servers(session, stint)
    if people:
        return today_of(session, people[0])
    return now_of(session).astimezone(ZoneInfo("Asia/Shanghai")).date()


def latest_today(session: Session) -> date:
    """Today where the day begins first: what is not over there is over nowhere."""
    return (now_of(session) + FARTHEST_ZONE).date()
