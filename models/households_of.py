"""What models/households.py joins to every person of the ledger: the stints, relay, keeper, consent and invitations
that stand, and the state that follows from them. At most one of each stands, which partial unique indexes see to;
several invitations of a round become one row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from sqlalchemy import and_, case, exists, func, literal, literal_column, or_, select
from sqlmodel import SQLModel

from models.family import PAIRING
from models.offer import HOLDING
from models.pairing import AGREEING, LEAD, OPEN, SUBSTITUTE
from models.relay import STANDING as RELAYS


def _said(word: str) -> Any:
    """A word as it stands in the statement: partial indexes serve only what is written out."""
    return literal_column(f"'{word}'")


FAR: Final = date(9999, 12, 31)  # nothing is due

_T = SQLModel.metadata.tables
_B: Any = _T["beneficiary"]
_LEAD: Any = _T["stint"].alias("lead")
_AGREEING: Any = _T["stint"].alias("agreeing")
_IN_PLACE: Any = _T["stint"].alias("in_place")
_R: Any = _T["relay"]
_K: Any = _T["keeping"]
_F: Any = _T["family_consent"]

_O: Any = _T["visit"].alias("owed")
# Until when the next visit is owed, of those who are paired or kept.
_VISIT: Any = (
    select(func.min(_O.c.due_on)).where(_O.c.beneficiary_id == _B.c.id, _O.c.state == _said("owed")).scalar_subquery()
)

_ASKED: Any = _T["offer"].alias("asked")
_LATER: Any = _T["offer"].alias("later")

# Whoever stands in for the holder of the open lead.
_SUBSTITUTE: Any = (
    select(_IN_PLACE.c.person_id)
    .where(
        _IN_PLACE.c.follows_id == _LEAD.c.id, _IN_PLACE.c.part == _said(SUBSTITUTE), _IN_PLACE.c.state == _said(OPEN)
    )
    .order_by(_IN_PLACE.c.id)
    .limit(1)
    .scalar_subquery()
)


def joined() -> Any:
    """Everybody of the ledgers with what stands about them."""

    def lead(stint: Any, state: str) -> Any:
        return and_(stint.c.beneficiary_id == _B.c.id, stint.c.part == _said(LEAD), stint.c.state == _said(state))

    agreed = and_(_F.c.beneficiary_id == _B.c.id, _F.c.kind == _said(PAIRING), _F.c.withdrawn_at.is_(None))
    return (
        _B.outerjoin(_LEAD, lead(_LEAD, OPEN))
        .outerjoin(_AGREEING, lead(_AGREEING, AGREEING))
        .outerjoin(_R, and_(_R.c.stint_id == _LEAD.c.id, _R.c.state.in_(list(map(_said, RELAYS)))))
        .outerjoin(_K, and_(_K.c.beneficiary_id == _B.c.id, _K.c.until.is_(None)))
        .outerjoin(_F, agreed)
        .outerjoin(_ASKED, and_(_holds(_ASKED), ~exists().where(_holds(_LATER), _holds_longer)))
    )


def _holds(offer: Any) -> Any:
    return and_(offer.c.beneficiary_id == _B.c.id, offer.c.state.in_(list(map(_said, HOLDING))))


# Of the invitations of a round the one that waits longest speaks for all.
_holds_longer: Any = or_(
    _LATER.c.holds_until > _ASKED.c.holds_until,
    and_(_LATER.c.holds_until == _ASKED.c.holds_until, _LATER.c.id > _ASKED.c.id),
)


def columns(day_of: Callable[[Any], Any], earliest: Callable[..., Any]) -> list[Any]:
    """What a row says. `day_of` makes a day of a time, `earliest` takes the least of several days: databases differ."""
    state, rank, since = _by_state()
    meeting = case((_AGREEING.c.met_at.is_(None), day_of(_AGREEING.c.meets_at)))
    days = (_LEAD.c.ends_on, _R.c.last_day, _R.c.hands_over_on, meeting, _VISIT)
    return [
        *(_B.c[name] for name in ("id", "county", "town", "birth_date")),
        state.label("state"),
        rank.label("rank"),
        since.label("since"),
        earliest(*(func.coalesce(day, literal(FAR)) for day in days), type_=_LEAD.c.ends_on.type).label("due"),
        _LEAD.c.id.label("lead"),
        _LEAD.c.person_id.label("lead_person"),
        _LEAD.c.team_id.label("lead_team"),
        _VISIT.label("visit_due"),
        _LEAD.c.activities,
        _LEAD.c.ends_on,
        _SUBSTITUTE.label("substitute"),
        _AGREEING.c.id.label("agreeing"),
        _AGREEING.c.person_id.label("agreeing_person"),
        case((_AGREEING.c.met_at.is_(None), _AGREEING.c.meets_at)).label("meets_at"),
        _R.c.id.label("relay"),
        _R.c.last_day,
        _R.c.hands_over_on,
        _R.c.successor_id.label("successor"),
        _K.c.person_id.label("keeper"),
        _ASKED.c.holds_until.label("asked_until"),
    ]


def _by_state() -> tuple[Any, Any, Any]:
    """The state, its place in the order of who needs somebody first, and since when it is so."""
    # One that somebody has agreed to lead without a lead standing is being agreed; in a relay it is the successor.
    rules = (
        (_R.c.id.is_not(None), "relay", 1, _R.c.begun_at),
        (_LEAD.c.id.is_not(None), "paired", 5, _LEAD.c.opened_at),
        (_AGREEING.c.id.is_not(None), "agreeing", 4, _AGREEING.c.made_at),
        (_ASKED.c.id.is_not(None), "asked", 3, _ASKED.c.made_at),
        (_F.c.id.is_not(None), "nobody", 0, func.coalesce(_K.c.since, _F.c.given_at)),
    )
    state = case(*((when, name) for when, name, _rank, _since in rules), else_="consent")
    rank = case(*((when, at) for when, _name, at, _since in rules), else_=2)
    since = case(*((when, at) for when, _name, _rank, at in rules), else_=_B.c.listed_at)
    return state, rank, since
