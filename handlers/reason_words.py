"""Placeholder until the words of reasons come."""

from typing import Any


def proposal_words(reasons: list[Any]) -> str:
    return "；".join(str(one[0]) for one in reasons)
