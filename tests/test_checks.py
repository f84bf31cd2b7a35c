"""What people type for a name, a number, a day or a place, and what they are told when it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import regions
from config.services import entries, labels
from config.texts import LANGUAGES, speaking
from handlers import checks
from handlers.dialogue import Ask, Invalid
from handlers.places import LIST, ask_county, place
from handlers.turn import plain

TODAY = "2026-11-22"
born = checks.birth_date(TODAY)


def refusal(check: Callable[[str], Any], words: str) -> str:
    with pytest.raises(Invalid) as caught:
        check(plain(words))
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("王小明", "王小明"),
        ("欧阳娜娜", "欧阳娜娜"),
        ("阿依古丽·买买提", "阿依古丽·买买提"),
        ("阿依古丽•买买提", "阿依古丽·买买提"),
        ("阿依古丽.买买提", "阿依古丽·买买提"),
        ("王 小明", "王小明"),
        ("李想", "李想"),
        ("那英", "那英"),
        ("㑇一", "㑇一"),
        ("𠮷田", "𠮷田"),
        ("陳大文", "陳大文"),
        ("Chan Tai Man", "Chan Tai Man"),
        ("Ｃｈａｎ　Ｔａｉ　Ｍａｎ", "Chan Tai Man"),
        ("O'Neill", "O'Neill"),
        ("José María García-López", "José María García-López"),
        ("J. R. Smith", "J. R. Smith"),
        ("Nguyễn Thị Hoa", "Nguyễn Thị Hoa"),
        ("买" * 20, "买" * 20),
    ],
)
def test_it_takes_names_as_people_have_them(typed: str, kept: str) -> None:
    assert checks.person_name(plain(typed)) == kept


@pytest.mark.parametrize(
    "typed",
    ["我叫王小明", "王", "买" * 21, "报名", "好的", "yes", "my name is Ann", "王小明13800138000", "王小明！", "👍", "A",
     "x" * 61, "a b c d e f g", "怎么填", "语言", "早上好", "<script>", "Анна", "···", "王·", "·王小明"],
)  # fmt: skip
def test_it_refuses_what_is_no_name_and_gives_an_example(typed: str) -> None:
    assert "王小明" in refusal(checks.person_name, typed)


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("138-0013-8000", "+8613800138000"),
        ("138–0013—8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("＋86 138 0013 8000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("手机号是13800138000。", "+8613800138000"),
        ("tel 13800138000", "+8613800138000"),
        ("19912345678", "+8619912345678"),
        ("17012345678", "+8617012345678"),
        ("+852 9123 4567", "+85291234567"),
        ("(+852)9123-4567", "+85291234567"),
        ("(852) 9123-4000", "+85291234000"),
        ("(86) 138 0013 8000", "+8613800138000"),
        ("00853 6612 3456", "+85366123456"),
        ("+44 7911 123456", "+447911123456"),
        ("+1 415 555 2671", "+14155552671"),
    ],
)
def test_it_takes_mobile_numbers_however_they_are_written(typed: str, e164: str) -> None:
    assert checks.mobile_number(plain(typed)) == e164


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1380013800", "多了或少了几位"),
        ("138001380001", "多了或少了几位"),
        ("12345678901", "第二位是 3–9"),
        ("23800138000", "以 1 开头"),
        ("1380013800O", "只写数字"),
        ("my phone", "只写数字"),
        ("91234567", "多了或少了几位"),
        ("010-62345678", "座机"),
        ("(020) 8234 5678", "座机"),
        ("+852 2123 4567", "座机"),
        ("400-123-4567", "不是手机号"),
        ("没有手机", "11 位手机号"),
        ("138001380001390013900013800138000", "好像不对"),
        ("13800138000或13900139000", "只写一个"),
        ("1" * 4000, "11 位手机号"),
        ("(" * 4000, "11 位手机号"),
    ],
)
def test_it_refuses_other_numbers_and_says_why(typed: str, said: str) -> None:
    words = refusal(checks.mobile_number, typed)
    assert said in words
    assert "13800138000" in words


@pytest.mark.parametrize(
    ("e164", "written", "masked"),
    [
        ("+8613800138000", "13800138000", "138****8000"),
        ("+85291234567", "+852 91234567", "+852 91****67"),
        ("+85366123456", "+853 66123456", "+853 66****56"),
    ],
)
def test_a_number_is_written_whole_or_masked(e164: str, written: str, masked: str) -> None:
    assert checks.written_number(e164) == written
    assert checks.written_number(e164, masked=True) == masked


@pytest.mark.parametrize(
    "typed",
    ["2005-08-13", "2005-8-13", "2005年8月13日", "2005 年 8 月 13 日", "20050813",
     "13.8.2005", "8-13-2005", "二〇〇五年八月十三日", "二零零五年八月十三号", "2005/8/13", "2005.08.13",
     "2005 8 13", "２００５年８月１３日", "生日是2005年8月13号", "2005—08—13"],
)  # fmt: skip
def test_it_takes_a_birth_date_with_the_year_first(typed: str) -> None:
    assert born(plain(typed)) == date(2005, 8, 13)


@pytest.mark.parametrize(
    "typed",
    [
        "13 Aug 2005",
        "13th August 2005",
        "the 13th of August, 2005",
        "August 13, 2005",
        "Aug. 13th, 2005",
        "aug 13 2005",
        "13-Aug-2005",
        "13aug2005",
        "I was born on 13 AUGUST 2005.",
    ],
)
def test_it_takes_a_birth_date_with_the_month_in_english(typed: str) -> None:
    assert born(plain(typed)) == date(2005, 8, 13)


@pytest.mark.parametrize("month", range(1, 13))
def test_every_english_month_is_understood_long_and_short(month: int) -> None:
    day = date(2005, month, 9)
    assert born(day.strftime("%d %B %Y")) == born(day.strftime("%b %d, %Y")) == day


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("31 February 2005", "没有这一天"),
        ("13 Aug 05", "年-月-日"),
        ("August 2005", "年-月-日"),
        ("13 Aug 2005 or 14 Aug 2005", "年-月-日"),
        ("13 Augur 2005", "年-月-日"),
        ("12/8/2005", "分不清月和日"),
        ("8-12-2005", "分不清月和日"),
        ("05-08-13", "年-月-日"),
        ("050813", "年-月-日"),
        ("2005-02-30", "没有这一天"),
        ("20051301", "没有这一天"),
        ("2005年", "年-月-日"),
        ("农历2005年8月13日", "公历"),
        ("2027-01-01", "还没有到"),
        ("1899-01-01", "太早"),
        ("0001-01-01", "太早"),
        ("2019-01-01", "满 8 岁"),
        ("2005-08-13 2006-08-13", "年-月-日"),
        ("8月13日", "年-月-日"),
        ("二十岁", "年-月-日"),
    ],
)
def test_it_refuses_other_days_and_says_why(typed: str, said: str) -> None:
    assert said in refusal(born, typed)


def test_the_youngest_may_register_on_the_birthday_and_not_a_day_earlier() -> None:
    assert born("2018-11-22") == date(2018, 11, 22)
    assert "满 8 岁" in refusal(born, "2018-11-23")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_whatever_is_typed_is_taken_or_refused_with_words(typed: str) -> None:
    for check in (checks.person_name, checks.mobile_number, born, checks.official_number, place()):
        try:
            check(plain(typed))
        except Invalid as refused:
            assert str(refused)


def test_every_choice_of_the_profile_has_words_in_every_language() -> None:
    for kind in ("service", "skill", "occupation", "free_time", "language"):
        for language in LANGUAGES:
            with speaking(language):
                words = labels(kind, list(entries(kind)))
            assert all(words)
            assert len(set(words)) == len(words)
    assert labels("skill", ["dropped_long_ago"]) == ["dropped_long_ago"]


def test_the_official_number_is_letters_and_digits() -> None:
    assert checks.official_number("gd 4401-0612 3456") == "GD440106123456"
    for typed in ("12345", "abcdefgh", "4401061234567890123456", "编号123456"):
        assert refusal(checks.official_number, typed)


def walk(answers: list[Any]) -> tuple[list[Ask], Any]:
    """Play the sub-talk “which county”; returns its questions and what it came to."""
    talk, asks, end = ask_county("在哪里？"), [], None
    try:
        asks.append(next(talk))
        for answer in answers:
            asks.append(talk.send(answer))
    except StopIteration as stopped:
        end = stopped.value
    return asks, end


def test_a_clear_place_needs_one_question() -> None:
    asks, county = walk([place()("广州天河")])
    assert (len(asks), county.code, county.keys) == (1, "440106", ("county",))


def test_an_ambiguous_place_is_asked_once_more_by_full_names() -> None:
    asks, county = walk([place()("鼓楼"), "350102"])
    assert "福建省福州市鼓楼区" in [choice.label for choice in asks[1].choices]
    assert county.code == "350102"
    assert county.keys == ("county", "county_2")


def test_three_numbered_lists_lead_to_a_county() -> None:
    asks, county = walk([LIST, "44", "4401", "440106"])
    assert [len(ask.choices) for ask in asks[1:]] == [34, len(regions.children("44")), len(regions.children("4401"))]
    assert county.code == "440106"
    assert len({ask.key for ask in asks}) == 4


def test_a_place_typed_inside_a_list_means_the_one_in_there() -> None:
    asks, _end = walk([LIST, "32", "3201"])
    check = asks[3].check
    assert check is not None
    assert check("鼓楼") == ("320106",)
    assert check("广州天河") == ("440106",)


def test_a_city_without_counties_and_the_districts_of_hong_kong_are_counties() -> None:
    assert walk([place()("东莞")])[1].code == "441900"
    assert walk([place()("香港"), "810016"])[1].code == "810016"


def test_a_shared_location_offers_the_counties_around_it() -> None:
    asks, county = walk([place()("geo:23.1291,113.3612"), "440106"])
    assert asks[1].choices[0].value == "440106"
    assert county.code == "440106"


@pytest.mark.parametrize("words", ["geo:0.0,0.0", "geo:None,None", "geo:nan,nan", "geo:51.5,-0.1", "geo:"])
def test_a_location_outside_china_asks_for_words(words: str) -> None:
    with pytest.raises(Invalid, match="广州天河"):
        place()(words)


def test_every_county_of_china_can_be_reached_by_its_full_name_and_by_the_lists() -> None:
    for region in regions.every():
        if regions.leaf(region.code):
            asks, county = walk([LIST, *(step.code for step in regions.path(region.code))])
            assert county.code == region.code
            assert all(a.value for ask in asks for a in ask.choices)
