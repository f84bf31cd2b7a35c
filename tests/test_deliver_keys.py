"""A call under a key may have brought its message: as long as the key is good it is made again and arrives once; after
that it is a second one, and says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from bot.last_moment import steady
from bot.platforms.base import Outcome
from models import claiming
from models.channel import allow
from models.outbox import CAMPAIGN, CLAIM_SECONDS, EMERGENCY, REMINDER, REPLY
from models.person import Door
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import Office
from tests.office import office as office
from tests.test_deliver_channels import LATER, again, put, row
from tests.test_deliver_channels import laddered as laddered

UNCERTAIN = Outcome("uncertain", "http502")


async def in_doubt(office: Office, clock: StoppedClock, priority: int) -> None:
    """A template message was called once, and nobody knows what became of it."""
    put(office, office.person(), priority=priority)
    office.wechat.outcomes = [UNCERTAIN]
    await again(office, clock, LATER)
    assert [channel for channel, _key in office.wechat.ways] == ["template"] and row(office)[0] == "waiting"
    assert office.rows()["你好"].resends == 0, "the platform sends once under this key"


@pytest.mark.parametrize("priority", [REPLY, REMINDER, EMERGENCY])
async def test_a_call_in_doubt_is_marked_when_it_is_made_again_after_its_key(
    office: Office, clock: StoppedClock, priority: int
) -> None:
    await in_doubt(office, clock, priority)
    await again(office, clock, timedelta(minutes=30))  # nobody sent meanwhile
    assert len(office.wechat.ways) == 2 and office.rows()["你好"].resends == 1


async def test_it_is_not_marked_while_its_key_is_good(office: Office, clock: StoppedClock) -> None:
    await in_doubt(office, clock, REMINDER)
    await again(office, clock, timedelta(minutes=9))
    assert len(office.wechat.ways) == 2 and office.rows()["你好"].resends == 0


async def test_a_key_that_ends_while_the_claim_lasts_is_good_no_more(office: Office, clock: StoppedClock) -> None:
    await in_doubt(office, clock, REMINDER)
    await again(office, clock, timedelta(minutes=10) - timedelta(seconds=CLAIM_SECONDS - 1))
    assert len(office.wechat.ways) == 2 and office.rows()["你好"].resends == 1


async def test_after_its_key_a_card_in_doubt_is_made_again_once_and_the_words_wait_for_their_person(
    office: Office, clock: StoppedClock
) -> None:
    await in_doubt(office, clock, REMINDER)
    office.wechat.outcomes = [UNCERTAIN]
    await again(office, clock, timedelta(minutes=30))
    assert row(office) == ("held", "uncertain http502") and len(office.wechat.ways) == 2
    Chat(office.database, "alin").say("我来了")
    await again(office, clock)
    assert row(office)[0] == "sent" and office.wechat.texts[-1].endswith("你好")


async def test_a_campaigns_card_in_doubt_is_not_made_again_after_its_key_and_its_words_wait(
    office: Office, clock: StoppedClock
) -> None:
    await in_doubt(office, clock, CAMPAIGN)
    await again(office, clock, timedelta(minutes=30))
    assert row(office) == ("held", "uncertain") and len(office.wechat.ways) == 1
    Chat(office.database, "alin").say("我来了")
    await again(office, clock)
    assert row(office)[0] == "sent" and office.wechat.texts[-1] == "你好"


async def test_an_emergency_in_doubt_says_so_where_it_leaves_by_another_way(
    office: Office, clock: StoppedClock
) -> None:
    await in_doubt(office, clock, EMERGENCY)
    with office.database.write() as session:
        door = session.exec(select(Door)).one()
        allow(session, door.id, "once", "1000")
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["template", "once"]
    assert office.rows()["你好"].resends == 1


@pytest.mark.parametrize("apart", [timedelta(minutes=30), timedelta(hours=-1)])
async def test_what_a_dead_process_called_after_its_key_ended_or_the_clock_was_set_back_is_marked(
    office: Office, clock: StoppedClock, apart: timedelta
) -> None:
    person = office.person()
    clock.pass_time(LATER)
    put(office, person, priority=REMINDER)
    dead = office.worker("two")
    await dead._renew()
    with office.database.read() as session:
        picks = dead._chooser.pick(session, dead._view(), steady())
    with office.database.write() as session:
        assert dead._books.claim(session, picks, steady()).calls
    clock.pass_time(apart)
    with office.database.write() as session:
        assert claiming.sweep(session) == 1
    assert office.rows()["你好"].resends == 1


async def test_who_saw_it_before_the_call_does_not_take_it_after_the_sweep(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    clock.pass_time(LATER)
    put(office, person, priority=REMINDER)
    slow, dead = office.deliverer, office.worker("two")
    await slow._renew()
    with office.database.read() as session:
        picks = slow._chooser.pick(session, slow._view(), steady())
    with office.database.write() as session:
        assert dead._books.claim(session, picks, steady()).calls
    clock.pass_time(timedelta(seconds=CLAIM_SECONDS + 1))
    with office.database.write() as session:
        claiming.sweep(session)
    with office.database.write() as session:
        assert not slow._books.claim(session, picks, steady()).calls
