"""What the database itself refuses, in whichever way its tables were made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.database import Database, now_of
from models.person import Person
from models.service import CONFIRMED, REFUSED, RUNNING, TOLD, VOID, WAITING, HoursEntry, ServiceRecord

NINE = datetime(2026, 11, 21, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(person: str, starts: datetime, hours: float | None, state: str = WAITING, no: int = 7) -> ServiceRecord:
    return ServiceRecord(
        person_id=person,
        person_no=no,
        county="440106",
        content="study",
        starts_at=starts,
        ends_at=None if hours is None else starts + hours * HOUR,
        way=TOLD,
        state=state,
        minutes=60,
        made_at=NINE,
        decided_by="somebody" if state in (CONFIRMED, REFUSED) else "",
    )


def somebody(database: Database) -> str:
    with database.write() as session:
        person = Person(created_at=now_of(session))
        session.add(person)
        session.flush()
        return person.id


def put(database: Database, *rows: ServiceRecord | HoursEntry) -> None:
    for row in rows:
        with database.write() as session:
            session.add(row)


@pytest.mark.parametrize("state", [RUNNING, WAITING, CONFIRMED])
def test_no_two_records_of_one_person_overlap(database: Database, state: str) -> None:
    person = somebody(database)
    put(database, record(person, NINE, 2))
    with pytest.raises(IntegrityError):
        put(database, record(person, NINE + HOUR, None if state == RUNNING else 2, state))


def test_what_touches_or_is_nothing_does_not_overlap(database: Database) -> None:
    person = somebody(database)
    put(database, record(person, NINE, 2), record(person, NINE + 2 * HOUR, 1), record(person, NINE - HOUR, 1))
    put(database, record(person, NINE, 2, VOID), record(person, NINE, 2, REFUSED), record(person, NINE, 2, no=8))


def test_a_running_one_keeps_what_comes_after_it_from_being_told(database: Database) -> None:
    person = somebody(database)
    put(database, record(person, NINE, None, RUNNING), record(person, NINE - HOUR, 1))
    with pytest.raises(IntegrityError):
        put(database, record(person, NINE + 10 * HOUR, 1))


def test_a_change_of_times_or_of_state_must_not_overlap_either(database: Database) -> None:
    person = somebody(database)
    first, second, nothing = record(person, NINE, 2), record(person, NINE + 3 * HOUR, 2), record(person, NINE, 1, VOID)
    ids = [row.id for row in (first, second, nothing)]
    put(database, first, second, nothing)
    for change in (
        f"starts_at = '2026-11-21 02:00:00+00:00' WHERE id = '{ids[1]}'",
        f"state = 'waiting' WHERE id = '{ids[2]}'",
    ):
        with pytest.raises(IntegrityError), database.write() as session:
            session.execute(text(f"UPDATE service_record SET {change}"))


def entry(seq: int) -> HoursEntry:
    return HoursEntry(
        county="440106",
        seq=seq,
        record_id="r",
        person_id="p",
        content="study",
        day=date(2026, 11, 21),
        minutes=60,
        why="confirmed",
        made_by="s",
        made_at=NINE,
        before="",
        hash="x",
    )


@pytest.mark.parametrize("change", ["UPDATE hours_entry SET minutes = 30", "DELETE FROM hours_entry"])
def test_the_hours_ledger_is_only_added_to(database: Database, change: str) -> None:
    put(database, entry(1), entry(2))
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(text(change))
    with database.read() as session:
        assert session.execute(text("SELECT sum(minutes) FROM hours_entry")).scalar_one() == 120


def test_a_number_in_the_ledger_is_given_once(database: Database) -> None:
    put(database, entry(1))
    with pytest.raises(IntegrityError):
        put(database, entry(1))
