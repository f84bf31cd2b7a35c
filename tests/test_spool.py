"""The spool: a file is complete or absent, nothing is overtaken, and a full disk says so."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot import spool as spooling
from bot.drain import Drain
from bot.spool import Spool
from handlers.message import Inbound
from models.vault import Vault
from tests.conftest import START


def update(words: str, sender: str = "alin") -> Inbound:
    return Inbound("wechat", "test", sender, words, "text", START, text=words, latitude=23.1, longitude=113.3)


@pytest.fixture
def spool(tmp_path: Path, vault: Vault) -> Spool:
    made = Spool(tmp_path / "spool", vault)
    made.open()
    return made


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())


def words(spool: Spool) -> list[str]:
    return [found.inbound.text for found in spool.scan()]


def test_updates_come_back_whole_and_in_order_also_in_the_next_process(spool: Spool, vault: Vault) -> None:
    wanted = [f"第{number}句" for number in range(20)]
    for each in wanted:
        spool.put(update(each))
    later = Spool(spool.folder, vault)
    later.open()
    assert words(later) == words(spool) == wanted
    assert later.scan()[0].inbound == update(wanted[0])
    assert later.is_waiting(update("x"))
    assert not later.is_waiting(update("x", "other"))
    assert sum(later.waiting.values()) == 20


def test_files_are_sealed_and_the_folder_is_its_owners_alone(spool: Spool) -> None:
    path = spool.put(update("这句是秘密"))
    assert "秘密".encode() not in path.read_bytes()
    assert b"alin" not in path.read_bytes()
    assert spool.folder.stat().st_mode & 0o077 == 0


def test_a_removed_update_is_gone_and_its_sender_free(spool: Spool) -> None:
    first, second = spool.put(update("一")), spool.put(update("二"))
    spool.remove(first)
    assert spool.is_waiting(update("x"))
    spool.remove(second)
    spool.remove(second)
    assert not spool.is_waiting(update("x"))
    assert not spool.waiting
    assert names(spool) == []


def test_a_file_half_written_is_no_update_and_an_old_one_is_removed_at_the_next_start(
    spool: Spool, vault: Vault
) -> None:
    fresh, stale = spool.folder / "00000000000000000001-1.part", spool.folder / "00000000000000000002-1.part"
    for part in (fresh, stale):
        part.write_bytes(b"half")
    os.utime(stale, (time.time() - 3600,) * 2)
    later = Spool(spool.folder, vault)
    later.open()
    assert later.scan() == []
    assert names(spool) == [fresh.name], "another process may be writing this one now"


@pytest.mark.parametrize("damage", [b"", b"\x01garbage", None])
def test_an_unreadable_file_is_kept_and_named_once_and_the_others_are_read(
    spool: Spool, vault: Vault, damage: bytes | None
) -> None:
    bad = spool.put(update("坏"))
    spool.put(update("好"))
    if damage is None:
        other = Spool(spool.folder, Vault([bytes(32)]))
        assert other.scan() == []
        assert len(other.unreadable) == 2, "a key that is not in the ring"
        return
    bad.write_bytes(damage)
    later = Spool(spool.folder, vault)
    with capture_logs() as logs:
        later.open()
        later.scan()
    assert words(later) == ["好"]
    assert later.unreadable == {bad}
    assert [line["file"] for line in logs if line["log_level"] == "error"] == [bad.name]
    assert bad.exists()


def test_a_moved_file_does_not_open_under_another_name(spool: Spool) -> None:
    path = spool.put(update("一"))
    path.rename(path.with_name("00000000000000000009-9.update"))
    assert spool.scan() == []
    assert len(spool.unreadable) == 1


@pytest.mark.parametrize("where", ["open", "fsync", "rename", "folder"])
def test_a_full_disk_is_told_and_leaves_nothing_behind(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_anything: Any, **_more: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "fsync":
            patch.setattr(spooling.os, "fsync", full)
        elif where == "folder":
            patch.setattr(spooling, "_sync_folder", full)
        else:
            patch.setattr(Path, where, full)
        with pytest.raises(OSError, match="No space left"):
            spool.put(update("一"))
    assert names(spool) == []
    assert not spool.waiting
    spool.put(update("二"))
    assert words(spool) == ["二"]


def test_many_threads_write_files_of_their_own_in_the_order_of_the_names(spool: Spool) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: spool.put(update(str(number), str(number % 5))), range(80)))
    assert len(names(spool)) == 80
    assert sorted(words(spool), key=int) == [str(number) for number in range(80)]
    assert sum(spool.waiting.values()) == 80


async def test_the_order_is_that_of_the_calls_and_the_sender_waits_from_the_call_on(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Spool._write

    def slowest_first(self: Spool, path: Path, inbound: Inbound) -> Path:
        time.sleep({"一": 0.1, "二": 0.05, "三": 0.0}[inbound.text])
        return write(self, path, inbound)

    monkeypatch.setattr(Spool, "_write", slowest_first)
    writing = [asyncio.create_task(spool.put_soon(update(each))) for each in ("一", "二", "三")]
    await asyncio.sleep(0)
    assert spool.is_waiting(update("x"))
    await asyncio.gather(*writing)
    assert words(spool) == ["一", "二", "三"]


def test_a_file_seen_before_it_was_finished_is_not_counted_twice(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = spooling._sync_folder

    def scan_in_between(folder: Path) -> None:
        assert spool.scan() == [], "not durable yet, so not yet there"
        sync(folder)

    monkeypatch.setattr(spooling, "_sync_folder", scan_in_between)
    path = spool.put(update("一"))
    assert sum(spool.waiting.values()) == 1
    spool.remove(path)
    assert not spool.waiting


def test_what_another_process_replayed_makes_nobody_wait_here(spool: Spool, vault: Vault) -> None:
    spool.put(update("一"))
    other = Spool(spool.folder, vault)
    other.open()
    other.remove(other.scan()[0].path)
    assert spool.is_waiting(update("x"))
    assert spool.scan() == []
    assert not spool.is_waiting(update("x"))


def test_what_is_set_aside_is_kept_and_makes_nobody_wait(spool: Spool, vault: Vault) -> None:
    spool.set_aside(spool.put(update("一")))
    assert spool.scan() == []
    assert not spool.waiting
    (kept,) = spool.folder.iterdir()
    assert kept.suffix == ".aside"
    assert vault.open_json("spool.update", kept.stem, kept.read_bytes())["text"] == "一"


def test_what_was_set_aside_is_forgotten_after_its_time_and_not_before(spool: Spool) -> None:
    spool.open()
    for words in ("一", "二"):
        path = spool.put(update(words))
        os.utime(path, (time.time() - 60 * 86_400,) * 2)  # it waited long before it was set aside
        spool.set_aside(path)
    assert spool.forget_aside(timedelta(days=30)) == 0
    old, new = sorted(spool.folder.glob("*.aside"))
    os.utime(old, (time.time() - 31 * 86_400,) * 2)
    waits = spool.put(update("三"))
    os.utime(waits, (time.time() - 31 * 86_400,) * 2)
    assert spool.forget_aside(timedelta(days=30)) == 1
    assert names(spool) == sorted([new.name, waits.name])
    assert spool.forget_aside(timedelta(days=30)) == 0


async def test_an_update_that_comes_again_has_one_file_also_while_that_is_written(
    spool: Spool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = threading.Event(), os.fsync

    def slow(handle: int) -> None:
        assert synced.wait(10)
        real(handle)

    monkeypatch.setattr(spooling.os, "fsync", slow)
    with ThreadPoolExecutor(2) as pool:
        twice = [asyncio.create_task(spool.put_soon(update("一"), pool)) for _time in range(2)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in twice), "neither is told that it is kept before it is"
        synced.set()
        first, second = await asyncio.gather(*twice)
        assert first == second == await spool.put_soon(update("一"), pool)
    assert names(spool) == [first.name]
    later = Spool(spool.folder, vault)
    later.open()
    assert later.holds(update("一")) and not later.holds(update("二"))
    later.remove(first)
    assert not later.holds(update("一"))
    assert await later.put_soon(update("一")) != first, "what has left the spool may come into it again"


async def test_an_update_that_could_not_be_kept_is_not_taken_for_one_that_was(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spooling.os, "fsync", full)
        tries = await asyncio.gather(*(spool.put_soon(update("一")) for _time in range(2)), return_exceptions=True)
    assert [type(one) for one in tries] == [OSError, OSError]
    await spool.put_soon(update("一"))
    assert words(spool) == ["一"]


async def test_a_running_process_hears_what_another_one_left_that_died_for_good(spool: Spool, vault: Vault) -> None:
    """It looked into the folder at its start and after an outage of its own, and never otherwise."""
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await dead.wait()
    heard: list[str] = []
    drain = draining(spool, heard)
    assert await drain.once() == 0
    put_as(dead.pid, Spool(spool.folder, vault), "一")
    assert await drain.once() == 0, "not at every turn"
    drain._next_look = 0.0
    assert await drain.once() == 1
    assert heard == ["一"] and names(spool) == []


async def test_what_an_operator_puts_back_is_heard_without_a_restart(spool: Spool) -> None:
    path = spool.put(update("一"))
    spool.set_aside(path)
    heard: list[str] = []
    drain = draining(spool, heard)
    assert await drain.once() == 0
    path.with_suffix(".aside").rename(path)
    drain._next_look = 0.0
    assert await drain.once() == 1
    assert heard == ["一"]


async def test_a_file_is_left_to_the_process_that_wrote_it_while_that_lives_and_keeps_its_place(
    spool: Spool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be hearing it at this moment: whoever hears it too waits for its locks."""
    put_as(os.getppid(), Spool(spool.folder, vault), "一")
    heard: list[str] = []
    drain = draining(spool, heard)
    spool.put(update("二"))
    spool.put(update("三", "somebody else"))
    assert await drain.once() == 1
    assert heard == ["三"], "nothing of the same sender overtakes it"
    now = time.time_ns()
    monkeypatch.setattr(spooling.time, "time_ns", lambda: now + 31 * 10**9)
    assert await drain.once() == 2
    assert heard == ["三", "一", "二"], "and a process that does not hear its own keeps nobody waiting for ever"


def test_the_order_stays_when_the_clock_is_set_back_over_a_restart(
    spool: Spool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(spooling.time, "time_ns", lambda: real() + 3_600 * 10**9)
        spool.put(update("一"))
    later = Spool(spool.folder, vault)
    later.open()
    later.put(update("二"))
    assert words(later) == ["一", "二"]


@pytest.mark.parametrize("name", ["by-hand", "1-", "-1", "1-2-3", "9" * 40 + "-1", "9" * 20 + "-" + "9" * 40])
def test_a_file_with_a_strange_name_is_no_reason_to_stop(spool: Spool, name: str) -> None:
    spool.put(update("一"))
    (spool.folder / f"{name}.update").write_bytes(b"?")
    assert words(spool) == ["一"]
    spool.put(update("二"))
    assert sorted(words(spool)) == ["一", "二"]


def put_as(process: int, spool: Spool, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spooling.os, "getpid", lambda: process)
        spool.put(update(text))


def draining(spool: Spool, heard: list[str]) -> Drain:
    async def hear(inbound: Inbound) -> None:
        heard.append(inbound.text)

    async def answers() -> bool:
        return True

    return Drain(spool, hear, answers, lambda: False)
