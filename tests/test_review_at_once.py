"""What two of us do to the same rows at the same moment."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from bot import pages
from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models import guardian, volunteer
from models.account import join, part
from models.conversation import Conversation
from models.database import Database
from models.guardianship import Guardianship
from models.person import Person, door_of
from scheduler import jobs
from tests.chatting import PUBLIC, Chat
from tests.conftest import START, StoppedClock
from tests.people import bind, follow
from tests.test_guardian import child, row_of
from tests.test_review_security import TOLD, rows


def together(*work: Any) -> list[BaseException | None]:
    """Run side by side, each to its end."""
    ended: list[BaseException | None] = [None] * len(work)

    def run(number: int) -> None:
        try:
            work[number]()
        except BaseException as error:  # noqa: BLE001 shown by the test
            ended[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return ended


def heard(database: Database, sender: str, words: str, platform: str = "telegram") -> str | None:
    with database.write() as session:
        inbound = Inbound(platform, "test", sender, f"{sender}:{words}", "text", START, text=words)
        _reply, person = turn(session, inbound, Here(platform, "test", public_url=PUBLIC))
        return person


def test_a_message_that_meets_a_binding_is_heard_as_the_joined_person(database: Database) -> None:
    owner, second = Chat(database), Chat(database, "1001", "telegram")
    owner.register()
    follow(second)
    stays, gone = owner.person().id, second.person().id
    moved, seen = threading.Event(), []

    def joins() -> None:
        with database.write() as session:
            join(session, session.get_one(Person, gone), session.get_one(Person, stays), "bind")
            session.flush()
            moved.set()
            time.sleep(0.4)  # the message comes now, before the commit

    def speaks() -> None:
        assert moved.wait(5)
        seen.append(heard(database, "1001", "我的资料"))

    assert together(joins, speaks) == [None, None]
    assert seen == [stays]
    assert {row.person_id for row in rows(database, Conversation)} == {stays}


def test_a_message_that_meets_an_unbinding_is_heard_as_the_parted_person(database: Database) -> None:
    owner, second = Chat(database), Chat(database, "1001", "telegram")
    owner.register()
    bind(owner, second)
    stays, moved, seen = owner.person().id, threading.Event(), []
    with database.read() as session:
        door = door_of(session, "telegram", "test", "1001")
        assert door is not None
        key = door.id

    def parts() -> None:
        with database.write() as session:
            part(session, session.get_one(Person, stays), key)
            session.flush()
            moved.set()
            time.sleep(0.4)

    def speaks() -> None:
        assert moved.wait(5)
        seen.append(heard(database, "1001", "我的资料"))

    assert together(parts, speaks) == [None, None]
    assert seen == [second.person().id]
    assert seen != [stays]


def test_two_guardians_with_one_code_at_once_are_one_consent(database: Database) -> None:
    minor, _code = child(database)
    mother, father = Chat(database, "mother"), Chat(database, "father")
    follow(mother)
    follow(father)
    key, inside = row_of(minor).id, threading.Barrier(2)

    def agrees(chat: Chat) -> Any:
        def work() -> None:
            with database.write() as session:
                if not database.is_sqlite:
                    inside.wait(5)
                guardian.agree(session, session.get_one(Person, chat.person().id), key, TOLD, "zh_CN")
                time.sleep(0.2)

        return work

    ended = together(agrees(mother), agrees(father))
    assert sorted(type(error).__name__ for error in ended) == ["GuardianError", "NoneType"]
    assert len(rows(database, Guardianship)) == 1


def test_the_job_does_not_erase_a_minor_whose_guardian_agrees_at_that_moment(
    database: Database, clock: StoppedClock
) -> None:
    minor, _code = child(database)
    mother = Chat(database, "mother")
    follow(mother)
    key, agreed = row_of(minor).id, threading.Event()
    clock.pass_time(timedelta(days=400))

    def agrees() -> None:
        with database.write() as session:
            guardian.agree(session, session.get_one(Person, mother.person().id), key, TOLD, "zh_CN")
            session.flush()
            agreed.set()
            time.sleep(0.4)

    def drops() -> None:
        assert agreed.wait(5)
        jobs.drop_pending_minors(database)

    assert together(agrees, drops) == [None, None]
    row = row_of(minor)
    assert (row.status, row.birth_date is None) == (volunteer.ACTIVE, False)


def test_looking_at_a_page_takes_no_lock_that_turns_wait_for(database: Database) -> None:
    """Anybody may ask for an address that is none, as often as they like."""
    alin = Chat(database)
    alin.say("我的数据")
    token = alin.said.links[0].url.rsplit("/", 1)[1]
    parts: Any = SimpleNamespace(database=database)
    with database.write() as session:
        session.add(Person(created_at=START))
        session.flush()
        began = time.monotonic()
        assert pages._view(parts, "x" * 22).status == 404
        assert pages._view(parts, token).status == 200
        assert pages._inbound(parts, "x" * 22, "词") is None
        assert time.monotonic() - began < 1
