"""WeChat's servers, facing the product: what a person does becomes signed, encrypted XML to the product's route.

Like the real ones they cut the connection after five seconds, repeat the very same message twice (the first may
still be at work), and then give up for good. Times inside messages are the programme clock's; the timestamp that
is signed is the machine's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from bot.sandbox.media import MediaStore
from bot.sandbox.memory import Message, Person, Phrase, Window, WindowKind
from bot.sandbox.phones import Phones
from bot.sandbox.tasks import Tasks, problem_of
from bot.sandbox.wechat_envelope import BadEnvelope, Envelope, build
from bot.sandbox.wechat_words import Shown, passive_message
from config.settings import WeChatAccount

ROUTE = "/wechat/sandbox"
ORIGINAL_ID = "gh_9c1e55a0d7b2"  # the account's own name inside messages
ATTEMPTS = 3
MOST_ANSWER = 256 * 1024  # bytes read of an answer
FAULT = "该公众号提供的服务出现故障，请稍后再试"
# What an action of the person allows the account to send: (messages, seconds).
WINDOWS: dict[WindowKind, tuple[int, int]] = {
    "message": (5, 48 * 3600),
    "menu": (3, 60),
    "follow": (3, 60),
    "scan": (3, 60),
}


class NoAnswer(Exception):
    """One attempt brought no answer with status 200; `str()` is the problem as one word (see `problem_of`).

    Only silence is documented to be repeated; refused connections and errors are treated alike here, because a
    product must bear repeats in every case.
    """


class WeChatSim:
    """Delivers to the product. `cut` is in seconds."""

    def __init__(
        self, phones: Phones, media: MediaStore, account: WeChatAccount, base_url: Callable[[], str], cut: float
    ) -> None:
        self.phones = phones
        self.media = media
        self.verified: bool | None = None
        self._base_url = base_url
        self._cut = cut
        self._envelope = Envelope(
            account.token.get_secret_value(), account.encoding_aes_key.get_secret_value(), account.appid
        )
        self._tasks = Tasks()
        self._http: aiohttp.ClientSession | None = None
        self._last_event: dict[tuple[str, str, str], int] = {}
        self._give_up_on_what_was_under_way()

    def _give_up_on_what_was_under_way(self) -> None:
        for chat_key, chat in self.phones.memory.chats.items():
            for message in chat.messages if chat_key.startswith("wechat:") else ():
                if message.state == "sending":
                    message.state, message.detail = "failed", {"code": "restarted"}

    def start(self, http: aiohttp.ClientSession) -> None:
        """Begin; the address check runs beside, because the product may start listening a moment later."""
        self._http = http
        self._tasks.spawn(self._verify_address())

    async def stop(self) -> None:
        """Cut whatever is under way."""
        await self._tasks.stop()

    def public(self, path: str) -> str:
        """The address of something this sandbox serves."""
        return self._base_url() + path

    # To the product

    def deliver(
        self, person: Person, fields: dict[str, Any], message: Message | None = None, *, repeat: int = 0
    ) -> None:
        """Send one message or event; `repeat` more copies go out at the same time, as after a time-out."""
        if self._tasks.stopped:
            return
        xml = build({"ToUserName": ORIGINAL_ID, "FromUserName": person.openid, **fields})
        self._tasks.spawn(self._deliver(person, xml, str(fields.get("Event", "")), message, repeat))

    def message_id(self) -> int:
        """A fresh 64-bit MsgId, new even for a product that remembers an earlier sandbox."""
        memory = self.phones.memory.wechat
        memory.last_msgid = max(memory.last_msgid + 1, time.time_ns() // 1000)
        self.phones.changed()
        return memory.last_msgid

    def event_time(self, person: Person, event: str, key: str) -> int:
        """CreateTime of an event. Person, time, event and key are all that tells two events apart, so the same
        click twice within a second is dated a second later, as if the finger had been slower."""
        now = int(self.phones.now().timestamp())
        known = (person.id, event, key)
        self._last_event[known] = now = max(now, self._last_event.get(known, 0) + 1)
        return now

    def open_window(self, person: Person, kind: WindowKind) -> None:
        """The person did something: the account may send again."""
        windows = self.phones.memory.wechat.windows.setdefault(person.id, {})
        windows[kind] = Window(opened=self.phones.now(), left=WINDOWS[kind][0])
        self.phones.changed()

    def show(self, person: Person, shown: Shown, via: str) -> Message:
        """Put a message of the account into the person's chat."""
        return self.phones.say(
            "wechat",
            person,
            "bot",
            shown.kind,
            shown.text,
            html=shown.html,
            buttons=shown.buttons,
            via=via,
            media_url=shown.media_url,
        )

    async def _deliver(self, person: Person, xml: str, event: str, message: Message | None, repeat: int) -> None:
        copies = [self._tasks.spawn(self._copy(person, xml, number)) for number in range(1, repeat + 1)]
        body = None
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                body = await self._attempt(person, xml, attempt)
                break
            except NoAnswer as error:
                reason = str(error)
                if attempt + 1 < ATTEMPTS and self.phones.memory.people.get(person.id) is person:
                    self._state(person, message, "repeated", {"code": "retry", "n": attempt + 1})
                # A refused connection must not use up three attempts within a millisecond.
                await asyncio.sleep(min(0.5, self._cut / 10) if reason != "timeout" else 0)
        if self.phones.memory.people.get(person.id) is not person:
            return  # the sandbox was emptied meanwhile; the id may be somebody else's now
        if body is None:
            self._state(person, message, "failed", {"code": "wechat_gave_up"})
            return
        self._state(person, message, "repeated" if attempt or repeat else "delivered")
        first = self._read(person, body)
        self._show_reply(person, event, first, silent=message is None)
        for copy in copies:
            again = await copy
            if again is not None and _words(self._read(person, again)) != _words(first):
                self.phones.wire("wechat", person, "repeats_differ", ok=False)

    async def _copy(self, person: Person, xml: str, number: int) -> str | None:
        try:
            return await self._attempt(person, xml, number)
        except NoAnswer:
            return None

    async def _attempt(self, person: Person | None, xml: str, repeat: int) -> str:
        """POST once; returns the answer's body, raises NoAnswer."""
        encrypted = self._envelope.seal(xml)
        query = self._signed(encrypted)
        if person is not None:
            query["openid"] = person.openid
        body = build({"ToUserName": ORIGINAL_ID, "Encrypt": encrypted})
        began = time.monotonic()
        reason, status = "", 0
        try:
            async with self._session().post(
                self._base_url() + ROUTE,
                params=query,
                data=body.encode(),
                headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
                # aiohttp rounds time-outs of five seconds and more up to full seconds unless told not to.
                timeout=aiohttp.ClientTimeout(total=self._cut, ceil_threshold=60),
                allow_redirects=False,
            ) as response:
                answer = await response.content.read(MOST_ANSWER)
                status = response.status
        except (TimeoutError, aiohttp.ClientError) as error:
            reason = problem_of(error)
        if status and status != 200:
            reason = "status"
        took = round((time.monotonic() - began) * 1000)
        facts: dict[str, Any] = {"status": status} if status else {"problem": reason}
        if reason == "timeout":
            facts["patience"] = self._cut
        if repeat:
            facts["repeat"] = repeat
        self.phones.wire("wechat", person, "delivery", ok=not reason, method="POST", path=ROUTE, ms=took, **facts)
        if reason:
            raise NoAnswer(reason)
        return answer.decode("utf-8", "replace")

    def _signed(self, encrypted: str) -> dict[str, str]:
        timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        return {
            "signature": self._envelope.signature(timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "encrypt_type": "aes",
            "msg_signature": self._envelope.signature(timestamp, nonce, encrypted),
        }

    # From the product's answer

    def _read(self, person: Person, body: str) -> Shown | BadEnvelope | None:
        if body in ("", "success"):
            return None
        try:
            return passive_message(self._envelope.open_answer(body), person.openid, ORIGINAL_ID, "/sandbox/media/")
        except BadEnvelope as error:
            return error

    def _show_reply(self, person: Person, event: str, reply: Shown | BadEnvelope | None, *, silent: bool) -> None:
        if isinstance(reply, BadEnvelope):
            self.phones.wire("wechat", person, "unreadable", ok=False, reason=str(reply))
            if not silent:
                self.phones.say("wechat", person, "system", "text", FAULT, note={"code": "out_of_order"})
        elif reply is not None and person.following and not silent and event != "VIEW":
            self.show(person, reply, "passive")

    def _state(self, person: Person, message: Message | None, state: Any, detail: Phrase | None = None) -> None:
        if message is not None:
            self.phones.set_state("wechat", person, message, state, detail)

    # The address check of the account's console

    async def _verify_address(self) -> None:
        for _ in range(60):
            try:
                self.verified = await self._check_once()
                break
            except (TimeoutError, aiohttp.ClientError):
                await asyncio.sleep(0.25)
        result = {True: "passed", False: "wrong", None: "silent"}[self.verified]
        self.phones.wire("wechat", None, f"check_{result}", ok=bool(self.verified), method="GET", path=ROUTE)

    async def _check_once(self) -> bool:
        timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        echo = str(secrets.randbelow(10**19))
        query = {
            "signature": self._envelope.signature(timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": echo,
        }
        async with self._session().get(
            self._base_url() + ROUTE, params=query, timeout=aiohttp.ClientTimeout(total=self._cut)
        ) as response:
            return response.status == 200 and await response.content.read(MOST_ANSWER) == echo.encode()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the sandbox has not been started")
        return self._http


def _words(reply: Shown | BadEnvelope | None) -> tuple[str, ...]:
    """What must be equal in the replies to a message and its repeats."""
    return (reply.kind, reply.text, reply.html) if isinstance(reply, Shown) else (repr(reply),)
