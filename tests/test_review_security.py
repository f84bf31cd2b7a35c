"""What a review for security, privacy and truthfulness found; each test keeps one hole shut, on both databases."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import col, select

from bot import pages, preflight
from bot import receive as receiving
from bot.receive import Receiver
from bot.spool import Spool
from config.settings import Settings
from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models import guardian, inbox, outbox, volunteer
from models.account import join, part
from models.audit import AuditEntry
from models.code import OneTimeCode
from models.contact import ContactMessage
from models.conversation import Conversation, Prompt
from models.database import Database, now_of
from models.erasure import delete_person, leave
from models.guardian import Guardian, GuardianError
from models.guardianship import Guardianship
from models.inbox import InboxMessage
from models.outbox import EMERGENCY, Attempt, OutboxMessage, enqueue
from models.page import Page
from models.person import Door, Person, door_of
from models.recognition import NotToDecide, Recognition, confirm
from models.role import RoleGrant
from models.sealed import BlindIndex
from models.vault import Vault
from scheduler import jobs
from tests.chatting import PUBLIC, Chat
from tests.conftest import START, StoppedClock
from tests.outgoing import ACCOUNTS, deliver
from tests.test_account import bind, code_in, follow, get_code, grant, unfollow
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


# --- two at once ---


def together(*work: Any) -> list[BaseException | None]:
    """Run side by side, each to its end."""
    ended: list[BaseException | None] = [None] * len(work)

    def run(number: int) -> None:
        try:
            work[number]()
        except BaseException as error:  # noqa: BLE001 shown by the test
            ended[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return ended


def heard(database: Database, sender: str, words: str, platform: str = "telegram") -> str | None:
    with database.write() as session:
        inbound = Inbound(platform, "test", sender, f"{sender}:{words}", "text", START, text=words)
        _reply, person = turn(session, inbound, Here(platform, "test", public_url=PUBLIC))
        return person


def test_a_message_that_meets_a_binding_is_heard_as_the_joined_person(database: Database) -> None:
    owner, second = Chat(database), Chat(database, "1001", "telegram")
    owner.register()
    follow(second)
    stays, gone = owner.person().id, second.person().id
    moved, seen = threading.Event(), []

    def joins() -> None:
        with database.write() as session:
            join(session, session.get_one(Person, gone), session.get_one(Person, stays), "bind")
            session.flush()
            moved.set()
            time.sleep(0.4)  # the message comes now, before the commit

    def speaks() -> None:
        assert moved.wait(5)
        seen.append(heard(database, "1001", "我的资料"))

    assert together(joins, speaks) == [None, None]
    assert seen == [stays]
    assert {row.person_id for row in rows(database, Conversation)} == {stays}


def test_a_message_that_meets_an_unbinding_is_heard_as_the_parted_person(database: Database) -> None:
    owner, second = Chat(database), Chat(database, "1001", "telegram")
    owner.register()
    bind(owner, second)
    stays, moved, seen = owner.person().id, threading.Event(), []
    with database.read() as session:
        door = door_of(session, "telegram", "test", "1001")
        assert door is not None
        key = door.id

    def parts() -> None:
        with database.write() as session:
            part(session, session.get_one(Person, stays), key)
            session.flush()
            moved.set()
            time.sleep(0.4)

    def speaks() -> None:
        assert moved.wait(5)
        seen.append(heard(database, "1001", "我的资料"))

    assert together(parts, speaks) == [None, None]
    assert seen == [second.person().id]
    assert seen != [stays]


def test_two_guardians_with_one_code_at_once_are_one_consent(database: Database) -> None:
    minor, _code = child(database)
    mother, father = Chat(database, "mother"), Chat(database, "father")
    follow(mother)
    follow(father)
    key, inside = row_of(minor).id, threading.Barrier(2)

    def agrees(chat: Chat) -> Any:
        def work() -> None:
            with database.write() as session:
                if not database.is_sqlite:
                    inside.wait(5)
                guardian.agree(session, session.get_one(Person, chat.person().id), key, TOLD, "zh_CN")
                time.sleep(0.2)

        return work

    ended = together(agrees(mother), agrees(father))
    assert sorted(type(error).__name__ for error in ended) == ["GuardianError", "NoneType"]
    assert len(rows(database, Guardianship)) == 1


def test_the_job_does_not_erase_a_minor_whose_guardian_agrees_at_that_moment(
    database: Database, clock: StoppedClock
) -> None:
    minor, _code = child(database)
    mother = Chat(database, "mother")
    follow(mother)
    key, agreed = row_of(minor).id, threading.Event()
    clock.pass_time(timedelta(days=400))

    def agrees() -> None:
        with database.write() as session:
            guardian.agree(session, session.get_one(Person, mother.person().id), key, TOLD, "zh_CN")
            session.flush()
            agreed.set()
            time.sleep(0.4)

    def drops() -> None:
        assert agreed.wait(5)
        jobs.drop_pending_minors(database)

    assert together(agrees, drops) == [None, None]
    row = row_of(minor)
    assert (row.status, row.birth_date is None) == (volunteer.ACTIVE, False)


# --- what must not stay ---


def test_deletion_leaves_nothing_that_it_says_goes(database: Database) -> None:
    alin, second = Chat(database), Chat(database, "1001", "telegram")
    second.say("称呼", "小林")
    alin.register()
    alin.say("称呼", "林哥")
    alin.say("联系专员", "我想换个时间")
    alin.say("免打扰")
    alin.press("关闭免打扰")
    bind(alin, second)
    deliver(database)
    stays = alin.person().id
    with database.read() as session:
        doors = set(session.exec(select(Door.id)))
        before = {row.id for row in session.exec(select(Person))}
    with database.write() as session:
        delete_person(session, session.get_one(Person, stays))
    for person in rows(database, Person):
        if person.id not in before:
            continue
        fresh = Person(created_at=START)
        assert person.address_form_sealed is None
        settings = ("quiet_from", "quiet_until", "paused_until", "campaigns_off", "language", "zone")
        assert [getattr(person, name) for name in settings] == [getattr(fresh, name) for name in settings]
    assert {row.county for row in rows(database, ContactMessage)} == {None}
    assert "440106" not in repr([row.details for row in rows(database, AuditEntry)])
    # The legal record is no longer connected with the account: no id that leads to it stands anywhere.
    assert doors.isdisjoint(row.id for row in rows(database, Door))
    assert len(rows(database, Door)) == 2
    assert alin.person().id not in before


def test_a_search_forgets_the_county_of_whoever_deletes_their_data(database: Database) -> None:
    alin = Chat(database)
    alin.register()
    search(Chat(database, "new"))
    with database.write() as session:
        delete_person(session, session.get_one(Person, alin.person().id))
    assert {row.county for row in rows(database, Recognition)} == {None}


def test_a_minor_who_is_dropped_leaves_no_name_on_the_guardians_page(database: Database, clock: StoppedClock) -> None:
    child(database)
    clock.pass_time(timedelta(days=400))
    for _name, _seconds, job in jobs.JOBS:
        job(database)
    assert rows(database, Page) == []
    assert rows(database, OneTimeCode) == []
    assert [row for row in rows(database, BlindIndex) if row.kind == "code"] == []
    assert rows(database, Prompt) == []


def test_retention_keeps_nothing_of_a_message_but_those_that_were_set_aside(
    database: Database, clock: StoppedClock
) -> None:
    """A platform may begin its numbers anew: an old key must not swallow a new message either."""
    with database.write() as session:
        inbox.enter(session, "wechat", "test", "m1", "alin", "text", {})
        aside = inbox.enter(session, "wechat", "test", "m2", "alin", "text", {"text": "x"})
        assert aside is not None
        inbox.set_aside(session, aside, None, None, "none")
    clock.pass_time(timedelta(days=31))
    jobs.forget_raw_messages(database)
    (left,) = rows(database, InboxMessage)
    assert (left.key, left.sender, left.person_id, left.payload_sealed) == ("m2", "", None, None)
    with database.write() as session:
        assert inbox.enter(session, "wechat", "test", "m1", "alin", "text", {}) is not None


def test_what_is_being_sent_when_somebody_leaves_never_waits_again(database: Database) -> None:
    alin = Chat(database)
    follow(alin)
    person = alin.person().id
    with database.write() as session:
        enqueue(session, person, "notice.unbound", {"platform": "wechat"}, unique_key="x")
        (row,) = outbox.claim(session, "one", ACCOUNTS, 10)
    with database.write() as session:
        door = door_of(session, "wechat", "test", "alin")
        assert door is not None
        leave(session, door)
    with database.write() as session:
        assert not outbox.put_back(session, row.id, "one", 0, "retry")
    (left,) = rows(database, OutboxMessage)
    assert (left.state, left.params_sealed) == ("withdrawn", None)


def test_a_row_whose_sender_died_twice_keeps_no_words(database: Database, clock: StoppedClock) -> None:
    alin = Chat(database)
    follow(alin)
    with database.write() as session:
        enqueue(session, alin.person().id, "reply", {"text": "秘密"}, unique_key="x", again=True)
        outbox.claim(session, "one", ACCOUNTS, 10)
    clock.pass_time(timedelta(minutes=1))
    jobs.sweep_claims(database)
    (left,) = rows(database, OutboxMessage)
    assert (left.state, left.params_sealed) == ("uncertain", None)


# --- who may read ---


@pytest.fixture
def specialist(database: Database) -> Chat:
    chat = Chat(database, "specialist")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat


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


async def test_the_last_reply_to_somebody_who_deleted_their_data_is_swept_too(
    database: Database, vault: Vault, tmp_path: Path, clock: StoppedClock
) -> None:
    alin = Chat(database)
    alin.register()
    alin.act("menu", menu="delete_me")
    alin.press("继续")
    receiver = Receiver(database, Spool(tmp_path / "spool", vault), lambda inbound: Here("wechat", "test"))
    answer = Inbound("wechat", "test", "alin", "9", "text", START, text="确认删除")
    received = await receiver.receive(answer)
    assert received.reply is not None
    assert "已经删除" in received.reply.text
    clock.pass_time(timedelta(minutes=1))
    receiver._sweep()
    sent = deliver(database)
    assert [one.sender for one in sent] == ["alin"]
    assert "已经删除" in sent[0].text
    await receiver.stop(1)


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


def test_the_references_of_a_door_stay_valid_after_a_deletion(database: Database) -> None:
    """Rows that name a door hold its id in the clear; none may lead to the account of whoever deleted their data."""
    alin = Chat(database)
    alin.register()
    with database.write() as session:
        enqueue(session, alin.person().id, "notice.unbound", {"platform": "wechat"}, unique_key="x")
        (row,) = outbox.claim(session, "one", ACCOUNTS, 10)
        door = door_of(session, "wechat", "test", "alin")
        assert door is not None
        attempt = outbox.begin_attempt(session, row.id, door.id)
    alin.act("menu", menu="delete_me")
    alin.press("继续")
    alin.press("确认删除")
    with database.read() as session:
        named = session.get_one(Attempt, attempt).door_id
        assert session.get(Door, named) is None
    assert "菜单" in alin.say("菜单")


def test_looking_at_a_page_takes_no_lock_that_turns_wait_for(database: Database) -> None:
    """Anybody may ask for an address that is none, as often as they like."""
    alin = Chat(database)
    alin.say("我的数据")
    token = alin.said.links[0].url.rsplit("/", 1)[1]
    parts: Any = SimpleNamespace(database=database)
    with database.write() as session:
        session.add(Person(created_at=START))
        session.flush()
        began = time.monotonic()
        assert pages._view(parts, "x" * 22).status == 404
        assert pages._view(parts, token).status == 200
        assert pages._inbound(parts, "x" * 22, "词") is None
        assert time.monotonic() - began < 1
