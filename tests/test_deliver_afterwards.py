"""What is written down about a message after its call, by whom it may concern later: the next worker, the operator who
restores, the person who comes, and midnight in Beijing."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import select

from bot.platforms.base import Outcome
from bot.platforms.wechat_outcomes import of_errcode
from models import claiming, inbox, outbox, restored
from models.calls import to_call
from models.channel import Channel, ChannelGrant, allow, use_grant
from models.ledger import next_day
from models.outbox import OutboxMessage, begin_attempts
from models.person import Door
from tests.chatting import Chat
from tests.conftest import START, StoppedClock
from tests.office import Office
from tests.office import office as office
from tests.test_deliver_channels import CHANNELS, LATER, again, put, row
from tests.test_deliver_channels import laddered as laddered

DAILY = CHANNELS[-1].daily


def swept(office: Office) -> None:
    with office.database.write() as session:
        claiming.sweep(session)


async def test_a_restore_leaves_what_waits_for_tomorrow_its_reason(office: Office, clock: StoppedClock) -> None:
    people = [office.person(f"n{number}") for number in range(DAILY + 1)]
    clock.pass_time(LATER)
    for number, person in enumerate(people):
        put(office, person, f"k{number}")
    await again(office, clock)
    (waits,) = [key for key, each in office.rows().items() if each.why == outbox.TOMORROW]
    with office.database.write() as session:
        restored.mark(session)
    clock.at = next_day(clock.at)
    swept(office)
    await again(office, clock)
    assert row(office, waits) == ("held", "card")


async def test_who_came_as_the_card_asked_is_answered_tomorrow_when_today_is_used_up(
    office: Office, clock: StoppedClock
) -> None:
    put(office, office.person())
    await again(office, clock, LATER)
    assert row(office) == ("held", "card")
    Chat(office.database, "alin").say("我来了")
    office.wechat.outcomes = [of_errcode(45009)]
    await again(office, clock)
    clock.at = next_day(clock.at)
    swept(office)
    await again(office, clock)
    assert row(office)[0] == "sent"


async def test_a_claim_that_was_broken_off_gives_no_permission_back_that_a_dead_workers_call_has_used(
    office: Office, clock: StoppedClock
) -> None:
    put(office, office.person())
    clock.pass_time(LATER)
    with office.database.write() as session:
        door = session.exec(select(Door)).one()
        allow(session, door.id, "once", "1000")
        message = session.exec(select(OutboxMessage)).one()
        use_grant(session, door.id, CHANNELS[1], "1000", "real")
        begin_attempts(session, [("real", message.id, door.id, "once", "")])
        message.state, message.claimed_by, message.deadline = "sending", "dead", clock.at
    clock.pass_time(timedelta(seconds=20))
    swept(office)
    clock.pass_time(timedelta(minutes=1))
    with office.database.write() as session:
        found = claiming.due(session, "wechat:test", dict.fromkeys(claiming.LANES, 9), {})
        assert claiming.take(session, "two", found)
        begin_attempts(session, [("phantom", message.id, door.id, "once", "")])
    with office.database.write() as session:
        assert claiming.stranded(session, "two", []) == 1
    with office.database.read() as session:
        assert session.exec(select(ChannelGrant)).one().why == "used", "the platform knows that it is used"
    assert {attempt.id: attempt.outcome for attempt in office.attempts()} == {"real": "", "phantom": "late"}


async def test_a_message_that_was_heard_while_the_clock_was_ahead_opens_no_window_against_the_platforms_word(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    clock.pass_time(timedelta(days=8))
    with office.database.write() as session:
        inbox.enter(session, "wechat", "test", "k1", "alin", "text", {})
    clock.pass_time(-timedelta(days=8))
    clock.pass_time(timedelta(minutes=2))
    put(office, person, due_at=START)
    office.wechat.outcomes = [of_errcode(45015)] * 100
    for _look in range(10):
        await again(office, clock, timedelta(seconds=5))
    assert [channel for channel, _key in office.wechat.ways].count("custom") <= 3


async def test_who_only_a_call_reaches_is_on_the_list_though_the_day_is_used_up_as_well(
    office: Office, clock: StoppedClock
) -> None:
    office.wechat.channels = (Channel("custom", windowed=True, daily=1),)
    office.deliverer = office.worker("one")
    first, second = office.person("a"), office.person("b")
    clock.pass_time(LATER)
    Chat(office.database, "a").say("在吗")
    put(office, first, "x")
    await again(office, clock)
    put(office, second, "y")
    await again(office, clock)
    with office.database.read() as session:
        assert [each.person_id for each in to_call(session)] == [second]


async def test_a_day_that_is_used_up_by_a_call_over_midnight_is_the_old_one(
    office: Office, clock: StoppedClock
) -> None:
    office.wechat.channels = (Channel("custom", windowed=True, daily=5),)
    office.deliverer = office.worker("one")
    person = office.person()
    clock.at = next_day(clock.at) - timedelta(seconds=62)  # 23:59:58 in Beijing
    put(office, person)
    office.wechat.outcomes = [of_errcode(45009)]
    office.wechat.before = lambda: clock.pass_time(timedelta(seconds=4))
    await again(office, clock, timedelta(0))
    office.wechat.before = lambda: None
    clock.pass_time(timedelta(minutes=1))
    swept(office)
    await again(office, clock)
    assert row(office)[0] == "sent"


async def test_messages_of_an_account_that_is_refused_for_a_day_are_on_the_list(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    office.put(person)
    refused = Outcome("stopped", "48001", whole_account=True, ask_first=True)
    office.wechat.outcomes, office.wechat.still = [refused], [refused] * 100
    for _half_hour in range(14):
        clock.pass_time(timedelta(minutes=30))
        office.deliverer._renew_at = 0
        await office.work()
    with office.database.read() as session:
        assert person in {each.person_id for each in to_call(session)}
