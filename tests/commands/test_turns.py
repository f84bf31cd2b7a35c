"""`nuanyang turns`: whose turn it is, and who goes in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import run
from models.pairing import Stint
from tests.chatting import Chat
from tests.commanding import on_database
from tests.ledger_files import people
from tests.pairings import open_stint, pair, somebody, team_with
from tests.people import follow, grant
from tests.test_ledger_import import brought


def number_of(chat: Chat) -> str:
    found = chat.volunteer()
    assert found is not None
    return found.number


def test_turns_are_planned_listed_and_dropped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_database(here) as database:
        chats = [Chat(database, name) for name in ("lead", "member", "boss")]
        for at, chat in enumerate(chats):
            follow(chat)
            chat.register(phone=f"1380013800{at}", born="2000-08-13")
        lead, member, boss = chats
        grant(database, boss, "specialist", "440106")
        brought(database, people(1))
        with database.write() as session:
            team = team_with(session, "GZ01", lead.person().id, member.person().id)
            pair(session, lead.person().id, somebody(session, 0), team=team)
            stint = open_stint(session, somebody(session, 0)).id
        leads, goes, decides = number_of(lead), number_of(member), number_of(boss)
    assert run(["turns", "list", "GZ09"]) != 0
    assert run(["turns", "list", "gz01"]) == 0
    assert [leads, "leader"] == capsys.readouterr().out.splitlines()[-1].split("\t")[-2:]
    planned = ["turns", "set", stint, "--member", goes, "--member", leads]
    assert run([*planned, "--rhythm", "visit", "--by", decides]) == 0
    assert run(["turns", "list", "GZ01"]) == 0
    assert ["visit", goes, "turn"] == capsys.readouterr().out.splitlines()[-1].split("\t")[-3:]
    for wrong in (
        [*planned, "--by", goes],
        [*planned, "--rhythm", "day", "--by", leads],
        ["turns", "set", stint, "--member", decides, "--by", leads],
        ["turns", "set", stint, "--member", "1234567897", "--by", leads],
        ["turns", "set", "nothing", "--member", goes, "--by", leads],
        ["turns", "drop", stint, "--by", goes],
    ):
        assert run(wrong) != 0
        assert capsys.readouterr().err
    assert run(["turns", "drop", stint, "--by", leads]) == 0
    assert run(["turns", "drop", stint, "--by", leads]) == 0
    assert "本来就没有排班" in capsys.readouterr().out
    with on_database(here) as database, database.read() as session:
        assert session.get_one(Stint, stint).state == "open"
