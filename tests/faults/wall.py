"""A wall in front of PostgreSQL, in a process of its own: it lets everything through until it is told otherwise.

On standard input, one word a line, each answered with the same word on standard output:
- `open`: as if nothing were there; what hung goes on;
- `refuse`: the listener is closed, and so is every connection;
- `hang`: connections are accepted, and not a byte passes in either direction;
- `reset`: every connection is reset, new ones after some bytes.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
from contextlib import suppress

_NO_LINGER = struct.pack("ii", 1, 0)


class Wall:
    """Listens on the loopback; `behind` is the socket of the server as a path."""

    def __init__(self, behind: str, seed: int) -> None:
        self._behind, self._chance = behind, random.Random(seed)
        self._passes = asyncio.Event()
        self._passes.set()
        self._resets = False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def listen(self) -> None:
        """At the same port each time."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def become(self, what: str) -> None:
        """One of the words above."""
        self._resets = what == "reset"
        if what == "hang":
            self._passes.clear()
        else:
            self._passes.set()
        if what in ("refuse", "reset"):
            if what == "refuse" and self._server is not None:
                self._server.close()
                self._server = None
            for each in list(self._open):
                self._cut(each)
        if what != "refuse" and self._server is None:
            await self.listen()

    def _cut(self, writer: asyncio.StreamWriter) -> None:
        plain: socket.socket = writer.get_extra_info("socket")
        with suppress(OSError):
            if self._resets and plain.family != socket.AF_UNIX:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._passes.wait()
            from_there, there = await asyncio.open_unix_connection(self._behind)
            self._open.add(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there))
                group.create_task(self._pump(from_there, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, there):
                if each is not None:
                    self._open.discard(each)
                    self._cut(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = self._chance.randrange(2_000) if self._resets else None
        while data := await reader.read(65_536):
            await self._passes.wait()
            if limit is not None and len(data) >= limit:
                writer.write(data[:limit])
                raise ConnectionResetError
            limit = None if limit is None else limit - len(data)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one end has hung up: so does the other


async def main() -> None:
    """Until standard input ends."""
    wall = Wall(sys.argv[1], int(sys.argv[2]))
    await wall.listen()
    print(wall.port, flush=True)
    while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
        await wall.become(word)
        print(word, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
