"""The ladder at sending time: which way a message takes, what closes it, and what waits for the person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from bot.platforms.base import Outcome
from handlers import cards, granted, notices
from handlers.here import here
from handlers.message import Inbound, Reply
from models import claiming, inbox
from models.calls import to_call
from models.channel import Channel, ChannelGrant, allow
from models.database import Database
from models.outbox import CAMPAIGN, EMERGENCY, REPLY, begin_attempts, enqueue
from models.person import Door, Person, open_door
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office
from tests.office import office as office
from tests.outgoing import claim

CHANNELS = (
    Channel("custom", windowed=True),
    Channel("once", cards={"message": "1000"}, granted=True),
    Channel("subscription", cards={"message": "S"}, granted=True),
    Channel("template", cards={"message": "T"}, keyed=True, daily=5),
)
KIND = "notice.test"
LATER = timedelta(hours=49)


@pytest.fixture(autouse=True)
def laddered(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The WeChat account has all four ways, and there is a kind of message with a card."""

    def words(session: Any, person: Person, params: dict[str, Any]) -> Reply:
        return Reply(params["text"] if here(session).platform == "wechat" else "请到微信里看")

    office.wechat.channels = CHANNELS
    office.deliverer = office.worker("one")
    monkeypatch.setitem(notices.NOTICES, KIND, words)
    monkeypatch.setitem(cards.OF_KIND, KIND, "message")


def put(office: Office, person: str, text: str = "你好", **more: Any) -> None:
    usual: dict[str, Any] = {"unique_key": text, "priority": REPLY}
    with office.database.write() as session:
        assert enqueue(session, person, KIND, {"text": text}, **{**usual, **more})


def grant(office: Office, channel: str, subject: str) -> None:
    with office.database.write() as session:
        door = session.exec(select(Door).where(Door.platform == "wechat")).one()
        allow(session, door.id, channel, subject)


def spent(office: Office) -> list[str]:
    with office.database.read() as session:
        return sorted(row.why for row in session.exec(select(ChannelGrant)) if row.ended_at is not None)


def row(office: Office, key: str = "你好") -> tuple[str, str]:
    found = office.rows()[key]
    return found.state, found.why


async def again(office: Office, clock: StoppedClock, by: timedelta = timedelta(seconds=10)) -> None:
    """Time passes, and the sender goes on."""
    clock.pass_time(by)
    office.deliverer._renew_at = 0
    await office.work()


async def test_while_the_window_is_open_the_words_go_as_ever(office: Office) -> None:
    put(office, office.person())
    await office.work()
    assert office.wechat.sent == [("alin", "你好")] and row(office)[0] == "sent"
    assert [(one.channel, one.passed) for one in office.attempts()] == [("custom", "")]


async def test_after_the_window_a_card_goes_and_the_words_when_the_person_comes(
    office: Office, database: Database, clock: StoppedClock
) -> None:
    put(office, office.person())
    await again(office, clock, LATER)
    assert office.wechat.sent == [("alin", "message")] and row(office) == ("held", "card")
    (tried,) = office.attempts()
    assert tried.channel == "template"
    assert tried.passed == "wechat/custom:over;wechat/once:no grant;wechat/subscription:no grant"
    await again(office, clock)
    assert len(office.wechat.sent) == 1, "one card about one message"
    Chat(database, "alin").say("我来了")
    await again(office, clock)
    assert office.wechat.texts == ["message", "你好"] and row(office)[0] == "sent"


async def test_permissions_come_before_templates_and_are_used_once(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    grant(office, "once", "1000")
    grant(office, "subscription", "S")
    clock.pass_time(LATER)
    for text in ("一", "二", "三"):
        put(office, person, text)
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["once", "subscription", "template"]
    assert spent(office) == ["used", "used"]


async def test_a_call_that_was_certainly_not_made_gives_its_permission_back(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    grant(office, "once", "1000")
    put(office, person)
    office.wechat.outcomes = [Outcome("retry", "-1", retry_after=5.0)]
    await again(office, clock, LATER)
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["once", "once"]
    assert spent(office) == ["used"] and row(office) == ("held", "card")


async def test_the_platforms_word_that_a_permission_is_gone_ends_it_and_the_next_way_is_taken(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    grant(office, "subscription", "S")
    grant(office, "subscription", "S")
    office.wechat.outcomes = [Outcome("closed", "43101")]
    put(office, person)
    await again(office, clock, LATER)
    assert [channel for channel, _key in office.wechat.ways] == ["subscription", "template"]
    assert spent(office) == ["gone", "used"], "the one that was used, and the one that the platform does not know of"


@pytest.mark.parametrize("code", ["45015", "45047"])
async def test_a_window_that_the_platform_calls_closed_is_not_tried_again_until_the_person_writes(
    office: Office, database: Database, clock: StoppedClock, code: str
) -> None:
    person = office.person()
    office.wechat.outcomes = [Outcome("closed", code)]
    put(office, person, "一")
    await office.work()
    assert [channel for channel, _key in office.wechat.ways] == ["custom", "template"]
    put(office, person, "二")
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways] == ["custom", "template", "template"]
    Chat(database, "alin").say("在的")
    await again(office, clock)
    assert [channel for channel, _key in office.wechat.ways][3:] == ["custom", "custom"]
    assert {state for state, _why in (row(office, "一"), row(office, "二"))} == {"sent"}


async def test_an_uncertain_template_is_sent_again_under_the_same_key_and_is_no_longer_uncertain(
    office: Office, clock: StoppedClock
) -> None:
    put(office, office.person())
    office.wechat.outcomes = [Outcome("uncertain", "timeout")]
    await again(office, clock, LATER)
    assert row(office)[0] == "waiting" and office.rows()["你好"].resends == 0
    await again(office, clock)
    assert len({key for _channel, key in office.wechat.ways}) == 1 and len(office.wechat.ways) == 2
    assert row(office) == ("held", "card")


async def test_a_template_under_way_when_its_worker_died_is_sent_again_under_its_key(
    office: Office, database: Database, clock: StoppedClock
) -> None:
    put(office, office.person(), priority=CAMPAIGN)
    clock.pass_time(LATER)
    with database.write() as session:  # a worker claims it, begins its call, and is gone
        (claimed,) = claim(session, "dead", [WECHAT], 1)
        door = session.exec(select(Door)).one()
        begin_attempts(session, [("a1", claimed.id, door.id, "template", "")])
    assert row(office)[0] == "sending"
    clock.pass_time(timedelta(seconds=30))
    with database.write() as session:
        assert claiming.sweep(session) == 1
    assert row(office)[0] == "waiting", "a campaign too: the platform sends once under this key"
    office.deliverer = office.worker("two")
    await again(office, clock)
    assert office.wechat.ways == [("template", claimed.id)]
    assert row(office) == ("held", "card") and office.rows()["你好"].resends == 0


async def test_no_other_door_is_tried_while_a_call_may_have_arrived(office: Office, clock: StoppedClock) -> None:
    person = office.person("alin")
    office.older_door(person)
    office.wechat.outcomes = [Outcome("uncertain", "timeout")]
    put(office, person)
    await office.work()
    await again(office, clock, LATER)
    assert office.telegram.sent == [] and [channel for channel, _key in office.wechat.ways] == ["custom"]
    assert row(office) == ("held", "no open channel")


async def test_an_emergency_goes_on_to_the_next_door_and_takes_words_before_a_card(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person("alin", TELEGRAM)
    with office.database.write() as session:
        for door in session.exec(select(Door)):
            door.last_in_at = clock.now() - (timedelta(0) if door.platform == "wechat" else timedelta(days=1))
            session.add(door)
    clock.pass_time(LATER)
    put(office, person, priority=EMERGENCY)
    await again(office, clock)
    assert office.telegram.texts == ["请到微信里看"], "what stands at one door is not what stands at the other"
    assert office.wechat.sent == [] and row(office)[0] == "sent"


async def test_a_closed_door_leads_to_the_next_one_with_the_words_for_that_one(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person("alin", TELEGRAM)
    with office.database.write() as session:
        for door in session.exec(select(Door)):
            door.last_in_at = clock.now() - (timedelta(0) if door.platform == "wechat" else timedelta(days=1))
            session.add(door)
    office.wechat.outcomes = [Outcome("closed", "45015"), Outcome("closed", "40037")]
    put(office, person)
    await office.work()
    assert [channel for channel, _key in office.wechat.ways] == ["custom", "template"]
    assert office.telegram.texts == ["请到微信里看"], "never the words that were made for the other platform"


async def test_the_preferred_door_is_tried_first(office: Office, clock: StoppedClock) -> None:
    person = office.person("alin", TELEGRAM)
    with office.database.write() as session:
        door = session.exec(select(Door).where(Door.platform == "wechat")).one()
        found = session.get_one(Person, person)
        found.preferred_door_id = door.id
        session.add(found)
    put(office, person)
    await office.work()
    assert office.wechat.texts == ["你好"] and office.telegram.sent == []


async def test_what_no_way_takes_waits_on_the_call_list_for_the_persons_next_message(
    office: Office, database: Database, clock: StoppedClock
) -> None:
    person = office.person()
    clock.pass_time(LATER)
    office.put(person, "只有话")  # an answer has no card
    await again(office, clock)
    assert office.wechat.sent == [] and row(office, "只有话") == ("held", "no open channel")
    with database.read() as session:
        assert [(each.person_id, each.why) for each in to_call(session)] == [(person, "no open channel")]
    Chat(database, "alin").say("在的")
    await again(office, clock)
    assert office.wechat.texts == ["只有话"]
    with database.read() as session:
        assert to_call(session) == []


async def test_the_accounts_last_call_of_the_day_closes_the_channel_until_tomorrow(
    office: Office, clock: StoppedClock
) -> None:
    office.wechat.outcomes = [Outcome("closed", "45009")]
    people = [office.person(name) for name in ("a", "b")]
    clock.pass_time(LATER)
    put(office, people[0], "一")
    await again(office, clock)
    put(office, people[1], "二")
    await again(office, clock)
    assert len(office.wechat.ways) == 1, "no call that must fail"
    clock.pass_time(timedelta(days=1))
    put(office, people[1], "三")
    await again(office, clock)
    assert len(office.wechat.ways) == 2


async def test_a_row_is_not_held_behind_a_message_that_came_meanwhile(
    office: Office, database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = office.person()
    clock.pass_time(LATER)
    office.put(person, "只有话")
    deliverer, looked = office.deliverer, False
    pick = deliverer._chooser.pick

    def looks(*arguments: Any) -> Any:
        nonlocal looked
        picks = pick(*arguments)
        if not looked:
            looked = True
            assert [each.id for each in picks.closed]
            with database.write() as session:  # between the look and what is written after it
                inbox.enter(session, *WECHAT, "k1", "alin", "text", {})
                open_door(session, *WECHAT, "alin", "zh_CN", zone="Asia/Shanghai")
        return picks

    monkeypatch.setattr(deliverer._chooser, "pick", looks)
    await again(office, clock)
    assert looked and office.wechat.texts == ["只有话"] and row(office, "只有话")[0] == "sent"


async def test_a_permission_that_an_event_tells_of_lets_go_what_waited_for_one(
    office: Office, clock: StoppedClock
) -> None:
    office.wechat.channels = CHANNELS[:3]
    office.deliverer = office.worker("one")
    person = office.person()
    clock.pass_time(LATER)
    put(office, person)
    await office.work()
    assert row(office) == ("held", "no open channel")
    with office.database.write() as session:
        event = "subscribe_msg_popup_event S=accept"
        granted.heard(session, Inbound("wechat", "test", "alin", "e", "other", clock.at, text=event))
    await again(office, clock)
    assert office.wechat.ways[-1][0] == "subscription" and row(office) == ("held", "card")
