"""What volunteers write in their own words while something waits for their answer: none of it is lost, nothing is taken
for a yes that is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import offering
from models.database import Database
from models.offer import Offer
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.pairing_world import World
from tests.people import alin as alin
from tests.people import specialist as specialist
from tests.test_handovers import begin
from tests.test_handovers import paired as paired

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database, alin: Chat, specialist: Chat) -> World:
    """alin, a volunteer, and the specialist of the county."""
    return World(database)


def invited(world: World, chat: Chat, needs: str = "study") -> str:
    """An invitation on their screen."""
    offer = world.offer(world.beneficiary(needs=(needs,)), chat.person().id)
    deliver(world.database, chat)
    return offer


def state(world: World, offer: str) -> str:
    return world.one(Offer, offer).state


# --- 我的结对 tells how things stand ---


def test_a_lapsed_invitation_is_not_said_to_wait_in_time_and_may_still_be_answered(
    world: World, alin: Chat, clock: StoppedClock
) -> None:
    offer = invited(world, alin)
    assert "有 1 个邀请等你回答。" in alin.say("我的结对")
    clock.pass_time(30 * DAY)
    world.do(offering.pass_on, [offer])
    said = alin.say("我的结对")
    assert "有 1 个邀请已经过了回答的时间。晚了也可以答应，只要还没有人接上。" in said
    assert "等你回答" not in said
    assert "看邀请" in alin.labels()


def test_a_handover_under_way_shows_with_its_last_day_and_the_way_back(paired: Chat, database: Database) -> None:
    assert "正在交接" not in paired.say("我的结对")
    begin(database, paired)
    said = paired.say("我的结对")
    assert "正在交接，还没有人接，最后一天 2026-12-22" in said
    assert "交接取消了" in paired.press("我又能继续了")
    assert "正在交接" not in paired.say("我的结对")


# --- a no stands at once ---


def test_a_no_stands_whether_or_not_a_reason_follows(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    assert "已经记下" in alin.press("不方便")
    assert (state(world, offer), world.one(Offer, offer).reason) == ("declined", "other")
    alin.say("取消")
    assert state(world, offer) == "declined"


def test_a_reason_given_afterwards_joins_it(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    alin.press("不方便")
    assert "记下了" in alin.say("太远了")
    assert world.one(Offer, offer).reason == "far"


@pytest.mark.parametrize("shown", [False, True])
def test_the_reason_in_the_sentence_is_not_asked_for_again(world: World, alin: Chat, shown: bool) -> None:
    offer = invited(world, alin)
    if shown:
        alin.say("看邀请")
    said = alin.say("没时间")
    assert said.startswith("记下了，谢谢你")
    assert (state(world, offer), world.one(Offer, offer).reason) == ("declined", "busy")


def test_a_reason_that_is_somebody_elses_changes_nothing(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    assert world.do(offering.give_reason, offer, alin.person().id, "far") is False, "they have not said no"
    alin.say("没时间")
    assert world.do(offering.give_reason, offer, world.volunteer(), "far") is False
    assert world.one(Offer, offer).reason == "busy"
