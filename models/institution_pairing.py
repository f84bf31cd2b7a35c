"""A team and an institution (programme §5): the same stints, agreement and relays. No family is asked, nothing is
offered in bands, and nobody keeps an institution: the county answers for it."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from models import audit
from models.agreement import Terms, ask_to_accept
from models.database import now_of
from models.institution import Institution
from models.obstacles import Candidate, hold_capacity, is_full, standing_relay
from models.outbox import REMINDER, enqueue
from models.pairing import AGREEING, OPEN, SPECIALIST, Stint
from models.relay import AGREEING as RELAY_AGREEING
from models.served import decides, leaders, locked_institution, servers
from models.stints import StintError, end_stint, lead_of_institution
from models.team import Team


def agree(session: Session, institution_id: str, team_id: str, terms: Terms, by: str) -> Stint:
    """Write the agreement of a team with an institution; its leaders are asked to accept it (`agreement.accept`), which
    opens the stint. Where another team has the lead, its relay must stand. Raises StintError: "gone", "scope", "terms",
    "paired", "team" — no team that somebody leads; "full"."""
    institution = locked_institution(session, institution_id)
    if institution is None or institution.ended_at is not None:
        raise StintError("gone")
    now = now_of(session)
    stint = _written(institution, team_id, terms, by, now)
    if not decides(session, by, stint):
        raise StintError("scope")
    terms.check()
    before = lead_of_institution(session, institution_id)
    relay = standing_relay(session, before.id) if before is not None else None
    if lead_of_institution(session, institution_id, AGREEING) is not None or (before is not None and relay is None):
        raise StintError("paired")
    team = session.get(Team, team_id)
    if team is None or team.ended_at is not None or not leaders(session, team_id):
        raise StintError("team")
    if before is not None and before.team_id == team_id:
        raise StintError("paired")
    candidate = Candidate("", team_id)
    hold_capacity(session, candidate)
    if is_full(session, candidate):
        raise StintError("full")
    stint.follows_id = before.id if before is not None else None
    session.add(stint)
    session.flush()
    if relay is not None:
        relay.state, relay.successor_id = RELAY_AGREEING, stint.id
        session.add(relay)
        session.flush()
    audit.note(session, by, "pairing.agreement", stint.id, activities=terms.activities, months=terms.months)
    ask_to_accept(session, stint)
    return stint


def end(session: Session, institution_id: str, by: str) -> Stint:
    """End the pairing of an institution, or what is being agreed; the team's leaders hear of it. Raises StintError
    ("gone" — there is none; "scope")."""
    locked_institution(session, institution_id)
    stint = lead_of_institution(session, institution_id) or lead_of_institution(session, institution_id, AGREEING)
    if stint is None:
        raise StintError("gone")
    if not decides(session, by, stint):
        raise StintError("scope")
    kind = "notice.thanks" if stint.state == OPEN else "notice.called_off"
    end_stint(session, stint, SPECIALIST, by)
    for one in servers(session, stint):
        key = f"stint:{stint.id}:ended:{one}"
        enqueue(session, one, kind, {"stint": stint.id}, unique_key=key, priority=REMINDER)
    return stint


def _written(institution: Institution, team_id: str, terms: Terms, by: str, at: datetime) -> Stint:
    return Stint(
        institution_id=institution.id,
        team_id=team_id,
        services=list(terms.services),
        activities=terms.activities,
        relay_months=terms.months,
        made_by=by,
        made_at=at,
        met_at=at,
        confirmed_at=at,
        confirmed_by=by,
    )
