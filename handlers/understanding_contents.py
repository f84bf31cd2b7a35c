"""What was done, by the words that people use for it (understanding.toml). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.understanding_text import Sentence, compiled, words


@dataclass(frozen=True, slots=True)
class Did:
    at: int
    end: int
    content: str


_PATTERN = compiled("|".join(f"(?P<{content}>{'|'.join(told)})" for content, told in words()["contents"].items()))
# What only says with whom, or where, beside something clearer that was done there.
_WEAK = ("visit", "psychology")


def contents(said: Sentence) -> list[Did]:
    """What was done, in order, without repetitions."""
    found: list[Did] = []
    for match in _PATTERN.finditer(said.rest):
        content = match.lastgroup or ""
        if content not in [did.content for did in found]:
            found.append(Did(match.start(), match.end(), content))
    return found


def is_content(plain: str) -> bool:
    """Whether these words, in lower case and simplified characters, say what was done and nothing else."""
    return _PATTERN.fullmatch(plain) is not None


def main(found: list[Did]) -> str:
    """The one that it is written down as: the first that is clearer than a visit or a chat; "none" without any."""
    clear = [did.content for did in found if did.content not in _WEAK]
    return (clear or [did.content for did in found] or ["none"])[0]


# Keys of services.toml that these words mean.
SERVICE = {
    "care": "care",
    "employment": "employment",
    "teaching": "study",
    "culture": "culture",
    "donation": "giving",
    "rehab": "rehabilitation",
    "psychology": "counselling",
    "outing": "inclusion",
    "visit": "care",
    "none": "",
}
