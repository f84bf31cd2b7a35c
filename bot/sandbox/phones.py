"""The people, their chats and what happens in them; kept in one JSON file, so that a restart keeps the chats."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.sandbox.journal import Journal
from bot.sandbox.memory import (
    INVENTED,
    Author,
    Button,
    Chat,
    Memory,
    Message,
    MessageKind,
    Person,
    Phrase,
    PlatformName,
    State,
    WeChatMemory,
    new_person,
)

KEPT_MESSAGES = 500  # per chat
MOST_PEOPLE = 300  # the invented city of `nuanyang demo-data` has 200, and there is room beside it
WRITE_DELAY = 0.2  # seconds between a change and the file
SEQ_GAP = 1000  # a restart jumps the event numbers, so that every page notices and reads the state anew

log = logging.getLogger(__name__)


class Refused(Exception):
    """Something a phone cannot do now. `str()` is a plain Chinese sentence, `status` is for HTTP; `code` is one word
    under which the page has the sentence in its own language, with `fields` filled in."""

    def __init__(self, code: str, sentence: str, status: int = 400, **fields: str | int) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.fields = fields

    def as_json(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": str(self), "code": self.code} | ({"fields": self.fields} if self.fields else {})


class Phones:
    """Everything both platforms remember, and the journal of what the phones show."""

    def __init__(self, file: Path, now: Callable[[], datetime]) -> None:
        self.now = now
        self._file = file
        self.memory = _load(file)
        self.journal = Journal(self.memory.seq)
        self._writer: asyncio.Task[None] | None = None
        self._saving = threading.Lock()
        self._version = self._saved = 0
        if not self.memory.people:
            self._invent_people()

    # People

    def person(self, identity: str) -> Person:
        """Raises Refused for somebody who does not exist."""
        found = self.memory.people.get(identity)
        if found is None:
            raise Refused("no_person", "没有这个人。", 404)
        return found

    def by_openid(self, openid: str) -> Person | None:
        """Whose WeChat account this is, follower or not."""
        return next((person for person in self.memory.people.values() if person.openid == openid), None)

    def by_telegram(self, identity: int) -> Person | None:
        """Whose Telegram account this is, started or not."""
        return next((person for person in self.memory.people.values() if person.telegram_id == identity), None)

    def add_person(self, name: str, note: str, role: str = "", language: str = "") -> Person:
        """A new invented person, whose apps are in `language`; raises Refused when there are too many."""
        people = self.memory.people
        if len(people) >= MOST_PEOPLE:
            raise Refused("too_many", f"沙盒里最多 {MOST_PEOPLE} 个人。", 409, most=MOST_PEOPLE)
        number = 1 + max((int(identity[1:]) for identity in people), default=0)
        person = new_person(f"p{number}", name, note, {other.telegram_id for other in people.values()}, role, language)
        people[person.id] = person
        self.changed()
        return person

    def following_changed(self, platform: PlatformName, person: Person) -> None:
        """Tell the page that somebody followed, left, started or blocked."""
        self.journal.add("following", platform=platform, person=person.id, **{platform: person.shown()[platform]})
        self.changed()

    def reset(self) -> None:
        """Forget people and chats; what the product set up on its accounts (menu, tags, commands) stays."""
        old, account = self.memory, self.memory.wechat
        self.memory = Memory(seq=old.seq, last_number=old.last_number, telegram=old.telegram)
        self.memory.wechat = WeChatMemory(
            menu=account.menu,
            conditional=account.conditional,
            tags=account.tags,
            templates=account.templates,
            last_msgid=account.last_msgid,
        )
        self.memory.telegram.pending.clear()
        self.memory.telegram.queries.clear()
        self._invent_people()
        self.journal.add("reload")
        self.changed()

    def _invent_people(self) -> None:
        for name, note, role in INVENTED:
            self.add_person(name, note, role)

    # Chats

    def chat(self, platform: PlatformName, person: Person) -> Chat:
        """The chat of one person with one account."""
        return self.memory.chats.setdefault(f"{platform}:{person.id}", Chat())

    def say(
        self,
        platform: PlatformName,
        person: Person,
        author: Author,
        kind: MessageKind,
        text: str,
        *,
        html: str = "",
        buttons: list[list[Button]] | None = None,
        via: str = "",
        state: State = "",
        media_url: str = "",
        markup: dict[str, Any] | None = None,
        note: Phrase | None = None,
    ) -> Message:
        """Put a message into a chat and show it; `note` when `text` is the sandbox's own sentence."""
        self.memory.last_number += 1
        number = self.memory.last_number
        message = Message(
            id=f"m{number}",
            number=number,
            author=author,
            at=self.now(),
            kind=kind,
            text=text,
            entities_html=html,
            buttons=buttons or [],
            via=via,
            state=state,
            media_url=media_url,
            markup=markup,
            note=note or {},
        )
        messages = self.chat(platform, person).messages
        messages.append(message)
        del messages[:-KEPT_MESSAGES]
        self._tell("message", platform, person, message)
        return message

    def edited(self, platform: PlatformName, person: Person, message: Message) -> None:
        """Show that a message has new words or buttons."""
        self._tell("message_edited", platform, person, message)

    def remove(self, platform: PlatformName, person: Person, message: Message) -> None:
        """Take a message out of a chat; the page gets the event "message_deleted"."""
        self.chat(platform, person).messages.remove(message)
        self.journal.add("message_deleted", platform=platform, person=person.id, message_id=message.id)
        self.changed()

    def find(self, platform: PlatformName, person: Person, message_id: str) -> Message:
        """A message by the id the page knows; raises Refused."""
        for message in reversed(self.chat(platform, person).messages):
            if message.id == message_id:
                return message
        raise Refused("no_message", "这条消息已经不在了。", 404)

    def find_number(self, platform: PlatformName, person: Person, number: int) -> Message | None:
        """A message by Telegram's message_id."""
        for message in reversed(self.chat(platform, person).messages):
            if message.number == number:
                return message
        return None

    def set_state(
        self, platform: PlatformName, person: Person, message: Message, state: State, detail: Phrase | None = None
    ) -> None:
        """Show how far a person's message has come; `detail` says why or at which attempt."""
        detail = detail or {}
        message.state, message.detail = state, detail
        self.journal.add(
            "status", platform=platform, person=person.id, message_id=message.id, state=state, detail=detail
        )
        self.changed()

    def wire(self, platform: PlatformName, person: Person | None, what: str, *, ok: bool, **facts: Any) -> None:
        """One line of the protocol log, which the page puts into words: `what` happened and the `facts` of it
        (method, path, status, ms, …). Never holds a token or what anybody wrote."""
        who = person.id if person else None
        self.journal.add(
            "wire", platform=platform, person=who, at=self.now().isoformat(), what=what, ok=ok, facts=facts
        )

    def _tell(self, event: str, platform: PlatformName, person: Person, message: Message) -> None:
        fields: dict[str, Any] = {"message": message.shown()}
        if platform == "telegram":
            fields["keyboard"] = self.chat(platform, person).keyboard
        self.journal.add(event, platform=platform, person=person.id, **fields)
        self.changed()

    # The file

    def changed(self) -> None:
        """Write the file soon; without a running loop the next change or `flush` does it."""
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            if self._writer is None or self._writer.done():
                self._writer = loop.create_task(self._write_soon())

    async def flush(self) -> None:
        """Write the file now; raises OSError."""
        if self._writer is not None:
            self._writer.cancel()
        self._version += 1
        await asyncio.to_thread(self._save, self._version, self._document())

    async def _write_soon(self) -> None:
        await asyncio.sleep(WRITE_DELAY)
        self._writer = None  # a change during the write below schedules the next one
        self._version += 1
        try:
            await asyncio.to_thread(self._save, self._version, self._document())
        except OSError:
            log.exception("sandbox: the chats could not be written")

    def _save(self, version: int, document: bytes) -> None:
        # A cancelled task leaves its thread running, so an older document may come last: it is dropped.
        with self._saving:
            if version > self._saved:
                _replace(self._file, document)
                self._saved = version

    def _document(self) -> bytes:
        self.memory.seq = self.journal.seq
        return self.memory.model_dump_json().encode()


def _load(file: Path) -> Memory:
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Memory()
    try:
        memory = Memory.model_validate_json(text)
    except ValidationError as error:
        aside = file.with_suffix(".broken")
        file.replace(aside)
        log.warning("sandbox: %s could not be read (%d faults), kept as %s", file, error.error_count(), aside)
        return Memory()
    memory.seq += SEQ_GAP
    return memory


def _replace(file: Path, document: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(file.name + ".new")
    with beside.open("wb") as stream:
        stream.write(document)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
