"""What a typed sentence wants, by one pure function and one table (intents.toml); the first pattern that fits wins.

A danger beats everything (the words of rules.toml, through handlers/emergency.py; “累死了” is none). A bare 收到 or
[OK] is a nod that neither accepts nor stops anything (programme §6). How well sentences are understood that nobody here
has seen, bench/understanding.py counts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from handlers.emergency import is_danger
from handlers.menu_words import ACKNOWLEDGED
from handlers.understanding_contents import contents
from handlers.understanding_dates import days
from handlers.understanding_durations import durations
from handlers.understanding_names import names
from handlers.understanding_text import Sentence, compiled
from handlers.understanding_times import spans

Intent = str
LONGEST = 400  # characters: what stands behind them is not searched for what it may want
SHORT = 20  # characters: a day and a length in so few words tell of a service, whatever else they say
_SOME_DAY = date(2026, 11, 25)  # whether a day lies behind or ahead shows in how it is said, on any day


@dataclass(frozen=True)
class Table:
    """intents.toml, ready to look with. `rules` in their order."""

    rules: tuple[tuple[Intent, re.Pattern[str]], ...]
    nod: re.Pattern[str]
    harm: re.Pattern[str]
    acute: re.Pattern[str]
    urgent: re.Pattern[str]
    calm: re.Pattern[str]
    wish: re.Pattern[str]
    will: re.Pattern[str]
    did: re.Pattern[str]
    other: re.Pattern[str]
    dispute: re.Pattern[str]
    examples: tuple[tuple[Intent, str], ...]


@cache
def table() -> Table:
    """Read once."""
    rows = tomllib.loads((Path(__file__).parent / "intents.toml").read_text(encoding="utf-8"))
    parts: dict[str, str] = rows["parts"]

    def either(patterns: Sequence[str]) -> re.Pattern[str]:
        joined = "|".join(patterns)
        for name, part in parts.items():
            joined = joined.replace(f"{{{name}}}", part)
        return compiled(joined)

    return Table(
        rules=tuple((row["name"], either(row["patterns"])) for row in rows["intent"] if row["patterns"]),
        nod=compiled(rf"(?:(?:{'|'.join(rows['nods']['patterns'])})[\s,，。.!！~～、;…·]*)+"),
        **{name: either(patterns) for name, patterns in (rows["danger"] | rows["told"]).items()},
        examples=tuple((row["name"], example) for row in rows["intent"] for example in row["examples"]),
    )


def intent(text: str) -> Intent:
    """What a sentence wants: a name of intents.toml; "none" where nothing fits. Never raises."""
    said, look = Sentence(text[:LONGEST]), table()
    plain = said.plain.strip()
    if is_danger(text):
        return "safeguarding" if look.harm.search(plain) and not look.acute.search(plain) else "emergency"
    if not plain:
        return "none"
    calm = look.calm.sub("", plain)
    if look.urgent.search(calm):
        return "emergency"
    if look.nod.fullmatch(plain) or ACKNOWLEDGED.match(plain):
        return "acknowledge"
    if look.harm.search(calm):
        return "safeguarding"
    if not look.dispute.search(plain) and _told(said, plain, look):
        return "told_hours"
    return next((name for name, pattern in look.rules if pattern.search(calm)), "none")


def _told(said: Sentence, plain: str, look: Table) -> bool:
    """Whether a service is told of that is over: a day that lies behind with a length or times, or the wish to tell."""
    if look.wish.search(plain):
        return True
    if look.other.search(plain) or (look.will.search(plain) and not look.did.search(plain)):
        return False
    took = durations(said)
    named = days(said, _SOME_DAY)
    full = any(None not in (span.start, span.until) for span in spans(said, 18 * 60, bare=bool(named)))
    if any(day.day is not None and day.day > _SOME_DAY for day in named) or not (took or full):
        return False
    did = bool(contents(said))
    what = did or bool(names(said)) or bool(look.did.search(plain))
    return did or (bool(named) and (what or len(plain) < SHORT))
