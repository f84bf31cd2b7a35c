"""The Official Account's API, played: tokens, refusals by errcode under HTTP 200, quotas, one table of endpoints."""

from __future__ import annotations

import hmac
import io
import secrets
import time
from collections.abc import Callable
from typing import Any

import segno
from aiohttp import BodyPartReader, web

from bot.sandbox.faults import Call, Faults
from bot.sandbox.media import MediaStore
from bot.sandbox.phones import Phones
from bot.sandbox.reading import SMALL_BODY, TooLarge, json_object, read_body
from bot.sandbox.wechat_account import MEDIA_SIZES, WeChatAccountApi
from bot.sandbox.wechat_limits import Quotas, WeChatLimits
from bot.sandbox.wechat_refusals import Refusal
from bot.sandbox.wechat_send import WeChatSend
from bot.sandbox.wechat_sim import WeChatSim
from config.settings import WeChatAccount

LARGE_BODY = 1 << 20  # bytes, for lists of openids and articles
LARGE = {"message/mass/send", "draft/add", "tags/members/batchtagging", "tags/members/batchuntagging"}
# Answers that carry data and have no errcode, as WeChat's own.
BARE = {"stable_token", "menu/get", "tags/get", "tags/create", "qrcode/create", "media/upload", "draft/add"}
Endpoint = Callable[[dict[str, Any]], dict[str, Any]]


class Tokens:
    """`stable_token`: the same token for everybody until it is renewed. Lives by the machine's clock."""

    def __init__(self, account: WeChatAccount, limits: WeChatLimits, quotas: Quotas) -> None:
        self._account = account
        self._limits = limits
        self._quotas = quotas
        self._token = ""
        self._ends = 0.0
        self._forced = 0.0
        self._old: dict[str, float] = {}  # earlier tokens → until when they still work

    def give(self, body: dict[str, Any]) -> dict[str, Any]:
        """The token and the seconds it has left; raises Refusal."""
        if body.get("grant_type") != "client_credential":
            raise Refusal(40002)
        if not body.get("appid"):
            raise Refusal(41002)
        if not body.get("secret"):
            raise Refusal(41004)
        if body["appid"] != self._account.appid:
            raise Refusal(40013)
        if not hmac.compare_digest(str(body["secret"]).encode(), self._account.secret.get_secret_value().encode()):
            raise Refusal(40125)
        now = time.time()
        if body.get("force_refresh") is True and now - self._forced >= self._limits.force_pause:
            self._quotas.count("force_refresh")
            self._forced = now
            self._renew(now, overlap=0)
        elif now >= self._ends - self._limits.token_overlap:
            self._renew(now, overlap=self._limits.token_overlap)
        return {"access_token": self._token, "expires_in": int(self._ends - now)}

    def check(self, token: str) -> None:
        """Raises Refusal 41001, 40001 or 42001."""
        now = time.time()
        if not token:
            raise Refusal(41001)
        if token == self._token:
            ends = self._ends
        elif token in self._old:
            ends = self._old[token]
        else:
            raise Refusal(40001)
        if now >= ends:
            raise Refusal(42001)

    def _renew(self, now: float, overlap: int) -> None:
        self._old = {token: ends for token, ends in self._old.items() if ends > now - self._limits.token_life}
        if overlap and self._token:
            self._old[self._token] = min(self._ends, now + overlap)
        else:
            self._old.clear()  # a forced refresh makes earlier tokens plainly invalid
        self._token = f"80_{secrets.token_urlsafe(100)}"
        self._ends = now + self._limits.token_life


class WeChatApi:
    """Everything under `cgi-bin/`."""

    def __init__(
        self,
        phones: Phones,
        media: MediaStore,
        sim: WeChatSim,
        account: WeChatAccount,
        faults: Faults,
        limits: WeChatLimits,
    ) -> None:
        self._phones = phones
        self._media = media
        self._faults = faults
        self._quotas = Quotas(lambda: phones.memory.wechat, limits, phones.now)
        self._tokens = Tokens(account, limits, self._quotas)
        self._own = own = WeChatAccountApi(phones, media, limits)
        send = WeChatSend(phones, media, sim, limits, self._quotas)
        self._endpoints: dict[str, tuple[str, Endpoint]] = {
            "stable_token": ("POST", self._tokens.give),
            "message/custom/send": ("POST", send.custom),
            "message/custom/typing": ("POST", send.typing),
            "message/template/send": ("POST", send.template),
            "message/template/subscribe": ("POST", send.one_time),
            "message/subscribe/bizsend": ("POST", send.bizsend),
            "message/mass/send": ("POST", send.mass),
            "message/mass/sendall": ("POST", send.mass_all),
            "message/mass/preview": ("POST", send.preview),
            "message/mass/get": ("POST", send.mass_state),
            "template/api_add_template": ("POST", own.template_add),
            "template/get_all_private_template": ("GET", own.template_list),
            "template/del_private_template": ("POST", own.template_delete),
            "tags/create": ("POST", own.tag_create),
            "tags/get": ("GET", own.tag_list),
            "tags/update": ("POST", own.tag_update),
            "tags/delete": ("POST", own.tag_delete),
            "tags/members/batchtagging": ("POST", own.tag_people),
            "tags/members/batchuntagging": ("POST", own.untag_people),
            "tags/getidlist": ("POST", own.tags_of),
            "user/tag/get": ("POST", own.tagged),
            "menu/create": ("POST", own.menu_create),
            "menu/get": ("GET", own.menu_get),
            "menu/delete": ("GET", own.menu_delete),
            "menu/addconditional": ("POST", own.menu_add),
            "menu/delconditional": ("POST", own.menu_drop),
            "menu/trymatch": ("POST", own.menu_match),
            "qrcode/create": ("POST", own.qr_create),
            "draft/add": ("POST", own.draft_add),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call of the product."""
        path = request.match_info["tail"]
        if path == "showqrcode":
            return self._qr_picture(request)
        call = Call("wechat", request.method, f"cgi-bin/{path}")
        spared = path == "stable_token"  # a fault set for sendings must not be eaten by the token
        return await self._faults.serve(request, call, lambda: self._answer(path, request, call), spared=spared)

    async def _answer(self, path: str, request: web.Request, call: Call) -> web.StreamResponse:
        try:
            if path == "media/get":
                self._tokens.check(request.query.get("access_token", ""))
                return self._media_file(request.query.get("media_id", ""))
            if path == "media/upload":
                self._tokens.check(request.query.get("access_token", ""))
                fields = await self._upload(request)
            else:
                method, endpoint = self._endpoint(path, request)
                body = await self._body(path, request) if method == "POST" else {}
                touser = body.get("touser")
                call.person = self._phones.by_openid(touser) if isinstance(touser, str) else None
                self._quotas.count(path)
                fields = endpoint(body)
                self._phones.changed()
        except Refusal as refusal:
            call.ok = False
            call.facts["errcode"] = refusal.errcode
            return web.json_response(refusal.as_json())
        call.facts["errcode"] = 0
        return web.json_response(fields if path in BARE else {"errcode": 0, "errmsg": "ok", **fields})

    def _endpoint(self, path: str, request: web.Request) -> tuple[str, Endpoint]:
        if path not in self._endpoints:
            raise Refusal(40066)
        method, call = self._endpoints[path]
        if request.method != method:
            raise Refusal(43002 if method == "POST" else 43001)
        if path != "stable_token":
            self._tokens.check(request.query.get("access_token", ""))
        return method, call

    async def _body(self, path: str, request: web.Request) -> dict[str, Any]:
        try:
            body = await read_body(request, LARGE_BODY if path in LARGE else SMALL_BODY)
        except TooLarge:
            raise Refusal(45002) from None
        if not body:
            raise Refusal(44002)
        try:
            return json_object(body)
        except ValueError:
            raise Refusal(47001) from None

    async def _upload(self, request: web.Request) -> dict[str, Any]:
        if request.method != "POST":
            raise Refusal(43002)
        if not request.content_type.startswith("multipart/"):
            raise Refusal(41005)
        kind = request.query.get("type", "")
        limit = MEDIA_SIZES.get(kind, 0)
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or part.name != "media":
                    continue
                content = bytearray()
                while len(content) <= limit and (chunk := await part.read_chunk()):
                    content += chunk
                content_type = part.headers.get("Content-Type", "application/octet-stream")
                return self._own.media_keep(kind, part.filename or "media", content_type, bytes(content))
        except ValueError:
            raise Refusal(41005) from None  # a multipart body without end or boundary
        raise Refusal(41005)

    def _media_file(self, media_id: str) -> web.Response:
        if not media_id:
            raise Refusal(41006)
        file = self._media.get(media_id)
        if file is None:
            raise Refusal(40007)
        if file.kind == "video":
            return web.json_response({"video_url": f"/sandbox/media/{media_id}"})
        headers = {"Content-Disposition": f'attachment; filename="{media_id[:16]}"'}
        return web.Response(body=file.content, content_type=file.safe_type, headers=headers)

    def _qr_picture(self, request: web.Request) -> web.Response:
        url = self._own.qr_url(request.query.get("ticket", ""))
        if url is None:
            return web.Response(status=404)
        kind = "svg" if request.query.get("format") == "svg" else "png"
        picture = io.BytesIO()
        segno.make(url, error="m", micro=False).save(picture, kind=kind, scale=8, border=4)
        return web.Response(body=picture.getvalue(), content_type="image/svg+xml" if kind == "svg" else "image/png")
