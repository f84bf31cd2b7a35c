"""Both platforms' sending calls in a process of its own, as lean as it can be, so that it measures who calls it.

It answers every call with success, or with 429 what is over its limit in any second, and keeps when each call came.
`python -m bench.endpoint` prints its port and ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

CONTROL = b"/control"


class Calls:
    """What came since the last look. `limit` = calls in any second, zero = no limit."""

    def __init__(self) -> None:
        self.begin(0, "")

    def begin(self, limit: int, wanted: str) -> None:
        """Forget everything; note when a call came whose body holds `wanted`."""
        self.limit, self.wanted = limit, wanted.encode()
        self.count = self.refused = 0
        self.first = self.last = self.wanted_at = 0.0
        self.second: deque[float] = deque()

    def take(self, body: bytes) -> bool:
        """Whether it is within the limit."""
        now = time.monotonic()
        if self.limit:
            while self.second and self.second[0] <= now - 1.0:
                self.second.popleft()
            if len(self.second) >= self.limit:
                self.refused += 1
                return False
            self.second.append(now)
        self.count += 1
        self.first, self.last = self.first or now, now
        if self.wanted and self.wanted in body:
            self.wanted_at = self.wanted_at or now
        return True


def answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


GOOD = {
    b"telegram": answer(
        "200 OK", b'{"ok":true,"result":{"message_id":77,"date":1,"chat":{"id":1,"type":"private"},"text":"."}}'
    ),
    b"wechat": answer("200 OK", b'{"errcode":0,"errmsg":"ok","msgid":77}'),
    b"token": answer("200 OK", b'{"access_token":"bench","expires_in":7200}'),
}
FLOOD = answer(
    "429 Too Many Requests", b'{"ok":false,"error_code":429,"description":"Flood","parameters":{"retry_after":1}}'
)


class Connection(asyncio.Protocol):
    """One connection: requests with a Content-Length, one after the other."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._buffer = calls, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self._transport.write(self._answer(head.split(b" ", 2)[1], body))

    def _answer(self, path: bytes, body: bytes) -> bytes:
        if path == CONTROL:
            calls = self._calls
            told = {"count": calls.count, "refused": calls.refused, "first": calls.first, "last": calls.last}
            told |= {"wanted": calls.wanted_at}
            if body:
                calls.begin(**json.loads(body))
            return answer("200 OK", json.dumps(told).encode())
        if b"stable_token" in path:
            return GOOD[b"token"]
        if b"message/custom/send" not in path and b"/sendMessage" not in path:
            return answer("200 OK", b'{"ok":true,"result":true,"errcode":0}')
        if not self._calls.take(body):
            return FLOOD
        return GOOD[b"wechat" if b"wechat" in path else b"telegram"]


@dataclass(frozen=True)
class Endpoint:
    """As its caller sees it."""

    base: str
    http: aiohttp.ClientSession

    async def begin(self, limit: int = 0, wanted: str = "") -> None:
        """Count from zero."""
        await self._control({"limit": limit, "wanted": wanted})

    async def told(self) -> dict[str, float]:
        """What came since then; times are the machine's monotonic clock, which all its processes share."""
        return await self._control(None)

    async def _control(self, order: dict[str, Any] | None) -> dict[str, float]:
        body = json.dumps(order).encode() if order is not None else b""
        async with self.http.post(f"{self.base}/control", data=body) as response:
            told: dict[str, float] = await response.json()
            return told


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    """Start one, and end it."""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.endpoint", stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            yield Endpoint(f"http://127.0.0.1:{port}", http)
    finally:
        process.stdin.close()
        await process.wait()


async def main() -> None:
    """Serve until the input ends."""
    loop, calls = asyncio.get_running_loop(), Calls()
    server = await loop.create_server(lambda: Connection(calls), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
