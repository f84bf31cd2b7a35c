"""Who is told at which step of an overdue visit (programme §6), and in which message.

The volunteer, the specialist, deputy or team leader, the county's organiser, the city. Whoever is on leave is stood in
for (models/standing_in.py). A step is never told to nobody while anybody answers for the county. To city and province
climb counts, never people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from config import regions
from config.catalogue import rules
from models.contact import reachable_grants, steps
from models.duty_mail import CLIMBED, LED, MORNING, put
from models.pairing import Stint
from models.person import Person
from models.role import RoleGrant
from models.served import answering, leaders, servers
from models.standing_in import Duty
from models.team import Team
from models.visit import Visit

VOLUNTEER, SPECIALIST, LEADER, ORGANISER, CITY = range(5)


def told_at(session: Session, visit: Visit, step: int) -> list[str]:
    """The people to tell at a step of the overdue: VOLUNTEER to CITY. Where nobody stands on a rung it is the next one
    above, else whoever answers for the county; the volunteers themselves only where nobody else does."""
    stint = session.get(Stint, visit.stint_id) if visit.stint_id else None
    serving = servers(session, stint) if stint is not None else ()
    if step == VOLUNTEER and serving:
        return list(serving)
    team = session.get(Team, stint.team_id) if stint is not None and stint.team_id else None
    held = reachable_grants(session, ("region", "team"))
    rungs = _rungs(held, visit.county, team.number if team is not None else "")
    if team is not None:
        leading = [one for one in leaders(session, team.id) if one not in rungs[0]]
        rungs[1] = [*leading, *(one for one in rungs[1] if one not in leading)]
    others = [[one for one in rung if one not in serving] for rung in rungs]
    found = next((rung for rung in others[max(step, SPECIALIST) - 1 :] if rung), [])
    if found:
        return found
    whoever = answering(session, visit.county)
    return [one for one in whoever if one not in serving] or whoever


def _rungs(held: Sequence[Duty], county: str, team: str) -> list[list[str]]:
    """From the specialist to the city, without the team's leaders."""
    regional = [duty for duty in held if duty.scope_kind == "region"]
    organising = [duty for duty in regional if duty.role == "organiser"]
    wider = [duty for duty in organising if len(duty.scope) < len(county)]
    first = steps(regional, county, but="")
    near = first[0] if first else []
    own = {duty.person_id for duty in held if (duty.role, duty.scope_kind, duty.scope) == ("specialist", "team", team)}
    special = sorted(own - {""}) or near
    second = [one for one in near if one not in special]
    if not second:
        second = next((found for step in first[1:2] if (found := [one for one in step if one not in special])), [])
    return [special, second, _nearest(organising, county), _nearest(wider, county)]


def _nearest(held: Sequence[Duty], county: str) -> list[str]:
    found = steps(held, county, but="")
    return found[0] if found else []


def gather(session: Session, told: Iterable[tuple[str, int]]) -> int:
    """Tell these people that something has climbed to them at a step, each once a day with all that waits for them:
    those who answer for others in their morning message, a team's leader in one of their own. To a city or
    province goes one message a week, with counts. Returns how many messages are new."""
    people: dict[str, set[int]] = {}
    for person, step in told:
        people.setdefault(person, set()).add(step)
    ids = list(people)
    zones = dict(session.exec(select(Person.id, Person.zone).where(col(Person.id).in_(ids))).all())
    held = session.exec(
        select(RoleGrant).where(col(RoleGrant.person_id).in_(ids), col(RoleGrant.ended_at).is_(None))
    ).all()
    answer = {grant.person_id for grant in held}
    wide = {grant.person_id for grant in held if grant.scope_kind == "region" and not regions.leaf(grant.scope)}
    done, hour = 0, rules().duty.morning
    for person in sorted(people):
        if person not in answer:
            done += put(session, LED, person, zones[person], hour)
            continue
        if person not in wide or min(people[person]) < CITY:
            done += put(session, MORNING, person, zones[person], hour)
        if person in wide:
            done += put(session, CLIMBED, person, zones[person], hour)
    return done


def nearest_organisers(held: Sequence[Duty], county: str) -> list[str]:
    """Who stands on the rung ORGANISER of a county, among these roles for regions."""
    return _nearest([duty for duty in held if duty.role == "organiser"], county)
