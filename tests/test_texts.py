"""Users' words: every text of the code stands in every language, with the same variables, and reads like it."""

from __future__ import annotations

import ast
import re
import string

import opencc
import pytest

from config.collect_texts import FOLDERS, ROOT, messages
from config.texts import LANGUAGES, LOCALES, N_, SOURCE, _, catalogue, language_for, speaking
from handlers import menu

TRANSLATED = [language for language in LANGUAGES if language != SOURCE]


def fields(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_there_are_texts() -> None:
    assert len(messages()) > 200


def test_no_text_is_marked_where_babel_does_not_see_it() -> None:
    """Inside an f-string `_()` is not collected on Python 3.11, and a text so marked is never translated."""
    unseen = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for formatted in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(formatted, ast.JoinedStr)
        for call in ast.walk(formatted)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("_", "N_")
        if call.args and isinstance(call.args[0], ast.Constant)
    ]
    assert not unseen


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


def only_simplified(character: str) -> bool:
    """Whether a character exists in simplified writing alone; 里, 台 or 后 stand in both, so Big5 has them."""
    try:
        character.encode("big5")
    except UnicodeEncodeError:
        return bool(opencc.OpenCC("s2hk").convert(character) != character)
    return False


def test_only_simplified_characters_are_told_apart() -> None:
    assert [c for c in "这里說说裏啟启號号台湾" if only_simplified(c)] == list("这说启号湾")


def test_hong_kong_chinese_is_written_in_traditional_characters() -> None:
    texts = catalogue("zh_HK").items()
    simplified = {c for c in set("".join(said for _text, said in texts)) if only_simplified(c)}
    assert not {said for _text, said in texts if simplified & set(said)}


def test_hong_kong_chinese_uses_the_words_of_hong_kong() -> None:
    names = re.compile("青年志願者助殘|廣東志願者|志願服務條例")
    mainland = re.compile(
        "[“”‘’]|志願者|志願服務|結對|短信|信息|賬號|鏈接|隱私|默認|屏幕|視頻|軟件包|服務器|數據|機器人|回復|菜單|時長|什么|這里"
    )
    assert not {said for said in catalogue("zh_HK").values() if mainland.search(names.sub("", said))}


@pytest.mark.parametrize(
    ("language", "told"), [("zh_CN", "回复((?:“[^”{]+”[、或]*)+)"), ("zh_HK", "回覆((?:「[^」{]+」[、或]*)+)")]
)
def test_words_that_people_are_told_to_reply_are_understood(language: str, told: str) -> None:
    """A global word, the beginning of a talk, “skip”, or a choice or exact phrase that is a text by itself."""
    with speaking(language):
        texts = {_(text) for text in messages()}
        quoted = {
            word for text in texts for found in re.findall(told, text) for word in re.findall("[“「](.+?)[”」]", found)
        }
        assert len(quoted) > 10
        unheard = {word for word in quoted if not (menu.global_word(word) or menu.begins(word) or word in texts)}
    assert not unheard


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_word_is_used_that_the_programme_does_not_say(language: str) -> None:
    bad = (
        "残废",
        "弱智",
        "聋哑",
        "正常人",
        "贫困户",
        "貧困戶",
        "殘廢",
        "聾啞",
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
