"""Chromium for the tests of the phone page; without it they are skipped loudly, never passed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.chromium import FLAGS, chromium_path
from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.left_out import MISSING, pytest_terminal_summary
from tests.browser.screen import Screen

__all__ = ["pytest_terminal_summary"]  # the hook; pytest finds it here
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium_path() is not None:
        return
    # Where the browser is part of the promise (continuous integration), its absence is a failure and no skip.
    if os.environ.get("NUANYANG_REQUIRE_BROWSER"):
        raise pytest.UsageError(f"NUANYANG_REQUIRE_BROWSER is set, but there is {MISSING}")
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One headless Chromium for all tests of this process."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def fake() -> AsyncIterator[FakeSandbox]:
    """A fresh stand-in for the sandbox's server."""
    fake = FakeSandbox()
    await fake.start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def screen(browser: Browser, fake: FakeSandbox) -> AsyncIterator[Screen]:
    """A window on the fake; at the end it must have met no script error, no blocked content, no foreign address."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    context.set_default_timeout(5000)
    screen = Screen(await context.new_page(), fake)
    yield screen
    await context.close()
    assert screen.complaints == []


@pytest.fixture
def page(screen: Screen) -> Iterator[Page]:
    yield screen.page
