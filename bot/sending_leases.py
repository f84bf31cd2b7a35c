"""Which accounts this process sends for, and what pauses: leases are taken and kept, pauses heeded from the moment
when they are heard of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from bot.last_moment import steady
from bot.sending_books import sends
from bot.sending_line import Account
from models import claiming, lease

_CHAT, _SENDS = "chat:", "send:"


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
        self._resting: set[Account] = set()  # their pause is not written down yet
        self._rested_at = 0.0

    def rest(self, account: Account) -> None:
        """No call of the account may begin from now on; its pause is written down a moment later."""
        self._resting.add(account)
        self._rested_at = steady()
        self.until.pop(account, None)

    def written(self, accounts: Collection[Account]) -> None:
        """These pauses are written down."""
        self._resting -= set(accounts)

    async def renew(self, known: Sequence[str], machine: datetime) -> list[Account]:
        """Take and keep what can be had, and the claims that stand in `known`; returns accounts that were not this
        process's before. Raises DatabaseAway."""
        began = steady()
        held = await asyncio.get_running_loop().run_in_executor(self._pool, self._hold, known)
        new = []
        for account in self._accounts:
            if account in self._resting or (self._rested_at > began and account not in self.until):
                continue  # it was heard of after this was looked up
            if account not in held.mine:
                self.until.pop(account, None)
                continue
            if account not in self.until:
                new.append(account)
            self.until[account] = held.until
        self.others = held.others
        self.chats = {door: until for door, until in self.chats.items() if until > machine} | held.chats
        return new

    async def give_up(self) -> None:
        """Others need not wait for them to run out. Raises DatabaseAway."""

        def give_up() -> None:
            with self._write() as session:
                lease.give_up(session, self._name)

        await asyncio.get_running_loop().run_in_executor(self._pool, give_up)

    def _hold(self, known: Sequence[str]) -> _Held:
        until = steady() + lease.LEASE_SECONDS - 1
        with self._write() as session:
            claiming.prolong(session, self._name, known)
            taken = {account for account in self._accounts if lease.hold(session, sends(account), self._name)}
            lease.forget_pauses(session, _CHAT)
            pauses = lease.pauses(session)
            holders = lease.holders(session)
        mine = frozenset(account for account in taken if sends(account) not in pauses)
        names = {name for name, holder in holders.items() if holder != self._name and name not in pauses}
        parts = [name.split(":", 2) for name in names if name.startswith(_SENDS)]
        chats = {name.removeprefix(_CHAT): until for name, until in pauses.items() if name.startswith(_CHAT)}
        return _Held(mine, frozenset((kind, account) for _send, kind, account in parts), chats, until)
