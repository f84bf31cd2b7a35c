"""The times of day in a told service: “下午两点半到四点”, “9-11:30”, “2pm to 4”, “两点去的四点走”. Pure.

Where no half of the day is said, 7 to 12 are of the morning and 1 to 6 of the afternoon, and an end is the next such
time after its start (10点到2点 = 10:00–14:00). “两点多” is no time that anybody could write down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.hours import PART_OF, in_part
from handlers.understanding_text import TAKEN, Sentence, compiled, counted

DAY, HALF = 24 * 60, 12 * 60
EVENING = 18 * 60  # what begins before it does not go on until after midnight, unless the next day is named


@dataclass(frozen=True, slots=True)
class Said:
    """One time, in minutes of the day; `open` = it may also be twelve hours later. `part` = the part of the day said
    with it. `vague` = 两点多, or no time at all (25点)."""

    at: int
    end: int
    minute: int
    open: bool = False
    part: str = ""
    vague: bool = False
    is_end: bool = False
    clear: bool = False  # written by the 24-hour clock


@dataclass(frozen=True, slots=True)
class Span:
    """From and until, in minutes from the midnight before the start; None = not said. `vague` as in Said."""

    at: int
    end: int
    start: int | None
    until: int | None
    vague: bool = False


_PARTS = sorted({word for word in PART_OF if word not in ("明早", "今晚")}, key=len, reverse=True)
_PART = "|".join(_PARTS)
PARTS = compiled(
    rf"(?:{_PART})(?!安|饭|餐|点[再去才些说]|会)|in the (?:morning|afternoon|evening)|morning|afternoon|evening|night"
)
_HOUR = r"\d{1,2}|[零〇一二两三四五六七八九十]{1,3}"
_MINUTE = r"零[一二三四五六七八九]|[一二三四五]?十[一二三四五六七八九]?"


def _time(n: int) -> str:
    """One time; groups are numbered by `n`."""
    return (
        rf"(?:(?P<part{n}>{_PART})的?\s*)?(?:大概|大约|约|差不多)?\s*"
        rf"(?:(?P<four{n}>(?<!\d)[012]\d[0-5]\d(?!\d))"
        rf"|(?P<hour{n}>(?<!\d)\d{{1,2}}|[零〇一二两三四五六七八九十]{{1,3}})"
        rf"(?:\s*[:.](?P<min{n}>\d\d)(?!\d)"
        rf"|\s*(?P<mark{n}>点|时(?![间长候常])|[oO]'?clock)(?:钟|整|正)?"
        rf"(?:\s*(?:(?P<quarter{n}>半(?![个小天])|[一1]刻|[三3]刻)|(?P<minute{n}>\d{{2}}(?!\d)|{_MINUTE})\s*分?(?!钟)"
        rf"|(?P<single{n}>\d|[一二三四五六七八九])分(?!钟)|(?P<fives{n}>[一二三四五六七八九十]|\d)(?:个字|(?=\s*[到至,，]|$))))?)?"
        rf"(?:\s*(?P<half{n}>a\.?m\b\.?|p\.?m\b\.?|in the (?:morning|afternoon|evening)|at night|noon))?"
        rf"(?P<vague{n}>\s*(?:多|左右|来钟|前后|出头|过(?!来|去)|几|的样子|-?ish))?"
        rf"|(?P<word{n}>\bnoon\b|\bmidday\b|\bmidnight\b|正午|(?<!今天)中午(?=[到至\s,，]|$)|半夜(?=到)))"
    )


_GAP = rf"[\s{TAKEN}(),，]*"
_TO = rf"(?:(?:开始)?{_GAP}(?:一直|直)?(?:-+|–|—|~|到|至|until|till|til|through|to|and)|—)"
_UNIT_BEHIND = (
    r"(?!\s*[个岁人次元块斤楼号年级页题首张户家步遍名位层期份件条公千%]|\s*(?:people|kids|years|times|pages))"
)
_RANGE = compiled(
    rf"(?P<from>从|from|between)?{_GAP}{_time(1)}(?P<to>\s*{_TO}\s*)"
    rf"(?P<next>{_GAP}(?:第二天|次日|隔天|the next day)?{_GAP}){_time(2)}{_UNIT_BEHIND}"
)
_SINGLE = compiled(rf"(?P<before>(?:[到至]|until|till|by)\s*)?{_time(1)}(?!\d)")
_ENDS = compiled(r"^\s*(?:多|钟)?(?:就|才|我)?(?:结束|走|离开|离|完|收工|散|回|出来|做完|下课|撤|left|finished)")
_NOW = compiled(r"(?:到|至|until|till|to)\s*(?:现在|刚才|刚刚|而家|宜家|依家|这会儿|now)")
_NOT_TIME = compiled(r"[好早晚多少快慢有大小差强点便]一点$|一点(?:也|都|儿)")
_COUNTED_FAR = ("两三", "三四", "四五", "五六", "六七", "七八", "八九", "一两")


def spans(said: Sentence, now_minute: int, *, bare: bool) -> list[Span]:
    """All spans of time in the sentence, in order; of a single time the other side is None. `bare` = figures
    without any mark (“9-11”) may be times; `now_minute` = the minute of the day that “到现在” means."""
    found: list[Span] = []
    for match in _RANGE.finditer(said.rest):
        if not _is_range(match, bare=bare):
            continue
        first, second = _read(match, 1), _read(match, 2)
        next_day = bool(match["next"].strip(" ,，()"))
        said.drop(match.start(), match.end())
        found.append(_span(_with_part(said, first), second, next_day=next_day))
    ends_now = next(iter(said.take(_NOW)), None)
    singles = [one for one in (_single(said, match) for match in _SINGLE.finditer(said.rest)) if one is not None]
    for one in singles:
        said.drop(one.at, one.end)
    if ends_now is not None and len(singles) == 1 and not singles[0].is_end:
        until = Said(ends_now.start(), ends_now.end(), now_minute, clear=True)
        return [*found, _span(_with_part(said, singles[0]), until, next_day=False)]
    if len(singles) == 2 and not singles[0].is_end:
        return [*found, _span(_with_part(said, singles[0]), singles[1], next_day=False)]
    for one in singles:
        found.append(_alone(_with_part(said, one)))
    return sorted(found, key=lambda span: span.at)


def _is_range(match: re.Match[str], *, bare: bool) -> bool:
    """Whether two figures with a stroke between are times: one of them says so, or the sentence does."""
    for n in (1, 2):
        marks = (match[f"{kind}{n}"] for kind in ("part", "four", "min", "mark", "half", "word"))
        if any(marks):
            return True
        if match[f"hour{n}"] and not match[f"hour{n}"].isdecimal():
            return False
    return bare or bool(match["from"])


def _read(match: re.Match[str], n: int) -> Said:
    """`vague` for a time that no day has."""
    at = min(match.start(f"{kind}{n}") for kind in ("part", "four", "hour", "word") if match[f"{kind}{n}"])
    end = max(match.end(f"{kind}{n}") for kind in _GROUPS if match[f"{kind}{n}"])
    nothing = Said(at, end, 0, vague=True)
    word, part = match[f"word{n}"], _part(match, n)
    if word:
        return Said(at, end, 0 if word in ("midnight", "半夜") else HALF, part="noon")
    four, hour_said = match[f"four{n}"], match[f"hour{n}"]
    hour = float(four[:2]) if four else counted(hour_said)
    if match[f"vague{n}"] or hour is None or hour_said in _COUNTED_FAR:
        return nothing
    minute = int(four[2:]) if four else _minute(match, n)
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        return nothing
    if part:
        try:
            return Said(at, end, in_part(part, int(hour)) * 60 + minute, part=part)
        except ValueError:
            return nothing
    digits = four or hour_said
    by_clock = hour > 12 or hour == 0 or digits.startswith("0") or bool(four)
    return Said(at, end, int(hour) * 60 + minute, open=not by_clock, clear=by_clock)


_GROUPS = ("part", "four", "hour", "min", "mark", "quarter", "minute", "single", "fives", "half", "vague", "word")


def _minute(match: re.Match[str], n: int) -> int:
    if match[f"quarter{n}"]:
        said = match[f"quarter{n}"]
        return 30 if said == "半" else 15 if said[0] in "一1" else 45
    if match[f"fives{n}"]:
        return int(counted(match[f"fives{n}"]) or 0) * 5
    words = match[f"min{n}"] or match[f"minute{n}"] or match[f"single{n}"] or "0"
    return int(counted(words.removeprefix("零") or "0") or 0)


def _part(match: re.Match[str], n: int) -> str:
    half = (match[f"half{n}"] or "").replace(".", "")
    if half:
        return {"am": "am", "in the morning": "am", "at night": "night", "noon": "noon"}.get(half, "late")
    return PART_OF.get(match[f"part{n}"] or "", "")


def _with_part(said: Sentence, one: Said) -> Said:
    """With the part of the day that stands apart before it (“昨天下午陪小明，2点到4点”), if it has none itself."""
    if one.part or not one.open:
        return one
    before = list(PARTS.finditer(said.plain[: one.at])) or list(PARTS.finditer(said.plain[one.end :]))
    words = before[-1][0] if before else ""
    part = _ENGLISH_PARTS.get(words.removeprefix("in the "), PART_OF.get(words, ""))
    if not part:
        return one
    hour, minute = divmod(one.minute, 60)
    try:
        return Said(one.at, one.end, in_part(part, hour) * 60 + minute, part=part, is_end=one.is_end)
    except ValueError:
        return one


_ENGLISH_PARTS = {"morning": "am", "afternoon": "late", "evening": "late", "night": "night"}


def _span(first: Said, second: Said, *, next_day: bool) -> Span:
    at, end = min(first.at, second.at), max(first.end, second.end)
    vague = Span(at, end, None, None, vague=True)
    if first.vague or second.vague:
        return vague
    start = _start(first, second)
    until = _until(start, second, next_day=next_day)
    return vague if until is None or until - start > DAY else Span(at, end, start, until)


def _start(first: Said, second: Said) -> int:
    if not first.open:
        return first.minute
    usual = _usual(first.minute)
    if second.open:
        return usual
    if second.clear and second.minute >= HALF + 60:  # by the 24-hour clock: 8:00-20:30
        return usual if usual < second.minute else first.minute
    before = [at for at in (first.minute % HALF, first.minute % HALF + HALF) if at < second.minute]
    return max(before) if before else first.minute % HALF + HALF


def _usual(minute: int) -> int:
    """What 1 to 12 means where nothing else says it."""
    return minute + HALF if minute < 7 * 60 else minute


def _until(start: int, second: Said, *, next_day: bool) -> int | None:
    """None where it would lie before its start."""
    if next_day:
        return second.minute + DAY
    if second.open:
        later = (second.minute % HALF + add for add in (0, HALF, DAY))
        until = next(at for at in later if at > start)
        return until if until < DAY or start >= EVENING or until == DAY else None
    if second.minute > start:
        return second.minute
    if second.minute == 0 or start >= EVENING:
        return second.minute + DAY
    return None


def _single(said: Sentence, match: re.Match[str]) -> Said | None:
    """A time that stands by itself; None where the figure is no time."""
    if not any(match[f"{kind}1"] for kind in ("mark", "min", "half", "word")):
        return None
    if _NOT_TIME.search(said.rest[max(0, match.start("hour1") - 1) : match.end() + 1] if match["hour1"] else ""):
        return None
    one = _read(match, 1)
    behind = said.rest[one.end : one.end + 8]
    ends = bool(_ENDS.match(behind)) or (bool(match["before"]) and not _ARRIVES.match(behind))
    return Said(one.at, one.end, one.minute, one.open, one.part, one.vague, is_end=ends, clear=one.clear)


_ARRIVES = compiled(r"^\s*(?:开始|到)")


def _alone(one: Said) -> Span:
    if one.vague:
        return Span(one.at, one.end, None, None, vague=True)
    minute = _usual(one.minute) if one.open else one.minute
    return Span(one.at, one.end, None, minute) if one.is_end else Span(one.at, one.end, minute, None)
