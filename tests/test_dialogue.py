"""The pure engine, and what the turn makes of it: every way in which a talk can meet a changed world."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlmodel import Session, select

from config import texts
from config.texts import _, speaking
from handlers import late, menu
from handlers.dialogue import (
    Answer,
    Ask,
    Choice,
    Dialogue,
    Finished,
    Invalid,
    Refused,
    Talk,
    TalkError,
    Waiting,
    advance,
    back,
    chosen,
    replay,
)
from handlers.message import Option, Reply
from models.audit import AuditEntry, note
from models.conversation import Prompt, State, lock, save
from models.database import Database
from models.person import Person
from tests.chatting import Chat
from tests.conftest import StoppedClock

YES_NO = (Choice("yes", "好"), Choice("no", "不好"))


class Facts(BaseModel):
    """Nothing is known beforehand."""

    known: str = ""


def number(words: str) -> int:
    if not words.isdecimal():
        raise Invalid("请写数字，例如 3。")
    return int(words)


def anything(words: str) -> str:
    if not words.strip():
        raise Invalid("请写点什么。")
    return words


def dialogue(talk: Callable[[Any], Talk], name: str = "trial", **more: Any) -> Dialogue:
    """A dialogue around a talk; `perform` tells what it was given."""
    usual: dict[str, Any] = {
        "facts": Facts,
        "prepare": lambda session, person: Facts(),
        "perform": lambda session, person, command: Reply(f"完成 {command}"),
    }
    return Dialogue(name=name, talk=talk, **{**usual, **more})


def run(made: Dialogue, *given: tuple[str, Answer]) -> Waiting | Finished:
    """Answer the questions of these keys in order, as somebody does who is shown them one by one."""
    answers: dict[str, Answer] = {}
    at = replay(made, Facts(), answers)
    for key, answer in given:
        at = advance(made, Facts(), answers, key, answer)
        answers = at.answers
    return at


def at_question(at: Waiting | Finished | None) -> str:
    assert isinstance(at, Waiting), at
    return at.ask.key


# --- the engine alone ---


def three(facts: Facts) -> Talk:
    name = yield Ask("name", "名字？", check=anything)
    age = yield Ask("age", "年龄？", check=number, numeric=True)
    sure = yield Ask("sure", "对吗？", choices=YES_NO)
    return (name, age, sure)


def test_it_asks_one_question_after_the_other_and_returns_what_was_decided() -> None:
    at = run(dialogue(three), ("name", {"t": "阿林"}), ("age", {"t": "19"}), ("sure", {"c": "yes"}))
    assert isinstance(at, Finished)
    assert at.command == ("阿林", 19, "yes")


def test_an_answer_that_does_not_fit_is_refused_with_the_sentence_of_its_check() -> None:
    with pytest.raises(Invalid, match="请写数字"):
        run(dialogue(three), ("name", {"t": "阿林"}), ("age", {"t": "十九"}))


def test_a_key_that_comes_twice_in_a_run_is_refused() -> None:
    def twice(facts: Facts) -> Talk:
        yield Ask("a", "一？", check=anything)
        yield Ask("a", "二？", check=anything)

    with pytest.raises(TalkError, match="'a' comes twice"):
        replay(dialogue(twice), Facts(), {"a": {"t": "x"}})


def test_a_stored_answer_that_a_new_rule_refuses_is_asked_again_and_the_later_ones_are_kept() -> None:
    def stricter(facts: Facts) -> Talk:
        def full(words: str) -> str:
            if len(words) < 2:
                raise Invalid("请写全名。")
            return words

        yield Ask("name", "名字？", check=full)
        yield Ask("age", "年龄？", check=number)
        yield Ask("sure", "对吗？", choices=YES_NO)

    answers: dict[str, Answer] = {"name": {"t": "林"}, "age": {"t": "19"}}
    at = replay(dialogue(stricter), Facts(), answers)
    assert (at_question(at), at.note) == ("name", "请写全名。")  # type: ignore[union-attr]
    assert at_question(advance(dialogue(stricter), Facts(), at.answers, "name", {"t": "林小"})) == "sure"


def with_question_before(facts: Facts) -> Talk:
    yield Ask("name", "名字？", check=anything)
    yield Ask("city", "城市？", check=anything)
    yield Ask("age", "年龄？", check=number, numeric=True)
    yield Ask("sure", "对吗？", choices=YES_NO)
    return "done"


def test_a_question_inserted_by_a_deploy_is_asked_first_and_the_answer_to_the_shown_one_is_kept() -> None:
    at = advance(dialogue(with_question_before), Facts(), {"name": {"t": "阿林"}}, "age", {"t": "19"})
    assert at_question(at) == "city"
    at = advance(dialogue(with_question_before), Facts(), at.answers, "city", {"t": "广州"})
    assert at_question(at) == "sure"
    assert at.answers["age"] == {"t": "19"}


def test_words_typed_to_a_shown_choice_count_although_another_question_has_come_before_it() -> None:
    at = advance(dialogue(with_question_before), Facts(), {"name": {"t": "a"}, "age": {"t": "1"}}, "sure", {"t": "好"})
    assert at_question(at) == "city"
    at = advance(dialogue(with_question_before), Facts(), at.answers, "city", {"t": "广州"})
    assert isinstance(at, Finished)


def test_a_dropped_question_is_not_missed() -> None:
    def shorter(facts: Facts) -> Talk:
        return ((yield Ask("name", "名字？", check=anything)), (yield Ask("sure", "对吗？", choices=YES_NO)))

    at = advance(dialogue(shorter), Facts(), {"name": {"t": "阿林"}, "age": {"t": "19"}}, "sure", {"c": "no"})
    assert isinstance(at, Finished)
    assert at.command == ("阿林", "no")
    assert set(at.answers) == {"name", "sure"}


def test_a_choice_that_vanished_is_asked_again() -> None:
    with pytest.raises(Invalid):
        run(dialogue(three), ("name", {"t": "a"}), ("age", {"t": "1"}), ("sure", {"c": "perhaps"}))
    at = replay(dialogue(three), Facts(), {"name": {"t": "a"}, "age": {"t": "1"}, "sure": {"c": "perhaps"}})
    assert at_question(at) == "sure"


def branching(facts: Facts) -> Talk:
    kind = yield Ask("kind", "学生还是上班？", choices=(Choice("pupil", "学生"), Choice("worker", "上班")))
    if kind == "pupil":
        place = yield Ask("school", "学校？", check=anything)
    else:
        place = yield Ask("firm", "单位？", check=anything)
    phone = yield Ask("phone", "电话？", check=number, numeric=True)
    yield Ask(
        "confirm",
        f"{kind} {place} {phone}",
        choices=(
            Choice("ok", "提交"),
            Choice("kind", "改身份", drops=("kind",)),
            Choice("phone", "改电话", drops=("phone",)),
        ),
    )
    return (kind, place, phone)


FILLED: tuple[tuple[str, Answer], ...] = (
    ("kind", {"c": "pupil"}),
    ("school", {"t": "一中"}),
    ("phone", {"t": "138"}),
)


def test_correcting_one_answer_asks_that_one_alone_and_comes_back_to_the_summary() -> None:
    made = dialogue(branching)
    at = run(made, *FILLED, ("confirm", {"c": "phone"}))
    assert at_question(at) == "phone"
    at = advance(made, Facts(), at.answers, "phone", {"t": "139"})
    assert isinstance(at, Waiting)
    assert (at.ask.key, at.ask.text) == ("confirm", "pupil 一中 139")


def test_a_branch_that_died_by_a_correction_is_forgotten_and_does_not_come_alive_again() -> None:
    made = dialogue(branching)
    at = run(made, *FILLED, ("confirm", {"c": "kind"}), ("kind", {"c": "worker"}), ("firm", {"t": "书店"}))
    assert at_question(at) == "confirm"
    assert set(at.answers) == {"kind", "firm", "phone"}
    at = advance(made, Facts(), at.answers, "confirm", {"c": "kind"})
    at = advance(made, Facts(), at.answers, "kind", {"c": "pupil"})
    assert at_question(at) == "school", "the school of the dead branch must be asked anew"


def test_a_correction_pressed_while_a_deploy_inserted_a_question_is_still_a_correction() -> None:
    def grown(facts: Facts) -> Talk:
        yield Ask("new", "新问题？", check=anything)
        return (yield from branching(facts))

    made = dialogue(grown)
    answers: dict[str, Answer] = dict(FILLED)
    at = advance(made, Facts(), answers, "confirm", {"c": "phone"})
    assert at_question(at) == "new"
    at = advance(made, Facts(), at.answers, "new", {"t": "x"})
    assert at_question(at) == "phone", "to press 改电话 must never submit"


def test_back_forgets_the_last_answer_only_and_stands_still_at_the_first_question() -> None:
    made = dialogue(three)
    at = run(made, ("name", {"t": "a"}), ("age", {"t": "1"}))
    before = back(made, Facts(), at.answers)
    assert at_question(before) == "age"
    assert before is not None
    first = back(made, Facts(), before.answers)
    assert first is not None
    assert at_question(first) == "name"
    assert back(made, Facts(), first.answers) is None


def test_many_choices_keep_those_that_still_exist_and_a_skipped_question_gives_nothing() -> None:
    def talk(facts: Facts) -> Talk:
        skills = yield Ask(
            "skills", "会什么？", choices=(Choice("a", "教"), Choice("b", "医")), many=True, skippable=True
        )
        return (skills,)

    for answer, wanted in (({"m": ["b", "gone", "a"]}, ("a", "b")), ({"s": True}, None), ({"c": "a"}, ("a",))):
        at = run(dialogue(talk), ("skills", answer))
        assert isinstance(at, Finished)
        assert at.command == (wanted,)
    refused: tuple[Answer, ...] = ({"m": ["gone"]}, {"m": []}, {"c": "gone"})
    for bad in refused:
        with pytest.raises(Invalid):
            run(dialogue(talk), ("skills", bad))


def test_a_question_that_may_not_be_skipped_any_more_is_asked() -> None:
    assert at_question(replay(dialogue(three), Facts(), {"name": {"s": True}})) == "name"


def test_a_choice_is_known_by_its_label_value_or_word_whatever_its_case_and_width() -> None:
    choices = (Choice("zh_HK", "繁體中文（香港）", words=("廣東話",)), Choice("en", "English"))
    for typed, wanted in (("繁體中文(香港)", "zh_HK"), ("ＥＮＧＬＩＳＨ", "en"), ("廣東話", "zh_HK"), ("EN", "en")):
        found = chosen(choices, typed)
        assert found is not None
        assert found.value == wanted
    assert chosen(choices, "法文") is None


# --- random talks ---


@dataclass(frozen=True)
class Shape:
    """One random question: an answer leads to the questions below the choice, then on."""

    key: str
    kind: str
    below: tuple[tuple[Shape, ...], ...] = field(default=())


def shapes() -> st.SearchStrategy[tuple[Shape, ...]]:
    def keyed(kinds: list[Any], prefix: str) -> tuple[Shape, ...]:
        found = []
        for at, (kind, below) in enumerate(kinds):
            key = f"{prefix}{at}"
            branches = tuple(keyed(branch, f"{key}.{number}.") for number, branch in enumerate(below))
            found.append(Shape(key, kind, branches))
        return tuple(found)

    kind = st.sampled_from(["text", "number", "choice", "many", "skippable"])
    leaf: Any = st.lists(st.tuples(kind, st.just([])), max_size=3)
    branch = st.lists(st.tuples(st.just("choice"), st.lists(leaf, min_size=2, max_size=2)), max_size=2)
    return st.tuples(leaf, branch, leaf).map(lambda parts: keyed([*parts[0], *parts[1], *parts[2]], "q"))


def talk_of(shape: tuple[Shape, ...]) -> Callable[[Facts], Talk]:
    def ask(one: Shape) -> Ask:
        if one.kind == "text":
            return Ask(one.key, "？", check=anything)
        if one.kind == "number":
            return Ask(one.key, "？", check=number, numeric=True)
        return Ask(one.key, "？", choices=YES_NO, many=one.kind == "many", skippable=one.kind == "skippable")

    def walk(some: tuple[Shape, ...]) -> Talk:
        said = []
        for one in some:
            value = yield ask(one)
            said.append((one.key, value))
            if one.below:
                said += yield from walk(one.below[0 if value == "yes" else 1])
        return said

    def talk(facts: Facts) -> Talk:
        return tuple((yield from walk(shape)))

    return talk


ANSWERS = st.one_of(
    st.text(max_size=4).map(lambda words: {"t": words}),
    st.integers(0, 99).map(lambda n: {"t": str(n)}),
    st.sampled_from(["yes", "no", "gone"]).map(lambda value: {"c": value}),
    st.lists(st.sampled_from(["yes", "no", "gone"]), max_size=3).map(lambda values: {"m": values}),
    st.just({"s": True}),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(shape=shapes(), given_answers=st.lists(ANSWERS, max_size=25))
def test_replay_is_deterministic_and_never_loses_a_valid_answer(
    shape: tuple[Shape, ...], given_answers: list[Answer]
) -> None:
    made = dialogue(talk_of(shape))
    at = replay(made, Facts(), {})
    taken: dict[str, Answer] = {}
    for answer in given_answers:
        if isinstance(at, Finished):
            break
        stored = json.loads(json.dumps(at.answers))  # as it comes back from the database
        key = at.ask.key
        try:
            after = advance(made, Facts(), stored, key, answer)
        except Invalid:
            assert replay(made, Facts(), stored) == at, "a refused answer changes nothing"
            continue
        assert stored == at.answers, "the caller's answers are not touched"
        assert advance(made, Facts(), stored, key, answer) == after
        taken[key] = answer
        at = after
        assert at.answers == taken, "every accepted answer is kept as it was given"
        assert replay(made, Facts(), at.answers) == at
    if isinstance(at, Finished):
        assert [key for key, _value in at.command] == list(taken)
    elif at.visited:
        one_back = back(made, Facts(), at.answers)
        assert isinstance(one_back, Waiting)
        assert one_back.ask.key == at.visited[-1]
        assert one_back.answers == {key: value for key, value in taken.items() if key != at.visited[-1]}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(shape=shapes(), picks=st.lists(st.integers(0, 9), min_size=30, max_size=30), where=st.integers(0, 9))
def test_a_question_inserted_anywhere_loses_no_answer(shape: tuple[Shape, ...], picks: list[int], where: int) -> None:
    plain: dict[str, Answer] = {"text": {"t": "x"}, "number": {"t": "7"}, "many": {"m": ["no"]}}
    old = dialogue(talk_of(shape))
    at = replay(old, Facts(), {})
    for pick in picks[: len(picks) // 2]:
        if isinstance(at, Finished):
            return
        kind = "number" if at.ask.numeric else "text" if at.ask.check else "many" if at.ask.many else "choice"
        at = advance(old, Facts(), at.answers, at.ask.key, plain.get(kind, {"c": "yes" if pick % 2 else "no"}))
    if isinstance(at, Finished):
        return
    place = where % (len(shape) + 1)
    new = dialogue(talk_of((*shape[:place], Shape("inserted", "text"), *shape[place:])))
    grown = replay(new, Facts(), at.answers)
    assert isinstance(grown, Waiting)
    assert grown.answers == at.answers
    if grown.ask.key == "inserted":
        grown = advance(new, Facts(), grown.answers, "inserted", {"t": "new"})
    assert isinstance(grown, Waiting)
    assert grown.ask.key == at.ask.key
    assert {key: value for key, value in grown.answers.items() if key != "inserted"} == at.answers


# --- the engine in a turn: stored state, buttons, two databases ---


@pytest.fixture
def chat(database: Database) -> Chat:
    made = Chat(database, "alin")
    made.act("follow")
    return made


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[Dialogue], Dialogue]:
    """Put a dialogue into the menu under the entry `check_in`, as a deploy would; again for the next version."""

    def deploy(made: Dialogue, key: str = "check_in") -> Dialogue:
        monkeypatch.setitem(menu.DIALOGUES, made.name, made)
        monkeypatch.setitem(menu.ENTRIES, key, menu.Entry(key, menu.ENTRIES[key].label, made))
        return made

    return deploy


Register = Callable[..., Dialogue]


def begin(chat: Chat, key: str = "check_in") -> str:
    return chat.act("menu", menu=key)


def option(chat: Chat, label: str) -> str:
    return next(option.id for option in chat.said.options if option.label == label)


def state_of(chat: Chat) -> State:
    with chat.database.read() as session:
        return lock(session, chat.person().id)


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


def named(name: str) -> Dialogue:
    def talk(facts: Facts) -> Talk:
        first = yield Ask("one", f"{name} 一？", check=anything)
        return (first, (yield Ask("two", f"{name} 二？", check=anything)))

    return dialogue(talk, name)


KEYS = ("check_in", "book_visit", "visit_report", "add_hours")


def test_talks_pushed_aside_are_resumed_in_turn_and_the_fourth_pushes_the_first_out(
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


# --- questions asked outside a talk ---


def offer(facts: Facts) -> Talk:
    can = yield Ask("can", "能去吗？", choices=(Choice("yes", "能去", words=("可以",)), Choice("no", "去不了")))
    why = "" if can == "yes" else (yield Ask("why", "为什么？", check=anything))
    return (facts.known, can, why)


def ask_late(chat: Chat, **more: Any) -> tuple[Option, ...]:
    with chat.database.write() as session:
        return late.asked(
            session, chat.person().id, "offer", "can", Facts(known="小宇"), [("yes", "能去"), ("no", "去不了")], **more
        )


def test_a_late_answer_counts_for_the_question_it_was_given_to(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "offer"))
    options = ask_late(chat)
    chat.say("今天天气不错")
    clock.pass_time(timedelta(days=30))
    assert "为什么" in chat.act("choice", choice=options[1].id)
    assert chat.say("考试") == "完成 ('小宇', 'no', '考试')"


def test_a_late_answer_counts_once(chat: Chat, register: Register) -> None:
    register(dialogue(offer, "offer"))
    options = ask_late(chat)
    assert chat.act("choice", choice=options[0].id) == "完成 ('小宇', 'yes', '')"
    for again in options:
        assert "已经回答过了" in chat.act("choice", choice=again.id)


def test_a_late_answer_pushes_the_talk_under_way_aside_and_gives_it_back(chat: Chat, register: Register) -> None:
    register(dialogue(offer, "offer"))
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
    register(dialogue(offer, "offer"))
    ask_late(chat)
    assert chat.say("1") == "完成 ('小宇', 'yes', '')"
    register(dialogue(branching))
    begin(chat)
    ask_late(chat)
    assert "学校" in chat.say("1")


@pytest.mark.parametrize("typed", ["能去", "yes", "YES", "可以"])
def test_a_late_question_hears_every_word_that_its_talk_takes_for_a_choice(
    chat: Chat, register: Register, typed: str
) -> None:
    register(dialogue(offer, "offer"))
    ask_late(chat)
    assert chat.say(typed) == "完成 ('小宇', 'yes', '')"
    assert "没看懂" in chat.say("可以"), "it was answered"


def test_words_that_answer_no_late_question_are_heard_as_usual(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "offer"))
    ask_late(chat, lasts=timedelta(days=2))
    assert chat.say("好的").startswith("好的。想做什么"), "a bare 好的 accepts nothing"
    clock.pass_time(timedelta(days=2))
    assert "没看懂" in chat.say("可以")


def test_a_late_answer_of_somebody_else_or_out_of_time_is_not_taken(
    chat: Chat, register: Register, clock: StoppedClock
) -> None:
    register(dialogue(offer, "offer"))
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
    register(dialogue(offer, "offer"))
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


# --- what must not pass through Telegram ---


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


def test_states_of_later_versions_are_read(chat: Chat, register: Register) -> None:
    register(dialogue(three))
    begin(chat)
    with chat.database.write() as session:
        state = lock(session, chat.person().id)
        plain = state.as_json()
        plain["runs"][0]["from_tomorrow"] = 1
        save(session, chat.person().id, State.from_json(plain))
    assert "年龄" in chat.say("阿林")


@pytest.fixture(autouse=True)
def _source_language() -> Iterator[None]:
    with speaking("zh_CN"):
        yield
