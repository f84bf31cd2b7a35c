"""Whatever the product sends, the played platforms answer with a refusal of their own and never with a fault."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bot.sandbox.telegram_flood import TelegramLimits
from bot.sandbox.wechat_envelope import BadEnvelope, Envelope, build, parse

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "²",
    "9" * 5000,
    "http://[",
    "x\x00y",
    [],
    [None],
    [[]],
    {},
    {"a": {"b": []}},
    [{"text": 1}],
    {"inline_keyboard": [[7]]},
]
WECHAT = {
    "stable_token": ["grant_type", "appid", "secret", "force_refresh"],
    "message/custom/send": ["touser", "msgtype", "text", "msgmenu"],
    "message/custom/typing": ["touser", "command"],
    "message/template/send": ["touser", "template_id", "data", "client_msg_id", "url"],
    "message/template/subscribe": ["touser", "template_id", "scene", "title", "data"],
    "message/subscribe/bizsend": ["touser", "template_id", "data", "page"],
    "message/mass/send": ["touser", "msgtype", "text", "clientmsgid"],
    "message/mass/sendall": ["filter", "msgtype", "text"],
    "message/mass/preview": ["touser", "msgtype", "text"],
    "message/mass/get": ["msg_id"],
    "template/api_add_template": ["template_id_short"],
    "tags/create": ["tag"],
    "tags/update": ["tag"],
    "tags/delete": ["tag"],
    "tags/members/batchtagging": ["openid_list", "tagid"],
    "tags/getidlist": ["openid"],
    "user/tag/get": ["tagid"],
    "menu/create": ["button"],
    "menu/addconditional": ["button", "matchrule"],
    "menu/delconditional": ["menuid"],
    "menu/trymatch": ["user_id"],
    "qrcode/create": ["action_name", "action_info", "expire_seconds"],
    "draft/add": ["articles"],
}
TELEGRAM = {
    "setWebhook": ["url", "secret_token", "allowed_updates"],
    "getUpdates": ["offset", "limit", "allowed_updates"],
    "sendMessage": ["chat_id", "text", "parse_mode", "reply_markup"],
    "sendPhoto": ["chat_id", "photo", "caption"],
    "sendLocation": ["chat_id", "latitude", "longitude"],
    "sendChatAction": ["chat_id", "action"],
    "editMessageText": ["chat_id", "message_id", "text", "reply_markup"],
    "editMessageReplyMarkup": ["chat_id", "message_id", "reply_markup"],
    "deleteMessage": ["chat_id", "message_id"],
    "answerCallbackQuery": ["callback_query_id", "text", "show_alert"],
    "setMyCommands": ["commands", "scope", "language_code"],
    "getMyCommands": ["scope"],
    "setChatMenuButton": ["menu_button"],
    "getFile": ["file_id"],
}


def odd_bodies(names: list[str], good: dict[str, Any], count: int = 60) -> list[dict[str, Any]]:
    chosen = random.Random(20261122)
    bodies = [{name: value} for name in names for value in ODD]
    bodies += [good | {name: value} for name in names for value in ODD]
    chosen.shuffle(bodies)
    return bodies[:count]


@pytest.mark.parametrize("path", sorted(WECHAT))
async def test_the_wechat_api_refuses_odd_values_with_an_errcode(play: Any, path: str) -> None:
    async with play() as ground:
        await ground.follow()
        good = {
            "touser": await ground.openid(),
            "msgtype": "text",
            "text": {"content": "x"},
            "template_id": "T",
            "data": {"thing1": {"value": "x"}},
            "tagid": 100,
            "openid_list": [await ground.openid()],
            "button": [{"type": "click", "name": "x", "key": "x"}],
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": "x"}},
        }
        for body in odd_bodies(WECHAT[path], good):
            await ground.wx(path, body)  # asserts status 200 and JSON
        assert len((await ground.get("/state"))["people"]) == 6


@pytest.mark.parametrize("method", sorted(TELEGRAM))
async def test_the_bot_api_refuses_odd_values_with_a_description(play: Any, method: str) -> None:
    async with play(mode="polling", telegram=TelegramLimits(chat_burst=1000, all_burst=1000)) as ground:
        await ground.act("telegram", do="follow")
        good = {"chat_id": await ground.chat_id(), "text": "x", "latitude": 1, "longitude": 1, "message_id": 1}
        for params in odd_bodies(TELEGRAM[method], good):
            answer = await ground.tg(method, **params)
            assert answer["ok"] or 400 <= answer["error_code"] < 500
        assert len((await ground.get("/state"))["people"]) == 6


async def test_bytes_that_are_no_json_are_refused(play: Any) -> None:
    async with play() as ground:
        await ground.wx("tags/get")
        wechat = f"{ground.base}/sandbox/wechat-api/cgi-bin/menu/create?access_token={ground.token}"
        telegram = f"{ground.base}/sandbox/telegram-api/bot123456789:AA-sandbox_token/sendMessage"
        page = f"{ground.base}/sandbox/api/people"
        for body in (b"\xff", b"[" * 5000, b"{", b"NaN", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\x00"):
            async with ground.http.post(wechat, data=body) as response:
                assert (response.status, (await response.json())["errcode"]) == (200, 47001)
            headers = {"Content-Type": "application/json"}
            async with ground.http.post(telegram, data=body, headers=headers) as response:
                assert response.status == 400
            async with ground.http.post(page, data=body) as response:
                assert response.status == 400


def test_a_mutated_envelope_is_refused_and_nothing_else_happens() -> None:
    envelope = Envelope("AAAAA", "A" * 43, "wxba5fad812f8e6fb9")
    encrypted = envelope.seal(build({"MsgType": "text", "Content": "探访 ]]> 😀"}))
    assert parse(envelope.open(encrypted))["Content"] == "探访 ]]> 😀"
    chosen, refused = random.Random(7), 0
    for _ in range(500):
        place = chosen.randrange(len(encrypted))
        other = encrypted[:place] + chosen.choice("ABCxyz019+/=\n") + encrypted[place + 1 :]
        signature = envelope.signature("1", "2", encrypted)
        answer = build({"Encrypt": other, "MsgSignature": signature, "TimeStamp": "1", "Nonce": "2"})
        if other == encrypted:
            continue
        with pytest.raises(BadEnvelope):
            envelope.open_answer(answer)
        refused += 1
    assert refused > 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<xml>",
        "<a/>",
        "<xml><a>1</a><a>2</a></xml>",
        '<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>',
        "<xml>" + "<b>" * 20,
    ],
)
def test_xml_that_is_not_a_plain_answer_is_refused(text: str) -> None:
    with pytest.raises(BadEnvelope):
        parse(text)
