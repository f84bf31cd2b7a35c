"""A day and a time as people write them: “周六下午三点”, “12月5日 14:30”, “tomorrow 3pm”; and “下周吧”. Pure.

Everything read here is shown once more, with its weekday, before anything is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from config.texts import _
from handlers.days import meant, with_weekday
from handlers.dialogue import Invalid
from handlers.hours import time_behind

LONGEST = 40  # characters
_LEAD = re.compile(
    r"^((那就|就|那|改到|改成|改在|约在|約在|约|約|定在|定|可以|能去|在)[，, ]*|(to|at|on) +)", re.IGNORECASE
)
_TAIL = re.compile(r"(左右|钟|鐘|吧|啦|喇|啊|呀|可以吗|行吗|行不|去|见|[。.!！~～，, ])+$")
_PARTS = re.compile(r"(凌晨|早上|上午|中午|下午|傍晚|晚上|朝早|下晝|下昼|夜晚)$")
_NEXT_WEEK = re.compile(
    r"^(等)?(下|下个|下個)(周|週|星期|礼拜|禮拜)(先|再)?(问|問|说|說|講)?(我)?(吧|啦|喇|呀)?$|^next week$",
    re.IGNORECASE,
)
_WEEKEND = re.compile(r"^(这|這)?个?個?(周末|週末)(再)?(问|問|说|說)?(我)?吧?$|^(this )?weekend$", re.IGNORECASE)
_SOME_DAYS = re.compile(r"^(过|過)(几|幾|两|兩)天(再)?(问|問|说|說)?(我)?吧?$|^in a few days$", re.IGNORECASE)
_LATER_TAIL = re.compile(r"(再|先)?(问|問|说|說|講)(我)?(吧|啦|喇|呀)?$")


def moment(words: str, now: datetime) -> datetime | None:
    """The local time ahead that the words mean, without zone; None where they are none, or lack the day or the hour.
    `now` = the local time."""
    plain = _TAIL.sub("", _LEAD.sub("", " ".join(words.split())))
    if not plain or len(plain) > LONGEST:
        return None
    for before, at in time_behind(plain):
        day = _day(before, now.date())
        if day is not None:
            return datetime.combine(day, at)
    return None


def day_only(words: str, today: date) -> bool:
    """Whether the words name a day without an hour (“周六下午”)."""
    plain = _PARTS.sub("", _TAIL.sub("", _LEAD.sub("", " ".join(words.split()))))
    return bool(plain) and len(plain) <= LONGEST and _day(plain, today) is not None


def _day(words: str, today: date) -> date | None:
    plain = words.strip(" ,，的").removesuffix(" at")
    try:
        return meant(plain, today) if plain else None
    except ValueError:
        return None


def moment_ahead(now: datetime) -> Callable[[str], str]:
    """A check for a time ahead, as ISO text without zone; `now` = the local time."""

    def check(words: str) -> str:
        hint = _("请写日期和几点，例如“周六下午三点”或 {example} 14:30。").format(
            example=(now.date() + timedelta(days=7)).isoformat()
        )
        at = moment(words, now)
        if at is None:
            if day_only(words, now.date()):
                raise Invalid(_("那天几点？") + hint)
            raise Invalid(hint)
        if at <= now:
            raise Invalid(_("这个时间已经过了。") + hint)
        return at.isoformat(timespec="minutes")

    return check


def asked_later(words: str, today: date) -> date | None:
    """The day on which somebody wants to be asked again (“下周吧”, “过几天再说”); None where the words say none."""
    plain = " ".join(words.split()).strip("。.!！~～，, ")
    if len(plain) > LONGEST:
        return None
    if _NEXT_WEEK.match(plain):
        return today + timedelta(days=7 - today.weekday())
    if _WEEKEND.match(plain):
        return today + timedelta(days=(5 - today.weekday() - 1) % 7 + 1)
    if _SOME_DAYS.match(plain):
        return today + timedelta(days=3)
    day = _day(_LATER_TAIL.sub("", plain), today)
    return day if day is not None and day > today else None


def later_day(today: date) -> Callable[[str], str]:
    """A check for such a day, as ISO text."""

    def check(words: str) -> str:
        day = asked_later(words, today)
        if day is None:
            example = (today + timedelta(days=7)).isoformat()
            raise Invalid(_("请写哪天再问你，例如“下周一”“三天后”或 {example}。").format(example=example))
        return day.isoformat()

    return check


def told(iso: str) -> str:
    """2026-12-05（星期六）15:00."""
    at = datetime.fromisoformat(iso)
    return f"{with_weekday(at.date())} {at:%H:%M}"


def past_moment(now: datetime, days: int) -> Callable[[str], str]:
    """A check for a day behind, at most so many, with or without the hour (noon, then), as ISO text."""

    def check(words: str) -> str:
        hint = _("请写是哪天，例如“昨天”、“上周六下午三点”或 {example}。").format(
            example=(now.date() - timedelta(days=3)).isoformat()
        )
        at = _past(" ".join(words.split()), now)
        if at is None:
            raise Invalid(hint)
        if at > now:
            raise Invalid(_("这个时间还没有到。") + hint)
        if at.date() < now.date() - timedelta(days=days):
            first = with_weekday(now.date() - timedelta(days=days))
            raise Invalid(_("最早可以写 {day}，请核对日期。").format(day=first) + hint)
        return at.isoformat(timespec="minutes")

    return check


_LAST_WEEK = re.compile(r"^(上上|上)(?:个|個)?(?:周|週|星期|礼拜|禮拜)([一二三四五六日天])$")
_BACK = {
    "今天": 0,
    "今日": 0,
    "刚才": 0,
    "剛才": 0,
    "today": 0,
    "昨天": 1,
    "昨日": 1,
    "寻日": 1,
    "尋日": 1,
    "yesterday": 1,
}
_BACK |= {"前天": 2, "前日": 2, "大前天": 3}


def _past(words: str, now: datetime) -> datetime | None:
    plain = _TAIL.sub("", words)
    if not plain or len(plain) > LONGEST:
        return None
    day = _past_day(_PARTS.sub("", plain), now.date())
    if day is not None:
        return datetime.combine(day, min(time(12), now.time()) if day == now.date() else time(12))
    for before, at in time_behind(plain):
        day = _past_day(before, now.date()) if before else now.date()
        if day is not None:
            return datetime.combine(day, at)
    return None


def _past_day(words: str, today: date) -> date | None:
    plain = words.strip(" ,，的").casefold()
    if plain in _BACK:
        return today - timedelta(days=_BACK[plain])
    last = _LAST_WEEK.match(plain)
    if last:
        weeks = 2 if last[1] == "上上" else 1
        at = "一二三四五六日".index(last[2].replace("天", "日"))
        return today - timedelta(days=today.weekday() + 7 * weeks - at)
    day = _day(plain, today)
    if day is None or day <= today:
        return day
    if re.match(r"^(周|週|星期|礼拜|禮拜|这|這|本)", plain):
        return day - timedelta(days=7)
    return day.replace(year=day.year - 1) if re.match(r"^\d{1,2}\s*[月/.-]", plain) else day
