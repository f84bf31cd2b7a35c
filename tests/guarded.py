"""A talk whose every question is asked on a page, and the app that serves its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel
from sqlmodel import Session

from bot.app import App
from handlers import menu
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.message import Reply
from models.database import Database
from models.person import Person
from tests.phones import Exchange, Stage

SECRET = "李雷一号"
KEEP_OUT = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class Facts(BaseModel):
    """Nothing is known beforehand."""


def two_characters(words: str) -> str:
    if len(words) < 2:
        raise Invalid("请写两个字以上，例如 李雷。")
    return words


def talk(facts: Facts) -> Talk:
    name = yield Ask("name", "监护人姓名？", check=two_characters, sensitive=True)
    kin = yield Ask("kin", "什么关系？", choices=(Choice("p", "父母（一方）"), Choice("o", "其他")), sensitive=True)
    why = yield Ask("why", "说明？", check=two_characters, sensitive=True, skippable=True)
    return (name, kin, why)


done: list[Any] = []


def perform(session: Session, person: Person, command: Any) -> Reply:
    done.append(command)
    if command[2] == "再来":
        raise Refused("why", "这个说明不行。")
    return Reply("都记下了。")


GUARDED = Dialogue("guarded", Facts, lambda session, person: Facts(), talk, perform)


@pytest.fixture
async def app(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    done.clear()
    monkeypatch.setitem(menu.DIALOGUES, "guarded", GUARDED)
    monkeypatch.setitem(menu.ENTRIES, "check_in", menu.Entry("check_in", "试", GUARDED))
    exchange = Exchange()
    await exchange.server.start_server()
    made = Stage(database, tmp_path / "spool", exchange).app()
    yield made
    await exchange.server.close()


@pytest.fixture
async def web(app: App) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(app.web)) as client:
        yield client


async def post(web: TestClient[Any, Any], path: str, answer: str) -> tuple[int, str]:
    response = await web.post(path, data={"answer": answer})
    return response.status, await response.text()
