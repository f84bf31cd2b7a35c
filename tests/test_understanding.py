"""What is told about hours afterwards: the sentences to work with, and what no sentence may do."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.dialogue import Invalid
from handlers.tell_parts import Served, echo, lasted, matching, parts_of, pieces_of, tells
from handlers.understanding_contents import SERVICE
from handlers.understanding_hours import LONGEST, Asked, Heard, Known, understand

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
OWN = Path(__file__).parent.parent / "bench" / "understanding_own.toml"
ROWS: list[dict[str, Any]] = tomllib.loads(OWN.read_text("utf-8"))["hours"]


def said(minutes: int | None) -> str | None:
    return None if minutes is None else "{:02}:{:02}".format(*divmod(minutes % 1440, 60))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["text"])
def test_our_own_sentences_are_understood(row: dict[str, Any]) -> None:
    found = understand(row["text"], NOW)
    if row["expect"] == "ask":
        assert isinstance(found, Asked) and found.ask == row["ask"]
        return
    assert isinstance(found, Heard), found
    assert found.day.isoformat() == row["date"]
    assert (said(found.start), said(found.end)) == (row.get("start"), row.get("end"))
    assert found.minutes == row["minutes"]
    assert found.content == row["content"]
    assert set(found.who) == set(filter(None, row.get("who", "").split("、")))


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(words: str) -> None:
    assert isinstance(understand(words, NOW), Heard | Asked)


PIECES = [
    "昨天",
    "周六",
    "11月31号",
    "9点",
    "两点多",
    "到",
    "-",
    "11:30",
    "两个",
    "小时",
    "半",
    "陪",
    "小明",
    "不对",
    "康复",
    "一共",
    "各",
    "pm",
    "last",
    "Sat",
    "\x00",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1))
)
def test_neither_do_pieces_of_sentences_on_any_day(words: str, now: datetime) -> None:
    found = understand(words, now.replace(tzinfo=NOW.tzinfo))
    if isinstance(found, Heard):
        assert found.day <= now.date()
        assert 0 < found.minutes <= LONGEST
        assert (found.start is None) == (found.end is None)
        if found.start is not None and found.end is not None:
            assert found.end - found.start == found.minutes


@given(
    st.dates(NOW.date() - timedelta(days=60), NOW.date() - timedelta(days=1)),
    st.integers(0, 47),
    st.integers(1, 16),
    st.sampled_from(sorted(SERVICE.keys() - {"none", "visit", "outing"})),
    st.sampled_from(("小明", "陈姐", "王奶奶", "林哥")),
)
def test_what_is_echoed_is_understood_as_itself(day: date, start: int, steps: int, content: str, who: str) -> None:
    end = min(start + steps, 48)
    if end == start:
        return
    text = echo(day, start * 30, end * 30, SERVICE[content], who)
    if "次日" in text:
        return
    found = understand(text, NOW)
    assert isinstance(found, Heard), text
    assert (found.day, found.start, found.end) == (day, start * 30, end * 30)
    assert SERVICE[found.content] == SERVICE[content]
    assert found.who == (who,)


@pytest.mark.parametrize(
    ("words", "day", "start", "end"),
    [
        ("周一晚上7点到9点支教", "2026-11-23", "19:00", "21:00"),
        ("昨天早上9.30-11.30陪王婆婆", "2026-11-24", "09:30", "11:30"),
        ("昨天早上9点忙到下午4点值班", "2026-11-24", "09:00", "16:00"),
        ("上周六下午2pm到4pm教英语", "2026-11-21", "14:00", "16:00"),
        ("昨天8:00-20:30陪护", "2026-11-24", "08:00", "20:30"),
        ("今天6点到8点陪护", "2026-11-25", "06:00", "08:00"),
    ],
)
def test_times_that_were_once_read_wrongly(words: str, day: str, start: str, end: str) -> None:
    found = understand(words, NOW)
    assert isinstance(found, Heard)
    assert (found.day.isoformat(), said(found.start), said(found.end)) == (day, start, end)


def test_two_and_a_half_hours_in_figures_are_not_half_an_hour() -> None:
    found = understand("did 2.5 hrs of tutoring on Sat", NOW)
    assert isinstance(found, Heard) and found.minutes == 150


def test_a_form_of_address_that_looks_like_a_day_is_a_name() -> None:
    found = understand("昨天陪周六两小时", NOW, Known(("周六",)))
    assert isinstance(found, Heard) and found.who == ("周六",)
    assert found.day == date(2026, 11, 24)


def test_whoever_came_along_is_not_whom_it_was_for() -> None:
    found = understand("昨天和小王一起去看陈奶奶两小时", NOW)
    assert isinstance(found, Heard) and found.who == ("陈奶奶",)


def test_several_services_of_one_sentence_are_taken_apart() -> None:
    words = "昨天上午9点到10点支教，下午5点到6点半送餐"
    first, second = pieces_of(words, NOW, ())
    assert parts_of(first, NOW, ()).content == "study"
    assert parts_of(second, NOW, ()).day == date(2026, 11, 24), "the day of the one before"
    assert pieces_of("周一和周二都去支教了，各两小时", NOW, ()) == (), "these cannot"


def test_what_lies_ahead_is_no_service_yet() -> None:
    with pytest.raises(Invalid, match="还没到"):
        tells(NOW, ())("明天下午陪小明两小时")
    with pytest.raises(Invalid, match="没看出"):
        tells(NOW, ())("今天的天气真好呀")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("2", (840, 960, 120)),
        ("一个半小时", (840, 930, 90)),
        ("到四点", (840, 960, 120)),
        ("15:00-16:30", (900, 990, 90)),
    ],
)
def test_how_long_is_answered_in_many_ways(words: str, meant: tuple[int, int, int]) -> None:
    assert lasted(840, "下午", NOW)(words) == meant


@pytest.mark.parametrize("words", ["一会儿", "两三个小时", "30小时", "哈哈"])
def test_and_what_is_no_length_is_refused(words: str) -> None:
    with pytest.raises(Invalid):
        lasted(None, "", NOW)(words)


def test_names_are_matched_as_they_are_written_in_either_script() -> None:
    people = [Served(stint="1", form="陳姐"), Served(stint="2", form="小明")]
    assert [one.stint for one in matching(("陈姐",), people)] == ["1"]
