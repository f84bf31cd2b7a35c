"""The result lines of the long tests: `record` prints one and appends it to the file that NUANYANG_FAULT_RESULTS names.

`python -m tests.faults.report FILE` prints what such a file holds, as the table of docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

VARIABLE = "NUANYANG_FAULT_RESULTS"


def record(fault: str, database: str, **figures: Any) -> None:
    """One result: `figures` by name, in the order in which they shall be read."""
    print(line({"fault": fault, "database": database, **figures}))
    named = os.environ.get(VARIABLE)
    if named:
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": fault, "database": database, **figures}, ensure_ascii=False) + "\n")


def line(result: dict[str, Any]) -> str:
    """`| fault | database | name value, name value … |`"""
    figures = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in list(result.items())[2:])
    return f"| {result['fault']} | {result['database']} | {figures} |"


def main() -> None:
    """Print the table, sorted by fault and database."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ[VARIABLE])
    results = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    print("| fault | database | figures |\n|---|---|---|")
    for result in sorted(results, key=lambda one: (one["fault"], one["database"])):
        print(line(result))


if __name__ == "__main__":
    main()
