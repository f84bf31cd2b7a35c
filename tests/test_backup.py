"""`nuanyang db backup` and `restore`: what comes back is whole, sends nothing twice unmarked, and forgets nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlmodel import Session, col, select, update

from bot import backup as copying
from models import claiming, inbox, lease, migrate
from models.audit import AuditEntry
from models.code import check_code, issue_code
from models.database import Database, now_of
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY, OutboxMessage, begin_attempt, end, enqueue
from models.page import issue_page, open_page
from models.person import open_door
from tests.backing import Told, lose, opened
from tests.backing import live as live
from tests.backing import told as told
from tests.backing import tools as tools
from tests.outgoing import ACCOUNTS, claim


def hear(database: Database, key: str, text: str = "你好") -> None:
    with database.write() as session:
        inbox.enter(session, "wechat", "test", key, "alin", "text", {"text": text})


def states(database: Database) -> dict[str, tuple[str, int, str]]:
    with database.read() as session:
        rows = session.exec(select(OutboxMessage).order_by(col(OutboxMessage.unique_key)))
        return {row.unique_key: (row.state, row.resends, row.why) for row in rows}


def say(session: Session, person: str, key: str, priority: int, **more: object) -> None:
    enqueue(session, person, "reply", {"text": "你好"}, unique_key=key, priority=priority, **more)  # type: ignore[arg-type]


def live_on(database: Database) -> tuple[str, str]:
    """A deployment in the middle of things; returns an open code and the token of an open page."""
    with database.write() as session:
        _door, person = open_door(session, "wechat", "test", "alin", "zh_CN", zone="Asia/Shanghai")
        other = open_door(session, "telegram", "test", "1", "zh_CN", zone="Asia/Shanghai")[1]
        for name, priority in (
            ("reply", REPLY),
            ("reminder", REMINDER),
            ("emergency", EMERGENCY),
            ("campaign", CAMPAIGN),
        ):
            say(session, person.id, f"a waiting {name}", priority)
        say(session, person.id, "due tomorrow", REMINDER, due_at=now_of(session) + timedelta(days=1))
        say(session, person.id, "sent before", REPLY)
        say(session, other.id, "being sent", REPLY)
        say(session, other.id, "held", REPLY)
        say(session, other.id, "a held campaign", CAMPAIGN)
        session.flush()
        lease.hold(session, "send:wechat:test", "a copy that ran then")
        for row in claim(session, "a copy that ran then", ACCOUNTS, 100):
            begin_attempt(session, row.id, "a door")
            if row.unique_key == "sent before":
                end(session, row.id, "a copy that ran then", "sent", "")
        for row in session.exec(select(OutboxMessage).where(OutboxMessage.state == "sending")).all():
            if row.unique_key != "being sent":
                row.state = "held" if "held" in row.unique_key else "waiting"
                row.claimed_by = row.deadline = None
                session.add(row)
        code = issue_code(session, "bind", person.id, {}, timedelta(days=7))
        page = issue_page(session, person.id, "data", {})
    hear(database, "before")
    return code, page


def test_what_may_have_been_sent_since_the_backup_goes_out_marked_and_only_once(
    live: str, tmp_path: Path, told: Told
) -> None:
    with opened(live) as database:
        code, page = live_on(database)
        before = states(database)
    assert before["being sent"][0] == "sending" and before["held"][0] == "held"
    file = tmp_path / "copy.nuanyang"
    assert "备份完成" in told("db", "backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with opened(live) as database:
        with database.write() as session:  # all of it is sent meanwhile, and people go on talking
            session.execute(text("UPDATE outbox SET state = 'sent', params_sealed = NULL WHERE state <> 'sent'"))
            session.execute(text("UPDATE one_time_code SET used_at = expires_at"))
        hear(database, "after")
    assert "有 1 条消息" in told("db", "restore", str(file), status=1)
    with opened(live) as database:
        assert {state for state, _resends, _why in states(database).values()} == {"sent"}, "nothing was changed"
    said = told("db", "restore", str(file), "--force")
    assert "5 条" in said and "2 条" in said
    with opened(live) as database:
        assert states(database) == {
            "a held campaign": ("uncertain", 0, "restored"),
            "a waiting campaign": ("uncertain", 0, "restored"),
            "a waiting emergency": ("waiting", 1, "restored"),
            "a waiting reminder": ("waiting", 1, "restored"),
            "a waiting reply": ("waiting", 1, "restored"),
            "being sent": ("waiting", 1, "restored"),
            "due tomorrow": ("waiting", 0, ""),
            "held": ("held", 1, ""),
            "sent before": ("sent", 0, ""),
        }
        with database.read() as session:
            assert check_code(session, "bind", code, "somebody").verdict == "expired"
            assert open_page(session, page) is None
            assert lease.holders(session) == {}
            assert [row.key for row in session.exec(select(inbox.InboxMessage))] == ["before"]
            (line,) = session.exec(select(AuditEntry).where(AuditEntry.action == "database.restored"))
            assert (line.actor, line.details) == ("machine", {"resent": 5, "uncertain": 2, "closed": 2})
        with database.write() as session:
            assert inbox.enter(session, "wechat", "test", "before", "alin", "text", {}) is None, "a repeat stays one"
            assert claiming.sweep(session, 500) == 0, "no claim of then is left that would be swept once more"
        assert migrate.differences(database) == []
    assert kept_aside(live, tmp_path) == ["after", "before"], "the former database is kept as it was"
    told("db", "restore", str(file), status=1)  # its own line in the audit trail is newer than the backup


def kept_aside(live: str, folder: Path) -> list[str]:
    """The keys of the messages in the database that was replaced."""
    url = make_url(live)
    if url.get_backend_name() == "sqlite":
        (aside,) = [path for path in folder.glob("live.db.before-*") if not path.name.endswith(copying.COMPANIONS)]
        found = f"sqlite:///{aside}"
    else:
        server = create_engine(url)
        with server.connect() as connection:
            names = [str(each) for (each,) in connection.execute(text("SELECT datname FROM pg_database"))]
        server.dispose()
        (aside_name,) = [name for name in names if name.startswith(f"{url.database}_before_")]
        found = url.set(database=aside_name).render_as_string(hide_password=False)
    with opened(found) as database, database.read() as session:
        return sorted(session.exec(select(inbox.InboxMessage.key)))


def test_a_database_restored_in_another_way_is_marked_by_one_command(live: str, told: Told) -> None:
    with opened(live) as database:
        live_on(database)
        with database.write() as session:  # its lease has run out since
            session.execute(update(lease.Lease).values(until=database.clock.machine()))
    assert "5 条" in told("db", "restored")
    with opened(live) as database:
        once = states(database)
        assert once["a waiting reply"] == ("waiting", 1, "restored")
    assert "0 条" in told("db", "restored")
    with opened(live) as database:
        assert states(database) == once


def test_a_backup_replaces_no_file_and_a_lost_database_comes_back_from_it(
    live: str, tmp_path: Path, told: Told
) -> None:
    with opened(live) as database:
        hear(database, "before")
    file = tmp_path / "copy.nuanyang"
    told("db", "backup", str(file))
    kept = file.read_bytes()
    assert "不会覆盖" in told("db", "backup", str(file), status=1)
    assert file.read_bytes() == kept
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.nuanyang"]
    lose(live)
    told("db", "restore", str(file))
    with opened(live) as database, database.read() as session:
        assert session.exec(select(inbox.InboxMessage.key)).all() == ["before"]
    assert "一致" in told("db", "check")


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_copy_made_while_others_write_is_one_moment(live: str, tmp_path: Path, told: Told) -> None:
    """Each transaction writes two rows; the copy has both or neither, and every one before them."""
    stopping, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with opened(live) as database:
            while not stopping.is_set():
                with database.write() as session:
                    for half in "ab":
                        inbox.enter(
                            session, "wechat", "test", f"{written}{half}", "alin", "text", {"text": "你好" * 50}
                        )
                written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            at_least = written
            file = tmp_path / f"copy{number}"
            told("db", "backup", str(file))
            with closing(sqlite3.connect(file)) as copy:
                keys = {key for (key,) in copy.execute("SELECT key FROM inbox")}
            whole = len(keys) // 2
            assert keys == {f"{each}{half}" for each in range(whole) for half in "ab"}
            assert whole >= at_least
    finally:
        stopping.set()
        thread.join(20)
    assert written > 10, "it was written to all the while"


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_restoring_is_refused_while_a_service_runs(live: str, tmp_path: Path, told: Told) -> None:
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    with copying.using(make_url(live), alone=False):
        assert "正在使用" in told("db", "restore", str(file), "--force", status=1)
        assert "正在使用" in told("db", "restored", status=1)
    with copying.using(make_url(live), alone=True):
        assert "正在恢复" in told("serve", status=1)


@pytest.mark.parametrize("live", ["postgresql"], indirect=True)
def test_restoring_is_refused_while_anybody_is_connected(live: str, tmp_path: Path, told: Told) -> None:
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    with opened(live) as database, database.read() as session:
        session.execute(text("SELECT 1"))
        assert "正在使用" in told("db", "restore", str(file), "--force", status=1)
    told("db", "restore", str(file))


def test_what_is_no_backup_of_ours_changes_nothing(live: str, tmp_path: Path, told: Told) -> None:
    with opened(live) as database:
        hear(database, "before")
    other = tmp_path / "other"
    assert "找不到" in told("db", "restore", str(other), status=1)
    other.write_bytes(b"not a database at all" * 100)
    told("db", "restore", str(other), "--force", status=1)
    if make_url(live).get_backend_name() == "sqlite":
        other.unlink()
        with closing(sqlite3.connect(other)) as empty:
            empty.execute("CREATE TABLE somebody_elses (id)")
        assert "不是暖阳" in told("db", "restore", str(other), "--force", status=1)
    with opened(live) as database, database.read() as session:
        assert session.exec(select(inbox.InboxMessage.key)).all() == ["before"]
    assert not list(tmp_path.glob("*restoring*")) and not list(tmp_path.glob("*before*"))


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_backup_of_other_keys_or_of_a_newer_program_is_refused(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(live) as database:
        hear(database, "before")
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    keys = os.environ["NUANYANG_KEYS"]
    monkeypatch.setenv("NUANYANG_KEYS", "A" * 43 + "=")
    assert "NUANYANG_KEYS" in told("db", "restore", str(file), status=1)
    monkeypatch.setenv("NUANYANG_KEYS", keys)
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999_from_tomorrow'")
        copy.commit()
    assert "新" in told("db", "restore", str(file), "--force", status=1)
    with opened(live) as database, database.read() as session:
        assert session.exec(select(inbox.InboxMessage.key)).all() == ["before"]


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_damaged_database_is_put_aside_and_a_backup_of_an_older_program_is_upgraded(
    live: str, tmp_path: Path, told: Told
) -> None:
    path = tmp_path / "live.db"
    path.unlink()
    with opened(live) as database:
        migrate.upgrade(database, migrate.revisions()[0])
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    path.write_bytes(b"broken" * 1_000)
    said = told("db", "restore", str(file))
    assert "读不出来" in said and "已应用" in said
    assert "一致" in told("db", "check")
    (aside,) = tmp_path.glob("live.db.before-*")
    assert aside.read_bytes().startswith(b"broken")


def server_of(live: str) -> Engine:
    return create_engine(make_url(live).set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)


def names_of(live: str) -> set[str]:
    """What stands on the server, without what the name begins with."""
    name = str(make_url(live).database)
    with server_of(live).connect() as connection:
        found = connection.execute(text("SELECT datname FROM pg_database")).scalars()
        return {each.removeprefix(name)[:8] for each in found if each.startswith(name)}


@pytest.mark.parametrize("live", ["postgresql"], indirect=True)
def test_a_restore_that_cannot_take_the_name_leaves_it_and_everything_else_as_it_was(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitoring program that looks at every database was connected to the copy: the old one had been renamed, the
    copy was dropped, and it said that nothing had changed."""
    with opened(live) as database:
        hear(database, "before")
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    real = copying.Exchange.swap

    def watched(exchange: copying.Exchange) -> str | None:
        watcher = create_engine(exchange.beside_url, poolclass=NullPool)
        with watcher.connect() as looking:
            looking.execute(text("SELECT 1"))
            return real(exchange)

    with monkeypatch.context() as patch:
        patch.setattr(copying.Exchange, "swap", watched)
        assert "保持原样" in told("db", "restore", str(file), "--force", status=1)
    assert names_of(live) == {""}, "the name is there, and nothing unfinished beside it"
    with opened(live) as database, database.read() as session:
        assert session.exec(select(inbox.InboxMessage.key)).all() == ["before"]
    told("db", "restore", str(file), "--force")
    assert names_of(live) == {"", "_before_"}


@pytest.mark.parametrize("live", ["postgresql"], indirect=True)
@pytest.mark.parametrize("came", [True, False, None], ids=["it came", "it did not", "nobody can say"])
def test_a_connection_that_is_lost_while_the_name_is_taken_does_not_make_a_restore_lie(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, came: bool | None
) -> None:
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    real, there = Connection._commit_impl, copying.Exchange._there
    lost = OperationalError("COMMIT", {}, psycopg.OperationalError("server closed the connection unexpectedly"))

    def cut(connection: Connection) -> None:
        if connection.engine.url.database != "postgres":
            return real(connection)
        if came is not False:
            real(connection)
        monkeypatch.setattr(Connection, "_commit_impl", real)
        if came is None:
            monkeypatch.setattr(copying.Exchange, "_there", gone)
        raise lost

    def gone(_exchange: copying.Exchange) -> set[str]:
        raise lost

    swap = copying.Exchange.swap

    def swapped(exchange: copying.Exchange) -> str | None:
        monkeypatch.setattr(Connection, "_commit_impl", cut)
        return swap(exchange)

    monkeypatch.setattr(copying.Exchange, "swap", swapped)
    said = told("db", "restore", str(file), "--force", status=0 if came else 1)
    if came is None:
        assert "不知道换成没有" in said and f"{make_url(live).database}_before_" in said and "保持原样" not in said
    elif came is False:
        assert "保持原样" in said
    monkeypatch.setattr(copying.Exchange, "_there", there)
    assert names_of(live) == ({""} if came is False else {"", "_before_"})


@pytest.mark.parametrize("live", ["postgresql"], indirect=True)
def test_an_unfinished_copy_that_cannot_be_removed_is_named(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(_exchange: copying.Exchange) -> None:
        raise OperationalError("DROP", {}, psycopg.OperationalError("permission denied"))

    monkeypatch.setattr(copying.Exchange, "drop", kept)
    (tmp_path / "copy").write_bytes(b"not a backup")
    said = told("db", "restore", str(tmp_path / "copy"), status=1)
    assert f"{make_url(live).database}_restoring" in said and "permission denied" in said and "保持原样" in said


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_file_that_cannot_take_the_name_leaves_the_former_one_under_it(
    live: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(live) as database:
        hear(database, "before")
    file = tmp_path / "copy"
    told("db", "backup", str(file))
    real = Path.rename

    def full(path: Path, target: Path | str) -> Path:
        if path.name.endswith(".restoring"):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        assert "保持原样" in told("db", "restore", str(file), "--force", status=1)
    assert not list(tmp_path.glob("*before-*")) and not list(tmp_path.glob("*restoring*"))
    with opened(live) as database, database.read() as session:
        assert session.exec(select(inbox.InboxMessage.key)).all() == ["before"]
