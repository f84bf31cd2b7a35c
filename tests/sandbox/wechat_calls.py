"""Calls of the played WeChat API that several tests make."""

from __future__ import annotations

from typing import Any

import aiohttp

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


async def upload(ground: Any, kind: str, content: bytes, field: str = "media") -> dict[str, Any]:
    await ground.wx("tags/get")  # fetches the token
    form = aiohttp.FormData()
    form.add_field(field, content, filename="a.png", content_type="image/png")
    url = f"{ground.base}/sandbox/wechat-api/cgi-bin/media/upload"
    async with ground.http.post(url, params={"access_token": ground.token, "type": kind}, data=form) as response:
        return dict(await response.json())
