"""An account for which nobody sends any more: whose messages stand there are called, and get them when it is back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.deliver import Deliverer
from models import claiming
from models.calls import to_call
from models.outbox import EMERGENCY, REPLY, UNSERVED
from models.person import Door, open_door
from tests.conftest import StoppedClock
from tests.office import Office, Player
from tests.office import office as office

GONE = ("wechat", "gone")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def follower(office: Office, name: str = "x") -> str:
    """A person whose only door is at an account that is not in the configuration."""
    with office.database.write() as session:
        _door, person = open_door(session, *GONE, name, "zh_CN", zone="Asia/Shanghai")
        return person.id


def sender_of(office: Office) -> tuple[Deliverer, Player]:
    """A process that serves it."""
    player = Player()
    platforms: Any = {GONE: player}
    made = office.worker("three")
    return Deliverer(office.database, platforms, made._books._here, "three"), player


async def look(office: Office, clock: StoppedClock, by: timedelta) -> None:
    clock.pass_time(by)
    with office.database.write() as session:
        claiming.sweep(session)
    office.deliverer._renew_at = 0
    await office.work()


def listed(office: Office) -> int:
    with office.database.read() as session:
        return len(to_call(session))


@pytest.mark.parametrize("priority", [REPLY, EMERGENCY])
async def test_what_nobody_sends_for_long_is_on_the_call_list(
    office: Office, clock: StoppedClock, priority: int
) -> None:
    office.put(follower(office), priority=priority)
    await look(office, clock, 6 * HOUR - MINUTE)
    assert office.state() == "waiting" and listed(office) == (1 if priority == EMERGENCY else 0)
    await look(office, clock, 2 * MINUTE)
    assert (office.state(), office.rows()["你好"].why) == ("held", UNSERVED) and listed(office) == 1


async def test_it_goes_as_soon_as_somebody_sends_again(office: Office, clock: StoppedClock) -> None:
    office.put(follower(office))
    await look(office, clock, 7 * HOUR)
    assert office.state() == "held"
    sender, player = sender_of(office)
    await office.work(sender)
    assert player.sent == [("x", "你好")] and office.state() == "sent"


async def test_what_was_held_as_the_sender_came_back_is_looked_at_again(office: Office, clock: StoppedClock) -> None:
    office.put(follower(office))
    sender, player = sender_of(office)
    await office.work(office.worker("two"))
    clock.pass_time(7 * HOUR)
    office.deliverer._renew_at = 0
    await office.deliverer._renew()
    with office.database.read() as session:
        picks = office.deliverer._chooser.pick(session, office.deliverer._view(), 1e12)
    await sender._renew()
    with office.database.write() as session:
        office.deliverer._books.claim(session, picks, 0.0)  # looked before it came back, writes after that
    await office.work(sender)
    assert office.state() == "held" and player.sent == []
    clock.pass_time(HOUR)
    with office.database.write() as session:
        assert claiming.sweep(session) == 1
    sender._renew_at = 0
    await office.work(sender)
    assert player.sent == [("x", "你好")]


async def test_it_stays_on_the_list_while_nobody_comes(office: Office, clock: StoppedClock) -> None:
    office.put(follower(office))
    for _time in range(4):
        await look(office, clock, 7 * HOUR)
        assert office.state() == "held" and listed(office) == 1


async def test_an_account_whose_sender_is_away_for_a_while_is_waited_for(office: Office, clock: StoppedClock) -> None:
    office.put(follower(office), "一")
    sender, player = sender_of(office)
    await office.work(sender)
    clock.pass_time(7 * HOUR)
    sender._renew_at = 0
    await office.work(sender)
    office.put(follower(office), "二", due_at=clock.at - 7 * HOUR)  # rested until now, say
    await look(office, clock, HOUR)
    assert office.state("二") == "waiting" and player.texts == ["一"]
    await look(office, clock, 6 * HOUR)
    assert office.state("二") == "held"


async def test_who_can_be_reached_by_another_account_is_not_called(office: Office, clock: StoppedClock) -> None:
    person = follower(office)
    with office.database.write() as session:
        session.add(
            Door(
                person_id=person,
                platform="telegram",
                account="test",
                sender="9x",
                opened_at=clock.at,
                last_in_at=clock.at - HOUR,
            )
        )
    office.put(person)
    await look(office, clock, 7 * HOUR)
    assert office.state() == "sent" and office.telegram.texts == ["你好"]
