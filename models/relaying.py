"""The rules of relays: begun without shame, handed over at one instant, and kept by somebody named in between
(programme §5).

The one who goes has the lead until the successor has it, or until their last day; from that day on it is the
specialist, or the keeper who was named, who answers for the served person, and who knows it (models/relay_days.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlmodel import Session, col, select

from models import audit, role
from models.about import unsay
from models.beneficiary import Beneficiary
from models.contact import reachable
from models.database import now_of
from models.family_consent import PAIRING, agreed
from models.family_told import tell_family
from models.ids import new_id
from models.obstacles import Candidate, standing_relay, unfit
from models.offering import withdraw_offers
from models.outbox import REMINDER, REPLY, enqueue
from models.pairing import AGREEING, LEAD, OPEN, SUBSTITUTE, Stint
from models.person import family
from models.relay import CANCELLED, DONE, SEEKING, SILENCE, STANDING, TERM, Relay
from models.relay import PROGRAMME as PROGRAMME
from models.sealed import seal, unseal
from models.served import decides, in_order, locked_stint, served_of, servers, tell_responsible
from models.served import serves as serves
from models.stints import STANDING as STINTS
from models.stints import StintError, answering, months_on, open_stint, today_in, today_of
from models.turn import goes_on as turns_go_on

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
    """Begin to seek a successor: by the volunteer, or by whoever decides. One that stands stays, with the earlier of
    both last days, and with what a person says of it now. `last_day` is one of the volunteer's days, today or later.
    Raises StintError ("gone", "scope", "day", "keeper", "nobody")."""
    return _begin(session, stint_id, reason, last_day, by, (note, private), keeper, batch, timedelta(0))


def _begin(
    session: Session,
    stint_id: str,
    reason: str,
    last_day: date,
    by: str,
    notes: tuple[str, str],
    keeper: str | None,
    batch: str,
    told_after: timedelta,
) -> Relay:
    stint = locked_stint(session, stint_id)
    if stint is None or stint.state != OPEN or stint.part != LEAD:
        raise StintError("gone")
    own = serves(session, stint, by)
    if not own and by != PROGRAMME and not decides(session, by, stint):
        raise StintError("scope")
    today = today_in(session, stint)
    # Whoever names the day may live where it is still the day before.
    if last_day < today - timedelta(days=1) or last_day > today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    if keeper is not None and not _may_keep(session, keeper, stint_id):
        raise StintError("keeper")
    standing = standing_relay(session, stint.id)
    if standing is not None:
        undecided = standing.undecided
        _begun_again(session, standing, reason, last_day, by, keeper)
        if by != PROGRAMME and reason not in (TERM, SILENCE) and not (own and standing.begun_by != PROGRAMME):
            standing.begun_by = by
        if undecided and not standing.undecided and not own:
            _tell_servers(session, standing, stint, f"holder:{last_day.isoformat()}")
        _notes(session, standing, *notes)
        return standing
    people = _responsible(session, stint, reason)
    if not people:
        raise StintError("nobody")
    row = Relay(
        stint_id=stint.id,
        reason=reason,
        batch=batch,
        begun_by=by,
        begun_at=now_of(session),
        last_day=last_day,
        specialist_id=by if by in people else people[0],
        keeper_id=keeper,
    )
    session.add(row)
    session.flush()
    _notes(session, row, *notes)
    audit.note(session, by, "relay.begun", row.id, why=reason, batch=batch)
    priority, due = REMINDER if by == PROGRAMME else REPLY, now_of(session) + told_after
    for one in people if own or by == PROGRAMME else [row.specialist_id]:
        key = f"relay:{row.id}:{one}"
        enqueue(session, one, "notice.relay", {"relay": row.id}, unique_key=key, priority=priority, due_at=due)
    if not own and not row.undecided:
        _tell_servers(session, row, stint, "holder")
    return row


def _tell_servers(session: Session, row: Relay, stint: Stint, step: str) -> None:
    for one in servers(session, stint):
        key = f"relay:{row.id}:{step}:{one}"
        enqueue(session, one, "notice.relay_begun", {"relay": row.id}, unique_key=key, priority=REMINDER)


def _responsible(session: Session, stint: Stint, reason: str) -> list[str]:
    """Who answers for a relay; where somebody was silent not they themselves, as long as there is anybody else."""
    county = served_of(session, stint).county
    people = answering(session, county)
    silent = servers(session, stint) if reason == SILENCE else ()
    if not set(people).intersection(silent):
        return people
    return [one for one in people if one not in silent] or reachable(session, county, but=silent[0]) or people


def _begun_again(session: Session, row: Relay, reason: str, last_day: date, by: str, keeper: str | None) -> None:
    """What a person says counts more than what time began; whoever is responsible hears of an earlier last day. What
    was undecided is decided with it: that day is the last one."""
    decided = row.undecided and by != PROGRAMME
    if by != PROGRAMME:
        row.reason, row.keeper_id = reason, keeper or row.keeper_id
    if decided:
        row.batch = ""
    if last_day < row.last_day or (decided and last_day != row.last_day):
        row.last_day = last_day
        key = f"relay:{row.id}:{last_day.isoformat()}:{row.specialist_id}"
        enqueue(session, row.specialist_id, "notice.relay", {"relay": row.id}, unique_key=key, priority=REPLY)
    session.add(row)
    session.flush()


def begin_batch(
    session: Session,
    stints: Sequence[str],
    reason: str,
    last_day: date,
    by: str,
    *,
    keeper: str | None = None,
    batch: str = "",
    told_after: timedelta = timedelta(0),
) -> tuple[str, list[Relay], list[str]]:
    """One relay for each of these, with one name (`batch`, if it has one) and one keeper; returns the name, those
    begun, and the stints of which none could be. Whoever is responsible is told after `told_after`, by when what is to
    be told together has begun. Raises StintError("keeper") where the keeper answers for one of their counties not."""
    batch = batch or new_id()
    if keeper is not None and not all(_may_keep(session, keeper, one) for one in stints):
        raise StintError("keeper")
    begun, left = [], []
    for one in in_order(session, list(stints)):
        try:
            begun.append(_begin(session, one, reason, last_day, by, ("", ""), keeper, batch, told_after))
        except StintError:
            left.append(one)
    return batch, begun, left


def _may_keep(session: Session, keeper: str, stint_id: str) -> bool:
    stint = session.get(Stint, stint_id)
    return stint is not None and role.covers_county(session, keeper, served_of(session, stint).county)


def _notes(session: Session, row: Relay, note: str, private: str) -> None:
    if note:
        row.note_sealed = seal(session, "relay.note_sealed", row.id, note[:NOTE_MOST])
    if private:
        row.private_sealed = seal(session, "relay.private_sealed", row.id, private[:NOTE_MOST])
    session.add(row)
    session.flush()


def may_read(session: Session, stint: Stint, successor: Stint | None, reader: str) -> bool:
    """Whether the note is this one's to read: who wrote it, and the successor as long as they are."""
    if serves(session, stint, reader):
        return True
    return successor is not None and successor.state in STINTS and serves(session, successor, reader)


def note_of(session: Session, row: Relay, reader: str) -> str:
    """What the one who goes wrote for the successor, for that one and whoever decides; else empty. A look is
    logged."""
    stint = session.get_one(Stint, row.stint_id)
    successor = session.get(Stint, row.successor_id) if row.successor_id else None
    if not may_read(session, stint, successor, reader) and not decides(session, reader, stint):
        return ""
    audit.note(session, reader, "relay.note_read", row.id)
    return unseal(session, "relay.note_sealed", row.id, row.note_sealed) or ""


def private_of(session: Session, row: Relay, reader: str) -> str:
    """What is for whoever decides alone; else empty. A look is logged."""
    if not decides(session, reader, session.get_one(Stint, row.stint_id)):
        return ""
    audit.note(session, reader, "relay.private_read", row.id)
    return unseal(session, "relay.private_sealed", row.id, row.private_sealed) or ""


def cancel(session: Session, relay_id: str, by: str) -> Relay:
    """They go on after all, as long as no successor has said yes. Raises StintError ("scope", "paired")."""
    row, stint = standing(session, relay_id)
    if not may_cancel(session, row, stint, by):
        raise StintError("scope")
    if row.state != SEEKING:
        raise StintError("paired")
    _cancelled(session, row, stint, by)
    tell_responsible(
        session, served_of(session, stint), "notice.relay_cancelled", {"relay": row.id}, f"relay:{row.id}:off"
    )
    return row


def may_cancel(session: Session, row: Relay, stint: Stint, by: str) -> bool:
    """Whoever decides may; whoever serves may take back what they began, or what only time brought."""
    if decides(session, by, stint):
        return True
    own = row.begun_by in family(session, by) or row.reason in (TERM, SILENCE)
    return own and serves(session, stint, by)


def _cancelled(session: Session, row: Relay, stint: Stint, by: str) -> None:
    row.state, row.closed_at = CANCELLED, now_of(session)
    session.add(row)
    session.flush()
    unsay(session, [row.specialist_id, *servers(session, stint)], [f"relay:{row.id}:"], why="cancelled")
    if stint.beneficiary_id is not None:
        withdraw_offers(session, stint.beneficiary_id, by)
    audit.note(session, by, "relay.cancelled", row.id)


def standing(session: Session, relay_id: str) -> tuple[Relay, Stint]:
    """A standing relay and its stint, locked after the served person. Raises StintError("gone")."""
    about = session.get(Relay, relay_id)
    stint = locked_stint(session, about.stint_id) if about else None
    if about is None or stint is None:
        raise StintError("gone")
    session.refresh(about, with_for_update=True)
    if about.state not in STANDING or stint.state != OPEN:
        raise StintError("gone")
    return about, stint


# --- handing over ---


def to_take(session: Session, successor: Stint) -> Relay | None:
    """The standing relay whose successor this is."""
    query = select(Relay).where(Relay.successor_id == successor.id, col(Relay.state).in_(STANDING))
    return session.exec(query).first()


def taken(session: Session, successor: Stint) -> Relay:
    """The successor accepted the agreement: the one who goes is asked to confirm the handing over, and the specialist
    hears of it. Raises StintError."""
    row = to_take(session, successor)
    if row is None:
        raise StintError("gone")
    row.taken_at = now_of(session)
    session.add(row)
    session.flush()
    stint = session.get_one(Stint, row.stint_id)
    for one in servers(session, stint):
        key = f"relay:{row.id}:give:{successor.id}:{one}"
        enqueue(session, one, "notice.hand_over", {"relay": row.id}, unique_key=key, priority=REPLY)
    return row


def agree_day(session: Session, relay_id: str, day: date, by: str) -> Relay:
    """The day for handing over together, which both are told. Raises StintError."""
    row, stint = standing(session, relay_id)
    if not decides(session, by, stint):
        raise StintError("scope")
    today = today_in(session, stint)
    if not today <= day <= today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    row.hands_over_on = day
    session.add(row)
    session.flush()
    successor = session.get(Stint, row.successor_id) if row.successor_id else None
    people = [one for each in (stint, successor) if each is not None for one in servers(session, each)]
    unsay(session, people, [f"relay:{row.id}:day:"], why="set anew")
    for one in people:
        key = f"relay:{row.id}:day:{day.isoformat()}:{now_of(session).isoformat()}:{one}"
        params = {"relay": row.id, "day": day.isoformat()}
        enqueue(session, one, "notice.relay_day", params, unique_key=key, priority=REPLY)
    return row


def give(session: Session, relay_id: str, by: str) -> Relay:
    """The one who goes, or whoever decides in their place, confirms that it was handed over; with the successor's
    acceptance that opens the next stint at the same instant. Raises StintError ("waits" = the successor has not
    accepted yet)."""
    row, stint = standing(session, relay_id)
    if not serves(session, stint, by) and not decides(session, by, stint):
        raise StintError("scope")
    if not is_ready(session, row):
        raise StintError("waits")
    row.given_at = now_of(session)
    session.add(row)
    finish(session, row, stint)
    return row


def is_ready(session: Session, row: Relay) -> bool:
    """Whether the successor has accepted, and can begin this moment."""
    successor = session.get(Stint, row.successor_id, populate_existing=True) if row.successor_id else None
    return row.taken_at is not None and successor is not None and successor.state == AGREEING


def finish(session: Session, row: Relay, stint: Stint) -> None:
    """The successor begins, at the same instant at which the one who goes ends. `row` is ready. Raises StintError."""
    successor = session.get_one(Stint, row.successor_id)
    open_stint(session, successor, months_on(today_in(session, successor), successor.relay_months))
    row.state, row.closed_at = DONE, now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, PROGRAMME, "relay.done", row.id)
    for one in servers(session, successor):
        key = f"relay:{row.id}:done:{one}"
        enqueue(session, one, "notice.opened_for_you", {"stint": successor.id}, unique_key=key, priority=REMINDER)
    served, params = served_of(session, stint), {"stint": successor.id}
    tell_responsible(session, served, "notice.opened", params, f"opened:{successor.id}", priority=REMINDER)
    tell_family(session, successor, "notice.family_opened", f"opened:{successor.id}", priority=REMINDER)


def renew(session: Session, relay_id: str, by: str) -> Stint:
    """The same two for another term: a new stint, which follows the old one at the same instant; whoever stands in goes
    on standing in. Raises StintError ("consent" — the family agrees no longer; or why they may not serve any more)."""
    row, stint = standing(session, relay_id)
    if not serves(session, stint, by):
        raise StintError("scope")
    if row.state != SEEKING or stint.ends_on is None:
        raise StintError("paired")
    _check_may_go_on(session, stint, by)
    now = now_of(session)
    new = Stint(
        beneficiary_id=stint.beneficiary_id,
        institution_id=stint.institution_id,
        person_id=_serving(session, stint),
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
    _cancelled(session, row, stint, by)
    query = select(Stint).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE, col(Stint.state).in_(STINTS))
    for standing_in in session.exec(query).all():
        standing_in.follows_id = new.id
        session.add(standing_in)
    session.flush()
    turns_go_on(session, stint.id, new.id)
    open_stint(session, new, months_on(max(stint.ends_on, today_in(session, stint)), stint.relay_months))
    tell_responsible(session, served_of(session, new), "notice.renewed", {"stint": new.id}, f"renewed:{new.id}")
    return new


def _serving(session: Session, stint: Stint) -> str | None:
    """Whose name stands in the next stint: of a team that somebody else leads by now, theirs."""
    if stint.team_id is None or stint.person_id is None:
        return stint.person_id
    return next(iter(servers(session, stint)), stint.person_id)


def _check_may_go_on(session: Session, stint: Stint, by: str) -> None:
    served = served_of(session, stint)
    if not isinstance(served, Beneficiary):
        return
    if agreed(session, served.id, PAIRING) is None:
        raise StintError("consent")
    against = unfit(session, served, Candidate(by, stint.team_id), today_of(session, by))
    if against is not None:
        raise StintError(against)
