"""kill −9 while messages go out: none is lost without a record, none is sent twice without saying so."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import time
from pathlib import Path

import pytest
from sqlmodel import select

from bot.deliver import BATCH
from handlers.message import Reply
from models.database import Database
from models.outbox import CAMPAIGN, REMINDER, OutboxMessage, enqueue
from models.person import open_door
from models.vault import Vault
from tests.conftest import TEST_KEY
from tests.faults.player import ACCOUNT, AGAIN
from tests.faults.world import Copy, own_database, playing

SMALL, FULL = (160, 2, (0.3, 1.2)), (10_000, 100, (0.3, 2.0))  # receivers, kills, seconds alive


def fill(database: Database, people: int) -> None:
    """Everybody is owed one message: a quarter are reminders, which are sent once more where it is uncertain; the
    others are campaigns, which never are. Nobody has quiet hours, whatever time it is now."""
    for begin in range(0, people, 500):
        with database.write() as session:
            for number in range(begin, min(begin + 500, people)):
                platform = ("wechat", "telegram")[number % 2]
                sender = f"o{number:027d}" if number % 2 == 0 else str(7_000_000_000 + number)
                _door, person = open_door(session, platform, ACCOUNT, sender, "zh_CN", zone="Asia/Shanghai")
                person.quiet_from = person.quiet_until = time(0, 0)
                session.add(person)
                session.flush()
                words = f"message-{number:05d}-"
                priority = REMINDER if number % 4 == 0 else CAMPAIGN
                enqueue(session, person.id, "reply", Reply(words).as_json(), unique_key=words, priority=priority)


def states(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {row[0]: row[1] for row in session.exec(select(OutboxMessage.unique_key, OutboxMessage.state))}


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize(
    ("kind", "size", "seed"),
    [
        pytest.param("sqlite", SMALL, 20261122, id="sqlite-small"),
        pytest.param("postgresql", SMALL, 20261122, id="postgresql-small", marks=pytest.mark.long),
        pytest.param("sqlite", FULL, 1, id="sqlite-full", marks=pytest.mark.long),
        pytest.param("postgresql", FULL, 2, id="postgresql-full", marks=pytest.mark.long),
    ],
)
async def test_messages_of_a_killed_sender_are_neither_lost_nor_doubled_in_silence(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    kind: str,
    size: tuple[int, int, tuple[float, float]],
    seed: int,
) -> None:
    people, kills, alive = size
    chance = random.Random(seed)
    print(f"seed {seed}")
    with own_database(request, tmp_path, kind) as url:
        database = Database(url, Vault([TEST_KEY]), durable=False)
        fill(database, people)
        async with playing(tmp_path, seed=seed, busy=0.3) as platforms:
            copy = Copy(tmp_path, url, platforms.api)
            platforms.begin(copy.base)
            try:
                while copy.kills < kills and {"waiting", "sending"} & set(states(database).values()):
                    await copy.start()
                    await asyncio.sleep(chance.uniform(*alive))
                    await copy.kill()
                await copy.start()
                async with asyncio.timeout(people / 20 + 60):
                    while {"waiting", "sending"} & set(states(database).values()):  # noqa: ASYNC110 another process
                        await asyncio.sleep(0.5)
            finally:
                await copy.kill()
            platforms.end()
            calls: dict[str, int] = (await platforms.result())["calls"]
        ended = states(database)
        database.dispose()
    plain = Counter({words: times for words, times in calls.items() if not words.startswith(AGAIN)})
    marked = {words.removeprefix(AGAIN).strip() for words in calls if words.startswith(AGAIN)}
    uncertain = {words for words, state in ended.items() if state == "uncertain"}
    print(f"kills {copy.kills}, uncertain {len(uncertain)}, sent again and marked {len(marked)}")
    assert set(ended.values()) <= {"sent", "uncertain"}, Counter(ended.values())
    assert copy.kills > min(kills, 3)
    assert {words for words, times in plain.items() if times > 1} == set(), "doubled"
    assert {words for words in ended if words not in plain and words not in marked} <= uncertain, (
        "lost without a record"
    )
    assert {words for words in marked if words in uncertain} == set()
    assert len(uncertain) + len(marked) <= copy.kills * BATCH
