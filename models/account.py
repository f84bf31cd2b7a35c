"""One person, many doors: joining two people who turn out to be one, and parting them again.

A join is always undoable: it writes down what it moved. What refers to a person elsewhere is moved by the module
that keeps it (models/merging.py) or, where it is a bare reference, here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, delete
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models import audit, merging, volunteer
from models.alert import RECENT, Alert
from models.code import check_code, close_codes, issue_code, use_code
from models.consent import Consent, give, standing, stands, withdraw
from models.contact import ContactMessage
from models.conversation import Conversation, Prompt, leave_off
from models.database import now_of
from models.duty_leave import DutyLeave
from models.ids import new_id
from models.one_human import ever_one as ever_one
from models.one_human import same_human as same_human
from models.outbox import readdress, release_held
from models.page import close_pages
from models.person import Door, Person, doors, local_now, survivor
from models.qualification import Qualification
from models.role import RoleGrant, grants
from models.volunteer import volunteer_of

HOW = ("bind", "recognition", "specialist")

# What refers to a person by nothing but the id, and goes along when two people become one.
_REFERENCES: tuple[tuple[Any, str], ...] = (
    (Door, "person_id"),
    (RoleGrant, "person_id"),
    (DutyLeave, "person_id"),
    (Qualification, "person_id"),
    (Consent, "person_id"),
    (Prompt, "person_id"),
    (ContactMessage, "asker_id"),
    (Alert, "person_id"),
)


class Join(SQLModel, table=True):
    """`gone` and `stays` became one person, who is `stays` from then on. `moved` lists the ids that changed hands."""

    __tablename__ = "person_join"
    __table_args__ = (CheckConstraint(f"how IN {HOW}", name="how"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    gone: str = Field(foreign_key="person.id", index=True)
    stays: str = Field(foreign_key="person.id", index=True)
    how: str
    moved: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    at: datetime
    undone_at: datetime | None = None


class CannotJoin(Exception):
    """`reason`: "two_registrations" = both are registered, and not with the same number and birth date;
    "same" = they are one person already; "gone" = one of them deleted their data meanwhile."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadCode(Exception):
    """A typed code that does not count; `verdict` as in models/code.py."""

    def __init__(self, verdict: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Joined:
    """What a join came to: who the person is now, and the doors that changed hands."""

    person: Person
    moved: tuple[Door, ...]
    merged_registrations: bool


def bind_code(session: Session, person: Person, door_id: str) -> str:
    """A code to type at the other door; it lasts code_minutes of rules.toml and works once."""
    lasts = timedelta(minutes=rules().doors.code_minutes)
    return issue_code(session, "bind", person.id, {"door": door_id}, lasts)


def behind_code(session: Session, typed: str, by: Person) -> Person:
    """Who asked for a binding code, without using it. Raises BadCode."""
    found = check_code(session, "bind", typed, by.id)
    if found.verdict != "good":
        raise BadCode(found.verdict)
    person = survivor(session, found.person_id)
    if person.id == by.id:
        raise BadCode("own")
    return person


def bind(session: Session, typed: str, by: Person) -> Joined:
    """Use a code: the two people become one. Raises BadCode or CannotJoin.

    Whoever asked for the code stays, unless only the other one has a record (a registration or a role): then
    everything that refers to that record stays where it is.
    """
    asker = behind_code(session, typed, by)
    row = check_code(session, "bind", typed, by.id)
    if not use_code(session, row.row):
        raise BadCode("used")
    gone, stays = (asker, by) if has_record(session, by.id) and not has_record(session, asker.id) else (by, asker)
    return join(session, gone, stays, "bind")


def has_record(session: Session, person_id: str) -> bool:
    """Whether there is a registration or a role under this person."""
    return volunteer_of(session, person_id) is not None or has_role(session, person_id)


def has_role(session: Session, person_id: str) -> bool:
    """Whether the person is a specialist or organiser."""
    return bool(grants(session, person_id))


def are_two_registrations(session: Session, one: str, other: str) -> bool:
    """Whether both are registered."""
    return volunteer_of(session, one) is not None and volunteer_of(session, other) is not None


def join(session: Session, gone: Person, stays: Person, how: str) -> Joined:
    """Make two people one. Raises CannotJoin; nothing is moved then."""
    _lock(session, gone, stays)
    if gone.id == stays.id:
        raise CannotJoin("same")
    if gone.merged_into or stays.merged_into or gone.deleted_at or stays.deleted_at:
        raise CannotJoin("gone")
    both = are_two_registrations(session, gone.id, stays.id)
    if both and not same_human(session, gone.id, stays.id):
        raise CannotJoin("two_registrations")
    moved: dict[str, list[str]] = {}
    for table, owner in _REFERENCES:
        rows = session.exec(select(table).where(getattr(table, owner) == gone.id)).all()
        held = [each for each in rows if not _stands_twice(session, each, stays)]
        for each in held:
            setattr(each, owner, stays.id)
            session.add(each)
        moved[str(table.__tablename__)] = [each.id for each in held]
    moved |= merging.move(session, gone.id, stays.id)
    gone.merged_into = stays.id
    session.add(gone)
    row = Join(gone=gone.id, stays=stays.id, how=how, moved=moved, at=now_of(session))
    session.add(row)
    session.flush()
    readdress(session, gone.id, stays.id)
    release_held(session, stays.id)  # which may have waited for want of a door
    _forget_talk(session, gone.id)
    _leave_off(session, stays.id)
    audit.note(session, stays.id, "person.joined", gone.id, how=how, join=row.id)
    changed = tuple(door for door in (session.get(Door, key) for key in moved["door"]) if door is not None)
    return Joined(stays, changed, both)


def _stands_twice(session: Session, row: Any, stays: Person) -> bool:
    """A consent or role in force that whoever stays has too: it stands once. The consent is left where it is (`_undo`
    looks at it again), the role ends, since it may give nobody a second voice."""
    if isinstance(row, Consent):
        return row.withdrawn_at is None and stands(session, stays.id, row.kind)
    if isinstance(row, RoleGrant) and row.ended_at is None:
        same = (row.role, row.scope_kind, row.scope)
        if same in {(held.role, held.scope_kind, held.scope) for held in grants(session, stays.id)}:
            row.ended_at = now_of(session)
            session.add(row)
    if isinstance(row, Qualification) and row.ended_at is None:
        same_kind = select(Qualification.id).where(Qualification.person_id == stays.id, Qualification.kind == row.kind)
        if session.exec(same_kind.where(col(Qualification.ended_at).is_(None))).first() is not None:
            row.ended_at = now_of(session)
            session.add(row)
    if isinstance(row, DutyLeave) and row.deputy_id == stays.id:
        row.deputy_id = row.taken_at = row.begun_at = None  # nobody stands in for oneself
        session.add(row)
    return False


def was_parted_from(session: Session, person_id: str, other: str, within: timedelta) -> bool:
    """Whether this person was one with the other and was unbound from them no longer ago than that."""
    since = now_of(session) - within
    query = select(Join.id).where(Join.gone == person_id, Join.stays == other, col(Join.undone_at) > since)
    return session.exec(query).first() is not None


def leaving_with(session: Session, person: Person, door_id: str) -> tuple[Join | None, list[Door]]:
    """The join that brought this door, if one did, and all doors that would part together with it."""
    own = {door.id: door for door in doors(session, person.id)}
    if door_id not in own:
        return None, []
    query = select(Join).where(Join.stays == person.id, col(Join.undone_at).is_(None)).order_by(col(Join.at).desc())
    for row in session.exec(query):
        brought = row.moved["door"]
        if door_id in brought:
            return row, [own[key] for key in brought if key in own]
    return None, [own[door_id]]


def part(session: Session, person: Person, door_id: str) -> Joined:
    """Unbind a door: it becomes a person of its own, and a join that had brought it is undone.

    Raises CannotJoin("last") when no door would be left, and CannotJoin("gone") for a door that is not theirs.
    """
    _lock(session, person)
    row, going = leaving_with(session, person, door_id)
    if not going:
        raise CannotJoin("gone")
    if len(going) == len(doors(session, person.id)):
        raise CannotJoin("last")
    if row is not None:
        other = _undo(session, row)
    else:
        other = Person(created_at=now_of(session), language=person.language, zone=person.zone)
        session.add(other)
        session.flush()
        for door in going:
            door.person_id = other.id
            session.add(door)
        # They were one: that stays known (`ever_one`), though there is nothing to undo.
        brought, now = {"door": [door.id for door in going]}, now_of(session)
        session.add(Join(gone=other.id, stays=person.id, how="bind", moved=brought, at=now, undone_at=now))
    session.flush()
    # Whoever holds the parted door may have a code in hand that would lead back in.
    close_codes(session, person.id, "bind")
    audit.note(session, person.id, "person.parted", other.id, doors=len(going))
    return Joined(other, tuple(going), row is not None and volunteer_of(session, other.id) is not None)


def _undo(session: Session, row: Join) -> Person:
    gone = session.get(Person, row.gone)
    if gone is None:
        raise LookupError(f"no person {row.gone}")
    gone.merged_into = None
    row.undone_at = now_of(session)
    session.add(gone)
    session.add(row)
    for table, owner in _REFERENCES:
        for key in row.moved.get(str(table.__tablename__), []):
            held = session.get(table, key)
            if held is not None and getattr(held, owner) == row.stays:
                setattr(held, owner, row.gone)
                session.add(held)
    session.flush()
    for left in standing(session, row.gone):
        # It was left behind at the join; what the one person took back meanwhile is taken back of both.
        if left.id not in row.moved.get("consent", []) and not stands(session, row.stays, left.kind):
            withdraw(session, row.gone, left.kind)
    merging.move_back(session, row.gone, row.stays, row.moved)
    session.flush()
    return gone


def _lock(session: Session, *people: Person) -> None:
    """Two joins of the same people wait for each other here, always in the same order, and then see what is true."""
    keys = sorted({person.id for person in people})
    # key_share: other turns may go on adding rows that refer to these people, or each would wait for the other.
    query = select(Person).where(col(Person.id).in_(keys)).order_by(Person.id).with_for_update(key_share=True)
    session.flush()
    session.exec(query.execution_options(populate_existing=True)).all()


def _leave_off(session: Session, person_id: str) -> None:
    """What was under way at the other door and leads nowhere now that both are one."""
    registered = ("registration",) if volunteer_of(session, person_id) is not None else ()
    names = {name: timedelta(0) for name in ("bind", "recognition", "recognition_code", *registered)}
    leave_off(session, person_id, {**names, "tell_more": RECENT})
    session.info["left_off"] = frozenset(names)  # for the turn that holds this very person's talks


def _forget_talk(session: Session, person_id: str) -> None:
    """What was under way under an id that nobody talks as any more."""
    session.execute(delete(Conversation).where(col(Conversation.person_id) == person_id))
    close_codes(session, person_id)
    close_pages(session, person_id)


def stop_serving(session: Session, person: Person) -> None:
    """The consent to being registered is taken back: the volunteer serves no more; nothing is deleted by that."""
    withdraw(session, person.id, "registration")
    registered = volunteer_of(session, person.id)
    if registered is not None and registered.status != volunteer.ENDED:
        registered.status = volunteer.ENDED
        session.add(registered)
        session.flush()
        audit.note(session, person.id, "volunteer.ended", registered.id)


def serve_again(session: Session, person: Person, version: str, language: str) -> str:
    """The consent is given again: the registration counts as before; a minor without a guardian's standing consent
    waits for it. Returns the status. Raises LookupError where nothing ended."""
    registered = volunteer_of(session, person.id)
    if registered is None or registered.status != volunteer.ENDED or registered.birth_date is None:
        raise LookupError("no registration that ended")
    give(session, person.id, "registration", version, language)
    today = local_now(session, person).date()
    minor = volunteer.needs_guardian(registered.birth_date, registered.self_supporting, today)
    if minor and not stands(session, person.id, "guardian"):
        registered.status, registered.waiting_since = volunteer.WAITING, now_of(session)
        session.add(registered)
        session.flush()
    else:
        volunteer.activate(session, registered)
    audit.note(session, person.id, "volunteer.resumed", registered.id, status=registered.status)
    return registered.status
