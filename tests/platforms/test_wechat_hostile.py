"""Hostile input: whatever comes, it is either understood or refused, and nothing forged is understood."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.platforms.base import Rejected
from bot.platforms.wechat import MAX_BODY
from bot.platforms.wechat_crypto import Crypto, sealed_part
from handlers.message import Inbound
from tests.platforms.wechat_player import APPID, KEY, TOKEN, account, envelope, query, seal, site, text_xml, xml

SEED = int(os.environ.get("NUANYANG_TEST_SEED", "20260305"))
SIZES = [1500, pytest.param(15_000, marks=pytest.mark.long)]

GENUINE = [
    text_xml("周六考四级去不成，能往后挪不😀"),
    xml(MsgType="image", PicUrl="http://mmbiz.qpic.cn/mmbiz_jpg/a/0", MediaId="p1", MsgId=2),
    xml(MsgType="location", Location_X=23.134521, Location_Y=113.358803, Scale=20, Label="天河", MsgId=3),
    xml(MsgType="voice", MediaId="v1", Format="amr", Recognition="我到了", MsgId=4),
    xml(MsgType="event", Event="subscribe", EventKey="qrscene_v440106", Ticket="t"),
    xml(MsgType="event", Event="CLICK", EventKey="my_pairs"),
    xml(MsgType="event", Event="scancode_waitmsg", EventKey="k", ScanCodeInfo={"ScanType": "qr", "ScanResult": "1"}),
    xml(MsgType="event", Event="TEMPLATESENDJOBFINISH", MsgID=2001, Status="success"),
    xml(MsgType="event", Event="subscribe_msg_sent_event", SubscribeMsgSentEvent={"List": {"TemplateId": "T"}}),
]
PIECES = [
    b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>",
    b"<!ENTITY % p SYSTEM 'file:///etc/passwd'>",
    b"&a;&lt;&#0;&#xD800;",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<Encrypt>",
    b"</Encrypt>",
    b"</xml><xml>",
    b"<MsgType>event</MsgType>",
    b"<Event><![CDATA[subscribe]]></Event>",
    b"<EventKey/>",
    b"<CreateTime>-99999999999999</CreateTime>",
    b"<MsgId>" + b"9" * 5000 + b"</MsgId>",
    b"<a>" * 300,
    b"<a b='c'/>" * 120,
    b"\x00\x01\x0b",
    b"\xff\xfe\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"1e400",
    b"nan",
    b" xmlns:x='y' x:z='1'",
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to four changes: bytes flipped, parts cut, doubled, moved, or hostile pieces set in."""
    for _ in range(chance.randint(1, 4)):
        data = changed(data, chance)
    return data


def changed(data: bytes, chance: random.Random) -> bytes:
    one, two = sorted(chance.choices(range(len(data) + 1), k=2))
    match chance.randrange(8):
        case 0:
            return data[:one] + bytes([chance.randrange(256)]) + data[one + 1 :]
        case 1:
            return data[:one] + data[one + chance.randint(1, 20) :]
        case 2:
            return data[:two] + data[one:two][:200] + data[two:]
        case 3:
            return data[one:two] + data[:one] + data[two:]
        case 4:
            return data[:one] + chance.choice(PIECES) + data[one:]
        case 5:
            return data[:one] + chance.choice(PIECES) + data[two:]
        case 6:
            return data[:two]
    return data.replace(b"<![CDATA[", b"").replace(b"]]>", b"")


@pytest.mark.parametrize("cases", SIZES)
def test_any_decrypted_document_is_understood_or_refused(cases: int) -> None:
    """Half of all cases: sealed with the right key, so that the parser itself gets to see every one of them."""
    chance, ends, adapter = random.Random(SEED), Counter[str](), account()
    for number in range(cases // 2):
        document = mutated(GENUINE[number % len(GENUINE)], chance)
        body = envelope(seal(document))
        try:
            (inbound,) = adapter.open(body, {})
        except Rejected as refusal:
            assert (refusal.status, refusal.reason) == (400, "shape"), (SEED, document)
            ends["refused"] += 1
            continue
        assert Inbound.from_json(inbound.as_json()) == inbound, (SEED, document)
        assert adapter.render(None, inbound, body, {}).text == "success"
        ends["understood"] += 1
    assert ends.total() == cases // 2
    assert min(ends["understood"], ends["refused"]) > cases // 50, ends


@pytest.mark.parametrize("cases", SIZES)
async def test_nothing_forged_is_accepted_through_the_route(cases: int) -> None:
    """The other half goes in by HTTP: signed without knowing the token, or changed after WeChat had signed."""
    chance, statuses = random.Random(SEED + 1), Counter[int]()
    async with TestClient(TestServer(site(account()))) as phone:
        for number in range(cases // 2):
            sealed = seal(GENUINE[number % len(GENUINE)])
            body, signed = envelope(sealed), query(sealed)
            sent = dict(signed)
            if number % 3 == 0:
                sent = query(sealed, token=chance.choice(["", "aaaaa", "AAAA", "AAAAAA", "token"]))
            elif number % 3 == 1:
                name = chance.choice(["timestamp", "nonce", "msg_signature", "encrypt_type"])
                sent[name] = mutated(sent[name].encode(), chance).decode("latin-1")
            else:
                body = mutated(body, chance)
            async with phone.post("/wechat/gd", params=sent, data=body) as answer:
                statuses[answer.status] += 1
                assert answer.status in (200, 400, 403), (SEED, number, sent, body)
                if answer.status == 200:  # then nothing that was signed can have changed
                    assert (sent, sealed_part(body)) == (signed, sealed.encode()), (SEED, number)
    assert statuses[403] > cases // 6, statuses
    assert min(statuses[400], statuses[200]) > 0, statuses


def test_raw_bytes_of_any_kind_are_refused() -> None:
    chance, adapter = random.Random(SEED + 2), account()
    for size in [*range(64), 1000, 65_536]:
        noise = chance.randbytes(size)
        for body in (noise, b"<Encrypt>" + noise + b"</Encrypt>", envelope(noise.hex())):
            with pytest.raises(Rejected):
                adapter.open(body, {})


@pytest.mark.parametrize(
    "body",
    [
        b"<Encrypt>" * (MAX_BODY // 9),
        b"</Encrypt>" * (MAX_BODY // 10),
        b"<Encrypt>" + b" " * (MAX_BODY - 9),
        b"<Encrypt>" + b"A" * (MAX_BODY - 19) + b"</Encrypt>",
        b"<Encrypt>" + b"A" * (MAX_BODY - 20) + b"*</Encrypt>",
        b"<Encrypt>" + b"=" * (MAX_BODY - 19) + b"</Encrypt>",
        b"<a>" * (MAX_BODY // 3),
        b"<" * MAX_BODY,
    ],
    ids=lambda body: body[:20].decode(),
)
def test_no_body_holds_the_event_loop(body: bytes) -> None:
    """What `accept` does on the loop, at the largest body: far under 50 ms of CPU."""
    crypto = Crypto(token=TOKEN, appid=APPID, aes_keys=[KEY])
    began = time.thread_time()
    try:
        assert not crypto.signed("0" * 40, "1714112445", "1", sealed_part(body))
    except Rejected as refusal:
        assert refusal.reason == "shape"
    assert time.thread_time() - began < 0.05


def test_a_document_of_small_elements_is_refused_before_it_becomes_a_tree() -> None:
    adapter = account()
    body = envelope(seal(b"<xml>" + b"<a/>" * 1_000_000 + b"</xml>"))
    began = time.thread_time()
    with pytest.raises(Rejected):
        adapter.open(body, {})
    assert time.thread_time() - began < 0.5
