"""WeChat's own page for a 一次性订阅消息, as it opens on a phone of the sandbox: 允许 or 取消, and back to the product.

The real page knows whose phone it is on; here the phone page says it in a cookie when it opens a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from bot.sandbox.memory import Person
from bot.sandbox.phones import Phones, Refused
from bot.sandbox.reading import SMALL_BODY, read_body, whole_number
from bot.sandbox.wechat_acts import WeChatActs

COOKIE = "wechat_phone"  # the id of the person on whose phone a page is open
STYLE = "/sandbox/static/wechat-page.css"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without, the form's Origin is “null”, and refused
    "Cache-Control": "no-store",
}
NAMES = ("action", "appid", "scene", "template_id", "redirect_url", "reserved")
_TEMPLATE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_RESERVED = re.compile(r"[A-Za-z0-9]{0,128}\Z")


class WeChatPages:
    """`base_url` is the product's address, the only one that pages may lead back to (业务域名)."""

    def __init__(self, phones: Phones, acts: WeChatActs, appid: str, base_url: Callable[[], str]) -> None:
        self._phones = phones
        self._acts = acts
        self._appid = appid
        self._base_url = base_url

    def routes(self) -> list[web.RouteDef]:
        """Relative to `/sandbox`."""
        path = "/wechat-pages/mp/subscribemsg"
        return [web.get(path, self.show, allow_head=False), web.post(path, self.choose)]

    async def show(self, request: web.Request) -> web.Response:
        """The question, or why there is none."""
        asked, person = self._asked(request), self._person(request)
        if asked is None:
            return _page("参数错误", "<p>应用访问参数错误。</p>", 400)
        if person is None:
            return _page("请在微信客户端打开链接", "<p>在沙盒的微信手机上点聊天里的链接。</p>", 403)
        body = (
            f"<p>“暖阳（沙盒）”申请给 {escape(person.name)} 发送一次订阅消息。</p>"
            '<form method="post"><button name="choice" value="confirm">允许</button>'
            '<button name="choice" value="cancel">取消</button></form>'
        )
        return _page("订阅消息", body)

    async def choose(self, request: web.Request) -> web.Response:
        """允许 or 取消: back to the product, as WeChat says it."""
        asked, person = self._asked(request), self._person(request)
        choice = (await read_body(request, SMALL_BODY)).removeprefix(b"choice=").decode("ascii", "replace")
        if asked is None or choice not in ("confirm", "cancel"):
            return _page("参数错误", "<p>应用访问参数错误。</p>", 400)
        if person is None:
            return _page("请在微信客户端打开链接", "<p>在沙盒的微信手机上点聊天里的链接。</p>", 403)
        self._acts.grant(person, scene=int(asked["scene"]), template="", accept=choice == "confirm")
        said = {"openid": person.openid} if choice == "confirm" else {}
        said |= {"template_id": asked["template_id"], "action": choice, "scene": asked["scene"]}
        back = f"{asked['redirect_url']}?{urlencode(said | {'reserved': asked['reserved']})}"
        return web.Response(status=303, headers={**HEADERS, "Location": back})

    def _asked(self, request: web.Request) -> dict[str, str] | None:
        """The parameters, when WeChat would take them."""
        if any(len(request.query.getall(name, [])) != 1 for name in NAMES):
            return None
        asked = {name: request.query[name] for name in NAMES}
        scene = whole_number(asked["scene"])
        good = (
            asked["action"] == "get_confirm"
            and asked["appid"] == self._appid
            and scene is not None
            and 0 <= scene <= 10_000
            and _TEMPLATE.match(asked["template_id"])
            and _RESERVED.match(asked["reserved"])
            and asked["redirect_url"].startswith(f"{self._base_url()}/")
            and not set("?#\r\n") & set(asked["redirect_url"])
        )
        return asked if good else None

    def _person(self, request: web.Request) -> Person | None:
        try:
            return self._phones.person(request.cookies.get(COOKIE, ""))
        except Refused:
            return None


def _page(title: str, body: str, status: int = 200) -> web.Response:
    """`title` and `body` are HTML already."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    text = f'<!doctype html><html lang="zh-CN"><head>{head}<link rel="stylesheet" href="{STYLE}"></head>'
    text += f"<body><h1>{title}</h1>{body}</body></html>"
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
