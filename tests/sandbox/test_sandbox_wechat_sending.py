"""The played WeChat API's doors out: 客服, templates, subscriptions and mass sends, each with its limits."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.wechat_limits import WeChatLimits
from tests.sandbox.wechat_calls import code, text


async def test_a_typed_message_opens_five_for_48_hours(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        openid = await ground.openid()
        await ground.clock.advance(61)
        assert await code(ground, "message/custom/send", text(openid)) == 45015
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "delivered")
        await ground.clock.advance(48 * 3600 - 120)
        codes = [await code(ground, "message/custom/send", text(openid)) for _ in range(6)]
        assert codes == [0, 0, 0, 0, 0, 45047]
        await ground.clock.advance(300)
        assert await code(ground, "message/custom/send", text(openid)) == 45015
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "delivered")
        assert await code(ground, "message/custom/send", text(openid)) == 0
        assert sum(m["via"] == "客服" for m in await ground.chat("wechat")) == 6


@pytest.mark.parametrize("opened_by", ["follow", "scan", "menu"])
async def test_following_scanning_and_clicking_open_three_for_a_minute(play: Any, opened_by: str) -> None:
    async with play() as ground:
        await ground.wx("menu/create", {"button": [{"type": "click", "name": "签到", "key": "in"}]})
        await ground.follow()
        openid = await ground.openid()
        if opened_by != "follow":
            await ground.clock.advance(61)
            assert await code(ground, "message/custom/send", text(openid)) == 45015
            doing = {"do": "scan", "scene": "x"} if opened_by == "scan" else {"do": "menu", "key": "in"}
            await ground.state_of("wechat", await ground.act("wechat", **doing), "delivered")
        codes = [await code(ground, "message/custom/send", text(openid)) for _ in range(4)]
        assert codes == [0, 0, 0, 45047]
        await ground.clock.advance(61)
        assert await code(ground, "message/custom/send", text(openid)) == 45015


async def test_a_refused_message_uses_up_nothing(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        openid = await ground.openid()
        assert await code(ground, "message/custom/send", text(openid, "")) == 44004
        assert await code(ground, "message/custom/send", text(openid, "好" * 683)) == 45002
        assert await code(ground, "message/custom/send", {"touser": openid, "msgtype": "poem", "poem": {}}) == 40008
        picture = {"touser": openid, "msgtype": "image", "image": {"media_id": "none"}}
        assert await code(ground, "message/custom/send", picture) == 40007
        codes = [await code(ground, "message/custom/send", text(openid, "好" * 682)) for _ in range(4)]
        assert codes == [0, 0, 0, 45047]


async def test_strangers_and_people_who_left_are_refused_with_different_numbers(play: Any) -> None:
    async with play() as ground:
        openid = await ground.openid()
        assert await code(ground, "message/custom/send", text("o6_nobody")) == 40003
        for path, body in {
            "message/custom/send": text(openid),
            "message/template/send": {"touser": openid, "template_id": "T1", "data": {"thing1": {"value": "探访"}}},
            "message/subscribe/bizsend": {"touser": openid, "template_id": "T1", "data": {"thing1": {"value": "探访"}}},
            "message/mass/preview": text(openid),
        }.items():
            assert await code(ground, path, body) == 43004


async def test_a_template_with_the_same_client_msg_id_is_sent_once_and_its_receipt_comes_as_an_event(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        body = {
            "touser": await ground.openid(),
            "template_id": "TPL-1",
            "client_msg_id": "visit-7",
            "url": "https://example.org/v/7",
            "data": {"thing1": {"value": "探访待确认"}, "time2": {"value": "2026年11月22日 15:00"}},
        }
        first, second = await ground.wx("message/template/send", body), await ground.wx("message/template/send", body)
        assert first["errcode"] == second["errcode"] == 0
        assert first["msgid"] == second["msgid"]
        shown = [m for m in await ground.chat("wechat") if m["kind"] == "template"]
        assert len(shown) == 1
        assert shown[0]["via"] == "模板"
        assert 'href="https://example.org/v/7"' in shown[0]["entities_html"]

        async def receipt() -> Any:
            found = [d["parsed"] for d in ground.product.received if "TEMPLATESENDJOBFINISH" in d["xml"]]
            return found or None

        receipts = await ground.until(receipt)
        assert (len(receipts), receipts[0].status, receipts[0].id) == (1, "success", first["msgid"])
        other = await ground.wx("message/template/send", body | {"client_msg_id": "visit-8"})
        assert other["msgid"] != first["msgid"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"first": {"value": "你好"}},
        {"remark": {"value": "谢谢"}},
        {"thing1": {"value": ""}},
        {"thing1": {"value": "探" * 21}},
        {"thing1": {"value": "两\n行"}},
        {"thing1": {"value": "笑😀"}},
        {"phrase3": {"value": "六个字的短语"}},
        {"thing1": "探访"},
    ],
)
async def test_template_fields_are_held_to_their_length_and_letters(play: Any, data: dict[str, Any]) -> None:
    async with play() as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "template_id": "TPL-1", "data": data}
        assert await code(ground, "message/template/send", body) == 47003


async def test_a_one_time_subscription_sends_once_for_each_grant_of_its_scene(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        body = {
            "touser": await ground.openid(),
            "template_id": "OT",
            "scene": "1000",
            "title": "探访提醒",
            "data": {"content": {"value": "明天下午三点", "color": "#000"}},
        }
        assert await code(ground, "message/template/subscribe", body) == 43101
        await ground.act("wechat", do="grant", scene=1000)
        assert await code(ground, "message/template/subscribe", body | {"scene": "7"}) == 43101
        assert await code(ground, "message/template/subscribe", body | {"title": "超" * 16}) == 47003
        assert await code(ground, "message/template/subscribe", body) == 0
        assert await code(ground, "message/template/subscribe", body) == 43101


async def test_a_subscription_notice_needs_a_grant_of_its_template(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "template_id": "SUB", "data": {"thing1": {"value": "探访"}}}
        assert await code(ground, "message/subscribe/bizsend", body) == 43101
        message = await ground.act("wechat", do="grant", template_id="SUB")
        await ground.state_of("wechat", message, "delivered")
        assert "subscribe_msg_popup_event" in ground.product.received[-1]["xml"]
        assert [await code(ground, "message/subscribe/bizsend", body) for _ in range(2)] == [0, 43101]


async def test_a_mass_send_needs_two_and_its_key_works_once(play: Any) -> None:
    async with play() as ground:
        for person in ("p1", "p2"):
            await ground.follow(person)
        openids = [await ground.openid(person) for person in ("p1", "p2", "p3")]
        body = {"touser": openids, "msgtype": "text", "text": {"content": "助残日"}, "clientmsgid": "camp-1"}
        assert await code(ground, "message/mass/send", body | {"touser": openids[:1]}) == 40130
        assert await code(ground, "message/mass/send", body | {"touser": ["o"] * 10_001}) == 40130
        assert await code(ground, "message/mass/send", body | {"clientmsgid": "x" * 65}) == 45067
        first = await ground.wx("message/mass/send", body)
        again = await ground.wx("message/mass/send", body)
        assert (first["errcode"], again["errcode"], again["msg_id"]) == (0, 45065, first["msg_id"])
        assert [sum(m["via"] == "群发" for m in await ground.chat("wechat", p)) for p in ("p1", "p2", "p3")] == [
            1,
            1,
            0,
        ]
        assert (await ground.wx("message/mass/get", {"msg_id": first["msg_id"]}))["msg_status"] == "SEND_SUCCESS"

        async def totals() -> Any:
            return next((d["parsed"] for d in ground.product.received if "MASSSENDJOBFINISH" in d["xml"]), None)

        event = await ground.until(totals)
        assert (event.total_count, event.filter_count, event.sent_count, event.error_count) == (3, 2, 2, 0)


async def test_nobody_gets_more_than_four_mass_messages_in_a_month(play: Any) -> None:
    async with play(wechat=WeChatLimits(minutely={"message/mass/send": 7})) as ground:
        for person in ("p1", "p2"):
            await ground.follow(person)
        openids = [await ground.openid(person) for person in ("p1", "p2")]
        body = {"touser": openids, "msgtype": "text", "text": {"content": "助残日"}}
        codes = [await code(ground, "message/mass/send", body) for _ in range(5)]
        assert codes == [0, 0, 0, 0, 45028]
        await ground.clock.advance(31 * 86_400)
        assert [await code(ground, "message/mass/send", body) for _ in range(3)] == [0, 0, 45011]


async def test_a_mass_send_to_a_tag_reaches_its_holders(play: Any) -> None:
    async with play() as ground:
        for person in ("p1", "p2", "p3"):
            await ground.follow(person)
        tag = (await ground.wx("tags/create", {"tag": {"name": "志愿者"}}))["tag"]["id"]
        openids = [await ground.openid(person) for person in ("p1", "p3")]
        assert await code(ground, "tags/members/batchtagging", {"openid_list": openids, "tagid": tag}) == 0
        body = {"filter": {"is_to_all": False, "tag_id": tag}, "msgtype": "text", "text": {"content": "活动"}}
        assert await code(ground, "message/mass/sendall", body) == 0
        assert await code(ground, "message/mass/sendall", body | {"filter": {"tag_id": 999}}) == 45159
        got = [sum(m["via"] == "群发" for m in await ground.chat("wechat", p)) for p in ("p1", "p2", "p3")]
        assert got == [1, 0, 1]
        assert (await ground.wx("user/tag/get", {"tagid": tag}))["data"]["openid"] == openids
        assert (await ground.wx("tags/getidlist", {"openid": openids[0]}))["tagid_list"] == [tag]
