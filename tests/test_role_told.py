"""A role given or ended: its person is told in chat, and what nobody had is handed over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, delete, func, select

from models import handover, role
from models.alert import Alert
from models.contact import ContactMessage, answer, open_contacts, write
from models.database import Database, DatabaseAway, now_of
from models.handover import HandedOver, Places, hand_over
from models.ids import new_id
from models.outbox import EMERGENCY, OutboxMessage
from models.person import Person
from models.role import GrantError, RoleGrant, end_grant
from scheduler import jobs
from tests.chatting import Chat
from tests.outgoing import Sent, deliver
from tests.people import bind, follow, unfollow


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    chat.register()
    return chat


def specialist(database: Database, sender: str = "specialist", platform: str = "wechat") -> Chat:
    chat = Chat(database, sender, platform)
    follow(chat)
    return chat


def granted(session: Session, chat: Chat) -> str:
    """The role of a specialist, by the organiser of the province; returns its id."""
    by = session.exec(select(RoleGrant.person_id).where(RoleGrant.scope == "44")).one()
    return role.grant(session, chat.person().id, "specialist", "region", "440106", by=by).id


@pytest.fixture
def boss(database: Database) -> Chat:
    """The organiser of the province; has left every door, so that nothing reaches them."""
    chat = specialist(database, "boss")
    with database.write() as session:
        role.grant(session, chat.person().id, "organiser", "region", "44", first=True)
    unfollow(database, chat)
    return chat


def to(sent: list[Sent], chat: Chat) -> list[Sent]:
    return [one for one in sent if one.sender == chat.sender]


def test_whoever_is_given_a_role_is_told_once_what_for_and_what_they_can_do(database: Database, boss: Chat) -> None:
    chat = specialist(database)
    with database.write() as session:
        granted(session, chat)
        granted(session, chat)
    (told,) = deliver(database)
    assert (told.sender, told.kind) == ("specialist", "notice.role")
    assert told.text.startswith("你现在是项目专员，负责：广东省广州市天河区。")
    assert "联系专员" in told.text
    assert told.reply is not None
    assert told.reply.menu == "specialist"
    assert [option.id for option in told.reply.options] == ["m:messages", "m:guardian_record"]
    assert "Telegram" not in told.text


def test_on_telegram_it_says_where_the_words_are_read(database: Database, boss: Chat) -> None:
    chat = specialist(database, "2001", "telegram")
    with database.write() as session:
        granted(session, chat)
    assert "网页上看" in deliver(database)[0].text


def test_whoever_loses_a_role_is_told_and_a_role_that_ended_before_is_not_announced(
    database: Database, boss: Chat
) -> None:
    chat = specialist(database)
    with database.write() as session:
        key = granted(session, chat)
        end_grant(session, key, session.exec(select(RoleGrant.person_id).where(RoleGrant.scope == "44")).one())
    assert sorted(one.text for one in deliver(database)) == [
        "",
        "你的职责已经结束：项目专员，广东省广州市天河区。还没答复的留言和求助会转给现在负责的同事，谢谢你。",
    ]


def test_what_was_kept_before_anybody_was_responsible_is_handed_over_once(
    database: Database, alin: Chat, boss: Chat
) -> None:
    alin.say("联系专员", "在吗")
    alin.say("救命")
    assert [waiting.delivery for waiting in delivery(database)] == ["nobody"]
    chat = specialist(database)
    with database.write() as session:
        granted(session, chat)
    assert hand_over(database) == HandedOver(contacts=1, alerts=1)
    assert hand_over(database) == HandedOver(contacts=0, alerts=0)
    sent = {one.kind: one for one in deliver(database)}
    assert "：\n在吗\n" in sent["notice.contact"].text
    assert sent["notice.alert"].priority == EMERGENCY
    assert "救命" in sent["notice.alert"].text
    assert jobs.hand_over(database) == 0
    assert deliver(database) == []


def delivery(database: Database) -> list:  # type: ignore[type-arg]
    with database.read() as session:
        return open_contacts(session)


def test_what_somebody_has_is_not_sent_to_the_next_one_who_is_made_responsible(
    database: Database, alin: Chat, boss: Chat
) -> None:
    first, second = specialist(database), specialist(database, "second")
    with database.write() as session:
        granted(session, first)
    alin.say("联系专员", "在吗")
    deliver(database)
    with database.write() as session:
        granted(session, second)
    assert hand_over(database).contacts == 0
    assert [one.kind for one in deliver(database)] == ["notice.role"]


def test_when_a_role_ends_what_waits_goes_to_whoever_answers_now(database: Database, alin: Chat, boss: Chat) -> None:
    first, second = specialist(database), specialist(database, "second")
    with database.write() as session:
        key = granted(session, first)
    alin.say("联系专员", "在吗")
    deliver(database)
    with database.write() as session:
        granted(session, second)
        end_grant(session, key, session.exec(select(RoleGrant.person_id).where(RoleGrant.scope == "44")).one())
    assert hand_over(database).contacts == 1
    assert [one.kind for one in to(deliver(database), second)] == ["notice.role", "notice.contact"]


def test_whoever_comes_back_by_a_door_gets_what_was_withdrawn_when_they_left(
    database: Database, alin: Chat, boss: Chat
) -> None:
    chat, other = specialist(database), specialist(database, "2001", "telegram")
    with database.write() as session:
        granted(session, chat)
    alin.say("联系专员", "在吗")
    unfollow(database, chat)
    assert jobs.hand_over(database) == 0, "nobody can be reached"
    person = chat_person(database)
    with database.write() as session:
        from models.person import door_of

        door = door_of(session, "telegram", "test", "2001")
        assert door is not None
        door.person_id = person
        session.add(door)
    assert jobs.hand_over(database) == 1
    assert jobs.hand_over(database) == 0
    assert [one.kind for one in to(deliver(database), other)] == ["notice.contact"]


def chat_person(database: Database) -> str:
    with database.read() as session:
        return session.exec(select(RoleGrant.person_id).where(RoleGrant.role == "specialist")).one()


def test_what_was_sent_before_two_accounts_became_one_is_not_sent_again(
    database: Database, alin: Chat, boss: Chat
) -> None:
    old, new = specialist(database), specialist(database, "2001", "telegram")
    with database.write() as session:
        granted(session, old)
    alin.say("联系专员", "在吗")
    deliver(database)
    new.register(phone="13900139000")
    with database.write() as session:
        session.add(a_grant(new, "specialist", session))
    bind(old, new)
    assert jobs.hand_over(database) == 0


def test_a_message_that_was_answered_is_handed_to_nobody(database: Database, alin: Chat, boss: Chat) -> None:
    helper, chat = specialist(database, "helper"), specialist(database)
    with database.write() as session:
        session.add(a_grant(helper, "specialist", session))
        session.flush()
        row, _count = write(session, alin.person().id, "在吗")
        answer(session, row.id, helper.person().id, "在")
        granted(session, chat)
    assert hand_over(database).contacts == 0


def a_grant(chat: Chat, name: str, session: Session) -> RoleGrant:
    return RoleGrant(
        person_id=chat.person().id,
        role=name,
        scope_kind="region",
        scope="440106",
        granted_by="machine",
        granted_at=now_of(session),
    )


def test_what_the_organiser_has_stays_there_when_a_specialist_is_made_responsible(
    database: Database, alin: Chat
) -> None:
    organiser, chat = specialist(database, "organiser"), specialist(database)
    with database.write() as session:
        role.grant(session, organiser.person().id, "organiser", "region", "44", first=True)
    alin.say("联系专员", "在吗")
    alin.say("救命")
    with database.write() as session:
        granted(session, chat)
    assert hand_over(database) == HandedOver(0, 0)


def test_a_slice_hands_over_so_many_and_the_next_one_the_rest(database: Database, alin: Chat, boss: Chat) -> None:
    with database.write() as session:
        for number in range(5):
            write(session, alin.person().id, f"第{number}句")
    chat = specialist(database)
    with database.write() as session:
        granted(session, chat)
    assert [hand_over(database, 3).contacts for _time in range(3)] == [3, 2, 0]
    with database.read() as session:
        waiting = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.contact")).all()
        assert len(waiting) == 5


@pytest.fixture
def crowd(database: Database) -> int:
    """More open messages than one run looks at, half of them in threads, of people who are not registered; and as many
    cries for help as one run hands over. Nobody has any of them. Returns how many messages."""
    count = 2_500
    with database.write() as session:
        people = [Person(created_at=now_of(session)) for _each in range(count)]
        session.add_all(people)
        session.flush()
        at, thread = now_of(session), ""
        for number, person in enumerate(people):
            key = new_id()
            thread = key if number % 2 else thread or key
            session.add(
                ContactMessage(
                    id=key,
                    thread=thread,
                    asker_id=person.id,
                    author_id=person.id,
                    by_asker=True,
                    words_sealed=b"never opened here",
                    at=at + timedelta(milliseconds=number),
                )
            )
        session.add_all(Alert(person_id=person.id, source="sos", at=at) for person in people[:200])
    return count


class Written:
    """What each write transaction of a database cost, in CPU seconds (a busy machine must not count), and how many
    notices it put in."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lasted: list[float] = []
        self.notices: list[int] = []
        real = database.write

        @contextmanager
        def write() -> Iterator[Session]:
            with real() as session:
                count = select(func.count()).select_from(OutboxMessage)
                before, since = session.exec(count).one(), time.thread_time()
                yield session
                self.lasted.append(time.thread_time() - since)
                self.notices.append(session.exec(count).one() - before)

        monkeypatch.setattr(database, "write", write)


@pytest.mark.long
def test_many_are_handed_over_in_short_write_transactions_and_then_nothing_is_written(
    database: Database, crowd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    organiser = specialist(database, "organiser")
    with database.write() as session:
        role.grant(session, organiser.person().id, "organiser", "region", "44", first=True)
    written = Written(database, monkeypatch)
    assert hand_over(database) == HandedOver(contacts=200, alerts=200)
    assert written.notices == [50] * 8
    assert max(written.lasted) < 0.25
    monkeypatch.setattr(handover, "_PAUSE", 0)
    places = Places()
    passed = [hand_over(database, crowd, places=places).contacts for _run in range(3)]
    assert passed == [1_800, crowd - 2_000, 0], "one run looks at so many, and the next one goes on"
    assert max(written.notices) <= 50
    written.notices.clear()
    assert [jobs.hand_over(database) for _run in range(3)] == [0, 0, 0]
    assert written.notices == [], "nothing to do takes no write lock"


def test_what_nobody_can_have_does_not_keep_the_rest_from_being_looked_at(
    database: Database, crowd: int, alin: Chat, boss: Chat
) -> None:
    chat = specialist(database)
    with database.write() as session:
        session.add(a_grant(chat, "specialist", session))
        row, told = write(session, alin.person().id, "在吗")
        assert told == 1
        session.exec(delete(OutboxMessage).where(col(OutboxMessage.kind) == "notice.contact"))
        row.at += timedelta(hours=1)
        session.add(row)
    assert [jobs.hand_over(database) for _run in range(3)] == [0, 1, 0]


def test_a_run_that_lost_the_database_leaves_what_it_found_to_the_next_one(
    database: Database, alin: Chat, boss: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        for number in range(3):
            write(session, alin.person().id, f"第{number}句")
    chat = specialist(database)
    with database.write() as session:
        granted(session, chat)
    places = Places()

    def away() -> Iterator[Session]:
        raise DatabaseAway("gone")

    with monkeypatch.context() as gone:
        gone.setattr(database, "write", away)
        with pytest.raises(DatabaseAway):
            hand_over(database, 2, places=places)
    assert [hand_over(database, 2, places=places).contacts for _run in range(3)] == [2, 1, 0]


def test_what_was_answered_between_looking_and_writing_is_told_to_nobody(
    database: Database, alin: Chat, boss: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    alin.say("联系专员", "在吗")
    chat = specialist(database)
    with database.write() as session:
        granted(session, chat)
    pass_on = handover._pass_on

    def answered_first(*arguments: Any) -> int:
        with database.write() as session:
            row = session.exec(select(ContactMessage).where(col(ContactMessage.by_asker).is_(True))).one()
            if row.answered_at is None:
                answer(session, row.id, chat.person().id, "在")
        return pass_on(*arguments)

    monkeypatch.setattr(handover, "_pass_on", answered_first)
    assert hand_over(database) == HandedOver(0, 0)
    assert "notice.contact" not in [one.kind for one in deliver(database)]


# Scopes


def test_an_organiser_of_a_region_grants_no_system_or_team_without_the_machines_word(
    database: Database, boss: Chat
) -> None:
    chat = specialist(database)
    by = chat_boss(database)
    for kind in ("system", "team"):
        with database.write() as session, pytest.raises(GrantError, match="--by"):
            role.grant(session, chat.person().id, "specialist", kind, "railway", by=by)
    with database.write() as session:
        made = role.grant(session, chat.person().id, "specialist", "team", "railway", by=by, seconded_by="machine")
        with pytest.raises(GrantError, match="--by"):
            end_grant(session, made.id, by)
        end_grant(session, made.id, by, operator=True)
        assert made.ended_at is not None


def chat_boss(database: Database) -> str:
    with database.read() as session:
        return session.exec(select(RoleGrant.person_id).where(RoleGrant.scope == "44")).one()


def test_the_organiser_of_a_team_grants_in_it_and_nowhere_else(database: Database, boss: Chat) -> None:
    lead, chat = specialist(database, "lead"), specialist(database)
    by = chat_boss(database)
    with database.write() as session:
        role.grant(session, lead.person().id, "organiser", "team", "sun", by=by, seconded_by="machine")
        made = role.grant(session, chat.person().id, "specialist", "team", "sun", by=lead.person().id)
        assert made.seconded_by == ""
        for kind, scope in (("team", "moon"), ("system", "sun"), ("region", "440106")):
            with pytest.raises(GrantError, match="--by"):
                role.grant(session, chat.person().id, "specialist", kind, scope, by=lead.person().id)
        with pytest.raises(GrantError, match="second"):
            role.grant(
                session, chat.person().id, "organiser", "team", "sun", by=lead.person().id, seconded_by="machine"
            )


def test_the_machines_word_widens_no_region(database: Database, boss: Chat) -> None:
    near, chat = specialist(database, "near"), specialist(database)
    by = chat_boss(database)
    with database.write() as session:
        role.grant(session, near.person().id, "organiser", "region", "4401", by=by, seconded_by="machine")
        with pytest.raises(GrantError, match="--by"):
            role.grant(
                session, chat.person().id, "specialist", "region", "4403", by=near.person().id, seconded_by="machine"
            )
