"""The rules of offers: who may be asked, how a yes counts once, and how silence moves an offer on (programme §5).

Locks are taken in one order everywhere: the served person's row, then the offer, then the volunteer's registration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, role
from models.beneficiary import GONE, Beneficiary, is_minor, locked, may_see, record_of
from models.database import now_of, vault_of
from models.distance import kilometres
from models.family import PAIRING, agreed
from models.offer import (
    ACCEPTED,
    ANSWERABLE,
    DECLINED,
    HOLDING,
    LATER,
    OVERDUE,
    PASSED_BY,
    TAKEN,
    WAITING,
    WITHDRAWN,
    Offer,
)
from models.outbox import REMINDER, REPLY, enqueue, withdraw_unsent
from models.pairing import AGREEING, LEAD, Stint
from models.person import family
from models.proposal import NEW, OFFERED, Proposal
from models.proposal import REFUSED as PROPOSAL_REFUSED
from models.relay import STANDING as RELAYS
from models.relay import Relay
from models.stints import StintError, answering, end_stint, lead_of, load, team_load
from models.team import Team, TeamMember
from models.volunteer import ACTIVE, Volunteer, age_on, volunteer_of

ADULT = 18
SIGN = "sign"


class OfferError(Exception):
    """Nobody can be asked, or not this one. `reason`: "scope", "gone" — no one of the ledger; "consent" — the family
    has not agreed; "paired" — somebody serves them already; "asked" — somebody is being asked; "invited" — this
    one is already; "many" — more than a
    round takes; or why this one may not serve, as `obstacle` says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody to be asked, alone or for a team they lead."""

    person_id: str
    team_id: str | None = None
    proposal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer: "accepted", "declined", "later", or why it did not count: "taken" — somebody else was
    first; "withdrawn" — nobody is sought any more; "before" — it was answered before; or an `obstacle`."""

    what: str
    offer: Offer
    stint: Stint | None = None


def obstacle(session: Session, somebody: Beneficiary, candidate: Candidate, today: date) -> str | None:
    """Why this one may not serve this person, by the rules that are never bent; None = nothing stands against it.
    "volunteer" — not an active volunteer; "self"; "minor" — too young to serve alone; "full"; "sex"; "language";
    "clearance"; "team" — leads no such team."""
    row = volunteer_of(session, candidate.person_id)
    if row is None or row.status != ACTIVE or row.birth_date is None:
        return "volunteer"
    if somebody.person_id is not None and somebody.person_id in family(session, candidate.person_id):
        return "self"
    if age_on(row.birth_date, today) < ADULT:
        return "minor"
    if candidate.team_id is not None:
        full = _team_obstacle(session, candidate.person_id, candidate.team_id)
        if full:
            return full
    elif load(session, candidate.person_id) >= rules().pairing.per_volunteer:
        return "full"
    return _unfit(session, somebody, row, today)


def _team_obstacle(session: Session, person_id: str, team_id: str) -> str | None:
    team = session.get(Team, team_id)
    leads = select(TeamMember.id).where(
        TeamMember.team_id == team_id,
        TeamMember.person_id == person_id,
        TeamMember.part == "leader",
        col(TeamMember.left_at).is_(None),
    )
    if team is None or team.ended_at is not None or session.exec(leads).first() is None:
        return "team"
    return "full" if team_load(session, team_id) >= team.capacity else None


def _unfit(session: Session, somebody: Beneficiary, row: Volunteer, today: date) -> str | None:
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


def holding(session: Session, beneficiary_id: str) -> list[Offer]:
    """The invitations that wait for an answer now."""
    query = select(Offer).where(Offer.beneficiary_id == beneficiary_id, col(Offer.state).in_(HOLDING))
    return list(session.exec(query.order_by(col(Offer.made_at), col(Offer.id))))


def offer(
    session: Session, beneficiary_id: str, candidates: Sequence[Candidate], by: str, *, around: bool = False
) -> list[Offer]:
    """Ask one candidate, or with `around` as many at once as a round takes. Raises OfferError; then nobody is asked."""
    somebody = locked(session, beneficiary_id)
    if somebody is None:
        raise OfferError("gone")
    if by != "programme" and not may_see(session, by, somebody.county):
        raise OfferError("scope")
    reason = may_ask(session, somebody)
    if reason is not None:
        raise OfferError(reason)
    standing = holding(session, beneficiary_id)
    most = rules().pairing.round_most if around else 1
    if standing and not around:
        raise OfferError("asked")
    if len(standing) + len(candidates) > most:
        raise OfferError("many")
    return [_offer(session, somebody, candidate, by) for candidate in candidates]


def _offer(session: Session, somebody: Beneficiary, candidate: Candidate, by: str) -> Offer:
    now = now_of(session)
    against = obstacle(session, somebody, candidate, now.date())
    if against is not None:
        raise OfferError(against)
    before = session.exec(
        select(Offer).where(
            Offer.beneficiary_id == somebody.id,
            Offer.person_id == candidate.person_id,
            col(Offer.state).in_(ANSWERABLE),
        )
    ).first()
    if before is not None:
        raise OfferError("invited")
    lead = lead_of(session, somebody.id)
    row = Offer(
        beneficiary_id=somebody.id,
        person_id=candidate.person_id,
        team_id=candidate.team_id,
        proposal_id=candidate.proposal_id,
        follows_id=lead.id if lead else None,
        bands=bands(session, somebody, candidate, now.date()),
        made_by=by,
        made_at=now,
        holds_until=now + timedelta(hours=rules().pairing.hold_hours),
    )
    session.add(row)
    session.flush()
    _decide_proposal(session, candidate.proposal_id, OFFERED, by)
    audit.note(session, by, "offer.made", row.id, served=somebody.id)
    key = f"offer:{row.id}"
    enqueue(session, row.person_id, "notice.offer", {"offer": row.id}, unique_key=key, priority=REMINDER)
    return row


def _decide_proposal(session: Session, proposal_id: str | None, state: str, by: str) -> None:
    found = session.get(Proposal, proposal_id) if proposal_id else None
    if found is not None and found.state == NEW:
        found.state, found.decided_at, found.decided_by = state, now_of(session), by
        session.add(found)


_AGES = ((6, "small"), (9, "primary_low"), (12, "primary_high"), (15, "junior"), (18, "senior"), (26, "young"))


def bands(session: Session, somebody: Beneficiary, candidate: Candidate, today: date) -> dict[str, Any]:
    """What an invitation may say: nothing by which somebody could be known (programme §5). "age" is a band, "needs" are
    keys of services.toml, "near": "walk" (1.6 km), "km" (5, 10, 15 …), "town", "county" or "away"."""
    age = age_on(somebody.birth_date, today) if somebody.birth_date else None
    band = "" if age is None else next((name for below, name in _AGES if age < below), "grown" if age < 60 else "old")
    volunteer = volunteer_of(session, candidate.person_id)
    return {
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


# --- answers ---


def answer(session: Session, offer_id: str, person_id: str, said: str, reason: str | None = None) -> Answered | None:
    """A yes ("accepted"), a no ("declined", with a `reason` of DECLINES) or "later". None when it is not this person's
    to answer. Of a hundred at the same moment the first one counts, and the others are told."""
    about = session.get(Offer, offer_id)
    if about is None or about.beneficiary_id is None or about.person_id not in family(session, person_id):
        return None
    somebody = locked(session, about.beneficiary_id)
    query = select(Offer).where(Offer.id == offer_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one()
    if somebody is None or row.state not in ANSWERABLE:
        return Answered(row.state if row.state in (TAKEN, WITHDRAWN, PASSED_BY) else "before", row)
    if said == "later":
        return _later(session, row)
    if said == "declined":
        return _declined(session, somebody, row, reason or "other")
    return _accepted(session, somebody, row, person_id)


def _later(session: Session, row: Offer) -> Answered:
    """Once: the hold begins anew, and they are asked again a day before it ends."""
    if row.state == WAITING:
        hours = rules().pairing.hold_hours
        now = now_of(session)
        row.state, row.holds_until = LATER, now + timedelta(hours=hours)
        row.asked_again_at = now + timedelta(hours=max(1, hours - 24))
        session.add(row)
        session.flush()
        key = f"offer:{row.id}:again"
        params = {"offer": row.id, "again": True}
        due = row.asked_again_at
        enqueue(session, row.person_id, "notice.offer", params, unique_key=key, priority=REMINDER, due_at=due)
    return Answered("later", row)


def _declined(session: Session, somebody: Beneficiary, row: Offer, reason: str) -> Answered:
    row.state, row.answered_at, row.reason = DECLINED, now_of(session), reason
    session.add(row)
    session.flush()
    _hush(session, row)
    audit.note(session, row.person_id, "offer.declined", row.id, reason=reason)
    go_on(session, somebody, row.made_by)
    return Answered("declined", row)


def _accepted(session: Session, somebody: Beneficiary, row: Offer, person_id: str) -> Answered:
    session.exec(select(Volunteer).where(Volunteer.person_id == person_id).with_for_update()).all()
    against = may_ask(session, somebody)
    if against is not None:
        row.state = TAKEN if against == "paired" else WITHDRAWN
        session.add(row)
        return Answered(row.state, row)
    candidate = Candidate(person_id, row.team_id)
    against = obstacle(session, somebody, candidate, now_of(session).date())
    if against is not None:
        row.state, row.answered_at = PASSED_BY, now_of(session)
        session.add(row)
        audit.note(session, person_id, "offer.passed_by", row.id, why=against)
        go_on(session, somebody, row.made_by)
        return Answered(against, row)
    stint = _stint(session, somebody, row, person_id)
    row.state, row.answered_at = ACCEPTED, now_of(session)
    session.add(row)
    for other in _standing(session, somebody.id, but=row.id):
        other.state, other.answered_at = TAKEN, now_of(session)
        session.add(other)
        _hush(session, other)
        enqueue(
            session, other.person_id, "notice.offer_taken", {"offer": other.id}, unique_key=f"offer:{other.id}:taken"
        )
    session.flush()
    _hush(session, row)
    audit.note(session, person_id, "offer.accepted", row.id, stint=stint.id)
    tell_responsible(session, somebody, "notice.accepted", {"stint": stint.id}, f"accepted:{stint.id}", row.made_by)
    return Answered("accepted", row, stint)


def _stint(session: Session, somebody: Beneficiary, row: Offer, person_id: str) -> Stint:
    before = lead_of(session, somebody.id)
    stint = Stint(
        beneficiary_id=somebody.id,
        person_id=person_id,
        team_id=row.team_id,
        part=LEAD,
        state=AGREEING,
        services=list(somebody.needs),
        activities=rules().pairing.activities_a_year,
        relay_months=rules().pairing.term_months,
        follows_id=before.id if before else None,
        offer_id=row.id,
        made_by=row.made_by,
        made_at=now_of(session),
    )
    session.add(stint)
    session.flush()
    relay = standing_relay(session, before.id) if before else None
    if relay is not None:
        relay.state, relay.successor_id = "agreeing", stint.id
        session.add(relay)
        session.flush()
    return stint


def _standing(session: Session, beneficiary_id: str, but: str = "") -> list[Offer]:
    query = select(Offer).where(Offer.beneficiary_id == beneficiary_id, col(Offer.state).in_(ANSWERABLE))
    return list(session.exec(query.where(Offer.id != but).order_by(col(Offer.id)).with_for_update()))


def _hush(session: Session, row: Offer) -> None:
    """What still waits to be sent about this offer is no longer true."""
    withdraw_unsent(session, "notice.offer", f"offer:{row.id}", why="answered")


def tell_responsible(
    session: Session, somebody: Beneficiary, kind: str, params: dict[str, Any], key: str, first: str = ""
) -> int:
    """Tell who asked, if they still answer for the county, else everybody who does; returns how many."""
    asked = [first] if first and role.covers_county(session, first, somebody.county) else []
    people = asked or answering(session, somebody.county)
    for one in people:
        enqueue(session, one, kind, params, unique_key=f"{key}:{one}", priority=REPLY)
    return len(people)


# --- what moves on by itself ---


def take_back(session: Session, stint_id: str, person_id: str) -> bool:
    """A yes pressed by mistake: within a day, and before the agreement was accepted. The next one is asked."""
    about = session.get(Stint, stint_id)
    if about is None or about.beneficiary_id is None or about.person_id not in family(session, person_id):
        return False
    somebody = locked(session, about.beneficiary_id)
    session.refresh(about)
    within = now_of(session) - about.made_at <= timedelta(hours=rules().pairing.take_back_hours)
    if somebody is None or about.state != AGREEING or about.accepted_at is not None or not within:
        return False
    undone(session, about, person_id)
    go_on(session, somebody, about.made_by)
    return True


def undone(session: Session, stint: Stint, by: str) -> None:
    """An agreement that does not come about ends, and a relay that had found its successor seeks again. Raises
    StintError."""
    if stint.state != AGREEING:
        raise StintError("gone")
    end_stint(session, stint, "taken_back", by)
    for relay in session.exec(select(Relay).where(Relay.successor_id == stint.id, col(Relay.state).in_(RELAYS))).all():
        relay.state, relay.successor_id, relay.taken_at = "seeking", None, None
        session.add(relay)
    session.flush()


def go_on(session: Session, somebody: Beneficiary, by: str) -> Offer | None:
    """Ask the next one who was proposed, if nobody is being asked now; else somebody who is named hears that nobody is
    left. Returns the new offer."""
    if may_ask(session, somebody) is not None or holding(session, somebody.id):
        return None
    query = select(Proposal).where(Proposal.beneficiary_id == somebody.id, Proposal.state == NEW)
    query = query.where(col(Proposal.person_id).is_not(None)).order_by(col(Proposal.cost), col(Proposal.id))
    before = _asked_before(session, somebody.id)
    for found in session.exec(query).all():
        if found.person_id in before:
            _decide_proposal(session, found.id, PROPOSAL_REFUSED, "programme")
            continue
        try:
            return _offer(session, somebody, Candidate(str(found.person_id), found.team_id, found.id), by)
        except OfferError as error:
            _decide_proposal(session, found.id, PROPOSAL_REFUSED, "programme")
            audit.note(session, "programme", "proposal.passed_over", found.id, why=error.reason)
    day = now_of(session).date().isoformat()
    tell_responsible(
        session, somebody, "notice.nobody_left", {"served": somebody.id}, f"nobody:{somebody.id}:{day}", by
    )
    return None


def _asked_before(session: Session, beneficiary_id: str) -> set[str]:
    """Who has been asked for this person and did not say yes, or took it back: nobody is pressed."""
    query = select(Offer.person_id).where(Offer.beneficiary_id == beneficiary_id)
    return set(session.exec(query.where(col(Offer.state).not_in((TAKEN, WITHDRAWN)))))


def overdue(session: Session) -> list[str]:
    """The offers whose hold is over."""
    query = select(Offer.id).where(col(Offer.state).in_(HOLDING), col(Offer.holds_until) <= now_of(session))
    return list(session.exec(query.order_by(col(Offer.holds_until))))


def pass_on(session: Session, among: Sequence[str]) -> int:
    """Of these offers, those whose hold is over by now move on to the next one; a late yes still counts while nobody
    else said it. Returns how many."""
    done = 0
    for offer_id in among:
        about = session.get(Offer, offer_id)
        if about is None or about.beneficiary_id is None:
            continue
        somebody = locked(session, about.beneficiary_id)
        session.refresh(about)
        if somebody is None or about.state not in HOLDING or about.holds_until > now_of(session):
            continue
        about.state = OVERDUE
        session.add(about)
        session.flush()
        _hush(session, about)
        audit.note(session, "programme", "offer.overdue", about.id)
        go_on(session, somebody, about.made_by)
        done += 1
    return done


def withdraw_offers(session: Session, beneficiary_id: str, by: str) -> int:
    """Nobody is sought for this person any more: whoever was asked is told; returns how many."""
    rows = _standing(session, beneficiary_id)
    for row in rows:
        row.state, row.answered_at = WITHDRAWN, now_of(session)
        session.add(row)
        _hush(session, row)
        audit.note(session, by, "offer.withdrawn", row.id)
        enqueue(session, row.person_id, "notice.offer_taken", {"offer": row.id}, unique_key=f"offer:{row.id}:taken")
    session.flush()
    return len(rows)


def offers_of(session: Session, person_id: str) -> list[Offer]:
    """The invitations that this person may answer, the newest first."""
    query = select(Offer).where(Offer.person_id == person_id, col(Offer.state).in_(ANSWERABLE))
    return list(session.exec(query.order_by(col(Offer.made_at).desc(), col(Offer.id))))
