"""Something due for every job, at many moments of some weeks, and how the database reads when they have run."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, SQLModel, select

from models import consent, inbox, sealed
from models.alert import Alert
from models.code import CodeTry, OneTimeCode
from models.contact import ContactMessage
from models.conversation import Conversation, Prompt
from models.database import Database
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, OutboxMessage, enqueue
from models.page import Page
from models.person import Door, Person
from models.recognition import Recognition
from models.role import RoleGrant
from models.volunteer import Volunteer

WEEKS = timedelta(days=45)  # after which everything here has been due
_MADE = re.compile(r"[0-9a-f]{32}")  # an id of models/ids.py, which no two runs share
_DAYS = (0, 1, 5, 19, 20, 29, 30, 31, 40)


def fill(database: Database, start: datetime) -> None:
    """Rows that are due between `start` and WEEKS later, some to the second at midnight, some never."""
    with database.write() as session:
        _people(session, start)
        _messages(session, start)
        _talks(session, start)
        _codes_and_pages(session, start)
        _searches(session, start)
        _minors(session, start)
        _cries(session, start)


def _person(session: Session, name: str, start: datetime, zone: str = "Asia/Shanghai") -> str:
    session.add(Person(id=name, created_at=start, zone=zone))
    session.flush()
    session.add(
        Door(
            id=f"door-{name}",
            person_id=name,
            platform="wechat",
            account="test",
            sender=name,
            opened_at=start,
            last_in_at=start,
        )
    )
    session.flush()
    return name


def _people(session: Session, start: datetime) -> None:
    """Doors that were blocked some days ago, with something waiting behind each."""
    for day in _DAYS:
        name = _person(session, f"blocked-{day}", start)
        session.get_one(Door, f"door-{name}").blocked_at = start - timedelta(days=30 - day)
        enqueue(session, name, "notice.role", {}, unique_key=f"to:{name}")
        session.add(Prompt(id=f"q-{name}", **_asked(name, start, timedelta(days=90))))


def _asked(person: str, at: datetime, lasts: timedelta) -> dict[str, Any]:
    return {
        "person_id": person,
        "dialogue": "none",
        "question": "q",
        "facts_sealed": b"x",
        "choices": "[]",
        "asked_at": at,
        "expires_at": at + lasts,
    }


def _messages(session: Session, start: datetime) -> None:
    person = _person(session, "receiver", start)
    for day in _DAYS:
        for priority in (EMERGENCY, REPLY, REMINDER, CAMPAIGN):
            key = f"{day}:{priority}"
            enqueue(
                session,
                person,
                "notice.role",
                {},
                unique_key=f"expires:{key}",
                priority=priority,
                expires_at=start + timedelta(days=day),
            )
            enqueue(session, person, "notice.role", {}, unique_key=f"dead:{key}", priority=priority)
    session.flush()
    for row in session.exec(select(OutboxMessage).where(OutboxMessage.person_id == person)).all():
        _name, day_of, priority_of = row.unique_key.split(":")
        if row.unique_key.startswith("dead"):
            row.state, row.claimed_by = "sending", "somebody who died"
            row.deadline = start + timedelta(seconds=int(day_of))
        elif priority_of == str(REMINDER):
            row.state = "held"
        session.add(row)
    enqueue(session, person, "notice.role", {}, unique_key="never expires")


def _talks(session: Session, start: datetime) -> None:
    for day in _DAYS:
        name = _person(session, f"talks-{day}", start)
        session.add(
            Conversation(person_id=name, state_sealed=b"x", touched_at=start - timedelta(days=180 - day), revision=1)
        )
        session.add(Prompt(id=f"late-{day}", **_asked(name, start - timedelta(days=60), timedelta(days=30 + day))))
        for number in range(3):
            row = inbox.enter(session, "wechat", "test", f"{day}:{number}", name, "text", {"text": "你好"})
            session.flush()
            found = session.get_one(inbox.InboxMessage, row)
            found.received_at = start - timedelta(days=30 - day, minutes=number)
            found.state = "aside" if number == 2 else "done"
            session.add(found)


def _codes_and_pages(session: Session, start: datetime) -> None:
    name = _person(session, "codes", start)
    for day in _DAYS:
        ended = start - timedelta(days=30 - day)
        row = f"code-{day}"
        session.add(
            OneTimeCode(id=row, kind="bind", person_id=name, facts_sealed=b"x", created_at=ended, expires_at=ended)
        )
        sealed.index(session, "code", row, f"CODE{day}", scope="bind")
        session.add(CodeTry(id=f"try-{day}", person_id=name, at=ended))
        session.add(
            Page(id=f"page-{day}", kind="data", person_id=name, facts_sealed=b"x", created_at=ended, expires_at=ended)
        )


def _searches(session: Session, start: datetime) -> None:
    for ago in (0, 1, 10, 14):
        for state in ("nothing", "open", "code", "confirmed"):
            name = _person(session, f"searches-{ago}-{state}", start)
            at = start - timedelta(days=ago)
            session.add(Recognition(id=f"search-{ago}-{state}", asker=name, state=state, at=at, tried_at=at))


def _minors(session: Session, start: datetime) -> None:
    """Some who grow up before their time to wait is over, some after, some on 29 February, and some never."""
    births = {f"in {day} days": _years_before(start.date() + timedelta(days=day), 18) for day in (0, 1, 20, 29, 30, 31)}
    births |= {"on 29 February": date(2012, 2, 29), "a child": _years_before(start.date(), 12)}
    for waited in (0, 10):
        for born, birth in births.items():
            for status in ("waiting_guardian", "paused_guardian", "ended"):
                zone = "America/Vancouver" if waited == 10 else "Asia/Shanghai"
                name = _person(session, f"{status} {waited} born {born}", start, zone)
                since = start - timedelta(days=waited)
                paused = status == "paused_guardian"
                session.add(
                    Volunteer(
                        id=f"v {name}",
                        person_id=name,
                        number=name,
                        status=status,
                        registered_at=since,
                        active_since=since if paused else None,
                        waiting_since=None if paused else since,
                        birth_date=birth,
                        county="440106",
                        self_supporting=born == "on 29 February" and start.year == 2028,
                    )
                )
                consent.give(session, name, "registration", "1", "zh_CN")


def _years_before(day: date, years: int) -> date:
    """29 February becomes 1 March."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, month=3, day=1)


def _cries(session: Session, start: datetime) -> None:
    """Nobody was responsible when they wrote; somebody is now."""
    asker = _person(session, "asker", start)
    session.add(Volunteer(**_registered(asker, start)))
    specialist = _person(session, "specialist", start)
    session.add(
        RoleGrant(
            person_id=specialist,
            role="specialist",
            scope_kind="region",
            scope="440106",
            granted_by="machine",
            granted_at=start,
        )
    )
    session.add(Alert(id="alert", person_id=asker, source="words", at=start))
    message: dict[str, Any] = {
        "thread": "contact",
        "asker_id": asker,
        "author_id": asker,
        "words_sealed": b"x",
        "at": start,
    }
    session.add(ContactMessage(id="contact", by_asker=True, county="440106", **message))


def _registered(person: str, start: datetime) -> dict[str, Any]:
    return {
        "id": f"v {person}",
        "person_id": person,
        "number": person,
        "status": "active",
        "registered_at": start,
        "birth_date": date(1990, 1, 1),
        "county": "440106",
    }


# What must not depend on when the jobs ran. Times at which they did something are no part of it.
_READ: dict[str, tuple[str, ...]] = {
    "outbox": ("unique_key", "person_id", "kind", "priority", "state", "resends", "why"),
    "inbox": ("key", "state", "sender", "person_id"),
    "conversation": ("person_id",),
    "prompt": ("id",),
    "one_time_code": ("id",),
    "code_try": ("id",),
    "page": ("id",),
    "blind_index": ("kind", "scope", "row_id"),
    "door": ("id", "person_id"),
    "recognition": ("id", "state"),
    "volunteer": ("id", "status", "birth_date", "county"),
    "alert": ("id", "state"),
    "contact_message": ("id", "answered_at"),
    "audit": ("actor", "action", "subject"),
}


def read(database: Database) -> dict[str, Counter[tuple[str, ...]]]:
    """Every row as far as it must not depend on when the jobs ran; made ids are alike, and counted."""
    found = {}
    with database.read() as session:
        for name, columns in _READ.items():
            table = SQLModel.metadata.tables[name]
            rows = session.execute(select(*(table.c[column] for column in columns)))
            found[name] = Counter(tuple(_MADE.sub("*", str(value)) for value in row) for row in rows)
        standing = session.exec(select(consent.Consent.person_id, consent.Consent.withdrawn_at))
        found["consent"] = Counter((person, str(ended is None)) for person, ended in standing)
    return found


def clear(database: Database) -> None:
    """Take every row out."""
    with database.engine.begin() as connection:
        guards: list[tuple[str, str]] = []  # the hours ledger lets nobody delete
        if database.is_sqlite:
            found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            guards = [(row.name, row.sql) for row in found]
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for name, _sql in guards:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
        for _name, sql in guards:
            connection.exec_driver_sql(sql)
