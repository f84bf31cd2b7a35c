"""Platforms that answer badly: what is called sent was sent, nobody is called too often, nobody else waits for it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.database import Database
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY
from tests.faults.platform import LONGEST_PAUSE, TELEGRAM_FAULTS, WECHAT_FAULTS
from tests.faults.report import record
from tests.faults.senders import (
    HEALTHY,
    Account,
    Call,
    Message,
    Played,
    Sender,
    carrying,
    judge,
    open_database,
    platforms,
    put,
    receiver,
    states,
)
from tests.faults.world import own_database

LANES = {REPLY: "reply", REMINDER: "reminder", CAMPAIGN: "campaign"}
WHOLE = {"wechat": {"40001", "45009", "429", "token hang"}, "telegram": {"401"}}  # nobody at the account is spared
# How a message may end, by what its account answers; where it says nothing clear: uncertain.
ENDS = {
    "-1": {"held"},
    "45015": {"held"},
    "45047": {"held"},
    "43004": {"held"},
    "403": {"held"},
    "45009": {"held"},
    "40001": {"waiting"},
    "401": {"waiting"},
    "token hang": {"waiting"},
    "429": {"sent", "waiting"},
}
ACCOUNT_WAITS = {"40001", "401", "token hang", "429"}
CALLS, CALL_SECONDS, REFRESHES = 3, 10.0, 2  # of a message, of a call, of an incident: the contract
SOON = 10.0  # seconds in which others are to be reached, whatever happens beside them
INCIDENT = 240.0  # seconds without a refusal of the token after which the next one is another incident
UNDER_WAY = 0.5  # seconds in which calls that had begun when an account was paused may still come


@dataclass(frozen=True)
class Size:
    """`sends` a cell (fault, platform, lane); `feed` = seconds between two messages to a healthy chat of an account.
    `pauses` = the seconds of the refusals with 429 of a WeChat account, for as many accounts; `longest_pause` = those
    that a Telegram chat is told at most. `between` = seconds from one account's messages to the next one's: those that
    rest come first and together, since they cost nothing; 20,000 messages at once would show nothing but how fast the
    machine is."""

    faults: dict[str, tuple[str, ...]]
    sends: int
    seconds: float
    feed: float
    pauses: list[list[float]]
    longest_pause: float
    between: float


SMALL = Size(
    {"wechat": ("200 html", "errcode as text", "-1", "40001", "hang"), "telegram": ("200 []", "reset", "429", "hang")},
    sends=2,
    seconds=5.0,
    feed=1.0,
    pauses=[],
    longest_pause=3.0,
    between=0.0,
)
FULL = Size(
    {"wechat": WECHAT_FAULTS, "telegram": TELEGRAM_FAULTS},
    sends=200,
    seconds=960.0,
    feed=2.0,
    pauses=[[1.0, 7.0], [45.0, 160.0], [900.0]],
    longest_pause=LONGEST_PAUSE,
    between=20.0,
)


@dataclass
class Crowd:
    """The accounts of a run: one a fault, and one of each platform without any. `fed` = when a message to a healthy
    chat was put into the outbox, by its words."""

    size: Size
    faults: dict[Account, str] = field(default_factory=dict)
    fed: dict[str, float] = field(default_factory=dict)
    people: dict[tuple[Account, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for platform, faults in self.size.faults.items():
            more = ("429",) * (len(self.size.pauses) - 1) if platform == "wechat" else ()
            self.faults |= {(platform, f"{platform[0]}{n}"): fault for n, fault in enumerate((*faults, *more))}
            self.faults[platform, f"{platform[0]}calm"] = ""

    def pauses(self) -> dict[str, list[float]]:
        """Which WeChat account is told to wait for how long, by its name."""
        told = [name for (platform, name), fault in self.faults.items() if (platform, fault) == ("wechat", "429")]
        return dict(zip(told, self.size.pauses, strict=True))

    def ill(self, account: Account) -> list[Message]:
        """What meets the fault of an account: others in every lane, since some answers close a door. A chat that is
        told to wait is the same in all of them, so that messages wait behind each other."""
        made, fault = [], self.faults[account]
        for lane in LANES:
            first = 0 if fault == "429" else lane * 1_000
            for number in range(self.size.sends if fault else 0):
                words = f"【{account[1]}-{LANES[lane]}-{number:04d}】"
                made.append(Message(account, receiver(account[0], first + number), words, lane))
        return made

    async def meet(self, database: Database) -> None:
        """Put the messages of one account after the other into the outbox."""
        for account, fault in sorted(self.faults.items(), key=lambda one: one[1] not in ACCOUNT_WAITS):
            await asyncio.to_thread(put, database, self.ill(account), self.people)
            await asyncio.sleep(0.0 if fault in ACCOUNT_WAITS else self.size.between)

    async def feed(self, database: Database) -> None:
        """Replies and cries for help to people whom the platforms answer for, until it is cancelled."""
        healthy = [account for account, fault in self.faults.items() if fault not in WHOLE[account[0]]]
        for turn in itertools.count():
            lane = EMERGENCY if turn % 3 == 2 else REPLY
            # Three messages a person: fewer than any limit of the platforms.
            messages = [
                Message(at, receiver(at[0], turn // 3, healthy=True), f"【fed-{at[1]}-{lane}-{turn:04d}】", lane)
                for at in healthy
            ]
            self.fed |= {message.words: time.monotonic() for message in messages}
            await asyncio.to_thread(put, database, messages, self.people)
            await asyncio.sleep(self.size.feed)

    async def all_reached(self, played: Played) -> None:
        """Until the platforms have all that was fed, or the time is over in which they should have."""
        ends = time.monotonic() + SOON
        while time.monotonic() < ends and self.fed.keys() - {call.words for call in played.messages()}:  # noqa: ASYNC110
            await asyncio.sleep(1.0)


@pytest.mark.timeout(1_400)
@pytest.mark.parametrize(
    ("kind", "size", "seed"),
    [
        pytest.param("sqlite", SMALL, 20261122, id="sqlite-small"),
        pytest.param("sqlite", FULL, 1, id="sqlite-full", marks=pytest.mark.long),
        pytest.param("postgresql", FULL, 2, id="postgresql-full", marks=pytest.mark.long),
    ],
)
async def test_whatever_a_platform_answers_nothing_is_called_sent_in_vain_and_nobody_else_waits(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, size: Size, seed: int
) -> None:
    print(f"seed {seed}")
    crowd = Crowd(size)
    script = {
        "faults": {account[1]: fault for account, fault in crowd.faults.items() if fault},
        "spared": HEALTHY,
        "busy": (0.0, 0.05),
        "pauses": crowd.pauses(),
        "longest_pause": size.longest_pause,
    }
    with own_database(request, tmp_path, kind) as url:
        database = open_database(url)
        async with platforms(tmp_path, seed, **script) as played:
            worker = Sender(tmp_path, url, played.api, crowd.faults)
            tasks = []
            try:
                await worker.start()
                tasks = [asyncio.create_task(work(database)) for work in (crowd.meet, crowd.feed)]
                await asyncio.sleep(size.seconds)
                assert tasks[0].done(), "not all messages were put in"
                tasks[1].cancel()
                await asyncio.wait(tasks)
                await crowd.all_reached(played)
            finally:
                for task in tasks:
                    task.cancel()
                worker.kill()
            stopped = time.monotonic()
            calls, ended = played.calls(), states(database)
        database.dispose()
    found = tell(crowd, calls, ended, stopped, kind)
    assert found["false_sent"] == found["doubled"] == found["lost"] == 0
    assert found["calls_a_message"] <= CALLS
    assert found["refreshes_an_incident"] <= REFRESHES
    assert found["slowest_call"] <= CALL_SECONDS
    assert found["calls_in_a_pause"] == 0
    assert found["slowest_other"] <= SOON
    assert found["called"] == found["cells"], "a cell in which nothing was tried shows nothing"


def tell(crowd: Crowd, calls: list[Call], ended: dict[str, str], stopped: float, kind: str) -> dict[str, float]:
    """What is to be judged, by the platform's log; it is printed and recorded, too."""
    messages = carrying(calls)
    cries = {words for words in crowd.fed if f"-{EMERGENCY}-" in words}
    judged = judge(messages, ended, until_certain=cries)
    tried = Counter(call.words for call in messages if call.words not in crowd.fed)
    # A call of the last seconds may have been cut off by the end of the run.
    took = [(call.ended or stopped) - call.at for call in calls if call.ended or call.at < stopped - CALL_SECONDS]
    names = {account[1]: account for account in crowd.faults}
    met = {(call.account, call.words.split("-")[1]) for call in messages if "fed-" not in call.words}
    # Where there is no token, and where the account was stopped at the first call, the other lanes are rightly silent.
    silent = {(name, lane) for name in names for lane in LANES.values() if _silenced(crowd.faults[names[name]])}
    cells = {(name, lane) for name, at in names.items() for lane in LANES.values() if crowd.faults[at]}
    found = {
        "sends": sum(1 for words in ended if words not in crowd.fed),
        "cells": len(cells),
        "called": len((met | silent) & cells),
        "calls": len(messages),
        "false_sent": len(judged.false_sent),
        "doubled": len(judged.doubled),
        "lost": len(judged.lost | _strayed(crowd, ended, set(tried), may_wait=crowd.size is SMALL)),
        "uncertain": len(judged.uncertain),
        "calls_a_message": max(tried.values()),
        "refreshes_an_incident": _refreshes(calls),
        "slowest_call": round(max(took), 2),
        "calls_in_a_pause": len(_early(calls)),
        "others": len(crowd.fed),
        "slowest_other": round(_slowest_other(crowd, messages, stopped), 2),
    }
    for name, (platform, _name) in names.items():
        mine = Counter(state for words, state in ended.items() if words.startswith(f"【{name}-"))
        most = max((times for words, times in tried.items() if words.startswith(f"【{name}-")), default=0)
        print(f"{platform} {crowd.faults[names[name]] or 'calm'}: most calls a message {most}, {dict(mine)}")
    for problem in (judged.false_sent, judged.doubled, judged.lost, {call.words for call in _early(calls)}):
        print(sorted(problem)[:10])
    record("platform answers", kind, **found)
    return found


def _silenced(fault: str) -> bool:
    return fault in ("token hang", "40001", "45009", "401", "429")


def _strayed(crowd: Crowd, ended: dict[str, str], tried: set[str], *, may_wait: bool) -> set[str]:
    """Messages whose end nothing in the platform's answers asks for; `may_wait` = the run was too short for an end."""
    found = set()
    for words, state in ended.items():
        if words in crowd.fed:
            continue
        name, lane, _number = words.strip("【】").rsplit("-", 2)
        fault = next(fault for (_platform, account), fault in crowd.faults.items() if account == name)
        waits = state in ("waiting", "sending")
        allowed = ENDS.get(fault, {"uncertain"}) | ({"refused"} if fault == "-1" and lane == "campaign" else set())
        if (state not in allowed and not (waits and may_wait)) or (
            waits and not may_wait and fault not in ACCOUNT_WAITS and words not in tried
        ):
            found.add(words)
    return found


def _refreshes(calls: list[Call]) -> int:
    """The most times that a token was asked for anew because of one incident: refusals of it that follow each other."""
    most = 0
    by_account: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_account[call.account].append(call)
    for mine in by_account.values():
        refused_at, refreshes = None, 0
        for call in mine:
            if call.fault == "40001":
                if refused_at is None or call.at > refused_at + INCIDENT:
                    refreshes = 0
                refused_at = call.at
            elif call.path == "token" and refused_at is not None:
                refreshes += 1
            most = max(most, refreshes)
    return most


def _early(calls: list[Call]) -> list[Call]:
    """Calls to a chat, or at WeChat to an account, that had been told to wait."""
    found, until = [], dict[str, tuple[float, float]]()
    for call in calls:
        whole = call.path != "sendMessage"
        name = call.account if whole else f"{call.account} {call.to}"
        begin, end = until.get(name, (0.0, 0.0))
        if begin + (UNDER_WAY if whole else 0.0) < call.at < end:
            found.append(call)
        elif call.fault == "429" and call.at >= end:
            until[name] = (call.ended or call.at, call.at + call.pause)
    return found


def _slowest_other(crowd: Crowd, messages: list[Call], stopped: float) -> float:
    """Seconds from the outbox to the platform for the healthy chats; who was not reached by the end counts as waiting
    until then."""
    came: dict[str, float] = {}
    for call in messages:
        came.setdefault(call.words, call.at)
    delays = {words: came.get(words, stopped) - at for words, at in crowd.fed.items()}
    slow = sorted(delays, key=lambda words: delays[words])[-5:]
    print("slowest others", {words: round(delays[words], 2) for words in slow})
    return max(delays.values())
