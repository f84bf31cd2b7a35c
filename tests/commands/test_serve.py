"""`nuanyang serve` and `worker`: what they refuse, that they answer, and that they stop in time."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from bot import app as composition
from bot import logs, server
from bot.cli import run
from config.settings import Settings
from models.database import Database
from models.vault import Vault
from tests.commanding import TELEGRAM, WECHAT, free_port, nuanyang, on_database, register, started, wait_for
from tests.conftest import START, TEST_KEY


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


@pytest.fixture
def refused(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in this process, which must refuse to start; returns its one line."""

    async def must_not(*_anything: object) -> None:
        raise AssertionError("it was served")

    def one_line(command: str, **changed: str | None) -> str:
        for name, value in changed.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(server, "keep_running", must_not)
        monkeypatch.setattr(logs, "set_up", lambda _level: None)
        assert run([command]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.strip().splitlines()
        return line

    return one_line


Refused = Callable[..., str]


@pytest.mark.parametrize(("changed", "named"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_serve_refuses_a_bad_configuration_with_one_line_that_names_the_setting(
    refused: Refused, changed: dict[str, str | None], named: str
) -> None:
    line = refused("serve", **changed)
    assert named in line
    assert "secretword" not in line


def test_the_real_command_ends_with_one_and_one_line(ready: Path) -> None:
    ended = nuanyang(ready, "serve", NUANYANG_KEYS=None)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "NUANYANG_KEYS" in ended.stderr


def test_serve_refuses_a_spool_folder_that_cannot_be_written(refused: Refused, here: Path) -> None:
    assert "NUANYANG_SPOOL" in refused("serve", NUANYANG_SPOOL=not_a_folder(here))


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_database_that_is_behind_is_refused_and_the_command_named(refused: Refused, here: Path, command: str) -> None:
    (here / "serve.db").unlink()
    (here / "serve.db").touch()
    assert "nuanyang db upgrade" in refused(command)


def test_serve_refuses_a_moved_programme_clock(refused: Refused, here: Path) -> None:
    with on_database(here) as database, database.write() as session:
        database.clock.advance(session, START - START.replace(day=1))
    line = refused("serve")
    assert "时钟" in line
    assert "NUANYANG_DATABASE_URL" in line


def test_serve_refuses_a_ring_that_lacks_the_key_of_the_data(refused: Refused, here: Path) -> None:
    register(here, "1000000001")
    line = refused("serve", NUANYANG_KEYS=base64.urlsafe_b64encode(bytes(32)).decode())
    assert "NUANYANG_KEYS" in line
    assert Vault([TEST_KEY]).newest in line


@pytest.mark.parametrize("command", ["serve", "run"])
def test_a_port_in_use_is_named_with_the_way_to_choose_another(refused: Refused, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(command, NUANYANG_PORT=port)
    assert port in line
    assert "--port" in line


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
