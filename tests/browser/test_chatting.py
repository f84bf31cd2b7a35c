"""Writing, pressing and reading on both phones."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_enter_sends_what_was_written_and_the_answer_appears(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.send(1, "你好 & <b>再见</b>")
    await expect(screen.bubbles(1).last).to_have_text("收到：你好 & <b>再见</b>")
    assert fake.acts == [("wechat", "p1", {"do": "text", "text": "你好 & <b>再见</b>"})]
    await expect(screen.phone(1).locator(".write")).to_have_value("")


@pytest.mark.long
async def test_enter_does_not_send_while_an_input_method_is_choosing_a_word(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.write(1, "ni")
    await screen.phone(1).locator(".write").dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    await screen.page.keyboard.press("Shift+Enter")
    await expect(screen.phone(1).locator(".write")).to_have_value("ni\n")
    assert fake.acts == []


@pytest.mark.long
async def test_words_that_could_not_be_sent_come_back_with_the_reason(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    fake.failing = (409, "请先关注公众号。", "not_following")
    await screen.send(1, "在吗")
    await expect(screen.phone(1).locator(".toast")).to_have_text("请先关注公众号。")
    await expect(screen.phone(1).locator(".write")).to_have_value("在吗")
    screen.tolerated.append("409")  # the browser itself notes it


@pytest.mark.long
async def test_what_the_sandbox_itself_says_is_said_in_the_language_of_the_page(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open(lang="en")
    await expect(screen.phone(1).locator("[data-id=m1]")).to_have_text("Followed the account")
    await expect(screen.phone(1).locator("[data-id=m9]")).to_have_text("Menu: 签到签退")
    why = screen.phone(2).locator("[data-id=t7] .under")
    await expect(why).to_have_text("Failed: Telegram gave up: 8 deliveries failed (HTTP 500)")
    fake.failing = (409, "已停用这个机器人，请先重新启用。", "blocked")
    await screen.phone(2).get_by_role("button", name="联系专员").click()
    await expect(screen.phone(2).locator(".toast")).to_have_text("You blocked this bot. Restart it first.")
    fake.failing = (418, "没人翻译过的一句话。", "never_heard_of")
    await screen.phone(2).get_by_role("button", name="联系专员").click()
    await expect(screen.phone(2).locator(".toast")).to_have_text("没人翻译过的一句话。")
    screen.tolerated += ["409", "418"]


async def test_a_choice_of_a_wechat_message_is_pressed(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.phone(1).get_by_role("button", name="2. 先看看活动").click()
    assert fake.acts == [("wechat", "p1", {"do": "press", "message_id": "m4", "button_id": "b1"})]


@pytest.mark.long
async def test_a_key_below_a_telegram_message_is_pressed_and_its_toast_is_shown(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="联系专员").click()
    assert fake.acts == [("telegram", "p1", {"do": "press", "message_id": "t2", "button_id": "b2"})]
    fake.push("toast", "telegram", text="这一步已经回答过了")
    await expect(screen.phone(2).locator(".toast")).to_have_text("这一步已经回答过了")


async def test_an_edited_message_keeps_the_focus_on_its_button(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    key = screen.phone(2).get_by_role("button", name="联系专员")
    await key.focus()
    message = {**fake.chats["telegram/p1"]["messages"][1], "text": "改过的话", "entities_html": ""}
    fake.push("message_edited", "telegram", message=message, keyboard=None)
    await expect(screen.phone(2).locator("[data-id=t2] .words")).to_have_text("改过的话")
    await expect(key).to_be_focused()


async def test_the_menu_of_the_account_is_used_by_keyboard_alone(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    first = screen.phone(1).get_by_role("button", name="去服务")
    await first.focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("menu", name="找帮助").get_by_role("menuitem")).to_have_count(5)
    await page.keyboard.press("End")
    await expect(page.get_by_role("menuitem", name="紧急求助")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await expect(screen.phone(1).get_by_role("button", name="找帮助")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await asyncio.sleep(0.1)
    assert fake.acts == [("wechat", "p1", {"do": "menu", "key": "menu.近期活动"})]


@pytest.mark.long
async def test_a_menu_page_opens_in_a_tab_of_its_own_and_the_account_hears_of_it(
    screen: Screen, fake: FakeSandbox
) -> None:
    elsewhere = fake.base.replace("127.0.0.1", "localhost") + "/p/privacy"
    fake.accounts["wechat"]["menu"][1]["sub_button"][4]["url"] = elsewhere
    await screen.open()
    await screen.phone(1).get_by_role("button", name="我的").click()
    async with screen.page.expect_popup() as opened:
        await screen.page.get_by_role("menuitem", name="隐私授权").click()
    tab = await opened.value
    assert tab.url == elsewhere
    assert await tab.evaluate("window.opener") is None
    await asyncio.sleep(0.1)
    assert fake.acts == [("wechat", "p1", {"do": "menu", "key": elsewhere})]


async def test_a_one_time_page_opens_inside_the_phone_and_esc_leads_back(screen: Screen, page: Page) -> None:
    await screen.open()
    link = screen.phone(1).get_by_role("link", name="服务须知")
    await link.click()
    sheet = screen.phone(1).get_by_role("dialog", name="网页")
    await expect(sheet.frame_locator("iframe").get_by_role("heading")).to_have_text("一次性页面")
    assert await sheet.locator("iframe").get_attribute("sandbox") is not None
    assert await screen.axe() == []
    await sheet.get_by_role("button", name="关闭").focus()
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await expect(link).to_be_focused()


@pytest.mark.long
async def test_a_one_time_page_can_still_be_opened_in_a_tab(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.phone(1).get_by_role("link", name="服务须知").click()
    async with screen.page.expect_popup() as opened:
        await screen.phone(1).get_by_role("link", name="在新标签页打开").click()
    assert (await opened.value).url == f"{fake.base}/p/notes"


@pytest.mark.long
async def test_a_telegram_command_is_chosen_from_the_list(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="命令菜单").click()
    await page.get_by_role("menuitem", name="报名注册").click()
    await expect(screen.bubbles(2).last).to_contain_text("收到：/register")
    assert fake.acts == [("telegram", "p1", {"do": "text", "text": "/register"})]


@pytest.mark.long
async def test_the_reply_keyboard_types_for_the_person_and_goes_away_with_the_bots_word(
    screen: Screen, fake: FakeSandbox
) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="跳过").click()
    await expect(screen.bubbles(2).last).to_contain_text("收到：跳过")
    fake.chats["telegram/p1"]["keyboard"] = None
    fake.say("bot", "谢谢", "telegram")
    await expect(screen.phone(2).get_by_role("group", name="回复键盘")).to_have_count(0)


@pytest.mark.long
async def test_a_key_that_asks_for_the_place_opens_the_list_of_places(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="发送我的位置").click()
    await screen.phone(2).get_by_role("dialog").get_by_role("button", name="广州天河").click()
    await expect(screen.phone(2).get_by_role("dialog")).to_have_count(0)
    place = {"do": "location", "latitude": 23.1291, "longitude": 113.3612, "label": "广州天河"}
    assert fake.acts == [("telegram", "p1", place)]


@pytest.mark.long
async def test_coordinates_typed_by_hand_are_checked_before_they_are_sent(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.tool(1, "位置")
    sheet = screen.phone(1).get_by_role("dialog", name="发送位置")
    await sheet.get_by_label("纬度").fill("95")
    await sheet.get_by_label("经度").fill("113.5")
    await sheet.get_by_role("button", name="发送这个位置").click()
    await expect(sheet.get_by_role("alert")).to_have_text("纬度要在 -90 到 90 之间。")
    await expect(sheet.get_by_label("纬度")).to_be_focused()
    assert fake.acts == []
    await sheet.get_by_label("纬度").fill("-22.5")
    await screen.page.keyboard.press("Enter")
    await expect(sheet).to_have_count(0)
    assert fake.acts[0][2] == {"do": "location", "latitude": -22.5, "longitude": 113.5, "label": ""}


async def test_every_tool_sends_its_sample(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    tools = [
        (1, "图片", "image"),
        (1, "表情", "sticker"),
        (1, "语音", "voice"),
        (1, "视频", "video"),
        (1, "文件", "file"),
    ]
    tools += [(2, "照片", "image"), (2, "贴纸", "sticker"), (2, "联系方式", "contact")]
    for number, name, _ in tools:
        async with screen.page.expect_response("**/act"):
            await screen.tool(number, name)
    where = {1: "wechat", 2: "telegram"}
    assert fake.acts == [(where[number], "p1", {"do": does}) for number, _, does in tools]


@pytest.mark.long
async def test_a_code_seen_in_the_chat_can_be_scanned(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.tool(1, "扫一扫")
    sheet = screen.phone(1).get_by_role("dialog", name="扫一扫")
    await expect(sheet.get_by_label("场景值")).to_be_focused()
    await sheet.get_by_role("button", name="天河站的签到码").click()
    await expect(sheet).to_have_count(0)
    assert fake.acts == [("wechat", "p1", {"do": "scan", "scene": "station-440106"})]


async def test_the_next_action_alone_is_repeated_by_the_platform(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.tool(1, "平台重发")
    await expect(screen.phone(1).locator(".repeat-strip")).to_contain_text("再发 2 次")
    for words in ("一", "二"):
        await screen.send(1, words)
        await expect(screen.bubbles(1).last).to_have_text(f"收到：{words}")
    assert [act for _, _, act in fake.acts] == [{"do": "text", "text": "一", "repeat": 2}, {"do": "text", "text": "二"}]


@pytest.mark.long
async def test_how_a_delivery_stands_is_said_in_words(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await expect(screen.phone(1).locator("[data-id=m12] .under")).to_have_text(
        "失败：微信已放弃：该公众号暂时无法提供服务"
    )
    line = screen.phone(1).locator("[data-id=m13] .under")
    await expect(line).to_have_text("微信第 2 次重试…")
    fake.push("status", message_id="m13", state="repeated", detail={})
    await expect(line).to_have_text("已送达，平台重发过")
    fake.push("status", message_id="m13", state="delivered", detail={})
    await expect(line).to_have_text("已送达")
    await expect(screen.phone(1).locator("[data-id=m7] .via")).to_have_text("模板消息")


@pytest.mark.long
async def test_typing_is_shown_until_the_bot_speaks(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    title = screen.phone(1).locator(".top-title")
    fake.push("typing")
    await expect(title).to_have_text("对方正在输入…")
    fake.say("bot", "来了", via="客服")
    await expect(title).to_have_text("暖阳（沙盒）")


@pytest.mark.long
async def test_a_deleted_message_disappears(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    fake.push("message_deleted", "telegram", message_id="t4")
    await expect(screen.phone(2).locator("[data-id=t4]")).to_have_count(0)
    await expect(screen.phone(2).locator("[data-id=t6]")).to_have_count(1)


async def test_markup_of_a_message_is_cleaned_once_more_in_the_page(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    html = (
        '<b onclick="window.hit=1">粗</b><img src=x onerror="window.hit=2"><script>window.hit=3</script>'
        '<a href="javascript:window.hit=4">坏</a><a href="https://example.org/a" style="color:red">好</a>'
        '<svg><a href="https://example.org/s">图</a></svg><pre>码</pre><style>body{display:none}</style><h1>题</h1>'
    )
    fake.say("bot", "粗坏好", entities_html=html, via="passive")
    words = screen.bubbles(1).last.locator(".words")
    await expect(words).to_have_text("粗坏好码题")
    assert await words.evaluate("(node) => [...node.querySelectorAll('*')].map((one) => one.localName)") == [
        "b",
        "a",
        "pre",
    ]
    link = words.locator("a")
    assert await link.evaluate("(node) => node.getAttributeNames().sort().join()") == "href,rel,target,title"
    assert await link.get_attribute("rel") == "noopener noreferrer"
    assert await screen.page.evaluate("window.hit") is None
    # The parser's document runs nothing, and what little it tried the content policy refused: that is its notice.
    screen.tolerated.append("Content Security Policy")


async def test_a_button_with_a_dangerous_address_cannot_be_pressed(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    bad = [[{"id": "b0", "text": "别点", "url": "javascript:window.hit=1"}]]
    fake.say("bot", "看", "telegram", buttons=bad, via="bot api")
    await expect(screen.phone(2).get_by_role("button", name="别点")).to_be_disabled()


@pytest.mark.long
async def test_reading_old_messages_is_not_disturbed_by_a_new_one(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    log = screen.phone(1).get_by_role("log")
    await log.evaluate("(node) => node.scrollTo(0, 0)")
    await asyncio.sleep(0.1)
    fake.say("bot", "新来的", via="客服")
    await screen.phone(1).get_by_role("button", name="有新消息").click()
    assert await log.evaluate("(node) => node.scrollHeight - node.scrollTop - node.clientHeight") < 2


@pytest.mark.long
async def test_the_newest_message_stays_in_sight_when_the_keyboard_opens(screen: Screen) -> None:
    await screen.open()
    await screen.tool(2, "平台重发")
    await asyncio.sleep(0.2)
    end = "(node) => node.scrollHeight - node.scrollTop - node.clientHeight"
    assert await screen.phone(2).get_by_role("log").evaluate(end) < 2
