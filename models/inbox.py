"""Every message that came in, once. The row is both the dedupe key and the place of the reply to give.

The statements of a turn are hot (models/hot.py); those of jobs are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, bindparam, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, Session, SQLModel

from models.clock import SET_BACK
from models.database import machine_now_of, vault_of
from models.hot import Hot
from models.ids import new_id
from models.sealed import sealed_columns


class InboxMessage(SQLModel, table=True):
    """`door` is how the reply leaves: "passive" in the webhook's answer, "outbox" later, "none" without words.

    `state`: "done", or "aside" when its turn failed (its words wait for an organiser). `claimed_at` = when a repeat was
    last given the reply; whether any call's answer left is said by `handed_at` alone. Times are the machine's.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("platform", "account", "key"),
        CheckConstraint("state IN ('done', 'aside')", name="state"),
        CheckConstraint("door IN ('passive', 'outbox', 'none')", name="door"),
        Index(
            "ix_inbox_never_handed",
            "received_at",
            sqlite_where=text("door = 'passive' AND handed_at IS NULL"),
            postgresql_where=text("door = 'passive' AND handed_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    platform: str
    account: str
    key: str
    sender: str = Field(index=True)
    person_id: str | None = None
    kind: str
    received_at: datetime = Field(index=True)
    state: str = "done"
    failures: int = 0
    payload_sealed: bytes | None = None
    reply_sealed: bytes | None = None
    door: str = "passive"
    handed_at: datetime | None = None
    claimed_at: datetime | None = None


sealed_columns("inbox", "id", "payload_sealed", "reply_sealed")
_T: Any = SQLModel.metadata.tables["inbox"]

# Pages are answered by our clock, a button may carry the time of its message, and events of the platform's own come
# after somebody has left, too.
_BY_FOLLOWERS = ("follow", "text", "media", "location", "menu", "scan")
_LOOKED_BACK = 20


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands in the inbox for a message seen before."""

    id: str
    reply: dict[str, Any] | None
    door: str
    person_id: str | None


def _enter(dialect: str) -> Any:
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    given = ("id", "platform", "account", "key", "sender", "kind", "received_at", "payload_sealed")
    values: dict[str, Any] = {name: bindparam(name) for name in given}
    return insert(_T).values(**values, state="done", failures=0, door="none").on_conflict_do_nothing()


_ENTER = Hot(_enter)
_STORED = Hot(
    lambda _dialect: select(_T.c.id, _T.c.reply_sealed, _T.c.door, _T.c.person_id).where(
        _T.c.platform == bindparam("platform"), _T.c.account == bindparam("account"), _T.c.key == bindparam("update")
    )
)


_FINISHED = {"person_id": "person", "reply_sealed": "reply", "door": "leaves"}


def finishing(leaves: Any = None) -> Any:
    """The statement that stores a reply; its parameters are made by `finished`. `leaves` = an expression for how the
    reply leaves, where that is not the parameter of this name alone."""
    values: dict[str, Any] = {column: bindparam(name) for column, name in _FINISHED.items()}
    if leaves is not None:
        values["door"] = leaves
    return update(_T).where(_T.c.id == bindparam("row")).values(**values)


_FINISH = Hot(lambda _dialect: finishing())


def enter(session: Session, platform: str, account: str, key: str, sender: str, kind: str, payload: Any) -> str | None:
    """Enter a message under its unique key; None when it stands there already (a repeat)."""
    values = entering(session, platform, account, key, sender, kind, payload)
    return str(values["id"]) if _ENTER.changed(session, **values) == 1 else None


def entering(
    session: Session, platform: str, account: str, key: str, sender: str, kind: str, payload: Any
) -> dict[str, Any]:
    """The columns of a new row."""
    row = new_id()
    return {
        "id": row,
        "platform": platform,
        "account": account,
        "key": key,
        "sender": sender,
        "kind": kind,
        "received_at": machine_now_of(session),
        "payload_sealed": vault_of(session).seal_json("inbox.payload_sealed", row, payload),
    }


def stored(session: Session, platform: str, account: str, key: str) -> Stored | None:
    """The reply that was given, or is to be given, to this message."""
    found = _STORED.first(session, platform=platform, account=account, update=key)
    if found is None:
        return None
    row, sealed, door, person = found
    reply = vault_of(session).open_json("inbox.reply_sealed", row, sealed) if sealed is not None else None
    return Stored(row, reply, door, person)


def payload(session: Session, platform: str, account: str, key: str) -> dict[str, Any] | None:
    """What came in; None where it is forgotten. Raises VaultError."""
    of = (_T.c.platform == platform) & (_T.c.account == account) & (_T.c.key == key)
    found = session.execute(select(_T.c.id, _T.c.payload_sealed).where(of)).first()
    return _opened(session, *found) if found is not None and found.payload_sealed is not None else None


def _opened(session: Session, row: str, sealed: bytes) -> dict[str, Any]:
    opened: dict[str, Any] = vault_of(session).open_json("inbox.payload_sealed", row, sealed)
    return opened


def spoke_after(session: Session, platform: str, account: str, sender: str, at: datetime) -> bool:
    """Whether this sender did anything after that moment that only a follower can do, both by the platform's own clock.
    Looks at what came last, `_LOOKED_BACK` of it. Raises VaultError."""
    said = select(_T.c.id, _T.c.payload_sealed).where(
        _T.c.platform == platform, _T.c.account == account, _T.c.sender == sender
    )
    said = said.where(_T.c.kind.in_(_BY_FOLLOWERS), _T.c.payload_sealed.is_not(None))
    found = session.execute(said.order_by(_T.c.received_at.desc()).limit(_LOOKED_BACK))
    return any(datetime.fromisoformat(_opened(session, *row)["sent_at"]) > at for row in found)


def finish(session: Session, row: str, person_id: str | None, reply: dict[str, Any] | None, door: str) -> None:
    """Store the reply to give and how it leaves."""
    _FINISH.changed(session, **finished(session, row, person_id, reply, door))


def finished(
    session: Session, row: str, person_id: str | None, reply: dict[str, Any] | None, door: str
) -> dict[str, Any]:
    """The parameters of `finishing`."""
    sealed = vault_of(session).seal_json("inbox.reply_sealed", row, reply) if reply is not None else None
    return {"row": row, "person": person_id, "reply": sealed, "leaves": door if reply is not None else "none"}


def set_aside(session: Session, row: str, person_id: str | None, reply: dict[str, Any] | None, door: str) -> None:
    """The turn failed and was rolled back; the message stays, with its failure counted."""
    sealed = vault_of(session).seal_json("inbox.reply_sealed", row, reply) if reply is not None else None
    session.execute(
        update(_T)
        .where(_T.c.id == row)
        .values(state="aside", failures=_T.c.failures + 1, person_id=person_id, reply_sealed=sealed, door=door)
    )


def take_to_outbox(
    session: Session, platform: str, account: str, key: str, claims_older_than: timedelta | None = None
) -> bool:
    """Change a passive reply's door to the outbox, if nobody has it yet. One conditional update decides.

    A reply that a repeat has claimed is not taken, or only where the last claim is so old.
    """
    result = session.execute(
        update(_T)
        .where(_T.c.platform == platform, _T.c.account == account, _T.c.key == key)
        .where(_T.c.door == "passive", _T.c.handed_at.is_(None), _claims_end(session, claims_older_than))
        .values(door="outbox")
    )
    return bool(getattr(result, "rowcount", 0))


def mark_handed(session: Session, rows: list[str]) -> None:
    """These replies went out in the answer of their webhook call."""
    if rows:
        session.execute(
            update(_T).where(_T.c.id.in_(rows), _T.c.handed_at.is_(None)).values(handed_at=machine_now_of(session))
        )


def claim_reply(session: Session, row: str) -> bool:
    """A repeat is about to be given this passive reply; False when it has gone to the outbox meanwhile. Whoever claims
    it holds the row until its transaction ends, so that `take_to_outbox` decides after it. A claim is never given back,
    and it takes back what an earlier answer said: the platform comes again because it has not got that one.
    """
    result = session.execute(
        update(_T)
        .where(_T.c.id == row, _T.c.door == "passive")
        .values(claimed_at=machine_now_of(session), handed_at=None)
    )
    return bool(getattr(result, "rowcount", 0))


def never_handed(session: Session, older_than: timedelta, limit: int = 100) -> list[tuple[str, str, str, str]]:
    """Passive replies that a crash or a cut answer left with us: (platform, account, key, sender)."""
    found = session.execute(
        select(_T.c.platform, _T.c.account, _T.c.key, _T.c.sender)
        .where(_T.c.door == "passive", _T.c.handed_at.is_(None), _is_old(session, _T.c.received_at, older_than))
        .where(_claims_end(session, older_than))
        .order_by(_T.c.received_at)
        .limit(limit)
    )
    return [(row.platform, row.account, row.key, row.sender) for row in found]


def _claims_end(session: Session, older_than: timedelta | None) -> Any:
    never = _T.c.claimed_at.is_(None)
    return never if older_than is None else or_(never, _is_old(session, _T.c.claimed_at, older_than))


def _is_old(session: Session, at: Any, age: timedelta) -> Any:
    """Whether this machine time is so long ago; one that lies ahead, before the clock was set back, is old as well."""
    now = machine_now_of(session)
    return or_(at < now - age, at > now + SET_BACK)


def forget_messages(session: Session, platform: str, account: str, sender: str) -> None:
    """Take the words, the sender and the person out of a sender's messages. The keys stay (they name nobody), so that
    a late repeat still has no second effect."""
    session.execute(
        update(_T)
        .where(_T.c.platform == platform, _T.c.account == account, _T.c.sender == sender)
        .values(payload_sealed=None, reply_sealed=None, door="none", sender="", person_id=None)
    )


def forget_old(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: messages older than this; returns how many, at most `limit`. Of one that was set aside it stays that
    there was one. The others go with their keys: no repeat comes so late, and a platform may begin its numbers anew.
    """
    before = machine_now_of(session) - older_than
    aside = select(_T.c.id).where(_T.c.received_at < before, _T.c.state == "aside", _T.c.sender != "")
    emptied = session.execute(
        update(_T)
        .where(_T.c.id.in_(aside.limit(limit)))
        .values(payload_sealed=None, reply_sealed=None, sender="", person_id=None)
    )
    old = select(_T.c.id).where(_T.c.received_at < before, _T.c.state == "done")
    gone = session.execute(delete(_T).where(_T.c.id.in_(old.limit(limit))))
    return int(getattr(emptied, "rowcount", 0)) + int(getattr(gone, "rowcount", 0))
