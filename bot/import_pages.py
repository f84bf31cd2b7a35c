"""The page on which a ledger or another table is handed in, looked at, taken and taken back.

What it may do is decided anew at every press: the person's role may have ended, another window may have been faster,
and the batch may be somebody else's by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from sqlmodel import Session

from bot.page_views import HEADERS, View, page_behind, render
from bot.parts import PARTS, Parts
from bot.uploads import NotRead
from config.texts import _, speaking
from handlers import ledger_pages
from models import ledger_check, ledger_import, ledger_undo, ledger_upload
from models.database import Database, DatabaseAway
from models.ledger_batch import LedgerBatch
from models.ledger_import import BatchError
from models.ledger_report import corrected
from models.ledger_upload import FAILED, READING, WAITING, Upload
from models.page import OpenPage
from models.person import Person

log = structlog.get_logger(__name__)

RELOAD_SECONDS = 4
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AWAY, GONE = View("away.html", 503, "", {}), View("gone.html", 404, "", {})
_WORKING = "import_working.html"


@dataclass(frozen=True, slots=True)
class File:
    """A workbook to be saved by whoever pressed."""

    data: bytes


def is_one(page: OpenPage) -> bool:
    """Whether a table is handed in on this page."""
    return page.kind == "data" and "import" in page.facts


def is_foreign(request: web.Request) -> bool:
    """Whether a browser says that the press came from a page of somebody else. The token in the address is what keeps
    others out; our own pages send no origin, since they tell nobody where one comes from (Referrer-Policy)."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin", "null")
    return origin != "null" and urlsplit(origin).netloc != request.host


def reloading(response: web.Response, view: View) -> web.Response:
    """A page that waits looks again by itself, without script."""
    if view.template == _WORKING:
        response.headers["Refresh"] = str(RELOAD_SECONDS)
    return response


async def answer(request: web.Request, pressed: View | File) -> web.Response:
    """What a press leads to: a file, a page with a problem or names on it, or the page as it stands now."""
    if isinstance(pressed, File):
        named = {"Content-Disposition": 'attachment; filename="problems.xlsx"'}
        return web.Response(body=pressed.data, content_type=SHEET, headers={**HEADERS, **named})
    if pressed.template == _WORKING:
        return _back(request)
    return await render(request, pressed)


def _back(request: web.Request) -> web.Response:
    """To the page itself, so that going back or reloading presses nothing again."""
    return web.Response(status=303, headers={**HEADERS, "Location": f"/p/{request.match_info['token']}"})


# --- the file comes in ---


async def upload(request: web.Request) -> web.Response:
    """A file was sent: nothing of it is read before it is known that somebody waits for one."""
    parts, token = request.app[PARTS], request.match_info["token"]
    if is_foreign(request) or "Content-Encoding" in request.headers:
        raise web.HTTPForbidden
    found = await asyncio.to_thread(_waiting, parts, token)
    if isinstance(found, View):
        return await render(request, found)
    if parts.uploads.is_full:
        return await render(request, await asyncio.to_thread(_again, parts, token, "full"))
    try:
        file = await parts.uploads.read(request)
    except NotRead as error:
        log.info("upload_not_read", why=error.reason)
        return await render(request, await asyncio.to_thread(_again, parts, token, error.reason))
    try:
        claimed = await asyncio.to_thread(_claim, parts, token)
    except BaseException:
        file.close()
        raise
    if claimed is None:
        file.close()  # another window was faster, or the role ended: the page says so
        return _back(request)
    if isinstance(claimed, View):
        file.close()
        return await render(request, claimed)
    page, mine = claimed
    parts.uploads.start(page, mine, file)
    return _back(request)


def _waiting(parts: Parts, token: str) -> OpenPage | View:
    try:
        with parts.database.read() as session:
            page = page_behind(session, token)
            if page is None or not is_one(page):
                return GONE
            shown = view(session, page, _language(session, page))
            return page if shown.template == "import.html" else shown
    except DatabaseAway:
        return AWAY


def _again(parts: Parts, token: str, problem: str) -> View:
    """The form once more, with what was wrong."""
    try:
        with parts.database.read() as session:
            page = page_behind(session, token)
            if page is None or not is_one(page):
                return GONE
            return view(session, page, _language(session, page), not_read=problem)
    except DatabaseAway:
        return AWAY


def _claim(parts: Parts, token: str) -> tuple[OpenPage, Upload] | View | None:
    try:
        with parts.database.write() as session:
            page = page_behind(session, token)
            if page is None or not is_one(page):
                return GONE
            upload = ledger_upload.upload_of(page.facts)
            if not _may_bring(session, page.person_id, upload):
                return None
            mine = ledger_upload.claim(session, page)
            return (page, mine) if mine is not None else None
    except DatabaseAway:
        return AWAY


# --- what is shown ---


def _language(session: Session, page: OpenPage) -> str:
    person = session.get(Person, page.person_id)
    return person.language if person else ""


def view(session: Session, page: OpenPage, language: str, *, not_read: str = "", problem: str = "") -> View:
    """The page as it stands now. `not_read` = why a file that was sent is none; `problem` = why a press did nothing."""
    upload = ledger_upload.standing(session, page)
    batch = session.get(LedgerBatch, upload.batch) if upload.batch else None
    who = page.person_id
    with speaking(language):
        if not (ledger_upload.may_see(session, who, batch) if batch else _may_bring(session, who, upload)):
            return View("import_refused.html", 403, language, {})
        if batch is not None:
            return _batch_view(session, batch, upload, language, problem)
        if upload.state in (WAITING, FAILED):
            said = ledger_pages.not_read(not_read, upload.sheet) if not_read else ledger_pages.problem(upload)
            values = {"said": said, **ledger_pages.form(upload)}
            return View("import.html", 422 if not_read else 200, language, values)
        if upload.state == READING:
            return View(_WORKING, 200, language, ledger_pages.reading(upload))
    return View("gone.html", 404, language, {})


def _may_bring(session: Session, person: str, upload: Upload) -> bool:
    return ledger_upload.may_import(session, person, upload.region)


def _batch_view(session: Session, batch: LedgerBatch, upload: Upload, language: str, problem: str) -> View:
    if ledger_pages.is_working(batch):
        return View(_WORKING, 200, language, ledger_pages.working(batch))
    values = ledger_pages.result(session, batch, upload)
    return View("import_result.html", 409 if problem else 200, language, {**values, "said": problem})


# --- what is pressed ---


def press(parts: Parts, token: str, form: Mapping[str, list[str]], foreign: bool) -> View | File | None:
    """Do what a button of the page says; None when this is another kind of page. Raises DatabaseAway."""
    with parts.database.read() as session:
        page = page_behind(session, token)
        if page is None or not is_one(page):
            return None
        language = _language(session, page)
    if foreign:
        raise web.HTTPForbidden
    problem = ""
    with speaking(language):
        try:
            shown = _do(parts.database, token, {name: values[-1] for name, values in form.items()}, language)
            if shown is not None:
                return shown
        except BatchError as error:
            problem = ledger_pages.why(error)
        except ValueError:
            problem = _("行号用逗号隔开，只写数字，例如 12，18。没有收下，请改好再点一次。")
    with parts.database.read() as session:
        page = page_behind(session, token)
        return view(session, page, language, problem=problem) if page is not None else GONE


def _do(database: Database, token: str, pressed: Mapping[str, str], language: str) -> View | File | None:
    """Carry out one press; what it shows, if that is not the page itself. Raises BatchError, and ValueError for what is
    no list of rows."""
    what = pressed.get("do", "")
    with database.write() as session:
        page = page_behind(session, token)
        upload = ledger_upload.upload_of(page.facts) if page is not None else None
        batch = session.get(LedgerBatch, upload.batch) if upload is not None and upload.batch else None
        if page is None or batch is None or not ledger_upload.may_see(session, page.person_id, batch):
            return None
        by = page.person_id
        if what == "take":
            chosen = ledger_pages.numbers(pressed.get("doubtful", ""))
            ledger_import.begin(session, batch.id, by, doubtful=chosen, many_gone=bool(pressed.get("many_gone")))
        elif what == "drop":
            ledger_import.give_up(session, batch.id, by)
        elif what == "undo":
            ledger_undo.begin(session, batch.id, by)
        elif what == "names":
            return View("import_names.html", 200, language, ledger_pages.names(session, batch, by))
        elif what == "file":
            ledger_pages.note_file(session, batch, by)
    if what != "file":
        return None
    with database.read() as session:
        rows = list(ledger_check.problems_of(session, batch))
    return File(corrected(rows, batch.headings, ledger_pages.problem_words_of(batch.sheet)))
