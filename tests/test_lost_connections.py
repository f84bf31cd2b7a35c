"""A PostgreSQL connection that dies in the middle of a turn: nothing said is lost, whatever statement it met."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

import bot.hearing
import handlers.turn
import models.carded
from bot.receive import Receiver
from bot.spool import Spool
from handlers.here import Here
from handlers.message import Inbound
from models import inbox
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.vault import Vault
from tests.conftest import START

# SQLite has no connection that could be lost.
pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
WHERE = {
    "arrive": (bot.hearing, "arrive"),
    "lock": (handlers.turn, "lock"),
    "release": (models.carded, "release_held"),
    "save": (handlers.turn, "save"),
    "finish": (inbox, "finish"),
}
CRY = Inbound("wechat", "test", "7", "k1", "text", START, text="救命，有人打我")


def kill(database: Database, session: Session) -> None:
    """End the session's server process, as a fail-over would."""
    process = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with database.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
        other.commit()
    time.sleep(0.2)


@pytest.fixture(params=list(WHERE))
def killed_once(request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first turn loses its connection just before this statement."""
    module, name = WHERE[request.param]
    real: Callable[..., Any] = getattr(module, name)
    left = [True]

    def wrapped(session: Session, *more: Any, **named: Any) -> Any:
        if left:
            left.pop()
            kill(database, session)
        return real(session, *more, **named)

    monkeypatch.setattr(module, name, wrapped)


@pytest.fixture
def receiver(database: Database, vault: Vault, tmp_path: Path) -> Receiver:
    spool = Spool(tmp_path / "spool", vault)
    spool.open()
    return Receiver(database, spool, lambda inbound: Here(inbound.platform, inbound.account))


def entered(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [(row.key, row.state) for row in session.exec(select(InboxMessage))]


async def test_a_live_message_is_answered_and_waits_in_the_spool(
    killed_once: None, database: Database, receiver: Receiver
) -> None:
    received = await receiver.receive(CRY)
    assert received.spooled or received.reply is not None
    assert received.reply is not None, "the numbers to call need no database"
    receiver._away_until = 0
    assert await receiver.replay() == 1
    assert entered(database) == [("k1", "done")]
    await receiver.stop(2)


async def test_a_replay_keeps_its_file_and_comes_again(
    killed_once: None, database: Database, receiver: Receiver
) -> None:
    receiver._spool.put(CRY)
    assert await receiver.replay() == 0
    assert await receiver.replay() == 1
    assert entered(database) == [("k1", "done")]
    assert list(receiver._spool.folder.iterdir()) == []
    await receiver.stop(2)


def test_the_end_of_a_lost_session_is_the_database_being_away(database: Database) -> None:
    with pytest.raises(DatabaseAway), database.write() as session:
        session.connection()
        kill(database, session)
        inbox.enter(session, "wechat", "test", "k2", "7", "text", {"a": 1})
    with database.write() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
