"""One-time pages: sensitive answers, a person's own data, and what a guardian is asked (architecture.md §9).

No script, no file from elsewhere, nothing kept by the browser. What was typed is answered like any other message:
through the receiver, under a key of its own.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import parse_qs

import aiohttp_jinja2
import jinja2
import segno
import structlog
from aiohttp import web
from sqlmodel import Session

from bot import import_pages, permission
from bot.page_views import View, page_behind, render
from bot.parts import PARTS, Parts
from bot.received import Unavailable
from bot.routes import READ_SECONDS
from config.texts import _, speaking
from handlers import household_page, onpage
from handlers.message import Inbound
from handlers.operator import who_is_responsible
from models.database import DatabaseAway
from models.page import OpenPage, open_page, use_page
from models.person import Door, Person, doors

log = structlog.get_logger(__name__)

MAX_ANSWER = 2_000


def add(app: web.Application) -> None:
    """The page routes."""
    aiohttp_jinja2.setup(app, loader=jinja2.PackageLoader("bot", "templates"), autoescape=True)
    app.router.add_get("/p/style.css", style)
    app.router.add_get("/p/{token}", show)
    app.router.add_post("/p/{token}", answer)
    permission.add(app)


async def style(_request: web.Request) -> web.Response:
    """The pages' one style sheet."""
    body = jinja2.PackageLoader("bot", "templates").get_source(jinja2.Environment(autoescape=True), "page.css")[0]
    return web.Response(text=body, content_type="text/css", headers={"Cache-Control": "max-age=3600"})


async def show(request: web.Request) -> web.Response:
    """Show the page behind a token."""
    parts = request.app[PARTS]
    token = request.match_info["token"]
    view = await asyncio.to_thread(_view, parts, token)
    return _renewing(import_pages.reloading(await render(request, view), view), view)


def _renewing(response: web.Response, view: View) -> web.Response:
    """A page with a code that changes looks again by itself when the next one has come, without script."""
    if view.template == "code.html":
        response.headers["Refresh"] = str(view.values["code"].seconds + 1)
    return response


async def answer(request: web.Request) -> web.Response:
    """Take the answer of a question page; it becomes a message of the person."""
    parts = request.app[PARTS]
    token = request.match_info["token"]
    if request.content_type == "multipart/form-data":
        return await import_pages.upload(request)
    form = await _form(request)
    typed = form.get("answer", [""])[-1][:MAX_ANSWER]
    try:
        pressed = await asyncio.to_thread(import_pages.press, parts, token, form, import_pages.is_foreign(request))
        if pressed is not None:
            return await import_pages.answer(request, pressed)
        inbound = await asyncio.to_thread(_inbound, parts, token, typed)
        if inbound is None:
            return await render(request, await asyncio.to_thread(_view, parts, token, pressed=True))
        language, problem = await asyncio.to_thread(_check, parts, inbound)
        if problem:
            view = await asyncio.to_thread(_view, parts, token, problem)
            return await render(request, view)
        await parts.receiver.receive(inbound, passive=False)
    except (DatabaseAway, Unavailable):
        return await render(request, View("away.html", 503, "", {}))
    await asyncio.to_thread(_use, parts, token)
    return await render(request, View("done.html", 200, language, {}))


async def _form(request: web.Request) -> dict[str, list[str]]:
    """What a form says as our own pages send it. Anything else is refused before a parser has seen it."""
    if request.content_type != "application/x-www-form-urlencoded" or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await request.read()
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, web.RequestPayloadError):
        raise web.HTTPBadRequest from None


def _view(parts: Parts, token: str, problem: str = "", *, pressed: bool = False) -> View:
    """What stands behind a token. Personal data is shown only after a press: a program that follows links (a mail
    scanner, a preview) fetches, it does not press."""
    try:
        # A press may leave a line in the audit trail.
        with parts.database.write() if pressed else parts.database.read() as session:
            page = page_behind(session, token)
            if page is None:
                return View("gone.html", 404, "", {})
            person = session.get(Person, page.person_id)
            language = person.language if person else ""
            if page.kind == "answer":
                with speaking(language):
                    question = onpage.question(session, page)
                if question is None:
                    return View("gone.html", 404, language, {})
                values = {"question": question, "problem": problem, "max": MAX_ANSWER}
                return View("question.html", 422 if problem else 200, language, values)
            if import_pages.is_one(page):
                return import_pages.view(session, page, language)
            if page.kind == "data":
                with speaking(language):
                    return _to_read(session, page, language, pressed=pressed)
            return _guardian(parts, session, page, language)
    except DatabaseAway:
        return View("away.html", 503, "", {})


def _to_read(session: Session, page: OpenPage, language: str, *, pressed: bool) -> View:
    """A person's own copy, or something about others that is theirs to read."""
    if "households" in page.facts:
        sheet = household_page.sheet(session, page, reading=pressed)
        if sheet is None:
            return View("gone.html", 404, language, {})
        return View("households.html", 200, language, {"sheet": sheet, "shown": pressed})
    if "activity_code" in page.facts:
        code = onpage.activity_code(session, page)
        return View("code.html", 200, language, {"code": code}) if code else View("gone.html", 404, language, {})
    about = {
        "message",
        "alert",
        "alert_phone",
        "call",
        "recognition",
        "address",
        "relay_note",
        "hours_case",
        "visit_report",
    }
    if not about & page.facts.keys():
        if not pressed:
            return View("closed.html", 200, language, {})
        return View("data.html", 200, language, {"sections": onpage.data(session, page)})
    written = onpage.message(session, page, reading=pressed)
    if written is None:
        return View("gone.html", 404, language, {})
    template = "phone.html" if {"recognition", "alert_phone", "call"} & page.facts.keys() else "message.html"
    return View(template, 200, language, {"written": written if pressed else None})


def _guardian(parts: Parts, session: Session, page: OpenPage, language: str) -> View:
    code = str(page.facts["code"])
    with speaking(language):
        word = _("监护")
        responsible = who_is_responsible(parts.operator, parts.operator_contact)
    typed = f"{word} {code}"
    values = {
        "called": page.facts.get("called", ""),
        "typed": typed,
        "responsible": responsible,
        "qr": segno.make(typed).svg_data_uri(scale=5),
        "telegram": any(door.platform == "telegram" for door in doors(session, page.person_id)),
    }
    return View("guardian.html", 200, language, values)


def _inbound(parts: Parts, token: str, typed: str) -> Inbound | None:
    with parts.database.read() as session:
        page = page_behind(session, token)
        door = session.get(Door, page.door_id) if page is not None and page.door_id else None
        if page is None or page.kind != "answer" or door is None:
            return None
        if onpage.question(session, page) is None:
            return None
        return Inbound(
            platform=door.platform,
            account=door.account,
            sender=door.sender,
            key=f"page:{page.id}",  # one page, one answer, however often it is sent
            kind="page",
            sent_at=datetime.now(UTC),
            text=typed,
            choice=str(page.facts["prompt"]),
        )


def _check(parts: Parts, inbound: Inbound) -> tuple[str, str]:
    """The language to speak, and what is wrong with the answer (empty = nothing), before the page is used up."""
    with parts.database.read() as session:
        return onpage.problem(session, inbound)


def _use(parts: Parts, token: str) -> None:
    try:
        with parts.database.write() as session:
            page = open_page(session, token)
            if page is not None:
                use_page(session, page.id)
    except DatabaseAway:
        log.warning("database_away", doing="use_page")  # its answer has one key, so it counts once all the same
