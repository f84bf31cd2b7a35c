"""The rules of registering, of guardians and of merging, without any chat."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from models import consent, guardian, merging, volunteer
from models.account import stop_serving
from models.audit import AuditEntry
from models.code import check_code
from models.database import Database, now_of
from models.guardian import Guardian, GuardianError
from models.guardianship import Guardianship
from models.outbox import OutboxMessage
from models.page import open_page
from models.person import Person, set_address_form
from models.role import RoleGrant
from models.volunteer import Registered, Volunteer, VolunteerError
from tests.conftest import StoppedClock

ADULT = Registered("王小明", "+8613800138000", date(2005, 8, 13), "440106")
MINOR = Registered("李小雨", "+8613800138001", date(2011, 5, 1), "440106")
CHILD = Registered("周一一", "+8613800138002", date(2014, 5, 1), "440106")
MOTHER = Guardian("李妈妈", "mother", "+8613900139000")


def somebody(session: Session) -> Person:
    person = Person(created_at=now_of(session))
    session.add(person)
    session.flush()
    return person


def notes(session: Session, action: str) -> list[AuditEntry]:
    return list(session.exec(select(AuditEntry).where(AuditEntry.action == action)))


def news(session: Session, person: Person) -> int:
    return len(session.exec(select(OutboxMessage).where(OutboxMessage.person_id == person.id)).all())


def registered(session: Session, answers: Registered) -> tuple[Person, Volunteer]:
    person = somebody(session)
    return person, volunteer.register(session, person, answers)


def agreed(session: Session, row: Volunteer) -> Person:
    by = somebody(session)
    guardian.agree(session, by, row.id, MOTHER, "zh_CN")
    return by


def test_an_adult_is_active_at_once_and_found_by_the_phone_number(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, ADULT)
        assert (row.status, len(row.number)) == ("active", 10)
        assert volunteer.name_of(session, row) == "王小明"
        assert volunteer.phone_of(session, row) == "+8613800138000"
        assert volunteer.find_by_phone(session, "+8613800138000") == [person.id]
        assert volunteer.by_number(session, row.number) == row
        assert volunteer.called(session, person) == "王小明"
        set_address_form(session, person, "明哥")
        assert volunteer.called(session, person) == "明哥"


def test_nothing_personal_stands_in_the_table_in_clear(database: Database) -> None:
    with database.write() as session:
        _person, row = registered(session, ADULT)
        volunteer.set_workplace(session, row, "广州大学")
        volunteer.set_official_number(session, row, "GD440106")
        session.flush()
        stored = [tuple(found) for found in session.execute(text("SELECT * FROM volunteer"))]
        stored += [tuple(found) for found in session.execute(text("SELECT * FROM audit"))]
        stored += [tuple(found) for found in session.execute(text("SELECT * FROM blind_index"))]
    for secret in ("王小明", "13800138000", "广州大学", "GD440106"):
        assert secret not in str(stored)
        assert str(secret.encode())[2:-1] not in str(stored)


def test_nobody_registers_twice(database: Database) -> None:
    with database.write() as session:
        person, _row = registered(session, ADULT)
        with pytest.raises(VolunteerError, match="registered"):
            volunteer.register(session, person, ADULT)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (replace(ADULT, birth_date=date(2027, 1, 1)), "birth_date"),
        (replace(ADULT, birth_date=date(1900, 1, 1)), "birth_date"),
        (replace(ADULT, birth_date=date(2019, 1, 1)), "too_young"),
        (replace(ADULT, county="4401"), "county"),
        (replace(ADULT, county="999999"), "county"),
    ],
)
def test_the_rule_checks_again_what_the_talk_has_checked(database: Database, answers: Registered, reason: str) -> None:
    with database.write() as session, pytest.raises(VolunteerError, match=reason):
        volunteer.register(session, somebody(session), answers)


def test_the_same_phone_and_birth_date_elsewhere_is_noted_for_staff_only(database: Database) -> None:
    with database.write() as session:
        _first, one = registered(session, ADULT)
        _other_day, _two = registered(session, replace(ADULT, birth_date=date(1980, 1, 1)))
        assert notes(session, "volunteer.possible_duplicate") == []
        _second, three = registered(session, ADULT)
        (note,) = notes(session, "volunteer.possible_duplicate")
        assert (note.subject, note.details) == (three.id, {"other": one.id})


@pytest.mark.parametrize(
    ("born", "earns", "needs"),
    [
        (date(2008, 11, 22), False, False),  # 18 today
        (date(2008, 11, 23), False, True),
        (date(2008, 11, 23), True, False),
        (date(2010, 11, 22), True, False),  # 16 today
        (date(2010, 11, 23), True, True),  # 15: own earnings do not count yet
    ],
)
def test_below_eighteen_a_guardian_is_needed_unless_self_supporting_from_sixteen(
    born: date, earns: bool, needs: bool
) -> None:
    assert volunteer.needs_guardian(born, earns, date(2026, 11, 22)) is needs


def test_a_leap_day_child_is_a_year_older_on_the_first_of_march() -> None:
    assert volunteer.age_on(date(2008, 2, 29), date(2026, 2, 28)) == 17
    assert volunteer.age_on(date(2008, 2, 29), date(2026, 3, 1)) == 18


def test_a_minor_waits_until_the_guardian_agrees_from_an_own_door(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        assert row.status == "waiting_guardian"
        ways = guardian.invite(session, row, "小雨同学")
        by = somebody(session)
        found = check_code(session, "guardian", ways.code, by.id)
        assert (found.verdict, found.facts) == ("good", {"volunteer": row.id})
        assert check_code(session, "guardian", ways.code, person.id).verdict == "own"
        page = open_page(session, ways.page)
        assert page is not None
        assert page.facts == {"code": ways.code, "called": "小雨同学"}
        guardian.agree(session, by, row.id, MOTHER, "zh_CN")
        assert row.status == "active"
        assert news(session, person) == 1
        (given,) = consent.standing(session, person.id)
        assert (given.kind, given.giver, given.given_by) == ("guardian", "guardian", by.id)
        assert open_page(session, ways.page) is None
        with pytest.raises(GuardianError, match="gone"):
            guardian.agree(session, by, row.id, MOTHER, "zh_CN")


def test_neither_the_minor_nor_the_minors_phone_nor_another_minor_can_agree(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        friend, _friends_row = registered(session, replace(MINOR, phone="+8613800138009"))
        with pytest.raises(GuardianError, match="own"):
            guardian.agree(session, person, row.id, MOTHER, "zh_CN")
        with pytest.raises(GuardianError, match="phone"):
            guardian.agree(session, somebody(session), row.id, replace(MOTHER, phone=MINOR.phone), "zh_CN")
        with pytest.raises(GuardianError, match="minor"):
            guardian.agree(session, friend, row.id, MOTHER, "zh_CN")
        assert row.status == "waiting_guardian"
        assert consent.standing(session, person.id) == []


@pytest.mark.parametrize(
    ("role", "scope", "may"),
    [
        ("specialist", "440106", True),
        ("organiser", "44", True),
        ("specialist", "440105", False),
        ("organiser", "43", False),
    ],
)
def test_only_a_specialist_or_organiser_of_the_county_records_a_consent_on_paper(
    database: Database, role: str, scope: str, may: bool
) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        staff = somebody(session)
        session.add(
            RoleGrant(
                person_id=staff.id,
                role=role,
                scope_kind="region",
                scope=scope,
                granted_by="machine",
                granted_at=now_of(session),
            )
        )
        session.flush()
        if not may:
            with pytest.raises(GuardianError, match="scope"):
                guardian.record(session, staff, row.id, MOTHER, "zh_CN")
            assert row.status == "waiting_guardian"
            return
        guardian.record(session, staff, row.id, MOTHER, "zh_CN")
        (given,) = consent.standing(session, person.id)
        assert (given.giver, given.given_by, row.status) == ("specialist", staff.id, "active")


def test_a_specialist_who_is_a_minor_cannot_record_an_own_consent(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        session.add(
            RoleGrant(
                person_id=person.id,
                role="specialist",
                scope_kind="region",
                scope="44",
                granted_by="m",
                granted_at=now_of(session),
            )
        )
        session.flush()
        with pytest.raises(GuardianError, match="own"):
            guardian.record(session, person, row.id, MOTHER, "zh_CN")


def test_a_guardians_no_erases_what_was_never_active_and_the_minor_is_told(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, CHILD)
        guardian.refuse(session, somebody(session), row.id)
        assert (row.status, row.name_sealed, row.birth_date) == ("deleted", None, None)
        assert volunteer.volunteer_of(session, person.id) is None
        assert volunteer.find_by_phone(session, CHILD.phone) == []
        assert news(session, person) == 1


def test_a_guardian_takes_the_consent_back_and_the_minor_is_paused_until_there_is_a_new_one(
    database: Database,
) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        by = agreed(session, row)
        ((held, _ward),) = guardian.wards(session, by.id)
        with pytest.raises(GuardianError, match="gone"):
            guardian.take_back(session, person, held.id)
        guardian.take_back(session, by, held.id)
        assert row.status == "paused_guardian"
        assert consent.standing(session, person.id) == []
        assert guardian.wards(session, by.id) == []
        guardian.agree(session, by, row.id, MOTHER, "zh_CN")
        assert row.status == "active"


def test_what_waits_too_long_for_a_guardian_is_erased_once(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        person, row = registered(session, CHILD)
        _adult, other = registered(session, ADULT)
        clock.pass_time(timedelta(days=29))
        assert guardian.drop_pending(session) == 0
        clock.pass_time(timedelta(days=2))
        assert guardian.drop_pending(session) == 1
        assert guardian.drop_pending(session) == 0
        assert (row.status, other.status) == ("deleted", "active")
        assert news(session, person) == 1


def test_a_minor_who_ended_the_registration_while_waiting_is_erased_too(
    database: Database, clock: StoppedClock
) -> None:
    with database.write() as session:
        person, row = registered(session, CHILD)
        stop_serving(session, person)
        clock.pass_time(timedelta(days=31))
        assert guardian.drop_pending(session) == 1
        assert row.status == "deleted"


def test_coming_of_age_ends_the_need_for_a_guardian(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        person, row = registered(session, replace(MINOR, birth_date=date(2008, 11, 24)))
        assert guardian.come_of_age(session) == 0
        clock.pass_time(timedelta(days=2))
        assert guardian.come_of_age(session) == 1
        assert row.status == "active"
        assert guardian.come_of_age(session) == 0
        assert news(session, person) == 1


def test_a_birth_date_corrected_to_a_minors_needs_a_guardian_again(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, ADULT)
        volunteer.set_birth_date(session, person, row, date(2010, 8, 13), False)
        assert row.status == "waiting_guardian"
        with pytest.raises(VolunteerError, match="minor"):
            volunteer.set_birth_date(session, person, row, date(2000, 8, 13), False)
        assert row.birth_date == date(2010, 8, 13)


def test_one_who_was_active_before_is_never_dropped_for_want_of_a_guardian(
    database: Database, clock: StoppedClock
) -> None:
    with database.write() as session:
        person, row = registered(session, ADULT)
        volunteer.set_birth_date(session, person, row, date(2010, 8, 13), False)
        clock.pass_time(timedelta(days=60))
        assert guardian.drop_pending(session) == 0


def test_a_new_phone_number_replaces_the_old_one_in_the_index(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, ADULT)
        volunteer.set_phone(session, row, "+85291234567")
        session.flush()
        assert volunteer.find_by_phone(session, ADULT.phone) == []
        assert volunteer.find_by_phone(session, "+85291234567") == [person.id]


def test_erasing_keeps_number_and_dates_and_nothing_personal(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        agreed(session, row)
        row.skills = ["law"]
        number, at = row.number, row.registered_at
        volunteer.erase(session, person.id)
        assert (row.status, row.number, row.registered_at, row.skills, row.county) == (
            "deleted",
            number,
            at,
            None,
            None,
        )
        assert row.name_sealed is row.phone_sealed is row.birth_date is None
        held = session.exec(select(Guardianship)).one()
        assert held.name_sealed is held.phone_sealed is None
        assert session.execute(text("SELECT count(*) FROM blind_index WHERE kind = 'phone'")).scalar() == 0
        assert volunteer.volunteer_of(session, person.id) is None
        again = volunteer.register(session, person, ADULT)
        assert again.number != number


def test_a_registration_moves_to_the_person_it_belongs_to_and_back(database: Database) -> None:
    with database.write() as session:
        old, row = registered(session, ADULT)
        new = somebody(session)
        taken = merging.move(session, old.id, new.id)
        assert volunteer.volunteer_of(session, new.id) == row
        assert volunteer.find_by_phone(session, ADULT.phone) == [new.id]
        merging.move_back(session, old.id, new.id, taken)
        assert volunteer.volunteer_of(session, new.id) is None
        assert volunteer.volunteer_of(session, old.id) == row


def test_of_two_registrations_of_one_person_one_is_set_aside_and_can_come_back(database: Database) -> None:
    with database.write() as session:
        old, aside = registered(session, ADULT)
        new, kept = registered(session, ADULT)
        taken = merging.move(session, old.id, new.id)
        assert volunteer.volunteer_of(session, new.id) == kept
        assert volunteer.volunteer_of(session, old.id) is None
        assert volunteer.find_by_phone(session, ADULT.phone) == [new.id]
        assert volunteer.by_number(session, aside.number) is None
        merging.move_back(session, old.id, new.id, taken)
        assert volunteer.volunteer_of(session, old.id) == aside
        assert volunteer.find_by_phone(session, ADULT.phone) == [old.id, new.id]


def test_a_guardian_who_turns_out_to_be_the_minor_has_not_agreed(database: Database) -> None:
    with database.write() as session:
        person, row = registered(session, MINOR)
        by = agreed(session, row)
        merging.move(session, by.id, person.id)
        assert row.status == "paused_guardian"
        assert consent.standing(session, person.id) == []


def test_a_guardians_wards_move_with_the_guardian_and_back(database: Database) -> None:
    with database.write() as session:
        _person, row = registered(session, MINOR)
        by = agreed(session, row)
        new = somebody(session)
        taken = merging.move(session, by.id, new.id)
        assert [ward.id for _held, ward in guardian.wards(session, new.id)] == [row.id]
        merging.move_back(session, by.id, new.id, taken)
        assert [ward.id for _held, ward in guardian.wards(session, by.id)] == [row.id]
