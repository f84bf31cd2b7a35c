"""Talks that are pushed aside, put down for weeks, or met by a later version: what goes on and what ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session

from handlers import late, menu
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from models.conversation import State, lock, save
from models.person import Person
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.talking import Facts, Register, anything, begin, dialogue, state_of, three
from tests.talking import chat as chat
from tests.talking import register as register
from tests.talking import source_language as source_language


def named(name: str) -> Dialogue:
    def talk(facts: Facts) -> Talk:
        first = yield Ask("one", f"{name} 一？", check=anything)
        return (first, (yield Ask("two", f"{name} 二？", check=anything)))

    return dialogue(talk, name)


def offer(facts: Facts) -> Talk:
    can = yield Ask("can", "能去吗？", choices=(Choice("no", "去不了"),))
    return (facts.known, can, (yield Ask("why", "为什么？", check=anything)))


KEYS = ("check_in", "book_visit", "visit_report", "add_hours")


def test_talks_pushed_aside_are_resumed_in_turn_and_the_fourth_puts_the_first_away(
    chat: Chat, register: Register
) -> None:
    for key in KEYS:
        register(named(key), key)
    for key in KEYS:
        assert f"{key} 一" in begin(chat, key)
        chat.say("a")
    assert [run.dialogue for run in state_of(chat).runs] == list(KEYS[1:])
    for ended, resumed in zip(KEYS[:0:-1], KEYS[2:0:-1], strict=False):
        said = chat.say("b")
        assert f"完成 ('a', 'b')\n\n我们接着刚才的：\n{resumed} 二？" in said, ended
    assert chat.say("c") == "完成 ('a', 'c')"
    assert state_of(chat).runs == []
    said = begin(chat, KEYS[0])
    assert "check_in 二" in said, "what was put away goes on with its answers"
    assert chat.say("d") == "完成 ('a', 'd')"


def test_a_talk_that_is_put_away_for_a_fourth_is_named_with_the_way_back(chat: Chat, register: Register) -> None:
    for key in KEYS:
        register(named(key), key)
        said = begin(chat, key)
    assert said == (
        "同时进行的对话太多，我先把“签到签退”收起来了；填过的还留着，等手上的说完，回复“签到签退”就能接着来。"
        "\n\nadd_hours 一？"
    )
    said = chat.act("menu", menu="check_in")
    assert "我先把“约探访”收起来了" in said, "the way back makes room in the same way"
    assert "check_in 一" in said


def test_a_talk_that_a_button_begins_again_makes_room_before_one_that_the_person_began(
    chat: Chat, register: Register
) -> None:
    register(dialogue(offer, "ride", repeats=True))
    register(dialogue(three))  # which takes the other one's entry
    begin(chat)
    chat.say("阿林")
    with chat.database.write() as session:
        options = [
            late.asked(session, chat.person().id, "ride", "can", Facts(known=known), [("no", "去不了")])
            for known in ("小宇", "小雨", "小鱼")
        ]
    for (button,) in options:
        assert chat.act("choice", choice=button.id) == "为什么？"
    assert "小鱼" in chat.say("考试")
    said = chat.say("下雨")
    assert "小雨" in said
    assert "我们接着刚才的" in said
    assert [run.answers for run in state_of(chat).runs] == [{"name": {"t": "阿林"}}]
    (again,) = options[0]
    assert chat.act("choice", choice=again.id) == "为什么？", "what made room is begun by its button again"


def test_a_talk_begun_again_is_gone_on_with(chat: Chat, register: Register) -> None:
    register(named("check_in"), "check_in")
    begin(chat)
    chat.say("a")
    said = begin(chat)
    assert said.startswith("我们接着上次的地方")
    assert "check_in 二" in said


def test_an_idle_talk_ends_kindly_once_and_is_taken_up_again_with_its_answers(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(three, idle_days=21))
    begin(chat)
    chat.say("阿林")
    clock.pass_time(timedelta(days=21))
    chat.act("media", media_kind="sticker")
    assert "年龄" in chat.said.text, "on the twenty-first day it still waits"
    clock.pass_time(timedelta(days=21, seconds=1))
    said = chat.say("你好呀")
    assert said.startswith("好久不见！上次的“签到签退”搁置太久")
    assert "没看懂" not in said, "it answered a question that was still on the screen"
    assert "好久不见" not in (again := chat.say("天气不错"))
    assert "没看懂" in again
    said = chat.say("签到签退")
    assert said.startswith("我们接着上次的地方")
    assert "年龄" in said
    chat.say("19")
    assert chat.press("好") == "完成 ('阿林', 19, 'yes')"


def test_the_words_that_call_for_help_come_before_the_end_of_an_idle_talk(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(three))
    begin(chat)
    clock.pass_time(timedelta(days=40))
    assert chat.say("救命").startswith("如有危险请先拨打")
    assert "好久不见" in chat.say("你好呀")


def test_a_talk_whose_dialogue_vanished_ends_with_an_apology(
    chat: Chat, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(dialogue(three))
    begin(chat)
    monkeypatch.delitem(menu.DIALOGUES, "trial")
    said = chat.say("阿林")
    assert said.startswith("抱歉，刚才的对话因为系统更新已经结束。")
    assert state_of(chat).runs == []


def test_an_answer_to_a_vanished_talk_is_not_taken_for_one_to_the_talk_below(
    chat: Chat, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(named("check_in"), "check_in")
    register(named("book_visit"), "book_visit")
    begin(chat, "check_in")
    begin(chat, "book_visit")
    monkeypatch.delitem(menu.DIALOGUES, "book_visit")
    said = chat.say("明天")
    assert said.startswith("抱歉")
    assert "check_in 一" in said
    assert state_of(chat).runs[-1].answers == {}
    assert "check_in 二" in chat.say("a")


def test_facts_are_frozen_at_the_start(chat: Chat, register: Register) -> None:
    seen: list[str] = []

    def prepare(session: Session, person: Person) -> Facts:
        seen.append("prepared")
        return Facts(known=f"第{len(seen)}次")

    def talk(facts: Facts) -> Talk:
        return (facts.known, (yield Ask("a", facts.known, check=anything)), (yield Ask("b", "？", check=anything)))

    register(dialogue(talk, prepare=prepare))
    begin(chat)
    chat.say("x")
    assert chat.say("y") == "完成 ('第1次', 'x', 'y')"
    assert len(seen) == 1


def test_states_of_later_versions_are_read(chat: Chat, register: Register) -> None:
    register(dialogue(three))
    begin(chat)
    with chat.database.write() as session:
        state = lock(session, chat.person().id)
        plain = state.as_json()
        plain["runs"][0]["from_tomorrow"] = 1
        save(session, chat.person().id, State.from_json(plain))
    assert "年龄" in chat.say("阿林")
