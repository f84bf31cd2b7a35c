"""What matching works on: everybody waiting and every free place as arrays, and what it has to keep to.

Words are numbers here: a set of needs, services, skills or languages is an integer with a bit for each, people and
teams are numbers that the caller gave them. -1 stands for none, NaN for an unknown coordinate or distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from config.matching import Costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.float64]"
Ints: TypeAlias = "NDArray[np.int64]"
Bits: TypeAlias = "NDArray[np.uint64]"
Bools: TypeAlias = "NDArray[np.bool_]"
Reason: TypeAlias = "tuple[str, dict[str, Any]]"

FEMALE, MALE = 1, 2  # bits of `sexes`
LAPSED, UNCLEARED, CLEARED = -1, 0, 1
EARTH_KM = 6371.0088  # mean radius


@dataclass(frozen=True, slots=True)
class Waiting:
    """One entry a person. Coordinates are degrees in WGS-84; `county` is the six-digit code as a number; equal `town`
    numbers are the same town of the same county. `language` = the number of one beside Mandarin; `sex_wanted` = FEMALE,
    MALE or 0; `person` = the person's own number, if they have a door; `team` = the team that served them before."""

    latitude: Floats
    longitude: Floats
    county: Ints
    town: Ints
    needs: Bits
    language: Ints
    sex_wanted: Ints
    minor: Bools
    person: Ints
    team: Ints

    def __len__(self) -> int:
        return len(self.county)


@dataclass(frozen=True, slots=True)
class Helping:
    """These places may also serve the counties from `low` to `high` (codes as numbers), as helpers."""

    places: Ints
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Places:
    """One entry a volunteer or team. At home they serve the counties from `low` to `high`: one for a volunteer, those
    of its region for a team. `travel_km` = how far they go (NaN: not said). `sexes` = bits of who could come; `load` =
    people served now, `free` = how many more, `capacity` = how many at all; `cleared` = LAPSED, UNCLEARED or CLEARED
    for work with minors; `person` = who would be asked; `minor` = a volunteer below 18, who is nobody's candidate.

    `members` = pairs (place, team): whose member somebody is, a team its own."""

    latitude: Floats
    longitude: Floats
    low: Ints
    high: Ints
    town: Ints
    travel_km: Floats
    skills: Bits
    services: Bits
    languages: Bits
    sexes: Ints
    load: Ints
    free: Ints
    capacity: Ints
    minor: Bools
    cleared: Ints
    person: Ints
    members: Ints
    helping: tuple[Helping, ...] = ()

    def __len__(self) -> int:
        return len(self.low)


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules of one run. `services`, `skills` and `languages` name the bits. `wishes` = (bit of a need, bits of the
    skills of which one is wished, whether nobody comes without). `hard_languages` = bits of those that whoever comes
    must speak. Refused = pairs (waiting, place) that are out of the question."""

    near_km: float
    clearance_for_minors: bool
    services: tuple[str, ...]
    skills: tuple[str, ...]
    languages: tuple[str, ...]
    wishes: tuple[tuple[int, int, bool], ...]
    hard_languages: int
    cost: Costs
    refused: Ints


def bits(keys: Sequence[str] | None, names: dict[str, int]) -> int:
    """A set of words as a number; words that the catalogue no longer has count for nothing."""
    found = 0
    for key in keys or ():
        if key in names:
            found |= 1 << names[key]
    return found


@lru_cache(4096)
def names_of(found: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """The reverse, in the order of the catalogue."""
    return tuple(name for at, name in enumerate(names) if found >> at & 1)


T = TypeVar("T", Waiting, Places)
_TYPES = {"Floats": np.float64, "Ints": np.int64, "Bits": np.uint64, "Bools": np.bool_}


def as_arrays(kind: type[T], columns: dict[str, Any]) -> T:
    """Columns (lists by name) as one of the two; `helping` stays what it is."""
    made = {
        one.name: np.asarray(columns[one.name], dtype=_TYPES[str(one.type)])
        if str(one.type) in _TYPES
        else columns[one.name]
        for one in fields(kind)
        if one.name in columns
    }
    if "members" in made:
        made["members"] = made["members"].reshape(-1, 2)
    return kind(**made)
