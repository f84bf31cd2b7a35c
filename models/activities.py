"""Activities: who may make one, which are near, and which can be checked in at now (programme §7, §9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from config import regions
from config.services import entries
from models import audit
from models.activity import Activity
from models.activity_codes import new_secret, verdict
from models.beneficiary import MACHINE, may_see
from models.database import now_of
from models.ids import new_id, new_number
from models.outbox import REPLY, enqueue
from models.person import family
from models.role import grants
from models.sealed import seal
from models.station import Station
from models.team import LEADER, Team, memberships
from models.volunteer import ACTIVE, volunteer_of

LONGEST_NAME, LONGEST_PLACE, MOST_PLACES = 40, 100, 10_000
LONGEST = timedelta(hours=24)
AHEAD = timedelta(days=365)  # so far ahead one can be made
EARLY = timedelta(hours=1)  # so long before it begins people can check in
NEAR = timedelta(days=30)  # 近期活动


class ActivityError(Exception):
    """`reason`: "scope" — not theirs to make or cancel; "name", "place", "places", "content", "county"; "time" — it
    ends before it begins, is over already, too long or too far ahead; "leader" — no active volunteer; "station" — none
    that stands; "gone" — cancelled or over."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class New:
    """An activity to be made; times aware. `leader_id` is a person's id."""

    name: str
    starts_at: datetime
    ends_at: datetime
    content: str
    county: str
    leader_id: str
    place: str = ""
    places: int | None = None
    team_id: str | None = None
    station_id: str | None = None


def homes(session: Session, person_id: str) -> list[str]:
    """The regions for which somebody may make activities: their roles' and the home of each team they lead."""
    found = [held.scope for held in grants(session, person_id) if held.scope_kind == "region"]
    found += [team.region for team in led(session, person_id)]
    return list(dict.fromkeys(found))


def led(session: Session, person_id: str) -> list[Team]:
    """The teams that somebody leads."""
    ids = [held.team_id for held in memberships(session, person_id) if held.part == LEADER]
    query = select(Team).where(col(Team.id).in_(ids), col(Team.ended_at).is_(None))
    return list(session.exec(query.order_by(Team.number)))


def may_keep(session: Session, by: str, county: str, team_id: str | None = None, leader_id: str = "") -> bool:
    """Whether `by` may make or cancel an activity: who answers for the county, or leads the team; the one who leads the
    activity may cancel it."""
    if may_see(session, by, county) or leader_id in family(session, by):
        return True
    own = led(session, by)
    if team_id is not None:
        return any(team.id == team_id for team in own)
    return any(regions.within(county, team.region) for team in own)


def create(session: Session, by: str, new: New) -> Activity:
    """Make one. Raises ActivityError."""
    name = " ".join(new.name.split())
    _check(session, new, name)
    if not may_keep(session, by, new.county, new.team_id):
        raise ActivityError("scope")
    row = Activity(
        id=new_id(),
        number=_unused_number(session),
        name=name,
        county=new.county,
        team_id=new.team_id,
        station_id=new.station_id,
        leader_id=new.leader_id,
        content=new.content,
        place=" ".join(new.place.split()),
        places=new.places,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        made_by=by,
        made_at=now_of(session),
    )
    row.secret_sealed = seal(session, "activity.secret_sealed", row.id, new_secret())
    session.add(row)
    session.flush()
    audit.note(session, by, "activity.made", row.id, county=row.county)
    if row.leader_id not in (family(session, by) if by != MACHINE else []):
        _tell_leader(session, row, "made")
    return row


def _check(session: Session, new: New, name: str) -> None:
    if not 2 <= len(name) <= LONGEST_NAME:
        raise ActivityError("name")
    if len(new.place) > LONGEST_PLACE:
        raise ActivityError("place")
    if new.places is not None and not 0 < new.places <= MOST_PLACES:
        raise ActivityError("places")
    if new.content not in entries("service"):
        raise ActivityError("content")
    if not regions.leaf(new.county):
        raise ActivityError("county")
    now = now_of(session)
    if not now < new.ends_at or not new.starts_at < new.ends_at <= new.starts_at + LONGEST:
        raise ActivityError("time")
    if new.starts_at > now + AHEAD:
        raise ActivityError("time")
    leader = volunteer_of(session, new.leader_id)
    if leader is None or leader.status != ACTIVE:
        raise ActivityError("leader")
    station = session.get(Station, new.station_id) if new.station_id is not None else None
    if new.station_id is not None and (station is None or station.ended_at is not None):
        raise ActivityError("station")


def cancel(session: Session, by: str, activity_id: str) -> Activity:
    """It does not take place; whoever leads it hears of it, unless they did it. Raises ActivityError."""
    query = select(Activity).where(Activity.id == activity_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None or row.cancelled_at is not None or row.ends_at <= now_of(session):
        raise ActivityError("gone")
    if not may_keep(session, by, row.county, row.team_id, row.leader_id):
        raise ActivityError("scope")
    row.cancelled_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "activity.cancelled", row.id)
    if by == MACHINE or row.leader_id not in family(session, by):
        _tell_leader(session, row, "cancelled")
    return row


def _tell_leader(session: Session, row: Activity, news: str) -> None:
    key, params = f"activity:{row.id}:{news}", {"activity": row.id, "news": news}
    enqueue(session, row.leader_id, "notice.activity", params, unique_key=key, priority=REPLY)


def by_activity_number(session: Session, number: str) -> Activity | None:
    """The one with this number."""
    return session.exec(select(Activity).where(Activity.number == number)).first()


def standing(session: Session, region: str = "") -> list[Activity]:
    """What is not over and not cancelled in a region, the next one first."""
    query = select(Activity).where(col(Activity.cancelled_at).is_(None), Activity.ends_at > now_of(session))
    query = query.where(col(Activity.county).startswith(region, autoescape=True))
    return list(session.exec(query.order_by(col(Activity.starts_at), Activity.number)))


def near(session: Session, person_id: str, limit: int = 10) -> list[Activity]:
    """What somebody may go to within NEAR: of their city, of their teams, and what they lead; the next one first."""
    query = select(Activity).where(
        col(Activity.cancelled_at).is_(None),
        Activity.ends_at > now_of(session),
        Activity.starts_at <= now_of(session) + NEAR,
        _concerns(session, person_id),
    )
    return list(session.exec(query.order_by(col(Activity.starts_at), Activity.number).limit(limit)))


def open_now(session: Session, person_id: str) -> list[Activity]:
    """Of these, where one can check in now."""
    now = now_of(session)
    return [row for row in near(session, person_id, limit=100) if is_open(row, now)]


def is_open(activity: Activity, now: datetime) -> bool:
    """Whether people can check in there now."""
    return activity.cancelled_at is None and activity.starts_at - EARLY <= now < activity.ends_at


def with_code(session: Session, person_id: str, typed: str) -> list[Activity]:
    """Where this code is good now, of all that somebody can check in at."""
    return [row for row in open_now(session, person_id) if verdict(session, row, typed) == "good"]


def _concerns(session: Session, person_id: str) -> ColumnElement[bool]:
    registered = volunteer_of(session, person_id)
    city = (registered.county or "")[:4] if registered is not None else ""
    teams = [held.team_id for held in memberships(session, person_id)]
    mine = [col(Activity.team_id).in_(teams), col(Activity.leader_id).in_(family(session, person_id))]
    return or_(*mine, col(Activity.county).startswith(city)) if city else or_(*mine)


def _unused_number(session: Session) -> str:
    """A number that none had before; the unique key stands behind it."""
    while True:
        number = new_number()
        if by_activity_number(session, number) is None:
            return number
