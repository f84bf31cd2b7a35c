"""A sentence as the parsers of what is told look at it: folded for comparing, every character in its place.

Each parser takes out what it understood, so that the next one does not read it a second time (两点半 is no 半小时).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from config.texts import simplified

TAKEN = "\x00"  # what stands where something was understood and taken out
GAP = rf"[\s{TAKEN},，。.、;；()\[\]]*"


_EDGE = r"(?:(?<![a-z])(?=[a-z])|(?<=[a-z])(?![a-z]))"


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern over `plain` in which \\b is the edge of an English word, also beside a Chinese one (做rehab)."""
    return re.compile(pattern.replace(r"\b", _EDGE))


class Sentence:
    """`written` are the words in their compatible form (full-width folded), `plain` the same in lower case and
    simplified characters, of the same length. `rest` is what nobody has understood yet."""

    def __init__(self, text: str) -> None:
        self.written = unicodedata.normalize("NFKC", text)
        self.plain = "".join(map(_plain, self.written))
        self.rest = self.plain

    def take(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Every match in what is left, which is taken out of it."""
        for found in list(pattern.finditer(self.rest)):
            if found.end() > found.start():
                self.drop(found.start(), found.end())
                yield found

    def drop(self, start: int, end: int) -> None:
        """Take out what stands from `start` to before `end`."""
        self.rest = self.rest[:start] + TAKEN * (end - start) + self.rest[end:]

    def only_gap(self, start: int, end: int) -> bool:
        """Whether nothing but punctuation and what was understood stands between."""
        return re.fullmatch(GAP, self.rest[start:end]) is not None


@lru_cache(maxsize=8192)
def _plain(character: str) -> str:
    folded = simplified(character.casefold())
    return folded if len(folded) == 1 else character


@cache
def words() -> dict[str, dict[str, Any]]:
    """understanding.toml: the words of told services."""
    return tomllib.loads((Path(__file__).parent / "understanding.toml").read_text(encoding="utf-8"))


def counted(said: str) -> float | None:
    """A number of hours or minutes in figures, Chinese numerals or English said; None where it is vague (两三, 几)."""
    if said in _WORDS:
        return _WORDS[said]
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    parts = re.split(r"[\s-]+", said)
    if len(parts) == 2 and parts[0] in _WORDS and parts[1] in _WORDS:  # forty five
        return _WORDS[parts[0]] + _WORDS[parts[1]]
    whole, point, fraction = said.partition("点")
    if point and whole in _DIGITS and fraction in _DIGITS:
        return _DIGITS[whole] + _DIGITS[fraction] / 10
    return _numeral(said)


def _numeral(words: str) -> float | None:
    hundreds, hundred, small = words.partition("百")
    if hundred:
        rest = _numeral(small.removeprefix("零")) if small else 0
        return _DIGITS[hundreds] * 100 + rest if hundreds in _DIGITS and rest is not None else None
    tens, ten, ones = words.partition("十")
    if not ten:
        return _DIGITS.get(words)
    if (tens and tens not in _DIGITS) or (ones and ones not in _DIGITS):
        return None
    return _DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0)


_DIGITS = {character: float(value) for value, character in enumerate("零一二三四五六七八九")} | {
    "〇": 0.0,
    "两": 2.0,
    "俩": 2.0,
    "仨": 3.0,
}
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TENS = {"fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "ninety": 90.0}
_WORDS = {word: float(value) for value, word in enumerate(_ONES, start=1)} | _TENS | {"a": 1.0, "an": 1.0}
CHINESE = "[零〇一二两俩仨三四五六七八九十百]"
ENGLISH = "|".join(sorted(_WORDS, key=len, reverse=True))
