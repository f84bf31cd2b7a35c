"""一户不落 as a one-time page, and as the operator's list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlmodel import select

from handlers import household_page
from models.audit import AuditEntry
from models.database import Database
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.guarded import app as app
from tests.guarded import web as web
from tests.ledger_files import person
from tests.people import alin as alin
from tests.people import end_role, follow, grant
from tests.people import specialist as specialist
from tests.test_households import six as six
from tests.test_ledger_import import COUNTY, brought

SECRETS = ("某某路", "138000000", "440106", "多重", "智力", "13900000000", "某某")


def looks(database: Database) -> int:
    with database.read() as session:
        return len(session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all())


def page_of(chat: Chat, *presses: str) -> str:
    chat.say("一户不落")
    for label in (*presses, "在网页上看全部"):
        chat.press(label)
    return chat.said.links[0].url.removeprefix("https://nuanyang.example")


async def test_the_page_shows_names_after_a_press_and_notes_each_minor_once(
    web: TestClient[Any, Any], database: Database, specialist: Chat, six: None, clock: StoppedClock
) -> None:
    path = page_of(specialist)
    closed = await web.get(path)
    assert (closed.status, "测甲" in await closed.text()) == (200, False)
    assert looks(database) == 0, "a preview reads nothing"
    answer = await web.post(path, data={})
    words = await answer.text()
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    for number in range(6):
        assert person(number)["姓名"] in words
    assert looks(database) == 6
    assert not any(secret in words for secret in SECRETS)
    assert words.count("<caption") == words.count("<table") == 6
    assert words.count('scope="row"') == 6
    clock.pass_time(timedelta(minutes=31))
    assert (await web.post(path, data={})).status == 404


async def test_the_page_shows_what_was_chosen_in_the_chat(
    web: TestClient[Any, Any], specialist: Chat, six: None
) -> None:
    words = await (await web.post(page_of(specialist, "有人结对：1 人"), data={})).text()
    assert [person(number)["姓名"] in words for number in range(6)] == [False, False, False, False, True, False]


async def test_the_page_is_the_place_for_names_also_for_readers_on_telegram(
    web: TestClient[Any, Any], database: Database, six: None
) -> None:
    reader = Chat(database, "2001", "telegram")
    follow(reader)
    grant(database, reader, "specialist", COUNTY)
    words = await (await web.post(page_of(reader), data={})).text()
    assert person(4)["姓名"] in words


async def test_whoever_lost_the_role_reads_nothing_there(
    web: TestClient[Any, Any], database: Database, specialist: Chat, six: None
) -> None:
    path = page_of(specialist)
    end_role(database, specialist)
    for response in (await web.get(path), await web.post(path, data={})):
        assert (response.status, "测甲" in await response.text()) == (404, False)
    assert looks(database) == 0


async def test_a_page_takes_only_so_many_and_says_so(
    web: TestClient[Any, Any], database: Database, specialist: Chat, six: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(household_page, "MOST", 2)
    words = await (await web.post(page_of(specialist), data={})).text()
    assert "只列出最急的 2 人，还有 4 人没有列出" in words
    assert person(1)["姓名"] in words, "whoever needs somebody first is on it"
    assert person(4)["姓名"] not in words
    assert looks(database) == 2


async def test_what_stands_in_a_ledger_is_text_on_the_page(
    web: TestClient[Any, Any], database: Database, specialist: Chat
) -> None:
    brought(database, [person(1, 乡镇街道="<b>五山")])
    words = await (await web.post(page_of(specialist), data={})).text()
    assert "<b>" not in words
