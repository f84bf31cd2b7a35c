"""Numbers for what has names: matching works on numbers and sets of bits (models/matching_sets.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from unicodedata import normalize

from config.services import catalogue
from models import matching_sets as sets
from models.beneficiary import ADULT

_ENDINGS = ("街道办事处", "街道", "地区", "镇", "乡")  # of town names, which people leave out
SEXES = {"female": sets.FEMALE, "male": sets.MALE, None: 0}


@dataclass
class Names:
    """Numbers for what has names."""

    services: dict[str, int] = field(default_factory=lambda: _numbered(catalogue().service))
    skills: dict[str, int] = field(default_factory=lambda: _numbered(catalogue().skill))
    languages: dict[str, int] = field(default_factory=lambda: _numbered(catalogue().language))
    people: dict[str, int] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    towns: dict[tuple[str, str], int] = field(default_factory=dict)
    _read: dict[tuple[str | None, str], int] = field(default_factory=dict)

    def person(self, key: str | None) -> int:
        """The number of a person; -1 for none."""
        return -1 if key is None else self.people.setdefault(key, len(self.people))

    def team(self, key: str | None) -> int:
        """The number of a team; -1 for none."""
        return -1 if key is None else self.teams.setdefault(key, len(self.teams))

    def town(self, county: str, words: str | None) -> int:
        """The number of a county's town; -1 where none is told."""
        name = town_name(words)
        return self.towns.setdefault((county, name), len(self.towns)) if name else -1

    def bits(self, text: str | None, kind: str) -> int:
        """A list as it stands in the database."""
        found = self._read.get((text, kind))
        if found is None:
            found = self._read[text, kind] = sets.bits(json.loads(text) if text else None, getattr(self, kind))
        return found


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(names)}


def town_name(words: str | None) -> str:
    """A town for comparing: 五山 is 五山街道."""
    name = "".join(normalize("NFKC", words).split()) if words else ""
    for ending in _ENDINGS:
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name.removesuffix(ending)
    return name


def born_by(today: date) -> date:
    """Whoever was born on this day or before has come of age."""
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return today.replace(year=today.year - ADULT, day=day)
