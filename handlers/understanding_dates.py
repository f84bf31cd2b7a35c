"""The days that a told service may have been on, as people write them: “昨儿个”, “上周三”, “11.20”, “last Sunday”.

Pure. Looks back, as handlers/days.py looks ahead: 上周X is of the week before, which begins on Monday; a bare 周X is
the latest that is not ahead; “last Saturday” is the latest Saturday before today.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from handlers.numerals import NUMERAL
from handlers.understanding_text import ENGLISH, Sentence, compiled, counted
from models.months import months_on

FAR_BACK = 150  # days: a month and day without a year that lies ahead was last year's, if that is no longer ago


@dataclass(frozen=True, slots=True)
class Day:
    """`day` None = no single day is named (上周, 那天) or there is none; `weak` = it may stand beside a clearer one
    (“上周，11月18号”). `weekday` = a weekday without a week: beside a date it says no more than that."""

    at: int
    end: int
    day: date | None
    weak: bool = False
    weekday: int | None = None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = (
    "mon(?:day)?|tues?(?:day)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?"
    r"|saturday|sat(?! (?:with|down|and|next|by|in|beside|together))|sun(?:day)?"
)
_WEEK = r"(?:周|週|星期|礼拜)"
_PART = r"(?=晚|早|晌|头晌|前晌|后晌|下晌|夜|晨|朝|上午|下午|中午|午|晏|上昼|下昼|半夜|凌晨)"
_COUNT = rf"\d{{1,3}}|{NUMERAL}|俩|{ENGLISH}"
_BACK = {
    3: r"大前[天日]|大前(?:儿个?|个儿?)",
    2: rf"前[天日]|前(?:儿个?|个儿?)|前{_PART}|(?:the )?day before yesterday",
    1: rf"昨[天日]|昨(?:儿个?|个儿?)|昨{_PART}|寻日|[噚㖊]日|琴日|擒日|寻{_PART}"
    rf"|[噚㖊]{_PART}|琴{_PART}|夜儿个?|夜个儿?|夜来|夜里个|yesterday|last (?=night)",
    0: rf"今[天日]|今(?:儿个?|个儿?)|今{_PART}|即日|today|刚才|刚刚|方才|才刚|头先|啱啱|啱先|just now|tonight"
    r"|this (?=morning|afternoon|evening|noon)|刚(?=陪|给|从|做|教|在|去|帮|和|结束|忙)|正日",
}
_AHEAD = compiled(
    r"大?后天|大?后日|后儿个?|明[天日]|明儿个?|听日|明(?=晚|早|上午|下午)|tomorrow|(?:the )?day after tomorrow"
    rf"|下+(?:个|一)?{_WEEK}(?:[一二三四五六日天末])?|下个?月(?:\d{{1,2}}[号日])?"
    rf"|next (?:week|month|{_WEEKDAY}\b)|这就去|等下|等会儿?|待会儿?"
)
# A time that names no single day.
_VAGUE = compiled(
    r"前(?:几|两|些|阵|段)[天日子]*|这[几两][天日]|近[几日来]+天?|最近|那[天日]|有[一]?[天日]|某[天日]|早几日|早排|上次|[几数][天日]前|前阵子?"
    rf"|上+(?:个|一)?{_WEEK}末?|(?:这|本|呢|今)?个?(?:周末|礼拜末|星期末)|(?:这|本|呢)个?(?:周|星期|礼拜)"
    r"|[上这本]个?月[初中底末]?(?!\d)|国庆|五一|中秋|端午|元旦|春节|寒假|暑假"
    r"|last week(?:end)?|this week(?:end)?|(?:the |over the "
    r"|at the )?weekend|the other day|recently|last month|some day"
    r"|(?:a )?few days ago|a couple of days ago|\bone day\b"
)


def days(said: Sentence, today: date) -> list[Day]:
    """All days in the sentence, in order."""
    found: list[Day] = []
    for pattern, read in _FORMS:
        for match in said.take(pattern):
            bare = read in (_weekday, _english_weekday) and not match["which"]
            day = _real(read, match, today)
            found.append(Day(match.start(), match.end(), day, weekday=_at(match["weekday"]) if bare else None))
    for match in said.take(_AHEAD):
        found.append(Day(match.start(), match.end(), today + timedelta(days=1)))
    for match in said.take(_VAGUE):
        found.append(Day(match.start(), match.end(), None, weak=True))
    return sorted(found, key=lambda day: day.at)


def _real(read: Callable[[re.Match[str], date], date], match: re.Match[str], today: date) -> date | None:
    try:
        return read(match, today)
    except (ValueError, OverflowError):  # a day that no calendar has
        return None


def _number(words: str) -> int:
    value = counted(words)
    if value is None or value != int(value):
        raise ValueError(words)
    return int(value)


def _calendar(match: re.Match[str], today: date) -> date:
    groups = match.groupdict()
    said = match["month"]
    month = _MONTHS.index(said[:3]) + 1 if said[:3] in _MONTHS else _number(said)
    at = _number(match["day"])
    if groups.get("year"):
        return date(int(match["year"]), month, at)
    if groups.get("which"):
        return date(today.year - (1 if match["which"] == "去年" else 0), month, at)
    for year in (today.year, today.year - 1):
        try:
            day = date(year, month, at)
        except ValueError:
            continue
        if day <= today or (year == today.year and (today - months_on(day, -12)).days > FAR_BACK):
            return day
    return date(today.year, month, at)


def _of_month(match: re.Match[str], today: date) -> date:
    at = _number(match["day"])
    first = today.replace(day=1)
    which = match["which"] or ""
    if which.startswith("上"):
        return months_on(first, -1).replace(day=at)
    if which:
        return first.replace(day=at)
    return today.replace(day=at) if at <= today.day else months_on(first, -1).replace(day=at)


def _at(said: str) -> int:
    if said[:3] in _WEEKDAYS:
        return _WEEKDAYS.index(said[:3])
    return "123456".index(said) if said.isdecimal() else "一二三四五六日".index(said.replace("天", "日"))


def _weekday(match: re.Match[str], today: date) -> date:
    at, which = _at(match["weekday"]), match["which"] or ""
    monday = today - timedelta(days=today.weekday())
    if which.startswith("上"):
        return monday + timedelta(days=at - 7 * which.count("上"))
    if which:
        return monday + timedelta(days=at)
    return today - timedelta(days=(today.weekday() - at) % 7)


def _english_last_week(match: re.Match[str], today: date) -> date:
    return today + timedelta(days=_at(match["weekday"]) - today.weekday() - 7)


def _english_weekday(match: re.Match[str], today: date) -> date:
    at, which = _at(match["weekday"]), match["which"] or ""
    if which == "this":
        return today + timedelta(days=at - today.weekday())
    back = (today.weekday() - at) % 7
    return today - timedelta(days=back or (7 if which in ("last", "past") else 0))


def _ago(match: re.Match[str], today: date) -> date:
    return today - timedelta(days=_number(match["count"]))


def _week_ago(match: re.Match[str], today: date) -> date:
    return today - timedelta(days=7)


def _back(days_back: int) -> Callable[[re.Match[str], date], date]:
    return lambda _match, today: today - timedelta(days=days_back)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], date]], ...] = tuple(
    (compiled(pattern), read)
    for pattern, read in (
        (
            r"(?<!\d)(?P<year>20\d\d)\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})(?!\d)\s*[日号]?",
            _calendar,
        ),
        (r"(?<!\d)(?P<year>20\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)(?!\d)", _calendar),
        (
            rf"(?P<which>今年|去年)?(?P<month>\d{{1,2}}|{NUMERAL})\s*月份?\s*(?P<day>\d{{1,2}}|{NUMERAL})\s*[日号]?",
            _calendar,
        ),
        (
            rf"(?<![a-z])(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month>{_MONTH})(?![a-z])\.?"
            r"(?:,? ?(?P<year>20\d\d))?",
            _calendar,
        ),
        (
            rf"(?<![a-z])(?P<month>{_MONTH})\.? (?:the )?(?P<day>\d{{1,2}})(?:st"
            rf"|nd|rd|th)?(?![\d:])(?:,? ?(?P<year>20\d\d))?",
            _calendar,
        ),
        (r"(?<![\d/.])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])", _calendar),
        (r"(?<![\d/.])(?P<day>3[01]|2\d|1[3-9])/(?P<month>1[0-2]|0?[1-9])(?![\d/])", _calendar),
        (
            r"(?<![\d.:~到至-])(?P<month>1[0-2]|0?[1-9])\.(?P<day>3[01]|[12]\d|0?[1-9])(?=\s*(?:[日号]|上午|下午|早|晚|中午|周|星期"
            r"|[,，\x00]|陪|给|去|在|支|\s[^-~\d]))(?!\s*[-~到至])\s*[日号]?",
            _calendar,
        ),
        (
            r"(?<![\d.:-])(?P<month>1[0-2]|0?[1-9])-(?P<day>3[01]|2\d|1[3-9])(?=\s*(?:[日号]|上午|下午|早|晚|中午|周|星期|[,，]"
            r"|\s\d|陪|给|去|在|支))\s*[日号]?",
            _calendar,
        ),
        (rf"(?:(?P<which>[上本这]个?)月)?(?<!第)(?P<day>\d{{1,2}}|{NUMERAL})\s*号(?![楼线院门栋室店桌床])", _of_month),
        (r"(?P<which>[上本这]个?)月(?P<day>\d{1,2})日?(?!\s*[点:\d])", _of_month),
        (r"(?<![\d月])(?P<which>)(?P<day>\d{1,2})日(?!常|子)", _of_month),
        (r"(?<![a-z])(?:on )?the (?P<which>)(?P<day>\d{1,2})(?:st|nd|rd|th)(?! floor)", _of_month),
        (rf"(?P<count>{_COUNT})\s*[天日](?:之|以)?前(?!天)", _ago),
        (rf"(?<![a-z])(?P<count>\d+|{ENGLISH}) days? (?:ago|before)", _ago),
        (
            r"(?:一周|一个?星期|一个?礼拜|7天)前|上(?:个|一)?(?:周|星期|礼拜)的?今天|(?:a|one) week ago(?: today)?",
            _week_ago,
        ),
        (
            rf"(?P<which>上+|这|本|呢|今)?(?:个|一个|一)?{_WEEK}(?P<weekday>[一二三四五六日天]"
            r"|[1-6](?!\s*[个小\d.:点时h月号日天次半]))",
            _weekday,
        ),
        (rf"(?<![a-z])last week(?:'s)?,?(?: on)? (?P<weekday>{_WEEKDAY})(?![a-z])", _english_last_week),
        (rf"(?<![a-z])(?P<weekday>{_WEEKDAY}),? (?:of )?last week(?![a-z])", _english_last_week),
        (
            rf"(?<![a-z])(?:on )?(?:(?P<which>last|this|this past|past) )?(?P<weekday>{_WEEKDAY})(?![a-z])",
            _english_weekday,
        ),
        *((rf"(?:{pattern})", _back(count)) for count, pattern in _BACK.items()),
    )
)
