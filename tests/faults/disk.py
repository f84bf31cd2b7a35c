"""A small disk that a test can fill: a tmpfs, mounted as root, or in a user namespace of its own by anybody else."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_CHUNK = bytes(4096)


@dataclass(frozen=True)
class Disk:
    """`inside` is its path for the product, started with `entering` before its own words; `outside` the one for us."""

    inside: Path
    outside: Path
    entering: tuple[str, ...] = ()

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """Within the block not a byte is free, whatever the product gives back meanwhile."""
        ballast = self.outside / "ballast"
        filling = asyncio.create_task(self._fill(ballast))
        try:
            while self.free():  # noqa: ASYNC110 the disk tells nobody
                await asyncio.sleep(0.01)
            yield
        finally:
            filling.cancel()
            with suppress(asyncio.CancelledError):
                await filling
            ballast.unlink()

    async def _fill(self, ballast: Path) -> None:
        with ballast.open("ab", buffering=0) as file:
            while True:
                try:
                    while True:
                        file.write(_CHUNK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                await asyncio.sleep(0.005)

    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.outside)
        return found.f_bavail * found.f_bsize


@asynccontextmanager
async def small_disk(folder: Path, megabytes: int) -> AsyncIterator[Disk]:
    """An empty disk of this size below `folder`; the test is skipped where this machine allows none."""
    point = folder / "disk"
    point.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(point)]
    if await _ran(*mount):
        try:
            yield Disk(point, point)
        finally:
            assert await _ran("umount", "--lazy", str(point))
        return
    # The namespace lives as long as this process does.
    keeper = await asyncio.create_subprocess_exec(
        *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", '"$@" && echo mounted && read -r _', "sh"),
        *mount,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert keeper.stdout is not None
        if (await keeper.stdout.readline()).strip() != b"mounted":
            pytest.skip("the full disk: neither root nor a user namespace may mount a small one here")
        entering = (
            "nsenter",
            "--target",
            str(keeper.pid),
            "--user",
            "--mount",
            "--preserve-credentials",
            f"--wd={folder}",
        )
        yield Disk(point, Path(f"/proc/{keeper.pid}/root{point}"), entering)
    finally:
        if keeper.returncode is None:
            keeper.kill()
        await keeper.wait()


async def _ran(*words: str) -> bool:
    process = await asyncio.create_subprocess_exec(*words, stderr=subprocess.DEVNULL)
    return await process.wait() == 0
