"""Specialists' trainings, papers and insurances: what is noted, what lapses, who is reminded ([15], programme §8).

The first training is owed within three months of becoming a specialist, then one systematic training every year. What
has lapsed keeps a specialist from agreeing to new assignments that carry a risk until it is mended. Nobody notes their
own. Days are days in China.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import String, cast, delete, exists, literal
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from config import regions
from config.catalogue import rules
from models import audit, role
from models.beneficiary import MACHINE
from models.contact import everybody, reachable_grants, steps
from models.database import insert_once, now_of
from models.duty_days import HOME, home_day
from models.ids import new_id
from models.months import months_on
from models.outbox import REMINDER, enqueue
from models.person import Person
from models.qualification import CERTIFICATE, FIRST_TRAINING, INSURANCE, KINDS, TRAINING, Qualification
from models.role import RoleGrant
from models.sealed import seal, unseal
from models.team import by_team_number
from models.volunteer import ACTIVE, Volunteer, volunteer_of

OLDEST = 10  # years back that a training, or the beginning of a paper, may lie
LONGEST = 10  # years that a certificate or an insurance may be good for
MOST_NUMBER = 40  # characters of a certificate's or policy's number
TOLD_ORGANISER = 7  # days before something lapses, and on that day, the organiser hears of it
NOTED = (TRAINING, CERTIFICATE, INSURANCE)  # what is noted; a training answers for the first one, too

_O: Any = SQLModel.metadata.tables["outbox"]


class QualifyingError(Exception):
    """`reason`: "scope" — no organiser of theirs, or for oneself; "role" — no specialist; "day" — a day that cannot be;
    "number" — none, or too long; "kind"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Noted:
    """What an organiser has seen. Of a training `since` is its day, and `until` follows from it."""

    kind: str
    since: date | None = None
    until: date | None = None
    number: str = ""


# --- noting ---


def may_note(session: Session, by: str, person_id: str) -> bool:
    """Whether somebody (a person's id, or MACHINE) may note what this specialist has: an organiser whose region takes
    in the specialist's scope or county; never for oneself."""
    if by == MACHINE:
        return True
    if by == person_id:
        return False
    places = _places(session, person_id)
    mine = [held.scope for held in role.grants(session, by) if (held.role, held.scope_kind) == ("organiser", "region")]
    return any(regions.within(place, scope) for place in places for scope in mine)


def _places(session: Session, person_id: str) -> list[str]:
    """The regions for which somebody is a specialist, or in which their teams are at home, and their own county."""
    found = []
    for held in role.grants(session, person_id):
        if held.role == "specialist" and held.scope_kind == "region":
            found.append(held.scope)
        elif held.role == "specialist" and held.scope_kind == "team":
            team = by_team_number(session, held.scope)
            found += [team.region] if team is not None else []
    row = volunteer_of(session, person_id)
    return [*found, *([row.county] if row is not None and row.county else [])]


def note(session: Session, by: str, person_id: str, noted: Noted) -> Qualification:
    """Keep it in place of what stood there, and tell the specialist. The very same again changes nothing. Raises
    QualifyingError."""
    if not may_note(session, by, person_id):
        raise QualifyingError("scope")
    if not is_specialist(session, person_id):
        raise QualifyingError("role")
    since, until = _checked(session, noted)
    number = noted.number.strip()
    ends = (TRAINING, FIRST_TRAINING) if noted.kind == TRAINING else (noted.kind,)
    for old in _standing(session, person_id, ends):
        if (old.kind, old.since, old.until, number_of(session, old)) == (noted.kind, since, until, number):
            return old
        old.ended_at = now_of(session)
        session.add(old)
    session.flush()
    row = Qualification(
        person_id=person_id,
        kind=noted.kind,
        since=since,
        until=until,
        noted_by=by,
        noted_at=now_of(session),
    )
    row.number_sealed = seal(session, "qualification.number_sealed", row.id, number or None)
    row.steps, row.next_on = first_step(until, home_day(session))
    session.add(row)
    session.flush()
    audit.note(session, by, "qualification.noted", row.id, kind=row.kind, until=str(until or ""))
    key = f"qualification:{row.id}:noted"
    params = {"qualification": row.id, "what": "noted"}
    enqueue(session, person_id, "notice.qualification", params, unique_key=key)
    return row


def number_of(session: Session, row: Qualification) -> str:
    """The number of a certificate or policy; empty without one."""
    return unseal(session, "qualification.number_sealed", row.id, row.number_sealed) or ""


def _checked(session: Session, noted: Noted) -> tuple[date | None, date | None]:
    """Since and until. Raises QualifyingError."""
    today, since, until = home_day(session), noted.since, noted.until
    if noted.kind not in NOTED:
        raise QualifyingError("kind")
    if since is not None and not months_on(today, -12 * OLDEST) <= since <= today:
        raise QualifyingError("day")
    if noted.kind == TRAINING:
        if since is None:
            raise QualifyingError("day")
        return since, months_on(since, rules().qualifications.training_months)
    if until is None or not today <= until <= months_on(today, 12 * LONGEST):
        raise QualifyingError("day")
    words = noted.number.strip()
    if len(words) > MOST_NUMBER or (noted.kind == CERTIFICATE and not words):
        raise QualifyingError("number")
    return since, until


def first_step(until: date | None, today: date) -> tuple[int, date | None]:
    """How many reminders of something good until that day lie behind already, and the day of the next one."""
    days = rules().qualifications.remind_before_days
    if until is None:
        return 0, None
    passed = sum(1 for before in days if until - timedelta(days=before) < today)
    return passed, until - timedelta(days=days[passed]) if passed < len(days) else None


# --- reading ---


def is_specialist(session: Session, person_id: str) -> bool:
    """Whether somebody is a specialist of anything today."""
    return any(held.role == "specialist" for held in role.grants(session, person_id))


def _standing(session: Session, person_id: str, kinds: Sequence[str] = KINDS) -> list[Qualification]:
    query = select(Qualification).where(
        Qualification.person_id == person_id,
        col(Qualification.kind).in_(kinds),
        col(Qualification.ended_at).is_(None),
    )
    return sorted(session.exec(query).all(), key=lambda row: KINDS.index(row.kind))


def of(session: Session, person_id: str) -> list[Qualification]:
    """What somebody has or owes now, in the order of KINDS."""
    return _standing(session, person_id)


def lapsed(session: Session, person_id: str) -> list[Qualification]:
    """What of it is over, or was not done by its day."""
    today = home_day(session)
    return [row for row in _standing(session, person_id) if row.until is not None and row.until < today]


def keeps_from_risk(session: Session, by: str) -> list[Qualification]:
    """What keeps this specialist from agreeing to a new assignment with a risk; empty for whoever is no specialist."""
    return lapsed(session, by) if by != MACHINE and is_specialist(session, by) else []


def lapsing(session: Session, viewer: str, within_days: int) -> list[Qualification]:
    """What lapses within so many days, or has lapsed, of the specialists for whom an organiser notes it; the first to
    lapse in front."""
    held = [each for each in role.grants(session, viewer) if (each.role, each.scope_kind) == ("organiser", "region")]
    if not held:
        return []
    grants = select(RoleGrant.person_id).where(RoleGrant.role == "specialist", col(RoleGrant.ended_at).is_(None))
    query = select(Qualification).where(
        col(Qualification.ended_at).is_(None),
        col(Qualification.until) <= home_day(session) + timedelta(days=within_days),
        col(Qualification.person_id).in_(grants),
        Qualification.person_id != viewer,
    )
    found = session.exec(query.order_by(col(Qualification.until), col(Qualification.id))).all()
    places = _places_of(session, {row.person_id for row in found})
    mine = [each.scope for each in held]
    return [
        row
        for row in found
        if any(regions.within(place, scope) for place in places.get(row.person_id, ()) for scope in mine)
    ]


def _places_of(session: Session, people: set[str]) -> dict[str, list[str]]:
    """As `_places`, for many in three statements."""
    team: Any = SQLModel.metadata.tables["team"]
    found: dict[str, list[str]] = {}
    query = select(RoleGrant.person_id, RoleGrant.scope_kind, RoleGrant.scope).where(
        col(RoleGrant.person_id).in_(people), RoleGrant.role == "specialist", col(RoleGrant.ended_at).is_(None)
    )
    held = session.exec(query).all()
    numbers = [scope for _person, kind, scope in held if kind == "team"]
    homes = dict(session.execute(sql_select(team.c.number, team.c.region).where(team.c.number.in_(numbers))).all())
    for person, kind, scope in held:
        place = scope if kind == "region" else homes.get(scope) if kind == "team" else None
        found.setdefault(person, []).extend([place] if place else [])
    registered = sql_select(col(Volunteer.person_id), col(Volunteer.county)).where(
        col(Volunteer.person_id).in_(people), col(Volunteer.merged_into).is_(None), col(Volunteer.county).is_not(None)
    )
    for person, county in session.execute(registered):
        found.setdefault(person, []).append(str(county))
    return found


def forget(session: Session, person_id: str) -> None:
    """Somebody's data is deleted: numbers of certificates and policies go with it."""
    session.execute(delete(Qualification).where(col(Qualification.person_id) == person_id))


# --- jobs ---


def owing(session: Session, limit: int = 500) -> list[str]:
    """The specialists of whom nothing about trainings is known yet."""
    known = exists().where(
        col(Qualification.person_id) == RoleGrant.person_id, col(Qualification.kind).in_((FIRST_TRAINING, TRAINING))
    )
    query = select(RoleGrant.person_id).where(RoleGrant.role == "specialist", col(RoleGrant.ended_at).is_(None), ~known)
    return list(session.exec(query.distinct().order_by(col(RoleGrant.person_id)).limit(limit)))


def plan(session: Session, people: Sequence[str]) -> int:
    """Write down what new specialists owe: the first training, or the next one where a training of theirs is known. The
    first is due three months after they became one, and never sooner than its first reminder can come."""
    grants = select(RoleGrant).where(
        col(RoleGrant.person_id).in_(people), RoleGrant.role == "specialist", col(RoleGrant.ended_at).is_(None)
    )
    since: dict[str, date] = {}
    for held in session.exec(grants):
        day = held.granted_at.astimezone(HOME).date()
        since[held.person_id] = min(day, since.get(held.person_id, day))
    trained = sql_select(col(Volunteer.person_id), col(Volunteer.trained_on)).where(
        col(Volunteer.person_id).in_(people),
        col(Volunteer.merged_into).is_(None),
        col(Volunteer.trained_on).is_not(None),
    )
    known = {person: day for person, day in session.execute(trained) if day is not None}
    today, figures = home_day(session), rules().qualifications
    soonest = today + timedelta(days=max(figures.remind_before_days))
    done = 0
    for person, day in sorted(since.items()):
        row = new_id()
        begun = known.get(person)
        if begun is not None:
            kind, until = TRAINING, max(months_on(begun, figures.training_months), soonest)
        else:
            kind, until = FIRST_TRAINING, max(months_on(day, figures.first_training_months), soonest)
        passed, next_on = first_step(until, today)
        made = session.execute(
            insert_once(session, Qualification).values(
                id=row,
                person_id=person,
                kind=kind,
                since=begun,
                until=until,
                steps=passed,
                next_on=next_on,
                noted_by="programme",
                noted_at=now_of(session),
            )
        )
        done += int(getattr(made, "rowcount", 0))
    return done


def reminding(session: Session) -> list[str]:
    """What has a reminder due, of those who are specialists today."""
    held = exists().where(
        col(RoleGrant.person_id) == Qualification.person_id,
        col(RoleGrant.role) == "specialist",
        col(RoleGrant.ended_at).is_(None),
    )
    query = select(Qualification.id).where(
        col(Qualification.ended_at).is_(None), col(Qualification.next_on) <= home_day(session), held
    )
    return list(session.exec(query.order_by(col(Qualification.next_on), col(Qualification.id))))


def remind(session: Session, ids: Sequence[str]) -> int:
    """One reminder each, however many days were missed; at the last ones whoever notes it for them hears, too, in one
    message a day. Returns how many."""
    query = select(Qualification).where(col(Qualification.id).in_(ids), col(Qualification.ended_at).is_(None))
    rows = session.exec(query.order_by(col(Qualification.id)).with_for_update()).all()
    today, done = home_day(session), 0
    held = reachable_grants(session) if rows else []
    for row in rows:
        if row.next_on is None or row.next_on > today or row.until is None:
            continue
        days = rules().qualifications.remind_before_days
        row.steps = sum(1 for before in days if row.until - timedelta(days=before) <= today)
        row.next_on = row.until - timedelta(days=days[row.steps]) if row.steps < len(days) else None
        session.add(row)
        params = {"qualification": row.id, "what": "due"}
        key = f"qualification:{row.id}:{days[row.steps - 1]}"
        enqueue(session, row.person_id, "notice.qualification", params, unique_key=key, priority=REMINDER)
        if days[row.steps - 1] <= TOLD_ORGANISER:
            for one in _organisers(session, row.person_id, held):
                _tell_organiser(session, one, today)
        done += 1
    session.flush()
    return done


def _organisers(session: Session, person_id: str, held: Sequence[Any]) -> list[str]:
    """The nearest organisers who may note it, or their deputies; never the specialist."""
    organising = [each for each in held if each.role == "organiser"]
    for place in _places(session, person_id):
        if everybody(organising, place, but=person_id):
            return steps(organising, place, but=person_id)[0]
    return []


def _tell_organiser(session: Session, one: str, today: date) -> None:
    key = f"qualifications:{one}:{today.isoformat()}"
    params = {"day": today.isoformat()}
    enqueue(session, one, "notice.qualifications", params, unique_key=key, priority=REMINDER)


def remind_volunteers(session: Session, limit: int) -> int:
    """Clearances of volunteers that lapse soon: one reminder 60, 30 and 7 days before, however many days were missed;
    at most `limit` now. Returns how many."""
    today = home_day(session)
    days = sorted((one for one in rules().qualifications.remind_before_days if one > 0), reverse=True)
    done = 0
    for before, after in zip(days, [*days[1:], -1], strict=True):
        key = literal("dates_due:") + col(Volunteer.id) + ":" + cast(col(Volunteer.cleared_until), String)
        told = exists().where(_O.c.unique_key == key + f":{before}")
        query = (
            sql_select(col(Volunteer.id), col(Volunteer.person_id), col(Volunteer.cleared_until))
            .join(Person, col(Person.id) == Volunteer.person_id)
            .where(
                col(Volunteer.status) == ACTIVE,
                col(Volunteer.merged_into).is_(None),
                col(Volunteer.cleared_until) <= today + timedelta(days=before),
                col(Volunteer.cleared_until) > today + timedelta(days=after),
                ~told,
            )
            .limit(limit - done)
        )
        for row, person, until in session.execute(query).all():
            params = {"volunteer": row, "day": str(until)}
            unique = f"dates_due:{row}:{until}:{before}"
            kind = "notice.dates_due"
            done += enqueue(session, person, kind, params, unique_key=unique, priority=REMINDER)
        if done >= limit:
            break
    return done
