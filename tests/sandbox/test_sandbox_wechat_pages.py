"""WeChat's own page for a 一次性订阅消息, as the sandbox plays it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.wechat_pages import COOKIE
from tests.sandbox.conftest import APPID


@pytest.mark.parametrize(
    "change",
    [
        {"action": "x"},
        {"appid": "wx0"},
        {"scene": "10001"},
        {"scene": "-1"},
        {"template_id": "有"},
        {"redirect_url": "https://example.org/p/x"},
        {"redirect_url": "BASE.example.org/p/x"},
        {"reserved": "a-b"},
        {"reserved": "a" * 129},
    ],
)
async def test_the_played_page_refuses_what_wechat_refuses(play: Any, change: dict[str, str]) -> None:
    async with play() as ground:
        await ground.follow()
        good = {
            "action": "get_confirm",
            "appid": APPID,
            "scene": "1000",
            "template_id": "once",
            "redirect_url": f"{ground.base}/p/x/allowed",
            "reserved": "a1",
        }
        url = f"{ground.base}/sandbox/wechat-pages/mp/subscribemsg"
        owner = {"Cookie": f"{COOKIE}=p1"}
        async with ground.http.get(url, params=good, headers=owner) as page:
            assert page.status == 200
        wrong = good | {name: value.replace("BASE", ground.base) for name, value in change.items()}
        for method in ("GET", "POST"):
            body = {"choice": "confirm"} if method == "POST" else None
            async with ground.http.request(method, url, params=wrong, data=body, headers=owner) as page:
                assert page.status == 400
        assert ground.sandbox.phones.memory.wechat.grants == {}


async def test_of_one_scene_one_permission_counts_however_often_it_is_allowed(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        for _time in range(2):
            await ground.act("wechat", do="grant", scene=1000)
        assert ground.sandbox.phones.memory.wechat.grants == {"p1": ["scene:1000"]}
