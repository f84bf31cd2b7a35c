"""The regions of China as a tree of at most three levels, after GB/T 2260; where they come from: data-sources.md.

A code has 2 digits for a province, 4 for a city, 6 for a county. What has no level between (the districts of a
municipality, 仙桃市, 石河子市, the districts of Hong Kong) stands directly under its province, and a city without
counties (东莞市) is itself a county-level leaf with six digits, so that a person's county is always six digits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

Level = Literal[1, 2, 3]
_LEVELS: dict[int, Level] = {2: 1, 4: 2, 6: 3}


@dataclass(frozen=True, slots=True)
class Region:
    """One region. `level` is 1 for a province, 2 for a city, 3 for a county; `parent` is "" for a province."""

    code: str
    name: str
    level: Level
    parent: str
    full_name: str


@cache
def _tree() -> tuple[MappingProxyType[str, Region], MappingProxyType[str, tuple[Region, ...]]]:
    names: dict[str, str] = json.loads(files(__package__).joinpath("regions.json").read_text("utf-8"))
    regions: dict[str, Region] = {}
    below: dict[str, list[Region]] = {}
    # The file is in the order of the codes, so a parent always comes before what lies in it.
    for code, name in names.items():
        parent = next((code[:length] for length in (4, 2) if length < len(code) and code[:length] in regions), "")
        full_name = (regions[parent].full_name if parent else "") + name
        region = Region(code, name, _LEVELS[len(code)], parent, full_name)
        regions[code] = region
        below.setdefault(parent, []).append(region)
    return MappingProxyType(regions), MappingProxyType({code: tuple(rows) for code, rows in below.items()})


def every() -> tuple[Region, ...]:
    """All regions of all levels, in the order of their codes."""
    return tuple(_tree()[0].values())


def get(code: str) -> Region | None:
    """The region of a code; None when there is no such region today.

    The six-digit spelling of the standard is understood (440000 and 440100 are 44 and 4401), and so are the four
    digits of a city that is its own county (4419 is 441900). Headings such as 市辖区 (1101) are no regions.
    """
    regions = _tree()[0]
    if code in regions:
        return regions[code]
    if len(code) == 4:
        return regions.get(code + "00")
    if len(code) == 6 and code.endswith("00"):
        return regions.get(code.removesuffix("0000") if code.endswith("0000") else code.removesuffix("00"))
    return None


def children(code: str = "") -> tuple[Region, ...]:
    """What lies directly below, in the order of the codes; the provinces for "". Empty for a leaf or no region."""
    if not code:
        return _tree()[1][""]
    region = get(code)
    return _tree()[1].get(region.code, ()) if region else ()


def path(code: str) -> tuple[Region, ...]:
    """The region and all above it, province first; empty for a code that is none."""
    region = get(code)
    steps: list[Region] = []
    while region is not None:
        steps.append(region)
        region = get(region.parent)
    return tuple(reversed(steps))


def leaf(code: str) -> bool:
    """True for a region that a person can live in by our reckoning: nothing is below it."""
    region = get(code)
    return region is not None and region.code not in _tree()[1]


def within(code: str, scope: str) -> bool:
    """True when `code` is `scope` or lies in it; False when either is no region, the empty scope included.

    Decides what an organiser may see, so it follows the tree and not the digits: a scope that only looks like the
    beginning of a code, such as 4290 or 5001, holds nobody.
    """
    region = get(scope)
    return region is not None and region in path(code)
