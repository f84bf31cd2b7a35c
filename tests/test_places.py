"""“Which county”: lists that fit on a screen, and every way of writing a place (see also transcripts)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.platforms.telegram_message import show
from bot.platforms.wechat_text import fits, text_of
from config import regions
from config.texts import speaking
from handlers.dialogue import Ask, Invalid, Waiting, replay
from handlers.message import Option, Reply
from handlers.places import place
from handlers.registration import REGISTRATION, Facts
from models.database import Database
from tests.chatting import Chat

KNOWN = {"consent": {"c": "agree:2026-11"}, "name": {"t": "王小明"}, "phone": {"t": "13800138000"}}
KNOWN["birth_date"] = {"t": "2005-08-13"}
SCREEN = 24  # lines of text that a phone shows with the keyboard away


def asked(*answers: str) -> Ask:
    """The question after these answers: codes chosen, or "list"."""
    given = {("county" if at == 1 else f"county_{at}"): {"c": answer} for at, answer in enumerate(answers, 1)}
    at = replay(REGISTRATION, Facts(today="2026-11-22"), {**KNOWN, **given})
    assert isinstance(at, Waiting)
    return at.ask


def reply_of(ask: Ask) -> Reply:
    options = tuple(Option(f"p:{number}", choice.label) for number, choice in enumerate(ask.choices))
    return Reply(ask.text, options, asks_location=ask.location, numbered=ask.numbered)


def lists() -> list[tuple[str, ...]]:
    """What leads to each list: the provinces, the cities of each, the counties of each."""
    ways: list[tuple[str, ...]] = [("list",)]
    for province in regions.children():
        ways.append(("list", province.code))
        for city in regions.children(province.code):
            if regions.children(city.code):
                ways.append(("list", province.code, city.code))
    return ways


def test_question_and_list_of_provinces_stand_on_one_screen_of_wechat() -> None:
    lines = text_of(reply_of(asked("list"))).split("\n")
    assert lines[0].startswith("哪个省")
    assert lines[2] == "1. 北京；2. 天津；3. 河北"
    assert lines[-1] == "回复数字选择"
    assert len(lines) <= 16


def test_every_list_fits_a_screen_and_offers_every_region_by_number_before_its_name() -> None:
    # Three municipalities and provinces have more than 30 below them; even those hardly go over it.
    long = []
    for way in lists():
        ask = asked(*way)
        text = text_of(reply_of(ask))
        found = dict(re.findall(r"(\d+)\. ([^；\n]+)", text))
        assert found == {str(number): choice.label for number, choice in enumerate(ask.choices, 1)}, way
        if len(text.split("\n")) > SCREEN:
            long.append(way)
    assert long == []


def test_the_lists_fit_a_message_of_wechat_in_english_too_behind_what_refuses_an_answer() -> None:
    with speaking("en"):
        with pytest.raises(Invalid) as refused:
            place()("London")
        for way in lists():
            ask = asked(*way)
            again = replace(reply_of(ask), text=f"{refused.value}\n\n{ask.text}")
            assert fits(again), way
            assert not re.search("[\u4e00-\u9fff]", ask.text), ask.text


def test_every_county_is_reached_by_choosing() -> None:
    reached = {choice.value for way in lists() for choice in asked(*way).choices if regions.leaf(choice.value)}
    assert reached == {region.code for region in regions.every() if regions.leaf(region.code)}


def buttons_of(ask: Ask) -> list[list[str]]:
    """What stands under the message on Telegram, row by row."""
    markup = show(reply_of(ask)).markup
    assert markup is not None
    return [[button["text"] for button in row] for row in markup["inline_keyboard"]]


def test_telegram_shows_three_short_names_beside_each_other_with_their_numbers() -> None:
    rows = buttons_of(asked("list"))
    assert rows[:2] == [["1. 北京", "2. 天津", "3. 河北"], ["4. 山西", "5. 内蒙古", "6. 辽宁"]]
    assert len(rows) == 12


@pytest.mark.parametrize("language", ["zh_CN", "zh_HK", "en"])
def test_every_list_stands_under_its_message_on_telegram_and_each_button_says_its_number(language: str) -> None:
    with speaking(language):
        for way in lists():
            ask = asked(*way)
            labels = [label for row in buttons_of(ask) for label in row]
            assert labels == [f"{number}. {choice.label}" for number, choice in enumerate(ask.choices, 1)], way


def test_the_first_question_still_offers_to_share_a_place_on_telegram() -> None:
    markup = show(reply_of(asked())).markup
    assert markup is not None
    rows = markup["keyboard"]
    assert rows[0][0]["request_location"]
    assert rows[1][0]["text"] == "从列表里选"


@pytest.mark.parametrize("typed", ["19", "19. 广东", "19、广东", "广东", "广东省"])
def test_a_button_typed_with_its_number_means_that_button(database: Database, typed: str) -> None:
    chat = Chat(database, "77", "telegram")
    chat.say("报名", "同意", "王小明", "13800138000", "2005-08-13", "列表")
    assert "广东省的哪里？" in chat.say(typed)
    assert "没找到" in chat.say("3. 火星")


@pytest.mark.parametrize("typed", ["广西", "广西壮族自治区", "廣西", "Guangxi", "20"])
def test_a_province_of_the_list_is_also_typed(database: Database, typed: str) -> None:
    chat = Chat(database)
    chat.say("报名", "同意", "王小明", "13800138000", "2005-08-13", "列表")
    assert "广西壮族自治区的哪里？" in chat.say(typed)


@pytest.mark.parametrize("typed", ["list", "List", "列表", "从列表里选", "choose from the list"])
def test_the_lists_are_begun_by_typing(database: Database, typed: str) -> None:
    chat = Chat(database)
    if typed[0].isascii():
        chat.say("English")
    chat.say("报名", "agree" if typed[0].isascii() else "同意", "王小明", "13800138000", "2005-08-13")
    chat.say(typed)
    assert len(chat.labels()) == 34


@pytest.mark.parametrize("typed", ["Guangzhou Tianhe", "tianhe", "TianHe Qu", "廣州天河", "广州 Tianhe"])
def test_a_place_in_latin_letters_or_traditional_characters_is_understood(typed: str) -> None:
    assert place()(typed) == ("440106",)


def test_in_a_list_a_name_in_pinyin_means_what_lies_there() -> None:
    assert place("32")("gulou") == ("320106", "320302")
    assert place(among=("14", "61"))("Shaanxi") == ("61",)


@pytest.mark.parametrize("language", ["zh_CN", "zh_HK", "en"])
def test_what_is_not_covered_is_said_kindly(language: str) -> None:
    said = {"zh_CN": "只有中国的县", "zh_HK": "只有中國的縣", "en": "Only places in China"}
    with speaking(language), pytest.raises(Invalid, match=said[language]):
        place()("London")
