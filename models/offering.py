"""The rules of offers: how a yes counts once, and how silence moves an offer on (programme §5).

Who may be asked is in models/obstacles.py. Locks are taken in one order everywhere: the served person's row, then the
offer, then what the capacity hangs on (the team, the volunteer's registration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit
from models.about import unsay
from models.beneficiary import Beneficiary, locked, may_see
from models.database import now_of
from models.obstacles import Candidate as Candidate
from models.obstacles import bands, goes, hold_capacity, may_ask
from models.obstacles import obstacle as obstacle
from models.obstacles import standing_relay as standing_relay
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
from models.outbox import REMINDER, enqueue
from models.pairing import AGREEING, LEAD, TAKEN_BACK, Stint
from models.person import family
from models.proposal import NEW, OFFERED, STALE, Proposal
from models.proposal import REFUSED as PROPOSAL_REFUSED
from models.relay import AGREEING as RELAY_AGREEING
from models.served import tell_responsible as tell_responsible
from models.stints import StintError, end_stint, lead_of, today_of


class OfferError(Exception):
    """Nobody can be asked, or not this one. `reason`: "scope", "gone" — no one of the ledger; "consent" — the family
    has not agreed; "paired" — somebody serves them already; "asked" — somebody is being asked; "invited" — this
    one is already; "many" — more than a
    round takes; or why this one may not serve, as `obstacle` says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer: "accepted", "declined", "later", "later again", or why it did not count: "taken" —
    somebody else was first; "withdrawn" — nobody is sought any more; "before" — it was answered before; or an
    `obstacle`."""

    what: str
    offer: Offer
    stint: Stint | None = None


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
    if len({candidate.person_id for candidate in candidates}) < len(candidates):
        raise OfferError("asked")
    for candidate in candidates:  # all of them, before the first one is asked
        _check(session, somebody, candidate)
    return [_offer(session, somebody, candidate, by) for candidate in candidates]


def _check(session: Session, somebody: Beneficiary, candidate: Candidate) -> None:
    against = obstacle(session, somebody, candidate, today_of(session, candidate.person_id))
    if against is None and goes(session, somebody, candidate):
        against = "paired"
    if against is not None:
        raise OfferError(against)
    query = select(Offer.id).where(Offer.beneficiary_id == somebody.id, Offer.person_id == candidate.person_id)
    if session.exec(query.where(col(Offer.state).in_(ANSWERABLE))).first() is not None:
        raise OfferError("invited")


def _offer(session: Session, somebody: Beneficiary, candidate: Candidate, by: str) -> Offer:
    now = now_of(session)
    lead = lead_of(session, somebody.id)
    row = Offer(
        beneficiary_id=somebody.id,
        person_id=candidate.person_id,
        team_id=candidate.team_id,
        proposal_id=candidate.proposal_id,
        follows_id=lead.id if lead else None,
        bands=bands(session, somebody, candidate, today_of(session, candidate.person_id)),
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
    """Once: the hold begins anew, and they are asked again a day before it ends. Later on ("later again") they may
    still come back by themselves."""
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
    return Answered("later again", row)


def _declined(session: Session, somebody: Beneficiary, row: Offer, reason: str) -> Answered:
    row.state, row.answered_at, row.reason = DECLINED, now_of(session), reason
    session.add(row)
    session.flush()
    _hush(session, row)
    audit.note(session, row.person_id, "offer.declined", row.id, reason=reason)
    go_on(session, somebody, row.made_by)
    return Answered("declined", row)


def give_reason(session: Session, offer_id: str, person_id: str, reason: str) -> bool:
    """Why somebody said no (one of DECLINES), once they have; False where it is not theirs, or they did not."""
    row = session.exec(select(Offer).where(Offer.id == offer_id).with_for_update()).first()
    if row is None or row.state != DECLINED or row.person_id not in family(session, person_id):
        return False
    row.reason = reason
    session.add(row)
    session.flush()
    audit.note(session, row.person_id, "offer.reason", row.id, reason=reason)
    return True


def _accepted(session: Session, somebody: Beneficiary, row: Offer, person_id: str) -> Answered:
    candidate = Candidate(person_id, row.team_id)
    against = may_ask(session, somebody)
    if against is not None or goes(session, somebody, candidate):
        row.state, row.answered_at = TAKEN if against == "paired" else WITHDRAWN, now_of(session)
        session.add(row)
        session.flush()
        _hush(session, row)
        return Answered(row.state, row)
    hold_capacity(session, candidate)
    against = obstacle(session, somebody, candidate, today_of(session, person_id))
    if against is not None:
        row.state, row.answered_at = PASSED_BY, now_of(session)
        session.add(row)
        session.flush()
        _hush(session, row)
        audit.note(session, person_id, "offer.passed_by", row.id, why=against)
        go_on(session, somebody, row.made_by)
        return Answered(against, row)
    stint = _stint(session, somebody, row, person_id)
    row.state, row.answered_at = ACCEPTED, now_of(session)
    session.add(row)
    for other in _standing(session, somebody.id, but=row.id):
        other.state, other.answered_at = TAKEN, now_of(session)
        session.add(other)
        session.flush()
        _tell_over(session, other)
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
        relay.state, relay.successor_id = RELAY_AGREEING, stint.id
        session.add(relay)
        session.flush()
    return stint


def _standing(session: Session, beneficiary_id: str, but: str = "") -> list[Offer]:
    query = select(Offer).where(Offer.beneficiary_id == beneficiary_id, col(Offer.state).in_(ANSWERABLE))
    query = query.where(Offer.id != but).order_by(col(Offer.id)).with_for_update()
    return list(session.exec(query.execution_options(populate_existing=True)))


def _tell_over(session: Session, row: Offer) -> None:
    _hush(session, row)
    key = f"offer:{row.id}:taken"
    enqueue(session, row.person_id, "notice.offer_taken", {"offer": row.id}, unique_key=key, priority=REMINDER)


def _hush(session: Session, row: Offer) -> None:
    """What still waits to be sent about this offer is no longer true."""
    unsay(session, [row.person_id], [f"offer:{row.id}"], why="answered")


# --- what moves on by itself ---


def take_back(session: Session, stint_id: str, person_id: str) -> bool:
    """A yes pressed by mistake: within a day, and before the agreement was accepted. The next one is asked."""
    about = session.get(Stint, stint_id)
    if about is None or about.beneficiary_id is None or about.person_id not in family(session, person_id):
        return False
    somebody = locked(session, about.beneficiary_id)
    session.refresh(about)
    within = now_of(session) - about.made_at <= timedelta(hours=rules().pairing.take_back_hours)
    if somebody is None or (about.state, about.part) != (AGREEING, LEAD) or about.accepted_at is not None or not within:
        return False
    undone(session, about, person_id)
    go_on(session, somebody, about.made_by)
    return True


def to_take_back(session: Session, person_id: str) -> list[Stint]:
    """What this person said yes to and may take back now, as `take_back` decides; the newest first."""
    after = now_of(session) - timedelta(hours=rules().pairing.take_back_hours)
    query = select(Stint).where(col(Stint.person_id).in_(family(session, person_id)), col(Stint.made_at) >= after)
    query = query.where(Stint.state == AGREEING, Stint.part == LEAD, col(Stint.accepted_at).is_(None))
    query = query.where(col(Stint.beneficiary_id).is_not(None))
    return list(session.exec(query.order_by(col(Stint.made_at).desc(), col(Stint.id))))


def undone(session: Session, stint: Stint, by: str) -> None:
    """An agreement that does not come about ends, and a relay that had found its successor seeks again. Raises
    StintError."""
    if stint.state != AGREEING:
        raise StintError("gone")
    end_stint(session, stint, TAKEN_BACK, by)


def go_on(session: Session, somebody: Beneficiary, by: str) -> Offer | None:
    """Ask the next one who was proposed, if nobody is being asked now; else somebody who is named hears that nobody is
    left. Returns the new offer."""
    if may_ask(session, somebody) is not None or holding(session, somebody.id):
        return None
    query = select(Proposal).where(Proposal.beneficiary_id == somebody.id, Proposal.state == NEW)
    query = query.where(col(Proposal.person_id).is_not(None)).order_by(col(Proposal.cost), col(Proposal.id))
    before = _asked_before(session, somebody.id)
    for found in session.exec(query).all():
        candidate = Candidate(str(found.person_id), found.team_id, found.id)
        if found.person_id in before:
            _decide_proposal(session, found.id, PROPOSAL_REFUSED, "programme")
            continue
        try:
            _check(session, somebody, candidate)
            return _offer(session, somebody, candidate, by)
        except OfferError as error:
            _decide_proposal(session, found.id, PROPOSAL_REFUSED, "programme")
            audit.note(session, "programme", "proposal.passed_over", found.id, why=error.reason)
    day = now_of(session).date().isoformat()
    key, params = f"nobody:{somebody.id}:{day}", {"served": somebody.id}
    tell_responsible(session, somebody, "notice.nobody_left", params, key, by, priority=REMINDER)
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
    found = [one for one in (session.get(Offer, offer_id) for offer_id in among) if one is not None]
    for about in sorted(found, key=lambda one: (one.beneficiary_id or "", one.id)):
        if about.beneficiary_id is None:
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
        session.flush()
        audit.note(session, by, "offer.withdrawn", row.id)
        _tell_over(session, row)
    return len(rows)


def drop_proposals(session: Session, beneficiary_id: str) -> None:
    """What a matching run found for this person counts no more."""
    new = (col(Proposal.beneficiary_id) == beneficiary_id, col(Proposal.state) == NEW)
    session.execute(update(Proposal).where(*new).values(state=STALE, decided_at=now_of(session)))


def offers_of(session: Session, person_id: str) -> list[Offer]:
    """The invitations that this person may answer: those not answered first, of these the newest first."""
    query = select(Offer).where(Offer.person_id == person_id, col(Offer.state).in_(ANSWERABLE))
    rows = session.exec(query.order_by(col(Offer.made_at).desc(), col(Offer.id)))
    return sorted(rows, key=lambda row: ANSWERABLE.index(row.state))
