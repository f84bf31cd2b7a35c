"""Replies to one person leave in the order in which they were made, whatever happens to the first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.platforms.base import Outcome
from models.outbox import EMERGENCY
from tests.conftest import StoppedClock
from tests.office import Office
from tests.office import office as office

FAULTS = [Outcome("retry", code="429", retry_after=2.0), Outcome("retry", code="-1"), Outcome("uncertain", code="502")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
async def test_a_reply_waits_for_the_one_before_it(office: Office, clock: StoppedClock, fault: Outcome) -> None:
    person = office.person()
    office.wechat.outcomes = [fault]
    office.put(person, "一")
    office.put(person, "二")
    await office.work()
    assert office.wechat.texts == ["一"]
    office.put(person, "三")  # made while the first waits to be tried again
    await office.work()
    assert office.wechat.texts == ["一"]
    for _ in range(4):
        clock.pass_time(timedelta(seconds=4))
        await office.work()
    assert [text[-1] for text in office.wechat.texts] == ["一", "一", "二", "三"]


async def test_nobody_else_and_nothing_urgent_waits_for_it(office: Office) -> None:
    person, other = office.person(), office.person("other")
    office.wechat.outcomes = [Outcome("retry", code="-1")]
    office.put(person, "一")
    office.put(person, "二")
    await office.work()
    office.put(other, "别人")
    office.put(person, "紧急", priority=EMERGENCY)
    await office.work()
    assert sorted(office.wechat.texts) == ["一", "别人", "紧急"]


async def test_a_reply_that_cannot_go_for_a_minute_holds_up_nothing_more(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    office.wechat.outcomes = [Outcome("retry", code="-1")] * 40
    office.put(person, "一")
    await office.work()
    for _ in range(13):
        clock.pass_time(timedelta(seconds=5))
        await office.work()
    office.wechat.outcomes = []
    office.put(person, "二")
    await office.work()
    assert office.wechat.texts[-1] == "二"
