"""Telegram's servers, facing the bot: updates numbered and held until the bot has taken them.

Webhook: one update of a chat after the other, repeated with growing pauses while the answer is not 2xx, other
chats going on meanwhile. Polling: `getUpdates` with offsets. What is held survives a restart.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.sandbox.memory import Message, Pending, Person, Phrase, TelegramMemory
from bot.sandbox.phones import Phones, Refused
from bot.sandbox.reading import json_object
from bot.sandbox.tasks import Tasks, problem_of
from bot.sandbox.telegram_refusals import Denied
from config.settings import TelegramAccount

ROUTE = "/telegram/sandbox"
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # seconds between attempts; after the last one it is given up
MOST_ANSWER = 256 * 1024
LONGEST_POLL = 50  # seconds
CONFLICT_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
CONFLICT_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
# As getWebhookInfo says it; a status is said with its number.
LAST_ERRORS = {
    "timeout": "Read timeout expired",
    "refused": "Connection refused",
    "dropped": "Connection reset by peer",
    "broken": "Wrong response from the webhook",
}
Execute = Callable[[str, dict[str, Any]], Awaitable[Any]]


class TelegramSim:
    """Holds and delivers updates. `patience` is how long a webhook call may take, in seconds."""

    def __init__(
        self,
        phones: Phones,
        account: TelegramAccount,
        base_url: Callable[[], str],
        *,
        pauses: tuple[float, ...] = PAUSES,
        patience: float = 60.0,
    ) -> None:
        self.phones = phones
        self.last_error: tuple[int, str] | None = None
        self._account = account
        self._base_url = base_url
        self._pauses = pauses
        self._patience = patience
        self._tasks = Tasks()
        self._workers: dict[str, asyncio.Task[Any]] = {}
        self._http: aiohttp.ClientSession | None = None
        self._execute: Execute | None = None
        self._poll_number = 0
        self._news = asyncio.Event()

    def start(self, http: aiohttp.ClientSession, execute: Execute) -> None:
        """Begin delivering; `execute` does what a webhook's answer asks for."""
        self._http, self._execute = http, execute
        self._go_on()

    async def stop(self) -> None:
        """Let waiting pollers go and cut calls under way; what is held stays held."""
        await self._tasks.stop()
        self._news.set()

    # The webhook as set

    @property
    def _memory(self) -> TelegramMemory:
        return self.phones.memory.telegram

    @property
    def webhook(self) -> str:
        """Where updates go; empty = polling."""
        if self._memory.webhook is not None:
            return self._memory.webhook
        return self._base_url() + ROUTE if self._account.mode == "webhook" else ""

    def set_webhook(self, url: str, secret: str, allowed: list[str], *, drop: bool) -> None:
        """Change the way updates go; empty `url` = polling."""
        memory = self._memory
        memory.webhook, memory.secret, memory.allowed = url, secret, allowed
        self.last_error = None
        if drop:
            memory.pending.clear()
        for worker in self._workers.values():
            worker.cancel()
        self._workers.clear()
        self._wake()
        self.phones.changed()
        self._go_on()

    def _secret(self) -> str:
        if self._memory.webhook is not None:
            return self._memory.secret
        token = self._account.secret_token
        return token.get_secret_value() if token is not None else ""

    # Updates in

    def queue(self, person: Person, body: dict[str, Any], shown: Message | None, repeat: int = 0) -> None:
        """Hold an update for the bot; `repeat` more copies of it go out beside the first."""
        memory = self._memory
        kind = next(iter(body))
        if memory.allowed and kind not in memory.allowed:
            if shown is not None:  # the message is there; the bot only chose not to hear of its kind
                self.phones.set_state("telegram", person, shown, "delivered")
            return
        # Numbers follow the clock, so that a product that remembers an earlier sandbox sees new ones.
        memory.last_update = max(memory.last_update + 1, int(time.time()))
        update = Pending(
            update_id=memory.last_update,
            person=person.id,
            shown=shown.id if shown is not None else "",
            body=body,
            repeats=repeat,
        )
        memory.pending.append(update)
        self.phones.changed()
        self._wake()
        self._go_on()

    def _go_on(self) -> None:
        if self._http is None or self._tasks.stopped or not self.webhook:
            return
        for person in {update.person for update in self._memory.pending}:
            worker = self._workers.get(person)
            if worker is None or worker.done():
                self._workers[person] = self._tasks.spawn(self._work(person))

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # Webhook

    async def _work(self, person: str) -> None:
        """Deliver one chat's updates in their order."""
        while update := next((u for u in self._memory.pending if u.person == person), None):
            for number in range(1, update.repeats + 1):
                self._tasks.spawn(self._attempt(update, number))
            await self._deliver(update)
            if update in self._memory.pending:
                self._memory.pending.remove(update)
            self.phones.changed()

    async def _deliver(self, update: Pending) -> None:
        for number, pause in enumerate((*self._pauses, None)):
            problem = await self._attempt(update, number)
            if problem is None:
                self._state(update, "repeated" if number or update.repeats else "delivered")
                return
            self.last_error = (int(time.time()), LAST_ERRORS.get(str(problem["problem"]), f"HTTP {problem['status']}"))
            if pause is None:
                self._state(update, "failed", {"code": "telegram_gave_up", "n": number + 1, **problem})
                return
            self._state(update, "repeated", {"code": "later", "n": number + 1, "seconds": pause, **problem})
            await asyncio.sleep(pause)

    async def _attempt(self, update: Pending, number: int) -> Phrase | None:
        """POST once; returns what went wrong as {"problem", "status"}, None = taken."""
        if self._http is None:
            raise RuntimeError("the sandbox has not been started")
        body = {"update_id": update.update_id, **update.body}
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._secret()} if self._secret() else {}
        began, answer, problem, status = time.monotonic(), b"", "", 0
        try:
            async with self._http.post(
                self.webhook,
                json=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._patience),
                allow_redirects=False,
            ) as response:
                answer = await response.content.read(MOST_ANSWER)
                status = response.status
        except (TimeoutError, aiohttp.ClientError) as error:
            problem = problem_of(error)
        if status and not 200 <= status < 300:
            problem = "status"
        took = round((time.monotonic() - began) * 1000)
        facts: dict[str, Any] = {"status": status} if status else {"problem": problem}
        if number:
            facts["repeat"] = number
        person = self.phones.memory.people.get(update.person)
        path = urlsplit(self.webhook).path
        self.phones.wire("telegram", person, "delivery", ok=not problem, method="POST", path=path, ms=took, **facts)
        if problem:
            return {"problem": problem, "status": status}
        await self._do_what_it_says(person, answer)
        return None

    async def _do_what_it_says(self, person: Person | None, answer: bytes) -> None:
        """A webhook's answer may be a call; like Telegram we tell nobody how it went, but the log."""
        if self._execute is None or not answer.lstrip().startswith(b"{"):
            return
        try:
            call = json_object(answer)
        except ValueError:
            self.phones.wire("telegram", person, "not_json", ok=False)
            return
        method = call.pop("method", None)
        if not isinstance(method, str):
            return
        try:
            await self._execute(method, call)
            self.phones.wire("telegram", person, "in_answer", ok=True, method=method)
        except Denied as denied:
            wait = {"retry_after": denied.retry_after} if denied.retry_after else {}
            self.phones.wire("telegram", person, "in_answer", ok=False, method=method, error=denied.description, **wait)

    def _state(self, update: Pending, state: Any, detail: Phrase | None = None) -> None:
        person = self.phones.memory.people.get(update.person)
        if person is None or not update.shown:
            return
        try:
            message = self.phones.find("telegram", person, update.shown)
        except Refused:  # deleted by the bot, or older than the chat's memory
            return
        self.phones.set_state("telegram", person, message, state, detail)

    # Polling

    async def get_updates(
        self, offset: int, limit: int, seconds: float, allowed: list[str] | None
    ) -> list[dict[str, Any]]:
        """Updates from `offset` on; asking for a later one confirms those before it. Raises Denied 409."""
        if self.webhook:
            raise Denied(409, CONFLICT_WEBHOOK)
        if allowed is not None:
            self._memory.allowed = allowed
        self._poll_number += 1
        mine = self._poll_number
        self._wake()
        self._confirm(offset)
        ends = asyncio.get_running_loop().time() + min(max(seconds, 0), LONGEST_POLL)
        while True:
            if mine != self._poll_number:
                raise Denied(409, CONFLICT_POLLER)
            if self.webhook:
                raise Denied(409, CONFLICT_WEBHOOK)
            updates = list(itertools.islice(self._memory.pending, limit))
            left = ends - asyncio.get_running_loop().time()
            if updates or left <= 0 or self._tasks.stopped:
                return [{"update_id": u.update_id, **u.body} for u in updates for _ in range(1 + u.repeats)]
            news = self._news
            try:
                await asyncio.wait_for(news.wait(), left)
            except TimeoutError:
                continue

    def _confirm(self, offset: int) -> None:
        pending = self._memory.pending
        if offset < 0:  # counted from the end; what lies before is forgotten
            offset = pending[offset].update_id if len(pending) >= -offset else 0
        for update in [u for u in pending if u.update_id < offset]:
            pending.remove(update)
            self._state(update, "repeated" if update.repeats else "delivered")
            self.phones.changed()
