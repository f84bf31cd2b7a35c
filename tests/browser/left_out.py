"""The loud word at the end of a run that had none.

With xdist only the conftest files of the folders named on the command line reach the process that prints the
summary; `tests/conftest.py` may import `pytest_terminal_summary` from here as well, it speaks once.
"""

from __future__ import annotations

from typing import Any

MISSING = "no Chromium on this machine (Debian: apt install chromium, or set NUANYANG_CHROMIUM to its path)"

_said: set[int] = set()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in a section of its own how many browser tests were left out, and how to have them."""
    left_out = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if left_out and id(terminalreporter) not in _said:
        _said.add(id(terminalreporter))
        terminalreporter.section("LEFT OUT: the phone page was not tested", sep="!", red=True)
        terminalreporter.line(f"{len(left_out)} browser tests did not run: {MISSING}.")
