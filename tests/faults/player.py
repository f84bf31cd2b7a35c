"""Both platforms and the people on them, played in a process of their own with a log of their own.

What was lost or doubled is decided here, by what people were answered, never by the product's tables. `wire.py` speaks
the protocols; who writes, and what must come of it, stands in `player_people.py` (people who register) and
`player_crowd.py` (a crowd at a steady rate).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.faults.player_crowd import Plan, Writing
from tests.faults.player_people import STEPS, People
from tests.faults.player_poison import Poisoning
from tests.faults.wire import ACCOUNT, AES_KEY, AGAIN, APPID, BOT_SECRET, BOT_TOKEN, SECRET, TOKEN, Wire

__all__ = ["ACCOUNT", "AES_KEY", "AGAIN", "APPID", "BOT_SECRET", "BOT_TOKEN", "SECRET", "STEPS", "TOKEN"]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--busy", type=float, default=0.0, help="seconds that an answer of the platforms takes at most")
    parser.add_argument("--people", type=int, default=0, help="0 = nobody writes; what comes is counted until `end`")
    people = parser.add_argument_group("people who register")
    people.add_argument("--at-once", type=int, default=8)
    people.add_argument("--pace", type=float, default=0.2)
    people.add_argument("--stragglers", type=float, default=2.0, help="seconds to wait at the end for what comes late")
    crowd = parser.add_argument_group("a crowd, with --updates")
    for each in fields(Plan):
        if each.name != "people":
            default = 0 if each.name == "updates" else each.default
            kind = int if each.name == "updates" else float
            crowd.add_argument(f"--{each.name}", type=kind, default=default)
    poison = parser.add_argument_group("a crowd beside poison, with --rounds")
    poison.add_argument("--rounds", type=int, default=0, help="how often each kind of poison comes")
    poison.add_argument("--size", type=int, default=5, help="how many others write beside each")
    return parser.parse_args()


async def _play(wire: Wire, asked: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(**{each.name: getattr(asked, each.name) for each in fields(Plan)})
    if asked.rounds:
        return await Poisoning(wire, plan, asked.rounds, asked.size).poison()
    if asked.updates:
        return (await Writing(wire, plan).play()).as_json()
    if asked.people:
        found = await People(wire, asked.pace).play(asked.people, asked.at_once)
        await asyncio.sleep(asked.stragglers)
        return asdict(found)
    await asyncio.to_thread(sys.stdin.readline)
    return {}


async def main() -> None:
    """Serve the API at a port that is printed; begin when the addresses of the product come on standard input."""
    asked = _asked()
    wire = Wire(asked.log, asked.seed, asked.busy)
    runner = web.AppRunner(wire.application(), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    wire.targets = (await asyncio.to_thread(sys.stdin.readline)).split()
    found = await _play(wire, asked)
    if not asked.updates and not asked.rounds:
        found["calls"] = wire.calls
    print(json.dumps(found), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
