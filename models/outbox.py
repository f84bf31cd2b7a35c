"""What is to be said outside an answer. A row keeps kind and parameters; its words are made when it is sent.

One row a person and message; the tries through the person's doors stand beneath it (architecture.md §9).
States: waiting → sending → sent | uncertain | refused | superseded | expired | withdrawn; sending → waiting again
after a certain failure; a row that no door takes waits with `held` for the person's next message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Index,
    and_,
    bindparam,
    case,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
    update,
)
from sqlmodel import Field, Session, SQLModel

from models.database import insert_once, machine_now_of, now_of, vault_of
from models.hot import Hot
from models.ids import new_id
from models.many import Rows
from models.sealed import sealed_columns

EMERGENCY, REPLY, REMINDER, CAMPAIGN = 0, 1, 2, 3
CLAIM_SECONDS = 12  # a call ends within 10 s (platforms.md)
ORDER_WITHIN = timedelta(minutes=1)  # what still waits after that has met a fault, and holds up nothing more
TOMORROW = "day quota"  # why a row is held that may go once the account's next day has begun, in `not_before`
NO_WORDS = "no words"  # why a row waits, or is held, of which no words can be made
# Why a row is held whose accounts have had no sender for long; it is looked at anew after `not_before`.
UNSERVED = "nobody sends"
HELD_LATER = f"state = 'held' AND why IN ('{TOMORROW}', '{UNSERVED}')"
SWEPT = "worker gone"  # why a row waits or is uncertain whose worker did not write down how its call ended
RESTS = "quiet hours or a pause"  # why a row is due later than it was made for
PAST_REST = "rests past its end"  # why a reminder is held that would be too old once its person may be reminded
STATES = ("waiting", "sending", "held", "sent", "uncertain", "refused", "superseded", "expired", "withdrawn")


def _partial(name: str, where: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class OutboxMessage(SQLModel, table=True):
    """`due_at` and `expires_at` are programme time; `not_before` and `deadline` are the machine's, as is `put_back_at`:
    when `not_before` was written. One that lies ahead was written before the clock was set back, and is void.

    `door_id` binds the row to one door (a late reply goes where the question came from); empty = the person's
    preferred one. `unique_key` makes a second insert of the same message a no-op. `line` is the account
    ("platform:name") in whose line it waits, so that each sender meets its own rows only: a guess, which whoever meets
    the row there puts right.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority"),
        _partial("ix_outbox_ready", "state = 'waiting'", "line", "priority", "due_at", "id"),
        _partial("ix_outbox_open", "state IN ('waiting', 'sending', 'held')", "person_id"),
        _partial("ix_outbox_sending", "state = 'sending'", "deadline"),
        _partial("ix_outbox_told", "state = 'withdrawn' AND params_sealed IS NOT NULL", "ended_at"),
        _partial("ix_outbox_later", HELD_LATER, "not_before"),
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
    state: str = "waiting"
    not_before: datetime | None = None
    deadline: datetime | None = None
    claimed_by: str | None = None
    resends: int = 0
    created_at: datetime
    ended_at: datetime | None = None
    why: str = ""
    line: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    put_back_at: datetime | None = None


class Attempt(SQLModel, table=True):
    """One call through one door, written before it is made and completed after it. Times are the machine's.

    `channel` names the way that the platform offers there (models/channel.py); `passed` the ways that were closed
    before it, with their reasons (models/ladder.py).
    """

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_door", "door_id", "started_at"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    outbox_id: str = Field(foreign_key="outbox.id", index=True)
    door_id: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    code: str = ""
    reference: str = ""
    channel: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    passed: str = Field(default="", sa_column_kwargs={"server_default": text("''")})


sealed_columns("outbox", "id", "params_sealed")
_T: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]
# models/person.py, which stands on this file, has them in full.
_DOOR = table("door", *map(column, ("id", "person_id", "platform", "account", "last_in_at", "blocked_at")))
_PERSON = table("person", column("id"), column("preferred_door_id"))
_LINE = _DOOR.c.platform.op("||")(":").op("||")(_DOOR.c.account)


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
    held: str = "",
) -> bool:
    """Put a message into the outbox; False when one with this key stands there already. `again` = the person may have
    it from elsewhere: it is marked as sent again from the first time on. `held` = why it waits for the person's next
    message from the beginning; empty = it does not."""
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
            state="held" if held else "waiting",
            resends=int(again),
            created_at=now_of(session),
            why=held,
            line=_line_of(person_id, door_id),
        )
    )
    return getattr(result, "rowcount", 0) == 1


def line(platform: str, account: str) -> str:
    """The line of an account."""
    return f"{platform}:{account}"


def params_of(session: Session, row: Any) -> dict[str, Any]:
    """The parameters of a row. One that was written in a set, without anything sealed, tells all by its unique key:
    they are {"key": the key}, then. Raises VaultError."""
    if row.params_sealed is None:
        return {"key": row.unique_key}
    params: dict[str, Any] = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed)
    return params


def _line_of(person_id: Any, door_id: str | None) -> Any:
    """Where a message for this person will leave, as things stand: by the preferred door, else by the one used last."""
    preferred = select(_PERSON.c.preferred_door_id).where(_PERSON.c.id == person_id).scalar_subquery()
    found = select(_LINE).where(_DOOR.c.person_id == person_id, _DOOR.c.blocked_at.is_(None))
    if door_id is not None:
        found = found.where(_DOOR.c.id == door_id)
    first = found.order_by((_DOOR.c.id == preferred).desc(), _DOOR.c.last_in_at.desc(), _DOOR.c.id).limit(1)
    return func.coalesce(first.scalar_subquery(), "")


def line_of(person: Any) -> Any:
    """The same for each row of a statement; `person` = the table of people in it, or its alias."""
    theirs = select(_LINE).where(_DOOR.c.person_id == person.c.id, _DOOR.c.blocked_at.is_(None))
    first = theirs.where(_DOOR.c.id == person.c.preferred_door_id)
    last = theirs.order_by(_DOOR.c.last_in_at.desc(), _DOOR.c.id).limit(1)
    return func.coalesce(first.scalar_subquery(), last.scalar_subquery(), "")


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


def begin_attempt(session: Session, row: str, door_id: str) -> str:
    """Write down that a call is about to be made; returns the attempt's id."""
    attempt = new_id()
    begin_attempts(session, [(attempt, row, door_id, "", "")])
    return attempt


_BEGIN_ATTEMPTS = Rows(
    "INSERT INTO attempt (id, outbox_id, door_id, channel, passed, started_at, outcome, code, reference) "
    "SELECT attempt, message, door, channel, passed, :at, '', '', '' FROM {rows}",
    ("attempt", "message", "door", "channel", "passed"),
    at=_A.c.started_at.type,
)


def begin_attempts(session: Session, calls: Sequence[tuple[str, str, str, str, str]]) -> None:
    """Write down that these calls are about to be made: (attempt, row, door, channel, ways passed over) of each."""
    _BEGIN_ATTEMPTS.run(session, calls, at=machine_now_of(session))


def end_attempt(session: Session, attempt: str, outcome: str, code: str, reference: str) -> None:
    """Write down how the call ended."""
    end_attempts(session, [(attempt, outcome, code, reference)])


_END_ATTEMPTS = Rows(
    "UPDATE attempt SET ended_at = :at, outcome = rows.outcome, code = rows.code, reference = rows.reference "
    "FROM {rows} WHERE attempt.id = rows.attempt",
    ("attempt", "outcome", "code", "reference"),
    at=_A.c.ended_at.type,
)


def end_attempts(session: Session, calls: Sequence[tuple[str, str, str, str]]) -> None:
    """Write down how these calls ended: (attempt, outcome, code, reference) of each."""
    _END_ATTEMPTS.run(session, calls, at=machine_now_of(session))


def calls_refused(session: Session, row: str, but_for: Sequence[str]) -> int:
    """How many calls for a row the platform has certainly not taken, for now; `but_for` = how the codes of those begin
    that never reached it."""
    refused = [_A.c.outbox_id == row, _A.c.outcome.in_(("retry", "stopped"))]
    refused += [~_A.c.code.startswith(start, autoescape=True) for start in but_for]
    return int(session.execute(select(func.count()).where(*refused)).scalar_one())


def end(session: Session, row: str, worker: str, state: str, why: str) -> bool:
    """Give a claimed row its final state; False when the claim was lost meanwhile."""
    return _leave(session, row, worker, state=state, why=why, ended_at=now_of(session), params_sealed=None)


def put_back(
    session: Session, row: str, worker: str, seconds: float, why: str, *, resend: bool = False, line: str | None = None
) -> bool:
    """Certainly not sent, or to be resent once: wait so many seconds and try again, in another line if one is named."""
    later = not_before(session, machine_now_of(session) + timedelta(seconds=seconds))
    extra: dict[str, Any] = {"resends": _T.c.resends + 1} if resend else {}
    extra |= {"line": line} if line is not None else {}
    return _leave(session, row, worker, state="waiting", why=why, **later, **extra)


def not_before(session: Session, until: datetime) -> dict[str, datetime]:
    """The columns that keep a row back until this machine time."""
    return {"not_before": until, "put_back_at": machine_now_of(session)}


def postpone(session: Session, row: str, worker: str, until: datetime, why: str) -> bool:
    """The person rests (quiet hours, a pause): due again at `until`, programme time."""
    return _leave(session, row, worker, state="waiting", why=why, due_at=until)


def hold(session: Session, row: str, worker: str, why: str, **more: datetime) -> bool:
    """No door takes it now: it waits for the person's next message. `more` = the columns of `not_before`, where it may
    go without one then."""
    return _leave(session, row, worker, state="held", why=why, **more)


def _leave(session: Session, row: str, worker: str, **values: Any) -> bool:
    result = session.execute(
        update(_T)
        .where(_T.c.id == row, _T.c.state == "sending", _T.c.claimed_by == worker)
        .values(deadline=None, claimed_by=None, **values)
    )
    return bool(getattr(result, "rowcount", 0))


def expire(session: Session, limit: int = 500) -> int:
    """Rows that are too old to send end as expired; at most `limit`, returns how many. What only its person's quiet
    hours kept back stays on the call list until they come, or somebody has called."""
    now = now_of(session)
    called = and_(_T.c.state == literal_column("'held'"), _T.c.why == PAST_REST)
    old = (
        select(_T.c.id)
        .where(_T.c.state.in_((literal_column("'waiting'"), literal_column("'held'"))), ~called)
        .where(_T.c.expires_at.is_not(None), _T.c.expires_at < now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    result = session.execute(
        update(_T)
        .where(_T.c.id.in_(old))
        .values(state="expired", ended_at=now, why="too old to send", params_sealed=None)
    )
    return int(getattr(result, "rowcount", 0))


def replies_under_way(person: Any, after: Any) -> Any:
    """The query for replies to a person, made after this time, that are still on their way."""
    return (
        select(_T.c.id)
        .where(_T.c.person_id == person, _T.c.kind == "reply", _T.c.created_at > after)
        .where(or_(_T.c.state == "waiting", _T.c.state == "sending"))
    )


_REPLIES = Hot(lambda _dialect: replies_under_way(bindparam("person"), bindparam("after")).limit(literal(1)))


def reply_waits(session: Session, person_id: str, within: timedelta) -> bool:
    """Whether a reply to this person, made within this time, is still on its way."""
    return _REPLIES.first(session, person=person_id, after=now_of(session) - within) is not None


# It may leave by the door through which they wrote; the line in which it was held may be one that nobody sends for.
_NOW_IN = case((_T.c.door_id.is_(None), _line_of(bindparam("person"), None)), else_=_T.c.line)
_RELEASE = Hot(
    lambda _dialect: (
        update(_T)
        .where(_T.c.person_id == bindparam("person"), _T.c.state == literal("held"))
        .values(state="waiting", not_before=None, why="", line=_NOW_IN)
    )
)


def release_held(session: Session, person_id: str) -> int:
    """The person wrote: what was held for want of a door may go now."""
    return _RELEASE.changed(session, person=person_id)


def wake(session: Session, person_id: str) -> int:
    """When the person may be reminded has changed: what rests is looked at anew, and rests once more where it must."""
    now = now_of(session)
    rests = and_(_T.c.person_id == person_id, _T.c.state == "waiting", _T.c.why == RESTS, _T.c.due_at > now)
    ids = session.scalars(select(_T.c.id).where(rests).with_for_update(skip_locked=True)).all()
    session.execute(update(_T).where(_T.c.id.in_(ids)).values(due_at=now))
    return len(ids)


def withdraw(session: Session, person_id: str, *, why: str, door_id: str | None = None) -> int:
    """End what is under way for a person (of one door, if named): the person left, or the reason is gone. A call that
    is being made ends in its attempt; the row never waits again."""
    where = [_T.c.person_id == person_id, _T.c.state.in_(("waiting", "sending", "held"))]
    if door_id is not None:
        where.append(_T.c.door_id == door_id)
    else:
        # Nor is what a call had ended sent after all.
        told: Any = literal_column("outbox.state = 'withdrawn' AND outbox.params_sealed IS NOT NULL")
        session.execute(update(_T).where(_T.c.person_id == person_id, told).values(params_sealed=None))
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
