"""Key rotation on both databases: killed anywhere and run again, everything ends under the newest key."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlmodel import select

from models import rotation, tables
from models.code import check_code, issue_code
from models.database import Database
from models.person import open_door, set_address_form
from models.rotation import RotationError, drop, rotate, unknown_keys, uses
from models.sealed import BlindIndex
from models.vault import Vault, VaultError
from models.volunteer import Volunteer, find_by_phone, name_of, set_name, set_phone
from tests.conftest import TEST_KEY

NEW_KEY = bytes(range(32, 64))
OLD, NEW = Vault([TEST_KEY]), Vault([NEW_KEY])


def phone(number: int) -> str:
    return f"+8613{number:09d}"


def fill(database: Database, count: int) -> None:
    """So many registered volunteers, each with a form of address."""
    with database.write() as session:
        for number in range(count):
            _door, person = open_door(session, "wechat", "gd", f"sender{number}", "zh_CN", zone="Asia/Shanghai")
            set_address_form(session, person, f"陈姐{number}")
            row = Volunteer(
                person_id=person.id,
                number=f"{number:010d}",
                status="active",
                registered_at=database.clock.now(),
                birth_date=date(2000, 1, 1),
                county="440106",
            )
            session.add(row)
            session.flush()
            set_name(session, row, f"姓名{number}")
            set_phone(session, row, phone(number))


def with_ring(database: Database, *keys: bytes) -> Database:
    """The same database opened with another ring."""
    url = database.url.render_as_string(hide_password=False)
    return Database(url, Vault(keys), database.clock, durable=False)


def everything_is_readable(database: Database, count: int) -> None:
    with database.read() as session:
        for row in session.exec(select(Volunteer)).all():
            number = int(row.number)
            assert name_of(session, row) == f"姓名{number}"
            assert find_by_phone(session, phone(number)) == [row.person_id]
        assert len(session.exec(select(Volunteer)).all()) == count


def test_after_a_rotation_the_new_key_alone_opens_and_finds_everything(database: Database) -> None:
    fill(database, 30)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    report = rotate(both)
    both.dispose()
    assert report.resealed == 30 * 3
    assert report.indexed == 30
    assert not report.unreadable
    alone = with_ring(database, NEW_KEY)
    everything_is_readable(alone, 30)
    alone.dispose()


def test_a_second_rotation_finds_nothing_to_do(database: Database) -> None:
    fill(database, 5)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    rotate(both)
    again = rotate(both)
    both.dispose()
    assert (again.resealed, again.indexed) == (0, 0)


def test_while_it_is_half_done_both_keys_together_still_find_everything(database: Database) -> None:
    fill(database, 12)
    both = with_ring(database, NEW_KEY, TEST_KEY)

    def killed(done: int, _total: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(both, killed)
    everything_is_readable(both, 12)
    both.dispose()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_killed_at_any_slice_and_run_again_it_ends_right(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "SLICE_ROWS", 4)
    monkeypatch.setattr(rotation, "_STEP", 2)
    fill(database, 15)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    chance = random.Random(seed)

    def perhaps_killed(_done: int, _total: int) -> None:
        if chance.random() < 0.3:
            raise KeyboardInterrupt

    for _ in range(200):
        try:
            rotate(both, perhaps_killed)
            break
        except KeyboardInterrupt:
            continue
    else:
        pytest.fail("it never came to an end")
    drop(both)
    both.dispose()
    alone = with_ring(database, NEW_KEY)
    everything_is_readable(alone, 15)
    with alone.read() as session:
        assert {row.key_id for row in session.exec(select(BlindIndex)).all()} == {NEW.newest}
    alone.dispose()


def test_a_process_killed_with_sigkill_leaves_nothing_half_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kill.db'}"
    database = Database(url, OLD, durable=False)
    tables.create_all(database)
    fill(database, 200)
    database.dispose()
    script = textwrap.dedent(f"""
        import time
        from models import rotation
        from models.database import Database
        from models.vault import Vault
        rotation.SLICE_ROWS = 10
        def told(done, total):
            print(done, flush=True)
            time.sleep(0.01)
        rotation.rotate(Database({url!r}, Vault([{NEW_KEY!r}, {TEST_KEY!r}])), told)
    """)
    for lines in (8, 25):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    both = Database(url, Vault([NEW_KEY, TEST_KEY]), durable=False)
    everything_is_readable(both, 200)
    left = rotate(both)
    assert 0 < left.resealed < 600
    drop(both)
    both.dispose()
    alone = Database(url, NEW, durable=False)
    everything_is_readable(alone, 200)
    alone.dispose()


def test_no_write_transaction_is_held_longer_than_a_quarter_second(database: Database) -> None:
    fill(database, 120)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    held: list[float] = []
    begun: dict[int, float] = {}
    event.listen(both.engine, "begin", lambda c: begun.update({id(c.connection.dbapi_connection): time.thread_time()}))

    def ended(connection: object) -> None:
        at = begun.pop(id(connection.connection.dbapi_connection), None)  # type: ignore[attr-defined]
        if at is not None:
            held.append(time.thread_time() - at)

    event.listen(both.engine, "commit", ended)
    rotate(both)
    both.dispose()
    assert held
    assert max(held) < 0.25, "in CPU seconds: a busy machine must not count"


def test_a_value_that_changes_meanwhile_is_not_overwritten(database: Database) -> None:
    fill(database, 3)
    both = with_ring(database, NEW_KEY, TEST_KEY)

    def changed(_done: int, _total: int) -> None:
        with both.write() as session:
            row = session.exec(select(Volunteer).where(Volunteer.number == "0000000001")).one()
            set_name(session, row, "改过的名字")
            set_phone(session, row, phone(77))

    rotate(both, changed)
    with both.read() as session:
        row = session.exec(select(Volunteer).where(Volunteer.number == "0000000001")).one()
        assert name_of(session, row) == "改过的名字"
        assert find_by_phone(session, phone(77)) == [row.person_id]
        assert find_by_phone(session, phone(1)) == []
    both.dispose()


def test_a_wrong_digest_under_the_new_key_is_taken_out(database: Database) -> None:
    fill(database, 2)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    with both.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.number == "0000000000")).one()
        stale = both.vault.digests("phone", phone(55))[both.vault.newest]
        session.add(BlindIndex(kind="phone", key_id=both.vault.newest, digest=stale, row_id=row.id))
    rotate(both)
    with both.read() as session:
        assert find_by_phone(session, phone(55)) == []
        assert find_by_phone(session, phone(0)) != []
    both.dispose()


def test_a_value_of_a_lost_key_is_named_and_the_rest_goes_on(database: Database) -> None:
    fill(database, 4)
    lost = with_ring(database, bytes(range(100, 132)))
    with lost.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.number == "0000000002")).one()
        set_name(session, row, "谁也打不开")
    lost.dispose()
    both = with_ring(database, NEW_KEY, TEST_KEY)
    report = rotate(both)
    assert dict(report.unreadable) == {"volunteer.name_sealed": 1}
    assert report.resealed == 4 * 3 - 1
    assert [(use.sealed, use.needed) for use in uses(both) if not use.known] == [(1, True)]
    both.dispose()


def test_the_use_of_each_key_says_when_the_old_one_may_go(database: Database) -> None:
    fill(database, 4)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    before = {use.key_id: use for use in uses(both)}
    assert before[OLD.newest].needed
    assert (before[OLD.newest].sealed, before[OLD.newest].missing) == (12, 4)
    rotate(both)
    after = {use.key_id: use for use in uses(both)}
    assert not after[OLD.newest].needed
    assert after[NEW.newest].sealed == 12
    both.dispose()


def test_the_old_key_is_needed_until_open_codes_have_expired(database: Database) -> None:
    fill(database, 1)
    with database.write() as session:
        person = session.exec(select(Volunteer.person_id)).one()
        code = issue_code(session, "guardian", person, {}, timedelta(days=2))
    both = with_ring(database, NEW_KEY, TEST_KEY)
    rotate(both)
    old = next(use for use in uses(both) if not use.newest)
    assert old.needed
    assert old.codes == 1
    assert old.codes_until == both.clock.machine() + timedelta(days=2)
    assert drop(both)[1] == 1
    with both.read() as session:
        assert check_code(session, "guardian", code, "somebody-else").verdict == "good"
    both.dispose()


def test_digests_are_not_dropped_before_the_rotation_is_done(database: Database) -> None:
    fill(database, 2)
    both = with_ring(database, NEW_KEY, TEST_KEY)
    with pytest.raises(RotationError) as refused:
        drop(both)
    assert refused.value.reason == "rotate_first"
    both.dispose()


def test_a_wrong_ring_is_found_at_the_start(database: Database) -> None:
    fill(database, 1)
    wrong = with_ring(database, NEW_KEY)
    assert unknown_keys(wrong) == {OLD.newest}
    wrong.dispose()
    assert unknown_keys(database) == set()


def test_a_copy_that_goes_on_sealing_with_the_old_key_is_noticed(database: Database) -> None:
    fill(database, 2)
    both = with_ring(database, NEW_KEY, TEST_KEY)

    def old_copy(_done: int, _total: int) -> None:
        with database.write() as session:
            row = session.exec(select(Volunteer).where(Volunteer.number == "0000000001")).one()
            set_name(session, row, "旧程序写的")

    with pytest.raises(RotationError) as refused:
        rotate(both, old_copy)
    assert refused.value.reason == "old_copies"
    both.dispose()


def test_every_sealed_and_indexed_column_stands_in_a_table(database: Database) -> None:
    for table, key, column in rotation.SEALED:
        assert key in tables.METADATA.tables[table].primary_key.columns, table
        assert column in tables.METADATA.tables[table].c, (table, column)
    for _kind, table, key, column in rotation.INDEXED:
        assert (table, key, column) in rotation.SEALED


def test_every_column_that_is_called_sealed_is_registered() -> None:
    named = {(t.name, c.name) for t in tables.METADATA.sorted_tables for c in t.columns if c.name.endswith("_sealed")}
    assert named == {(table, column) for table, _key, column in rotation.SEALED}


def test_a_moved_value_does_not_open() -> None:
    sealed = OLD.seal("volunteer.name_sealed", "row1", "陈")
    with pytest.raises(VaultError, match="changed or moved"):
        OLD.open("volunteer.name_sealed", "row2", sealed)


def test_rotation_leaves_other_columns_alone(database: Database) -> None:
    fill(database, 3)
    look = "SELECT number, status, birth_date, county FROM volunteer ORDER BY number"
    with database.read() as session:
        before = session.execute(text(look)).all()
    both = with_ring(database, NEW_KEY, TEST_KEY)
    rotate(both)
    with both.read() as session:
        assert session.execute(text(look)).all() == before
    both.dispose()
