"""The rules of relays: begun without shame, handed over at one instant, and kept by somebody named in between
(programme §5).

The one who goes has the lead until the successor has it, or until their last day; from that day on it is the
specialist, or the keeper who was named, who answers for the served person, and who knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, role
from models.beneficiary import Beneficiary, may_see
from models.database import now_of
from models.ids import new_id
from models.offering import standing_relay, tell_responsible, withdraw_offers
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import LEAD, OPEN, Stint
from models.person import family
from models.relay import CANCELLED, DONE, STANDING, Relay
from models.sealed import seal, unseal
from models.stints import StintError, answering, end_stint, locked_stint, months_on, open_stint, today_of

LONGEST_DAYS = 366  # a last day may lie so far ahead
NOTE_MOST = 1_000  # characters of a handover note


def begin(
    session: Session,
    stint_id: str,
    reason: str,
    last_day: date,
    by: str,
    *,
    note: str = "",
    private: str = "",
    keeper: str | None = None,
    batch: str = "",
) -> Relay:
    """Begin to seek a successor: by the volunteer, or by whoever answers for the county. One that stands stays, with
    the earlier of both last days. Raises StintError ("gone", "scope", "day")."""
    stint = locked_stint(session, stint_id)
    if stint is None or stint.state != OPEN or stint.part != LEAD or stint.beneficiary_id is None:
        raise StintError("gone")
    somebody = session.get_one(Beneficiary, stint.beneficiary_id)
    own = stint.person_id in family(session, by)
    if not own and by != "programme" and not may_see(session, by, somebody.county):
        raise StintError("scope")
    today = now_of(session).date()
    if last_day < today - timedelta(days=1) or last_day > today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    standing = standing_relay(session, stint.id)
    if standing is not None:
        standing.last_day = min(standing.last_day, last_day)
        _notes(session, standing, note, private)
        return standing
    people = answering(session, somebody.county)
    if not people:
        raise StintError("nobody")
    named = by if by in people else people[0]
    row = Relay(
        stint_id=stint.id,
        reason=reason,
        batch=batch,
        begun_by=by,
        begun_at=now_of(session),
        last_day=last_day,
        specialist_id=named,
        keeper_id=keeper,
    )
    session.add(row)
    session.flush()
    _notes(session, row, note, private)
    audit.note(session, by, "relay.begun", row.id, why=reason, batch=batch)
    for one in people if own or by == "programme" else [named]:
        enqueue(session, one, "notice.relay", {"relay": row.id}, unique_key=f"relay:{row.id}:{one}", priority=REPLY)
    if not own and stint.person_id is not None:
        key = f"relay:{row.id}:holder"
        enqueue(session, stint.person_id, "notice.relay_begun", {"relay": row.id}, unique_key=key, priority=REMINDER)
    return row


def begin_batch(
    session: Session, stints: Sequence[str], reason: str, last_day: date, by: str, *, keeper: str | None = None
) -> tuple[str, list[Relay], list[str]]:
    """One relay for each of these, with one name and one keeper; returns the name, those begun, and the stints of which
    none could be. Raises StintError("keeper") where the keeper answers for one of their counties not."""
    batch = new_id()
    if keeper is not None and not all(_may_keep(session, keeper, one) for one in stints):
        raise StintError("keeper")
    begun, left = [], []
    for one in stints:
        try:
            begun.append(begin(session, one, reason, last_day, by, keeper=keeper, batch=batch))
        except StintError:
            left.append(one)
    return batch, begun, left


def _may_keep(session: Session, keeper: str, stint_id: str) -> bool:
    stint = session.get(Stint, stint_id)
    somebody = session.get(Beneficiary, stint.beneficiary_id) if stint and stint.beneficiary_id else None
    return somebody is not None and role.covers_county(session, keeper, somebody.county)


def _notes(session: Session, row: Relay, note: str, private: str) -> None:
    if note:
        row.note_sealed = seal(session, "relay.note_sealed", row.id, note[:NOTE_MOST])
    if private:
        row.private_sealed = seal(session, "relay.private_sealed", row.id, private[:NOTE_MOST])
    session.add(row)
    session.flush()


def note_of(session: Session, row: Relay, reader: str) -> str:
    """What the one who goes wrote for the successor, for that one and whoever answers for the county; else empty. A
    look is logged."""
    stint = session.get_one(Stint, row.stint_id)
    successor = session.get(Stint, row.successor_id) if row.successor_id else None
    mine = {one.person_id for one in (stint, successor) if one is not None}
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    if not mine.intersection(family(session, reader)) and not may_see(session, reader, somebody.county):
        return ""
    audit.note(session, reader, "relay.note_read", row.id)
    return unseal(session, "relay.note_sealed", row.id, row.note_sealed) or ""


def private_of(session: Session, row: Relay, reader: str) -> str:
    """What is for whoever answers for the county alone; else empty."""
    stint = session.get_one(Stint, row.stint_id)
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    if not may_see(session, reader, somebody.county):
        return ""
    return unseal(session, "relay.private_sealed", row.id, row.private_sealed) or ""


def cancel(session: Session, relay_id: str, by: str) -> Relay:
    """They go on after all, as long as no successor has said yes. Raises StintError."""
    row, stint = _locked(session, relay_id)
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    if stint.person_id not in family(session, by) and not may_see(session, by, somebody.county):
        raise StintError("scope")
    if row.state != "seeking":
        raise StintError("paired")
    row.state, row.closed_at = CANCELLED, now_of(session)
    session.add(row)
    session.flush()
    withdraw_offers(session, somebody.id, by)
    audit.note(session, by, "relay.cancelled", row.id)
    tell_responsible(session, somebody, "notice.relay_cancelled", {"relay": row.id}, f"relay:{row.id}:off")
    return row


def _locked(session: Session, relay_id: str) -> tuple[Relay, Stint]:
    """A standing relay and its stint, after the served person. Raises StintError("gone")."""
    about = session.get(Relay, relay_id)
    stint = locked_stint(session, about.stint_id) if about else None
    if about is None or stint is None or stint.beneficiary_id is None:
        raise StintError("gone")
    session.refresh(about)
    if about.state not in STANDING:
        raise StintError("gone")
    return about, stint


# --- handing over ---


def taken(session: Session, successor: Stint) -> Relay | None:
    """The successor accepted the agreement. Once the one who goes has confirmed, or has gone already, it is handed
    over."""
    query = select(Relay).where(Relay.successor_id == successor.id, col(Relay.state).in_(STANDING))
    row = session.exec(query).first()
    if row is None:
        raise StintError("gone")
    row.taken_at = now_of(session)
    session.add(row)
    session.flush()
    stint = session.get_one(Stint, row.stint_id)
    if stint.person_id is not None:
        key = f"relay:{row.id}:give"
        enqueue(session, stint.person_id, "notice.hand_over", {"relay": row.id}, unique_key=key, priority=REPLY)
    return row


def agree_day(session: Session, relay_id: str, day: date, by: str) -> Relay:
    """The day for handing over together, which both are told. Raises StintError."""
    row, stint = _locked(session, relay_id)
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    if not may_see(session, by, somebody.county):
        raise StintError("scope")
    if not now_of(session).date() <= day <= now_of(session).date() + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    row.hands_over_on = day
    session.add(row)
    session.flush()
    successor = session.get(Stint, row.successor_id) if row.successor_id else None
    for one in (stint, successor):
        if one is not None and one.person_id is not None:
            key = f"relay:{row.id}:day:{day.isoformat()}:{one.person_id}"
            params = {"relay": row.id, "day": day.isoformat()}
            enqueue(session, one.person_id, "notice.relay_day", params, unique_key=key, priority=REPLY)
    return row


def give(session: Session, relay_id: str, by: str) -> Relay:
    """The one who goes, or whoever answers for the county in their place, confirms that it was handed over; with the
    successor's acceptance that opens the next stint at the same instant. Raises StintError ("waits" = the successor has
    not accepted yet)."""
    row, stint = _locked(session, relay_id)
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    if stint.person_id not in family(session, by) and not may_see(session, by, somebody.county):
        raise StintError("scope")
    if row.taken_at is None or row.successor_id is None:
        raise StintError("waits")
    row.given_at = now_of(session)
    session.add(row)
    _finish(session, row, somebody)
    return row


def _finish(session: Session, row: Relay, somebody: Beneficiary) -> None:
    successor = locked_stint(session, str(row.successor_id))
    if successor is None:
        raise StintError("gone")
    open_stint(session, successor, months_on(today_of(session, str(successor.person_id)), successor.relay_months))
    row.state, row.closed_at = DONE, now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, "programme", "relay.done", row.id)
    key = f"relay:{row.id}:done"
    enqueue(session, str(successor.person_id), "notice.opened_for_you", {"stint": successor.id}, unique_key=key)
    tell_responsible(session, somebody, "notice.opened", {"stint": successor.id}, f"opened:{successor.id}")


# --- what time does ---


def ending(session: Session) -> list[str]:
    """Relays whose last day is over."""
    query = select(Relay.id).join(Stint, col(Stint.id) == Relay.stint_id)
    query = query.where(col(Relay.state).in_(STANDING), col(Relay.last_day) < now_of(session).date())
    return list(session.exec(query.where(Stint.state == OPEN).order_by(col(Relay.last_day), col(Relay.id))))


def leave_last_days(session: Session, among: Sequence[str]) -> int:
    """The last day is over: where the successor is ready they begin now, else somebody who is named keeps the served
    person, and knows it. Returns how many."""
    done = 0
    for relay_id in among:
        try:
            row, stint = _locked(session, relay_id)
        except StintError:
            continue
        if stint.state != OPEN or row.last_day >= now_of(session).date():
            continue
        somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
        if row.taken_at is not None and row.successor_id is not None:
            _finish(session, row, somebody)
        else:
            end_stint(session, stint, _WHY.get(row.reason, row.reason), "programme", row.keeper_id or row.specialist_id)
        if stint.person_id is not None:
            key = f"relay:{row.id}:thanks"
            enqueue(session, stint.person_id, "notice.thanks", {"stint": stint.id}, unique_key=key, priority=REMINDER)
        done += 1
    return done


_WHY = {"organisation": "relayed"}


def terms_ending(session: Session) -> list[str]:
    """Open lead stints whose term ends within rules.toml, pairing.relay_before_days, without a relay."""
    until = now_of(session).date() + timedelta(days=rules().pairing.relay_before_days)
    standing = select(Relay.stint_id).where(col(Relay.state).in_(STANDING))
    query = select(Stint.id).where(Stint.state == OPEN, Stint.part == LEAD, col(Stint.ends_on) <= until)
    return list(session.exec(query.where(col(Stint.id).not_in(standing)).order_by(col(Stint.ends_on))))


def begin_for_terms(session: Session, among: Sequence[str]) -> int:
    """Their relay begins; the volunteer is asked whether to go on for another term. Returns how many."""
    done = 0
    for stint_id in among:
        stint = session.get(Stint, stint_id)
        if stint is None or stint.ends_on is None:
            continue
        try:
            begin(session, stint_id, "term", max(stint.ends_on, now_of(session).date()), "programme")
        except StintError:
            continue
        done += 1
    return done


def renew(session: Session, relay_id: str, by: str) -> Stint:
    """The same two for another term: a new stint, which follows the old one at the same instant. Raises StintError."""
    row, stint = _locked(session, relay_id)
    if stint.person_id not in family(session, by):
        raise StintError("scope")
    if row.state != "seeking" or stint.state != OPEN or stint.ends_on is None:
        raise StintError("paired")
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    now = now_of(session)
    new = Stint(
        beneficiary_id=stint.beneficiary_id,
        person_id=stint.person_id,
        team_id=stint.team_id,
        services=list(stint.services),
        activities=stint.activities,
        relay_months=stint.relay_months,
        follows_id=stint.id,
        made_by=by,
        made_at=now,
        accepted_at=now,
        conduct_version=stint.conduct_version,
        confirmed_at=stint.confirmed_at,
        confirmed_by=stint.confirmed_by,
    )
    session.add(new)
    session.flush()
    cancel(session, row.id, by)
    open_stint(session, new, months_on(max(stint.ends_on, now.date()), stint.relay_months))
    tell_responsible(session, somebody, "notice.renewed", {"stint": new.id}, f"renewed:{new.id}")
    return new
