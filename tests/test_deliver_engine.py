"""The sender at work: what hangs holds up nobody, the most urgent overtakes, whoever stops leaves nothing in doubt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, update
from structlog.testing import capture_logs

from bot import sending_choice, sending_leases, sending_line
from bot.deliver import Deliverer
from bot.platforms.base import Outcome
from bot.sending_books import Books
from bot.sending_line import Limits
from handlers.message import Reply
from models import claiming, lease, outbox
from models.database import DatabaseAway
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, OutboxMessage, enqueue
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office, Player
from tests.office import office as office


class Slow(Player):
    """Calls to some chats hang until they are let go; `times` tells when each call began."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging: set[str] = set()
        self.go = asyncio.Event()
        self.times: list[tuple[str, float]] = []

    async def send(self, sender: str, reply: Reply, **more: Any) -> Outcome:
        self.times.append((reply.text, time.monotonic()))
        if sender in self.hanging:
            await self.go.wait()
        return await super().send(sender, reply, **more)


@pytest.fixture
def slow(office: Office) -> Slow:
    office.wechat = Slow()
    return office.wechat


@asynccontextmanager
async def working(sender: Deliverer) -> AsyncIterator[asyncio.Event]:
    """The sender runs; ends with it."""
    stopping = asyncio.Event()
    task = asyncio.create_task(sender.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await asyncio.wait_for(task, 8)


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 what is waited for has no event of its own
            await asyncio.sleep(0.01)


def worker(office: Office, name: str = "one", **limits: Any) -> Deliverer:
    return office.worker(name, {WECHAT: Limits(**limits), TELEGRAM: Limits()})


async def test_hanging_chats_give_their_places_to_others(
    office: Office, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_line, "SLOW_SECONDS", 0.1)
    slow.hanging = {"hangs0", "hangs1", "hangs2", "hangs3"}
    for number in range(4):
        office.put(office.person(f"hangs{number}"), f"hangs{number}")
    for number in range(6):
        office.put(office.person(f"p{number}"), f"n{number}")
    async with working(worker(office, at_once=2)):
        await until(lambda: len(slow.sent) == 6)
        assert sorted(slow.texts) == [f"n{number}" for number in range(6)]
        slow.go.set()
        await until(lambda: len(slow.sent) == 10)
    assert {row.state for row in office.rows().values()} == {"sent"}


async def test_one_accounts_many_do_not_keep_anothers_few_waiting(
    office: Office, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_choice, "TOGETHER", 10)
    for number in range(40):
        office.put(office.person(f"p{number}"), f"c{number}")
    office.put(office.person("both", TELEGRAM), "few")
    sender = worker(office)
    assert await sender.once() == 6
    assert (len(slow.sent), len(office.telegram.sent)) == (5, 1)


async def test_an_emergency_has_places_of_its_own(office: Office, slow: Slow) -> None:
    slow.hanging = {"hangs0", "hangs1"}
    for number in range(2):
        office.put(office.person(f"hangs{number}"), f"hangs{number}")
    async with working(worker(office, at_once=2)):
        await until(lambda: slow.in_flight == 0 and len(slow.times) == 2)
        office.put(office.person("late"), "later")
        office.put(office.person("cries"), "help", priority=EMERGENCY)
        await until(lambda: slow.texts == ["help"], seconds=1.0)  # the contract: it leaves within a second
        slow.go.set()
        await until(lambda: len(slow.sent) == 4)


async def test_an_emergency_overtakes_a_full_queue(office: Office, slow: Slow) -> None:
    for number in range(60):
        office.put(office.person(f"p{number}"), f"c{number}", priority=CAMPAIGN)
    async with working(worker(office, a_second=20)):
        await until(lambda: len(slow.sent) >= 5)
        office.put(office.person("cries"), "help", priority=EMERGENCY)
        before = len(slow.sent)
        await until(lambda: "help" in slow.texts, seconds=1.0)
        assert slow.texts.index("help") <= before + 20
    waiting = [row for row in office.rows().values() if row.state == "waiting"]
    assert len(waiting) >= 30, "nobody waited for the queue"
    assert {row.state for row in office.rows().values()} == {"sent", "waiting"}


async def test_the_next_message_of_a_chat_waits_and_takes_no_place(office: Office, slow: Slow) -> None:
    one, other = office.person("one"), office.person("other")
    for text in ("first", "second", "third"):
        office.put(one, text)
    for text in ("a", "b"):
        office.put(other, text)
    async with working(worker(office, at_once=1, chat_seconds=0.4)):
        await until(lambda: len(slow.sent) == 5)
    began = dict(slow.times)
    assert slow.texts.index("a") < slow.texts.index("second"), "the only place was free for others"
    assert began["second"] - began["first"] >= 0.4
    assert began["third"] - began["second"] >= 0.4
    assert began["b"] - began["a"] >= 0.4
    assert [text for text in slow.texts if text in ("first", "second", "third")] == ["first", "second", "third"]


async def test_a_sender_that_stops_puts_back_what_has_not_begun(office: Office, slow: Slow) -> None:
    slow.hanging = {"p0"}
    for number in range(8):
        office.put(office.person(f"p{number}"), f"n{number}")
    async with working(worker(office, a_second=5)) as stopping:
        await until(lambda: len(slow.times) == 2)
        stopping.set()
        await asyncio.sleep(0.1)
        slow.go.set()  # the call under way may end
    began = {text for text, _time in slow.times}
    rows = office.rows()
    assert {text for text, row in rows.items() if row.state == "sent"} == began
    back = [row for text, row in rows.items() if text not in began]
    assert {(row.state, row.claimed_by, row.deadline, row.resends) for row in back} == {("waiting", None, None, 0)}
    assert any(row.why == "not begun in time" for row in back), "some were claimed already"
    with office.database.read() as session:
        assert lease.holders(session) == {}
    await office.work(office.worker("two"))
    assert sorted(slow.texts) == [f"n{number}" for number in range(8)], "each once, unmarked"


async def test_a_call_that_does_not_end_when_the_sender_stops_is_in_doubt(
    office: Office, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.deliver.STOP_SECONDS", 0.2)
    slow.hanging = {"p0"}
    office.put(office.person("p0"), "n0", priority=CAMPAIGN)
    async with working(worker(office)):
        await until(lambda: len(slow.times) == 1)
    assert office.state("n0") == "uncertain"


async def test_nothing_begins_after_the_lease_has_ended(office: Office, slow: Slow) -> None:
    slow.hanging = {"p0"}
    for number in range(6):
        office.put(office.person(f"p{number}"), f"n{number}")
    sender = worker(office, a_second=5)
    async with working(sender):
        await until(lambda: len(slow.times) == 2)
        sender.leases[WECHAT] = 0.0  # as after a pause of the process, or with the database away
        begun = len(slow.times)
        await asyncio.sleep(0.7)
        assert len(slow.times) == begun
        slow.go.set()
        await until(lambda: len(slow.sent) == begun)  # what was under way when it ended is written down
    states = [row.state for row in office.rows().values()]
    assert states.count("sent") == begun
    assert states.count("waiting") == 6 - begun
    assert "late" in {one.outcome for one in office.attempts()}


async def test_a_message_that_cannot_be_opened_harms_no_other_of_its_batch(office: Office) -> None:
    for number in range(5):
        office.put(office.person(f"p{number}"), f"n{number}")
    with office.database.write() as session:
        broken = update(OutboxMessage).where(col(OutboxMessage.unique_key) == "n2")
        session.execute(broken.values(params_sealed=b"\\x01 of another key"))
    await office.work()
    assert sorted(office.wechat.texts) == ["n0", "n1", "n3", "n4"]
    assert (office.state("n2"), office.rows()["n2"].why) == ("waiting", "no words")


async def test_an_outcome_that_cannot_be_written_harms_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = Books._rule

    def broken(self: Books, session: Session, call: Any, outcome: Outcome, *more: Any) -> None:
        if outcome.code == "strange":
            raise ValueError("a bug")
        rule(self, session, call, outcome, *more)

    monkeypatch.setattr(Books, "_rule", broken)
    for number in range(5):
        office.put(office.person(f"p{number}"), f"n{number}")
    office.wechat.outcomes = [Outcome("refused", "strange")]
    with capture_logs() as told:
        await office.work()
    assert [one["event"] for one in told if one["log_level"] == "error"] == [
        "outcomes_not_written",
        "outcome_not_written",
    ]
    assert sorted(row.state for row in office.rows().values()) == ["sending", "sent", "sent", "sent", "sent"]


async def test_a_claim_whose_commit_was_never_confirmed_is_no_call(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put(office.person())
    claim = Books.claim

    def broken(self: Books, session: Session, *more: Any) -> Any:
        claim(self, session, *more)
        session.commit()
        raise DatabaseAway("the connection broke at that moment")

    with monkeypatch.context() as patch:
        patch.setattr(Books, "claim", broken)
        with pytest.raises(DatabaseAway):
            await office.deliverer.once()
    assert (office.state(), office.wechat.texts) == ("sending", [])
    await office.work()
    assert (office.state(), office.wechat.texts, office.rows()["你好"].resends) == ("sent", ["你好"], 0)


@pytest.mark.parametrize(
    ("priority", "code", "calls", "state"),
    [
        (REPLY, "-1", 3, "held"),
        (REMINDER, "429", 3, "held"),
        (CAMPAIGN, "-1", 3, "refused"),
        (EMERGENCY, "-1", 6, "waiting"),
        (REPLY, "not-sent", 6, "waiting"),
    ],
)
async def test_a_platform_that_says_later_is_asked_three_times(
    office: Office, clock: Any, monkeypatch: pytest.MonkeyPatch, priority: int, code: str, calls: int, state: str
) -> None:
    monkeypatch.setattr(sending_leases, "MISSES", 10)  # nobody else is there to leave the account to
    office.put(office.person(), priority=priority)
    office.wechat.outcomes = [Outcome("retry", code)] * 6
    for _time in range(6):
        await office.work()
        row = office.rows()["你好"]
        clock.at = row.not_before or clock.at
    assert (len(office.wechat.sent), office.state()) == (calls, state)


async def test_messages_of_another_account_stand_in_nobodys_way(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each account looks at its own line."""
    people = [office.person(f"p{number}") for number in range(3)]
    with office.database.write() as session:
        lease.hold(session, "send:wechat:test", "another")
        for number in range(120):
            enqueue(session, people[number % 3], "reply", {"text": "."}, unique_key=f"n{number}", priority=CAMPAIGN)
    office.put(office.person("q", TELEGRAM), "behind", priority=CAMPAIGN, due_at=office.database.clock.now())
    looked: list[int] = []
    due = claiming.due

    def counted(*what: Any, **more: Any) -> list[claiming.Claimed]:
        rows = due(*what, **more)
        looked.append(len(rows))
        return rows

    monkeypatch.setattr(claiming, "due", counted)
    await office.work()
    assert (office.wechat.texts, office.telegram.texts) == ([], ["behind"])
    assert sum(looked) == 1


async def test_a_row_in_the_wrong_line_finds_its_way(office: Office) -> None:
    """Put in before there were lines, or before its person went to another platform."""
    for number, line in enumerate(("", "wechat:gone", "telegram:test")):
        office.put(office.person(f"p{number}"), f"n{number}")
        with office.database.write() as session:
            this = update(OutboxMessage).where(col(OutboxMessage.unique_key) == f"n{number}")
            session.execute(this.values(line=line))
    await office.work()
    assert sorted(office.wechat.texts) == ["n0", "n1", "n2"]
    assert {row.line for row in office.rows().values()} == {"wechat:test"}


async def test_who_has_another_platform_is_reached_there_while_one_is_paused(office: Office) -> None:
    person = office.person("alin", TELEGRAM)
    office.put(person)
    assert office.rows()["你好"].line == "telegram:test", "the door that was used last"
    with office.database.write() as session:
        lease.pause(session, "send:telegram:test", 3600)
    await office.work()
    assert (office.telegram.texts, office.wechat.texts) == ([], ["你好"])


async def test_an_account_that_pauses_begins_no_call_from_that_moment_on(office: Office, slow: Slow) -> None:
    """Not even those that were claimed with the one that met the limit."""
    for number in range(12):
        office.put(office.person(f"p{number}"), f"n{number}")
    slow.outcomes = [Outcome("retry", "45011", retry_after=60, whole_account=True)]
    async with working(worker(office, a_second=20)):
        await until(lambda: len(slow.sent) == 1)
        begun = len(slow.times)
        await asyncio.sleep(0.6)
        assert len(slow.times) == begun
    assert {row.resends for row in office.rows().values()} == {0}


async def test_what_a_living_sender_holds_is_not_swept(office: Office, slow: Slow, clock: StoppedClock) -> None:
    slow.hanging = {"p0"}
    office.put(office.person("p0"), "n0", priority=CAMPAIGN)
    sender = worker(office)
    async with working(sender):
        await until(lambda: len(slow.times) == 1)
        clock.pass_time(timedelta(seconds=outbox.CLAIM_SECONDS + 1))
        await sender._renew()
        with office.database.write() as session:
            assert claiming.sweep(session) == 0
        slow.go.set()
        await until(lambda: office.state("n0") == "sent")
