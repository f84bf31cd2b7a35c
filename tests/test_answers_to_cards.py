"""A card asks for any word: what is typed then brings what it was about, and answers no question that had waited."""

from __future__ import annotations

import pytest
from sqlmodel import select

from bot.platforms.wechat_outcomes import of_errcode
from models.arrival import arrive, leave
from models.contact import ContactMessage
from models.database import Database
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import Office
from tests.office import office as office
from tests.people import follow, grant
from tests.test_deliver_channels import LATER, again, put
from tests.test_deliver_channels import laddered as laddered

BROUGHT = "有消息等着你，这就发来。"
NO_ANSWER = BROUGHT + "刚才写的没有算作回答，之前的问题还在："


@pytest.fixture
def alin(database: Database) -> Chat:
    """A volunteer with a specialist."""
    specialist, chat = Chat(database, "specialist"), Chat(database)
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    follow(chat)
    chat.register()
    return chat


async def card(office: Office, clock: StoppedClock, chat: Chat) -> None:
    """Days later a message finds the window closed, and a card goes out for it."""
    clock.pass_time(LATER)
    put(office, chat.person().id, "答复")
    await again(office, clock)
    assert office.wechat.sent == [(chat.sender, "message")]


def asked_of_staff(database: Database) -> int:
    with database.read() as session:
        return len(session.exec(select(ContactMessage)).all())


async def test_any_word_does_not_go_to_the_specialist_before_what_was_held_is_shown(
    office: Office, database: Database, clock: StoppedClock, alin: Chat
) -> None:
    question = alin.say("联系专员")
    await card(office, clock, alin)
    assert alin.say("到了") == f"{NO_ANSWER}\n\n{question}"
    assert asked_of_staff(database) == 0
    await again(office, clock)
    assert office.wechat.sent[-1] == (alin.sender, "答复")
    alin.say("那我下周来")
    assert asked_of_staff(database) == 1


async def test_a_number_chooses_nothing_in_a_question_of_days_ago(
    office: Office, clock: StoppedClock, alin: Chat
) -> None:
    question = alin.say("语言 Language")
    number = str(alin.labels().index("English") + 1)
    await card(office, clock, alin)
    assert alin.say(number).startswith(NO_ANSWER) and question in alin.said.text
    assert alin.person().language == "zh_CN"
    await again(office, clock)
    alin.say(number)
    assert alin.person().language == "en"


async def test_the_name_of_a_choice_is_its_answer(office: Office, clock: StoppedClock, alin: Chat) -> None:
    alin.say("语言 Language")
    await card(office, clock, alin)
    alin.say("English")
    assert alin.person().language == "en"


async def test_a_long_text_is_more_than_any_word(
    office: Office, database: Database, clock: StoppedClock, alin: Chat
) -> None:
    alin.say("联系专员")
    await card(office, clock, alin)
    assert BROUGHT not in alin.say("我下周三要考试，想把那天下午的探访换到周末去，可以吗？")
    assert asked_of_staff(database) == 1


@pytest.mark.parametrize("word", ["1", "在的", "是", "好的"])
async def test_without_a_question_any_word_is_understood_too(
    office: Office, clock: StoppedClock, alin: Chat, word: str
) -> None:
    assert alin.labels()[0] == "填写更多资料"
    await card(office, clock, alin)
    assert alin.say(word) == BROUGHT
    await again(office, clock)
    assert office.wechat.sent[-1] == (alin.sender, "答复")


@pytest.mark.parametrize(("word", "says"), [("菜单", "去服务"), ("我的资料", "姓名"), ("取消", "好的")])
async def test_words_that_mean_something_everywhere_still_do(
    office: Office, clock: StoppedClock, alin: Chat, word: str, says: str
) -> None:
    alin.say("联系专员")
    await card(office, clock, alin)
    assert says in alin.say(word) and BROUGHT not in alin.said.text


async def test_a_cry_for_help_is_heard_as_ever(
    office: Office, database: Database, clock: StoppedClock, alin: Chat
) -> None:
    alin.say("联系专员")
    await card(office, clock, alin)
    assert "110" in alin.say("救命")


async def test_where_the_held_words_cannot_go_yet_the_next_word_is_heard_again(
    office: Office, database: Database, clock: StoppedClock, alin: Chat
) -> None:
    alin.say("联系专员")
    await card(office, clock, alin)
    office.wechat.outcomes = [of_errcode(45009)]  # the day's messages are used up
    assert alin.say("到了").startswith(NO_ANSWER)
    await again(office, clock)
    assert office.rows()["答复"].state == "held"
    assert NO_ANSWER not in alin.say("想换个时间")
    assert asked_of_staff(database) == 1


async def test_a_card_for_another_message_asks_anew(office: Office, clock: StoppedClock, alin: Chat) -> None:
    alin.say("联系专员")
    await card(office, clock, alin)
    alin.say("到了")
    await again(office, clock)
    office.wechat.sent.clear()
    clock.pass_time(LATER)
    put(office, alin.person().id, "又一条")
    await again(office, clock)
    assert alin.say("到了").startswith(NO_ANSWER)


async def test_a_turn_that_is_met_on_arrival_knows_of_the_card(
    office: Office, database: Database, clock: StoppedClock, alin: Chat
) -> None:
    await card(office, clock, alin)
    with database.write() as session:
        row, met = arrive(session, "wechat", "test", "k", alin.sender, "text", {"text": "到了"})
        assert row is not None and met is not None
        assert met.state.carded
        leave(session, row, met, met.person.id, None, "none")
    with database.write() as session:
        _row, met = arrive(session, "wechat", "test", "k2", alin.sender, "text", {"text": "到了"})
        assert met is not None and not met.state.carded
