"""From a yes to an open pairing: the first meeting, the agreement, and the volunteer's acceptance of it (programme §5).

The specialist writes the agreement after the first meeting, when the family has agreed to it; with that it is
confirmed. The volunteer accepts it with the conduct card. Without a predecessor that opens the stint; in a relay the
handing over does (models/relaying.py). A team accepts by one of its leaders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, offering, qualifying, relaying
from models.about import unsay
from models.beneficiary import Beneficiary, is_minor
from models.database import now_of
from models.family_told import phones_of, tell_family
from models.obstacles import Candidate, leads, unfit
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import AGREEING, LEAD, OPEN, Stint
from models.served import Served, decides, locked_stint, served_of, servers, serves, tell_responsible
from models.stints import (
    StintError,
    end_stint,
    lead_of,
    lead_of_institution,
    months_on,
    open_stint,
    today_in,
    today_of,
)

MOST_MONTHS, MOST_ACTIVITIES = 36, 366
LEAST_ACTIVITIES = 2  # two visits a year are the floor (programme §5)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. `services` are keys of services.toml, `activities` a year, `months` = the term."""

    services: tuple[str, ...]
    activities: int
    months: int

    def check(self) -> None:
        """Raises StintError("terms")."""
        if not (LEAST_ACTIVITIES <= self.activities <= MOST_ACTIVITIES and 1 <= self.months <= MOST_MONTHS):
            raise StintError("terms")


def _theirs(session: Session, stint_id: str, by: str) -> tuple[Stint, Served]:
    """A lead stint that is being agreed, for whoever decides about it. Raises StintError."""
    stint = locked_stint(session, stint_id)
    if stint is None or (stint.state, stint.part) != (AGREEING, LEAD):
        raise StintError("gone")
    if not decides(session, by, stint):
        raise StintError("scope")
    return stint, served_of(session, stint)


def set_meeting(session: Session, stint_id: str, at: datetime, by: str) -> Stint:
    """When the first meeting is; whoever serves and the family are told, and of an earlier time no more.
    Raises StintError."""
    stint, _served = _theirs(session, stint_id, by)
    if at <= now_of(session):
        raise StintError("day")
    stint.meets_at = at.astimezone(UTC)
    session.add(stint)
    session.flush()
    audit.note(session, by, "pairing.meeting", stint.id)
    people = (*servers(session, stint), *phones_of(session, stint))
    unsay(session, people, [f"meeting:{stint.id}:"], why="set anew")
    made = now_of(session)
    for one in servers(session, stint):
        key = f"meeting:{stint.id}:{stint.meets_at.isoformat()}:{made.isoformat()}:{one}"
        params = {"stint": stint.id, "at": stint.meets_at.isoformat()}
        enqueue(session, one, "notice.meeting", params, unique_key=key, priority=REPLY, expires_at=at)
    told = f"meeting:{stint.id}:{stint.meets_at.isoformat()}:{made.isoformat()}"
    tell_family(session, stint, "notice.family_meeting", told, at=stint.meets_at)
    return stint


def write(session: Session, stint_id: str, terms: Terms, by: str) -> Stint:
    """The agreement after the first meeting, with the family's word; whoever serves is asked to accept it. It may be
    written anew until then, and then only the newest one can be accepted. Raises StintError, with "lapsed" where it
    carries a risk and something of the specialist's has lapsed (`qualifying.keeps_from_risk`)."""
    stint, served = _theirs(session, stint_id, by)
    terms.check()
    if stint.accepted_at is not None:
        raise StintError("accepted")
    _check_risk(session, stint, served, by)
    now = now_of(session)
    stint.services, stint.activities = list(terms.services), terms.activities
    stint.relay_months = terms.months
    stint.met_at = stint.met_at or now
    stint.confirmed_at, stint.confirmed_by = now, by
    session.add(stint)
    session.flush()
    audit.note(session, by, "pairing.agreement", stint.id, activities=terms.activities, months=terms.months)
    ask_to_accept(session, stint)
    return stint


def _check_risk(session: Session, stint: Stint, served: Served, by: str) -> None:
    """Somebody goes alone, or to a minor: not under a specialist whose training, certificate or insurance has lapsed
    (programme §8). Raises StintError."""
    minor = isinstance(served, Beneficiary) and is_minor(served, today_in(session, stint))
    if (minor or stint.team_id is None) and qualifying.keeps_from_risk(session, by):
        raise StintError("lapsed")


def ask_to_accept(session: Session, stint: Stint) -> None:
    """Send the agreement as it stands to whoever serves, in place of an earlier one."""
    people, at = servers(session, stint), stint.confirmed_at or now_of(session)
    unsay(session, people, [f"agreement:{stint.id}:", f"meeting:{stint.id}:"], why="written anew")
    for one in people:
        key = f"agreement:{stint.id}:{at.isoformat()}:{one}"
        params = {"stint": stint.id, "at": at.isoformat()}
        enqueue(session, one, "notice.agreement", params, unique_key=key, priority=REPLY)


def accept(session: Session, stint_id: str, person_id: str, version: datetime) -> Stint:
    """The volunteer accepts the agreement as it was written at `version`, and the conduct card. Raises StintError:
    "gone", "scope" — somebody else's; "changed" — it was written anew meanwhile; or why they may not serve any more
    (as `obstacles.unfit`)."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.part != LEAD or not serves(session, stint, person_id):
        raise StintError("scope")
    if stint.state == OPEN or (stint.state == AGREEING and stint.accepted_at is not None):
        return stint
    if stint.state != AGREEING or stint.confirmed_at is None:
        raise StintError("gone")
    if stint.confirmed_at != version:
        raise StintError("changed")
    served = served_of(session, stint)
    _check_still(session, stint, served, person_id)
    # What follows is known before anything is written: whoever catches an error commits nothing of it.
    before, relay = _before(session, stint), relaying.to_take(session, stint)
    if before is not None and relay is None:
        raise StintError("gone")
    stint.accepted_at, stint.conduct_version = now_of(session), rules().pairing.conduct_version
    session.add(stint)
    session.flush()
    unsay(session, servers(session, stint), [f"agreement:{stint.id}:", f"meeting:{stint.id}:"], why="accepted")
    audit.note(session, person_id, "pairing.accepted", stint.id, conduct=stint.conduct_version)
    if before is not None:
        relaying.taken(session, stint)
        return stint
    begin(session, stint)
    tell_responsible(
        session, served, "notice.opened", {"stint": stint.id}, f"opened:{stint.id}", stint.made_by, team=stint.team_id
    )
    tell_family(session, stint, "notice.family_opened", f"opened:{stint.id}")
    return stint


def _before(session: Session, stint: Stint) -> Stint | None:
    if stint.beneficiary_id is not None:
        return lead_of(session, stint.beneficiary_id)
    return lead_of_institution(session, str(stint.institution_id))


def _check_still(session: Session, stint: Stint, served: Served, person_id: str) -> None:
    """Whoever said yes weeks ago must be able to serve today. Raises StintError."""
    if isinstance(served, Beneficiary):
        candidate = Candidate(person_id, stint.team_id)
        against = unfit(session, served, candidate, today_of(session, person_id))
        if against is not None:
            raise StintError(against)
    elif not leads(session, person_id, str(stint.team_id)):
        raise StintError("team")


def begin(session: Session, stint: Stint) -> None:
    """Open an accepted stint for its agreed term. Raises StintError."""
    open_stint(session, stint, months_on(today_in(session, stint), stint.relay_months))


def call_off(session: Session, stint_id: str, by: str) -> None:
    """It does not come about: after a meeting that did not fit, or because the family said no to this one. Whoever
    would have served is thanked and the next one asked. Raises StintError."""
    stint, served = _theirs(session, stint_id, by)
    people = servers(session, stint)
    offering.undone(session, stint, by)
    for one in people:
        key = f"stint:{stint.id}:off:{one}"
        enqueue(session, one, "notice.called_off", {"stint": stint.id}, unique_key=key, priority=REPLY)
    if isinstance(served, Beneficiary):
        offering.go_on(session, served, by)


def end(session: Session, stint_id: str, why: str, by: str, keeper: str | None = None) -> Stint:
    """Whoever decides about an open lead stint ends it today, without a successor (`why` of pairing.ENDS); `keeper`, or
    else somebody who answers for the county, keeps the served person. Raises StintError."""
    stint = locked_stint(session, stint_id)
    if stint is None or (stint.state, stint.part) != (OPEN, LEAD):
        raise StintError("gone")
    if not decides(session, by, stint):
        raise StintError("scope")
    people = servers(session, stint)
    end_stint(session, stint, why, by, keeper)
    for one in people:
        enqueue(session, one, "notice.thanks", {"stint": stint.id}, unique_key=f"stint:{stint.id}:thanks:{one}")
    return stint


def unfinished(session: Session) -> list[str]:
    """Agreements that nobody has brought to an end within rules.toml, pairing.agree_days."""
    before = now_of(session) - timedelta(days=rules().pairing.agree_days)
    query = select(Stint.id).where(Stint.state == AGREEING, Stint.part == LEAD, col(Stint.made_at) <= before)
    return list(session.exec(query.order_by(col(Stint.made_at))))


def remind_unfinished(session: Session, among: Sequence[str]) -> int:
    """Whoever answers for these hears of it, once a week; returns how many are told."""
    told = 0
    for stint_id in among:
        stint = session.get(Stint, stint_id)
        if stint is None or stint.state != AGREEING:
            continue
        week = (now_of(session) - stint.made_at).days // 7
        key = f"unfinished:{stint.id}:{week}"
        served, params = served_of(session, stint), {"stint": stint.id}
        told += tell_responsible(
            session, served, "notice.unfinished", params, key, stint.made_by, team=stint.team_id, priority=REMINDER
        )
    return told
