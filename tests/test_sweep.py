"""Replies that nobody was handed: each goes its way, whatever the one before it is like."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select, update
from structlog.testing import capture_logs

from bot import hearing
from bot.hearing import Hearing
from models.database import Database, DatabaseAway
from models.inbox import InboxMessage
from models.outbox import EMERGENCY, REPLY, OutboxMessage
from tests.conftest import StoppedClock
from tests.incoming import DANGER, inbox_of, message, place


def hearing_of(database: Database) -> Hearing:
    return Hearing(database, place, lambda inbound: True, lambda key: False)


def replies(database: Database) -> list[tuple[int, int]]:
    """Priority of each reply in the outbox, and how often it may have come."""
    with database.read() as session:
        query = select(OutboxMessage.priority, OutboxMessage.resends).where(OutboxMessage.kind == "reply")
        return [(priority, resends) for priority, resends in session.exec(query)]


def spoil(database: Database, key: str) -> None:
    with database.write() as session:
        session.execute(update(InboxMessage).where(col(InboxMessage.key) == key).values(reply_sealed=b"broken"))


def test_one_reply_that_does_not_open_keeps_no_other_from_leaving(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "SWEPT_AT_ONCE", 2)
    heard = hearing_of(database)
    for number in range(7):
        assert heard.alone(message("菜单", f"{number}", f"somebody {number}"), True).row
        clock.pass_time(timedelta(seconds=1))
    for broken in ("0", "1", "3"):
        spoil(database, broken)
    clock.pass_time(timedelta(minutes=5))
    with capture_logs() as logs:
        heard.sweep()
        heard.sweep()
    assert replies(database) == [(REPLY, 1)] * 4
    told = [line for line in logs if line["event"] == "reply_not_swept"]
    assert len(told) == 3, "each is told of once"
    kept = inbox_of(database, "0")
    assert kept.reply_sealed == b"broken" and kept.door == "passive", "nothing is thrown away: a key may be missing"
    assert heard.alone(message("菜单", "later", "somebody else"), True).row
    clock.pass_time(timedelta(minutes=5))
    heard.sweep()
    assert len(replies(database)) == 5


def test_a_database_that_goes_away_ends_the_sweep_and_gives_nothing_up(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = hearing_of(database)
    assert heard.alone(message("菜单", "1"), True).row
    clock.pass_time(timedelta(minutes=5))
    with monkeypatch.context() as patch:

        def away(*_given: object, **_more: object) -> bool:
            raise DatabaseAway("test")

        patch.setattr(hearing, "queue_reply", away)
        with pytest.raises(DatabaseAway):
            heard.sweep()
    heard.sweep()
    assert replies(database) == [(REPLY, 1)]


def test_the_answer_to_a_cry_for_help_that_leaves_late_goes_before_everything_else(
    database: Database, clock: StoppedClock
) -> None:
    heard = hearing_of(database)
    update_ = message(DANGER, "1")
    heard.leave_later(update_, heard.alone(update_, True))
    assert replies(database) == [(EMERGENCY, 0)]
    assert heard.alone(message(DANGER, "2", "somebody else"), True).row
    clock.pass_time(timedelta(minutes=5))
    heard.sweep()
    assert sorted(replies(database)) == [(EMERGENCY, 0), (EMERGENCY, 1)]
