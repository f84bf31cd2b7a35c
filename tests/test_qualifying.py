"""Trainings, certificates, insurances of specialists: owed, noted, reminded of once a step; what lapsed blocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from models import agreement, qualifying
from models.account import join
from models.agreement import Terms
from models.beneficiary import MACHINE
from models.copy import copy_of
from models.database import Database
from models.erasure import delete_person
from models.outbox import OutboxMessage
from models.person import Person
from models.qualification import CERTIFICATE, FIRST_TRAINING, INSURANCE, TRAINING, Qualification
from models.qualifying import Noted, QualifyingError
from models.stints import StintError
from models.volunteer import volunteer_of
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.pairing_world import World
from tests.people import follow, grant

TODAY = date(2026, 11, 22)


def specialist(database: Database, name: str = "ann", scope: str = "440106", role: str = "specialist") -> Chat:
    chat = Chat(database, name)
    follow(chat)
    grant(database, chat, role, scope)
    return chat


def standing(database: Database, chat: Chat) -> list[tuple[str, date | None]]:
    with database.read() as session:
        return [(row.kind, row.until) for row in qualifying.of(session, chat.person().id)]


def told(session: Session, chat: Chat, kind: str) -> list[str]:
    query = select(OutboxMessage).where(OutboxMessage.person_id == chat.person().id, OutboxMessage.kind == kind)
    return [row.unique_key.rsplit(":", 1)[1] for row in session.exec(query.order_by(col(OutboxMessage.created_at)))]


def test_a_new_specialist_owes_the_first_training_within_three_months(database: Database, clock: StoppedClock) -> None:
    ann = specialist(database)
    specialist(database, "boss", "4401", "organiser")
    for _run in range(2):
        jobs.remind_of_qualifications(database)
    assert standing(database, ann) == [(FIRST_TRAINING, date(2027, 2, 22))]
    for days in (32, 30, 10, 40, 30):  # 60 and 30 days before, then long after
        clock.pass_time(timedelta(days=days))
        jobs.remind_of_qualifications(database)
    with database.read() as session:
        assert told(session, ann, "notice.qualification") == ["60", "30", "0"]


def test_who_became_one_long_ago_gets_time_to_mend_it(database: Database, clock: StoppedClock) -> None:
    ann = specialist(database)
    clock.pass_time(timedelta(days=400))
    jobs.remind_of_qualifications(database)
    assert standing(database, ann) == [(FIRST_TRAINING, TODAY + timedelta(days=460))]
    with database.read() as session:
        assert qualifying.keeps_from_risk(session, ann.person().id) == []


def test_a_training_that_is_known_of_the_volunteer_counts(database: Database) -> None:
    ann = specialist(database)
    ann.register()
    with database.write() as session:
        row = volunteer_of(session, ann.person().id)
        assert row is not None
        row.trained_on = date(2026, 9, 1)
        session.add(row)
    jobs.remind_of_qualifications(database)
    assert standing(database, ann) == [(TRAINING, date(2027, 9, 1))]


def test_every_step_is_told_once_however_long_the_programme_was_down(database: Database, clock: StoppedClock) -> None:
    ann, boss = specialist(database), specialist(database, "boss", "4401", "organiser")
    far = specialist(database, "far", "44", "organiser")
    with database.write() as session:
        until = TODAY + timedelta(days=90)
        qualifying.note(session, boss.person().id, ann.person().id, Noted(CERTIFICATE, None, until, "粤助 001"))
    for days in (0, 29, 1, 0, 54, 3, 2, 1, 100):
        clock.pass_time(timedelta(days=days))
        for _run in range(2):
            with database.write() as session:
                qualifying.remind(session, qualifying.reminding(session))
    with database.read() as session:
        assert told(session, ann, "notice.qualification") == ["noted", "60", "7", "0"], "30 went by while it was down"
        assert len(told(session, boss, "notice.qualifications")) == 2
        assert told(session, far, "notice.qualifications") == [], "the nearest one notes it"


def test_a_renewal_ends_what_stood_and_its_reminders(database: Database, clock: StoppedClock) -> None:
    ann = specialist(database)
    with database.write() as session:
        me = ann.person().id
        for days in (5, 400):
            until = TODAY + timedelta(days=days)
            qualifying.note(session, MACHINE, me, Noted(INSURANCE, None, until))
        assert qualifying.note(session, MACHINE, me, Noted(INSURANCE, None, until)).until == until
    clock.pass_time(timedelta(days=10))
    jobs.remind_of_qualifications(database)
    with database.read() as session:
        rows = session.exec(select(Qualification).where(Qualification.kind == INSURANCE)).all()
        assert sorted(row.ended_at is None for row in rows) == [False, True]
        assert "0" not in told(session, ann, "notice.qualification")


def test_a_training_answers_for_the_first_one_and_is_good_for_a_year(database: Database) -> None:
    ann = specialist(database)
    jobs.remind_of_qualifications(database)
    with database.write() as session:
        qualifying.note(session, MACHINE, ann.person().id, Noted(TRAINING, date(2026, 11, 1)))
    jobs.remind_of_qualifications(database)
    assert standing(database, ann) == [(TRAINING, date(2027, 11, 1))]


@pytest.mark.parametrize(
    ("noted", "why"),
    [
        (Noted(TRAINING, TODAY + timedelta(days=1)), "day"),
        (Noted(TRAINING), "day"),
        (Noted(CERTIFICATE, None, TODAY - timedelta(days=1), "1"), "day"),
        (Noted(CERTIFICATE, None, TODAY + timedelta(days=9)), "number"),
        (Noted(INSURANCE, None, TODAY + timedelta(days=9), "9" * 41), "number"),
        (Noted(FIRST_TRAINING, None, TODAY), "kind"),
    ],
)
def test_what_cannot_be_is_refused(database: Database, noted: Noted, why: str) -> None:
    ann = specialist(database)
    with database.write() as session, pytest.raises(QualifyingError, match=why):
        qualifying.note(session, MACHINE, ann.person().id, noted)


def test_only_an_organiser_whose_region_takes_them_in_notes_it_and_nobody_their_own(database: Database) -> None:
    ann, near = specialist(database), specialist(database, "near")
    boss, other = specialist(database, "boss", "4401", "organiser"), specialist(database, "other", "4403", "organiser")
    grant(database, boss, "specialist", "440106")
    alin = Chat(database)
    alin.register()
    with database.write() as session:
        noted, me = Noted(INSURANCE, None, TODAY), ann.person().id
        for by in (me, near.person().id, other.person().id):
            with pytest.raises(QualifyingError, match="scope"):
                qualifying.note(session, by, me, noted)
        with pytest.raises(QualifyingError, match="scope"):
            qualifying.note(session, boss.person().id, boss.person().id, noted)
        with pytest.raises(QualifyingError, match="role"):
            qualifying.note(session, boss.person().id, alin.person().id, noted)
        qualifying.note(session, boss.person().id, me, noted)
        assert [row.person_id for row in qualifying.lapsing(session, boss.person().id, 7)] == [me]
        assert qualifying.lapsing(session, other.person().id, 7) == []


def test_a_clearance_of_a_volunteer_is_reminded_of_60_30_and_7_days_before(
    database: Database, clock: StoppedClock
) -> None:
    alin = Chat(database)
    alin.register()
    with database.write() as session:
        row = volunteer_of(session, alin.person().id)
        assert row is not None
        row.cleared_until = TODAY + timedelta(days=61)
        session.add(row)
    for days in (0, 1, 1, 45, 10, 30):
        clock.pass_time(timedelta(days=days))
        for _run in range(2):
            jobs.remind_of_qualifications(database)
    with database.read() as session:
        assert told(session, alin, "notice.dates_due") == ["60", "30", "7"]


def test_what_lapsed_blocks_a_new_agreement_with_a_risk_until_it_is_mended(database: Database) -> None:
    world = World(database)
    boss, asked, person = world.specialist(), world.beneficiary(), world.volunteer()
    stint = world.agreeing(asked, person)
    with database.write() as session:
        session.add(
            Qualification(
                person_id=boss,
                kind=CERTIFICATE,
                until=TODAY - timedelta(days=1),
                noted_by=MACHINE,
                noted_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    with database.write() as session, pytest.raises(StintError, match="lapsed"):
        agreement.write(session, stint, Terms(("study",), 12, 12), boss)
    with database.write() as session:
        until = TODAY + timedelta(days=100)
        qualifying.note(session, MACHINE, boss, Noted(CERTIFICATE, None, until, "粤助 002"))
        agreement.write(session, stint, Terms(("study",), 12, 12), boss)


def test_two_accounts_that_become_one_have_each_of_them_once(database: Database) -> None:
    one, two = specialist(database), specialist(database, "two", "440105")
    with database.write() as session:
        for chat in (one, two):
            qualifying.note(session, MACHINE, chat.person().id, Noted(INSURANCE, None, TODAY))
        gone, stays = session.get_one(Person, two.person().id), session.get_one(Person, one.person().id)
        join(session, gone, stays, "bind")
        assert len(qualifying.of(session, stays.id)) == 1


def test_numbers_go_with_a_deletion(database: Database) -> None:
    ann = specialist(database)
    specialist(database, "boss", "44", "organiser")
    with database.write() as session:
        qualifying.note(session, MACHINE, ann.person().id, Noted(INSURANCE, None, TODAY, "保单 1"))
        delete_person(session, session.get_one(Person, ann.person().id))
        assert session.exec(select(Qualification)).all() == []


def test_numbers_are_sealed_and_stand_in_the_copy_of_ones_data(database: Database) -> None:
    ann = specialist(database)
    with database.write() as session:
        qualifying.note(session, MACHINE, ann.person().id, Noted(CERTIFICATE, None, TODAY, "粤助 001"))
    with database.read() as session:
        stored = [tuple(row) for row in session.execute(text("SELECT * FROM qualification"))]
        assert "粤助" not in str(stored)
        values = [str(row.value) for section in copy_of(session, ann.person().id) for row in section.rows]
        assert f"粤助 001 {TODAY}" in values
