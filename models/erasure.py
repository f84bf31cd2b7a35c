"""Leaving: what goes when somebody unfollows, and what goes when they ask us to delete their data (PIPL)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from models import (
    audit,
    consent,
    contact,
    duty_leaves,
    family_doors,
    guardian,
    keepings,
    qualifying,
    recognition,
    sealed,
    serving_moves,
    unreachable,
    volunteer,
    volunteer_gone,
)
from models.channel import forget_grants
from models.code import OneTimeCode, close_codes
from models.conversation import Conversation, Prompt
from models.database import now_of
from models.guardianship import Guardianship
from models.ids import new_id
from models.inbox import InboxMessage, forget_messages
from models.outbox import enqueue, withdraw
from models.page import Page, close_pages
from models.person import Door, Person, close_door, doors, family, set_address_form
from models.role import RoleGrant, organisers
from models.team_member import forget_member


class LastOrganiser(Exception):
    """The person is the only organiser: somebody else has to be made one first."""


def leave(session: Session, door: Door) -> None:
    """Unfollowed: the link and the chat go at once, and nothing is sent any more. With the last door gone, what was
    written to a specialist goes too, since no answer can reach the person, and whoever is responsible is told."""
    person_id = door.person_id
    unread = unreachable.unread(session, person_id)
    forget_grants(session, door.id)
    close_door(session, door)
    if doors(session, person_id):
        return
    withdraw(session, person_id, why="left")
    session.execute(delete(Prompt).where(col(Prompt.person_id) == person_id))
    close_codes(session, person_id)
    close_pages(session, person_id)
    contact.forget_words(session, person_id)
    unreachable.tell(session, door, unread, withdrawn=True)


def long_blocked(session: Session, older_than: timedelta) -> list[str]:
    """Doors of which a platform said that long ago that the person left, without an event that says so."""
    before = now_of(session) - older_than
    return list(session.exec(select(Door.id).where(col(Door.blocked_at) < before).order_by(col(Door.blocked_at))))


def leave_blocked(session: Session, older_than: timedelta, among: Sequence[str]) -> int:
    """Close those of these doors that are `long_blocked` still, as if the people had unfollowed; returns how many."""
    query = select(Door).where(col(Door.id).in_(among), col(Door.blocked_at) < now_of(session) - older_than)
    found = list(session.exec(query.order_by(col(Door.id)).with_for_update(skip_locked=True)))
    for door in found:
        leave(session, door)
    return len(found)


def is_last_organiser(session: Session, person_id: str) -> bool:
    """Whether the programme would be without an organiser if this person went."""
    return organisers(session) == {person_id}


def delete_person(session: Session, person: Person, *, here: str = "") -> Person:
    """Delete what is kept about a person; returns the new person that the open doors lead to from now on. Each of them
    is told once, but for `here`, the door where it was asked for.

    What stays, because the law asks for it: the id, the volunteer's number, which consents were given and withdrawn
    and when, the audit trail, and safeguarding records. Raises LastOrganiser.
    """
    if is_last_organiser(session, person.id):
        raise LastOrganiser
    asked = session.get(Door, here) if here else None
    fresh = _new_owner(session, person)
    accounts = family(session, person.id)
    volunteer_gone.leaves(session, accounts)
    serving_moves.leave(session, accounts)
    for each in accounts:
        _forget(session, each)
        _forget_settings(session, session.get_one(Person, each))
    for grant in session.exec(
        select(RoleGrant).where(RoleGrant.person_id == person.id, col(RoleGrant.ended_at).is_(None))
    ).all():
        grant.ended_at = now_of(session)
        session.add(grant)
    person.deleted_at = now_of(session)
    session.add(person)
    session.flush()
    keepings.hand_on(session, accounts)
    audit.note(session, person.id, "person.deleted", person.id)
    for door in doors(session, fresh.id):
        if door is not asked:  # which has a new id by now
            enqueue(session, fresh.id, "notice.deleted", {}, unique_key=f"deleted:{door.id}", door_id=door.id)
    return fresh


def _forget(session: Session, person_id: str) -> None:
    for kind in {row.kind for row in consent.standing(session, person_id)}:
        consent.withdraw(session, person_id, kind)
    volunteer.erase(session, person_id)
    forget_member(session, person_id)
    duty_leaves.forget(session, person_id)
    qualifying.forget(session, person_id)
    contact.forget_words(session, person_id)
    recognition.forget_requests(session, person_id)
    family_doors.leave(session, person_id)
    _forget_as_guardian(session, person_id)
    withdraw(session, person_id, why="deleted")
    session.execute(
        update(InboxMessage)
        .where(col(InboxMessage.person_id) == person_id)
        .values(payload_sealed=None, reply_sealed=None)
    )
    for row in session.exec(select(OneTimeCode).where(OneTimeCode.person_id == person_id)).all():
        sealed.index(session, "code", row.id, None, scope=row.kind)
    for table in (OneTimeCode, Page, Prompt, Conversation):
        session.execute(delete(table).where(col(table.person_id) == person_id))


def _forget_settings(session: Session, person: Person) -> None:
    plain = Person(created_at=person.created_at)
    settings = ("language", "zone", "quiet_from", "quiet_until", "paused_until", "campaigns_off", "preferred_door_id")
    for name in settings:
        setattr(person, name, getattr(plain, name))
    set_address_form(session, person, None)


def _forget_as_guardian(session: Session, person_id: str) -> None:
    """Who deletes their data agrees for nobody any more; a minor is paused by that until somebody agrees again."""
    person = session.get_one(Person, person_id)
    for held, _minor in guardian.wards(session, person_id):
        guardian.take_back(session, person, held.id)
    for held in session.exec(select(Guardianship).where(Guardianship.guardian_person == person_id)).all():
        held.name_sealed = held.phone_sealed = None
        session.add(held)
    session.flush()


def _new_owner(session: Session, person: Person) -> Person:
    """Whoever holds these phones talks as somebody new; only language and zone are taken along."""
    fresh = Person(created_at=now_of(session), language=person.language, zone=person.zone)
    session.add(fresh)
    session.flush()
    for door in session.exec(select(Door).where(Door.person_id == person.id)).all():
        forget_messages(session, door.platform, door.account, door.sender)
        forget_grants(session, door.id)
        # A new id too: past attempts and joins name the old one, and may not lead from the record to the account.
        door.id, door.person_id = new_id(), fresh.id
        session.add(door)
    session.flush()
    return fresh
