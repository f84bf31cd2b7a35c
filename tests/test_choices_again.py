"""A question that is put once more brings its choices again, and the numbers it speaks of stand beside them."""

from __future__ import annotations

import re

import pytest

from bot.platforms.telegram_message import SHARE_LOCATION, show
from bot.platforms.wechat_text import text_of
from bot.receive import Receiver
from handlers.message import Reply
from models.database import Database
from tests.test_default_cases import FAR, NAMES, WAYS, Heard, answer, ready, receiver

__all__ = ["receiver"]  # a fixture

SPEAKS_OF_NUMBERS = re.compile("回复数字|例如回复：|[Rr]eply with (a|the|its) number|its number|for example reply")
PLACES = ("列表", "广东", "广州", "返回", "返回", "返回", "鼓楼")


def on_wechat(reply: Reply) -> list[str]:
    """The choices as WeChat shows them, each with its number."""
    return re.findall(r"(?<![\w:])\d+\. [^；;\n]+", text_of(reply).removeprefix(reply.text))


def on_telegram(reply: Reply) -> list[str]:
    """The choices as Telegram shows them, under the message or on the keyboard."""
    markup = show(reply).markup
    rows = markup if markup is not None else {}
    labels = [button["text"] for row in rows.get("inline_keyboard", rows.get("keyboard", [])) for button in row]
    return [label for label in labels if label != SHARE_LOCATION]


def stand(reply: Reply, labels: list[str]) -> None:
    """All of these can be chosen on both platforms, and no number is spoken of that is not there."""
    assert [option.label for option in reply.options][: len(labels)] == labels
    numbered = [f"{number}. {option.label}" for number, option in enumerate(reply.options, 1)]
    assert on_wechat(reply) == numbered
    bare = [option.label for option in reply.options]
    assert on_telegram(reply) == (numbered if SPEAKS_OF_NUMBERS.search(reply.text) or reply.numbered else bare)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_a_question_put_once_more_brings_its_choices_again_on_both_platforms(
    name: str, database: Database, receiver: Receiver
) -> None:
    chat = ready(database, receiver, name)
    WAYS[name].begin(chat)
    asked = 0
    for _question in range(FAR):
        ask = chat.waiting(name)
        if ask is None:
            break
        asked += 1
        labels = chat.labels()
        stand(chat.said, labels)
        assert len(labels) >= len([choice for choice in ask.choices if not choice.later])
        for again in (
            lambda: chat.act("media", media_kind="sticker"),
            lambda: chat.say("帮助"),
            lambda: chat.act("choice", choice="x" * 22 + ":0"),
            lambda: chat.say("☃☃☃"),
        ):
            again()
            if (chat.waiting(name) or ask).key != ask.key or chat.waiting(name) is None:
                break  # taken as an answer
            stand(chat.said, labels)
        if chat.waiting(name) is None or (chat.waiting(name) == ask and not answer(chat, name)):
            break
    assert asked


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("platform", ["wechat", "telegram"])
@pytest.mark.parametrize("english", [False, True])
def test_every_list_of_places_comes_again_after_a_refused_answer(
    platform: str, english: bool, database: Database, receiver: Receiver
) -> None:
    chat = Heard(database, receiver, "77", platform)
    if english:
        chat.say("English")
    chat.say("报名", "agree" if english else "同意", "王小明", "13800138000", "2005-08-13")
    for words in PLACES:
        chat.say(words)
        labels = chat.labels()
        for refused in ("火星", "London", "99", "☃"):
            chat.say(refused)
            stand(chat.said, labels)
            if len(labels) > 1:
                assert on_telegram(chat.said)[0].startswith("1. ")
                assert SPEAKS_OF_NUMBERS.search(chat.said.text)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_english_reader_chooses_places_by_names_in_latin_letters(database: Database, receiver: Receiver) -> None:
    chat = Heard(database, receiver, "77", "telegram")
    chat.say("English", "register", "agree", "Mary Lee", "13800138000", "2005-08-13", "list")
    assert chat.labels()[:3] == ["Beijing", "Tianjin", "Hebei"]
    assert "Where in Guangdong?" in chat.say("Guangdong")
    assert "Where in Guangzhou, Guangdong?" in chat.say("1")
    assert chat.labels()[0] == "Liwan"
    assert "Tianhe, Guangzhou, Guangdong (广东省广州市天河区)" in chat.press("Tianhe")
    assert not re.search("[\u4e00-\u9fff]", chat.said.text.replace("广东省广州市天河区", ""))
