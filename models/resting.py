"""Reminders and campaigns that meet the quiet hours of their people, or a pause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, literal_column, or_, update
from sqlmodel import Session, SQLModel, col, select

from models import claiming
from models.claiming import Claimed
from models.clock import SET_BACK
from models.database import now_of
from models.outbox import PAST_REST, RESTS
from models.person import Person, is_paused, rests_until

LONGEST_NIGHT = timedelta(hours=25)  # quiet hours end within a day, also where clocks are put back for the winter
_O: Any = SQLModel.metadata.tables["outbox"]


def rest(session: Session, rows: Sequence[Claimed]) -> None:
    """Those of these rows whose people rest are due when they may be reminded again. What quiet hours would make too
    old is held, and so on the call list (architecture.md §9); what a pause makes too old is what its person wished.

    The people are locked before it is looked: a turn that ends a pause has them locked from its beginning to its end,
    and changes what rests by then. Where a turn has one, the row is looked at again later.
    """
    ids = {row.person_id for row in rows}
    if not ids:
        return
    query = select(Person).where(col(Person.id).in_(ids)).with_for_update(skip_locked=True, key_share=True)
    people = {person.id: person for person in session.exec(query.execution_options(populate_existing=True))}
    now = now_of(session)
    later: dict[datetime, list[Claimed]] = {}
    past: list[Claimed] = []
    for row in rows:
        person = people.get(row.person_id)
        until = rests_until(person, now) if person is not None else None
        if person is None or until is None:
            continue
        if row.expires_at is not None and row.expires_at < until and not is_paused(person, now):
            past.append(row)
        else:
            later.setdefault(until, []).append(row)
    claiming.settle(session, past, state="held", why=PAST_REST)
    for until, some in later.items():
        claiming.settle(session, some, due_at=until, why=RESTS)


def due_before_its_time(session: Session) -> int:
    """What was put in while the clock was ahead, and was to leave at once, leaves now. What rests for longer than any
    quiet hours is looked at anew: somebody paused, or it was put to rest then. (What has a day of its own keeps it.)
    Returns how many rows."""
    now = now_of(session)
    at_once = and_(_O.c.created_at > now + SET_BACK, _O.c.due_at <= _O.c.created_at)
    rests = and_(_O.c.why == RESTS, _O.c.due_at > now + LONGEST_NIGHT)
    waits = _O.c.state.in_((literal_column("'waiting'"), literal_column("'held'")))
    values = {"due_at": now, "created_at": case((_O.c.created_at > now, now), else_=_O.c.created_at)}
    rows = session.execute(update(_O).where(waits, or_(at_once, rests)).values(values))
    return int(getattr(rows, "rowcount", 0))
