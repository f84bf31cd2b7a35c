"""A ledger is uploaded with a real browser, on a telephone's width and a desk's: every page of the way is usable."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from models.database import Database
from scheduler.jobs import finish_imports
from tests.browser.screen import AXE
from tests.ledger_files import as_csv, id_number, people, person
from tests.phones import Exchange, Stage
from tests.test_ledger_import import brought
from tests.uploading import organiser, page_for

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def base(database: Database, tmp_path: Path) -> AsyncIterator[str]:
    exchange = Exchange()
    await exchange.server.start_server()
    async with TestServer(Stage(database, tmp_path / "spool", exchange).app().web) as server:
        yield str(server.make_url("/")).rstrip("/")
    await exchange.server.close()


async def looked_at(page: Page, name: str) -> None:
    """Nothing for axe to find, nothing beyond the edge; with TEST_PICTURES a picture is kept."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, name
    if folder := os.environ.get("TEST_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)
    # The page may reload itself while it is looked at, so only those that stand are asked about.
    await page.evaluate(AXE)
    found = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], rules: {'color-contrast-enhanced': {enabled: false}}})"
    )
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == [], name


def ours(said: ConsoleMessage) -> bool:
    """A browser asks for a picture beside the address that no page of ours names."""
    return not said.location["url"].endswith("/favicon.ico")


@pytest.mark.parametrize("width", [375, pytest.param(1280, marks=pytest.mark.long)])
async def test_a_ledger_is_uploaded_taken_and_taken_back(
    browser: Browser, base: str, database: Database, tmp_path: Path, width: int
) -> None:
    boss = organiser(database)
    brought(database, people(40))
    at = page_for(boss)
    like = person(1, 残疾人证号=id_number(901) + "42")
    bad = [person(50 + number, 联系电话="12", 残疾人证号="4.4E+17") for number in range(25)]
    good, broken = tmp_path / "台账.csv", tmp_path / "图片.png"
    good.write_bytes(as_csv([like, person(2, 需求="法律援助"), *bad, *people(3, 80)]))
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    context = await browser.new_context(viewport={"width": width, "height": 812}, java_script_enabled=True)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" and ours(said) else None)
    await page.goto(base + at)
    await looked_at(page, f"{width}-1-form")
    await page.get_by_label("选择文件").set_input_files(broken)
    await page.get_by_role("button", name="上传并检查").click()
    await expect(page.get_by_role("alert")).to_contain_text("不是表格文件")
    await looked_at(page, f"{width}-2-refused")
    await page.get_by_label("选择文件").set_input_files(good)
    await page.get_by_role("button", name="上传并检查").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("检查好了，还没有收下")
    await looked_at(page, f"{width}-3-result")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="下载有问题的行").click()
    assert (await download.value).suggested_filename == "problems.xlsx"
    await page.get_by_role("textbox").fill("2")
    await page.get_by_label("文件确实是整本台账").check()
    await page.get_by_role("button", name="收下", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("正在收下")
    await looked_at(page, f"{width}-4-working")
    await asyncio.to_thread(finish_imports, database)
    await expect(page.get_by_role("heading", level=1)).to_have_text("已收下")  # the page has looked by itself
    await looked_at(page, f"{width}-5-taken")
    await asyncio.to_thread(brought, database, [person(81)], part=True)
    await page.get_by_role("button", name="撤回这次导入").click()
    await asyncio.to_thread(finish_imports, database)
    await expect(page.get_by_role("heading", level=1)).to_have_text("已撤回")
    await looked_at(page, f"{width}-6-undone")
    await page.get_by_role("button", name="看名单").click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await looked_at(page, f"{width}-7-names")
    assert complaints == []
    await context.close()
