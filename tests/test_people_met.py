"""A process remembers nobody: what it keeps does not grow with the people whom it has met."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import weakref
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import server
from bot.platforms.telegram import Telegram
from bot.platforms.telegram_pace import Pace
from bot.receive import Receiver
from bot.spool import Spool
from config.settings import TelegramAccount
from handlers.here import Here
from models.database import Database

HERE = Here("telegram", "test", sensitive_in_chat=False, public_url="https://nuanyang.example", sure_answers=False)
MET, MORE = 150, 120  # the first ones fill what is kept once: compiled statements, words


class Crowd:
    """One new person after the other begins a talk on Telegram, a second apart, and leaves it waiting."""

    def __init__(self, database: Database, folder: Path) -> None:
        settings = TelegramAccount(
            token=SecretStr("123456:test"), secret_token=SecretStr("a-secret-of-the-test"), api_base="http://[::1]"
        )
        self.telegram = Telegram("test", settings, "https://nuanyang.example")
        self.telegram._pace = Pace(lambda: float(self.number))
        self.receiver = Receiver(
            database, Spool(folder, database.vault), lambda _inbound: HERE, answers_now=self.telegram.answers_now
        )
        self.number = 0

    async def meet(self, people: int) -> int:
        """So many come; returns how many blocks of memory are in use then."""
        for _person in range(people):
            self.number += 1
            chat = 1_000_000 + self.number
            message = {
                "message_id": 1,
                "date": 1_700_000_000,
                "chat": {"id": chat, "type": "private"},
                "from": {"id": chat, "is_bot": False, "first_name": "林", "language_code": "zh-hans"},
                "text": "注册",
            }
            raw = json.dumps({"update_id": self.number, "message": message}).encode()
            [inbound] = self.telegram.open(raw, {})
            received = await self.receiver.receive(inbound)
            assert received.reply is not None and received.reply.options, "the talk waits for an answer"
            self.telegram.render(received.reply, inbound, raw, {})
        gc.collect()
        return sys.getallocatedblocks()


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
async def test_people_whose_talk_waits_cost_no_memory(database: Database, tmp_path: Path) -> None:
    crowd = Crowd(database, tmp_path / "spool")
    before = await crowd.meet(MET)
    grown = await crowd.meet(MORE) - before
    await crowd.receiver.stop(2)
    assert grown < 2 * MORE, f"{grown} blocks more for {MORE} people: a remembered person is several"


class Ring:
    """Something that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_only_the_collector_finds_is_gone_soon_however_seldom_its_own_rounds_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "TIDY_SECONDS", 0.01)
    gone, ring = asyncio.Event(), Ring()
    weakref.finalize(ring, gone.set)
    del ring
    gc.disable()
    tidying = asyncio.create_task(server.tidy())
    try:
        await asyncio.wait_for(gone.wait(), 5)
    finally:
        tidying.cancel()
        gc.enable()
