"""A moment of today as people write it: “16:00”, “四点半”, “半小时后”, “十分钟前”, “in half an hour”.

Pure. A time without its half of the day means the nearest one in the direction asked for.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from config.texts import simplified
from handlers import hours
from handlers.numerals import ENGLISH, NUMERAL, number

_LONGEST = 30  # characters
_NUMBER = rf"\d{{1,3}}|{NUMERAL}|{'|'.join(sorted(ENGLISH, key=len, reverse=True))}"
_HOURS = re.compile(
    rf"(?:in |about )?(?:(?P<whole>{_NUMBER})\s*个?(?P<and_half>半)?\s*(?:小时|钟头|hours?|hrs?)"
    r"|(?P<half>半个?(?:小时|钟头)|half an hour))"
    rf"(?:\s*(?P<more>半)|\s*(?:零|and )?\s*(?P<minutes>{_NUMBER})\s*(?:分钟?|minutes?|mins?))?"
)
_MINUTES = re.compile(rf"(?:in |about )?(?P<minutes>{_NUMBER})\s*(?:分钟|分|minutes?|mins?)")
_QUARTER = re.compile(r"(?:一刻钟|a quarter of an hour)")
_ROUND = re.compile(r"^(?:再|过|還有|还有|大概|大约|约|差不多|到|就|刚|today |at |by |till |until |about |around )+")
_TAIL = re.compile(r"(?:之?后|以后|之?前|以前|左右|吧|later|ago|from now|more|longer|[.。!！了呢])+$")


def span(words: str) -> timedelta | None:
    """A length of time; None where the words are something else."""
    plain = _stripped(words)
    found = _HOURS.fullmatch(plain)
    if found is not None:
        minutes = 30 if found["half"] else _value(found["whole"]) * 60
        minutes += 30 if found["and_half"] or found["more"] else 0
        return timedelta(minutes=minutes + (_value(found["minutes"]) if found["minutes"] else 0))
    found = _MINUTES.fullmatch(plain)
    if found is not None:
        return timedelta(minutes=_value(found["minutes"]))
    return timedelta(minutes=15) if _QUARTER.fullmatch(plain) else None


def _value(words: str) -> int:
    try:
        return number(words)
    except ValueError:
        return 0


def _stripped(words: str) -> str:
    plain = simplified(" ".join(words[:_LONGEST].casefold().split()))
    return _TAIL.sub("", _ROUND.sub("", plain)).strip()


def ahead(words: str, now: datetime) -> datetime | None:
    """The moment after `now` (aware, local) that the words mean; None where they mean none."""
    length = span(words)
    if length is not None:
        return now + length if length else None
    found = [_next(now, at) for at in hours.one(_stripped(words))]
    return min(found, default=None)


def behind(words: str, now: datetime) -> datetime | None:
    """The moment at or before `now` that the words mean; None where they mean none."""
    length = span(words)
    if length is not None:
        return now - length
    found = [_next(now, at) - timedelta(days=1) for at in hours.one(_stripped(words))]
    return max(found, default=None)


def _next(now: datetime, minutes: int) -> datetime:
    """The first moment after `now` at so many minutes of the day."""
    at = now.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)
