"""The played WeChat API: tokens, wrong calls, quotas and faults with WeChat's own numbers."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest

from bot.sandbox.wechat_limits import WeChatLimits
from tests.sandbox.wechat_calls import ASK, code, text


async def test_the_token_stays_the_same_until_it_is_forced(play: Any) -> None:
    async with play(wechat=WeChatLimits(force_pause=0)) as ground:
        first = await ground.wx("stable_token", ASK)
        assert first["expires_in"] in (7199, 7200)
        assert (await ground.wx("stable_token", ASK))["access_token"] == first["access_token"]
        forced = await ground.wx("stable_token", ASK | {"force_refresh": True})
        assert forced["access_token"] != first["access_token"]
        assert await code(ground, "menu/get", token=first["access_token"]) == 40001
        assert await code(ground, "menu/get", token=forced["access_token"]) == 46003


async def test_forcing_again_within_half_a_minute_does_not_refresh(play: Any) -> None:
    async with play() as ground:
        first = await ground.wx("stable_token", ASK | {"force_refresh": True})
        again = await ground.wx("stable_token", ASK | {"force_refresh": True})
        assert again["access_token"] == first["access_token"]


async def test_a_token_ends_and_a_missing_or_foreign_one_is_refused(play: Any) -> None:
    async with play(wechat=WeChatLimits(token_life=1, token_overlap=0)) as ground:
        token = (await ground.wx("stable_token", ASK))["access_token"]
        assert await code(ground, "menu/get", token=token) == 46003
        assert await code(ground, "menu/get", token="") == 41001
        assert await code(ground, "menu/get", token="80_foreign") == 40001
        ends = time.monotonic() + 1.05
        while time.monotonic() < ends:
            await ground.get("/state")
        assert await code(ground, "menu/get", token=token) == 42001


async def test_the_old_token_still_works_for_a_while_after_an_ordinary_renewal(play: Any) -> None:
    async with play(wechat=WeChatLimits(token_life=100, token_overlap=100)) as ground:
        first = (await ground.wx("stable_token", ASK))["access_token"]
        second = (await ground.wx("stable_token", ASK))["access_token"]
        assert first != second
        assert await code(ground, "menu/get", token=first) == 46003


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"grant_type": "x"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"appid": "wx1"}, 40013),
        ({"secret": "no"}, 40125),
    ],
)
async def test_a_wrong_credential_is_named(play: Any, change: dict[str, str], errcode: int) -> None:
    async with play() as ground:
        assert await code(ground, "stable_token", ASK | change) == errcode


async def test_wrong_method_path_and_body_are_refused_under_http_200(play: Any) -> None:
    async with play() as ground:
        assert await code(ground, "message/custom/send") == 43002
        assert await code(ground, "menu/get", {}) == 43001
        assert await code(ground, "no/such/thing", {}) == 40066
        assert await code(ground, "menu/create", ["not", "an", "object"]) == 47001
        assert await code(ground, "menu/create", {"button": "x" * 70_000}) == 45002


async def test_the_day_quota_ends_with_the_day_of_the_programme_clock(play: Any) -> None:
    async with play(wechat=WeChatLimits(daily={"message/template/send": 2})) as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "template_id": "T", "data": {"thing1": {"value": "探访"}}}
        codes = [await code(ground, "message/template/send", body) for _ in range(3)]
        assert codes == [0, 0, 45009]
        await ground.clock.advance(86_400)
        assert await code(ground, "message/template/send", body) == 0


async def test_faults_hit_the_next_calls_and_the_work_of_a_dropped_one_is_done(play: Any) -> None:
    async with play(slow=0.3) as ground:
        await ground.follow()
        openid = await ground.openid()
        await ground.wx("tags/get")
        url = f"{ground.base}/sandbox/wechat-api/cgi-bin/message/custom/send"
        params = {"access_token": ground.token}
        assert (await ground.post("/faults", {"platform": "wechat", "kind": "5xx", "times": 1}))[0] == 200
        async with ground.http.post(url, params=params, json=text(openid, "一")) as response:
            assert (response.status, response.content_type) == (502, "text/html")
        await ground.post("/faults", {"platform": "wechat", "kind": "drop", "times": 1})
        with pytest.raises(aiohttp.ClientError):
            await ground.http.post(url, params=params, json=text(openid, "二"))
        await ground.post("/faults", {"platform": "wechat", "kind": "slow", "times": 1})
        with pytest.raises(TimeoutError):
            await ground.http.post(
                url, params=params, json=text(openid, "三"), timeout=aiohttp.ClientTimeout(total=0.1)
            )
        assert await code(ground, "message/custom/send", text(openid, "四")) == 0
        assert [m["text"] for m in await ground.chat("wechat") if m["via"] == "客服"] == ["二", "三", "四"]
