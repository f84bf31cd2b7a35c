"""What a typed sentence wants, and what of it is opened where nothing is asked."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from handlers import menu, wishes
from handlers.intents import intent, table
from models.alert import Alert
from models.database import Database
from tests.chatting import Chat
from tests.people import alin as alin

OWN = Path(__file__).parent.parent / "bench" / "understanding_own.toml"
ROWS = [(row["intent"], row["text"]) for row in tomllib.loads(OWN.read_text("utf-8"))["intent"]]


@pytest.mark.parametrize(("wanted", "words"), dict.fromkeys([*table().examples, *ROWS]))
def test_every_example_is_understood(wanted: str, words: str) -> None:
    assert intent(words) == wanted


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(words: str) -> None:
    assert intent(words) in {name for name, _text in table().examples}


def test_every_intent_has_examples_and_an_answer() -> None:
    names = {name for name, _text in table().examples}
    spoken = {"told_hours", "safeguarding", "emergency", "acknowledge", "help", "none"}
    assert names == set(wishes.ENTRY_OF) | spoken
    assert all(menu.entry(keys[-1]) or name in ("ask_later", "campaigns_off") for name, keys in wishes.ENTRY_OF.items())


@pytest.mark.parametrize(
    "words", ["累死了", "笑死我了", "热死我了", "忙死了今天", "手机摔了", "被你打败了", "时间撞了"]
)
def test_these_are_no_danger(words: str) -> None:
    assert intent(words) not in ("emergency", "safeguarding")


@pytest.mark.parametrize(
    "words", ["昨天陪小明两小时，他爸爸打他", "取消明天的，孩子说不敢回家", "到了，爷爷晕倒了", "报名 救命"]
)
def test_danger_beats_everything(words: str) -> None:
    assert intent(words) in ("emergency", "safeguarding")


@pytest.mark.parametrize("words", ["迁走了", "他走了", "小雨走了", "妈妈走了"])
def test_who_is_said_to_have_gone_may_have_died(words: str) -> None:
    assert intent(words) == "none"


@pytest.mark.parametrize("words", ["收到", "收到[OK]", "好的", "👌", "嗯嗯收到", "OK", "明白，谢谢"])
def test_a_bare_nod_opens_nothing(words: str, alin: Chat) -> None:
    assert intent(words) == "acknowledge"
    alin.say(words)
    assert not any(label in ("签到签退", "请假交接") for label in alin.labels())


def test_bruises_are_told_to_those_on_duty(alin: Chat, database: Database) -> None:
    assert "110" in alin.say("小雨身上青一块紫一块的我怕家里人打")
    with database.read() as session:
        assert len(session.exec(select(Alert)).all()) == 1


def test_after_a_cry_for_help_plain_words_go_on_telling(alin: Chat, database: Database) -> None:
    alin.say("救命")
    said = alin.say("我在小雨家门牌看不清，还没出来")
    assert "结对" not in said
    with database.read() as session:
        assert len(session.exec(select(Alert)).all()) == 1


def test_hours_that_name_being_a_volunteer_are_no_registration(alin: Chat) -> None:
    assert "请核对" in alin.say("周六9点到11点半做志愿者打扫卫生")


def test_an_intent_whose_talk_is_not_there_yet_is_answered_as_before(alin: Chat) -> None:
    assert "没看懂" in alin.say("活动通知别再发了")
