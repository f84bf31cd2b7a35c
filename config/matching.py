"""What matching weighs, as data: matching.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Cost = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wish(_Part):
    """Skills of which one is wished, or demanded (`hard`)."""

    skills: tuple[str, ...]
    hard: bool = False


class Costs(_Part):
    """Without a unit; smaller is better."""

    km: Cost
    same_town: Cost
    same_county: Cost
    team_area: Cost
    helping_region: Cost
    need_unserved: Cost
    skill_missing: Cost
    language_missing: Cost
    load: Cost
    newcomer: Cost


class Weights(_Part):
    """The whole file; `need` and `language` by keys of services.toml."""

    need: dict[str, Wish]
    language: dict[str, Wish]
    cost: Costs


@cache
def weights() -> Weights:
    """What is in force; raises ValidationError when the file is wrong, which a test keeps from happening."""
    return Weights.model_validate(tomllib.loads((Path(__file__).parent / "matching.toml").read_text("utf-8")))
