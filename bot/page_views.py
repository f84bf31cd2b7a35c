"""What all one-time pages share: how one is shown, and which page a token opens now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from sqlmodel import Session

from config.texts import _, current, speaking
from models.page import OpenPage, open_page
from models.person import Door

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class View:
    """A page ready to be shown."""

    template: str
    status: int
    language: str
    values: dict[str, Any]


async def render(request: web.Request, view: View) -> web.Response:
    """The page in its language, kept by no browser."""
    with speaking(view.language):
        response = aiohttp_jinja2.render_template(
            view.template, request, {**view.values, "_": _, "lang": current().replace("_", "-")}, status=view.status
        )
    response.headers.update(HEADERS)
    return response


def page_behind(session: Session, token: str) -> OpenPage | None:
    """The page behind a token, unless the chat that it was offered in leads to somebody else by now."""
    page = open_page(session, token)
    if page is None or page.door_id is None:
        return page
    door = session.get(Door, page.door_id)
    return page if door is not None and door.person_id == page.person_id else None
