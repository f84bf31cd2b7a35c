"""Raw updates that could not become a turn in time, one encrypted file each, replayed in order when they can.

A file is complete or absent: it is written under another name, synced, renamed, and its folder synced.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.message import Inbound
from models.vault import Vault, VaultError

_PLACE = "spool.update"


@dataclass(frozen=True, slots=True)
class Spooled:
    """One file of the spool with the update in it."""

    path: Path
    inbound: Inbound


class Spool:
    """The folder. `waiting` counts the files of each sender, so that new updates join behind them."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder = folder
        self._vault = vault
        self.waiting: Counter[tuple[str, str, str]] = Counter()
        self.known: set[Path] = set()
        self.unreadable: set[Path] = set()
        self._last = 0

    def open(self) -> None:
        """Make the folder and count what an earlier process left. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in self.folder.glob("*.part"):
            stale.unlink()
        self.scan()

    def scan(self) -> list[Spooled]:
        """Everything in the spool, in order of arrival; files that do not open are named in `unreadable` and kept."""
        found: list[Spooled] = []
        for path in sorted(self.folder.glob("*.update")):
            if path in self.unreadable:
                continue
            try:
                plain: dict[str, Any] = self._vault.open_json(_PLACE, path.stem, path.read_bytes())
                inbound = Inbound.from_json(plain)
            except FileNotFoundError:
                continue  # another copy replayed it meanwhile
            except (VaultError, ValueError, TypeError, KeyError):
                self.unreadable.add(path)
                continue
            found.append(Spooled(path, inbound))
            if path not in self.known:
                self.known.add(path)
                self.waiting[_sender(inbound)] += 1
        return found

    def put(self, inbound: Inbound) -> Path:
        """Write one update durably; raises OSError (a full disk), in which case nothing is left behind."""
        # Time orders files across restarts; never the same name twice, however coarse the clock.
        self._last = max(self._last + 1, time.time_ns())
        name = f"{self._last:020d}-{os.getpid()}"
        sealed = self._vault.seal_json(_PLACE, name, inbound.as_json())
        part, path = self.folder / f"{name}.part", self.folder / f"{name}.update"
        try:
            with part.open("xb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync_folder(self.folder)
        except OSError:
            part.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        self.known.add(path)
        self.waiting[_sender(inbound)] += 1
        return path

    def remove(self, path: Path, inbound: Inbound) -> None:
        """The update has become a turn."""
        path.unlink(missing_ok=True)
        if path in self.known:
            self.known.discard(path)
            self.waiting[_sender(inbound)] -= 1
            if self.waiting[_sender(inbound)] <= 0:
                del self.waiting[_sender(inbound)]

    def is_waiting(self, inbound: Inbound) -> bool:
        """Whether earlier updates of this sender are still in the spool."""
        return self.waiting[_sender(inbound)] > 0 if _sender(inbound) in self.waiting else False

    async def put_soon(self, inbound: Inbound) -> Path:
        """`put` off the event loop."""
        return await asyncio.to_thread(self.put, inbound)


def _sender(inbound: Inbound) -> tuple[str, str, str]:
    return inbound.platform, inbound.account, inbound.sender


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
