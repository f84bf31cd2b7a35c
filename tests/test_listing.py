"""Words typed below a list: the next page, a part of a name; anything else leaves the numbers as they are."""

from __future__ import annotations

import pytest

from models.database import Database
from tests.chatting import Chat
from tests.ledger_files import people
from tests.people import follow, grant
from tests.test_ledger_import import brought


@pytest.fixture
def boss(database: Database) -> Chat:
    """A specialist in front of the first page of seven people who wait for the family's word."""
    chat = Chat(database, "boss")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    brought(database, people(7))
    chat.say("待结对", "1")
    return chat


def test_the_pages_are_turned_in_words(boss: Chat) -> None:
    first = boss.labels()
    assert "第 2 页" in boss.say("下一页")
    assert len(boss.labels()) == 3 and boss.labels() != first
    assert "最后一页" in boss.say("下一页")
    assert "第 1 页" in boss.say("上一页")
    assert boss.labels() == first
    assert "已经是第一页" in boss.say("上一页")
    assert boss.labels() == first


def test_a_name_or_a_part_of_it_opens_the_one_who_has_it(boss: Chat) -> None:
    whom = boss.labels()[1].partition("：")[0]  # which of them stands there is chance
    assert boss.say(whom).startswith(whom)
    boss.say("待结对", "1")
    assert "有几项" in boss.say("甲甲")
    assert boss.say("看" + whom[-2:]).startswith(whom)
    boss.say("待结对", "1")
    first = boss.labels()[0].partition("：")[0]
    assert boss.say("第一个").startswith(first)


def test_an_unknown_word_leaves_the_numbers_as_they_are(boss: Chat) -> None:
    before = [(option.id, option.label) for option in boss.said.options]
    whom = before[0][1].partition("：")[0]
    for words in ("不认识的话", "五山街道", "ABCD2345"):
        said = boss.say(words)
        assert "请回复前面的数字" in said and boss.said.numbered
        assert [(option.id, option.label) for option in boss.said.options] == before
    boss.act("media", media_kind="sticker")
    boss.say("好的")
    assert boss.say("1").startswith(whom)


def test_all_the_lists_of_people_keep_their_numbers(boss: Chat) -> None:
    for wish in ("一户不落", "待结对", "机构结对", "交接清单"):
        boss.say(wish)
        options = [option.id for option in boss.said.options]
        lists = any(not option.startswith("m:") for option in options)
        said = boss.say("不认识的话")
        assert ("请回复前面的数字" in said and [one.id for one in boss.said.options] == options) == lists, wish


def test_a_page_of_households_is_turned_back(boss: Chat) -> None:
    boss.say("一户不落")
    boss.press(next(label for label in boss.labels() if "7" in label))
    first = boss.labels()
    boss.say("下一页")
    assert boss.labels() != first
    boss.say("上一页")
    assert boss.labels() == first
