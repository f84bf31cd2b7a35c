"""What a review for security, privacy and truthfulness found; each test keeps one hole shut, on both databases."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from bot import preflight
from bot import receive as receiving
from bot.receive import Receiver
from bot.spool import Spool
from config.settings import Settings
from handlers.here import Here
from handlers.message import Inbound
from models import guardian, volunteer
from models.account import join, part
from models.database import Database, now_of
from models.guardian import Guardian, GuardianError
from models.guardianship import Guardianship
from models.outbox import EMERGENCY, OutboxMessage
from models.person import Person, door_of
from models.recognition import NotToDecide, Recognition, confirm
from models.role import RoleGrant
from models.vault import Vault
from tests.chatting import Chat
from tests.conftest import START, StoppedClock
from tests.outgoing import deliver
from tests.people import bind, code_in, follow, get_code, grant, unfollow
from tests.people import specialist as specialist
from tests.test_guardian import agree, child, row_of
from tests.test_recognition import search

TOLD = Guardian(name="李秀英", relation="mother", phone="+8613900139000")


def unbind(database: Database, chat: Chat, leaving: Chat) -> None:
    with database.write() as session:
        door = door_of(session, leaving.platform, "test", leaving.sender)
        assert door is not None
        part(session, session.get_one(Person, chat.person().id), door.id)


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as session:
        return list(session.exec(select(table)).all())


# --- who somebody is ---


def test_a_binding_code_dies_with_the_door_it_was_shown_at(database: Database) -> None:
    owner, thief, third = Chat(database), Chat(database, "1001", "telegram"), Chat(database, "1002", "telegram")
    owner.register()
    bind(owner, thief)
    code = get_code(thief)
    unbind(database, owner, thief)
    said = third.say(f"绑定 {code}")
    assert "过期" in said
    assert third.person().id != owner.person().id


def test_a_door_that_was_once_the_minors_own_cannot_be_the_guardians(database: Database) -> None:
    minor, code = child(database)
    second = Chat(database, "2002", "telegram")
    bind(minor, second)
    unbind(database, minor, second)
    with database.write() as session, pytest.raises(GuardianError) as refused:
        guardian.agree(session, session.get_one(Person, second.person().id), row_of(minor).id, TOLD, "zh_CN")
    assert refused.value.reason == "own"
    assert row_of(minor).status == volunteer.WAITING
    # Whoever never was the minor still may.
    agree(database, code)
    assert row_of(minor).status == volunteer.ACTIVE


def test_a_consent_that_the_minors_own_account_recorded_as_a_specialist_ends_with_the_binding(
    database: Database,
) -> None:
    minor, _code = child(database)
    recorder, other = Chat(database, "recorder", "telegram"), Chat(database, "other", "telegram")
    for chat in (recorder, other):
        follow(chat)
        grant(database, chat, "specialist", "440106")
    with database.write() as session:
        guardian.record(session, session.get_one(Person, recorder.person().id), row_of(minor).id, TOLD, "zh_CN")
    assert row_of(minor).status == volunteer.ACTIVE
    bind(minor, recorder)
    assert row_of(minor).status == volunteer.PAUSED
    assert all(row.withdrawn_at is not None for row in rows(database, Guardianship))
    # What somebody else saw and recorded stands.
    with database.write() as session:
        guardian.record(session, session.get_one(Person, other.person().id), row_of(minor).id, TOLD, "zh_CN")
    third = Chat(database, "third", "telegram")
    bind(minor, third)
    assert row_of(minor).status == volunteer.ACTIVE


def test_a_consent_ends_too_when_the_recorders_account_was_joined_to_another_before(database: Database) -> None:
    minor, _code = child(database)
    recorder, second = Chat(database, "recorder", "telegram"), Chat(database, "second")
    follow(recorder)
    grant(database, recorder, "specialist", "440106")
    with database.write() as session:
        guardian.record(session, session.get_one(Person, recorder.person().id), row_of(minor).id, TOLD, "zh_CN")
    second.register(phone="13700137000")
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    bind(second, recorder)
    assert row_of(minor).status == volunteer.ACTIVE
    with database.write() as session:
        volunteer.erase(session, second.person().id)
    bind(minor, second)
    assert row_of(minor).status == volunteer.PAUSED


def test_a_grown_up_whose_old_consent_ends_is_not_paused(database: Database, clock: StoppedClock) -> None:
    minor, _code = child(database)
    recorder = Chat(database, "recorder", "telegram")
    follow(recorder)
    grant(database, recorder, "specialist", "440106")
    with database.write() as session:
        guardian.record(session, session.get_one(Person, recorder.person().id), row_of(minor).id, TOLD, "zh_CN")
    clock.pass_time(timedelta(days=20 * 366))
    bind(minor, recorder)
    assert row_of(minor).status == volunteer.ACTIVE


def test_a_specialist_cannot_confirm_a_search_that_became_their_own(database: Database) -> None:
    old = Chat(database, "old")
    old.register()
    found = old.person().id
    unfollow(database, old)
    boss, puppet = Chat(database, "boss"), Chat(database, "puppet")
    follow(boss)
    grant(database, boss, "specialist", "440106")
    search(puppet)
    (request,) = [row for row in rows(database, Recognition) if row.state == "open"]
    bind(boss, puppet)
    assert puppet.person().id == boss.person().id
    with database.write() as session, pytest.raises(NotToDecide) as refused:
        confirm(session, request.id, boss.person().id)
    assert refused.value.reason == "not_yours"
    assert boss.person().id != found


def test_the_old_doors_hear_that_somebody_was_recognised_with_their_code(database: Database) -> None:
    old, new = Chat(database, "old"), Chat(database, "1001", "telegram")
    old.register()
    search(new)
    (sent,) = deliver(database)
    code = code_in(sent.text.replace("（", " "))
    assert "欢迎回来" in new.say(code)
    told = deliver(database)
    assert [(one.sender, one.kind) for one in told] == [("old", "notice.bound")]
    assert "Telegram" in told[0].text


def test_a_join_of_joined_people_comes_apart_as_it_was_put_together(database: Database) -> None:
    """A → B → C, then C parts from B and B from A: what each brought goes back."""
    minor, code = child(database)
    first = agree(database, code, "mother")
    second, third = Chat(database, "1002", "telegram"), Chat(database, "1003", "telegram")
    follow(second)
    follow(third)
    people = [chat.person().id for chat in (first, second, third)]
    with database.write() as session:
        join(session, session.get_one(Person, people[0]), session.get_one(Person, people[1]), "bind")
    with database.write() as session:
        join(session, session.get_one(Person, people[1]), session.get_one(Person, people[2]), "bind")
    assert first.person().id == people[2]
    unbind(database, third, second)
    unbind(database, second, first)
    assert [chat.person().id for chat in (first, second, third)] == people
    (held,) = rows(database, Guardianship)
    assert held.guardian_person == people[0]
    assert row_of(minor).status == volunteer.ACTIVE


# --- who may read ---


def dismiss(database: Database) -> None:
    with database.write() as session:
        for held in session.exec(select(RoleGrant)).all():
            held.ended_at = now_of(session)
            session.add(held)


@pytest.mark.parametrize("words", [("联系专员", "悄悄话"), ("救命，有人打我",)])
def test_whoever_lost_the_role_meanwhile_does_not_read_what_was_written(
    database: Database, specialist: Chat, words: tuple[str, ...]
) -> None:
    alin = Chat(database)
    alin.register()
    alin.say(*words)
    with database.read() as session:
        waiting = session.exec(select(OutboxMessage).where(col(OutboxMessage.kind).like("notice.%"))).all()
        assert {row.person_id for row in waiting} == {specialist.person().id}
    dismiss(database)
    assert [one.reply for one in deliver(database)] == [None]


def test_a_flood_of_cries_for_help_waits_as_one_notice_with_every_word(database: Database, specialist: Chat) -> None:
    alin = Chat(database)
    alin.register()
    for number in range(30):
        alin.say(f"救命 {number}")
    sent = deliver(database)
    assert [(one.sender, one.priority) for one in sent] == [("specialist", EMERGENCY)]
    assert all(f"救命 {number}" in sent[0].text for number in range(30))
    alin.say("救命，快来")
    assert len(deliver(database)) == 1, "whoever was told hears of what comes later"


def test_a_long_cry_for_help_is_told_with_its_newest_words(database: Database, specialist: Chat) -> None:
    alin = Chat(database)
    alin.register()
    for number in range(20):
        alin.say(f"救命 {number} " + "说" * 200)
    (sent,) = deliver(database)
    assert "救命 19" in sent.text
    assert "救命 0" in sent.text
    assert len(sent.text.encode()) <= 2_000, "a platform would cut the rest off without a word"


# --- nothing is lost ---


async def test_help_is_answered_and_a_message_is_kept_while_every_common_thread_waits(
    database: Database, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages, readiness and sending wait for a slow database in the loop's threads; the emergency text and the spool
    must not stand behind them."""
    monkeypatch.setattr(receiving, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(receiving, "URGENT_SECONDS", 0.2)
    spool = Spool(tmp_path / "spool", vault)
    spool.open()
    receiver = Receiver(database, spool, lambda inbound: Here("wechat", "test"))
    slow, free = threading.Event(), ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(free)
    blocked = [loop.run_in_executor(None, slow.wait, 10) for _ in range(3)]
    monkeypatch.setattr(receiver, "transact", lambda inbound, passive: slow.wait(10))
    try:
        danger = Inbound("wechat", "test", "alin", "1", "text", START, text="救命，有人打我")
        received = await asyncio.wait_for(receiver.receive(danger), 2)
        assert received.reply is not None
        assert "110" in received.reply.text
        assert len(list((tmp_path / "spool").glob("*.update"))) == 1
    finally:
        slow.set()
        await asyncio.gather(*blocked)
        await receiver.stop(1)


# --- configuration ---


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("http://nuanyang.example.org", False),
        ("http://8.8.8.8:8080", False),
        ("https://nuanyang.example.org", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://bot:8080", True),
        ("", True),
    ],
)
def test_pages_with_personal_data_are_not_offered_in_the_clear(address: str, safe: bool) -> None:
    named = [problem.key for problem in preflight.unsafe(Settings(public_url=address))]
    assert ("NUANYANG_PUBLIC_URL" in named) is not safe
