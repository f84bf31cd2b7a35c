"""Plays WeChat towards the adapter: its own signing and sealing, sharing no line with the product's."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from typing import Any
from xml.etree import ElementTree

import aiohttp
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import SecretStr

from bot.platforms.base import Platform, Rejected
from bot.platforms.wechat import WeChat
from config.settings import WeChatAccount

TOKEN, KEY, APPID = "AAAAA", "A" * 43, "wxba5fad812f8e6fb9"
OLD_KEY = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
OPENID, GH = "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "gh_97417a04a28d"


def settings(**more: Any) -> WeChatAccount:
    plain: dict[str, Any] = {
        "appid": APPID,
        "secret": SecretStr("app-secret"),
        "token": SecretStr(TOKEN),
        "encoding_aes_key": SecretStr(KEY),
        "previous_aes_key": SecretStr(OLD_KEY),
    }
    return WeChatAccount(**{**plain, **more})


def no_http() -> aiohttp.ClientSession:
    raise AssertionError("reading a message must not make a call")


def account(**more: Any) -> WeChat:
    return WeChat("gd", settings(), no_http, **more)


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def aes(key: str) -> Cipher[modes.CBC]:
    raw = base64.b64decode(key + "=")
    return Cipher(algorithms.AES(raw), modes.CBC(raw[:16]))


def seal(message: bytes, *, key: str = KEY, appid: str = APPID, length: int | None = None, padding: int = 0) -> str:
    size = (len(message) if length is None else length).to_bytes(4, "big")
    frame = os.urandom(16) + size + message + appid.encode()
    fill = 32 - len(frame) % 32
    frame += bytes([padding or fill]) * fill
    encryptor = aes(key).encryptor()
    return base64.b64encode(encryptor.update(frame) + encryptor.finalize()).decode()


def unseal(sealed: str, *, key: str = KEY) -> tuple[str, str]:
    decryptor = aes(key).decryptor()
    frame = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
    frame = frame[: -frame[-1]]
    end = 20 + int.from_bytes(frame[16:20], "big")
    return frame[20:end].decode(), frame[end:].decode()


def cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def xml(**elements: object) -> bytes:
    """A decrypted message; numbers go in bare, words as CDATA, dicts as nested elements."""

    def inner(value: object) -> str:
        if isinstance(value, dict):
            return "".join(f"<{name}>{inner(part)}</{name}>" for name, part in value.items())
        if isinstance(value, list):
            return "".join(f"<item>{inner(part)}</item>" for part in value)
        return str(value) if isinstance(value, int | float) else cdata(str(value))

    usual: dict[str, object] = {"ToUserName": GH, "FromUserName": OPENID, "CreateTime": 1714112445}
    return f"<xml>{inner(usual | elements)}</xml>".encode()


def text_xml(words: str, msg_id: int = 23456789012345678) -> bytes:
    return xml(MsgType="text", Content=words, MsgId=msg_id)


def envelope(sealed: str) -> bytes:
    return f"<xml>\n<ToUserName>{cdata(GH)}</ToUserName>\n<Encrypt>{cdata(sealed)}</Encrypt>\n</xml>".encode()


def query(sealed: str, *, at: float | None = None, nonce: str = "415670741", token: str = TOKEN) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "signature": sha1(token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "openid": OPENID,
        "encrypt_type": "aes",
        "msg_signature": sha1(token, timestamp, nonce, sealed),
    }


def opened(answer: web.Response, *, key: str = KEY) -> dict[str, str]:
    """The elements of a passive reply, after checking it as WeChat does."""
    assert isinstance(answer.text, str)
    outer = {part.tag: part.text or "" for part in ElementTree.fromstring(answer.text)}
    assert outer["MsgSignature"] == sha1(TOKEN, outer["TimeStamp"], outer["Nonce"], outer["Encrypt"])
    message, appid = unseal(outer["Encrypt"], key=key)
    assert appid == APPID
    return {part.tag: part.text or "" for part in ElementTree.fromstring(message)}


def site(platform: Platform) -> web.Application:
    """The adapter behind a route, as the product puts it there: what it refuses becomes its status."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            got = await platform.accept(request)
            if isinstance(got, web.Response):
                return got
            inbound = platform.open(got, dict(request.query))
        except Rejected as refusal:
            assert re.fullmatch(r"[a-z]+", refusal.reason)
            return web.json_response({"reason": refusal.reason}, status=refusal.status)
        return web.json_response([one.as_json() for one in inbound])

    app = web.Application()
    app.router.add_route("*", "/wechat/gd", handle)
    return app


def asked(method: str, parameters: dict[str, str]) -> web.Request:
    """A request without a body, for checks that come before it is read."""
    pairs = "&".join(f"{name}={value}" for name, value in parameters.items())
    return make_mocked_request(method, f"/wechat/gd?{pairs}")
