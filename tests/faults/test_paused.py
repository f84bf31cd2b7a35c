"""A sender that is stopped for a while, as by a machine that sleeps or a debugger: what fell due meanwhile goes out
once, and what was under way is not sent again without saying so."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.outbox import CAMPAIGN, REMINDER, REPLY
from tests.faults import shifted
from tests.faults.report import record
from tests.faults.senders import Account, Message, Sender, judge, open_database, platforms, put, receiver, settled
from tests.faults.world import own_database

ACCOUNTS: list[Account] = [("wechat", "w"), ("telegram", "t")]
LANES = (REPLY, REMINDER, CAMPAIGN)
SMALL = (40, 2.0, 298.0)  # jobs due inside, seconds stopped, seconds by which the clocks jump meanwhile
FULL = {"1 min": (200, 60.0, 0.0), "5 min": (200, 2.0, 298.0), "30 min": (200, 2.0, 1_798.0)}


def messages(jobs: int, pause: float, chance: random.Random) -> list[Message]:
    """Some that are under way when the sender stops, and as many jobs as asked for, due while it does not run."""
    stops = datetime.now(UTC)
    made = []
    for number in range(jobs + jobs // 4):
        account, lane = ACCOUNTS[number % 2], LANES[number % 3]
        inside = number < jobs
        words = f"【{'due' if inside else 'now'}-{lane}-{number:04d}】"
        # A little inside, since the process is not stopped at once.
        due = stops + timedelta(seconds=chance.uniform(0.1, 0.95) * pause) if inside else None
        made.append(Message(account, receiver(account[0], number), words, lane, due))
    return made


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("kind", "size", "seed"),
    [
        pytest.param("sqlite", SMALL, 20261122, id="sqlite-small"),
        *(
            pytest.param(kind, size, 1, id=f"{kind}-{name}", marks=pytest.mark.long)
            for kind in ("sqlite", "postgresql")
            for name, size in FULL.items()
        ),
    ],
)
async def test_what_falls_due_while_the_sender_is_stopped_goes_out_once(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: tuple[int, float, float], seed: int
) -> None:
    print(f"seed {seed}")
    jobs, stopped, jump = size
    chance = random.Random(seed)
    clock = tmp_path / "clock"
    shifted.move(clock, 0.0)
    with own_database(request, tmp_path, kind) as url:
        database = open_database(url)
        async with platforms(tmp_path, seed, busy=(0.2, 0.6)) as played:
            worker = Sender(tmp_path, url, played.api, ACCOUNTS, clock=clock)
            try:
                await worker.start()
                rows = messages(jobs, stopped + jump, chance)
                put(database, rows, {})
                assert await played.came(1, 15) >= 1
                worker.pause()
                await asyncio.sleep(stopped)
                shifted.move(clock, jump)
                worker.go_on()
                ended = await settled(database, 120)
            finally:
                worker.kill()
            calls = played.messages()
        database.dispose()
    judged = judge(calls, ended)
    taken = Counter(call.words for call in calls if call.taken)
    due = [row.words for row in rows if row.due_at is not None]
    record(
        "process paused",
        kind,
        seed=seed,
        jobs=len(due),
        seconds_stopped=stopped,
        clock_jump=jump,
        once=sum(1 for words in due if taken[words] == 1),
        lost=len(judged.lost | judged.false_sent),
        doubled=len(judged.doubled),
        uncertain=len(judged.uncertain),
        sent_again_and_marked=len(judged.again),
    )
    assert {words: taken[words] for words in due if taken[words] != 1} == {}
    assert (judged.lost, judged.false_sent, judged.doubled) == (set(), set(), set())
    assert judged.again <= {row.words for row in rows if row.due_at is None}, "only what was under way may come again"
    assert set(ended.values()) <= {"sent", "uncertain"}, Counter(ended.values())
