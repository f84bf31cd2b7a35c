"""The token of WeChat's API: fetched once, renewed in time, and never asked for more than is allowed."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from bot.platforms import wechat_api, wechat_token
from bot.platforms.wechat import WeChat
from tests.platforms.accidents import hangs, resets
from tests.platforms.wechat_server import SEND, Api, sent
from tests.platforms.wechat_server import account as account
from tests.platforms.wechat_server import api as api
from tests.platforms.wechat_server import http as http


async def test_a_token_taken_away_by_another_copy_is_fetched_again_without_force(api: Api, account: WeChat) -> None:
    await sent(account)
    api.token = "ANOTHER-COPY"
    assert (await sent(account)).name == "sent"
    assert (api.asked_for_token, api.forced, len(api.calls)) == (2, 0, 3)


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_lasting_refusal_of_the_token_costs_two_refreshes_and_then_pauses_the_account(
    api: Api, account: WeChat, code: int
) -> None:
    api.answers(SEND, {"errcode": code, "errmsg": "invalid credential"})
    outcomes = await asyncio.gather(*(sent(account) for _ in range(100)))
    for _ in range(100):
        outcomes.append(await sent(account))
    assert {outcome.name for outcome in outcomes} == {"retry"}
    assert all(outcome.whole_account and outcome.retry_after > 0 for outcome in outcomes)
    assert api.asked_for_token <= 2
    assert len(api.calls) <= 200


async def test_a_token_that_worked_and_is_then_refused_for_ever_costs_two_refreshes(api: Api, account: WeChat) -> None:
    await sent(account)
    before = api.asked_for_token
    api.answers(SEND, {"errcode": 40001, "errmsg": "invalid credential"})
    for _ in range(50):
        began = len(api.calls)
        assert (await sent(account)).name == "retry"
        assert len(api.calls) - began <= 3
    assert api.asked_for_token - before == 2
    assert api.forced == 1


async def test_after_the_pause_a_refused_account_works_again(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_token, "REFUSED_PAUSE", 0.2)
    api.answers(SEND, {"errcode": 40001})
    assert 0 < (await sent(account)).retry_after <= 0.2
    del api.behaviours[SEND]
    assert (await sent(account)).name == "retry"
    await asyncio.sleep(0.25)
    assert (await sent(account)).name == "sent"


async def test_a_hundred_messages_at_once_fetch_one_token(api: Api, account: WeChat) -> None:
    outcomes = await asyncio.gather(*(sent(account) for _ in range(100)))
    assert {outcome.name for outcome in outcomes} == {"sent"}
    assert api.asked_for_token == 1


async def test_a_token_is_renewed_five_minutes_early_and_the_old_one_serves_meanwhile(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent(account)
    loop = asyncio.get_running_loop()
    late = loop.time() + 7200 - 299
    monkeypatch.setattr(wechat_token.Token, "_now", staticmethod(lambda: late))
    api.token_behaviour = resets
    assert (await sent(account)).name == "sent", "the old token is still good"
    assert (await sent(account)).name == "sent"
    assert api.asked_for_token == 2, "and a failed renewal is not repeated at every message"
    monkeypatch.setattr(wechat_token.Token, "_now", staticmethod(lambda: late + 300))
    api.token_behaviour = None
    assert (await sent(account)).name == "sent"
    assert api.asked_for_token == 3


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"errcode": 40013, "errmsg": "invalid appid"}, "stopped"),
        ({"errcode": 40125, "errmsg": "invalid appsecret"}, "stopped"),
        ({"errcode": 40001, "errmsg": "invalid credential"}, "stopped"),
        ({"errcode": 40164, "errmsg": "invalid ip"}, "stopped"),
        ({"errcode": -1, "errmsg": "system error"}, "retry"),
        ({"errcode": 45011, "errmsg": "api minute-quota reach limit"}, "retry"),
        ({"access_token": "", "expires_in": 7200}, "retry"),
        ({"access_token": "T"}, "retry"),
        ({"access_token": "T", "expires_in": "7200"}, "retry"),
        ([], "retry"),
        (b"<html>", "retry"),
    ],
    ids=str,
)
async def test_without_a_token_nothing_is_sent_and_the_reason_is_told(
    api: Api, account: WeChat, answer: object, name: str
) -> None:
    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=answer) if isinstance(answer, bytes) else web.json_response(answer)

    api.token_behaviour = give
    first, second = await sent(account), await sent(account)
    assert (first.name, first.whole_account, second.name) == (name, True, name)
    assert (api.asked_for_token, api.calls) == (1, [])


async def test_a_hanging_token_call_holds_nobody_longer_than_his_deadline(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_api, "TOKEN_LONGEST", 0.4)
    api.token_behaviour = hangs
    began = time.monotonic()
    outcomes = await asyncio.gather(*(sent(account, within=0.1) for _ in range(50)))
    assert {outcome.name for outcome in outcomes} == {"retry"}
    assert time.monotonic() - began < 0.4
    assert (await sent(account)).name == "retry"
    assert api.asked_for_token == 1
    assert api.calls == []


async def test_starting_fetches_the_token_and_stopping_cuts_a_hanging_fetch(api: Api, account: WeChat) -> None:
    async def receive(_inbound: object) -> None:
        raise AssertionError("WeChat comes in by the webhook only")

    api.token_behaviour = hangs
    await account.start(receive)
    await asyncio.sleep(0.05)
    assert api.asked_for_token == 1
    began = time.monotonic()
    await account.stop()
    assert time.monotonic() - began < 1


async def test_a_refused_account_is_asked_by_a_call_that_nobody_sees(api: Api, account: WeChat) -> None:
    refused = {"errcode": 40001, "errmsg": "invalid credential"}
    api.answers(SEND, refused)
    api.answers("tags/get", refused)
    assert (await sent(account)).ask_first
    calls = len(api.calls)
    deadline = asyncio.get_running_loop().time() + 2
    answer = await account.probe(deadline=deadline)
    assert (answer.ask_first, answer.code, len(api.calls)) == (True, "token 40001", calls), "the pause is kept"
    account.api._token._paused_until = 0.0
    assert (await account.probe(deadline=deadline)).ask_first
    assert {path for path, _body in api.calls[calls:]} == {"tags/get"}
    account.api._token._paused_until = 0.0
    api.behaviours.clear()
    api.answers("tags/get", {"tags": []})
    assert (await account.probe(deadline=deadline)).name == "sent"


async def test_a_message_that_met_no_token_says_that_it_was_not_called_for(api: Api, account: WeChat) -> None:
    api.answers(SEND, {"errcode": 40001, "errmsg": "invalid credential"})
    assert (await sent(account)).code == "40001", "it was called for"
    assert (await sent(account)).code == "token 40001", "it was not"
