"""Volunteers who serve no more, or whom nothing reaches: nobody whom they served is left without somebody (programme
§5). A team goes on as long as somebody leads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, exists, select

from config.catalogue import rules
from models.beneficiary import Beneficiary, locked
from models.database import now_of
from models.family_consent import FamilyDoor
from models.obstacles import standing_relay
from models.offer import ANSWERABLE, WITHDRAWN, Offer
from models.offering import go_on, undone
from models.outbox import REMINDER, enqueue
from models.pairing import AGREEING, BACK, LEAD, OPEN, STOPPED, TAKEN_BACK, Stint
from models.person import Door, Person
from models.relay import CANCELLED, SILENCE, STANDING, Relay
from models.relaying import begin
from models.served import in_order, locked_stint, served_of, servers, tell_responsible
from models.stints import STANDING as STINTS
from models.stints import StintError, end_stint, today_in
from models.team import TeamMember
from models.volunteer import ACTIVE, Volunteer, volunteer_of

PROGRAMME = "programme"
_ASKED_AGAIN = timedelta(days=30)  # after whoever is responsible said that the silent volunteer goes on


def serving_no_more(session: Session) -> list[str]:
    """Stints of one volunteer who is not an active one any more."""
    active = select(Volunteer.id).where(
        Volunteer.person_id == Stint.person_id, Volunteer.status == ACTIVE, col(Volunteer.merged_into).is_(None)
    )
    query = select(Stint.id).where(col(Stint.state).in_(STINTS), col(Stint.person_id).is_not(None), ~exists(active))
    rows = session.exec(query.order_by(col(Stint.beneficiary_id), col(Stint.id))).all()
    return [one for one in rows if not _team_goes_on(session, session.get_one(Stint, one))]


def _team_goes_on(session: Session, stint: Stint) -> bool:
    """Whether a team holds it, and somebody leads that team who may serve."""
    return stint.team_id is not None and any(_is_active(session, one) for one in servers(session, stint))


def _is_active(session: Session, person_id: str | None) -> bool:
    row = volunteer_of(session, person_id) if person_id else None
    return row is not None and row.status == ACTIVE


def end_for(session: Session, among: Sequence[str]) -> int:
    """Of these stints, those that are `serving_no_more` still end, and somebody who is named keeps the served person at
    once; returns how many."""
    done = 0
    for stint_id in in_order(session, list(among)):
        stint = locked_stint(session, stint_id)
        if stint is None or stint.state not in STINTS or stint.person_id is None:
            continue
        if _is_active(session, stint.person_id) or _team_goes_on(session, stint):
            continue
        _end(session, stint)
        done += 1
    return done


def _end(session: Session, stint: Stint) -> None:
    served, people = served_of(session, stint), servers(session, stint)
    if stint.part != LEAD:
        end_stint(session, stint, BACK if stint.state == OPEN else TAKEN_BACK, PROGRAMME)
        key = f"substitute:{stint.id}:gone"
        params = {"stint": stint.id}
        tell_responsible(session, served, "notice.substitute", params, key, stint.made_by, priority=REMINDER)
    elif stint.state == AGREEING:
        undone(session, stint, PROGRAMME)
        if isinstance(served, Beneficiary):
            go_on(session, served, stint.made_by)
    else:
        relay = standing_relay(session, stint.id)
        keeper = (relay.keeper_id or relay.specialist_id) if relay is not None else None
        end_stint(session, stint, STOPPED, PROGRAMME, keeper)
    for one in people:
        if session.get_one(Person, one).deleted_at is None:  # who has deleted everything is written to no more
            key = f"stint:{stint.id}:thanks:{one}"
            enqueue(session, one, "notice.thanks", {"stint": stint.id}, unique_key=key, priority=REMINDER)


def without_door(session: Session, among: Sequence[str] | None = None) -> list[str]:
    """Open lead stints of one active volunteer whom no door reaches, and for which no successor is sought; of these, or
    of all. Where whoever is responsible said that they go on (they telephone), it is asked again a month later."""
    opened = select(Door.id).where(Door.person_id == Stint.person_id, col(Door.blocked_at).is_(None))
    since = now_of(session) - _ASKED_AGAIN
    sought = select(Relay.id).where(
        Relay.stint_id == Stint.id,
        col(Relay.state).in_(STANDING) | ((col(Relay.state) == CANCELLED) & (col(Relay.closed_at) > since)),
    )
    query = select(Stint).where(Stint.state == OPEN, Stint.part == LEAD, col(Stint.person_id).is_not(None))
    query = query.where(~exists(opened), ~exists(sought)).order_by(col(Stint.beneficiary_id), col(Stint.id))
    if among is not None:
        query = query.where(col(Stint.id).in_(among))
    return [one.id for one in session.exec(query).all() if not _team_is_reached(session, one)]


def _team_is_reached(session: Session, stint: Stint) -> bool:
    if stint.team_id is None:
        return False
    people = servers(session, stint)
    query = select(Door.id).where(col(Door.person_id).in_(people), col(Door.blocked_at).is_(None))
    return session.exec(query).first() is not None


def begin_for_silence(session: Session, among: Sequence[str]) -> int:
    """A relay begins for each of these that are `without_door` still; returns how many."""
    done = 0
    for stint_id in in_order(session, without_door(session, among)):
        stint = session.get_one(Stint, stint_id)
        last_day = today_in(session, stint) + timedelta(days=rules().pairing.silence_days)
        try:
            begin(session, stint_id, SILENCE, last_day, PROGRAMME)
        except StintError:
            continue
        done += 1
    return done


def leaves(session: Session, people: Sequence[str]) -> None:
    """These accounts of one person have their data deleted: what was offered to them passes on, what they served ends,
    teams are without them, and nobody's own door leads to a record of the ledger any more. Begins before anything else
    of theirs is locked but the person."""
    now = now_of(session)
    mine = select(Offer).where(col(Offer.person_id).in_(people), col(Offer.state).in_(ANSWERABLE))
    offers = list(session.exec(mine))
    stints = session.exec(select(Stint).where(col(Stint.person_id).in_(people), col(Stint.state).in_(STINTS))).all()
    served = {one.beneficiary_id for one in offers} | {one.beneficiary_id for one in stints}
    own = set(session.exec(select(Beneficiary.id).where(col(Beneficiary.person_id).in_(people))))
    rows = {key: locked(session, key) for key in sorted(one for one in served | own if one is not None)}
    for member in session.exec(
        select(TeamMember).where(col(TeamMember.person_id).in_(people), col(TeamMember.left_at).is_(None))
    ).all():
        member.left_at = now
        session.add(member)
    session.flush()
    for offer in session.exec(mine.order_by(col(Offer.id)).execution_options(populate_existing=True)).all():
        offer.state, offer.answered_at = WITHDRAWN, now
        session.add(offer)
        session.flush()
        somebody = rows.get(offer.beneficiary_id or "")
        if somebody is not None:
            go_on(session, somebody, offer.made_by)
    for stint_id in in_order(session, [one.id for one in stints]):
        stint = locked_stint(session, stint_id)
        if stint is not None and stint.state in STINTS and not _others_lead(session, stint, people):
            _end(session, stint)
    doors = select(FamilyDoor).where(col(FamilyDoor.person_id).in_(people), col(FamilyDoor.ended_at).is_(None))
    for door in session.exec(doors).all():
        door.ended_at = now
        session.add(door)
    for key in own:
        somebody = rows[key]
        if somebody is not None:
            somebody.person_id = None
            session.add(somebody)
    session.flush()


def _others_lead(session: Session, stint: Stint, people: Sequence[str]) -> bool:
    return stint.team_id is not None and any(one not in people for one in servers(session, stint))
