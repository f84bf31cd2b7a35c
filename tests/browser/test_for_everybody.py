"""Keyboard, screen readers, zoom, languages: the page is usable by everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Steps = Callable[[Screen], Awaitable[None]]


async def _menus(screen: Screen) -> None:
    await screen.phone(1).locator(".menu-name").last.click()


async def _people(screen: Screen) -> None:
    await screen.phone(2).locator(".person").click()


async def _commands(screen: Screen) -> None:
    await screen.phone(2).locator(".commands").click()


async def _tools(screen: Screen) -> None:
    await screen.phone(1).locator(".swap").click()
    for number in (1, 2):
        await screen.phone(number).locator(".more").click()
        await screen.phone(number).locator(".tool").last.click()


async def _sheets(screen: Screen) -> None:
    await screen.phone(1).locator(".swap").click()
    await screen.phone(1).locator(".more").click()
    await screen.phone(1).locator(".tool").nth(1).click()
    await screen.phone(1).locator(".sheet .primary").click()
    await screen.phone(2).locator(".top .icon-button").click()
    await screen.phone(2).locator(".popup-item").first.click()


async def _profile(screen: Screen) -> None:
    await screen.phone(1).locator(".top .icon-button").click()


async def _backstage(screen: Screen) -> None:
    for number in range(12):
        screen.fake.wire(ok=number != 3, ms=number, **({"fault": "slow"} if number == 5 else {}))
    for summary in await screen.page.locator(".panel summary").all():
        await summary.click()
    await expect(screen.page.locator(".wire li")).to_have_count(12)


async def _lost(screen: Screen) -> None:
    screen.fake.closed = True
    screen.fake.cut()
    screen.tolerated.append("503")
    await expect(screen.page.locator("#lost button")).to_be_visible()


async def _asking(screen: Screen) -> None:
    await screen.page.locator(".panel summary").last.click()
    await screen.page.locator(".panel .danger").click()


async def _nothing(screen: Screen) -> None:
    await expect(screen.bubbles(1).or_(screen.phone(1).locator(".door")).first).to_be_visible()


STATES: dict[str, tuple[str, str, Steps]] = {
    "chats": ("wechat:p1", "telegram:p1", _nothing),
    "doors": ("wechat:p3", "telegram:p3", _nothing),
    "blocked": ("wechat:p2", "telegram:p4", _people),
    "menus": ("wechat:p1", "telegram:p1", _menus),
    "commands": ("wechat:p1", "telegram:p1", _commands),
    "tools": ("wechat:p1", "telegram:p1", _tools),
    "sheets": ("wechat:p1", "telegram:p1", _sheets),
    "profile": ("wechat:p1", "telegram:p1", _profile),
    "backstage": ("wechat:p1", "telegram:p1", _backstage),
    "lost": ("wechat:p1", "telegram:p1", _lost),
    "asking": ("wechat:p1", "telegram:p1", _asking),
}


OFTEN = [("chats", "zh"), ("backstage", "zh"), ("lost", "zh"), ("asking", "zh"), ("chats", "en"), ("backstage", "en")]


@pytest.mark.parametrize(
    ("state", "lang"),
    [
        # Every state in both languages in make test-long; the ones that hold most of the page always.
        *((state, lang) for state, lang in OFTEN),
        *(
            pytest.param(state, lang, marks=pytest.mark.long)
            for state in STATES
            for lang in ("zh", "en")
            if (state, lang) not in OFTEN
        ),
    ],
)
async def test_axe_finds_nothing_wrong(screen: Screen, state: str, lang: str) -> None:
    first, second, steps = STATES[state]
    await screen.open(lang=lang, first=first, second=second)
    await steps(screen)
    assert await screen.axe() == []


@pytest.mark.parametrize("front", [1, 2])
async def test_axe_finds_nothing_wrong_on_a_narrow_screen(screen: Screen, front: int) -> None:
    await screen.size(390, 844)
    await screen.open()
    await screen.page.locator(".switch").nth(front - 1).click()
    screen.fake.say("bot", "新", ["telegram", "wechat"][front - 1], via="客服")
    assert await screen.axe() == []
    await screen.page.get_by_role("button", name="打开后台").click()
    assert await screen.axe() == []


async def test_axe_itself_is_awake(screen: Screen) -> None:
    await screen.open()
    await screen.page.evaluate("document.body.append(document.createElement('img'))")
    assert any(line.startswith("image-alt") for line in await screen.axe())


async def test_everything_of_the_page_itself_is_in_english(screen: Screen) -> None:
    await screen.open(lang="en")
    for steps in (_tools, _backstage, _profile):
        await steps(screen)
    left = await screen.page.evaluate(
        """() => {
            const chinese = /[\\u3400-\\u9fff]/;
            const found = [];
            const spoken = (node) => node.closest("[lang]").lang;
            for (const node of document.querySelectorAll("body *")) {
                const own = [...node.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data).join("");
                const attributes = ["aria-label", "title", "placeholder"].map((name) => node.getAttribute(name) ?? "");
                if (node.closest(".wire, .avatar, .log")) continue;
                if (chinese.test(own) && spoken(node) === "en") found.push(own);
                for (const text of attributes) if (chinese.test(text)) found.push(`${node.className}: ${text}`);
            }
            return found;
        }"""
    )
    # Names of people, accounts and menus, and what the bot asks for, are content and stay as they are.
    content = ("阿林", "暖阳（沙盒）", "例如：广州天河", "去服务", "我的", "找帮助")
    assert [text for text in left if not any(word in text for word in content)] == []


async def test_the_language_is_switched_in_place_and_remembered(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await page.goto(f"{fake.base}/sandbox")
    await page.wait_for_selector("body.is-open")
    await screen.write(1, "还没写完")
    await page.get_by_role("radio", name="English").check(force=True)
    assert await page.evaluate("document.documentElement.lang") == "en"
    await expect(screen.phone(1).get_by_label("Write a message")).to_have_value("还没写完")
    await expect(page.get_by_role("radio", name="English")).to_be_focused()
    await page.reload()
    await expect(page.get_by_role("heading", name="Nuanyang sandbox")).to_be_visible()


@pytest.mark.long
async def test_the_log_is_a_polite_live_region_in_the_right_language(screen: Screen) -> None:
    await screen.open(lang="en")
    log = screen.page.get_by_role("log", name="Chat with 暖阳（沙盒）")
    assert await log.get_attribute("aria-live") == "polite"
    assert await log.get_attribute("aria-busy") == "false"
    assert await log.locator("[data-id=m2] .words").get_attribute("lang") == "zh"
    assert await log.locator("[data-id=m2] .sr").first.inner_text() == "暖阳（沙盒）:"


async def test_a_narrow_screen_shows_one_phone_and_counts_what_waits_on_the_other(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.size(390, 844)
    await screen.open()
    await expect(screen.phone(2)).to_be_hidden()
    fake.say("bot", "看这里", "telegram", via="bot api")
    other = screen.page.get_by_role("group", name="选择手机").get_by_role("button", name="Telegram · 阿林")
    await expect(other).to_contain_text("1 条新消息")
    await other.click()
    await expect(screen.phone(1)).to_be_hidden()
    await expect(screen.bubbles(2).last).to_contain_text("看这里")
    await expect(other).not_to_contain_text("新消息")
    await expect(other).to_be_focused()


async def test_nothing_needs_sideways_scrolling(screen: Screen) -> None:
    await screen.open()
    parts = "[...document.querySelectorAll('html, body, .stage, .log, .screen, .panel:not([hidden])')]"
    wide = f"{parts}.filter((n) => n.scrollWidth > n.clientWidth + 1).map((n) => n.className || n.localName)"
    # 720 × 450 is 1440 × 900 at 200 %; 320 is 1280 at 400 %.
    for width, height in [(1440, 900), (1024, 768), (720, 450), (390, 844), (320, 512)]:
        await screen.size(width, height)
        await asyncio.sleep(0.15)
        assert await screen.page.evaluate(wide) == [], (width, height)


async def test_the_drawer_takes_the_focus_and_esc_gives_it_back(screen: Screen, page: Page) -> None:
    await screen.size(1024, 768)
    await screen.open()
    opener = page.get_by_role("button", name="打开后台")
    await opener.click()
    await expect(page.get_by_role("heading", name="后台")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("complementary")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_the_focus_can_be_seen_wherever_tab_leads(screen: Screen, page: Page) -> None:
    await screen.open()
    await page.evaluate("document.body.focus()")
    seen = set()
    for _ in range(45):
        await page.keyboard.press("Tab")
        mark = await page.evaluate(
            """() => {
                const node = document.activeElement;
                if (node === document.body) return null;
                const shown = node.matches(".segment input") ? node.nextElementSibling : node;
                const style = getComputedStyle(shown);
                const name = `${node.tagName} ${node.className} ${node.textContent.slice(0, 12)}`;
                return [name, style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        if mark is None:
            break
        assert mark[1:] != ["none", 0], mark
        assert mark[2] >= 2, mark
        seen.add(mark[0])
    assert len(seen) > 20


@pytest.mark.long
async def test_people_who_want_no_motion_get_none(browser: Browser, fake: FakeSandbox) -> None:
    context = await browser.new_context(reduced_motion="reduce", locale="zh-CN")
    screen = Screen(await context.new_page(), fake)
    await screen.open()
    await _profile(screen)
    length = await screen.page.locator(".sheet").evaluate(
        "(node) => parseFloat(getComputedStyle(node).animationDuration)"
    )
    await context.close()
    assert length < 0.001
