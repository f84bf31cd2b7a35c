"""The played WeChat API: tokens, windows, quotas and refusals with WeChat's own numbers."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest

from bot.sandbox.wechat_limits import WeChatLimits

APPID, SECRET = "wx0123456789abcdef", "app-secret"
ASK = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def text(openid: str, words: str = "你好") -> dict[str, Any]:
    return {"touser": openid, "msgtype": "text", "text": {"content": words}}


async def code(ground: Any, path: str, body: Any = None, **kwargs: Any) -> int:
    answer = await ground.wx(path, body, **kwargs)
    if answer.get("errcode"):
        assert "rid: " in answer["errmsg"]
    return int(answer.get("errcode", 0))


async def test_the_token_stays_the_same_until_it_is_forced(play: Any) -> None:
    async with play(wechat=WeChatLimits(force_pause=0)) as ground:
        first = await ground.wx("stable_token", ASK)
        assert first["expires_in"] in (7199, 7200)
        assert (await ground.wx("stable_token", ASK))["access_token"] == first["access_token"]
        forced = await ground.wx("stable_token", ASK | {"force_refresh": True})
        assert forced["access_token"] != first["access_token"]
        assert await code(ground, "menu/get", token=first["access_token"]) == 40001
        assert await code(ground, "menu/get", token=forced["access_token"]) == 46003


async def test_forcing_again_within_half_a_minute_does_not_refresh(play: Any) -> None:
    async with play() as ground:
        first = await ground.wx("stable_token", ASK | {"force_refresh": True})
        again = await ground.wx("stable_token", ASK | {"force_refresh": True})
        assert again["access_token"] == first["access_token"]


async def test_a_token_ends_and_a_missing_or_foreign_one_is_refused(play: Any) -> None:
    async with play(wechat=WeChatLimits(token_life=1, token_overlap=0)) as ground:
        token = (await ground.wx("stable_token", ASK))["access_token"]
        assert await code(ground, "menu/get", token=token) == 46003
        assert await code(ground, "menu/get", token="") == 41001
        assert await code(ground, "menu/get", token="80_foreign") == 40001
        ends = time.monotonic() + 1.05
        while time.monotonic() < ends:
            await ground.get("/state")
        assert await code(ground, "menu/get", token=token) == 42001


async def test_the_old_token_still_works_for_a_while_after_an_ordinary_renewal(play: Any) -> None:
    async with play(wechat=WeChatLimits(token_life=100, token_overlap=100)) as ground:
        first = (await ground.wx("stable_token", ASK))["access_token"]
        second = (await ground.wx("stable_token", ASK))["access_token"]
        assert first != second
        assert await code(ground, "menu/get", token=first) == 46003


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"grant_type": "x"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"appid": "wx1"}, 40013),
        ({"secret": "no"}, 40125),
    ],
)
async def test_a_wrong_credential_is_named(play: Any, change: dict[str, str], errcode: int) -> None:
    async with play() as ground:
        assert await code(ground, "stable_token", ASK | change) == errcode


async def test_wrong_method_path_and_body_are_refused_under_http_200(play: Any) -> None:
    async with play() as ground:
        assert await code(ground, "message/custom/send") == 43002
        assert await code(ground, "menu/get", {}) == 43001
        assert await code(ground, "no/such/thing", {}) == 40066
        assert await code(ground, "menu/create", ["not", "an", "object"]) == 47001
        assert await code(ground, "menu/create", {"button": "x" * 70_000}) == 45002


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


async def test_an_account_has_room_for_25_templates(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "data": {"thing1": {"value": "探访"}}}
        codes = [await code(ground, "message/template/send", body | {"template_id": f"T{n}"}) for n in range(26)]
        assert codes == [0] * 25 + [40037]
        assert await code(ground, "template/api_add_template", {"template_id_short": "TM1"}) == 45026
        assert await code(ground, "template/del_private_template", {"template_id": "T3"}) == 0
        assert await code(ground, "template/api_add_template", {"template_id_short": "TM1"}) == 0


async def test_the_day_quota_ends_with_the_day_of_the_programme_clock(play: Any) -> None:
    async with play(wechat=WeChatLimits(daily={"message/template/send": 2})) as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "template_id": "T", "data": {"thing1": {"value": "探访"}}}
        codes = [await code(ground, "message/template/send", body) for _ in range(3)]
        assert codes == [0, 0, 45009]
        await ground.clock.advance(86_400)
        assert await code(ground, "message/template/send", body) == 0


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


async def test_tags_keep_their_limits(play: Any) -> None:
    async with play(wechat=WeChatLimits(tags=3, tags_per_person=2)) as ground:
        await ground.follow()
        openid = await ground.openid()
        assert await code(ground, "tags/create", {"tag": {"name": "长" * 11}}) == 45158
        tags = [(await ground.wx("tags/create", {"tag": {"name": f"组{n}"}}))["tag"]["id"] for n in range(3)]
        assert await code(ground, "tags/create", {"tag": {"name": "组0"}}) == 45157
        assert await code(ground, "tags/create", {"tag": {"name": "组3"}}) == 45056
        codes = [
            await code(ground, "tags/members/batchtagging", {"openid_list": [openid], "tagid": tag}) for tag in tags
        ]
        assert codes == [0, 0, 45059]
        many = {"openid_list": [openid] * 51, "tagid": tags[0]}
        assert await code(ground, "tags/members/batchtagging", many) == 40032
        assert await code(ground, "tags/members/batchtagging", {"openid_list": ["o6_x"], "tagid": tags[0]}) == 40003
        assert await code(ground, "tags/delete", {"tag": {"id": 2}}) == 45058
        assert await code(ground, "tags/delete", {"tag": {"id": tags[0]}}) == 0
        assert [tag["count"] for tag in (await ground.wx("tags/get"))["tags"]] == [1, 0]


CLICK = {"type": "click", "name": "签到", "key": "in"}


@pytest.mark.parametrize(
    ("buttons", "errcode"),
    [
        ([], 40016),
        ([CLICK] * 4, 40016),
        ([CLICK | {"type": "fly"}], 40017),
        ([CLICK | {"name": "六个字的名字"}], 40018),
        ([CLICK | {"key": "k" * 129}], 40019),
        ([{"type": "view", "name": "主页", "url": "https://e.org/" + "u" * 1024}], 40020),
        ([{"type": "view", "name": "主页", "url": "ftp://e.org/"}], 40055),
        ([{"name": "我的", "sub_button": [{"name": "x", "sub_button": [CLICK]}]}], 40022),
        ([{"name": "我的", "sub_button": [CLICK] * 6}], 40023),
        ([{"name": "我的", "sub_button": [CLICK | {"type": "fly"}]}], 40024),
        ([{"name": "我的", "sub_button": [CLICK | {"name": "字" * 21}]}], 40025),
        ([{"name": "我的", "sub_button": [CLICK | {"key": ""}]}], 40026),
        ([{"name": "我的", "sub_button": [{"type": "view", "name": "页", "url": ""}]}], 40027),
        ([{"name": "我的", "sub_button": [CLICK] * 5}] * 3, 0),
    ],
)
async def test_a_menu_is_measured_like_wechat_does(play: Any, buttons: list[Any], errcode: int) -> None:
    async with play() as ground:
        assert await code(ground, "menu/create", {"button": buttons}) == errcode


async def test_a_conditional_menu_is_seen_by_the_holders_of_its_tag(play: Any) -> None:
    async with play() as ground:
        for person in ("p1", "p2"):
            await ground.follow(person)
        special = {"button": [{"name": "今天办", "sub_button": [CLICK]}]}
        assert await code(ground, "menu/addconditional", special | {"matchrule": {"tag_id": "100"}}) == 65303
        await ground.wx("menu/create", {"button": [CLICK]})
        tag = (await ground.wx("tags/create", {"tag": {"name": "专员"}}))["tag"]["id"]
        assert await code(ground, "menu/addconditional", special) == 65304
        assert await code(ground, "menu/addconditional", special | {"matchrule": {"tag_id": "55"}}) == 45159
        added = await ground.wx("menu/addconditional", special | {"matchrule": {"tag_id": str(tag)}})
        await ground.wx("tags/members/batchtagging", {"openid_list": [await ground.openid("p2")], "tagid": tag})
        names = [(await ground.get(f"/chats/wechat/{p}"))["menu"][0]["name"] for p in ("p1", "p2")]
        assert names == ["签到", "今天办"]
        state = await ground.get("/state", params={"person": "p2"})
        assert state["accounts"]["wechat"]["menu"][0]["name"] == "今天办"
        assert await code(ground, "menu/delconditional", {"menuid": added["menuid"]}) == 0
        assert await code(ground, "menu/delconditional", {"menuid": added["menuid"]}) == 65301
        assert await code(ground, "menu/delete") == 0
        assert await code(ground, "menu/get") == 46003


async def test_a_qr_code_is_a_picture_and_a_temporary_one_ends(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        ask = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "act-1"}}, "expire_seconds": 60}
        made = await ground.wx("qrcode/create", ask)
        url = f"{ground.base}/sandbox/wechat-api/cgi-bin/showqrcode"
        async with ground.http.get(url, params={"ticket": made["ticket"]}) as response:
            assert response.content_type == "image/png"
            assert (await response.read()).startswith(b"\x89PNG")
        async with ground.http.get(url, params={"ticket": made["ticket"], "format": "svg"}) as response:
            assert b"<svg" in await response.read()
        async with ground.http.get(url, params={"ticket": "none"}) as response:
            assert response.status == 404
        await ground.clock.advance(61)
        status, answer = await ground.post("/chats/wechat/p1/act", {"do": "scan", "scene": "act-1"})
        assert (status, answer["code"]) == (409, "expired")


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"action_name": "QR_OTHER"}, 40052),
        ({"action_info": {"scene": {"scene_str": ""}}}, 40053),
        ({"action_info": {"scene": {"scene_str": "x" * 65}}}, 40053),
        ({"action_info": {}}, 40053),
        ({"expire_seconds": 30 * 86_400 + 1}, 40053),
    ],
)
async def test_a_qr_code_out_of_limits_is_refused(play: Any, change: dict[str, Any], errcode: int) -> None:
    async with play() as ground:
        ask = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "x"}}, "expire_seconds": 60}
        assert await code(ground, "qrcode/create", ask | change) == errcode


async def upload(ground: Any, kind: str, content: bytes, field: str = "media") -> dict[str, Any]:
    await ground.wx("tags/get")  # fetches the token
    form = aiohttp.FormData()
    form.add_field(field, content, filename="a.png", content_type="image/png")
    url = f"{ground.base}/sandbox/wechat-api/cgi-bin/media/upload"
    async with ground.http.post(url, params={"access_token": ground.token, "type": kind}, data=form) as response:
        return dict(await response.json())


async def test_media_go_up_and_come_back_within_their_sizes(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        assert (await upload(ground, "poem", PNG))["errcode"] == 40004
        assert (await upload(ground, "image", b"not a picture"))["errcode"] == 40005
        assert (await upload(ground, "thumb", PNG + b"0" * 65_536))["errcode"] == 40006
        assert (await upload(ground, "image", PNG, "file"))["errcode"] == 41005
        media_id = (await upload(ground, "image", PNG))["media_id"]
        url = f"{ground.base}/sandbox/wechat-api/cgi-bin/media/get"
        async with ground.http.get(url, params={"access_token": ground.token, "media_id": media_id}) as response:
            assert await response.read() == PNG
        assert await code(ground, "media/get") == 41006
        picture = {"touser": await ground.openid(), "msgtype": "image", "image": {"media_id": media_id}}
        assert await code(ground, "message/custom/send", picture) == 0
        shown = (await ground.chat("wechat"))[-1]
        async with ground.http.get(ground.base + shown["media_url"]) as response:
            assert await response.read() == PNG


async def test_a_draft_can_be_sent_to_everybody(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        article = {"title": "助残日", "content": "<p>一起来</p>", "thumb_media_id": "none"}
        assert await code(ground, "draft/add", {"articles": []}) == 44003
        assert await code(ground, "draft/add", {"articles": [article]}) == 40007
        article["thumb_media_id"] = (await upload(ground, "thumb", PNG))["media_id"]
        assert await code(ground, "draft/add", {"articles": [article | {"title": "长" * 65}]}) == 45003
        draft = await ground.wx("draft/add", {"articles": [article]})
        body = {"filter": {"is_to_all": True}, "msgtype": "mpnews", "mpnews": draft}
        assert await code(ground, "message/mass/sendall", body) == 0
        assert (await ground.chat("wechat"))[-1]["text"] == "助残日"


async def test_faults_hit_the_next_calls_and_the_work_of_a_dropped_one_is_done(play: Any) -> None:
    async with play(slow=0.3) as ground:
        await ground.follow()
        openid = await ground.openid()
        await ground.wx("tags/get")
        url = f"{ground.base}/sandbox/wechat-api/cgi-bin/message/custom/send"
        params = {"access_token": ground.token}
        assert (await ground.post("/faults", {"platform": "wechat", "kind": "5xx", "times": 1}))[0] == 200
        async with ground.http.post(url, params=params, json=text(openid, "一")) as response:
            assert (response.status, response.content_type) == (502, "text/html")
        await ground.post("/faults", {"platform": "wechat", "kind": "drop", "times": 1})
        with pytest.raises(aiohttp.ClientError):
            await ground.http.post(url, params=params, json=text(openid, "二"))
        await ground.post("/faults", {"platform": "wechat", "kind": "slow", "times": 1})
        with pytest.raises(TimeoutError):
            await ground.http.post(
                url, params=params, json=text(openid, "三"), timeout=aiohttp.ClientTimeout(total=0.1)
            )
        assert await code(ground, "message/custom/send", text(openid, "四")) == 0
        assert [m["text"] for m in await ground.chat("wechat") if m["via"] == "客服"] == ["二", "三", "四"]
