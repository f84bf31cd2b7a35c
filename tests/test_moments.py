"""A day and a time as people write them."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from handlers.dialogue import Invalid
from handlers.moments import asked_later, day_only, moment, moment_ahead, past_moment

NOW = datetime(2026, 11, 22, 10, 0)  # a Sunday


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("周六下午三点", "2026-11-28T15:00"),
        ("那就周六下午三点吧", "2026-11-28T15:00"),
        ("周六3点", "2026-11-28T15:00"),
        ("周六上午9点半", "2026-11-28T09:30"),
        ("明天下午2:30", "2026-11-23T14:30"),
        ("后天晚上七点", "2026-11-24T19:00"),
        ("下周六 9点", "2026-11-28T09:00"),
        ("12月5日 14:30", "2026-12-05T14:30"),
        ("2026-12-05 14:30", "2026-12-05T14:30"),
        ("2026-12-05 下午两点", "2026-12-05T14:00"),
        ("12月5号下午三点左右", "2026-12-05T15:00"),
        ("改到下周日早上十点", "2026-11-29T10:00"),
        ("下個禮拜六下晝三點", "2026-11-28T15:00"),
        ("聽日下晝三點", "2026-11-23T15:00"),
        ("tomorrow 3pm", "2026-11-23T15:00"),
        ("next saturday at 3pm", "2026-11-28T15:00"),
        ("今天下午四点", "2026-11-22T16:00"),
    ],
)
def test_a_time_is_understood(words: str, at: str) -> None:
    found = moment(words, NOW)
    assert found is not None and found.isoformat(timespec="minutes") == at


@pytest.mark.parametrize(
    "words",
    ["", "收到", "好的", "OK", "3", "周六", "周六下午", "下周吧", "2026-12-05", "三点", "13700000000", "2月30日 9点"],
)
def test_what_is_no_time_is_none(words: str) -> None:
    assert moment(words, NOW) is None


def test_a_day_without_an_hour_is_asked_for_the_hour() -> None:
    assert day_only("周六下午", NOW.date())
    assert not day_only("收到", NOW.date())
    with pytest.raises(Invalid, match="几点"):
        moment_ahead(NOW)("周六下午")
    with pytest.raises(Invalid, match="已经过了"):
        moment_ahead(NOW)("今天上午九点")


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("下周吧", "2026-11-23"),
        ("唔得閒呀下個禮拜先問我", None),
        ("下個禮拜先問我", "2026-11-23"),
        ("下周再说", "2026-11-23"),
        ("next week", "2026-11-23"),
        ("周末吧", "2026-11-28"),
        ("过几天再说", "2026-11-25"),
        ("三天后", "2026-11-25"),
        ("下周三再问我", "2026-11-25"),
        ("12月1日", "2026-12-01"),
        ("昨天", None),
        ("好的", None),
    ],
)
def test_when_to_ask_again(words: str, day: str | None) -> None:
    assert asked_later(words, NOW.date()) == (date.fromisoformat(day) if day else None)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("昨天", "2026-11-21T12:00"),
        ("今天", "2026-11-22T10:00"),
        ("昨天下午", "2026-11-21T12:00"),
        ("昨天下午三点", "2026-11-21T15:00"),
        ("上周六下午三点", "2026-11-14T15:00"),
        ("周六", "2026-11-21T12:00"),
        ("11月18日", "2026-11-18T12:00"),
        ("2026-11-01", "2026-11-01T12:00"),
        ("九点", "2026-11-22T09:00"),
        ("yesterday", "2026-11-21T12:00"),
    ],
)
def test_when_it_was(words: str, at: str) -> None:
    assert past_moment(NOW, 60)(words) == at


@pytest.mark.parametrize("words", ["好的", "今天下午五点", "2025-01-01", "明天"])
def test_a_day_that_it_cannot_have_been(words: str) -> None:
    with pytest.raises(Invalid):
        past_moment(NOW, 60)(words)
