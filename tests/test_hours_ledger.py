"""The hours ledger: its chain, its heads, and what shows when somebody has been at it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from models import hours_ledger, serving
from models.database import Database
from models.hours_ledger import Broken, Head, as_text, audited, first_broken, from_text, heads, minutes_of
from models.service import HoursEntry, ServiceRecord
from tests.pairing_world import TIANHE, YUEXIU
from tests.test_service_records import DAY, HOUR, Hours


@pytest.fixture
def world(database: Database) -> Hours:
    return Hours(database)


@pytest.fixture
def filled(world: Hours) -> Hours:
    """Three lines of one county and one of another."""
    for county, count in ((TIANHE, 3), (YUEXIU, 1)):
        person, specialist = world.volunteer(county), world.specialist(county)
        for day in range(count):
            world.do(serving.confirm, specialist, world.told(person, 1 + day, DAY * (day + 1)))
    return world


def tamper(world: Hours, change: str) -> None:
    """As somebody with the database's password does it."""
    with world.database.engine.begin() as connection:
        if world.database.is_sqlite:
            for name in ("hours_entry_no_update", "hours_entry_no_delete"):
                sql = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name = '{name}'").scalar_one()
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
                connection.info.setdefault("again", []).append(sql)
            connection.exec_driver_sql(change)
            for sql in connection.info.pop("again"):
                connection.exec_driver_sql(sql)
        else:
            connection.exec_driver_sql(f"SET LOCAL session_replication_role = replica; {change}")


def found(world: Hours, taken: tuple[Head, ...] = (), region: str = "") -> dict[str, Broken | None]:
    with world.database.read() as session:
        return dict(audited(session, region, taken))


def test_each_county_has_a_chain_of_its_own(filled: Hours) -> None:
    assert found(filled) == {TIANHE: None, YUEXIU: None}
    with filled.database.read() as session:
        assert [(one.county, one.seq) for one in heads(session)] == [(YUEXIU, 1), (TIANHE, 3)]
        assert [one.county for one in heads(session, TIANHE)] == [TIANHE]


@pytest.mark.parametrize(
    ("change", "seq", "what"),
    [
        ("UPDATE hours_entry SET minutes = 600 WHERE county = '440106' AND seq = 2", 2, "changed"),
        ("UPDATE hours_entry SET person_id = 'x' WHERE county = '440106' AND seq = 1", 1, "changed"),
        ("UPDATE hours_entry SET made_by = 'x' WHERE county = '440106' AND seq = 3", 3, "changed"),
        ("UPDATE hours_entry SET hash = repeat_hash WHERE county = '440106' AND seq = 2", 2, "changed"),
        ("UPDATE hours_entry SET before = '' WHERE county = '440106' AND seq = 3", 3, "chain"),
        ("DELETE FROM hours_entry WHERE county = '440106' AND seq = 2", 2, "missing"),
        ("DELETE FROM hours_entry WHERE county = '440106' AND seq = 1", 1, "missing"),
    ],
)
def test_the_first_broken_line_is_named(filled: Hours, change: str, seq: int, what: str) -> None:
    tamper(filled, change.replace("repeat_hash", f"'{'0' * 64}'"))
    broken = found(filled)[TIANHE]
    assert broken is not None and (broken.seq, broken.what) == (seq, what)
    assert found(filled)[YUEXIU] is None


def test_a_tail_that_was_cut_off_shows_by_a_head_that_was_kept(filled: Hours) -> None:
    with filled.database.read() as session:
        kept = tuple(heads(session))
    assert found(filled, kept) == {TIANHE: None, YUEXIU: None}
    tamper(filled, "DELETE FROM hours_entry WHERE county = '440106' AND seq = 3")
    last = without_lines(filled)
    tamper(filled, f"UPDATE service_record SET state = 'void', decided_by = '' WHERE id = '{last}'")
    assert found(filled)[TIANHE] is None, "what was cut off with its record is not seen from inside"
    assert found(filled, kept)[TIANHE] == Broken(TIANHE, 3, "cut")
    tamper(filled, "DELETE FROM hours_entry WHERE county = '440104'")
    tamper(filled, "UPDATE service_record SET state = 'void', decided_by = '' WHERE county = '440104'")
    assert found(filled, kept)[YUEXIU] == Broken(YUEXIU, 1, "cut"), "a county that is gone altogether"


def without_lines(world: Hours) -> str:
    """The confirmed record that has no lines."""
    with world.database.read() as session:
        lines = set(session.exec(select(HoursEntry.record_id)))
        (lost,) = set(session.exec(select(ServiceRecord.id).where(ServiceRecord.state == "confirmed"))) - lines
        return lost


def test_another_line_in_place_of_the_last_one_shows_by_the_head(filled: Hours) -> None:
    with filled.database.read() as session:
        kept = tuple(heads(session))
        row = session.exec(select(HoursEntry).where(HoursEntry.county == TIANHE, HoursEntry.seq == 3)).one()
        session.expunge(row)
        row.minutes += 60
    tamper(filled, f"UPDATE hours_entry SET minutes = {row.minutes}, hash = '{hours_ledger.digest(row)}' WHERE seq = 3")
    tamper(filled, f"UPDATE service_record SET minutes = {row.minutes} WHERE id = '{row.record_id}'")
    assert found(filled)[TIANHE] is None
    assert found(filled, kept)[TIANHE] == Broken(TIANHE, 3, "head", row.id)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE service_record SET minutes = 480 WHERE county = '440106'",
        "UPDATE service_record SET state = 'void', decided_by = '' WHERE county = '440106'",
        "UPDATE service_record SET county = '440105' WHERE county = '440106'",
    ],
)
def test_a_record_that_does_not_agree_with_its_lines_is_named(filled: Hours, change: str) -> None:
    tamper(filled, change)
    broken = found(filled)[TIANHE]
    assert broken is not None and broken.what == "record" and broken.seq == 1


def test_confirmations_at_the_same_moment_keep_the_chain_whole(world: Hours) -> None:
    specialists = [world.specialist() for _ in range(4)]
    people = world.volunteers(4)
    records = [[world.told(one, 1, DAY * (day + 1)) for day in range(3)] for one in people]

    def act(turn: int) -> None:
        for day in range(3):
            world.do(serving.confirm, specialists[turn], records[turn][day])
        row = world.record(records[turn][0])
        told = (row.starts_at, row.starts_at + 2 * HOUR, "care", "核对过")
        world.do(serving.correct, specialists[turn - 1], row.id, *told)
        world.do(serving.refuse, specialists[turn - 2], records[turn][1], "没有来")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(4)))
    assert found(world) == {TIANHE: None}
    with world.database.read() as session:
        assert [head.seq for head in heads(session)] == [4 * (3 + 2 + 1)]
        assert [minutes_of(session, one) for one in people] == [180] * 4


def test_of_two_who_decide_at_once_one_does(world: Hours) -> None:
    key = world.told(world.volunteer(), 1)
    specialists = [world.specialist() for _ in range(4)]

    def confirm(by: str) -> str:
        try:
            world.do(serving.confirm, by, key)
        except serving.ServiceError as error:
            return error.reason
        return "done"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(confirm, specialists))
    assert said == ["done", "state", "state", "state"]
    assert len(world.entries(key)) == 1


def test_many_at_once_by_two_specialists_wait_for_each_other_in_one_order(world: Hours) -> None:
    people = [*world.volunteers(3), *world.volunteers(3, YUEXIU)]
    records = [world.told(one, 1) for one in people]
    city = [world.specialist("4401", "organiser") for _ in range(2)]
    orders: list[Callable[[], list[str]]] = [lambda: records, lambda: records[::-1]]

    def act(turn: int) -> int:
        done, _left = world.do(serving.confirm_many, city[turn], orders[turn]())
        return len(done)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(act, range(2))) == len(records)
    assert found(world) == {TIANHE: None, YUEXIU: None}


def test_heads_are_written_and_read_again() -> None:
    kept = [Head("440104", 1, "a" * 64), Head("440106", 12, "b" * 64)]
    assert from_text(as_text(kept)) == kept
    for bad in ("440106", "440106 x " + "a" * 64, "440106 1 abc"):
        with pytest.raises(ValueError):
            from_text(f"\n{bad}\n")


def test_hours_are_summed_between_days(filled: Hours) -> None:
    with filled.database.read() as session:
        row = session.exec(select(HoursEntry).where(HoursEntry.county == TIANHE, HoursEntry.seq == 2)).one()
        assert minutes_of(session, row.person_id) == 60 + 120 + 180
        assert minutes_of(session, row.person_id, row.day, row.day) == 120
        assert minutes_of(session, row.person_id, first=row.day) == 60 + 120
        assert minutes_of(session, row.person_id, last=row.day - timedelta(days=2)) == 0


def test_the_hash_is_over_stable_text(database: Database) -> None:
    """Whoever checks an old ledger with a new version gets the same: this value never changes."""
    row = HoursEntry(
        id="i",
        county="440106",
        seq=1,
        record_id="r",
        person_id="p",
        content="study",
        day=date(2026, 11, 21),
        minutes=120,
        why="confirmed",
        made_by="s",
        made_at=datetime(2026, 11, 22, 2, 0, 0, 123456, tzinfo=UTC),
        before="",
        hash="",
    )
    written = '["440106",1,"i","r","p","study","2026-11-21",120,"confirmed","s","2026-11-22T02:00:00.123456Z",""]'
    row.hash = hours_ledger.digest(row)
    assert row.hash == hashlib.sha256(written.encode()).hexdigest()
    with database.write() as session:
        session.add(row)
    with database.read() as session:
        assert first_broken(session, "440106") is None
