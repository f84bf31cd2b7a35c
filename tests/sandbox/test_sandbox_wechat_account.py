"""The played WeChat account: tags, menus, QR codes, media and drafts, measured as WeChat measures them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from bot.sandbox.wechat_limits import WeChatLimits
from config.settings import WeChatAccount
from handlers import menu
from tests.sandbox.conftest import AES_KEY, APPID, SECRET, TOKEN
from tests.sandbox.wechat_calls import PNG, code, upload


async def test_an_account_has_room_for_25_templates(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        body = {"touser": await ground.openid(), "data": {"thing1": {"value": "探访"}}}
        codes = [await code(ground, "message/template/send", body | {"template_id": f"T{n}"}) for n in range(26)]
        assert codes == [0] * 25 + [40037]
        assert await code(ground, "template/api_add_template", {"template_id_short": "TM1"}) == 45026
        assert await code(ground, "template/del_private_template", {"template_id": "T3"}) == 0
        assert await code(ground, "template/api_add_template", {"template_id_short": "TM1"}) == 0


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
        assert await code(ground, "menu/addconditional", special | {"matchrule": {"language": "en"}}) == 65320
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


async def test_menus_put_up_a_second_time_leave_one_of_each_hanging(play: Any) -> None:
    async with play() as ground:
        played = WeChatAccount(
            appid=APPID,
            secret=SecretStr(SECRET),
            token=SecretStr(TOKEN),
            encoding_aes_key=SecretStr(AES_KEY),
            api_base=f"{ground.base}/sandbox/wechat-api",
        )
        account = WeChat("sandbox", played, lambda: ground.http)
        for _version in range(2):
            assert await account.install_menu(menu.menus()) == Outcome("sent")
        await account.stop()
        hanging = await ground.wx("menu/get")
        assert len(hanging["conditionalmenu"]) == len(menu.menus()) - 1


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
