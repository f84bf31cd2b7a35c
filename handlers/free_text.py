"""Free text that one person writes for another to read."""

from __future__ import annotations

import re
from collections.abc import Callable

from config.texts import _
from handlers.dialogue import Invalid

_FULL_WIDTH = str.maketrans(",?!:;()", "，？！：；（）")
_AFTER_HAN = re.compile(r"(?<=[\u3400-\u9fff，。？！：；（）])[,?!:;()]|\((?=[\u3400-\u9fff])")


def free_words(limit: int) -> Callable[[str], str]:
    """A check for free text of at most `limit` characters. Words reach checks with full-width forms folded
    (handlers/turn.py); punctuation between Chinese characters is given its own width back, since a person reads it."""

    def check(words: str) -> str:
        text = words.strip()
        if not text:
            raise Invalid(_("这条消息里没有文字，请写一两句。"))
        if len(text) > limit:
            raise Invalid(
                _("写了 {count} 字，有点长，请缩短到 {limit} 字以内，或者分几次写。").format(
                    count=len(text), limit=limit
                )
            )
        return _AFTER_HAN.sub(lambda mark: mark[0].translate(_FULL_WIDTH), text)

    return check
