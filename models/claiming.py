"""Which messages of the outbox may leave now, how a worker takes them, and what becomes of a dead worker's.

`due` only looks, `take` and `settle` change what still waits; all of them work on sets. A transaction that has locked
a row keeps it: it is passed over here, and looked at again a moment later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, and_, bindparam, literal_column, or_, select, text, tuple_, union_all, update
from sqlmodel import Session, SQLModel

from models import outbox
from models.database import machine_now_of, now_of
from models.ledger import repeatable
from models.many import Many
from models.outbox import CAMPAIGN, EMERGENCY, ORDER_WITHIN, REMINDER, REPLY

LANES = (EMERGENCY, REPLY, REMINDER, CAMPAIGN)
Mark = tuple[datetime, str]  # a place in a lane: due_at and id
START: Mark = (datetime(1, 1, 1, tzinfo=UTC), "")
AHEAD = 3  # so many times its own length no honest deadline lies ahead: the machine's clock was set back

_T: Any = SQLModel.metadata.tables["outbox"]
# Written out, since a partial index is not used for a value that comes later.
_WAITING = _T.c.state == literal_column("'waiting'")
_SENDING = _T.c.state == literal_column("'sending'")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that may be sent now. Its parameters are still sealed."""

    id: str
    unique_key: str
    person_id: str
    door_id: str | None
    kind: str
    params_sealed: bytes
    priority: int
    due_at: datetime
    expires_at: datetime | None
    resends: int

    @property
    def mark(self) -> Mark:
        """Its place in its lane."""
        return self.due_at, self.id


_COLUMNS = tuple(_T.c[name] for name in Claimed.__dataclass_fields__)


def _lane(priority: int) -> Any:
    """The first rows of one line and priority behind a mark: one walk along ix_outbox_ready."""
    name = str(priority)
    after = tuple_(bindparam("due" + name, type_=_T.c.due_at.type), bindparam("id" + name, type_=_T.c.id.type))
    ready = or_(_T.c.not_before.is_(None), _T.c.not_before <= bindparam("machine", type_=_T.c.not_before.type))
    rows = (
        select(*_COLUMNS)
        .where(_WAITING, _T.c.line == bindparam("line"), _T.c.priority == literal_column(name))
        .where(_T.c.due_at <= bindparam("now", type_=_T.c.due_at.type), ready, tuple_(_T.c.due_at, _T.c.id) > after)
        .order_by(_T.c.due_at, _T.c.id)
        .limit(bindparam("limit" + name, type_=Integer))
    )
    return select(*rows.subquery("lane" + name).c)


_DUE = union_all(*(_lane(priority) for priority in LANES))


def due(session: Session, line: str, limits: Mapping[int, int], marks: Mapping[int, Mark]) -> list[Claimed]:
    """What waits in a line and is due, the most urgent first, then as it was due: of each priority at most so many,
    behind a mark (START = from the beginning). Whether its person can be reached is not looked at."""
    values: dict[str, Any] = {"line": line, "now": now_of(session), "machine": machine_now_of(session)}
    for lane in LANES:
        values[f"limit{lane}"] = limits.get(lane, 0)
        values[f"due{lane}"], values[f"id{lane}"] = marks.get(lane, START)
    found = [Claimed(*row) for row in session.execute(_DUE, values)]
    return sorted(found, key=lambda row: (row.priority, row.due_at, row.id))


_LINES = text(
    "WITH RECURSIVE lines (line) AS ("
    " SELECT min(line) FROM outbox WHERE state = 'waiting'"
    " UNION ALL SELECT (SELECT min(o.line) FROM outbox o WHERE o.state = 'waiting' AND o.line > lines.line)"
    " FROM lines WHERE lines.line IS NOT NULL"
    ") SELECT line FROM lines WHERE line IS NOT NULL"
)


def lines(session: Session) -> list[str]:
    """All lines in which something waits, due or not; costs one step of the index each."""
    return [row.line for row in session.execute(_LINES)]


_UNDER_WAY = Many(
    lambda among, _dialect: (
        select(_T.c.person_id, _T.c.due_at, _T.c.id)
        .where(among(_T.c.person_id), _T.c.priority == REPLY, _T.c.created_at > bindparam("after"))
        .where(_T.c.state.in_((literal_column("'waiting'"), literal_column("'sending'"))))
        .where(or_(_SENDING, _T.c.not_before.is_not(None)))
    )
)


def under_way(session: Session, people: Sequence[str]) -> dict[str, list[Mark]]:
    """The replies of these people that are being sent or wait to be tried again: no later reply overtakes them. What
    is older than ORDER_WITHIN holds up nothing more."""
    marks: dict[str, list[Mark]] = {}
    if people:
        for row in _UNDER_WAY.run(session, people, after=now_of(session) - ORDER_WITHIN):
            marks.setdefault(row.person_id, []).append((row.due_at, row.id))
    return marks


def follows(row: Claimed, marks: Mapping[str, Sequence[Mark]]) -> bool:
    """Whether an earlier reply to the same person is still under way."""
    return row.priority == REPLY and any(mark < row.mark for mark in marks.get(row.person_id, ()))


# Locked first and changed then, and the state looked at here: as one statement PostgreSQL would join the table with
# itself, or go through all that waits, where it has not been analysed since a big campaign was put in.
_LOCK = Many(
    lambda among, _dialect: select(_T.c.id, _T.c.state).where(among(_T.c.id)).with_for_update(skip_locked=True)
)
_TAKE = Many(
    lambda among, _dialect: (
        update(_T)
        .where(among(_T.c.id))
        .values(state="sending", claimed_by=bindparam("worker"), deadline=bindparam("until"))
        .returning(_T.c.id, _T.c.person_id)
    )
)


def _free(session: Session, ids: Sequence[str]) -> list[str]:
    """Lock those that still wait."""
    return [row.id for row in _LOCK.run(session, ids) if row.state == "waiting"]


def take(session: Session, worker: str, rows: Sequence[Claimed]) -> list[Claimed]:
    """Make them this worker's, as `sending` with a deadline; returns those that still waited, in the same order."""
    if not rows:
        return []
    until = machine_now_of(session) + timedelta(seconds=outbox.CLAIM_SECONDS)
    taken = _TAKE.run(session, _free(session, [row.id for row in rows]), worker=worker, until=until)
    people = {row.id: row.person_id for row in taken}
    moved = [row.id for row in rows if people.get(row.id, row.person_id) != row.person_id]
    if moved:  # two people became one since it was looked at: looked at once more, as the other's
        again = {"state": "waiting", "claimed_by": None, "deadline": None}
        session.execute(update(_T).where(_T.c.id.in_(moved)).values(**again))
    return [row for row in rows if people.get(row.id) == row.person_id]


def settle(session: Session, ids: Sequence[str], **values: Any) -> int:
    """Change rows that nobody has taken; returns how many still waited."""
    if not ids:
        return 0
    free = _free(session, ids)
    session.execute(update(_T).where(_T.c.id.in_(free)).values(**values))
    return len(free)


_SENT = Many(
    lambda among, _dialect: (
        update(_T)
        .where(among(_T.c.id))
        .where(
            or_(
                and_(_T.c.state == "sending", _T.c.claimed_by == bindparam("worker")),
                and_(
                    _T.c.state.in_((literal_column("'waiting'"), literal_column("'uncertain'"))),
                    _T.c.why == outbox.SWEPT,
                ),
            )
        )
        .values(state="sent", why="", ended_at=bindparam("at"), params_sealed=None, deadline=None, claimed_by=None)
    )
)


def sent(session: Session, rows: Sequence[str], worker: str) -> None:
    """Give claimed rows that have arrived their final state; also those that were swept meanwhile and that nobody has
    taken since: that they have arrived is known now."""
    if rows:
        _SENT.run(session, rows, worker=worker, at=now_of(session))


_PROLONG = Many(
    lambda among, _dialect: (
        update(_T)
        .where(among(_T.c.id), _T.c.state == literal_column("'sending'"), _T.c.claimed_by == bindparam("worker"))
        .values(deadline=bindparam("until"))
    )
)


def prolong(session: Session, worker: str, rows: Sequence[str]) -> None:
    """The worker lives and knows of these claims: nobody sweeps them, however long it takes to write down their end."""
    if rows:
        _PROLONG.run(
            session, rows, worker=worker, until=machine_now_of(session) + timedelta(seconds=outbox.CLAIM_SECONDS)
        )


def still_claimed(session: Session, row: str, worker: str, seconds: float) -> bool:
    """The next door is tried: so many seconds more for a claimed row. False when the claim was lost meanwhile."""
    until = machine_now_of(session) + timedelta(seconds=seconds)
    result = session.execute(
        update(_T).where(_T.c.id == row, _SENDING, _T.c.claimed_by == worker).values(deadline=until)
    )
    return bool(getattr(result, "rowcount", 0))


def stranded(session: Session, worker: str, known: Sequence[str]) -> int:
    """Put back what stands in this worker's name without its knowledge: the connection broke while the claim was being
    committed, and no call was made. Returns how many rows that were."""
    result = session.execute(
        update(_T)
        .where(_SENDING, _T.c.claimed_by == worker, _T.c.id.not_in(known))
        .values(state="waiting", claimed_by=None, deadline=None, why="claim broken off")
    )
    return int(getattr(result, "rowcount", 0))


def sweep(session: Session, limit: int = 500) -> int:
    """Claims whose worker died: the call may have been made, so replies are resent once (marked), reminders too, and
    emergencies until one is certain; campaigns stay uncertain (platforms.md). At most `limit` rows; their number."""
    machine = machine_now_of(session)
    ahead = machine + timedelta(seconds=AHEAD * outbox.CLAIM_SECONDS)
    dead = session.execute(
        select(_T.c.id, _T.c.priority, _T.c.resends)
        .where(_SENDING, or_(_T.c.deadline < machine, _T.c.deadline > ahead))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    keyed = repeatable(session, [row.id for row in dead]) if dead else set()
    rest = [row for row in dead if row.id not in keyed]
    again = [row.id for row in rest if row.priority == EMERGENCY or (row.priority < CAMPAIGN and row.resends == 0)]
    lost = {row.id for row in rest} - set(again)
    left: dict[str, Any] = {"claimed_by": None, "deadline": None, "why": outbox.SWEPT}
    if keyed:  # the platform sends once under a row's key: nothing is in doubt, and nothing is marked
        session.execute(update(_T).where(_T.c.id.in_(keyed)).values(**left | {"state": "waiting"}))
    if again:
        values = left | {"state": "waiting", "resends": _T.c.resends + 1}
        session.execute(update(_T).where(_T.c.id.in_(again)).values(**values))
    if lost:
        values = left | {"state": "uncertain", "ended_at": now_of(session), "params_sealed": None}
        session.execute(update(_T).where(_T.c.id.in_(lost)).values(**values))
    return len(dead)
