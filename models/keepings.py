"""Keepers who answer no more, and people whom nobody keeps: somebody who is named gets them the same day."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, exists, select

from models import role
from models.beneficiary import GONE, Beneficiary, locked
from models.outbox import REMINDER, enqueue
from models.pairing import ENDED, LEAD, OPEN, Keeping, Stint
from models.person import doors
from models.relay import STANDING, Relay
from models.served import answering, locked_stint, served_of
from models.stints import keep, keep_by, keeping_of, lead_of


def lost_keepers(session: Session) -> list[str]:
    """The keepings whose keeper does not answer for the county any more, or whom nothing reaches while somebody else
    there can be reached."""
    query = select(Keeping.id, Keeping.person_id, Beneficiary.county).join(
        Beneficiary, col(Beneficiary.id) == Keeping.beneficiary_id
    )
    found = []
    known: dict[str, list[str]] = {}
    standing = query.where(col(Keeping.until).is_(None))
    for row, keeper, county in session.exec(standing.order_by(col(Keeping.beneficiary_id))).all():
        people = known[county] if county in known else known.setdefault(county, answering(session, county))
        if people and keeper not in people and not _answers(session, keeper, county):
            found.append(row)
    return found


def _answers(session: Session, person_id: str, county: str) -> bool:
    return role.covers_county(session, person_id, county) and bool(doors(session, person_id))


def rekeep(session: Session, among: Sequence[str]) -> int:
    """Of these keepings, those that are `lost_keepers` still get somebody else who is named; returns how many."""
    done = 0
    for key in among:
        about = session.get(Keeping, key)
        somebody = locked(session, about.beneficiary_id) if about else None
        if about is None or somebody is None:
            continue
        session.refresh(about)
        people = answering(session, somebody.county)
        fine = about.person_id in people or _answers(session, about.person_id, somebody.county)
        if about.until is not None or not people or fine:
            continue
        keep(session, somebody.id, people[0], about.why)
        done += 1
    return done


def unkept(session: Session) -> list[str]:
    """People of the ledger who were paired once, are not now, and whom nobody keeps by name: when their stint ended the
    deployment had nobody for the county."""
    other = select(Stint.id).where(Stint.beneficiary_id == Beneficiary.id, Stint.part == LEAD, Stint.state == OPEN)
    kept = select(Keeping.id).where(Keeping.beneficiary_id == Beneficiary.id, col(Keeping.until).is_(None))
    ended = select(Stint.beneficiary_id).where(
        Stint.state == ENDED, Stint.part == LEAD, col(Stint.opened_at).is_not(None)
    )
    query = select(Beneficiary.id).where(
        col(Beneficiary.id).in_(ended),
        col(Beneficiary.status).not_in(GONE),
        col(Beneficiary.merged_into).is_(None),
        ~exists(other),
        ~exists(kept),
    )
    return list(session.exec(query.order_by(col(Beneficiary.id))))


def keep_unkept(session: Session, among: Sequence[str]) -> int:
    """Those of these whom nobody keeps still, where somebody answers for the county by now; returns how many."""
    done = 0
    for key in among:
        somebody = locked(session, key)
        if somebody is None or somebody.status in GONE or somebody.merged_into is not None:
            continue
        if keeping_of(session, key) is None and lead_of(session, key) is None and answering(session, somebody.county):
            keep_by(session, somebody, None, "relay")
            done += 1
    return done


def lost_specialists(session: Session) -> list[str]:
    """Standing relays whose specialist does not answer for the county any more, or cannot be reached while somebody
    else there can."""
    query = select(Relay.id, Relay.specialist_id, Relay.stint_id).join(Stint, col(Stint.id) == Relay.stint_id)
    query = query.where(col(Relay.state).in_(STANDING))
    found = []
    known: dict[str, list[str]] = {}
    for row, specialist, stint_id in session.exec(query.order_by(col(Stint.beneficiary_id), col(Relay.id))).all():
        county = served_of(session, session.get_one(Stint, stint_id)).county
        people = known[county] if county in known else known.setdefault(county, answering(session, county))
        if people and specialist not in people and not _answers(session, specialist, county):
            found.append(row)
    return found


def name_anew(session: Session, among: Sequence[str]) -> int:
    """Of these relays, those that are `lost_specialists` still get somebody else who is responsible, and told; returns
    how many."""
    done = 0
    for key in among:
        about = session.get(Relay, key)
        stint = locked_stint(session, about.stint_id) if about else None
        if about is None or stint is None:
            continue
        session.refresh(about)
        county = served_of(session, stint).county
        people = answering(session, county)
        fine = about.specialist_id in people or _answers(session, about.specialist_id, county)
        if about.state not in STANDING or not people or fine:
            continue
        about.specialist_id = people[0]
        session.add(about)
        session.flush()
        key = f"relay:{about.id}:named:{people[0]}"
        enqueue(session, people[0], "notice.relay", {"relay": about.id}, unique_key=key, priority=REMINDER)
        done += 1
    return done


def hand_on(session: Session, people: Sequence[str]) -> None:
    """These accounts answer for nobody any more: whom they kept, and the relays that were theirs, are somebody else's
    from this moment on, where the deployment has anybody else."""
    kept = select(Keeping).where(col(Keeping.person_id).in_(people), col(Keeping.until).is_(None))
    rekeep(session, [one.id for one in session.exec(kept.order_by(col(Keeping.beneficiary_id)))])
    theirs = select(Relay).where(col(Relay.state).in_(STANDING))
    for row in session.exec(theirs.where(col(Relay.keeper_id).in_(people))).all():
        row.keeper_id = None
        session.add(row)
    own = select(Relay.id).join(Stint, col(Stint.id) == Relay.stint_id).where(col(Relay.specialist_id).in_(people))
    own = own.where(col(Relay.state).in_(STANDING)).order_by(col(Stint.beneficiary_id), col(Relay.id))
    name_anew(session, list(session.exec(own)))
