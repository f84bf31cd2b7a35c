"""Who may use the sandbox: programs and pages of this machine, and nobody who only sounds like them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.loopback import is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other machines, a Host that is not loopback (DNS rebinding) and pages of any other origin."""
    remote = request.remote  # empty on a Unix socket, which is this machine as well
    if (remote and not is_loopback(f"[{remote}]" if ":" in remote else remote)) or not is_loopback(request.host):
        return _refuse("沙盒只能在这台机器上用。")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return _refuse("沙盒不接受别的网页。")
    if request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site", "same-origin") not in (
        "same-origin",
        "none",
    ):
        return _refuse("沙盒不接受别的网页。")
    return await handler(request)


def _refuse(sentence: str) -> web.Response:
    return web.json_response({"error": sentence, "code": "forbidden"}, status=403)
