"""What stands against an offer: for a served person now, and for one who might be asked; and what an offer may show.

The rules here are never bent; wishes and distances are models/matching.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from config.catalogue import rules
from models.beneficiary import ADULT, GONE, Beneficiary, is_minor, record_of
from models.database import vault_of
from models.distance import kilometres
from models.family_consent import PAIRING, agreed
from models.pairing import AGREEING
from models.person import family
from models.relay import STANDING as RELAYS
from models.relay import Relay
from models.served import leaders
from models.stints import lead_of, load, team_load
from models.team import Team
from models.volunteer import ACTIVE, Volunteer, age_on, volunteer_of

SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody to be asked, alone or for a team they lead."""

    person_id: str
    team_id: str | None = None
    proposal_id: str | None = None


def obstacle(session: Session, somebody: Beneficiary, candidate: Candidate, today: date) -> str | None:
    """Why this one may not serve this person, by the rules that are never bent; None = nothing stands against it.
    "volunteer" — not an active volunteer; "self"; "minor" — too young to serve alone; "team" — leads no such team;
    "sex"; "language"; "clearance"; "full". `today` is the candidate's."""
    return unfit(session, somebody, candidate, today) or ("full" if is_full(session, candidate) else None)


def unfit(session: Session, somebody: Beneficiary, candidate: Candidate, today: date) -> str | None:
    """As `obstacle`, without looking at how many they serve already."""
    row = volunteer_of(session, candidate.person_id)
    if row is None or row.status != ACTIVE or row.birth_date is None:
        return "volunteer"
    if _oneself(session, somebody, candidate.person_id):
        return "self"
    if age_on(row.birth_date, today) < ADULT:
        return "minor"
    if candidate.team_id is not None and not leads(session, candidate.person_id, candidate.team_id):
        return "team"
    return _misfit(session, somebody, row, today)


def unfit_member(session: Session, somebody: Beneficiary, row: Volunteer, day: date) -> str | None:
    """As `unfit`, of an active member of the team that has the lead, who goes in turns: without the rule of age, for a
    minor goes beside somebody grown up."""
    return "self" if _oneself(session, somebody, row.person_id) else _misfit(session, somebody, row, day)


def _oneself(session: Session, somebody: Beneficiary, person_id: str) -> bool:
    return somebody.person_id is not None and somebody.person_id in family(session, person_id)


def leads(session: Session, person_id: str, team_id: str) -> bool:
    """Whether this person leads this team, and the team is still one."""
    team = session.get(Team, team_id)
    return team is not None and team.ended_at is None and person_id in leaders(session, team_id)


def is_full(session: Session, candidate: Candidate) -> bool:
    """Whether the volunteer, or the team, serves as many as they may."""
    if candidate.team_id is None:
        return load(session, candidate.person_id) >= rules().pairing.per_volunteer
    return team_load(session, candidate.team_id) >= session.get_one(Team, candidate.team_id).capacity


def hold_capacity(session: Session, candidate: Candidate) -> None:
    """Lock what the capacity hangs on until the end of the transaction: of two yeses at the same moment the second one
    counts the first."""
    if candidate.team_id is not None:
        team = select(Team).where(Team.id == candidate.team_id).with_for_update(key_share=True)
        session.exec(team.execution_options(populate_existing=True)).all()
    query = select(Volunteer).where(Volunteer.person_id == candidate.person_id).order_by(col(Volunteer.id))
    session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def _misfit(session: Session, somebody: Beneficiary, row: Volunteer, today: date) -> str | None:
    record = record_of(vault_of(session), somebody)
    if record.sex_wanted is not None and record.sex_wanted != row.sex:
        return "sex"
    if record.language == SIGN and SIGN not in (row.languages or []) and "sign_language" not in (row.skills or []):
        return "language"
    lapsed = row.cleared_until is not None and row.cleared_until < today
    missing = row.cleared_until is None and rules().pairing.clearance_for_minors
    if is_minor(somebody, today) and (lapsed or missing):
        return "clearance"
    return None


def standing_relay(session: Session, stint_id: str) -> Relay | None:
    """The relay that seeks a successor for a stint."""
    return session.exec(select(Relay).where(Relay.stint_id == stint_id, col(Relay.state).in_(RELAYS))).first()


def may_ask(session: Session, somebody: Beneficiary) -> str | None:
    """Why nobody can be asked for this person now; None = somebody can. As OfferError."""
    if somebody.merged_into is not None or somebody.status in GONE:
        return "gone"
    if agreed(session, somebody.id, PAIRING) is None:
        return "consent"
    if lead_of(session, somebody.id, AGREEING) is not None:
        return "paired"
    lead = lead_of(session, somebody.id)
    if lead is not None and standing_relay(session, lead.id) is None:
        return "paired"
    return None


def goes(session: Session, somebody: Beneficiary, candidate: Candidate) -> bool:
    """Whether this is the very one whose successor is sought: they go on (`relaying.renew`), and follow nobody."""
    lead = lead_of(session, somebody.id)
    if lead is None or lead.team_id != candidate.team_id:
        return False
    return lead.team_id is not None or lead.person_id in family(session, candidate.person_id)


_AGES = ((6, "small"), (9, "primary_low"), (12, "primary_high"), (15, "junior"), (18, "senior"), (26, "young"))


def bands(session: Session, somebody: Beneficiary, candidate: Candidate, today: date) -> dict[str, Any]:
    """What an invitation may say: nothing by which somebody could be known (programme §5). "age" is a band, "needs" are
    keys of services.toml, "near": "walk" (1.6 km), "5", "10", "15" … (km), "town", "county" or "away"; "team" = the
    name of the team that is asked, empty for one volunteer."""
    age = age_on(somebody.birth_date, today) if somebody.birth_date else None
    band = "" if age is None else next((name for below, name in _AGES if age < below), "grown" if age < 60 else "old")
    volunteer = volunteer_of(session, candidate.person_id)
    team = session.get(Team, candidate.team_id) if candidate.team_id else None
    return {
        "team": team.name if team is not None else "",
        "age": band,
        "needs": list(somebody.needs)[:4],
        "near": _near(session, somebody, volunteer) if volunteer else "",
        "activities": rules().pairing.activities_a_year,
        "months": rules().pairing.term_months,
    }


def _near(session: Session, somebody: Beneficiary, volunteer: Volunteer) -> str:
    record = record_of(vault_of(session), somebody)
    if record.latitude is not None and record.longitude is not None and volunteer.latitude is not None:
        far = kilometres(record.latitude, record.longitude, volunteer.latitude, volunteer.longitude or 0.0)
        return "walk" if far <= 1.6 else f"{-(-far // 5) * 5:.0f}"
    if volunteer.county != somebody.county:
        return "away"
    return "town" if somebody.town and somebody.town == volunteer.town else "county"
