"""People who left or blocked us: no door leads to them, and whoever is responsible is told, once an episode."""

from __future__ import annotations

from sqlmodel import Session

from models import audit
from models.calls import registered
from models.contact import reachable
from models.outbox import REMINDER, enqueue
from models.person import Door, Person, doors, mark_blocked


def left(session: Session, door_id: str) -> None:
    """A platform said that the person left this door. Their next message opens it again."""
    door = session.get(Door, door_id)
    mark_blocked(session, door_id)
    if door is not None:
        tell(session, door)


def tell(session: Session, door: Door) -> int:
    """The last open door of a registered person has closed: tell those who answer for the county, and return how many
    are told. An episode begins with what was heard there last, so that the same silence is told once. Nobody is told of
    somebody who is not registered, or has deleted their data: there is nothing to be done about them."""
    person = session.get(Person, door.person_id)
    if person is None or person.deleted_at is not None or doors(session, person.id):
        return 0
    known = registered(session, [person.id]).get(person.id)
    if known is None:
        return 0
    since = door.last_in_at.isoformat()
    count = 0
    for receiver in reachable(session, known[1] or None, but=person.id):
        params = {"person": person.id}
        key = f"unreachable:{door.id}:{since}:{receiver}"
        count += enqueue(session, receiver, "notice.unreachable", params, unique_key=key, priority=REMINDER)
    if count:
        audit.note(session, "programme", "person.unreachable", person.id, told=count)
    return count
