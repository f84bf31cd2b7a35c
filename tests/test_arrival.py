"""What a turn begins and ends with in the database: a transaction or a part of one, and who wrote."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import select

from models import inbox, outbox
from models.arrival import arrive, finish, leave
from models.conversation import Run, lock
from models.database import Database, DatabaseAway, is_away
from models.inbox import InboxMessage
from models.installed import Installed, remember
from models.outbox import OutboxMessage
from models.person import Door, Person, open_door

WHO = ("wechat", "test")
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def known(database: Database, sender: str = "alin") -> str:
    """A person with a door and a talk; returns their id."""
    with database.write() as session:
        _door, person = open_door(session, *WHO, sender, "zh_CN", zone="Asia/Shanghai")
        lock(session, person.id)
        return person.id


def names(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(Installed.name)))


def test_what_is_done_once_stands_or_falls_as_a_whole(database: Database) -> None:
    known(database)
    with database.once() as session:
        row, met = arrive(session, *WHO, "1", "alin", "text", {})
        assert row is not None and met is not None
        met.person.language = "en"
        session.add(Installed(name="a", digest="1"))
    with pytest.raises(RuntimeError), database.once() as session:
        arrive(session, *WHO, "2", "alin", "text", {})
        remember(session, "b", "1")
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.exec(select(InboxMessage.key)).all() == ["1"]
        assert session.exec(select(Person.language)).all() == ["en"], "what was read past the session is followed"
    assert names(database) == ["a"]


def test_a_part_that_fails_takes_back_itself_alone_whatever_it_used(database: Database) -> None:
    with database.share(lock_wait_ms=200) as part:
        with part() as session:
            inbox.enter(session, *WHO, "1", "x", "text", {})
            with session.begin_nested():
                remember(session, "a", "1")
        with pytest.raises(IntegrityError), part() as session:
            inbox.enter(session, *WHO, "2", "x", "text", {})
            with session.begin_nested():
                remember(session, "b", "1")
            session.add(Installed(name="a", digest="again"))
        with part() as session:
            with pytest.raises(RuntimeError), session.begin_nested():
                remember(session, "c", "1")
                raise RuntimeError
            inbox.enter(session, *WHO, "3", "x", "text", {})
    with database.read() as session:
        assert sorted(session.exec(select(InboxMessage.key))) == ["1", "3"]
    assert names(database) == ["a"]


def test_whoever_writes_is_met_with_the_talk_and_a_repeat_is_nobody(database: Database) -> None:
    person = known(database)
    with database.once() as session:
        row, met = arrive(session, *WHO, "1", "alin", "text", {})
        assert row is not None and met is not None
        assert (met.person.id, met.door.person_id, met.door.sender) == (person, person, "alin")
        met.state.runs.append(Run("registration", {"a": 1}))
        leave(session, row, met, person, {"text": "好"}, "passive")
    with database.once() as session:
        assert arrive(session, *WHO, "1", "alin", "text", {}) == (None, None)
        row, met = arrive(session, *WHO, "2", "alin", "text", {})
        assert row is not None and met is not None
        assert [run.dialogue for run in met.state.runs] == ["registration"]
        stored = inbox.stored(session, *WHO, "1")
        assert stored is not None and (stored.reply, stored.door, stored.person_id) == (
            {"text": "好"},
            "passive",
            person,
        )
    with database.once() as session:
        row, met = arrive(session, *WHO, "3", "somebody new", "text", {})
        assert row is not None and met is None


def test_a_door_that_had_closed_is_open_again_and_what_was_held_may_go(database: Database) -> None:
    person = known(database)
    with database.write() as session:
        outbox.enqueue(session, person, "reply", {"text": "x"}, unique_key="k")
        session.execute(text("UPDATE outbox SET state = 'held'"))
        session.execute(text("UPDATE door SET blocked_at = last_in_at"))
    with database.once() as session:
        arrive(session, *WHO, "1", "alin", "text", {})
    with database.read() as session:
        assert session.exec(select(Door.blocked_at)).all() == [None]
        assert session.exec(select(OutboxMessage.state)).all() == ["waiting"]


def test_a_talk_that_went_away_under_its_turn_is_not_saved_into_nothing(database: Database) -> None:
    known(database)
    with pytest.raises(LookupError), database.once() as session:
        row, met = arrive(session, *WHO, "1", "alin", "text", {})
        assert row is not None and met is not None
        session.execute(text("DELETE FROM conversation"))
        leave(session, row, met, met.person.id, None, "none")


@on_postgresql
def test_whoever_waited_for_the_door_meets_the_talk_as_the_other_copy_left_it(database: Database) -> None:
    person = known(database)
    seen: list[list[str]] = []

    def second() -> None:
        with database.once() as session:
            _row, met = arrive(session, *WHO, "2", "alin", "text", {})
            assert met is not None
            seen.append([run.dialogue for run in met.state.runs])

    with database.once() as session:
        row, met = arrive(session, *WHO, "1", "alin", "text", {})
        assert row is not None and met is not None
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.3)  # until it waits for the door
        met.state.runs.append(Run("registration", {}))
        leave(session, row, met, person, None, "none")
    other.join(10)
    assert seen == [["registration"]]


def waiting_reply(database: Database, person: str, key: str) -> None:
    with database.write() as session:
        outbox.enqueue(session, person, "reply", {"text": "x"}, unique_key=key)


def test_no_reply_is_given_at_once_before_an_earlier_one_that_still_waits(database: Database) -> None:
    person, doors = known(database), []
    for number, key in enumerate(("", "a", "")):
        if key:
            waiting_reply(database, person, key)
        with database.once() as session:
            row, met = arrive(session, *WHO, str(number), "alin", "text", {})
            assert row is not None and met is not None
            doors.append(leave(session, row, met, person, {"text": "好"}, "passive", in_order=True))
        if key:
            with database.write() as session:
                session.execute(text("UPDATE outbox SET state = 'sent'"))
    assert doors == ["passive", "outbox", "passive"]
    with database.read() as session:
        assert list(session.exec(select(InboxMessage.door).order_by(InboxMessage.key))) == doors


def test_order_is_asked_for_where_no_talk_is_saved_too(database: Database) -> None:
    person, other = known(database), known(database, "other")
    waiting_reply(database, person, "a")
    with database.once() as session:
        row = inbox.enter(session, *WHO, "1", "alin", "text", {})
        assert row is not None
        assert finish(session, row, other, {"text": "好"}, "passive", in_order=True) == "passive"
        assert finish(session, row, person, {"text": "好"}, "passive", in_order=False) == "passive"
        assert finish(session, row, person, {"text": "好"}, "passive", in_order=True) == "outbox"


@on_postgresql
def test_whoever_waited_for_the_door_goes_behind_the_reply_that_came_meanwhile(database: Database) -> None:
    person = known(database)
    left: list[str] = []

    def second() -> None:
        with database.once() as session:
            row, met = arrive(session, *WHO, "2", "alin", "text", {})
            assert row is not None and met is not None
            left.append(leave(session, row, met, person, {"text": "二"}, "passive", in_order=True))

    with database.once() as session:
        row, met = arrive(session, *WHO, "1", "alin", "text", {})
        assert row is not None and met is not None
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.3)  # until it waits for the door
        leave(session, row, met, person, {"text": "一"}, "outbox")
        outbox.enqueue(session, person, "reply", {"text": "一"}, unique_key="a")
    other.join(10)
    assert left == ["outbox"]


@on_postgresql
def test_a_connection_that_died_while_nobody_used_it_is_made_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Database(database.url.render_as_string(hide_password=False), database.vault, database.clock, durable=False)
    asked = text("SELECT pg_backend_pid()")
    with mine.once() as session:
        process = session.execute(asked).scalar_one()
    with mine.once() as session:
        assert session.execute(asked).scalar_one() == process, "one turn follows the other on the same connection"
    with database.write() as session:
        session.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
    time.sleep(0.2)
    monkeypatch.setattr("models.database.IDLE_SECONDS", 0.1)
    with mine.once() as session:
        assert session.execute(asked).scalar_one() != process
    mine.dispose()


@pytest.mark.parametrize("words", ["SELECT nonsense", "SELECT 1 +", "SELECT * FROM nothing"])
def test_a_statement_that_is_wrong_is_no_database_that_is_away(database: Database, words: str) -> None:
    with pytest.raises(SQLAlchemyError) as wrong, database.once() as session:
        session.execute(text(words))
    assert not is_away(wrong.value)
    assert is_away(DatabaseAway("gone"))
