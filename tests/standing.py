"""What stands about somebody of the ledger, put there at once: consents, invitations, stints, relays, keepers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlmodel import Session

from models.database import now_of
from models.family import FamilyConsent
from models.offer import Offer
from models.pairing import Keeping, Stint
from models.proposal import MatchingRun, Proposal
from models.relay import Relay


def consent(session: Session, about: str, by: str) -> FamilyConsent:
    return _kept(
        session,
        FamilyConsent(
            beneficiary_id=about,
            kind="pairing",
            version="1",
            giver="guardian",
            way="paper",
            recorded_by=by,
            given_at=now_of(session),
        ),
    )


def stint(session: Session, about: str, person: str | None, state: str = "open", **more: Any) -> Stint:
    now = now_of(session)
    usual: dict[str, Any] = {"activities": 12, "relay_months": 12, "made_by": "machine", "made_at": now}
    if state == "open":
        usual |= {"opened_at": now, "met_at": now, "ends_on": now.date() + timedelta(days=365)}
    return _kept(session, Stint(beneficiary_id=about, person_id=person, state=state, **usual | more))


def relay(session: Session, of: Stint, specialist: str, last_day: date, **more: Any) -> Relay:
    now = now_of(session)
    usual: dict[str, Any] = {"reason": "graduation", "begun_by": specialist, "begun_at": now, "last_day": last_day}
    return _kept(session, Relay(stint_id=of.id, specialist_id=specialist, **usual | more))


def offer(session: Session, about: str, person: str, state: str = "waiting", **more: Any) -> Offer:
    now = now_of(session)
    usual: dict[str, Any] = {"made_by": "machine", "made_at": now, "holds_until": now + timedelta(hours=48)}
    return _kept(session, Offer(beneficiary_id=about, person_id=person, state=state, **usual | more))


def search(session: Session, about: str, found: str | None) -> Proposal:
    now = now_of(session)
    run = _kept(session, MatchingRun(region="440106", made_by="machine", made_at=now))
    return _kept(session, Proposal(run_id=run.id, beneficiary_id=about, person_id=found, made_at=now))


def keeping(session: Session, about: str, person: str) -> Keeping:
    return _kept(session, Keeping(beneficiary_id=about, person_id=person, why="term", since=now_of(session)))


def _kept(session: Session, row: Any) -> Any:
    session.add(row)
    session.flush()
    return row
