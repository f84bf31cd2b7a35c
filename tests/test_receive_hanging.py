"""A database that neither answers nor goes away, and an update that it never takes: nobody waits for either."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from bot import drain as draining
from bot import hearing
from bot import receive as receiving
from bot.receive import Receiver
from models.database import DatabaseAway
from tests.incoming import Switch, message, until
from tests.incoming import receiver as receiver
from tests.incoming import soon as soon
from tests.incoming import switch as switch


async def test_while_every_thread_hangs_updates_go_to_the_spool_without_waiting(
    receiver: Receiver, switch: Switch, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "HANGS_AFTER", 0.5)
    switch.slow = {"慢慢说"}
    busy = [message("慢慢说", f"{number}", f"busy-{number}") for number in range(receiver._threads)]
    hang = [asyncio.create_task(receiver.receive(update)) for update in busy]
    await until(lambda: len(receiver._at_work) == receiver._threads)
    await asyncio.sleep(0.6)
    began = time.monotonic()
    received = await receiver.receive(message("菜单", "next", "somebody else"))
    assert received.reply is None and receiver._spool.is_waiting(message("", "", "somebody else"))
    assert time.monotonic() - began < 0.9, "it did not wait for its own time-out"
    switch.go.set()
    await asyncio.gather(*hang)
    await until(lambda: not receiver._at_work)
    await receiver.replay()
    assert "菜单" in switch.heard, "and it is heard when the database answers again"
    assert (await receiver.receive(message("菜单", "later", "somebody else"))).reply is not None


async def test_a_spooled_update_that_only_ever_finds_the_database_away_is_put_aside_when_it_is_not(
    receiver: Receiver, switch: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    switch.away = True
    await receiver.receive(message("毒", "1", "x"))
    await receiver.receive(message("好", "2", "y"))
    switch.away = False
    real: Any = hearing.arrive

    def poisoned(session: Session, platform: str, account: str, key: str, *rest: Any) -> Any:
        if key == "1":
            raise DatabaseAway("so it says")
        return real(session, platform, account, key, *rest)

    monkeypatch.setattr(hearing, "arrive", poisoned)
    assert await receiver.replay() == 1
    assert switch.heard == ["好"], "nobody else waits behind it"
    for _time in range(2 * draining.STUCK_TIMES):
        assert await receiver.replay() == 0
    assert receiver._spool.waiting, "the database may fail now and then"
    monkeypatch.setattr(draining, "STUCK_SECONDS", 0.0)
    await receiver.replay()
    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".aside"], "kept, out of the way"


async def test_a_spooled_update_under_which_connections_break_is_never_put_aside_for_it(
    receiver: Receiver, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that were reset for a minute, while some came through, once took 25 good updates out of the way."""
    switch.away = True
    await receiver.receive(message("好", "1", "x"))
    switch.away = False
    real: Any = hearing.arrive
    reset = OperationalError("SELECT 1", {}, psycopg.OperationalError("connection reset by peer"))

    def broken(*_given: Any) -> Any:
        raise DatabaseAway("OperationalError") from reset

    monkeypatch.setattr(hearing, "arrive", broken)
    monkeypatch.setattr(draining, "STUCK_SECONDS", 0.0)
    for _time in range(2 * draining.STUCK_TIMES):
        assert await receiver.replay() == 0
    monkeypatch.setattr(hearing, "arrive", real)
    assert await receiver.replay() == 1
    assert switch.heard == ["好"]
