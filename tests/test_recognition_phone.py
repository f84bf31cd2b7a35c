"""Whoever decides on “我以前注册过” can call: the registered number on a page, and at the machine."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestClient
from sqlmodel import select

from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models.audit import AuditEntry
from models.database import Database, now_of
from models.role import RoleGrant
from tests.chatting import PUBLIC, Chat
from tests.guarded import app as app
from tests.guarded import web as web
from tests.outgoing import deliver
from tests.people import follow, grant, unfollow
from tests.test_recognition import search


def asked(database: Database, platform: str = "wechat") -> tuple[Chat, Chat]:
    """A specialist with a request on the screen, and whoever came back."""
    specialist, back = Chat(database, "2001", platform), Chat(database, "w")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    back.register()
    unfollow(database, back)
    search(back)
    deliver(database, specialist)
    assert "选“看登记的电话”" in specialist.said.text
    return specialist, back


def path_of(chat: Chat) -> str:
    return chat.said.links[0].url.removeprefix(PUBLIC)


def readings(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        lines = session.exec(select(AuditEntry).where(AuditEntry.action == "phone.read")).all()
        return [(line.actor, line.subject) for line in lines]


async def test_the_registered_number_is_read_on_a_page_after_a_press_which_leaves_a_line(
    web: TestClient[Any, Any], database: Database
) -> None:
    specialist, _back = asked(database)
    said = specialist.press("看登记的电话")
    assert "13800138000" not in said
    assert specialist.labels() == ["是本人", "不是", "再核实", "看登记的电话"], "the choice is still to be made"
    path = path_of(specialist)
    closed = await web.get(path)
    assert (closed.status, "13800138000" in await closed.text()) == (200, False)
    assert readings(database) == [], "a preview reads nothing"
    words = await (await web.post(path, data={})).text()
    assert "13800138000" in words
    assert "写给你的话" not in words
    with database.read() as session:
        found = session.exec(select(AuditEntry).where(AuditEntry.action == "phone.read")).one()
        assert found.actor == specialist.person().id
    specialist.press("不是")
    assert (await web.post(path, data={})).status == 404, "decided: nothing is left to check"
    assert len(readings(database)) == 1


async def test_on_telegram_the_number_never_passes_through_the_chat(
    web: TestClient[Any, Any], database: Database
) -> None:
    specialist, _back = asked(database, "telegram")
    assert "13800138000" not in specialist.press("看登记的电话")
    assert "13800138000" in await (await web.post(path_of(specialist), data={})).text()


async def test_nobody_reads_the_number_whose_role_has_ended(web: TestClient[Any, Any], database: Database) -> None:
    specialist, _back = asked(database)
    specialist.press("看登记的电话")
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    assert (await web.post(path_of(specialist), data={})).status == 404
    assert readings(database) == []


def test_without_a_page_the_command_is_named(database: Database) -> None:
    specialist, _back = asked(database)
    button = next(option.id for option in specialist.said.options if option.label == "看登记的电话")
    with database.write() as session:
        press = Inbound("wechat", "test", "2001", "k", "choice", now_of(session), choice=button)
        reply, _person = turn(session, press, Here("wechat", "test", sensitive_in_chat=True))
    assert reply is not None
    assert "nuanyang recognitions --phones" in reply.text
    assert [option.label for option in reply.options][:2] == ["是本人", "不是"]
