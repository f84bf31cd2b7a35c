"""How a message to WeChat ends: every errcode, every answer that is none, every accident on the way."""

from __future__ import annotations

import time

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from bot.platforms import wechat_api
from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from tests.platforms.accidents import Answer, hangs, resets, trickles, truncates
from tests.platforms.wechat_player import settings
from tests.platforms.wechat_server import SEND, Api, sent
from tests.platforms.wechat_server import account as account
from tests.platforms.wechat_server import api as api
from tests.platforms.wechat_server import http as http


@pytest.mark.parametrize(
    ("code", "name", "whole_account"),
    [
        (-1, "retry", False),
        (40003, "left", False),
        (43004, "left", False),
        (50005, "left", False),
        (43019, "left", False),
        (48002, "left", False),
        (43101, "closed", False),
        (45015, "closed", False),
        (45047, "closed", False),
        (45009, "closed", False),  # this API's calls of today: the others go on
        (45011, "retry", True),
        (45065, "sent", False),
        (48001, "stopped", True),
        (48004, "stopped", True),
        (50002, "stopped", True),
        (40164, "stopped", True),
        (45002, "refused", False),
        (40037, "refused", False),
        (99999, "refused", False),
    ],
)
async def test_each_errcode_has_its_outcome(
    api: Api, account: WeChat, code: int, name: str, whole_account: bool
) -> None:
    api.answers(SEND, {"errcode": code, "errmsg": "something rid: 6-1-2"})
    outcome = await sent(account)
    assert (outcome.name, outcome.whole_account, outcome.code) == (name, whole_account, str(code))
    assert (outcome.retry_after > 0) == (name == "retry")
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"<html>502 Bad Gateway</html>", 502, "uncertain"),
        (b"", 500, "uncertain"),
        (b"<html>login</html>", 200, "uncertain"),
        (b"", 200, "uncertain"),
        (b"[]", 200, "uncertain"),
        (b"{}", 200, "uncertain"),
        (b"null", 200, "uncertain"),
        (b'{"errmsg":"ok"}', 200, "uncertain"),
        (b'{"errcode":"0","errmsg":"ok"}', 200, "uncertain"),
        (b'{"errcode":"45015"}', 200, "uncertain"),
        (b'{"errcode":false}', 200, "uncertain"),
        (b'{"errcode":null}', 200, "uncertain"),
        (b'{"errcode":0.0}', 200, "uncertain"),
        (b'{"errcode":0,"errm', 200, "uncertain"),
        (b"[" * 100_000, 200, "uncertain"),
        (b'{"errcode":0,"x":"' + b"x" * 2_000_000 + b'"}', 200, "uncertain"),
        (b"\xff\xfe", 200, "uncertain"),
        (b"", 302, "retry"),
        (b"", 400, "refused"),
        (b"", 403, "stopped"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_an_answer_that_is_no_answer_is_never_called_sent(
    api: Api, account: WeChat, body: bytes, status: int, name: str
) -> None:
    api.answers(SEND, body, status=status)
    assert (await sent(account)).name == name
    assert len(api.calls) == 1


@pytest.mark.parametrize(("said", "believed"), [("1", 1), ("900", 900), ("86400", 900), ("soon", 60), ("nan", 60)])
async def test_too_many_requests_are_paused_for_as_long_as_the_platform_says(
    api: Api, account: WeChat, said: str, believed: float
) -> None:
    api.answers(SEND, b"", status=429, headers={"Retry-After": said})
    assert await sent(account) == Outcome("retry", "http429", retry_after=believed, whole_account=True)


HALF = truncates(b'{"errcode":0}')


@pytest.mark.parametrize("behaviour", [hangs, resets, HALF, trickles], ids=["hang", "reset", "truncate", "drip"])
async def test_an_answer_that_does_not_come_leaves_the_message_uncertain(
    api: Api, account: WeChat, behaviour: Answer
) -> None:
    assert (await sent(account)).name == "sent"
    api.behaviours[SEND] = behaviour
    began = time.monotonic()
    assert (await sent(account, within=1.0)).name == "uncertain"
    assert time.monotonic() - began < 4
    assert len(api.calls) == 2


async def test_no_call_outlasts_ten_seconds_whatever_the_deadline(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wechat_api.LONGEST == 10.0
    assert (await sent(account)).name == "sent"  # the token is there, and the time is the call's own
    monkeypatch.setattr(wechat_api, "LONGEST", 1.0)
    api.behaviours[SEND] = hangs
    began = time.monotonic()
    assert (await sent(account, within=3600)).name == "uncertain"
    assert time.monotonic() - began < 4


async def test_a_deadline_that_has_passed_sends_nothing(api: Api, account: WeChat) -> None:
    assert (await sent(account)).name == "sent"
    assert (await sent(account, within=-1)).name == "retry"
    assert len(api.calls) == 1


async def test_without_a_connection_nothing_was_sent(api: Api, http: aiohttp.ClientSession) -> None:
    account = WeChat("gd", settings(api_base=f"http://127.0.0.1:{unused_port()}"), http)
    outcome = await sent(account)
    assert (outcome.name, outcome.whole_account) == ("retry", True)
    assert outcome.code.startswith("token connect")


async def test_a_connection_lost_after_the_token_was_fetched_sends_nothing(
    api: Api, account: WeChat, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await sent(account)).name == "sent"
    nowhere = settings(api_base=f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr(account.api, "_settings", nowhere)
    assert (await sent(account)).name == "retry"
