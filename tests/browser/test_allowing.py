"""A person of the real sandbox allows one message, with the fingers: 开通提醒, the link, 允许."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.screen import Screen
from tests.commanding import free_port, started, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Served:
    """Where the real sandbox is, for a Screen."""

    def __init__(self, base: str) -> None:
        self.base = base


async def test_wechats_own_page_opens_on_the_phone_and_leads_back(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with started(tmp_path, "run", "--port", str(port)) as process:
        await asyncio.to_thread(wait_for, f"{base}/readyz")
        context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        context.set_default_timeout(10_000)
        screen = Screen(await context.new_page(), Served(base))  # type: ignore[arg-type]
        await screen.open()
        phone = screen.phone(1)
        await phone.get_by_role("button", name="关注公众号").click()
        await expect(screen.bubbles(1).last).to_contain_text("报名")
        await screen.send(1, "开通提醒")
        link = phone.locator(".log").get_by_role("link", name="开通提醒")
        for choice, heading in (("取消", "没有开通"), ("允许", "开通了")):
            await link.click()
            frame = phone.locator(".page-sheet").frame_locator("iframe")
            await expect(frame.get_by_role("heading")).to_have_text("订阅消息")
            await frame.get_by_role("button", name=choice).click()
            await expect(frame.get_by_role("heading")).to_have_text(heading)
            await phone.get_by_role("dialog", name="网页").get_by_role("button", name="关闭").click()
            await expect(phone.locator(".page-sheet")).to_have_count(0)
        assert screen.complaints == []
        await context.close()
        process.terminate()
        await asyncio.to_thread(process.communicate, timeout=15)
