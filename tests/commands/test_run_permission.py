"""In the sandbox a person allows one message, as on a real phone, and it brings a notice when nothing else would."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from bot.sandbox.wechat_pages import COOKIE
from tests.commanding import free_port, nuanyang, started, wait_for

LINK = re.compile(r'<a href="([^"]+/allow)"')


class Phone:
    """p1's WeChat phone, as the page of the sandbox works it."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base, self.http = base, http

    async def messages(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.base}/sandbox/api/chats/wechat/p1") as answer:
            return list((await answer.json())["messages"])

    async def until(self, shown: Callable[[list[dict[str, Any]]], Any]) -> Any:
        ends = time.monotonic() + 20
        while not (found := shown(await self.messages())):
            assert time.monotonic() < ends, await self.messages()
            await asyncio.sleep(0.05)
        return found

    async def act(self, **body: Any) -> str:
        """Returns the account's answer, with its links."""
        before = sum(message["from"] == "bot" for message in await self.messages())
        async with self.http.post(f"{self.base}/sandbox/api/chats/wechat/p1/act", json=body) as answer:
            assert answer.status == 202, await answer.text()

        def answered(messages: list[dict[str, Any]]) -> str:
            said = [message for message in messages if message["from"] == "bot"][before:]
            return said[0].get("entities_html") or said[0]["text"] if said else ""

        return str(await self.until(answered))

    async def say(self, *lines: str) -> str:
        return [await self.act(do="text", text=line) for line in lines][-1]

    async def go(self, seconds: float) -> None:
        body = {"advance_seconds": int(seconds)}
        async with self.http.post(f"{self.base}/sandbox/api/clock", json=body) as answer:
            assert answer.status == 200


@asynccontextmanager
async def sandbox(folder: Path) -> AsyncIterator[Phone]:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with started(folder, "run", "--port", str(port)) as process:
        await asyncio.to_thread(wait_for, f"{base}/readyz")
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=30)) as http:
            yield Phone(base, http)
        process.terminate()
        await asyncio.to_thread(process.communicate, timeout=15)


async def chosen(phone: Phone, link: str, choice: str) -> tuple[int, str]:
    """Open the link on the phone, press 允许 or 取消, and read the page that comes after."""
    owner = {"Cookie": f"{COOKIE}=p1"}
    async with phone.http.get(link) as stranger:
        assert stranger.status == 403 and "请在微信客户端打开链接" in await stranger.text()
    async with phone.http.get(link, headers=owner) as page:
        assert page.status == 200 and "允许" in await page.text()
        at = page.url
    async with phone.http.post(at, data={"choice": choice}, headers=owner) as end:
        assert str(end.url).startswith(f"{phone.base}/p/")
        return end.status, await end.text()


@pytest.mark.long  # half a minute, mostly three starts; tests/browser/test_allowing.py goes the way on the page
async def test_one_message_that_was_allowed_arrives_when_the_window_is_closed(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as phone:
        await phone.act(do="follow")
        text = await phone.say("报名", "同意", "林小满", "13800138000", "2000-08-13", "广州天河", "提交")
        number = re.findall(r"编号：(\d+)", text)[0]
        offer = await phone.say("开通提醒")
        assert LINK.findall(offer), offer
        link = html.unescape(LINK.findall(offer)[0])
        status, page = await chosen(phone, link, "cancel")
        assert status == 200 and "没有开通" in page
        status, page = await chosen(phone, link, "confirm")
        assert status == 200 and "可以关掉这一页了" in page
        assert "已经开通了" in await phone.say("开通提醒")

        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        noon = (now + timedelta(days=4)).replace(hour=12, minute=0)  # no quiet hours, whenever this test runs
        await phone.go((noon - now).total_seconds())
        given = await asyncio.to_thread(nuanyang, tmp_path, "grant", number, "organiser", "--region", "44", "--first")
        assert given.returncode == 0, given.stderr

        def by_permission(messages: list[dict[str, Any]]) -> list[str]:
            return [message["text"] for message in messages if message["via"] == "订阅"]

        (card,) = await phone.until(by_permission)
        assert card.startswith("职责有变动") and "回复任意内容就能看到" in card
        told = await asyncio.to_thread(nuanyang, tmp_path, "why", number)
        assert "一次性订阅消息" in told.stdout, told.stdout
        assert LINK.findall(await phone.say("开通提醒")), "used up, it can be allowed again"
