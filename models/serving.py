"""Service records (志愿服务记录, programme §7): checked in and out, or told afterwards; then a second person confirms.

A record goes running → (asked →) waiting → confirmed or refused; what came to nothing is void. The deciding is in
models/confirming.py, what becomes of a forgotten check-out in models/forgotten.py; both can be had from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, turn_acts
from models.activity import Activity
from models.beneficiary import ADULT, Beneficiary
from models.confirming import confirm as confirm
from models.confirming import confirm_many as confirm_many
from models.confirming import correct as correct
from models.confirming import count_waiting as count_waiting
from models.confirming import may_confirm as may_confirm
from models.confirming import refuse as refuse
from models.confirming import unconfirmed_since as unconfirmed_since
from models.confirming import waiting_for as waiting_for
from models.database import now_of
from models.forgotten import ask as ask
from models.forgotten import go_on as go_on
from models.forgotten import settle as settle
from models.ids import new_id
from models.pairing import ENDED, Stint
from models.person import Person, family, local_now
from models.record_rules import ServiceError as ServiceError
from models.record_rules import check_content, check_free, check_span, hold, locked, number_of, reckon_caps, wait
from models.record_rules import days_of as days_of
from models.sealed import seal, unseal
from models.service import ASKED, RUNNING, TOLD, UNPROVEN, VOID, WAITING, ServiceRecord
from models.station import Station
from models.team import TeamMember
from models.visit_days import day_in_china
from models.volunteer import ACTIVE, Volunteer, age_on, volunteer_of


@dataclass(frozen=True, slots=True)
class Doing:
    """A service that begins now. `content` is a key of services.toml, `way` how it is known (service.WAYS but "told");
    `planned_end` = until when it is to last, None = rules.toml, hours.usual_minutes; `unproven_why` goes with
    "unproven" and with nothing else."""

    content: str
    way: str
    stint_id: str | None = None
    station_id: str | None = None
    activity_id: str | None = None
    planned_end: datetime | None = None
    unproven_why: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A service told afterwards (补录): its times, UTC, and in a note whatever else was said."""

    content: str
    starts_at: datetime
    ends_at: datetime
    stint_id: str | None = None
    activity_id: str | None = None
    note: str = ""


def check_in(session: Session, person_id: str, doing: Doing) -> ServiceRecord:
    """A service begins now. One that ran past its planned end is asked about later and stands in nobody's way. Raises
    ServiceError: "scope", "minor", "content", "gone", "self", "running", "overlap", "too_short" and "too_long" (of the
    planned end)."""
    if doing.way == TOLD or (doing.way == UNPROVEN) != bool(doing.unproven_why):
        raise ValueError("a check-in is known in some way, or it is said why not")
    person, registered = _active(session, person_id)
    now = now_of(session)
    check_content(doing.content)
    running = _running(session, person_id)
    if running is not None and running.planned_end is not None and running.planned_end <= now:
        ask(session, [running.id])
        running = None
    if running is not None:
        raise ServiceError("running")
    planned = doing.planned_end or now + timedelta(minutes=rules().hours.usual_minutes)
    if planned <= now:
        raise ServiceError("too_short")
    if planned - now > timedelta(minutes=rules().hours.longest_minutes):
        raise ServiceError("too_long")
    if doing.station_id is not None:
        station = session.get(Station, doing.station_id)
        if station is None or station.ended_at is not None:
            raise ServiceError("gone")
    row = _record(session, person, registered, doing.content, now, doing.stint_id, doing.activity_id)
    row.way, row.unproven_why, row.station_id = doing.way, doing.unproven_why, doing.station_id
    row.planned_end, row.state = planned, RUNNING
    check_free(session, person_id, now, None)
    session.add(row)
    session.flush()
    audit.note(session, person_id, "service.checked_in", row.id, way=row.way, why=row.unproven_why)
    return row


def check_out(session: Session, person_id: str, at: datetime | None = None, note: str = "") -> ServiceRecord:
    """The service that is under way, or the one that was asked about, ended `at` (None = now) and waits for somebody to
    confirm it. Raises ServiceError: "nothing", "future", "too_short", "too_long", "overlap"; it then goes on as before.
    """
    hold(session, [person_id])
    row = running_of(session, person_id)
    if row is None:
        raise ServiceError("nothing")
    settle(session, person_id, row.id, at or now_of(session))
    if note:
        row.note_sealed = _sealed_note(session, row.id, note)
        session.add(row)
        session.flush()
    if row.stint_id is not None:
        turn_acts.visited(session, row.stint_id, person_id, day_in_china(row.starts_at))
    return row


def running_of(session: Session, person_id: str) -> ServiceRecord | None:
    """What is under way; else what was asked about last, since nobody checked out."""
    found = _running(session, person_id)
    if found is not None:
        return found
    query = select(ServiceRecord).where(
        col(ServiceRecord.person_id).in_(family(session, person_id)), ServiceRecord.state == ASKED
    )
    return session.exec(query.order_by(col(ServiceRecord.starts_at).desc(), ServiceRecord.id).limit(1)).first()


def _running(session: Session, person_id: str) -> ServiceRecord | None:
    query = select(ServiceRecord).where(
        col(ServiceRecord.person_id).in_(family(session, person_id)), ServiceRecord.state == RUNNING
    )
    return session.exec(query).first()


def void(session: Session, person_id: str, record_id: str) -> None:
    """A check-in by mistake, or what nobody has confirmed yet, is taken back by whose it is. Raises ServiceError:
    "gone", "scope", "state"."""
    row, owner = locked(session, record_id)
    if owner.id != person_id:
        raise ServiceError("scope")
    if row.state not in (RUNNING, ASKED, WAITING):
        raise ServiceError("state")
    before, days = row.state, days_of(row, owner)
    row.state = VOID
    session.add(row)
    session.flush()
    reckon_caps(session, owner, days)
    audit.note(session, person_id, "service.void", row.id, was=before)


def tell(session: Session, person_id: str, told: Told) -> ServiceRecord:
    """A service that is over is told, and waits for somebody to confirm it. Raises ServiceError: "scope", "minor",
    "content", "future", "too_short", "too_long", "too_old", "gone", "self", "overlap"."""
    person, registered = _active(session, person_id)
    check_content(told.content)
    check_span(session, told.starts_at, told.ends_at)
    if told.starts_at < now_of(session) - timedelta(days=rules().hours.told_days):
        raise ServiceError("too_old")
    row = _record(session, person, registered, told.content, told.starts_at, told.stint_id, told.activity_id)
    row.way, row.ends_at = TOLD, told.ends_at
    row.note_sealed = _sealed_note(session, row.id, told.note) if told.note else None
    wait(session, row, person)
    audit.note(session, person_id, "service.told", row.id, minutes=row.minutes)
    return row


def note_of(session: Session, record: ServiceRecord) -> str:
    """What was said beside the times; empty where nothing was."""
    return unseal(session, "service_record.note_sealed", record.id, record.note_sealed) or ""


def _sealed_note(session: Session, record_id: str, note: str) -> bytes | None:
    return seal(session, "service_record.note_sealed", record_id, note)


def _active(session: Session, person_id: str) -> tuple[Person, Volunteer]:
    """Whoever serves, for this transaction. Raises ServiceError("scope") for whoever may not serve now."""
    hold(session, [person_id])
    person, registered = session.get_one(Person, person_id), volunteer_of(session, person_id)
    if registered is None or registered.status != ACTIVE or person.merged_into is not None:
        raise ServiceError("scope")
    return person, registered


def _record(
    session: Session,
    person: Person,
    registered: Volunteer,
    content: str,
    starts: datetime,
    stint_id: str | None,
    activity_id: str | None,
) -> ServiceRecord:
    """A new row, not added yet, with whom and where it is about."""
    row = ServiceRecord(
        id=new_id(),
        person_id=person.id,
        person_no=number_of(person.id),
        county=str(registered.county),
        content=content,
        starts_at=starts,
        way="",
        state=WAITING,
        made_at=now_of(session),
    )
    if stint_id is not None:
        stint = _stint(session, person, stint_id, starts)
        if stint.team_id is None and _is_minor(session, person, registered):
            raise ServiceError("minor")
        row.stint_id, row.team_id = stint.id, stint.team_id
        row.beneficiary_id, row.institution_id = stint.beneficiary_id, stint.institution_id
    if activity_id is not None:
        activity = _activity(session, activity_id, starts)
        row.activity_id, row.team_id = activity.id, row.team_id or activity.team_id
        row.station_id = activity.station_id
    row.team_id = row.team_id or _team_of(session, person.id)
    return row


def _is_minor(session: Session, person: Person, registered: Volunteer) -> bool:
    born = registered.birth_date
    return born is None or age_on(born, local_now(session, person).date()) < ADULT


def _stint(session: Session, person: Person, stint_id: str, starts: datetime) -> Stint:
    """The pairing in which somebody served on this day. Raises ServiceError: "gone", "scope", "self"."""
    stint = session.get(Stint, stint_id)
    zone = ZoneInfo(person.zone)
    day = starts.astimezone(zone).date()
    if stint is None or day < stint.made_at.astimezone(zone).date():
        raise ServiceError("gone")
    if stint.state == ENDED and stint.ended_at is not None and day > stint.ended_at.astimezone(zone).date():
        raise ServiceError("gone")
    accounts = family(session, person.id)
    served = session.get(Beneficiary, stint.beneficiary_id) if stint.beneficiary_id else None
    if served is not None and served.person_id in accounts:
        raise ServiceError("self")
    if stint.person_id not in accounts and not _was_member(session, accounts, stint.team_id, starts):
        raise ServiceError("scope")
    return stint


def _was_member(session: Session, accounts: list[str], team_id: str | None, at: datetime) -> bool:
    """Whether they belonged to a team at that time: its members take turns (programme §5)."""
    if team_id is None:
        return False
    query = select(TeamMember).where(TeamMember.team_id == team_id, col(TeamMember.person_id).in_(accounts))
    day = timedelta(days=1)  # whoever joins is often written down afterwards
    return any(
        held.joined_at <= at + day and (held.left_at is None or held.left_at >= at) for held in session.exec(query)
    )


def _activity(session: Session, activity_id: str, starts: datetime) -> Activity:
    activity = session.get(Activity, activity_id)
    day = timedelta(days=1)
    if activity is None or activity.cancelled_at is not None:
        raise ServiceError("gone")
    if not activity.starts_at - day <= starts <= activity.ends_at + day:
        raise ServiceError("gone")
    return activity


def _team_of(session: Session, person_id: str) -> str | None:
    """Whose specialist answers where nothing else says so: the team that was joined first."""
    query = select(TeamMember.team_id).where(
        col(TeamMember.person_id).in_(family(session, person_id)), col(TeamMember.left_at).is_(None)
    )
    return session.exec(query.order_by(col(TeamMember.joined_at), TeamMember.id).limit(1)).first()
