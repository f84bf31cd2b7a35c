"""Words that call for help, and the numbers that are said to them at once. Neither needs the database.

Several talks say these numbers, and the turn and the receiver look for these words: so they stand beside the dialogues.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

from config import regions
from config.catalogue import rules
from config.texts import SOURCE, _, current, simplified

_OWN_NUMBERS = ("81", "82")  # Hong Kong and Macao
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def is_danger(words: str) -> bool:
    """Whether a message holds a danger word, however it is written: full-width, traditional, spaced out, in capitals.

    Suspicion suffices; only what plainly means something else (救命恩人) is taken out before. Some words call only
    when nothing stands beside them (“help me!”).
    """
    safety = rules().safety
    return _is_danger(words, safety.danger_messages, safety.harmless_phrases, safety.danger_words)


@lru_cache(maxsize=64)  # the receiver and the turn ask the same of the same words
def _is_danger(words: str, messages: tuple[str, ...], phrases: tuple[str, ...], calls: tuple[str, ...]) -> bool:
    spoken = _plain(words)
    if _bare(spoken) in _alone(messages):
        return True
    tight = "".join(spoken.split())
    harmless, dangers = _lists(phrases, calls)
    for phrase in harmless:
        spoken, tight = spoken.replace(phrase, "。"), tight.replace(phrase, "。")
    return any(word in (spoken if word.isascii() else tight) for word in dangers)


def _plain(words: str) -> str:
    folded = unicodedata.normalize("NFKC", words).casefold()
    visible = "".join(c for c in folded if c.isspace() or unicodedata.category(c) not in UNSEEN)
    return " ".join(simplified(visible).split())


def _bare(plain: str) -> str:
    """Letters and figures alone: “Help me!!” and “help, me” are the same."""
    return "".join(c for c in plain if c.isalnum())


@cache
def _alone(messages: tuple[str, ...]) -> frozenset[str]:
    """The messages that call for help as a whole, as messages are compared."""
    return frozenset(_bare(_plain(message)) for message in messages)


@cache
def _lists(phrases: tuple[str, ...], words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The harmless phrases, the longest first, and the danger words, as messages are compared."""
    harmless = sorted({_plain(phrase) for phrase in phrases}, key=len, reverse=True)
    return tuple(harmless), tuple(sorted({_plain(word) for word in words}))


def emergency_text(county: str = "") -> str:
    """The numbers to call for somebody who lives in this county (a code; empty = nobody knows where).

    110 reaches nobody in Hong Kong and Macao: there their own number comes first. Everybody else reads the mainland's
    first, and in a language that is mostly read outside of it theirs as a last line.
    """
    safety = rules().safety
    numbers = _(
        "如有危险请先拨打{police}／{medical}，不便说话可发短信{sms}。\n"
        "未满 18 岁，或者为一个孩子担心，还可以拨打青少年热线{youth}。"
    ).format(
        police=safety.emergency_police,
        medical=safety.emergency_medical,
        sms=safety.emergency_sms,
        youth=safety.youth_hotline,
    )
    overseas = _("在香港或澳门，请拨{overseas}。").format(overseas=safety.emergency_overseas)
    if county and any(regions.within(county, there) for there in _OWN_NUMBERS):
        return f"{overseas}\n{numbers}"
    return numbers if current() == SOURCE else f"{numbers}\n{overseas}"
