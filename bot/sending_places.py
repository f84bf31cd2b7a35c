"""How far the looks along the lines came that nobody sends for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.claiming import LANES, Mark

AGAIN_SECONDS = 0.5  # after this time it is looked from the beginning of such a line again …
LONGEST_SECONDS = 300.0
PASSED_A_SECOND = 500  # … or later, where so much stands there that it would cost the others their turn


@dataclass(slots=True)
class Place:
    """How far the look along a line that nobody sends for came, by priority: what stands before can go nowhere else."""

    marks: dict[int, Mark] = field(default_factory=dict)
    passed: Counter[int] = field(default_factory=Counter)
    since: dict[int, float] = field(default_factory=dict)

    def refresh(self, now: float, every: Mapping[int, float]) -> None:
        """From the beginning again, `every` so many seconds: another way may have opened for what stands there."""
        for lane, seconds in every.items():
            if now - self.since.get(lane, 0.0) > seconds:
                self.marks.pop(lane, None)
                self.passed[lane], self.since[lane] = 0, now


def every(places: Iterable[Place]) -> dict[int, float]:
    """After how many seconds each priority is looked at again: the more urgent ones are not kept waiting by the others'
    number."""
    stand, seconds = 0, dict[int, float]()
    places = list(places)
    for lane in LANES:
        stand += sum(place.passed[lane] for place in places)
        seconds[lane] = min(max(AGAIN_SECONDS, stand / PASSED_A_SECOND), LONGEST_SECONDS)
    return seconds
