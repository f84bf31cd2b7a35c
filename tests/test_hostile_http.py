"""Hostile HTTP: bodies over the limit, bombs, wrong methods and absurd heads are refused early and break nothing."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import hearing
from handlers.turn import turn
from models.inbox import InboxMessage
from tests.besieging import SECRET, Siege, signed
from tests.besieging import siege as siege
from tests.hostility import as_json
from tests.incoming import until
from tests.phones import AES_KEY, APPID, BOT_SECRET, cdata, telegram_message, wechat_xml
from tests.platforms.wechat_player import envelope, seal


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
        # A page of a ledger takes such a body; of one that does not exist only that is told.
        ("/p/" + "x" * 22, "POST", {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, {404}),
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


async def test_a_caller_that_hangs_up_is_no_error_and_its_answer_does_not_count_as_handed_over(
    siege: Siege, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before its body is whole, and while its turn is made."""
    body = as_json(telegram_message("gone", siege.next(), text="你好"))
    head = f"POST /telegram/test HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in SECRET.items()) + "\r\n"
    began, go = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        began.set()
        assert go.wait(10)
        return turn(*given)

    monkeypatch.setattr(hearing, "turn", slow)
    for sent in (body[:20], body):
        _reader, writer = await asyncio.open_connection("127.0.0.1", siege.house.port)
        writer.write(head.encode() + sent)
        await writer.drain()
        if sent == body:
            await until(began.is_set)
        await asyncio.sleep(0.1)
        writer.transport.abort()
    await asyncio.sleep(0.2)
    go.set()
    await until(lambda: siege.count() == 1)
    await asyncio.sleep(1.0)  # what was handed over would be written down by now
    assert siege.count(InboxMessage.handed_at.is_(None), InboxMessage.door == "passive") == 1
    assert (await siege.telegram(body, "again"))[1] != b"", "and it is answered when it comes again"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
