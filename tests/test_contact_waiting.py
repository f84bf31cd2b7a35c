"""Which messages wait for whom: the same as who is told of them, and fast however many there are."""

from __future__ import annotations

import time

from sqlalchemy import event
from sqlmodel import Session, col, select

from models.contact import ContactMessage, receivers_of
from models.contact_waiting import waiting_for
from models.database import Database, now_of
from models.ids import new_id
from models.person import Person, open_door
from models.role import RoleGrant
from models.sealed import seal
from tests.chatting import Chat
from tests.test_messages import responsible


def write_many(session: Session, asker: str, count: int, *, threads: bool) -> None:
    for number in range(count):
        key = new_id()
        row = ContactMessage(
            id=key,
            thread=f"thread{number}" if threads else key,
            asker_id=asker,
            author_id=asker,
            by_asker=True,
            words_sealed=seal(session, "contact_message.words_sealed", key, "在吗"),
            at=now_of(session),
        )
        session.add(row)


def test_many_messages_and_many_roles_are_listed_within_a_quarter_of_a_second(database: Database) -> None:
    organiser, alin = responsible(database, "organiser", scope="44"), Chat(database)
    alin.register()
    with database.write() as session:
        for number in range(100):
            sender = f"specialist{number}"
            _door, person = open_door(session, "wechat", "test", sender, "zh_CN", zone="Asia/Shanghai")
            # Not Guangzhou, where the messages come from.
            scope = f"44{number % 20 + 2:02}{number % 9 + 1:02}"
            session.add(
                RoleGrant(
                    person_id=person.id,
                    role="specialist",
                    scope_kind="region",
                    scope=scope,
                    granted_by="machine",
                    granted_at=now_of(session),
                )
            )
        write_many(session, alin.person().id, 1_000, threads=False)
    organiser.say("留言")
    begun = time.process_time()  # of this process alone: other tests run beside it
    assert "有 1000 条留言" in organiser.say("留言")
    assert time.process_time() - begun < 0.25


def test_many_threads_cost_no_more_statements_than_few(database: Database) -> None:
    organiser, alin = responsible(database, "organiser", scope="44"), Chat(database)
    alin.register()
    counts = []
    for more in (5, 200):
        with database.write() as session:
            write_many(session, alin.person().id, more, threads=True)
        with database.read() as session:
            statements: list[object] = []
            event.listen(session.connection(), "before_cursor_execute", lambda *run, to=statements: to.append(run))
            assert waiting_for(session, organiser.person().id)
            counts.append(len(statements))
    assert counts[0] == counts[1]


def test_it_waits_for_whoever_is_told_of_it(database: Database) -> None:
    everybody = [
        responsible(database, "county"),
        responsible(database, "second"),
        responsible(database, "city", scope="4401"),
        responsible(database, "province", scope="44"),
        responsible(database, "elsewhere", scope="440305"),
    ]
    alin = Chat(database)
    alin.register()
    everybody[0].register(phone="13900139000")  # asks as well, and does not answer themselves
    stranger = Chat(database, "stranger")
    for chat in (alin, everybody[0], stranger):
        chat.say("联系专员", "在吗")
    with database.write() as session:
        thread = session.exec(select(ContactMessage).where(ContactMessage.asker_id == alin.person().id)).one()
        answered = ContactMessage(
            thread=thread.id,
            asker_id=alin.person().id,
            author_id=everybody[1].person().id,
            by_asker=False,
            words_sealed=None,
            at=now_of(session),
        )
        session.add(answered)
        key = new_id()
        again = ContactMessage(
            id=key,
            thread=thread.id,
            asker_id=alin.person().id,
            author_id=alin.person().id,
            by_asker=True,
            words_sealed=seal(session, "contact_message.words_sealed", key, "还有"),
            at=now_of(session),
        )
        session.add(again)
    with database.read() as session:
        rows = session.exec(select(ContactMessage).where(col(ContactMessage.by_asker).is_(True))).all()
        told = {row.id: set(receivers_of(session, row)) for row in rows}
        for person in session.exec(select(Person.id)).all():
            assert set(waiting_for(session, person)) == {key for key, people in told.items() if person in people}
    assert sorted(len(people) for people in told.values()) == [1, 1, 1, 2]
