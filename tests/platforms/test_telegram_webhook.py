"""The webhook's door and what the person gets to see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from bot.platforms.base import Rejected
from bot.platforms.telegram import MAX_BODY, Telegram
from bot.platforms.telegram_message import CUT_NOTE, FEATURES, SHARE_LOCATION, is_public_url, show, utf16_length
from config.settings import TelegramAccount
from handlers.message import Inbound, Link, Option, Reply

SECRET = "s3cret_Token-1"
UPDATE = {
    "update_id": 5,
    "message": {
        "message_id": 1,
        "date": 1_790_000_000,
        "chat": {"id": 1001, "type": "private"},
        "from": {"id": 1001, "is_bot": False, "first_name": "林"},
        "text": "你好",
    },
}
INBOUND = Inbound("telegram", "gd", "1001", "5", "text", datetime(2026, 11, 22, tzinfo=UTC), text="你好")

ClientOf = Callable[[TestServer], Awaitable[TestClient[web.Request, web.Application]]]


def telegram(secret: str | None = SECRET) -> Telegram:
    account = TelegramAccount(
        token=SecretStr("123456:AbCdEf"),
        secret_token=SecretStr(secret) if secret is not None else None,
        api_base="http://127.0.0.1:9",
    )
    return Telegram("gd", account, "")


async def serve(platform: Telegram) -> TestServer:
    async def route(request: web.Request) -> web.Response:
        try:
            raw = await platform.accept(request)
        except Rejected as rejected:
            return web.Response(status=rejected.status, text=rejected.reason)
        assert isinstance(raw, bytes)
        return web.Response(text=platform.open(raw, {})[0].text)

    app = web.Application()
    app.router.add_route("*", "/telegram/gd", route)
    server = TestServer(app)
    # As bot/app.py does: aiohttp would decompress what is left of a refused body only to throw it away.
    await server.start_server(auto_decompress=False)
    return server


async def post(client: TestClient[web.Request, web.Application], **changes: Any) -> tuple[int, str]:
    arguments: dict[str, Any] = {
        "data": json.dumps(UPDATE).encode(),
        "headers": {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"},
    }
    arguments["headers"].update(changes.pop("headers", {}))
    arguments.update(changes)
    arguments["headers"] = {name: value for name, value in arguments["headers"].items() if value is not None}
    method = arguments.pop("method", "POST")
    async with client.request(method, "/telegram/gd", **arguments) as answer:
        return answer.status, await answer.text()


async def test_a_true_update_is_accepted(aiohttp_client: ClientOf) -> None:
    client = await aiohttp_client(await serve(telegram()))
    assert await post(client) == (200, "你好")
    assert await post(client, headers={"Content-Type": "application/json; charset=utf-8"}) == (200, "你好")


@pytest.mark.parametrize("secret", [None, "", "x", SECRET[:-1], SECRET + "x", SECRET.lower(), "密", "\x80"])
async def test_a_forged_or_absent_secret_is_refused(aiohttp_client: ClientOf, secret: str | None) -> None:
    client = await aiohttp_client(await serve(telegram()))
    assert await post(client, headers={"X-Telegram-Bot-Api-Secret-Token": secret}) == (403, "signature")


@pytest.mark.parametrize("given", [None, "", "None", SECRET])
async def test_an_account_without_a_secret_takes_nothing_by_webhook(
    aiohttp_client: ClientOf, given: str | None
) -> None:
    client = await aiohttp_client(await serve(telegram(secret=None)))
    assert await post(client, headers={"X-Telegram-Bot-Api-Secret-Token": given}) == (403, "signature")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_is_a_method(aiohttp_client: ClientOf, method: str) -> None:
    client = await aiohttp_client(await serve(telegram()))
    assert await post(client, method=method) == (405, "method")


async def test_other_content_types_and_encodings_are_refused(aiohttp_client: ClientOf) -> None:
    client = await aiohttp_client(await serve(telegram()))
    for kind in ("text/xml", "application/x-www-form-urlencoded", "application/json-seq", "nonsense"):
        assert await post(client, headers={"Content-Type": kind}) == (415, "type")
    for encoding in ("gzip", "deflate", "br", "identity", "x"):
        assert await post(client, headers={"Content-Encoding": encoding}) == (415, "encoding")


async def test_a_gzip_bomb_is_refused_before_it_is_opened(aiohttp_client: ClientOf) -> None:
    import gzip

    client = await aiohttp_client(await serve(telegram()))
    bomb = gzip.compress(b" " * 20_000_000)
    assert await post(client, data=bomb, headers={"Content-Encoding": "gzip"}) == (415, "encoding")


async def test_64_kib_pass_and_one_byte_more_does_not(aiohttp_client: ClientOf) -> None:
    client = await aiohttp_client(await serve(telegram()))
    body = json.dumps(UPDATE).encode()
    assert await post(client, data=body + b" " * (MAX_BODY - len(body))) == (200, "你好")
    assert await post(client, data=body + b" " * (MAX_BODY + 1 - len(body))) == (413, "size")

    async def chunks() -> Any:
        for _ in range(65):
            yield b" " * 1024

    assert await post(client, data=chunks()) == (413, "size")


async def test_a_body_that_never_ends_is_given_up(aiohttp_client: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.platforms.telegram._BODY_SECONDS", 0.2)
    client = await aiohttp_client(await serve(telegram()))

    async def slow() -> Any:
        yield b'{"update_id"'
        await asyncio.sleep(2)
        yield b": 5}"

    assert await post(client, data=slow()) == (400, "slow")


async def test_a_body_cut_in_the_middle_is_rejected_and_raises_nothing_else() -> None:
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    platform = telegram()

    async def handler(request: web.BaseRequest) -> web.Response:
        try:
            await platform.accept(request)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - which one it is, is the question
            ended.set_result(error)
        else:
            ended.set_result(None)
        return web.Response()

    server = await asyncio.get_running_loop().create_server(web.Server(handler), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n"
        f"X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n\r\n"
    )
    writer.write(head.encode() + b'{"update_id"')
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    error = await asyncio.wait_for(ended, 5)
    assert isinstance(error, Rejected)
    assert (error.status, error.reason) == (400, "cut")
    server.close()


def rendered(reply: Reply) -> dict[str, Any]:
    response = telegram().render(reply, INBOUND, b"", {})
    assert response.status == 200
    assert response.content_type == "application/json"
    assert isinstance(response.body, bytes)
    call: dict[str, Any] = json.loads(response.body)
    return call


def test_a_reply_goes_out_as_a_call_in_the_answer() -> None:
    assert rendered(Reply("<b>你好</b> *_[x](http://a.b)")) == {
        "method": "sendMessage",
        "chat_id": 1001,
        "text": "<b>你好</b> *_[x](http://a.b)",
        "link_preview_options": {"is_disabled": True},
    }


def test_no_reply_is_an_empty_answer() -> None:
    response = telegram().render(None, INBOUND, b"", {})
    assert (response.status, response.body) == (200, None)


def test_short_options_stand_two_by_two_and_long_ones_each_alone() -> None:
    short = rendered(Reply("?", options=(Option("a", "同意"), Option("b", "不同意"), Option("c", "晚点问我"))))
    assert short["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "同意", "callback_data": "a"}, {"text": "不同意", "callback_data": "b"}],
            [{"text": "晚点问我", "callback_data": "c"}],
        ]
    }
    long = rendered(Reply("?", options=(Option("a", "同意"), Option("b", "我想先和家里人商量一下"))))
    assert [len(row) for row in long["reply_markup"]["inline_keyboard"]] == [1, 1]


def test_what_cannot_be_a_button_stands_as_a_number_in_the_text() -> None:
    shown = rendered(Reply("选", options=(Option("a", "甲"), Option("x" * 65, "乙"), Option("", "丙"))))
    assert shown["text"] == "选\n\n2. 乙\n3. 丙"
    assert shown["reply_markup"] == {"inline_keyboard": [[{"text": "甲", "callback_data": "a"}]]}
    many = rendered(Reply("选", options=tuple(Option(str(n), f"第{n}项") for n in range(1, 103))))
    assert many["text"] == "选\n\n101. 第101项\n102. 第102项"
    assert sum(map(len, many["reply_markup"]["inline_keyboard"])) == FEATURES.max_options


def test_labels_are_one_line_and_bounded_and_never_empty() -> None:
    rows = rendered(Reply("?", options=(Option("a", "一\n二"), Option("b", "长" * 99), Option("c", " "))))
    labels = [row[0]["text"] for row in rows["reply_markup"]["inline_keyboard"]]
    assert labels == ["一 二", "长" * 63 + "…", "3"]


def test_a_public_page_is_a_button_and_a_local_one_stands_in_the_text() -> None:
    public = rendered(Reply("看", links=(Link("https://nuanyang.example.org/p/x", "打开"),)))
    assert public["reply_markup"] == {
        "inline_keyboard": [[{"text": "打开", "url": "https://nuanyang.example.org/p/x"}]]
    }
    local = rendered(Reply("看", links=(Link("http://127.0.0.1:8080/p/x", "打开"),)))
    assert local["text"] == "看\n\n打开：http://127.0.0.1:8080/p/x"
    assert "reply_markup" not in local


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://nuanyang.example.org/p/x", True),
        ("http://gd.example.cn", True),
        ("https://8.8.8.8/", True),
        ("http://localhost:8080/", False),
        ("http://LOCALHOST./", False),
        ("http://10.0.0.5/", False),
        ("http://192.168.1.2/", False),
        ("http://[::1]/", False),
        ("http://box.local/", False),
        ("http://box/", False),
        ("ftp://example.org/", False),
        ("javascript:alert(1)", False),
        ("https://[bad/", False),
        ("", False),
    ],
)
def test_a_url_button_needs_an_address_the_whole_net_can_reach(url: str, public: bool) -> None:
    assert is_public_url(url) is public


def test_asking_for_a_place_shows_the_share_button_and_types_the_other_options() -> None:
    reply = Reply(
        "你在哪个区？", (Option("a", "广州天河"), Option("b", "别的")), (Link("https://a.example.org", "地图"),), True
    )
    shown = rendered(reply)
    assert shown["text"] == "你在哪个区？\n\n地图：https://a.example.org"
    assert shown["reply_markup"] == {
        "keyboard": [[{"text": SHARE_LOCATION, "request_location": True}], [{"text": "广州天河"}], [{"text": "别的"}]],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }


def test_a_long_text_is_cut_at_the_end_of_a_line_and_says_so() -> None:
    text = "\n".join(f"第 {n} 行：今天去看了小雨，一起画画。" for n in range(400))
    cut = show(Reply(text)).text
    assert utf16_length(cut) <= 4096
    *lines, note = cut.split("\n")
    assert note == CUT_NOTE
    assert lines == text.split("\n")[: len(lines)]
    assert len(lines) > 180


@pytest.mark.parametrize("sign", ["字", "👋", "a"])
def test_length_is_counted_as_telegram_counts_and_links_survive_the_cut(sign: str) -> None:
    assert show(Reply(sign * (4096 // utf16_length(sign)))).text == sign * (4096 // utf16_length(sign))
    cut = show(Reply(sign * 9000, links=(Link("http://127.0.0.1/p/x", "打开"),))).text
    assert cut.endswith(f"{CUT_NOTE}\n\n打开：http://127.0.0.1/p/x")
    assert 4090 <= utf16_length(cut) <= 4096
    cut.encode()


def test_a_reply_without_words_still_says_something() -> None:
    assert show(Reply(" ", options=(Option("a", "好"),))).text == "请选择："
    assert show(Reply("")).text
    assert show(Reply("坏\ud800\x00字")).text == "坏\ufffd字"
