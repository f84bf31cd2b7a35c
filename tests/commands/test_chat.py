"""`nuanyang chat`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlmodel import select

from bot.terminal import Chat, heard
from config.settings import Settings
from models.database import Database
from models.inbox import InboxMessage
from models.person import open_door
from tests.commanding import COMMAND, environment


def test_a_talk_in_the_terminal_greets_answers_and_leaves(here: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "chat", "--as", "阿林"],
        cwd=here,
        env=environment(here),
        input="菜单\n/退出\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split("\n\n")) >= 2
    assert ended.stdout.startswith("（离开：输入 /退出，或按 Ctrl-D）")
    assert "\x1b" not in ended.stdout
    assert ended.stderr == ""


def test_the_terminal_goes_through_inbox_and_hands_its_replies_over(database: Database) -> None:
    shown: list[str] = []
    chat = Chat(Settings(), database, "阿林", shown.append)
    chat.greet()
    chat.greet()
    chat.say(heard("帮助", "阿林"))
    assert len(shown) == 2
    with database.read() as session:
        rows = session.exec(select(InboxMessage)).all()
        assert {(row.platform, row.state) for row in rows} == {("terminal", "done")}
        assert all(row.handed_at is not None for row in rows)


async def test_what_waits_in_the_outbox_is_printed_in_the_terminal(database: Database) -> None:
    from models.outbox import enqueue

    shown: list[str] = []
    chat = Chat(Settings(), database, "me", shown.append)
    chat.greet()
    with database.write() as session:
        _door, person = open_door(session, "terminal", "me", "me", "zh_CN", zone="Asia/Shanghai")
        enqueue(session, person.id, "reply", {"text": "专员回复你了"}, unique_key="k")
    await chat.deliver()
    await chat.stop()
    assert shown[-1].startswith("专员回复你了")


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("你好", "text"), ("/位置 23.1,113.3", "location"), ("/位置 这里", "text"), ("/语音", "media"), ("1", "text")],
)
def test_a_typed_line_is_understood(typed: str, kind: str) -> None:
    assert heard(typed, "me").kind == kind
