"""`nuanyang run`: everything on this machine."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path

from models.clock import moved_by
from tests.commanding import TELEGRAM, WECHAT, free_port, nuanyang, on_database, started, wait_for


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
        assert moved_by(session).total_seconds() == 5 * 3600 + 60
    assert nuanyang(tmp_path, "serve").returncode == 1


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


def test_a_second_run_on_the_same_file_says_in_one_line_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        began = time.monotonic()
        second = nuanyang(tmp_path, "run", "--port", str(free_port()))
        assert time.monotonic() - began < 10
        assert (second.returncode, second.stdout) == (1, "")
        assert len(second.stderr.strip().splitlines()) == 1
        for words in ("serve.db", "Ctrl-C", "--data"):
            assert words in second.stderr
        # Another folder is another database.
        other = free_port()
        with started(tmp_path, "run", "--port", str(other), "--data", str(tmp_path / "other")) as elsewhere:
            wait_for(f"http://127.0.0.1:{other}/readyz")
            elsewhere.send_signal(signal.SIGTERM)
            elsewhere.communicate(timeout=15)
        process.kill()  # however it ends, the lock goes with it
        process.communicate(timeout=15)
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
