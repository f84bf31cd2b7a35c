"""What goes when somebody deletes their data, leaves, or time has passed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlmodel import select

from bot.receive import Receiver
from bot.spool import Spool
from handlers.here import Here
from handlers.message import Inbound
from models import inbox, outbox
from models.audit import AuditEntry
from models.code import OneTimeCode
from models.contact import ContactMessage
from models.conversation import Prompt
from models.database import Database
from models.erasure import delete_person, leave
from models.inbox import InboxMessage
from models.outbox import Attempt, OutboxMessage, enqueue
from models.page import Page
from models.person import Door, Person, door_of
from models.recognition import Recognition
from models.sealed import BlindIndex
from models.vault import Vault
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import START, StoppedClock
from tests.outgoing import ACCOUNTS, claim, deliver
from tests.people import bind, follow
from tests.test_guardian import child
from tests.test_recognition import search
from tests.test_review_security import rows


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
        (row,) = claim(session, "one", ACCOUNTS, 10)
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
        claim(session, "one", ACCOUNTS, 10)
    clock.pass_time(timedelta(minutes=1))
    jobs.sweep_claims(database)
    (left,) = rows(database, OutboxMessage)
    assert (left.state, left.params_sealed) == ("uncertain", None)


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
    receiver._hearing.sweep()
    sent = deliver(database)
    assert [one.sender for one in sent] == ["alin"]
    assert "已经删除" in sent[0].text
    await receiver.stop(1)


def test_the_references_of_a_door_stay_valid_after_a_deletion(database: Database) -> None:
    """Rows that name a door hold its id in the clear; none may lead to the account of whoever deleted their data."""
    alin = Chat(database)
    alin.register()
    with database.write() as session:
        enqueue(session, alin.person().id, "notice.unbound", {"platform": "wechat"}, unique_key="x")
        (row,) = claim(session, "one", ACCOUNTS, 10)
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
