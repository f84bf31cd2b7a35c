"""Two and three copies of `worker` on one PostgreSQL, whose leader is killed or stopped again and again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from models.lease import LEASE_SECONDS
from models.outbox import CAMPAIGN, CLAIM_SECONDS, REMINDER, REPLY
from tests.faults.report import record
from tests.faults.senders import (
    Account,
    Call,
    Message,
    Played,
    Sender,
    Waits,
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
IN_FLIGHT = 10
LATE = 0.1  # of the messages fall due while the copies work, as jobs do


@dataclass(frozen=True)
class Size:
    """`faults` of the leaders are spread over all `messages`, so that each of them hits a busy one. `jump` = the clocks
    jump over the time that a dead one's lease and claims still run."""

    messages: int
    faults: int
    jump: bool


SMALL, FULL = Size(240, 2, jump=True), Size(10_000, 16, jump=False)
OVER = max(LEASE_SECONDS, CLAIM_SECONDS)  # seconds until nothing of a dead one holds any more


def messages(count: int, chance: random.Random, spread: float) -> list[Message]:
    """Messages of every lane, most of them due now and some within `spread` seconds."""
    made = []
    for number in range(count):
        account, lane = ACCOUNTS[number % 2], (REPLY, REMINDER, CAMPAIGN, CAMPAIGN)[number // 2 % 4]
        due = (
            datetime.now(UTC) + timedelta(seconds=chance.uniform(0.05, 1) * spread) if chance.random() < LATE else None
        )
        made.append(Message(account, receiver(account[0], number), f"【{account[1]}{lane}-{number:05d}】", lane, due))
    return made


@dataclass
class Fault:
    """What was done to a leader, in times of the monotonic clock; `ended` = when it went on or was started anew."""

    copy: str
    kind: str
    at: float
    ended: float = 0.0


@dataclass(frozen=True)
class LeaseNote:
    """Somebody took, kept or gave up (`holder` empty) the lease on sending for an account; monotonic time."""

    at: float
    account: str
    holder: str


@dataclass
class Copies:
    """The copies, and what was done to them. Every account may have a leader of its own; the one that sent last is hit,
    so that a stop always meets one that sends."""

    senders: dict[str, Sender]
    played: Played
    chance: random.Random
    waits: Waits
    faults: list[Fault] = field(default_factory=list)

    async def hit(self, number: int) -> None:
        """Kill or stop whoever sends now. A killed one is started anew, a stopped one goes on after its lease."""
        leader = self.played.messages()[-1].copy
        sender = self.senders[leader]
        kind = ("kill", "stop")[number % 2] if number < 2 else self.chance.choice(("kill", "stop"))
        fault = Fault(leader, kind, time.monotonic())
        self.faults.append(fault)
        if kind == "kill":
            sender.kill()
            await asyncio.to_thread(sender.begin)
            if self.waits.file is not None:
                await self.waits.over(OVER + 1)
        else:
            sender.pause()
            came = await self.played.came(0)
            await self.waits.over(OVER + self.chance.uniform(1, 5))
            await self.played.came(came + 1, 10)  # somebody else has taken over, or nothing is left
            sender.go_on()
        fault.ended = time.monotonic()


def note_leases(url: str) -> None:
    """Let the database server note who takes or keeps which lease on sending, and when by its own clock."""
    with _connect(url) as connection:
        connection.execute(
            """
            CREATE TABLE lease_note (at float8 DEFAULT extract(epoch FROM clock_timestamp()), name text, holder text);
            CREATE FUNCTION note_lease() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN INSERT INTO lease_note (name, holder) VALUES (NEW.name, NEW.holder); RETURN NEW; END$$;
            CREATE TRIGGER note_lease AFTER INSERT OR UPDATE OF holder ON lease
                FOR EACH ROW WHEN (NEW.name LIKE 'send:%') EXECUTE FUNCTION note_lease();
            """
        )


def noted_leases(url: str) -> list[LeaseNote]:
    """What was noted, in order, in times of the machine's monotonic clock."""
    with _connect(url) as connection:
        (server,) = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone() or (0.0,)
        ahead = server - time.monotonic()
        rows = connection.execute("SELECT at, name, holder FROM lease_note ORDER BY at").fetchall()
    return [LeaseNote(at - ahead, name.rpartition(":")[2], holder) for at, name, holder in rows]


def _connect(url: str) -> psycopg.Connection[Any]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def without_a_lease(calls: list[Call], notes: list[LeaseNote], copies: dict[int, str]) -> list[Call]:
    """Calls of a copy that came while another one, or nobody, held the lease on sending for the account. `copies` = the
    name of the copy by the number of its process, which stands in the holder's name."""
    found = []
    for call in calls:
        before = [note for note in notes if note.account == call.account and note.at <= call.at]
        holder = before[-1].holder if before else ""
        if not holder or copies[int(holder.split("-")[-2])] != call.copy:
            found.append(call)
    return found


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(
    ("copies", "size", "seed"),
    [
        pytest.param(2, SMALL, 20261122, id="two-small"),
        *(
            pytest.param(copies, FULL, seed, id=f"{copies}-seed{seed}", marks=pytest.mark.long)
            for copies in (2, 3)
            for seed in (1, 2)
        ),
    ],
)
async def test_copies_whose_leader_dies_or_sleeps_lose_and_double_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, copies: int, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    points = sorted(chance.sample(range(size.messages // 50, size.messages * 85 // 100), size.faults))
    with own_database(request, tmp_path, "postgresql") as url:
        database = open_database(url)
        note_leases(url)
        async with platforms(tmp_path, seed, busy=(0.0, 0.06)) as played:
            waits = Waits(tmp_path, jump=size.jump)
            own = limits_off(ACCOUNTS, IN_FLIGHT)
            senders = {
                name: Sender(tmp_path, url, played.api, ACCOUNTS, name=name, settings=own, clock=waits.file)
                for name in "abc"[:copies]
            }
            world = Copies(senders, played, chance, waits)
            try:
                await asyncio.gather(*(sender.start() for sender in senders.values()))
                put(database, messages(size.messages, chance, 1 if size.jump else 60), {})
                for number, point in enumerate(points):
                    assert await played.came(point, 120) >= point
                    await asyncio.sleep(chance.uniform(0, 0.3))
                    await world.hit(number)
                ended = await settled(database, 300)
            finally:
                for sender in senders.values():
                    sender.kill()
            calls, notes = played.messages(), noted_leases(url)
        database.dispose()
    judged = judge(calls, ended)
    late = without_a_lease(calls, notes, {pid: name for name, sender in senders.items() for pid in sender.processes})
    hits = Counter(fault.kind for fault in world.faults)
    record(
        "copies",
        "postgresql",
        copies=copies,
        seed=seed,
        messages=size.messages,
        killed=hits["kill"],
        stopped=hits["stop"],
        lost=len(judged.lost | judged.false_sent),
        doubled=len(judged.doubled),
        calls_after_the_lease=len(late),
        uncertain=len(judged.uncertain),
        sent_again_and_marked=len(judged.again),
    )
    assert set(ended.values()) <= {"sent", "uncertain"}, Counter(ended.values())
    assert len(ended) == size.messages and hits["kill"] and hits["stop"]
    assert (judged.lost, judged.false_sent, judged.doubled) == (set(), set(), set())
    assert late == [], "somebody sent without a lease"
    assert len(judged.uncertain | judged.again) <= size.faults * IN_FLIGHT * len(ACCOUNTS)
