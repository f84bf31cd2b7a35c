"""Several things at once: quick presses, fast typing, two phones, and a sandbox that restarts under the page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import canned
from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
HOUR, DAY = 3600, 86_400


@pytest.mark.long
async def test_quick_presses_on_the_clock_add_up_and_show_how_far_they_are(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    fake.slow_clock = asyncio.Event()
    status = page.locator(".moving")
    await page.get_by_role("button", name="快进 1 小时").click()
    await expect(status).to_have_text("正在快进 1 小时，途中到期的事会一件件办完…")
    for name in ("快进 1 天", "快进 7 天", "快进 1 天"):
        await page.get_by_role("button", name=name, exact=True).click()
    await expect(status).to_have_text("正在快进 1 小时，途中到期的事会一件件办完…后面还排着 9 天。")
    bar = page.get_by_role("progressbar", name="快进的进度")
    assert await bar.evaluate("(node) => Math.round(node.max)") == 9 * DAY + HOUR
    fake.slow_clock.set()
    await expect(status).to_have_text("现在是 8月14日 10:12")
    await expect(bar).to_be_hidden()
    assert fake.advances == [HOUR, 9 * DAY]


@pytest.mark.long
async def test_to_the_morning_counts_from_where_the_clock_will_stand(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    fake.slow_clock = asyncio.Event()
    await page.get_by_role("button", name="快进 7 天").click()
    await page.get_by_role("button", name="到明早 9 点").click()
    fake.slow_clock.set()
    await expect(page.locator(".moving")).to_have_text("现在是 8月13日 09:00")


@pytest.mark.long
async def test_the_clock_is_seen_to_run_while_it_is_moved(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    fake.slow_clock = asyncio.Event()
    await page.get_by_role("button", name="快进 30 天").click()
    middle = {"now": "2026-08-20T01:12:00+00:00", "offset_seconds": 15 * DAY, "zone": "Asia/Shanghai"}
    fake.push("clock", clock=middle)
    await expect(page.locator(".clock-day")).to_contain_text("2026年8月20日")
    done = await page.locator(".bar").evaluate("(node) => node.value / node.max")
    assert 0.49 < done < 0.51
    fake.slow_clock.set()
    await expect(page.locator(".moving")).to_have_text("现在是 9月4日 09:12")


@pytest.mark.long
async def test_a_move_that_fails_says_so_and_the_next_one_works(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    await page.route("**/sandbox/api/clock", lambda route: route.abort(), times=1)
    await page.get_by_role("button", name="快进 1 小时").click()
    await expect(page.locator("#toast")).to_contain_text("连不上沙盒")
    await page.get_by_role("button", name="快进 1 天").click()
    await expect(page.locator(".moving")).to_have_text("现在是 8月6日 09:12")
    assert fake.advances == [DAY]
    screen.tolerated.append("ERR_FAILED")  # the browser notes the refused request


async def test_messages_typed_quickly_keep_their_order_whatever_the_network_does(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    words = [f"第{number}句" for number in range(8)]
    late = True

    async def overtake(route: Any) -> None:
        nonlocal late
        first, late = late, False
        await asyncio.sleep(0.3 if first else 0)
        await route.continue_()

    await page.route("**/act", overtake)
    for text in words:
        await screen.send(1, text)
    await expect(screen.bubbles(1).last).to_have_text(f"收到：{words[-1]}")
    assert [act["text"] for _, _, act in fake.acts] == words


@pytest.mark.long
async def test_a_sending_that_takes_long_is_spoken_of_and_every_press_counts(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    fake.slow_acts = asyncio.Event()
    for _ in range(3):
        await screen.phone(2).get_by_role("button", name="联系专员").click()
    await expect(screen.phone(2).locator(".waiting")).to_have_text("还有 3 个动作没有送到沙盒…")
    assert await screen.axe() == []
    fake.slow_acts.set()
    await expect(screen.phone(2).locator(".waiting")).to_be_empty()
    assert fake.acts == [("telegram", "p1", {"do": "press", "message_id": "t2", "button_id": "b2"})] * 3


@pytest.mark.long
async def test_several_words_that_did_not_go_all_come_back_in_their_order(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    fake.failing = (409, "请先关注公众号。", "not_following")
    fake.slow_acts = asyncio.Event()
    for words in ("一", "二"):
        await screen.send(1, words)
    await screen.write(1, "三")
    fake.slow_acts.set()
    await expect(screen.phone(1).locator(".write")).to_have_value("一\n二\n三")
    screen.tolerated.append("409")


@pytest.mark.long
async def test_a_button_changed_under_the_finger_still_gets_its_press(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    key = screen.phone(2).get_by_role("button", name="联系专员")
    await key.hover()
    await page.mouse.down()
    fake.push("status", "telegram", message_id="t2", state="sending", detail={})
    fake.push("following", "telegram")
    await expect(screen.phone(2).locator("[data-id=t2] .state")).to_have_text("发送中…")
    await page.mouse.up()
    await asyncio.sleep(0.2)
    assert fake.acts == [("telegram", "p1", {"do": "press", "message_id": "t2", "button_id": "b2"})]


@pytest.mark.long
async def test_a_reply_keyboard_that_changes_under_the_finger_waits_for_the_press(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="跳过").hover()
    await page.mouse.down()
    fake.chats["telegram/p1"]["keyboard"] = {"rows": [[{"text": "别的"}]], "placeholder": ""}
    fake.say("bot", "换键盘", "telegram", via="bot api")
    await expect(screen.bubbles(2).last).to_contain_text("换键盘")
    await page.mouse.up()
    await expect(screen.bubbles(2).last).to_contain_text("收到：跳过")
    await expect(screen.phone(2).get_by_role("group", name="回复键盘")).to_have_text("别的")


@pytest.mark.long
async def test_a_word_being_composed_is_left_alone_by_what_happens_meanwhile(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    await screen.write(2, "ni")
    box = screen.phone(2).locator(".write")
    await box.evaluate("(node) => (node.mark = 1)")
    await box.dispatch_event("compositionstart", {"bubbles": True})
    fake.chats["telegram/p1"]["keyboard"] = None
    fake.say("bot", "键盘没了", "telegram", via="bot api")
    await expect(screen.bubbles(2).last).to_contain_text("键盘没了")
    assert await box.evaluate("(node) => node.mark") == 1
    await box.dispatch_event("compositionend", {"bubbles": True})
    await expect(screen.phone(2).locator("[data-key=board]")).to_have_count(0)
    await expect(box).to_have_value("ni")
    await expect(box).to_be_focused()


@pytest.mark.long
async def test_the_next_action_alone_is_repeated_even_when_another_follows_at_once(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    await screen.tool(1, "平台重发")
    fake.slow_acts = asyncio.Event()
    for words in ("一", "二"):
        await screen.send(1, words)
    fake.slow_acts.set()
    await expect(screen.bubbles(1).last).to_have_text("收到：二")
    assert [act.get("repeat") for _, _, act in fake.acts] == [2, None]


@pytest.mark.long
async def test_both_phones_may_write_into_one_chat_at_once(screen: Screen) -> None:
    await screen.open(first="wechat:p1", second="wechat:p1")
    before = await screen.bubbles(1).count()
    for number, words in ((1, "左一"), (2, "右一"), (1, "左二"), (2, "右二")):
        await screen.send(number, words)
    said = ["左一", "收到：左一", "右一", "收到：右一", "左二", "收到：左二", "右二", "收到：右二"]
    for number in (1, 2):
        await expect(screen.bubbles(number)).to_have_count(before + len(said))
        assert (await screen.bubbles(number).all_inner_texts())[before:] == said


@pytest.mark.long
async def test_a_restarted_sandbox_is_read_anew_and_nothing_is_doubled_or_lost(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    await screen.write(1, "还没写完")
    before = await screen.bubbles(1).count()
    fake.say("bot", "重启前", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("重启前")
    fake.closed = True
    fake.cut()
    await expect(screen.page.locator("#lost")).to_contain_text("断开了")
    fake.say("bot", "重启时", via="客服")
    fake.restart()
    fake.closed = False
    fake.say("bot", "重启后", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("重启后")
    fake.say("bot", "接着说", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("接着说")
    await expect(screen.bubbles(1)).to_have_count(before + 4)
    assert (await screen.bubbles(1).all_inner_texts())[before:] == ["重启前", "重启时", "重启后", "接着说"]
    await expect(screen.phone(1).locator(".write")).to_have_value("还没写完")
    screen.tolerated.append("503")


@pytest.mark.long
async def test_a_sandbox_begun_anew_counts_from_the_start_and_is_followed_all_the_same(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    fake.say("bot", "从前", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("从前")
    fake.seq, fake.oldest = 3, 3
    fake.held.clear()
    fake.chats = canned.chats()
    fake.cut()
    await expect(screen.bubbles(1).filter(has_text="从前")).to_have_count(0)
    fake.say("bot", "新的开始", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("新的开始")


@pytest.mark.long
async def test_a_state_that_cannot_be_read_after_a_restart_leaves_no_dead_page(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    await screen.page.route("**/sandbox/api/state", lambda route: route.abort(), times=2)
    await screen.page.route("**/sandbox/api/chats/wechat/p1", lambda route: route.abort(), times=1)
    fake.restart()
    await expect(screen.phone(1).get_by_role("log")).to_contain_text("聊天记录没有打开")
    await screen.phone(1).get_by_role("button", name="再试一次").click()
    await expect(screen.bubbles(1)).not_to_have_count(0)
    fake.say("bot", "还活着", via="客服")
    await expect(screen.bubbles(1).last).to_have_text("还活着")
    screen.tolerated += ["ERR_FAILED"]


@pytest.mark.long
async def test_an_answer_older_than_the_events_does_not_take_them_back(screen: Screen, fake: FakeSandbox) -> None:
    """The chat is read, then the message is delivered, but the word of that comes first."""
    answered, released = asyncio.Event(), asyncio.Event()

    async def hold(route: Any) -> None:
        response = await route.fetch()
        answered.set()
        await released.wait()
        await route.fulfill(response=response)

    message = fake.say("person", "在路上", state="sending")
    await screen.page.route("**/sandbox/api/chats/wechat/p1", hold, times=1)
    await screen.open()
    await answered.wait()
    message["state"] = "delivered"
    fake.push("status", message_id=message["id"], state="delivered", detail={})
    fake.say("bot", "到了", via="客服")
    await asyncio.sleep(0.2)
    released.set()
    await expect(screen.bubbles(1).last).to_have_text("到了")
    await expect(screen.phone(1).locator(f"[data-id={message['id']}] .state")).to_have_text("已送达")
    await expect(screen.bubbles(1).filter(has_text="到了")).to_have_count(1)


@pytest.mark.long
async def test_turning_to_the_line_closes_the_things_to_send(screen: Screen, page: Page) -> None:
    await screen.open()
    for number in (1, 2):
        phone = screen.phone(number)
        await screen.write(number, "写到一半")
        box = phone.locator(".write")
        if number == 1:
            await box.fill("")  # WeChat shows either + or the button that sends
        await box.evaluate("(node) => (node.mark = 1)")
        await phone.locator(".more").click()
        await expect(phone.locator(".tools")).to_be_visible()
        await box.click()
        await expect(phone.locator(".tools")).to_have_count(0)
        await expect(phone.locator(".more")).to_have_attribute("aria-expanded", "false")
        await expect(box).to_be_focused()
        await page.keyboard.type("好")
        assert await box.evaluate("(node) => node.mark") == 1  # the very same line: no caret jumps, no word is lost
        await expect(box).to_have_value("好" if number == 1 else "写到一半好")


@pytest.mark.long
async def test_esc_closes_the_things_to_send_and_the_focus_goes_where_it_came_from(screen: Screen, page: Page) -> None:
    await screen.open()
    phone = screen.phone(2)
    more = phone.locator(".more")
    await more.click()
    await phone.locator(".tool").nth(2).focus()
    await page.keyboard.press("Escape")
    await expect(phone.locator(".tools")).to_have_count(0)
    await expect(more).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(phone.locator(".tools")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(phone.locator(".tools")).to_have_count(0)
    await expect(more).to_be_focused()
    await expect(phone.get_by_role("group", name="回复键盘")).to_be_visible()


@pytest.mark.long
async def test_pressing_set_twice_at_once_sets_both_faults(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    panel = page.locator(".panel")
    await panel.get_by_text("故障", exact=True).click()
    await panel.get_by_label("故障种类").select_option("429")
    await panel.get_by_role("button", name="设置").dblclick()
    await expect(panel).to_contain_text("接下来 1 次调用微信：调用太多（429）")
    await asyncio.sleep(0.1)
    assert fake.faults == [{"platform": "wechat", "kind": "429", "times": 1}] * 2


@pytest.mark.long
async def test_adding_a_person_with_a_double_press_adds_one(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    await screen.phone(1).get_by_role("button", name="选择机主").click()
    await page.get_by_role("menuitem", name="添加一个人…").click()
    await page.keyboard.type("小周")
    await screen.phone(1).get_by_role("button", name="添加", exact=True).dblclick(no_wait_after=True)
    await expect(screen.phone(1).locator(".person-name")).to_have_text("小周")
    assert [person["name"] for person in fake.people].count("小周") == 1
