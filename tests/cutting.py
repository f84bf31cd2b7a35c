"""Cutting a database off for real, so that a test need not pretend."""

from __future__ import annotations

import socket
import sqlite3
import tempfile
import threading
from contextlib import suppress

from sqlalchemy import make_url


class Cut:
    """A real cut of a real database: the one file locked by somebody else, the other server behind a wall that lets
    connections in and nothing through."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._url = make_url(url)
        self.url = url if self.is_sqlite else self._walled()
        self._blocks: list[sqlite3.Connection] = []

    def _walled(self) -> str:
        behind = str(self._url.query["host"])
        self._behind, self._up, self._open = f"{behind}/.s.PGSQL.5432", True, list[socket.socket]()
        self._pumps: list[threading.Thread] = []
        short = tempfile.mkdtemp(prefix="wall-")  # the name of a socket has a limit
        self._wall = socket.socket(socket.AF_UNIX)
        self._wall.bind(f"{short}/.s.PGSQL.5432")
        self._wall.listen(64)
        self._server = threading.Thread(target=self._serve, daemon=True)
        self._server.start()
        return self._url.update_query_dict({"host": short}).render_as_string(hide_password=False)

    def _serve(self) -> None:
        while True:
            try:
                taken, _address = self._wall.accept()
            except OSError:
                return
            self._open.append(taken)
            if not self._up:
                continue
            there = socket.socket(socket.AF_UNIX)
            there.connect(self._behind)
            self._open.append(there)
            for pair in ((taken, there), (there, taken)):
                self._pumps.append(threading.Thread(target=self._pump, args=pair, daemon=True))
                self._pumps[-1].start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        if self.is_sqlite:
            blocker = sqlite3.connect(str(self._url.database), check_same_thread=False, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            self._blocks.append(blocker)
            return
        self._up = False
        self._hang_up()

    def mend(self) -> None:
        if self.is_sqlite:
            self._blocks.pop().close()
            return
        self._up = True
        self._hang_up()

    def _hang_up(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join(5)
        while self._open:
            self._open.pop().close()
        self._pumps.clear()

    def close(self) -> None:
        for blocker in self._blocks:
            blocker.close()
        if not self.is_sqlite:
            self._up = False
            self._wall.shutdown(socket.SHUT_RDWR)
            self._server.join(5)
            self._wall.close()
            self._hang_up()
