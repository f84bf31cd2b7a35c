"""The way to the page of a platform on which a person allows one message, and back (一次性订阅消息).

Two addresses below a one-time page's token. The first leads on to the platform, so that no id of the account stands in
the chat; the second is where the platform sends the person back to. What counts there is checked against the page: the
mark, the account's own scene and template, and that whoever allowed it is the one who was given the link.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from aiohttp import web
from sqlmodel import Session

from bot.page_views import HEADERS, View, page_behind, render
from bot.parts import PARTS, Parts
from bot.platforms import wechat_once
from handlers.granted import ASKED, BACK
from models.channel import Channel, allow, is_allowed
from models.database import DatabaseAway
from models.outbox import release_held
from models.page import use_page
from models.person import Door, Person

log = structlog.get_logger(__name__)

AWAY = View("away.html", 503, "", {})


@dataclass(frozen=True, slots=True)
class _Question:
    """What a page was made to ask: of this door, for this channel. `language` is the person's."""

    page_id: str
    door: Door
    channel: Channel
    mark: str
    public_url: str
    language: str


def add(app: web.Application) -> None:
    """Both addresses. A HEAD request changes nothing, so there is none; a slash at the end is how WeChat's documents
    write a return."""
    app.router.add_get(f"/p/{{token}}/{ASKED}", ask, allow_head=False)
    app.router.add_get(f"/p/{{token}}/{BACK}", heard, allow_head=False)
    app.router.add_get(f"/p/{{token}}/{BACK}/", heard, allow_head=False)


async def ask(request: web.Request) -> web.Response:
    """Lead on to the platform's page, as often as it is opened."""
    parts, token = request.app[PARTS], request.match_info["token"]
    found = await asyncio.to_thread(_address, parts, token)
    if isinstance(found, View):
        return await render(request, found)
    return web.Response(status=302, headers={**HEADERS, "Location": found})


async def heard(request: web.Request) -> web.Response:
    """The person is back: one permission is kept, or nothing is."""
    parts, token, query = request.app[PARTS], request.match_info["token"], list(request.query.items())
    return await render(request, await asyncio.to_thread(_keep, parts, token, query))


def _question(parts: Parts, session: Session, token: str, *, locked: bool = False) -> _Question | None:
    page = page_behind(session, token)
    door = session.get(Door, page.door_id, with_for_update=locked) if page is not None and page.door_id else None
    if page is None or door is None or door.blocked_at is not None:
        return None
    platform = parts.platforms.get((door.platform, door.account))
    for channel in platform.channels if platform is not None else ():
        # The account may have got another scene since the link was given.
        if channel.subject and (channel.name, channel.subject) == (page.facts.get("allow"), page.facts.get("subject")):
            person = session.get(Person, page.person_id)
            mark, public_url = str(page.facts["mark"]), str(page.facts["public_url"])
            return _Question(page.id, door, channel, mark, public_url, person.language if person else "")
    return None


def _address(parts: Parts, token: str) -> str | View:
    try:
        with parts.database.read() as session:
            question = _question(parts, session, token)
    except DatabaseAway:
        return AWAY
    if question is None or question.channel.asks is None:
        return _said("refused")
    back = f"{question.public_url}/p/{token}/{BACK}"
    return wechat_once.address(question.channel.asks, back, question.mark)


def _keep(parts: Parts, token: str, query: list[tuple[str, str]]) -> View:
    """The permission and the end of its page are one transaction: a second return finds no page."""
    try:
        with parts.database.read() as session:  # most of what is not ours ends here, before anything is locked
            question = _question(parts, session, token)
        if question is None or question.channel.asks is None:
            return _said("refused")
        answer = wechat_once.read(question.channel.asks, query, question.mark)
        if answer is None or (answer.action == "confirm" and answer.openid != question.door.sender):
            log.info("permission_not_taken", platform=question.door.platform, account=question.door.account)
            return _said("refused", question.language)
        if answer.action == "cancel":
            return _said("cancelled", question.language)
        with parts.database.write() as session:
            question = _question(parts, session, token, locked=True)
            if question is None or not use_page(session, question.page_id):
                return _said("refused")
            here = (question.door.id, question.channel.name, question.channel.subject)
            if not is_allowed(session, *here):  # the platform counts no second one
                allow(session, *here)
                release_held(session, question.door.person_id)
    except DatabaseAway:
        return AWAY
    log.info("permission_given", platform=question.door.platform, account=question.door.account)
    return _said("opened", question.language)


def _said(how: str, language: str = "") -> View:
    return View("permission.html", 404 if how == "refused" else 200, language, {"how": how})
