"""kill −9 while messages go out: none is lost without a record, none is sent twice without saying so."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.lease import LEASE_SECONDS
from models.outbox import CAMPAIGN, CLAIM_SECONDS, REMINDER, REPLY
from tests.faults.report import record
from tests.faults.senders import (
    Account,
    Call,
    Message,
    Sender,
    Waits,
    card_settings,
    judge,
    limits_off,
    open_database,
    platforms,
    put,
    receiver,
    settled,
)
from tests.faults.world import own_database

ACCOUNTS: list[Account] = [("wechat", "w"), ("telegram", "t")]


@dataclass(frozen=True)
class Size:
    """`kills` of one seed are spread over all `receivers`, so that each of them hits a busy sender. `jump` = the clocks
    jump over the time that the dead one's lease and claims still run."""

    receivers: int
    kills: int
    jump: bool


SMALL, FULL = Size(240, 1, jump=True), Size(10_000, 20, jump=False)
# One by one takes its time: each of the five seeds has a fifth of the receivers, and as many kills as the others.
ONE_BY_ONE = Size(2_000, 20, jump=False)
OVER = max(LEASE_SECONDS, CLAIM_SECONDS) + 1.0  # seconds after which nothing of the dead one holds any more
# Seconds that an answer takes at most, so that about 500 messages a second go out at each number in flight.
BUSY = {1: 0.004, 10: 0.04, 25: 0.1}


def messages(count: int) -> list[Message]:
    """One message a receiver, a fifth of each: replies, reminders, notices that go as cards (at WeChat; campaigns at
    Telegram), and the rest campaigns."""
    made = []
    for number in range(count):
        account, kind = ACCOUNTS[number % 2], number // 2 % 5
        lane = {0: REPLY, 1: REMINDER, 2: REMINDER if number % 2 == 0 else CAMPAIGN}.get(kind, CAMPAIGN)
        words = f"【{account[1]}{lane}-{number:05d}】"
        made.append(Message(account, receiver(account[0], number), words, lane, card=kind == 2 and number % 2 == 0))
    return made


def keyed(calls: list[Call], rows: list[Message], ended: dict[str, str]) -> tuple[int, set[str]]:
    """How many calls for cards were made again under their keys, and the cards that are not settled: taken other than
    once, or not written down as shown (the message itself waits for the person, who has seen but its card)."""
    times = Counter(call.to for call in calls if call.key and call.taken)
    cards = [row for row in rows if row.card]
    again = sum(1 for call in calls if call.key) - len(cards)
    return again, {row.words for row in cards if times[row.receiver] != 1 or ended[row.words] != "held"}


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("kind", "size", "in_flight", "seed"),
    [
        pytest.param("sqlite", SMALL, 10, 20261122, id="sqlite-small"),
        pytest.param("postgresql", SMALL, 10, 20261122, id="postgresql-small", marks=pytest.mark.long),
        *(
            pytest.param(
                kind,
                FULL if in_flight > 1 else ONE_BY_ONE,
                in_flight,
                seed,
                id=f"{kind}-{in_flight}-seed{seed}",
                marks=pytest.mark.long,
            )
            for kind in ("sqlite", "postgresql")
            for in_flight in BUSY
            for seed in range(1, 6)
        ),
    ],
)
async def test_messages_of_a_killed_sender_are_neither_lost_nor_doubled_in_silence(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: Size, in_flight: int, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    rows = messages(size.receivers)
    points = sorted(chance.sample(range(size.receivers // 50, size.receivers * 95 // 100), size.kills))
    began = time.monotonic()
    with own_database(request, tmp_path, kind) as url:
        database = open_database(url)
        put(database, rows, {})
        async with platforms(tmp_path, seed, busy=(0.0, BUSY[in_flight])) as played:
            own = limits_off(ACCOUNTS, in_flight) | card_settings(ACCOUNTS)
            waits = Waits(tmp_path, jump=size.jump)
            worker = Sender(tmp_path, url, played.api, ACCOUNTS, settings=own, clock=waits.file)
            try:
                for point in points:
                    await worker.start()
                    assert await played.came(point, 180) >= point
                    await asyncio.sleep(chance.uniform(0, 0.05))
                    worker.kill()
                    if size.jump:
                        await waits.over(OVER)
                await worker.start()
                ended = await settled(database, 300)
            finally:
                worker.kill()
            calls = played.messages()
        database.dispose()
    cards, to_cards = {row.words for row in rows if row.card}, {row.receiver for row in rows if row.card}
    again_keyed, unsettled = keyed(calls, rows, ended)
    judged = judge(
        [call for call in calls if call.to not in to_cards], {w: how for w, how in ended.items() if w not in cards}
    )
    record(
        "kill −9, outbound",
        kind,
        in_flight=in_flight,
        seed=seed,
        receivers=size.receivers,
        kills=size.kills,
        lost=len(judged.lost | judged.false_sent),
        doubled=len(judged.doubled),
        uncertain=len(judged.uncertain),
        sent_again_and_marked=len(judged.again),
        keyed=len(cards),
        keyed_called_again=again_keyed,
        keyed_unsettled=len(unsettled),
        seconds=round(time.monotonic() - began),
    )
    assert {how for words, how in ended.items() if words not in cards} <= {"sent", "uncertain"}, Counter(ended.values())
    assert len(ended) == size.receivers and worker.kills == size.kills + 1
    assert unsettled == set(), "under a key each goes out once, whoever dies"
    assert (judged.lost, judged.false_sent, judged.doubled) == (set(), set(), set())
    assert {words for words in judged.again if words[2] == str(CAMPAIGN)} == set(), "a campaign is never sent again"
    for _platform, name in ACCOUNTS:
        unsure = {words for words in judged.uncertain | judged.again if words[1] == name}
        assert len(unsure) <= size.kills * in_flight, f"{name}: more than were in flight"
