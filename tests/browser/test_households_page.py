"""The page of 一户不落 in a real browser: on a phone and on a wide screen, for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import aiohttp_jinja2
import jinja2
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from bot.page_views import View, render
from bot.pages import style
from handlers.household_page import Group, Row, Sheet
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Served:
    """Where the page is, for a Screen."""

    def __init__(self, base: str) -> None:
        self.base = base


def _row(number: int, **cells: object) -> Row:
    due = date(2026, 11, 22) + timedelta(days=number)
    usual = {
        "name": f"测甲{'乙丙丁戊己'[number % 5]}",
        "town": "五山街道",
        "who": "志愿者 1234567897（团队：暖阳大学生青年志愿者协会）",
        "notes": (),
        "contact": ("第一次见面", "2026-11-22"),
        "agreed": "约定一年 12 次，记录还没有开始",
        "due": ("约定到期", str(due)),
        "why": "",
    }
    return Row(**usual | cells)  # type: ignore[arg-type]


SHEET = Sheet(
    "广东省广州市天河区",
    2_345,
    345,
    (
        Group(
            "nobody",
            "家里同意了，还没有人",
            (_row(1, who="你（区县负责人）", due=("", ""), why="上次找人没有找到合适的"),),
        ),
        Group("relay", "正在换人", (_row(2, notes=("现在消息送不到负责的人，请打电话", "结对的人要离开")),)),
        Group("paired", "有人结对", tuple(_row(number) for number in range(3, 9))),
    ),
)


async def _none(_request: web.Request) -> web.Response:
    return web.Response(status=204)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Screen]:
    async def show(request: web.Request) -> web.Response:
        return await render(
            request, View("households.html", 200, request.query["lang"], {"sheet": SHEET, "shown": True})
        )

    app = web.Application()
    aiohttp_jinja2.setup(app, loader=jinja2.PackageLoader("bot", "templates"), autoescape=True)
    app.router.add_get("/p/style.css", style)
    app.router.add_get("/p/page", show)
    app.router.add_get("/favicon.ico", _none)
    async with TestServer(app) as server:
        context = await browser.new_context(locale="zh-CN")
        context.set_default_timeout(10_000)
        made = Screen(await context.new_page(), Served(str(server.make_url("")).rstrip("/")))  # type: ignore[arg-type]
        yield made
        await context.close()
        assert made.complaints == []


@pytest.mark.parametrize("lang", ["zh_CN", "en"])
@pytest.mark.parametrize("width", [375, 1280])
async def test_it_fits_the_screen_and_axe_finds_nothing_wrong(page: Screen, width: int, lang: str) -> None:
    await page.size(width, 800)
    await page.page.goto(f"{page.fake.base}/p/page?lang={lang}")
    assert await page.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert await page.axe() == []
    # A table stays one where it is laid out as cards, and says what its cells are.
    assert await page.page.get_by_role("table").count() == 3
    assert await page.page.get_by_role("rowheader").count() == 8
    assert await page.page.get_by_role("columnheader").count() == 21


async def test_the_groups_are_reached_by_their_links(page: Screen) -> None:
    await page.size(375, 800)
    await page.page.goto(f"{page.fake.base}/p/page?lang=zh_CN")
    await page.page.get_by_role("link", name="有人结对：6 人").click()
    assert await page.page.evaluate("document.getElementById('paired').getBoundingClientRect().top < 100")
