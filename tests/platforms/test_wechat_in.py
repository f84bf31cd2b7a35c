"""What a message or event from WeChat means, and what goes back in the answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web

from bot.platforms import wechat_text
from bot.platforms.base import Rejected
from config.coordinates import gcj02_to_wgs84
from handlers.message import Inbound, Link, Option, Reply
from tests.platforms.wechat_player import (
    GH,
    KEY,
    OLD_KEY,
    OPENID,
    account,
    cdata,
    envelope,
    opened,
    seal,
    text_xml,
    unseal,
    xml,
)


def understood(message: bytes) -> Inbound:
    (inbound,) = account().open(envelope(seal(message)), {})
    return inbound


# --- what it means ---


def test_words_are_text_with_their_key_sender_and_time() -> None:
    inbound = understood(text_xml("大一的想当义工咋报名", msg_id=77))
    assert inbound == Inbound(
        "wechat", "gd", OPENID, "m77", "text", datetime.fromtimestamp(1714112445, UTC), text="大一的想当义工咋报名"
    )


@pytest.mark.parametrize(
    ("elements", "wanted"),
    [
        ({"MsgType": "text", "Content": "2. 去不了", "bizmsgmenuid": "k2"}, {"kind": "choice", "choice": "k2"}),
        ({"MsgType": "text", "Content": ""}, {"kind": "text", "text": ""}),
        ({"MsgType": "text", "Content": "【收到不支持的消息类型，暂无法显示】"}, {"media_kind": "sticker"}),
        (
            {"MsgType": "image", "PicUrl": "http://mmbiz.qpic.cn/mmbiz_jpg/a/0", "MediaId": "p1"},
            {"media_kind": "image"},
        ),
        ({"MsgType": "image", "PicUrl": "http://mmbiz.qpic.cn/mmbiz_gif/a/0"}, {"media_kind": "sticker"}),
        ({"MsgType": "voice", "MediaId": "v1", "Recognition": "我到了"}, {"media_id": "v1", "text": "我到了"}),
        ({"MsgType": "video", "MediaId": "v2", "ThumbMediaId": "t"}, {"media_kind": "video", "media_id": "v2"}),
        ({"MsgType": "shortvideo", "MediaId": "v3"}, {"media_kind": "video", "media_id": "v3"}),
        ({"MsgType": "link", "Title": "活动", "Url": "http://example.org"}, {"media_kind": "link", "text": "活动"}),
        ({"MsgType": "file", "Title": "名单.xlsx"}, {"kind": "media", "media_kind": "file"}),
        ({"MsgType": "hologram"}, {"kind": "media", "media_kind": "file"}),
        ({"MsgType": "event", "Event": "subscribe"}, {"kind": "follow", "scene": ""}),
        ({"MsgType": "event", "Event": "subscribe", "EventKey": "qrscene_v440106"}, {"scene": "v440106"}),
        ({"MsgType": "event", "Event": "subscribe", "EventKey": "last_trade_no_4"}, {"kind": "follow", "scene": ""}),
        (
            {"MsgType": "event", "Event": "SCAN", "EventKey": "v440106", "Ticket": "t"},
            {"kind": "scan", "scene": "v440106"},
        ),
        ({"MsgType": "event", "Event": "unsubscribe", "EventKey": ""}, {"kind": "unfollow"}),
        ({"MsgType": "event", "Event": "CLICK", "EventKey": "my_pairs"}, {"kind": "menu", "menu": "my_pairs"}),
        (
            {
                "MsgType": "event",
                "Event": "scancode_waitmsg",
                "EventKey": "door",
                "ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "d8f2"},
            },
            {"kind": "scan", "scene": "d8f2", "menu": "door"},
        ),
        ({"MsgType": "event", "Event": "VIEW", "EventKey": "http://example.org"}, {"kind": "other", "text": "view"}),
        (
            {"MsgType": "event", "Event": "LOCATION", "Latitude": 23.1, "Longitude": 113.3, "Precision": 10},
            {"kind": "other", "text": "location", "latitude": None},
        ),
        (
            {
                "MsgType": "event",
                "Event": "pic_weixin",
                "SendPicsInfo": {"Count": 1, "PicList": [{"PicMd5Sum": "5a75aaca956d97be686719218f275c6b"}]},
            },
            {"kind": "other", "text": "pic_weixin"},
        ),
        (
            {
                "MsgType": "event",
                "Event": "location_select",
                "SendLocationInfo": {"Location_X": 23, "Location_Y": 113, "Scale": 15, "Label": "广州"},
            },
            {"kind": "other", "text": "location_select"},
        ),
        (
            {"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": 2001, "Status": "failed:user block"},
            {"kind": "other", "text": "templatesendjobfinish 2001 failed:user block"},
        ),
        (
            {
                "MsgType": "event",
                "Event": "MASSSENDJOBFINISH",
                "MsgID": 10001,
                "Status": "send success",
                "TotalCount": 100,
                "SentCount": 75,
                "ErrorCount": 5,
            },
            {"kind": "other", "text": "masssendjobfinish 10001 send success 75 5"},
        ),
        ({"MsgType": "event", "Event": "debug_demo"}, {"kind": "other", "text": "debug_demo"}),
    ],
    ids=lambda value: "-".join(str(part) for part in list(value.values())[:3]) if "MsgType" in value else "",
)
def test_each_message_and_event_has_its_neutral_meaning(elements: dict[str, object], wanted: dict[str, object]) -> None:
    number: dict[str, object] = {} if elements["MsgType"] == "event" else {"MsgId": 9}
    inbound = understood(xml(**elements, **number))
    assert {name: getattr(inbound, name) for name in wanted} == wanted
    assert Inbound.from_json(inbound.as_json()) == inbound


def test_grants_of_a_subscription_popup_are_told_by_template() -> None:
    grants = (
        "<MsgType>event</MsgType><Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>"
        "<List><TemplateId>T1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>"
        "<List><TemplateId>T2</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>"
        "</SubscribeMsgPopupEvent></xml>"
    )
    inbound = understood(xml().replace(b"</xml>", grants.encode()))
    assert (inbound.kind, inbound.text) == ("other", "subscribe_msg_popup_event T1=accept T2=reject")


def test_a_shared_place_arrives_in_wgs84() -> None:
    inbound = understood(
        xml(MsgType="location", Location_X=23.134521, Location_Y=113.358803, Scale=20, Label="天河", MsgId=3)
    )
    assert (inbound.latitude, inbound.longitude) == gcj02_to_wgs84(23.134521, 113.358803)
    assert (inbound.latitude, inbound.longitude) != (23.134521, 113.358803)
    assert (inbound.kind, inbound.text) == ("location", "天河")


@pytest.mark.parametrize("place", [("nan", "113"), ("91", "113"), ("23", "181"), ("", "113"), ("inf", "1"), ("x", "1")])
def test_a_place_that_is_nowhere_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(Rejected):
        understood(xml(MsgType="location", Location_X=place[0], Location_Y=place[1], MsgId=3))


def test_a_repeat_has_the_same_key_and_another_message_has_not() -> None:
    click = {"MsgType": "event", "Event": "CLICK", "EventKey": "hours"}
    again = understood(xml(**click)).key
    assert understood(xml(**click)).key == again
    others = [
        xml(**click | {"EventKey": "pairs"}),
        xml(**click | {"Event": "VIEW"}),
        xml(**click, FromUserName="oAnotherPerson"),
        xml(**click, CreateTime=1714112446),
        text_xml("甲", msg_id=0),
        text_xml("乙", msg_id=0),
        text_xml("甲", msg_id=12),
    ]
    keys = {understood(message).key for message in others}
    assert len(keys) == len(others)
    assert again not in keys
    assert OPENID not in "".join(keys)


def test_message_id_zero_is_no_id() -> None:
    assert understood(text_xml("你好", msg_id=0)).key.startswith("e")


def test_a_message_under_the_previous_key_is_read_and_answered_with_it() -> None:
    body = envelope(seal(text_xml("你好"), key=OLD_KEY))
    wechat_account = account()
    (inbound,) = wechat_account.open(body, {})
    answer = wechat_account.render(Reply("你好"), inbound, body, {"nonce": "1"})
    assert opened(answer, key=OLD_KEY)["Content"] == "你好"
    with pytest.raises(UnicodeDecodeError):
        unseal(answer.text.split("CDATA[")[1].split("]]")[0], key=KEY)  # type: ignore[union-attr]


def test_a_message_of_another_account_is_refused() -> None:
    with pytest.raises(Rejected) as refusal:
        account().open(envelope(seal(text_xml("你好"), appid="wxother")), {})
    assert (refusal.value.status, refusal.value.reason) == (403, "appid")


def test_angle_brackets_that_a_person_typed_are_no_markup() -> None:
    for words in ("<!DOCTYPE html>", "<" * 2000, "<!ENTITY x>", "a]]>b<c>", "<?xml?>", "&amp;"):
        assert understood(text_xml(words)).text == words


@pytest.mark.parametrize(
    "message",
    [
        b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><MsgType>text</MsgType></xml>',
        b'<!DOCTYPE xml SYSTEM "file:///etc/passwd">' + text_xml("x"),
        b'<?xml version="1.0" encoding="utf-7"?><!DOCTYPE x>' + text_xml("x"),
        text_xml("x").replace(b"</xml>", b"<a></a>" * 500 + b"</xml>"),
        text_xml("x").replace(b"</xml>", b"<!-- -->" + b"<a>" * 20 + b"</a>" * 20 + b"</xml>"),
        text_xml("x").replace(b"</xml>", b"&unknown;</xml>"),
        b"",
        b"<xml></xml>",
        b"<xml>text</xml>",
        b"<other/>",
        b"\xff\xfe",
        text_xml("x").replace(b"1714112445", b"9" * 30),
        text_xml("x").replace(b"1714112445", b"soon"),
        text_xml("x").replace(OPENID.encode(), b"o" * 65),
        text_xml("x").replace(OPENID.encode(), b"a b"),
        xml(MsgType="text", Content={"b": "nested"}, MsgId=1),
        xml(MsgType="text", Content="x", MsgId=1).replace(b"</xml>", b"<Content>y</Content></xml>"),
        xml(MsgType="event", Event="scancode_waitmsg", ScanCodeInfo="flat"),
        xml(MsgType="event", Event="subscribe_msg_popup_event", SubscribeMsgPopupEvent="flat"),
    ],
)
def test_a_document_out_of_shape_is_refused(message: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        understood(message)
    assert (refusal.value.status, refusal.value.reason) == (400, "shape")


# --- what goes back ---


def answered(reply: Reply | None, message: bytes | None = None) -> web.Response:
    body = envelope(seal(message or text_xml("你好")))
    (inbound,) = account().open(body, {})
    return account().render(reply, inbound, body, {"nonce": "415670741", "timestamp": "1714112445"})


def content(reply: Reply) -> str:
    return opened(answered(reply))["Content"]


def test_nothing_to_say_is_plain_success() -> None:
    for reply in (None, Reply(""), Reply(" \x00\n")):
        assert answered(reply).text == "success"
        assert answered(reply).content_type == "text/plain"


def test_an_answer_is_sealed_signed_and_addressed() -> None:
    answer = answered(Reply("欢迎你来"))
    assert opened(answer) == {
        "MsgType": "text",
        "FromUserName": GH,
        "ToUserName": OPENID,
        "CreateTime": "1714112445",
        "Content": "欢迎你来",
    }
    assert answer.content_type == "application/xml"
    assert opened(answer) == opened(answered(Reply("欢迎你来"))), "a repeat must get the same content"


def test_an_account_name_that_somebody_typed_is_not_where_the_answer_comes_from() -> None:
    trap = "<xml><ToUserName><![CDATA[gh_evil]]></ToUserName>"
    typed_first = f"<xml><Content>{cdata(trap)}</Content>".encode() + text_xml("x")[len(b"<xml>") :]
    typed_first = typed_first.replace(f"<Content>{cdata('x')}</Content>".encode(), b"")
    for message in (text_xml(trap), b"<!-- -->" + text_xml(trap), typed_first):
        assert opened(answered(Reply("好"), message))["FromUserName"] == GH


def test_choices_are_numbered_and_links_are_links() -> None:
    reply = Reply(
        "这次能去吗？", (Option("a", "能去"), Option("b", "去不了")), (Link("https://example.org/p/x", "看地址"),)
    )
    assert content(reply) == (
        '这次能去吗？\n\n1. 能去\n2. 去不了\n回复数字选择\n\n<a href="https://example.org/p/x">看地址</a>'
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("]]>", "]]>"),
        ("]]]]>>", "]]]]>>"),
        ("]]></Content><Content>伪造", "]]></Content><Content>伪造"),
        ("铃\x07声\x00\ud800\ufffe", "铃声"),
        ("😀👩‍👩‍👧", "😀👩‍👩‍👧"),
        ("<b>&amp;", "<b>&amp;"),
        ('<a href="https://evil.example">奖品</a>', '＜a href="https://evil.example">奖品＜/a>'),
        ("< A\thref=x>", "＜ A\thref=x>"),
    ],
)
def test_no_text_can_break_out_of_its_place(written: str, shown: str) -> None:
    assert content(Reply(written)) == shown
    assert content(Reply("选", (Option("1", written),))).startswith("选\n\n1. ")
    assert "evil" not in content(Reply("页", links=(Link('https://x.example/"><a href="evil', "看"),))).split('"')[2]


def test_a_text_that_is_too_long_is_cut_at_a_line_and_says_so() -> None:
    lines = "\n".join(f"{number} 关于活动的说明文字" for number in range(100))
    options = (Option("1", "好"), Option("2", "不好"))
    assert wechat_text.fits(Reply("短", options))
    assert not wechat_text.fits(Reply(lines, options))
    shown = content(Reply(lines, options))
    assert len(shown.encode()) <= 2048
    body, _, rest = shown.partition("…（内容太长，已截短）")
    assert rest == "\n\n1. 好\n2. 不好\n回复数字选择"
    assert lines.startswith(body + "\n")
    assert len(shown.encode()) > 1950


def test_the_longest_text_that_fits_is_left_alone() -> None:
    exact = "暖" * 682 + "ab"
    assert content(Reply(exact)) == exact
    assert content(Reply(exact + "c")).endswith("已截短）")
    many = Reply("选", tuple(Option(str(n), "很长的选项" * 8) for n in range(40)))
    assert len(content(many).encode()) <= 2048
    assert content(many).endswith("很长的选项…（内容太长，已截短）")
