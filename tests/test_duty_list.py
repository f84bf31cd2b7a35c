"""待办清单: what waits for whom, in as many statements however much it is; the morning and the week once, in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from models import contact, duty_leaves, duty_list, duty_mail, qualifying, unvisited
from models.beneficiary import MACHINE
from models.database import Database, now_of
from models.ids import new_id
from models.mine import mine
from models.outbox import OutboxMessage
from models.person import Person
from models.qualifying import Noted
from models.service import HoursCase, ServiceRecord
from models.visit import Visit
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World


def at(words: str, hour: int = 10, minute: int = 0) -> datetime:
    return datetime.fromisoformat(f"{words}T{hour:02d}:{minute:02d}:00+08:00").astimezone(UTC)


@pytest.fixture
def world(database: Database, clock: StoppedClock) -> World:
    clock.at = at("2026-11-23")
    return World(database)


@contextmanager
def counting_statements(session: Session) -> Iterator[list[str]]:
    said: list[str] = []
    engine = session.get_bind()

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def owed(world: World, due: date, county: str = TIANHE, stint: str | None = None, **told: object) -> str:
    """A visit that somebody is owed, written straight into the table."""
    served = world.beneficiary(county, consent=False)
    with world.database.write() as session:
        row = Visit(
            beneficiary_id=served,
            year=due.year,
            half=1 + (due.month > 6),
            county=county,
            stint_id=stint,
            opens_on=due - timedelta(days=90),
            due_on=due,
            planned_at=now_of(session),
            **told,  # type: ignore[arg-type]
        )
        session.add(row)
        session.flush()
        return row.id


def record(world: World, person: str, hours_ago: int, county: str = TIANHE) -> None:
    with world.database.write() as session:
        now = now_of(session)
        begun = now - timedelta(hours=hours_ago + 5)
        session.add(
            ServiceRecord(
                person_id=person,
                person_no=abs(hash((person, hours_ago))) % 10**9,
                county=county,
                content="care",
                starts_at=begun,
                ends_at=begun + timedelta(hours=2),
                way="told",
                state="waiting",
                minutes=120,
                made_at=begun,
                waiting_since=now - timedelta(hours=hours_ago),
            )
        )


def kinds(world: World, person: str) -> dict[str, int]:
    with world.database.read() as session:
        return {item.kind: item.count for item in duty_list.items(session, person)}


def sent(world: World, person: str, stem: str) -> list[str]:
    with world.database.read() as session:
        query = select(OutboxMessage.unique_key).where(OutboxMessage.person_id == person)
        return [key for key in session.exec(query.order_by(col(OutboxMessage.created_at))) if key.startswith(stem)]


def test_every_kind_is_counted_and_what_is_most_urgent_stands_first(world: World) -> None:
    near, boss, person = world.specialist(), world.specialist(role="organiser"), world.volunteer()
    record(world, person, 50)
    record(world, person, 2)
    owed(world, date(2026, 11, 1))
    owed(world, date(2026, 11, 10))
    owed(world, date(2026, 12, 1))
    world.beneficiary()
    with world.database.write() as session:
        contact.write(session, person, "在吗")
        session.add(
            HoursCase(
                person_id=person, county=TIANHE, opened_at=now_of(session), due_on=date(2026, 11, 25), state="open"
            )
        )
        qualifying.note(session, MACHINE, near, Noted("insurance", None, date(2026, 11, 25)))
        duty_leaves.ask(session, boss, date(2026, 12, 1), date(2026, 12, 2), None, boss)
    found = kinds(world, near)
    assert list(found) == [kind for kind in duty_list.KINDS if kind in found]
    assert found == {"contacts": 1, "visits": 2, "cases": 1, "hours": 1, "unpaired": 1, "own_papers": 1}
    assert kinds(world, boss)["papers"] == 1
    with world.database.read() as session:
        (visits,) = [item for item in duty_list.items(session, near) if item.kind == "visits"]
        assert visits.first == date(2026, 11, 1)
    assert kinds(world, person) == {}


def test_nobody_counts_what_belongs_to_others_or_is_ones_own(world: World) -> None:
    near, other, city = world.specialist(), world.specialist(YUEXIU), world.specialist("4401", "organiser")
    own = world.volunteer()
    world.give_role(own)
    record(world, own, 60)
    owed(world, date(2026, 11, 1))
    owed(world, date(2026, 11, 1), YUEXIU)
    owed(world, date(2026, 11, 1), "440105")
    assert (kinds(world, near)["visits"], kinds(world, other)["visits"]) == (1, 1)
    assert "hours" not in kinds(world, own)
    assert kinds(world, near)["hours"] == 1
    assert kinds(world, city)["visits"] == 1, "those of a county without anybody nearer"
    with world.database.read() as session:
        theirs = mine(session, city)
        assert "440105" in theirs.counties
        assert TIANHE not in theirs.counties
        assert theirs.wide == ("4401",)


def test_a_deputy_counts_what_is_whose_they_stand_in_for(world: World, clock: StoppedClock) -> None:
    near, city = world.specialist(), world.specialist("4401", "organiser")
    owed(world, date(2026, 11, 1))
    assert "visits" not in kinds(world, city)
    with world.database.write() as session:
        row = duty_leaves.ask(session, near, date(2026, 11, 24), date(2026, 11, 24), city, near)
        assert [item.kind for item in duty_list.items(session, city)] == ["deputies"]
        duty_leaves.take(session, row.id, city)
    assert kinds(world, city) == {}
    clock.pass_time(timedelta(days=1))
    assert kinds(world, city)["visits"] == 1


def test_a_city_is_told_how_many_climbed_to_it_and_never_in_the_morning(world: World) -> None:
    world.specialist()
    city = world.specialist("4401", "organiser")
    owed(world, date(2026, 10, 1), steps=9)
    owed(world, date(2026, 10, 1), steps=6)
    assert kinds(world, city) == {"climbed": 1}
    with world.database.read() as session:
        assert not duty_list.urgent(session, city)


def test_it_takes_as_many_statements_for_six_hundred_as_for_three(world: World) -> None:
    near = world.specialist()
    person = world.volunteer()

    def asked() -> tuple[int, int]:
        with world.database.read() as session, counting_statements(session) as said:
            found = {item.kind: item.count for item in duty_list.items(session, near)}
            lines = unvisited.lines(session, near, unvisited.keys(session, near, unvisited.Wanted("overdue"), 5))
            assert len(lines) == min(5, found["visits"])
            return found["visits"], len(said)

    for _time in range(3):
        owed(world, date(2026, 11, 1))
    with world.database.write() as session:
        contact.write(session, person, "在吗")
    few = asked()
    with world.database.write() as session:
        first = session.exec(select(Visit)).first()
        assert first is not None
        told = {name: getattr(first, name) for name in Visit.model_fields}
        for number in range(600):
            session.add(Visit(**{**told, "id": new_id(), "year": 1000 + number}))
        for number in range(15):
            contact.write(session, person, f"在吗 {number}")
    many = asked()
    assert (few[0], many[0]) == (3, 603)
    assert many[1] <= few[1] + 1, "the texts of 200 people at once are asked for in slices"
    assert many[1] < 60


# --- the morning and the week ---


def test_the_morning_is_told_once_on_working_days_and_only_where_something_waits(
    world: World, clock: StoppedClock
) -> None:
    near, idle = world.specialist(), world.specialist(YUEXIU)
    owed(world, date(2026, 11, 1))
    clock.at = at("2026-11-23", 8, 30)
    assert jobs.tell_mornings(world.database) == 0, "before a quarter to nine"
    clock.at = at("2026-11-23", 8, 46)
    assert (jobs.tell_mornings(world.database), jobs.tell_mornings(world.database)) == (1, 0)
    clock.at = at("2026-11-24", 15)
    assert jobs.tell_mornings(world.database) == 1, "after down time, the same day"
    clock.at = at("2026-11-25", 22)
    assert jobs.tell_mornings(world.database) == 0, "not in the evening"
    clock.at = at("2026-11-28")
    assert jobs.tell_mornings(world.database) == 0, "Saturday"
    assert sent(world, near, "todo") == [f"todo:{near}:2026-11-{day}" for day in (23, 24)]
    assert sent(world, idle, "todo") == []


def test_a_make_up_working_day_counts_and_a_holiday_does_not(world: World, clock: StoppedClock) -> None:
    world.specialist()
    owed(world, date(2025, 12, 1))
    clock.at = at("2026-10-01")
    assert jobs.tell_mornings(world.database) == 0
    clock.at = at("2026-10-10")  # a Saturday on which offices work
    assert jobs.tell_mornings(world.database) == 1


def test_the_morning_is_that_of_the_receivers_zone_and_too_late_ones_are_not_sent(
    world: World, clock: StoppedClock
) -> None:
    far = world.person("Europe/London")
    world.give_role(far)
    owed(world, date(2026, 11, 1))
    clock.at = at("2026-11-23", 10)
    assert jobs.tell_mornings(world.database) == 0
    clock.at = at("2026-11-23", 17)
    assert jobs.tell_mornings(world.database) == 1
    with world.database.read() as session:
        (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.todo"))
        assert row.expires_at == datetime(2026, 11, 24, tzinfo=UTC)


def test_the_week_comes_once_on_its_first_working_day(world: World, clock: StoppedClock) -> None:
    near = world.specialist()
    for day in ("2026-11-22", "2026-11-23", "2026-11-23", "2026-11-24", "2026-11-30"):
        clock.at = at(day, 9, 30)
        jobs.tell_weeks(world.database)
    assert sent(world, near, "week") == [f"week:{near}:{day}" for day in ("2026-11-23", "2026-11-30")]
    clock.at = at("2026-10-08", 9, 30)  # Thursday after the holidays
    jobs.tell_weeks(world.database)
    assert f"week:{near}:2026-10-05" in sent(world, near, "week")


def test_what_the_week_was_and_will_be(world: World, clock: StoppedClock) -> None:
    near, person = world.specialist(), world.volunteer()
    record(world, person, 3)
    due = owed(world, date(2026, 11, 27))
    owed(world, date(2026, 11, 20))
    owed(world, date(2026, 12, 5))
    made = owed(world, date(2026, 11, 30))
    with world.database.write() as session:
        row = session.get_one(Visit, made)
        row.state, row.made_on, row.form, row.closed_at = "made", date(2026, 11, 18), "home", now_of(session)
        session.add(row)
    with world.database.read() as session:
        week = duty_list.week(session, near)
        assert week is not None
        assert (week.made, week.due, week.overdue, week.oldest) == (1, (due,), 1, date(2026, 11, 20))
        assert (week.excused, week.minutes, week.unconfirmed) == (0, 0, 1)
        assert duty_list.week(session, person) is None


def test_one_of_the_days_messages_late_in_the_evening_is_tomorrows(world: World, clock: StoppedClock) -> None:
    near = world.specialist()
    clock.at = at("2026-11-23", 20, 30)
    with world.database.write() as session:
        zone = session.get_one(Person, near).zone
        hour = datetime(2026, 1, 1, 8, 45, tzinfo=UTC).time()
        assert duty_mail.put(session, duty_mail.MORNING, near, zone, hour)
        assert not duty_mail.put(session, duty_mail.MORNING, near, zone, hour)
    assert sent(world, near, "todo") == [f"todo:{near}:2026-11-24"]
    with world.database.read() as session:
        (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.person_id == near))
        assert row.due_at == at("2026-11-24", 8, 45)
