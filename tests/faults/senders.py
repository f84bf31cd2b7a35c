"""Senders for the outbound faults: `worker` processes that are killed and paused, what they are to send, and what came
of it by the played platforms' own log."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import aiohttp
from sqlmodel import SQLModel, select

from handlers.message import Reply
from models import outbox
from models.database import Database
from models.ids import new_id
from models.outbox import OutboxMessage
from models.vault import Vault
from tests.conftest import TEST_KEY
from tests.faults import player, shifted
from tests.faults.player import AGAIN
from tests.faults.world import NUANYANG, ROOT

Account = tuple[str, str]  # platform and name
SILENT = timedelta(days=3)  # longer than WeChat's window
STEP, FASTER = 0.5, 10  # seconds by which clocks jump at a time, and how much faster than real time they go then
_WORDS = re.compile(r"【[^】]+】")


# --- what is to be sent ---


@dataclass(frozen=True)
class Message:
    """One row of the outbox: to whom, at which account, its words `【…】` (its unique key, too), its lane, its time.

    `card` = a notice to somebody who has been silent for days, which WeChat takes as a template only, under a key; its
    words are the product's own.
    """

    account: Account
    receiver: str
    words: str
    priority: int
    due_at: datetime | None = None
    card: bool = False


def open_database(url: str) -> Database:
    """The database of the test, not waiting for the disk."""
    return Database(url, Vault([TEST_KEY]), durable=False)


def receiver(platform: str, number: int, *, healthy: bool = False) -> str:
    """The name of a receiver at a platform; `healthy` ones begin so that a script can spare them."""
    if platform == "wechat":
        return f"o{'H' if healthy else 'x'}{number:026d}"
    return str((8_000_000_000 if healthy else 7_000_000_000) + number)


HEALTHY = ["oH", "8"]


def put(database: Database, messages: Sequence[Message], people: dict[tuple[Account, str], str]) -> None:
    """Write people, doors and messages straight into their tables, a few hundred at a time: 10,000 take seconds.
    Nobody has quiet hours, whatever time it is now. `people` = who stands there already; new ones are added to it."""
    for begin in range(0, len(messages), 500):
        rows: dict[str, list[dict[str, Any]]] = {"person": [], "door": [], "role_grant": [], "outbox": []}
        now = database.clock.now()
        for message in messages[begin : begin + 500]:
            who = (message.account, message.receiver)
            if who not in people:
                people[who] = new_id()
                rows["person"].append(_person(people[who], now))
                rows["door"].append(_door(people[who], who, now - SILENT if message.card else now))
            kind, params = "reply", Reply(message.words).as_json()
            if message.card:
                grant = _ended_role(people[who], now)
                rows["role_grant"].append(grant)
                kind, params = "notice.role", {"grant": grant["id"], "news": "ended"}
            rows["outbox"].append(_row(database, message, people[who], kind, params, now))
        with database.write() as session:
            for table, values in rows.items():
                if values:
                    session.execute(SQLModel.metadata.tables[table].insert(), values)


def _person(person: str, now: datetime) -> dict[str, Any]:
    awake = time_of_day(0, 0)
    given = {"id": person, "created_at": now, "language": "zh_CN", "zone": "Asia/Shanghai", "campaigns_off": False}
    return {**given, "quiet_from": awake, "quiet_until": awake}


def _door(person: str, who: tuple[Account, str], heard: datetime) -> dict[str, Any]:
    (platform, account), sender = who
    given = {"id": new_id(), "person_id": person, "platform": platform, "account": account, "sender": sender}
    return {**given, "opened_at": heard, "last_in_at": heard}


def _ended_role(person: str, now: datetime) -> dict[str, Any]:
    given = {"id": new_id(), "person_id": person, "role": "specialist", "scope_kind": "region", "scope": "440106"}
    return {**given, "granted_by": "machine", "seconded_by": "", "granted_at": now, "ended_at": now}


def _row(
    database: Database, message: Message, person: str, kind: str, params: dict[str, Any], now: datetime
) -> dict[str, Any]:
    row = new_id()
    return {
        "id": row,
        "unique_key": message.words,
        "person_id": person,
        "kind": kind,
        "params_sealed": database.vault.seal_json("outbox.params_sealed", row, params),
        "priority": message.priority,
        "due_at": message.due_at or now,
        "state": "waiting",
        "resends": 0,
        "created_at": now,
        "why": "",
        "line": outbox.line(*message.account),
    }


def states(database: Database) -> dict[str, str]:
    """The state of each message by its words. (What the product says of messages in doubt has other keys.)"""
    with database.read() as session:
        every = session.exec(select(OutboxMessage.unique_key, OutboxMessage.state)).all()
    return {key: state for key, state in every if _WORDS.fullmatch(key)}


async def settled(database: Database, seconds: float) -> dict[str, str]:
    """The states as soon as nothing waits or is under way any more; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while set((found := await asyncio.to_thread(states, database)).values()) & {"waiting", "sending"}:  # noqa: ASYNC110 another process
            await asyncio.sleep(0.25)
    return found


# --- who sends ---


class Waits:
    """Time that a test lets pass: in full sizes it does, in small ones the clocks of the product's processes jump."""

    def __init__(self, folder: Path, *, jump: bool) -> None:
        self.file = folder / "clock" if jump else None
        self._passed = 0.0
        if self.file is not None:
            shifted.move(self.file, 0.0)

    async def over(self, seconds: float) -> None:
        """Until so many seconds have passed for the product."""
        if self.file is None:
            await asyncio.sleep(seconds)
            return
        # Not all at once: a copy that works has its moments to keep its leases, as it has in real time.
        ends = self._passed + seconds
        while self._passed < ends:
            self._passed = min(ends, self._passed + STEP)
            shifted.move(self.file, self._passed)
            await asyncio.sleep(STEP / FASTER)


class Sender:
    """One `worker`, in a session of signals: started, killed, paused, continued, ended."""

    def __init__(
        self,
        folder: Path,
        url: str,
        api: str,
        accounts: Iterable[Account],
        *,
        name: str = "one",
        clock: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are further environment variables; `clock` = the file that moves its clocks (shifted.py)."""
        self.name, self.kills, self.processes = name, 0, list[int]()
        self.log = folder / f"worker-{name}.log"
        self._folder = folder
        own = [sys.executable, "-m", "tests.faults.shifted", str(clock)] if clock else NUANYANG
        self._command = [*own, "worker"]
        plain = {key: value for key, value in os.environ.items() if not key.startswith("NUANYANG_")}
        self._environment = plain | {
            "PYTHONPATH": str(ROOT),
            "NUANYANG_KEYS": base64.urlsafe_b64encode(TEST_KEY).decode(),
            "NUANYANG_DATABASE_URL": url,
            "NUANYANG_SPOOL": str(folder / f"spool-{name}"),
            **(settings or {}),
        }
        for number, (platform, account) in enumerate(accounts):
            start = f"NUANYANG_{platform.upper()}__{account.upper()}__"
            given = {"API_BASE": f"{api}/{name}/{account}"}
            if platform == "wechat":
                given |= {"APPID": player.APPID, "SECRET": player.SECRET, "TOKEN": player.TOKEN}
                given |= {"ENCODING_AES_KEY": player.AES_KEY}
            else:
                given |= {"TOKEN": f"{number + 1}{player.BOT_TOKEN}", "SECRET_TOKEN": player.BOT_SECRET}
            self._environment |= {start + key: value for key, value in given.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it without waiting until it works."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        self.processes.append(self._process.pid)

    async def start(self, seconds: float = 60) -> None:
        """Start it and wait until it says that it works."""
        before = self.log.stat().st_size if self.log.exists() else 0
        await asyncio.to_thread(self.begin)
        ends = time.monotonic() + seconds
        while b'"started"' not in (said := self._said(before)):
            assert self.alive and time.monotonic() < ends, said.decode()[-3000:]
            await asyncio.sleep(0.05)

    def _said(self, before: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(before)
            return log.read()

    @property
    def alive(self) -> bool:
        """Whether it runs (a stopped one does)."""
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        """SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a power cut of the process; nothing if it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
            self.kills += 1


# --- what came ---


def carrying(calls: Iterable[Call]) -> list[Call]:
    """Those that carry a message."""
    return [call for call in calls if call.path.startswith("message/") or call.path == "sendMessage"]


@dataclass
class Call:
    """One call as the platform's log tells of it. Times are seconds of the machine's monotonic clock; `ended` is empty
    when the platform ended before the call did."""

    n: int
    at: float
    copy: str
    account: str
    path: str
    to: str = ""
    text: str = ""
    key: str = ""
    fault: str = ""
    taken: bool = False
    pause: float = 0.0
    forced: bool = False
    ended: float | None = None
    how: str = ""

    @property
    def words(self) -> str:
        """The message's own words, `【…】`, without the mark."""
        found = _WORDS.search(self.text)
        return found.group() if found else ""

    @property
    def marked(self) -> bool:
        """Whether it says that it may have come before."""
        return self.text.startswith(AGAIN)


class Played:
    """The platforms' process."""

    def __init__(self, process: asyncio.subprocess.Process, api: str, log: Path) -> None:
        self.api = api
        self._process, self._log = process, log
        self._http = aiohttp.ClientSession()

    async def script(self, **parts: Any) -> None:
        """Answer by this script from now on (platform.py)."""
        async with self._http.post(f"{self.api}/control/script", json=parts) as answer:
            answer.raise_for_status()

    async def came(self, least: int, seconds: float = 30.0) -> int:
        """How many messages came: as soon as they are so many, or when the time is over."""
        query = {"least": str(least), "seconds": str(seconds)}
        async with self._http.get(f"{self.api}/control/calls", params=query) as answer:
            return int(await answer.text())

    def calls(self) -> list[Call]:
        """All calls until now, in the order in which they came."""
        found: dict[int, Call] = {}
        for text in self._log.read_text("utf-8").splitlines():
            told = json.loads(text)
            number = told["n"]
            if "ended" in told:
                found[number].ended, found[number].how = told["ended"], told["how"]
            else:
                found[number] = Call(**told)
        return list(found.values())

    def messages(self) -> list[Call]:
        """Those of the calls that carry a message."""
        return carrying(self.calls())

    async def end(self) -> None:
        """End the process; the log stays."""
        await self._http.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def platforms(folder: Path, seed: int, **script: Any) -> AsyncIterator[Played]:
    """The played platforms, answering by this script."""
    log = folder / "platform.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.platform", "--log", str(log), "--seed", str(seed)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    played = Played(process, (await process.stdout.readline()).decode().strip(), log)
    try:
        await played.script(**script)
        yield played
    finally:
        await played.end()


@dataclass
class Judged:
    """What the platform's log and the product's own words say of each other. All of these are to be empty but
    `uncertain` and `again`."""

    doubled: set[str]  # taken twice, and the second did not say so; or a third time, whatever it said
    false_sent: set[str]  # "sent", though no call for it was both taken and answered so
    lost: set[str]  # never taken, and the product does not say so
    uncertain: set[str]
    again: set[str]  # called for once more, and marked


def judge(messages: Sequence[Call], ended: dict[str, str], *, until_certain: Collection[str] = ()) -> Judged:
    """Compare the log with the states of the rows at the end. `until_certain` = emergencies, which may come again and
    again, marked (platforms.md); everything else once."""
    plain: dict[str, int] = defaultdict(int)
    once_more: dict[str, int] = defaultdict(int)
    taken, confirmed, again = set(), set(), set()
    for call in messages:
        plain[call.words] += call.taken and not call.marked
        once_more[call.words] += call.taken and call.marked and call.words not in until_certain
        if call.taken:
            taken.add(call.words)
        # A second call under the same key is answered with “ok” and takes nothing: it was taken before.
        if not call.fault and call.how == "ok":
            confirmed.add(call.words)
        if call.marked:
            again.add(call.words)
    told_of = {words for words, state in ended.items() if state not in ("sent", "superseded")}
    return Judged(
        doubled={words for times in (plain, once_more) for words, number in times.items() if number > 1},
        false_sent={words for words, state in ended.items() if state == "sent" and words not in confirmed},
        lost=set(ended) - taken - told_of,
        uncertain={words for words, state in ended.items() if state == "uncertain"},
        again=again,
    )


def limits_off(accounts: Iterable[Account], in_flight: int) -> dict[str, str]:
    """The settings of accounts that may send as fast as they can, so many calls at once."""
    starts = [f"NUANYANG_{platform.upper()}__{account.upper()}__" for platform, account in accounts]
    return {start + "SENDS_A_SECOND": "0" for start in starts} | {
        start + "SENDS_AT_ONCE": str(in_flight) for start in starts
    }


def card_settings(accounts: Iterable[Account]) -> dict[str, str]:
    """The settings of WeChat accounts that have a template for the notices that go as cards."""
    template = json.dumps({"role": {"id": "T-role", "fields": {"thing": "thing1", "time": "time2"}}})
    return {
        f"NUANYANG_WECHAT__{name.upper()}__TEMPLATES": template for platform, name in accounts if platform == "wechat"
    }
