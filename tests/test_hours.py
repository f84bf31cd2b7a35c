"""Two times of a day as people write them; what is written for them is read back as the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.dialogue import Invalid
from handlers.hours import Span, hours
from handlers.numerals import number

Writer = Callable[[time], str]


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("22:00-08:00", time(22), time(8)),
        ("22:00-7:00", time(22), time(7)),
        ("22:30～7点半", time(22, 30), time(7, 30)),
        ("从22点到第二天8点", time(22), time(8)),
        ("24:00-6:00", time(0), time(6)),
        ("22.15 - 6.45", time(22, 15), time(6, 45)),
        ("2200-0700", time(22), time(7)),
        ("from 22:00 to 07:00", time(22), time(7)),
        ("13:00-2:00", time(13), time(2)),
        ("10-7", time(10), time(7)),
        ("10pm to 7am", time(22), time(7)),
        ("10 p.m. – 7:15 a.m. the next day", time(22), time(7, 15)),
        ("Every night from 11PM until 6 in the morning", time(23), time(6)),
        ("10 at night to 7", time(22), time(7)),
        ("10 to 7am", time(22), time(7)),
        ("9 to 5pm", time(9), time(17)),
        ("midnight to noon", time(0), time(12)),
        ("晚上十点到早上七点", time(22), time(7)),
        ("晚上10点到第二天的7点", time(22), time(7)),
        ("夜晚十點半至朝早七點三刻", time(22, 30), time(7, 45)),
        ("晚上八点到十二点", time(20), time(0)),
        ("晚上十二点半到凌晨一点一刻", time(0, 30), time(1, 15)),
        ("中午12点到2点", time(12), time(14)),
        ("下午两点零五分到四点", time(14, 5), time(16)),
        ("二十二点到七点", time(22), time(7)),
        ("晚上22点到早上7点", time(22), time(7)),
    ],
)
def test_hours_are_understood_as_people_write_them(words: str, start: time, end: time) -> None:
    assert hours(words) == Span(start, end)


@pytest.mark.parametrize(
    "words",
    [
        *(
            "",
            "22:00",
            "8:00-8:00",
            "22:70-8:00",
            "99-1",
            "-",
            "22:00-08:00-09:00",
            "晚上别吵",
            "10pm 7am",
            "2500-0700",
        ),
        *(
            "早上22点到晚上8点",
            "13am to 2pm",
            "中午五点到六点",
            "24:30-6:00",
            "22:00-08:00" + " " * 60 + "x",
            "十十点到七点",
        ),
    ],
)
def test_hours_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(Invalid, match="22:00-08:00"):
        hours(words)


TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def numerals(value: int) -> str:
    """二十二, 十, 零."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(value, 10)
    return digits[ones] if not tens else (digits[tens] if tens > 1 else "") + "十" + (digits[ones] if ones else "")


def in_chinese(at: time) -> str:
    """With the part of the day, as it is said aloud."""
    part = "凌晨" if at.hour < 5 else "早上" if at.hour < 12 else "中午" if at.hour == 12 else "下午"
    part = "晚上" if at.hour >= 18 else part
    hour = at.hour if at.hour <= 12 else at.hour - 12
    minute = "" if not at.minute else "半" if at.minute == 30 else f"{numerals(at.minute)}分"
    return f"{part}{numerals(hour)}点{minute}"


def in_english(at: time) -> str:
    return f"{at.hour % 12 or 12}{f':{at.minute:02}' if at.minute else ''}{'pm' if at.hour >= 12 else 'am'}"


@given(TIMES, TIMES)
@pytest.mark.parametrize(
    ("write", "between"),
    [
        (lambda at: f"{at:%H:%M}", "-"),
        (lambda at: f"{at.hour}:{at.minute:02}", " ~ "),
        (lambda at: f"{at.hour}点{at.minute}分", "到"),
        (lambda at: f"{at:%H%M}", "–"),
        (lambda at: f"{numerals(at.hour)}点{numerals(at.minute)}分", "至"),
        (in_chinese, "到第二天"),
        (in_english, " to "),
    ],
)
def test_what_is_written_is_read_back_as_the_same(write: Writer, between: str, start: time, end: time) -> None:
    words = f"{write(start)}{between}{write(end)}"
    if start == end:
        with pytest.raises(Invalid):
            hours(words)
    else:
        assert hours(words) == Span(start, end), words


@given(st.text(alphabet="0123456789:.-点半到至早晚上下午夜十二三pam to", max_size=40))
def test_no_words_raise_anything_but_invalid(words: str) -> None:
    try:
        read = hours(words)
    except Invalid as refused:
        assert str(refused)
    else:
        assert read.start != read.end


@given(st.integers(0, 59))
def test_numerals_are_read_back(value: int) -> None:
    assert number(numerals(value)) == number(str(value)) == value
