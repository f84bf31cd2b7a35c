"""Inbox, conversation and outbox under everything at once, in any order: a state machine against a played platform.

What arrived is decided by what stood on the played screens. Turns, transactions, sweeps and the sending engine are the
product's; processes die between any two transactions.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from bot import hearing
from bot.deliver import Deliverer
from bot.hearing import Hearing
from bot.platforms.base import Outcome
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.notices import words
from models import lease, outbox
from models.database import Database, DatabaseAway, vault_of
from models.inbox import InboxMessage
from models.outbox import Attempt, OutboxMessage
from models.person import Person, doors
from scheduler import jobs
from tests.conftest import START, StoppedClock
from tests.due import clear
from tests.faults.played import Said, Screen
from tests.outgoing import ACCOUNTS, claim

FINAL = {"sent", "uncertain", "refused", "superseded", "expired", "withdrawn"}
OUTCOMES = ("sent", "unclear, came", "unclear, lost", "retry", "left", "refused", "closed")
SENDERS = (("wechat", "alin"), ("wechat", "bobo"), ("telegram", "77"))
REPEATED_FOR = timedelta(seconds=20)  # WeChat comes again for so long; Telegram for longer, which proves no more
_WORDS = re.compile(r"回答 (\S+)")
_turn = hearing.turn


class Machine(RuleBasedStateMachine):
    """The world; `database`, `clock` and `monkeypatch` are set by the test."""

    database: Database
    clock: StoppedClock
    now: Machine  # the one that runs, for what is put in place of the turn

    def __init__(self) -> None:
        super().__init__()
        Machine.now = self
        self.loop = asyncio.new_event_loop()
        self.said: dict[str, Said] = {}
        self.finals: dict[str, str] = {}
        self.rows: set[str] = set()
        self.outcomes: list[str] = []
        self.to_mark: list[str] = []
        self.failing: set[str] = set()
        self.replied: set[str] = set()  # messages whose turn had an answer
        self.away = False
        self.processes = 0
        self.gone: set[tuple[str, str]] = set()

    @initialize()
    def begin(self) -> None:
        """An empty deployment whose people follow."""
        clear(self.database)
        self.clock.at = START
        self.new_process()
        for platform, sender in SENDERS:
            self.hear(self.message(platform, sender, "follow"), "handed")

    def new_process(self) -> None:
        """A composition root that knows nothing of the one before."""
        self.processes += 1
        self.name = f"process {self.processes}"
        self.to_mark = []
        self.hearing = Hearing(self.database, self.here_of, lambda _inbound: True, lambda _key: False)
        self.deliverer: Deliverer | None = None

    def here_of(self, inbound: Inbound) -> Here:
        return self.here(inbound.platform, inbound.account)

    def here(self, platform: str, account: str) -> Here:
        return Here(platform, account, sensitive_in_chat=platform == "wechat", public_url="https://nuanyang.example")

    def message(self, platform: str, sender: str, kind: Any, text: str = "") -> Said:
        key = f"{len(self.said)}-{sender}"
        self.said[key] = Said(Inbound(platform, "test", sender, key, kind, self.clock.now(), text=text))
        return self.said[key]

    # What people and platforms do

    @rule(
        who=st.sampled_from(SENDERS),
        text=st.sampled_from(["你好", "菜单", "报名", "2", "取消", "我的"]),
        fate=st.data(),
    )
    def writes(self, who: tuple[str, str], text: str, fate: st.DataObject) -> None:
        """Somebody writes."""
        if who not in self.gone:
            said = self.message(*who, "text", text)
            self.hear(said, fate.draw(st.sampled_from(["handed", "handed, not written down", "cut", "late", "died"])))

    @rule(who=st.sampled_from(SENDERS))
    def writes_what_breaks_the_turn(self, who: tuple[str, str]) -> None:
        """The turn fails, and the person reads an apology."""
        if who not in self.gone:
            said = self.message(*who, "text", "你好")
            self.failing.add(said.inbound.key)
            self.hear(said, "handed")

    @rule(who=st.sampled_from(SENDERS))
    def unfollows(self, who: tuple[str, str]) -> None:
        """Nothing is sent to them from now on."""
        if who not in self.gone:
            self.hear(self.message(*who, "unfollow"), "handed")
            self.gone.add(who)
            for said in self.said.values():
                said.left = said.left or (said.inbound.platform, said.inbound.sender) == who

    @rule(who=st.sampled_from(SENDERS))
    def follows(self, who: tuple[str, str]) -> None:
        """They come, or come back."""
        self.gone.discard(who)
        self.hear(self.message(*who, "follow"), "handed")

    @rule(pick=st.integers(0, 99), fate=st.sampled_from(["handed", "handed, not written down", "cut", "died"]))
    def comes_again(self, pick: int, fate: str) -> None:
        """A platform repeats what was not answered, at most twice and for some seconds."""
        open_ = [
            said
            for said in self.said.values()
            if 0 < said.calls < 3
            and not said.acknowledged
            and not said.seen
            and self.clock.now() - said.inbound.sent_at <= REPEATED_FOR
            and (said.inbound.platform, said.inbound.sender) not in self.gone
        ]
        if open_:
            said = open_[pick % len(open_)]
            self.hear(said, fate)

    def hear(self, said: Said, fate: str) -> None:
        """One call of the platform, and what becomes of its answer."""
        said.calls += 1
        try:
            received = self.hearing.alone(said.inbound, fate != "late")
        except DatabaseAway:
            said.spooled = said.accepted = said.acknowledged = (
                True  # the spool's own tests are elsewhere; here it is heard again later
            )
            return
        said.accepted = True
        if fate == "late":
            said.acknowledged = True  # the reply is the outbox's
            return
        if received.reply is not None and fate.startswith("handed"):
            self.show(said.inbound.platform, said.inbound.sender, received.reply)
        if fate == "handed" and received.row:
            self.to_mark.append(received.row)
        elif fate == "died":
            self.dies()

    def show(self, platform: str, sender: str, reply: Reply) -> None:
        """A message stands on the screen."""
        found = _WORDS.search(reply.text)
        if found is None:
            return
        said = self.said[found[1]]
        assert (said.inbound.platform, said.inbound.sender) == (platform, sender), "somebody else's answer"
        said.seen.append("补发" in reply.text)

    # What processes and machines do

    @rule(seconds=st.sampled_from([1, 5, 13, 31, 70, 3_600, 48 * 3_600]))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_time(timedelta(seconds=seconds))

    @rule()
    def dies(self) -> None:
        """Without a word; another copy takes the leases over when they have run out."""
        self.clock.pass_time(timedelta(seconds=lease.LEASE_SECONDS))
        self.new_process()

    @rule()
    def database_comes_and_goes(self) -> None:
        self.away = not self.away

    @rule()
    def keeps_up(self) -> None:
        """What a process does beside the turns: the spool, what was handed over, what was not."""
        try:
            for said in list(self.said.values()):
                if said.spooled:
                    self.hearing.alone(said.inbound, False)
                    said.spooled = False
            self.hearing.mark(self.to_mark)
            self.to_mark = []
            self.hearing.sweep()
        except DatabaseAway:
            return

    @precondition(lambda self: not self.away)
    @rule(job=st.sampled_from([jobs.sweep_claims, jobs.expire_messages]))
    def a_job_runs(self, job: jobs.Job) -> None:
        job(self.database)

    @precondition(lambda self: not self.away)
    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=4))
    def sends(self, outcomes: list[str]) -> None:
        """The engine sends what is due; these calls end as drawn, all others well."""
        self.outcomes = list(outcomes)
        self.deliver()

    def deliver(self) -> int:
        if self.deliverer is None:
            screens: dict[Any, Any] = {(name, "test"): Screen(name, self.called) for name in ("wechat", "telegram")}
            self.deliverer = Deliverer(self.database, screens, self.here, self.name)
        return self.loop.run_until_complete(asyncio.wait_for(self.deliverer.once(), 20))

    def called(self, platform: str, sender: str, reply: Reply) -> Outcome:
        """A call reaches the platform."""
        outcome = self.outcomes.pop(0) if self.outcomes else "sent"
        if (platform, sender) in self.gone:
            return Outcome("left", "43004")
        if outcome in ("sent", "unclear, came"):
            self.show(platform, sender, reply)
        if outcome.startswith("unclear"):
            return Outcome("uncertain", "timeout")
        return Outcome(outcome, retry_after=5.0 if outcome == "retry" else 0.0)  # type: ignore[arg-type]

    @precondition(lambda self: not self.away)
    @rule(came=st.booleans(), called=st.booleans())
    def a_worker_dies_while_sending(self, came: bool, called: bool) -> None:
        """Claimed, perhaps written down, perhaps called; never told."""
        with self.database.write() as session:
            rows = claim(session, "a worker that died", ACCOUNTS, 3)
            for row in rows if called else ():
                door = self.door(session, row)
                if door is not None:
                    outbox.begin_attempt(session, row.id, door.id)
        if called and came:
            with self.database.read() as session:
                for row in rows:
                    door = self.door(session, row)
                    if door is not None and (door.platform, door.sender) not in self.gone:
                        self.show(door.platform, door.sender, self.words(session, row))

    def door(self, session: Session, row: Any) -> Any:
        found = [each for each in doors(session, row.person_id) if row.door_id in (None, each.id)]
        return found[0] if found else None

    def words(self, session: Session, row: Any) -> Reply:
        """As the engine would have put it."""
        params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed)
        session.info["here"] = self.here("wechat", "test")
        reply = words(session, session.get_one(Person, row.person_id), row.kind, params, again=row.resends > 0)
        return reply if reply is not None else Reply("")

    # What must hold at every moment

    @invariant()
    def every_message_stands_in_the_inbox_once(self) -> None:
        with self.looking() as session:
            keys = Counter(session.exec(select(InboxMessage.key)).all())
        assert set(keys.values()) <= {1}
        heard = {key for key, said in self.said.items() if said.accepted and not said.spooled}
        assert heard <= set(keys) <= {key for key, said in self.said.items() if said.calls}

    @invariant()
    def no_row_is_lost_and_nothing_final_changes(self) -> None:
        with self.looking() as session:
            rows = {row.id: row for row in session.exec(select(OutboxMessage)).all()}
            beneath = set(session.exec(select(Attempt.outbox_id)).all())
        assert self.rows <= set(rows) and beneath <= set(rows)
        self.rows |= set(rows)
        for key, state in self.finals.items():
            assert rows[key].state == state, "a message that had ended changed"
        self.finals |= {row.id: row.state for row in rows.values() if row.state in FINAL}
        for row in rows.values():
            assert (row.state == "sending") == (row.deadline is not None) == (row.claimed_by is not None), row.state
            fresh = row.state == "waiting" and row.resends == 0 and row.not_before is None
            assert row.why or fresh or row.state in ("sending", "sent") or row.resends, (row.state, row.why)
            assert (row.params_sealed is None) == (row.state in FINAL)

    @invariant()
    def nobody_reads_an_answer_twice_without_being_told(self) -> None:
        for key, said in self.said.items():
            assert said.seen.count(False) <= 1, f"the answer to {key} came twice: {said}"
            assert len(said.seen) <= 2, f"the answer to {key} came {len(said.seen)} times"

    @contextmanager
    def looking(self) -> Iterator[Session]:
        """The test looks, whatever the product can."""
        away, self.away = self.away, False
        try:
            with self.database.read() as session:
                yield session
        finally:
            self.away = away

    def teardown(self) -> None:
        """In the end everything is well: then each answer came, or a row says why it did not."""
        try:
            self.away, self.outcomes = False, []
            if self.said:
                self.at_the_end()
        finally:
            if self.deliverer is not None:
                self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def at_the_end(self) -> None:
        for _round in range(12):
            self.keeps_up()
            self.clock.pass_time(timedelta(seconds=301))
            jobs.sweep_claims(self.database)
            jobs.expire_messages(self.database)
            while self.deliver():  # a chat's messages one after the other
                pass
        self.every_message_stands_in_the_inbox_once()
        self.no_row_is_lost_and_nothing_final_changes()
        self.nobody_reads_an_answer_twice_without_being_told()
        with self.looking() as session:
            rows = session.exec(select(OutboxMessage).where(col(OutboxMessage.state).not_in(FINAL))).all()
            assert {row.state for row in rows} <= {"held"}, [(row.state, row.why) for row in rows]
            told = {row.unique_key: row for row in session.exec(select(OutboxMessage)).all()}
            inbox_ids = dict(session.exec(select(InboxMessage.key, InboxMessage.id)).all())
        for key, said in self.said.items():
            if said.accepted and key in self.replied and not said.seen and not said.left:
                row = told.get(f"reply:{inbox_ids[key]}")
                assert row is not None, f"nothing became of the answer to {key}: {said}"
                assert row.why and row.state != "sent", f"the answer to {key} did not come, and nothing says why"


def _said_back(session: Session, inbound: Inbound, here: Here, *more: Any) -> tuple[Reply | None, str | None]:
    """The real turn; its answer names the message that it is for."""
    machine = Machine.now
    if inbound.key in machine.failing:
        raise ValueError("this turn was made to fail")
    reply, person = _turn(session, inbound, here, *more)
    if reply is not None:
        machine.replied.add(inbound.key)
        reply = replace(reply, text=f"回答 {inbound.key} 。{reply.text}")
    return reply, person


def play(database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    """Let the machine run; what it found is printed as a program of its rules."""
    monkeypatch.setattr(hearing, "turn", _said_back)
    monkeypatch.setattr(Machine, "database", database, raising=False)
    monkeypatch.setattr(Machine, "clock", clock, raising=False)

    dialect: Any = database.engine.dialect
    honest = dialect.do_commit

    def commit(connection: Any) -> None:
        if Machine.now.away:
            connection.rollback()  # as the product does when the driver's COMMIT fails
            raise OperationalError("COMMIT", None, Exception("away"))
        honest(connection)

    monkeypatch.setattr(dialect, "do_commit", commit)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_whatever_happens_in_whatever_order_each_message_is_answered_once(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(database, clock, monkeypatch, examples=6, steps=25)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_whatever_happens_in_whatever_order_each_message_is_answered_once_in_many_runs(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(database, clock, monkeypatch, examples=150, steps=50)
