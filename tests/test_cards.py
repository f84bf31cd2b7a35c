"""Cards: short neutral forms of messages, and which template an account has for which of them."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest

from config.cards import CARDS, FIELDS, Once, Template, read_once, read_templates
from config.texts import LANGUAGES, speaking
from handlers import notices
from handlers.cards import LONGEST, LONGEST_STATE, OF_KIND, STATES, Card, made

AT = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


def test_every_card_has_words_and_a_kind_of_message_that_exists() -> None:
    assert set(STATES) == set(CARDS) == set(OF_KIND.values())
    assert set(OF_KIND) <= set(notices.NOTICES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CARDS)
def test_a_card_fits_the_fields_in_every_language(name: str, language: str) -> None:
    card = Card(name, AT)
    with speaking(language):
        for ours, kinds in FIELDS.items():
            for kind in kinds:
                value = card.field(ours, f"{kind}1")
                assert 1 <= len(value) <= LONGEST, value
                assert not any(unicodedata.category(c) in ("Cc", "So") for c in value)
        state = card.field("state", "phrase1")
        assert len(state) <= LONGEST_STATE and all("一" <= c <= "鿿" for c in state), (
            "what takes Chinese only gets Chinese"
        )


def test_the_time_is_that_of_the_person_and_written_as_wechat_writes_it() -> None:
    card = made("notice.contact", AT, "Asia/Shanghai")
    assert card is not None and card.field("time", "time3") == "2026年11月22日 10:05"
    assert made("reply", AT, "Asia/Shanghai") is None, "an answer has its words only"


def test_what_waits_for_somebody_who_has_not_written_for_weeks_has_a_card() -> None:
    assert {OF_KIND.get(kind) for kind in ("notice.silence", "notice.turn", "notice.turn_off")} == {"pairing"}


GOOD = {"message": {"id": "abc_-1", "fields": {"state": "phrase1", "thing": "thing2", "time": "time3"}}}


def test_templates_are_read_from_json_and_from_a_file() -> None:
    wanted = {"message": Template("abc_-1", {"state": "phrase1", "thing": "thing2", "time": "time3"})}
    assert read_templates(json.dumps(GOOD)) == read_templates(GOOD) == wanted
    assert read_once('{"id": "x", "scene": 0}') == read_once({"id": "x", "scene": 0}) == Once("x", 0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("{", "JSON"),
        ("[]", '{"message"'),
        ({"nothing": GOOD["message"]}, "visit"),
        ({"message": {"id": "abc"}}, "fields"),
        ({"message": {"id": "abc", "fields": {}}}, "fields"),
        ({"message": {"id": "abc", "fields": {"remark": "remark"}}}, "remark"),
        ({"message": {"id": "abc", "fields": {"time": "thing1"}}}, "time1"),
        ({"message": {"id": "abc", "fields": {"thing": "first"}}}, "thing1"),
        ({"message": {"id": "abc", "fields": {"thing": "thing1", "state": "thing1"}}}, "两项"),
        ({"message": {"id": "a b", "fields": {"thing": "thing1"}}}, "message.id"),
        ({"message": {"id": 7, "fields": {"thing": "thing1"}}}, "message.id"),
    ],
)
def test_a_template_that_is_set_up_wrong_is_refused_by_name(given: Any, named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        read_templates(given)


@pytest.mark.parametrize("scene", [-1, 10_001, "7", True, None])
def test_a_scene_is_a_number_that_wechat_knows(scene: Any) -> None:
    with pytest.raises(ValueError, match="scene 要写 0 到 10000"):
        read_once({"id": "x", "scene": scene})
