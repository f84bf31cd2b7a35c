"""People of one county's ledger with the same name and birth date under different numbers: a number may be mistyped, or
have changed. Whoever answers for the county is asked, once for each two of them; nothing is merged by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, func, select
from sqlmodel import Session, SQLModel

from models.beneficiary import LISTED, name_in
from models.beneficiary_merging import ASKED, DECLINED, BeneficiaryMerge
from models.database import Database, insert_once, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import ALIKE, CHANGED, NEW, LedgerBatch, LedgerQuestion

SLICE = 400  # questions in one transaction

_B: Any = SQLModel.metadata.tables["beneficiary"]
_R: Any = SQLModel.metadata.tables["ledger_batch_row"]
_Q: Any = SQLModel.metadata.tables["ledger_question"]
_M: Any = SQLModel.metadata.tables[str(BeneficiaryMerge.__tablename__)]

Pair = tuple[str, str]


def ask_alike(database: Database, batch: LedgerBatch) -> int:
    """Ask about those in the counties that this import changed, but for two of whom somebody has said that they are
    others; returns about how many. Run again it asks nothing twice."""
    with database.read() as session:
        touched = (
            select(_B.c.county)
            .join(_R, _R.c.beneficiary_id == _B.c.id)
            .where(_R.c.batch_id == batch.id, _R.c.kind.in_((NEW, CHANGED)))
        )
        found = [pair for county in session.execute(touched.distinct()).scalars() for pair in _alike(session, county)]
        settled = _settled(session, found)
        open_pairs = [pair for pair in found if pair not in settled]
    for part in _parts(open_pairs):
        with database.write() as session:
            for newer, older in part:
                own = {"id": new_id(), "beneficiary_id": newer, "other_id": older, "batch_id": batch.id}
                row = own | {"reason": ALIKE, "asked_at": now_of(session), "answered_by": ""}
                session.execute(insert_once(session, LedgerQuestion).values(**row))
    return len(open_pairs)


def _parts(pairs: list[Pair]) -> Iterator[list[Pair]]:
    for start in range(0, len(pairs), SLICE):
        yield pairs[start : start + SLICE]


def _alike(session: Session, county: str) -> Iterator[Pair]:
    """(the one that came later, an earlier one), walking through those who share a birth date: of three the last may be
    the second, where it is not the first."""
    here = and_(_B.c.county == county, _B.c.merged_into.is_(None), _B.c.status == LISTED)
    shared = select(_B.c.birth_date).where(here).group_by(_B.c.birth_date).having(func.count() > 1)
    query = select(_B.c.id, _B.c.birth_date, _B.c.record_sealed).where(here, _B.c.birth_date.in_(shared))
    day, names = None, dict[str, list[str]]()
    for row in session.execute(query.order_by(_B.c.birth_date, _B.c.listed_at, _B.c.id)):
        if row.birth_date != day:
            day, names = row.birth_date, {}
        earlier = names.setdefault(name_in(vault_of(session), row), [])
        yield from ((row.id, one) for one in earlier)
        earlier.append(row.id)


def _settled(session: Session, pairs: list[Pair]) -> set[Pair]:
    """Those of them about whom it is asked, or was said; both ways round."""
    ids = sorted({newer for newer, _older in pairs})
    found: set[Pair] = set()
    for start in range(0, len(ids), SLICE):
        some = ids[start : start + SLICE]
        said = and_(_Q.c.reason == ALIKE, (_Q.c.closed_at.is_(None)) | _Q.c.answer.is_not(None))
        for query in (
            select(_Q.c.beneficiary_id, _Q.c.other_id).where(said, _Q.c.beneficiary_id.in_(some)),
            select(_Q.c.other_id, _Q.c.beneficiary_id).where(said, _Q.c.other_id.in_(some)),
            # Somebody looked at a doubtful row and took it: then they are two.
            select(_R.c.beneficiary_id, _R.c.other_id).where(_R.c.decided, _R.c.beneficiary_id.in_(some)),
            select(_M.c.kept_id, _M.c.gone_id).where(_M.c.state.in_((ASKED, DECLINED)), _M.c.kept_id.in_(some)),
            select(_M.c.gone_id, _M.c.kept_id).where(_M.c.state.in_((ASKED, DECLINED)), _M.c.gone_id.in_(some)),
        ):
            found |= {(one, other) for one, other in session.execute(query)}
    return found
