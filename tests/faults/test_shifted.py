"""The moved clocks of the fault tests are all the clocks that the product goes by."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.faults import shifted
from tests.faults.world import ROOT

MOVED = 1_000.0
LOOK = """
import asyncio, json, sys
from pathlib import Path
from tests.faults import shifted

shifted.shift(Path(sys.argv[1]))
from models.clock import Clock, steady

def look(loop):
    return {"steady": steady(), "loop": loop.time(), "machine": Clock().machine().timestamp(),
            "shared": Clock().shared().timestamp()}

async def main():
    loop = asyncio.get_running_loop()
    before = look(loop)
    shifted.move(Path(sys.argv[1]), float(sys.argv[2]))
    after = look(loop)
    print(json.dumps({name: after[name] - before[name] for name in before}))

asyncio.run(main())
"""


def test_every_clock_jumps(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    shifted.move(clock, 0.0)
    told = subprocess.run(
        [sys.executable, "-c", LOOK, str(clock), str(MOVED)], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    jumps = json.loads(told.stdout)
    assert set(jumps) == {"steady", "loop", "machine", "shared"}
    assert {name: jump for name, jump in jumps.items() if not MOVED <= jump < MOVED + 10} == {}
