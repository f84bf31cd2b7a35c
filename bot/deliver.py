"""A message out: claim → words → platform call → named outcome → one update.

Each call is written down before it is made. One sender per account by a lease; one call in flight per chat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog
from aiolimiter import AsyncLimiter

from bot.platforms.base import Outcome, Platform
from config.texts import speaking
from handlers import late, notices
from handlers.here import Here
from handlers.message import Reply
from models import lease, outbox
from models.database import Database, DatabaseAway, is_away
from models.person import Door, Person, doors, mark_blocked, rests_until

log = structlog.get_logger(__name__)

BATCH = 15  # half a second of work at the slower rate
IDLE_SECONDS = 0.3
CALL_SECONDS = 9.5  # every call ends within 10 s
RENEW_SECONDS = 3.0
# Messages a second of an account: (1, 1/30) never bursts, unlike (30, 1) which lets 59 through in the first second.
RATES = {"telegram": (1, 1 / 30), "wechat": (1, 1 / 50)}
STOPPED_SECONDS = 300.0
BACKOFF_SECONDS = 5.0
NO_WORDS_SECONDS = 60.0

Account = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call about to be made: the row, its words and the door."""

    row: outbox.Claimed
    reply: Reply
    door_id: str
    account: Account
    sender: str
    attempt: str


class Deliverer:
    """Sends for the accounts whose leases this process holds."""

    def __init__(
        self,
        database: Database,
        platforms: Mapping[Account, Platform],
        here: Callable[[str, str], Here],
        name: str,
        *,
        observe: Callable[[str, str], None] = lambda platform, outcome: None,
    ) -> None:
        self._database = database
        self._platforms = platforms
        self._here = here
        self.name = name
        self._observe = observe
        self._limits = {account: AsyncLimiter(*RATES.get(account[0], (1, 1 / 30))) for account in platforms}
        self._chats: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.leases: dict[Account, float] = {}
        self._renew_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; gives the leases up at the end."""
        while not stopping.is_set():
            worked = 0
            try:
                worked = await self.once()
            except DatabaseAway:
                log.warning("database_away", doing="deliver")
            except Exception:
                # The loop that carries everybody's messages goes on; the row itself is swept by its deadline.
                log.exception("deliver_failed")
            if not worked:
                try:
                    await asyncio.wait_for(stopping.wait(), IDLE_SECONDS)
                except TimeoutError:
                    continue
        try:
            await asyncio.to_thread(self._give_up)
        except DatabaseAway:
            log.warning("database_away", doing="give_up_leases")

    async def once(self) -> int:
        """Claim one batch and send it; returns how many rows were worked on."""
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + RENEW_SECONDS
            await asyncio.to_thread(self._renew)
        mine = [account for account, until in self.leases.items() if until > time.monotonic()]
        if not mine:
            return 0
        claimed_at = time.monotonic()
        rows = await asyncio.to_thread(self._claim, mine)
        people: dict[str, list[outbox.Claimed]] = {}
        for row in rows:
            people.setdefault(row.person_id, []).append(row)
        results = await asyncio.gather(
            *(self._send_in_order(theirs, mine, claimed_at) for theirs in people.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, DatabaseAway):
                raise result
            if isinstance(result, BaseException):
                log.error("send_failed", exc_info=result)
        return len(rows)

    def _renew(self) -> None:
        with self._database.write() as session:
            now = time.monotonic()
            for account in self._platforms:
                if lease.hold(session, _lease(account), self.name) is None or lease.paused(session, _lease(account)):
                    self.leases.pop(account, None)
                else:
                    self.leases[account] = now + lease.LEASE_SECONDS - 1

    def _give_up(self) -> None:
        with self._database.write() as session:
            lease.give_up(session, self.name)

    def _claim(self, mine: list[Account]) -> list[outbox.Claimed]:
        with self._database.write() as session:
            outbox.hold_homeless(session)
            return outbox.claim(session, self.name, mine, BATCH)

    async def _send_in_order(self, rows: list[outbox.Claimed], mine: list[Account], claimed_at: float) -> None:
        """One person's messages, the most urgent first, then as they were due. Where one waits to be tried again, the
        replies after it wait with it: an answer must not come before the one that it builds on."""
        behind = False
        for row in rows:
            if behind and row.priority == outbox.REPLY:
                await asyncio.to_thread(self._wait_behind, row)
            elif not await self._send(row, mine, claimed_at) and row.priority == outbox.REPLY:
                behind = True

    def _wait_behind(self, row: outbox.Claimed) -> None:
        with self._database.write() as session:
            outbox.put_back(session, row.id, self.name, 0.0, "behind another")

    async def _send(self, row: outbox.Claimed, mine: list[Account], claimed_at: float) -> bool:
        """Whether the row is done with for now: False when it is to be tried again."""
        tried: set[str] = set()
        while True:
            call = await asyncio.to_thread(self._prepare, row, mine, tried)
            if call is None:
                return True
            outcome = await self._call(call, claimed_at)
            self._observe(call.account[0], outcome.name if outcome else "late")
            again = await asyncio.to_thread(self._end, call, outcome)
            if outcome is not None and outcome.name == "sent" and call.reply.options and row.kind != "reply":
                await asyncio.to_thread(self._arrived, call)  # an answer's options were remembered in its turn
            if not again:
                return outcome is not None and outcome.name in ("sent", "refused", "closed", "left")
            tried.add(call.door_id)

    async def _call(self, call: _Call, claimed_at: float) -> Outcome | None:
        """The platform's outcome; None when the claim's deadline came before the call could begin."""
        chat = self._chats.get(call.door_id)
        if chat is None:
            chat = self._chats[call.door_id] = asyncio.Lock()
        async with chat, self._limits[call.account]:
            deadline = min(
                asyncio.get_running_loop().time() + CALL_SECONDS, _loop_time(claimed_at) + outbox.CLAIM_SECONDS
            )
            if deadline - asyncio.get_running_loop().time() < 1.0:
                return None
            platform = self._platforms[call.account]
            with speaking(call.reply.language):
                return await platform.send(call.sender, call.reply, key=call.row.id, deadline=deadline)

    def _prepare(self, row: outbox.Claimed, mine: list[Account], tried: set[str]) -> _Call | None:
        """Choose the door and make the words; ends the row where there is nothing to send (any more)."""
        with self._database.write() as session:
            person = session.get(Person, row.person_id)
            if row.expires_at is not None and row.expires_at < self._database.clock.now():
                outbox.end(session, row.id, self.name, "expired", "too old to send")
                return None
            found = [d for d in doors(session, row.person_id) if row.door_id in (None, d.id) and d.id not in tried]
            if person is None or not found:
                outbox.hold(session, row.id, self.name, "no open door")
                return None
            rest = rests_until(person, self._database.clock.now()) if row.priority >= outbox.REMINDER else None
            if rest is not None:
                outbox.postpone(session, row.id, self.name, rest, "quiet hours or a pause")
                return None
            usable = [d for d in found if (d.platform, d.account) in mine]
            # The doors take turns only where a doubled message is better than none: in an emergency.
            turn = row.resends % len(usable) if usable and row.priority == outbox.EMERGENCY else 0
            door = usable[turn] if usable else None
            if door is None:
                outbox.put_back(session, row.id, self.name, 1.0, "another sender's account")
                return None
            pause = lease.paused(session, _chat(door.id))
            if pause:
                outbox.put_back(session, row.id, self.name, pause, "chat paused")
                return None
            session.info["here"] = replace(self._here(door.platform, door.account), door_id=door.id)
            try:
                with session.begin_nested():
                    reply = notices.words(session, person, row.kind, row.params, again=row.resends > 0)
            except Exception as error:
                if is_away(error):
                    raise
                # A fault of ours, or a deploy that went backwards: nothing was sent, so it waits for one that can.
                log.exception("no_words", kind=row.kind)
                outbox.put_back(session, row.id, self.name, NO_WORDS_SECONDS, "no words")
                return None
            if reply is None:
                outbox.end(session, row.id, self.name, "superseded", "no longer true")
                return None
            attempt = outbox.begin_attempt(session, row.id, door.id)
            return _Call(row, reply, door.id, (door.platform, door.account), door.sender, attempt)

    def _end(self, call: _Call, outcome: Outcome | None) -> bool:
        """Write down how the call ended; True when the next door is to be tried."""
        row = call.row
        with self._database.write() as session:
            if outcome is None:
                outbox.end_attempt(session, call.attempt, "late", "", "")
                outbox.put_back(session, row.id, self.name, 0.0, "claim ran out before the call")
                return False
            outbox.end_attempt(session, call.attempt, outcome.name, outcome.code, outcome.reference)
            return self._rule(session, call, outcome)

    def _arrived(self, call: _Call) -> None:
        """The options are on the screen. A transaction of its own: that it was sent must not wait for a turn."""
        try:
            with self._database.write() as session:
                door = session.get(Door, call.door_id)
                if door is not None:
                    late.saw(session, door.person_id, call.reply.options)
        except DatabaseAway:
            log.warning("database_away", doing="arrived")

    def _rule(self, session: Any, call: _Call, outcome: Outcome) -> bool:
        row, name, why = call.row, self.name, f"{outcome.name} {outcome.code}".strip()
        if outcome.name in ("closed", "left"):
            if outcome.name == "left":
                mark_blocked(session, call.door_id)
            if session.get(Door, call.door_id) is not None and row.door_id is None:
                return True
            outbox.hold(session, row.id, name, why)
        elif outcome.name == "sent":
            outbox.end(session, row.id, name, "sent", "")
        elif outcome.name == "retry":
            outbox.put_back(session, row.id, name, max(outcome.retry_after, BACKOFF_SECONDS), why)
            if outcome.whole_account:
                self._pause(session, call.account, outcome.retry_after)
            elif outcome.retry_after:
                lease.pause(session, _chat(call.door_id), outcome.retry_after)
        elif outcome.name == "uncertain":
            once_more = row.priority == outbox.EMERGENCY or (row.priority < outbox.CAMPAIGN and row.resends == 0)
            if once_more:
                # An emergency is sent until it is certain, but not every five seconds for hours.
                later = min(BACKOFF_SECONDS * 2**row.resends, STOPPED_SECONDS)
                outbox.put_back(session, row.id, name, later, why, resend=True)
            else:
                outbox.end(session, row.id, name, "uncertain", why)
        elif outcome.name == "refused":
            log.error(
                "message_refused", platform=call.account[0], account=call.account[1], code=outcome.code, kind=row.kind
            )
            outbox.end(session, row.id, name, "refused", why)
        else:
            log.error("account_stopped", platform=call.account[0], account=call.account[1], code=outcome.code)
            outbox.put_back(session, row.id, name, STOPPED_SECONDS, why)
            self._pause(session, call.account, STOPPED_SECONDS)
        return False

    def _pause(self, session: Any, account: Account, seconds: float) -> None:
        lease.pause(session, _lease(account), seconds)
        self.leases.pop(account, None)


def _lease(account: Account) -> str:
    return f"send:{account[0]}:{account[1]}"


def _chat(door_id: str) -> str:
    return f"chat:{door_id}"


def _loop_time(monotonic: float) -> float:
    return monotonic - time.monotonic() + asyncio.get_running_loop().time()
