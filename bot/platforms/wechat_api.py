"""WeChat's API for one account: a thin client over the calls we need, each a few lines over `_call`.

No call raises for the platform's faults and none outlasts ten seconds; how it ended is an `Answer`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import structlog

from bot.platforms.base import Outcome
from bot.platforms.wechat_outcomes import TOKEN_REFUSED, Answer, not_called, of_body, of_status, rid
from bot.platforms.wechat_token import Token, TokenError
from config.settings import WeChatAccount

LONGEST = 10.0  # seconds, the token included
TOKEN_LONGEST = 5.0  # seconds, so that a message still has time after a slow token
CONNECT = 3.0  # seconds, and never more than half of what is left
MAX_JSON = 1 << 20
MAX_MEDIA = 12 << 20  # the biggest temporary medium is a video of 10 MB

_log = structlog.get_logger(__name__)

Http = aiohttp.ClientSession | Callable[[], aiohttp.ClientSession]
Json = Mapping[str, Any]


class WeChatApi:
    """The outgoing calls of one account over one aiohttp session, which its owner closes.

    `http` is the session, or a function giving it at the first call. Deadlines are times of the loop's clock.
    """

    def __init__(self, account: str, settings: WeChatAccount, http: Http) -> None:
        self._account = account
        self._settings = settings
        self._http = http
        self._token = Token(account, self._fetch_token)

    # --- messages to one person ---

    async def custom_send(self, openid: str, message: Json, *, deadline: float | None = None) -> Answer:
        """A 客服 message; `message` holds msgtype and content. There is no key: what is uncertain stays uncertain."""
        return await self._call("message/custom/send", {"touser": openid, **message}, deadline=deadline)

    async def template_send(
        self,
        openid: str,
        template_id: str,
        fields: Json,
        *,
        client_msg_id: str = "",
        url: str = "",
        deadline: float | None = None,
    ) -> Answer:
        """A template message; the same openid and `client_msg_id` sends once within ten minutes."""
        body: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": _values(fields)}
        body |= {"client_msg_id": _key(client_msg_id)} if client_msg_id else {}
        body |= {"url": url} if url else {}
        return await self._call("message/template/send", body, deadline=deadline)

    async def template_subscribe(
        self,
        openid: str,
        template_id: str,
        *,
        scene: int,
        title: str,
        text: str,
        url: str = "",
        deadline: float | None = None,
    ) -> Answer:
        """A 一次性订阅消息: one send per authorisation and scene (0–10000); title ≤ 15, text ≤ 200 characters."""
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": template_id,
            "scene": str(scene),
            "title": title,
            "data": {"content": {"value": text}},
        }
        body |= {"url": url} if url else {}
        return await self._call("message/template/subscribe", body, deadline=deadline)

    async def bizsend(
        self, openid: str, template_id: str, fields: Json, *, page: str = "", deadline: float | None = None
    ) -> Answer:
        """A 订阅通知, one per grant; 43101 means there is none."""
        body: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": _values(fields)}
        body |= {"page": page} if page else {}
        return await self._call("message/subscribe/bizsend", body, deadline=deadline)

    # --- messages to many ---

    async def mass_send(
        self, openids: Sequence[str], message: Json, *, client_msg_id: str, deadline: float | None = None
    ) -> Answer:
        """The same message to 2–10,000 followers; raises ValueError for other numbers (WeChat refuses one alone)."""
        if not 2 <= len(openids) <= 10_000:
            raise ValueError("a mass message goes to 2–10,000 people in one call")
        body = {"touser": list(openids), **message, "clientmsgid": _key(client_msg_id)}
        return await self._call("message/mass/send", body, deadline=deadline)

    async def mass_send_all(
        self, message: Json, *, client_msg_id: str, tag_id: int | None = None, deadline: float | None = None
    ) -> Answer:
        """The same message to a tag, or to every follower when there is no tag."""
        who = {"is_to_all": True} if tag_id is None else {"is_to_all": False, "tag_id": tag_id}
        body = {"filter": who, **message, "clientmsgid": _key(client_msg_id)}
        return await self._call("message/mass/sendall", body, deadline=deadline)

    async def mass_preview(self, openid: str, message: Json, *, deadline: float | None = None) -> Answer:
        """A mass message on one's own phone first."""
        return await self._call("message/mass/preview", {"touser": openid, **message}, deadline=deadline)

    # --- tags, menus, QR codes, media ---

    async def tags_get(self, *, deadline: float | None = None) -> Answer:
        """All tags of the account: `data["tags"]`, each with id, name and count."""
        return await self._call("tags/get", None, result="tags", deadline=deadline)

    async def tags_create(self, name: str) -> Answer:
        """A new tag: `data["tag"]["id"]`; at most 100 an account."""
        return await self._call("tags/create", {"tag": {"name": name}}, result="tag")

    async def tags_of(self, openid: str, *, deadline: float | None = None) -> Answer:
        """The tags of a follower: `data["tagid_list"]`."""
        return await self._call("tags/getidlist", {"openid": openid}, result="tagid_list", deadline=deadline)

    async def tags_assign(self, tag_id: int, openids: Sequence[str], *, deadline: float | None = None) -> Answer:
        """Give up to 50 followers a tag; a person has at most 20."""
        body = {"tagid": tag_id, "openid_list": list(openids)}
        return await self._call("tags/members/batchtagging", body, deadline=deadline)

    async def tags_withdraw(self, tag_id: int, openids: Sequence[str], *, deadline: float | None = None) -> Answer:
        """Take a tag from up to 50 followers."""
        body = {"tagid": tag_id, "openid_list": list(openids)}
        return await self._call("tags/members/batchuntagging", body, deadline=deadline)

    async def menu_delete(self) -> Answer:
        """Takes down everybody's menu and every conditional one."""
        return await self._call("menu/delete", None)

    async def menu_create(self, buttons: Sequence[Json]) -> Answer:
        """Everybody's menu, 3 × 5."""
        return await self._call("menu/create", {"button": list(buttons)})

    async def menu_add_conditional(self, buttons: Sequence[Json], tag_id: int) -> Answer:
        """The menu of one tag; the newest that fits a person wins."""
        body = {"button": list(buttons), "matchrule": {"tag_id": str(tag_id)}}
        return await self._call("menu/addconditional", body, result="menuid")

    async def qrcode_create(self, scene: str, *, seconds: int | None = None, deadline: float | None = None) -> Answer:
        """A QR code for a scene of 1–64 characters: `data["ticket"]` and `data["url"]`.

        For good (100,000 an account) unless `seconds`, at most 30 days, limits its life.
        """
        if not 1 <= len(scene) <= 64:
            raise ValueError("a scene has 1–64 characters")
        info = {"scene": {"scene_str": scene}}
        if seconds is None:
            body: dict[str, Any] = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": info}
        else:
            limited = min(seconds, 30 * 86400)
            body = {"expire_seconds": limited, "action_name": "QR_STR_SCENE", "action_info": info}
        return await self._call("qrcode/create", body, result="ticket", deadline=deadline)

    async def media_upload(self, kind: str, name: str, content: bytes, content_type: str) -> Answer:
        """A temporary medium (image, voice, video, thumb), kept three days: `data["media_id"]`."""

        def form() -> aiohttp.FormData:  # a form can be sent once only, and a call may be made twice
            made = aiohttp.FormData()
            made.add_field("media", content, filename=name, content_type=content_type)
            return made

        return await self._call("media/upload", form, result="media_id", query={"type": kind})

    async def media_get(self, media_id: str) -> Answer:
        """What a person has sent: `content`, up to 12 MiB; for a video `data["video_url"]`."""
        return await self._call("media/get", None, result="video_url", query={"media_id": media_id}, binary=True)

    async def draft_add(self, articles: Sequence[Json]) -> Answer:
        """A draft for the account's editors: `data["media_id"]`."""
        return await self._call("draft/add", {"articles": list(articles)}, result="media_id")

    # --- underneath ---

    async def warm(self) -> Outcome:
        """Fetch the token beforehand, so that the first message need not wait for it."""
        try:
            await self._token.get()
        except TokenError as problem:
            return problem.outcome
        return Outcome("sent")

    def stop(self) -> None:
        """Cut a token call that is under way; other calls end with the tasks that made them."""
        self._token.stop()

    async def _call(
        self,
        path: str,
        body: Json | Callable[[], aiohttp.FormData] | None,
        *,
        deadline: float | None = None,
        result: str = "",
        query: Mapping[str, str] | None = None,
        binary: bool = False,
    ) -> Answer:
        """One call with a token, and once more with another token if the first is refused."""
        end = _end(deadline, LONGEST)
        answer = Answer(Outcome("retry", "token", retry_after=1.0))
        try:
            async with asyncio.timeout_at(end):
                try:
                    token = await self._token.get()
                except TokenError as problem:
                    return Answer(not_called(problem.outcome))
            for _attempt in range(2):
                if _now() >= end:
                    raise TimeoutError
                params = {**(query or {}), "access_token": token}
                answer = await self._exchange(path, body, params=params, end=end, result=result, binary=binary)
                if answer.data.get("errcode") not in TOKEN_REFUSED:
                    if answer.data or answer.content:
                        self._token.accepted()
                    break
                async with asyncio.timeout_at(end):
                    token = await self._token.refused(token)
        except TokenError as problem:
            return Answer(problem.outcome)
        except TimeoutError:
            # Only waiting for a token ends here: nothing was sent, or what was sent has been refused.
            return Answer(Outcome("retry", "late", retry_after=1.0))
        return answer

    async def _fetch_token(self, force: bool) -> Answer:
        body: dict[str, Any] = {
            "grant_type": "client_credential",
            "appid": self._settings.appid,
            "secret": self._settings.secret.get_secret_value(),
        }
        body |= {"force_refresh": True} if force else {}
        end = _end(None, TOKEN_LONGEST)
        return await self._exchange("stable_token", body, params={}, end=end, result="access_token", binary=False)

    async def _exchange(
        self,
        path: str,
        body: Json | Callable[[], aiohttp.FormData] | None,
        *,
        params: Mapping[str, str],
        end: float,
        result: str,
        binary: bool,
    ) -> Answer:
        """One HTTP request and what it came to; logged without token, receiver or text."""
        began = _now()
        try:
            async with asyncio.timeout_at(end):
                answer = await self._request(path, body, params, end, result, binary)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            # No connection, so no request: certainly not sent.
            answer = Answer(Outcome("retry", f"connect {type(problem).__name__}", retry_after=1.0))
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            answer = Answer(Outcome("uncertain", type(problem).__name__))
        outcome = answer.outcome
        log = _log.debug if answer.ok else _log.warning
        log(
            "wechat_call",
            account=self._account,
            path=path,
            outcome=outcome.name,
            code=outcome.code,
            rid=rid(answer.data),
            seconds=round(_now() - began, 3),
        )
        return answer

    async def _request(
        self,
        path: str,
        body: Json | Callable[[], aiohttp.FormData] | None,
        params: Mapping[str, str],
        end: float,
        result: str,
        binary: bool,
    ) -> Answer:
        http = self._http() if callable(self._http) else self._http
        connect = min(CONNECT, max(end - _now(), 0.01) / 2)
        data: Any = None
        headers = {}
        if callable(body):
            data = body()
        elif body is not None:
            # Unescaped: 40033 refuses \uxxxx in some places, and elsewhere it would be shown as such.
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            headers["Content-Type"] = "application/json; charset=utf-8"
        async with http.request(
            "GET" if body is None else "POST",
            f"{self._settings.api_base}/cgi-bin/{path}",
            params=params,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect),
        ) as response:
            if response.status != 200:
                return Answer(of_status(response.status, response.headers.get("Retry-After")))
            content = await _read(response, MAX_MEDIA if binary else MAX_JSON)
            if content is None:
                return Answer(Outcome("uncertain", "size"))
            if binary and response.content_type.split("/")[0] in ("image", "audio", "video"):
                return Answer(Outcome("sent"), content=content)
            return of_body(content, result=result)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body, or None when it is longer than `most` bytes."""
    parts = bytearray()
    async for part in response.content.iter_any():
        parts += part
        if len(parts) > most:
            return None
    return bytes(parts)


def _values(fields: Json) -> dict[str, dict[str, str]]:
    return {name: {"value": str(value)} for name, value in fields.items()}


def _key(client_msg_id: str) -> str:
    if not 1 <= len(client_msg_id.encode()) <= 64:
        raise ValueError("a message's key has 1–64 bytes")
    return client_msg_id


def _end(deadline: float | None, longest: float) -> float:
    latest = _now() + longest
    return latest if deadline is None else min(deadline, latest)


def _now() -> float:
    return asyncio.get_running_loop().time()
