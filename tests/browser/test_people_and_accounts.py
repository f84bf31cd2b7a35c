"""Whose phone it is, following and leaving, starting and blocking, and what waits unseen."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.fake_sandbox import FakeSandbox
from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_somebody_who_does_not_follow_sees_the_account_and_can_follow(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open(first="wechat:p3")
    await expect(screen.phone(1).get_by_role("log")).to_have_count(0)
    await screen.phone(1).get_by_role("button", name="关注公众号").click()
    await expect(screen.phone(1).get_by_role("log")).to_be_visible()
    await expect(screen.phone(1).get_by_role("group", name="公众号菜单")).to_be_visible()
    assert fake.acts == [("wechat", "p3", {"do": "follow"})]


@pytest.mark.long
async def test_a_qr_code_followed_by_scanning_carries_its_scene(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open(first="wechat:p3")
    await screen.phone(1).get_by_role("button", name="扫码关注").click()
    await screen.page.keyboard.type("team-7")
    await screen.page.keyboard.press("Enter")
    await expect(screen.phone(1).get_by_role("dialog")).to_have_count(0)
    assert fake.acts == [("wechat", "p3", {"do": "scan", "scene": "team-7"})]


@pytest.mark.long
async def test_leaving_the_account_leads_back_to_its_page(screen: Screen, fake: FakeSandbox) -> None:
    await screen.open()
    await screen.phone(1).get_by_role("button", name="公众号资料与取消关注").click()
    await screen.phone(1).get_by_role("dialog").get_by_role("button", name="取消关注").click()
    await expect(screen.phone(1).get_by_role("button", name="关注公众号")).to_be_visible()
    assert fake.acts == [("wechat", "p1", {"do": "unfollow"})]


@pytest.mark.long
async def test_a_bot_is_started_stopped_and_started_again(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open(second="telegram:p2")
    phone = screen.phone(2)
    await expect(phone).to_contain_text("这个机器人能做什么？")
    await phone.get_by_role("button", name="开始").click()
    await expect(phone.locator(".write")).to_be_visible()
    await phone.get_by_role("button", name="更多操作").click()
    await page.get_by_role("menuitem", name="停用机器人").click()
    await expect(phone).to_contain_text("你停用了这个机器人")
    await phone.get_by_role("button", name="重新启用").click()
    await expect(phone.locator(".write")).to_be_visible()
    assert [act["do"] for _, _, act in fake.acts] == ["follow", "unfollow", "follow"]


@pytest.mark.long
async def test_a_deep_link_takes_only_what_telegram_allows(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    await screen.phone(2).get_by_role("button", name="更多操作").click()
    await page.get_by_role("menuitem", name="带参数打开").click()
    await page.keyboard.type("两个 词")
    await page.keyboard.press("Enter")
    await expect(screen.phone(2).get_by_role("alert")).to_contain_text("参数只能用字母、数字")
    await screen.phone(2).get_by_role("textbox", name="参数").fill("join_7-a")
    await page.keyboard.press("Enter")
    await expect(screen.phone(2).get_by_role("dialog")).to_have_count(0)
    assert fake.acts == [("telegram", "p1", {"do": "scan", "scene": "join_7-a"})]


async def test_another_person_and_platform_are_chosen_and_remembered(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await page.goto(f"{fake.base}/sandbox")
    await page.wait_for_selector("body.is-open")
    await screen.phone(1).get_by_role("button", name="选择机主").click()
    await expect(page.get_by_role("menuitemradio", name="阿林")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await screen.phone(1).get_by_role("radio", name="Telegram").check(force=True)
    await page.reload()
    await page.wait_for_selector("body.is-open")
    await expect(screen.phone(1).locator(".person-name")).to_have_text("陈老师")
    await expect(screen.phone(1).get_by_role("radio", name="Telegram")).to_be_checked()


@pytest.mark.long
async def test_a_new_person_is_added_and_takes_the_phone(screen: Screen, fake: FakeSandbox, page: Page) -> None:
    await screen.open()
    await screen.phone(1).get_by_role("button", name="选择机主").click()
    await page.get_by_role("menuitem", name="添加一个人…").click()
    sheet = screen.phone(1).get_by_role("dialog", name="添加一个人")
    await page.keyboard.press("Enter")
    await expect(sheet.get_by_role("alert")).to_have_text("请写一个称呼。")
    await sheet.get_by_label("称呼").fill("小周")
    await sheet.get_by_label("说明").fill("大二学生")
    await page.keyboard.press("Enter")
    await expect(screen.phone(1).locator(".person-name")).to_have_text("小周")
    assert fake.people[-1]["note"] == "大二学生"


@pytest.mark.long
async def test_a_person_added_on_the_english_page_has_english_apps_and_commands(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    fake.chats["telegram/p1"]["commands"] = [{"command": "start", "description": "Only for this person"}]
    await screen.open(lang="en")
    await screen.phone(2).locator(".commands").click()
    await expect(page.get_by_role("menuitem")).to_contain_text(["Only for this person"])
    await page.keyboard.press("Escape")
    await screen.phone(1).locator(".person").click()
    await expect(page.get_by_role("menuitemradio").nth(1)).to_contain_text("wants to be a coordinator")
    await page.get_by_role("menuitem", name="Add a person…").click()
    async with page.expect_request("**/api/people") as asked:
        await page.keyboard.type("Sunny")
        await page.keyboard.press("Enter")
    assert (await asked.value).post_data_json == {"name": "Sunny", "note": "", "language": "en"}


@pytest.mark.long
async def test_one_person_open_on_both_phones_is_the_same_chat(screen: Screen) -> None:
    await screen.open(first="wechat:p1", second="wechat:p1")
    await screen.send(1, "两边都看得到")
    await expect(screen.bubbles(2).last).to_have_text("收到：两边都看得到")


@pytest.mark.long
async def test_what_arrives_for_somebody_unseen_is_counted_until_looked_at(
    screen: Screen, fake: FakeSandbox, page: Page
) -> None:
    await screen.open()
    fake.say("bot", "一", person="p2", via="客服")
    fake.say("bot", "二", person="p2", via="客服")
    await screen.phone(1).get_by_role("button", name="选择机主").click()
    await page.get_by_role("menuitemradio", name="陈老师").filter(has_text="2 条新消息").click()
    await expect(screen.bubbles(1)).to_have_text(["一", "二"])
    await screen.phone(1).get_by_role("button", name="选择机主").click()
    await expect(page.get_by_role("menu")).not_to_contain_text("新消息")


@pytest.mark.long
async def test_esc_closes_a_sheet_and_the_focus_goes_back(screen: Screen, page: Page) -> None:
    await screen.open()
    more = screen.phone(1).get_by_role("button", name="公众号资料与取消关注")
    await more.click()
    await expect(screen.phone(1).get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(screen.phone(1).get_by_role("dialog")).to_have_count(0)
    await expect(more).to_be_focused()
