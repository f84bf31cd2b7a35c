"""Structured logs that hold no personal data: one processor chain for our loggers and everybody else's.

Redaction comes after the exception has become text, so that nothing in a traceback escapes it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

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
        (r"://[^\s/@:]+:[^\s/@]+@", "://<hidden>@"),
        (r"/p/[A-Za-z0-9_-]{22}", "/p/<token>"),
        (r"(?<![0-9A-Za-z])\d{17}[\dXx](?:\d{2})?(?![0-9A-Za-z])", "<id number>"),
        (r"(?<![0-9A-Za-z.:-])\+?(?:86|852|853|886)?[ -]?1[3-9]\d(?:[ -]?\d){8}(?![0-9A-Za-z])", "<phone>"),
        (r"(?<![0-9A-Za-z])\+\d{8,15}(?![0-9A-Za-z])", "<phone>"),
        (r"(?<![0-9A-Za-z_-])o[A-Za-z0-9_-]{27}(?![0-9A-Za-z_-])", "<openid>"),
        (r"(?<![0-9A-Za-z+/_-])[A-Za-z0-9+/_-]{43}=?(?![0-9A-Za-z+/_=-])", "<key>"),
    )
)
# Chinese words in a library's message come from people: names, places, what they wrote.
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")

_OURS = ("event", "level", "logger", "timestamp")


def redact(text: str) -> str:
    """The text without anything that names or unlocks."""
    for pattern, put in _PATTERNS:
        text = pattern.sub(put, text)
    return _HAN.sub("<words>", text)


def _redact_all(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return redact(str(value)) if isinstance(value, int) and abs(value) > 9_999_999_999 else value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_clean(item) for item in value]
    return redact(str(value))


def set_up(level: str = "INFO", *, pretty: bool | None = None) -> None:
    """Send every logger of the process through the redactor to standard error; JSON lines unless it is a terminal."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_all,
    ]
    show_pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if show_pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx and httpcore write request URLs, which hold the bot's token, at INFO; aiohttp's access log holds queries.
    for chatty in ("httpx", "httpcore", "telegram", "aiohttp.access", "apscheduler", "urllib3"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
