"""What of a message in stands in the database: the one transaction of dedupe, turn, effects and stored reply, and how
a reply that nobody was handed gets to its person all the same. Everything here runs in worker threads.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlmodel import Session

from bot.received import Key, Received, found_by, key_of, queue_reply
from config.texts import language_for, speaking
from handlers.emergency import emergency_text
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.turn import calls_for_help, calls_silently, cry, is_urgent, stuck, turn
from models import inbox, outbox
from models.arrival import Met, arrive, finish, leave
from models.database import Database, is_away
from models.person import Door, Person, door_of

log = structlog.get_logger(__name__)

SWEEP_AFTER = timedelta(seconds=30)  # WeChat's last repeat comes within 15–20 s
SWEPT_AT_ONCE, SWEPT_SLICES = 100, 5  # replies; what is left waits for the next sweep

Part = Callable[[], AbstractContextManager[Session]]


def kept(inbound: Inbound) -> Inbound:
    """What the inbox keeps of an update. Where somebody is, is heard by the turn and kept by no message (programme §7):
    where the talk asks for a place, it writes down what that came to."""
    if inbound.kind != "location":
        return inbound
    return replace(inbound, latitude=None, longitude=None, text="")


class Hearing:
    """`here` tells where an update's talk is held, `answers_now` whether its platform takes a reply in the answer, and
    `given_up` whether the call of an update was answered without its reply."""

    def __init__(
        self,
        database: Database,
        here: Callable[[Inbound], Here],
        answers_now: Callable[[Inbound], bool],
        given_up: Callable[[Key], bool],
    ) -> None:
        self._database = database
        self._here = here
        self._answers_now = answers_now
        self._given_up = given_up
        self._stuck: set[Key] = set()  # whose replies could not leave, in this process

    def alone(self, inbound: Inbound, passive: bool) -> Received:
        """An update in a transaction of its own. Raises DatabaseAway, and what keeps it from being entered at all."""
        return self.heard(self._database.once, inbound, passive)

    def heard(self, part: Part, inbound: Inbound, passive: bool) -> Received:
        """The turn, or what stands for one that failed: that rolls back itself and nothing else (§9). `part` begins a
        transaction, or the part of one that stands or falls alone."""
        try:
            with part() as session:
                return self._hear(session, inbound, passive)
        except Exception as error:
            if is_away(error):
                raise  # no fault of this message: the whole transaction is tried again from the spool
            log.exception("turn_failed", kind=inbound.kind)
        if calls_for_help(inbound) or calls_silently(inbound) or inbound.kind == "location":
            try:
                with part() as session:
                    return self._cry(session, inbound, passive)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("cry_failed", kind=inbound.kind)
        with part() as session:
            row = self._enter(session, inbound)
            if row is None:
                return self._repeated(session, inbound, passive)
            return self._set_aside(session, inbound, row, passive)

    def _cry(self, session: Session, inbound: Inbound, passive: bool) -> Received:
        """A danger word whose turn failed is passed on all the same, by itself; the message is set aside as any."""
        row = self._enter(session, inbound)
        if row is None:
            return self._repeated(session, inbound, passive)
        reply, where = cry(session, inbound, self._here(inbound))
        return self._aside(session, row, reply, passive, where, outbox.EMERGENCY)

    def _enter(self, session: Session, inbound: Inbound) -> str | None:
        platform, account, key, sender = found_by(inbound)
        return inbox.enter(session, platform, account, key, sender, inbound.kind, kept(inbound).as_json())

    def _arrive(self, session: Session, inbound: Inbound) -> tuple[str | None, Met | None]:
        if inbound.kind in ("unfollow", "other"):
            return self._enter(session, inbound), None  # nobody said anything
        platform, account, key, sender = found_by(inbound)
        return arrive(session, platform, account, key, sender, inbound.kind, kept(inbound).as_json())

    def _hear(self, session: Session, inbound: Inbound, passive: bool) -> Received:
        here = self._here(inbound)
        row, met = self._arrive(session, inbound)
        if row is None:
            return self._repeated(session, inbound, passive)
        reply, person = turn(session, inbound, here, met)
        passive = passive and reply is not None and not self._given_up(key_of(inbound))
        # On a platform that drops answers without a word: not faster than it takes them, and (`in_order`) not before
        # an earlier reply that still waits in the outbox.
        in_order = passive and not here.sure_answers
        if in_order and not self._answers_now(inbound):
            passive = in_order = False
        door = "none" if reply is None else "passive" if passive else "outbox"
        words = reply.as_json() if reply else None
        if met is not None and met.to_save:
            door = leave(session, row, met, person, words, door, in_order=in_order)
        else:
            door = finish(session, row, person, words, door, in_order=in_order)
        if inbound.kind == "unfollow" and person is None:
            inbox.forget_messages(session, inbound.platform, inbound.account, inbound.sender)
        if reply is not None and door == "outbox" and person is not None:
            where = door_of(session, inbound.platform, inbound.account, inbound.sender)
            urgent = outbox.EMERGENCY if is_urgent(inbound) else outbox.REPLY
            queue_reply(session, row, person, reply, where.id if where else None, priority=urgent)
        return Received(reply, row) if door == "passive" else Received(None)

    def _set_aside(self, session: Session, inbound: Inbound, row: str, passive: bool) -> Received:
        """After a turn that failed and was rolled back: the message is kept, and its person gets an apology."""
        where = door_of(session, inbound.platform, inbound.account, inbound.sender)
        person = session.get(Person, where.person_id) if where is not None else None
        if inbound.kind in ("unfollow", "other"):
            inbox.set_aside(session, row, person.id if person else None, None, "none")
            return Received(None)
        urgent = is_urgent(inbound)
        with speaking(person.language if person else language_for(inbound.language)):
            reply = Reply(emergency_text()) if urgent else stuck()
        return self._aside(session, row, reply, passive, where, outbox.EMERGENCY if urgent else outbox.REPLY)

    def _aside(
        self, session: Session, row: str, reply: Reply, passive: bool, where: Door | None, priority: int
    ) -> Received:
        door = "passive" if passive else "outbox" if where is not None else "none"
        inbox.set_aside(session, row, where.person_id if where else None, reply.as_json(), door)
        if where is not None and door == "outbox":
            queue_reply(session, row, where.person_id, reply, where.id, priority=priority)
        return Received(reply, row) if passive else Received(None)

    def _repeated(self, session: Session, inbound: Inbound, passive: bool) -> Received:
        """The same reply to a repeat of its message, whose first call was cut. It claims the reply: another copy may be
        about to put it into the outbox, and the person must not get it by both."""
        if not passive or self._given_up(key_of(inbound)):
            return Received(None)
        found = inbox.stored(session, inbound.platform, inbound.account, inbound.key)
        if found is None or found.reply is None or found.door != "passive":
            return Received(None)
        if not inbox.claim_reply(session, found.id):
            return Received(None)
        return Received(Reply.from_json(found.reply), found.id, claimed=True)

    def leave_later(self, inbound: Inbound, received: Received) -> None:
        """The turn is done, and its call was answered without the reply. Only what this call itself made can be known
        to be with nobody, and leaves at once. Whoever came again after another call (of another copy, which may have
        answered a moment ago) leaves the reply to `sweep`, which says that it may have come."""
        if received.row and not received.claimed:
            self._to_outbox(*found_by(inbound), urgent=is_urgent(inbound))

    def sweep(self) -> None:
        """Replies of which nobody knows that they left go by the outbox, and say that they may have come: a process
        died, or an answer was cut and the platform did not come again. One that cannot leave is told of and passed
        over until the next start: the key that opens it may only be missing."""
        for _slice in range(SWEPT_SLICES):
            with self._database.read() as session:
                found = inbox.never_handed(session, SWEEP_AFTER, SWEPT_AT_ONCE + len(self._stuck))
            rows = [row for row in found if row[:3] not in self._stuck][:SWEPT_AT_ONCE]
            for row in rows:
                self._sweep(*row)
            if len(rows) < SWEPT_AT_ONCE:
                return

    def _sweep(self, platform: str, account: str, key: str, sender: str) -> None:
        log.info("reply_swept", platform=platform, account=account)
        try:
            with self._database.read() as session:
                said = inbox.payload(session, platform, account, key)
            urgent = said is not None and is_urgent(Inbound.from_json(said))
            self._to_outbox(platform, account, key, sender, urgent=urgent, claims_older_than=SWEEP_AFTER)
        except Exception as error:
            if is_away(error):
                raise
            self._stuck.add((platform, account, key))
            log.exception("reply_not_swept", platform=platform, account=account)

    def _to_outbox(
        self,
        platform: str,
        account: str,
        key: str,
        sender: str,
        *,
        urgent: bool,
        claims_older_than: timedelta | None = None,
    ) -> None:
        """One conditional update moves the reply. `claims_older_than` = it is swept, and so may have come already."""
        with self._database.write() as session:
            if not inbox.take_to_outbox(session, platform, account, key, claims_older_than):
                return
            found = inbox.stored(session, platform, account, key)
            door = door_of(session, platform, account, sender)
            # After a deletion the row names no sender any more; whoever talks there now gets the reply all the same.
            person = door.person_id if door is not None else found.person_id if found is not None else None
            if found is not None and found.reply is not None and person is not None:
                where = door.id if door is not None else None
                again = claims_older_than is not None
                reply, priority = Reply.from_json(found.reply), outbox.EMERGENCY if urgent else outbox.REPLY
                queue_reply(session, found.id, person, reply, where, again=again, priority=priority)

    def ask(self) -> None:
        """Whether the database answers. Raises DatabaseAway."""
        with self._database.write() as session:
            session.execute(text("SELECT 1"))

    def mark(self, handed: list[str]) -> None:
        """Write down which replies left in their answers."""
        with self._database.write() as session:
            inbox.mark_handed(session, handed)
