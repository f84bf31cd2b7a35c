"""Copies on several machines whose clocks differ: leases and claims go by the clock of their database server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from models import claiming, clock, lease
from models.clock import Clock, steady
from models.database import Database, ask_time, machine_now_of, now_of
from tests.office import Office
from tests.office import office as office

SECOND = timedelta(seconds=1)
APART = [timedelta(seconds=13), -timedelta(seconds=13), timedelta(hours=1), -timedelta(days=8)]
# Processes that share a SQLite file run on one machine, with one clock.
ON_A_SERVER = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
Copy = Callable[[timedelta], Database]


def real() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def copy(database: Database) -> Iterator[Copy]:
    """The same database, as a machine sees it whose clock is so far ahead."""
    made: list[Database] = []

    def another(ahead: timedelta) -> Database:
        url = database.url.render_as_string(hide_password=False)
        made.append(Database(url, database.vault, Clock(machine=lambda: real() + ahead, follows=True)))
        return made[-1]

    yield another
    for one in made:
        one.dispose()


@ON_A_SERVER
@pytest.mark.parametrize("ahead", APART)
def test_a_lease_that_lives_is_not_taken_by_a_copy_whose_clock_is_wrong(copy: Copy, ahead: timedelta) -> None:
    right, wrong = copy(timedelta(0)), copy(ahead)
    for first, second in ((right, wrong), (wrong, right)):
        with first.write() as session:
            assert lease.hold(session, "x", "first")
        with second.write() as session:
            assert lease.hold(session, "x", "second") is None
            assert lease.holders(session) == {"x": "first"}
        with first.write() as session:
            lease.give_up(session, "first")


@ON_A_SERVER
@pytest.mark.parametrize("ahead", APART)
async def test_a_call_under_way_is_not_doubled_by_a_copy_whose_clock_is_wrong(
    office: Office, copy: Copy, ahead: timedelta
) -> None:
    right, wrong = (Office(copy(by)) for by in (timedelta(0), ahead))
    for first, second in ((right, wrong), (wrong, right)):
        key = str(id(first))
        first.put(first.person(key), key, due_at=real() - timedelta(days=9))
        first.wechat.seconds = 0.2

        def swept(other: Office = second) -> None:
            with other.database.write() as session:
                assert claiming.sweep(session) == 0

        first.wechat.before = swept
        await first.work()
        await second.work(second.worker("two"))
        assert first.wechat.texts == [key] and second.wechat.texts == []
        assert first.rows()[key].state == "sent"
        first.wechat.before = lambda: None
        with first.database.write() as session:
            lease.give_up(session, "one")
        with second.database.write() as session:
            lease.give_up(session, "two")
        second.wechat.sent.clear()
        first.wechat.sent.clear()


@ON_A_SERVER
def test_a_clock_that_is_set_while_the_program_runs_changes_nothing(copy: Copy) -> None:
    made = copy(timedelta(0))
    with made.read() as session:
        before = machine_now_of(session)
    made.clock.machine = lambda: real() + timedelta(days=8)
    with made.read() as session:
        assert timedelta(0) <= machine_now_of(session) - before < 5 * SECOND
        assert now_of(session) - before > timedelta(days=7), "the programme's days are this machine's"


@ON_A_SERVER
def test_the_time_is_asked_for_again(copy: Copy) -> None:
    made = copy(5 * SECOND)
    with made.read() as session:
        made.clock.tell(
            real() + timedelta(hours=1), steady(), steady()
        )  # what the server's clock was before it was set
        assert machine_now_of(session) - real() > timedelta(minutes=59)
        apart = ask_time(session)
        assert abs(machine_now_of(session) - real()) < SECOND
        assert abs(apart - 5 * SECOND) < SECOND and apart == pytest.approx(made.clock.apart, abs=SECOND)


@ON_A_SERVER
async def test_a_sender_says_that_its_clock_is_wrong(office: Office, copy: Copy) -> None:
    wrong = Office(copy(-13 * SECOND))
    with capture_logs() as said:
        for _time in range(2):
            wrong.deliverer._renew_at = 0
            await wrong.work()
    assert [line["seconds"] for line in said if line["event"] == "clocks_apart"] == [pytest.approx(-13, abs=1)]
    with capture_logs() as said:
        await Office(copy(SECOND)).work()
    assert not [line for line in said if line["event"] == "clocks_apart"]


def test_an_answer_that_took_long_is_believed_only_where_there_is_none() -> None:
    mine = Clock()
    at = datetime(2030, 1, 1, tzinfo=UTC)
    now = steady()
    mine.tell(at, now - 10, now)
    assert abs(mine.shared() - at - 5 * SECOND) < SECOND
    mine.tell(at + timedelta(hours=1), now - 10, now)
    assert abs(mine.shared() - at - 5 * SECOND) < SECOND
    mine.tell(at + timedelta(hours=1), now - 0.2, now)
    assert abs(mine.shared() - at - timedelta(hours=1)) < SECOND


def test_a_clock_of_a_test_or_a_file_is_its_own(database: Database) -> None:
    with database.write() as session:
        assert ask_time(session) == timedelta(0)
        assert machine_now_of(session) == database.clock.machine() == now_of(session)


def test_time_goes_on_between_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Clock()
    assert mine.follows and not Clock(machine=real).follows
    now = time.monotonic()
    monkeypatch.setattr(clock, "steady", lambda: now)
    mine.tell(datetime(2030, 1, 1, tzinfo=UTC), now, now)
    monkeypatch.setattr(clock, "steady", lambda: now + 90)
    assert mine.shared() == datetime(2030, 1, 1, 0, 1, 30, tzinfo=UTC)
