"""Clock, protocol log, faults, starting over, and a connection that comes and goes."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    ("button", "seconds", "then"),
    [
        ("快进 1 小时", 3600, "8月5日 10:12"),
        pytest.param("快进 1 天", 86400, "8月6日 09:12", marks=pytest.mark.long),
        pytest.param("快进 7 天", 7 * 86400, "8月12日 09:12", marks=pytest.mark.long),
        pytest.param("快进 30 天", 30 * 86400, "9月4日 09:12", marks=pytest.mark.long),
        ("到明早 9 点", 85680, "8月6日 09:00"),
    ],
)
async def test_the_clock_moves_forward(screen: Screen, fake: FakeSandbox, button: str, seconds: int, then: str) -> None:
    await screen.open()
    await screen.page.get_by_role("button", name=button).click()
    await expect(screen.page.get_by_role("status").filter(has_text="现在是")).to_have_text(f"现在是 {then}")
    assert abs(fake.offset - seconds) <= 60  # the page's clock has run on since the fake said its own
    await expect(screen.page.locator(".clock-lead")).to_contain_text("比真实时间快")


@pytest.mark.long
async def test_yesterdays_messages_are_named_so_after_the_clock_moved(screen: Screen) -> None:
    await screen.open()
    dividers = screen.phone(1).locator(".divider")
    await expect(dividers.last).to_have_text("09:12")
    await screen.page.get_by_role("button", name="快进 1 天").click()
    await expect(dividers.last).to_have_text("昨天 09:12")
    await expect(screen.phone(2).locator(".divider").first).to_have_text("昨天")


@pytest.mark.long
async def test_the_protocol_log_says_in_words_what_went_wrong(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    fake.wire()
    fake.wire(ok=False, status=0, problem="timeout", patience=5, ms=5001)
    lines = screen.page.locator(".wire li")
    await expect(lines).to_have_count(2)
    await expect(lines.last).to_contain_text("出错")
    await screen.page.get_by_role("button", name="清空显示").click()
    await expect(lines).to_have_count(0)
    await expect(screen.page.locator(".panel")).to_contain_text("还没有往来")


@pytest.mark.long
async def test_the_protocol_log_speaks_the_language_of_the_page_and_changes_with_it(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open(lang="en")
    fake.wire(ok=False, status=0, problem="timeout", patience=5, ms=5001, repeat=1)
    call = {"method": "POST", "path": "bot/sendMessage", "ms": 0}
    fake.wire("call", ok=False, **call, status=502, error="Bad Gateway", fault="5xx")
    fake.wire("call", ok=False, **call, status=429, error="Too Many Requests: retry after 2", retry_after=2)
    fake.wire("in_answer", method="sendMessage")
    fake.wire("repeats_differ", ok=False)
    fake.wire("something_newer", ok=False)
    english = [
        "POST /wechat/sandbox → cut off after 5 s, 5001 ms, repeat 1",
        "POST bot/sendMessage → 502, Bad Gateway, <1 ms, met a fault: Server error (5xx)",
        "POST bot/sendMessage → 429, asked to wait 2 s, <1 ms",
        "sendMessage in the answer → ok",
        "Repeats of one message got different replies",
        "something_newer",
    ]
    lines = page.locator(".wire-line")
    await expect(lines).to_have_text(english)
    await expect(page.locator(".wire-word")).to_have_text(["error", "fault", "error", "ok", "error", "error"])
    await page.get_by_role("radio", name="中文").check(force=True)
    await expect(lines.nth(0)).to_have_text("POST /wechat/sandbox → 5 秒已到，断开，5001 ms，第 1 次重复")
    await expect(lines.nth(1)).to_contain_text("遇到故障：服务器出错（5xx）")
    await expect(lines.nth(3)).to_have_text("回答里的 sendMessage → 成功")


@pytest.mark.long
async def test_the_protocol_log_survives_a_reload_and_old_messages_do_not_come_twice(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    fake.wire()
    fake.say("bot", "只说一次", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("只说一次")
    await screen.page.reload()
    await expect(screen.page.locator(".wire li")).to_have_count(1)
    await expect(screen.bubbles(1).filter(has_text="只说一次")).to_have_count(1)


@pytest.mark.long
async def test_a_fault_is_set_for_the_next_calls(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    panel = screen.page.locator(".panel")
    await panel.get_by_text("故障", exact=True).click()
    await panel.get_by_label("平台").select_option("telegram")
    await panel.get_by_label("故障种类").select_option("5xx")
    await panel.get_by_label("次数").fill("0")
    await panel.get_by_role("button", name="设置").click()
    await expect(panel.get_by_role("alert")).to_have_text("次数要在 1 到 100 之间。")
    await panel.get_by_label("次数").fill("3")
    await panel.get_by_role("button", name="设置").click()
    await expect(panel).to_contain_text("接下来 3 次调用Telegram：服务器出错（5xx）")
    assert fake.faults == [{"platform": "telegram", "kind": "5xx", "times": 3}]


@pytest.mark.long
async def test_starting_over_asks_first_and_then_empties_the_chats(screen: Screen, page: Page) -> None:
    await screen.open()
    await page.locator(".panel").get_by_text("重来", exact=True).click()
    await page.get_by_role("button", name="清空沙盒").click()
    await page.get_by_role("dialog").get_by_role("button", name="不了").click()
    await expect(screen.bubbles(1)).not_to_have_count(0)
    await page.get_by_role("button", name="清空沙盒").click()
    await page.get_by_role("dialog").get_by_role("button", name="清空沙盒").click()
    await expect(screen.bubbles(1)).to_have_count(0)
    await expect(page.locator("#toast")).to_have_text("沙盒已清空")


@pytest.mark.long
async def test_a_lost_connection_is_said_mended_and_nothing_comes_twice(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    before = await screen.bubbles(1).count()
    fake.closed = True
    fake.cut()
    banner = screen.page.locator("#lost")
    await expect(banner).to_contain_text("和沙盒的连接断开了")
    fake.say("bot", "断开时说的", via="客服")
    fake.closed = False
    await banner.get_by_role("button", name="马上重试").click()
    await expect(banner).to_be_empty()
    await expect(screen.bubbles(1).last).to_have_text("断开时说的")
    fake.say("bot", "连上后说的", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("连上后说的")
    await expect(screen.bubbles(1)).to_have_count(before + 2)
    screen.tolerated.append("503")  # the browser notes the refused stream


@pytest.mark.long
async def test_it_reconnects_by_itself(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    fake.cut()
    await asyncio.sleep(0.8)
    fake.say("bot", "又见面了", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("又见面了")
    await expect(screen.page.locator(".connection")).to_have_text("已连接")


@pytest.mark.long
async def test_a_chat_that_is_slow_says_so_and_then_opens(screen: Screen, fake: FakeSandbox) -> None:
    fake.slow_chats = asyncio.Event()
    await screen.open()
    await expect(screen.phone(1).get_by_role("log")).to_have_text("正在打开聊天…")
    fake.say("bot", "加载时来的", via="客服")
    fake.slow_chats.set()
    await expect(screen.bubbles(1).last).to_have_text("加载时来的")
    await expect(screen.phone(1).locator("[data-id=m2]")).to_have_count(1)


@pytest.mark.long
async def test_a_sandbox_that_is_not_there_is_said_in_words_and_tried_again(screen: Screen, fake: FakeSandbox) -> None:
    await screen.page.route("**/sandbox/api/state", lambda route: route.abort())
    await screen.page.goto(f"{fake.base}/sandbox?lang=zh")
    await expect(screen.page.get_by_role("alert").first).to_contain_text("连不上沙盒，请看看 nuanyang run 是否还开着。")
    await screen.page.unroute("**/sandbox/api/state")
    await screen.page.get_by_role("button", name="再试一次").click()
    await expect(screen.bubbles(1).last).to_be_visible()
    screen.tolerated.append("ERR_FAILED")  # the browser notes the refused request
