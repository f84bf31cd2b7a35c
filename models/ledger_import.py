"""Taking a ledger that was checked, slice by slice, each in a transaction of its own. It tells how far it is, and goes
on where it was when it is called again after a crash.

A row is compared with the ledger twice: when it is checked, for what is shown, and when it is taken, for what is done.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col

from models import audit, beneficiary, ledger_alike, ledger_questions
from models.beneficiary import LISTED, MACHINE, from_json, to_json
from models.database import Database, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import (
    BUSY,
    CHANGED,
    CHECKED,
    CHECKING,
    DOUBTFUL,
    KINDS,
    LEDGER,
    NEW,
    REFUSED,
    TAKEN,
    TAKING,
    UNDOING,
    LedgerBatch,
)
from models.ledger_cells import Record
from models.ledger_check import SLICE, Standing, Told, nobody_hears, stand
from models.outbox import enqueue

# More than so many missing, and more than this part of the ledger: the file may be a part of it only.
MANY_GONE, GONE_SHARE = 20, 0.2

_B: Any = SQLModel.metadata.tables["beneficiary"]
_L: Any = SQLModel.metadata.tables["ledger_batch"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_I: Any = SQLModel.metadata.tables["blind_index"]


class BatchError(Exception):
    """`reason`: "unknown" — no such batch; "state" — it is not in the state for this; "busy" — another one is under
    way; "many_gone" — so many are missing from the file that it may be a part of the ledger; "old" — its rows were
    forgotten; "overtaken" — another file of these people was taken since it was checked; "unfinished" — its check did
    not come to an end; "not_doubtful" — a row that is named is none of the doubtful ones; "too_late" — it was taken
    already, without them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def take(
    database: Database,
    batch_id: str,
    *,
    by: str,
    doubtful: Collection[int] = (),
    many_gone: bool = False,
    told: Told = nobody_hears,
) -> LedgerBatch:
    """Bring what was checked into the ledger: new and changed rows, and of the doubtful ones those of these row
    numbers. Whoever is missing from the file stays, and is asked about. Raises BatchError."""
    total, done, last = _begin(database, batch_id, by, doubtful=doubtful, many_gone=many_gone), 0, 0
    while True:
        with database.write() as session:
            batch = locked(session, batch_id)
            if batch.state == TAKEN:
                return batch
            numbers = _take_slice(session, batch, last)
        if not numbers:
            break
        done, last = done + len(numbers), numbers[-1]
        told(min(done, total), total)
    while True:
        with database.write() as session:
            batch = locked(session, batch_id)
            if batch.part or batch.state == TAKEN or not ledger_questions.ask_absent(session, batch):
                break
    if batch.state != TAKEN:
        ledger_alike.ask_alike(database, batch)
    with database.write() as session:
        batch = locked(session, batch_id)
        if batch.state != TAKEN:
            _end(session, batch)
    return batch


def _gone_now(session: Session, batch_id: str) -> int:
    """How many are missing from the file by now: another one may have been taken since it was checked."""
    batch = session.get(LedgerBatch, batch_id)
    asked = batch is not None and batch.sheet == LEDGER and not batch.part and batch.state == CHECKED
    return ledger_questions.count(session, batch) if batch is not None and asked else 0


def is_overtaken(session: Session, batch: LedgerBatch) -> bool:
    """Whether another file of the same people was taken after this one was checked: then this one is the older one."""
    later = select(_L.c.region).where(_L.c.taken_at > batch.made_at, _L.c.id != batch.id, _L.c.state == TAKEN)
    later = later.where(_L.c.sheet == LEDGER)
    regions = session.execute(later).scalars()
    return any(region.startswith(batch.region) or batch.region.startswith(region) for region in regions)


def _mark_decided(session: Session, batch: LedgerBatch, doubtful: Collection[int]) -> None:
    """Write down which doubtful rows are to be taken, so that it outlives a crash."""
    rows = and_(_R.c.batch_id == batch.id, _R.c.kind == DOUBTFUL, _R.c.number.in_(list(doubtful)))
    found = set(session.execute(select(_R.c.number).where(rows)).scalars())
    if found != set(doubtful):
        raise BatchError("not_doubtful")
    session.execute(update(_R).where(rows).values(decided=True))


def _begin(database: Database, batch_id: str, by: str, *, doubtful: Collection[int], many_gone: bool) -> int:
    with database.read() as session:
        gone = _gone_now(session, batch_id)
    with database.write() as session:
        return begin(session, batch_id, by, doubtful=doubtful, many_gone=many_gone, gone=gone)


def begin(
    session: Session,
    batch_id: str,
    by: str,
    *,
    doubtful: Collection[int] = (),
    many_gone: bool = False,
    gone: int | None = None,
) -> int:
    """From now on it is being taken: `take` goes on with it, wherever it is called. `gone` = how many are missing from
    the file by now; None = as many as when it was checked. Returns how many rows it has. Raises BatchError."""
    batch = locked(session, batch_id)
    if batch.forgotten_at is not None and batch.state != TAKEN:
        raise BatchError("old")
    if batch.state == CHECKED:
        if batch.sheet == LEDGER:
            _check_people(session, batch, many_gone=many_gone, gone=gone)
        _mark_decided(session, batch, doubtful)
        batch.taken_by = by
        occupy(session, batch, TAKING)
    elif batch.state == CHECKING:
        raise BatchError("unfinished")
    elif batch.state not in (TAKING, TAKEN):
        raise BatchError("state")
    elif doubtful:
        raise BatchError("too_late")
    return batch.total


def _check_people(session: Session, batch: LedgerBatch, *, many_gone: bool, gone: int | None) -> None:
    """What keeps a ledger from being taken because of those who are not in it. Raises BatchError."""
    if is_overtaken(session, batch):
        raise BatchError("overtaken")
    batch.counts = {**batch.counts, "gone": batch.counts.get("gone", 0) if gone is None else gone}
    if not many_gone and is_many_gone(session, batch):
        raise BatchError("many_gone")


def occupy(session: Session, batch: LedgerBatch, state: str) -> None:
    """The batch comes into a state in which it alone changes ledgers; other tables keep nobody waiting. Raises
    BatchError."""
    batch.state, batch.busy = state, BUSY if batch.sheet == LEDGER else batch.id
    try:
        with session.begin_nested():
            session.add(batch)
            session.flush()
    except IntegrityError:
        raise BatchError("busy") from None


def locked(session: Session, batch_id: str) -> LedgerBatch:
    """The batch, kept from others until the transaction ends. Raises BatchError."""
    query = select(LedgerBatch).where(col(LedgerBatch.id) == batch_id).with_for_update()
    batch: LedgerBatch | None = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if batch is None:
        raise BatchError("unknown")
    return batch


def takes_any(batch: LedgerBatch) -> bool:
    """Whether any row of it can be taken; of a file without one nothing is offered but to give it up."""
    return any(int(batch.counts.get(kind, 0)) for kind in KINDS if kind != REFUSED)


def is_many_gone(session: Session, batch: LedgerBatch) -> bool:
    """Whether so many are missing from the file that it may be a part of the ledger only."""
    gone = int(batch.counts.get("gone", 0))
    return gone > MANY_GONE and gone > GONE_SHARE * ledger_questions.listed(session, batch.region)


def _take_slice(session: Session, batch: LedgerBatch, last: int) -> list[int]:
    """Take the next rows after that of this number; returns the numbers of those that were looked at."""
    query = select(_R).where(_R.c.batch_id == batch.id, _R.c.number > last, ~_R.c.done)
    rows = session.execute(query.order_by(_R.c.number).limit(SLICE)).all()
    if not rows:
        return []
    vault = vault_of(session)
    records = {}
    for row in rows:
        kept = vault.open_json("ledger_batch_row.row_sealed", row.id, row.row_sealed)
        records[row.id] = from_json(kept["record"])
    standings = stand(session, batch, list(records.values()), locked=True)
    work = _Work(session, batch)
    for row in rows:
        standing = standings[records[row.id].id_number]
        if standing.kind == DOUBTFUL and row.decided:
            standing = _decided(standing)
        work.add(row, standing)
    work.write()
    return [row.number for row in rows]


def _decided(standing: Standing) -> Standing:
    kind, new = CHANGED if standing.row is not None else NEW, standing.new
    if standing.row is not None and new is not None:
        new = replace(new, status=LISTED)
    return replace(standing, kind=kind, new=new)


class _Work:
    """What one slice writes."""

    def __init__(self, session: Session, batch: LedgerBatch) -> None:
        self._session, self._batch, self._now = session, batch, now_of(session)
        self._people: list[dict[str, Any]] = []
        self._index: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        self._elsewhere: list[tuple[str, str]] = []

    def add(self, row: Any, standing: Standing) -> None:
        """A row of the batch as it stands to the ledger now."""
        about, before = standing.row.id if standing.row is not None else None, None
        if standing.kind == NEW and standing.new is not None:
            about = self._new(standing.new)
            if standing.other is not None and standing.why == "elsewhere":
                self._elsewhere.append((about, standing.other))
        elif standing.kind == CHANGED and standing.old is not None and standing.new is not None:
            before = vault_of(self._session).seal("ledger_batch_row.before_sealed", row.id, to_json(standing.old))
            ledger_questions.change(self._session, standing.row, standing.old, standing.new)
        done = {"kind": standing.kind, "why": standing.why, "beneficiary_id": about, "before_sealed": before}
        self._rows.append({"row": row.id} | {"n_" + name: value for name, value in done.items()})

    def _new(self, record: Record) -> str:
        key, vault = new_id(), vault_of(self._session)
        times = dict.fromkeys(("status_since", "listed_at", "changed_at"), self._now)
        own = {"id": key, "group_key": beneficiary.DISABLED, "batch_id": self._batch.id}
        self._people.append(own | times | beneficiary.as_columns(vault, key, record))
        self._index += beneficiary.indexed(vault, key, record)
        return key

    def write(self) -> None:
        """All of it."""
        if self._people:
            self._session.execute(insert(_B), self._people)
            self._session.execute(insert(_I), self._index)
        ledger_questions.ask_elsewhere(self._session, self._batch, self._elsewhere)
        ledger_questions.found_again(self._session, [row["n_beneficiary_id"] for row in self._rows])
        self._session.connection().execute(_DONE, self._rows)
        self._session.flush()


_DONE = (
    update(_R)
    .where(_R.c.id == bindparam("row"))
    .values(done=True, **{name: bindparam("n_" + name) for name in ("kind", "why", "beneficiary_id", "before_sealed")})
)


def _end(session: Session, batch: LedgerBatch) -> None:
    kinds = {row.kind: row.rows for row in session.execute(ledger_questions.kinds(batch.id))}
    gone = 0 if batch.part else ledger_questions.count(session, batch)
    batch.counts = kinds | {"gone": gone, "problems": batch.counts.get("problems", 0)}
    batch.state, batch.busy, batch.taken_at = TAKEN, None, now_of(session)
    session.add(batch)
    ledger_questions.tell(session, batch)
    tell_result(session, batch, batch.taken_by)
    audit.note(session, batch.taken_by, "ledger.taken", batch.id, region=batch.region, **batch.counts)


def act(batch: LedgerBatch, what: str) -> str:
    """How the audit trail calls what is done with a batch: “ledger.taken”, of other tables “import.taken”."""
    return f"{'ledger' if batch.sheet == LEDGER else 'import'}.{what}"


def tell_result(session: Session, batch: LedgerBatch, person: str) -> None:
    """Tell whoever asked for it by chat or page that it stands as its state says; the machine sees it itself."""
    if person not in ("", MACHINE):
        key = f"import:{batch.id}:{batch.state}"
        enqueue(session, person, "notice.import", {"batch": batch.id, "state": batch.state}, unique_key=key)


def under_way(session: Session) -> list[LedgerBatch]:
    """What was begun by chat or page and has not come to its end; what the machine began is gone on with there."""
    begun = or_(
        and_(_L.c.state == TAKING, _L.c.taken_by != MACHINE), and_(_L.c.state == UNDOING, _L.c.undone_by != MACHINE)
    )
    return list(session.execute(select(LedgerBatch).where(_L.c.busy.is_not(None), begun)).scalars())


def batches(session: Session, limit: int = 20) -> list[LedgerBatch]:
    """The newest imports, the last one first."""
    query = select(LedgerBatch).order_by(col(LedgerBatch.made_at).desc(), col(LedgerBatch.id).desc()).limit(limit)
    return list(session.execute(query).scalars())


def forget_unfinished(session: Session, batch_id: str) -> None:
    """Drop a batch that was not taken. Raises BatchError."""
    batch = locked(session, batch_id)
    if batch.state not in (CHECKING, CHECKED):
        raise BatchError("state")
    session.execute(_R.delete().where(_R.c.batch_id == batch.id))
    session.delete(batch)


def give_up(session: Session, batch_id: str, by: str) -> None:
    """Nobody can take it any more; what its rows said is forgotten by the next round of `forget_rows`. Raises
    BatchError."""
    batch = locked(session, batch_id)
    if batch.state != CHECKED:
        raise BatchError("state")
    if batch.forgotten_at is None:
        batch.forgotten_at = now_of(session)
        session.add(batch)
        audit.note(session, by, act(batch, "given_up"), batch.id, region=batch.region)


def forget_rows(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: what the rows of old imports said. Returns how many rows, at most `limit`; what was not taken by then
    cannot be taken any more, what was taken not taken back."""
    before = now_of(session) - older_than
    old = select(_L.c.id).where(
        _L.c.forgotten_at.is_(None), _L.c.busy.is_(None), func.coalesce(_L.c.taken_at, _L.c.made_at) < before
    )
    # First of all the batch: from now on nobody begins with it.
    due = session.execute(old.with_for_update(skip_locked=True)).scalars().all()
    session.execute(update(_L).where(_L.c.id.in_(due)).values(forgotten_at=now_of(session)))
    session.flush()
    forgotten = select(_L.c.id).where(_L.c.forgotten_at.is_not(None))
    rows = select(_R.c.id).where(_R.c.batch_id.in_(forgotten), _R.c.row_sealed.is_not(None)).limit(limit)
    ids = session.execute(rows).scalars().all()
    session.execute(update(_R).where(_R.c.id.in_(ids)).values(row_sealed=None, before_sealed=None))
    return len(ids)
