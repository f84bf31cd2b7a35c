"""What a platform said, and what becomes of the message: the next door, another time, once more and marked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.platforms.base import Outcome, OutcomeName
from bot.sending_books import STOPPED_SECONDS
from models import lease
from models.database import Database
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY
from models.person import doors
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, Office
from tests.office import office as office

OUTCOMES: list[tuple[OutcomeName, int, str]] = [
    ("sent", REPLY, "sent"),
    ("retry", REPLY, "waiting"),
    ("uncertain", REPLY, "waiting"),
    ("uncertain", REMINDER, "waiting"),
    ("uncertain", EMERGENCY, "waiting"),
    ("uncertain", CAMPAIGN, "uncertain"),
    ("closed", REPLY, "held"),
    ("left", REPLY, "held"),
    ("refused", REPLY, "refused"),
    ("stopped", REPLY, "waiting"),
]


@pytest.mark.parametrize(("outcome", "priority", "state"), OUTCOMES)
async def test_each_outcome_leads_to_its_state(office: Office, outcome: OutcomeName, priority: int, state: str) -> None:
    office.put(office.person(), priority=priority)
    office.wechat.outcomes = [Outcome(outcome, "45015")]
    await office.deliverer.once()
    row = office.rows()["你好"]
    assert row.state == state
    assert row.claimed_by is None
    assert [one.outcome for one in office.attempts()] == [outcome]
    assert (row.params_sealed is None) == (state in ("sent", "refused", "uncertain"))
    assert len(office.wechat.sent) == 1


async def test_a_closed_door_leads_to_the_next_one(office: Office) -> None:
    office.put(office.person("alin", TELEGRAM))
    office.telegram.outcomes = [Outcome("closed", "45047")]
    await office.deliverer.once()
    assert (len(office.telegram.sent), len(office.wechat.sent)) == (1, 1)
    assert office.state() == "sent"
    assert [one.outcome for one in office.attempts()] == ["closed", "sent"]


async def test_a_person_who_left_one_door_is_reached_by_the_other_from_then_on(office: Office) -> None:
    person = office.person("alin", TELEGRAM)
    office.telegram.outcomes = [Outcome("left", "403")]
    office.put(person)
    await office.deliverer.once()
    office.put(person, "再来")
    await office.work()
    assert len(office.telegram.sent) == 1
    assert office.wechat.texts == ["你好", "再来"]
    with office.database.read() as session:
        assert [door.platform for door in doors(session, person)] == ["wechat"]


async def test_a_reply_bound_to_a_door_goes_through_no_other(office: Office) -> None:
    person = office.person("alin", TELEGRAM)
    with office.database.read() as session:
        bound = next(door.id for door in doors(session, person) if door.platform == "wechat")
    office.put(person, door_id=bound)
    office.wechat.outcomes = [Outcome("closed", "45015")]
    await office.work()
    assert office.telegram.sent == []
    assert office.state() == "held"


async def test_what_was_held_goes_out_at_the_persons_next_message(database: Database, office: Office) -> None:
    chat = Chat(database)
    chat.say("你好呀")
    office.put(chat.person().id)
    office.wechat.outcomes = [Outcome("closed", "45015")]
    await office.work()
    assert office.state() == "held"
    await office.work()
    assert len(office.wechat.sent) == 1, "nobody knocks at a closed door again and again"
    chat.say("在吗")
    await office.work()
    assert office.state() == "sent"


async def test_a_message_for_somebody_without_a_door_waits_for_them(office: Office, database: Database) -> None:
    person = office.person()
    with database.write() as session:
        for door in doors(session, person):
            session.delete(door)
    office.put(person)
    await office.work()
    assert office.state() == "held"
    assert office.wechat.sent == []


async def test_an_uncertain_reply_is_sent_once_more_and_marked(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    office.wechat.outcomes = [Outcome("uncertain", "timeout")] * 3
    await office.work()
    assert len(office.wechat.sent) == 1, "not before a while has passed"
    for _time in range(3):
        clock.pass_time(timedelta(seconds=6))
        office.deliverer._renew_at = 0
        await office.work()
    assert office.wechat.texts == ["你好", "（补发，如已收到请忽略）\n你好"]
    assert office.state() == "uncertain"


async def test_an_uncertain_emergency_is_sent_until_it_is_certain_at_growing_distances(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person(), priority=EMERGENCY)
    office.wechat.outcomes = [Outcome("uncertain", "timeout")] * 4
    pauses = []
    for _time in range(5):
        office.deliverer._renew_at = 0
        await office.work()
        row = office.rows()["你好"]
        if row.not_before is not None and row.state == "waiting":
            pauses.append((row.not_before - clock.at).total_seconds())
            clock.at = row.not_before
    assert pauses == [5, 10, 20, 40]
    assert office.state() == "sent"
    assert len(office.wechat.sent) == 5


async def test_in_an_emergency_the_doors_take_turns_while_nothing_is_certain(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person("alin", TELEGRAM)
    office.put(person, priority=EMERGENCY)
    office.telegram.outcomes = [Outcome("uncertain", "timeout")]  # the door that was used last
    await office.work()
    clock.at += timedelta(seconds=6)
    office.deliverer._renew_at = 0
    await office.work()
    assert (len(office.wechat.sent), len(office.telegram.sent)) == (1, 1)
    assert office.state() == "sent"


async def test_a_pause_of_the_account_outlives_the_process_and_concerns_no_other_account(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    office.put(person)
    office.wechat.outcomes = [Outcome("retry", "45011", retry_after=60, whole_account=True)]
    await office.deliverer.once()
    office.put(office.person("other"), "二")
    elsewhere = office.person("third", TELEGRAM)
    office.put(elsewhere, "三")
    with office.database.write() as session:
        lease.give_up(session, "one")
    fresh = office.worker("two")
    await office.work(fresh)
    assert office.wechat.texts == ["你好"]
    assert office.telegram.texts == ["三"]
    clock.pass_time(timedelta(seconds=61))
    fresh._renew_at = 0
    await office.work(fresh)
    assert sorted(office.wechat.texts) == sorted(["你好", "你好", "二"])


async def test_a_flood_pause_of_one_chat_holds_all_its_messages_and_no_other_chats(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    for text in ("一", "二"):
        office.put(person, text)
    office.wechat.outcomes = [Outcome("retry", "429", retry_after=30)]
    await office.work()
    office.put(person, "三")
    office.put(office.person("other"), "别人")
    await office.work(office.deliverer)
    assert sorted(office.wechat.texts) == sorted(["一", "别人"])
    clock.pass_time(timedelta(seconds=29))
    office.deliverer._renew_at = 0
    await office.work()
    assert len(office.wechat.sent) == 2, "no call to that chat before the time it named"
    clock.pass_time(timedelta(seconds=2))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts[2:] == ["一", "二", "三"]


async def test_an_account_with_a_problem_of_its_own_stops_and_is_tried_again_later(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person())
    office.put(office.person("other"), "二")
    office.wechat.outcomes = [Outcome("stopped", "48001", whole_account=True)] * 2
    await office.work()
    calls = len(office.wechat.sent)
    assert calls <= 2
    await office.work()
    assert len(office.wechat.sent) == calls
    clock.pass_time(timedelta(seconds=STOPPED_SECONDS + 1))
    office.deliverer._renew_at = 0
    await office.work()
    assert {row.state for row in office.rows().values()} == {"sent"}


async def test_an_account_that_was_refused_is_asked_without_any_message_until_it_is_served_again(
    office: Office, clock: StoppedClock
) -> None:
    office.put(office.person())
    refused = Outcome("stopped", "401", ask_first=True)
    office.wechat.outcomes, office.wechat.still = [refused], [refused, refused]
    await office.work()
    for asked in (1, 2):
        clock.pass_time(timedelta(seconds=STOPPED_SECONDS + 1))
        office.deliverer._renew_at = 0
        await office.work()
        assert (len(office.wechat.sent), office.wechat.probes) == (1, asked), "no message is put at risk"
        await office.work()
        assert office.wechat.probes == asked, "it rests as long as after the first refusal"
    clock.pass_time(timedelta(seconds=STOPPED_SECONDS + 1))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.probes == 3
    assert {row.state for row in office.rows().values()} == {"sent"}


@pytest.mark.parametrize(("priority", "ends"), [(REPLY, "held"), (CAMPAIGN, "refused"), (EMERGENCY, "waiting")])
async def test_a_message_that_meets_a_refused_account_three_times_is_not_called_for_a_fourth(
    office: Office, clock: StoppedClock, priority: int, ends: str
) -> None:
    office.put(office.person(), priority=priority)
    office.wechat.outcomes = [Outcome("stopped", "48001", whole_account=True, ask_first=True)] * 4
    for _time in range(5):
        await office.work()
        clock.pass_time(timedelta(seconds=STOPPED_SECONDS + 1))
        office.deliverer._renew_at = 0
    assert [row.state for row in office.rows().values()] == ["sent" if ends == "waiting" else ends]
    assert len(office.wechat.sent) == (5 if ends == "waiting" else 3)
