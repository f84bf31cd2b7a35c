"""What volunteers can choose from in their profile, as data: services.toml, in every language."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from config.texts import current

Kind = Literal["service", "skill", "occupation", "free_time", "language"]
DISTANCES = (1, 3, 5, 10, 20, 50)  # kilometres that a volunteer may say to travel


class Entry(BaseModel):
    """One thing to choose, by the words of each language (config/texts.py LANGUAGES)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zh_CN: str  # noqa: N815 the language's own name
    zh_HK: str  # noqa: N815
    en: str
    words: tuple[str, ...] = ()  # what people call it as well

    @property
    def label(self) -> str:
        """The words in the current language."""
        return str(getattr(self, current()))

    @property
    def spellings(self) -> tuple[str, ...]:
        """Whatever may be typed for it, in any language."""
        return (self.zh_CN, self.zh_HK, self.en, *self.words)


class Catalogue(BaseModel):
    """Everything to choose from, by key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    service: dict[str, Entry]
    skill: dict[str, Entry]
    occupation: dict[str, Entry]
    free_time: dict[str, Entry]
    language: dict[str, Entry]


@cache
def catalogue() -> Catalogue:
    """The catalogue; raises ValidationError when the file is wrong, which a test keeps from happening."""
    return Catalogue.model_validate(tomllib.loads((Path(__file__).parent / "services.toml").read_text("utf-8")))


def entries(kind: Kind) -> dict[str, Entry]:
    """The entries of a kind by key, in the order of the file."""
    found: dict[str, Entry] = getattr(catalogue(), kind)
    return found


def labels(kind: Kind, keys: list[str]) -> list[str]:
    """The words for stored keys; a key that a later catalogue dropped stands for itself."""
    known = entries(kind)
    return [known[key].label if key in known else key for key in keys]
