"""Raw updates that could not become a turn in time, one encrypted file each, replayed in order when they can.

A file is complete or absent: it is written under another name, synced, renamed, and its folder synced.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from handlers.message import Inbound
from models.vault import Vault, VaultError

log = structlog.get_logger(__name__)

_PLACE = "spool.update"
_STALE_SECONDS = 60.0  # a file half written for so long was left by a process that died
_OWNERS_SECONDS = 30.0  # a file belongs to the process that wrote it, if that lives, and then to whoever finds it

Sender = tuple[str, str, str]
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Spooled:
    """One file of the spool with the update in it. `theirs` = another process, which lives, is about to hear it."""

    path: Path
    inbound: Inbound
    theirs: bool = False


class Spool:
    """The folder, which several processes of one machine may share. Safe to use from several threads.

    `waiting` counts the files of each sender, so that new updates join behind them. An update has one file, however
    often it comes.
    """

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder = folder
        self._vault = vault
        self.waiting: Counter[Sender] = Counter()
        self.unreadable: set[Path] = set()
        self._known: dict[Path, tuple[Sender, Key]] = {}
        self._places: dict[Key, Path] = {}
        self._writing: set[Path] = set()
        self._soon: dict[Key, asyncio.Future[Path]] = {}
        self._last = 0
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the folder and count what an earlier process left. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in self.folder.glob("*.part"):
            try:
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()
            except FileNotFoundError:
                continue  # another process has just finished it
        self.scan()

    def scan(self) -> list[Spooled]:
        """Everything in the spool, in order of arrival; files that do not open are named in `unreadable` and kept."""
        found: list[Spooled] = []
        with self._lock:
            before = set(self._known) - self._writing
        paths = sorted(self.folder.glob("*.update"))
        self._go_on_behind(paths)
        for gone in before.difference(paths):
            self._forget(gone)  # another process replayed it
        for path in paths:
            if path in self.unreadable or path in self._writing:
                continue
            try:
                plain: dict[str, Any] = self._vault.open_json(_PLACE, path.stem, path.read_bytes())
                inbound = Inbound.from_json(plain)
            except FileNotFoundError:
                self._forget(path)
                continue
            except (VaultError, OSError, ValueError, TypeError, KeyError):
                self.unreadable.add(path)
                log.error("spool_file_unreadable", file=path.name)
                continue
            found.append(Spooled(path, inbound, theirs=_is_theirs(path)))
            self._note(path, inbound)
        return found

    def has_others(self) -> bool:
        """Whether there are files that this process has not read: another one wrote them, or an operator put one back.
        Raises OSError."""
        with os.scandir(self.folder) as entries:
            paths = [Path(entry.path) for entry in entries if entry.name.endswith(".update")]
        return any(path not in self._known and path not in self.unreadable for path in paths)

    def _go_on_behind(self, paths: Sequence[Path]) -> None:
        """New names sort behind these, also after the clock was set back over a restart."""
        newest = max((named[0] for path in paths if (named := _named(path))), default=0)
        with self._lock:
            self._last = max(self._last, newest)

    def put(self, inbound: Inbound) -> Path:
        """Write one update durably; raises OSError (a full disk), in which case nothing is left behind."""
        return self._write(self._reserve(inbound), inbound)

    def _reserve(self, inbound: Inbound) -> Path:
        """The update's place in the order, counted from now on, before anything is written."""
        with self._lock:
            # Time orders files across restarts; never the same name twice, however coarse the clock.
            self._last = max(self._last + 1, time.time_ns())
            path = self.folder / f"{self._last:020d}-{os.getpid()}.update"
            self._writing.add(path)
        self._note(path, inbound)
        return path

    def _write(self, path: Path, inbound: Inbound) -> Path:
        part = path.with_suffix(".part")
        try:
            sealed = self._vault.seal_json(_PLACE, path.stem, inbound.as_json())
            with part.open("xb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync_folder(self.folder)
        except OSError:
            part.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            self._forget(path)
            raise
        finally:
            self._writing.discard(path)
        return path

    def remove(self, path: Path) -> None:
        """The update has become a turn."""
        path.unlink(missing_ok=True)
        self._forget(path)

    def set_aside(self, path: Path) -> None:
        """The update can become no turn, and is no reason to let others wait: it is kept under another name, its time
        from now on."""
        aside = path.with_suffix(".aside")
        with suppress(FileNotFoundError):  # it became a turn meanwhile, all the same
            path.rename(aside)
            os.utime(aside)
        self._forget(path)

    def forget_aside(self, older_than: timedelta) -> int:
        """Retention: what was set aside so long ago is removed; returns how many files."""
        gone = 0
        for path in sorted(self.folder.glob("*.aside")):
            try:
                if time.time() - path.stat().st_mtime <= older_than.total_seconds():
                    continue
                path.unlink()
            except FileNotFoundError:
                continue  # another process removed it
            gone += 1
            log.info("spool_file_forgotten", file=path.name, days=older_than.days)
        return gone

    def is_waiting(self, inbound: Inbound) -> bool:
        """Whether earlier updates of this sender are still in the spool."""
        return _sender(inbound) in self.waiting

    def holds(self, inbound: Inbound) -> bool:
        """Whether this very update is in the spool, or being written to it."""
        return _key(inbound) in self._places

    async def put_soon(self, inbound: Inbound, pool: Executor | None = None) -> Path:
        """`put` off the event loop, in a thread of `pool`; the place in the order is that of the call. An update that
        is there already keeps its place, and is as durable at the end of this as any other."""
        key = _key(inbound)
        writing = self._soon.get(key)
        if writing is None:
            place = self._places.get(key)
            if place is not None and place not in self._writing:
                return place
            loop = asyncio.get_running_loop()
            writing = loop.run_in_executor(pool, self._write, self._reserve(inbound), inbound)
            self._soon[key] = writing
            writing.add_done_callback(lambda _done: self._soon.pop(key, None))
        return await asyncio.shield(writing)

    def _note(self, path: Path, inbound: Inbound) -> None:
        with self._lock:
            if path not in self._known:
                self._known[path] = _sender(inbound), _key(inbound)
                self._places.setdefault(_key(inbound), path)
                self.waiting[_sender(inbound)] += 1

    def _forget(self, path: Path) -> None:
        with self._lock:
            if path not in self._known:
                return
            sender, key = self._known.pop(path)
            if self._places.get(key) == path:
                del self._places[key]
            self.waiting[sender] -= 1
            if self.waiting[sender] <= 0:
                del self.waiting[sender]


def _key(inbound: Inbound) -> Key:
    return inbound.platform, inbound.account, inbound.key


def _sender(inbound: Inbound) -> Sender:
    return inbound.platform, inbound.account, inbound.sender


def _named(path: Path) -> tuple[int, int] | None:
    """Nanoseconds and process of a file's name; None where a person gave it another one."""
    nanoseconds, _dash, process = path.stem.partition("-")
    ours = len(nanoseconds) == 20 and nanoseconds.isdecimal() and process.isdecimal()
    return (int(nanoseconds), int(process)) if ours else None


def _is_theirs(path: Path) -> bool:
    named = _named(path)
    if named is None or named[1] == os.getpid():
        return False
    if not 0 <= time.time_ns() - named[0] < _OWNERS_SECONDS * 1e9:
        return False
    try:
        os.kill(named[1], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # it lives, under another user
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
