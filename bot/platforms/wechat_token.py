"""The account's access token: fetched once for everybody who waits, and never in a storm.

WeChat allows 20 forced refreshes a day, 30 s apart, and a forced refresh takes the token away from the other copies of
this product. So a token that used to work is first asked for again without force (a repeat gives whatever token is good
now, perhaps one that another copy has forced), then once with force, and then not again for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

import structlog

from bot.platforms.base import Outcome
from bot.platforms.wechat_outcomes import Answer

EARLY = 300.0  # seconds before its end at which a token is renewed; the old one stays good meanwhile
REFUSED_PAUSE, LONGEST_PAUSE = 300.0, 3600.0  # after a forced refresh has not helped; doubled each time
FETCH_PAUSES = (1.0, 15.0, 60.0, 300.0)  # after the token call itself has failed once, twice …
LONGEST_FETCH_PAUSE = 900.0

_log = structlog.get_logger(__name__)


class TokenError(Exception):
    """There is no token to be had now; `outcome` is that of every call that needs one: none of them was sent."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class Token:
    """Keeps one token. `fetch(force)` asks the platform once; it ends by itself within seconds and never raises.

    Fetching is one task that all callers wait for: a caller whose time is up leaves it running for the others.
    """

    def __init__(self, account: str, fetch: Callable[[bool], Awaitable[Answer]]) -> None:
        self._account = account
        self._fetch = fetch
        self._work: asyncio.Task[None] | None = None
        self._value = ""
        self._renew_at = self._ends_at = 0.0
        self._proven = False  # accepted at least once
        self._forced = False  # a forced refresh was made and nothing accepted since
        self._incidents = self._failures = 0  # in a row
        self._paused_until = 0.0
        self._pause_outcome = Outcome("retry", "token", whole_account=True)

    async def get(self) -> str:
        """A token to call with; raises TokenError."""
        if self._value and self._now() < self._renew_at:
            return self._value
        if self._value and self._now() < self._ends_at and self._working():
            return self._value
        await self._join(self._renew)
        return self._given()

    async def refused(self, token: str) -> str:
        """Another token after the platform has refused `token`; raises TokenError when none is left to try."""
        if self._working():
            await self._join(self._renew)
        if self._value == token:
            await self._join(lambda: self._recover(token))
        elif not self._value:
            await self._join(self._renew)
        return self._given()

    def accepted(self) -> None:
        """The platform took a token: an incident, if there was one, is over."""
        self._proven, self._forced, self._incidents = True, False, 0

    def stop(self) -> None:
        """Cut a fetch that is under way."""
        if self._work is not None:
            self._work.cancel()

    def _working(self) -> bool:
        return self._work is not None and not self._work.done()

    async def _join(self, begin: Callable[[], Coroutine[None, None, None]]) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(begin())
        await asyncio.shield(self._work)

    def _given(self) -> str:
        if self._value and self._now() < self._ends_at:
            return self._value
        outcome = self._pause_outcome
        wait = max(self._paused_until - self._now(), 0.0) if outcome.name == "retry" else 0.0
        raise TokenError(replace(outcome, retry_after=wait))

    async def _recover(self, token: str) -> None:
        was_proven, self._proven, self._value = self._proven, False, ""
        if was_proven:
            await self._renew()
            if self._value != token:
                return
            self._value = ""
        if not self._forced:
            self._forced = True
            await self._renew(force=True)
            return
        pause = min(REFUSED_PAUSE * 2**self._incidents, LONGEST_PAUSE)
        self._incidents += 1
        self._forced = False
        self._pause(pause, Outcome("retry", "40001", whole_account=True, ask_first=True))
        _log.error("wechat_token_refused", account=self._account, pause=pause)

    async def _renew(self, *, force: bool = False) -> None:
        """Fetch once, unless a pause forbids it; afterwards there is a token or a reason."""
        if self._now() < self._paused_until:
            return
        asked_at = self._now()
        answer = await self._fetch(force)
        value, seconds = answer.data.get("access_token"), answer.data.get("expires_in")
        usable = isinstance(value, str) and bool(value) and isinstance(seconds, int) and 0 < seconds < 10**6
        if not answer.ok or not usable:
            self._failed(answer.outcome)
            return
        self._failures = 0
        self._value, self._proven = str(value), self._proven and value == self._value
        self._ends_at = asked_at + float(seconds or 0)
        # Half of a short life, so that a platform which gives short ones is not asked at every call.
        self._renew_at = self._ends_at - min(EARLY, float(seconds or 0) / 2)

    def _failed(self, outcome: Outcome) -> None:
        pause = max(FETCH_PAUSES[min(self._failures, len(FETCH_PAUSES) - 1)], outcome.retry_after)
        self._failures += 1
        # Here 40001 speaks of the secret. Whatever else went wrong, no message was sent: never "uncertain".
        stopped = outcome.name == "stopped" or outcome.code == "40001"
        code = f"token {outcome.code}".strip()
        pause = min(pause, LONGEST_FETCH_PAUSE)
        self._pause(pause, Outcome("stopped" if stopped else "retry", code, whole_account=True, ask_first=True))
        _log.error("wechat_token_failed", account=self._account, code=outcome.code, pause=pause)

    def _pause(self, seconds: float, outcome: Outcome) -> None:
        self._paused_until = self._now() + seconds
        self._pause_outcome = outcome

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
