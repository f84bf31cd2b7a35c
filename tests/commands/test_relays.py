"""`nuanyang relay`: what waits to be handed over, and a whole team at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import run
from models import relaying
from models.audit import AuditEntry
from models.database import Database, now_of
from models.relay import Relay
from tests.chatting import Chat
from tests.commanding import on_database
from tests.ledger_files import people, person
from tests.pairings import hush, open_stint, pair, somebody, team_with
from tests.people import follow, grant
from tests.test_ledger_import import brought


def number_of(chat: Chat) -> str:
    found = chat.volunteer()
    assert found is not None
    return found.number


def played(database: Database) -> tuple[Chat, Chat]:
    """A specialist with a number, and alin of the team GZ01, who is paired."""
    alin, near = Chat(database, "alin"), Chat(database, "near")
    for chat, phone in ((alin, "13800138000"), (near, "13800138001")):
        follow(chat)
        chat.register(phone=phone)
    grant(database, near, "specialist", "440106")
    brought(database, people(2))
    with database.write() as session:
        team_with(session, "GZ01", alin.person().id)
        pair(session, alin.person().id, somebody(session, 0))
        hush(session)
    return near, alin


def test_relays_are_listed_and_shown_without_names_and_notes_only_when_asked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_database(here) as database:
        _near, alin = played(database)
        number = number_of(alin)
        with database.write() as session:
            stint = open_stint(session, somebody(session, 0))
            day = now_of(session).date() + timedelta(days=30)
            relay = relaying.begin(
                session, stint.id, "graduation", day, alin.person().id, note="喜欢下棋", private="累了"
            )
            key = relay.id
    assert run(["relay", "list"]) == 0
    listed = capsys.readouterr().out
    assert key in listed and number in listed and "毕业" in listed
    assert person(0)["姓名"] not in listed
    assert run(["relay", "show", key]) == 0
    assert "下棋" not in capsys.readouterr().out
    assert run(["relay", "show", key, "--notes"]) == 0
    shown = capsys.readouterr().out
    assert "喜欢下棋" in shown and "累了" in shown
    assert run(["relay", "show", "nothing"]) == 1
    assert "nuanyang relay list" in capsys.readouterr().err
    with on_database(here) as database, database.read() as session:
        actions = session.exec(select(AuditEntry.action).where(AuditEntry.actor == "machine")).all()
        assert {"relay.note_read", "relay.private_read"} <= set(actions)


def test_a_team_is_handed_over_and_what_cannot_be_is_said_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_database(here) as database:
        near, alin = played(database)
        by, other = number_of(near), number_of(alin)
        with database.read() as session:
            day = (now_of(session).date() + timedelta(days=40)).isoformat()
    good = ["relay", "batch", "--team", "GZ01", "--last-day", day, "--by", by]
    for wrong, why in (
        (["--team", "GZ09"], "没有编号为 GZ09 的团队"),
        (["--last-day", "明天"], "2027-06-30"),
        (["--last-day", "2020-01-01"], "已经过了"),
        (["--by", "0000000000"], "没有编号为"),
        (["--by", other], "没有归"),
        (["--keeper", other], "--keeper"),
        (["--reason", "tired"], "--reason"),
        (["--to", "GZ01"], "--to"),
    ):
        assert run([*good, *wrong]) == 1, wrong
        told = capsys.readouterr().err
        assert why in told and told.count("\n") == 1, told
    assert run([*good, "--keeper", by]) == 0
    assert "开始交接 1 个结对" in capsys.readouterr().out
    assert run(good) == 0
    assert "以前就在交接" in capsys.readouterr().out
    with on_database(here) as database, database.read() as session:
        [row] = session.exec(select(Relay)).all()
        assert row.keeper_id is not None and row.reason == "graduation"


def test_with_nothing_to_hand_over_that_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_database(here):
        pass
    assert run(["relay", "list"]) == 0
    assert "没有等着交接的结对" in capsys.readouterr().out
