"""What sending costs: messages a second from the outbox to the written outcome, against bare aiohttp posts to the same
endpoint; the steady rate under Telegram's limits; how soon an emergency overtakes a full queue. `make bench`

The endpoint is a process of its own on this machine. Bare posts and deliveries take turns in one run, so that whatever
else the machine does slows both. Nothing is asserted; docs/performance.md keeps results.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time as time_of_day
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, insert, select
from sqlmodel import SQLModel

from bench.endpoint import Endpoint, endpoint
from bench.places import PLACES
from bot.deliver import Deliverer
from bot.last_moment import last_moment
from bot.platforms.base import Platform
from bot.platforms.telegram import Telegram
from bot.platforms.wechat import WeChat
from bot.sending_line import CHAT_SECONDS, Limits
from bot.server import collect_seldom
from config.settings import TelegramAccount, WeChatAccount
from handlers.here import Here
from handlers.message import Reply
from models import outbox
from models.database import Database
from models.ids import new_id
from models.outbox import CAMPAIGN, EMERGENCY

NAME, AT_ONCE = "bench", 200
ROUNDS, MESSAGES, BARE_SECONDS = 4, 2_500, 1.0
RATE, RATE_SECONDS = 30, 20.0
QUEUE = 50_000
WORDS = "明天上午九点半，志愿者会到家里来看你。如果不方便，请回复“改期”。"
AES_KEY = "A" * 43
_MIDNIGHT = time_of_day(0, 0)


@dataclass(frozen=True)
class Measured:
    """Messages a second, and milliseconds of CPU of this process for each."""

    number: int
    seconds: float
    cpu: float

    @property
    def a_second(self) -> float:
        return self.number / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu / self.number * 1000


def total(parts: Iterable[Measured]) -> Measured:
    """All rounds together."""
    rounds = list(parts)
    return Measured(*(sum(getattr(one, name) for one in rounds) for name in ("number", "seconds", "cpu")))


class Post:
    """One database, one platform, one endpoint."""

    def __init__(self, database: Database, platform: str, target: Endpoint, http: aiohttp.ClientSession) -> None:
        self.database, self.target, self.http = database, target, http
        self.account = (platform, NAME)
        secret = SecretStr
        self.adapter: Platform
        if platform == "wechat":
            self.adapter = WeChat(
                NAME,
                WeChatAccount(
                    appid="wx1",
                    secret=secret("s"),
                    token=secret("t"),
                    encoding_aes_key=secret(AES_KEY),
                    api_base=f"{target.base}/wechat",
                ),
                http,
            )
        else:
            token = secret("1:bench")
            settings = TelegramAccount(token=token, secret_token=secret("s"), api_base=f"{target.base}/telegram")
            self.adapter = Telegram(NAME, settings, "")
        self._people: list[str] = []

    def people(self, number: int) -> None:
        """So many people with a door each, without quiet hours."""
        now = self.database.clock.now()
        tables = SQLModel.metadata.tables
        doors, people = [], []
        for at in range(number):
            person = new_id()
            people.append({"id": person, "created_at": now, "quiet_from": _MIDNIGHT, "quiet_until": _MIDNIGHT})
            door = {"id": new_id(), "person_id": person, "platform": self.account[0], "account": NAME}
            doors.append(door | {"sender": str(10_000_000 + at), "opened_at": now, "last_in_at": now})
        with self.database.write() as session:
            usual = {"language": "zh_CN", "zone": "Asia/Shanghai", "campaigns_off": False}
            session.execute(insert(tables["person"]), [one | usual for one in people])
            session.execute(insert(tables["door"]), doors)
        self._people = [one["id"] for one in people]

    def put(self, number: int, priority: int = CAMPAIGN, words: str = WORDS) -> None:
        """One message to each of so many people."""
        due = self.database.clock.now() - timedelta(minutes=1)
        table = SQLModel.metadata.tables["outbox"]
        rows: list[dict[str, Any]] = []
        for at in range(number):
            row = new_id()
            sealed = self.database.vault.seal_json("outbox.params_sealed", row, Reply(words).as_json())
            one = {"id": row, "unique_key": row, "person_id": self._people[at], "kind": "reply"}
            one |= {"params_sealed": sealed, "due_at": due + timedelta(microseconds=at)}
            rows.append(one)
        usual = {"priority": priority, "state": "waiting", "resends": 0, "created_at": due, "why": ""}
        usual |= {"line": outbox.line(*self.account)}
        with self.database.write() as session:
            session.execute(insert(table), [one | usual for one in rows])

    def left(self) -> int:
        """How many have no outcome yet."""
        table = SQLModel.metadata.tables["outbox"]
        with self.database.read() as session:
            query = select(func.count()).where(table.c.state.in_(("waiting", "sending")))
            return int(session.execute(query).scalar_one())

    def empty(self) -> None:
        """Take everything out of the outbox."""
        with self.database.write() as session:
            for name in ("attempt", "outbox"):
                session.execute(SQLModel.metadata.tables[name].delete())

    @asynccontextmanager
    async def sending(self, limits: Limits) -> AsyncIterator[None]:
        """A sender at work."""
        here = Here(*self.account)
        sender = Deliverer(
            self.database, {self.account: self.adapter}, lambda *_: here, "bench", limits={self.account: limits}
        )
        stopping = asyncio.Event()
        task = asyncio.create_task(sender.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await task

    async def ours(self) -> Measured:
        """From the first call's arrival at the endpoint to the last outcome's commit."""
        await self.target.begin()
        self.put(MESSAGES)
        cpu = time.process_time()
        async with self.sending(Limits(at_once=AT_ONCE)):
            while (await self.target.told())["count"] < MESSAGES:  # noqa: ASYNC110 another process
                await asyncio.sleep(0.05)
            while await asyncio.to_thread(self.left):  # noqa: ASYNC110 another thread
                await asyncio.sleep(0.01)
            ended = time.monotonic()
            cpu = time.process_time() - cpu
        told = await self.target.told()
        if told["count"] != MESSAGES:
            raise RuntimeError(f"{told['count']} of {MESSAGES} messages came")
        self.empty()
        return Measured(MESSAGES, ended - told["first"], cpu)

    async def bare(self) -> Measured:
        """The same calls, made by hand and read to their end."""
        path = "wechat/cgi-bin/message/custom/send?access_token=bench"
        body: dict[str, Any] = {"json": {"touser": "10000000", "msgtype": "text", "text": {"content": WORDS}}}
        if self.account[0] == "telegram":
            path, body = "telegram/bot1:bench/sendMessage", {"data": {"chat_id": "10000000", "text": WORDS}}
        url, number, ends = f"{self.target.base}/{path}", 0, time.monotonic() + BARE_SECONDS

        async def posts() -> None:
            nonlocal number
            while time.monotonic() < ends:
                async with self.http.post(url, **body) as response:
                    await response.read()
                number += 1

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(posts() for _ in range(AT_ONCE)))
        return Measured(number, time.monotonic() - began, time.process_time() - cpu)

    async def steady_rate(self) -> tuple[float, int]:
        """Messages a second under the limits, as the endpoint saw them, and how many it refused."""
        self.put(int(RATE * (RATE_SECONDS + 5)))
        async with self.sending(Limits(RATE, 30, CHAT_SECONDS)):
            await asyncio.sleep(1.0)
            await self.target.begin(limit=RATE)
            await asyncio.sleep(RATE_SECONDS)
            told = await self.target.told()
        self.empty()
        return (told["count"] - 1) / (told["last"] - told["first"]), int(told["refused"])

    async def overtaking(self) -> float:
        """Seconds from an emergency's commit until the endpoint has it, with a queue before it."""
        self.put(QUEUE)
        async with self.sending(Limits(RATE, 30, CHAT_SECONDS)):
            await asyncio.sleep(2.0)
            await self.target.begin(wanted="emergency-of-the-bench")
            self.put(1, EMERGENCY, "emergency-of-the-bench")
            put = time.monotonic()
            while not (told := await self.target.told())["wanted"]:  # noqa: ASYNC110 another process
                await asyncio.sleep(0.01)
        self.empty()
        return told["wanted"] - put


async def measure(name: str, database: Database, target: Endpoint, table: Table, lines: list[str], quick: bool) -> None:
    """All of one database."""
    trace = [last_moment()]
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
    async with aiohttp.ClientSession(connector=connector, trace_configs=trace) as http:
        for platform in ("wechat", "telegram"):
            post = Post(database, platform, target, http)
            post.people(QUEUE if platform == "telegram" and not quick else MESSAGES)
            await post.bare()
            await post.ours()
            rounds = [(await post.bare(), await post.ours()) for _ in range(ROUNDS)]
            bare, ours = total(one for one, _ in rounds), total(one for _, one in rounds)
            table.add_row(
                f"{name}, {platform}",
                *(f"{one.a_second:.0f}" for one in (bare, ours)),
                f"{ours.a_second / bare.a_second:.2f}",
                f"{bare.cpu_ms:.2f} / {ours.cpu_ms:.2f}",
            )
            post.empty()
            if platform == "telegram" and not quick:
                rate, refused = await post.steady_rate()
                lines.append(
                    f"{name}: {rate:.1f} a second under a limit of {RATE} ({rate / RATE:.0%}), refused {refused}"
                )
                lines.append(
                    f"{name}: an emergency behind {QUEUE:,} campaign messages left after "
                    f"{await post.overtaking():.2f} s (aim 1)"
                )
            await post.adapter.stop()


async def run(quick: bool) -> None:
    """Measure everything and print one table."""
    logging.disable(logging.WARNING)
    collect_seldom()  # as under `serve`
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    columns = ("where", "bare posts/s", "messages/s", "ratio", "CPU ms bare / ours")
    table, lines, console = Table(*columns, title=f"Sending, {AT_ONCE} calls at once"), list[str](), Console()
    async with endpoint() as target:
        for name, place in PLACES:
            folder = Path(tempfile.mkdtemp(prefix="nuanyang-bench-"))
            try:
                with place(folder) as (database, _floor):
                    console.print(f"{name} …")
                    await measure(name, database, target, table, lines, quick)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    for line in lines:
        console.print(line)


def main() -> None:
    """`--quick` = without the limits and the queue."""
    parser = argparse.ArgumentParser(description="What sending costs")
    parser.add_argument("--quick", action="store_true", help="only the messages a second")
    asyncio.run(run(parser.parse_args().quick))


if __name__ == "__main__":
    main()
