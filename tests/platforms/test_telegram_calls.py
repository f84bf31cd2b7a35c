"""Calls to the Bot API, against a server of this machine that answers in every bad way there is."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from pydantic import SecretStr

from bot.platforms.base import Outcome
from bot.platforms.telegram import Telegram
from bot.platforms.telegram_polling import Pause
from bot.platforms.telegram_request import refusal
from config.settings import TelegramAccount
from handlers.message import Inbound, Link, MenuColumn, MenuEntry, Option, Reply

TOKEN_SECRET = "AbCdEf-GhIjKl"
TOKEN = f"123456:{TOKEN_SECRET}"
SENT = {"message_id": 77, "date": 1_790_000_000, "chat": {"id": 1001, "type": "private"}, "text": "好"}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BotApi:
    """Plays api.telegram.org. `answers` holds what a method does instead of going well; `calls` what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer] = {}
        self.stopped = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.match_info["token"] == TOKEN
        form = {name: str(value) for name, value in (await request.post()).items()}
        method = request.match_info["method"]
        self.calls.append((method, form))
        if method in self.answers:
            return await self.answers[method](request)
        return web.json_response({"ok": True, "result": SENT if method == "sendMessage" else True})

    def named(self, method: str) -> list[dict[str, Any]]:
        return [form for name, form in self.calls if name == method]


def says(status: int, body: Any = None, *, raw: bytes | None = None, kind: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        content = raw if raw is not None else json.dumps(body).encode()
        return web.Response(status=status, body=content, content_type=kind)

    return answer


def refuses(status: int, description: str, **parameters: Any) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return says(status, {**body, "parameters": parameters} if parameters else body)


async def resets(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncates(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "500"})
    await response.prepare(request)
    await response.write(b'{"ok":true,"result":{"message_id":77,')
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def trickles(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    yield BotApi()


@pytest.fixture
async def server(api: BotApi) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", api.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1, access_log=None)
    yield server
    await server.close()


def telegram(base: str, mode: str = "webhook", public_url: str = "") -> Telegram:
    account = TelegramAccount.model_validate({"token": TOKEN, "secret_token": "s3cret", "api_base": base, "mode": mode})
    return Telegram("gd", account, public_url, now=lambda: datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture
async def platform(server: TestServer) -> AsyncIterator[Telegram]:
    platform = telegram(str(server.make_url("")).rstrip("/"))
    yield platform
    await platform.stop()


async def send(platform: Telegram, text: str = "好", seconds: float = 2.0, **reply: Any) -> Outcome:
    deadline = asyncio.get_running_loop().time() + seconds
    return await platform.send("1001", Reply(text, **reply), key="k", deadline=deadline)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state
            await asyncio.sleep(0.01)


async def test_a_message_is_sent_plain_with_its_buttons(platform: Telegram, api: BotApi) -> None:
    outcome = await send(platform, "<b>好</b>", options=(Option("id", "同意"),))
    assert outcome == Outcome("sent", code="200", reference="77")
    [(method, form)] = api.calls
    assert method == "sendMessage"
    assert {"chat_id": "1001", "text": "<b>好</b>"}.items() <= form.items()
    assert "parse_mode" not in form
    assert json.loads(form["link_preview_options"]) == {"is_disabled": True}
    assert json.loads(form["reply_markup"]) == {"inline_keyboard": [[{"text": "同意", "callback_data": "id"}]]}


HTML = b"<html><title>502 Bad Gateway</title></html>"
OUTCOMES: dict[str, tuple[Answer, Outcome]] = {
    "500": (refuses(500, "Internal Server Error"), Outcome("uncertain", "500")),
    "500 list": (says(500, []), Outcome("uncertain", "500")),
    "502 html": (says(502, raw=HTML, kind="text/html"), Outcome("uncertain", "502")),
    "504 empty": (says(504, raw=b""), Outcome("uncertain", "504")),
    "408 html": (says(408, raw=HTML, kind="text/html"), Outcome("uncertain", "408")),
    "200 html": (says(200, raw=HTML, kind="text/html"), Outcome("uncertain", "200")),
    "200 empty": (says(200, raw=b""), Outcome("uncertain", "200")),
    "200 list": (says(200, []), Outcome("uncertain", "200")),
    "200 null": (says(200, None), Outcome("uncertain", "200")),
    "200 deep": (says(200, raw=b"[" * 100_000), Outcome("uncertain", "200")),
    "200 without ok": (says(200, {"result": SENT}), Outcome("uncertain", "200")),
    "200 ok as text": (says(200, {"ok": "true", "result": SENT}), Outcome("uncertain", "200")),
    "200 without result": (says(200, {"ok": True}), Outcome("uncertain", "200")),
    "200 result true": (says(200, {"ok": True, "result": True}), Outcome("uncertain", "200")),
    "200 result list": (says(200, {"ok": True, "result": []}), Outcome("uncertain", "200")),
    "200 result null": (says(200, {"ok": True, "result": None}), Outcome("uncertain", "200")),
    "200 half a message": (says(200, {"ok": True, "result": {"message_id": 7}}), Outcome("uncertain", "200")),
    "200 strange id": (says(200, {"ok": True, "result": {**SENT, "message_id": "x"}}), Outcome("uncertain", "200")),
    "200 too long": (says(200, raw=b" " * 5_000_000), Outcome("uncertain", "connection-lost")),
    "200 refusal": (
        says(200, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
        Outcome("left", "403"),
    ),
    "200 refusal without code": (says(200, {"ok": False}), Outcome("uncertain", "500")),
    "blocked": (refuses(403, "Forbidden: bot was blocked by the user"), Outcome("left", "403")),
    "deactivated": (refuses(403, "Forbidden: user is deactivated"), Outcome("left", "403")),
    "never started": (refuses(403, "Forbidden: bot can't initiate conversation with a user"), Outcome("left", "403")),
    "chat not found": (refuses(400, "Bad Request: chat not found"), Outcome("left", "400")),
    "too long": (refuses(400, "Bad Request: message is too long"), Outcome("refused", "400 message is too long")),
    "bad request": (refuses(400, "Bad Request: http://x/p/secret is no good"), Outcome("refused", "400")),
    "413": (refuses(413, "Request Entity Too Large"), Outcome("refused", "400")),
    "description as number": (says(400, {"ok": False, "description": 5}), Outcome("refused", "400")),
    "403 of a gateway": (says(403, raw=HTML, kind="text/html"), Outcome("retry", "not-sent", 5.0)),
    "redirect": (says(302, raw=b""), Outcome("retry", "not-sent", 5.0)),
    "migrated": (
        refuses(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100123),
        Outcome("retry", "migrated", reference="-100123"),
    ),
    "401": (refuses(401, "Unauthorized"), Outcome("stopped", "401")),
    "404": (refuses(404, "Not Found"), Outcome("stopped", "401")),
    "409": (refuses(409, "Conflict: terminated by other getUpdates"), Outcome("stopped", "409")),
    "429 without a time": (refuses(429, "Too Many Requests"), Outcome("retry", "429", 5.0)),
    "429 html": (says(429, raw=HTML, kind="text/html"), Outcome("retry", "429", 5.0)),
    "429 for ever": (refuses(429, "x", retry_after=10**400), Outcome("retry", "429", 86_400.0)),
    "429 NaN": (refuses(429, "x", retry_after=float("nan")), Outcome("retry", "429", 5.0)),
    "429 list": (refuses(429, "x", retry_after=[]), Outcome("retry", "429", 5.0)),
    "429 parameters list": (says(429, {"ok": False, "parameters": [1]}), Outcome("retry", "429", 5.0)),
    "reset": (resets, Outcome("uncertain", "connection-lost")),
    "truncated": (truncates, Outcome("uncertain", "connection-lost")),
}


@pytest.mark.parametrize("cell", OUTCOMES)
async def test_each_answer_has_its_outcome(platform: Telegram, api: BotApi, cell: str) -> None:
    answer, expected = OUTCOMES[cell]
    api.answers["sendMessage"] = answer
    assert await send(platform) == expected
    assert len(api.calls) == 1  # nothing is tried again behind the caller's back


@pytest.mark.parametrize("seconds", [1, 3, 35, 900])
async def test_a_flood_pause_is_told_in_seconds_and_for_this_chat(
    platform: Telegram, api: BotApi, seconds: int
) -> None:
    api.answers["sendMessage"] = refuses(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
    assert await send(platform) == Outcome("retry", "429", float(seconds), whole_account=False)


@pytest.mark.parametrize("answer", [hangs, trickles])
async def test_a_call_ends_at_its_deadline_and_is_uncertain(platform: Telegram, api: BotApi, answer: Answer) -> None:
    api.answers["sendMessage"] = answer
    started = time.monotonic()
    assert await send(platform, seconds=0.5) == Outcome("uncertain", "timeout")
    assert 0.4 < time.monotonic() - started < 1.5


async def test_no_call_lasts_longer_than_ten_seconds(
    platform: Telegram, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.telegram.CALL_SECONDS", 0.4)
    api.answers["sendMessage"] = hangs
    started = time.monotonic()
    assert (await send(platform, seconds=60)).name == "uncertain"
    assert time.monotonic() - started < 1.5


async def test_nothing_is_called_after_the_deadline(platform: Telegram, api: BotApi) -> None:
    assert await send(platform, seconds=-0.01) == Outcome("retry", "late")
    assert api.calls == []


async def test_a_refused_connection_was_certainly_not_sent() -> None:
    platform = telegram(f"http://127.0.0.1:{unused_port()}")
    assert await send(platform) == Outcome("retry", "not-sent", 5.0)
    await platform.stop()


async def test_a_name_that_resolves_to_nothing_was_certainly_not_sent() -> None:
    platform = telegram("http://nowhere.invalid:1")
    assert (await send(platform)).code == "not-sent"
    await platform.stop()


async def test_waiting_for_a_free_connection_was_certainly_not_sent(
    platform: Telegram, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.telegram_request._CONNECTIONS", 1)
    api.answers["sendMessage"] = hangs
    first = asyncio.create_task(send(platform, seconds=1.0))
    await until(lambda: api.calls)
    assert await send(platform, seconds=0.3) == Outcome("retry", "not-sent", 5.0)
    assert (await first).name == "uncertain"
    assert len(api.calls) == 1


async def test_a_stopped_account_sends_nothing_and_cuts_what_is_under_way(platform: Telegram, api: BotApi) -> None:
    api.answers["sendMessage"] = hangs
    call = asyncio.create_task(send(platform, seconds=8))
    await until(lambda: api.calls)
    started = time.monotonic()
    await platform.stop()
    assert (await call).name == "uncertain"
    assert time.monotonic() - started < 3
    assert (await send(platform)).code == "not-sent"
    assert len(api.calls) == 1


@pytest.mark.parametrize("sender", ["", "abc", "1 or 1", "１２", "9" * 40, "1.5"])
async def test_a_sender_that_is_no_chat_id_is_refused_without_a_call(
    platform: Telegram, api: BotApi, sender: str
) -> None:
    outcome = await platform.send(sender, Reply("好"), key="k", deadline=asyncio.get_running_loop().time() + 5)
    assert outcome == Outcome("refused", "chat-id")
    assert api.calls == []


async def test_the_token_is_in_no_exception_and_no_log(
    platform: Telegram, api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform = telegram(str(platform._settings.api_base))  # made while everything is logged
    with structlog.testing.capture_logs() as ours:
        for name, (answer, _) in OUTCOMES.items():
            api.answers["sendMessage"] = answer
            await send(platform, "一个秘密", links=(Link("http://127.0.0.1/p/onetime", "x"),))
            assert TOKEN_SECRET not in caplog.text, name
        for bad in ("http://127.0.0.1:1", "http://[::bad", "http://a b", "http://\x00", "http://x:99999"):
            broken = telegram("http://127.0.0.1:1")
            broken._base = bad
            try:
                await broken._request.call(f"{bad}/bot{TOKEN}/getUpdates", {}, 1.0)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text is the question
                chain = f"{error!r} {error} {error.__cause__!r} {error.__cause__} {error.__context__!r}"
                assert TOKEN_SECRET not in chain
            else:
                pytest.fail(f"{bad} was taken")
            await broken.stop()
    await platform.stop()
    for text in (caplog.text, repr(ours)):
        assert TOKEN_SECRET not in text
        assert "一个秘密" not in text
        assert "onetime" not in text


def test_a_refusal_by_status_alone_is_only_believed_from_telegram() -> None:
    assert type(refusal(403, None)).__name__ == "NotSentError"
    assert type(refusal(403, {"ok": False, "description": "Forbidden"})).__name__ == "Forbidden"


# Courtesies


CHOICE = Inbound("telegram", "gd", "1001", "9", "choice", datetime(2026, 11, 22, tzinfo=UTC), choice="abc")
RAW_CHOICE = json.dumps({"update_id": 9, "callback_query": {"id": "777", "data": "abc"}}).encode()
MENUS = {
    "volunteer": (
        MenuColumn("去服务", (MenuEntry("checkin", "签到签退"), MenuEntry("visit", "约探访"))),
        MenuColumn("找帮助", (MenuEntry("sos", "紧急求助"), MenuEntry("visit", "约探访"))),
    ),
    "volunteer@en": (MenuColumn("Serve", (MenuEntry("checkin", "Check in or out"),)),),
    "specialist": (MenuColumn("今天办", (MenuEntry("todo", "待办清单"),)),),
}


async def test_a_pressed_button_is_acknowledged_in_the_background(platform: Telegram, api: BotApi) -> None:
    api.answers["answerCallbackQuery"] = hangs
    started = time.monotonic()
    await platform.acknowledge(CHOICE, RAW_CHOICE)
    assert time.monotonic() - started < 0.5
    await until(lambda: api.named("answerCallbackQuery"))
    assert api.named("answerCallbackQuery") == [{"callback_query_id": "777"}]


async def test_words_need_no_acknowledgement_and_a_failed_one_is_no_matter(platform: Telegram, api: BotApi) -> None:
    await platform.acknowledge(Inbound("telegram", "gd", "1001", "9", "text", CHOICE.sent_at, text="x"), b"{}")
    api.answers["answerCallbackQuery"] = refuses(400, "Bad Request: query is too old")
    await platform.acknowledge(CHOICE, RAW_CHOICE)
    await until(lambda: not platform._background)
    assert len(api.calls) == 1


async def test_too_many_courtesies_are_skipped_not_piled_up(
    platform: Telegram, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.telegram._MAX_BACKGROUND", 2)
    for _ in range(5):
        await platform.acknowledge(CHOICE, RAW_CHOICE)
    assert len(platform._background) == 2
    await until(lambda: not platform._background)
    assert len(api.calls) == 2


async def test_the_menu_becomes_the_list_of_commands(platform: Telegram, api: BotApi) -> None:
    assert await platform.install_menu(MENUS) == Outcome("sent", "200")
    everybody, english = api.named("setMyCommands")
    assert json.loads(everybody["commands"]) == [
        {"command": "checkin", "description": "签到签退"},
        {"command": "visit", "description": "约探访"},
        {"command": "sos", "description": "紧急求助"},
    ]
    assert "language_code" not in everybody
    assert english["language_code"] == "en"
    [button] = api.named("setChatMenuButton")
    assert json.loads(button["menu_button"]) == {"type": "commands"}


async def test_a_reply_that_names_a_menu_puts_it_up_for_that_chat(platform: Telegram, api: BotApi) -> None:
    await platform.install_menu(MENUS)
    api.calls.clear()
    await send(platform, menu="specialist")
    await until(lambda: api.named("setMyCommands"))
    [form] = api.named("setMyCommands")
    assert json.loads(form["scope"]) == {"type": "chat", "chat_id": 1001}
    assert json.loads(form["commands"]) == [{"command": "todo", "description": "待办清单"}]
    await platform.acknowledge(CHOICE, RAW_CHOICE, Reply("好", menu="specialist"))
    await until(lambda: len(api.named("setMyCommands")) == 2)


async def test_a_menu_with_a_name_telegram_refuses_is_not_put_up(platform: Telegram, api: BotApi) -> None:
    bad = {"volunteer": (MenuColumn("x", (MenuEntry("Check-In", "签到"),)),)}
    assert await platform.install_menu(bad) == Outcome("refused", "command-name")
    assert api.calls == []
    api.answers["setMyCommands"] = refuses(401, "Unauthorized")
    assert (await platform.install_menu(MENUS)).name == "stopped"


# Beside


async def nobody(_: Inbound) -> None:
    pytest.fail("nothing was to be received")


async def test_the_webhook_is_set_in_the_background_until_it_succeeds(
    server: TestServer, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pause, "seconds", lambda self: 0.01)
    platform = telegram(str(server.make_url("")).rstrip("/"), public_url="https://nuanyang.example.org/")
    api.answers["setWebhook"] = says(502, raw=HTML, kind="text/html")
    started = time.monotonic()
    await platform.start(nobody)
    assert time.monotonic() - started < 0.5
    await until(lambda: len(api.named("setWebhook")) >= 3)
    del api.answers["setWebhook"]
    await until(lambda: not platform._background)
    form = api.named("setWebhook")[-1]
    assert form["url"] == "https://nuanyang.example.org/telegram/gd"
    assert form["secret_token"] == "s3cret"
    assert json.loads(form["allowed_updates"]) == ["message", "edited_message", "callback_query", "my_chat_member"]
    assert form["max_connections"] == "40"
    await platform.stop()


async def test_no_webhook_is_set_without_a_public_https_address(server: TestServer, api: BotApi) -> None:
    for public_url in ("", "http://bot.example.org"):
        platform = telegram(str(server.make_url("")).rstrip("/"), public_url=public_url)
        with structlog.testing.capture_logs() as logs:
            await platform.start(nobody)
        assert [entry["event"] for entry in logs] == ["telegram_webhook_not_set"]
        await asyncio.sleep(0.05)
        await platform.stop()
    assert api.calls == []


async def test_a_telegram_that_is_played_on_this_machine_is_no_reason_to_warn(server: TestServer, api: BotApi) -> None:
    platform = telegram(str(server.make_url("")).rstrip("/"), public_url="http://127.0.0.1:8080")
    with structlog.testing.capture_logs() as logs:
        await platform.start(nobody)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("telegram_played_here", "info")]
    await platform.stop()
    assert api.calls == []


async def test_a_local_address_is_no_webhook_for_the_real_telegram() -> None:
    platform = telegram("https://telegram.invalid", public_url="http://127.0.0.1:8080")
    with structlog.testing.capture_logs() as logs:
        await platform.start(nobody)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("telegram_webhook_not_set", "warning")]
    await platform.stop()


async def test_polling_gets_updates_over_http_and_stops_at_once(server: TestServer, api: BotApi) -> None:
    updates = [
        {"update_id": 30, "message": {**SENT, "from": {"id": 1001, "is_bot": False, "first_name": "林"}}},
        {"update_id": 31, "callback_query": {**json.loads(RAW_CHOICE)["callback_query"], "message": SENT}},
    ]
    updates[1]["callback_query"].update(
        {"from": {"id": 1001, "is_bot": False, "first_name": "林"}, "chat_instance": "1"}
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if "offset" in form:
            await asyncio.sleep(20)
        return web.json_response({"ok": True, "result": updates})

    api.answers["getUpdates"] = answer
    platform = telegram(str(server.make_url("")).rstrip("/"), mode="polling")
    received: list[Inbound] = []

    async def receive(inbound: Inbound) -> None:
        received.append(inbound)

    await platform.start(receive)
    await until(lambda: len(api.named("getUpdates")) == 2 and api.named("answerCallbackQuery"))
    assert [(inbound.key, inbound.kind) for inbound in received] == [("30", "text"), ("31", "choice")]
    assert api.calls[0][0] == "deleteWebhook"
    first, second = api.named("getUpdates")
    assert first["timeout"] == "25"
    assert second["offset"] == "32"
    assert api.named("answerCallbackQuery") == [{"callback_query_id": "777"}]
    started = time.monotonic()
    await platform.stop()
    assert time.monotonic() - started < 1.5


def test_the_account_is_built_from_settings_alone() -> None:
    account = TelegramAccount(token=SecretStr(TOKEN), secret_token=SecretStr("x"))
    platform = Telegram("gd", account, "https://nuanyang.example.org")
    assert (platform.name, platform.account, platform.features.sensitive_in_chat) == ("telegram", "gd", False)
    assert TOKEN_SECRET not in repr(platform)
