"""Which messages of the outbox may leave now, how a worker takes them, and what becomes of a dead worker's.

`due` only looks, `take` and `settle` change what still waits; all of them work on sets. A transaction that has locked
a row keeps it: it is passed over here, and looked at again a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, and_, bindparam, literal_column, or_, select, text, tuple_, union_all, update
from sqlmodel import Session, SQLModel

from models import outbox, unsure
from models.channel import give_back
from models.clock import SET_BACK
from models.database import machine_now_of, now_of
from models.ledger import only_cards, repeatable
from models.many import Besides, Many
from models.outbox import CAMPAIGN, EMERGENCY, ORDER_WITHIN, REMINDER, REPLY

LANES = (EMERGENCY, REPLY, REMINDER, CAMPAIGN)
Mark = tuple[datetime, str]  # a place in a lane: due_at and id
START: Mark = (datetime(1, 1, 1, tzinfo=UTC), "")
ANY_NUMBER = 2**31 - 1
AHEAD = 3  # so many times its own length no honest deadline lies ahead: the machine's clock was set back

_T: Any = SQLModel.metadata.tables["outbox"]
_A: Any = SQLModel.metadata.tables["attempt"]
# Written out, since a partial index is not used for a value that comes later.
_WAITING = _T.c.state == literal_column("'waiting'")
_SENDING = _T.c.state == literal_column("'sending'")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that may be sent now. Its parameters are still sealed, or told by its key (outbox.params_of)."""

    id: str
    unique_key: str
    person_id: str
    door_id: str | None
    kind: str
    params_sealed: bytes | None
    priority: int
    due_at: datetime
    expires_at: datetime | None
    resends: int
    not_before: datetime | None = None

    @property
    def is_second_try(self) -> bool:
        """Whether a call in doubt put it back. What was marked otherwise (after a restore …) was never first."""
        return self.resends > 0 and self.not_before is not None

    @property
    def mark(self) -> Mark:
        """Its place in its lane."""
        return self.due_at, self.id


_COLUMNS = tuple(_T.c[name] for name in Claimed.__dataclass_fields__)


def _lane(priority: int, but_for: Callable[[Any, str], Any]) -> Any:
    """The first rows of one line and priority behind a mark: one walk along ix_outbox_ready."""
    name = str(priority)
    after = tuple_(bindparam("due" + name, type_=_T.c.due_at.type), bindparam("id" + name, type_=_T.c.id.type))
    ready = or_(
        _T.c.not_before.is_(None),
        _T.c.not_before <= bindparam("machine", type_=_T.c.not_before.type),
        _T.c.put_back_at > bindparam("ahead", type_=_T.c.put_back_at.type),
    )
    rows = (
        select(*_COLUMNS)
        .where(_WAITING, _T.c.line == bindparam("line"), _T.c.priority == literal_column(name))
        .where(_T.c.due_at <= bindparam("now", type_=_T.c.due_at.type), ready, tuple_(_T.c.due_at, _T.c.id) > after)
        .where(or_(_T.c.resends <= bindparam("resends", type_=Integer), _T.c.not_before.is_(None)))
        .where(but_for(_T.c.person_id, "called" if priority == EMERGENCY else "busy"))
        .order_by(_T.c.due_at, _T.c.id)
        .limit(bindparam("limit" + name, type_=Integer))
    )
    return select(*rows.subquery("lane" + name).c)


_DUE = Besides(lambda but_for: union_all(*(_lane(priority, but_for) for priority in LANES)))


def due(
    session: Session,
    line: str,
    limits: Mapping[int, int],
    marks: Mapping[int, Mark],
    *,
    busy: Collection[str] = (),
    called: Collection[str] = (),
    resends: int = ANY_NUMBER,
) -> list[Claimed]:
    """What waits in a line and is due, the most urgent first, then as it was due: of each priority at most so many,
    behind a mark (START = from the beginning). Whether its person can be reached is not looked at; people who are
    `busy` are passed over, for emergencies those who are `called`: however much waits for one of them, it is nobody
    else's hindrance. What was put back after more than `resends` calls in doubt is passed over, too."""
    machine = machine_now_of(session)
    values: dict[str, Any] = {"line": line, "now": now_of(session), "machine": machine, "ahead": machine + SET_BACK}
    values["resends"] = resends
    for lane in LANES:
        values[f"limit{lane}"] = limits.get(lane, 0)
        values[f"due{lane}"], values[f"id{lane}"] = marks.get(lane, START)
    found = [Claimed(*row) for row in _DUE.run(session, values, busy=busy, called=called)]
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
        select(_T.c.person_id, _T.c.due_at, _T.c.id, _T.c.state, _T.c.not_before)
        .where(among(_T.c.person_id), _T.c.priority == REPLY, _T.c.created_at > bindparam("after"))
        .where(_T.c.state.in_((literal_column("'waiting'"), literal_column("'sending'"))))
        .where(or_(_SENDING, _T.c.not_before.is_not(None)))
    )
)


def under_way(session: Session, people: Sequence[str]) -> tuple[dict[str, list[Mark]], set[str]]:
    """The replies of these people that are being sent or wait to be tried again: no later reply overtakes them. What
    is older than ORDER_WITHIN holds up nothing more. Also those people of whom such a one may be tried again now."""
    marks, ready, machine = dict[str, list[Mark]](), set[str](), machine_now_of(session)
    if people:
        for row in _UNDER_WAY.run(session, people, after=now_of(session) - ORDER_WITHIN):
            marks.setdefault(row.person_id, []).append((row.due_at, row.id))
            if row.state == "waiting" and row.not_before <= machine:
                ready.add(row.person_id)
    return marks, ready


def follows(row: Claimed, marks: Mapping[str, Sequence[Mark]]) -> bool:
    """Whether an earlier reply to the same person is still under way."""
    return row.priority == REPLY and any(mark < row.mark for mark in marks.get(row.person_id, ()))


# Locked first and changed then, and the state looked at here: as one statement PostgreSQL would join the table with
# itself, or go through all that waits, where it has not been analysed since a big campaign was put in.
_LOCK = Many(
    lambda among, _dialect: (
        select(_T.c.id, _T.c.state, _T.c.due_at, _T.c.not_before, _T.c.resends)
        .where(among(_T.c.id))
        .with_for_update(skip_locked=True)
    )
)
_TAKE = Many(
    lambda among, _dialect: (
        update(_T)
        .where(among(_T.c.id))
        .values(state="sending", claimed_by=bindparam("worker"), deadline=bindparam("until"))
        .returning(_T.c.id, _T.c.person_id)
    )
)


def _free(session: Session, rows: Sequence[Claimed]) -> list[str]:
    """Lock those that still wait as they were seen: another worker may have called for one meanwhile and put it back,
    for later and to be marked as sent again."""
    seen = {row.id: (row.due_at, row.not_before, row.resends) for row in rows}
    found = _LOCK.run(session, seen)
    return [
        row.id for row in found if row.state == "waiting" and (row.due_at, row.not_before, row.resends) == seen[row.id]
    ]


def take(session: Session, worker: str, rows: Sequence[Claimed]) -> list[Claimed]:
    """Make them this worker's, as `sending` with a deadline; returns those that still waited as they were seen, in the
    same order."""
    if not rows:
        return []
    until = machine_now_of(session) + timedelta(seconds=outbox.CLAIM_SECONDS)
    taken = _TAKE.run(session, _free(session, rows), worker=worker, until=until)
    people = {row.id: row.person_id for row in taken}
    moved = [row.id for row in rows if people.get(row.id, row.person_id) != row.person_id]
    if moved:  # two people became one since it was looked at: looked at once more, as the other's
        again = {"state": "waiting", "claimed_by": None, "deadline": None}
        session.execute(update(_T).where(_T.c.id.in_(moved)).values(**again))
    return [row for row in rows if people.get(row.id) == row.person_id]


def settle(session: Session, rows: Sequence[Claimed], **values: Any) -> int:
    """Change rows that nobody has taken or changed; returns how many still waited so."""
    if not rows:
        return 0
    free = _free(session, rows)
    session.execute(update(_T).where(_T.c.id.in_(free)).values(**values))
    return len(free)


def mark_again(session: Session, worker: str, row: Claimed) -> Claimed:
    """A claimed row may have come already: it says so from now on. Returns it as it stands then."""
    session.execute(
        update(_T).where(_T.c.id == row.id, _SENDING, _T.c.claimed_by == worker).values(resends=row.resends + 1)
    )
    return replace(row, resends=row.resends + 1)


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


def sent(session: Session, rows: Sequence[str], worker: str, resent: Sequence[str] = ()) -> None:
    """Give claimed rows that have arrived their final state; also those that were swept meanwhile and that nobody has
    taken since: that they have arrived is known now. `resent` are those of them that had been sent again."""
    if rows:
        if resent:
            unsure.arrived(session, resent)
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
    mine = select(_T.c.id, _T.c.deadline).where(_SENDING, _T.c.claimed_by == worker, _T.c.id.not_in(known))
    rows = session.execute(mine.with_for_update()).all()
    if rows:
        claim = timedelta(seconds=outbox.CLAIM_SECONDS + 1)
        end_phantoms(session, {row.id: row.deadline - claim for row in rows}, ())
        left = {"state": "waiting", "claimed_by": None, "deadline": None, "why": "claim broken off"}
        session.execute(update(_T).where(_T.c.id.in_([row.id for row in rows])).values(**left))
    return len(rows)


def try_again_without_words(session: Session) -> int:
    """Another version may find the words: what is held for want of them waits again. Returns how many rows."""
    held = update(_T).where(_T.c.state == "held", _T.c.why == outbox.NO_WORDS)
    return int(getattr(session.execute(held.values(state="waiting", not_before=None, why="")), "rowcount", 0))


def end_phantoms(session: Session, since: Mapping[str, datetime], known: Collection[str]) -> None:
    """A transaction about these claimed rows may have been committed without an answer: calls that it began (since this
    time of each row), and of which the worker knows nothing, were never made. An older one without an end is that of a
    worker which died in it: nobody knows whether it arrived."""
    begun = select(_A.c.id, _A.c.outbox_id, _A.c.started_at).where(_A.c.outbox_id.in_(since), _A.c.outcome == "")
    found = session.execute(begun.where(_A.c.ended_at.is_(None)))
    attempts = [row.id for row in found if row.id not in known and row.started_at >= since[row.outbox_id]]
    outbox.end_attempts(session, [(attempt, "late", "", "") for attempt in attempts])
    give_back(session, attempts)


def begun_at(session: Session, attempts: Collection[str]) -> dict[str, datetime]:
    """When the calls of these attempts were about to begin, by the rows that they are for."""
    rows = session.execute(select(_A.c.outbox_id, _A.c.started_at).where(_A.c.id.in_(attempts)))
    return {row.outbox_id: row.started_at for row in rows}


def sweep(session: Session, limit: int = 500) -> int:
    """Claims whose worker died: the call may have been made, so replies are resent once (marked), reminders too, and
    emergencies until one is certain; campaigns stay uncertain (platforms.md). What is held until a time may go when
    that has come. At most `limit` rows of each; the greater number."""
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
    cards = only_cards(session, lost) if lost else set()
    lost -= cards
    # With the time at which it was put back: whoever has seen it before the call knows that it is not as it was.
    left: dict[str, Any] = {"claimed_by": None, "deadline": None, "why": outbox.SWEPT}
    left |= outbox.not_before(session, machine)
    if keyed:  # the platform sends once under a row's key: nothing is in doubt, and nothing is marked
        session.execute(update(_T).where(_T.c.id.in_(keyed)).values(**left | {"state": "waiting"}))
    if cards:  # the words went nowhere: they wait for their person, as behind a card that has arrived
        held = left | {"not_before": None, "state": "held"}
        session.execute(update(_T).where(_T.c.id.in_(cards)).values(**held))
    if again:
        values = left | {"state": "waiting", "resends": _T.c.resends + 1}
        session.execute(update(_T).where(_T.c.id.in_(again)).values(**values))
    if lost:
        values = left | {"state": "uncertain", "ended_at": now_of(session), "params_sealed": None}
        doubted = unsure.between_people(session, list(lost))
        session.execute(update(_T).where(_T.c.id.in_(lost)).values(**values))
        unsure.offer(session, doubted)
    return max(len(dead), _later(session, machine, limit))


_HELD_LATER = text(outbox.HELD_LATER)  # as the partial index has it


def _later(session: Session, machine: datetime, limit: int) -> int:
    """What is held until a time may go now, or is found to be in the same way still."""
    now = or_(_T.c.not_before <= machine, _T.c.put_back_at > machine + SET_BACK)
    return _let_go(session, select(_T.c.id).where(_HELD_LATER, now), limit)


def served(session: Session, limit: int = 2_000) -> int:
    """Somebody sends for an account again: what was held because nobody did is looked at, at most `limit` rows; what is
    left, and what could not be locked, comes back by itself. Returns how many rows."""
    return _let_go(session, select(_T.c.id).where(_HELD_LATER, _T.c.why == outbox.UNSERVED), limit)


def _let_go(session: Session, held: Any, limit: int) -> int:
    ids = session.scalars(held.limit(limit).with_for_update(skip_locked=True)).all()
    if ids:
        session.execute(update(_T).where(_T.c.id.in_(ids)).values(state="waiting", not_before=None, why=""))
    return len(ids)
