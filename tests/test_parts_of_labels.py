"""A choice by a part of its label: taken where exactly one fits, asked again where several do."""

from __future__ import annotations

import pytest

from handlers.dialogue import AGREE, Ask, Choice, Invalid, part_of
from handlers.served_facts import steps
from handlers.typed import shown, typed
from models.conversation import Run, State

WAYS = (Choice("paper", "书面"), Choice("spoken", "当面说的"), Choice("phone", "电话里说的"))
PART = (Choice("whole", "整本台账"), Choice("part", "只是一部分"))
RHYTHM = (Choice("visit", "每次探访换一位"), Choice("month", "每月换一位"))
DECIDE = (Choice("yes", "接受"), Choice("no", "不同意"))


@pytest.mark.parametrize(
    ("choices", "words", "meant"),
    [
        (WAYS, "当面", "spoken"),
        (WAYS, "电话里", "phone"),
        (PART, "部分", "part"),
        (RHYTHM, "每次", "visit"),
        ((Choice("a", "Arrange the first meeting"), Choice("b", "Write it")), "First", "a"),
    ],
)
def test_a_part_that_one_label_has_is_that_choice(choices: tuple[Choice, ...], words: str, meant: str) -> None:
    assert typed(Run("x", {}), Ask("q", "?", choices), words) == {"c": meant}


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (WAYS, "说的"),  # two
        (RHYTHM, "换一位"),  # two
        (RHYTHM, "每"),  # too little
        (DECIDE, "同意"),  # the label denies it
        (WAYS, "当面和电话"),
        ((Choice("a", "Not ready yet"), Choice("b", "Go")), "ready"),
        ((Choice("a", "Arrange it"), Choice("b", "Go")), "range"),  # the middle of a word
        ((Choice("a", "我已阅读并同意", words=AGREE), Choice("b", "不行")), "阅读"),  # a notice is agreed to in full
    ],
)
def test_what_fits_several_or_says_the_opposite_is_asked_again(choices: tuple[Choice, ...], words: str) -> None:
    assert part_of(choices, words) is None
    with pytest.raises(Invalid):
        typed(Run("x", {}), Ask("q", "?", choices), words)


def test_a_question_that_takes_words_of_its_own_keeps_them() -> None:
    asked = Ask("q", "?", WAYS, check=str)
    assert typed(Run("x", {}), asked, "当面") == {"t": "当面"}


def test_the_name_of_an_entry_is_no_part() -> None:
    with pytest.raises(Invalid):
        typed(Run("x", {}), Ask("q", "?", (Choice("a", "看团队的成员"), Choice("b", "先不"))), "团队")


def test_a_place_of_the_list_is_its_number() -> None:
    state = State()
    state.shown = [("a", "甲"), ("b", "乙")]
    assert (shown(state, "第一个"), shown(state, "第2位"), shown(state, "第三个")) == ("a", "b", None)


def test_the_first_meeting_is_arranged_in_short() -> None:
    assert typed(Run("x", {}), Ask("step", "?", steps("agreeing")), "约见面") == {"c": "meet"}
