"""Nothing that names a person or unlocks anything is read in a log, whoever writes it and however it goes wrong."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
import telegram
from aiohttp import ClientSession, web
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot import logs
from models.database import Database
from models.vault import Vault, VaultError

# What people write and who they are; none of it may be read in any line.
PHONE, IDENTITY, OPENID = "13800138000", "44010619900307123X", "oX3cK5dZs0pPfLq8mH2uT7yWaBcD"
TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz012345"
WORDS = "我叫林小青住在天河路 My secret words to the bot"
SECRETS = (PHONE, IDENTITY, OPENID, TOKEN, "林小青", "天河路", "secret words", "AAF-abcdef")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the process logs from now on, set up as `nuanyang serve` does."""
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    level, hooks = root.level, (sys.excepthook, threading.excepthook, sys.unraisablehook)
    written = io.StringIO()
    stderr, sys.stderr = sys.stderr, written
    try:
        logs.set_up("INFO", pretty=False)
        yield written
    finally:
        sys.stderr = stderr
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        structlog.reset_defaults()


def nothing_leaks(written: io.StringIO, *, at_least: int = 1) -> list[dict[str, Any]]:
    """Every line is one JSON object without any of the secrets."""
    said = written.getvalue()
    for secret in SECRETS:
        assert secret not in said, said
    found = [json.loads(line) for line in said.splitlines()]
    assert len(found) >= at_least, said
    return found


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (f"call {PHONE} now", "call <phone> now"),
        ("+852 51234567", "<phone>"),
        ("138 0013 8000", "<phone>"),
        (f"id {IDENTITY}", "id <id number>"),
        (f"{IDENTITY}44", "<id number>"),
        (f"GET /bot{TOKEN}/sendMessage", "GET /bot<token>/sendMessage"),
        (f"from {OPENID}", "from <openid>"),
        ("/p/AbCdEfGhIjKlMnOpQrStUv", "/p/<token>"),
        ("postgresql://nuanyang:hunter2@db/x", "postgresql://<hidden>@db/x"),
        ("access_token=abc.def&x=1", "access_token=<hidden>&x=1"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer <hidden>"),
        ("林小青说", "<words>"),
        ("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz", "<key>"),
        ("turn_failed inbox=0192a3b4c5d6", "turn_failed inbox=0192a3b4c5d6"),
        ("took 1500 ms, port 8080", "took 1500 ms, port 8080"),
    ],
)
def test_what_may_not_be_read_is_replaced_and_the_rest_stays(raw: str, shown: str) -> None:
    assert logs.redact(raw) == shown


def test_our_own_fields_are_redacted_at_any_depth(lines: io.StringIO) -> None:
    log = structlog.get_logger("ours")
    log.info("event", phone=PHONE, inner={"a": [IDENTITY, {"b": OPENID}], WORDS.split()[0]: 1}, number=int(PHONE))
    log.warning("positional %s", f"for {PHONE}")
    log.info("raw", body=WORDS.encode(), error=ValueError(WORDS))
    found = nothing_leaks(lines, at_least=3)
    assert found[0]["inner"]["a"][0] == "<id number>"


def test_an_exception_is_written_as_classes_and_places_without_its_words(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError(WORDS)
        except KeyError as error:
            raise ValueError(f"bad phone {PHONE}") from error
    except ValueError:
        structlog.get_logger("ours").exception("turn_failed", inbox="abc")
    written = nothing_leaks(lines)[0]["exception"]
    assert written.startswith("ValueError\n  tests/test_logs.py:")
    assert "caused by\nKeyError" in written


def test_an_exception_group_is_written_with_its_members(lines: io.StringIO) -> None:
    try:
        raise ExceptionGroup(WORDS, [ValueError(WORDS), VaultError("volunteer.name_sealed: not a sealed value")])
    except ExceptionGroup:
        structlog.get_logger("ours").exception("failed")
    written = nothing_leaks(lines)[0]["exception"]
    assert "ValueError" in written
    assert "VaultError: volunteer.name_sealed" in written


def test_a_database_error_says_what_kind_without_parameters(database: Database, lines: io.StringIO) -> None:
    log = structlog.get_logger("ours")
    with pytest.raises(DBAPIError) as caught, database.write() as session:
        session.execute(
            text("INSERT INTO installed (name, digest) VALUES (:n, :d), (:n, :d)"), {"n": WORDS, "d": PHONE}
        )
    assert PHONE not in str(caught.value)
    log.error("failed", exc_info=caught.value)
    logging.getLogger("sqlalchemy.pool").error("Exception during reset %s", WORDS, exc_info=caught.value)
    found = nothing_leaks(lines, at_least=2)
    assert "IntegrityError" in found[0]["exception"]
    assert "23505" in found[0]["exception"] or "SQLITE_CONSTRAINT" in found[0]["exception"]


def test_sqlalchemy_does_not_write_statements_with_parameters(database: Database, lines: io.StringIO) -> None:
    with database.read() as session:
        session.execute(text("SELECT :words"), {"words": WORDS})
    assert lines.getvalue() == ""


def test_a_failing_job_of_apscheduler_leaks_nothing(lines: io.StringIO) -> None:
    ran = threading.Event()

    def job() -> None:
        ran.set()
        raise RuntimeError(WORDS)

    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
    scheduler.add_job(job, "date", run_date=datetime.now(UTC), name=WORDS, misfire_grace_time=None)
    scheduler.start()
    assert ran.wait(5)
    scheduler.shutdown(wait=True)
    assert any("raised an exception" in line["event"] for line in nothing_leaks(lines))


async def test_aiohttp_leaks_nothing_of_a_failing_handler_or_a_malformed_request(lines: io.StringIO) -> None:
    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError(WORDS)

    application = web.Application()
    application.router.add_post("/{name}", broken)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as http:
        address = f"http://127.0.0.1:{port}/{PHONE}?access_token={TOKEN}"
        async with http.post(address, data=WORDS.encode()) as response:
            assert response.status == 500
    before = len(lines.getvalue())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"BAD {PHONE} secret words\r\n\r\n".encode())
    assert b"400" in await reader.readline()
    writer.close()
    await runner.cleanup()
    found = nothing_leaks(lines)
    assert "RuntimeError" in found[0]["exception"]
    assert len(lines.getvalue()) == before, "a malformed request must not fill the log"


async def test_asyncio_leaks_nothing_of_a_task_that_nobody_awaited(lines: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(WORDS)

    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    context = {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    asyncio.get_running_loop().default_exception_handler(context)
    assert nothing_leaks(lines)[0]["event"] == "Task exception was never retrieved"


async def test_telegram_and_its_http_library_leak_nothing(lines: io.StringIO) -> None:
    bot = telegram.Bot(TOKEN, base_url="http://127.0.0.1:9/bot")
    with pytest.raises(telegram.error.NetworkError) as caught:
        await bot.send_message(1, WORDS)
    structlog.get_logger("ours").error("failed", exc_info=caught.value)
    logging.getLogger("telegram.ext").error("No error handlers are registered %s", WORDS, exc_info=caught.value)
    logging.getLogger("httpx").info("HTTP Request: POST https://api.telegram.org/bot%s/x", TOKEN)
    await bot.shutdown()
    assert len(nothing_leaks(lines, at_least=2)) == 2


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "psycopg", "wechatpy", "anything"])
def test_a_library_keeps_its_own_words_and_loses_the_values(lines: io.StringIO, name: str) -> None:
    logging.getLogger(name).warning("retry %d of %s for %r: %s", 3, WORDS, PHONE, OPENID)
    logging.getLogger(name).warning("%(a)s failed", {"a": WORDS})
    logging.getLogger(name).error("first line\nsecond line " + WORDS)
    found = nothing_leaks(lines, at_least=3)
    assert found[0]["event"] == "retry 3 of <…> for <…>: <…>"
    assert found[1]["event"] == "<…> failed"
    assert found[2]["event"] == "first line"


def test_a_warning_is_told_by_class_and_place_alone(lines: io.StringIO) -> None:
    class Form(BaseModel):
        age: int

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # pydantic repeats the value in its warning.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        Form.model_construct(age=WORDS).model_dump()
    found = nothing_leaks(lines)
    assert found[0]["event"] == "python_warning"
    assert found[0]["category"] == "UserWarning"


def test_what_nobody_caught_goes_through_the_same_nets(lines: io.StringIO) -> None:
    def fail() -> None:
        raise ValueError(WORDS)

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert [line["event"] for line in nothing_leaks(lines)] == ["thread_failed", "process_failed"]


def test_a_line_that_cannot_be_written_does_not_print_its_values(lines: io.StringIO) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError(WORDS)

    structlog.get_logger("ours").info("event", value=Hostile())
    assert nothing_leaks(lines)[0]["value"] == "<unprintable: RuntimeError>"
    ours = next(handler for handler in logging.getLogger().handlers if isinstance(handler, logs._Handler))
    ours.handle(logging.LogRecord("library", logging.WARNING, "", 0, "value %s", (Hostile(),), None))
    assert nothing_leaks(lines)[1]["event"] == "value <…>"


def test_the_vault_and_the_settings_show_no_secret() -> None:
    from config.settings import Settings

    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    settings = Settings(keys=(key,), database_url="postgresql+psycopg://u:hunter2@db/x")  # type: ignore[arg-type]
    assert key not in repr(settings)
    assert "hunter2" not in repr(settings)
    assert repr(Vault([bytes(32)])) == "Vault(1 keys)"


def test_a_terminal_gets_lines_for_people(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", lines)
    logs.set_up("INFO", pretty=True)
    structlog.get_logger("ours").info("started", accounts=2)
    assert "started" in lines.getvalue()
    assert "{" not in lines.getvalue()
