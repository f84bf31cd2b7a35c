"""The Bot API over HTTP: `/bot<token>/<method>` with JSON, form and multipart bodies, and file downloads."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from bot.sandbox.faults import Call, Faults
from bot.sandbox.media import File
from bot.sandbox.phones import Phones
from bot.sandbox.reading import SMALL_BODY, TooLarge, json_object, read_body, whole_number
from bot.sandbox.telegram_api import TelegramApi
from bot.sandbox.telegram_refusals import Denied, bad

TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,100}\Z")
MOST_UPLOAD = 20 << 20  # bytes
# Calls a fault must not be used up by: the bot makes them by itself all the time.
SPARED = {"getupdates", "getme", "getwebhookinfo", "setwebhook", "deletewebhook", "setmycommands", "setchatmenubutton"}


class TelegramHttp:
    """Checks the token, reads parameters, answers as the Bot API."""

    def __init__(self, phones: Phones, api: TelegramApi, faults: Faults, token: str) -> None:
        self._phones = phones
        self._api = api
        self._faults = faults
        self._token = token

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call of a method."""
        method = request.match_info["method"]
        name = method if re.fullmatch(r"[A-Za-z]{1,40}", method) else "?"
        # A poll that brought nothing wrong is no news.
        call = Call("telegram", request.method, f"bot/{name}", quiet=method.lower() == "getupdates")
        spared = method.lower() in SPARED
        return await self._faults.serve(request, call, lambda: self._answer(request, method, call), spared=spared)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file by the file_path of getFile."""
        try:
            self._check_token(request.match_info["token"])
        except Denied as denied:
            return web.json_response(denied.as_json(), status=denied.code)
        file = self._api.file(request.match_info["path"])
        if file is None:
            return web.json_response(Denied(404, "Not Found").as_json(), status=404)
        return web.Response(body=file.content, content_type=file.safe_type)

    async def _answer(self, request: web.Request, method: str, call: Call) -> web.StreamResponse:
        try:
            self._check_token(request.match_info["token"])
            params = await self._params(request)
            call.person = self._phones.by_telegram(whole_number(params.get("chat_id")) or 0)
            result = await self._api.call(method, params)
        except TooLarge:
            return self._refuse(call, Denied(413, "Request Entity Too Large"))
        except Denied as denied:
            return self._refuse(call, denied)
        return web.json_response({"ok": True, "result": result})

    @staticmethod
    def _refuse(call: Call, denied: Denied) -> web.Response:
        call.ok = False
        call.facts["error"] = denied.description
        if denied.retry_after:
            call.facts["retry_after"] = denied.retry_after
        return web.json_response(denied.as_json(), status=denied.code, headers=denied.headers())

    def _check_token(self, token: str) -> None:
        if not TOKEN.match(token):
            raise Denied(404, "Not Found")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Denied(401, "Unauthorized")

    async def _params(self, request: web.Request) -> dict[str, Any]:
        params: dict[str, Any] = {
            name: value.encode("utf-8", "replace").decode() for name, value in request.query.items()
        }
        if request.content_type.startswith("multipart/"):
            return params | await self._multipart(request)
        body = await read_body(request, SMALL_BODY)
        if not body:
            return params
        if request.content_type == "application/json":
            try:
                return params | json_object(body)
            except ValueError:
                raise bad("can't parse JSON object") from None
        try:
            return params | dict(parse_qsl(body.decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            raise bad("strings must be encoded in UTF-8") from None

    async def _multipart(self, request: web.Request) -> dict[str, Any]:
        params: dict[str, Any] = {}
        files: dict[str, File] = {}
        total = 0
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or not part.name:
                    raise bad("wrong multipart body")
                content = bytearray()
                while chunk := await part.read_chunk():
                    content += chunk
                    total += len(chunk)
                    if total > MOST_UPLOAD:
                        raise TooLarge
                if part.filename:
                    kind = part.headers.get("Content-Type", "application/octet-stream")
                    files[part.name] = File("file", kind, part.filename, bytes(content))
                else:
                    params[part.name] = content.decode()
        except ValueError:
            raise bad("wrong multipart body") from None
        # A field may name another part: photo=attach://picture.
        for name, value in params.items():
            if isinstance(value, str) and value.startswith("attach://") and value[9:] in files:
                params[name] = files[value[9:]]
        return params | files
