"""A message out: claimed once, sent in order, ended by what the platform said, never doubled silently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiolimiter import AsyncLimiter
from sqlmodel import Session, select

from bot import deliver as delivering
from bot.deliver import Deliverer
from bot.platforms.base import Outcome, OutcomeName
from handlers import notices
from handlers.here import Here
from handlers.message import Reply
from models import lease, outbox
from models.database import Database, DatabaseAway
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, Attempt, OutboxMessage, enqueue
from models.person import Door, Person, doors, open_door
from tests.chatting import Chat
from tests.conftest import StoppedClock

WECHAT, TELEGRAM = ("wechat", "test"), ("telegram", "test")


class Player:
    """A platform that answers as told; without orders it says “sent”."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.outcomes: list[Outcome] = []
        self.in_flight = self.most_in_flight = 0
        self.seconds = 0.002
        self.before: Callable[[], Any] = lambda: None

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float) -> Outcome:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
            self.before()
            self.sent.append((sender, reply.text))
            return self.outcomes.pop(0) if self.outcomes else Outcome("sent", reference="77")
        finally:
            self.in_flight -= 1

    @property
    def texts(self) -> list[str]:
        return [text for _sender, text in self.sent]


class Office:
    """A database with people, both platforms, and a sender."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.put_so_far = 0
        self.wechat, self.telegram = Player(), Player()
        self.deliverer = self.worker("one")

    def worker(self, name: str) -> Deliverer:
        platforms: Any = {WECHAT: self.wechat, TELEGRAM: self.telegram}
        made = Deliverer(self.database, platforms, lambda platform, account: Here(platform, account), name)
        made._limits = {account: AsyncLimiter(1000, 0.1) for account in platforms}
        return made

    def person(self, name: str = "alin", *more: tuple[str, str]) -> str:
        """A person with a WeChat door, and further doors; the last one named was used last."""
        with self.database.write() as session:
            door, person = open_door(session, *WECHAT, name, "zh_CN", zone="Asia/Shanghai")
            for number, (platform, account) in enumerate(more, 1):
                at = door.last_in_at + timedelta(minutes=number)
                session.add(
                    Door(
                        person_id=person.id,
                        platform=platform,
                        account=account,
                        sender=f"9{name}",
                        opened_at=at,
                        last_in_at=at,
                    )
                )
            return person.id

    def put(self, person: str, text: str = "你好", **more: Any) -> bool:
        # The clock stands still: each is due a microsecond after the one before, as it is in life.
        self.put_so_far += 1
        due = self.database.clock.now() - timedelta(seconds=1) + timedelta(microseconds=self.put_so_far)
        usual: dict[str, Any] = {"unique_key": text, "priority": REPLY, "due_at": due}
        with self.database.write() as session:
            return enqueue(session, person, "reply", Reply(text).as_json(), **{**usual, **more})

    async def work(self, deliverer: Deliverer | None = None) -> None:
        """Until nothing is left to be done now."""
        while await (deliverer or self.deliverer).once():
            pass

    def rows(self) -> dict[str, OutboxMessage]:
        with self.database.read() as session:
            return {row.unique_key: row for row in session.exec(select(OutboxMessage))}

    def state(self, key: str = "你好") -> str:
        return self.rows()[key].state

    def attempts(self) -> list[Attempt]:
        with self.database.read() as session:
            return list(session.exec(select(Attempt).order_by(Attempt.id)))


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


async def test_a_message_is_written_down_before_the_call_and_completed_after_it(office: Office) -> None:
    office.put(office.person())
    seen: list[tuple[str, int]] = []
    office.wechat.before = lambda: seen.append((office.state(), len(office.attempts())))
    await office.work()
    assert seen == [("sending", 1)]
    row = office.rows()["你好"]
    assert (row.state, row.claimed_by, row.params_sealed) == ("sent", None, None)
    assert [(one.outcome, one.reference, one.ended_at is not None) for one in office.attempts()] == [
        ("sent", "77", True)
    ]
    assert office.wechat.sent == [("alin", "你好")]


async def test_a_unique_key_goes_out_once(office: Office) -> None:
    person = office.person()
    assert office.put(person, "甲", unique_key="k")
    assert not office.put(person, "乙", unique_key="k")
    await office.work()
    assert not office.put(person, "丙", unique_key="k")
    await office.work()
    assert office.wechat.texts == ["甲"]


async def test_the_most_urgent_goes_first_then_what_was_due_first(office: Office, clock: StoppedClock) -> None:
    person = office.person()
    for text, priority, minutes in (
        ("活动", CAMPAIGN, -9),
        ("提醒", REMINDER, -5),
        ("后", REPLY, -1),
        ("先", REPLY, -2),
        ("急", EMERGENCY, 0),
        ("明天", EMERGENCY, 600),
    ):
        office.put(person, text, priority=priority, due_at=clock.now() + timedelta(minutes=minutes))
    await office.work()
    assert office.wechat.texts == ["急", "先", "后", "提醒", "活动"]
    clock.pass_time(timedelta(hours=10))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts[-1] == "明天"


async def test_one_call_is_in_flight_per_chat_and_others_go_on_beside_it(office: Office) -> None:
    one = office.person("one")
    for number in range(6):
        office.put(one, f"一{number}")
    await office.work()
    assert office.wechat.most_in_flight == 1
    assert office.wechat.texts == [f"一{number}" for number in range(6)], "a person reads in order"
    office.wechat.seconds = 0.3  # longer than it takes a busy machine to begin the next
    for number in range(6):
        office.put(office.person(f"p{number}"), f"二{number}")
    await office.work()
    assert office.wechat.most_in_flight > 1


async def test_a_lease_held_by_another_copy_keeps_this_one_from_sending(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    other = office.worker("two")
    await other.once()
    assert office.wechat.texts == ["你好"]
    office.put(office.person(), "再来")
    assert await office.deliverer.once() == 0
    assert office.wechat.texts == ["你好"]
    clock.pass_time(timedelta(seconds=lease.LEASE_SECONDS + 1))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts == ["你好", "再来"]


async def test_a_sender_that_stops_hands_its_accounts_over_at_once(office: Office) -> None:
    other, stopping = office.worker("two"), asyncio.Event()
    await other.once()
    assert set(other.leases) == {WECHAT, TELEGRAM}
    stopping.set()
    await asyncio.wait_for(other.run(stopping), 5)
    office.put(office.person())
    await office.work()
    assert office.wechat.texts == ["你好"]


def test_the_fencing_number_grows_with_every_change_of_holder(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        assert [lease.hold(session, "x", "a"), lease.hold(session, "x", "a"), lease.hold(session, "x", "b")] == [
            1,
            1,
            None,
        ]
        clock.pass_time(timedelta(seconds=11))
        assert lease.hold(session, "x", "b") == 2
        assert lease.holders(session) == {"x": "b"}
        lease.give_up(session, "b")
        assert lease.hold(session, "x", "a") == 3


async def test_two_senders_claim_nothing_twice(database: Database, office: Office) -> None:
    people = [office.person(f"p{number}") for number in range(40)]
    for number, person in enumerate(people):
        office.put(person, f"n{number}")

    def claim(worker: str) -> list[str]:
        found: list[str] = []
        while True:
            with database.write() as session:
                rows = outbox.claim(session, worker, [WECHAT], 3)
            if not rows:
                return found
            found += [row.id for row in rows]

    first, second = await asyncio.gather(asyncio.to_thread(claim, "a"), asyncio.to_thread(claim, "b"))
    assert len(first) + len(second) == len({*first, *second}) == 40


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


async def test_what_is_too_old_is_not_sent(office: Office, clock: StoppedClock, database: Database) -> None:
    person = office.person()
    office.put(person, "旧", expires_at=clock.now() + timedelta(hours=1))
    office.put(person, "新", expires_at=clock.now() + timedelta(hours=3))
    clock.pass_time(timedelta(hours=2))
    await office.work()
    assert office.wechat.texts == ["新"]
    assert office.state("旧") == "expired"
    office.put(person, "放着", due_at=clock.now() + timedelta(days=2), expires_at=clock.now() + timedelta(days=1))
    clock.pass_time(timedelta(days=3))
    with database.write() as session:
        assert outbox.expire(session) == 1
    assert office.state("放着") == "expired"


async def test_what_is_no_longer_true_is_superseded_when_its_words_are_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(notices.NOTICES, "reply", lambda session, person, params: None)
    office.put(office.person())
    await office.work()
    assert office.wechat.sent == []
    assert office.state() == "superseded"
    assert office.attempts() == []


async def test_a_message_whose_words_cannot_be_made_waits_and_holds_nobody_up(
    office: Office, monkeypatch: pytest.MonkeyPatch, clock: StoppedClock
) -> None:
    def broken(session: Session, person: Person, params: dict[str, Any]) -> Reply:
        raise ValueError("a bug")

    person = office.person()
    with monkeypatch.context() as patch:
        patch.setitem(notices.NOTICES, "notice.broken", broken)
        with office.database.write() as session:
            enqueue(session, person, "notice.broken", {}, unique_key="坏", priority=EMERGENCY)
            enqueue(session, person, "notice.of.tomorrow", {}, unique_key="明天", priority=EMERGENCY)
        office.put(person)
        await office.work()
    assert office.wechat.texts == ["你好"]
    assert {key: row.state for key, row in office.rows().items()} == {
        "坏": "waiting",
        "明天": "waiting",
        "你好": "sent",
    }
    monkeypatch.setitem(notices.NOTICES, "notice.of.tomorrow", lambda session, person, params: Reply("来了"))
    clock.pass_time(timedelta(seconds=61))
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts == ["你好", "来了"]
    assert office.rows()["坏"].resends == 0, "nothing was sent, so nothing is marked as sent again"


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
    clock.pass_time(timedelta(seconds=delivering.STOPPED_SECONDS + 1))
    office.deliverer._renew_at = 0
    await office.work()
    assert {row.state for row in office.rows().values()} == {"sent"}


@pytest.mark.parametrize(
    ("priority", "states", "marked"),
    [(REPLY, "waiting", True), (REMINDER, "waiting", True), (CAMPAIGN, "uncertain", False)],
)
async def test_the_claim_of_a_dead_worker_is_swept_and_its_message_marked(
    office: Office, clock: StoppedClock, priority: int, states: str, marked: bool
) -> None:
    office.put(office.person(), priority=priority)
    with office.database.write() as session:
        assert len(outbox.claim(session, "dead", [WECHAT], 10)) == 1
        assert outbox.sweep(session) == 0, "its deadline has not passed"
    clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
    with office.database.write() as session:
        assert outbox.sweep(session) == 1
        assert outbox.sweep(session) == 0
    assert office.state() == states
    await office.work()
    assert office.wechat.texts == (["（补发，如已收到请忽略）\n你好"] if marked else [])


async def test_a_claim_that_ran_out_before_the_call_is_not_called(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put(office.person())
    monkeypatch.setattr(outbox, "CLAIM_SECONDS", 0.5)
    await office.deliverer.once()
    assert office.wechat.sent == []
    assert office.state() == "waiting"
    assert [one.outcome for one in office.attempts()] == ["late"]


async def test_a_worker_that_lost_its_claim_changes_nothing_any_more(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())

    def lose() -> None:
        clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
        with office.database.write() as session:
            outbox.sweep(session)
            outbox.claim(session, "two", [WECHAT], 10)

    office.wechat.before = lose
    await office.deliverer.once()
    row = office.rows()["你好"]
    assert (row.state, row.claimed_by) == ("sending", "two")


async def test_an_outage_in_the_middle_of_a_call_ends_in_one_marked_message_more(
    office: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put(office.person())

    def gone(*_anything: Any) -> Any:
        raise DatabaseAway("test")

    with monkeypatch.context() as patch:
        patch.setattr(Deliverer, "_end", gone)
        with pytest.raises(DatabaseAway):
            await office.deliverer.once()
    assert office.state() == "sending"
    clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
    with office.database.write() as session:
        outbox.sweep(session)
    office.deliverer._renew_at = 0
    await office.work()
    assert office.wechat.texts == ["你好", "（补发，如已收到请忽略）\n你好"]


async def test_a_platform_that_raises_stops_nobody_else(office: Office) -> None:
    def explode() -> None:
        office.wechat.before = lambda: None
        raise RuntimeError("a bug in an adapter")

    office.wechat.before = explode
    office.put(office.person("one"), "一")
    office.put(office.person("two"), "二")
    await office.work()
    assert sorted(row.state for row in office.rows().values()) == ["sending", "sent"]


async def test_withdrawn_messages_are_not_sent(office: Office, database: Database) -> None:
    person = office.person()
    office.put(person)
    with database.write() as session:
        assert outbox.withdraw(session, person, why="left") == 1
    await office.work()
    assert office.wechat.sent == []
    assert office.state() == "withdrawn"
