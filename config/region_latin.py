"""Places written in Latin letters: pinyin with or without spaces, and the English names of those that have one.

Read at the first such message only. A name counts where whole words are made of names: “guangzhoutianhe” is two, but
there is no 延安 in “Tian’anmen”.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import product

Span = tuple[int, int]
Index = dict[str, dict[str, int]]

# What is said behind a name in English, as the Chinese name ends. It begins no name: “county” alone is not 西安.
_ENDINGS = {
    "district": "qu",
    "city": "shi",
    "municipality": "shi",
    "county": "xian",
    "province": "sheng",
    "banner": "qi",
    "league": "meng",
    "prefecture": "zhou",
}
_WORD = re.compile("[a-z]+")
_MOST_LETTERS = 600  # of one text; unfolding can make several of one character
_INSIDE_WORDS = dict.fromkeys(map(ord, "'’‘`´ʼ"))


@cache
def _spoken() -> dict[str, str]:
    table: dict[str, str] = json.loads(files(__package__).joinpath("region_readings.json").read_text("utf-8"))
    return table


@cache
def _readings() -> dict[str, tuple[str, ...]]:
    return {character: tuple(dict.fromkeys(map(_plain_u, each.split()))) for character, each in _spoken().items()}


def spellings(name: str) -> list[str]:
    """How a Chinese name is written in pinyin, in one word: 重庆 → chongqing, zhongqing. Empty where a character is
    unknown."""
    return ["".join(syllables) for syllables in product(*(_readings().get(character, ()) for character in name))]


def written(name: str) -> str:
    """A Chinese name in pinyin as maps write it, each character in its most usual reading in places: Xi'an, Lüliang."""
    syllables = [_spoken().get(character, character).split()[0].replace("v", "ü") for character in name]
    parted = (f"'{each}" if at and each[0] in "aoe" else each for at, each in enumerate(syllables))
    return "".join(parted).capitalize()


def folded(text: str) -> list[tuple[str, bool]]:
    """The words in Latin letters, small and without accents and apostrophes; True for what only ends a name."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    words = _WORD.findall(bare.translate(_INSIDE_WORDS))
    return [(_ENDINGS.get(word) or _plain_u(word), word in _ENDINGS) for word in words]


def _plain_u(letters: str) -> str:
    """ü as people write it without one: lü, lv and lyu are lu (吕梁), as in all our spellings."""
    return letters.replace("lyu", "lu").replace("lv", "lu").replace("nv", "nu")


def index_of(chinese: Index, english: Iterable[tuple[str, str, int]]) -> tuple[Index, int]:
    """Spelling → code → how good a name it is, from the index of Chinese forms and (name, code, weight) in English; and
    the length of the longest spelling."""
    found: Index = {}

    def add(spelling: str, code: str, weight: int) -> None:
        codes_of = found.setdefault(spelling, {})
        codes_of[code] = max(weight, codes_of.get(code, 0))

    for form, codes in chinese.items():
        for spelling in spellings(form):
            for code, weight in codes.items():
                add(spelling, code, weight)
    for name, code, weight in english:
        add("".join(word for word, _ends in folded(name)), code, weight)
    return found, max(map(len, found))


def mentions(text: str, index: Index, longest: int, most: int) -> dict[str, dict[Span, int]]:
    """Code → where it is named (at most `most` places, counted in letters of the folded text) → how good a name."""
    words = folded(text)
    letters = "".join(word for word, _ends in words)[:_MOST_LETTERS]
    begins, ends, at = {0: True}, {0}, 0
    for word, only_ends in words:
        begins[at] = not only_ends
        at += len(word)
        ends.add(at)
    spans = _in_whole_words(letters, {start for start, good in begins.items() if good}, ends, index, longest)
    named: dict[str, dict[Span, int]] = {}
    for span in spans:
        for code, weight in index[letters[span[0] : span[1]]].items():
            places = named.setdefault(code, {})
            if len(places) < most:
                places[span] = weight
    return named


def _in_whole_words(letters: str, begins: set[int], ends: set[int], index: Index, longest: int) -> list[Span]:
    """The names that make up whole words, alone or one after the other; longer ones first where they begin together."""
    reached, forward = set(begins), []
    for start in range(len(letters)):
        if start not in reached:
            continue
        for end in range(min(len(letters), start + longest), start + 1, -1):
            if letters[start:end] in index:
                reached.add(end)
                forward.append((start, end))
    leading = set(ends)
    for start, end in reversed(forward):
        if end in leading:
            leading.add(start)
    return [span for span in forward if span[1] in leading]
