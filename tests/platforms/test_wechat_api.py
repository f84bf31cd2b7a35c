"""Outgoing calls against a server that plays WeChat's API, well and badly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bot.platforms import wechat_api, wechat_token
from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from bot.platforms.wechat_outcomes import of_errcode
from bot.platforms.wechat_text import custom_message
from handlers.message import Inbound, Link, MenuColumn, MenuEntry, Option, Reply
from tests.platforms.wechat_player import OPENID, settings

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
GOOD = {"errcode": 0, "errmsg": "ok"}


@dataclass
class Api:
    """WeChat's API: hands out tokens, checks them, and behaves as it is told for each path."""

    url: str = ""
    token: str = ""
    issued: int = 0
    forced: int = 0
    lifetime: int = 7200
    calls: list[tuple[str, Any]] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    token_behaviour: Behaviour | None = None
    asked_for_token: int = 0

    async def stable_token(self, request: web.Request) -> web.StreamResponse:
        self.asked_for_token += 1
        if self.token_behaviour:
            return await self.token_behaviour(request)
        asked = await request.json()
        assert (asked["grant_type"], asked["secret"]) == ("client_credential", "app-secret")
        if asked.get("force_refresh"):
            self.forced += 1
            self.token = ""
        if not self.token:
            self.issued += 1
            self.token = f"TOKEN{self.issued}"
        return web.json_response({"access_token": self.token, "expires_in": self.lifetime})

    async def call(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        is_json = request.content_type == "application/json"
        self.calls.append((path, await request.json() if is_json else (await request.read()).decode("latin-1")))
        if path in self.behaviours:
            return await self.behaviours[path](request)
        if request.query.get("access_token") != self.token:
            return web.json_response({"errcode": 40001, "errmsg": "invalid credential rid: 65a-1b-2c"})
        return web.json_response(GOOD)

    def answers(self, path: str, body: object, **more: Any) -> None:
        async def answer(_request: web.Request) -> web.Response:
            if isinstance(body, bytes):
                return web.Response(body=body, **more)
            return web.json_response(body, **more)

        self.behaviours[path] = answer


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    player = Api()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/cgi-bin/stable_token", player.stable_token)
    app.router.add_route("*", "/cgi-bin/{path:.+}", player.call)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    player.url = str(server.make_url("")).rstrip("/")
    yield player
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def account(api: Api, http: aiohttp.ClientSession) -> WeChat:
    return WeChat("gd", settings(api_base=api.url), http)


SEND = "message/custom/send"
QUESTION = Reply("这次能去吗？", (Option("k1", "能去"), Option("k2", "去不了")))


async def sent(account: WeChat, reply: Reply | None = None, within: float = 10.0) -> Outcome:
    deadline = asyncio.get_running_loop().time() + within
    return await account.send(OPENID, reply or Reply("你好😀"), key="row-1", deadline=deadline)


# --- what goes out ---


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


# --- how it ends: every cell ---


@pytest.mark.parametrize(
    ("code", "name", "whole_account"),
    [
        (-1, "retry", False),
        (40003, "left", False),
        (43004, "left", False),
        (50005, "left", False),
        (43019, "left", False),
        (48002, "left", False),
        (43101, "closed", False),
        (45015, "closed", False),
        (45047, "closed", False),
        (45009, "retry", True),
        (45011, "retry", True),
        (45065, "sent", False),
        (48001, "stopped", True),
        (48004, "stopped", True),
        (50002, "stopped", True),
        (40164, "stopped", True),
        (45002, "refused", False),
        (40037, "refused", False),
        (99999, "refused", False),
    ],
)
async def test_each_errcode_has_its_outcome(
    api: Api, account: WeChat, code: int, name: str, whole_account: bool
) -> None:
    api.answers(SEND, {"errcode": code, "errmsg": "something rid: 6-1-2"})
    outcome = await sent(account)
    assert (outcome.name, outcome.whole_account, outcome.code) == (name, whole_account, str(code))
    assert (outcome.retry_after > 0) == (name == "retry")
    assert len(api.calls) == 1


def test_a_used_up_day_waits_for_midnight_in_beijing() -> None:
    evening = 1774450800.0  # 2026-03-25 23:00 in Beijing
    assert of_errcode(45009, now=evening).retry_after == 3660
    assert of_errcode(45009, now=evening + 3600).retry_after == 86400 + 60


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"<html>502 Bad Gateway</html>", 502, "uncertain"),
        (b"", 500, "uncertain"),
        (b"<html>login</html>", 200, "uncertain"),
        (b"", 200, "uncertain"),
        (b"[]", 200, "uncertain"),
        (b"{}", 200, "uncertain"),
        (b"null", 200, "uncertain"),
        (b'{"errmsg":"ok"}', 200, "uncertain"),
        (b'{"errcode":"0","errmsg":"ok"}', 200, "uncertain"),
        (b'{"errcode":"45015"}', 200, "uncertain"),
        (b'{"errcode":false}', 200, "uncertain"),
        (b'{"errcode":null}', 200, "uncertain"),
        (b'{"errcode":0.0}', 200, "uncertain"),
        (b'{"errcode":0,"errm', 200, "uncertain"),
        (b"[" * 100_000, 200, "uncertain"),
        (b'{"errcode":0,"x":"' + b"x" * 2_000_000 + b'"}', 200, "uncertain"),
        (b"\xff\xfe", 200, "uncertain"),
        (b"", 302, "retry"),
        (b"", 400, "refused"),
        (b"", 403, "stopped"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_an_answer_that_is_no_answer_is_never_called_sent(
    api: Api, account: WeChat, body: bytes, status: int, name: str
) -> None:
    api.answers(SEND, body, status=status)
    assert (await sent(account)).name == name
    assert len(api.calls) == 1


@pytest.mark.parametrize(("said", "believed"), [("1", 1), ("900", 900), ("86400", 900), ("soon", 60), ("nan", 60)])
async def test_too_many_requests_are_paused_for_as_long_as_the_platform_says(
    api: Api, account: WeChat, said: str, believed: float
) -> None:
    api.answers(SEND, b"", status=429, headers={"Retry-After": said})
    assert await sent(account) == Outcome("retry", "http429", retry_after=believed, whole_account=True)


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits as long as this")


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"errcode":0}')
    assert request.transport is not None
    request.transport.close()
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


@pytest.mark.parametrize("behaviour", [hang, reset, truncate, drip])
async def test_an_answer_that_does_not_come_leaves_the_message_uncertain(
    api: Api, account: WeChat, behaviour: Behaviour
) -> None:
    api.behaviours[SEND] = behaviour
    began = time.monotonic()
    assert (await sent(account, within=0.5)).name == "uncertain"
    assert time.monotonic() - began < 2
    assert len(api.calls) == 1


async def test_no_call_outlasts_ten_seconds_whatever_the_deadline(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wechat_api.LONGEST == 10.0
    monkeypatch.setattr(wechat_api, "LONGEST", 0.3)
    api.behaviours[SEND] = hang
    began = time.monotonic()
    assert (await sent(account, within=3600)).name == "uncertain"
    assert time.monotonic() - began < 2


async def test_a_deadline_that_has_passed_sends_nothing(api: Api, account: WeChat) -> None:
    assert (await sent(account)).name == "sent"
    assert (await sent(account, within=-1)).name == "retry"
    assert len(api.calls) == 1


async def test_without_a_connection_nothing_was_sent(api: Api, http: aiohttp.ClientSession) -> None:
    account = WeChat("gd", settings(api_base=f"http://127.0.0.1:{unused_port()}"), http)
    outcome = await sent(account)
    assert (outcome.name, outcome.whole_account) == ("retry", True)
    assert outcome.code.startswith("token connect")


async def test_a_connection_lost_after_the_token_was_fetched_sends_nothing(
    api: Api, account: WeChat, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await sent(account)).name == "sent"
    nowhere = settings(api_base=f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr(account.api, "_settings", nowhere)
    assert (await sent(account)).name == "retry"


# --- the token ---


async def test_a_token_taken_away_by_another_copy_is_fetched_again_without_force(api: Api, account: WeChat) -> None:
    await sent(account)
    api.token = "ANOTHER-COPY"
    assert (await sent(account)).name == "sent"
    assert (api.asked_for_token, api.forced, len(api.calls)) == (2, 0, 3)


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_lasting_refusal_of_the_token_costs_two_refreshes_and_then_pauses_the_account(
    api: Api, account: WeChat, code: int
) -> None:
    api.answers(SEND, {"errcode": code, "errmsg": "invalid credential"})
    outcomes = await asyncio.gather(*(sent(account) for _ in range(100)))
    for _ in range(100):
        outcomes.append(await sent(account))
    assert {outcome.name for outcome in outcomes} == {"retry"}
    assert all(outcome.whole_account and outcome.retry_after > 0 for outcome in outcomes)
    assert api.asked_for_token <= 2
    assert len(api.calls) <= 200


async def test_a_token_that_worked_and_is_then_refused_for_ever_costs_two_refreshes(api: Api, account: WeChat) -> None:
    await sent(account)
    before = api.asked_for_token
    api.answers(SEND, {"errcode": 40001, "errmsg": "invalid credential"})
    for _ in range(50):
        began = len(api.calls)
        assert (await sent(account)).name == "retry"
        assert len(api.calls) - began <= 3
    assert api.asked_for_token - before == 2
    assert api.forced == 1


async def test_after_the_pause_a_refused_account_works_again(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_token, "REFUSED_PAUSE", 0.2)
    api.answers(SEND, {"errcode": 40001})
    assert 0 < (await sent(account)).retry_after <= 0.2
    del api.behaviours[SEND]
    assert (await sent(account)).name == "retry"
    await asyncio.sleep(0.25)
    assert (await sent(account)).name == "sent"


async def test_a_hundred_messages_at_once_fetch_one_token(api: Api, account: WeChat) -> None:
    outcomes = await asyncio.gather(*(sent(account) for _ in range(100)))
    assert {outcome.name for outcome in outcomes} == {"sent"}
    assert api.asked_for_token == 1


async def test_a_token_is_renewed_five_minutes_early_and_the_old_one_serves_meanwhile(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent(account)
    loop = asyncio.get_running_loop()
    late = loop.time() + 7200 - 299
    monkeypatch.setattr(wechat_token.Token, "_now", staticmethod(lambda: late))
    api.token_behaviour = reset
    assert (await sent(account)).name == "sent", "the old token is still good"
    assert (await sent(account)).name == "sent"
    assert api.asked_for_token == 2, "and a failed renewal is not repeated at every message"
    monkeypatch.setattr(wechat_token.Token, "_now", staticmethod(lambda: late + 300))
    api.token_behaviour = None
    assert (await sent(account)).name == "sent"
    assert api.asked_for_token == 3


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"errcode": 40013, "errmsg": "invalid appid"}, "stopped"),
        ({"errcode": 40125, "errmsg": "invalid appsecret"}, "stopped"),
        ({"errcode": 40001, "errmsg": "invalid credential"}, "stopped"),
        ({"errcode": 40164, "errmsg": "invalid ip"}, "stopped"),
        ({"errcode": -1, "errmsg": "system error"}, "retry"),
        ({"errcode": 45011, "errmsg": "api minute-quota reach limit"}, "retry"),
        ({"access_token": "", "expires_in": 7200}, "retry"),
        ({"access_token": "T"}, "retry"),
        ({"access_token": "T", "expires_in": "7200"}, "retry"),
        ([], "retry"),
        (b"<html>", "retry"),
    ],
    ids=str,
)
async def test_without_a_token_nothing_is_sent_and_the_reason_is_told(
    api: Api, account: WeChat, answer: object, name: str
) -> None:
    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=answer) if isinstance(answer, bytes) else web.json_response(answer)

    api.token_behaviour = give
    first, second = await sent(account), await sent(account)
    assert (first.name, first.whole_account, second.name) == (name, True, name)
    assert (api.asked_for_token, api.calls) == (1, [])


async def test_a_hanging_token_call_holds_nobody_longer_than_his_deadline(
    api: Api, account: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_api, "TOKEN_LONGEST", 0.4)
    api.token_behaviour = hang
    began = time.monotonic()
    outcomes = await asyncio.gather(*(sent(account, within=0.1) for _ in range(50)))
    assert {outcome.name for outcome in outcomes} == {"retry"}
    assert time.monotonic() - began < 0.4
    assert (await sent(account)).name == "retry"
    assert api.asked_for_token == 1
    assert api.calls == []


# --- the other calls ---


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
        "menu/create",
        "tags/get",
        "menu/addconditional",
        "tags/create",
        "menu/addconditional",
    ]
    assert api.calls[0][1]["button"][0] == {
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
    assert len(api.calls) == 1
    del api.behaviours["menu/create"]
    api.answers("tags/get", {"tags": []})
    api.answers("tags/create", {"errcode": 45056, "errmsg": "too many tags"})
    assert await account.install_menu({"specialist": SPECIALIST}) == Outcome("refused", "45056")


async def test_a_menu_over_three_by_five_is_our_own_mistake(account: WeChat) -> None:
    for columns in (VOLUNTEER * 2, (MenuColumn("空", ()),), (MenuColumn("满", (MenuEntry("k", "项"),) * 6),)):
        with pytest.raises(ValueError, match="3 columns"):
            await account.install_menu({"volunteer": columns})


async def acknowledged(account: WeChat, menu: str) -> None:
    inbound = Inbound("wechat", "gd", OPENID, "m1", "text", datetime.now(UTC))
    await account.acknowledge(inbound, b"", Reply("好", menu=menu))
    await asyncio.wait_for(asyncio.gather(*account._showing), 5)


async def test_a_person_is_shown_the_menu_of_the_role_and_loses_the_other(api: Api, account: WeChat) -> None:
    api.answers("tags/get", {"tags": [{"id": 101, "name": "specialist"}, {"id": 102, "name": "organiser"}]})
    await acknowledged(account, "specialist")
    await acknowledged(account, "volunteer")
    await acknowledged(account, "")
    changes = [(path.split("/")[-1], body["tagid"]) for path, body in api.calls if path != "tags/get"]
    assert changes == [
        ("batchuntagging", 102),
        ("batchtagging", 101),
        ("batchuntagging", 101),
        ("batchuntagging", 102),
    ]
    assert [path for path, _ in api.calls].count("tags/get") == 1


async def test_showing_a_menu_neither_delays_nor_breaks_the_answer(api: Api, account: WeChat) -> None:
    api.behaviours["tags/get"] = hang
    inbound = Inbound("wechat", "gd", OPENID, "m1", "text", datetime.now(UTC))
    began = time.monotonic()
    await account.acknowledge(inbound, b"", Reply("好", menu="specialist"))
    await account.acknowledge(inbound, b"", None)
    assert time.monotonic() - began < 0.1
    await asyncio.sleep(0.05)
    await account.stop()
    assert time.monotonic() - began < 1
    assert not account._showing


# --- life ---


async def test_starting_fetches_the_token_and_stopping_cuts_a_hanging_fetch(api: Api, account: WeChat) -> None:
    async def receive(_inbound: object) -> None:
        raise AssertionError("WeChat comes in by the webhook only")

    api.token_behaviour = hang
    await account.start(receive)
    await asyncio.sleep(0.05)
    assert api.asked_for_token == 1
    began = time.monotonic()
    await account.stop()
    assert time.monotonic() - began < 1


async def test_the_log_names_the_request_and_neither_person_token_nor_words(api: Api, account: WeChat) -> None:
    api.answers(SEND, {"errcode": 45015, "errmsg": f"response out of time limit {OPENID} rid: 65a1-1b2c-3d4e"})
    with structlog.testing.capture_logs() as logs:
        await sent(account, Reply("只给一个人看的话"))
    (call,) = [entry for entry in logs if entry.get("path") == SEND]
    assert (call["code"], call["rid"], call["outcome"]) == ("45015", "65a1-1b2c-3d4e", "closed")
    everything = json.dumps(logs, ensure_ascii=False, default=str)
    for secret in (OPENID, "TOKEN1", "app-secret", "只给一个人看的话"):
        assert secret not in everything
