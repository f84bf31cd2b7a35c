"""待结对: who of the ledger has nobody yet, and how far each has come. Read in sets: a county may have thousands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, exists, false, func, or_, select
from sqlmodel import Session, SQLModel

from models.beneficiary import LISTED
from models.family import PAIRING
from models.ledger_questions import scopes
from models.offer import HOLDING
from models.pairing import AGREEING, LEAD, OPEN
from models.relay import STANDING

# What needs a specialist first, first.
STATES = ("relay", "agreeing", "nobody", "asked", "consent")
MOST = 500  # people of one list

_B: Any = SQLModel.metadata.tables["beneficiary"]
_S: Any = SQLModel.metadata.tables["stint"]
_O: Any = SQLModel.metadata.tables["offer"]
_R: Any = SQLModel.metadata.tables["relay"]
_F: Any = SQLModel.metadata.tables["family_consent"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody without a pairing, or whose pairing is to be handed over. `state`: "relay" — a successor is sought;
    "agreeing" — a yes was given; "nobody" — nobody is being asked; "asked"; "consent" — the family has not agreed."""

    beneficiary_id: str
    county: str
    state: str


def _lead(state: str) -> Any:
    return and_(_S.c.beneficiary_id == _B.c.id, _S.c.part == LEAD, _S.c.state == state)


def _state() -> Any:
    agreeing = exists().where(_lead(AGREEING))
    seeking = exists().where(_lead(OPEN), _R.c.stint_id == _S.c.id, _R.c.state.in_(STANDING))
    asked = exists().where(_O.c.beneficiary_id == _B.c.id, _O.c.state.in_(HOLDING))
    agreed = exists().where(_F.c.beneficiary_id == _B.c.id, _F.c.kind == PAIRING, _F.c.withdrawn_at.is_(None))
    return case((agreeing, "agreeing"), (asked, "asked"), (seeking, "relay"), (agreed, "nobody"), else_="consent")


def _unpaired(session: Session, viewer: str, places: Sequence[str] | None = None) -> Any:
    """Of the viewer's people (of these counties alone), those without an open pairing that goes on."""
    standing = exists().where(_R.c.stint_id == _S.c.id, _R.c.state.in_(STANDING))
    settled = exists().where(_lead(OPEN), ~standing)
    places = scopes(session, viewer) if places is None else places
    within = or_(false(), *(_B.c.county.startswith(scope, autoescape=True) for scope in places))
    return and_(_B.c.status == LISTED, _B.c.merged_into.is_(None), within, ~settled)


def counts(session: Session, viewer: str, places: Sequence[str] | None = None) -> dict[str, int]:
    """How many are in each state; of `places`, beginnings of county codes, alone where they are given, which the caller
    knows to be the viewer's."""
    found = select(_state().label("state")).where(_unpaired(session, viewer, places)).subquery()
    rows = session.execute(select(found.c.state, func.count().label("people")).group_by(found.c.state))
    return {row.state: row.people for row in rows}


def people(session: Session, viewer: str, state: str = "", limit: int = MOST) -> list[Waiting]:
    """Those in a state, or all, by what needs somebody first, then by who has waited longest."""
    inner = select(_B.c.id, _B.c.county, _B.c.town, _B.c.status_since, _state().label("state")).where(
        _unpaired(session, viewer)
    )
    found = inner.subquery()
    order = case({name: place for place, name in enumerate(STATES)}, value=found.c.state)
    query = select(found.c.id, found.c.county, found.c.state).order_by(
        order, found.c.status_since, found.c.county, found.c.town, found.c.id
    )
    if state:
        query = query.where(found.c.state == state)
    return [Waiting(row.id, row.county, row.state) for row in session.execute(query.limit(limit))]


def one(session: Session, viewer: str, beneficiary_id: str) -> Waiting | None:
    """One of them, if they are among the viewer's and unpaired still."""
    query = select(_B.c.id, _B.c.county, _state().label("state"))
    row = session.execute(query.where(_unpaired(session, viewer), _B.c.id == beneficiary_id)).first()
    return Waiting(row.id, row.county, row.state) if row is not None else None
