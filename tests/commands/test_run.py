"""`nuanyang run`: everything on this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from models.clock import moved_by
from tests.commanding import (
    COMMAND,
    TELEGRAM,
    WECHAT,
    environment,
    free_port,
    nuanyang,
    on_database,
    started,
    wait_for,
)


def test_run_needs_nothing_works_twice_and_keeps_its_keys_and_menus(tmp_path: Path) -> None:
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
            the_menus_survive_an_emptied_sandbox(f"http://127.0.0.1:{port}/sandbox/api")
            the_menus_follow_the_chosen_language(f"http://127.0.0.1:{port}/sandbox/api")
            process.send_signal(signal.SIGINT)
            _stdout, stderr = process.communicate(timeout=15)
            assert (process.returncode, stderr) == (0, "")
        seen.append(keys.read_text())
    assert seen[0] == seen[1]
    assert keys.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "nuanyang.db").is_file()
    talked = subprocess.run(
        [*COMMAND, "chat"],
        cwd=tmp_path,
        env=environment(tmp_path, **bare),
        input="报名\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "谁负责：某某志愿者协会（虚构），联系方式：nobody@example.invalid。" in talked.stdout


def the_menus_follow_the_chosen_language(api: str) -> None:
    def seen(platform: str) -> list[str]:
        chat = json.loads(wait_for(f"{api}/chats/{platform}/p1"))
        return [column["name"] for column in chat["menu"]] or [entry["description"] for entry in chat["commands"][:1]]

    for platform, english in (("wechat", ["Serve", "Me", "Get help"]), ("telegram", ["Check in or out"])):
        post(f"{api}/chats/{platform}/p1/act", {"do": "follow"})
        ends = time.monotonic() + 20
        while seen(platform) != english and time.monotonic() < ends:
            post(f"{api}/chats/{platform}/p1/act", {"do": "text", "text": "English"})
            time.sleep(0.5)
        assert seen(platform) == english, platform


def the_menus_survive_an_emptied_sandbox(api: str) -> None:
    def menu() -> list[str]:
        return [column["name"] for column in json.loads(wait_for(f"{api}/state"))["accounts"]["wechat"]["menu"]]

    ends = time.monotonic() + 20
    while not menu() and time.monotonic() < ends:
        time.sleep(0.1)
    assert menu() == ["去服务", "我的", "找帮助"]
    post(f"{api}/reset", {})
    assert menu() == ["去服务", "我的", "找帮助"]


def post(url: str, body: dict[str, object]) -> None:
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        assert response.status < 300


def test_a_second_run_on_the_same_file_says_in_one_line_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        began = time.monotonic()
        second = nuanyang(tmp_path, "run", "--port", str(free_port()))
        assert time.monotonic() - began < 30  # it says so at once, and does not wait for the first
        assert (second.returncode, second.stdout) == (1, "")
        assert len(second.stderr.strip().splitlines()) == 1
        for words in ("serve.db", "Ctrl-C", "--data"):
            assert words in second.stderr
        process.kill()  # however it ends, the lock goes with it
        process.communicate(timeout=15)
    # The same file can be opened again, and its clock moved; such a database is not for `serve`.
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        post(f"http://127.0.0.1:{port}/sandbox/api/clock", {"advance_seconds": 5 * 3600 + 60})
        # Another folder is another database, and everything is in it.
        other = free_port()
        with started(
            tmp_path, "run", "--port", str(other), "--data", str(tmp_path / "other"), NUANYANG_KEYS=None
        ) as elsewhere:
            wait_for(f"http://127.0.0.1:{other}/readyz")
            elsewhere.send_signal(signal.SIGTERM)
            elsewhere.communicate(timeout=15)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    assert (tmp_path / "other" / "nuanyang.db").is_file()
    assert (tmp_path / "other" / ".nuanyang" / "keys").is_file()
    with on_database(tmp_path) as database, database.read() as session:
        assert moved_by(session).total_seconds() == 5 * 3600 + 60
    assert nuanyang(tmp_path, "serve").returncode == 1
