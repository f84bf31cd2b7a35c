"""优先渠道: by which door somebody wants to be written to first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.copy import copy_of
from models.database import Database
from models.ladder import in_order
from models.person import Person, doors
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import bind, follow, grant, unfollow


@pytest.fixture
def abroad(database: Database, alin: Chat, clock: StoppedClock) -> Chat:
    """The same person on Telegram, where they were heard last."""
    chat = Chat(database, "77", "telegram")
    follow(chat)
    bind(alin, chat)
    deliver(database)
    clock.pass_time(timedelta(minutes=1))
    chat.say("菜单")
    return chat


def first(database: Database, alin: Chat) -> str:
    with database.read() as session:
        person = session.get_one(Person, alin.person().id)
        return in_order(person, doors(session, person.id))[0].platform


def test_with_one_door_there_is_nothing_to_choose(alin: Chat) -> None:
    assert "只有一个渠道" in alin.say("优先渠道")
    assert "优先渠道" not in (alin.say("我的"), *alin.labels())


def test_the_chosen_door_comes_first_until_another_is_chosen(
    database: Database, alin: Chat, abroad: Chat, clock: StoppedClock
) -> None:
    said = alin.say("优先用哪个渠道")
    assert "现在是：最近用过的那个" in said
    assert set(alin.labels()) == {"最近用过的那个", "微信", "Telegram"}
    assert "以后优先联系你的这个渠道：微信" in alin.press("微信")
    clock.pass_time(timedelta(minutes=1))
    abroad.say("在的")
    assert first(database, alin) == "wechat"
    assert "现在是：微信" in abroad.say("优先渠道")
    with database.read() as session:
        rows = [row for section in copy_of(session, alin.person().id) for row in section.rows]
        assert [row.value for row in rows if row.label == "优先渠道"] == ["微信"]
    assert "先用你最近用过的渠道" in abroad.press("最近用过的那个")
    assert first(database, alin) == "telegram"
    assert "优先渠道" in (abroad.say("我的"), *abroad.labels())


def test_a_preferred_door_that_is_gone_counts_for_nothing(database: Database, alin: Chat, abroad: Chat) -> None:
    alin.say("优先渠道")
    alin.press("微信")
    unfollow(database, alin)
    assert first(database, abroad) == "telegram"
    assert "只有一个渠道" in abroad.say("优先渠道")


def test_the_receipt_says_where_an_answer_will_come(database: Database, alin: Chat, abroad: Chat) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    assert "就会发到这里" in alin.say("联系专员", "一")
    alin.say("优先渠道")
    alin.press("Telegram")
    assert "先发到你选的优先渠道：Telegram。" in alin.say("联系专员", "二")
    assert "就会发到这里" in abroad.say("联系专员", "三")
    unfollow(database, abroad)
    assert "就会发到这里" in alin.say("联系专员", "四")


def test_a_door_that_closes_while_the_question_waits_is_not_named_any_more(
    database: Database, alin: Chat, abroad: Chat, clock: StoppedClock
) -> None:
    alin.say("优先渠道")
    alin.press("Telegram")
    third = Chat(database, "third")
    follow(third)
    bind(alin, third)
    assert "现在是：Telegram" in alin.say("优先渠道")
    alin.say("称呼")
    unfollow(database, abroad)
    clock.pass_time(timedelta(days=3))
    said = alin.say("林哥")
    assert "之前还有一个问题没答完：" in said, "three days are not 刚才"
    assert "现在是：最近用过的那个" in said
    assert "Telegram" not in alin.labels()
