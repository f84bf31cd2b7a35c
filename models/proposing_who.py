"""Who waits for somebody to be paired with (programme §5): listed, the family agreed, nobody yet, nobody asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, func, literal_column, select
from sqlmodel import Session, SQLModel

from models.beneficiary import LISTED
from models.family import PAIRING
from models.many import Many
from models.offer import HOLDING
from models.pairing import AGREEING, LEAD, OPEN

_T = SQLModel.metadata.tables
_B, _F, _S, _O = (_T[name].c for name in ("beneficiary", "family_consent", "stint", "offer"))


def is_listed() -> Any:
    """Somebody who stands in a ledger today."""
    return and_(_B.status == LISTED, _B.merged_into.is_(None))


def is_waiting() -> Any:
    """Somebody for whom a volunteer or team is sought."""
    agreed = _one_of("family_consent", _F.beneficiary_id == _B.id, _F.kind == PAIRING, _F.withdrawn_at.is_(None))
    served = _one_of("stint", _S.beneficiary_id == _B.id, _S.part == LEAD, _S.state.in_((OPEN, AGREEING)))
    asked = _one_of("offer", _O.beneficiary_id == _B.id, _O.state.in_(HOLDING))
    return and_(is_listed(), agreed, ~served, ~asked)


def _one_of(table: str, *where: Any) -> Any:
    """Whether there is such a row. OFFSET keeps PostgreSQL from making a join of it: without statistics that took nine
    seconds for 10,000 people; looked up one by one they take a tenth of a second."""
    looked: Any = select(literal_column("1")).select_from(_T[table]).where(*where).limit(1).offset(0)
    return looked.correlate(_T["beneficiary"]).exists()


def is_one() -> Any:
    """The listed person of one id, parameter `one`."""
    return and_(is_listed(), _B.id == bindparam("one"))


_COUNTIES = (
    select(_B.county, func.count())
    .where(is_waiting(), _B.county.between(bindparam("low"), bindparam("high")))
    .group_by(_B.county)
    .order_by(_B.county)
)
_STILL = Many(
    lambda among, _d: (
        select(_B.id).where(is_waiting(), among(_B.id)).order_by(_B.id).with_for_update(of=_T["beneficiary"])
    )
)


def waiting_by_county(session: Session, region: str) -> dict[str, int]:
    """How many wait in each county of a region."""
    given = {"low": region.ljust(6, "0"), "high": region.ljust(6, "9")}
    return {row[0]: row[1] for row in session.connection().execute(_COUNTIES, given)}


def still_waiting(session: Session, ids: list[str]) -> set[str]:
    """Those of them who wait now; on PostgreSQL they are kept from others until the transaction ends."""
    return {row[0] for row in _STILL.run(session, ids)}
