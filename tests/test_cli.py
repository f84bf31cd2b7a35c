"""The real command as a process: what it refuses, what it starts, and that it stops in time."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web
from sqlmodel import select

from bot import app as composition
from bot import replay, server
from bot.cli import language, run
from bot.terminal import Chat, heard
from config.settings import Settings
from handlers.here import Here
from handlers.message import Inbound
from models import inbox, migrate
from models.alert import Alert, open_alerts, raise_alert
from models.audit import AuditEntry
from models.contact import write
from models.database import Database, now_of
from models.inbox import InboxMessage
from models.person import doors, open_door
from models.recognition import Recognition
from models.role import RoleGrant
from models.sealed import unseal
from models.vault import Vault
from models.volunteer import Volunteer
from tests.conftest import START, TEST_KEY

KEY = base64.urlsafe_b64encode(TEST_KEY).decode()
COMMAND = [sys.executable, "-c", "from bot.cli import main; main()"]
WECHAT = {
    "NUANYANG_WECHAT__GD__APPID": "wxba5fad812f8e6fb9",
    "NUANYANG_WECHAT__GD__SECRET": "secret",
    "NUANYANG_WECHAT__GD__TOKEN": "AAAAA",
    "NUANYANG_WECHAT__GD__ENCODING_AES_KEY": "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz",
    "NUANYANG_WECHAT__GD__API_BASE": "http://127.0.0.1:9",
}
TELEGRAM = {
    "NUANYANG_TELEGRAM__HK__TOKEN": "123456:ABC-DEF",
    "NUANYANG_TELEGRAM__HK__SECRET_TOKEN": "hook",
    "NUANYANG_TELEGRAM__HK__API_BASE": "http://127.0.0.1:9",
}


def environment(folder: Path, **more: str | None) -> dict[str, str]:
    """A good configuration of `serve`, with what a test changes; None takes a variable away."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUANYANG_")}
    good = {
        **plain,
        **WECHAT,
        **TELEGRAM,
        "NUANYANG_KEYS": KEY,
        "NUANYANG_DATABASE_URL": f"sqlite:///{folder / 'serve.db'}",
        "NUANYANG_SPOOL": str(folder / "spool"),
        "NUANYANG_PORT": str(free_port()),
        "NUANYANG_LANGUAGE": "zh_CN",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **more,
    }
    return {name: value for name, value in good.items() if value is not None}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def nuanyang(folder: Path, *arguments: str, **more: str | None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=60
    )


@contextmanager
def started(folder: Path, *arguments: str, **more: str | None) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on; it is killed at the end if the test has not stopped it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def wait_for(url: str, seconds: float = 30) -> bytes:
    ends = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bytes(response.read())
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    database = Database(f"sqlite:///{tmp_path / 'serve.db'}", Vault([TEST_KEY]), durable=False)
    migrate.upgrade(database)
    database.dispose()
    return tmp_path


def not_a_folder(folder: Path) -> str:
    (folder / "file").write_text("not a folder")
    return str(folder / "file" / "spool")


BAD: list[tuple[str, dict[str, str | None], str]] = [
    ("no keys", {"NUANYANG_KEYS": None}, "NUANYANG_KEYS"),
    ("short key", {"NUANYANG_KEYS": "abc"}, "NUANYANG_KEYS"),
    ("other key", {"NUANYANG_PORT": "notaport"}, "NUANYANG_PORT"),
    ("zone", {"NUANYANG_TIMEZONE": "Asia/Nowhere"}, "NUANYANG_TIMEZONE"),
    ("database", {"NUANYANG_DATABASE_URL": "mysql://x"}, "NUANYANG_DATABASE_URL"),
    (
        "database away",
        {"NUANYANG_DATABASE_URL": "postgresql+psycopg://nobody:secretword@127.0.0.1:9/none"},
        "NUANYANG_DATABASE_URL",
    ),
    ("no wechat token", {"NUANYANG_WECHAT__GD__TOKEN": None}, "NUANYANG_WECHAT__GD__TOKEN"),
    ("empty wechat token", {"NUANYANG_WECHAT__GD__TOKEN": ""}, "NUANYANG_WECHAT__GD__TOKEN"),
    ("no aes key", {"NUANYANG_WECHAT__GD__ENCODING_AES_KEY": None}, "NUANYANG_WECHAT__GD__ENCODING_AES_KEY"),
    ("short aes key", {"NUANYANG_WECHAT__GD__ENCODING_AES_KEY": "A" * 42}, "NUANYANG_WECHAT__GD__ENCODING_AES_KEY"),
    ("no telegram secret", {"NUANYANG_TELEGRAM__HK__SECRET_TOKEN": None}, "NUANYANG_TELEGRAM__HK__SECRET_TOKEN"),
    ("telegram token", {"NUANYANG_TELEGRAM__HK__TOKEN": "nonsense"}, "NUANYANG_TELEGRAM__HK__TOKEN"),
    ("telegram mode", {"NUANYANG_TELEGRAM__HK__MODE": "carrier"}, "NUANYANG_TELEGRAM__HK__MODE"),
    ("no account", dict.fromkeys([*WECHAT, *TELEGRAM]), "NUANYANG_TELEGRAM__"),
    (
        "sandbox left",
        {"NUANYANG_WECHAT__GD__API_BASE": "http://127.0.0.1:8080/sandbox/wechat-api"},
        "NUANYANG_WECHAT__GD__API_BASE",
    ),
    ("public url", {"NUANYANG_PUBLIC_URL": "bot.example.org"}, "NUANYANG_PUBLIC_URL"),
    ("rules file", {"NUANYANG_RULES_FILE": "/nonexistent/rules.toml"}, "NUANYANG_RULES_FILE"),
    ("config file", {"NUANYANG_CONFIG": "/nonexistent/nuanyang.toml"}, "NUANYANG_CONFIG"),
    ("host", {"NUANYANG_HOST": "203.0.113.77"}, "NUANYANG_HOST"),
]


@pytest.mark.parametrize(("changed", "named"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_serve_refuses_a_bad_configuration_with_one_line_that_names_the_setting(
    ready: Path, changed: dict[str, str | None], named: str
) -> None:
    ended = nuanyang(ready, "serve", **changed)
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert named in lines[0]
    assert "Traceback" not in ended.stderr
    assert "secretword" not in ended.stderr


def test_serve_refuses_a_spool_folder_that_cannot_be_written(ready: Path) -> None:
    ended = nuanyang(ready, "serve", NUANYANG_SPOOL=not_a_folder(ready))
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (1, 1)
    assert "NUANYANG_SPOOL" in ended.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_database_that_is_behind_is_refused_and_the_command_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "serve.db").touch()
    ended = nuanyang(tmp_path, command)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (1, 1)
    assert "nuanyang db upgrade" in ended.stderr


def test_serve_refuses_a_moved_programme_clock(ready: Path) -> None:
    with on_database(ready) as database, database.write() as session:
        database.clock.advance(session, START - START.replace(day=1))
    ended = nuanyang(ready, "serve")
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (1, 1)
    assert "时钟" in ended.stderr
    assert "NUANYANG_DATABASE_URL" in ended.stderr


def test_serve_refuses_a_ring_that_lacks_the_key_of_the_data(ready: Path) -> None:
    register(ready, "1000000001")
    other = base64.urlsafe_b64encode(bytes(32)).decode()
    ended = nuanyang(ready, "serve", NUANYANG_KEYS=other)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (1, 1)
    assert "NUANYANG_KEYS" in ended.stderr
    assert Vault([TEST_KEY]).newest in ended.stderr


@pytest.mark.parametrize("command", ["serve", "run"])
def test_a_port_in_use_is_named_with_the_way_to_choose_another(ready: Path, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = nuanyang(ready, command, NUANYANG_PORT=port)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (1, 1)
    assert port in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_and_stops_within_ten_seconds(ready: Path, number: signal.Signals) -> None:
    port = free_port()
    with started(ready, "serve", NUANYANG_PORT=str(port)) as process:
        assert json.loads(wait_for(f"http://127.0.0.1:{port}/healthz")) == {"alive": True}
        # An idle connection and a half-sent head must not hold the stop up.
        idle = socket.create_connection(("127.0.0.1", port))
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        began = time.monotonic()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=15)
        idle.close()
        assert time.monotonic() - began < 10
        assert process.returncode == 0, stderr
        assert f"http://127.0.0.1:{port}" in stdout
        assert "Traceback" not in stderr


def test_worker_runs_without_a_port_and_stops(ready: Path) -> None:
    with started(ready, "worker") as process:
        assert process.stdout is not None
        assert "投递" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _stdout, stderr = process.communicate(timeout=15)
        assert process.returncode == 0, stderr


def test_run_needs_nothing_works_twice_and_keeps_its_keys(tmp_path: Path) -> None:
    keys = tmp_path / ".nuanyang" / "keys"
    bare = dict.fromkeys([*WECHAT, *TELEGRAM, "NUANYANG_KEYS", "NUANYANG_DATABASE_URL", "NUANYANG_SPOOL"])
    seen = []
    for _ in range(2):
        port = free_port()
        with started(tmp_path, "run", "--port", str(port), **bare) as process:
            assert process.stdout is not None
            assert f"http://127.0.0.1:{port}/sandbox" in process.stdout.readline()
            assert b"<html" in wait_for(f"http://127.0.0.1:{port}/sandbox").lower()
            wait_for(f"http://127.0.0.1:{port}/readyz")
            process.send_signal(signal.SIGINT)
            _stdout, stderr = process.communicate(timeout=15)
            assert process.returncode == 0, stderr
            assert "Traceback" not in stderr
        seen.append(keys.read_text())
    assert seen[0] == seen[1]
    assert keys.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "nuanyang.db").is_file()


def test_run_puts_everything_into_the_folder_named_with_data(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "run", "--port", str(port), "--data", str(tmp_path / "here"), NUANYANG_KEYS=None) as process:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    assert (tmp_path / "here" / "nuanyang.db").is_file()
    assert (tmp_path / "here" / ".nuanyang" / "keys").is_file()
    assert not (tmp_path / "serve.db").exists()


def test_run_moves_the_clock_and_serve_then_refuses_the_database(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        body = json.dumps({"advance_seconds": 5 * 3600 + 60}).encode()
        address = f"http://127.0.0.1:{port}/sandbox/api/clock"
        asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert response.status < 300
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    with on_database(tmp_path) as database, database.read() as session:
        from models.clock import moved_by

        assert moved_by(session).total_seconds() == 5 * 3600 + 60
    assert nuanyang(tmp_path, "serve").returncode == 1


async def test_what_does_not_stop_is_cut_at_one_deadline_for_all(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(composition, "FLUSH_SECONDS", 0.1)
    app = composition.App(Settings(), database, spool=tmp_path / "spool", roles=())
    cut: list[str] = []

    async def deaf(name: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append(name)
            raise

    app.web.freeze()
    app._spawn(deaf("task"), "task")
    turn = asyncio.create_task(deaf("turn"))
    app.receiver._late.add(turn)
    began = time.monotonic()
    await app.web.shutdown()
    assert 0.4 < time.monotonic() - began < 0.9
    await asyncio.sleep(0)
    assert cut == ["task"]
    turn.cancel()


def test_run_starts_without_a_warning_and_keeps_the_menus_of_a_sandbox_that_is_emptied(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "run", "--port", str(port), NUANYANG_KEYS=None) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        api = f"http://127.0.0.1:{port}/sandbox/api"

        def menu() -> list[str]:
            return [column["name"] for column in json.loads(wait_for(f"{api}/state"))["accounts"]["wechat"]["menu"]]

        ends = time.monotonic() + 20
        while not menu() and time.monotonic() < ends:
            time.sleep(0.1)
        assert menu() == ["去服务", "我的", "找帮助"]
        asked = urllib.request.Request(f"{api}/reset", b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert response.status == 200
        assert menu() == ["去服务", "我的", "找帮助"]
        process.send_signal(signal.SIGINT)
        _stdout, stderr = process.communicate(timeout=15)
    assert stderr == ""


async def test_a_head_that_drips_is_cut_off_in_time() -> None:
    application = web.Application()
    runner = server.runner_for(application, head_seconds=1.0)
    await runner.setup()
    sock = server.listen("127.0.0.1", 0)
    await web.SockSite(runner, sock).start()
    port = server.address(sock)[1]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
            if reader.at_eof():
                break
        assert await asyncio.wait_for(reader.read(), 3) == b""
        assert time.monotonic() - began < 3
        writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    ],
    ids=["line", "field", "fields"],
)
async def test_a_head_that_is_too_big_is_refused(head: bytes) -> None:
    runner = server.runner_for(web.Application())
    await runner.setup()
    sock = server.listen("127.0.0.1", 0)
    await web.SockSite(runner, sock).start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.address(sock)[1])
        writer.write(head)
        assert (await asyncio.wait_for(reader.readline(), 5)).split()[1].startswith(b"4")
        writer.close()
    finally:
        await runner.cleanup()


# The smaller commands, in this process


@contextmanager
def on_database(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'serve.db'}", Vault([TEST_KEY]), durable=False)
    yield database
    database.dispose()


def register(folder: Path, *numbers: str) -> None:
    with on_database(folder) as database, database.write() as session:
        for number in numbers:
            _door, person = open_door(session, "wechat", "gd", f"sender{number}", "zh_CN", zone="Asia/Shanghai")
            session.add(
                Volunteer(
                    person_id=person.id,
                    number=number,
                    status="active",
                    registered_at=START,
                    birth_date=date(2000, 1, 1),
                    county="440106",
                )
            )
            session.flush()
            from models.volunteer import set_name

            set_name(session, session.exec(select(Volunteer).where(Volunteer.number == number)).one(), "林小青")


@pytest.fixture
def here(ready: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process in the folder of a good configuration."""
    for name in list(os.environ):
        if name.startswith("NUANYANG_"):
            monkeypatch.delenv(name)
    for name, value in environment(ready).items():
        if name.startswith("NUANYANG_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(ready)
    return ready


def test_an_unknown_command_is_one_line_and_status_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "nuanyang --help" in said


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nuanyang 0.")


def test_an_unexpected_error_is_one_line_without_a_traceback(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "state", lambda _database: 1 / 0)
    assert run(["db", "check"]) == 70
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "ZeroDivisionError" in said
    with pytest.raises(ZeroDivisionError):
        run(["db", "check", "--debug"])


def test_db_upgrade_makes_the_tables_and_check_agrees(tmp_path: Path, here: Path) -> None:
    (here / "serve.db").unlink()
    assert run(["db", "check"]) == 1
    assert run(["db", "upgrade"]) == 0
    assert run(["db", "check"]) == 0
    assert run(["db", "upgrade"]) == 0


def test_a_new_key_is_the_only_thing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "new"]) == 0
    assert len(base64.urlsafe_b64decode(capsys.readouterr().out.strip())) == 32


def test_keys_are_rotated_and_the_old_one_may_be_removed(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(here, "1000000001")
    new = base64.urlsafe_b64encode(bytes(32)).decode()
    monkeypatch.setenv("NUANYANG_KEYS", f"{new},{KEY}")
    assert run(["keys", "status"]) == 0
    assert "nuanyang keys rotate" in capsys.readouterr().out
    assert run(["keys", "rotate", "--drop"]) == 0
    said = capsys.readouterr().out
    assert f"密钥 {Vault([TEST_KEY]).newest} 已经不用，可以从 NUANYANG_KEYS 删去" in said
    monkeypatch.setenv("NUANYANG_KEYS", new)
    assert run(["keys", "backed-up"]) == 0
    assert run(["keys", "status"]) == 0
    assert "backed-up" not in capsys.readouterr().err


def test_the_first_organiser_is_granted_once_and_the_next_needs_two(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003")
    assert run(["grant", "1000000001", "organiser", "--region", "44"]) == 1
    assert "--first" in capsys.readouterr().err
    assert run(["grant", "1000000001", "organiser", "--region", "44", "--first"]) == 0
    assert run(["grant", "1000000002", "organiser", "--region", "44", "--first"]) == 1
    assert run(["grant", "1000000002", "organiser", "--region", "4401", "--by", "1000000001"]) == 1
    capsys.readouterr()
    by_one = ["grant", "1000000002", "organiser", "--region", "4401", "--by", "1000000001"]
    assert run([*by_one, "--operator"]) == 1
    assert "--reason" in capsys.readouterr().err
    assert run([*by_one, "--operator", "--reason", "只有一位管理员"]) == 0
    third = ["grant", "1000000003", "organiser", "--region", "4401", "--by", "1000000001"]
    assert run([*third, "--operator", "--reason", "又一次"]) == 1
    assert run([*third, "--second", "1000000002"]) == 0
    with on_database(here) as database, database.read() as session:
        reasons = session.exec(select(AuditEntry).where(AuditEntry.action == "role.operator_agreed")).all()
        assert [entry.details["reason"] for entry in reasons] == ["只有一位管理员"]


def test_grants_are_listed_by_number_without_names_and_can_be_ended(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "specialist", "--region", "440106", "--by", "1000000001"])
    capsys.readouterr()
    assert run(["grants"]) == 0
    listed = capsys.readouterr().out
    assert "1000000002\tspecialist\tregion:440106" in listed
    assert "林小青" not in listed
    with on_database(here) as database, database.read() as session:
        held = {row.role: row.id for row in session.exec(select(RoleGrant)).all()}
    assert run(["grant", "--end", held["specialist"], "--by", "1000000002"]) == 1
    assert run(["grant", "--end", held["specialist"], "--by", "1000000001"]) == 0
    assert run(["grant", "--end", held["organiser"], "--by", "1000000001"]) == 1
    assert "最后一位" in capsys.readouterr().err


def test_an_organiser_ends_no_role_outside_of_their_region(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, "1000000001", "1000000002", "1000000003")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "organiser", "--region", "4403", "--by", "1000000001", "--operator", "--reason", "二"])
    run(["grant", "1000000003", "specialist", "--region", "440106", "--by", "1000000001"])
    with on_database(here) as database, database.read() as session:
        held = {row.role + row.scope: row.id for row in session.exec(select(RoleGrant)).all()}
    capsys.readouterr()
    for outside in ("specialist440106", "organiser44"):
        assert run(["grant", "--end", held[outside], "--by", "1000000002"]) == 1
        assert "--by" in capsys.readouterr().err
    with on_database(here) as database, database.read() as session:
        assert all(row.ended_at is None for row in session.exec(select(RoleGrant)))
    assert run(["grant", "--end", held["specialist440106"], "--by", "1000000001"]) == 0
    assert run(["grant", "--end", held["organiser4403"], "--by", "1000000001"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["1000000001", "king", "--region", "44"],
        ["1000000001", "organiser"],
        ["1000000001", "organiser", "--region", "44", "--team", "x"],
        ["1000000001", "organiser", "--region", "999999", "--first"],
        ["7777777777", "organiser", "--region", "44", "--first"],
        ["1000000001", "specialist", "--region", "44", "--first"],
        ["--end", "x"],
    ],
)
def test_a_grant_that_makes_no_sense_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    register(here, "1000000001")
    assert run(["grant", *arguments]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def put_aside(database: Database, text: str) -> str:
    inbound = Inbound("wechat", "gd", "sender-a", "key1", "text", START, text=text)
    with database.write() as session:
        row = inbox.enter(session, "wechat", "gd", "key1", "sender-a", "text", inbound.as_json())
        assert row is not None
        inbox.set_aside(session, row, None, {"text": "抱歉"}, "passive")
    return row


def test_set_aside_messages_are_listed_without_words_and_replayed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_database(here) as database:
        row = put_aside(database, "我想报名")
    assert run(["inbox", "list"]) == 0
    listed = capsys.readouterr().out
    assert row in listed
    assert "报名" not in listed
    assert run(["inbox", "show", row]) == 0
    assert "报名" not in capsys.readouterr().out
    assert run(["inbox", "show", row, "--words"]) == 0
    assert "我想报名" in capsys.readouterr().out
    assert run(["inbox", "replay", row]) == 0
    assert run(["inbox", "replay", row]) == 1
    with on_database(here) as database, database.read() as session:
        assert session.exec(select(InboxMessage.state)).one() == "done"
        actions = set(session.exec(select(AuditEntry.action)))
        assert {"inbox.read", "inbox.replayed"} <= actions


def test_a_message_that_fails_again_stays_aside_and_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = put_aside(database, "你好")
    monkeypatch.setattr(replay, "turn", lambda *_args: 1 / 0)
    assert replay.again(database, lambda _inbound: Here("wechat", "gd"), row) is False
    with database.read() as session:
        found = session.exec(select(InboxMessage)).one()
        assert (found.state, found.failures) == ("aside", 2)


def test_contacts_say_when_nobody_waits(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["contacts"]) == 0
    assert "没有" in capsys.readouterr().out


def test_contacts_are_listed_with_how_far_they_came_and_without_words(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001")
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer)).one()
        write(session, asker.person_id, "能改到周日吗")
    assert run(["contacts"]) == 0
    listed = capsys.readouterr().out
    assert "1000000001\t440106\t没有负责的同事" in listed
    assert "周日" not in listed
    assert run(["contacts", "--words"]) == 0
    assert "能改到周日吗" in capsys.readouterr().out


def cry(folder: Path, number: str, words: str = "救命，有人打我") -> str:
    with on_database(folder) as database, database.write() as session:
        found = session.exec(select(Volunteer).where(Volunteer.number == number)).one()
        return raise_alert(session, found.person_id, "words", words)[0].id


def test_cries_for_help_are_listed_without_words_and_reading_them_leaves_a_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alerts"]) == 0
    assert "没有" in capsys.readouterr().out
    register(here, "1000000001")
    key = cry(here, "1000000001")
    assert run(["alerts"]) == 0
    listed = capsys.readouterr().out
    assert "\t".join([key, ""]) in listed
    assert "1000000001\t440106" in listed
    assert "救命" not in listed
    assert "林小青" not in listed
    assert reads(here, "alert.read") == []
    assert run(["alerts", "--words"]) == 0
    assert "救命，有人打我" in capsys.readouterr().out
    assert reads(here, "alert.read") == [("machine", key)]


def reads(folder: Path, action: str) -> list[tuple[str, str]]:
    with on_database(folder) as database, database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action == action)
        return [(entry.actor, entry.subject) for entry in session.exec(query)]


def test_a_cry_for_help_is_closed_only_by_a_person_who_answers_for_it_and_says_how(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003", "1000000004")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "specialist", "--region", "440106", "--by", "1000000001"])
    run(["grant", "1000000003", "specialist", "--region", "440305", "--by", "1000000001"])
    key = cry(here, "1000000002")
    capsys.readouterr()
    close = ["alerts", "--close", key]
    for refused in (
        close,
        [*close, "--by", "1000000001"],
        [*close, "--by", "1000000001", "--note", " "],
        [*close, "--by", "1000000002", "--note", "我自己没事了"],  # the one who cried for help
        [*close, "--by", "1000000003", "--note", "别的区"],
        [*close, "--by", "1000000004", "--note", "没有角色"],
        [*close, "--by", "7777777777", "--note", "没有这个人"],
        ["alerts", "--close", "nonsense", "--by", "1000000001", "--note", "写错编号"],
        ["alerts", "--by", "1000000001"],
    ):
        assert run(refused) == 1, refused
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    with on_database(here) as database, database.read() as session:
        assert [row.state for row in open_alerts(session)] == ["open"]
    assert run([*close, "--by", "1000000001", "--note", "已到家里，人平安"]) == 0
    assert run([*close, "--by", "1000000001", "--note", "再来一次"]) == 1
    with on_database(here) as database, database.read() as session:
        assert open_alerts(session) == []
        row = session.exec(select(Alert)).one()
        assert row.closing_sealed is not None
        assert "平安".encode() not in row.closing_sealed
        assert unseal(session, "alert.closing_sealed", row.id, row.closing_sealed) == "已到家里，人平安"
        assert row.closed_at is not None
        actor = row.closed_by
    assert reads(here, "alert.closed") == [(actor, key)]


def returning(folder: Path, number: str) -> str:
    """Somebody in a new account says to be this volunteer; nobody answered yet."""
    with on_database(folder) as database, database.write() as session:
        found = session.exec(select(Volunteer).where(Volunteer.number == number)).one()
        _door, asker = open_door(session, "wechat", "gd", f"new-{number}", "zh_CN", zone="Asia/Shanghai")
        now = now_of(session)
        row = Recognition(
            asker=asker.id, found=found.person_id, state="open", county=found.county, at=now, tried_at=now
        )
        session.add(row)
        session.flush()
        return row.id


def test_whoever_comes_back_is_confirmed_or_refused_by_somebody_responsible(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recognitions"]) == 0
    assert "没有" in capsys.readouterr().out
    register(here, "1000000001", "1000000002", "1000000003")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    mine, wrong = returning(here, "1000000002"), returning(here, "1000000003")
    capsys.readouterr()
    assert run(["recognitions"]) == 0
    listed = capsys.readouterr().out
    assert [line.split("\t")[2:] for line in listed.splitlines()] == [
        ["1000000002", "440106"],
        ["1000000003", "440106"],
    ]
    assert "林小青" not in listed
    for refused in (
        ["recognitions", "--confirm", mine],
        ["recognitions", "--by", "1000000001"],
        ["recognitions", "--confirm", mine, "--refuse", mine, "--by", "1000000001"],
        ["recognitions", "--confirm", mine, "--by", "1000000003"],
        ["recognitions", "--confirm", "nonsense", "--by", "1000000001"],
    ):
        assert run(refused) == 1, refused
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert run(["recognitions", "--confirm", mine, "--by", "1000000001"]) == 0
    assert run(["recognitions", "--refuse", wrong, "--by", "1000000001"]) == 0
    assert run(["recognitions", "--refuse", wrong, "--by", "1000000001"]) == 1
    with on_database(here) as database, database.read() as session:
        states = {row.id: row.state for row in session.exec(select(Recognition))}
        assert states == {mine: "confirmed", wrong: "refused"}
        came_back = session.exec(select(Volunteer).where(Volunteer.number == "1000000002")).one()
        assert {door.sender for door in doors(session, came_back.person_id)} == {"sender1000000002", "new-1000000002"}
    assert len(reads(here, "recognition.confirmed")) == len(reads(here, "recognition.refused")) == 1


# The terminal


def test_a_talk_in_the_terminal_greets_answers_and_leaves(here: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "chat", "--as", "阿林"],
        cwd=here,
        env=environment(here),
        input="菜单\n/退出\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split("\n\n")) >= 2
    assert "\x1b" not in ended.stdout
    assert ended.stderr == ""


def test_the_terminal_goes_through_inbox_and_hands_its_replies_over(database: Database) -> None:
    shown: list[str] = []
    chat = Chat(Settings(), database, "阿林", shown.append)
    chat.greet()
    chat.greet()
    chat.say(heard("帮助", "阿林"))
    assert len(shown) == 2
    with database.read() as session:
        rows = session.exec(select(InboxMessage)).all()
        assert {(row.platform, row.state) for row in rows} == {("terminal", "done")}
        assert all(row.handed_at is not None for row in rows)


async def test_what_waits_in_the_outbox_is_printed_in_the_terminal(database: Database) -> None:
    from models.outbox import enqueue

    shown: list[str] = []
    chat = Chat(Settings(), database, "me", shown.append)
    chat.greet()
    with database.write() as session:
        _door, person = open_door(session, "terminal", "me", "me", "zh_CN", zone="Asia/Shanghai")
        enqueue(session, person.id, "reply", {"text": "专员回复你了"}, unique_key="k")
    await chat.deliver()
    await chat.stop()
    assert shown[-1].startswith("专员回复你了")


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("你好", "text"), ("/位置 23.1,113.3", "location"), ("/位置 这里", "text"), ("/语音", "media"), ("1", "text")],
)
def test_a_typed_line_is_understood(typed: str, kind: str) -> None:
    assert heard(typed, "me").kind == kind


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"NUANYANG_LANGUAGE": "zh_CN", "LANG": "en_US.UTF-8"}, "zh_CN"), ({"LANG": "C.UTF-8"}, "zh_CN"), ({}, "zh_CN")],
)
def test_the_terminal_speaks_chinese_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("NUANYANG_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected
