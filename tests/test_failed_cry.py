"""A cry for help whose turn meets an error of ours: the words to call for help, and whoever is responsible is told."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from bot import hearing, receive
from bot.receive import Receiver
from handlers.emergency import emergency_text
from models.alert import Alert
from models.database import Database
from models.outbox import EMERGENCY, OutboxMessage
from tests.chatting import Chat
from tests.incoming import DANGER, Switch, inbox_of, message, rows
from tests.incoming import receiver as receiver
from tests.incoming import switch as switch
from tests.people import follow, grant


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine answers at once and leaves the rest to the spool; here the turn itself is looked at."""
    monkeypatch.setattr(receive, "URGENT_SECONDS", 30.0)
    monkeypatch.setattr(receive, "ANSWER_SECONDS", 30.0)


def notices(database: Database) -> list[tuple[str, int]]:
    with database.read() as session:
        query = select(OutboxMessage.kind, OutboxMessage.priority).order_by(col(OutboxMessage.kind))
        return [(kind, priority) for kind, priority in session.exec(query)]


def on_duty(database: Database) -> None:
    chat = Chat(database, "organiser")
    follow(chat)
    grant(database, chat, "organiser", "44")


@pytest.mark.parametrize("known", [True, False], ids=["somebody known", "somebody new"])
async def test_a_danger_word_whose_turn_fails_is_answered_and_passed_on(
    receiver: Receiver, switch: Switch, database: Database, known: bool
) -> None:
    """They were told that it was not handled well, and to try again later; nobody on duty heard of it."""
    on_duty(database)
    if known:
        await receiver.receive(message("你好", "0"))
    switch.broken = {DANGER: lambda: ValueError("a bug")}
    received = await receiver.receive(message(DANGER, "1"))
    assert received.reply is not None and received.reply.text.startswith("如有危险请先拨打110／120")
    assert "抱歉" not in received.reply.text
    assert len(rows(database, Alert)) == 1
    assert ("notice.alert", EMERGENCY) in notices(database)
    row = inbox_of(database, "1")
    assert (row.state, row.failures) == ("aside", 1), "and whoever repairs it finds it"
    again = await receiver.receive(message(DANGER, "1"))
    assert again.reply == received.reply and len(rows(database, Alert)) == 1


async def test_where_even_that_fails_the_words_are_said_all_the_same(
    receiver: Receiver, switch: Switch, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> None:
        raise ValueError("a bug in what keeps cries for help")

    monkeypatch.setattr(hearing, "cry", broken)
    switch.broken = {DANGER: lambda: ValueError("a bug")}
    received = await receiver.receive(message(DANGER, "1"))
    assert received.reply is not None and received.reply.text == emergency_text()
    assert inbox_of(database, "1").state == "aside" and rows(database, Alert) == []


async def test_the_button_for_help_whose_turn_fails_gets_the_words_too(
    receiver: Receiver, switch: Switch, database: Database
) -> None:
    switch.broken = {"": lambda: ValueError("a bug")}
    received = await receiver.receive(message("", "1", kind="menu", menu="sos"))
    assert received.reply is not None and received.reply.text == emergency_text()


async def test_by_the_outbox_they_go_before_everything_else(
    receiver: Receiver, switch: Switch, database: Database
) -> None:
    await receiver.receive(message("你好", "0"))
    switch.broken = {DANGER: lambda: ValueError("a bug"), "": lambda: ValueError("a bug")}
    received = await receiver.receive(message(DANGER, "1"), passive=False)
    assert received.reply is not None, "whoever can be answered at once is"
    await receiver.receive(message("", "2", kind="menu", menu="sos"), passive=False)
    assert [kind for kind in notices(database) if kind[0] == "reply"] == [("reply", EMERGENCY)] * 2
