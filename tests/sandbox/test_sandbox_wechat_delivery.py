"""WeChat → product: envelopes, repeats, replies and events, against a product written with wechatpy."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiohttp import web

FAULT = "该公众号提供的服务出现故障，请稍后再试"


def field(xml: str, name: str) -> str:
    found = re.search(rf"<{name}>(?:<!\[CDATA\[(.*?)\]\]>|(.*?))</{name}>", xml, re.S)
    assert found, f"{name} is missing in {xml}"
    return found[1] if found[1] is not None else found[2]


async def test_the_address_is_checked_at_the_start(play: Any) -> None:
    async with play() as ground:

        async def checked() -> bool:
            return ground.product.checks == 1

        await ground.until(checked)


async def test_a_text_arrives_signed_and_encrypted_and_the_reply_is_shown(play: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def greet(delivery: dict[str, Any], _count: int) -> str:
            return ground.product.reply(delivery, f"收到 {len(delivery['parsed'].content)} 个字 <b>&amp;")

        ground.product.wechat = greet
        words = "周六不能去 😀 ]]> <b>&amp;"
        message = await ground.act("wechat", do="text", text=words)
        await ground.state_of("wechat", message, "delivered")
        delivery = ground.product.received[-1]
        assert delivery["parsed"].content == words
        assert delivery["parsed"].source == await ground.openid() == delivery["query"]["openid"]
        assert delivery["query"]["encrypt_type"] == "aes"
        assert words not in delivery["body"]
        reply = (await ground.chat("wechat"))[-1]
        assert (reply["from"], reply["via"], reply["text"]) == ("bot", "passive", f"收到 {len(words)} 个字 <b>&amp;")
        assert "entities_html" not in reply


async def test_silence_is_cut_and_the_very_same_message_repeated_twice_then_given_up(play: Any) -> None:
    async with play(cut=0.3) as ground:
        await ground.follow()
        ground.product.sleep(5)
        ground.product.received.clear()
        message = await ground.act("wechat", do="text", text="在吗")
        failed = await ground.state_of("wechat", message, "failed")
        assert failed["detail"] == {"code": "wechat_gave_up"}
        await asyncio.sleep(0.5)
        assert len(ground.product.received) == 3
        assert len({delivery["xml"] for delivery in ground.product.received}) == 1
        assert len({delivery["query"]["msg_signature"] for delivery in ground.product.received}) == 3


async def test_the_real_patience_is_five_seconds(play: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def slow_once(delivery: dict[str, Any], count: int) -> str:
            began = asyncio.get_running_loop().time()
            times.append(began)
            if len(times) == 1:
                await asyncio.sleep(6)
            return ground.product.reply(delivery, "来了")

        times: list[float] = []
        ground.product.wechat = slow_once
        message = await ground.act("wechat", do="text", text="在吗")

        async def repeated() -> bool:
            return len(times) == 2

        await ground.until(repeated, 7)
        assert 4.9 < times[1] - times[0] < 5.6
        assert (await ground.state_of("wechat", message, "repeated"))["detail"] == {}


async def test_a_repeat_arrives_while_the_first_is_at_work_and_one_reply_is_shown(play: Any) -> None:
    async with play(cut=0.3) as ground:
        await ground.follow()
        running: list[int] = []
        most = 0

        async def work(delivery: dict[str, Any], count: int) -> str:
            nonlocal most
            running.append(count)
            most = max(most, len(running))
            try:
                await asyncio.sleep(0.5 if most == 1 else 0.1)
                return ground.product.reply(delivery, "同一个回复")
            finally:
                running.pop()

        ground.product.wechat = work
        message = await ground.act("wechat", do="text", text="在吗")
        at_first = await ground.state_of("wechat", message, "repeated")
        assert at_first["detail"] == {"code": "retry", "n": 1}

        async def over() -> bool:
            return (await ground.state_of("wechat", message, "repeated"))["detail"] == {}

        assert await ground.until(over)
        assert most == 2
        assert [m["text"] for m in await ground.chat("wechat") if m["via"] == "passive"] == ["同一个回复"]


async def test_repeats_on_request_carry_the_same_ids_and_must_get_the_same_reply(play: Any, events: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def count_up(delivery: dict[str, Any], count: int) -> str:
            await asyncio.sleep(0.1)
            return ground.product.reply(delivery, f"第 {count} 次")

        async def same(delivery: dict[str, Any], _count: int) -> str:
            return ground.product.reply(delivery, "一样")

        for answer, complaints in ((count_up, 2), (same, 0)):
            ground.product.received.clear()
            ground.product.wechat = answer
            seq = (await ground.get("/state"))["seq"]
            message = await ground.act("wechat", do="text", text="再来", repeat=2)
            await ground.state_of("wechat", message, "repeated")

            async def three_lines(since: int = seq) -> Any:
                lines = [e for e in ground.sandbox.phones.journal.after(since) if e["type"] == "wire"]
                return lines if sum(e["what"] == "delivery" for e in lines) == 3 else None

            lines = await ground.until(three_lines)
            await asyncio.sleep(0.05)
            lines = [e for e in ground.sandbox.phones.journal.after(seq) if e["type"] == "wire"]
            assert len({field(d["xml"], "MsgId") for d in ground.product.received}) == 1
            assert len(ground.product.received) == 3
            assert sum(e["what"] == "repeats_differ" for e in lines) == complaints


@pytest.mark.parametrize("answer", ["ok", "{}", "<xml><Content>明文</Content></xml>", "succes", "<xml>"])
async def test_any_other_answer_shows_the_system_line(play: Any, answer: str) -> None:
    async with play() as ground:
        await ground.follow()

        async def wrong(_delivery: dict[str, Any], _count: int) -> str:
            return answer

        ground.product.wechat = wrong
        message = await ground.act("wechat", do="text", text="在吗")
        await ground.state_of("wechat", message, "delivered")
        last = (await ground.chat("wechat"))[-1]
        assert (last["from"], last["text"]) == ("system", FAULT)


@pytest.mark.parametrize("fault", ["signature", "appid", "receiver", "length"])
async def test_a_reply_with_a_wrong_envelope_is_refused(play: Any, fault: str) -> None:
    async with play() as ground:
        await ground.follow()

        async def wrong(delivery: dict[str, Any], _count: int) -> str:
            product = ground.product
            if fault == "signature":
                return re.sub(r"<MsgSignature><!\[CDATA\[.", "<MsgSignature><![CDATA[x", product.reply(delivery, "好"))
            if fault == "appid":
                product.crypto = type(product.crypto)("AAAAA", "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz", "wxother")
            if fault == "receiver":
                delivery["parsed"]._data["FromUserName"] = "o6_somebody_else"
            return product.reply(delivery, "好" * 700 if fault == "length" else "好")

        ground.product.wechat = wrong
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "delivered")
        assert (await ground.chat("wechat"))[-1]["text"] == FAULT


async def test_success_and_nothing_show_nothing(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        for answer in ("success", ""):

            async def quiet(_delivery: dict[str, Any], _count: int, answer: str = answer) -> str:
                return answer

            ground.product.wechat = quiet
            message = await ground.act("wechat", do="text", text="在吗")
            await ground.state_of("wechat", message, "delivered")
            assert (await ground.chat("wechat"))[-1]["id"] == message


async def test_an_error_answer_is_repeated_and_then_given_up(play: Any) -> None:
    async with play(cut=0.3) as ground:
        await ground.follow()

        async def broken(_delivery: dict[str, Any], _count: int) -> str:
            raise web.HTTPServiceUnavailable

        ground.product.wechat = broken
        ground.product.received.clear()
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "failed")
        assert len(ground.product.received) == 3


async def test_follow_by_hand_by_code_scan_and_unfollow_are_the_events_of_the_documentation(play: Any) -> None:
    async with play() as ground:
        made = await ground.wx(
            "qrcode/create",
            {"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "V站-7"}}},
        )
        await ground.state_of("wechat", await ground.act("wechat", do="scan", scene="V站-7"), "delivered")
        event = ground.product.received[-1]
        assert (field(event["xml"], "Event"), field(event["xml"], "EventKey")) == ("subscribe", "qrscene_V站-7")
        assert field(event["xml"], "Ticket") == made["ticket"]
        assert event["parsed"].event == "subscribe_scan"
        assert (await ground.person())["wechat"]["following"]
        await ground.state_of("wechat", await ground.act("wechat", do="scan", scene="V站-7"), "delivered")
        event = ground.product.received[-1]
        assert (field(event["xml"], "Event"), field(event["xml"], "EventKey")) == ("SCAN", "V站-7")
        await ground.state_of("wechat", await ground.act("wechat", do="unfollow"), "delivered")
        assert ground.product.received[-1]["parsed"].event == "unsubscribe"
        assert not (await ground.person())["wechat"]["following"]
        status, answer = await ground.post("/chats/wechat/p1/act", {"do": "text", "text": "还在吗"})
        assert (status, answer["code"]) == (409, "not_following")
        await ground.follow()
        assert field(ground.product.received[-1]["xml"], "EventKey") == ""


async def test_every_kind_of_message_is_what_wechatpy_understands(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        kinds = {
            "image": "image",
            "sticker": "image",
            "voice": "voice",
            "video": "video",
            "file": "unknown",
        }
        for act, kind in kinds.items():
            await ground.state_of("wechat", await ground.act("wechat", do=act), "delivered")
            assert ground.product.received[-1]["parsed"].type == kind
        url = {"title": "一篇文章", "text": "关于探访", "url": "https://example.org/a"}
        await ground.state_of("wechat", await ground.act("wechat", do="link", **url), "delivered")
        assert ground.product.received[-1]["parsed"].url == "https://example.org/a"
        place = {"do": "report_location", "latitude": 23.1, "longitude": 113.3}
        await ground.state_of("wechat", await ground.act("wechat", **place), "delivered")
        assert ground.product.received[-1]["parsed"].event == "location"
        ids = [field(d["xml"], "MsgId") for d in ground.product.received if "<MsgId>" in d["xml"]]
        assert len(ids) == len(set(ids)) == 6


async def test_a_shared_place_leaves_in_gcj02(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        # 天安门: WGS-84 39.90734, 116.39089 is about 39.90874, 116.39713 on Chinese maps.
        place = {"do": "location", "latitude": 39.90734, "longitude": 116.39089, "label": "天安门"}
        await ground.state_of("wechat", await ground.act("wechat", **place), "delivered")
        xml = ground.product.received[-1]["xml"]
        assert float(field(xml, "Location_X")) == pytest.approx(39.90874, abs=0.0002)
        assert float(field(xml, "Location_Y")) == pytest.approx(116.39713, abs=0.0002)
        abroad = {"do": "location", "latitude": 51.5, "longitude": -0.12, "label": ""}
        await ground.state_of("wechat", await ground.act("wechat", **abroad), "delivered")
        assert float(field(ground.product.received[-1]["xml"], "Location_X")) == 51.5


async def test_menu_entries_bring_their_own_events(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        menu = {
            "button": [
                {"name": "去服务", "sub_button": [{"type": "click", "name": "签到签退", "key": "checkin"}]},
                {"type": "view", "name": "主页", "url": "https://example.org/"},
                {
                    "name": "找帮助",
                    "sub_button": [
                        {"type": "location_select", "name": "选地点", "key": "place"},
                        {"type": "scancode_waitmsg", "name": "扫一扫", "key": "scan"},
                        {"type": "pic_weixin", "name": "发图", "key": "pic"},
                    ],
                },
            ]
        }
        assert (await ground.wx("menu/create", menu))["errcode"] == 0
        ground.product.received.clear()
        for key in ("checkin", "checkin", "https://example.org/", "place", "scan", "pic"):
            message = await ground.act("wechat", do="menu", key=key)
            await ground.state_of("wechat", message, "delivered")

        async def all_of_them() -> bool:
            return len(ground.product.received) == 8  # place and pic bring an event and a message

        await ground.until(all_of_them)
        events = [d for d in ground.product.received if "<Event>" in d["xml"]]
        kinds = [(field(d["xml"], "Event"), field(d["xml"], "EventKey")) for d in events]
        assert kinds[:3] == [("CLICK", "checkin"), ("CLICK", "checkin"), ("VIEW", "https://example.org/")]
        assert set(kinds[3:]) == {("location_select", "place"), ("scancode_waitmsg", "scan"), ("pic_weixin", "pic")}
        # Two quick clicks must not look like one: an event is told apart by its second.
        first, second = (field(d["xml"], "CreateTime") for d in events[:2])
        assert int(second) >= int(first) + 1
        status, answer = await ground.post("/chats/wechat/p1/act", {"do": "menu", "key": "none"})
        assert (status, answer["code"]) == (404, "no_entry")


async def test_a_click_in_a_msgmenu_is_a_text_with_its_menu_id(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        sent = await ground.wx(
            "message/custom/send",
            {
                "touser": await ground.openid(),
                "msgtype": "msgmenu",
                "msgmenu": {
                    "head_content": "今天怎么样？",
                    "list": [{"id": "101", "content": "挺好"}, {"id": "102", "content": "一般"}],
                    "tail_content": "谢谢",
                },
            },
        )
        assert sent["errcode"] == 0
        menu = (await ground.chat("wechat"))[-1]
        assert menu["via"] == "客服"
        assert [row[0]["text"] for row in menu["buttons"]] == ["挺好", "一般"]
        pressed = await ground.act("wechat", do="press", message_id=menu["id"], button_id=menu["buttons"][1][0]["id"])
        await ground.state_of("wechat", pressed, "delivered")
        xml = ground.product.received[-1]["xml"]
        assert (field(xml, "Content"), field(xml, "bizmsgmenuid")) == ("一般", "102")


async def test_links_of_a_reply_are_safe_and_menu_words_become_buttons(play: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def links(delivery: dict[str, Any], _count: int) -> str:
            return ground.product.reply(
                delivery,
                '<a href="https://example.org/p/1?a=1&b=2">打开</a> <a href="javascript:alert(1)">坏</a> '
                "<script>x</script>"
                '<a href="weixin://bizmsgmenu?msgmenucontent=%E7%AD%BE%E5%88%B0&msgmenuid=7">1. 签到</a>',
            )

        ground.product.wechat = links
        await ground.state_of("wechat", await ground.act("wechat", do="text", text="在吗"), "delivered")
        reply = (await ground.chat("wechat"))[-1]
        rich = reply["entities_html"]
        assert 'href="https://example.org/p/1?a=1&amp;b=2"' in rich
        assert "<script" not in rich
        assert 'href="javascript' not in rich
        assert reply["buttons"] == [[{"id": "b0", "text": "签到"}]]
        pressed = await ground.act("wechat", do="press", message_id=reply["id"], button_id="b0")
        await ground.state_of("wechat", pressed, "delivered")
        assert ground.product.received[-1]["parsed"].content == "签到"
