"""An organiser with a page for a ledger, and what a browser does there."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import FormData
from aiohttp.test_utils import TestClient

from models.database import Database
from scheduler.jobs import finish_imports
from tests.chatting import PUBLIC, Chat
from tests.people import follow, grant

COUNTY = "440106"


def organiser(database: Database, scope: str = COUNTY, platform: str = "wechat", sender: str = "boss") -> Chat:
    chat = Chat(database, sender if platform == "wechat" else "7001", platform)
    follow(chat)
    grant(database, chat, "organiser", scope)
    return chat


def page_for(chat: Chat, how: str = "整本台账") -> str:
    """The way in by chat; returns the path of the page."""
    chat.say("台账")
    chat.press("导入台账")
    chat.press(how)
    return path(chat)


def path(chat: Chat) -> str:
    (link,) = chat.said.links
    return link.url.removeprefix(PUBLIC)


async def send(web: TestClient[Any, Any], path: str, data: bytes, name: str = "台账.csv") -> tuple[int, str]:
    """Send a file as a browser does; returns what the page says when it has nothing more to do."""
    form = FormData()
    form.add_field("file", data, filename=name, content_type="application/octet-stream")
    answer = await web.post(path, data=form, allow_redirects=False)
    if answer.status != 303:
        return answer.status, await answer.text()
    return await settled(web, path)


async def settled(web: TestClient[Any, Any], path: str) -> tuple[int, str]:
    for _time in range(400):
        answer = await web.get(path)
        if "Refresh" not in answer.headers:
            return answer.status, await answer.text()
        await asyncio.sleep(0.02)
    raise AssertionError("the page works for ever")


async def press(web: TestClient[Any, Any], path: str, do: str, database: Database, **more: str) -> tuple[int, str]:
    """Press a button, let the jobs run, and look at the page."""
    answer = await web.post(path, data={"do": do, **more}, allow_redirects=False)
    if answer.status != 303:
        return answer.status, await answer.text()
    await asyncio.to_thread(finish_imports, database)
    return await settled(web, path)


def figure(words: str, name: str) -> int:
    """The number beside a word on the page of a result."""
    found = re.search(rf"<dt>{name}</dt><dd>(\d+)</dd>", words)
    assert found, name
    return int(found[1])
