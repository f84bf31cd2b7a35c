"""What became of a message, step by step, from what stands in the tables.

Facts and codes only: the words for people are made where they are read. Nothing here opens what somebody wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, or_, select
from sqlmodel import Session, SQLModel

from models import lease
from models.clock import SET_BACK
from models.database import machine_now_of, now_of
from models.ladder import ladder
from models.ledger import Channels, mass_left, read
from models.outbox import CAMPAIGN, REMINDER
from models.person import Door, Person, rests_until

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
    "tried",  # platform, account, channel, outcome, code, until; passed = the ways that were closed before it
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
    """One message of a person's list. `way` is "in" or "out"; `state` that of its table; `by` = (platform, channel) of
    each attempt, in order."""

    id: str
    at: datetime
    way: str
    kind: str
    state: str
    by: tuple[tuple[str, str], ...] = ()


def of_message(
    session: Session, message: str, channels: Channels | None = None, card_of: Callable[[str], str] = lambda _kind: ""
) -> list[Step]:
    """The story of an inbox or outbox row; empty where none has this id. `channels` are those of the accounts as they
    are set up, `card_of` tells the card of an outbox kind: with them it is told which ways are closed now, and why."""
    ways = _Ways(session, channels or {}, card_of)
    heard = session.execute(select(_I).where(_I.c.id == message)).first()
    if heard is not None:
        # Of a message that was heard again: first the excuse, if it went by the outbox, and then the answer.
        keys = (f"reply:{message}", f"replayed:{message}")
        answers = session.execute(select(_O).where(_O.c.unique_key.in_(keys)).order_by(_O.c.created_at, _O.c.id)).all()
        return _heard(heard) + [step for told in answers for step in _told(session, told, ways)]
    told = session.execute(select(_O).where(_O.c.id == message)).first()
    return _told(session, told, ways) if told is not None else []


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
    ).all()
    by = _attempts(session, [row.id for row in told])
    both = [Brief(row.id, row.received_at, "in", row.kind, row.state) for row in heard]
    both += [Brief(row.id, row.created_at, "out", row.kind, row.state, tuple(by.get(row.id, ()))) for row in told]
    return sorted(both, key=lambda brief: (brief.at, brief.id))[-limit:]


def _attempts(session: Session, rows: list[str]) -> dict[str, list[tuple[str, str]]]:
    tries = session.execute(
        select(_A.c.outbox_id, _A.c.channel, _D.c.platform)
        .outerjoin(_D, _D.c.id == _A.c.door_id)
        .where(_A.c.outbox_id.in_(rows))
        .order_by(_A.c.started_at, _A.c.id)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in tries:
        found.setdefault(row.outbox_id, []).append((row.platform or "", row.channel))
    return found


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


def _told(session: Session, row: Any, ways: _Ways) -> list[Step]:
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
        through |= {"channel": tried.channel, "passed": tried.passed}
        steps.append(Step("tried", tried.started_at, through | ended))
    until = row.not_before if row.state == "waiting" else None
    steps.append(Step("state", row.ended_at, {"state": row.state, "why": row.why, "until": until}))
    return steps + (list(_because(session, row, ways)) if row.state in ("waiting", "held") else [])


class _Ways:
    """Which ways of a message are closed at this moment, by the ledger."""

    def __init__(self, session: Session, channels: Channels, card_of: Callable[[str], str]) -> None:
        self._session, self._channels, self._card_of = session, channels, card_of

    def closed(self, row: Any, doors: list[Door]) -> Iterable[Step]:
        """One step for each way that is closed to this row, and one where no mass message is left for a campaign."""
        ledger = read(self._session, doors, [row.id], self._channels)
        card = self._card_of(row.kind)
        for way in ladder(ledger, doors, self._channels, row=row.id, card=card, priority=row.priority):
            standing = ledger.standings.get(way.door_id)
            if way.closed:
                facts: dict[str, Any] = {"code": "closed", "why": way.closed, "channel": way.channel.name}
                facts |= {"platform": way.platform, "account": way.account, "daily": way.channel.daily}
                since = (standing.said or standing.heard) if standing is not None else None
                yield Step("because", None, facts | {"since": since})
            if way.channel.windowed and row.priority == CAMPAIGN and not mass_left(self._session, way.door_id):
                yield Step("because", None, {"code": "mass", "platform": way.platform, "account": way.account})


def _because(session: Session, row: Any, ways: _Ways) -> Iterable[Step]:
    """Why it has not gone yet, as things stand now; several things may be true."""
    now, machine = now_of(session), machine_now_of(session)
    if row.due_at > now:
        yield Step("because", None, {"code": "not due", "until": row.due_at})
    person = session.get(Person, row.person_id)
    rest = rests_until(person, now) if person is not None and row.priority >= REMINDER else None
    if rest is not None:
        yield Step("because", None, {"code": "rests", "until": rest})
    doors = session.scalars(select(Door).where(_D.c.person_id == row.person_id).order_by(_D.c.opened_at)).all()
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
    yield from ways.closed(row, [door for door in usable if door.blocked_at is None])
    void = row.put_back_at is not None and row.put_back_at > machine + SET_BACK
    if row.not_before is not None and row.not_before > machine and not void:
        yield Step("because", None, {"code": "tried again", "until": row.not_before})
    ready = or_(_O.c.not_before.is_(None), _O.c.not_before <= machine)
    first = [_O.c.state == "waiting", _O.c.line == row.line, _O.c.priority < row.priority, _O.c.due_at <= now, ready]
    ahead = session.execute(select(func.count()).where(*first)).scalar_one()
    if ahead:
        yield Step("because", None, {"code": "others first", "count": ahead})
