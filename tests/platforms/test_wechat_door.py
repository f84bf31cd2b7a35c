"""Who gets in at WeChat's webhook: the signed, the fresh and the small; everything else is refused early."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.platforms import wechat
from bot.platforms.base import Rejected
from bot.platforms.wechat import MAX_BODY
from tests.platforms.wechat_player import OPENID, account, asked, envelope, query, seal, sha1, site, text_xml, xml


@pytest.fixture
async def phone() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(site(account()))) as client:
        yield client


Phone = TestClient[web.Request, web.Application]


async def told(phone: Phone, body: bytes, parameters: dict[str, str], **more: Any) -> tuple[int, Any]:
    async with phone.post("/wechat/gd", params=parameters, data=body, **more) as answer:
        return answer.status, await answer.json()


async def test_the_address_check_is_answered_with_the_echo_and_nothing_else(phone: Phone) -> None:
    now = str(int(time.time()))
    parameters = {
        "timestamp": now,
        "nonce": "7",
        "signature": sha1("AAAAA", now, "7"),
        "echostr": "4375120948345356249",
    }
    async with phone.get("/wechat/gd", params=parameters) as answer:
        assert (answer.status, await answer.text()) == (200, "4375120948345356249")
        assert answer.content_type == "text/plain"
    async with phone.get("/wechat/gd", params=parameters | {"signature": "0" * 40}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (403, "signature")


async def test_a_signed_message_comes_in(phone: Phone) -> None:
    sealed = seal(text_xml("报名"))
    status, (inbound,) = await told(phone, envelope(sealed), query(sealed))
    assert status == 200
    assert (inbound["kind"], inbound["text"], inbound["sender"]) == ("text", "报名", OPENID)


async def test_a_body_in_chunks_comes_in_too(phone: Phone) -> None:
    sealed = seal(text_xml("报名"))

    async def chunks() -> AsyncIterator[bytes]:
        for byte in range(0, len(envelope(sealed)), 100):
            yield envelope(sealed)[byte : byte + 100]

    async with phone.post("/wechat/gd", params=query(sealed), data=chunks()) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("missing", ["timestamp", "nonce", "msg_signature"])
async def test_a_message_without_a_parameter_is_refused(phone: Phone, missing: str) -> None:
    sealed = seal(text_xml("你好"))
    parameters = query(sealed)
    del parameters[missing]
    assert await told(phone, envelope(sealed), parameters) == (400, {"reason": "query"})


@pytest.mark.parametrize(
    "bent",
    [
        {"timestamp": "now"},
        {"timestamp": "-1"},
        {"timestamp": "１７１４１１２４４５"},
        {"timestamp": "9" * 13},
        {"nonce": ""},
        {"nonce": "]]>"},
        {"nonce": "n" * 129},
        {"msg_signature": "0" * 39},
        {"msg_signature": "暖" * 40},
        {"encrypt_type": "raw"},
    ],
)
async def test_a_message_with_a_bent_parameter_is_refused(phone: Phone, bent: dict[str, str]) -> None:
    sealed = seal(text_xml("你好"))
    assert await told(phone, envelope(sealed), query(sealed) | bent) == (400, {"reason": "query"})


async def test_a_parameter_given_twice_is_refused(phone: Phone) -> None:
    sealed = seal(text_xml("你好"))
    twice = [*query(sealed).items(), ("nonce", "2")]
    async with phone.post("/wechat/gd", params=twice, data=envelope(sealed)) as answer:
        assert (answer.status, await answer.json()) == (400, {"reason": "query"})


@pytest.mark.parametrize("seconds", [-301, -86400, 310, 86400])
async def test_a_stale_message_is_refused_however_well_it_is_signed(phone: Phone, seconds: int) -> None:
    sealed = seal(text_xml("你好"))
    parameters = query(sealed, at=time.time() + seconds)
    assert await told(phone, envelope(sealed), parameters) == (403, {"reason": "stale"})


@pytest.mark.parametrize("seconds", [-290, 290])
async def test_a_clock_that_is_minutes_off_is_borne(phone: Phone, seconds: int) -> None:
    sealed = seal(text_xml("你好"))
    status, _ = await told(phone, envelope(sealed), query(sealed, at=time.time() + seconds))
    assert status == 200


async def test_a_day_old_message_that_is_freshly_signed_is_taken(phone: Phone) -> None:
    sealed = seal(xml(MsgType="text", Content="迟到", MsgId=5, CreateTime=int(time.time()) - 86400))
    status, _ = await told(phone, envelope(sealed), query(sealed))
    assert status == 200


async def test_a_forged_signature_is_refused(phone: Phone) -> None:
    sealed = seal(text_xml("你好"))
    for token in ("AAAAB", ""):
        assert await told(phone, envelope(sealed), query(sealed, token=token)) == (403, {"reason": "signature"})
    other = seal(text_xml("别的"))
    assert await told(phone, envelope(other), query(sealed)) == (403, {"reason": "signature"})


async def test_the_plain_signature_is_not_enough(phone: Phone) -> None:
    # `signature` signs nothing of the body: a message with it alone would be anybody's.
    sealed = seal(text_xml("你好"))
    parameters = query(sealed)
    parameters["msg_signature"] = parameters["signature"]
    assert await told(phone, envelope(sealed), parameters) == (403, {"reason": "signature"})


async def test_one_byte_beyond_64_kib_is_refused_also_without_a_length(phone: Phone) -> None:
    sealed = seal(text_xml("你好"))
    full = envelope(sealed) + b" " * (MAX_BODY - len(envelope(sealed)))
    assert (await told(phone, full, query(sealed)))[0] == 200

    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    assert await told(phone, full + b" ", query(sealed)) == (413, {"reason": "size"})
    async with phone.post("/wechat/gd", params=query(sealed), data=chunks(full + b" ")) as answer:
        assert (answer.status, await answer.json()) == (413, {"reason": "size"})


async def test_a_compressed_body_is_refused(phone: Phone) -> None:
    sealed = seal(text_xml("你好"))
    packed = gzip.compress(envelope(sealed))
    for coding in ("gzip", "deflate, gzip"):
        status = await told(phone, packed, query(sealed), headers={"Content-Encoding": coding}, compress=None)
        assert status == (415, {"reason": "encoding"})


async def test_other_methods_are_refused(phone: Phone) -> None:
    for method in ("PUT", "DELETE", "HEAD"):
        async with phone.request(method, "/wechat/gd") as answer:
            assert answer.status == 405


async def test_a_body_that_trickles_is_cut_off(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "BODY_TIME", 0.1)
    sealed = seal(text_xml("你好"))

    async def trickle() -> AsyncIterator[bytes]:
        yield b"<xml>"
        await asyncio.sleep(0.5)
        yield b"</xml>"

    async with phone.post("/wechat/gd", params=query(sealed), data=trickle()) as answer:
        assert (answer.status, await answer.json()) == (400, {"reason": "slow"})


async def test_everything_cheap_is_checked_before_the_body_is_asked_for() -> None:
    stranger = account()
    for parameters, reason in (({}, "query"), ({"timestamp": "1", "nonce": "1"}, "query")):
        with pytest.raises(Rejected) as refusal:
            await stranger.accept(asked("POST", parameters))
        assert refusal.value.reason == reason
