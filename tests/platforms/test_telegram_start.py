"""How a Telegram account starts: the webhook put up or not, or polling begun; and how it ends."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.platforms.telegram import Telegram
from bot.platforms.telegram_polling import Pause
from config.settings import TelegramAccount
from handlers.message import Inbound
from tests.platforms.telegram_server import HTML, RAW_CHOICE, SENT, TOKEN, TOKEN_SECRET, BotApi, says, telegram, until
from tests.platforms.telegram_server import api as api
from tests.platforms.telegram_server import server as server


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
