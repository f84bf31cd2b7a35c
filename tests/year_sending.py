"""Hands over what is due, as the sender's own choice has it (bot/sending_choice.py), and writes down when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, SQLModel, col, select

from bot.sending_choice import Chooser, View
from bot.sending_line import Room
from bot.ways import Ways
from handlers.here import Here
from handlers.notices import words
from models import claiming, resting
from models.database import Database, now_of
from models.outbox import REMINDER, OutboxMessage, params_of
from models.person import Person
from models.visit_reminders import KIND
from tests.chatting import PUBLIC

ACCOUNT = ("wechat", "test")
QUIET, AWAKE = time(21, 0), time(8, 30)  # programme §6
_VIEW: dict[str, Any] = {"others": (), "busy": (), "busy_doors": (), "resting": {}, "paused": {}}
_O: Any = SQLModel.metadata.tables["outbox"]


@dataclass(frozen=True)
class Handed:
    """A message that was handed over: its key, whose it is, and when, UTC."""

    key: str
    kind: str
    person_id: str
    at: datetime


class Sending:
    """`handed` = reminders of visits that were handed over while they were true, `wrong` what must not be."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.handed: list[Handed] = []
        self.wrong: Counter[str] = Counter()
        self.rested = 0
        self._chooser, self._steps = Chooser(Ways({})), count()

    def send(self) -> None:
        """Everything that is due; each look takes one message for each person."""
        view = View(rooms={ACCOUNT: Room(5_000, 5_000, 5_000)}, mine={ACCOUNT}, **_VIEW)
        while True:
            self._chooser.begin_anew()
            with self.database.read() as session:
                picks = self._chooser.pick(session, view, float(next(self._steps)))
            if not picks:
                return
            self.wrong["a message could not be looked at"] += len(picks.broken)
            with self.database.write() as session:
                rests = [row for rows in picks.rest.values() for row in rows]
                resting.rest(session, rests)
                self.rested += len(rests)
                claiming.settle(session, picks.expired, state="expired", ended_at=now_of(session))
                claiming.settle(session, [*picks.homeless, *picks.closed, *picks.unserved], state="held", why="no door")
                ids = [pick.row.id for pick in picks.take]
                for pick in picks.take:
                    self._look(session, pick.row, pick.person.zone, pick.way.door.id)
                sent = {"state": "sent", "ended_at": now_of(session)}
                session.execute(update(_O).where(_O.c.id.in_(ids), _O.c.state == "waiting").values(**sent))

    def _look(self, session: Session, row: Any, zone: str, door: str) -> None:
        now = now_of(session)
        there = now.astimezone(ZoneInfo(zone)).time()
        if row.priority >= REMINDER and (there >= QUIET or there < AWAKE):
            self.wrong[f"a reminder was handed over in quiet hours: {row.kind}"] += 1
        message = session.exec(select(OutboxMessage).where(col(OutboxMessage.id) == row.id)).one()
        if row.kind == KIND:
            session.info["here"] = Here(*ACCOUNT, door, sensitive_in_chat=True, public_url=PUBLIC)
            person = session.get_one(Person, row.person_id)
            if words(session, person, row.kind, params_of(session, message), again=False) is None:
                return  # it is not true any more, and nothing is sent
        self.handed.append(Handed(message.unique_key, row.kind, row.person_id, now.astimezone(UTC)))
