"""The product's command on a machine whose clock jumps: `python -m tests.faults.shifted <file> worker`.

All clocks of the process run ahead by the seconds that stand in the file (eight bytes, a C double), which a test
changes while the process is stopped: for the process it is as if it had been stopped for so long. Only APScheduler's
own look at the wall clock is not moved, so jobs run at their real intervals.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


def shift(path: Path) -> None:
    """Move this process's clocks by what stands in the file, now and whenever it changes."""
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)

    def ahead(plain: Callable[[], float]) -> Callable[[], float]:
        return lambda: plain() + float(struct.unpack_from("d", shared)[0])

    time.time = ahead(time.time)
    time.monotonic = ahead(time.monotonic)  # the event loop's clock, too
    of_a_kind, offset = time.clock_gettime, ahead(lambda: 0.0)  # leases and claims go by one of these
    time.clock_gettime = lambda kind: of_a_kind(kind) + offset()
    from models.clock import Clock

    defaults = Clock.__init__.__defaults__
    assert defaults is not None
    Clock.__init__.__defaults__ = (defaults[0], lambda: datetime.fromtimestamp(time.time(), UTC))


def move(path: Path, seconds: float) -> None:
    """For the test: write the offset."""
    path.touch()
    with path.open("r+b") as file:  # never shorter than it was: it is mapped
        file.write(struct.pack("d", seconds))


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    from bot.cli import main

    main()
