"""Whose turn it is in a pairing on a day: of the volunteer, of a substitute, of a team's member, or of its leader.

Reading alone; models/turn_acts.py is what changes. Few statements whatever the number of pairings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import Session, and_, col, or_, select

from config.catalogue import rules
from models import role
from models.beneficiary import ADULT, Beneficiary
from models.database import now_of
from models.institution import Institution
from models.leave import leaves_of
from models.obstacles import unfit_member
from models.pairing import LEAD, OPEN, SUBSTITUTE, Stint
from models.person import Person, family
from models.served import answering, led_by, served_of, servers
from models.team import LEADER as LEADS
from models.team import Team, TeamMember
from models.turn import (
    ACCEPTED,
    ASKED,
    LEADER,
    MEMBER,
    MONTH,
    SILENT,
    STANDING,
    SWAPPED,
    VISIT,
    Turn,
    TurnMember,
    TurnPlan,
    month_number,
)
from models.turn import today as today
from models.volunteer import ACTIVE, Volunteer, age_on, counting

SLICE = 500  # pairings in one statement
LEFT, AWAY, GONE = "left", "away", "volunteer"  # why a member cannot go; or an obstacle


@dataclass(frozen=True, slots=True)
class Going:
    """Who goes: `person_id` is always grown up and the one to be reminded, `beside_id` a minor whose turn it is and who
    goes with them. `how`: "volunteer", "substitute", "turn", "leader" — of a team without a plan, or when no member
    can; "specialist" — whoever answers for the county, where nobody else can. `turn_id` where they have been asked."""

    person_id: str
    how: str
    beside_id: str | None = None
    turn_id: str | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a plan: `against` = why they cannot go on the day, None = nothing stands against it."""

    person_id: str
    adult: bool
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan on a day, with all that decides: `number` = the turn, `slots` in the order in which they are asked for it,
    `rows` = who was asked, `leader` = who leads the team and can go."""

    plan: TurnPlan
    stint: Stint
    number: int
    slots: tuple[Slot, ...]
    rows: tuple[Turn, ...]
    leader: str | None

    def standing(self) -> Turn | None:
        """Who is asked, or has accepted."""
        return next((row for row in self.rows if row.state in STANDING), None)

    def lost(self, row: Turn) -> str | None:
        """Why somebody who was asked cannot go any more; None = they can."""
        if row.part == LEADER:
            return None if row.person_id == self.leader else LEFT
        slot = next((one for one in self.slots if one.person_id == row.person_id), None)
        if slot is None:
            return LEFT
        return slot.against or (None if slot.adult else "minor")

    def beside(self, row: Turn) -> str | None:
        """The minor who goes with them, as long as that one can."""
        fit = {slot.person_id for slot in self.slots if slot.against is None}
        return row.beside_id if row.beside_id in fit else None

    def next(self) -> tuple[str, str | None] | None:
        """Whom to ask next, with the minor beside them; None = nobody is left but the leader."""
        out = {row.person_id for row in self.rows if row.state in (SWAPPED, SILENT) and row.part == MEMBER}
        return pick(self.slots, out)

    def refused(self) -> bool:
        """Whether the leader was asked in the end, and cannot go either."""
        return any(row.part == LEADER and row.state in (SWAPPED, SILENT) for row in self.rows)


def pick(slots: Sequence[Slot], out: Iterable[str]) -> tuple[str, str | None] | None:
    """The first one of these who can go and is not `out`, with a minor beside them where it is a minor's turn: a minor
    never goes alone (programme §3), but with the next one who is grown up. None = nobody can."""
    without = set(out)
    for at, slot in enumerate(slots):
        if slot.against is not None or slot.person_id in without:
            continue
        if slot.adult:
            return slot.person_id, None
        others = (one for one in (*slots[at + 1 :], *slots[:at]) if one.adult and one.against is None)
        adult = next((one.person_id for one in others if one.person_id not in without), None)
        if adult is not None:
            return adult, slot.person_id
    return None


def whose_turn(session: Session, stint: Stint, on: date) -> Person | None:
    """Whom to remind of a visit on this day, always somebody grown up: the volunteer, or whoever stands in; of a team
    the member whose turn it is, without a plan its leader; where nobody can go whoever answers for the county. None
    only where the deployment has nobody at all there."""
    found = turns_on(session, [stint], on).get(stint.id)
    return session.get(Person, found.person_id) if found is not None else None


def turns_on(session: Session, stints: Sequence[Stint], on: date) -> dict[str, Going]:
    """`whose_turn` of many pairings, by the ids of their stints, with who goes beside them."""
    found: dict[str, Going] = {}
    for at in range(0, len(stints), SLICE):
        found |= _turns_on(session, stints[at : at + SLICE], on)
    return found


def _turns_on(session: Session, stints: Sequence[Stint], on: date) -> dict[str, Going]:
    standing_in = substitutes(session, stints)
    leading = leaders_of(session, stints)
    plans = {each.stint.id: each for each in planned(session, stints, on)}
    found = {}
    for stint in stints:
        if stint.id in standing_in:
            going: Going | None = Going(standing_in[stint.id], "substitute")
        elif stint.team_id is None:
            going = Going(str(stint.person_id), "volunteer")
        elif stint.id in plans:
            going = _planned_going(plans[stint.id])
        else:
            going = Going(leading[stint.id], "leader") if stint.id in leading else None
        if going is None:
            people = answering(session, served_of(session, stint).county)
            going = Going(people[0], "specialist") if people else None
        if going is not None:
            found[stint.id] = going
    return found


def _planned_going(about: Planned) -> Going | None:
    row = about.standing()
    if row is not None and about.lost(row) is None:
        how = "turn" if row.part == MEMBER else "leader"
        return Going(row.person_id, how, about.beside(row), row.id, accepted=row.state == ACCEPTED)
    found = about.next()
    if found is not None:
        return Going(found[0], "turn", found[1])
    if about.leader is None or about.refused():
        return None
    return Going(about.leader, "leader")


def hearing(session: Session, stint: Stint) -> set[str]:
    """Whoever may have been told of what is owed in a pairing: its `servers`, whoever stands in, and of a team those
    with a place in its turns."""
    query = select(TurnMember.person_id).join(TurnPlan, col(TurnPlan.id) == TurnMember.plan_id)
    placed = session.exec(query.where(TurnPlan.stint_id == stint.id, col(TurnPlan.ended_at).is_(None)))
    return {*placed, *servers(session, stint), *substitutes(session, [stint]).values()}


def overdue(session: Session, row: Turn) -> bool:
    """Whether somebody who was asked has not answered within rules.toml, pairing.hold_hours."""
    return row.state == ASKED and row.asked_at + timedelta(hours=rules().pairing.hold_hours) <= now_of(session)


def substitutes(session: Session, stints: Sequence[Stint]) -> dict[str, str]:
    """Who stands in for the holders of these, by stint."""
    ids = [stint.id for stint in stints]
    query = select(Stint.follows_id, Stint.person_id).where(
        col(Stint.follows_id).in_(ids), Stint.part == SUBSTITUTE, Stint.state == OPEN
    )
    return {str(stint): str(person) for stint, person in session.exec(query.order_by(col(Stint.id).desc()))}


def leaders_of(session: Session, stints: Sequence[Stint]) -> dict[str, str]:
    """Who leads the teams of these, by stint, as `served.servers`: whoever said yes as long as they lead it."""
    teams = {stint.team_id for stint in stints if stint.team_id is not None}
    query = select(TeamMember.team_id, TeamMember.person_id).where(
        col(TeamMember.team_id).in_(teams), TeamMember.part == LEADS, col(TeamMember.left_at).is_(None)
    )
    leading: dict[str, list[str]] = {}
    for team, person in session.exec(query.order_by(col(TeamMember.joined_at), col(TeamMember.id))):
        leading.setdefault(team, []).append(person)
    found = {}
    for stint in stints:
        people = leading.get(stint.team_id or "", [])
        if people:
            found[stint.id] = stint.person_id if stint.person_id in people else people[0]
    return found


def planned(session: Session, stints: Sequence[Stint], on: date) -> list[Planned]:
    """The plans of those of these that have one on this day; at most SLICE stints."""
    by_id = {stint.id: stint for stint in stints if stint.team_id is not None}
    query = select(TurnPlan).where(col(TurnPlan.stint_id).in_(by_id), col(TurnPlan.ended_at).is_(None))
    plans = [plan for plan in session.exec(query) if plan.rhythm == VISIT or plan.number <= month_number(on)]
    if not plans:
        return []
    own = [by_id[plan.stint_id] for plan in plans]
    slots, rows, leading = _slots(session, plans, by_id, on), _rows(session, plans, on), leaders_of(session, own)
    away = {leave.stint.id for leave in leaves_of(session, own) if leave.until >= on}
    found = []
    for plan in plans:
        number = plan.number if plan.rhythm == VISIT else month_number(on)
        placed, leader = slots.get(plan.id, []), leading.get(plan.stint_id)
        if plan.stint_id in away and leader is not None:
            placed = [Slot(one.person_id, one.adult, AWAY) if one.person_id == leader else one for one in placed]
            leader = None
        first = (number if plan.rhythm == VISIT else number - plan.number) % max(1, len(placed))
        turned = (*placed[first:], *placed[:first])
        found.append(Planned(plan, by_id[plan.stint_id], number, turned, tuple(rows.get(plan.id, ())), leader))
    return found


def _rows(session: Session, plans: Sequence[TurnPlan], on: date) -> dict[str, list[Turn]]:
    monthly = and_(TurnPlan.rhythm == MONTH, Turn.number == month_number(on))
    each_visit = and_(TurnPlan.rhythm == VISIT, Turn.number == TurnPlan.number)
    query = select(Turn).join(TurnPlan, col(TurnPlan.id) == Turn.plan_id).where(or_(monthly, each_visit))
    query = query.where(col(TurnPlan.id).in_([plan.id for plan in plans])).order_by(col(Turn.asked_at), col(Turn.id))
    found: dict[str, list[Turn]] = {}
    for row in session.exec(query.execution_options(populate_existing=True)):
        found.setdefault(row.plan_id, []).append(row)
    return found


def _slots(session: Session, plans: Sequence[TurnPlan], stints: dict[str, Stint], on: date) -> dict[str, list[Slot]]:
    ids = [plan.id for plan in plans]
    belongs = and_(
        col(TeamMember.team_id) == Stint.team_id,
        col(TeamMember.person_id) == TurnMember.person_id,
        col(TeamMember.left_at).is_(None),
    )
    query = (
        sql_select(col(TurnMember.plan_id), col(TurnMember.person_id), col(TeamMember.id), col(Person.paused_until))
        .join(TurnPlan, col(TurnPlan.id) == TurnMember.plan_id)
        .join(Stint, col(Stint.id) == TurnPlan.stint_id)
        .join(Person, col(Person.id) == TurnMember.person_id)
        .join(TeamMember, belongs, isouter=True)
        .where(col(TurnMember.plan_id).in_(ids))
        .order_by(col(TurnMember.plan_id), col(TurnMember.place))
    )
    people = select(TurnMember.person_id).where(col(TurnMember.plan_id).in_(ids))
    known = {row.person_id: row for row in session.exec(counting().where(col(Volunteer.person_id).in_(people)))}
    served = _served(session, [stints[plan.stint_id] for plan in plans])
    of = {plan.id: served.get(str(stints[plan.stint_id].beneficiary_id)) for plan in plans}
    found: dict[str, list[Slot]] = {}
    for plan, person, membership, paused_until in session.execute(query):
        row = known.get(person)
        if membership is None:
            slot = Slot(person, adult=True, against=LEFT)
        elif paused_until is not None and paused_until >= on:
            slot = Slot(person, adult=True, against=AWAY)
        else:
            slot = looked_at(session, of[plan], person, row, on)
        found.setdefault(plan, []).append(slot)
    return found


def _served(session: Session, stints: Sequence[Stint]) -> dict[str, Beneficiary]:
    ids = [stint.beneficiary_id for stint in stints if stint.beneficiary_id is not None]
    return {row.id: row for row in session.exec(select(Beneficiary).where(col(Beneficiary.id).in_(ids)))}


def looked_at(session: Session, somebody: Beneficiary | None, person: str, row: Volunteer | None, on: date) -> Slot:
    """Whether a volunteer (`row` = the registration that counts) can go to somebody on a day, by the rules of pairings
    but that of age; to an institution (None) whoever is active can."""
    if row is None or row.status != ACTIVE or row.birth_date is None:
        return Slot(person, adult=True, against=GONE)
    adult = age_on(row.birth_date, on) >= ADULT
    return Slot(person, adult, unfit_member(session, somebody, row, on) if somebody is not None else None)


MOST = 500  # pairings of one list


def plannable(session: Session, viewer: str) -> list[Stint]:
    """The open pairings of teams that somebody may plan the turns of: those of the teams they lead, those of their
    regions, and of a team they look after those with institutions; at most MOST, the oldest first."""
    held = role.grants(session, viewer)
    scopes = [each.scope for each in held if each.scope_kind == "region"]
    numbers = [each.scope for each in held if each.scope_kind == "team"]
    looked_after = select(Team.id).where(col(Team.number).in_(numbers))
    houses = and_(col(Stint.institution_id).is_not(None), col(Stint.team_id).in_(looked_after))
    county = func.coalesce(Beneficiary.county, Institution.county)
    own = col(Stint.team_id).in_(led_by(family(session, viewer)))
    query = (
        select(Stint)
        .join(Beneficiary, col(Beneficiary.id) == Stint.beneficiary_id, isouter=True)
        .join(Institution, col(Institution.id) == Stint.institution_id, isouter=True)
        .where(Stint.state == OPEN, Stint.part == LEAD, col(Stint.team_id).is_not(None))
        .where(or_(own, houses, *(county.startswith(code, autoescape=True) for code in scopes)))
        .order_by(col(Stint.opened_at), col(Stint.id))
    )
    return list(session.exec(query.limit(MOST)))
