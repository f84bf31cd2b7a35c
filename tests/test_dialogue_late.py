"""Questions asked outside a talk and answered late: each counts once, for whom and for what it was asked."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from handlers import late
from handlers.dialogue import Ask, Choice, Talk
from handlers.message import Option
from models.conversation import Prompt
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.talking import Facts, Register, anything, begin, branching, dialogue, option, three
from tests.talking import chat as chat
from tests.talking import register as register
from tests.talking import source_language as source_language


def offer(facts: Facts) -> Talk:
    can = yield Ask("can", "能去吗？", choices=(Choice("yes", "能去", words=("可以",)), Choice("no", "去不了")))
    why = "" if can == "yes" else (yield Ask("why", "为什么？", check=anything))
    return (facts.known, can, why)


def ask_late(chat: Chat, door: str = "", **more: Any) -> tuple[Option, ...]:
    with chat.database.write() as session:
        person = chat.person().id
        facts = Facts(known="小宇")
        options = late.asked(session, person, "ride", "can", facts, [("yes", "能去"), ("no", "去不了")], **more)
        late.saw(session, person, options, door)
        return options


def test_a_late_answer_counts_for_the_question_it_was_given_to(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "ride"))
    options = ask_late(chat)
    chat.say("今天天气不错")
    clock.pass_time(timedelta(days=30))
    assert "为什么" in chat.act("choice", choice=options[1].id)
    assert chat.say("考试") == "完成 ('小宇', 'no', '考试')"


def test_a_late_answer_counts_once(chat: Chat, register: Register) -> None:
    register(dialogue(offer, "ride"))
    options = ask_late(chat)
    assert chat.act("choice", choice=options[0].id) == "完成 ('小宇', 'yes', '')"
    for again in options:
        assert "已经回答过了" in chat.act("choice", choice=again.id)


def test_a_late_answer_pushes_the_talk_under_way_aside_and_gives_it_back(chat: Chat, register: Register) -> None:
    register(dialogue(offer, "ride"))
    register(dialogue(three))
    begin(chat)
    options = ask_late(chat)
    said = chat.act("choice", choice=options[0].id)
    assert said.startswith("完成 ('小宇', 'yes', '')")
    assert "我们接着刚才的" in said
    assert "名字" in said
    assert "年龄" in chat.say("阿林")


def test_a_typed_number_means_the_late_question_only_while_nothing_else_is_asked(
    chat: Chat, register: Register
) -> None:
    register(dialogue(offer, "ride"))
    ask_late(chat)
    assert chat.say("1") == "完成 ('小宇', 'yes', '')"
    register(dialogue(branching))
    begin(chat)
    ask_late(chat)
    assert "学校" in chat.act("choice", choice=option(chat, "学生")), "a press means what was pressed"


@pytest.mark.parametrize("typed", ["能去", "yes", "YES", "可以"])
def test_a_late_question_hears_every_word_that_its_talk_takes_for_a_choice(
    chat: Chat, register: Register, typed: str
) -> None:
    register(dialogue(offer, "ride"))
    ask_late(chat)
    assert chat.say(typed) == "完成 ('小宇', 'yes', '')"
    assert "没看懂" in chat.say("可以"), "it was answered"


def test_words_that_answer_no_late_question_are_heard_as_usual(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "ride"))
    ask_late(chat, lasts=timedelta(days=2))
    assert chat.say("好的").startswith("好的。想做什么"), "a bare 好的 accepts nothing"
    clock.pass_time(timedelta(days=2))
    assert "没看懂" in chat.say("可以")


def test_a_late_answer_of_somebody_else_or_out_of_time_is_not_taken(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "ride"))
    options = ask_late(chat, lasts=timedelta(days=2))
    other = Chat(chat.database, "other")
    assert "已经回答过了" in other.act("choice", choice=options[0].id)
    prompt = options[0].id.partition(":")[0]
    for forged in (f"{prompt}:2", f"{prompt}:", prompt, f"{prompt}:x"):
        assert "已经回答过了" in chat.act("choice", choice=forged), forged
    clock.pass_time(timedelta(days=2))
    assert "已经回答过了" in chat.act("choice", choice=options[0].id)
    with chat.database.read() as session:
        assert session.get_one(Prompt, prompt).answered_at is None


def test_two_presses_of_a_late_question_at_once_count_once(chat: Chat, register: Register) -> None:
    register(dialogue(offer, "ride"))
    prompt, _colon, index = ask_late(chat)[0].id.partition(":")
    person = chat.person().id
    won: list[bool] = []

    def press() -> None:
        with chat.database.write() as session:
            won.append(late.answered(session, person, prompt, index) is not None)

    threads = [threading.Thread(target=press) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(won) == [False, False, False, True]


def test_a_late_question_whose_dialogue_vanished_says_so_kindly(chat: Chat) -> None:
    assert "已经回答过了" in chat.act("choice", choice=ask_late(chat)[0].id)
