"""Two copies of the process on one PostgreSQL that meet at the same person."""

from __future__ import annotations

import threading
import time

import pytest
from sqlmodel import select

from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models import erasure
from models.database import Database
from models.person import Door, Person, open_door
from tests.conftest import START

# SQLite has one writer: there the second begins when the first has ended.
pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def test_whoever_waited_for_the_door_sees_what_was_changed_meanwhile(database: Database) -> None:
    """Two copies hear the same person at once; the second one's choice must not be measured against an old row."""
    with database.write() as session:
        open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
    seen: list[str] = []
    begun = threading.Event()

    def second() -> None:
        with database.write() as session:
            begun.set()
            _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
            seen.append(person.language)
            person.language = "zh_CN"
            session.add(person)

    with database.write() as session:
        _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
        person.language = "en"
        session.add(person)
        session.flush()
        other = threading.Thread(target=second)
        other.start()
        assert begun.wait(5)
        time.sleep(0.3)  # until it waits for the door
    other.join(10)
    assert seen == ["en"]
    with database.read() as session:
        assert session.exec(select(Person.language)).one() == "zh_CN"


@pytest.mark.parametrize("first", ["unfollow", "delete"])
def test_somebody_who_unfollows_has_left_whatever_another_copy_does_at_the_same_moment(
    database: Database, first: str
) -> None:
    def heard(kind: str, key: str) -> Inbound:
        return Inbound("wechat", "test", "alin", key, kind, START, text="你好")

    place = Here("wechat", "test")
    with database.write() as session:
        turn(session, heard("text", "1"), place)
    raised: list[Exception] = []

    def second() -> None:
        try:
            with database.write() as session:
                turn(session, heard("unfollow", "2"), place)
        except Exception as error:  # noqa: BLE001 a thread's failure is looked at below
            raised.append(error)

    with database.write() as session:
        if first == "unfollow":
            turn(session, heard("unfollow", "3"), place)
        else:
            _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
            erasure.delete_person(session, person)
        session.flush()
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.3)  # until it waits for the door
    other.join(10)
    assert raised == []
    with database.read() as session:
        assert session.exec(select(Door)).all() == []
