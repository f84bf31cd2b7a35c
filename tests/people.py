"""People of the tests: followers, volunteers, specialists, and what they do to their doors and roles."""

from __future__ import annotations

import pytest
from sqlmodel import col, delete

from models.database import Database, now_of
from models.erasure import leave
from models.outbox import OutboxMessage
from models.person import door_of
from models.role import RoleGrant, grants
from tests.chatting import Chat


def code_in(text: str) -> str:
    """The one code in a message."""
    found = [word for word in text.replace("：", " ").split() if len(word) == 8 and word.isalnum() and word.isascii()]
    assert found, text
    return found[-1]


def get_code(chat: Chat) -> str:
    chat.say("绑定")
    chat.press("在这里拿一个绑定码")
    return code_in(chat.said.text)


def bind(asks: Chat, types: Chat) -> str:
    types.say(f"绑定 {get_code(asks)}")
    return types.press("是我的，绑定")


def follow(chat: Chat) -> str:
    return chat.act("follow")


def unfollow(database: Database, chat: Chat, *, told: bool = False) -> None:
    """They leave. `told` = what whoever is responsible hears of it waits; else it is long gone."""
    with database.write() as session:
        door = door_of(session, chat.platform, "test", chat.sender)
        assert door is not None
        leave(session, door)
        if not told:
            session.execute(delete(OutboxMessage).where(col(OutboxMessage.kind) == "notice.unreachable"))


def grant(database: Database, chat: Chat, role: str, scope: str, kind: str = "region") -> None:
    with database.write() as session:
        row = RoleGrant(
            person_id=chat.person().id,
            role=role,
            scope_kind=kind,
            scope=scope,
            granted_by="machine",
            granted_at=now_of(session),
        )
        session.add(row)


def two_on_duty(database: Database) -> tuple[Chat, Chat]:
    """The specialist of 广州天河, and an organiser of the province."""
    near, boss = Chat(database, "near"), Chat(database, "boss")
    for chat, role, scope in ((near, "specialist", "440106"), (boss, "organiser", "44")):
        follow(chat)
        grant(database, chat, role, scope)
    return near, boss


def end_role(database: Database, chat: Chat) -> None:
    """The one role that they hold."""
    with database.write() as session:
        (held,) = grants(session, chat.person().id)
        held.ended_at = now_of(session)
        session.add(held)


@pytest.fixture
def alin(database: Database) -> Chat:
    """A registered volunteer of 广州天河."""
    chat = Chat(database)
    chat.register()
    return chat


@pytest.fixture
def specialist(database: Database) -> Chat:
    """Who is responsible for 广州天河."""
    chat = Chat(database, "specialist")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat
