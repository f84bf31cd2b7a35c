"""How transactions begin, what a lost database looks like, and the two clocks, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models import tables
from models.clock import ProgrammeClock, moved_by
from models.database import Database, DatabaseAway, insert_once, machine_now_of, now_of, vault_of
from models.installed import Installed, is_installed, remember
from models.person import Door, open_door
from models.vault import Vault
from tests.conftest import StoppedClock


def test_a_block_commits_at_its_end_and_an_error_takes_everything_back(database: Database) -> None:
    with database.write() as session:
        remember(session, "a", "1")
    with pytest.raises(RuntimeError), database.write() as session:
        remember(session, "b", "1")
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.exec(select(Installed.name)).all() == ["a"]


def test_what_a_reader_changes_is_not_kept(database: Database) -> None:
    with database.read() as session:
        assert session.exec(select(Installed)).all() == []
        session.add(Installed(name="x", digest="y"))
    with database.read() as session:
        assert session.exec(select(Installed)).all() == []


def test_read_modify_writes_side_by_side_lose_nothing(database: Database) -> None:
    with database.write() as session:
        session.add(ProgrammeClock(offset_seconds=0))
    failures: list[BaseException] = []

    def add() -> None:
        for _ in range(10):
            try:
                with database.write() as session:
                    row = session.exec(select(ProgrammeClock).with_for_update()).one()
                    row.offset_seconds += 1
                    session.add(row)
            except BaseException as error:  # noqa: BLE001 shown by the test
                failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with database.read() as session:
        assert moved_by(session) == timedelta(seconds=40)


def test_references_are_enforced(database: Database, clock: StoppedClock) -> None:
    now = clock.now()
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Door(person_id="nobody", platform="wechat", account="a", sender="s", opened_at=now, last_in_at=now))


def test_an_insert_under_a_key_that_stands_does_nothing_and_says_so(database: Database) -> None:
    with database.write() as session:
        first = session.execute(insert_once(session, Installed).values(name="menu", digest="1"))
        second = session.execute(insert_once(session, Installed).values(name="menu", digest="2"))
        assert (first.rowcount, second.rowcount) == (1, 0)  # type: ignore[attr-defined]
    with database.read() as session:
        assert is_installed(session, "menu", "other") is False
        assert session.exec(select(Installed.digest)).one() == "1"


def test_times_come_back_aware_and_in_utc(database: Database, clock: StoppedClock) -> None:
    elsewhere = datetime(2026, 11, 22, 10, 0, tzinfo=UTC).astimezone()
    clock.at = elsewhere
    with database.write() as session:
        open_door(session, "wechat", "a", "s", "zh_CN", zone="Asia/Shanghai")
    with database.read() as session:
        opened = session.exec(select(Door)).one().opened_at
        assert opened == elsewhere
        assert opened.utcoffset() == timedelta(0)


def test_the_programme_clock_moves_and_the_machines_does_not(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        database.clock.advance(session, timedelta(days=2))
        assert now_of(session) - machine_now_of(session) == timedelta(days=2)
        with pytest.raises(ValueError, match="forward"):
            database.clock.advance(session, timedelta(0))
    with database.read() as session:
        assert moved_by(session) == timedelta(days=2)


def test_a_lock_that_is_not_given_is_the_database_being_away(database: Database) -> None:
    with database.write() as session:
        remember(session, "held", "1")
        session.flush()
        name = text("UPDATE installed SET digest = 'x' WHERE name = 'held'")
        other = Database(database.url.render_as_string(hide_password=False), database.vault, durable=False)
        if not database.is_sqlite:
            session.commit()
            session.execute(name)
        with pytest.raises(DatabaseAway), other.write() as second:
            second.execute(name)
        other.dispose()


@pytest.mark.parametrize("url", ["sqlite:////nonexistent/folder/x.db", "postgresql+psycopg://u:hunter2@127.0.0.1:9/x"])
def test_a_database_that_cannot_be_reached_is_told_without_its_address(url: str, vault: Vault) -> None:
    database = Database(url, vault)
    with pytest.raises(DatabaseAway) as away, database.read() as session:
        session.execute(text("SELECT 1"))
    assert "hunter2" not in str(away.value)
    assert "hunter2" not in repr(database)
    database.dispose()


def test_sqlite_under_serve_survives_a_power_loss(tmp_path: Path, vault: Vault) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}", vault)
    with database.write() as session:
        assert session.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    database.dispose()


def test_a_session_that_was_not_made_by_the_database_has_no_vault_and_no_clock(database: Database) -> None:
    with Session(database.engine, info={"vault": None, "clock": None}) as session:
        for ask in (vault_of, now_of, machine_now_of):
            with pytest.raises(TypeError, match="not made by Database"):
                ask(session)


def test_every_constraint_and_index_has_the_name_that_migrations_rely_on() -> None:
    for table in tables.METADATA.sorted_tables:
        assert table.primary_key.name == f"pk_{table.name}"
        assert all(constraint.name for constraint in table.constraints), table.name
        assert all(index.name for index in table.indexes), table.name
