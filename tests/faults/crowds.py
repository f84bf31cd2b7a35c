"""What a crowd's messages came to: those that the player saw acknowledged against the records that somebody on duty
reads with `nuanyang alerts --words`."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from models.outbox import OutboxMessage
from models.person import Door
from tests.faults.report import record
from tests.faults.senders import open_database
from tests.faults.world import Copy

GIVEN_UP = 3.3  # seconds: a call that takes longer may be acknowledged without the answer (docs/decisions.md)
_TOKEN = re.compile(r"n\d+n")


@dataclass(frozen=True)
class Effects:
    """`lost` = acknowledged and without a record; `doubled` = with several; `unasked` = never acknowledged, and yet
    there (a platform would have repeated it until it was). `clicks` = presses of 紧急求助: acknowledged, recorded."""

    messages: int
    lost: int
    doubled: int
    unasked: int
    clicks: tuple[int, int]


async def effects(copy: Copy, log: Path) -> Effects:
    """Compare the player's log with what the operator's command prints."""
    kept = [line for line in _lines(log) if line["what"] == "kept"]
    said = Counter(token for line in kept for token in _TOKEN.findall(line["words"]))
    printed = await copy.command("alerts", "--words")
    stands = Counter(_TOKEN.findall(printed))
    return Effects(
        messages=len(said),
        lost=len(said.keys() - stands.keys()),
        doubled=sum(times > 1 for times in stands.values()),
        unasked=len(stands.keys() - said.keys()),
        clicks=(sum(bool(line["click"]) for line in kept), printed.count("\t紧急求助\t")),
    )


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def not_admitted(url: str, log: Path) -> dict[str, int]:
    """Answers that somebody did not get, and of which the product does not say itself that they were in doubt twice
    (platforms.md: then nobody sends them again)."""
    lost = {line["sender"]: int(line["answers"]) for line in _lines(log) if line["what"] == "lost"}
    database = open_database(url)
    doubted = select(Door.sender, func.count()).join(OutboxMessage, col(OutboxMessage.person_id) == Door.person_id)
    doubted = doubted.where(OutboxMessage.state == "uncertain", OutboxMessage.kind == "reply").group_by(Door.sender)
    with database.read() as session:
        admitted = {sender: count for sender, count in session.exec(doubted)}  # noqa: C416 rows are no pairs
    database.dispose()
    return {sender: count for sender, count in lost.items() if count > admitted.get(sender, 0)}


def sound(found: dict[str, Any], came: Effects, updates: int) -> None:
    """What must hold whatever the fault: all acknowledged, one effect each, the right answer once."""
    print(found, came)
    assert found["acknowledged"] == updates
    assert (came.lost, came.doubled, came.unasked) == (0, 0, 0), came
    assert came.clicks[0] == came.clicks[1]
    assert came.messages > updates / 3, "too few of them leave a record to count"
    assert (found["lost"], found["doubled"], found["wrong"], found["different"]) == (0, 0, 0, 0), found


def tell(fault: str, database: str, seed: int, found: dict[str, Any], came: Effects | None = None, **more: Any) -> None:
    """The result line of a run with messages in (report.py); `found` by the player, `came` by its log."""
    effects_lost = {"effects_lost": came.lost, "effects_doubled": came.doubled} if came is not None else {}
    names = ("acknowledged", "repeats", "lost", "doubled", "different", "again", "spooled", "slowest")
    record(fault, database, seed=seed, **{name: found[name] for name in names if name in found}, **effects_lost, **more)
