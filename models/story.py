"""What became of a message, step by step, from what stands in the tables; and whom only a phone call reaches now.

Facts and codes only: the words for people are made where they are read. Nothing here opens what somebody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, or_, select
from sqlmodel import Session, SQLModel

from models import lease
from models.database import machine_now_of, now_of
from models.outbox import REMINDER
from models.person import Person, rests_until

_I: Any = SQLModel.metadata.tables["inbox"]
_O: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]
_D: Any = SQLModel.metadata.tables["door"]
_L: Any = SQLModel.metadata.tables["lease"]

What = Literal[
    "received",  # facts: platform, account, kind
    "aside",  # failures
    "heard",
    "answered",  # how: "handed", "unsure", "none"
    "queued",  # kind, priority, due, expires
    "tried",  # platform, account, outcome, code, until
    "state",  # state, why, until
    "because",  # why it has not gone: code, and what belongs to it
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `at` is UTC; None for what is true now."""

    what: What
    at: datetime | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brief:
    """One message of a person's list. `way` is "in" or "out"; `state` that of its table."""

    id: str
    at: datetime
    way: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class ToCall:
    """A person whom no door reaches now. `since` is when the oldest of `count` messages was made (programme time);
    `priority` is that of the most urgent, `why` is from the newest."""

    person_id: str
    since: datetime
    count: int
    priority: int
    why: str


def of_message(session: Session, message: str) -> list[Step]:
    """The story of an inbox or outbox row; empty where none has this id."""
    heard = session.execute(select(_I).where(_I.c.id == message)).first()
    if heard is not None:
        told = session.execute(select(_O).where(_O.c.unique_key == f"reply:{message}")).first()
        return _heard(heard) + (_told(session, told) if told is not None else [])
    told = session.execute(select(_O).where(_O.c.id == message)).first()
    return _told(session, told) if told is not None else []


def of_person(session: Session, person_id: str, limit: int = 20) -> list[Brief]:
    """A person's newest messages in both directions, the oldest of them first."""
    heard = session.execute(
        select(_I.c.id, _I.c.received_at, _I.c.kind, _I.c.state)
        .where(_I.c.person_id == person_id)
        .order_by(_I.c.received_at.desc(), _I.c.id.desc())
        .limit(limit)
    )
    told = session.execute(
        select(_O.c.id, _O.c.created_at, _O.c.kind, _O.c.state)
        .where(_O.c.person_id == person_id)
        .order_by(_O.c.created_at.desc(), _O.c.id.desc())
        .limit(limit)
    )
    both = [Brief(row.id, row.received_at, "in", row.kind, row.state) for row in heard]
    both += [Brief(row.id, row.created_at, "out", row.kind, row.state) for row in told]
    return sorted(both, key=lambda brief: (brief.at, brief.id))[-limit:]


def to_call(session: Session) -> list[ToCall]:
    """Whom only a call reaches: messages wait for their next word, or for a door that does not exist. The most urgent
    first, then who has waited longest."""
    reachable = (
        select(_D.c.id)
        .where(_D.c.person_id == _O.c.person_id, or_(_O.c.door_id.is_(None), _D.c.id == _O.c.door_id))
        .where(_D.c.blocked_at.is_(None))
        .exists()
    )
    waits = or_(_O.c.state == "held", (_O.c.state == "waiting") & (_O.c.due_at <= now_of(session)) & ~reachable)
    people = (
        select(_O.c.person_id, func.min(_O.c.created_at), func.count(), func.min(_O.c.priority), func.max(_O.c.why))
        .where(waits)
        .group_by(_O.c.person_id)
        .order_by(func.min(_O.c.priority), func.min(_O.c.created_at), _O.c.person_id)
    )
    return [ToCall(*row) for row in session.execute(people)]


def _heard(row: Any) -> list[Step]:
    steps = [Step("received", row.received_at, {"platform": row.platform, "account": row.account, "kind": row.kind})]
    if row.state == "aside":
        steps.append(Step("aside", None, {"failures": row.failures}))
    else:
        steps.append(Step("heard", None))
    if row.door == "passive":
        steps.append(Step("answered", row.handed_at, {"how": "handed" if row.handed_at else "unsure"}))
    elif row.door == "none":
        steps.append(Step("answered", None, {"how": "none"}))
    return steps


def _told(session: Session, row: Any) -> list[Step]:
    facts = {"kind": row.kind, "priority": row.priority, "due": row.due_at, "expires": row.expires_at}
    steps = [Step("queued", row.created_at, facts)]
    tries = session.execute(
        select(_A, _D.c.platform, _D.c.account)
        .outerjoin(_D, _D.c.id == _A.c.door_id)
        .where(_A.c.outbox_id == row.id)
        .order_by(_A.c.started_at, _A.c.id)
    )
    for tried in tries:
        through = {"platform": tried.platform or "", "account": tried.account or ""}
        ended = {"outcome": tried.outcome, "code": tried.code, "until": tried.ended_at}
        steps.append(Step("tried", tried.started_at, through | ended))
    until = row.not_before if row.state == "waiting" else None
    steps.append(Step("state", row.ended_at, {"state": row.state, "why": row.why, "until": until}))
    return steps + (list(_because(session, row)) if row.state in ("waiting", "held") else [])


def _because(session: Session, row: Any) -> Iterable[Step]:
    """Why it has not gone yet, as things stand now; several things may be true."""
    now, machine = now_of(session), machine_now_of(session)
    if row.due_at > now:
        yield Step("because", None, {"code": "not due", "until": row.due_at})
    person = session.get(Person, row.person_id)
    rest = rests_until(person, now) if person is not None and row.priority >= REMINDER else None
    if rest is not None:
        yield Step("because", None, {"code": "rests", "until": rest})
    doors = session.execute(select(_D).where(_D.c.person_id == row.person_id).order_by(_D.c.opened_at)).all()
    usable = [door for door in doors if row.door_id in (None, door.id)]
    if not usable:
        yield Step("because", None, {"code": "no door"})
    for door in usable:
        at = {"platform": door.platform, "account": door.account}
        if door.blocked_at is not None:
            yield Step("because", None, {"code": "blocked", "since": door.blocked_at, **at})
        for code, name in (("account paused", f"send:{door.platform}:{door.account}"), ("paused", f"chat:{door.id}")):
            seconds = lease.paused(session, name)
            if seconds:
                yield Step("because", None, {"code": code, "seconds": seconds, **at})
        if f"send:{door.platform}:{door.account}" not in lease.holders(session):
            yield Step("because", None, {"code": "nobody sends", **at})
    if row.not_before is not None and row.not_before > machine:
        yield Step("because", None, {"code": "tried again", "until": row.not_before})
    ahead = session.execute(
        select(func.count()).where(_O.c.state == "waiting", _O.c.due_at <= now, _O.c.priority < row.priority)
    ).scalar_one()
    if ahead:
        yield Step("because", None, {"code": "others first", "count": ahead})
