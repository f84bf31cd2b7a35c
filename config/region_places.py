"""From a shared location to the counties it may lie in, by outlines vendored in region_bounds.gz.

The outlines are CGCS2000, which is WGS-84 to within a decimetre, on a grid of 1e-4 degrees (11 m); the lines between
neighbours are themselves true to some hundred metres only, therefore several candidates.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import cos, hypot, inf, isfinite, radians

from config.region_tree import Region, get

LIMIT = 5
NEARBY_METRES = 10_000.0
_GRID = 10_000  # grid steps per degree
_STEP_METRES = 111_195.0 / _GRID

# Counties founded after the outlines were drawn are offered behind those they were taken from; data-sources.md.
_TAKEN_FROM = {
    "653126": ("653132",),  # 叶城县 → 岑岭县
    "653221": ("653229",),  # 和田县 → 和安县
    "653223": ("653228",),  # 皮山县 → 和康县
    "659003": ("659013",),  # 图木舒克市 → 草湖市
    "653122": ("659013",),  # 疏勒县, where its land lies
}

Ring = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Outline:
    """Where a county's rings are in the unpacked file, and the box around it in grid steps."""

    code: str
    west: int
    south: int
    east: int
    north: int
    start: int
    end: int


@cache
def _outlines() -> tuple[tuple[_Outline, ...], bytes]:
    packed = gzip.decompress(files(__package__).joinpath("region_bounds.gz").read_bytes())
    header, _, body = packed.partition(b"\n")
    outlines: list[_Outline] = []
    start = 0
    for code, west, south, east, north, length in json.loads(header):
        outlines.append(_Outline(code, west, south, east, north, start, start + length))
        start += length
    return tuple(outlines), body


@lru_cache(maxsize=128)
def _rings(start: int, end: int) -> tuple[Ring, ...]:
    return unpack(_outlines()[1][start:end])


def unpack(packed: bytes) -> tuple[Ring, ...]:
    """One outline: zigzag varints, the number of rings, then per ring its length and its steps from point to point."""
    numbers: list[int] = []
    value = shift = 0
    for byte in packed:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value >> 1 if value & 1 == 0 else -(value + 1 >> 1))
            value = shift = 0
    feed = iter(numbers)
    rings: list[Ring] = []
    for _ in range(next(feed)):
        x = y = 0
        ring: list[tuple[int, int]] = []
        for _ in range(next(feed)):
            x, y = x + next(feed), y + next(feed)
            ring.append((x, y))
        rings.append(tuple(ring))
    return tuple(rings)


def near(latitude: float, longitude: float) -> tuple[Region, ...]:
    """Up to five counties for a place (degrees, WGS-84), best first; empty at sea, abroad and for nonsense.

    First the county whose outline holds the place, then those within ten kilometres by the distance of their border.
    Where no county can be told (Macao, 大柴旦) the region above stands for those below it.
    """
    if not (isfinite(latitude) and isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180):
        return ()
    x, y = longitude * _GRID, latitude * _GRID
    squeeze = max(cos(radians(latitude)), 0.1)  # how much shorter a step is along the parallel
    reach_y = NEARBY_METRES / _STEP_METRES
    reach_x = reach_y / squeeze
    found: list[tuple[float, str]] = []
    for outline in _outlines()[0]:
        if not (outline.west - reach_x <= x <= outline.east + reach_x):
            continue
        if not (outline.south - reach_y <= y <= outline.north + reach_y):
            continue
        distance = _distance(_rings(outline.start, outline.end), x, y, squeeze)
        if distance <= NEARBY_METRES:
            found.append((distance, outline.code))
    codes: dict[str, None] = {}
    for _, code in sorted(found):
        codes.update(dict.fromkeys((code, *_TAKEN_FROM.get(code, ()))))
    return tuple(region for region in map(get, codes) if region)[:LIMIT]


def _distance(rings: tuple[Ring, ...], x: float, y: float, squeeze: float) -> float:
    """Metres from the place to the border; a negative number when it is inside (even-odd rule, so holes are out)."""
    inside = False
    nearest = inf
    for ring in rings:
        last_x, last_y = ring[-1]
        for next_x, next_y in ring:
            if (last_y > y) != (next_y > y):
                crossing = last_x + (y - last_y) * (next_x - last_x) / (next_y - last_y)
                inside ^= x < crossing
            along_x, along_y = (next_x - last_x) * squeeze, float(next_y - last_y)
            from_x, from_y = (x - last_x) * squeeze, y - last_y
            length2 = along_x * along_x + along_y * along_y
            share = min(1.0, max(0.0, (from_x * along_x + from_y * along_y) / length2)) if length2 else 0.0
            nearest = min(nearest, hypot(from_x - share * along_x, from_y - share * along_y))
            last_x, last_y = next_x, next_y
    return -nearest * _STEP_METRES if inside else nearest * _STEP_METRES
