"""Which accounts this process sends for, and what pauses: leases are taken and kept, pauses heeded from the moment
when they are heard of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from bot.last_moment import steady
from bot.sending_books import sends
from bot.sending_choice import UNSERVED
from bot.sending_line import Account
from models import claiming, lease, outbox
from models.database import ask_time

log = structlog.get_logger(__name__)

APART = timedelta(seconds=2)  # by which the machine's clock may differ from the database server's
UNWRITTEN_SECONDS = 10.0  # so long it may take to write down how a call ended
_CHAT, _SENDS = "chat:", "send:"
MISSES = 5  # calls in a row that did not reach the platform, after which the account is left to others …
BACK_SECONDS = 10.0  # … for so long


@dataclass(frozen=True, slots=True)
class _Held:
    """Leases as they stand: mine, those of others that are not paused, and paused chats by door."""

    mine: frozenset[Account]
    others: frozenset[Account]
    chats: dict[str, datetime]
    until: float


class Leases:
    """`until` = when (in `steady` seconds) calls of an account may begin at the latest; `others` = the accounts that
    other processes send for; `chats` = paused chats by door, with the end of their pause (machine time)."""

    def __init__(
        self,
        name: str,
        accounts: Collection[Account],
        write: Callable[[], AbstractContextManager[Session]],
        pool: Executor,
    ) -> None:
        self._name, self._accounts, self._write, self._pool = name, accounts, write, pool
        self.until: dict[Account, float] = {}
        self.others: frozenset[Account] = frozenset()
        self.chats: dict[str, datetime] = {}
        self._heard: dict[str, float] = {}  # of these chats the pause may not be written down yet; since when
        self._resting: set[Account] = set()  # their pause is not written down yet
        self._rested_at = 0.0
        self._refused: set[Account] = set()
        self._is_apart = False
        self._missed: dict[Account, int] = {}  # calls in a row that did not reach the platform
        self._back_until: dict[Account, float] = {}
        self._mine: frozenset[Account] = frozenset()

    def rest(self, account: Account, *, ask_first: bool = False) -> None:
        """No call of the account may begin from now on; its pause is written down a moment later. `ask_first` = and
        not after the pause either, until `heal` is told that the account is served again."""
        self._resting.add(account)
        if ask_first:
            self._refused.add(account)
        self._rested_at = steady()
        self.until.pop(account, None)

    def written(self, accounts: Collection[Account]) -> None:
        """These pauses are written down."""
        self._resting -= set(accounts)

    def rest_chat(self, door: str, until: datetime) -> None:
        """No call may be made to this chat before `until` (machine time); it is written down a moment later."""
        self.chats[door], self._heard[door] = until, steady()

    def heal(self, account: Account) -> None:
        """The platform serves the account again, as far as a call tells that is no message."""
        self._refused.discard(account)

    def reached(self, account: Account, *, was_reached: bool) -> None:
        """Whether a call came as far as the platform. Where none does, another process may be better placed."""
        if was_reached:
            self._missed.pop(account, None)
            return
        self._missed[account] = self._missed.get(account, 0) + 1
        if self._missed[account] >= MISSES:
            self._missed[account] = 0
            self._back_until[account] = steady() + BACK_SECONDS
            self.until.pop(account, None)

    @property
    def to_ask(self) -> frozenset[Account]:
        """The accounts of this process whose pause is over, and which were refused before it."""
        return self._mine & frozenset(self._refused - self._resting)

    async def renew(self, known: Sequence[str], machine: datetime) -> list[Account]:
        """Take and keep what can be had, and the claims that stand in `known`; returns accounts that were not this
        process's before. Raises DatabaseAway."""
        began = steady()
        held = await asyncio.get_running_loop().run_in_executor(self._pool, self._hold, known)
        new, self._mine = [], held.mine
        for account in self._accounts:
            if account in self._refused:
                self.until.pop(account, None)
                continue
            if account in self._resting or (self._rested_at > began and account not in self.until):
                continue  # it was heard of after this was looked up
            if account not in held.mine:
                self.until.pop(account, None)
                continue
            if account not in self.until:
                new.append(account)
            self.until[account] = held.until
        self.others = held.others
        # What is written down counts alone, since a clock that is set back makes it void.
        self._heard = {door: at for door, at in self._heard.items() if at > began - UNWRITTEN_SECONDS}
        heard = {door: until for door, until in self.chats.items() if door in self._heard and until > machine}
        self.chats = heard | held.chats
        return new

    async def give_up(self) -> None:
        """Others need not wait for them to run out. Raises DatabaseAway."""

        def give_up() -> None:
            with self._write() as session:
                lease.give_up(session, self._name)

        await asyncio.get_running_loop().run_in_executor(self._pool, give_up)

    def _tell_apart(self, apart: timedelta) -> None:
        """Nothing goes wrong by it here, but quiet hours and signatures go by the machine's own clock."""
        far = abs(apart) > APART
        if far and not self._is_apart:
            log.warning("clocks_apart", seconds=round(apart.total_seconds(), 1))
        self._is_apart = far

    def _hold(self, known: Sequence[str]) -> _Held:
        until = steady() + lease.LEASE_SECONDS - 1
        with self._write() as session:
            self._tell_apart(ask_time(session))
            claiming.prolong(session, self._name, known)
            back = {account for account, ends in self._back_until.items() if ends > steady()}
            for account in back:
                lease.let_go(session, sends(account), self._name)
            wanted = [account for account in self._accounts if account not in back]
            idle = lease.idle(session, _SENDS)
            taken = {account for account in wanted if lease.hold(session, sends(account), self._name)}
            if any(idle.get(outbox.line(*account), timedelta.max) > UNSERVED for account in taken):
                claiming.served(session)
            lease.forget_pauses(session, _CHAT)
            pauses = lease.pauses(session)
            holders = lease.holders(session)
        mine = frozenset(account for account in taken if sends(account) not in pauses)
        names = {name for name, holder in holders.items() if holder != self._name and name not in pauses}
        parts = [name.split(":", 2) for name in names if name.startswith(_SENDS)]
        chats = {name.removeprefix(_CHAT): until for name, until in pauses.items() if name.startswith(_CHAT)}
        return _Held(mine, frozenset((kind, account) for _send, kind, account in parts), chats, until)
