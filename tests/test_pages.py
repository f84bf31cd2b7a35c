"""One-time pages through HTTP: a sensitive answer counts once, and nothing of it stays in chat or browser."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlmodel import select

from bot.app import App
from handlers import menu
from handlers.dialogue import Ask, Dialogue, Invalid, Talk
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.page import issue_page
from models.person import Person, door_of, open_door
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.guarded import KEEP_OUT, SECRET, Facts, done, perform, post
from tests.guarded import app as app
from tests.guarded import web as web


@pytest.fixture
def chat(database: Database) -> Chat:
    made = Chat(database, "4242", "telegram")
    made.act("menu", menu="check_in")
    return made


def path_of(chat: Chat) -> str:
    (link,) = chat.said.links
    return link.url.removeprefix("https://nuanyang.example")


def newest(database: Database) -> tuple[str, str]:
    """Text and page of the last reply that waits in the outbox."""
    with database.read() as session:
        row = session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all()[-1]
    assert row.params_sealed is not None
    plain = database.vault.open_json("outbox.params_sealed", row.id, row.params_sealed)
    links = [url for url, _label in plain["links"]]
    return plain["text"], links[0].removeprefix("https://nuanyang.example") if links else ""


async def test_a_sensitive_question_is_answered_on_its_page_once(
    web: TestClient[Any, Any], chat: Chat, database: Database
) -> None:
    path = path_of(chat)
    shown = await web.get(path)
    assert shown.status == 200
    words = await shown.text()
    assert "监护人姓名？" in words
    status, words = await post(web, path, "李")
    assert status == 422
    assert "请写两个字以上，例如 李雷。" in words
    assert (await web.get(path)).status == 200, "a wrong answer does not use the page up"
    status, words = await post(web, path, SECRET)
    assert status == 200
    assert SECRET not in words
    assert (await web.get(path)).status == 404
    for again in (SECRET, "韩梅梅"):
        assert (await post(web, path, again))[0] == 404
    text, following = newest(database)
    assert "什么关系？" in text
    assert SECRET not in text
    assert following != path
    with database.read() as session:
        answers = session.exec(select(InboxMessage).where(InboxMessage.kind == "page")).all()
    assert len(answers) == 1


async def test_two_sensitive_questions_in_a_row_each_have_a_page_that_works(
    web: TestClient[Any, Any], chat: Chat, database: Database
) -> None:
    assert (await post(web, path_of(chat), SECRET))[0] == 200
    _text, second = newest(database)
    shown = await (await web.get(second)).text()
    assert re.findall(r'value="([^"]*)"', shown) == ["父母（一方）", "其他"]
    assert (await post(web, second, "表姐"))[0] == 422
    assert (await post(web, second, "父母（一方）"))[0] == 200
    _text, third = newest(database)
    assert (await post(web, third, "跳过"))[0] == 200
    assert done == [(SECRET, "p", None)]
    assert newest(database)[0] == "都记下了。"


async def test_an_answer_that_the_rules_refuse_is_asked_for_on_a_new_page(
    web: TestClient[Any, Any], chat: Chat, database: Database
) -> None:
    for answer in (SECRET, "其他", "再来"):
        path = path_of(chat) if answer == SECRET else newest(database)[1]
        assert (await post(web, path, answer))[0] == 200
    text, again = newest(database)
    assert text.startswith("这个说明不行。")
    assert (await post(web, again, "好的"))[0] == 200
    assert done == [(SECRET, "o", "再来"), (SECRET, "o", "好的")]


async def test_both_of_two_pages_for_one_question_lead_to_one_answer(web: TestClient[Any, Any], chat: Chat) -> None:
    first = path_of(chat)
    chat.act("media", media_kind="sticker")
    second = path_of(chat)
    assert first != second
    assert (await post(web, first, SECRET))[0] == 200
    assert (await web.get(second)).status == 404
    assert (await post(web, second, "韩梅梅"))[0] == 404


async def test_a_page_is_gone_when_its_time_is_over_its_talk_ended_or_its_door_is_somebody_elses(
    web: TestClient[Any, Any], chat: Chat, database: Database, clock: StoppedClock
) -> None:
    path = path_of(chat)
    chat.say("取消")
    assert (await web.get(path)).status == 404
    assert (await post(web, path, SECRET))[0] == 404
    chat.act("menu", menu="check_in")
    path = path_of(chat)
    with database.write() as session:
        _other, stranger = open_door(session, "telegram", "test", "1", "zh_CN", zone="Asia/Shanghai")
        door = door_of(session, "telegram", "test", "4242")
        assert door is not None
        mine, door.person_id = door.person_id, stranger.id
        session.add(door)
    assert (await web.get(path)).status == 404
    assert (await post(web, path, SECRET))[0] == 404, "the answer would reach the wrong person's talk"
    with database.write() as session:
        door = door_of(session, "telegram", "test", "4242")
        assert door is not None
        door.person_id = mine
        session.add(door)
    clock.pass_time(timedelta(minutes=29))
    assert (await web.get(path)).status == 200
    clock.pass_time(timedelta(minutes=1))
    assert (await web.get(path)).status == 404
    assert (await post(web, path, SECRET))[0] == 404
    assert done == []


async def test_every_page_keeps_out_of_caches_frames_and_search_engines(
    web: TestClient[Any, Any], chat: Chat, database: Database
) -> None:
    path = path_of(chat)
    with database.write() as session:
        data = issue_page(session, chat.person().id, "data", {})
    for answer in (
        await web.get(path),
        await web.post(path, data={"answer": "李"}),
        await web.get("/p/" + "x" * 22),
        await web.get(f"/p/{data}"),
        await web.post(path, data={"answer": SECRET}),
    ):
        for name, value in KEEP_OUT.items():
            assert answer.headers[name] == value, (answer.status, name)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "base-uri 'none'" in policy
        words = await answer.text()
        assert "<script" not in words
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', words), "nothing from elsewhere"


async def test_what_was_typed_cannot_become_markup(
    web: TestClient[Any, Any], chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(words: str) -> str:
        raise Invalid(f"没看懂 {words}")

    hostile = Dialogue(
        "guarded",
        Facts,
        lambda session, person: Facts(),
        lambda facts: iter_ask(Ask("name", "<b>问题</b>", check=echo, sensitive=True)),
        perform,
    )
    monkeypatch.setitem(menu.DIALOGUES, "guarded", hostile)
    status, words = await post(web, path_of(chat), "<script>alert(1)</script>")
    assert status == 422
    assert "<script" not in words
    assert "&lt;script&gt;" in words
    assert "<b>" not in words


def iter_ask(ask: Ask) -> Talk:
    return (yield ask)


async def test_a_page_speaks_the_language_of_its_person(
    web: TestClient[Any, Any], chat: Chat, database: Database
) -> None:
    with database.write() as session:
        person = session.get_one(Person, chat.person().id)
        person.language = "en"
        session.add(person)
    words = await (await web.get(path_of(chat))).text()
    assert '<html lang="en">' in words


async def test_while_the_database_is_away_a_page_says_so_and_keeps_its_answer_open(
    web: TestClient[Any, Any], chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(chat)

    @contextmanager
    def away(_database: Database) -> Any:
        raise DatabaseAway("test")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", away)
        patch.setattr(Database, "read", away)
        for answer in (await web.get(path), await web.post(path, data={"answer": SECRET})):
            assert answer.status == 503
            assert answer.headers["Cache-Control"] == "no-store"
            assert SECRET not in await answer.text()
    assert (await post(web, path, SECRET))[0] == 200


async def test_an_outage_between_check_and_turn_keeps_the_answer_and_counts_it_once(
    web: TestClient[Any, Any], app: App, chat: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, transact = path_of(chat), app.receiver.transact

    def away(*_anything: Any, **_more: Any) -> Any:
        raise DatabaseAway("test")

    monkeypatch.setattr(app.receiver, "transact", away)
    assert (await post(web, path, SECRET))[0] == 200
    monkeypatch.setattr(app.receiver, "transact", transact)
    while app.spool.waiting:
        await app.receiver.replay()
    assert "什么关系？" in newest(database)[0]
    assert (await post(web, path, SECRET))[0] == 404


async def test_where_no_page_can_be_offered_the_person_is_told_where_to_go(database: Database, app: App) -> None:
    from handlers.here import Here
    from handlers.message import Inbound
    from handlers.turn import turn

    with database.write() as session:
        inbound = Inbound("telegram", "test", "9", "1", "menu", database.clock.now(), menu="check_in")
        reply, _person = turn(session, inbound, Here("telegram", "test", sensitive_in_chat=False))
    assert reply is not None
    assert "微信" in reply.text
    assert reply.links == ()
