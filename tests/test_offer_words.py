"""What a typed sentence answers an invitation with: a yes only where nothing else can be meant."""

from __future__ import annotations

import pytest

from handlers.dialogue import Invalid
from handlers.offer import _sentence, meant

YES = (
    "接受",
    "我接受",
    "愿意",
    "我愿意",
    "我很愿意",
    "我愿意去",
    "我来",
    "我来吧！",
    "可以，我接",
    "好的，我愿意",
    "算我一个",
    "Yes, I will",
)
NO = (
    "不方便",
    "最近考试没空啊",
    "我来不了",
    "接受不了",
    "我接受不了",
    "我来不及",
    "唔得閒呀",
    "去不了",
    "我不愿意",
    "no thanks",
)
LATER = ("晚点问我", "下个礼拜再问我吧", "过几天再说", "我考虑考虑", "可以，我想想", "ask me later")
NEITHER = (
    "收到",
    "好的",
    "ok",
    "我愿意吗",
    "愿意不了一点",
    "我来看看再说",
    "可以，我去问问",
    "我愿意但是要先问爸妈",
    "怎么去？",
    "能不能去不了就换人吗",
)


@pytest.mark.parametrize("words", YES)
def test_a_plain_yes_is_taken_in_the_talk_and_shown_once_more_outside(words: str) -> None:
    assert _sentence(words) == "accepted"
    assert meant(words, 1) == {}


@pytest.mark.parametrize("words", NO)
def test_a_no_is_no_yes(words: str) -> None:
    assert _sentence(words).partition(":")[0] == "declined"
    assert meant(words, 1) == {"answer": {"t": words}}
    assert meant(words, 2) == {}, "of several nobody knows which one is meant"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("没时间", "busy"),
        ("家里有事", "busy"),
        ("家里有点事，去不了", "busy"),
        ("太远了，去不了", "far"),
        ("怕做不好，不接了", "unsure"),
        ("我已经有结对了，不方便", "full"),
        ("不方便", ""),
    ],
)
def test_the_reason_in_the_sentence_is_taken(words: str, why: str) -> None:
    assert _sentence(words) == f"declined:{why}"


@pytest.mark.parametrize("words", LATER)
def test_later_is_later(words: str) -> None:
    assert _sentence(words) == "later"
    assert meant(words, 1) == {"answer": {"t": words}}


@pytest.mark.parametrize("words", NEITHER)
def test_what_may_mean_anything_is_asked_again(words: str) -> None:
    with pytest.raises(Invalid):
        _sentence(words)
    assert meant(words, 1) is None
