"""One talk in the turn, on both databases: buttons, numbers and words against the list that was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, select

from config import texts
from config.texts import _
from handlers.dialogue import Ask, Choice, Refused, Talk
from handlers.message import Reply
from models.audit import AuditEntry, note
from models.database import Database
from models.person import Person
from tests.chatting import Chat
from tests.talking import (
    Facts,
    Register,
    anything,
    begin,
    branching,
    dialogue,
    number,
    option,
    state_of,
    three,
    with_question_before,
)
from tests.talking import chat as chat
from tests.talking import register as register
from tests.talking import source_language as source_language


def test_a_stale_button_is_told_so_and_has_no_effect(chat: Chat, register: Register) -> None:
    register(dialogue(branching))
    begin(chat)
    old = option(chat, "学生")
    chat.press("上班")
    assert "单位" in chat.said.text
    said = chat.act("choice", choice=old)
    assert said.startswith("这一步已经回答过了。")
    assert "单位" in said
    assert state_of(chat).runs[-1].answers == {"kind": {"c": "worker"}}


def test_forged_buttons_do_nothing(chat: Chat, register: Register) -> None:
    register(dialogue(branching))
    begin(chat)
    prompt = option(chat, "学生").partition(":")[0]
    other = Chat(chat.database, "other")
    other.act("follow")
    for forged in (
        "",
        ":",
        ":0",
        "x" * 22 + ":0",
        f"{prompt}:9",
        f"{prompt}:-1",
        f"{prompt}:" + "9" * 6000,
        f"{prompt}:²",
    ):
        chat.act("choice", choice=forged)
        assert state_of(chat).runs[-1].answers == {}, forged
        assert state_of(chat).runs[-1].waiting == "kind"
    assert "已经回答过了" in other.act("choice", choice=f"{prompt}:0")
    assert state_of(other).runs == []


def test_a_button_shown_before_a_sticker_is_still_good(chat: Chat, register: Register) -> None:
    register(dialogue(branching))
    begin(chat)
    first = option(chat, "上班")
    chat.act("media", media_kind="sticker")
    assert "单位" in chat.act("choice", choice=first)


def test_numbers_mean_the_list_that_was_shown_although_it_changed_meanwhile(chat: Chat, register: Register) -> None:
    register(dialogue(branching))
    begin(chat)

    def turned(facts: Facts) -> Talk:
        choices = (Choice("worker", "上班"), Choice("retired", "退休"), Choice("pupil", "学生"))
        return (yield Ask("kind", "学生还是上班？", choices=choices))

    register(dialogue(turned))
    assert chat.say("1") == "完成 pupil"


def test_a_choice_that_vanished_after_it_was_shown_is_asked_again(chat: Chat, register: Register) -> None:
    register(dialogue(branching))
    begin(chat)

    def without(facts: Facts) -> Talk:
        return (yield Ask("kind", "现在呢？", choices=(Choice("worker", "上班"), Choice("retired", "退休"))))

    register(dialogue(without))
    said = chat.say("1")
    assert said.startswith("这个回答现在用不了，请再回答一次。")
    assert chat.labels() == ["上班", "退休"]
    assert chat.say("2") == "完成 retired"


def test_a_deploy_between_two_messages_inserts_a_question_and_keeps_the_answer_given(
    chat: Chat, register: Register
) -> None:
    register(dialogue(three))
    begin(chat)
    chat.say("阿林")
    register(dialogue(with_question_before))
    assert "城市" in chat.say("19")
    assert "对吗" in chat.say("广州")
    assert chat.press("好") == "完成 done"


def test_many_choices_are_ticked_by_buttons_or_typed_at_once(chat: Chat, register: Register) -> None:
    def talk(facts: Facts) -> Talk:
        choices = (Choice("a", "教育"), Choice("b", "医学"), Choice("c", "法律"))
        return ((yield Ask("skills", "会什么？", choices=choices, many=True, skippable=True)),)

    register(dialogue(talk))
    begin(chat)
    assert chat.say("1 3") == "完成 (('a', 'c'),)"
    begin(chat)
    assert chat.say("法律、教育") == "完成 (('a', 'c'),)"
    begin(chat)
    assert chat.say("2") == "完成 (('b',),)"
    begin(chat)
    chat.press("教育")
    assert "已选：教育" in chat.said.text
    chat.press("医学")
    chat.press("教育")
    assert chat.press("选好了") == "完成 (('b',),)"
    begin(chat)
    chat.press("教育")
    assert chat.say("3") == "完成 (('a', 'c'),)", "what was ticked stays when a number is typed"
    begin(chat)
    assert chat.say("4") == "完成 (None,)", "the number of 跳过"
    begin(chat)
    assert "没看懂“9”" in chat.say("9")
    assert chat.say("跳过") == "完成 (None,)"


def test_a_label_with_spaces_is_typed_whole_alone_or_among_others(chat: Chat, register: Register) -> None:
    def talk(facts: Facts) -> Talk:
        choices = (Choice("sign", "Sign language"), Choice("read", "Reading aloud"), Choice("law", "Law"))
        return ((yield Ask("skills", "What can you do?", choices=choices, many=True)),)

    register(dialogue(talk))
    for typed, said in (
        ("sign language", ("sign",)),
        ("Sign language, law", ("sign", "law")),
        ("Sign language、Reading aloud", ("sign", "read")),
        ("law 2", ("read", "law")),
        ("1 3", ("sign", "law")),
        ("reading aloud,1 law", ("sign", "read", "law")),
    ):
        begin(chat)
        assert chat.say(typed) == f"完成 ({said},)", typed
    begin(chat)
    assert "没看懂“language”" in chat.say("law, language")


def test_the_numbers_of_many_choices_mean_the_list_that_was_shown(chat: Chat, register: Register) -> None:
    def talk(*values: str) -> Callable[[Facts], Talk]:
        def made(facts: Facts) -> Talk:
            return (yield Ask("skills", "会什么？", choices=tuple(Choice(v, f"选{v}") for v in values), many=True))

        return made

    register(dialogue(talk("a", "b", "c")))
    begin(chat)
    register(dialogue(talk("c", "b", "a")))
    assert chat.say("1 2") == "完成 ('b', 'a')"


def test_a_number_is_an_answer_where_numbers_are_answers(chat: Chat, register: Register) -> None:
    def talk(facts: Facts) -> Talk:
        ask = Ask("n", "几次？", choices=(Choice("none", "没有"),), check=number, numeric=True, skippable=True)
        return ((yield ask),)

    register(dialogue(talk))
    for said, wanted in (("1", 1), ("没有", "none"), ("跳过", None)):
        begin(chat)
        assert chat.say(said) == f"完成 ({wanted!r},)"
    begin(chat)
    assert chat.press("没有") == "完成 ('none',)"
    begin(chat)
    assert "请写数字" in chat.say("很多")


def test_refused_asks_that_question_again_rolls_back_and_keeps_what_then_wrote(chat: Chat, register: Register) -> None:
    def perform(session: Session, person: Person, command: Any) -> Reply:
        person.zone = "Asia/Hong_Kong"
        session.add(person)
        session.flush()
        if command[1] > 9:

            def then(later: Session) -> None:
                note(later, person.id, "trial.refused", "x")

            raise Refused("age", "不能大于 9。", then)
        return Reply("成了")

    register(dialogue(three, perform=perform))
    begin(chat)
    chat.say("阿林", "19")
    said = chat.press("好")
    assert said.startswith("不能大于 9。")
    assert "年龄" in said
    assert chat.person().zone == "Asia/Shanghai", "what perform wrote is rolled back"
    with chat.database.read() as session:
        counted = session.exec(select(AuditEntry).where(AuditEntry.action == "trial.refused")).all()
    assert len(counted) == 1, "what was to stay stays"
    assert chat.say("9") == "成了"
    assert chat.person().zone == "Asia/Hong_Kong"


def test_the_language_may_change_in_the_middle_since_answers_are_values(
    chat: Chat, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "catalogue", lambda language: {"左": "left", "右": "right", "走": "go"})

    def talk(facts: Facts) -> Talk:
        kind = yield Ask("kind", "？", choices=(Choice("l", _("左")), Choice("r", _("右"))))
        return (kind, (yield Ask("sure", "？", choices=(Choice("yes", _("走")),))))

    register(dialogue(talk))
    begin(chat)
    chat.press("右")
    chat.act("menu", menu="language")
    chat.press("English")
    assert chat.labels() == ["go"]
    chat.say("back")
    assert chat.labels() == ["left", "right"]
    chat.say("RIGHT")
    assert chat.say("1") == "完成 ('r', 'yes')"
    assert chat.person().language == "en"


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_back_and_cancel_work_at_every_step(chat: Chat, register: Register, answered: int) -> None:
    register(dialogue(three))
    begin(chat)
    given, asked = ["阿林", "19"], ["名字", "年龄", "对吗"]
    for words in given[:answered]:
        chat.say(words)
    said = chat.say("返回")
    if answered == 0:
        assert "已经是第一个问题" in said
        assert "名字" in said
    else:
        assert asked[answered - 1] in said
        chat.say(given[answered - 1])
    assert asked[answered] in chat.said.text
    for word in ("菜单", "帮助"):
        assert chat.say(word)
    assert asked[answered] in chat.say("帮助")
    assert chat.say("取消") == "好的，已经取消。想做什么，回复“菜单”。"
    assert state_of(chat).runs == []
    assert "没有进行中的对话" in chat.say("取消")


def secret(facts: Facts) -> Talk:
    return (yield Ask("name", "监护人姓名？", check=anything, sensitive=True, choices=(Choice("none", "没有"),)))


def test_a_sensitive_question_is_asked_on_a_page_on_telegram_and_in_chat_on_wechat(
    database: Database, register: Register
) -> None:
    register(dialogue(secret))
    wechat, telegram = Chat(database, "w", "wechat"), Chat(database, "1", "telegram")
    begin(wechat)
    assert wechat.said.links == ()
    assert wechat.say("李雷") == "完成 李雷"
    begin(telegram)
    assert [link.url.split("/p/")[0] for link in telegram.said.links] == ["https://nuanyang.example"]
    assert telegram.said.options == ()
    said = telegram.say("李雷")
    assert said.startswith("这一题请不要写在聊天里。")
    assert len(telegram.said.links) == 1
    prompt = state_of(telegram).runs[-1].prompt
    assert telegram.act("page", choice=prompt, text="李雷") == "完成 李雷"
    assert "已经回答过了" in telegram.act("page", choice=prompt, text="韩梅梅")
