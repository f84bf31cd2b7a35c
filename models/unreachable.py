"""People who left or blocked us: no door leads to them, and whoever is responsible is told, once an episode."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, SQLModel

from models import audit
from models.calls import registered
from models.contact import reachable
from models.outbox import REMINDER, enqueue
from models.person import Door, Person, doors, mark_blocked
from models.restored import restored_since

LEFT = "left"  # why a message is withdrawn, or held for somebody who may come back
_O: Any = SQLModel.metadata.tables["outbox"]


def left(session: Session, door_id: str) -> None:
    """A platform said that the person left this door. Their next message opens it again."""
    door = session.get(Door, door_id)
    mark_blocked(session, door_id)
    if door is not None:
        # The database may have come back from a backup since, and have forgotten that they were told.
        again = restored_since(session, door.last_in_at)
        tell(session, door, unread(session, door.person_id), again=again)


def unread(session: Session, person_id: str) -> int:
    """How many answers of people are under way to this person."""
    open_ = _O.c.state.in_(("waiting", "sending", "held"))
    query = select(func.count()).where(_O.c.person_id == person_id, _O.c.kind == "notice.contact_answer", open_)
    return int(session.execute(query).scalar_one())


def tell(session: Session, door: Door, unread: int = 0, *, withdrawn: bool = False, again: bool = False) -> int:
    """The last open door of a registered person has closed: tell those who answer for the county, and return how many
    are told. An episode begins with what was heard there last, so that the same silence is told once. Nobody is told of
    somebody who is not registered, or has deleted their data: there is nothing to be done about them.

    `unread` = so many answers were under way to the person; with `withdrawn` they were taken back, and the person
    stands on the call list all the same until they are back, and are told then that there was an answer. `again` = this
    may have been told before.
    """
    person = session.get(Person, door.person_id)
    if person is None or person.deleted_at is not None or doors(session, person.id):
        return 0
    known = registered(session, [person.id]).get(person.id)
    if known is None:
        return 0
    since = door.last_in_at.isoformat()
    if unread and withdrawn:
        enqueue(session, person.id, "notice.answer_lost", {}, unique_key=f"lost:{door.id}:{since}", held=LEFT)
    count = 0
    for receiver in reachable(session, known[1] or None, but=person.id):
        params = {"person": person.id, "unread": unread, "withdrawn": withdrawn}
        key = f"unreachable:{door.id}:{since}:{receiver}"
        count += enqueue(
            session, receiver, "notice.unreachable", params, unique_key=key, priority=REMINDER, again=again
        )
    if count:
        audit.note(session, "programme", "person.unreachable", person.id, told=count)
    return count
