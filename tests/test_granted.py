"""What people allow us to send is kept, once for each event, and goes with them."""

from __future__ import annotations

import pytest
from sqlmodel import select

from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models.channel import ChannelGrant
from models.database import Database, now_of
from models.erasure import delete_person
from models.person import Person
from tests.chatting import Chat
from tests.people import follow, unfollow


def told(database: Database, event: str, sender: str = "alin") -> None:
    with database.write() as session:
        inbound = Inbound("wechat", "test", sender, "k", "other", now_of(session), text=event)
        assert turn(session, inbound, Here("wechat", "test")) == (None, None)


def grants(database: Database, still: bool = True) -> list[str]:
    with database.read() as session:
        rows = session.exec(select(ChannelGrant)).all()
        return sorted(row.subject for row in rows if (row.ended_at is None) == still)


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    follow(chat)
    return chat


def test_each_template_that_was_allowed_may_be_used_once(database: Database, alin: Chat) -> None:
    told(database, "subscribe_msg_popup_event T1=accept T2=reject")
    told(database, "subscribe_msg_popup_event T1=accept T3=accept")
    assert grants(database) == ["T1", "T1", "T3"]
    told(database, "subscribe_msg_change_event T1=reject")
    assert grants(database) == ["T3"] and grants(database, still=False) == ["T1", "T1"]


@pytest.mark.parametrize(
    "event",
    ["subscribe_msg_sent_event T1=success", "templatesendjobfinish 1 success", "", "subscribe_msg_popup_event ="],
)
def test_receipts_and_nonsense_allow_nothing(database: Database, alin: Chat, event: str) -> None:
    told(database, event)
    told(database, "subscribe_msg_popup_event T1=accept", sender="stranger")
    assert grants(database) == []


def test_permissions_go_with_who_leaves_and_with_who_deletes_their_data(database: Database, alin: Chat) -> None:
    told(database, "subscribe_msg_popup_event T1=accept")
    with database.write() as session:
        delete_person(session, session.get_one(Person, alin.person().id))
    assert grants(database) == []
    told(database, "subscribe_msg_popup_event T1=accept")
    assert grants(database) == ["T1"]
    unfollow(database, alin)
    assert grants(database) == []
