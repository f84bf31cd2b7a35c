"""Pages that show something: a person's own data, a message, a cry for help, a guardian's code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp.test_utils import TestClient
from sqlmodel import select

from models.audit import AuditEntry
from models.database import Database
from models.page import issue_page
from models.role import RoleGrant
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.guarded import KEEP_OUT, post
from tests.guarded import app as app
from tests.guarded import web as web
from tests.outgoing import deliver
from tests.people import follow, grant


def asker_with_a_specialist(database: Database) -> Chat:
    """Somebody who registered, where the one specialist reads on Telegram."""
    asker, reader = Chat(database, "w"), Chat(database, "2001", "telegram")
    asker.register()
    follow(reader)
    grant(database, reader, "specialist", "440106")
    return asker


async def test_the_data_page_shows_a_persons_own_copy_as_often_as_its_time_allows(
    web: TestClient[Any, Any], database: Database, clock: StoppedClock
) -> None:
    chat = Chat(database, "w")
    chat.register()
    with database.write() as session:
        token = issue_page(session, chat.person().id, "data", {})
    for _time in range(2):
        closed = await web.get(f"/p/{token}")
        # A program that follows links fetches; a person presses.
        assert (closed.status, "王小明" in await closed.text()) == (200, False)
        answer = await web.post(f"/p/{token}", data={"open": "1"})
        assert answer.status == 200
        assert "王小明" in await answer.text()
    assert (await post(web, f"/p/{token}", "x"))[0] == 200, "nothing can be answered there, so it is only shown"
    clock.pass_time(timedelta(minutes=31))
    assert (await web.get(f"/p/{token}")).status == 404


async def test_the_page_of_a_message_shows_it_after_a_press_to_whoever_may_read_it(
    web: TestClient[Any, Any], database: Database, clock: StoppedClock
) -> None:
    asker = asker_with_a_specialist(database)
    asker.say("称呼", "林哥")
    asker.say("联系专员", "<b>体育东路 12 号</b>\n第二行")
    (sent,) = deliver(database)
    assert sent.reply is not None
    path = sent.reply.links[0].url.removeprefix("https://nuanyang.example")
    for _time in range(2):
        closed = await web.get(path)
        assert (closed.status, "体育东路" in await closed.text()) == (200, False)
        answer = await web.post(path, data={})
        words = await answer.text()
        assert answer.status == 200
        assert "&lt;b&gt;体育东路 12 号&lt;/b&gt;\n第二行" in words
        assert "来自林哥" in words
        assert "我的数据" not in words
        for name, value in KEEP_OUT.items():
            assert answer.headers[name] == value
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    for gone in (await web.get(path), await web.post(path, data={})):
        assert (gone.status, "体育东路" in await gone.text()) == (404, False)
        said = await gone.text()
        assert "已经撤回、删除" in said
        assert "重新发给你" not in said, "what was taken back is not sent again"
    with database.write() as session:
        session.get_one(RoleGrant, held.id).ended_at = None
    assert (await web.get(path)).status == 200
    clock.pass_time(timedelta(hours=72))
    assert (await web.get(path)).status == 404


async def test_a_cry_for_help_told_on_telegram_is_read_on_a_page_by_whoever_deals_with_it(
    web: TestClient[Any, Any], database: Database
) -> None:
    asker = asker_with_a_specialist(database)
    asker.say("救命，他打我", "我在<b>后门</b>")
    for sent in deliver(database):
        assert sent.reply is not None
        assert "他打我" not in sent.reply.text, "nothing of it passes through Telegram"
        assert "天河" not in sent.reply.text
    path = sent.reply.links[0].url.removeprefix("https://nuanyang.example")

    def readings() -> int:
        with database.read() as session:
            return len(session.exec(select(AuditEntry).where(AuditEntry.action == "alert.read")).all())

    assert "他打我" not in await (await web.get(path)).text()
    assert readings() == 0, "a preview reads nothing"
    words = await (await web.post(path, data={})).text()
    for shown in ("救命，他打我", "&lt;b&gt;后门&lt;/b&gt;", "天河", "写了危险的话"):
        assert shown in words
    assert readings() == 1
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    assert (await web.post(path, data={})).status == 404
    assert readings() == 1


async def test_the_guardians_page_shows_what_to_type_and_a_code_to_scan(
    web: TestClient[Any, Any], database: Database
) -> None:
    chat = Chat(database, "w")
    chat.say("你好呀")
    with database.write() as session:
        token = issue_page(session, chat.person().id, "guardian", {"code": "ABCD2345", "called": "小明"})
    answer = await web.get(f"/p/{token}")
    words = await answer.text()
    assert answer.status == 200
    assert "ABCD2345" in words
    assert "小明" in words
    assert "谁负责：运行这个服务的单位还没有写明名称和联系方式。" in words
    assert "data:image/svg+xml" in words
    assert "也可以扫这个码" in words
    assert "关注微信公众号“暖阳”" in words
    assert "Telegram" not in words


async def test_the_guardians_page_of_a_child_on_telegram_names_both_ways(
    web: TestClient[Any, Any], database: Database
) -> None:
    chat = Chat(database, "t", "telegram")
    chat.say("你好呀")
    with database.write() as session:
        token = issue_page(session, chat.person().id, "guardian", {"code": "ABCD2345", "called": "小明"})
    words = await (await web.get(f"/p/{token}")).text()
    assert "微信公众号“暖阳”或 Telegram 机器人，哪个方便用哪个" in words
