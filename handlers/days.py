"""A day ahead as people write it, in Chinese and English: “2027-03-01”, “3月1日”, “下周一”, “两周后”, “next Monday”.

Pure. A week begins on Monday; “next Monday”, like 下周一, is the Monday of the next week.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable
from datetime import date, timedelta

from babel.dates import get_day_names

from config.texts import _, current
from handlers.dialogue import Invalid
from handlers.numerals import ENGLISH, NUMERAL, number
from models.months import months_on as months_on

LONGEST = 60  # characters that a day may be written with

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = "mon(?:day)?|tues?(?:day)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
_CHINESE_WEEK = "周|週|星期|礼拜|禮拜"
_ENGLISH_NUMBER = "|".join(sorted(ENGLISH, key=len, reverse=True))
_COUNT = rf"(?P<count>\d{{1,3}}|{NUMERAL}|{_ENGLISH_NUMBER})"
_CN_DAY = rf"(?P<day>\d{{1,2}}|{NUMERAL})"

_BEFORE = re.compile(
    r"(?:(?:请|請|please )?(?:暂停|暫停|pause)\s*)?(?:直到|一直到|到|至|until|till|through|up to|for)?\s*(?:on )?"
)
_BEHIND = re.compile(r"\s*(?:为止|為止|吧|please)?\s*[.。!]?$")
_SOON = {
    1: ("明天", "明日", "听日", "聽日", "tomorrow"),
    2: ("后天", "後天", "后日", "後日", "the day after tomorrow", "day after tomorrow"),
    3: ("大后天", "大後天", "大后日", "大後日"),
}
_DAYS_TO = {word: days for days, words in _SOON.items() for word in words}
_BACK = {1: ("昨天", "昨日", "寻日", "尋日", "噚日", "yesterday"), 2: ("前天", "前日", "the day before yesterday")}
_DAYS_SINCE = {word: days for days, words in _BACK.items() for word in words}
_TODAY = ("今天", "今日", "今晚", "today", "tonight")


def day_ahead(today: date) -> Callable[[str], date]:
    """A check for a day after `today` and within a year; without a year the next such day is meant."""

    def check(words: str) -> date:
        hint = _("请写一个日期，例如 {example}、{short}、“下周一”或“两周后”。").format(
            example=(today + timedelta(days=45)).isoformat(), short=_("3月1日")
        )
        try:
            day = meant(words, today)
        except ValueError:
            raise Invalid(_("日历上没有这一天。") + hint) from None
        if day is None:
            raise Invalid(hint)
        if day == today:
            raise Invalid(_("最早可以暂停到明天。") + hint)
        if day < today:
            raise Invalid(_("这一天已经过了。") + hint)
        if day > months_on(today, 12):
            raise Invalid(_("最长可以暂停一年。") + hint)
        return day

    return check


def past_day(today: date, years: int) -> Callable[[str], date]:
    """A check for `today` or a day before it, at most so many years; without a year the last such day is meant."""

    def check(words: str) -> date:
        example = (today - timedelta(days=10)).isoformat()
        hint = _("请写一个日期，例如“昨天”、{short} 或 {example}。").format(short=_("3月1日"), example=example)
        day = _read(lambda: _meant_back(words, today), hint)
        if day > today:
            raise Invalid(_("这一天还没有到。") + hint)
        if day < months_on(today, -12 * years):
            raise Invalid(_("这一天太早了，请核对年份。") + hint)
        return day

    return check


def day_until(today: date, years: int) -> Callable[[str], date]:
    """A check for `today` or a day after it, at most so many years; without a year the next such day is meant."""

    def check(words: str) -> date:
        hint = _("请写一个日期，例如 {example}、“一年后”。").format(example=months_on(today, 12).isoformat())
        day = _read(lambda: _meant_back(words, today) if words.casefold() in _DAYS_SINCE else meant(words, today), hint)
        if day < today:
            raise Invalid(_("这一天已经过了。") + hint)
        if day > months_on(today, 12 * years):
            raise Invalid(_("最长 {years} 年，请核对年份。").format(years=years) + hint)
        return day

    return check


def _read(read: Callable[[], date | None], hint: str) -> date:
    try:
        day = read()
    except ValueError:
        raise Invalid(_("日历上没有这一天。") + hint) from None
    if day is None:
        raise Invalid(hint)
    return day


def _meant_back(words: str, today: date) -> date | None:
    """As `meant`, but a day and month without a year lie behind."""
    plain = " ".join(words.casefold().split())
    if plain in _DAYS_SINCE:
        return today - timedelta(days=_DAYS_SINCE[plain])
    day = meant(words, today)
    bare = any(read is _calendar and (found := form.fullmatch(plain)) and not found["year"] for form, read in _FORMS)
    if day is not None and day > today and bare:
        return months_on(day, -12)
    return day


def day_within(today: date, longest: int) -> Callable[[str], date]:
    """A check for a last day: today or later, at most so many days ahead."""

    def check(words: str) -> date:
        hint = _("请写一个日期，例如 {example}、{short}、“下周一”或“两周后”。").format(
            example=(today + timedelta(days=min(45, longest))).isoformat(), short=_("3月1日")
        )
        try:
            day = meant(words, today)
        except ValueError:
            raise Invalid(_("日历上没有这一天。") + hint) from None
        if day is None:
            raise Invalid(hint)
        if day < today:
            raise Invalid(_("这一天已经过了。") + hint)
        if day > today + timedelta(days=longest):
            raise Invalid(_("最晚可以到 {day}。").format(day=(today + timedelta(days=longest)).isoformat()) + hint)
        return day

    return check


def with_weekday(day: date) -> str:
    """2026-12-22（星期二）: so that somebody who wrote “next Tuesday” sees which one was understood."""
    weekday = get_day_names("wide", locale=current())[day.weekday()]
    return _("{day}（{weekday}）").format(day=day.isoformat(), weekday=weekday)


def meant(words: str, today: date) -> date | None:
    """The day that the words mean; None when they are no day. Raises ValueError for a day that no calendar has."""
    plain = " ".join(words.casefold().replace("，", ",").split())
    if len(plain) > LONGEST:
        return None
    before = _BEFORE.match(plain)
    plain = _BEHIND.sub("", plain[before.end() if before else 0 :])
    if plain in _TODAY:
        return today
    if plain in _DAYS_TO:
        return today + timedelta(days=_DAYS_TO[plain])
    for pattern, read in _FORMS:
        found = pattern.fullmatch(plain)
        if found:
            return read(found, today)
    return None


def is_day(words: str) -> bool:
    """Whether the words have the form of a day or of a span of time, whatever day it is today."""
    try:
        return meant(words, date(2000, 1, 1)) is not None
    except ValueError:  # a day that not every calendar has
        return True


def _last(day: date) -> date:
    """The last day of the month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(days=1)


def _calendar(found: re.Match[str], today: date) -> date:
    """Month and day, with or without a year."""
    said = found["month"]
    month = _MONTHS.index(said[:3]) + 1 if said[:3] in _MONTHS else number(said)
    at = number(found["day"])
    if found["year"]:
        return date(int(found["year"]), month, at)
    if (month, at) == (2, 29):  # in the year that has it, of the two that a day within a year may lie in
        leap = today.year if isleap(today.year) and today < date(today.year, 2, 29) else today.year + 1
        return date(leap, 2, 29)
    day = date(today.year, month, at)
    return day if day > today else day.replace(year=today.year + 1)


def _of_month(found: re.Match[str], today: date) -> date:
    """下个月5号, 15号: of the month that is named, else of the next one that has such a day ahead."""
    at = number(found["day"])
    if found["which"]:
        first = months_on(today.replace(day=1), _months_to(found["which"]))
        return first.replace(day=at)
    firsts = (months_on(today.replace(day=1), months) for months in range(12))
    ahead = (first.replace(day=at) for first in firsts if 1 <= at <= _last(first).day)
    day = next((day for day in ahead if day > today), None)
    if day is None:
        raise ValueError("no month has such a day")
    return day


def _month_end(found: re.Match[str], today: date) -> date:
    return _last(months_on(today.replace(day=1), _months_to(found["which"] or "")))


def _end_of(found: re.Match[str], today: date) -> date:
    """5月底: of the month that is named, the next one that lies ahead."""
    said = found["month"]
    month = _MONTHS.index(said[:3]) + 1 if said[:3] in _MONTHS else number(said)
    if found["year"]:
        return _last(date(int(found["year"]), month, 1))
    end = _last(date(today.year, month, 1))
    return end if end > today else _last(date(today.year + 1, month, 1))


def _months_to(which: str) -> int:
    return 1 if which.startswith(("下", "next")) else 0


def _year_end(_found: re.Match[str], today: date) -> date:
    return date(today.year, 12, 31)


def _later(found: re.Match[str], today: date) -> date:
    """两周后, in 3 days, half a year."""
    unit = found["unit"]
    if found.groupdict().get("half"):
        return today + timedelta(days=15) if unit in ("个月", "個月", "month") else months_on(today, 6)
    count = number(found["count"])
    if unit in ("天", "日", "day"):
        return today + timedelta(days=count)
    if unit in ("月", "month"):
        return months_on(today, count)
    if unit in ("年", "year"):
        return months_on(today, 12 * count)
    return today + timedelta(days=(14 if unit == "fortnight" else 7) * count)


def _weekday(found: re.Match[str], today: date) -> date:
    """周五, 下周一, next Monday; without a week the next such day."""
    said, which = found["weekday"], found["which"] or ""
    at = _WEEKDAYS.index(said[:3]) if said.isascii() else "一二三四五六日".index(said.replace("天", "日"))
    if which in ("", "this", "coming", "this coming"):  # on a Sunday “this Friday” lies ahead, 这周五 does not
        return today + timedelta(days=(at - today.weekday() - 1) % 7 + 1)
    weeks = 2 if which == "下下" else 1 if which in ("下", "next") else 0
    return today + timedelta(days=at - today.weekday() + 7 * weeks)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], date]], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (r"(?:(?P<year>\d{4})\s*[-/.年]\s*)?(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*[日号號]?", _calendar),
        (rf"(?:(?P<year>\d{{4}})年)?(?P<month>{NUMERAL})月(?P<day>{NUMERAL})[日号號]?", _calendar),
        (
            rf"(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month>{_MONTH})\.?(?:,? ?(?P<year>\d{{4}}))?",
            _calendar,
        ),
        (rf"(?P<month>{_MONTH})\.? (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? ?(?P<year>\d{{4}}))?", _calendar),
        (rf"(?:(?P<which>[下本这這]个?個?)月)?{_CN_DAY}\s*[日号號]", _of_month),
        (r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)(?: of (?P<which>next|this) month)?", _of_month),
        (r"(?P<which>下个?個?|[本这這]个?個?)?月[底末]", _month_end),
        (rf"(?:(?P<year>\d{{4}})\s*年\s*)?(?P<month>\d{{1,2}}|{NUMERAL})\s*月[底末]", _end_of),
        (rf"(?:the )?end of (?P<month>{_MONTH})(?:,? ?(?P<year>\d{{4}}))?", _end_of),
        (r"(?:the )?end of (?:the )?(?P<which>next |this )?month", _month_end),
        (r"年底|年末|今年底|(?:the )?end of (?:the |this )?year", _year_end),
        (rf"(?:过|過)?{_COUNT}\s*(?P<unit>[天日])(?:以?之?[后後])?", _later),
        (rf"(?:过|過)?{_COUNT}\s*[个個]?(?P<unit>{_CHINESE_WEEK})(?:以?之?[后後])?", _later),
        (rf"(?:过|過)?{_COUNT}\s*[个個](?P<unit>月)(?:以?之?[后後])?", _later),
        (rf"(?:过|過)?{_COUNT}\s*(?P<unit>年)(?:以?之?[后後])?", _later),
        (r"(?:过|過)?(?P<half>半)(?P<unit>个月|個月|年)(?:以?之?[后後])?", _later),
        (
            rf"(?:in )?{_COUNT} ?(?P<unit>day|week|fortnight|month|year)s?(?:'s)?(?: later| from now)?",
            _later,
        ),
        (r"(?:in )?(?P<half>half) an? (?P<unit>month|year)", _later),
        (rf"(?P<which>下下|下|这|這|本|呢)?[个個]?(?:{_CHINESE_WEEK})(?P<weekday>[一二三四五六日天])", _weekday),
        (rf"(?P<which>next|this coming|this|coming)? ?(?P<weekday>{_WEEKDAY})", _weekday),
    )
)
