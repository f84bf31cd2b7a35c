"""How well told hours and intents are understood, by form: exactly right, asked back, wrong.

`python -m bench.understanding` prints both halves of the sentences, with the failing ones of our own half only: the
other half (understanding_held_out.toml) was written by a reader who has not seen the parser, and is only counted.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections import Counter, defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from handlers.intents import intent
from handlers.understanding_hours import Asked, Heard, understand

HERE = Path(__file__).parent
ZONE = ZoneInfo("Asia/Shanghai")
USUAL = "2026-11-25T18:00:00+08:00"
RIGHT, ASKED, WRONG = "exactly right", "asked back", "wrong"


def moment(said: Any) -> datetime:
    """When a sentence is said; without a zone, in Shanghai."""
    found = said if isinstance(said, datetime) else datetime.fromisoformat(str(said))
    return found if found.tzinfo else found.replace(tzinfo=ZONE)


def clock(minutes: int | None) -> str:
    return "" if minutes is None else "{:02}:{:02}".format(*divmod(minutes % 1440, 60))


def told(found: Heard) -> dict[str, Any]:
    """What was understood, in the words of the file."""
    return {
        "date": found.day.isoformat(),
        "start": clock(found.start),
        "end": clock(found.end),
        "minutes": found.minutes,
        "content": found.content,
        "who": frozenset(found.who),
    }


def wanted(row: dict[str, Any]) -> dict[str, Any]:
    day = row.get("date", "")
    return {
        "date": day.isoformat() if isinstance(day, date) else str(day),
        "start": str(row.get("start", ""))[:5],
        "end": str(row.get("end", ""))[:5],
        "minutes": row.get("minutes"),
        "content": row.get("content", "none"),
        "who": frozenset(one for one in str(row.get("who", "")).split("、") if one),
    }


def hours_of(row: dict[str, Any]) -> tuple[str, Any]:
    """How one sentence fared, and what was understood."""
    found = understand(row["text"], moment(row.get("now", USUAL)))
    if isinstance(found, Asked):
        right = row["expect"] == "ask" and row.get("ask") == found.ask
        return (RIGHT if right else ASKED), found.ask
    if row["expect"] == "ask":
        return WRONG, told(found)
    mine, theirs = told(found), wanted(row)
    return (RIGHT if mine == theirs else WRONG), {
        key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]
    }


def intent_of(row: dict[str, Any]) -> tuple[str, Any]:
    found = intent(row["text"])
    if found == row["intent"]:
        return RIGHT, found
    return (ASKED if found == "none" else WRONG), found


def score(name: str, *, failing: bool) -> None:
    """Print the figures of one half."""
    rows = tomllib.loads((HERE / name).read_text(encoding="utf-8"))
    for what, judge in (("hours", hours_of), ("intent", intent_of)):
        by_form: dict[str, Counter[str]] = defaultdict(Counter)
        parts: Counter[str] = Counter()
        began = time.perf_counter()
        for row in rows[what]:
            outcome, found = judge(row)
            by_form[row["form"]][outcome] += 1
            by_form["total"][outcome] += 1
            if outcome == WRONG and isinstance(found, dict) and row.get("expect") == "record":
                parts.update(found.keys())
            if failing and outcome != RIGHT:
                print(f"    {outcome}: {row['text']} -> {found} (wanted {row.get('ask') or row.get('intent') or ''})")
        took = (time.perf_counter() - began) / max(1, len(rows[what])) * 1000
        print(f"{name} · {what} ({took:.2f} ms a sentence)")
        for form in (*sorted(form for form in by_form if form != "total"), "total"):
            counts = by_form[form]
            every = sum(counts.values())
            line = ", ".join(f"{counts[key]} {key}" for key in (RIGHT, ASKED, WRONG))
            print(f"  {form:12} {every:4}: {line} ({100 * counts[RIGHT] / every:.1f} % right)")
        if parts and failing:
            print("  parts of the wrong ones:", dict(parts))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--own", action="store_true", help="only our own half")
    chosen = options.parse_args()
    score("understanding_own.toml", failing=True)
    if not chosen.own:
        score("understanding_held_out.toml", failing=False)


if __name__ == "__main__":
    main()
