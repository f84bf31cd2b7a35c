"""Long polling: getUpdates for machines without a public address.

Telegram forgets an update when a later offset is asked for, so the offset is the acknowledgement: it advances only
past updates for which `receive` has returned. What was received but not yet confirmed when the process dies comes
again and is recognised by its key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from telegram.error import Conflict, InvalidToken, TelegramError

from bot.platforms.base import Rejected
from bot.platforms.telegram_request import Paused, UnclearError
from bot.platforms.telegram_update import WANTED_UPDATES, callback_id, update_number
from handlers.message import Inbound

POLL_SECONDS = 25
_CALL_SECONDS = POLL_SECONDS + 10.0  # an answer that has not come by then will not come
_BATCH = 100
_FIRST_PAUSE = 1.0
_LAST_PAUSE = 30.0
_LAST_TURNS_SECONDS = 2.0

log = structlog.get_logger(__name__)

Receive = Callable[[Inbound], Awaitable[None]]
Fetch = Callable[[dict[str, str], float], Awaitable[object]]


class Pause:
    """Waiting times between attempts that fail: 1 s, doubled up to `last`; the first success starts anew."""

    def __init__(self, last: float | None = None) -> None:
        self._last = _LAST_PAUSE if last is None else last
        self._next = min(_FIRST_PAUSE, self._last)

    def seconds(self) -> float:
        """How long to wait now; longer every time it is asked."""
        now, self._next = self._next, min(self._next * 2, self._last)
        return now

    def after(self, error: TelegramError) -> float:
        """The same after a failed call, and never shorter than Telegram asked for."""
        seconds = self.seconds()
        return max(seconds, error.seconds) if isinstance(error, Paused) else seconds

    def over(self) -> None:
        """It worked."""
        self._next = min(_FIRST_PAUSE, self._last)


class Updates(Protocol):
    """What polling needs of its account."""

    async def fetch_updates(self, form: dict[str, str], seconds: float) -> object:
        """One getUpdates call; returns its `result`. Raises TelegramError."""
        ...

    async def delete_webhook(self) -> None:
        """Telegram refuses getUpdates while a webhook is set. Raises TelegramError."""
        ...

    def read(self, update: object) -> list[Inbound]:
        """Parse one update; runs in a worker thread. Raises Rejected."""
        ...

    def stop_spinner(self, callback: str) -> None:
        """Acknowledge a pressed button in the background."""
        ...


class Polling:
    """The loop of one account, from `start` to `stop`."""

    def __init__(self, account: str, updates: Updates, receive: Receive, pause: Pause | None = None) -> None:
        self._account = account
        self._updates = updates
        self._receive = receive
        self._pause = pause or Pause()
        self._ready = False
        self._offset: int | None = None
        self._received: set[int] = set()  # these are done, but a failed one before them holds the offset
        self._complaint = ""
        self._busy = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"telegram polling {self._account}")

    async def stop(self) -> None:
        """Turns under way get two seconds; a call or a pause is cut at once, since nothing is lost by that."""
        self._stopping = True
        if self._task is None:
            return
        if self._busy:
            await asyncio.wait([self._task], timeout=_LAST_TURNS_SECONDS)
        self._task.cancel()
        await asyncio.wait([self._task], timeout=0.5)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                batch = await self._fetch()
            except TelegramError as error:
                self._complain(error)
                await asyncio.sleep(self._pause.after(error))
                continue
            except Exception:
                # A fault of ours must not leave the account deaf until the next start.
                log.exception("telegram_polling_failed", account=self._account)
                await asyncio.sleep(self._pause.seconds())
                continue
            self._recovered()
            self._busy = True
            complete = await self._take(batch)
            self._busy = False
            if complete:
                self._pause.over()
            elif not self._stopping:
                await asyncio.sleep(self._pause.seconds())

    async def _fetch(self) -> list[object]:
        if not self._ready:
            await self._updates.delete_webhook()
            self._ready = True
        form = {
            "timeout": str(POLL_SECONDS),
            "limit": str(_BATCH),
            "allowed_updates": json.dumps(WANTED_UPDATES),
        }
        if self._offset is not None:
            form["offset"] = str(self._offset)
        result = await self._updates.fetch_updates(form, _CALL_SECONDS)
        if not isinstance(result, list) or not all(update_number(update) is not None for update in result):
            raise UnclearError(200)
        return result

    async def _take(self, batch: list[object]) -> bool:
        """Receive a batch: chats side by side, each in its order. False if something must be asked for again."""
        new = {number: update for update in batch if (number := update_number(update)) is not None}
        for number in self._received & new.keys():
            del new[number]
        lanes: dict[str, list[tuple[int, object, list[Inbound]]]] = {}
        for number, inbounds in await asyncio.to_thread(self._read, new):
            if inbounds:
                lanes.setdefault(inbounds[0].sender, []).append((number, new[number], inbounds))
            else:
                self._received.add(number)
        await asyncio.gather(*(self._take_lane(lane) for lane in lanes.values()))
        left = new.keys() - self._received
        known = new.keys() | self._received
        if known:
            self._offset = min(left) if left else max(known) + 1
            self._received = {number for number in self._received if number >= self._offset}
        return not left

    def _read(self, new: dict[int, object]) -> list[tuple[int, list[Inbound]]]:
        parsed: list[tuple[int, list[Inbound]]] = []
        for number in sorted(new):
            try:
                parsed.append((number, self._updates.read(new[number])))
            except Rejected as error:
                # It would be just as unreadable tomorrow; holding the offset for it would deafen the account.
                log.error("telegram_update_unreadable", account=self._account, update=number, reason=error.reason)
                parsed.append((number, []))
        return parsed

    async def _take_lane(self, lane: list[tuple[int, object, list[Inbound]]]) -> None:
        for number, update, inbounds in lane:
            try:
                for inbound in inbounds:
                    await self._receive(inbound)
            except Exception:
                # Neither database nor spool took it: this chat waits, the others go on.
                log.exception("telegram_receive_failed", account=self._account, update=number)
                return
            self._received.add(number)
            self._updates.stop_spinner(callback_id(update))

    def _complain(self, error: TelegramError) -> None:
        """One line when something new goes wrong, not one every attempt."""
        complaint = type(error).__name__
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if isinstance(error, Conflict):
            log.error(
                "telegram_polling_conflict",
                account=self._account,
                hint="another process polls with this token, or a webhook is set; stop one of the two",
            )
        elif isinstance(error, InvalidToken):
            log.error(
                "telegram_token_refused",
                account=self._account,
                hint=f"check NUANYANG_TELEGRAM__{self._account.upper()}__TOKEN and __API_BASE",
            )
        else:
            log.warning("telegram_polling_interrupted", account=self._account, error=complaint)

    def _recovered(self) -> None:
        if self._complaint:
            log.info("telegram_polling_resumed", account=self._account)
        self._complaint = ""
