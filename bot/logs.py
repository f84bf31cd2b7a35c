"""Structured logs that hold no personal data: one processor chain for our loggers and everybody else's.

Three nets. An exception is written as its classes and the places in the code, never with its own words: those often
repeat what a person typed. A library's line keeps the words its authors wrote and loses the values they put in.
Whatever is left goes through patterns of what must never be read in a log.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import DBAPIError

from config.settings import UnsafeSetting
from models.database import DatabaseAway
from models.vault import VaultError

# What must never be read in a log, whoever wrote it: bot tokens, access tokens, bearer words, phone numbers,
# identity and certificate numbers, openids, one-time page tokens, long base64 (keys).
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"(?i)\bbot\d{1,20}:[A-Za-z0-9_-]{3,}", "bot<token>"),
        (r"(?<!\d)\d{5,20}:[A-Za-z0-9_-]{20,}", "<token>"),
        (
            r"(?i)((?:access_|secret_?|app)?(?:token|secret|password|signature)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',}]+",
            r"\1<hidden>",
        ),
        (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", r"\1 <hidden>"),
        (r"://[^\s/@:]+:[^\s/@]+@", "://<hidden>@"),
        (r"/p/[A-Za-z0-9_-]{22}", "/p/<token>"),
        (r"\bd_[A-Za-z0-9_-]{22}", "d_<token>"),
        (r"(?<![0-9A-Za-z])\d{17}[\dXx](?:\d{2})?(?![0-9A-Za-z])", "<id number>"),
        (r"(?<![0-9A-Za-z.:-])\+?(?:86|852|853|886)?[ -]?1[3-9]\d(?:[ -]?\d){8}(?![0-9A-Za-z])", "<phone>"),
        (r"(?<![0-9A-Za-z])\+\d(?:[ -]?\d){7,14}(?![0-9A-Za-z])", "<phone>"),
        (r"(?<![0-9A-Za-z_-])o[A-Za-z0-9_-]{27}(?![0-9A-Za-z_-])", "<openid>"),
        (r"(?<![0-9A-Za-z+/_-])[A-Za-z0-9+/_-]{43}=?(?![0-9A-Za-z+/_=-])", "<key>"),
    )
)
# Chinese words in a library's message come from people: names, places, what they wrote.
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")

# The text of these is made by us and names places, keys and classes only.
_OUR_WORDS = (UnsafeSetting, DatabaseAway, VaultError)
_FRAMES = 12
_ROOT = Path(__file__).parent.parent
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[a-zA-Z%]")
# `warnings` writes "file:line: Category: words" and the words often hold a value.
_WARNING = re.compile(r"(?P<file>[^\n]*):(?P<line>\d+): (?P<category>\w+):")


def redact(text: str) -> str:
    """The text without anything that names or unlocks."""
    for pattern, put in _PATTERNS:
        text = pattern.sub(put, text)
    return _HAN.sub("<words>", text)


def describe(error: BaseException) -> str:
    """An error without its own words: its class, and what the database or the system say about its kind."""
    name = type(error).__name__
    if isinstance(error, _OUR_WORDS):
        return f"{name}: {redact(str(error))}"
    if isinstance(error, DBAPIError):
        return f"{name} ({describe(error.orig)})" if error.orig is not None else name
    facts = [str(getattr(error, attribute, None) or "") for attribute in ("sqlstate", "sqlite_errorname")]
    diagnosis = getattr(error, "diag", None)
    facts += [str(getattr(diagnosis, attribute, None) or "") for attribute in ("table_name", "constraint_name")]
    if isinstance(error, OSError) and error.errno is not None:
        facts.append(f"errno {error.errno}")
    known = " ".join(fact for fact in facts if fact)
    return f"{name} [{known}]" if known else name


def trace(error: BaseException) -> str:
    """The chain of an error and its causes with the places they came through, innermost last."""
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        places = [
            f"  {_place(frame.filename)}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(link.__traceback__)
        ]
        parts.append("\n".join([describe(link), *places[-_FRAMES:]]))
        if isinstance(link, BaseExceptionGroup):
            parts.extend(trace(inner) for inner in link.exceptions)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused by\n".join(parts)


def _place(filename: str) -> str:
    """A file by its place in our tree or in a library, not by where this machine keeps it."""
    path = Path(filename)
    if path.is_relative_to(_ROOT) and ".venv" not in path.parts:
        return str(path.relative_to(_ROOT))
    return "/".join(path.parts[-2:])


def _without_words(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Net one: turn exc_info into classes and places."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = given if isinstance(given, BaseException) else (given[1] if isinstance(given, tuple) else sys.exc_info()[1])
    if error is not None:
        event["exception"] = trace(error)
    return event


def _only_the_template(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Net two, for foreign records: the first line of what the library's authors wrote, with numbers at most."""
    record: logging.LogRecord = event["_record"]
    args = event.pop("positional_args", None)
    event.pop("stack_info", None)
    if record.name == "py.warnings":
        found = _WARNING.match(str(record.msg))
        event["event"] = "python_warning"
        if found:
            event["category"] = found["category"]
            event["place"] = f"{_place(found['file'])}:{found['line']}"
        return event
    template = str(record.msg)
    if not args:
        event["event"] = template.split("\n")[0]
        return event
    values = iter(args if isinstance(args, tuple) else ())
    shown = _PLACEHOLDER.sub(lambda match: "%" if match[0] == "%%" else _number(next(values, None)), template)
    event["event"] = shown.split("\n")[0]
    return event


def _number(value: Any) -> str:
    """A small number as itself; anything else might be somebody's."""
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 100_000):
        return str(value)
    return "<…>"


def _redact_all(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Net three."""
    for key, value in event.items():
        if key not in ("_record", "_from_structlog"):
            event[key] = _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return redact(str(value)) if isinstance(value, int) and abs(value) > 9_999_999_999 else value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, BaseException):
        return describe(value)
    if isinstance(value, dict):
        return {redact(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Iterable):
        return [_clean(item) for item in value]
    try:
        return redact(str(value))
    except Exception as error:  # noqa: BLE001 a log line must never end the work that it tells of
        return f"<unprintable: {type(error).__name__}>"


def _not_the_senders_fault(record: logging.LogRecord) -> bool:
    """aiohttp logs an error for every malformed request; whoever sends them in floods must not fill the disk."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


class _Handler(logging.StreamHandler[Any]):
    """Standard error; a record that cannot be written is counted in one plain line, not printed with its values."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 the library's name
        kind = sys.exc_info()[0]
        if kind is not BrokenPipeError:
            sys.stderr.write(f"log line of {record.name} could not be written: {kind.__name__ if kind else '?'}\n")


def set_up(level: str = "INFO", *, pretty: bool | None = None) -> None:
    """Send every logger of the process through the nets to standard error; JSON lines unless it is a terminal."""
    named: list[Any] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    nets: list[Any] = [structlog.processors.TimeStamper(fmt="iso", utc=True), _without_words, _redact_all]
    show_pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if show_pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *named,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *nets,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*named, _only_the_template, *nets],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            pass_foreign_args=True,
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx and httpcore write request URLs, which hold the bot's token, at INFO; aiohttp's access log holds queries;
    # SQLAlchemy writes parameters at INFO.
    for chatty in ("httpx", "httpcore", "telegram", "aiohttp.access", "apscheduler", "urllib3", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    server = logging.getLogger("aiohttp.server")
    if _not_the_senders_fault not in server.filters:
        server.addFilter(_not_the_senders_fault)
    logging.captureWarnings(True)
    _catch_the_uncaught()


def _catch_the_uncaught() -> None:
    """What nobody caught is printed by Python with its words: it goes through the nets instead."""
    log = structlog.get_logger("uncaught")

    def thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            log.error("thread_failed", thread=args.thread.name if args.thread else "", exc_info=args.exc_value)

    def process(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
        log.critical("process_failed", exc_info=error)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            log.error("unraisable", exc_info=args.exc_value)

    threading.excepthook = thread
    sys.excepthook = process
    sys.unraisablehook = unraisable
