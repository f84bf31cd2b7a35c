"""From what a person typed to the regions it may mean, in characters of both scripts, pinyin or English.

Every name of a region in the text is found where it stands; a region scores the characters of its
own name and of the regions above it, so that 江苏鼓楼 leaves two of the four 鼓楼区. Nothing is matched by pattern, and
only the first characters are looked at, so the time has a bound whatever is sent.
"""

from __future__ import annotations

import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

from opencc import OpenCC

from config import region_latin
from config.region_tree import Region, every, get, path

LOOKED_AT = 300  # characters; a place is named long before that
_SPANS = 8  # mentions of one region that are weighed
_FULL, _SHORT, _FORMER = 3, 2, 1

_SUFFIXES = (
    *("特别行政区", "自治区", "自治州", "自治县", "自治旗", "地区", "林区", "矿区", "特区", "新区"),
    *("省", "市", "县", "区", "旗", "盟"),
)
_SPOKEN = {"自治州": "州", "自治县": "县", "自治旗": "旗"}

_BEHIND = 10_000  # more than any text has characters

Span = tuple[int, int]
Index = dict[str, dict[str, int]]
Mentions = dict[str, dict[Span, int]]


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    tables: dict[str, dict[str, list[str]]] = tomllib.loads(
        files(__package__).joinpath("region_aliases.toml").read_text("utf-8")
    )
    return tables


@cache
def english_names() -> dict[str, str]:
    """Full Chinese name → the region's own name in English, of those that do not go by the pinyin of their name."""
    tables: dict[str, dict[str, str]] = tomllib.loads(
        files(__package__).joinpath("region_english.toml").read_text("utf-8")
    )
    return {full: name for table in tables.values() for full, name in table.items()}


def spoken_names(name: str) -> set[str]:
    """The shorter forms people use: 恩施土家族苗族自治州 → 恩施, 恩施州. Never a single character (赵县).

    Every fitting suffix is tried: 浦东新区 is 浦东, but 清新区 is 清新.
    """
    forms: set[str] = set()
    for suffix in filter(name.endswith, _SUFFIXES):
        stem = name.removesuffix(suffix)
        if suffix.startswith("自治"):
            stem = _without_peoples(stem)
            forms.add(stem + _SPOKEN.get(suffix, ""))
        forms.add(stem)
    return {form for form in forms if len(form) > 1} - {name}


def short_name(region: Region) -> str:
    """The shortest form that people use: 广西壮族自治区 is 广西, 北京市 is 北京."""
    return min(spoken_names(region.name), key=len, default=region.name)


def _without_peoples(stem: str) -> str:
    endings = _tables()["peoples"]["endings"]
    while True:
        ending = next((e for e in endings if stem.endswith(e) and len(stem) - len(e) > 1), None)
        if ending is None:
            return stem.removesuffix("族")  # 东乡族自治县 is named after its people alone
        stem = stem.removesuffix(ending)


@cache
def _index() -> tuple[Index, int]:
    """Every form of every name → code → how good a name it is; and the length of the longest form."""
    index: Index = {}

    def add(form: str, code: str, weight: int) -> None:
        codes = index.setdefault(form, {})
        codes[code] = max(weight, codes.get(code, 0))

    full_names = {region.full_name: region.code for region in every()}
    for region in every():
        add(region.name, region.code, _FULL)
        for form in spoken_names(region.name):
            add(form, region.code, _SHORT)
    for table, weight in (("short", _SHORT), ("former", _FORMER), ("codes", _FORMER)):
        for name, targets in _tables()[table].items():
            for target in targets:
                for form in {name} | (spoken_names(name) if table == "former" else set()):
                    add(form, full_names[target], weight)
    return index, max(map(len, index))


@cache
def _latin_index() -> tuple[Index, int]:
    """The same in pinyin, with the English names; made at the first message that has Latin letters in it."""
    full_names = {region.full_name: region.code for region in every()}
    english = [
        (name, full_names[target], _FULL) for name, targets in _tables()["english"].items() for target in targets
    ]
    english += [(name, full_names[target], _FULL) for target, name in english_names().items()]
    return region_latin.index_of({form: codes for form, codes in _index()[0].items() if not form.isascii()}, english)


def chinese_names() -> set[str]:
    """Every form of every name that is written in characters."""
    return {form for form in _index()[0] if not form.isascii()}


@cache
def _simplifier() -> OpenCC:
    # The Hong Kong table also knows the forms of Taiwan; two old characters of place names are in none.
    return OpenCC("hk2s")


_OLD_FORMS = str.maketrans("濬澂", "浚澄")


def search(text: str, limit: int = 9) -> tuple[Region, ...]:
    """The regions that a person's words may mean, best first, at most `limit`; empty when nothing fits.

    Understands names with or without suffix, in any order and among other words, in traditional characters, in pinyin
    and English, names of merged counties, and codes in digits. A province or a city is returned when nothing below
    it is named.
    """
    # NFKC can make one character into eighteen, so the bound is drawn twice.
    looked_at = unicodedata.normalize("NFKC", text[:LOOKED_AT])[:LOOKED_AT]
    plain = "".join(filter(str.isalnum, looked_at))
    if plain.isascii() and plain.isdigit():
        found = _by_code(plain)
    else:
        # As typed first: a few simplified names (乾县) would be changed too.
        scripts = (plain, _simplifier().convert(plain).translate(_OLD_FORMS))
        latin = _latin_mentions(looked_at)
        found = max((_weigh(_together(_mentions(words), latin)) for words in scripts), key=lambda weighed: weighed[0])[
            1
        ]
    return found[: max(limit, 0)]


def _by_code(digits: str) -> tuple[Region, ...]:
    region = get(digits)
    codes = _index()[0].get(digits, {})
    return (region,) if region else tuple(row for row in map(get, codes) if row)


def _weigh(mentions: Mentions) -> tuple[int, tuple[Region, ...]]:
    """The best score that regions reach by being mentioned so, and those that reach it."""
    ranked: list[tuple[int, int, int, int, Region]] = []
    for order, (code, spans) in enumerate(mentions.items()):
        steps = path(code)
        above = [mentions[step.code] for step in reversed(steps[:-1]) if step.code in mentions]
        score, weight = max((_score(span, above), spans[span]) for span in spans)
        ranked.append((-score, -weight, steps[-1].level, order, steps[-1]))
    ranked.sort(key=lambda row: row[:4])
    best = ranked[0][0] if ranked else 0
    return -best, tuple(row[4] for row in ranked if row[0] == best)


def _latin_mentions(text: str) -> Mentions:
    if not region_latin.folded(text):
        return {}
    return region_latin.mentions(text, *_latin_index(), most=_SPANS)


def _together(mentions: Mentions, latin: Mentions) -> Mentions:
    """Both in one; what is in Latin letters counts as written behind the rest, so that no span meets another."""
    for code, spans in latin.items():
        moved = {(start + _BEHIND, end + _BEHIND): weight for (start, end), weight in spans.items()}
        mentions[code] = mentions.get(code, {}) | moved
    return mentions


def _mentions(text: str) -> Mentions:
    """Code → where the region is named → how good a name that is, in the order of the text, longer names first."""
    index, longest = _index()
    mentions: Mentions = {}
    for start in range(len(text)):
        for end in range(min(len(text), start + longest), start + 1, -1):
            for code, weight in index.get(text[start:end], {}).items():
                spans = mentions.setdefault(code, {})
                if len(spans) < _SPANS:
                    spans[start, end] = weight
    return mentions


def _score(own: Span, above: list[dict[Span, int]]) -> int:
    """Characters that speak for a region: its own name, and each region above it named elsewhere in the text."""
    taken = [own]
    for spans in above:
        free = [span for span in spans if all(span[1] <= used[0] or used[1] <= span[0] for used in taken)]
        if free:
            taken.append(max(free, key=lambda span: span[1] - span[0]))
    return sum(end - start for start, end in taken)
