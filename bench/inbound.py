"""What a turn costs: our whole turn against a floor written by hand, per database and platform. `make bench`

From the body of a webhook call to the body of its answer, without HTTP, which both would pay alike. Both take turns in
one run, so that whatever else the machine does slows both. Nothing is asserted; docs/performance.md keeps results.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import copies
from bench.doors import NAME, Door, TelegramDoor, WeChatDoor
from bench.places import PLACES, Floor
from bot.receive import Receiver
from bot.server import collect_seldom
from bot.spool import Spool
from handlers.here import Here
from models.database import Database

PEOPLE, FLOOR_CONNECTIONS = 32, 4
ONE_SECONDS, MANY_SECONDS, SLICE_SECONDS = 4.0, 3.0, 0.5
PACES = ((50, 5.0, 0.1), (300, 10.0, 1.0))  # messages a second, for so many seconds, aim for p99 in seconds


@dataclass
class Cost:
    """Wall seconds of every call, and CPU and wall seconds of all. CPU is this process's, without the server's."""

    each: list[float] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0

    def a_second(self) -> float:
        """Turns per second."""
        return len(self.each) / self.wall

    def cpu_ms(self) -> float:
        """Milliseconds of CPU per turn."""
        return self.cpu / len(self.each) * 1000

    def row(self, *names: str) -> tuple[str, ...]:
        """As the table shows it."""
        cuts = statistics.quantiles(self.each, n=100)
        figures = (self.cpu_ms(), cuts[49] * 1000, cuts[98] * 1000)
        return *names, f"{self.a_second():.0f}", *(f"{figure:.2f}" for figure in figures)


class Bench:
    """One database and one door. Every person alternates between two messages, each a turn of its own."""

    def __init__(self, database: Database, floor: Callable[[], Floor], door: Door, folder: Path) -> None:
        self.door, self._new_floor = door, floor
        self.people = door.people(PEOPLE)
        spool = Spool(folder / "spool", database.vault)
        spool.open()
        features = door.features
        here = Here(
            door.platform,
            NAME,
            sensitive_in_chat=features.sensitive_in_chat,
            sure_answers=features.sure_answers,
            public_url="https://x",
        )
        # The pace of a chat is not held: everybody would wait, and ours would lose nothing but time.
        self.receiver = Receiver(database, spool, lambda _inbound: here)
        self._turn = dict.fromkeys(self.people, 0)
        self.late = 0  # turns over four seconds, whose reply leaves by the outbox

    async def prepare(self) -> None:
        """Bring everybody to the question, and a little further, so that nothing is met for the first time."""
        for text in self.door.begin:
            await asyncio.gather(*(self.ours(sender, text) for sender in self.people))
        for _turn in range(6):
            await asyncio.gather(*map(self.ours, self.people))

    async def ours(self, sender: str, text: str = "") -> None:
        """One turn of the product."""
        if not text:
            text = self.door.texts(sender)[self._turn[sender] % 2]
            self._turn[sender] += 1
        raw, query = self.door.message(sender, text)
        inbound = self.door.ours(raw, query)
        received = await self.receiver.receive(inbound)
        self.late += received.reply is None
        self.door.answer(received.reply, inbound, raw, query)

    async def at_one_connection(self) -> tuple[Cost, Cost]:
        """One message at a time, ours and the floor by turns."""
        ours, least, floor = Cost(), Cost(), self._new_floor()
        ends, turns = time.monotonic() + ONE_SECONDS, count()
        while time.monotonic() < ends:
            sender = self.people[next(turns) % PEOPLE]
            await timed(ours, self.ours(sender))
            message = self.door.message(sender, self.door.texts(sender)[0])
            with_floor(least, lambda message=message: floor.turn(self.door, *message))  # type: ignore[misc]
        floor.close()
        return ours, least

    async def at_many_connections(self) -> tuple[Cost, Cost]:
        """Everybody writes the next message as soon as the last is answered; slices of ours and of the floor."""
        ours, least = Cost(), Cost()
        floors = [self._new_floor() for _ in range(FLOOR_CONNECTIONS)]
        with ThreadPoolExecutor(FLOOR_CONNECTIONS) as pool:
            for _slice in range(int(MANY_SECONDS / SLICE_SECONDS)):
                await self._slice(ours, self.everybody)
                await self._slice(least, lambda cost, ends: self._by_hand(cost, ends, floors, pool))
        for floor in floors:
            floor.close()
        return ours, least

    async def _slice(self, cost: Cost, work: Callable[[Cost, float], Awaitable[None]]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        await work(cost, time.monotonic() + SLICE_SECONDS)
        cost.wall += time.perf_counter() - wall
        cost.cpu += time.process_time() - cpu

    async def everybody(self, cost: Cost, ends: float) -> None:
        """Everybody writes the next message as soon as the last is answered, until then."""

        async def writes(sender: str) -> None:
            while time.monotonic() < ends:
                began = time.perf_counter()
                await self.ours(sender)
                cost.each.append(time.perf_counter() - began)

        await asyncio.gather(*map(writes, self.people))

    async def _by_hand(self, cost: Cost, ends: float, floors: list[Floor], pool: ThreadPoolExecutor) -> None:
        def writes(floor: Floor, people: list[str]) -> None:
            for turn in count():
                if time.monotonic() >= ends:
                    return
                began = time.perf_counter()
                sender = people[turn % len(people)]
                floor.turn(self.door, *self.door.message(sender, self.door.texts(sender)[0]))
                cost.each.append(time.perf_counter() - began)

        loop, each = asyncio.get_running_loop(), PEOPLE // len(floors)
        shares = [self.people[at * each : (at + 1) * each] for at in range(len(floors))]
        await asyncio.gather(*(loop.run_in_executor(pool, writes, *pair) for pair in zip(floors, shares, strict=True)))

    async def at_a_pace(self, a_second: int, seconds: float) -> Cost:
        """Messages at even distances, whether the ones before are answered or not."""
        cost, tasks, begins = Cost(), [], time.perf_counter()
        cpu = time.process_time()

        async def one(sender: str, due: float) -> None:
            await self.ours(sender)
            cost.each.append(time.perf_counter() - due)

        for number in range(int(a_second * seconds)):
            due = begins + number / a_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(self.people[number % PEOPLE], due)))
        await asyncio.gather(*tasks)
        cost.wall, cost.cpu = time.perf_counter() - begins, time.process_time() - cpu
        return cost


async def timed(cost: Cost, turn: Awaitable[None]) -> None:
    """Add one turn."""
    wall, cpu = time.perf_counter(), time.process_time()
    await turn
    _add(cost, wall, cpu)


def with_floor(cost: Cost, turn: Callable[[], None]) -> None:
    """Add one turn of the floor."""
    wall, cpu = time.perf_counter(), time.process_time()
    turn()
    _add(cost, wall, cpu)


def _add(cost: Cost, wall: float, cpu: float) -> None:
    cost.each.append(time.perf_counter() - wall)
    cost.wall += cost.each[-1]
    cost.cpu += time.process_time() - cpu


async def measure(name: str, bench: Bench, table: Table, lines: list[str]) -> None:
    """All of one database and door."""
    await bench.prepare()
    where = f"{name}, {bench.door.platform}"
    for how, run in (("one", bench.at_one_connection), ("many", bench.at_many_connections)):
        ours, least = await run()
        table.add_row(*least.row(where, how, "floor"))
        table.add_row(*ours.row(where, how, "ours"), f"{ours.a_second() / least.a_second():.2f}")
        lines.append(f"{where}, {how}: CPU of ours / floor {ours.cpu_ms() / least.cpu_ms():.2f}")
    for a_second, seconds, aim in PACES:
        cost = await bench.at_a_pace(a_second, seconds)
        p99 = statistics.quantiles(cost.each, n=100)[98]
        held = "held" if p99 <= aim else "NOT HELD"
        lines.append(
            f"{where}, {a_second}/s for {seconds:.0f} s: p99 {p99 * 1000:.0f} ms (aim {aim * 1000:.0f}: {held})"
        )
    await bench.receiver.stop(5)


def main() -> None:
    """Measure everything and print one table."""
    table = Table("where", "connections", "what", "turns/s", "CPU ms", "p50 ms", "p99 ms", "ratio", title="A turn")
    console, lines = Console(), list[str]()
    collect_seldom()  # as under `serve`; the floor gains by it too
    for name, place in PLACES:
        folder = Path(tempfile.mkdtemp(prefix="nuanyang-bench-"))
        try:
            with place(folder) as (database, floor):
                for door in (WeChatDoor(), TelegramDoor()):
                    console.print(f"{name}, {door.platform} …")
                    asyncio.run(measure(name, Bench(database, floor, door, folder), table, lines))
                if not database.is_sqlite:
                    lines.append(copies.compared(database, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    for line in lines:
        console.print(line)


if __name__ == "__main__":
    main()
