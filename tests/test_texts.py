"""Users' words: every text of the code stands in every language, with the same variables, and reads like it."""

from __future__ import annotations

import re
import string
from functools import cache
from pathlib import Path

import opencc
import pytest
from babel.messages.extract import extract_from_dir

from config.texts import LANGUAGES, LOCALES, N_, SOURCE, _, catalogue, language_for, speaking

ROOT = Path(__file__).parent.parent
TRANSLATED = [language for language in LANGUAGES if language != SOURCE]


@cache
def messages() -> frozenset[str]:
    """Every text marked in the code and the templates."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        import tomllib

        mappings = tomllib.load(file)["tool"]["babel"]["mappings"]
    methods = [(one["pattern"], one["method"]) for one in mappings]
    options = {one["pattern"]: {k: v for k, v in one.items() if k not in ("pattern", "method")} for one in mappings}
    found: set[str] = set()
    for folder in ("bot", "handlers", "models", "scheduler", "config"):
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, methods, options, keywords={"_": None, "N_": None}
        ):
            assert isinstance(message, str), message
            found.add(message)
    return frozenset(found)


def fields(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_there_are_texts() -> None:
    assert len(messages()) > 200


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    missing = sorted(messages() - catalogue(language).keys())
    assert not missing, f"{len(missing)} texts without {language}: run `make texts` and translate; first: {missing[:3]}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language: str) -> None:
    assert not sorted(catalogue(language).keys() - messages())


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_same_variables(language: str) -> None:
    wrong = {text: said for text, said in catalogue(language).items() if fields(text) != fields(said)}
    assert not wrong


def test_english_has_no_chinese_left_but_what_must_be_typed() -> None:
    """Words to type (“取消”), names and sample values may stay; whole Chinese sentences may not."""
    sentences = {text: said for text, said in catalogue("en").items() if re.search(r"[\u4e00-\u9fff]{9,}", said)}
    assert not sentences


def test_hong_kong_chinese_is_written_in_traditional_characters() -> None:
    to_simplified = opencc.OpenCC("hk2s")
    # A text that simplification leaves as it was, though the source would change when made traditional.
    to_traditional = opencc.OpenCC("s2hk")
    same = {
        text
        for text, said in catalogue("zh_HK").items()
        if said == to_simplified.convert(said) and to_traditional.convert(said) != said
    }
    assert not same


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_word_is_used_that_the_programme_does_not_say(language: str) -> None:
    bad = (
        "残废",
        "弱智",
        "聋哑",
        "正常人",
        "贫困户",
        "殘廢",
        "聾啞",
        "正常人",
        "handicapped",
        "crippled",
        "normal people",
    )
    for said in (*messages(), *catalogue(language).values()):
        assert not [word for word in bad if word in said], said


def test_a_text_without_translation_is_spoken_in_the_source_language() -> None:
    with speaking("en"):
        assert _("没有这样一句") == "没有这样一句"
    assert N_("甲") == "甲"


@pytest.mark.parametrize(
    ("hint", "language"),
    [
        ("zh-hans", "zh_CN"),
        ("zh-Hant", "zh_HK"),
        ("zh-HK", "zh_HK"),
        ("zh_TW", "zh_HK"),
        ("en-GB", "en"),
        ("fr", "zh_CN"),
        ("", "zh_CN"),
    ],
)
def test_the_platforms_hint_chooses_the_language(hint: str, language: str) -> None:
    assert language_for(hint) == language


def test_the_catalogues_lie_where_the_code_looks() -> None:
    assert {path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/nuanyang.po")} == set(TRANSLATED)
