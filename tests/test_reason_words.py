"""Reasons of proposals in plain words, in every language."""

from __future__ import annotations

from typing import Any

import pytest

from config.texts import LANGUAGES, speaking
from handlers.reason_words import count_words, reason_words, reasons_words

FOUND: list[tuple[str, dict[str, Any]]] = [
    ("same_town", {}),
    ("distance_km", {"km": 1.2}),
    ("same_county", {}),
    ("team_area", {}),
    ("helping_region", {}),
    ("service", {"keys": ["study", "care"]}),
    ("skill", {"keys": ["law"]}),
    ("language", {"key": "sign"}),
    ("language", {"key": "cantonese"}),
    ("continuity", {}),
    ("load", {"count": 0}),
    ("load", {"count": 1}),
]
LEFT: list[tuple[str, dict[str, Any]]] = [
    ("no_volunteer_near", {"km": 15.0}),
    ("no_volunteer_near", {}),
    ("only_minors", {"count": 2}),
    ("all_refused", {"count": 2}),
    ("no_sign_language_near", {"km": 15.0, "count": 3}),
    ("no_language_near", {"key": "hakka", "count": 3}),
    ("sex_wanted", {"sex": "female", "count": 3}),
    ("sex_wanted", {"sex": "male", "count": 3}),
    ("no_clearance", {"count": 3}),
    ("no_skill", {"count": 3}),
    ("all_full", {"count": 3}),
]


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (
            [("same_town", {}), ("distance_km", {"km": 1.2}), ("language", {"key": "sign"}), ("load", {"count": 1})],
            "同一街道 1.2 公里，会手语，现在结对 1 人",
        ),
        ([("distance_km", {"km": 3.0}), ("helping_region", {})], "相距 3 公里，来自帮扶地区"),
        ([("same_county", {}), ("service", {"keys": ["study", "care"]})], "同一区县，能做支教助学、日常照料"),
        ([("no_sign_language_near", {"km": 15.0, "count": 4})], "附近 15 公里内没有会手语的志愿者"),
        ([("no_volunteer_near", {})], "本区县没有能来的志愿者"),
    ],
)
def test_reasons_are_told_as_one_phrase(reasons: list[Any], words: str) -> None:
    assert reasons_words(reasons) == words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("code", "params"), FOUND + LEFT)
def test_every_reason_has_words_of_its_own(language: str, code: str, params: dict[str, Any]) -> None:
    with speaking(language):
        told = reason_words(code, params)
    assert told
    assert "{" not in told
    assert "_" not in told


def test_everybody_left_is_counted_by_a_reason_that_has_words() -> None:
    for code, _params in LEFT:
        assert code not in count_words(code, 2)
        assert count_words(code, 2).endswith("：2")
