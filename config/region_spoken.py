"""What a region is called in the language spoken now: the one place that names regions to people.

Chinese names stand in the data in simplified characters; Hong Kong reads them in traditional ones. English reads the
pinyin of the short name (“Tianhe”), or the name that the place has in English (region_english.toml).
"""

from __future__ import annotations

from functools import cache

from config import region_latin
from config.region_names import english_names, short_name
from config.region_tree import Region, children, get, path
from config.texts import current, in_script

ENGLISH = "en"
# Said behind a name that would otherwise be a single syllable, or the same as another one beside it or above it.
_KINDS = {"县": "County", "区": "District", "市": "City", "旗": "Banner", "州": "Prefecture", "盟": "League"}


def place_name(code: str) -> str:
    """A region with all above it: 广东省广州市天河区, in English “Tianhe, Guangzhou, Guangdong (广东省广州市天河区)”.

    The Chinese is what others there know it by. A code of former times stands for itself.
    """
    return _full(code, current())


def place_words(code: str) -> str:
    """The same without the Chinese in English: for sentences and lists that are read aloud."""
    return _full(code, current(), both=False)


def own_name(region: Region) -> str:
    """A region by its own name, for a list of what lies in one region: a province as people call it (广西), since 34 of
    them stand in one list."""
    if current() == ENGLISH:
        return _latin(region.code)
    return in_script(short_name(region) if region.level == 1 else region.name)


@cache
def _full(code: str, language: str, *, both: bool = True) -> str:
    # `language` is the one spoken now; it is a parameter for the sake of the cache.
    region = get(code)
    if region is None:
        return code
    if language != ENGLISH:
        return in_script(region.full_name)
    latin = ", ".join(_latin(step.code) for step in reversed(path(code)))
    return f"{latin} ({region.full_name})" if both else latin


@cache
def _latin(code: str) -> str:
    """The own name in Latin letters, unlike any other in the same list and unlike the region above."""
    region = get(code)
    if region is None:
        raise LookupError(f"no region {code}")
    name, above, kind = _plain(region), get(region.parent), _KINDS.get(region.name[-1], "")
    alike = [each for each in children(region.parent) if each.code != code and _plain(each) == name]
    if not alike and (above is None or name != _plain(above)):
        return name
    said = f"{name} {kind}".strip()
    return f"{said} ({region.name})" if any(each.name[-1] == region.name[-1] for each in alike) else said


def _plain(region: Region) -> str:
    named = english_names().get(region.full_name)
    if named is not None:
        return named
    short = short_name(region)
    # A single syllable is no name by itself: 赵县 is “Zhao County”.
    one = len(short) == 2 and short == region.name and short[-1] in _KINDS
    return f"{region_latin.written(short[0])} {_KINDS[short[-1]]}" if one else region_latin.written(short)
