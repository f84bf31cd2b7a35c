"""An unfollow that comes late, after the person has come back: its delivery failed, or it lay in a spool."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from bot.hearing import Hearing
from handlers.message import Inbound
from models.conversation import Conversation
from models.database import Database
from models.inbox import InboxMessage
from models.outbox import OutboxMessage, enqueue
from models.person import Door
from tests.conftest import START
from tests.incoming import place, rows


class Person:
    """Says what, and when by the platform's clock, in the order in which it arrives here."""

    def __init__(self, database: Database) -> None:
        self.hearing = Hearing(database, place, lambda inbound: True, lambda key: False)
        self.count = 0

    def __call__(self, kind: Any, at: int, text: str = "") -> None:
        self.count += 1
        sent = START + timedelta(seconds=at)
        self.hearing.alone(Inbound("wechat", "test", "alin", f"{self.count}", kind, sent, text=text), True)


@pytest.fixture
def alin(database: Database) -> Person:
    return Person(database)


def test_an_unfollow_from_before_they_came_back_takes_nothing_away(alin: Person, database: Database) -> None:
    """The link to a present follower was cut, and their messages were withdrawn."""
    alin("follow", 0)
    alin("unfollow", 10)
    alin("follow", 40)
    (door,) = rows(database, Door)
    with database.write() as session:
        enqueue(session, door.person_id, "reply", {"text": "x"}, unique_key="x")
    alin("unfollow", 30)
    assert [one.id for one in rows(database, Door)] == [door.id]
    assert [row.state for row in rows(database, OutboxMessage)] == ["waiting"]
    assert len(rows(database, Conversation)) == 1
    with database.read() as session:
        kept = session.exec(select(InboxMessage).where(InboxMessage.key == "3")).one()
    assert kept.payload_sealed is not None and kept.sender == "alin", "nor what they have said since"


def test_words_of_a_follower_show_as_well_that_they_are_back(alin: Person, database: Database) -> None:
    alin("follow", 0)
    alin("text", 50, "你好")
    alin("unfollow", 30)
    assert len(rows(database, Door)) == 1


def test_an_unfollow_after_everything_they_said_counts_however_late_it_comes(alin: Person, database: Database) -> None:
    alin("follow", 0)
    alin("text", 50, "你好")
    alin("other", 90, "a template was not delivered")
    alin("unfollow", 50)
    assert rows(database, Door) == []


def test_what_was_said_before_they_left_and_comes_late_is_no_return(alin: Person, database: Database) -> None:
    alin("follow", 20)
    alin("text", 5, "你好")
    alin("unfollow", 30)
    assert rows(database, Door) == []
    alin("follow", 40)
    alin("unfollow", 41)
    assert rows(database, Door) == [], "and who leaves again has left"
