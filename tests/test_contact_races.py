"""联系专员 where two copies of the process meet at one message on PostgreSQL; SQLite has one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from models.contact import ContactError, ContactMessage, answer, read_words, take_back, write
from models.contact_routes import TEAM
from models.database import Database
from models.team import Team
from tests.chatting import Chat
from tests.outgoing import ACCOUNTS, claim, deliver
from tests.pairing_world import World
from tests.people import alin as alin
from tests.people import specialist as specialist

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

Work = Callable[[Session], object]


@pytest.fixture
def message(alin: Chat, specialist: Chat, database: Database) -> str:
    alin.say("联系专员", "说错了")
    with database.read() as session:
        return session.exec(select(ContactMessage.id)).one()


def meeting(database: Database, first: Work, second: Work) -> object:
    """What the second comes to, that begins while the first has done its work and not yet ended: it must wait."""
    came: list[object] = []

    def other() -> None:
        try:
            with database.write() as session:
                came.append(second(session))
        except ContactError as cannot:
            came.append(cannot.reason)

    thread = threading.Thread(target=other)
    with database.write() as session:
        first(session)
        session.flush()
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait for the other"
    thread.join(10)
    (result,) = came
    return result


def test_what_is_opened_at_this_moment_is_not_taken_back(
    alin: Chat, specialist: Chat, message: str, database: Database
) -> None:
    asker, reader = alin.person().id, specialist.person().id
    came = meeting(database, lambda s: read_words(s, message, reader), lambda s: take_back(s, message, asker))
    assert came == "read"


def test_what_is_taken_back_at_this_moment_is_not_read(
    alin: Chat, specialist: Chat, message: str, database: Database
) -> None:
    asker, reader = alin.person().id, specialist.person().id
    assert meeting(database, lambda s: take_back(s, message, asker), lambda s: read_words(s, message, reader)) is None


def test_what_is_answered_at_this_moment_is_not_taken_back(
    alin: Chat, specialist: Chat, message: str, database: Database
) -> None:
    asker, by = alin.person().id, specialist.person().id
    came = meeting(database, lambda s: answer(s, message, by, "好的"), lambda s: take_back(s, message, asker))
    assert came == "answered"


def test_what_is_taken_back_at_this_moment_is_not_answered(
    alin: Chat, specialist: Chat, message: str, database: Database
) -> None:
    asker, by = alin.person().id, specialist.person().id
    came = meeting(database, lambda s: take_back(s, message, asker), lambda s: answer(s, message, by, "好的"))
    assert came == "gone"
    assert deliver(database, alin) == []


def test_no_other_copy_sends_what_is_taken_back_at_this_moment(alin: Chat, message: str, database: Database) -> None:
    asker = alin.person().id
    with database.write() as session:
        assert take_back(session, message, asker) is False
        assert deliver(database) == [], "sent meanwhile"
    assert deliver(database) == []


def test_what_another_copy_claims_at_this_moment_may_have_been_seen(
    alin: Chat, message: str, database: Database
) -> None:
    asker = alin.person().id
    with database.write() as sending:
        assert len(claim(sending, "other", ACCOUNTS, 10)) == 1
        with database.write() as session:
            assert take_back(session, message, asker) is True


def test_what_is_taken_back_at_this_moment_is_not_answered_by_the_teams_specialist(database: Database) -> None:
    world = World(database)
    leader, mine = world.volunteer(), world.person()
    team = world.team(leader)
    world.give_role(mine, world.one(Team, team).number, kind="team")
    row, told = world.do(write, leader, "说错了", "", TEAM + team)
    assert told == 1
    came = meeting(database, lambda s: take_back(s, row.id, leader), lambda s: answer(s, row.id, mine, "好的"))
    assert came == "gone"


def test_the_teams_specialist_and_the_countys_answer_one_after_the_other(database: Database) -> None:
    world = World(database)
    leader, mine, county = world.volunteer(), world.person(), world.specialist()
    team = world.team(leader)
    world.give_role(mine, world.one(Team, team).number, kind="team")
    row, _told = world.do(write, leader, "在吗", "", TEAM + team)
    came = meeting(database, lambda s: answer(s, row.id, mine, "在"), lambda s: answer(s, row.id, county, "在的"))
    assert isinstance(came, ContactMessage) and came.author_id == county
