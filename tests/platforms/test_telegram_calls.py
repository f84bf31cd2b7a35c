"""Calls to the Bot API, against a server of this machine that answers in every bad way there is."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
import structlog
from aiohttp.test_utils import unused_port

from bot.platforms.base import Outcome
from bot.platforms.telegram import Telegram
from bot.platforms.telegram_request import refusal
from handlers.message import Link, Option, Reply
from tests.platforms.accidents import Answer, hangs, resets, trickles, truncates
from tests.platforms.telegram_server import (
    HTML,
    SENT,
    TOKEN,
    TOKEN_SECRET,
    BotApi,
    refuses,
    says,
    send,
    telegram,
    until,
)
from tests.platforms.telegram_server import api as api
from tests.platforms.telegram_server import platform as platform
from tests.platforms.telegram_server import server as server


async def test_a_message_is_sent_plain_with_its_buttons(platform: Telegram, api: BotApi) -> None:
    outcome = await send(platform, "<b>好</b>", options=(Option("id", "同意"),))
    assert outcome == Outcome("sent", code="200", reference="77")
    [(method, form)] = api.calls
    assert method == "sendMessage"
    assert {"chat_id": "1001", "text": "<b>好</b>"}.items() <= form.items()
    assert "parse_mode" not in form
    assert json.loads(form["link_preview_options"]) == {"is_disabled": True}
    assert json.loads(form["reply_markup"]) == {"inline_keyboard": [[{"text": "同意", "callback_data": "id"}]]}


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
    "401": (refuses(401, "Unauthorized"), Outcome("stopped", "401", ask_first=True)),
    "404": (refuses(404, "Not Found"), Outcome("stopped", "401", ask_first=True)),
    "409": (refuses(409, "Conflict: terminated by other getUpdates"), Outcome("stopped", "409", ask_first=True)),
    "429 without a time": (refuses(429, "Too Many Requests"), Outcome("retry", "429", 5.0)),
    "429 html": (says(429, raw=HTML, kind="text/html"), Outcome("retry", "429", 5.0)),
    "429 for ever": (refuses(429, "x", retry_after=10**400), Outcome("retry", "429", 86_400.0)),
    "429 NaN": (refuses(429, "x", retry_after=float("nan")), Outcome("retry", "429", 5.0)),
    "429 list": (refuses(429, "x", retry_after=[]), Outcome("retry", "429", 5.0)),
    "429 parameters list": (says(429, {"ok": False, "parameters": [1]}), Outcome("retry", "429", 5.0)),
    "reset": (resets, Outcome("uncertain", "connection-lost")),
    "truncated": (truncates(b'{"ok":true,"result":{"message_id":77,'), Outcome("uncertain", "connection-lost")),
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


async def test_hanging_calls_keep_no_other_from_leaving(platform: Telegram, api: BotApi) -> None:
    api.answers["sendMessage"] = hangs
    hanging = [asyncio.create_task(send(platform, seconds=1.0)) for _ in range(120)]
    await until(lambda: len(api.calls) == 120)
    del api.answers["sendMessage"]
    assert (await send(platform, seconds=0.5)).name == "sent"
    assert {(await call).name for call in hanging} == {"uncertain"}


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


async def test_a_refused_bot_is_asked_by_a_call_that_nobody_sees(platform: Telegram, api: BotApi) -> None:
    api.answers["getMe"] = refuses(401, "Unauthorized")
    deadline = asyncio.get_running_loop().time() + 2
    assert (await platform.probe(deadline=deadline)).ask_first
    api.answers["getMe"] = says(200, {"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "played"}})
    assert await platform.probe(deadline=deadline) == Outcome("sent", "200")
    assert [method for method, _form in api.calls] == ["getMe", "getMe"]
    api.answers["getMe"] = hangs
    assert (await platform.probe(deadline=asyncio.get_running_loop().time() + 0.1)).name == "uncertain"
