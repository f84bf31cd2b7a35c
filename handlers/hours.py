"""Two times of a day as people write them, in Chinese and English: “22:00-7:00”, “晚上十点到早上七点”, “10pm to 7am”.

Pure. Figures alone are read by the 24-hour clock. Where only one of both times says which half of the day it means
(“10pm to 7”), the other one is taken so that the span is the shorter one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

from config.texts import _
from handlers.dialogue import Invalid
from handlers.numerals import NUMERAL, number

LONGEST = 60  # characters that two times may be written with
_HALF, _DAY = 12 * 60, 24 * 60

# What an hour means that is said with a part of the day.
_PARTS = {
    "small": ("凌晨",),
    "early": ("清晨", "清早", "早上", "早晨", "朝早", "明早", "翌晨", "次晨", "上午", "上昼", "上晝", "早"),
    "noon": ("中午", "正午"),
    "late": ("下午", "午后", "午後", "下昼", "下晝", "傍晚", "黄昏", "黃昏"),
    "night": (
        *("晚上", "晚间", "晚間", "今晚", "当晚", "當晚", "夜晚", "夜里", "夜裏", "夜裡", "夜间", "夜間"),
        *("深夜", "半夜", "午夜", "晚", "夜"),
    ),
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_ALONE = {"noon": _HALF, "midday": _HALF, "midnight": 0, "中午": _HALF, "正午": _HALF, "午夜": 0, "半夜": 0}

_PART = "|".join(sorted(_PART_OF, key=len, reverse=True))
_TIME = re.compile(
    rf"(?:(?P<part>{_PART})的?)?\s*"
    rf"(?:(?P<four>\d{{4}})|(?P<hour>\d{{1,2}}|{NUMERAL})"
    r"\s*(?:(?:[:.]|点钟?|點鐘?|时|時|o'clock)\s*"
    rf"(?:(?P<quarter>半|一刻|三刻)|(?P<minute>\d{{1,2}}|{NUMERAL})\s*分?)?)?)"
    r"(?:\s*(?P<half>a\.?m\b\.?|p\.?m\b\.?|in the (?:morning|afternoon|evening)|at night))?"
)
_WORD = re.compile("|".join(_ALONE))
_BEFORE = re.compile(r"(?:每天|每晚|每日|every (?:day|night)|daily)?\s*(?:从|從|由|自|from|between)?\s*")
_BETWEEN = re.compile(r"\s*(?:-+|–|—|~|到|至|until|till|to|and)\s*")
_NEXT_DAY = re.compile(r"(?:次日|翌日|第二天|第二日|隔天|隔日|the next (?:day|morning) at)?的?\s*")
_BEHIND = re.compile(r"\s*(?:(?:on )?(?:the )?(?:next|following) (?:day|morning)|为止|為止|之间|之間|吧)?\s*[.。!]?")


@dataclass(frozen=True, slots=True)
class Span:
    """From and until, local times; equal = off."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class _Said:
    """One time as it was said, in minutes of the day. `half` = it says itself which half of the day it means; `open` =
    it may also mean twelve hours later."""

    at: int
    half: bool = False
    open: bool = False


def hours(words: str) -> Span:
    """Two times of a day. Raises Invalid, saying how to write them."""
    hint = _("请写从几点到几点，例如 22:00-08:00 或“晚上十点到早上八点”；不需要免打扰就回复“关闭”。")
    plain = words.strip().casefold().replace("：", ":").replace("～", "~").replace("’", "'")
    try:
        said = _both(plain) if len(plain) <= LONGEST else None
    except ValueError:
        raise Invalid(_("一天里没有这个时间。") + hint) from None
    if said is None:
        raise Invalid(hint)
    start, end = _nearest(*said)
    if start == end:
        raise Invalid(_("开始和结束不能一样。") + hint)
    return Span(time(*divmod(start, 60)), time(*divmod(end, 60)))


def _both(plain: str) -> tuple[_Said, _Said] | None:
    """The two times that the words consist of; None where they are something else. Raises ValueError for a time that
    no day has."""
    first = _one(plain, _end(_BEFORE, plain, 0))
    between = _BETWEEN.match(plain, first[1]) if first else None
    second = _one(plain, _end(_NEXT_DAY, plain, between.end())) if between else None
    if first is None or second is None or not _BEHIND.fullmatch(plain, second[1]):
        return None
    return _read(first[0]), _read(second[0])


def _end(pattern: re.Pattern[str], plain: str, start: int) -> int:
    found = pattern.match(plain, start)
    return found.end() if found else start


def _one(plain: str, start: int) -> tuple[re.Match[str], int] | None:
    """A time that begins here, and where it ends."""
    found = _TIME.match(plain, start) or _WORD.match(plain, start)
    return (found, found.end()) if found else None


def _read(found: re.Match[str]) -> _Said:
    """Raises ValueError for a time that no day has."""
    if found.re is _WORD:
        return _Said(_ALONE[found[0]], half=True)
    if found["four"]:
        hour, minute = int(found["four"][:2]), int(found["four"][2:])
    else:
        hour, minute = number(found["hour"]), number(found["minute"] or "0")
    minute = {"半": 30, "一刻": 15, "三刻": 45}.get(found["quarter"] or "", minute)
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise ValueError("no such time")
    part = _part(found)
    if part:
        return _Said(_in_part(part, hour) % 24 * 60 + minute, half=True)
    digits = found["four"] or found["hour"]
    by_twelve = 1 <= hour <= 12 and not found["four"] and not digits.startswith("0")
    return _Said(hour % 24 * 60 + minute, open=by_twelve)


def _part(found: re.Match[str]) -> str:
    """The part of the day that is said with a time; "night" where both are (“晚上10pm”)."""
    half = (found["half"] or "").replace(".", "")
    if half:
        return {"am": "am", "pm": "late", "in the morning": "am", "at night": "night"}.get(half, "late")
    return _PART_OF.get(found["part"] or "", "")


def _in_part(part: str, hour: int) -> int:
    """The hour of the day. Raises ValueError where the part has no such hour."""
    if part == "night":
        return hour + 12 if 5 <= hour <= 12 else hour  # 晚上一点 is after midnight, 晚上十二点 midnight itself
    if part == "late":
        return hour if hour >= 12 else hour + 12
    if part == "noon":
        hour += 12 if hour <= 2 else 0
        if not 10 <= hour <= 14:
            raise ValueError("not at noon")
        return hour
    if hour > 12:
        raise ValueError("not in the morning")
    return 0 if hour == 12 and part in ("small", "am") else hour


def _nearest(start: _Said, end: _Said) -> tuple[int, int]:
    """Minutes of the day from and until."""
    starts = [start.at, (start.at + _HALF) % _DAY] if start.open and end.half else [start.at]
    ends = [end.at, (end.at + _HALF) % _DAY] if end.open and start.half else [end.at]
    return min(((a, b) for a in starts for b in ends), key=lambda pair: (pair[1] - pair[0] - 1) % _DAY)


def time_behind(words: str) -> list[tuple[str, time]]:
    """The ways in which words may end with one time of the day: what stands before it, and the time. Of a bare hour
    from 1 to 6 the afternoon is meant."""
    plain = words.strip().casefold().replace("：", ":").replace("’", "'")
    found = []
    for start in range(min(len(plain), LONGEST)):
        one = _one(plain, start)
        if one is None or one[1] != len(plain):
            continue
        try:
            said = _read(one[0])
        except ValueError:
            continue
        at = said.at + _HALF if said.open and not said.half and said.at < 7 * 60 else said.at
        found.append((plain[:start].strip(), time(*divmod(at % _DAY, 60))))
    return found
