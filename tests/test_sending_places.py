"""Lines that nobody sends for are looked at again, the more seldom the more stands there."""

from __future__ import annotations

from bot.sending_places import AGAIN_SECONDS, PASSED_A_SECOND, Place, every
from models.claiming import START
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY


def test_what_is_urgent_is_not_kept_waiting_by_the_number_of_the_rest() -> None:
    place, other = Place(), Place()
    place.passed.update({EMERGENCY: 3, REPLY: 1_000, CAMPAIGN: 50_000})
    other.passed.update({REPLY: 1_000})
    seconds = every([place, other])
    assert seconds[EMERGENCY] == AGAIN_SECONDS
    assert seconds[REPLY] == seconds[REMINDER] == 2_003 / PASSED_A_SECOND
    assert seconds[CAMPAIGN] == 52_003 / PASSED_A_SECOND


def test_each_priority_begins_again_when_its_time_has_come() -> None:
    place = Place({REPLY: START, CAMPAIGN: START}, since={REPLY: 100.0, CAMPAIGN: 100.0})
    place.passed.update({REPLY: 10, CAMPAIGN: 9_000})
    place.refresh(101.0, {REPLY: 0.5, CAMPAIGN: 18.0})
    assert place.marks == {CAMPAIGN: START} and place.passed == {REPLY: 0, CAMPAIGN: 9_000}
    place.refresh(118.5, {REPLY: 0.5, CAMPAIGN: 18.0})
    assert place.marks == {} and place.since == {REPLY: 118.5, CAMPAIGN: 118.5}
