"""A house under attack over real HTTP, and what it may not have done in the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import func, select
from structlog.testing import capture_logs

from models.conversation import Conversation
from models.database import Database
from models.inbox import InboxMessage
from tests.hostility import House
from tests.phones import AES_KEY, APPID, BOT_SECRET, TOKEN, Exchange, Stage
from tests.platforms.wechat_player import envelope, seal, sha1

SECRET = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
AT_ONCE = 8


class Siege:
    """A house under attack, and what it may not have done in the end."""

    def __init__(self, house: House, http: aiohttp.ClientSession, database: Database) -> None:
        self.house, self.http, self.database = house, http, database
        self.answers: Counter[int] = Counter()
        self.number = 70_000_000

    def next(self) -> int:
        self.number += 1
        return self.number

    async def post(self, path: str, body: bytes, label: str, **more: Any) -> tuple[int, bytes]:
        async with self.http.post(f"http://127.0.0.1:{self.house.port}{path}", data=body, **more) as answer:
            content = await answer.read()
            self.answers[answer.status] += 1
            assert answer.status < 500, f"{label}: {answer.status}"
            return answer.status, content

    async def wechat(self, xml: bytes, label: str, **more: Any) -> tuple[int, bytes]:
        """A message as WeChat sends it: sealed and signed with the account's own keys."""
        sealed = seal(xml, key=AES_KEY, appid=APPID)
        return await self.post("/wechat/test", envelope(sealed), label, params=signed(sealed, **more))

    async def telegram(self, update: bytes, label: str) -> tuple[int, bytes]:
        return await self.post("/telegram/test", update, label, headers=SECRET)

    def count(self, *where: Any) -> int:
        with self.database.read() as session:
            return int(session.exec(select(func.count()).select_from(InboxMessage).where(*where)).one())

    def revisions(self, *people: str) -> list[int]:
        with self.database.read() as session:
            return list(session.exec(select(Conversation.revision).order_by(Conversation.person_id)))


def signed(sealed: str, *, token: str = TOKEN, at: float | None = None, nonce: str = "n0nce") -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "signature": sha1(token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "encrypt_type": "aes",
        "msg_signature": sha1(token, timestamp, nonce, sealed),
    }


@pytest.fixture
async def siege(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Siege]:
    exchange = Exchange()
    await exchange.server.start_server()
    app = Stage(database, tmp_path / "spool", exchange).app()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        async with House(app, monkeypatch) as house, aiohttp.ClientSession(connector=connector) as http:
            made = Siege(house, http, database)
            yield made
            aside = made.count(InboxMessage.state == "aside")
            ends = time.monotonic() + 20  # what was late on a busy machine leaves the spool by itself
            while (spooled := sum(app.spool.waiting.values())) and time.monotonic() < ends:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    await exchange.server.close()
    wrong = [line for line in logs if line["log_level"] in ("error", "critical")]
    assert not wrong, f"{len(wrong)} errors logged, the first: {wrong[0]}"
    loud = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not loud, loud[:3]
    assert not house.unhandled, house.unhandled[:3]
    assert not house.slow, f"callbacks over 50 ms of CPU: {house.slow[:5]}"
    why = Counter(line["why"] for line in logs if line["event"] == "spooled")
    assert (aside, spooled) == (0, 0), why
    assert made.answers.total() > 0


async def volley(case: Callable[[int], Awaitable[Any]], cases: int) -> list[Any]:
    """Every number once, some at a time, as a platform does."""
    numbers, found = iter(range(cases)), []

    async def one() -> None:
        for number in numbers:
            found.append(await case(number))

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return found
