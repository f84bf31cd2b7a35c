"""Changing the field-encryption keys while the service runs.

A new key stands first in NUANYANG_KEYS and every copy has been restarted with it; then `rotate` adds digests under
the new key, seals every column anew, and `uses` says which old keys nothing needs any more. It may be killed at any
moment and run again: what is left to do is told from the rows themselves. Reading and sealing happen outside the
write transactions, which compare before they write, so that a turn's own change is never overwritten.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import LargeBinary, and_, bindparam, delete, exists, func, insert, select, tuple_, update
from sqlmodel import Session

from models.database import Database
from models.sealed import INDEXED, SEALED
from models.tables import METADATA
from models.vault import VaultError

SLICE_ROWS = 200
SLICE_SECONDS = 0.1  # of one write transaction, so that with its commit it stays far under 250 ms
_STEP = 20
_PASSES = 3

_B: Any = METADATA.tables["blind_index"]
_N: Any = _B.alias("newer")
_CODES: Any = METADATA.tables["one_time_code"]

Told = Callable[[int, int], None]


class RotationError(Exception):
    """`reason`: "rotate_first" = values still depend on an older key; "old_copies" = copies of the service keep
    sealing with an older key and must be restarted."""

    def __init__(self, reason: Literal["rotate_first", "old_copies"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What depends on one key. `codes` are one-time codes still open, findable only with it until `codes_until`.

    `known` is False for a key that is not in NUANYANG_KEYS: what it sealed cannot be read.
    """

    key_id: str
    known: bool
    newest: bool
    sealed: int = 0
    missing: int = 0
    digests: int = 0
    codes: int = 0
    codes_until: datetime | None = None

    @property
    def needed(self) -> bool:
        """Whether taking the key out of the ring would lose anything."""
        return self.newest or bool(self.sealed or self.missing or self.codes)


@dataclass
class Rotated:
    """What one run did. `unreadable` counts by place values that no key of the ring opens; `unmatched` are indexed
    values whose digest fits no stored value (they were left as they are)."""

    resealed: int = 0
    indexed: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    unmatched: int = 0


class _Group(NamedTuple):
    """The digests of one value: one row per key."""

    row_id: str
    kind: str
    scope: str


def uses(database: Database) -> list[KeyUse]:
    """Every key of the ring and every key that anything was sealed with, newest first. Reads all sealed columns."""
    vault = database.vault
    sealed: Counter[str] = Counter()
    with database.read() as session:
        for table, _key, column in SEALED:
            value = METADATA.tables[table].c[column]
            key_id = func.substr(value, 2, 4, type_=LargeBinary)
            for found, count in session.execute(
                select(key_id, func.count()).where(value.is_not(None)).group_by(key_id)
            ):
                sealed[bytes(found).hex()] += count
        digests = _counts(session, select(_B.c.key_id, func.count()).group_by(_B.c.key_id))
        missing = _count_missing(session, vault.newest)
        codes = _open_codes(session, vault.newest, database.clock.shared())
    every = [*vault.key_ids, *sorted((sealed.keys() | digests.keys()) - set(vault.key_ids))]
    return [
        KeyUse(
            key_id,
            known=key_id in vault.key_ids,
            newest=key_id == vault.newest,
            sealed=sealed[key_id],
            missing=missing.get(key_id, 0),
            digests=digests.get(key_id, 0),
            codes=codes.get(key_id, (0, None))[0],
            codes_until=codes.get(key_id, (0, None))[1],
        )
        for key_id in every
        if key_id in vault.key_ids or sealed[key_id] or digests.get(key_id)
    ]


def unknown_keys(database: Database) -> set[str]:
    """Ids of keys that sealed something here and are not in the ring, from one row of each column: quick, for the
    start. A ring that is wholly wrong is found; `uses` finds everything."""
    found: set[str] = set()
    with database.read() as session:
        for table, _key, column in SEALED:
            value = METADATA.tables[table].c[column]
            first = session.execute(select(value).where(value.is_not(None)).limit(1)).scalar()
            if first is not None:
                found.add(bytes(first)[1:5].hex())
    return found - set(database.vault.key_ids)


def rotate(database: Database, told: Told = lambda done, total: None) -> Rotated:
    """Bring every sealed value and every digest under the newest key. `told` hears (done, total) after each slice.

    Raises RotationError when copies of the service keep sealing with an older key, DatabaseAway as usual.
    """
    return _Rotation(database, told).run()


def drop(database: Database) -> tuple[int, int]:
    """Take away digests under older keys; returns how many went and how many stay for codes that are still open.

    Raises RotationError while something is findable or readable only with an older key.
    """
    newest = database.vault.newest
    if any(use.sealed or use.missing for use in uses(database) if not use.newest):
        raise RotationError("rotate_first")
    now = database.clock.shared()
    open_code = exists().where(
        _CODES.c.id == _B.c.row_id, _CODES.c.used_at.is_(None), _CODES.c.expires_at > now
    ) & ~_twin(newest)
    old = _B.c.key_id != newest
    dropped = 0
    while True:
        with database.write() as session:
            ids = session.execute(select(_B.c.id).where(old, ~open_code).limit(SLICE_ROWS)).scalars().all()
            session.execute(delete(_B).where(_B.c.id.in_(ids)))
        dropped += len(ids)
        if len(ids) < SLICE_ROWS:
            break
    with database.read() as session:
        kept = session.execute(select(func.count()).select_from(_B).where(old)).scalar_one()
    return dropped, kept


class _Rotation:
    def __init__(self, database: Database, told: Told) -> None:
        self._database = database
        self._vault = database.vault
        self._told = told
        self._newest = bytes.fromhex(self._vault.newest)
        self._done = self._total = 0
        self._report = Rotated()

    def run(self) -> Rotated:
        self._total = sum(use.sealed + use.missing for use in uses(self._database) if not use.newest)
        self._told(0, self._total)
        self._index_missing()
        for _ in range(_PASSES):
            self._report.unreadable.clear()
            before = self._report.resealed
            for table, key, column in SEALED:
                self._reseal(table, key, column)
            if self._report.resealed == before:
                self._verify()
                return self._report
        raise RotationError("old_copies")

    # Sealed columns

    def _reseal(self, table: str, key: str, column: str) -> None:
        place = f"{table}.{column}"
        for rows in self._stale(table, key, column):
            changes = []
            for row, sealed in rows:
                try:
                    plain = self._vault.open(place, row, sealed)
                except VaultError:
                    self._report.unreadable[place] += 1
                    continue
                changes.append({"row": row, "was": sealed, "now": self._vault.seal(place, row, plain)})
            self._write(table, key, column, changes)

    def _stale(self, table: str, key: str, column: str) -> Iterator[Sequence[tuple[str, bytes]]]:
        """Slices of rows that another key sealed, in the order of their keys."""
        row, value = METADATA.tables[table].c[key], METADATA.tables[table].c[column]
        stale = func.substr(value, 2, 4, type_=LargeBinary) != self._newest
        last = ""
        while True:
            with self._database.read() as session:
                query = select(row, value).where(value.is_not(None), stale, row > last).order_by(row).limit(SLICE_ROWS)
                found = [(str(key_of), bytes(sealed)) for key_of, sealed in session.execute(query)]
            if not found:
                return
            last = found[-1][0]
            yield found

    def _write(self, table: str, key: str, column: str, changes: list[dict[str, Any]]) -> None:
        columns = METADATA.tables[table].c
        statement = (
            update(METADATA.tables[table])
            .where(columns[key] == bindparam("row"), columns[column] == bindparam("was"))
            .values({column: bindparam("now")})
        )
        todo = changes
        while todo:
            with self._database.write() as session:
                began = time.monotonic()
                while todo and time.monotonic() - began < SLICE_SECONDS:
                    session.connection().execute(statement, todo[:_STEP])
                    todo = todo[_STEP:]
        self._report.resealed += len(changes)
        self._progress(len(changes))

    # Digests

    def _index_missing(self) -> None:
        for groups in _groups(self._database, lambda: ~_twin(self._vault.newest)):
            self._mend(groups)
            self._progress(len(groups))

    def _verify(self) -> None:
        """A turn that changed a value in the same instant may have left an earlier value's digest: take it out."""
        for groups in _groups(self._database, lambda: _B.c.key_id == self._vault.newest):
            with self._database.read() as session:
                wrong = [group for group, _ids, _missing in self._judge(session, groups, lock=False)]
            self._mend(wrong)

    def _mend(self, groups: Sequence[_Group]) -> None:
        todo = list(groups)
        while todo:
            with self._database.write() as session:
                began = time.monotonic()
                while todo and time.monotonic() - began < SLICE_SECONDS:
                    self._mend_now(session, todo[:_STEP])
                    todo = todo[_STEP:]

    def _mend_now(self, session: Session, groups: Sequence[_Group]) -> None:
        for group, wrong, missing in self._judge(session, groups, lock=True):
            if wrong:
                session.execute(delete(_B).where(_B.c.id.in_(wrong)))
            if missing is not None:
                row = {"kind": group.kind, "scope": group.scope, "row_id": group.row_id}
                session.execute(insert(_B).values(**row, key_id=self._vault.newest, digest=missing))
                self._report.indexed += 1

    def _judge(
        self, session: Session, groups: Sequence[_Group], *, lock: bool
    ) -> list[tuple[_Group, list[int], bytes | None]]:
        """Which groups need mending: ids of wrong digests under the newest key, and the right one if it is lacking."""
        if not groups:
            return []
        query = select(_B).where(_B.c.row_id.in_({group.row_id for group in groups}))
        standing: dict[_Group, list[Any]] = defaultdict(list)
        for digest in session.execute(query.with_for_update() if lock else query):
            standing[_Group(digest.row_id, digest.kind, digest.scope)].append(digest)
        values = self._values(session, groups)
        found = []
        for group in groups:
            rows = standing.get(group, [])
            if not rows:
                continue  # withdrawn meanwhile
            value = values.get((group.row_id, group.kind))
            right = self._vault.digests(group.kind, value) if value is not None else {}
            if not any(right.get(row.key_id) == bytes(row.digest) for row in rows):
                self._report.unmatched += lock
                continue
            mine = [row for row in rows if row.key_id == self._vault.newest]
            wrong = [row.id for row in mine if bytes(row.digest) != right[self._vault.newest]]
            missing = right[self._vault.newest] if len(wrong) == len(mine) else None
            if wrong or missing is not None:
                found.append((group, wrong, missing))
        return found

    def _values(self, session: Session, groups: Iterable[_Group]) -> dict[tuple[str, str], str]:
        """The stored values of these rows, by row and kind; what cannot be opened is left out."""
        wanted = {group.row_id for group in groups}
        found: dict[tuple[str, str], str] = {}
        for kind, table, key, column in INDEXED:
            row, value = METADATA.tables[table].c[key], METADATA.tables[table].c[column]
            for row_id, sealed in session.execute(select(row, value).where(row.in_(wanted), value.is_not(None))):
                try:
                    found[row_id, kind] = self._vault.open(f"{table}.{column}", row_id, bytes(sealed))
                except VaultError:
                    continue  # counted where the column is sealed anew
        return found

    def _progress(self, count: int) -> None:
        self._done += count
        self._total = max(self._total, self._done)
        self._told(self._done, self._total)


def _kinds() -> set[str]:
    return {kind for kind, _table, _key, _column in INDEXED}


def _twin(newest: str) -> Any:
    """The same value of the same row stands under the newest key too."""
    return exists().where(
        and_(_N.c.kind == _B.c.kind, _N.c.scope == _B.c.scope, _N.c.row_id == _B.c.row_id, _N.c.key_id == newest)
    )


def _groups(database: Database, which: Callable[[], Any]) -> Iterator[list[_Group]]:
    """Slices of indexed values, in order."""
    last = _Group("", "", "")
    names = (_B.c.row_id, _B.c.kind, _B.c.scope)
    while True:
        with database.read() as session:
            query = select(*names).where(_B.c.kind.in_(_kinds()), which(), tuple_(*names) > tuple(last))
            rows = session.execute(query.distinct().order_by(*names).limit(SLICE_ROWS)).all()
        if not rows:
            return
        groups = [_Group(*row) for row in rows]
        last = groups[-1]
        yield groups


def _count_missing(session: Session, newest: str) -> dict[str, int]:
    query = select(_B.c.key_id, func.count()).where(_B.c.kind.in_(_kinds()), ~_twin(newest)).group_by(_B.c.key_id)
    return _counts(session, query)


def _counts(session: Session, query: Any) -> dict[str, int]:
    return {str(key_id): int(count) for key_id, count in session.execute(query)}


def _open_codes(session: Session, newest: str, now: datetime) -> dict[str, tuple[int, datetime]]:
    """One-time codes that nobody kept in the clear: their digests cannot be made anew, only waited out."""
    query = (
        select(_B.c.key_id, func.count(), func.max(_CODES.c.expires_at, type_=_CODES.c.expires_at.type))
        .join(_CODES, _CODES.c.id == _B.c.row_id)
        .where(_B.c.kind.not_in(_kinds()), ~_twin(newest))
        .where(_CODES.c.used_at.is_(None), _CODES.c.expires_at > now)
        .group_by(_B.c.key_id)
    )
    return {key_id: (count, until) for key_id, count, until in session.execute(query)}
