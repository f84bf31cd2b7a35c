"""A card that may have come holds no words: it keeps other cards back, never the message itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from bot.platforms.base import Outcome
from bot.sending_books import sends
from models import claiming, lease
from models.calls import to_call
from models.outbox import CAMPAIGN, REMINDER, REPLY, begin_attempts
from models.person import Door
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office
from tests.office import office as office
from tests.outgoing import claim
from tests.test_deliver_channels import LATER, again, grant, put, row
from tests.test_deliver_channels import laddered as laddered
from tests.test_deliver_split import rounds, split

UNSURE = Outcome("uncertain", "timeout")


@pytest.mark.parametrize("priority", [REPLY, CAMPAIGN])
async def test_who_answers_a_card_that_was_sent_twice_under_its_key_gets_the_message_unmarked(
    office: Office, clock: StoppedClock, priority: int
) -> None:
    put(office, office.person(), priority=priority)
    office.wechat.outcomes = [UNSURE]
    await again(office, clock, LATER)
    await again(office, clock)
    assert row(office) == ("held", "card")
    Chat(office.database, "alin").say("我来了")
    await again(office, clock)
    assert office.wechat.texts == ["message", "message", "你好"] and row(office)[0] == "sent"


async def test_who_comes_after_a_card_without_a_key_that_may_have_come_gets_the_message(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    grant(office, "once", "1000")
    put(office, person)
    office.wechat.outcomes = [UNSURE]
    await again(office, clock, LATER)
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["once"], "no second card in doubt"
    Chat(office.database, "alin").say("我来了")
    await again(office, clock)
    assert office.wechat.texts[-1].endswith("你好") and row(office)[0] == "sent"


@pytest.mark.parametrize(("priority", "by_telegram"), [(REPLY, 1), (CAMPAIGN, 0)])
async def test_who_left_the_door_of_a_call_in_doubt_gets_it_by_another_one_marked(
    office: Office, clock: StoppedClock, priority: int, by_telegram: int
) -> None:
    person = office.person()
    office.older_door(person)
    office.put(person, priority=priority)
    office.wechat.outcomes = [UNSURE, Outcome("left", "45065")]
    await office.work()
    for _time in range(3):
        await again(office, clock)
    assert len(office.telegram.sent) == by_telegram
    assert all(text.startswith("（补发") for text in office.telegram.texts)


async def test_the_words_behind_a_dead_workers_card_wait_for_their_person(office: Office, clock: StoppedClock) -> None:
    put(office, office.person(), priority=CAMPAIGN)
    clock.pass_time(LATER)
    with office.database.write() as session:
        (claimed,) = claim(session, "dead", [WECHAT], 1)
        door = session.exec(select(Door)).one()
        begin_attempts(session, [("a1", claimed.id, door.id, "once", "")])
    clock.pass_time(timedelta(seconds=30))
    with office.database.write() as session:
        claiming.sweep(session)
    assert row(office)[0] == "held"
    with office.database.read() as session:
        assert len(to_call(session)) == 1
    Chat(office.database, "alin").say("我来了")
    await again(office, clock)
    assert office.wechat.texts == ["你好"] and row(office)[0] == "sent"


@pytest.mark.parametrize("paused", [True, False])
async def test_a_card_that_the_platform_refuses_is_not_offered_again_and_again(
    office: Office, clock: StoppedClock, *, paused: bool
) -> None:
    """The other account rests, or another process has it."""
    person = office.person("alin")
    office.older_door(person)
    workers = (office.deliverer,) if paused else split(office)
    clock.pass_time(LATER)
    if paused:
        with office.database.write() as session:
            lease.hold(session, sends(TELEGRAM), "one")
            lease.pause(session, sends(TELEGRAM), 100)
    office.wechat.outcomes = [Outcome("closed", "40037")] * 20
    put(office, person, priority=REMINDER)
    await rounds(office, clock, workers, 8)
    assert [channel for channel, _key in office.wechat.ways] == ["template"]
    await rounds(office, clock, workers, 8)
    assert len(office.wechat.ways) == 1 and len(office.telegram.sent) == 1 and row(office)[0] == "sent"
