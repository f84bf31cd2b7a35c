"""People and their doors. A person is whoever talks to us; a door is one account of one platform.

A follower is a person from the first message on; registering adds a `Volunteer` (models/volunteer.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, UniqueConstraint, bindparam, delete, update
from sqlalchemy import select as sql_select
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Field, Session, SQLModel, col, select

from models import audit
from models.conversation import Conversation
from models.database import insert_once, now_of
from models.hot import Hot, loaded
from models.ids import new_id
from models.inbox import forget_messages
from models.outbox import withdraw
from models.sealed import seal, sealed_columns, unseal


class Person(SQLModel, table=True):
    """Settings that belong to the person, not to a door. Quiet hours are local times in the person's zone.

    `preferred_door_id` is where the person wants to be written to first; one that is gone or closed counts for nothing.
    """

    __tablename__ = "person"
    __table_args__ = (CheckConstraint("language IN ('zh_CN', 'zh_HK', 'en')", name="language"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    created_at: datetime
    language: str = "zh_CN"
    zone: str = "Asia/Shanghai"
    quiet_from: time = time(21, 0)
    quiet_until: time = time(8, 30)
    paused_until: date | None = None
    campaigns_off: bool = False
    address_form_sealed: bytes | None = None
    merged_into: str | None = Field(default=None, foreign_key="person.id", index=True)
    deleted_at: datetime | None = None
    preferred_door_id: str | None = None


class Door(SQLModel, table=True):
    """One account of a platform through which a person can be reached. It goes when the person unfollows.

    `blocked_at` is set when a platform says that the person left; the next message opens the door again.
    """

    __tablename__ = "door"
    __table_args__ = (UniqueConstraint("platform", "account", "sender"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    platform: str
    account: str
    sender: str
    opened_at: datetime
    last_in_at: datetime
    blocked_at: datetime | None = None


sealed_columns("person", "id", "address_form_sealed")


# A turn begins with both, and both stay locked until the transaction ends: PostgreSQL shows the newest version of what
# it locks to whoever waited for it, and an old one of everything joined to it.
_KNOWN = (
    sql_select(Door, Person)
    .join(Person, col(Person.id) == Door.person_id)
    .where(
        col(Door.platform) == bindparam("platform"),
        col(Door.account) == bindparam("account"),
        col(Door.sender) == bindparam("sender"),
    )
    .with_for_update(key_share=True, of=(Door, Person))
    .execution_options(populate_existing=True)
)
_DOOR = len(SQLModel.metadata.tables["door"].columns)
_KNOWN_ROW = Hot(
    lambda _dialect: (
        sql_select(*SQLModel.metadata.tables["door"].c, *SQLModel.metadata.tables["person"].c)
        .join_from(Door, Person, col(Person.id) == Door.person_id)
        .where(
            col(Door.platform) == bindparam("platform"),
            col(Door.account) == bindparam("account"),
            col(Door.sender) == bindparam("sender"),
        )
        .with_for_update(key_share=True, of=(Door, Person))
    )
)
_HEARD = Hot(
    lambda _dialect: (
        update(Door).where(col(Door.id) == bindparam("door")).values(last_in_at=bindparam("at"), blocked_at=None)
    )
)


def door_of(session: Session, platform: str, account: str, sender: str, *, locked: bool = False) -> Door | None:
    """The door of a sender, if it is known; `locked` keeps others from changing it until the transaction ends."""
    query = select(Door).where(Door.platform == platform, Door.account == account, Door.sender == sender)
    if locked:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).first()


def open_door(
    session: Session, platform: str, account: str, sender: str, language: str, *, zone: str
) -> tuple[Door, Person]:
    """The door of a sender with its person; both are made at the first message.

    The door stays locked until the transaction ends: whom it leads to cannot change under a turn.
    """
    row = None
    if not session.identity_map and not session.new:  # as at the beginning of a turn, which this is a part of
        row = _KNOWN_ROW.first(session, platform=platform, account=account, sender=sender)
    if row is not None:
        door, person = loaded(session, Door, row[:_DOOR]), loaded(session, Person, row[_DOOR:])
    else:
        door, person = _found_or_new(session, platform, account, sender, language, zone)
    now = now_of(session)
    _HEARD.changed(session, door=door.id, at=now)
    set_committed_value(door, "last_in_at", now)
    set_committed_value(door, "blocked_at", None)
    return door, person


def _found_or_new(
    session: Session, platform: str, account: str, sender: str, language: str, zone: str
) -> tuple[Door, Person]:
    found = session.execute(_KNOWN, {"platform": platform, "account": account, "sender": sender}).first()
    if found is not None:
        return found[0], found[1]
    return _new_door(session, platform, account, sender, language, zone)


def _new_door(
    session: Session, platform: str, account: str, sender: str, language: str, zone: str
) -> tuple[Door, Person]:
    """A door with its new person, or the one that another copy of the process made a moment earlier."""
    now = now_of(session)
    person = Person(created_at=now, language=language, zone=zone)
    session.add(person)
    session.flush()
    made = session.execute(
        insert_once(session, Door).values(
            id=new_id(),
            person_id=person.id,
            platform=platform,
            account=account,
            sender=sender,
            opened_at=now,
            last_in_at=now,
        )
    )
    if getattr(made, "rowcount", 0) == 0:
        session.delete(person)
        session.flush()
    found = session.execute(_KNOWN, {"platform": platform, "account": account, "sender": sender}).first()
    if found is None:
        raise LookupError(f"a door of {platform} was neither made nor found")
    return found[0], found[1]


def family(session: Session, person_id: str) -> list[str]:
    """The person and everybody who became this person."""
    found, new = [person_id], [person_id]
    while new:
        new = list(session.exec(select(Person.id).where(col(Person.merged_into).in_(new))))
        found += new
    return found


def survivor(session: Session, person_id: str) -> Person:
    """Who a person is today, after all joins."""
    person = session.get(Person, person_id)
    while person is not None and person.merged_into is not None:
        person = session.get(Person, person.merged_into)
    if person is None:
        raise LookupError(f"no person {person_id}")
    return person


def doors(session: Session, person_id: str) -> list[Door]:
    """The person's open doors, the one used last first."""
    query = select(Door).where(Door.person_id == person_id, col(Door.blocked_at).is_(None))
    return list(session.exec(query.order_by(col(Door.last_in_at).desc(), col(Door.id))))


def close_door(session: Session, door: Door) -> None:
    """Unfollowed: the account link and the chat's content go at once; person and legal record stay (§9, PIPL)."""
    forget_messages(session, door.platform, door.account, door.sender)
    withdraw(session, door.person_id, door_id=door.id, why="left")
    person_id = door.person_id
    session.delete(door)
    session.flush()
    if not doors(session, person_id):
        session.execute(delete(Conversation).where(col(Conversation.person_id) == person_id))
    audit.note(session, person_id, "door.closed", door.id, platform=door.platform)


def mark_blocked(session: Session, door_id: str) -> None:
    """A platform said that the person left this door."""
    session.execute(update(Door).where(col(Door.id) == door_id).values(blocked_at=now_of(session)))


def address_form(session: Session, person: Person) -> str | None:
    """How the person wants to be called, if chosen."""
    return unseal(session, "person.address_form_sealed", person.id, person.address_form_sealed)


def set_address_form(session: Session, person: Person, words: str | None) -> None:
    """Keep a form of address; None takes it away."""
    person.address_form_sealed = seal(session, "person.address_form_sealed", person.id, words)
    session.add(person)


def local_now(session: Session, person: Person) -> datetime:
    """Programme time in the person's own zone."""
    return now_of(session).astimezone(ZoneInfo(person.zone))


def is_quiet(person: Person, at: datetime) -> bool:
    """Whether reminders and campaigns wait at this moment for the end of the person's quiet hours."""
    local = at.astimezone(ZoneInfo(person.zone)).time()
    if person.quiet_from <= person.quiet_until:
        return person.quiet_from <= local < person.quiet_until  # equal ones = no quiet hours
    return local >= person.quiet_from or local < person.quiet_until


def is_paused(person: Person, at: datetime) -> bool:
    """Whether the person pauses: no reminders, no campaigns, up to and including the day."""
    return person.paused_until is not None and at.astimezone(ZoneInfo(person.zone)).date() <= person.paused_until


def rests_until(person: Person, at: datetime) -> datetime | None:
    """When reminders and campaigns may reach the person again, UTC; None = now. A pause ends with its day, quiet hours
    at their end in the person's own zone."""
    zone = ZoneInfo(person.zone)
    local = at.astimezone(zone)
    if is_paused(person, at) and person.paused_until is not None:
        local = datetime.combine(person.paused_until + timedelta(days=1), time(0, 0), zone)
    if is_quiet(person, local):
        end = datetime.combine(local.date(), person.quiet_until, zone)
        local = end if end > local else datetime.combine(local.date() + timedelta(days=1), person.quiet_until, zone)
    return local.astimezone(UTC) if local > at else None
