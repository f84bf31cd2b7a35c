"""Somebody of the ledger has died or moved away, or is there again after all (programme §4): everything that would
speak of them ends at the same moment, in the same transaction."""

from __future__ import annotations

from sqlmodel import Session, col, select

from models.about import unsay
from models.beneficiary import GONE, LISTED, Beneficiary, locked
from models.offer import Offer
from models.offering import drop_proposals, withdraw_offers
from models.pairing import Keeping, Stint
from models.relay import Relay
from models.served import answering, servers
from models.stints import history, keep_by, keeping_of, lead_of, served_left

# How the keys of messages about a stint begin.
_OF_STINTS = ("meeting", "agreement", "accepted", "unfinished", "opened", "renewed", "substitute", "stint")


def left(session: Session, beneficiary_id: str) -> None:
    """They have died or moved away: nobody is sought for them, every stint ends, whoever served them is told gently,
    and what waits to be sent about them is withdrawn. Their row says so already. For whom nobody was ever asked, as for
    most of a large ledger, it costs three statements."""
    drop_proposals(session, beneficiary_id)
    asked = select(Offer.id).where(Offer.beneficiary_id == beneficiary_id)
    paired = select(Stint.id).where(Stint.beneficiary_id == beneficiary_id)
    if session.exec(asked).first() is None and session.exec(paired).first() is None:
        return
    somebody = locked(session, beneficiary_id)
    if somebody is None:
        return
    hush(session, somebody)
    served_left(session, beneficiary_id)


def hush(session: Session, somebody: Beneficiary) -> None:
    """Nobody is sought for them, and nothing that waits to be sent speaks of them."""
    withdraw_offers(session, somebody.id, "programme")
    stints = list(session.exec(select(Stint).where(Stint.beneficiary_id == somebody.id).order_by(col(Stint.id))))
    kept = list(session.exec(select(Keeping).where(Keeping.beneficiary_id == somebody.id)))
    relays = session.exec(select(Relay.id).where(col(Relay.stint_id).in_([one.id for one in stints]))).all()
    people = {one for stint in stints for one in servers(session, stint)}
    people.update((*answering(session, somebody.county), *(one.person_id for one in kept)))
    people.update(one.made_by for one in stints)
    keys = [f"{kind}:{one.id}" for one in stints for kind in _OF_STINTS]
    keys += [f"relay:{one}:" for one in relays] + [f"keeping:{one.id}" for one in kept]
    unsay(session, people, [*keys, f"nobody:{somebody.id}:"], why="gone")


def heard_dead(session: Session, beneficiary_id: str) -> None:
    """Another county's ledger says that they have died; this one's is being asked. Meanwhile nothing is sent about
    them. Who is being decided about at this moment is passed over: waiting here, with another person's row locked,
    could stop both, and the answer ends it all the same."""
    query = select(Beneficiary).where(Beneficiary.id == beneficiary_id, Beneficiary.status == LISTED)
    held = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    somebody = session.exec(held).first()
    if somebody is not None:
        hush(session, somebody)


def back(session: Session, beneficiary_id: str) -> None:
    """The ledger has them again. Who was paired before is on the list of somebody who is named from this moment on."""
    somebody = locked(session, beneficiary_id)
    if somebody is None or somebody.status in GONE or somebody.merged_into is not None:
        return
    nobody = lead_of(session, beneficiary_id) is None and keeping_of(session, beneficiary_id) is None
    if nobody and history(session, beneficiary_id):
        keep_by(session, somebody, None, "relay")
