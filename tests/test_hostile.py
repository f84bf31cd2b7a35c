"""Hostile input over real HTTP: nothing forged is accepted, nothing counts twice, nothing breaks, nothing blocks.

Every case comes from a seed, which a failure names.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import func, select
from structlog.testing import capture_logs

from models.conversation import Conversation
from models.database import Database
from models.inbox import InboxMessage
from models.page import Page, issue_page
from models.person import Person, open_door
from tests.hostility import SLOW, House, as_json, mutated, telegram_update, twisted, wechat_update
from tests.phones import AES_KEY, APPID, BOT_SECRET, TOKEN, Exchange, Stage, cdata, telegram_message, wechat_xml
from tests.platforms.wechat_player import envelope, seal, sha1

SECRET = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
AT_ONCE = 8

# What `make test` runs, on each of both databases, and what `make test-long` runs.
SIZES = [
    pytest.param(400, id="short"),
    pytest.param(4_400, id="long", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
]


class Siege:
    """A house under attack, and what it may not have done in the end."""

    def __init__(self, house: House, http: aiohttp.ClientSession, database: Database) -> None:
        self.house, self.http, self.database = house, http, database
        self.answers: Counter[int] = Counter()
        self.number = 70_000_000

    def next(self) -> int:
        self.number += 1
        return self.number

    async def post(self, path: str, body: bytes, label: str, **more: Any) -> tuple[int, bytes]:
        async with self.http.post(f"http://127.0.0.1:{self.house.port}{path}", data=body, **more) as answer:
            content = await answer.read()
            self.answers[answer.status] += 1
            assert answer.status < 500, f"{label}: {answer.status}"
            return answer.status, content

    async def wechat(self, xml: bytes, label: str, **more: Any) -> tuple[int, bytes]:
        """A message as WeChat sends it: sealed and signed with the account's own keys."""
        sealed = seal(xml, key=AES_KEY, appid=APPID)
        return await self.post("/wechat/test", envelope(sealed), label, params=signed(sealed, **more))

    async def telegram(self, update: bytes, label: str) -> tuple[int, bytes]:
        return await self.post("/telegram/test", update, label, headers=SECRET)

    def count(self, *where: Any) -> int:
        with self.database.read() as session:
            return int(session.exec(select(func.count()).select_from(InboxMessage).where(*where)).one())

    def revisions(self, *people: str) -> list[int]:
        with self.database.read() as session:
            return list(session.exec(select(Conversation.revision).order_by(Conversation.person_id)))


def signed(sealed: str, *, token: str = TOKEN, at: float | None = None, nonce: str = "n0nce") -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "signature": sha1(token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "encrypt_type": "aes",
        "msg_signature": sha1(token, timestamp, nonce, sealed),
    }


@pytest.fixture
async def siege(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Siege]:
    exchange = Exchange()
    await exchange.server.start_server()
    app = Stage(database, tmp_path / "spool", exchange).app()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        async with House(app, monkeypatch) as house, aiohttp.ClientSession(connector=connector) as http:
            made = Siege(house, http, database)
            yield made
            aside = made.count(InboxMessage.state == "aside")
            ends = time.monotonic() + 20  # what was late on a busy machine leaves the spool by itself
            while (spooled := sum(app.spool.waiting.values())) and time.monotonic() < ends:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    await exchange.server.close()
    wrong = [line for line in logs if line["log_level"] in ("error", "critical")]
    assert not wrong, f"{len(wrong)} errors logged, the first: {wrong[0]}"
    loud = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert not loud, loud[:3]
    assert not house.unhandled, house.unhandled[:3]
    assert not house.slow, f"callbacks over 50 ms of CPU: {house.slow[:5]}"
    why = Counter(line["why"] for line in logs if line["event"] == "spooled")
    assert (aside, spooled) == (0, 0), why
    assert made.answers.total() > 0


async def volley(case: Callable[[int], Awaitable[Any]], cases: int) -> list[Any]:
    """Every number once, some at a time, as a platform does."""
    numbers, found = iter(range(cases)), []

    async def one() -> None:
        for number in numbers:
            found.append(await case(number))

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return found


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261122])
async def test_mutated_messages_of_wechat_break_nothing(siege: Siege, cases: int, seed: int) -> None:
    async def case(number: int) -> None:
        rng = random.Random(f"wechat {seed} {number}")
        xml = wechat_update(rng, f"w{rng.randrange(6)}", siege.next())
        label = f"seed {seed}, case {number}"
        status, _content = await siege.wechat(mutated(rng, xml) if number % 8 else xml, label)
        assert status in ((200, 400) if number % 8 else (200,)), f"{label}: {status}"

    await volley(case, cases)
    assert siege.answers[200] > cases // 8, "some of it must have come through, or nothing was tested"
    assert siege.answers[400] > cases // 8


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261123])
async def test_mutated_updates_of_telegram_break_nothing(siege: Siege, cases: int, seed: int) -> None:
    async def case(number: int) -> None:
        rng = random.Random(f"telegram {seed} {number}")
        update = telegram_update(rng, f"t{rng.randrange(6)}", siege.next())
        label = f"seed {seed}, case {number}"
        body = as_json(update)
        if number % 8 > 4:
            body = mutated(rng, body)
        elif number % 8:
            body = as_json(twisted(rng, update))[:60_000]
        status, _content = await siege.telegram(body, label)
        assert status in ((200, 400) if number % 8 else (200,)), f"{label}: {status}"

    await volley(case, cases)
    assert siege.answers[200] > cases // 8
    assert siege.answers[400] > cases // 8


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261124])
async def test_nothing_forged_is_accepted(siege: Siege, cases: int, seed: int) -> None:
    """Wrong tokens, keys, appids and secrets, old and early times, signatures of something else."""

    async def wechat(rng: random.Random, label: str) -> None:
        xml = wechat_xml("forger", "text", cdata("Content", "报名"), siege.next()).encode()
        sealed = seal(xml, key=AES_KEY, appid=APPID)
        query, body = signed(sealed), envelope(sealed)
        match rng.randrange(9):
            case 0:
                query = signed(sealed, token="guessed")
            case 1:
                query = signed(sealed, at=time.time() - rng.choice((301, 3_600, 10**9)))
            case 2:
                query = signed(sealed, at=time.time() + rng.choice((302, 86_400)))
            case 3:
                body = envelope(seal(xml, key=AES_KEY, appid=APPID))
            case 4:
                other = seal(xml, key="B" * 43, appid=APPID)
                query, body = signed(other), envelope(other)
            case 5:
                other = seal(xml, key=AES_KEY, appid="wxsomebodyelse0001")
                query, body = signed(other), envelope(other)
            case 6:
                query["msg_signature"] = query["signature"]
            case 7:
                query[rng.choice(("timestamp", "nonce", "msg_signature"))] = rng.choice(("", "0", "x" * 300, "٣", "-1"))
            case _:
                query.pop(rng.choice(("timestamp", "nonce", "msg_signature")))
        status, _content = await siege.post("/wechat/test", body, label, params=query)
        assert status in (400, 403), f"{label}: {status}"

    async def telegram(rng: random.Random, label: str) -> None:
        guesses = (None, "", "guessed", BOT_SECRET + "x", BOT_SECRET[:-1], BOT_SECRET.upper(), "é", "x" * 4_000)
        guess = rng.choice(guesses)
        headers = {"Content-Type": "application/json"} | (
            {} if guess is None else {"X-Telegram-Bot-Api-Secret-Token": guess}
        )
        body = as_json(telegram_message("forger", siege.next(), text="报名"))
        status, _content = await siege.post("/telegram/test", body, label, headers=headers)
        assert status == 403, f"{label}: {status}"

    async def case(number: int) -> None:
        rng = random.Random(f"forged {seed} {number}")
        await (wechat, telegram)[number % 2](rng, f"seed {seed}, case {number}")

    await volley(case, cases)
    assert siege.count() == 0, "not one row of it"


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261125])
async def test_replays_inside_the_window_have_no_second_effect(siege: Siege, cases: int, seed: int) -> None:
    rng = random.Random(f"replay {seed}")
    answers: dict[tuple[str, int], set[bytes]] = {}
    sent = 0

    async def person(at: int) -> None:
        nonlocal sent
        name = f"r{at}"
        while sent < cases:
            words, number, repeats = (
                rng.choice(("报名", "同意", "阿林", "你好", "取消")),
                siege.next(),
                rng.randint(1, 4),
            )
            sent += 2 * (1 + repeats)
            xml = wechat_xml(name, "text", cdata("Content", words), number).encode()
            sealed = seal(xml, key=AES_KEY, appid=APPID)
            query, body = signed(sealed), envelope(sealed)
            update = as_json(telegram_message(name, number, text=words))
            label = f"seed {seed}, update {number}"
            for _time in range(1 + repeats):
                _status, content = await siege.post("/wechat/test", body, label, params=query)
                answers.setdefault(("wechat", number), set()).add(b"%d" % len(content))
                _status, content = await siege.telegram(update, label)
                answers.setdefault(("telegram", number), set()).add(content)

    await asyncio.gather(*(person(at) for at in range(AT_ONCE)))
    different = [key for key, found in answers.items() if len(found) != 1]
    assert not different, f"seed {seed}: another reply to a repeat of {different[:3]}"
    assert siege.count() == len(answers)
    assert sum(siege.revisions()) == len(answers), "each update changed its conversation exactly once"


@pytest.mark.parametrize("seed", [20261126])
async def test_forged_buttons_and_codes_open_nothing_of_anybody_else(siege: Siege, seed: int) -> None:
    """One person's buttons and codes, pressed and typed by another, and ones that never were."""
    rng = random.Random(f"buttons {seed}")
    _status, shown = await siege.telegram(as_json(telegram_message("victim", siege.next(), text="报名")), "victim")
    button = next(part.split(b'"')[0].decode() for part in shown.split(b'"callback_data": "')[1:])
    before = siege.revisions()
    chat = {"id": 4_242, "type": "private", "first_name": "x"}
    user = {"id": 4_242, "is_bot": False, "first_name": "x", "language_code": "zh-hans"}

    async def case(number: int) -> tuple[int, bytes]:
        prompt = button.partition(":")[0]
        pressed = (button, f"{prompt}:{rng.randrange(99)}", f"{prompt}:", prompt, prompt[::-1] + ":0", "x" * 22 + ":0")
        query = {"id": "1", "from": user, "chat_instance": "1", "data": rng.choice(pressed)}
        query["message"] = {"message_id": 1, "date": 1, "chat": chat}
        update = {"update_id": siege.next(), "callback_query": query}
        if number % 3 == 0:
            code = "".join(rng.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))
            words = rng.choice((f"绑定 {code}", f"监护 {code}", f"/start g_{code}"))
            update = telegram_message("thief", siege.next(), text=words)
        return await siege.telegram(as_json(update), f"seed {seed}, case {number}")

    answers = await volley(case, 120)
    assert all(status == 200 for status, _content in answers)
    assert any("已经回答过了".encode() in content for _status, content in answers)
    with siege.database.read() as session:
        assert len(session.exec(select(Person)).all()) == 3, "nobody was joined to anybody"
    assert before[0] in siege.revisions(), "the victim's talk stands where it stood"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_bodies_have_a_limit_to_the_byte(siege: Siege, framing: str) -> None:
    limit = 64 * 1024

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 7_000):
            yield data[start : start + 7_000]

    update = as_json(telegram_message("big", siege.next(), text="你好"))
    xml = wechat_xml("big", "text", cdata("Content", "你好"), siege.next()).encode()
    sealed = seal(xml, key=AES_KEY, appid=APPID)
    for size, wanted in ((limit, 200), (limit + 1, 413), (4 * limit, 413)):
        for path, body, more in (
            ("/telegram/test", update.ljust(size), {"headers": SECRET}),
            ("/wechat/test", envelope(sealed).ljust(size), {"params": signed(sealed)}),
        ):
            data: Any = chunks(body) if framing == "chunked" else body
            status, _content = await siege.post(path, data, f"{path} {size}", **more)
            assert status == wanted, (path, size)
    assert siege.count() == 2


async def test_gzip_bombs_are_not_unpacked(siege: Siege) -> None:
    for bomb in (gzip.compress(b"\0" * 30_000_000), gzip.compress(b"<a>" * 8_000_000), b"\x1f\x8b broken"):
        assert len(bomb) < 64 * 1024
        for coding in ("gzip", "deflate", "br", "gzip, gzip"):
            headers = {"Content-Encoding": coding}
            sealed = "A" * 64
            for path, more in (
                ("/telegram/test", {"headers": {**SECRET, **headers}}),
                ("/wechat/test", {"headers": headers, "params": signed(sealed)}),
                ("/p/" + "x" * 22, {"headers": {**headers, "Content-Type": "application/x-www-form-urlencoded"}}),
            ):
                status, _content = await siege.post(path, bomb, f"{path} {coding}", **more)
                assert status in (400, 415), (path, coding, status)
    assert siege.count() == 0


async def test_crowds_of_elements_are_refused_before_a_tree_is_built(siege: Siege) -> None:
    for crowd in (b"<a/>" * 12_000, b"<a>" * 9_000 + b"</a>" * 4_000, b"<a b='c'>" * 5_000):
        xml = (
            wechat_xml("crowd", "text", cdata("Content", "x"), siege.next())
            .encode()
            .replace(b"<MsgId>", crowd + b"<MsgId>")
        )
        status, _content = await siege.wechat(xml[:46_000], "crowd")
        assert status == 400
        plain = b"<xml>" + crowd[:60_000] + b"</xml>"
        status, _content = await siege.post("/wechat/test", plain, "crowd", params=signed("x"))
        assert status == 400
    deep = b'{"update_id": 1, "message": ' + b'{"a":' * 10_000
    assert (await siege.telegram(deep, "deep"))[0] == 400
    assert (await siege.telegram(b'{"update_id": 1, "x": [' + b"[]," * 20_000 + b"1]}", "wide"))[0] in (200, 400)


async def test_wrong_methods_types_accounts_and_paths_get_an_answer_that_says_so(siege: Siege) -> None:
    base = f"http://127.0.0.1:{siege.house.port}"
    cases: list[tuple[str, str, dict[str, Any], set[int]]] = [
        *(
            ("/telegram/test", method, {"headers": SECRET}, {405})
            for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD")
        ),
        *(("/wechat/test", method, {}, {405}) for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")),
        *(("/healthz", method, {}, {405}) for method in ("POST", "DELETE")),
        *(("/p/x", method, {}, {405}) for method in ("PUT", "DELETE")),
        ("/telegram/test", "POST", {"headers": {**SECRET, "Content-Type": "text/xml"}, "data": b"{}"}, {415}),
        (
            "/telegram/test",
            "POST",
            {"headers": {**SECRET, "Content-Type": "application/json; charset=x"}, "data": b"{}"},
            {400},
        ),
        ("/p/" + "x" * 22, "POST", {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, {415}),
        (
            "/p/" + "x" * 22,
            "POST",
            {"data": b"answer=%ff&" * 9, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {404},
        ),
        (
            "/p/" + "x" * 22,
            "POST",
            {"data": b"a=b&" * 99, "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=zz"}},
            {400},
        ),
        (
            "/p/" + "x" * 22,
            "POST",
            {"data": b"\xff\xfe", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {400},
        ),
    ]
    odd = ["/", "/wechat", "/wechat/", "/wechat/nobody", "/telegram/nobody", "/wechat/../telegram/test", "/%00"]
    odd += ["/wechat/%00", "/p/", "/p/a/b", "/p/..%2f..%2fetc", "/sandbox", "/wechat/" + "x" * 3_000, "/telegram/é"]
    for path in odd:
        cases.append((path, "GET", {}, {403, 404, 405}))
        cases.append((path, "POST", {"data": b"x"}, {403, 404, 405, 415}))
    for path, method, more, wanted in cases:
        async with siege.http.request(method, base + path, **more) as answer:
            siege.answers[answer.status] += 1
            body = await answer.read()
            assert answer.status in wanted, (method, path[:60], answer.status)
            assert b"Traceback" not in body
    async with siege.http.get(base + "/TELEGRAM/test") as answer:
        assert answer.status == 404
    assert siege.count() == 0


async def test_absurd_heads_break_nothing(siege: Siege) -> None:
    head = b"POST /telegram/test HTTP/1.1\r\nHost: x\r\n"
    secret = f"X-Telegram-Bot-Api-Secret-Token: {BOT_SECRET}\r\nContent-Type: application/json\r\n".encode()
    absurd = [
        b"\r\n" * 200,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"GET " + b"/" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\x00ET / HTTP/1.1\r\nHost: x\r\n\r\n",
        head + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
        head + b"".join(b"X%d: y\r\n" % number for number in range(3_000)) + b"\r\n",
        head + secret + b"Content-Length: -5\r\n\r\n{}",
        head + secret + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        head + secret + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        head + secret + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        head + secret + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        head + secret + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        head + secret + b"Transfer-Encoding: cow\r\n\r\n{}",
        head + secret + b"Content-Type: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        head + b"X-Telegram-Bot-Api-Secret-Token: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        head + secret + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
        head.replace(b"/telegram/test", b"/wechat/test?timestamp=%ff&nonce=\xff") + b"Content-Length: 2\r\n\r\n{}",
        head.replace(b"POST", b"CONNECT") + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    answers = await asyncio.gather(*(siege.house.raw(each, 1.0) for each in absurd))
    for each, answer in zip(absurd, answers, strict=True):
        assert not answer.startswith(b"HTTP/1.1 5"), (each[:80], answer[:80])
        siege.answers[int(answer[9:12]) if answer else 0] += 1
    status, _content = await siege.telegram(as_json(telegram_message("after", siege.next(), text="你好")), "after")
    assert status == 200, "the house still answers"
    assert siege.count() == 1


async def test_tokens_of_pages_that_are_forged_expired_used_or_foreign_open_nothing(siege: Siege) -> None:
    with siege.database.write() as session:
        door, person = open_door(session, "telegram", "test", "55", "zh_CN", zone="Asia/Shanghai")
        good = issue_page(session, person.id, "answer", {"prompt": "gone"}, door_id=door.id)
        used = issue_page(session, person.id, "data", {})
        session.get_one(
            Page, session.exec(select(Page.id).where(Page.kind == "data")).one()
        ).used_at = person.created_at
    rng = random.Random(7)
    forged = [
        "x" * 22,
        good[::-1],
        good + "x",
        good[:-1],
        used,
        good,
        "é" * 11,
        "%00" * 22,
        "' OR 1=1 --",
        "..",
        "a" * 4_000,
    ]
    forged += [
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_") for _ in range(22)) for _time in range(40)
    ]
    for token in forged:
        url = f"http://127.0.0.1:{siege.house.port}/p/{token}"
        async with siege.http.get(url) as answer:
            siege.answers[answer.status] += 1
            assert answer.status == 404, token[:40]
        status, _content = await siege.post(
            f"/p/{token}", b"", token[:40], headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert status == 404
    assert siege.count() == 0


def burn() -> None:
    began = time.thread_time()
    while time.thread_time() - began < 2 * SLOW:
        pass


async def test_a_callback_that_holds_the_loop_would_be_seen(siege: Siege) -> None:
    await siege.telegram(as_json(telegram_message("alin", siege.next(), text="你好")), "one")
    assert siege.house.slow == []
    await siege.house.call(burn)
    assert len(siege.house.slow) == 1
    assert "burn" in siege.house.slow[0][1]
    siege.house.slow.clear()
