"""What the outbox would send now, as unit tests read it: words made at sending time, no platform."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from handlers.here import Here
from handlers.late import saw
from handlers.message import Reply
from handlers.notices import words
from models import claiming
from models.claiming import LANES, Claimed
from models.database import Database, vault_of
from models.outbox import end
from models.person import Door, Person, doors
from tests.chatting import PUBLIC, Chat

ACCOUNTS = [("wechat", "test"), ("telegram", "test")]


@dataclass(frozen=True)
class Sent:
    """One message through one door; `text` is empty when it was no longer true."""

    sender: str
    platform: str
    kind: str
    priority: int
    reply: Reply | None

    @property
    def text(self) -> str:
        return self.reply.text if self.reply else ""


def claim(session: Session, worker: str, accounts: list[tuple[str, str]], limit: int) -> list[Claimed]:
    """Take what is due for people with an open door at one of these accounts, whatever else they are being sent."""
    most = dict.fromkeys(LANES, limit)
    found = {row.id: row for line in claiming.lines(session) for row in claiming.due(session, line, most, {})}
    rows = sorted(found.values(), key=lambda row: (row.priority, row.due_at, row.id))
    behind, _ready = claiming.under_way(session, list({row.person_id for row in rows}))
    reached = [
        row
        for row in rows
        if not claiming.follows(row, behind)
        and any(
            (door.platform, door.account) in accounts and row.door_id in (None, door.id)
            for door in doors(session, row.person_id)
        )
    ]
    return claiming.take(session, worker, reached[:limit])


def deliver(database: Database, *people: Chat) -> list[Sent]:
    """Send everything that is due; what goes to one of `people` becomes the last thing on their screen."""
    sent = []
    with database.write() as session:
        for row in claim(session, "test", ACCOUNTS, 100):
            person = session.get_one(Person, row.person_id)
            door = session.get(Door, row.door_id) if row.door_id else next(iter(doors(session, person.id)), None)
            if door is None:
                assert end(session, row.id, "test", "refused", "no door")
                continue
            in_chat = door.platform == "wechat"
            session.info["here"] = Here(door.platform, "test", door.id, sensitive_in_chat=in_chat, public_url=PUBLIC)
            params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed)
            reply = words(session, person, row.kind, params, again=False)
            assert end(session, row.id, "test", "sent" if reply else "superseded", "")
            if reply is not None and row.kind != "reply":
                saw(session, person.id, reply.options, door.id)
            sent.append(Sent(door.sender, door.platform, row.kind, row.priority, reply))
            for chat in people:
                if reply is not None and (chat.sender, chat.platform) == (door.sender, door.platform):
                    chat.said = reply
    return sent
