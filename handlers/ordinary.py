"""Words that everybody writes and that tell nothing about a danger: they do not join the record of a cry for help."""

from __future__ import annotations

import re

from handlers import menu

# Not 再见, 晚安, 不要 or 没有: after a cry for help they may say a great deal.
_YES_OR_NO = frozenset(
    (
        *(
            "是",
            "是的",
            "对",
            "对的",
            "不",
            "不是",
            "不用",
            "否",
            "确定",
            "确认",
            "不确定",
            "同意",
            "不同意",
            "可以",
            "行",
        ),
        *("對", "對的", "確定", "確認", "不確定", "係", "唔係", "唔使", "得"),
        *("yes", "no", "y", "n", "yeah", "yep", "nope", "sure", "agree", "i agree"),
    )
)
_SMALL_TALK = re.compile(
    r"^((你|您)好(呀|啊|吗|嗎)|在不在(呀|啊)?|吃了(吗|嗎|没|沒)|你是(谁|誰)|哈{2,}|呵{2,}|嘿+"
    r"|测试|測試|test|who are you|how are you)[。.!！?？~～,，]*$",
    re.IGNORECASE,
)


def is_ordinary(words: str) -> bool:
    """Whether a whole message is the name of a menu entry, a word that works everywhere, yes or no, thanks, a greeting,
    or a number of one or two digits (of a list that is no longer there)."""
    plain = words.strip("。.!！?？~～ ").casefold()
    return (
        (len(words) <= 2 and words.isdecimal())
        or plain in _YES_OR_NO
        or menu.acknowledged(words)
        or menu.greets(words)
        or menu.global_word(words) is not None
        or menu.is_named(plain)
        or bool(_SMALL_TALK.match(words))
    )
