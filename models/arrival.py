"""A message arrives: its inbox row, and who wrote it with the talk that goes on, in as few statements as there can be.

On PostgreSQL each statement is a round trip, which costs more than the work (docs/performance.md): there it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, exists, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel

from models import carded, inbox, outbox
from models.conversation import State, opened, save, saving, sealed
from models.database import now_of
from models.hot import Hot, dialect_of, loaded
from models.person import Door, Person

_I: Any = SQLModel.metadata.tables["inbox"]
_D: Any = SQLModel.metadata.tables["door"]
_P: Any = SQLModel.metadata.tables["person"]
_C: Any = SQLModel.metadata.tables["conversation"]
_O: Any = SQLModel.metadata.tables["outbox"]
_DOOR = len(_D.columns)
_GIVEN = ("id", "platform", "account", "key", "sender", "kind", "received_at", "payload_sealed")


@dataclass(slots=True)
class Met:
    """Who wrote, and where the talk stands; all of it is locked until the transaction ends. `to_save` = the talk has
    changed, and is to be saved with the end of the message (`leave`)."""

    door: Door
    person: Person
    state: State
    to_save: bool = False


def _held(person: Any) -> Any:
    return exists().where(_O.c.person_id == person, _O.c.state == literal("held"))


def _known(_dialect: str) -> Any:
    """SQLite, where the whole database is locked already."""
    return (
        select(_held(_D.c.person_id), _C.c.state_sealed, *_D.c, *_P.c)
        .select_from(_D.join(_P, _P.c.id == _D.c.person_id).join(_C, _C.c.person_id == _D.c.person_id))
        .where(
            _D.c.platform == bindparam("platform"),
            _D.c.account == bindparam("account"),
            _D.c.sender == bindparam("sender"),
        )
    )


def _arrived(_dialect: str) -> Any:
    """PostgreSQL. The rows are locked in the order of `open_door` and `lock`, and each is shown as it is then: the door
    by its update, person and conversation by their locks."""
    values: dict[str, Any] = {name: bindparam(name) for name in _GIVEN}
    entered = (
        insert(_I)
        .values(**values, state="done", failures=0, door="none")
        .on_conflict_do_nothing()
        .returning(_I.c.id, _I.c.platform, _I.c.account, _I.c.sender)
        .cte("entered")
    )
    heard = (
        update(_D)
        .where(_D.c.platform == entered.c.platform, _D.c.account == entered.c.account, _D.c.sender == entered.c.sender)
        .values(last_in_at=bindparam("heard_at"), blocked_at=None)
        .returning(*_D.c)
        .cte("heard")
    )
    met = (
        select(
            _C.c.state_sealed,
            *(column.label(f"door_{column.name}") for column in heard.c),
            *(column.label(f"person_{column.name}") for column in _P.c),
        )
        .select_from(heard.join(_P, _P.c.id == heard.c.person_id).join(_C, _C.c.person_id == heard.c.person_id))
        .with_for_update(key_share=True, of=(_P, _C))
        .cte("met")
    )
    return select(_held(met.c.door_person_id), *met.c, entered.c.id).select_from(
        entered.join(met, true(), isouter=True)
    )


def _left(_dialect: str) -> Any:
    """PostgreSQL: the talk is saved and the message finished, both or neither."""
    return inbox.finishing().where(_saved())


def _left_in_order(_dialect: str) -> Any:
    """The same; where an earlier reply still waits, this one goes after it. Asked no earlier than here: when the turn
    began to wait for its locks, that reply may not have been there yet."""
    waits = exists(outbox.replies_under_way(bindparam("person"), bindparam("after")))
    door = case((waits, literal("outbox")), else_=bindparam("leaves"))
    return inbox.finishing(door).where(_saved()).returning(_I.c.door)


def _saved() -> Any:
    saved = saving(bindparam("talker"), bindparam("state"), bindparam("at")).returning(_C.c.person_id).cte("saved")
    return exists(select(saved.c.person_id))


_KNOWN = Hot(_known)
_LEFT, _LEFT_IN_ORDER = Hot(_left), Hot(_left_in_order)
_ARRIVED = Hot(_arrived)
_HEARD = Hot(
    lambda _dialect: update(_D).where(_D.c.id == bindparam("door")).values(last_in_at=bindparam("at"), blocked_at=None)
)


def arrive(
    session: Session, platform: str, account: str, key: str, sender: str, kind: str, payload: Any
) -> tuple[str | None, Met | None]:
    """Enter a message that somebody says, and meet who says it. Returns the inbox row, None for a repeat; and who it
    is, None where door or talk are not there yet. What was held for want of a door is released to who is met."""
    if dialect_of(session) != "postgresql":
        row = inbox.enter(session, platform, account, key, sender, kind, payload)
        known = None if row is None else _KNOWN.first(session, platform=platform, account=account, sender=sender)
        if known is not None:
            _HEARD.changed(session, door=known[2], at=now_of(session))
        return row, None if known is None else _met(session, known)
    values = inbox.entering(session, platform, account, key, sender, kind, payload)
    row = str(values["id"])
    found = _ARRIVED.first(session, **values, heard_at=now_of(session))
    if found is None:
        return None, None
    return row, None if found[1] is None else _met(session, found)


def leave(
    session: Session,
    row: str,
    met: Met,
    person_id: str | None,
    reply: dict[str, Any] | None,
    door: str,
    *,
    in_order: bool = False,
) -> str:
    """Save the talk, and store the reply to give and how it leaves, which is returned: `in_order` = by the outbox where
    an earlier reply to this person still waits there."""
    if dialect_of(session) != "postgresql":
        save(session, met.person.id, met.state)
        return finish(session, row, person_id, reply, door, in_order=in_order)
    values = inbox.finished(session, row, person_id, reply, door)
    now = now_of(session)
    values |= {"talker": met.person.id, "state": sealed(session, met.person.id, met.state), "at": now}
    if in_order:
        left = _LEFT_IN_ORDER.first(session, **values, after=now - outbox.ORDER_WITHIN)
        changed, door = (0, door) if left is None else (1, left[0])
    else:
        changed = _LEFT.changed(session, **values)
    if changed != 1:
        raise LookupError("the conversation went away under the turn that held it")
    return door


def finish(
    session: Session, row: str, person_id: str | None, reply: dict[str, Any] | None, door: str, *, in_order: bool
) -> str:
    """As `leave`, where no talk is to be saved."""
    if in_order and person_id is not None and outbox.reply_waits(session, person_id, outbox.ORDER_WITHIN):
        door = "outbox"
    inbox.finish(session, row, person_id, reply, door)
    return door


def _met(session: Session, values: tuple[Any, ...]) -> Met:
    held, talk = values[:2]
    door = loaded(session, Door, values[2 : 2 + _DOOR])
    person = loaded(session, Person, values[2 + _DOOR : 2 + _DOOR + len(_P.columns)])
    state = opened(session, person.id, talk)
    if held:
        carded.let_go(session, person.id, state)
    return Met(door, person, state)
