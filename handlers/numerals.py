"""Small numbers as people write them: figures, Chinese numerals, and English words."""

from __future__ import annotations

NUMERAL = "[零〇一二两兩三四五六七八九十]{1,3}"
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
ENGLISH = {word: value for value, word in enumerate(_WORDS, start=1)} | {"a": 1, "an": 1}
_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}


def number(words: str) -> int:
    """3, 三, 二十二, 零五 or three as a number. Raises ValueError for anything else."""
    if words.isascii():
        return ENGLISH[words] if words in ENGLISH else int(words)
    tens, ten, ones = words.partition("十")
    if not ten:
        return int("".join(str(_digit(character)) for character in words))
    return (_digit(tens) if tens else 1) * 10 + (_digit(ones) if ones else 0)


def _digit(character: str) -> int:
    if character not in _DIGITS:
        raise ValueError(character)
    return _DIGITS[character]
