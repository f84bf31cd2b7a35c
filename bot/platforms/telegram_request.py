"""The Bot API over aiohttp, as python-telegram-bot's request class.

Its own httpx class sends 250–900 messages a second and cannot say whether a call had left the machine when it
failed; this one knows, because aiohttp tells when it begins to write. The exceptions are the library's, with two
of our own for what the library has no word for.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import BaseRequest, RequestData

from bot.last_moment import last_moment

if TYPE_CHECKING:
    from telegram._utils.types import ODVInput

CALL_SECONDS = 10.0
_CONNECT_SECONDS = 4.0
_MAX_ANSWER = 4 * 1024 * 1024  # a hundred updates of long polling stay under 1 MiB
_DEFAULT_PAUSE = 5.0
_MAX_PAUSE = 86_400.0
_HEADERS = {"User-Agent": BaseRequest.USER_AGENT, "Content-Type": "application/x-www-form-urlencoded"}


class NotSentError(NetworkError):
    """Certain: Telegram did not get the call. No connection, no free connection, or a gateway's own refusal."""


class UnclearError(NetworkError):
    """The answer says neither yes nor no: 5xx, or 200 with something that is not the Bot API's JSON."""

    def __init__(self, status: int) -> None:
        super().__init__(f"unclear answer ({status})")
        self.status = status


class Paused(RetryAfter):
    """429. The library's own class warns about its coming change whenever it is made, so it is not called."""

    def __init__(self, seconds: float) -> None:
        TelegramError.__init__(self, f"Flood control exceeded. Retry in {seconds:g} seconds")
        self._retry_after = timedelta(seconds=seconds)
        self.seconds = seconds


@dataclass(slots=True)
class _Call:
    """What is known about one call while it runs."""

    begun: bool = False


class AiohttpRequest(BaseRequest):
    """One connection pool. `secret` is the bot's token: an exception whose text holds it is never passed on.

    `read_timeout` means the whole call here, from waiting for a connection to the last byte, in seconds.
    """

    __slots__ = ("_closed", "_secret", "_session")

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def read_timeout(self) -> float:
        return CALL_SECONDS

    async def initialize(self) -> None:
        self._closed = False

    async def shutdown(self) -> None:
        """Close the connections; calls under way end with an error, later ones are refused."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """The library's door. Raises its exceptions itself, since its own reading of a refusal trusts every type."""
        form = request_data.json_parameters if request_data is not None else {}
        seconds = read_timeout if isinstance(read_timeout, int | float) else CALL_SECONDS
        return 200, await self._accepted(url, form, seconds)

    async def call(self, url: str, form: dict[str, str], seconds: float) -> Any:
        """Call a method and return its `result` unparsed, for getUpdates: the library gives up a whole batch,
        and logs it, when it cannot read one update of it. Raises TelegramError."""
        return self.parse_json_payload(await self._accepted(url, form, seconds))["result"]

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Like the parent's, without its log line, which would hold the whole payload."""
        answer = _object(payload)
        if answer is None or answer.get("ok") is not True or "result" not in answer:
            raise UnclearError(200)
        return answer

    async def _accepted(self, url: str, form: dict[str, str], seconds: float) -> bytes:
        status, body, pause = await self._exchange(url, form, seconds)
        if 200 <= status < 300:
            if body.startswith(b'{"ok":true'):
                return body
            answer = _object(body)
            if answer is None or answer.get("ok") is not False:
                return body  # parse_json_payload finds out what it is
            status = _status_in(answer)  # a refusal is a refusal, whatever status a gateway gave it
        else:
            answer = _object(body)
        raise refusal(status, answer, pause)

    async def _exchange(self, url: str, form: dict[str, str], seconds: float) -> tuple[int, bytes, str]:
        call = _Call()
        problem: Exception
        try:
            async with (
                # aiohttp's own total time-out rounds up to whole seconds; a deadline does not.
                asyncio.timeout(seconds),
                self._connections().post(
                    url,
                    data=urlencode(form).encode(),
                    headers=_HEADERS,
                    allow_redirects=False,
                    trace_request_ctx=call,
                ) as response,
            ):
                return response.status, await _read(response), response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            problem = error
        # Outside of the except block, so that the original does not hang on as __context__.
        raise self._told(problem, call) from self._harmless(problem)

    def _connections(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the account is stopped")
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_mark_begun)
            self._session = aiohttp.ClientSession(
                # No limit: the delivery engine has its own, and hanging calls must not keep an emergency waiting.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[last_moment(), trace],
            )
        return self._session

    @staticmethod
    def _told(problem: Exception, call: _Call) -> NetworkError:
        name = type(problem).__name__
        if not call.begun:
            return NotSentError(f"not sent: {name}")
        if isinstance(problem, TimeoutError):
            return TimedOut(f"no answer in time: {name}")
        return NetworkError(f"connection lost: {name}")

    def _harmless(self, problem: Exception) -> Exception:
        # The token is a part of the URL, and some exceptions quote the URL.
        if self._secret and self._secret in f"{problem!r} {problem!s} {problem.__cause__!r}":
            return aiohttp.ClientError(type(problem).__name__)
        return problem


def refusal(status: int, answer: dict[str, Any] | None, pause: str = "") -> TelegramError:
    """What a status other than success means. `answer` is the Bot API's own JSON, None if something else came."""
    parameters = answer.get("parameters") if answer is not None else None
    if not isinstance(parameters, dict):
        parameters = {}
    migrated = parameters.get("migrate_to_chat_id")
    if type(migrated) is int:
        return ChatMigrated(migrated)
    if status == 429:
        return Paused(_pause(parameters.get("retry_after", pause)))
    if status in (401, 404):
        # 401: a token that is not valid; 404: one that never was. Both end the account's work.
        return InvalidToken(f"token refused ({status})")
    if status == 408 or status >= 500:
        return UnclearError(status)
    if answer is None:
        # Some gateway's page. A blocked bot, a bad request or a conflict is only believed in Telegram's own words.
        return NotSentError(f"refused on the way ({status})")
    description = answer.get("description")
    words = description if isinstance(description, str) else f"error {status}"
    if status == 403:
        return Forbidden(words)
    if status == 409:
        return Conflict(words)
    return BadRequest(words)


async def _mark_begun(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.begun = True


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise aiohttp.ClientPayloadError("answer too long")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _status_in(answer: dict[str, Any]) -> int:
    code = answer.get("error_code")
    return code if type(code) is int and 400 <= code < 600 else 500


def _pause(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        return _DEFAULT_PAUSE
    # Written this way round so that NaN takes the default, too.
    return min(seconds, _MAX_PAUSE) if seconds > 0 else _DEFAULT_PAUSE
