"""What is to be said outside an answer. A row keeps kind and parameters; its words are made when it is sent.

One row a person and message; the tries through the person's doors stand beneath it (architecture.md §9).
States: waiting → sending → sent | uncertain | refused | superseded | expired | withdrawn; sending → waiting again
after a certain failure; a row that no door takes waits with `held` for the person's next message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, and_, bindparam, literal, or_, select, update
from sqlmodel import Field, Session, SQLModel

from models.database import insert_once, machine_now_of, now_of, vault_of
from models.hot import Hot
from models.ids import new_id
from models.sealed import sealed_columns

EMERGENCY, REPLY, REMINDER, CAMPAIGN = 0, 1, 2, 3
CLAIM_SECONDS = 12  # a call ends within 10 s (platforms.md)
ORDER_WITHIN = timedelta(minutes=1)  # what still waits after that has met a fault, and holds up nothing more
STATES = ("waiting", "sending", "held", "sent", "uncertain", "refused", "superseded", "expired", "withdrawn")


class OutboxMessage(SQLModel, table=True):
    """`due_at` and `expires_at` are programme time; `not_before`, `deadline` are the machine's.

    `door_id` binds the row to one door (a late reply goes where the question came from); empty = the person's
    preferred one. `unique_key` makes a second insert of the same message a no-op.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    unique_key: str = Field(unique=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    door_id: str | None = None
    kind: str
    params_sealed: bytes | None
    priority: int
    due_at: datetime
    expires_at: datetime | None = None
    state: str = Field(default="waiting", index=True)
    not_before: datetime | None = None
    deadline: datetime | None = None
    claimed_by: str | None = None
    resends: int = 0
    created_at: datetime
    ended_at: datetime | None = None
    why: str = ""


class Attempt(SQLModel, table=True):
    """One call through one door, written before it is made and completed after it. Times are the machine's."""

    __tablename__ = "attempt"
    id: str = Field(default_factory=new_id, primary_key=True)
    outbox_id: str = Field(foreign_key="outbox.id", index=True)
    door_id: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    code: str = ""
    reference: str = ""


sealed_columns("outbox", "id", "params_sealed")
_T: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker may send now."""

    id: str
    unique_key: str
    person_id: str
    door_id: str | None
    kind: str
    params: dict[str, Any]
    priority: int
    due_at: datetime
    expires_at: datetime | None
    resends: int


def enqueue(
    session: Session,
    person_id: str,
    kind: str,
    params: dict[str, Any],
    *,
    unique_key: str,
    priority: int = REPLY,
    door_id: str | None = None,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
    again: bool = False,
) -> bool:
    """Put a message into the outbox; False when one with this key stands there already. `again` = the person may have
    it from elsewhere: it is marked as sent again from the first time on."""
    row = new_id()
    result = session.execute(
        insert_once(session, OutboxMessage).values(
            id=row,
            unique_key=unique_key,
            person_id=person_id,
            door_id=door_id,
            kind=kind,
            params_sealed=vault_of(session).seal_json("outbox.params_sealed", row, params),
            priority=priority,
            due_at=due_at or now_of(session),
            expires_at=expires_at,
            state="waiting",
            resends=int(again),
            created_at=now_of(session),
            why="",
        )
    )
    return getattr(result, "rowcount", 0) == 1


def is_waiting(session: Session, person_id: str, kind: str, key_start: str) -> bool:
    """Whether such a message waits to be sent as soon as it can be, and will be worded after this transaction: the row
    is locked, and claims pass over it until then. One that somebody else has locked does not count, since nobody is
    waited for here: whoever holds it (`claim`, `release_held`) may be waiting for what the caller has locked."""
    query = (
        select(_T.c.id)
        .where(_T.c.person_id == person_id, _T.c.kind == kind, _T.c.unique_key.startswith(key_start, autoescape=True))
        .where(or_(_T.c.state == "held", and_(_T.c.state == "waiting", _T.c.not_before.is_(None))))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.execute(query).first() is not None


@dataclass(frozen=True, slots=True)
class Journey:
    """How far a message has come. `may_have_come` = a call is being made for it or was made that may have brought it,
    whatever became of the row since."""

    state: str
    may_have_come: bool


def journeys(session: Session, kind: str, key_start: str) -> list[Journey]:
    """How far the messages of this kind have come whose keys begin so."""
    called = select(_A.c.id).where(_A.c.outbox_id == _T.c.id, _A.c.outcome.in_(("", "sent", "uncertain"))).exists()
    come = or_(_T.c.state.in_(("sending", "sent", "uncertain")), _T.c.resends > 0, called)
    query = select(_T.c.state, come).where(_named(kind, key_start))
    return [Journey(state, bool(may)) for state, may in session.execute(query.order_by(_T.c.unique_key))]


def withdraw_unsent(session: Session, kind: str, key_start: str, *, why: str) -> None:
    """End those messages that still wait. What another transaction holds at this moment is passed over: waiting for it
    here, with other rows locked, could stop both."""
    unsent = select(_T.c.id).where(_named(kind, key_start), _T.c.state.in_(("waiting", "held")))
    ids = session.scalars(unsent.with_for_update(skip_locked=True)).all()
    gone = {"state": "withdrawn", "why": why, "ended_at": now_of(session), "params_sealed": None}
    session.execute(update(_T).where(_T.c.id.in_(ids)).values(**gone))


def _named(kind: str, key_start: str) -> Any:
    return and_(_T.c.kind == kind, _T.c.unique_key.startswith(key_start, autoescape=True))


def claim(session: Session, worker: str, accounts: list[tuple[str, str]], limit: int) -> list[Claimed]:
    """Take due rows for people with an open door at one of these (platform, account) as `sending` with a deadline,
    the most urgent first; other workers pass over them."""
    now, machine = now_of(session), machine_now_of(session)
    door: Any = SQLModel.metadata.tables["door"]
    here = (
        select(door.c.id)
        .where(door.c.person_id == _T.c.person_id, or_(_T.c.door_id.is_(None), door.c.id == _T.c.door_id))
        .where(door.c.blocked_at.is_(None), or_(*(_at(door, account) for account in accounts)))
        .exists()
    )
    ready = (
        select(_T.c.id)
        .where(_T.c.state == "waiting", _T.c.due_at <= now, or_(_T.c.not_before.is_(None), _T.c.not_before <= machine))
        .where(here, or_(_T.c.priority != REPLY, ~_follows_another(now)))
        .order_by(_T.c.priority, _T.c.due_at, _T.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=_T)
    )
    found = session.execute(
        update(_T)
        .where(_T.c.id.in_(ready))
        .values(state="sending", claimed_by=worker, deadline=machine + timedelta(seconds=CLAIM_SECONDS))
        .returning(_T)
    ).all()
    rows = [
        Claimed(
            id=row.id,
            unique_key=row.unique_key,
            person_id=row.person_id,
            door_id=row.door_id,
            kind=row.kind,
            params=vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed),
            priority=row.priority,
            due_at=row.due_at,
            expires_at=row.expires_at,
            resends=row.resends,
        )
        for row in found
    ]
    return sorted(rows, key=lambda row: (row.priority, row.due_at, row.id))


def _follows_another(now: datetime) -> Any:
    """Whether an earlier reply to the same person is under way or waits to be tried again: nothing overtakes it."""
    earlier = _T.alias("earlier")
    return (
        select(earlier.c.id)
        .where(earlier.c.person_id == _T.c.person_id, earlier.c.priority == REPLY, earlier.c.id != _T.c.id)
        .where(or_(earlier.c.state == "sending", and_(earlier.c.state == "waiting", earlier.c.not_before.is_not(None))))
        .where(earlier.c.created_at > now - ORDER_WITHIN)
        .where(or_(earlier.c.due_at < _T.c.due_at, and_(earlier.c.due_at == _T.c.due_at, earlier.c.id < _T.c.id)))
        .exists()
    )


def _at(door: Any, account: tuple[str, str]) -> Any:
    return and_(door.c.platform == account[0], door.c.account == account[1])


def hold_homeless(session: Session) -> int:
    """Due rows of people without an open door wait for their next message; returns how many."""
    door: Any = SQLModel.metadata.tables["door"]
    reachable = (
        select(door.c.id)
        .where(door.c.person_id == _T.c.person_id, or_(_T.c.door_id.is_(None), door.c.id == _T.c.door_id))
        .where(door.c.blocked_at.is_(None))
        .exists()
    )
    result = session.execute(
        update(_T)
        .where(_T.c.state == "waiting", _T.c.due_at <= now_of(session), ~reachable)
        .values(state="held", why="no open door")
    )
    return int(getattr(result, "rowcount", 0))


def begin_attempt(session: Session, row: str, door_id: str) -> str:
    """Write down that a call is about to be made; returns the attempt's id."""
    attempt = new_id()
    session.execute(
        _A.insert().values(
            id=attempt,
            outbox_id=row,
            door_id=door_id,
            started_at=machine_now_of(session),
            outcome="",
            code="",
            reference="",
        )
    )
    return attempt


def end_attempt(session: Session, attempt: str, outcome: str, code: str, reference: str) -> None:
    """Write down how the call ended."""
    session.execute(
        update(_A)
        .where(_A.c.id == attempt)
        .values(ended_at=machine_now_of(session), outcome=outcome, code=code, reference=reference)
    )


def end(session: Session, row: str, worker: str, state: str, why: str) -> bool:
    """Give a claimed row its final state; False when the claim was lost meanwhile."""
    return _leave(session, row, worker, state=state, why=why, ended_at=now_of(session), params_sealed=None)


def put_back(session: Session, row: str, worker: str, seconds: float, why: str, *, resend: bool = False) -> bool:
    """Certainly not sent, or to be resent once: wait so many seconds and try again."""
    later = machine_now_of(session) + timedelta(seconds=seconds)
    extra = {"resends": _T.c.resends + 1} if resend else {}
    return _leave(session, row, worker, state="waiting", why=why, not_before=later, **extra)


def postpone(session: Session, row: str, worker: str, until: datetime, why: str) -> bool:
    """The person rests (quiet hours, a pause): due again at `until`, programme time."""
    return _leave(session, row, worker, state="waiting", why=why, due_at=until)


def hold(session: Session, row: str, worker: str, why: str) -> bool:
    """No door takes it now: it waits for the person's next message."""
    return _leave(session, row, worker, state="held", why=why)


def _leave(session: Session, row: str, worker: str, **values: Any) -> bool:
    result = session.execute(
        update(_T)
        .where(_T.c.id == row, _T.c.state == "sending", _T.c.claimed_by == worker)
        .values(deadline=None, claimed_by=None, **values)
    )
    return bool(getattr(result, "rowcount", 0))


def sweep(session: Session) -> int:
    """Claims whose worker died: the call may have been made, so replies are resent once (marked), reminders too;
    campaigns stay uncertain. Returns how many rows were swept."""
    machine = machine_now_of(session)
    dead = and_(_T.c.state == "sending", _T.c.deadline < machine)
    again = session.execute(
        update(_T)
        .where(dead, or_(_T.c.priority == EMERGENCY, and_(_T.c.priority < CAMPAIGN, _T.c.resends == 0)))
        .values(state="waiting", resends=_T.c.resends + 1, claimed_by=None, deadline=None, why="worker gone")
    )
    lost = session.execute(
        update(_T)
        .where(dead)
        .values(
            state="uncertain",
            claimed_by=None,
            deadline=None,
            why="worker gone",
            ended_at=now_of(session),
            params_sealed=None,
        )
    )
    return int(getattr(again, "rowcount", 0)) + int(getattr(lost, "rowcount", 0))


def expire(session: Session) -> int:
    """Rows that are too old to send end as expired."""
    now = now_of(session)
    result = session.execute(
        update(_T)
        .where(_T.c.state.in_(("waiting", "held")), _T.c.expires_at.is_not(None), _T.c.expires_at < now)
        .values(state="expired", ended_at=now, why="too old to send", params_sealed=None)
    )
    return int(getattr(result, "rowcount", 0))


_REPLIES = Hot(
    lambda _dialect: (
        select(_T.c.id)
        .where(_T.c.person_id == bindparam("person"), _T.c.kind == "reply", _T.c.created_at > bindparam("after"))
        .where(or_(_T.c.state == "waiting", _T.c.state == "sending"))
        .limit(literal(1))
    )
)


def reply_waits(session: Session, person_id: str, within: timedelta) -> bool:
    """Whether a reply to this person, made within this time, is still on its way."""
    return _REPLIES.first(session, person=person_id, after=now_of(session) - within) is not None


_RELEASE = Hot(
    lambda _dialect: (
        update(_T)
        .where(_T.c.person_id == bindparam("person"), _T.c.state == literal("held"))
        .values(state="waiting", not_before=None)
    )
)


def release_held(session: Session, person_id: str) -> int:
    """The person wrote: what was held for want of a door may go now."""
    return _RELEASE.changed(session, person=person_id)


def withdraw(session: Session, person_id: str, *, why: str, door_id: str | None = None) -> int:
    """End what is under way for a person (of one door, if named): the person left, or the reason is gone. A call that
    is being made ends in its attempt; the row never waits again."""
    where = [_T.c.person_id == person_id, _T.c.state.in_(("waiting", "sending", "held"))]
    if door_id is not None:
        where.append(_T.c.door_id == door_id)
    result = session.execute(
        update(_T)
        .where(*where)
        .values(
            state="withdrawn",
            why=why,
            ended_at=now_of(session),
            params_sealed=None,
            claimed_by=None,
            deadline=None,
        )
    )
    return int(getattr(result, "rowcount", 0))


def readdress(session: Session, from_person: str, to_person: str) -> int:
    """Two people became one: what waits for the one goes to the other."""
    result = session.execute(
        update(_T)
        .where(_T.c.person_id == from_person, _T.c.state.in_(("waiting", "sending", "held")))
        .values(person_id=to_person)
    )
    return int(getattr(result, "rowcount", 0))
