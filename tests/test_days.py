"""A day ahead as people write it; what is written for a day is read back as the same."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.texts import speaking
from handlers.days import day_ahead, day_until, meant, months_on, past_day, with_weekday
from handlers.dialogue import Invalid
from tests.test_hours import numerals

SUNDAY, WEDNESDAY = date(2026, 11, 22), date(2026, 11, 25)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("明天", "2026-11-26"),
        ("5月底", "2027-05-31"),
        ("到十二月底", "2026-12-31"),
        ("2027年2月末", "2027-02-28"),
        ("end of May", "2027-05-31"),
        ("到聽日", "2026-11-26"),
        ("tomorrow", "2026-11-26"),
        ("until tomorrow", "2026-11-26"),
        ("后天", "2026-11-27"),
        ("the day after tomorrow", "2026-11-27"),
        ("大后天", "2026-11-28"),
        ("周五", "2026-11-27"),
        ("这周五", "2026-11-27"),
        ("Friday", "2026-11-27"),
        ("on Fri", "2026-11-27"),
        ("this Friday", "2026-11-27"),
        ("星期三", "2026-12-02"),  # today is one
        ("下周一", "2026-11-30"),
        ("下個禮拜日", "2026-12-06"),
        ("下下周三", "2026-12-09"),
        ("next Monday", "2026-11-30"),
        ("Next Friday.", "2026-12-04"),
        ("in two weeks", "2026-12-09"),
        ("two weeks", "2026-12-09"),
        ("两周后", "2026-12-09"),
        ("兩個星期後", "2026-12-09"),
        ("a fortnight", "2026-12-09"),
        ("过十天", "2026-12-05"),
        ("for 10 days", "2026-12-05"),
        ("三天之后", "2026-11-28"),
        ("in a month", "2026-12-25"),
        ("一个月", "2026-12-25"),
        ("半个月", "2026-12-10"),
        ("半年", "2027-05-25"),
        ("一年后", "2027-11-25"),
        ("3月1日", "2027-03-01"),
        ("三月一号", "2027-03-01"),
        ("12.1", "2026-12-01"),
        ("11月25日", "2027-11-25"),
        ("2027/1/5", "2027-01-05"),
        ("1 March", "2027-03-01"),
        ("March 1st, 2027", "2027-03-01"),
        ("Dec. 24", "2026-12-24"),
        ("15号", "2026-12-15"),
        ("31号", "2026-12-31"),
        ("the 28th", "2026-11-28"),
        ("下个月5号", "2026-12-05"),
        ("月底", "2026-11-30"),
        ("下个月底", "2026-12-31"),
        ("the end of next month", "2026-12-31"),
        ("年底", "2026-12-31"),
    ],
)
def test_a_day_is_understood_as_people_write_it(words: str, day: str) -> None:
    assert day_ahead(WEDNESDAY)(words) == date.fromisoformat(day)


@pytest.mark.parametrize("words", ["next Monday", "下周一", "Monday", "周一", "tomorrow"])
def test_on_a_sunday_the_next_week_begins_tomorrow(words: str) -> None:
    assert day_ahead(SUNDAY)(words) == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "请写一个日期"),
        ("明年", "请写一个日期"),
        ("下周", "请写一个日期"),
        ("next month", "请写一个日期"),
        ("7", "请写一个日期"),
        ("x" * 70, "请写一个日期"),
        ("今天", "最早可以暂停到明天"),
        ("today", "最早可以暂停到明天"),
        ("2026-11-01", "这一天已经过了"),
        ("这周一", "这一天已经过了"),
        ("2027-02-29", "日历上没有"),
        ("February 30", "日历上没有"),
        ("十十月一日", "日历上没有"),
        ("99号", "日历上没有"),
        ("两年后", "最长可以暂停一年"),
        ("2028-01-01", "最长可以暂停一年"),
    ],
)
def test_what_is_no_day_ahead_is_refused_with_the_reason(words: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        day_ahead(WEDNESDAY)(words)


@pytest.mark.parametrize("words", ["2月29日", "二月二十九日", "Feb 29", "29 February"])
@pytest.mark.parametrize("today", [date(2027, 3, 5), date(2027, 12, 31), date(2028, 2, 28)])
def test_the_leap_day_is_that_of_the_year_that_has_it(words: str, today: date) -> None:
    assert day_ahead(today)(words) == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("today", "why"),
    [(date(2026, 5, 1), "日历上没有"), (date(2028, 2, 29), "日历上没有"), (date(2027, 2, 28), "最长可以暂停一年")],
)
def test_a_leap_day_more_than_a_year_ahead_is_refused(today: date, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        day_ahead(today)("2月29日")


DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
WRITERS: tuple[Callable[[date], str], ...] = (
    date.isoformat,
    lambda day: f"{day.year}年{day.month}月{day.day}日",
    lambda day: f"{day.year}年{numerals(day.month)}月{numerals(day.day)}号",
    lambda day: f"{day.day} {month_name[day.month]} {day.year}",
    lambda day: f"until {month_name[day.month][:3]} {day.day}, {day.year}",
)


@given(DAYS, st.integers(1, 365), st.sampled_from(WRITERS))
def test_a_day_that_is_written_is_read_back_as_the_same(today: date, later: int, write: Callable[[date], str]) -> None:
    day = today + timedelta(days=later)
    assert day_ahead(today)(write(day)) == day


@given(DAYS, st.integers(1, 365))
def test_a_number_of_days_is_read_in_both_languages(today: date, later: int) -> None:
    assert meant(f"{later}天后", today) == meant(f"in {later} days", today) == today + timedelta(days=later)


@given(DAYS, st.sampled_from(range(7)))
def test_a_weekday_is_that_weekday_of_the_week_that_was_named(today: date, at: int) -> None:
    name = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[at]
    soon, following = meant(name, today), meant(f"next {name}", today)
    assert soon is not None
    assert following is not None
    assert soon.weekday() == following.weekday() == at
    assert 1 <= (soon - today).days <= 7
    assert following.isocalendar()[:2] == (today + timedelta(days=7)).isocalendar()[:2]
    assert (meant("周" + "一二三四五六日"[at], today), meant("下周" + "一二三四五六日"[at], today)) == (soon, following)


@given(DAYS, st.text(alphabet="0123456789年月日号下周一二天后个to in weeks mon", max_size=30))
def test_no_words_raise_anything_but_invalid(today: date, words: str) -> None:
    try:
        day = day_ahead(today)(words)
    except Invalid as refused:
        assert str(refused)
    else:
        assert today < day <= months_on(today, 12)


def test_months_end_with_the_month() -> None:
    assert months_on(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert months_on(date(2026, 12, 31), 12) == date(2027, 12, 31)
    assert months_on(date(2028, 2, 29), 12) == date(2029, 2, 28)


@pytest.mark.parametrize(
    ("language", "said"),
    [("zh_CN", "2026-11-25（星期三）"), ("zh_HK", "2026-11-25（星期三）"), ("en", "Wednesday, 2026-11-25")],
)
def test_a_day_is_said_with_its_weekday(language: str, said: str) -> None:
    with speaking(language):
        assert with_weekday(WEDNESDAY) == said


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("今天", "2026-11-25"),
        ("昨天", "2026-11-24"),
        ("噚日", "2026-11-24"),
        ("yesterday", "2026-11-24"),
        ("前天", "2026-11-23"),
        ("11月1日", "2026-11-01"),
        ("12月1日", "2025-12-01"),  # the last such day
        ("1 Dec", "2025-12-01"),
        ("2025-12-01", "2025-12-01"),
        ("2016年11月25日", "2016-11-25"),
    ],
)
def test_a_day_behind_is_understood(words: str, day: str) -> None:
    assert past_day(WEDNESDAY, 10)(words) == date.fromisoformat(day)


@pytest.mark.parametrize("words", ["明天", "下周一", "2026-11-26", "2016-11-24", "2026-02-30", "很久以前"])
def test_what_is_no_day_behind_is_refused(words: str) -> None:
    with pytest.raises(Invalid, match="昨天"):
        past_day(WEDNESDAY, 10)(words)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("今天", "2026-11-25"),
        ("一年后", "2027-11-25"),
        ("in 2 years", "2028-11-25"),
        ("3月1日", "2027-03-01"),
        ("2031-11-25", "2031-11-25"),
    ],
)
def test_a_day_until_which_something_is_good_is_understood(words: str, day: str) -> None:
    assert day_until(WEDNESDAY, 5)(words) == date.fromisoformat(day)


@pytest.mark.parametrize("words", ["昨天", "2026-11-24", "2031-11-26", "2027-02-29", "永远"])
def test_what_is_no_such_day_is_refused(words: str) -> None:
    with pytest.raises(Invalid, match="一年后"):
        day_until(WEDNESDAY, 5)(words)
