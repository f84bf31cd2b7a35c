"""A browser window on the phone page: opening it, reaching its parts, and asking axe-core what it thinks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, Request

from tests.browser.fake_sandbox import FakeSandbox

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")


class Screen:
    """`complaints` collects what the browser found wrong, but for what a test says is `tolerated`."""

    def __init__(self, page: Page, fake: FakeSandbox) -> None:
        self.page = page
        self.fake = fake
        self._found: list[str] = []
        self.tolerated: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self._found.append(f"script error: {error}"))
        page.on("request", self._requested)

    @property
    def complaints(self) -> list[str]:
        return [line for line in self._found if not any(word in line for word in self.tolerated)]

    async def open(self, *, lang: str = "zh", first: str = "wechat:p1", second: str = "telegram:p1") -> None:
        """Open the page with who is on which phone."""
        await self.page.goto(f"{self.fake.base}/sandbox?lang={lang}&phone1={first}&phone2={second}")
        await self.page.wait_for_selector("body.is-open")

    async def size(self, width: int, height: int) -> None:
        await self.page.set_viewport_size({"width": width, "height": height})

    def phone(self, number: int) -> Locator:
        return self.page.locator(f"#phone-{number}")

    def bubbles(self, number: int) -> Locator:
        return self.phone(number).locator(".log .bubble")

    async def write(self, number: int, text: str) -> None:
        """Type into the line of a phone, taking WeChat's menu away first."""
        swap = self.phone(number).get_by_role("button", name="切换到键盘")
        if await swap.count():
            await swap.click()
        await self.phone(number).locator(".write").fill(text)

    async def send(self, number: int, text: str) -> None:
        """Type into the line of a phone and press Enter."""
        await self.write(number, text)
        await self.page.keyboard.press("Enter")

    async def tool(self, number: int, name: str) -> None:
        """Press an entry of the + panel."""
        await self.write(number, "")
        more = self.phone(number).locator(".more")
        if await more.get_attribute("aria-expanded") == "false":
            await more.click()
        await self.phone(number).locator(".tools").get_by_role("button", name=name, exact=True).click()

    async def axe(self) -> list[str]:
        """What axe-core finds wrong now, one line a finding; animations are waited for, since they blend colours."""
        await self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
        await self.page.evaluate(AXE)
        found: dict[str, Any] = await self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], rules: {'color-contrast-enhanced': {enabled: false}}})"
        )
        return [
            f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._found.append(message.text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith(self.fake.base) and not request.is_navigation_request():
            self._found.append(f"asked a foreign address: {request.url}")
