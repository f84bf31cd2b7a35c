"""Updates are read and keyboards written without the library's types, for their price: what is read, refused and
written is the same."""

from __future__ import annotations

import json
import random

import pytest
from telegram import InlineKeyboardMarkup, ReplyKeyboardMarkup

from bot.platforms.base import Rejected
from bot.platforms.telegram_message import show
from bot.platforms.telegram_update import read_parsed
from handlers.message import Inbound, Link, Option, Reply
from tests.platforms.telegram_by_library import read_by_library
from tests.platforms.telegram_corpus import CORPUS, NOW
from tests.platforms.test_telegram_updates import mutate

# Names of the library's own arguments: it trips over them, and they mean nothing.
_ITS_OWN = (b"api_kwargs", b'"self"', b'"bot"')


def read(data: object) -> list[Inbound] | None:
    try:
        return read_parsed(data, "gd", lambda: NOW)
    except Rejected:
        return None


@pytest.mark.parametrize("name", CORPUS)
def test_what_people_do_is_read_as_the_library_reads_it(name: str) -> None:
    update, _fields = CORPUS[name]
    assert read(update) == read_by_library(update) is not None


def compare(seed: int, cases: int) -> None:
    random_ = random.Random(seed)
    updates = [update for update, _fields in CORPUS.values()]
    same = refused = 0
    for case in range(cases):
        raw = mutate(random_, updates[case % len(updates)])
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if any(name in raw for name in _ITS_OWN):
            continue
        expected = read_by_library(data)
        assert read(data) == expected, f"seed {seed}, case {case}: {raw[:2000]!r}"
        same += expected is not None
        refused += expected is None
    assert same > cases // 10 and refused > cases // 10


def test_mutated_updates_are_read_or_refused_as_by_the_library() -> None:
    compare(seed=20261122, cases=1_500)


@pytest.mark.long
def test_many_mutated_updates_are_read_or_refused_as_by_the_library() -> None:
    for seed in range(10):
        compare(seed, cases=1_500)


OPTIONS = tuple(Option(f"a:{number}", f"选项{number}") for number in range(5))


@pytest.mark.parametrize("numbered", [True, False])
def test_buttons_are_written_as_the_library_writes_them(numbered: bool) -> None:
    links = (Link("https://nuanyang.example/p/x", "打开"),)
    markup = show(Reply("请选择", OPTIONS, links=links, numbered=numbered)).markup
    assert markup is not None and len(markup["inline_keyboard"]) > 1
    assert InlineKeyboardMarkup.de_json(markup, None).to_dict() == markup


def test_the_keyboard_that_shares_a_place_is_written_as_the_library_writes_it() -> None:
    markup = show(Reply("你在哪里？", OPTIONS, asks_location=True)).markup
    assert markup is not None and markup["keyboard"][0][0]["request_location"] is True
    assert ReplyKeyboardMarkup.de_json(markup, None).to_dict() == markup
