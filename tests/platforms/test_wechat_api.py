"""Outgoing calls to WeChat: messages, menus and everything else, as its API wants them."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest
import structlog
from aiohttp import web

from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from bot.platforms.wechat_text import custom_message
from handlers.message import Inbound, Link, MenuColumn, MenuEntry, Option, Reply
from tests.platforms.accidents import hangs
from tests.platforms.wechat_player import OPENID
from tests.platforms.wechat_server import GOOD, QUESTION, SEND, Api, sent
from tests.platforms.wechat_server import account as account
from tests.platforms.wechat_server import api as api
from tests.platforms.wechat_server import http as http


async def test_a_text_goes_out_unescaped_under_a_token(api: Api, account: WeChat) -> None:
    assert await sent(account) == Outcome("sent")
    assert api.calls == [(SEND, {"touser": OPENID, "msgtype": "text", "text": {"content": "你好😀"}})]
    assert (api.asked_for_token, api.forced) == (1, 0)


async def test_choices_go_out_as_a_menu_message_with_numbers(api: Api, account: WeChat) -> None:
    assert (await sent(account, QUESTION)).name == "sent"
    menu = api.calls[0][1]["msgmenu"]
    assert menu["head_content"] == "这次能去吗？"
    assert menu["list"] == [{"id": "k1", "content": "1. 能去"}, {"id": "k2", "content": "2. 去不了"}]


def test_choices_that_a_menu_message_cannot_carry_go_out_as_a_list() -> None:
    for reply in (
        Reply("选", tuple(Option(str(n), "项") for n in range(11))),
        Reply("选", (Option("1", "长" * 50),)),
        Reply("长" * 400, (Option("1", "好"),)),
        Reply("选", (Option("1", "好"),), (Link("https://example.org", "看"),)),
    ):
        assert custom_message(reply)["msgtype"] == "text"


async def test_an_account_without_menu_messages_gets_the_list_now_and_later(api: Api, account: WeChat) -> None:
    async def refuse_menus(request: web.Request) -> web.Response:
        kind = (await request.json())["msgtype"]
        return web.json_response({"errcode": 40200, "errmsg": "invalid account type"} if kind == "msgmenu" else GOOD)

    api.behaviours[SEND] = refuse_menus
    assert (await sent(account, QUESTION)).name == "sent"
    assert (await sent(account, QUESTION)).name == "sent"
    assert [body["msgtype"] for _, body in api.calls] == ["msgmenu", "text", "text"]


async def test_keyed_sends_carry_their_key_and_bring_the_platforms_number(api: Api, account: WeChat) -> None:
    api.answers("message/template/send", {**GOOD, "msgid": 200228332})
    fields = {"thing1": "探访待确认", "time2": "3月5日"}
    answer = await account.api.template_send(OPENID, "T1", fields, client_msg_id="row-1", url="https://example.org")
    assert (answer.outcome.name, answer.outcome.reference) == ("sent", "200228332")
    assert api.calls[-1][1]["client_msg_id"] == "row-1"
    assert api.calls[-1][1]["data"] == {"thing1": {"value": "探访待确认"}, "time2": {"value": "3月5日"}}

    text = {"msgtype": "text", "text": {"content": "助残日快乐"}}
    api.answers("message/mass/send", {"errcode": 45065, "errmsg": "clientmsgid exist", "msg_id": 3147483652})
    answer = await account.api.mass_send([OPENID, "o2"], text, client_msg_id="campaign-1-0")
    assert answer.outcome == Outcome("sent", "45065", reference="3147483652")
    assert api.calls[-1][1] == {"touser": [OPENID, "o2"], **text, "clientmsgid": "campaign-1-0"}


async def test_calls_that_could_only_be_refused_are_not_made(api: Api, account: WeChat) -> None:
    for openids in ([OPENID], [OPENID] * 10_001):
        with pytest.raises(ValueError, match="2–10,000"):
            await account.api.mass_send(openids, {}, client_msg_id="c")
    for key in ("", "k" * 65, "暖" * 22):
        with pytest.raises(ValueError, match="1–64 bytes"):
            await account.api.mass_send_all({}, client_msg_id=key)
    with pytest.raises(ValueError, match="1–64 characters"):
        await account.api.qrcode_create("")
    assert api.calls == []


async def test_each_call_has_its_path_and_body(api: Api, account: WeChat) -> None:
    api.answers("qrcode/create", {"ticket": "T", "url": "http://weixin.qq.com/q/x"})
    api.answers("draft/add", {"media_id": "D1"})
    api.answers("media/upload", {"type": "image", "media_id": "M1", "created_at": 1})
    calls = account.api
    assert (await calls.template_subscribe(OPENID, "T", scene=1000, title="约好了", text="周六三点")).ok
    assert api.calls[-1][1]["data"] == {"content": {"value": "周六三点"}}
    assert (await calls.bizsend(OPENID, "T", {"thing1": "探访"}, page="p")).ok
    assert (await calls.mass_send_all({"msgtype": "text"}, client_msg_id="c", tag_id=5)).ok
    assert api.calls[-1][1]["filter"] == {"is_to_all": False, "tag_id": 5}
    assert (await calls.mass_preview(OPENID, {"msgtype": "text"})).ok
    assert (await calls.tags_assign(5, [OPENID])).ok
    assert (await calls.tags_withdraw(5, [OPENID])).ok
    assert (await calls.qrcode_create("v440106")).data["ticket"] == "T"
    assert api.calls[-1][1]["action_name"] == "QR_LIMIT_STR_SCENE"
    assert (await calls.qrcode_create("v440106", seconds=10**9)).ok
    assert api.calls[-1][1]["expire_seconds"] == 30 * 86400
    assert (await calls.draft_add([{"title": "助残日"}])).data["media_id"] == "D1"
    assert (await calls.media_upload("image", "a.png", b"\x89PNG", "image/png")).data["media_id"] == "M1"
    assert "\x89PNG" in api.calls[-1][1]
    assert [path for path, _ in api.calls] == [
        "message/template/subscribe",
        "message/subscribe/bizsend",
        "message/mass/sendall",
        "message/mass/preview",
        "tags/members/batchtagging",
        "tags/members/batchuntagging",
        "qrcode/create",
        "qrcode/create",
        "draft/add",
        "media/upload",
    ]


async def test_an_upload_is_sent_whole_again_after_a_refused_token(api: Api, account: WeChat) -> None:
    await sent(account)
    api.token = "ANOTHER-COPY"
    answer = await account.api.media_upload("image", "a.png", b"\x89PNG", "image/png")
    assert answer.outcome.name == "uncertain", "an answer without media_id proves nothing"
    assert ["\x89PNG" in body for path, body in api.calls if path == "media/upload"] == [True, True]


async def test_media_come_back_as_bytes_and_problems_as_problems(api: Api, account: WeChat) -> None:
    api.answers("media/get", b"\xff\xd8picture", content_type="image/jpeg")
    answer = await account.api.media_get("p1")
    assert (answer.ok, answer.content) == (True, b"\xff\xd8picture")
    api.answers("media/get", {"errcode": 40007, "errmsg": "invalid media_id"})
    answer = await account.api.media_get("p1")
    assert (answer.outcome.name, answer.content) == ("refused", b"")
    api.answers("media/get", b"<html>", content_type="text/html")
    assert not (await account.api.media_get("p1")).ok


VOLUNTEER = (
    MenuColumn("去服务", (MenuEntry("checkin", "签到签退"),)),
    MenuColumn("我的", (MenuEntry("pairs", "我的结对"),)),
)
SPECIALIST = (MenuColumn("今天办", (MenuEntry("todo", "待办清单"),)),)


async def test_menus_go_up_for_everybody_and_by_tag_for_the_others(api: Api, account: WeChat) -> None:
    api.answers("tags/get", {"tags": [{"id": 2, "name": "星标组", "count": 0}, {"id": 101, "name": "specialist"}]})
    api.answers("tags/create", {"tag": {"id": 102, "name": "organiser"}})
    api.answers("menu/addconditional", {"menuid": "208379533"})
    menus = {"specialist": SPECIALIST, "volunteer": VOLUNTEER, "organiser": SPECIALIST}
    assert await account.install_menu(menus) == Outcome("sent")
    assert [path for path, _ in api.calls] == [
        "menu/delete",
        "menu/create",
        "tags/get",
        "menu/addconditional",
        "tags/create",
        "menu/addconditional",
    ]
    assert api.calls[1][1]["button"][0] == {
        "name": "去服务",
        "sub_button": [{"type": "click", "name": "签到签退", "key": "checkin"}],
    }
    assert [body["matchrule"] for path, body in api.calls if path == "menu/addconditional"] == [
        {"tag_id": "101"},
        {"tag_id": "102"},
    ]


async def test_a_menu_that_is_refused_ends_the_installation_with_its_outcome(api: Api, account: WeChat) -> None:
    api.answers("menu/create", {"errcode": 48001, "errmsg": "api unauthorized"})
    assert (await account.install_menu({"volunteer": VOLUNTEER, "specialist": SPECIALIST})).name == "stopped"
    assert len(api.calls) == 2
    api.answers("menu/delete", {"errcode": 48001, "errmsg": "api unauthorized"})
    assert (await account.install_menu({"volunteer": VOLUNTEER, "specialist": SPECIALIST})).name == "stopped"
    assert len(api.calls) == 3
    del api.behaviours["menu/create"]
    api.answers("tags/get", {"tags": []})
    api.answers("tags/create", {"errcode": 45056, "errmsg": "too many tags"})
    assert await account.install_menu({"specialist": SPECIALIST}) == Outcome("refused", "45056")


async def test_a_menu_over_three_by_five_is_our_own_mistake(account: WeChat) -> None:
    for columns in (VOLUNTEER * 2, (MenuColumn("空", ()),), (MenuColumn("满", (MenuEntry("k", "项"),) * 6),)):
        with pytest.raises(ValueError, match="3 columns"):
            await account.install_menu({"volunteer": columns})


async def acknowledged(account: WeChat, menu: str, language: str = "zh_CN") -> None:
    inbound = Inbound("wechat", "gd", OPENID, "m1", "text", datetime.now(UTC))
    await account.acknowledge(inbound, b"", Reply("好", menu=menu, language=language))
    await asyncio.wait_for(asyncio.gather(*account._showing), 5)


TAGS = {
    "tags": [
        {"id": 2, "name": "星标组"},
        {"id": 101, "name": "specialist"},
        {"id": 102, "name": "organiser"},
        {"id": 103, "name": "volunteer@en"},
        {"id": 104, "name": "specialist@en"},
    ]
}


def tagged(api: Api) -> list[tuple[str, int]]:
    return [(path.split("/")[-1], body["tagid"]) for path, body in api.calls if "members" in path]


@pytest.mark.parametrize(
    ("role", "language", "held", "changes"),
    [
        ("specialist", "zh_CN", [2, 102], [("batchuntagging", 102), ("batchtagging", 101)]),
        ("specialist", "zh_CN", [101], []),
        ("specialist", "en", [101], [("batchuntagging", 101), ("batchtagging", 104)]),
        ("volunteer", "en", [], [("batchtagging", 103)]),
        ("volunteer", "zh_HK", [103], [("batchuntagging", 103)]),
        ("organiser", "en", [], [("batchtagging", 102)]),
        ("", "en", [101], []),
    ],
)
async def test_a_person_is_shown_the_menu_of_role_and_language_and_loses_the_others(
    api: Api, account: WeChat, role: str, language: str, held: list[int], changes: list[tuple[str, int]]
) -> None:
    api.answers("tags/get", TAGS)
    api.answers("tags/getidlist", {"tagid_list": held})
    await acknowledged(account, role, language)
    assert tagged(api) == changes


async def test_where_the_persons_tags_cannot_be_read_all_other_menus_are_taken(api: Api, account: WeChat) -> None:
    api.answers("tags/get", TAGS)
    api.answers("tags/getidlist", {"errcode": -1, "errmsg": "system error"})
    await acknowledged(account, "specialist", "en")
    await acknowledged(account, "volunteer")
    taken = [("batchuntagging", tag) for tag in (101, 102, 103)]
    assert tagged(api) == [*taken, ("batchtagging", 104), *taken, ("batchuntagging", 104)]
    assert [path for path, _ in api.calls].count("tags/get") == 1


async def test_a_message_sent_outside_an_answer_shows_its_menu_too(api: Api, account: WeChat) -> None:
    api.answers("tags/get", TAGS)
    api.answers("tags/getidlist", {"tagid_list": []})
    assert (await sent(account, Reply("你现在是项目专员", menu="specialist", language="en"))).name == "sent"
    await asyncio.wait_for(asyncio.gather(*account._showing), 5)
    assert tagged(api) == [("batchtagging", 104)]


async def test_showing_a_menu_neither_delays_nor_breaks_the_answer(api: Api, account: WeChat) -> None:
    api.behaviours["tags/get"] = hangs
    inbound = Inbound("wechat", "gd", OPENID, "m1", "text", datetime.now(UTC))
    began = time.monotonic()
    await account.acknowledge(inbound, b"", Reply("好", menu="specialist"))
    await account.acknowledge(inbound, b"", None)
    assert time.monotonic() - began < 0.1
    await asyncio.sleep(0.05)
    await account.stop()
    assert time.monotonic() - began < 1
    assert not account._showing


async def test_the_log_names_the_request_and_neither_person_token_nor_words(api: Api, account: WeChat) -> None:
    api.answers(SEND, {"errcode": 45015, "errmsg": f"response out of time limit {OPENID} rid: 65a1-1b2c-3d4e"})
    with structlog.testing.capture_logs() as logs:
        await sent(account, Reply("只给一个人看的话"))
    (call,) = [entry for entry in logs if entry.get("path") == SEND]
    assert (call["code"], call["rid"], call["outcome"]) == ("45015", "65a1-1b2c-3d4e", "closed")
    everything = json.dumps(logs, ensure_ascii=False, default=str)
    for secret in (OPENID, "TOKEN1", "app-secret", "只给一个人看的话"):
        assert secret not in everything
