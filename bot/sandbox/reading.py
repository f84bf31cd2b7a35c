"""Reading what others sent: with a limit, strictly, and with one exception for everything that is wrong."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import urlsplit

from aiohttp import web

SMALL_BODY = 64 * 1024
MOST_DIGITS = 18


class TooLarge(Exception):
    """A body over its limit."""


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, decompressed; raises TooLarge as soon as it passes `limit` bytes, whatever its header says."""
    if (request.content_length or 0) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in request.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def strict_json(text: str | bytes) -> Any:
    """JSON without NaN, nesting without end or halves of letters (lone surrogates); raises ValueError."""
    try:
        value = json.loads(text, parse_constant=_no_number)
        if (b"\\u" if isinstance(text, bytes) else "\\u") in text:  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object; raises ValueError for anything else."""
    value = strict_json(body)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def whole_number(value: Any) -> int | None:
    """A number of at most 18 digits, given as such or as ASCII digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    digits = str(value) if not isinstance(value, int) or abs(value) < 10**MOST_DIGITS else ""
    plain = digits.removeprefix("-")
    return int(digits) if plain.isascii() and plain.isdigit() and len(plain) <= MOST_DIGITS else None


def scheme(address: Any) -> str:
    """The scheme of a web address in lower case; empty for what is none."""
    try:
        return urlsplit(address).scheme if isinstance(address, str) else ""
    except ValueError:
        return ""


def is_web_page(address: Any) -> bool:
    """Whether it is an http or https address."""
    return scheme(address) in ("http", "https")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
