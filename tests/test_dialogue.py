"""The pure engine alone: what is asked next, what is kept, and what a deploy or a correction makes of it."""

from __future__ import annotations

import pytest

from handlers.dialogue import (
    Answer,
    Ask,
    Choice,
    Finished,
    Invalid,
    Talk,
    TalkError,
    Waiting,
    advance,
    back,
    chosen,
    replay,
)
from tests.talking import (
    YES_NO,
    Facts,
    anything,
    at_question,
    branching,
    dialogue,
    number,
    run,
    three,
    with_question_before,
)
from tests.talking import source_language as source_language


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
